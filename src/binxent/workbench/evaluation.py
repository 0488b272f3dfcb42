"""``binxent evaluate``: the scores of a run on labelled data that it was not trained on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from binxent.workbench.data.counts import Counts
from binxent.workbench.data.dataset import is_missing, weights
from binxent.workbench.data.target import known_target
from binxent.workbench.reading.files import find_files
from binxent.workbench.reading.sources import Source, open_source, remarks
from binxent.workbench.reading.table import read_frame
from binxent.workbench.report.number_format import number, percent
from binxent.workbench.report.terminal import SCORES, in_columns, interval_text, with_interval
from binxent.workbench.run import Run
from binxent.workbench.suggestions import nearest
from binxent.workbench.wording import Writer

CALIBRATION = {"slope": "Slope", "intercept": "Intercept", "observed_over_expected": "Observed / expected"}


def evaluate(folder: Path, data: Sequence[str], *, drop_missing: bool = False, write: Writer) -> dict[str, Any]:
    """Score a run on labelled files.

    Args:
        folder: The run folder.
        data: Files or globs, with the columns of the training data, its target included.
        drop_missing: Whether rows whose target or weight is missing are left out.
        write: Writes a remark for the user.

    Returns:
        The run and the classes, the numbers of rows used and dropped, `scores` of these rows, `test`, the scores of
        the run's test rows, and `log_loss_ratio`, the first log loss over the second, with its 95 % interval.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If the run is not complete, the data lack a column, or labels are missing or of no known class.
    """
    from binxent import scoring

    run = Run.load(folder)
    sources = [open_source(file) for file in find_files(data)]
    target = _target_column(run, sources)
    columns = [target, *_weight_column(run, sources, write)]
    if _fingerprint(sources) == run.settings.data_fingerprint:
        write("Note: the run was trained on rows of these very data: the scores are better than those of new rows.")
    table, logit = _predicted(run, sources, columns, write)
    complete = _complete(table, columns, drop_missing)
    used = table.filter(pl.Series(complete))
    label = known_target(used.get_column(target), *run.classes)
    weight = weights(used.get_column(columns[1])) if len(columns) > 1 else None
    scores = scoring.evaluate(label, logit[complete], weight)
    test = run.metrics.get("test")
    return {
        "run": str(folder),
        "negative": run.classes[0],
        "positive": run.classes[1],
        "rows": used.height,
        "dropped_rows": int((~complete).sum()),
        "scores": scores,
        "test": test,
        "log_loss_ratio": None if test is None else _ratio(scores["log_loss"], test["log_loss"]),
    }


def _target_column(run: Run, sources: Sequence[Source]) -> str:
    """Return the name of the target; refuse data without it or without the columns that prediction needs."""
    target = run.settings.target
    if target is None:
        raise ValueError(f"{run.folder / 'config.toml'} names no target, so there are no labels to compare with.")
    for source in sources:
        run.require_columns(source)
        if target not in source.names:
            raise ValueError(f"{source.file} lacks the target `{target}`.{nearest(target, source.names)}")
        source.require_once(target)
    return target


def _weight_column(run: Run, sources: Sequence[Source], write: Writer) -> list[str]:
    """Return the column of weights that the run was trained with, if the data have it."""
    name = run.settings.weight
    if name is None:
        return []
    if lacking := [source for source in sources if name not in source.names]:
        write(f"Note: {lacking[0].file} lacks the weights `{name}` of the training: every row counts once.")
        return []
    for source in sources:
        source.require_once(name)
    return [name]


def _predicted(
    run: Run, sources: Sequence[Source], columns: Sequence[str], write: Writer
) -> tuple[pl.DataFrame, np.ndarray]:
    """Return target and weight as they are read in training, and the logits of all rows."""
    counts, copied, logits = Counts(), [], []
    for part, predictions in run.predictions(sources, columns, counts):
        copied.append(part)
        logits.append(predictions.get_column("logit").to_numpy())
    for sentence in (*remarks(sources), *counts.odd_in_words(), *counts.unseen_in_words()):
        write(f"Note: {sentence}")
    if counts.rows == 0:
        raise ValueError(f"{sources[0].file} has no rows to score.")
    table = read_frame(pl.concat(copied, how="vertical_relaxed"), roles={columns[0]: "label"})
    return table.rows, np.concatenate(logits)


def _complete(table: pl.DataFrame, columns: Sequence[str], drop_missing: bool) -> np.ndarray:
    """Return which rows have a value in each column; refuse the others unless they are to be dropped."""
    missing = {name: is_missing(table.get_column(name)).to_numpy() for name in columns}
    incomplete = np.logical_or.reduce(list(missing.values()))
    if incomplete.any() and not drop_missing:
        name, gaps = next((name, gaps) for name, gaps in missing.items() if gaps.any())
        raise ValueError(
            f"the column `{name}` is missing in {gaps.sum():,} of {table.height:,} rows. Fill them in, or pass "
            "--drop-missing to leave these rows out."
        )
    if incomplete.all():
        raise ValueError(f"every row lacks a value of {', '.join(columns)}: nothing is left to score.")
    return ~incomplete


def _fingerprint(sources: Sequence[Source]) -> str:
    """Return what the fingerprint of these files is when they are trained on."""
    digest = hashlib.sha256()
    for source in sources:
        with source.file.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _ratio(here: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """Return the ratio of two log losses of different rows, with an interval on the log scale, as theirs are."""
    ends = [score[end] for score in (here, there) for end in ("value", "low", "high")]
    if any(end is None or end <= 0 for end in ends):
        return {"value": None, "low": None, "high": None}
    half = math.hypot(*(math.log(score["high"] / score["low"]) / 2 for score in (here, there)))
    value = here["value"] / there["value"]
    return {"value": value, "low": value * math.exp(-half), "high": value * math.exp(half)}


def describe(facts: dict[str, Any], write: Writer) -> None:
    """Write the scores for a terminal."""
    scores, test = facts["scores"], facts["test"]
    dropped = f", {facts['dropped_rows']:,} more dropped for missing values" if facts["dropped_rows"] else ""
    weighted = " by weight" if scores["weight_sum"] != scores["rows"] else ""
    write(
        f"Rows: {facts['rows']:,}{dropped}; {scores['positives']:,} ({percent(scores['base_rate'])}{weighted}) are "
        f"`{facts['positive']}`."
    )
    cells = [["", "these rows", "" if test is None else "test rows of the run"]]
    for name, title in SCORES.items():
        cells.append([title, *(with_interval(found and found[name]) for found in (scores, test))])
    constant = "Base rate's loss"
    cells.append([constant, *(number(found["base_rate_log_loss"]) if found else "" for found in (scores, test))])
    for name, title in CALIBRATION.items():
        cells.append([title, *(with_interval(found and found["calibration"][name]) for found in (scores, test))])
    for line in in_columns(cells):
        write(line)
    for sentence in conclusions(facts):
        write(sentence)


def conclusions(facts: dict[str, Any]) -> list[str]:
    """Return what the scores show, in sentences."""
    scores, ratio = facts["scores"], facts["log_loss_ratio"]
    explained, observed = scores["explained"], scores["calibration"]["observed_over_expected"]
    found = []
    if explained["low"] is None:
        found.append("These rows do not show whether the run is better than always predicting the share of positives.")
    elif explained["low"] > 0:
        found.append(
            f"The run is better than always predicting the share of positives: it saves {percent(explained['value'])} "
            f"of that log loss ({percent(explained['low'])} to {percent(explained['high'])})."
        )
    elif explained["high"] < 0:
        found.append("The run is worse than always predicting the share of positives in these rows.")
    else:
        found.append("The run is not shown to be better than always predicting the share of positives in these rows.")
    if ratio is not None and ratio["low"] is not None:
        interval = f"{number(ratio['value'])} times that of the run's test rows ({interval_text(ratio)})"
        if ratio["low"] <= 1 <= ratio["high"]:
            found.append(f"The log loss is {interval}: no difference is shown.")
        else:
            found.append(f"The log loss is {interval}: it is {'higher' if ratio['low'] > 1 else 'lower'} here.")
    if observed["low"] is not None and not observed["low"] <= 1 <= observed["high"]:
        direction = "low" if observed["value"] > 1 else "high"
        found.append(
            f"The probabilities are too {direction}: there are {number(observed['value'])} times as many "
            f"`{facts['positive']}` as predicted ({interval_text(observed)})."
        )
    return found
