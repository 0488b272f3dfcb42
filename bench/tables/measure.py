"""Training on a table: `binxent train` as a user starts it, and the rivals on the rows that it learns from."""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from bench.store import ROOT
from bench.tables.rivals import Rival, predict
from bench.tables.scores import score


def train_ours(
    folder: Path, entry: dict[str, Any], seed: int, options: list[str]
) -> tuple[np.ndarray, dict, np.ndarray]:
    """Run `binxent train` on a table.

    Args:
        folder: Where the table lies.
        entry: The table's entry of the manifest.
        seed: Its `--seed`.
        options: Further options.

    Returns:
        The held-out rows, the record and their losses.

    Raises:
        RuntimeError: If it fails.
    """
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "binxent.workbench.cli", "train", str(folder / entry["file"])]
        command += ["--target", entry["target"], "--positive", entry["positive"], "--seed", str(seed)]
        for option in ("exclude", "include"):
            for column in entry[option]:
                command += [f"--{option}", column]
        command += [*options, "--output", runs, "--name", "run"]
        seconds, finished = _cpu_seconds(
            resource.RUSAGE_CHILDREN, lambda: subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        )
        if finished.returncode:
            raise RuntimeError(f"{' '.join(command)}\nfailed:\n{finished.stdout[-2000:]}{finished.stderr[-2000:]}")
        predictions = pl.read_parquet(Path(runs) / "run" / "predictions.parquet")
    rows, labels, logits = (predictions.get_column(name).to_numpy() for name in ("row", "target", "logit"))
    record, losses = score(labels, expit(np.stack([-logits, logits], axis=1)))
    return rows, {**record, **seconds, "options": options, "version": version()}, losses


def train_rival(
    folder: Path, entry: dict[str, Any], rows: np.ndarray, seed: int, rival: Rival
) -> tuple[dict[str, Any], np.ndarray]:
    """Train a rival on all rows but those that are held out.

    Args:
        folder: Where the table lies.
        entry: The table's entry of the manifest.
        rows: The held-out rows.
        seed: Its random state.
        rival: The model.

    Returns:
        The record and the losses of the held-out rows.
    """
    table = pl.read_parquet(folder / entry["file"])
    labels = (table.get_column(entry["target"]).cast(pl.String) == entry["positive"]).to_numpy().astype(int)
    features = table.drop(entry["target"], *entry["exclude"]).to_pandas()
    learned = np.setdiff1d(np.arange(table.height), rows)
    seconds, probabilities = _cpu_seconds(
        resource.RUSAGE_SELF,
        lambda: predict(rival, features.iloc[learned], labels[learned], features.iloc[rows], seed),
    )
    record, losses = score(labels[rows], probabilities)
    return {**record, **seconds}, losses


def version() -> str:
    """Return the commit of the sources, with a + if they differ from it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return described.stdout.strip()


def _cpu_seconds(who: int, work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Return the seconds of the processor (user and system) and of the clock, and the result."""
    before, start = resource.getrusage(who), time.perf_counter()
    result = work()
    after, stop = resource.getrusage(who), time.perf_counter()
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_seconds": round(spent, 3), "seconds": round(stop - start, 3)}, result
