import numpy as np
import polars as pl
import pytest

from binxent.workbench.judgement.importance import permutation_importance

rng = np.random.default_rng(0)


def sample(rows):
    table = pl.DataFrame({name: rng.normal(size=rows) for name in ("strong", "^weak$", "*")})
    logit = predict(table)
    return table, (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8)


def predict(table):
    return 3 * table.get_column("strong").to_numpy() + table.get_column("^weak$").to_numpy()


@pytest.mark.parametrize("rows", [60, 5_000])
def test_the_order_is_that_of_what_the_model_uses(rows):
    table, target = sample(rows)
    found = permutation_importance(predict, table, target, None, table.columns, 0)
    assert [entry["column"] for entry in found] == ["strong", "^weak$", "*"]
    assert found[0]["increase"] > 5 * found[0]["error"] > 0
    assert found[2]["increase"] == pytest.approx(0, abs=1e-12) == found[2]["error"]
    assert found == permutation_importance(predict, table, target, np.full(rows, 7.0), table.columns, 0)
    assert found != permutation_importance(predict, table, target, None, table.columns, 1)


def test_the_increase_is_that_of_the_loss():
    table, target = sample(2_000)
    (found,) = permutation_importance(predict, table, target, None, ["strong"], 0)
    # Independent of the shuffling: the mean over all pairs of a label and another row's value.
    z, strong = predict(table), table["strong"].to_numpy()
    mixed = z[:, None] + 3 * (strong[None] - strong[:, None])
    expected = (np.logaddexp(0, mixed) - target[:, None] * mixed).mean() - (np.logaddexp(0, z) - target * z).mean()
    assert abs(found["increase"] - expected) < 3 * found["error"] < 0.5


def test_rows_of_weight_0_do_not_count_and_the_work_is_bounded():
    table, target = sample(5_000)
    weight = np.where(np.arange(5_000) < 500, 1.0, 0.0)
    whole = table.with_columns(pl.when(pl.int_range(pl.len()) < 500).then(pl.col("strong")).otherwise(np.nan))
    batches = []

    def counted(part):
        batches.append(part.height)
        return predict(part)

    assert len(permutation_importance(counted, whole, target, weight, table.columns, 0)) == 3
    assert max(batches) <= 20_000
    assert sum(batches) == 500 * (1 + 3 * 4)
    many = pl.DataFrame(
        {f"c{place}": table["strong"] for place in range(300)} | {"^weak$": table.get_column("*"), "strong": table["*"]}
    )
    assert len(permutation_importance(counted, many, target, None, many.columns, 0)) == 100


def test_nothing_is_said_without_rows_or_with_infinite_losses():
    table, target = sample(50)
    assert permutation_importance(predict, table, target, np.zeros(50), table.columns, 0) == []
    assert (
        permutation_importance(lambda part: np.full(part.height, np.inf), table, target, None, table.columns, 0) == []
    )
    assert permutation_importance(predict, table, target, None, [], 0) == []
