import csv
import json
import math
import os
import subprocess
import sys
import tomllib

import numpy as np
import polars as pl
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

QUICK = {"--epochs": "3", "--hidden": "8"}


@pytest.fixture
def data(visits, tmp_path):
    visits.write_csv(tmp_path / "visits.csv")
    return "visits.csv"


@pytest.fixture
def trained(binxent, data, tmp_path):
    """Train on the visits, quickly, and return the run folder and its metrics."""

    def call(*options, target="readmitted"):
        quick = [text for option, value in QUICK.items() if option not in options for text in (option, value)]
        result = binxent("train", data, "--target", target, *quick, "--json", *options)
        assert result.exit_code == 0, result.output
        metrics = json.loads(result.stdout)
        return tmp_path / metrics["run"], metrics

    return call


@pytest.fixture(scope="module")
def run(trained_once):
    """Return a run that tests look at and do not change."""
    return trained_once("--target", "readmitted", *(text for option in QUICK.items() for text in option))


def weights(run):
    import keras

    return keras.models.load_model(run / "model.keras").get_weights()


def history_of(run):
    return list(csv.DictReader((run / "history.csv").read_text().splitlines()))


def same_bits(run, other):
    return (
        (run / "metrics.json").read_bytes() == (other / "metrics.json").read_bytes()
        and (run / "history.csv").read_bytes() == (other / "history.csv").read_bytes()
        and pl.read_parquet(run / "predictions.parquet").equals(pl.read_parquet(other / "predictions.parquet"))
        and all(np.array_equal(ours, theirs) for ours, theirs in zip(weights(run), weights(other), strict=True))
    )


@pytest.mark.slow
def test_without_data_it_learns_the_breast_cancer_data(real_report, binxent, tmp_path):
    result = binxent("train")
    assert result.exit_code == 0, result.output
    run = tmp_path / "runs" / "breast-cancer-1"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["auc"]["value"] > 0.98
    assert metrics["test"]["log_loss"]["value"] < 0.2 < metrics["base_rate_loss"]
    assert f"Report      {os.path.join('runs', 'breast-cancer-1', 'report.html')}" in result.stdout


def test_the_run_folder_is_complete(real_report, trained, visits):
    run, metrics = trained()
    assert sorted(os.listdir(run)) == [
        "columns.json", "config.toml", "environment.json", "history.csv", "metrics.json", "model.keras",
        "network.npz", "predictions.parquet", "preparation.npz", "report.html",
    ]  # fmt: skip
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["epochs"] == 3
    assert config["seed"] == 0
    assert config["batch_size"] == 32
    history = history_of(run)
    assert list(history[0]) == ["epoch", "loss", "val_loss"]
    assert [row["epoch"] for row in history] == ["1", "2", "3"]
    assert metrics["train_rows"] + metrics["test_rows"] == len(visits)
    assert metrics["validation_rows"] == metrics["train_rows"]  # each is held out in one of the folds
    assert (metrics["folds"], metrics["members"]) == (5, 5)
    assert metrics["positives"] == (visits["readmitted"] == "yes").sum()
    assert metrics["epochs"] == 3
    losses = [float(row["val_loss"]) for row in history]
    assert metrics["best_epoch"] == losses.index(min(losses)) + 1
    stored = json.loads((run / "metrics.json").read_text())
    assert stored == {key: value for key, value in metrics.items() if key != "run"}
    assert "<svg" in (run / "report.html").read_text()


def test_the_predictions_are_those_of_the_test_rows(run, visits):
    metrics = json.loads((run / "metrics.json").read_text())
    predictions = pl.read_parquet(run / "predictions.parquet")
    assert predictions.columns[:4] == ["row", "target", "logit", "probability"]
    labels = (visits["readmitted"] == "yes").to_numpy()
    np.testing.assert_array_equal(predictions["target"].to_numpy(), labels[predictions["row"].to_numpy()])
    np.testing.assert_allclose(predictions["probability"], expit(predictions["logit"].to_numpy()))
    expected = log_loss(predictions["target"], predictions["probability"])
    assert metrics["test"]["log_loss"]["value"] == pytest.approx(expected)


def held_out_logits(run):
    """Return a run's plan, the rows of its split, and their logits by the one network that has not seen them."""
    from binxent.workbench.run import Run
    from binxent.workbench.settings import Settings
    from binxent.workbench.training.plan import Plan

    plan, loaded = Plan.of(Settings.from_toml(run / "config.toml")), Run.load(run)
    rows = plan.split.training
    logits = loaded.ensemble.member_logits(loaded.preparation.transform(plan.dataset.table[rows]))
    return plan, rows, np.take_along_axis(logits, plan.split.fold[None], axis=0)[0].astype(np.float64)


def test_the_best_epochs_weights_are_kept(trained):
    # So fast that it overshoots: the best epoch is not the last.
    run, metrics = trained("--learning-rate", "0.3", "--epochs", "20", "--patience", "4")
    assert metrics["best_epoch"] < metrics["epochs"]
    plan, rows, logit = held_out_logits(run)
    best = min(float(row["val_loss"]) for row in history_of(run))
    assert log_loss(plan.dataset.target[rows], expit(logit)) == pytest.approx(best, rel=1e-5)
    assert float(history_of(run)[metrics["best_epoch"] - 1]["val_loss"]) == best


def test_keras_has_the_same_model(run):
    import keras

    from binxent.workbench.run import Run

    loaded = Run.load(run)
    inputs = np.random.default_rng(0).normal(size=(7, loaded.ensemble.inputs)).astype(np.float32)
    logit = keras.models.load_model(run / "model.keras").predict(inputs, verbose=0)
    assert logit.shape == (7, 1)
    np.testing.assert_allclose(logit[:, 0], loaded.ensemble.logits(inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(trained):
    run, _ = trained("--seed", "3")
    again, _ = trained("--seed", "3")
    other, _ = trained("--seed", "4")
    assert same_bits(run, again)
    assert not same_bits(run, other)
    rows = [set(pl.read_parquet(folder / "predictions.parquet")["row"]) for folder in (run, other)]
    assert rows[0] != rows[1]


@pytest.mark.slow
def test_a_config_repeats_the_run_and_options_override_it(trained, binxent, tmp_path, monkeypatch):
    run, _ = trained("--loss", "focal", "--gamma", "1.5", "--seed", "5", "--exclude", "age")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert binxent("train", "--config", run / "config.toml", "--name", "again").exit_code == 0
    assert same_bits(run, elsewhere / "runs" / "again")
    assert binxent("train", "--config", run / "config.toml", "--epochs", "1", "--loss", "bce").exit_code == 0
    config = tomllib.loads((elsewhere / "runs" / "visits-1" / "config.toml").read_text())
    assert (config["epochs"], config["loss"], config["seed"], config["exclude"]) == (1, "bce", 5, ["age"])


def test_a_config_refuses_changed_data_unless_they_are_named(run, binxent, refused, data, tmp_path):
    old = tomllib.loads((run / "config.toml").read_text())["data_fingerprint"]
    config = (run / "config.toml").read_text()
    (tmp_path / "config.toml").write_text(config.replace(old, old[::-1]))
    assert "the data has changed since this run" in refused("train", "--config", "config.toml")
    assert binxent("train", "--config", run / "config.toml", "--dry-run").exit_code == 0
    assert binxent("train", data, "--config", "config.toml", "--dry-run").exit_code == 0


def test_a_dry_run_says_how_many_rows_a_batch_really_has(binxent, data):
    for size, words in ((10, "batches of 10 rows"), (10**20, "batches of all 96 training rows")):
        run = binxent("train", data, "--target", "readmitted", "--batch-size", size, "--dry-run")
        assert words in " ".join(run.stdout.split())
    assert "'1e20' is not a valid integer" in binxent("train", data, "--batch-size", "1e20", "--dry-run").output


def test_a_dry_run_says_what_it_sees_and_writes_nothing(binxent, data, tmp_path):
    result = binxent("train", data, "--target", "readmitted", "--dry-run", "--json")
    facts = json.loads(result.stdout)
    assert facts["rows"] == 120
    assert facts["features"] == {
        "age": "number", "city": "text", "smoker": "boolean", "seen": "date", "clinic": "number", "cases": "number",
    }  # fmt: skip
    assert set(facts["left_out"]) == {"patient_id", "country"}
    for said in (
        "120 rows",
        "patient_id  text; left out: looks like an id",
        "`yes`",
        "96 rows to learn from (held out in 5 folds)",
        "to beat",
    ):
        assert said in result.stderr
    assert "Would train into runs/visits-1" in result.stderr
    assert os.listdir(tmp_path) == [data]


def test_every_column_is_told_and_stored(trained, binxent, visits, data, tmp_path):
    text = visits.with_columns(pl.Series("age", ["?", "old", *visits["age"].cast(pl.String)[2:]]))
    text.with_columns(pl.Series("seen", [f"{day:%m/%d/%Y}" for day in visits["seen"]])).write_csv(data)
    options = ("--category", "cases", "--exclude", "country", "--group", "clinic")
    shown = binxent("train", data, "--target", "readmitted", "--dry-run", *options).stdout
    for line in (
        "patient_id  text; left out: looks like an id; --include keeps it",
        "age         number; 8 missing; 1 odd, taken as missing (`old`); used",
        "seen        date; used",
        "country     not read; left out: --exclude",
        "clinic      text; group",
        "cases       category; used",
        "readmitted  text; target",
    ):
        assert f"\n            {line}\n" in shown
    run, _ = trained(*options)
    stored = json.loads((run / "columns.json").read_text())
    assert stored["format"] == 2
    assert [column["name"] for column in stored["columns"]] == visits.columns
    assert stored["columns"][1] | {"name": "age", "missing": 8, "odd": 1, "examples": ["old"]} == stored["columns"][1]
    assert {column["name"]: column["kind"] for column in stored["reading"]} == {
        "age": "number", "city": "text", "smoker": "boolean", "seen": "date", "cases": "category",
    }  # fmt: skip


def test_columns_are_named_once_or_more_often_and_may_have_commas(binxent, visits, data):
    visits.rename({"age": "age, years"}).write_csv(data)
    options = ["--exclude", "age, years", "--exclude", "city,smoker", "--text", "clinic", "--include", "patient_id"]
    result = binxent("train", data, "--target", "readmitted", "--dry-run", "--json", *options)
    facts = json.loads(result.stdout)
    assert facts["settings"]["exclude"] == ["age, years", "city", "smoker"]
    assert facts["features"] == {"patient_id": "text", "seen": "date", "clinic": "text", "cases": "number"}


def test_one_odd_value_costs_nothing(binxent, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    table = pl.DataFrame({"x": ["?", *x[1:].astype(str)], "y": (x > 0).astype(int)})
    table.write_csv(tmp_path / "a.csv")
    result = binxent(
        "train", "a.csv", "--target", "y", "--json", "--hidden", "none", "--learning-rate", "0.1", "--epochs", "9"
    )
    assert json.loads(result.stdout)["test"]["auc"]["value"] > 0.95


def test_labels_that_differ_in_blanks_and_case_are_one_class(binxent, visits, data):
    labels = [label.title() if row % 9 == 0 else f"{label} " if row % 9 == 1 else label for row, label in
              enumerate(visits["readmitted"])]  # fmt: skip
    visits.with_columns(pl.Series("readmitted", labels)).write_csv(data)
    result = binxent("train", data, "--target", "readmitted", "--positive", "YES", "--dry-run", "--json")
    assert json.loads(result.stdout)["positives"] == (visits["readmitted"] == "yes").sum()
    assert json.loads(result.stdout)["positive"] == "yes"
    assert "`yes` also as `yes ` (" in result.stderr
    assert "they count as one class" in result.stderr


def test_every_role_may_be_played_by_a_name_that_is_a_pattern(trained, visits, data):
    names = {"readmitted": "^y$", "cases": "*", "clinic": "^.*$", "age": "^a"}
    visits.rename(names).write_csv(data)
    _, metrics = trained("--weight", "*", "--group", "^.*$", target="^y$")
    assert metrics["positives"] == (visits["readmitted"] == "yes").sum()


def test_names_and_files_do_not_command_the_terminal(binxent, refused, visits, tmp_path):
    visits.rename({"age": "\x1b[31mage"}).write_csv(tmp_path / "a\x1b[2J.csv")
    result = binxent("train", "a\x1b[2J.csv", "--target", "readmitted", "--dry-run")
    assert "\\x1b[31mage" in result.stdout
    assert "a\\x1b[2J.csv" in result.stdout
    assert "\x1b" not in result.stdout + refused("train", "a\x1b[2J.csv", "--target", "\x1b[31m")


def test_unbalanced_classes_get_advice_and_balanced_ones_do_not(binxent, tmp_path):
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {"x": rng.normal(size=400), "rare": [row % 10 == 0 for row in range(400)], "half": [0, 1] * 200}
    )
    table.write_parquet(tmp_path / "a.parquet")
    advice = binxent("train", "a.parquet", "--target", "rare", "--dry-run").stdout
    assert "Unbalanced  10.00% positives" in advice
    for said in ("another threshold", "--pos-weight auto (here 9)", "by 2.20", "--loss focal"):
        assert said in advice
    assert "Unbalanced" not in binxent("train", "a.parquet", "--target", "half", "--dry-run").stdout


def test_the_base_rate_loss_is_the_entropy_of_validation(binxent, tmp_path):
    pl.DataFrame({"x": range(400), "y": [row % 4 == 0 for row in range(400)]}).write_parquet(tmp_path / "a.parquet")
    facts = json.loads(binxent("train", "a.parquet", "--target", "y", "--include", "x", "--dry-run", "--json").stdout)
    entropy = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert facts["base_rate"] == 0.25
    assert facts["base_rate_loss"] == pytest.approx(entropy)
    assert facts["training_base_rate_loss"] == facts["base_rate_loss"]


LOSSES = {
    "pos_weight": ("--pos-weight", "3"),
    "pos_weight auto": ("--pos-weight", "auto"),
    "smoothing": ("--label-smoothing", "0.2"),
    "smoothing and pos_weight": ("--label-smoothing", "0.2", "--pos-weight", "2"),
    "focal": ("--loss", "focal", "--gamma", "1", "--alpha", "0.75"),
    "asymmetric": ("--loss", "asymmetric", "--gamma-pos", "0", "--gamma-neg", "2", "--margin", "0.1"),
    "poly": ("--loss", "poly", "--epsilon-1", "2"),
}


@pytest.mark.slow
@pytest.mark.parametrize("options", LOSSES.values(), ids=LOSSES)
def test_every_loss_is_corrected_and_both_probabilities_are_told(real_report, trained, options):
    run, metrics = trained(*options)
    correction = metrics["correction"]
    predictions = pl.read_parquet(run / "predictions.parquet")
    assert predictions.columns == ["row", "target", "logit", "probability", "raw_logit", "raw_probability"]
    corrected = correction["slope"] * predictions["raw_logit"] + correction["intercept"]
    np.testing.assert_allclose(predictions["logit"], corrected)
    np.testing.assert_allclose(predictions["raw_probability"], expit(predictions["raw_logit"].to_numpy()))
    for scores, column in (("test", "probability"), ("test_raw", "raw_probability")):
        expected = log_loss(predictions["target"], predictions[column])
        assert metrics[scores]["log_loss"]["value"] == pytest.approx(expected)
    assert metrics["training_base_rate_loss"] > 0


@pytest.mark.slow
def test_other_losses_are_undone_by_logistic_regression_on_held_out_rows(trained):
    run, metrics = trained("--loss", "focal", "--epochs", "12")
    plan, rows, logit = held_out_logits(run)
    fit = LogisticRegression(C=np.inf, tol=1e-10).fit(logit[:, None], plan.dataset.target[rows])
    assert metrics["correction"]["kind"] == "fitted"
    assert metrics["correction"]["slope"] == pytest.approx(fit.coef_[0, 0], rel=1e-3)
    assert metrics["correction"]["intercept"] == pytest.approx(fit.intercept_[0], rel=1e-3, abs=1e-4)


def test_the_best_constant_is_the_line_to_beat(data, tmp_path):
    from binxent.workbench.settings import Settings
    from binxent.workbench.training.plan import Plan

    path = str(tmp_path / data)
    plan = Plan.of(Settings(data=(path,), target="readmitted", pos_weight=3.0))
    # With pos_weight w the best constant is the prior's logit plus ln w.
    train, validation = (plan.dataset.target[rows].mean() for rows in (plan.split.training, plan.split.validation))
    p = expit(math.log(train / (1 - train)) + math.log(3))
    expected = -3 * validation * math.log(p) - (1 - validation) * math.log(1 - p)
    assert plan.training_base_rate_loss == pytest.approx(expected, rel=1e-6)
    assert plan.base_rate_loss < plan.training_base_rate_loss


def test_groups_stay_whole_and_parts_are_stratified(data, tmp_path):
    from binxent.workbench.settings import Settings
    from binxent.workbench.training.plan import Plan

    settings = Settings(data=(str(tmp_path / data),), target="readmitted")
    plan = Plan.of(settings)

    def parts(split):
        return [split.test, *(split.training[split.fold == number] for number in range(split.folds))]

    shares = [plan.dataset.target[rows].mean() for rows in parts(plan.split)]
    assert len(shares) == 6
    assert max(shares) - min(shares) < 0.07
    assert sorted(np.concatenate(parts(plan.split))) == list(range(120))
    plan = Plan.of(settings.replace(group="clinic"))
    clinics = [set(plan.dataset.table["clinic"].gather(rows)) for rows in parts(plan.split)]
    assert sum(map(len, clinics)) == len(set.union(*clinics)) == 12
    assert "clinic" not in plan.dataset.features.kinds
    assert all(plan.dataset.target[rows].any() for rows in parts(plan.split))


@pytest.mark.slow
def test_weights_count_in_the_loss_and_in_the_metrics(binxent, tmp_path):
    """A row of weight 0 is as good as absent: it may say anything."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=200)
    y = rng.random(200) < expit(2 * x)
    lies = pl.DataFrame({"x": x, "y": ~y, "w": 0.0})
    truth = pl.DataFrame({"x": x, "y": y, "w": 7.0})
    pl.concat([truth, lies]).write_parquet(tmp_path / "a.parquet")
    result = binxent("train", "a.parquet", "--target", "y", "--weight", "w", "--json", "--epochs", "15")
    metrics = json.loads(result.stdout)
    assert metrics["test"]["auc"]["value"] > 0.8
    assert metrics["base_rate"] == pytest.approx(y.mean(), abs=0.05)
    predictions = pl.read_parquet(tmp_path / metrics["run"] / "predictions.parquet")
    expected = log_loss(predictions["target"], predictions["probability"], sample_weight=predictions["weight"])
    assert metrics["test"]["log_loss"]["value"] == pytest.approx(expected)
    history = history_of(tmp_path / metrics["run"])
    # In units of one row: weights of 7 do not make the loss seven times as large.
    assert float(history[-1]["val_loss"]) < 0.6


def test_the_first_loss_is_the_base_rates():
    from binxent.workbench.settings import Settings
    from binxent.workbench.training.ensemble import Bins
    from binxent.workbench.training.network import Design, Regularisation, build

    bins = Bins.of(np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32), np.ones(5, bool))
    kinds = [Regularisation(0.2, 0.0), Regularisation(0.5, 1.0)]
    model = build(5, Design(bins, kinds, [0, 1, 2], -2.5), Settings(hidden=(8, 8)))
    weights = [np.asarray(variable) for variable in model.trainable_variables]
    first, second = (Design(bins, kinds, [0, 1, 2], 0).of_group(weights, group) for group in (0, 1))
    assert [kernel.shape for kernel in weights[::2]] == [(6, 5 + 5 * 16, 8), (6, 8, 8), (6, 8, 1)]
    for member in range(6):
        np.testing.assert_array_equal(weights[-1][member], [-2.5])
    # Regularisations are compared from the same start; members of a group differ.
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    assert not np.array_equal(first[0][0], first[0][1])
    assert not np.array_equal(first[2][0], first[0][0][:8])


def test_a_linear_model_has_no_hidden_layer(trained):
    from binxent.workbench.run import Run

    run, _ = trained("--hidden", "none")
    assert [kernel.shape[2] for kernel in Run.load(run).ensemble.kernels] == [1]
    assert tomllib.loads((run / "config.toml").read_text())["hidden"] == []


def test_missing_targets(refused, trained, visits, data):
    holes = visits.with_columns(
        readmitted=pl.when(pl.int_range(pl.len()) < 7).then(None).otherwise(pl.col("readmitted"))
    )
    holes.write_csv(data)
    sentence = refused("train", data, "--target", "readmitted")
    assert "`readmitted` is missing in 7 of 120 rows" in sentence
    assert "--drop-missing" in sentence
    run, metrics = trained("--drop-missing")
    assert metrics["train_rows"] + metrics["test_rows"] == 113
    # Positions are those in the input.
    predictions = pl.read_parquet(run / "predictions.parquet")
    labels = (visits["readmitted"] == "yes").to_numpy()
    np.testing.assert_array_equal(predictions["target"].to_numpy(), labels[predictions["row"].to_numpy()])
    assert predictions["row"].min() >= 7


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "say which column to predict: --target COLUMN. There are: patient_id, age"),
        (("--target", "readmited"), "--target: there is no column `readmited`. Did you mean `readmitted`?"),
        (("--target", "readmitted", "--weight", "ages"), "--weight: there is no column `ages`. Did you mean `age`?"),
        (("--target", "readmitted", "--group", "x"), "--group: there is no column `x`. There are:"),
        (("--target", "readmitted", "--group", "readmitted"), "--target, --group must be different columns"),
        (("--target", "readmitted", "--exclude", "ag"), "--exclude: there is no column `ag`. Did you mean `age`?"),
        (("--target", "readmitted", "--include", "idd"), "--include: there is no column `idd`. There are:"),
        (("--target", "readmitted", "--exclude", "age", "--include", "age"), "--exclude and --include both name the"),
        (("--target", "readmitted", "--number", "age", "--text", "age"), "--number and --text both name the column"),
        (("--target", "readmitted", "--number", "city"), "--number: the column `city` holds no number; its values are"),
        (("--target", "readmitted", "--number", "readmitted"), "never learnt from, as --target names it"),
        (
            ("--target", "readmitted", "--exclude", "age,readmitted"),
            "--exclude: the column `readmitted` is never learnt",
        ),
        (("--target", "readmitted", "--include", "readmitted"), "never learnt from, as --target names it"),
        (
            ("--target", "readmitted", "--weight", "cases", "--exclude", "cases"),
            "never learnt from, as --weight names it",
        ),
        (
            ("--target", "readmitted", "--group", "clinic", "--include", "clinic"),
            "never learnt from, as --group names it",
        ),
        (("--target", "readmitted", "--weight", "city"), "--weight: the column `city` holds String"),
        (("--target", "readmitted", "--weight", "age"), "--weight: the column `age` is missing in 8 of 120 rows"),
        (("--target", "city", "--drop-missing"), "must have two values; it has 3: "),
        (("--target", "country"), "one class only: NO (120) rows"),
        (("--target", "readmitted", "--positive", "maybe"), "--positive: the target `readmitted` has no value `maybe`"),
        (("--target", "readmitted", "--gamma", "2"), "--gamma belongs to the loss `focal`, and this run uses `bce`"),
        (("--target", "readmitted", "--loss", "focal", "--gamma", "-1"), "`gamma` must be >= 0"),
        (("--target", "readmitted", "--loss", "focal", "--pos-weight", "2"), "belongs to the loss `bce`"),
        (("--target", "readmitted", "--pos-weight", "1e300"), "`pos_weight` must be 0, or of a size from 1.18e-38"),
        (("--target", "readmitted", "--label-smoothing", "2"), "--label-smoothing must be a number from 0 to 1"),
        (("--target", "readmitted", "--epochs", "0"), "--epochs must be a whole number of at least 1"),
        (("--target", "readmitted", "--name", "a/b"), "must be a plain name"),
        (("--target", "readmitted", "--name", " "), "must be a plain name"),
        (
            ("--target", "readmitted", "--output", "visits.csv"),
            "--output visits.csv: visits.csv is a file; name a folder",
        ),
        (("--target", "readmitted", "--output", "visits.csv/runs", "--dry-run"), "visits.csv is a file; name a folder"),
    ],
)
def test_what_cannot_be_is_refused_and_writes_nothing(refused, data, tmp_path, options, sentence):
    assert sentence in refused("train", data, *options)
    assert os.listdir(tmp_path) == [data]


@pytest.mark.parametrize(("value", "shown"), [(-1.0, "has -1"), (float("inf"), "has inf")])
def test_weights_must_be_finite_and_not_negative(refused, visits, tmp_path, value, shown):
    visits.with_columns(w=pl.when(pl.int_range(pl.len()) == 4).then(value).otherwise(1.0)).write_parquet(
        tmp_path / "a.parquet"
    )
    sentence = refused("train", "a.parquet", "--target", "readmitted", "--weight", "w")
    assert f"row 5 of `w` {shown}" in sentence


def test_a_class_without_weight_is_refused(refused, visits, tmp_path):
    visits.with_columns(w=(pl.col("readmitted") == "no").cast(pl.Int8)).write_parquet(tmp_path / "a.parquet")
    sentence = refused("train", "a.parquet", "--target", "readmitted", "--weight", "w")
    assert "no weight of the class `yes`" in sentence


def test_too_few_rows_are_refused(refused, tmp_path):
    pl.DataFrame({"x": [1.5, 2.5, 3.0] * 5, "y": [1] * 4 + [0] * 11, "g": [0] * 8 + [1] * 7}).write_csv(
        tmp_path / "a.csv"
    )
    assert "the class `1` has 4 rows, and at least 5 of each class" in refused("train", "a.csv", "--target", "y")
    assert "too few groups" in refused("train", "a.csv", "--target", "y", "--group", "g")


def test_files_that_cannot_be_read_are_refused(refused, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no parquet")
    sentence = refused("train", "emtpy.csv", "--target", "y").replace(f"{tmp_path}/", "")
    assert sentence == "binxent: there is no file emtpy.csv. Did you mean `empty.csv`?"
    assert "empty.csv is empty" in refused("train", "empty.csv", "--target", "y")
    assert "broken.parquet cannot be read as parquet" in refused("train", "broken.parquet", "--target", "y")
    assert "there is no settings file" in refused("train", "--config", "nothing.toml")
    (tmp_path / "bad.toml").write_text("epochs = [")
    assert "bad.toml is not a TOML file" in refused("train", "--config", "bad.toml")


def test_a_name_is_used_once(refused, data, tmp_path):
    (tmp_path / "runs" / "best").mkdir(parents=True)
    sentence = refused("train", data, "--target", "readmitted", "--name", "best")
    assert "exists already. A free name is best-1" in sentence


def test_output_says_where_runs_go(binxent, data):
    shown = binxent("train", data, "--target", "readmitted", "--output", "deep/er", "--dry-run").stdout
    assert "Would train into deep/er/visits-1" in shown


@pytest.fixture
def tiny_disk(tmp_path):
    """Mount a disk with little room, where this machine permits it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "none", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_refused_and_the_run_is_marked(refused, data, tiny_disk):
    sentence = refused("train", data, "--target", "readmitted", "--epochs", "3", "--hidden", "8", "--output", tiny_disk)
    assert "no space left on device" in sentence
    assert f"--resume {tiny_disk}/visits-1" in sentence
    assert (tiny_disk / "visits-1" / "INTERRUPTED").exists()
    assert not list((tiny_disk / "visits-1").glob(".part-*"))


def test_a_read_only_disk_is_refused(refused, data, tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    sentence = refused("train", data, "--target", "readmitted", "--epochs", "3", "--hidden", "8", "--output", tiny_disk)
    assert "read-only file system" in sentence


def test_a_loss_that_is_no_number_is_refused(refused, data, tmp_path):
    sentence = refused(
        "train", data, "--target", "readmitted", "--epochs", "3", "--hidden", "8", "--learning-rate", "1e38"
    )
    assert "the loss became" in sentence
    assert "lower --learning-rate" in sentence
    assert (tmp_path / "runs" / "visits-1" / "INTERRUPTED").exists()


@pytest.mark.slow
def test_the_model_loads_without_binxent(trained, tmp_path):
    run, _ = trained("--loss", "focal")
    script = (
        "import sys, keras\n"
        f"model = keras.models.load_model({str(run / 'model.keras')!r})\n"
        "assert model.layers[-1].name == 'logit'\n"
        "assert 'binxent' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_plain_lines_and_live_progress(monkeypatch):
    import io

    from binxent.workbench.training.progress import epochs_shown

    plain = io.StringIO()
    with epochs_shown(2, plain) as report:
        report(1, {"loss": 0.5, "val_loss": 0.6})
        report(2, {"loss": 0.4, "val_loss": 0.55})
    first, second = plain.getvalue().splitlines()
    assert first == "epoch 1/2  loss 0.5000  validation 0.6000"
    assert second.startswith("epoch 2/2  loss 0.4000  validation 0.5500  at most 0 s left")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    for no_color in (False, True):
        if no_color:
            monkeypatch.setenv("NO_COLOR", "1")
        live = Terminal()
        with epochs_shown(2, live) as report:
            report(1, {"loss": 0.5, "val_loss": 0.6})
        assert "1/2" in live.getvalue()
        assert "validation 0.6000" in live.getvalue()
        assert ("\x1b[38;5" in live.getvalue() or "\x1b[3" in live.getvalue()) is not no_color
