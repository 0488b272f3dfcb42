"""The exported graph gives what `binxent predict` gives."""

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
TARGET = ["--target", "readmitted", "--epochs", "2", "--hidden", "8,4", "--category", "clinic"]


@pytest.fixture(scope="module")
def run(trained_once):
    return trained_once(*TARGET, "--pos-weight", "2")


def exported(binxent, run):
    result = binxent("export", run, "-o", "model.onnx")
    assert result.exit_code == 0, result.output
    return onnxruntime.InferenceSession("model.onnx"), result


def fed(table, inputs):
    """Return the columns of a table as the graph takes them."""
    found = {}
    for value in inputs:
        column = table.get_column(value.name)
        if column.dtype == pl.Date:
            column = column.dt.timestamp("ms") / 1000
        elif column.dtype == pl.Datetime:
            column = column.cast(pl.Int64) / 1e6
        if value.type == "tensor(string)":
            found[value.name] = np.array(column.cast(pl.String).fill_null("").to_list(), object)
        else:
            found[value.name] = column.cast(pl.Float64).to_numpy()
    return found


@pytest.fixture
def strange(visits):
    """Return the visits and rows with dates of all times, absurd numbers, new categories and missing values."""
    days = [dt.datetime(1583, 1, 1, 5) + dt.timedelta(days=9973 * row, hours=row) for row in range(36)]
    days += [dt.datetime(year, 12, 31) for year in (1899, 1900, 1904, 2000, 2023, 2024)]
    days += [dt.datetime(1900, 2, 28), dt.datetime(1900, 3, 1), dt.datetime(2000, 2, 29), dt.datetime(2000, 3, 1)]
    days += [dt.datetime(1969, 12, 31, 23, 59, 59, 999_000), None]
    rows = visits[: len(days)].with_columns(
        pl.Series("seen", days),
        pl.Series("age", [1e300, -float("inf"), float("inf"), 0.0, None] * 9 + [1.0, 2.0, 3.0], strict=False),
        pl.Series("city", ["Atlantis", None, "Rome", ""] * 12),
        pl.Series("clinic", [99, None, 3, 11] * 12),
    )
    return pl.concat([visits.with_columns(pl.col("seen").cast(pl.Datetime("us"))), rows], how="vertical_relaxed")


def test_the_graph_gives_the_predictions(binxent, run, strange, tmp_path):
    session, result = exported(binxent, run)
    inputs = session.get_inputs()
    assert [value.name for value in inputs] == ["age", "city", "smoker", "seen", "clinic", "cases"]
    assert "Wrote model.onnx, with the inputs `age`, `city`, `smoker`, `seen`, `clinic`, `cases`" in result.stdout
    strange.write_parquet("new.parquet")
    assert binxent("predict", run, "new.parquet", "-o", "out.parquet").exit_code == 0
    expected = pl.read_parquet("out.parquet")
    logit, probability = session.run(["logit", "probability"], fed(strange, inputs))
    np.testing.assert_allclose(logit, expected["logit"], atol=1e-5)
    np.testing.assert_allclose(probability, expected["probability"], atol=1e-6)
    one = session.run(["logit"], fed(strange[7:8], inputs))
    np.testing.assert_allclose(one[0], logit[7:8], atol=1e-6)


def test_the_graph_says_what_goes_in(binxent, run):
    session, _ = exported(binxent, run)
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["classes"]) == ["no", "yes"]
    assert json.loads(facts["inputs"])["seen"] == "seconds since 1970-01-01 00:00 UTC; NaN if missing"
    documented = {value.name: value.doc_string for value in onnx.load("model.onnx").graph.input}
    assert documented == json.loads(facts["inputs"])


def test_texts_are_left_to_the_preparation(binxent, visits, tmp_path):
    from binxent.workbench.run import Run

    table = visits.with_columns(note=pl.format("seen on day {} by {}", "clinic", "patient_id"))
    table.write_parquet("visits.parquet")
    assert binxent("train", "visits.parquet", *TARGET, "--name", "run").exit_code == 0
    session, result = exported(binxent, "runs/run")
    assert "`note` holds texts" in result.stderr
    (features,) = session.get_inputs()
    run = Run.load("runs/run")
    converted = {name: column.values for name, column in run.features.convert(table).items()}
    matrix = run.preparation.transform(pl.DataFrame(converted))
    assert features.name == "features"
    assert json.loads(session.get_modelmeta().custom_metadata_map["names"]) == list(run.preparation.names)
    (logit,) = session.run(["logit"], {"features": matrix})
    np.testing.assert_allclose(logit, run.predict_logit(table), atol=1e-5)


def test_columns_may_have_any_name(binxent, visits):
    names = {
        "age": "logit",
        "cases": "probability",
        "clinic": "constant_0",
        "city": "value_0",
        "smoker": "column logit",
    }
    table = visits.rename(names)
    table.write_parquet("visits.parquet")
    options = ("--target", "readmitted", "--epochs", "1", "--hidden", "none", "--exclude", "seen", "--name", "run")
    assert binxent("train", "visits.parquet", *options).exit_code == 0
    session, result = exported(binxent, "runs/run")
    assert "the input of the column `logit` is called `column logit_`" in result.stderr
    called = {"logit": "column logit_", "probability": "column probability"}
    inputs = session.get_inputs()
    assert {value.name for value in inputs} == {called.get(name, name) for name in names.values()}
    assert binxent("predict", "runs/run", "visits.parquet", "-o", "out.parquet").exit_code == 0
    (logit,) = session.run(["logit"], fed(table.rename(called), inputs))
    np.testing.assert_allclose(logit, pl.read_parquet("out.parquet")["logit"], atol=1e-5)


def test_what_cannot_be_written_is_refused(refused, run, tmp_path):
    assert "must end in .onnx" in refused("export", run, "-o", "model.pb")
    assert "there is no folder nowhere" in refused("export", run, "-o", "nowhere/model.onnx")
    (tmp_path / "model.onnx").mkdir()
    assert "is a folder" in refused("export", run, "-o", "model.onnx")
    assert "there is no run folder no-run" in refused("export", "no-run", "-o", "other.onnx")
