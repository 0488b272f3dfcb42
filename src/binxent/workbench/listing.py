"""``binxent runs``: what the runs in a folder are."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from binxent.workbench import run_folder
from binxent.workbench.report.terminal import in_columns
from binxent.workbench.settings import Settings

# What the files of a folder may raise.
DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


def list_runs(folder: Path) -> list[dict[str, Any]]:
    """Describe the runs in a folder, the newest last.

    Args:
        folder: A folder of runs.

    Returns:
        For each run its `name`, `data`, `target`, `log_loss` and `auc` on the test rows, `rows` (None for what is
        not known), `when` its settings were written, and `state`: "complete", "interrupted", or "damaged: " and why.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no run.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; name a folder of runs: binxent runs FOLDER.")
    marks = ("config.toml", run_folder.MARK, run_folder.COLUMNS, "metrics.json")
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    runs = [_describe(path) for path in found if any((path / mark).exists() for mark in marks)]
    if not runs:
        inside = (folder / "config.toml").is_file()
        advice = f"it is a run itself; name the folder that it is in: binxent runs {folder.parent}"
        raise ValueError(f"there are no runs in {folder}; {advice if inside else 'binxent train DATA makes one'}.")
    return sorted(runs, key=lambda run: run["when"] or "")


def _describe(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = dict.fromkeys(("data", "target", "log_loss", "auc", "rows", "when"))
    state = "interrupted" if run_folder.is_interrupted(folder) else "complete"
    try:
        config = folder / "config.toml"
        facts["when"] = dt.datetime.fromtimestamp(_time(folder, config)).isoformat(" ", "seconds")
        settings = Settings.from_toml(config)
        facts |= {"data": _data(settings), "target": settings.target}
        run_folder.read_columns(folder)
        if state == "complete":
            metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
            test = metrics["test"]
            facts |= {name: None if test is None else test[name]["value"] for name in ("log_loss", "auc")}
            facts["rows"] = metrics["train_rows"] + metrics["test_rows"]
    except DAMAGED as error:
        state = f"damaged: {run_folder.reason(error) if isinstance(error, OSError) else run_folder.first_line(error)}"
    return {"name": folder.name, **facts, "state": state}


def _time(folder: Path, config: Path) -> float:
    return (config if config.exists() else folder).stat().st_mtime


def _data(settings: Settings) -> str:
    names = [Path(pattern).name for pattern in settings.data]
    if not names:
        return "a table in memory" if settings.in_memory else "breast-cancer data"
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def as_lines(runs: list[dict[str, Any]]) -> list[str]:
    """Return descriptions of runs as the lines of a table, for a terminal."""
    header = ["run", "data", "target", "log loss", "AUC", "rows", "when", "state"]
    cells = [header]
    for run in runs:
        scores = ["" if run[name] is None else f"{run[name]:.4f}" for name in ("log_loss", "auc")]
        rows = "" if run["rows"] is None else f"{run['rows']:,}"
        when = (run["when"] or "")[:16]
        cells.append([run["name"], run["data"] or "", run["target"] or "", *scores, rows, when, run["state"]])
    return in_columns(cells, right=[header.index(name) for name in ("log loss", "AUC", "rows")])
