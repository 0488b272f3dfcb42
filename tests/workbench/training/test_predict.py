import datetime as dt
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest


@pytest.fixture(scope="module")
def run(trained_once):
    """Train a run with a correction; tests that change it copy it."""
    return trained_once("--target", "readmitted", "--epochs", "3", "--hidden", "8", "--pos-weight", "2")


@pytest.fixture
def predicted(binxent, run, tmp_path):
    def call(table, *options, name="new.parquet", output="out.parquet"):
        {"csv": table.write_csv, "parquet": table.write_parquet, "arrow": table.write_ipc}[name.rpartition(".")[2]](
            tmp_path / name
        )
        result = binxent("predict", run, name, "-o", output, *options)
        assert result.exit_code == 0, result.output
        assert os.path.exists(output)
        assert f"Wrote {table.height} rows to {output}" in result.stdout
        read = pl.read_csv if output.endswith("csv") else pl.read_parquet
        return read(output), " ".join(result.stderr.split())

    return call


@pytest.mark.parametrize("name", ["new.csv", "new.parquet", "new.arrow"])
def test_the_test_rows_get_the_bits_that_training_gave_them(predicted, run, visits, name):
    trained = pl.read_parquet(run / "predictions.parquet")
    found, _ = predicted(visits, name=name)
    assert found.columns == ["logit", "probability", "raw_logit", "raw_probability"]
    assert found[trained["row"].to_numpy()].equals(trained.select(found.columns))
    correction = json.loads((run / "metrics.json").read_text())["correction"]
    corrected = correction["slope"] * found["raw_logit"] + correction["intercept"]
    np.testing.assert_allclose(found["logit"], corrected)


def test_a_csv_is_written_too(predicted, visits):
    found, _ = predicted(visits, output="out.csv")
    assert found.equals(predicted(visits)[0])


def test_without_a_correction_there_is_one_logit(binxent, run, visits, tmp_path):
    visits.write_csv(tmp_path / "visits.csv")
    plain = shutil.copytree(run, tmp_path / "plain")
    metrics = json.loads((plain / "metrics.json").read_text())
    metrics["correction"] = {"kind": "none", "slope": 1.0, "intercept": 0.0}
    (plain / "metrics.json").write_text(json.dumps(metrics))
    assert binxent("predict", "plain", "visits.csv", "-o", "out.parquet").exit_code == 0
    assert pl.read_parquet("out.parquet").columns == ["logit", "probability"]


@pytest.mark.parametrize(
    ("options", "threshold"),
    [(["--threshold", "0.3"], 0.3), (["--threshold", "0"], 0.0), (["--miss-cost", "3"], 0.25)],
)
def test_decisions_are_classes_by_name(predicted, visits, options, threshold):
    for output in ("out.parquet", "out.csv"):
        found, note = predicted(visits, *options, output=output)
        assert found.columns[-1] == "decision"
        assert found["decision"].to_list() == ["yes" if p >= threshold else "no" for p in found["probability"]]
    assert f"Decided: `yes` where the probability is at least {threshold:g}." in note
    assert predicted(visits[:0], *options)[0].schema["decision"] == pl.String


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--threshold", "0.5", "--miss-cost", "1"], "--threshold and --miss-cost both decide; give one of them."),
        (["--threshold", "1.5"], "--threshold must be a probability from 0 to 1; got 1.5."),
        (["--threshold", "nan"], "--threshold must be a probability from 0 to 1; got nan."),
        (["--miss-cost", "0"], "--miss-cost must be a positive number: false alarms that a miss costs; got 0."),
        (["--miss-cost", "2", "--keep", "decision"], "the predictions have a column of this name"),
    ],
)
def test_wrong_decisions_are_refused(refused, run, visits, options, sentence):
    visits.with_columns(decision=1).write_csv("new.csv")
    assert sentence in refused("predict", run, "new.csv", "-o", "out.csv", *options)


def test_order_of_rows_and_columns(predicted, visits):
    found, _ = predicted(visits)
    shuffled = visits.select(reversed(visits.columns)).reverse()
    assert predicted(shuffled)[0].equals(found.reverse())


def test_kept_columns_come_first_and_the_rest_is_noted(predicted, visits):
    found, note = predicted(visits, "--keep", "patient_id,clinic,age")
    assert found.columns[:4] == ["patient_id", "clinic", "age", "logit"]
    assert found["patient_id"].to_list() == visits["patient_id"].to_list()
    assert found["age"].equals(visits["age"])
    assert note == "Note: ignored columns that the run does not use: country, readmitted"


def test_the_target_is_not_needed(predicted, visits):
    assert predicted(visits.drop("readmitted", "country"))[0].equals(predicted(visits)[0])


def test_batches_and_files_do_not_change_a_bit(predicted, visits, binxent, run, tmp_path, monkeypatch):
    from binxent.workbench import run as module

    expected, _ = predicted(visits)
    monkeypatch.setattr(module, "ROWS", 7)
    assert predicted(visits)[0].equals(expected)
    assert predicted(visits, name="new.csv")[0].equals(expected)
    for part in range(3):
        visits[part * 40 : (part + 1) * 40].write_csv(tmp_path / f"part-{part}.csv")
    assert binxent("predict", run, "part-*.csv", "-o", "out.parquet").exit_code == 0
    assert pl.read_parquet("out.parquet").equals(expected)
    visits.write_ipc_stream(tmp_path / "stream.arrow")
    assert binxent("predict", run, "stream.arrow", "-o", "out.parquet").exit_code == 0
    assert pl.read_parquet("out.parquet").equals(expected)


def test_prediction_loads_no_framework(run, visits, tmp_path):
    visits[:1].write_csv(tmp_path / "new.csv")
    program = (
        "import sys; from contextlib import suppress; from binxent.workbench.cli import main\n"
        f"sys.argv = ['binxent', 'predict', {str(run)!r}, 'new.csv', '-o', 'out.parquet']\n"
        "with suppress(SystemExit): main()\n"
        "heavy = {'jax', 'keras', 'matplotlib', 'pandas', 'scipy', 'sklearn', 'tensorflow'}\n"
        "print(*heavy & {name for name, module in sys.modules.items() if module}, sep='')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout == "Wrote 1 row to out.parquet\n\n"


def test_new_values_are_predicted_and_unseen_categories_noted(predicted, visits):
    strange = visits.with_columns(
        city=pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("Atlantis")).otherwise("city"), age=pl.lit(float("inf"))
    )
    found, note = predicted(strange)
    assert "5 of 120 values of `city` were never seen in training" in note
    assert found["logit"].is_finite().all()


@pytest.mark.parametrize("name", ["new.csv", "new.parquet"])
def test_a_column_without_values_is_missing_values(predicted, visits, name):
    for column in ("age", "city", "smoker", "seen"):
        found, _ = predicted(visits.with_columns(pl.lit(None).alias(column)), name=name)
        assert found["logit"].is_finite().all()


def test_no_rows_give_no_predictions(predicted, visits):
    for name in ("new.parquet", "new.csv"):
        found, _ = predicted(visits[:0], "--keep", "patient_id", name=name)
        assert found.columns == ["patient_id", "logit", "probability", "raw_logit", "raw_probability"]
        assert found.height == 0


def test_whole_numbers_are_numbers(predicted, visits):
    whole = visits.with_columns(pl.col("age").round(), pl.col("clinic").cast(pl.Float64))
    for name in ("new.csv", "new.parquet"):
        found, _ = predicted(whole.with_columns(pl.col("age").cast(pl.Int32)), name=name)
        assert found.equals(predicted(whole)[0])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda table: table.drop("age"), "lacks the column `age` that the run was trained on"),
        (lambda table: table.drop("age", "city"), "lacks the column `age` (and 1 more)"),
        (lambda table: table.rename({"age": "Age"}), "Did you mean `Age`?"),
        (lambda table: table.with_columns(age=pl.lit("old")), "`age` is text and was number in training"),
        (lambda table: table.with_columns(city=pl.lit(3)), "`city` is number and was text in training"),
        (lambda table: table.with_columns(seen=pl.lit(3)), "`seen` is number and was date in training"),
        (lambda table: table.with_columns(smoker=pl.lit(1.5)), "`smoker` is number and was boolean in training"),
        (lambda table: table.with_columns(age=pl.lit([1])), "`age` is List(Int64) and was number in training"),
    ],
)
def test_other_columns_than_in_training_are_refused(refused, run, visits, tmp_path, change, sentence):
    change(visits).write_parquet(tmp_path / "new.parquet")
    assert sentence in refused("predict", run, "new.parquet", "-o", "out.parquet")
    assert os.listdir(tmp_path) == ["new.parquet"]


@pytest.mark.parametrize(("column", "value"), [("age", "old"), ("smoker", "often"), ("seen", "yesterday")])
def test_an_odd_value_counts_as_missing_and_is_told(predicted, visits, column, value):
    at_100 = pl.int_range(pl.len()) == 100
    text = visits.with_columns(pl.col(column).cast(pl.String))
    odd, missing = (
        text.with_columns(pl.when(at_100).then(pl.lit(new)).otherwise(column).alias(column)) for new in (value, None)
    )
    found, note = predicted(odd, name="new.csv")
    assert f"odd values of `{column}`, taken as missing: 1 of 120 (`{value}`)" in note
    assert found.equals(predicted(missing, name="new.csv")[0])
    assert found.equals(predicted(odd, name="new.parquet")[0])


@pytest.mark.parametrize(
    "write",
    [
        {
            "age": lambda age: f"{age:.3f}".replace(".", ","),
            "seen": lambda seen: f"{seen:%m/%d/%Y} 12:00:00 AM",
            "smoker": lambda smoker: str(smoker).upper(),
        },
        {
            "age": lambda age: f" {age:.3f} years",
            "seen": lambda seen: f"{seen:%d-%b-%Y}",
            "cases": lambda n: f"${n}.00",
        },
    ],
)
def test_values_are_read_in_prediction_as_in_training(binxent, visits, tmp_path, write):
    visits = visits.with_columns(pl.col("age").round(3))
    written = [
        pl.Series(name, [*(None if value is None else form(value) for value in visits[name][:-1].to_list()), "?"])
        for name, form in write.items()
    ]
    visits.with_columns(written).write_csv(tmp_path / "a.csv", separator=";")
    last = pl.int_range(pl.len()) == 119
    visits.with_columns(pl.when(last).then(None).otherwise(name).alias(name) for name in write).write_csv("b.csv")
    for name in "ab":
        options = ["--target", "readmitted", "--epochs", "1", "--hidden", "8", "--name", name]
        assert binxent("train", f"{name}.csv", *options).exit_code == 0
        assert binxent("predict", f"runs/{name}", f"{name}.csv", "-o", f"{name}.parquet").exit_code == 0
    assert pl.read_parquet("a.parquet").equals(pl.read_parquet("b.parquet"))
    # A row alone is read as the table was: the order of day and month, the decimal mark and the unit are kept.
    header, *lines = (tmp_path / "a.csv").read_text().splitlines()
    (tmp_path / "one.csv").write_text(f"{header}\n{lines[3]}\n")
    assert binxent("predict", "runs/a", "one.csv", "-o", "one.parquet").exit_code == 0
    assert pl.read_parquet("one.parquet").equals(pl.read_parquet("a.parquet")[3:4])


def test_ids_are_kept_as_they_are_written(binxent, run, visits, tmp_path):
    ids = [f"{row:05d}" for row in range(60)] + [f"X{row}" for row in range(58)] + ["NA", ""]
    visits.with_columns(pl.Series("patient_id", ids)).write_csv(tmp_path / "new.csv", quote_style="always")
    for output, read in (("out.csv", pl.read_csv), ("out.parquet", pl.read_parquet)):
        assert binxent("predict", run, "new.csv", "-o", output, "--keep", "patient_id").exit_code == 0
        assert read(output, **({"infer_schema": False} if output == "out.csv" else {}))["patient_id"].to_list() == ids


def test_a_csv_holds_no_formulas(binxent, run, visits, tmp_path):
    notes = ["=1+1", "+A1", "-A1", "@A1", "-5", "+5", "a=1", None] * 15
    visits.with_columns(pl.Series("=note", notes)).write_csv(tmp_path / "new.csv")
    result = binxent("predict", run, "new.csv", "-o", "out.csv", "--keep", "=note")
    assert "a ' was put before 60 values of `=note`" in result.stderr
    found = pl.read_csv(tmp_path / "out.csv", infer_schema=False)["'=note"].to_list()
    assert found[:8] == ["'=1+1", "'+A1", "'-A1", "'@A1", "-5", "+5", "a=1", None]
    assert binxent("predict", run, "new.csv", "-o", "out.parquet", "--keep", "=note").exit_code == 0
    assert pl.read_parquet(tmp_path / "out.parquet")["=note"].to_list() == notes


def test_empty_lines_are_no_rows(binxent, run, visits, tmp_path):
    lines = visits.write_csv().splitlines()
    (tmp_path / "new.csv").write_text("\n\n".join(lines) + "\n\n\n")
    visits.write_csv(tmp_path / "plain.csv")
    result = binxent("predict", run, "new.csv", "-o", "out.parquet")
    assert "Wrote 120 rows" in result.stdout
    assert "new.csv: skipped 122 empty lines" in result.stderr
    assert binxent("predict", run, "plain.csv", "-o", "plain.parquet").exit_code == 0
    assert pl.read_parquet("out.parquet").equals(pl.read_parquet("plain.parquet"))


def test_a_column_that_stands_there_twice_is_refused_where_it_is_needed(binxent, refused, run, visits, tmp_path):
    for name in ("age", "country"):
        header, *lines = visits.write_csv().splitlines()
        lines = [f"{line},1" for line in lines]
        (tmp_path / "new.csv").write_text("\n".join([f"{header},{name}", *lines]))
        if name == "age":
            assert "new.csv has 2 columns named `age`, at positions 2 and 10" in refused(
                "predict", run, "new.csv", "-o", "out.csv"
            )
        else:
            assert binxent("predict", run, "new.csv", "-o", "out.csv").exit_code == 0
            assert "2 columns named `country`" in refused("predict", run, "new.csv", "-o", "o.csv", "--keep", "country")


def test_keep_is_repeatable_and_takes_names_with_commas(predicted, visits):
    table = visits.with_columns(pl.Series("clinic, no", visits["clinic"]))
    found, _ = predicted(table, "--keep", "clinic, no", "--keep", "patient_id,age")
    assert found.columns[:4] == ["clinic, no", "patient_id", "age", "logit"]


def test_what_cannot_be_is_refused(refused, run, visits, tmp_path):
    visits.write_parquet(tmp_path / "new.parquet")
    visits.with_columns(logit=1.0).write_parquet(tmp_path / "clash.parquet")
    assert "must end in .parquet or .csv" in refused("predict", run, "new.parquet", "-o", "out.xlsx")
    assert "is one of the inputs" in refused("predict", run, "new.parquet", "-o", "./new.parquet")
    os.symlink("loop.csv", "loop.csv")
    assert "loop.csv is a broken link" in refused("predict", run, "loop.csv", "-o", "out.csv")
    assert "there is no run folder loop.csv" in refused("compare", "loop.csv", run)
    assert "there is no folder nowhere" in refused("predict", run, "new.parquet", "-o", "nowhere/out.csv")
    assert "there is no file new.csv" in refused("predict", run, "new.csv", "-o", "out.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "-o folder.csv is a folder" in refused("predict", run, "new.parquet", "-o", "folder.csv")
    assert "new.parquet is named twice" in refused("predict", run, "new.parquet", "*.parquet", "-o", "out.csv")
    assert "there is no run folder" in refused("predict", "no-run", "new.parquet", "-o", "out.csv")
    assert "is not a run folder" in refused("predict", tmp_path, "new.parquet", "-o", "out.csv")
    sentence = refused("predict", run, "new.parquet", "-o", "out.csv", "--keep", "patient")
    assert "--keep: there is no column `patient`. Did you mean `patient_id`?" in sentence
    sentence = refused("predict", run, "new.parquet", "-o", "out.csv", "--keep", "age,age")
    assert "--keep names the column `age` 2 times; name it once" in sentence
    assert "have a column of this name" in refused("predict", run, "clash.parquet", "-o", "o.csv", "--keep", "logit")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no parquet")
    assert "broken.parquet cannot be read" in refused("predict", run, "broken.parquet", "-o", "out.csv")


@pytest.mark.parametrize("found", [8, 10])
def test_a_csv_row_of_another_length_is_refused_in_the_words_of_training(refused, run, visits, tmp_path, found):
    lines = visits.write_csv().splitlines()
    lines[4] = ",".join([*lines[4].split(",")[:8], "no", "more"][:found])
    (tmp_path / "new.csv").write_text("\n".join(lines))
    sentence = refused("predict", run, "new.csv", "-o", "out.csv")
    assert f"new.csv cannot be read as csv: line 5 has {found} values, and the header has 9; mend" in sentence
    assert sentence == refused("train", "new.csv", "--target", "readmitted").replace(f"{tmp_path}/", "")
    assert os.listdir(tmp_path) == ["new.csv"]


@pytest.mark.parametrize("values", [[[1, 2]], [b"x"], [dt.timedelta(days=1)]])
def test_values_that_a_csv_cannot_hold_are_kept_in_parquet_only(refused, predicted, run, visits, tmp_path, values):
    table = visits.with_columns(pl.Series("more", values * len(visits)))
    assert predicted(table, "--keep", "more")[0]["more"].equals(table["more"])
    sentence = refused("predict", run, "new.parquet", "-o", "out.csv", "--keep", "more")
    assert "--keep more: a CSV file cannot hold values of type" in sentence


@pytest.mark.parametrize("file", ["network.npz", "preparation.npz", "metrics.json", "columns.json"])
def test_a_damaged_run_is_refused(refused, run, visits, tmp_path, file):
    visits.write_parquet(tmp_path / "new.parquet")
    broken = shutil.copytree(run, tmp_path / "broken")
    (broken / file).write_bytes(b"noise")
    assert "the run folder broken cannot be loaded" in refused("predict", "broken", "new.parquet", "-o", "out.csv")
    (broken / file).unlink()
    assert f"lacks {file}" in refused("predict", "broken", "new.parquet", "-o", "out.csv")


def test_the_run_folder_says_how_columns_are_read(refused, run, visits, tmp_path):
    visits.write_csv(tmp_path / "new.csv")
    other = shutil.copytree(run, tmp_path / "other")
    columns = json.loads((other / "columns.json").read_text())
    assert columns["reading"][0]["name"] == "age"
    columns["reading"][0]["number"]["decimal"] = ","
    (other / "columns.json").write_text(json.dumps(columns))
    sentence = refused("predict", "other", "new.csv", "-o", "out.csv")
    assert "the columns' types have changed: `age` is text and was number in training (as in `" in sentence


def test_a_run_folder_of_another_format_is_refused(refused, run, visits, tmp_path):
    visits.write_parquet(tmp_path / "new.parquet")
    other = shutil.copytree(run, tmp_path / "other")
    columns = json.loads((other / "columns.json").read_text())
    (other / "columns.json").write_text(json.dumps(columns | {"format": 99}))
    sentence = refused("predict", "other", "new.parquet", "-o", "out.csv")
    assert "has the format 99, and this version of binxent reads format 2" in sentence
    assert "train it again: binxent train --config other/config.toml" in sentence


def test_an_interrupted_prediction_leaves_the_old_file(run, visits, binxent, tmp_path, monkeypatch):
    from binxent.workbench.run import Run

    visits.write_parquet(tmp_path / "new.parquet")
    (tmp_path / "out.csv").write_text("old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "score_converted", interrupted)
    result = binxent("predict", run, "new.parquet", "-o", "out.csv")
    assert result.exit_code == 130
    assert (tmp_path / "out.csv").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["new.parquet", "out.csv"]


def test_a_full_device_is_refused(refused, run, visits, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", disk], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        pl.concat([visits] * 50).write_parquet(tmp_path / "new.parquet")
        for output in ("out.csv", "out.parquet"):
            sentence = refused("predict", run, "new.parquet", "-o", disk / output)
            assert f"{output} cannot be written: no space left on device" in sentence
            assert os.listdir(disk) == []
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(run, visits, tmp_path):
    """Eight times the rows take no more memory: the peak of a fresh process."""

    def peak(copies):
        pl.concat([visits] * copies).write_parquet(tmp_path / "new.parquet", row_group_size=20_000)
        script = (
            "import resource, sys; from binxent.workbench.cli import main\n"
            f"sys.argv = ['binxent', 'predict', {str(run)!r}, 'new.parquet', '-o', 'out.parquet']\n"
            "try: main()\n"
            "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
        return int(done.stderr.split()[-1]) / 1024

    few, many = peak(1000), peak(8000)
    assert many < few + 60, f"{few:.0f} MiB for 120,000 rows, {many:.0f} MiB for 960,000"


def test_dates_beyond_the_calendar_are_missing_and_told(predicted, visits):
    infinity = pl.Series("seen", [2**31 - 1] * visits.height, dtype=pl.Int32).cast(pl.Date)
    found, told = predicted(visits.with_columns(infinity))
    assert "odd values of `seen`, taken as missing: 120 of 120 (`a date beyond the years 1 to 9999`)" in told
    gaps, _ = predicted(visits.with_columns(seen=pl.lit(None, pl.Date)))
    assert found.equals(gaps)
