import os
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

from binxent import workbench
from binxent.workbench.door import in_python
from binxent.workbench.reading.frames import as_frame, fingerprint

OPTIONS = {"target": "readmitted", "epochs": 2, "hidden": np.array([4]), "seed": np.int64(3), "exclude": "country"}


def as_pandas(visits):
    """Return the visits with every kind of column that pandas has, and an index that counts nothing."""
    table = pd.DataFrame(visits.to_dict(as_series=False), index=np.arange(visits.height)[::-1] * 7)
    table["city"] = table["city"].astype("category")
    table["clinic"] = table["clinic"].astype("category")
    table["cases"] = table["cases"].astype("Int64")
    table["smoker"] = table["smoker"].astype(object)
    table["seen"] = pd.to_datetime(table["seen"])
    return table.rename(columns={"age": 5})


@pytest.fixture(scope="module")
def run(visits):
    return workbench.train(as_pandas(visits), report=False, **OPTIONS)


def test_a_table_of_pandas_is_read_as_it_is(run, visits):
    assert run.features.kinds == {
        "5": "number", "city": "text", "smoker": "boolean", "seen": "date", "clinic": "category", "cases": "number",
    }  # fmt: skip
    assert run.classes == ("no", "yes")
    assert run.settings.exclude == ("country",)
    assert run.metrics["test_rows"] == visits.height // 5


def test_every_kind_of_table_gets_the_same_predictions(run, visits, tmp_path):
    table = visits.rename({"age": "5"})
    table.write_csv(tmp_path / "new.csv")
    found = run.predict_proba(as_pandas(visits))
    assert found.shape == (visits.height, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    for other in (table, table.lazy(), table.to_arrow(), tmp_path / "new.csv", [str(tmp_path / "new.csv")]):
        assert np.array_equal(run.predict_proba(other), found)
    np.testing.assert_allclose(1 / (1 + np.exp(-run.predict_logit(table))), found[:, 1])
    held_out = pl.read_parquet(run.folder / "predictions.parquet")
    assert np.array_equal(found[held_out["row"].to_numpy(), 1], held_out["probability"].to_numpy())
    assert run.predict_proba(table[:0]).shape == (0, 2)


def test_odd_values_are_warned_of_and_other_kinds_refused(run, visits):
    table = visits.rename({"age": "5"})
    odd = table.with_columns(pl.Series("5", ["old", *["50"] * (visits.height - 1)]))
    with pytest.warns(UserWarning, match=r"odd values of `5`, taken as missing: 1 of 120 \(`old`\)"):
        run.predict_proba(odd)
    with pytest.raises(ValueError, match="the table lacks the column `5` that the run was trained on"):
        run.predict_proba(visits)
    with pytest.raises(TypeError, match="one of polars, pandas or pyarrow, or the path of a file; got ndarray"):
        run.predict_proba(np.ones((2, 2)))


def test_a_run_is_pickled_and_its_temporary_folder_goes_with_it(run, visits):
    table = visits.rename({"age": "5"})
    again = pickle.loads(pickle.dumps(run))
    folder = again.folder
    assert folder != run.folder and folder.is_dir()
    assert np.array_equal(again.predict_logit(table), run.predict_logit(table))
    del again
    assert not folder.exists()


def test_a_forked_process_leaves_the_folder_to_its_parent(run, monkeypatch):
    again = pickle.loads(pickle.dumps(run))
    folder, pid = again.folder, os.getpid()
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: pid + 1)
        del again
    assert folder.is_dir()
    shutil.rmtree(folder.parent)


def test_a_run_is_the_one_that_the_command_line_trains(trained_once, visits, tmp_path):
    folder = trained_once("--target", "readmitted", "--epochs", "2", "--hidden", "4")
    visits.write_csv(tmp_path / "visits.csv")
    run = workbench.train(
        tmp_path / "visits.csv", target="readmitted", epochs=2, hidden=(4,), report=False, output=tmp_path, name="mine"
    )
    assert run.folder == tmp_path / "mine"
    assert np.array_equal(run.predict_logit(visits), workbench.Run.load(folder).predict_logit(visits))


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"target": "readmited"}, ValueError, "target: there is no column `readmited`. Did you mean `readmitted`?"),
        ({}, ValueError, "say which column to predict: target=COLUMN."),
        ({"epoch": 3}, TypeError, r"train\(\) has no option `epoch`. Did you mean `epochs`?"),
        ({"epochs": 0}, ValueError, "epochs must be a whole number of at least 1; got 0."),
        ({"gamma": 2}, ValueError, "gamma belongs to the loss `focal`.* Pass loss='focal', or leave gamma out."),
        ({"target": "age"}, ValueError, "target: the column `age` is missing .* pass drop_missing=True to leave"),
        ({"target": "city", "drop_missing": True}, ValueError, "the target `city` must have two values"),
    ],
)
def test_errors_are_sentences_in_the_words_of_python(visits, options, error, sentence):
    with pytest.raises(error, match=sentence):
        workbench.train(visits, **options)


def test_a_command_in_a_sentence_stays_as_it_is():
    sentence = "finish it first: binxent train --resume runs/a-1"
    assert in_python(sentence) == sentence


def test_the_settings_of_a_table_in_memory_need_a_file(run, refused, binxent, visits):
    sentence = refused("train", "--config", run.folder / "config.toml", "--dry-run")
    assert "this run was trained on a table in memory, which its settings cannot name. Name a file" in sentence
    as_frame(as_pandas(visits)).write_parquet("visits.parquet")
    result = binxent("train", "visits.parquet", "--config", run.folder / "config.toml", "--dry-run")
    assert result.exit_code == 0, result.output


def test_a_fingerprint_is_of_the_values_and_not_of_how_they_lie(visits):
    table = pl.concat([visits[50:], visits[:50]])
    moved = pl.concat([table[70:], table[:70]])
    assert fingerprint(moved) == fingerprint(visits) == fingerprint(as_frame(visits.to_arrow()))
    found = {fingerprint(visits)}
    for other in (
        table,
        visits[:-1],
        visits.rename({"age": "years"}),
        visits.with_columns(pl.col("age").fill_null(0.0)),
        visits.with_columns(pl.col("city").fill_null("")),
        visits.with_columns(pl.col("smoker").cast(pl.Int8)),
        visits.with_columns(pl.col("seen").dt.offset_by("1d")),
        visits.with_columns(pl.lit([1, 2]).alias("list")),
    ):
        found.add(fingerprint(other))
    assert len(found) == 9


@pytest.mark.parametrize(
    ("values", "want"),
    [
        (pd.Series([1.5, "x", None]), ["1.5", "x", None]),
        (pd.Series([1, None, 3], dtype=object), [1, None, 3]),
        (pd.Categorical([2, None, 1]), ["2", None, "1"]),
        (pd.Series(pd.arrays.SparseArray([0, 0, 1])), [0, 0, 1]),
        (pd.Series(pd.period_range("2024-01", periods=2, freq="M")), ["2024-01", "2024-02"]),
        (pd.Series(["a", pd.NA], dtype="string"), ["a", None]),
    ],
)
def test_columns_of_pandas(values, want):
    found = as_frame(pd.DataFrame({"a": values}))
    assert found["a"].to_list() == want


def test_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match="the table has 2 columns named `a`; rename them."):
        as_frame(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_another_backend_is_refused():
    program = (
        "import sys; from types import SimpleNamespace as Fake\n"
        "sys.modules['keras'] = Fake(backend=Fake(backend=lambda: 'torch'))\n"
        "from binxent import workbench\nworkbench.train('x.csv')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "ValueError: training runs on Keras's backend jax, and Keras has been imported with 'torch'" in done.stderr
