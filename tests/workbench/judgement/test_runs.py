"""The judgement of a run as its user meets it: in the terminal, in metrics.json and in the report."""

import json

import numpy as np
import polars as pl
import pytest

ROWS = 400


@pytest.mark.slow
def test_a_leak_is_named_in_terminal_metrics_and_report(real_report, binxent, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(ROWS) % 2
    table = {
        "refund": 100 * y + rng.random(ROWS),
        "x": rng.normal(size=ROWS),
        "zip": rng.integers(700, 720, ROWS),
        "y": y,
    }
    pl.DataFrame(table).write_csv("orders.csv")
    options = ("--target", "y", "--examples", 2, "--epochs", 3, "--folds", 1, "--name", "run")
    lines = " ".join(binxent("train", "orders.csv", *options).stdout.split())
    assert "Warning Probable leak: `refund` alone tells `1` from `0` in all pairs" in lines
    assert "zip category; used: a code, taken as a category; --number keeps the numbers" in lines
    assert "Compared the model beats the base rate" in lines
    assert "Compared the model" in lines.partition("base rate: its log loss")[2]
    metrics = json.loads((tmp_path / "runs" / "run" / "metrics.json").read_text())
    assert metrics["findings"][0]["code"] == "leak"
    assert metrics["importance"][0]["column"] == "refund"
    assert {rival["name"] for rival in metrics["rivals"]} == {"base rate", "logistic regression"}
    assert 2 <= len(metrics["examples"]) <= 4
    assert set(metrics["examples"][0]["values"]) == {"refund", "x", "zip"}
    page = (tmp_path / "runs" / "run" / "report.html").read_text()
    assert "<h1>orders.csv: y = 1</h1>" in page
    assert page.index("Probable leak: <code>refund</code>") < page.index('class="cards"')
    for heading in ("Beside simple models", "What it relies on", "Examples"):
        assert f"<h2>{heading}</h2>" in page


def test_a_dry_run_tells_the_findings_too(binxent):
    y = np.arange(ROWS) % 2
    pl.DataFrame({"copy": np.where(y, "paid", "due"), "x": np.arange(ROWS) % 7, "y": y}).write_csv("orders.csv")
    result = binxent("train", "orders.csv", "--target", "y", "--dry-run", "--json")
    (finding,) = json.loads(result.stdout)["findings"]
    assert finding["columns"] == ["copy"]
    assert "Probable leak: `copy`" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("rare", "words"),
    [
        (1, "Flag rows above 0.05, which are likelier to be positive than most, instead of 0.5"),
        (0, "pass --positive '0'"),
    ],
)
def test_thresholds_are_named_where_they_make_sense(binxent, rare, words):
    y = np.where(np.arange(ROWS) % 20 == 0, rare, 1 - rare)
    pl.DataFrame({"x": np.arange(ROWS) % 7, "y": y}).write_csv("orders.csv")
    text = " ".join(binxent("train", "orders.csv", "--target", "y", "--dry-run").stdout.split())
    assert words in text
    assert "Flag rows above 0.95" not in text
