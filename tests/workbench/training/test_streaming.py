"""Tables that are too large to be held: read twice, prepared into a file, learnt from window by window."""

import errno
import os

import numpy as np
import polars as pl
import pytest

OPTIONS = ("--epochs", "4", "--patience", "2", "--hidden", "8", "--batch-size", "32", "--examples", "1")
ROWS = 1500


@pytest.fixture(scope="module")
def orders():
    """Return a table with every kind of column and role."""
    rng = np.random.default_rng(11)
    age = rng.normal(50, 10, ROWS)
    churned = rng.random(ROWS) < 1 / (1 + np.exp(-(age - 50) / 5))
    return pl.DataFrame(
        {
            "order": np.arange(ROWS) + 1000,
            "age": [None if row % 17 == 0 else float(age[row]) for row in range(ROWS)],
            "price": [
                "call us" if row % 97 == 0 else f"{value:.2f}" for row, value in enumerate(rng.gamma(2, 9, ROWS))
            ],
            "city": rng.choice(["Oslo", "Rome", "Lima"], ROWS),
            "shop_code": rng.integers(1, 40, ROWS),
            "comment": rng.choice(["late and cold", "on time", "never again", "all well", "cold"], ROWS),
            "member": rng.random(ROWS) < 0.3,
            "seen": pl.date_range(pl.date(2020, 1, 1), pl.date(2030, 1, 1), eager=True).sample(ROWS, seed=1),
            "customer": [f"c{value}" for value in rng.integers(0, 300, ROWS)],
            "part": np.where(rng.random(ROWS) < 0.2, "test", "train"),
            "counts": [None if row % 101 == 0 else float(value) for row, value in enumerate(rng.random(ROWS) + 0.5)],
            "churned": np.where(churned, "yes", "no"),
        }
    )


@pytest.fixture
def limits(monkeypatch):
    """Let every table be too large to be held, and say how large its sample and the windows of its matrix are."""
    from binxent.workbench.reading import row_sample
    from binxent.workbench.training import inputs

    def call(sampled=row_sample.SAMPLED):
        monkeypatch.setattr(row_sample, "FEWEST", 0)
        monkeypatch.setattr(row_sample, "LARGEST", 0)
        monkeypatch.setattr(row_sample, "SAMPLED", sampled)
        monkeypatch.setattr(inputs, "LARGEST", 0)

    return call


@pytest.fixture
def windows(monkeypatch):
    """Shuffle training rows within several windows, whether they lie in a file or not."""
    pytest.importorskip("keras")
    from binxent.workbench.training import fit

    monkeypatch.setattr(fit, "WINDOW", 4000)
    monkeypatch.setattr(fit, "BLOCKS", 4)
    return fit


@pytest.fixture
def train(binxent, orders, tmp_path):
    """Train on the orders: `train(name, file, *options)` returns the run folder and the result."""

    def call(name, file, *options):
        if not (tmp_path / file).exists():
            (orders.write_csv if file.endswith(".csv") else orders.write_parquet)(tmp_path / file)
        result = binxent("train", file, "--target", "churned", *OPTIONS, *options, "--name", name)
        return tmp_path / "runs" / name, result

    return call


def _require_same_bits(one, other):
    for name in ("metrics.json", "history.csv", "columns.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert sorted(os.listdir(one)) == sorted(os.listdir(other))
    assert pl.read_parquet(one / "predictions.parquet").equals(pl.read_parquet(other / "predictions.parquet"))
    for name in ("network.npz", "preparation.npz"):
        ours, theirs = np.load(one / name), np.load(other / name)
        assert all(np.array_equal(ours[key], theirs[key]) for key in ours.files)


@pytest.mark.slow
def test_a_streamed_table_gives_the_bits_of_one_that_is_held_also_after_an_interruption(
    train, binxent, limits, windows, monkeypatch
):
    options = ("orders.parquet", "--group", "customer", "--weight", "counts", "--drop-missing", "--folds", "1")
    held, result = train("held", *options)
    assert result.exit_code == 0, result.output
    limits()
    with monkeypatch.context() as patch:
        taken, batch = [], windows._Batches.__getitem__

        def interrupted(batches, index):
            if len(taken) == 50:  # in the second epoch
                raise KeyboardInterrupt
            taken.append(index)
            return batch(batches, index)

        patch.setattr(windows._Batches, "__getitem__", interrupted)
        streamed, result = train("streamed", *options)
    assert result.exit_code == 130
    assert "Streamed    too large to be held" in result.stdout
    assert sorted(path.suffix for path in streamed.iterdir()) == ["", ".json", ".json", ".npz", ".npz", ".toml"]
    assert binxent("train", "--resume", streamed).exit_code == 0
    _require_same_bits(held, streamed)


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--time", "seen", "--exclude", "part"), ("--split", "part")])
def test_a_streamed_csv_file_gives_the_bits_of_one_that_is_held(train, limits, options):
    held, _ = train("held", "orders.csv", *options)
    limits()
    streamed, result = train("streamed", "orders.csv", *options)
    assert result.exit_code == 0, result.output
    _require_same_bits(held, streamed)


@pytest.fixture
def plan_of(orders, tmp_path):
    """Make a plan for a table; rows with `odd` have odd prices."""
    from binxent.workbench.settings import Settings
    from binxent.workbench.training.plan import Plan

    def call(odd=()):
        price = [f"sold out {row}" if row in odd else str(row % 50 + 0.5) for row in range(ROWS)]
        orders.with_columns(price=pl.Series(price)).write_csv(tmp_path / "orders.csv")
        return Plan.of(Settings(data=(str(tmp_path / "orders.csv"),), target="churned", time="seen"))

    return call


def _prepared(plan):
    from binxent.workbench.data.preparation import Preparation

    dataset, split = plan.sampled
    return Preparation.fit(dataset.features, dataset.table[split.training], 0)


def test_odd_values_beyond_the_sample_count_as_missing(plan_of, limits, tmp_path):
    from binxent.workbench.training.inputs import PreparedRows

    limits(sampled=12 * 400)
    sample = plan_of().dataset.sample
    assert 150 < len(sample) <= 400
    odd = set(range(5, ROWS, 9)) - set(sample.tolist())
    plan = plan_of(odd)
    assert plan.facts()["sampled_rows"] == len(sample)
    prepared = _prepared(plan)
    rows = PreparedRows(plan, prepared, tmp_path)
    assert rows.training.base is not None  # it lies in a file
    with pytest.MonkeyPatch.context() as patch:
        from binxent.workbench.reading import row_sample

        patch.setattr(row_sample, "LARGEST", 1 << 26)
        held = plan_of(odd)
    assert held.dataset.sample is None
    for ours, subset in ((rows.training, held.split.training), (rows.test, held.split.test)):
        np.testing.assert_array_equal(ours, prepared.transform(held.dataset.table[subset]))
    found = {column["name"]: column for column in rows.columns}
    for column in held.dataset.columns:
        expected = column.to_json()
        if column.use == "left out":
            expected["remark"] += f" (of a sample of {len(sample):,} rows)"
        assert found[column.name] == expected
    assert found["price"]["odd"] == len(odd)
    assert {column.name: column.odd for column in plan.dataset.columns}["price"] == 0
    assert found["order"]["remark"].startswith("looks like an id")


def test_a_file_that_changes_while_it_is_trained_on_is_refused(plan_of, limits, orders, tmp_path):
    from binxent.workbench.training.inputs import PreparedRows

    limits()
    plan = plan_of()
    rows = PreparedRows(plan, _prepared(plan), tmp_path)
    table = pl.read_csv(tmp_path / "orders.csv")
    pl.concat([table, table]).write_csv(tmp_path / "orders.csv")
    with pytest.raises(ValueError, match="has changed: it had 1,500 rows, and has 3,000 now"):
        _ = rows.training
    orders.write_csv(tmp_path / "orders.csv")
    with pytest.raises(ValueError, match="has changed since it was read"):
        _ = rows.training


def test_a_full_disk_is_told(plan_of, limits, monkeypatch, tmp_path):
    from binxent.workbench.training import inputs

    limits()
    plan = plan_of()
    monkeypatch.setattr(inputs.tempfile, "TemporaryFile", lambda dir: open("/dev/full", "r+b"))  # noqa: SIM115
    with pytest.raises(OSError, match=f"prepared rows do not fit there: {os.strerror(errno.ENOSPC).lower()}"):
        _ = inputs.PreparedRows(plan, _prepared(plan), tmp_path).training


def test_rows_are_shuffled_within_windows(windows):
    def order(rows, inputs):
        return windows._order(rows, inputs, np.random.default_rng([3, 1]))

    np.testing.assert_array_equal(order(400, 10), np.random.default_rng([3, 1]).permutation(400))
    several = order(1200, 10)  # windows of 4 blocks of 100 rows
    np.testing.assert_array_equal(np.sort(several), np.arange(1200))
    first = several[:400]
    assert len(set(first // 100)) == 4
    assert len(set(first[:100] // 100)) == 4  # mixed
    np.testing.assert_array_equal(np.sort(order(9, 10_000)), np.arange(9))  # rows larger than a window
