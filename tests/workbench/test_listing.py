import json
import os
import shutil

import pytest


@pytest.fixture
def folder(trained_once, tmp_path):
    """Return a folder with runs of every state."""
    run = trained_once("--target", "readmitted", "--epochs", "1", "--hidden", "none")
    runs = tmp_path / "runs"
    for age, name in enumerate(["old", "cut", "no-metrics", "no-config", "bad-config", "format", "new"]):
        shutil.copytree(run, runs / name)
        os.utime(runs / name / "config.toml", (1e9 + 86_400 * age,) * 2)
    (runs / "cut" / "INTERRUPTED").touch()
    (runs / "no-metrics" / "metrics.json").write_text("{}")
    (runs / "no-config" / "config.toml").unlink()
    os.utime(runs / "no-config", (1e9 + 86_400 * 3,) * 2)
    (runs / "bad-config" / "config.toml").write_text("\x00")
    os.utime(runs / "bad-config" / "config.toml", (1e9 + 86_400 * 4,) * 2)
    (runs / "format" / "columns.json").write_text('{"format": 99}')
    (runs / "notes").mkdir()
    return runs


def test_runs_are_listed_by_age_whatever_their_state(binxent, folder):
    found = json.loads(binxent("runs", "--json").stdout)
    metrics = json.loads((folder / "new" / "metrics.json").read_text())
    assert found[-1].items() >= {
        "name": "new", "data": "visits.csv", "target": "readmitted", "rows": 120, "state": "complete",
        "log_loss": metrics["test"]["log_loss"]["value"], "auc": metrics["test"]["auc"]["value"],
    }.items()  # fmt: skip
    assert [run["name"] for run in found] == ["old", "cut", "no-metrics", "no-config", "bad-config", "format", "new"]
    states = [run["state"].split(" (")[0] for run in found]
    assert states[:3] == ["complete", "interrupted", "damaged: 'test'"]
    assert states[3].startswith("damaged: there is no settings file")
    assert "is not a TOML file" in states[4]
    assert "has the format 99" in states[5]
    assert found[1]["target"] == "readmitted" and found[1]["log_loss"] is None
    assert found[0]["when"].startswith("2001-09-0")


def test_the_terminal_gets_a_table(binxent, folder):
    lines = binxent("runs", folder).stdout.splitlines()
    assert lines[0].split() == ["run", "data", "target", "log", "loss", "AUC", "rows", "when", "state"]
    assert len(lines) == 8
    assert lines[1].split()[:3] == ["old", "visits.csv", "readmitted"]
    assert lines[1].endswith("complete")


def test_a_folder_without_runs_is_refused(refused, folder):
    assert "there is no folder nowhere; name a folder of runs" in refused("runs", "nowhere")
    assert "there are no runs in runs/notes; binxent train DATA makes one." in refused("runs", "runs/notes")
    sentence = refused("runs", "runs/new")
    assert "it is a run itself; name the folder that it is in: binxent runs runs." in sentence
