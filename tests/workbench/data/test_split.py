import datetime as dt

import numpy as np
import polars as pl
import pytest

from binxent.workbench.data import split as splits
from binxent.workbench.data.dataset import load
from binxent.workbench.data.split import split
from binxent.workbench.settings import Settings

ROWS = 200
rng = np.random.default_rng(0)
X = rng.normal(size=ROWS)
Y = (rng.random(ROWS) < 1 / (1 + np.exp(-X))).astype(int)
DAY = rng.permutation(ROWS)


@pytest.fixture
def parts(tmp_path):
    """Split a table of x, y and further columns: returns the dataset and the split."""

    def call(columns=None, **settings):
        pl.DataFrame({"x": X, "y": Y, **(columns or {})}).write_parquet(tmp_path / "table.parquet")
        dataset, complete = load(Settings(data=(str(tmp_path / "table.parquet"),), target="y", **settings))
        return dataset, split(dataset, complete)

    return call


def test_every_row_is_for_the_test_or_held_out_once(parts):
    _, found = parts()
    assert sorted([*found.training, *found.test]) == list(range(ROWS))
    assert (len(found.test), found.folds, found.remark) == (40, 5, "seed 0")
    assert np.bincount(found.fold).tolist() == [32] * 5
    shares = [Y[found.training[found.fold == number]].mean() for number in range(5)]
    assert max(shares) - min(shares) < 0.05


@pytest.mark.parametrize(("folds", "sizes"), [(3, [53, 53, 54]), (1, [32])])
def test_folds_may_be_fewer(parts, folds, sizes):
    _, found = parts(folds=folds)
    assert sorted(np.bincount(found.fold[found.fold >= 0])) == sizes
    assert len(found.validation) == sum(sizes)


def test_many_rows_are_not_all_held_out(parts, monkeypatch):
    monkeypatch.setattr(splits, "CROSS_VALIDATED", 100)
    _, found = parts()
    assert (found.folds, len(found.validation), len(found.training)) == (1, 32, 160)


def test_without_a_holdout_all_rows_are_learnt_from(parts):
    _, found = parts(holdout=0.0)
    assert (len(found.training), len(found.test), found.folds) == (ROWS, 0, 5)
    _, found = parts(holdout=0.1)
    assert len(found.test) == 20


def test_the_latest_rows_are_the_test(parts):
    dataset, found = parts({"day": DAY}, time="day")
    assert sorted(DAY[found.test]) == list(range(160, 200))
    assert sorted(DAY[found.validation]) == list(range(128, 160))
    assert found.folds == 1
    assert "day" not in dataset.features.columns


def test_rows_of_one_time_stay_together(parts):
    dates = pl.Series(DAY // 23).cast(pl.Int32).cast(pl.Date)
    _, found = parts({"when": dates}, time="when")
    test, training = set(dates.gather(found.test)), set(dates.gather(found.training))
    assert min(test) > max(training)
    assert abs(len(found.test) - 40) <= 23


def test_a_column_says_which_rows_are_which(parts):
    words = np.array(["train", " Valid ", "TEST", "holdout", "training"])[DAY % 5]
    _, found = parts({"part": words}, split="part")
    assert set(DAY[found.test] % 5) == {2, 3}
    assert set(DAY[found.validation] % 5) == {1}
    _, found = parts({"part": np.where(DAY < 50, "test", "train")}, split="part")
    assert (sorted(DAY[found.test]), found.folds) == (list(range(50)), 5)
    _, found = parts({"part": np.where(DAY < 50, "dev", "train")}, split="part")
    assert len(found.test) == 30  # a fifth of those that are for training
    assert sorted(DAY[found.validation]) == list(range(50))


def test_files_of_their_own_are_the_test(parts, tmp_path):
    pl.DataFrame({"y": [1, 0, 1], "x": [0.5, 1.0, None]}).write_csv(tmp_path / "later.csv")
    _, found = parts(test=(str(tmp_path / "later.csv"),))
    assert found.test.tolist() == [200, 201, 202]
    assert len(found.training) == ROWS


HALF = np.where(DAY < 100, "train", "somewhere")


@pytest.mark.parametrize(
    ("columns", "settings", "sentence"),
    [
        ({"part": HALF}, {"split": "part"}, "--split: the column `part` has the value `somewhere`"),
        ({"part": ["test"] * ROWS}, {"split": "part"}, "no row of the column `part` says train"),
        (
            {"part": np.where(Y == 1, "test", "train")},
            {"split": "part"},
            "the training subset has no rows of the class `1`",
        ),
        ({"t": ["a"] * 100 + ["b"] * 100}, {"time": "t"}, "--time: the column `t` holds String"),
        ({"t": [7] * ROWS}, {"time": "t"}, "--time: the column `t` has too few different times"),
        ({"t": DAY // 100}, {"time": "t"}, "--time: the column `t` has too few different times"),
        ({"t": [True, False] * 100}, {"time": "t"}, "--time: the column `t` has too few different times"),
        ({"t": pl.Series([dt.time(1)] * ROWS)}, {"time": "t"}, "--time: the column `t` holds Time"),
        ({"t": np.argsort(np.argsort(Y))}, {"time": "t"}, "the validation subset has no rows of .* or divide the rows"),
        ({"y": np.where(DAY < 9, np.nan, Y)}, {}, "--target: the column `y` is missing in 9 of 200"),
        ({"w": np.zeros(ROWS)}, {"weight": "w"}, "the training subset has no weight of the class `0`"),
        ({"w": np.where(Y == 1, 1e30, 1)}, {"weight": "w"}, "training subset has hardly any weight of the class `0`"),
        (
            {"w": [1e101] * ROWS},
            {"weight": "w"},
            r"weights must be 0, or from 1e-100 to 1e\+100; row 1 of `w` has 1e\+101",
        ),
        ({"w": [5e-324] * ROWS}, {"weight": "w"}, "weights must be 0, or from 1e-100 to"),
        ({"g": np.where(DAY < 9, np.nan, DAY // 9)}, {"group": "g"}, "--group: the column `g` is missing in 9 of 200"),
        ({"t": DAY, "g": DAY % 9}, {"time": "t", "group": "g"}, "--group and --time exclude each other"),
        ({"t": DAY, "s": HALF}, {"time": "t", "split": "s"}, "--time and --split each say which rows are the test"),
        ({"t": DAY}, {"time": "t", "folds": 5}, "--folds: --time says which rows are for validation"),
        ({}, {"folds": 21}, "--folds must be a whole number from 1 to 20"),
        ({}, {"holdout": 0.7}, "--holdout must be a number from 0 to 0.5"),
    ],
)
def test_what_cannot_be_split_is_refused(parts, columns, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        parts(columns, **settings)


def test_each_network_sees_both_classes(parts):
    _, found = parts()
    weight = np.ones(ROWS)
    weight[found.training[(found.fold != 1) & (Y[found.training] == 1)]] = 0
    with pytest.raises(ValueError, match="training subset without its fold 2 has no weight of the class `1`"):
        parts({"w": weight}, weight="w")


def test_a_giant_group_is_learnt_from(parts):
    for seed in range(5):
        _, found = parts({"g": np.maximum(DAY - 150, 0)}, group="g", seed=seed)
        assert len(found.training) > 150
        _, found = parts({"g": np.maximum(DAY - 150, 0)}, group="g", seed=seed, folds=1)
        assert len(found.validation) < 50


def test_more_folds_than_rows_of_a_class_are_refused(tmp_path):
    pl.DataFrame({"x": X, "y": [1] * 10 + [0] * 190}).write_parquet(tmp_path / "table.parquet")
    dataset, settings = load(Settings(data=(str(tmp_path / "table.parquet"),), target="y", folds=15))
    with pytest.raises(ValueError, match="--folds 15: the rarer class has"):
        split(dataset, settings)


def test_a_file_cannot_be_learnt_from_and_judged_by(parts, tmp_path):
    with pytest.raises(ValueError, match="is one of DATA"):
        parts(test=(str(tmp_path / "table.parquet"),))
