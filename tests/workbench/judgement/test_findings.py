"""Each fault is planted and found; tables without faults give no finding."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from binxent.workbench.data.dataset import load
from binxent.workbench.data.split import split
from binxent.workbench.judgement.judge import judge_model, judge_table
from binxent.workbench.settings import Settings

ROWS = 1_000
rng = np.random.default_rng(0)
X, Z = rng.normal(size=(2, ROWS))
Y = (rng.random(ROWS) < 1 / (1 + np.exp(-2 * X - Z))).astype(int)
HEALTHY = {"x": X, "z": Z, "city": rng.choice(["Oslo", "Rome", "Lima"], ROWS), "y": Y}


@pytest.fixture
def judged(tmp_path):
    """Judge a table, given as columns: returns the findings by code."""

    def call(columns, **settings):
        pl.DataFrame(columns).write_parquet(tmp_path / "table.parquet")
        dataset, complete = load(Settings(data=(str(tmp_path / "table.parquet"),), target="y", **settings))
        found = judge_table(dataset, split(dataset, complete), complete)
        return {finding.code: finding for finding in found}

    return call


def dates(days):
    return [dt.date(2020, 1, 1) + dt.timedelta(days=int(day)) for day in days]


NOISY = np.where(rng.random(ROWS) < 0.003, 1 - Y, Y)
MARKS = {
    "a copy": 10.0 + Y,
    "reversed, with noise": -2.0 * NOISY + 1e-3 * X,
    "a flag": Y == 1,
    "words": np.where(NOISY, "died", "alive"),
    "many words": [f"{'ab'[label]}{row % 30}" for row, label in enumerate(Y)],
    "codes out of order": np.where(Y == 1, 5, rng.choice([1, 3, 7, 9], ROWS)),
    "missing for negatives": [float(value) if label else None for value, label in zip(X, Y, strict=True)],
    "missing for positives": [None if label else f"note {row} of many" for row, label in enumerate(Y)],
    "a late date": dates(100 * Y + rng.integers(0, 90, ROWS)),
}


@pytest.mark.parametrize("values", MARKS.values(), ids=MARKS)
def test_a_column_that_gives_the_target_away_is_a_leak(judged, values):
    leak = judged({**HEALTHY, "result": values})["leak"]
    assert leak.columns == ("result",)
    assert leak.severity == "warning"
    assert leak.evidence["auc"] >= 0.99
    assert "--exclude 'result'" in leak.fix


def test_many_leaks_are_told_together(tmp_path):
    columns = {**HEALTHY, **{f"copy {place}": Y * (place + 1) for place in range(13)}}
    pl.DataFrame(columns).write_parquet(tmp_path / "table.parquet")
    dataset, complete = load(Settings(data=(str(tmp_path / "table.parquet"),), target="y"))
    found = judge_table(dataset, split(dataset, complete), complete)
    assert [len(finding.columns) for finding in found] == [1] * 5 + [8]
    assert (
        "so does each of 8 more columns: `copy 5`, `copy 6`, `copy 7`, `copy 8`, `copy 9` and 3 more."
        in found[-1].sentence
    )


def test_missing_values_that_tell_are_named(judged):
    assert (
        "whether `result` is missing" in judged({**HEALTHY, "result": MARKS["missing for positives"]})["leak"].sentence
    )
    assert "`result` alone" in judged({**HEALTHY, "result": MARKS["a copy"]})["leak"].sentence


WEAK = {
    "a strong feature": X + 0.3 * Y,
    "ids as words": [f"word{row} and {row}" for row in range(ROWS)],
    "rare codes": rng.integers(0, 400, ROWS),
    "mostly missing": [float(value) if value > 2 else None for value in X],
}


@pytest.mark.parametrize("values", [X, *WEAK.values()], ids=["nothing", *WEAK])
def test_tables_without_faults_give_no_finding(judged, values):
    assert judged({**HEALTHY, "extra": values}) == {}


def test_leaks_are_not_looked_for_in_test_rows(judged, tmp_path):
    judged(HEALTHY)
    dataset, complete = load(Settings(data=(str(tmp_path / "table.parquet"),), target="y"))
    test = split(dataset, complete).test
    told, untold = X.copy(), MARKS["a copy"].copy()
    told[test], untold[test] = MARKS["a copy"][test], X[test]
    assert judged({**HEALTHY, "result": told}) == {}
    assert "leak" in judged({**HEALTHY, "result": untold})


@pytest.mark.parametrize(("rows", "found"), [(20, True), (19, False)])
def test_a_leak_needs_twenty_rows_of_each_class(judged, rows, found):
    label = np.repeat([0, 1], rows + 5)  # a fifth is for the test
    assert ("leak" in judged({"x": X[: len(label)], "copy": 3 * label, "y": label})) == found


def test_few_rows_are_no_evidence_of_a_leak(judged):
    few = {name: values[:30] for name, values in HEALTHY.items()}
    assert judged({**few, "result": few["y"]}) == {}
    rare = np.arange(ROWS) < 15
    assert judged({**HEALTHY, "y": rare.astype(int), "result": rare * 1.0}) == {}


@pytest.mark.parametrize("dataset", ["load_breast_cancer", "load_diabetes"])
def test_tables_of_scikit_learn_are_healthy(judged, dataset):
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, dataset)()
    columns = dict(zip(map(str, bunch.feature_names), bunch.data.T, strict=True))
    assert judged({**columns, "y": (bunch.target > np.median(bunch.target)) | (bunch.target == 1)}) == {}


def test_copies_on_both_sides_of_the_split_are_found(judged):
    rows = np.append(np.arange(ROWS), rng.choice(ROWS, 200, replace=False))
    found = judged({name: np.asarray(values)[rows] for name, values in HEALTHY.items()})
    assert set(found) == {"duplicates"}
    assert 0.1 < found["duplicates"].evidence["share"] < 0.4
    assert "--group COLUMN" in found["duplicates"].fix


def test_equal_rows_by_chance_are_no_copies(judged):
    codes = {f"c{i}": rng.choice(list("abc"), ROWS) for i in range(5)}
    sure = {**codes, "y": ((codes["c0"] == "a") ^ (codes["c1"] == "b")).astype(int)}
    assert judged({**codes, "y": Y}) == judged(sure) == {}
    # Equal features with other targets: the same answers by different people.
    rows = np.append(np.arange(ROWS), rng.choice(ROWS, 200, replace=False))
    again = {name: np.asarray(values)[rows] for name, values in HEALTHY.items()}
    again["y"] = np.append(Y, rng.permutation(Y)[:200])
    assert judged(again) == {}


@pytest.mark.parametrize("name", ["customer_id", "patient", "userId", "User", "patient nr", "subject_code"])
def test_several_rows_of_one_thing_suggest_a_group(judged, name):
    found = judged({**HEALTHY, name: rng.integers(0, 250, ROWS) + 7000})
    assert set(found) == {"repeated_ids"}
    assert f"--group '{name}'" in found["repeated_ids"].fix
    assert judged({**HEALTHY, name: rng.integers(0, 250, ROWS)}, group=name) == {}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("customer_id", np.arange(ROWS) % 12),
        ("customer_id", rng.permutation(ROWS)),
        ("income", rng.integers(0, 250, ROWS)),
        ("users", rng.integers(0, 250, ROWS)),
        ("valid", rng.integers(0, 250, ROWS)),
    ],
)
def test_other_columns_suggest_no_group(judged, name, values):
    assert judged({**HEALTHY, name: values}) == {}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("opened", dates(np.sort(rng.integers(0, 900, ROWS)))),
        ("order_date", dates(rng.integers(0, 900, ROWS))),
        ("year", np.sort(rng.integers(1990, 2020, ROWS))[::-1]),
    ],
)
def test_a_time_column_is_noted(judged, name, values):
    found = judged({**HEALTHY, "born": dates(np.arange(ROWS)), name: values})
    assert set(found) == {"time"}
    assert found["time"].severity == "note"
    assert f"--time '{name}'" in found["time"].fix


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("year", rng.integers(1990, 2020, ROWS)),
        ("birth_date", dates(np.arange(ROWS))),
        ("size", np.sort(rng.integers(0, 50, ROWS))),
        ("date", [*dates(range(ROWS // 2)), *[None] * (ROWS // 2)]),
    ],
)
def test_other_columns_are_no_times(judged, name, values):
    assert judged({**HEALTHY, name: values}) == {}


def test_names_may_be_patterns(judged):
    assert judged({**HEALTHY, "^result$": MARKS["a copy"], "*": X})["leak"].columns == ("^result$",)


def metrics(value, low, **more):
    return {"test": {"auc": {"value": value, "low": low, "high": 1.0}}, **more}


def test_a_perfect_model_is_a_probable_leak():
    importance = [{"column": "fee", "increase": 0.6}, {"column": "x", "increase": 0.1}]
    (found,) = judge_model(metrics(0.99995, 0.998, importance=importance))
    assert found.sentence.startswith("Probable leak: the model ranks nearly every pair of test rows right")
    assert found.columns == ("fee",)
    assert "--exclude" in judge_model(metrics(1.0, 0.9))[0].fix
    for value, low in ((0.998, 0.996), (1.0, 0.6), (None, None)):
        assert judge_model(metrics(value, low)) == []


def test_a_finding_is_plain_values_and_a_line(judged):
    leak = judged({**HEALTHY, "result": MARKS["a copy"]})["leak"]
    assert leak.to_json() == {
        "code": "leak",
        "severity": "warning",
        "sentence": leak.sentence,
        "fix": leak.fix,
        "columns": ["result"],
        "evidence": leak.evidence,
    }
    assert leak.line.startswith("Warning     Probable leak: `result` alone tells `1` from `0` in all pairs")
