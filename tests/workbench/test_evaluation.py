import json
import shutil

import polars as pl
import pytest


@pytest.fixture(scope="module")
def run(trained_once):
    return trained_once("--target", "readmitted", "--weight", "cases", "--epochs", "20", "--learning-rate", "0.02")


@pytest.fixture
def evaluated(binxent, run, tmp_path):
    def call(table, *options):
        table.write_csv(tmp_path / "labelled.csv")
        result = binxent("evaluate", run, "labelled.csv", *options)
        assert result.exit_code == 0, result.output
        return result

    return call


def test_the_test_rows_get_the_scores_of_training(evaluated, run, visits):
    held_out = visits[pl.read_parquet(run / "predictions.parquet")["row"].to_numpy()]
    found = json.loads(evaluated(held_out, "--json").stdout)
    metrics = json.loads((run / "metrics.json").read_text())
    assert found["test"] == metrics["test"]
    for name in ("log_loss", "auc", "brier"):
        assert found["scores"][name] == pytest.approx(metrics["test"][name])
    assert (found["rows"], found["dropped_rows"], found["positive"]) == (held_out.height, 0, "yes")
    assert found["log_loss_ratio"]["low"] < 1 == pytest.approx(found["log_loss_ratio"]["value"])
    unweighted = evaluated(held_out.drop("cases"), "--json")
    assert "labelled.csv lacks the weights `cases` of the training: every row counts once." in unweighted.stderr
    assert json.loads(unweighted.stdout)["scores"]["log_loss"] != pytest.approx(metrics["test"]["log_loss"])


def test_the_training_data_are_known_again(evaluated, visits):
    result = evaluated(visits)
    assert "Note: the run was trained on rows of these very data" in result.stderr
    assert "trained on rows" not in evaluated(visits[1:]).stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Rows: 120; ")
    assert [line.split("  ")[0] for line in lines[2:9]] == [
        "Log loss", "Brier score", "AUC", "Base rate's loss", "Slope", "Intercept", "Observed / expected",
    ]  # fmt: skip
    assert "The run is better than always predicting the share of positives: it saves" in result.stdout


def test_labels_are_those_of_training(evaluated, visits):
    loud = visits.with_columns(pl.col("readmitted").str.to_uppercase() + " ")
    assert json.loads(evaluated(loud, "--json").stdout) == json.loads(evaluated(visits, "--json").stdout)
    positives = evaluated(visits.filter(pl.col("readmitted") == "yes"))
    assert "These rows do not show whether the run is better" in positives.stdout


def test_rows_without_a_label_are_left_out_on_demand(evaluated, visits):
    gaps = visits.with_columns(pl.when(pl.int_range(pl.len()) < 100).then("readmitted"))
    found = json.loads(evaluated(gaps, "--drop-missing", "--json").stdout)
    assert (found["rows"], found["dropped_rows"]) == (100, 20)
    assert found["scores"] == json.loads(evaluated(visits[:100], "--json").stdout)["scores"]


def test_other_probabilities_are_told(evaluated, visits):
    swapped = evaluated(visits.with_columns(pl.col("readmitted").replace({"yes": "no", "no": "yes"}))).stdout
    assert "The run is worse than always predicting the share of positives in these rows." in swapped
    assert "it is higher here." in swapped
    more = evaluated(visits.with_columns(readmitted=pl.lit("yes")).vstack(visits)).stdout
    assert "The probabilities are too low: there are" in more


def test_labels_that_are_nan_are_missing(refused, run, visits):
    visits.with_columns(readmitted=float("nan")).write_parquet("labelled.parquet")
    assert "the column `readmitted` is missing in 120 of 120 rows" in refused("evaluate", run, "labelled.parquet")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"readmitted": "maybe"},
            "values of no class that the run was trained on: `maybe` (120). The classes are",
        ),
        ({"readmitted": None}, "the column `readmitted` is missing in 120 of 120 rows. Fill them in, or pass --drop-m"),
        ({"cases": -1}, "weights must be 0, or from 1e-100 to"),
        ({"cases": "x"}, "the column `cases` holds String; weights must be numbers."),
        (None, "labelled.csv lacks the target `readmitted`."),
    ],
)
def test_what_cannot_be_scored_is_refused(refused, run, visits, change, sentence):
    literals = {name: pl.lit(value) for name, value in (change or {}).items()}
    table = visits.with_columns(**literals) if change else visits.drop("readmitted")
    table.write_csv("labelled.csv")
    assert sentence in refused("evaluate", run, "labelled.csv")


def test_a_run_that_names_no_target_is_refused(refused, run, visits, tmp_path):
    nameless = shutil.copytree(run, tmp_path / "nameless")
    lines = (nameless / "config.toml").read_text().splitlines()
    (nameless / "config.toml").write_text("\n".join(line for line in lines if not line.startswith("target")))
    visits.write_csv("labelled.csv")
    assert "nameless/config.toml names no target" in refused("evaluate", nameless, "labelled.csv")
