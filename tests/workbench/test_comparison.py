import json
import shutil

import numpy as np
import polars as pl
import pytest

from binxent.scoring import compare, evaluate

OPTIONS = ("--target", "readmitted", "--hidden", "none")


@pytest.fixture(scope="module")
def good(trained_once):
    return trained_once(*OPTIONS, "--epochs", "30", "--learning-rate", "0.05")


@pytest.fixture
def other(good, tmp_path):
    """Return a function that copies the run, with other settings and other test rows."""

    def copy(name, change=lambda rows: rows, **settings):
        folder = shutil.copytree(good, tmp_path / name)
        rows = change(pl.read_parquet(folder / "predictions.parquet"))
        rows.write_parquet(folder / "predictions.parquet")
        config = (folder / "config.toml").read_text().splitlines()
        config = [line for line in config if line.split(" = ")[0] not in settings]
        config += [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        (folder / "config.toml").write_text("\n".join(config))
        return folder

    return copy


@pytest.fixture
def compared(binxent, good):
    def call(folder):
        shown = binxent("compare", good, folder)
        assert shown.exit_code == 0, shown.output
        return json.loads(binxent("compare", good, folder, "--json").stdout), " ".join(shown.stdout.split())

    return call


def test_differences_are_of_the_same_rows(compared, other, good):
    rows = pl.read_parquet(good / "predictions.parquet")
    worse = (rows["logit"] * -2 + np.linspace(-1, 1, rows.height)).to_numpy()
    found, shown = compared(other("worse", lambda rows: rows.with_columns(logit=worse).reverse()[2:]))
    assert found["common_rows"] == rows.height - 2
    target, logit = rows["target"].to_numpy()[:-2], rows["logit"].to_numpy()[:-2]
    assert found["difference"] == compare(target, logit, worse[:-2])
    assert found["scores"][1]["auc"] == evaluate(target, worse[:-2])["auc"]
    assert found["notes"] == ["The splits differ: only the test rows of both are compared."]
    assert f"Test rows: {rows.height - 2} in both runs, of {rows.height} and {rows.height - 2}." in shown
    assert found["conclusion"] in shown
    assert "run is better: its log loss is lower than that of worse by" in found["conclusion"]


def test_a_run_is_no_better_than_its_copy(compared, other):
    assert compared(other("copy"))[0]["conclusion"] == "The two runs predict the same."
    noisy = other("noisy", lambda rows: rows.with_columns(logit=pl.col("logit") + pl.Series([0.3, -0.3] * 12)))
    assert "No difference is shown: the log loss of noisy may be lower than" in compared(noisy)[1]


@pytest.mark.parametrize(
    ("change", "settings", "reason"),
    [
        (None, {"data_fingerprint": "1"}, "the runs were trained on different data: their rows cannot be matched"),
        (None, {"target": "smoker"}, "the runs predict different columns: `readmitted` and `smoker`"),
        (pl.col("row") + 1000, {}, "no row is a test row of both runs: the splits differ; give both the same --seed"),
        ((1 - pl.col("target")).alias("target"), {}, "the labels of the same rows differ"),
    ],
)
def test_other_rows_are_not_paired(compared, other, change, settings, reason):
    folder = other("other", lambda rows: rows if change is None else rows.with_columns(change), **settings)
    found, shown = compared(folder)
    assert found["reason"] == reason
    assert found["difference"] is None
    assert f"Test rows: 24 and 24, compared as they are: {reason}." in shown
    assert "they do not show which run is better" in shown


def test_what_weakens_a_comparison_is_told(compared, other):
    found, _ = compared(other("weighted", lambda rows: rows.with_columns(weight=1.5), group="clinic"))
    assert found["notes"] == [
        "The runs weigh rows differently: every row counts once here.",
        "Rows of a group count as independent here, which makes the intervals too narrow.",
    ]


def test_what_is_no_other_run_is_refused(refused, other, good, tmp_path):
    assert "are the same run; name two." in refused("compare", good, good)
    assert "there is no run folder nowhere" in refused("compare", good, "nowhere")
    damaged = other("damaged")
    (damaged / "predictions.parquet").write_text("PAR1")
    assert f"the run folder {damaged} cannot be loaded:" in refused("compare", good, damaged)
    (damaged / "predictions.parquet").unlink()
    assert f"the run folder {damaged} lacks predictions.parquet" in refused("compare", good, damaged)
