"""Small tables, and the command line called in this process: starting JAX takes seconds, so it is started once."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

ROWS = 120


@pytest.fixture(scope="session")
def visits():
    """Return a table with every kind of column, missing values, an id and a constant."""
    rng = np.random.default_rng(7)
    age = rng.normal(50, 10, ROWS)
    city = rng.choice(["Oslo", "Rome", "Lima"], ROWS)
    readmitted = rng.random(ROWS) < 1 / (1 + np.exp(-((age - 50) / 5 + (city == "Rome"))))
    return pl.DataFrame(
        {
            "patient_id": [f"P{row:03d}" for row in range(ROWS)],
            "age": [None if row % 17 == 0 else float(age[row]) for row in range(ROWS)],
            "city": [None if row % 13 == 0 else str(city[row]) for row in range(ROWS)],
            "smoker": [row % 3 == 0 for row in range(ROWS)],
            "seen": [dt.date(2024, 1, 1) + dt.timedelta(days=row * 3) for row in range(ROWS)],
            "country": ["NO"] * ROWS,
            "clinic": [row % 12 for row in range(ROWS)],
            "cases": rng.integers(1, 5, ROWS),
            "readmitted": np.where(readmitted, "yes", "no"),
        }
    )


@pytest.fixture
def real_report():
    """Ask for this to have reports drawn, which takes longer than training on a small table."""


def _blank_report(folder):
    (folder / "report.html").write_text("")
    return folder / "report.html"


@pytest.fixture(scope="session")
def trained_once(visits, tmp_path_factory):
    """Train on the visits for many tests, which do not change the run: `trained_once(*options)` returns its folder."""
    from click.testing import CliRunner

    from binxent.workbench.commands import workbench
    from binxent.workbench.report import page

    def call(*options):
        folder = tmp_path_factory.mktemp("trained")
        visits.write_csv(folder / "visits.csv")
        arguments = [folder / "visits.csv", *options, "--output", folder, "--name", "run"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(page, "write_report", _blank_report)
            result = CliRunner().invoke(workbench, ["train", *map(str, arguments)])
        assert result.exit_code == 0, result.output
        return folder / "run"

    return call


@pytest.fixture
def binxent(tmp_path, monkeypatch, request):
    """Call the command line in an empty folder: `binxent("train", ...)` returns exit_code, stdout and stderr."""
    from click.testing import CliRunner

    from binxent.workbench.commands import workbench
    from binxent.workbench.report import page

    monkeypatch.chdir(tmp_path)
    if "real_report" not in request.fixturenames:
        monkeypatch.setattr(page, "write_report", _blank_report)

    def call(*arguments):
        result = CliRunner().invoke(workbench, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture
def refused(binxent):
    """Call the command line, require an error of status 2 in one sentence on stderr, and return the sentence."""

    def call(*arguments):
        result = binxent(*arguments)
        assert result.exit_code == 2, result.output
        assert "Traceback" not in result.output
        sentence = " ".join(result.stderr.split())
        assert "?." not in sentence
        return sentence

    return call
