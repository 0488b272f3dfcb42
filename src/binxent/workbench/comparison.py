"""``binxent compare``: two runs on the test rows that they have in common."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from binxent.workbench import run_folder
from binxent.workbench.report.number_format import number
from binxent.workbench.report.terminal import SCORES, in_columns, with_interval
from binxent.workbench.settings import Settings
from binxent.workbench.wording import Writer


@dataclass(frozen=True)
class _TestRows:
    """The test rows of a run."""

    name: str
    settings: Settings
    classes: list[str]
    rows: pl.DataFrame  # row, target, logit, and weight if there is one; sorted by row

    @classmethod
    def of(cls, folder: Path, name: str) -> _TestRows:
        """Read the test rows of a run that is called by a name."""
        run_folder.require_complete(folder)
        classes = run_folder.read_columns(folder)["classes"]
        path = folder / "predictions.parquet"
        if not path.is_file():
            raise FileNotFoundError(f"the run folder {folder} lacks predictions.parquet: it has no test rows.")
        try:
            rows = pl.read_parquet(path)
            columns = [column for column in ("row", "target", "logit", "weight") if column in rows.columns]
            return cls(name, Settings.from_toml(folder / "config.toml"), classes, rows.select(columns).sort("row"))
        except (pl.exceptions.PolarsError, ValueError) as error:
            raise ValueError(f"the run folder {folder} cannot be loaded: {run_folder.first_line(error)}") from error

    def scores(self, rows: pl.DataFrame, weighted: bool) -> dict[str, Any]:
        """Return the scores of some of the rows."""
        from binxent.scoring import evaluate

        target, logit = _arrays(rows, "target", "logit")
        found = evaluate(target, logit, _arrays(rows, "weight")[0] if weighted else None)
        return {name: found[name] for name in SCORES}


def compare(first: Path, second: Path) -> dict[str, Any]:
    """Compare two runs on the test rows that they have in common.

    Args:
        first: A run folder.
        second: Another one.

    Returns:
        The runs' names, the scores of each on its test rows, and where the runs have test rows in common,
        their number, the scores of each on them and the `difference`, second minus first, with 95 % intervals; else
        None and a `reason`. `notes` are sentences.

    Raises:
        OSError: If a folder is no run folder, or cannot be read.
        ValueError: If a run is not complete, or they are the same run.
    """
    if os.path.realpath(first) == os.path.realpath(second):
        raise ValueError(f"{first} and {second} are the same run; name two.")
    names = [first.name, second.name] if first.name != second.name else [str(first), str(second)]
    a, b = _TestRows.of(first, names[0]), _TestRows.of(second, names[1])
    own = [run.scores(run.rows, "weight" in run.rows.columns) for run in (a, b)]
    facts: dict[str, Any] = {
        "runs": names,
        "test_rows": [a.rows.height, b.rows.height],
        "test_scores": own,
        "common_rows": 0,
        "scores": None,
        "difference": None,
        "reason": _incomparable(a, b),
        "notes": [],
    }
    if facts["reason"] is not None:
        return facts
    common = a.rows.join(b.rows, on="row", how="inner", suffix="_b", maintain_order="left")
    if common.height == 0:
        return facts | {"reason": "no row is a test row of both runs: the splits differ; give both the same --seed"}
    if not common["target"].equals(common["target_b"], check_names=False):
        return facts | {"reason": "the labels of the same rows differ"}
    if common.height < max(facts["test_rows"]):
        facts["notes"].append("The splits differ: only the test rows of both are compared.")
    weighted = {"weight", "weight_b"} <= set(common.columns) and common["weight"].equals(
        common["weight_b"], check_names=False
    )
    if not weighted and {"weight", "weight_b"} & set(common.columns):
        facts["notes"].append("The runs weigh rows differently: every row counts once here.")
    if a.settings.group is not None or b.settings.group is not None:
        facts["notes"].append("Rows of a group count as independent here, which makes the intervals too narrow.")
    from binxent import scoring

    target, logit, other = _arrays(common, "target", "logit", "logit_b")
    weight = _arrays(common, "weight")[0] if weighted else None
    second_rows = common.with_columns(logit="logit_b")
    return facts | {
        "common_rows": common.height,
        "scores": [a.scores(common, weighted), b.scores(second_rows, weighted)],
        "difference": scoring.compare(target, logit, other, weight),
    }


def _incomparable(a: _TestRows, b: _TestRows) -> str | None:
    if empty := [run.name for run in (a, b) if run.rows.height == 0]:
        return f"{empty[0]} has no test rows"
    if a.settings.data_fingerprint != b.settings.data_fingerprint:
        return "the runs were trained on different data: their rows cannot be matched"
    if a.settings.target != b.settings.target:
        return f"the runs predict different columns: `{a.settings.target}` and `{b.settings.target}`"
    if a.classes != b.classes:
        return f"the positive class is `{a.classes[1]}` in {a.name} and `{b.classes[1]}` in {b.name}"
    return None


def _arrays(rows: pl.DataFrame, *names: str) -> list[np.ndarray]:
    return [rows.get_column(name).to_numpy() for name in names]


def describe(facts: dict[str, Any], write: Writer) -> None:
    """Write a comparison for a terminal."""
    a, b = facts["runs"]
    paired = facts["difference"] is not None
    shown = facts["scores"] if paired else facts["test_scores"]
    if paired:
        write(f"Test rows: {facts['common_rows']:,} in both runs, of {_and(facts['test_rows'])}.")
    else:
        write(f"Test rows: {_and(facts['test_rows'])}, compared as they are: {facts['reason']}.")
    for note in facts["notes"]:
        write(note)
    difference = {name: facts["difference"][name] if paired else None for name in SCORES}
    cells = [["", a, b, "difference" * paired]]
    for name, title in SCORES.items():
        cells.append([title, *(with_interval(run[name]) for run in shown), with_interval(difference[name])])
    for line in in_columns(cells):
        write(line)
    write(conclusion(facts))


def conclusion(facts: dict[str, Any]) -> str:
    """Return what a comparison shows, in a sentence."""
    a, b = facts["runs"]
    if facts["difference"] is None:
        return (
            f"These scores are of different rows: they do not show which run is better. Score both on the same "
            f"labelled data: binxent evaluate RUN LABELLED. ({_capital(facts['reason'])}.)"
        )
    loss = facts["difference"]["log_loss"]
    low, high = loss["low"], loss["high"]
    if low is None or high is None:
        return "The data do not determine the difference of the log losses."
    if low <= 0 <= high:
        if low == high == 0:
            return "The two runs predict the same."
        return (
            f"No difference is shown: the log loss of {b} may be lower than that of {a} by up to {number(-low)}, or "
            f"higher by up to {number(high)} (95 % interval)."
        )
    better, worse, sign = (b, a, -1) if high < 0 else (a, b, 1)
    ends = sorted((sign * low, sign * high))
    return (
        f"{better} is better: its log loss is lower than that of {worse} by {number(sign * loss['value'])} "
        f"(95 % interval {number(ends[0])} to {number(ends[1])})."
    )


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _and(counts: list[int]) -> str:
    return " and ".join(f"{count:,}" for count in counts)
