"""``binxent train``: from a table to a run folder with a model, its metrics and a report."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import polars as pl

from binxent.workbench import run_folder
from binxent.workbench.data import preparation
from binxent.workbench.data.preparation import Preparation
from binxent.workbench.judgement.judge import judge_model, judge_predictions
from binxent.workbench.judgement.rivals import Part, compared
from binxent.workbench.logits import sigmoid
from binxent.workbench.settings import COLUMN_LISTS, Settings
from binxent.workbench.training.checkpoint import CHECKPOINTS
from binxent.workbench.training.correction import Correction, find_correction
from binxent.workbench.training.ensemble import NETWORK
from binxent.workbench.training.inputs import PreparedRows
from binxent.workbench.training.plan import Plan
from binxent.workbench.wording import Writer, counted


def start(
    given: Mapping[str, Any],
    config: Path | None,
    name: str | None,
    output: Path,
    *,
    dry_run: bool,
    write: Writer,
    stream: TextIO,
    rows: pl.DataFrame | None = None,
    report: bool = True,
) -> dict[str, Any]:
    """Begin a run.

    Args:
        given: The settings given on the command line.
        config: A config.toml to start from.
        name: The run's name; None for a numbered one.
        output: The folder of the runs.
        dry_run: Whether to stop before training.
        write: Writes a line for the user.
        stream: Stream for the progress.
        rows: The data, if they are in memory.
        report: Whether to write a report.

    Returns:
        The run's metrics and folder; what the data hold if it is a dry run.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If a setting or the data do not allow a run.
    """
    settings = (Settings() if config is None else Settings.from_toml(config)).overridden(_absolute(given))
    run_folder.require_folder(output)
    if name is not None:
        run_folder.require_free(output, name)
    plan = Plan.of(settings, write, rows)
    plan.describe(write)
    stem = "breast-cancer" if rows is None else "table"
    stem = Path(settings.data[0]).name.split(".")[0] if settings.data else stem
    if dry_run:
        write(f"Would train into {output / (name or run_folder.next_free(output, stem))}; --dry-run stops here.")
        return plan.facts()
    files = {
        "config.toml": plan.settings.to_toml(),
        "environment.json": _json(_environment()),
        run_folder.COLUMNS: _json(plan.columns()),
    }
    return _run(plan, run_folder.create(output, name, stem, files), write, stream, report)


def resume(run: Path, given: Mapping[str, Any], *, dry_run: bool, write: Writer, stream: TextIO) -> dict[str, Any]:
    """Continue an interrupted run, to the same result as if it had never been interrupted.

    Args:
        run: The run folder.
        given: The settings given on the command line; they must be the run's.
        dry_run: Whether to stop before training.
        write: Writes a line for the user.
        stream: Stream for the progress.

    Returns:
        The run's metrics and folder; what the data hold if it is a dry run.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If the run is complete, or the data or the settings are not those it began with.
    """
    run_folder.require_run(run)
    run_folder.read_columns(run)
    if not run_folder.is_interrupted(run):
        raise ValueError(f"the run {run} is complete: there is nothing to resume. See {run / 'report.html'}.")
    settings = Settings.from_toml(run / "config.toml")
    for key, value in _absolute(given).items():
        stored = getattr(settings, key)
        if value != stored and not (key in COLUMN_LISTS and _separated(value) == _separated(stored)):
            raise ValueError(
                f"--{key.replace('_', '-')} is {value!r}, but the run {run} began with {stored!r}. "
                f"Leave it out to continue that run, or start a new one: binxent train --config {run / 'config.toml'}"
            )
    plan = Plan.of(settings, write)
    plan.describe(write)
    now = _environment()
    try:
        before = dict(json.loads((run / "environment.json").read_text(encoding="utf-8")))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{run / 'environment.json'} is damaged ({error}). Start a new run with: binxent train --config"
        ) from None
    if changed := ", ".join(sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))):
        write(f"Note        the last bits may differ from an uninterrupted run's: since it began, {changed} changed")
    if dry_run:
        write(f"Would continue {run}; --dry-run stops here.")
        return plan.facts()
    return _run(plan, run, write, stream)


def _separated(names: tuple[str, ...]) -> list[str]:
    return [part.strip() for name in names for part in name.split(",")]


def _absolute(given: Mapping[str, Any]) -> dict[str, Any]:
    # With absolute paths, config.toml repeats the run from any folder.
    paths = {key: tuple(os.path.abspath(pattern) for pattern in given[key]) for key in ("data", "test") if key in given}
    return {**given, **paths}


def _run(plan: Plan, run: Path, write: Writer, stream: TextIO, report: bool = True) -> dict[str, Any]:
    """Train, evaluate and report in a run folder that is marked as interrupted; remove the mark at the end."""
    how_to_continue = f"continue with: binxent train --resume {run}"
    try:
        metrics = _train_and_evaluate(plan, run, stream)
        page = None
        if report and metrics["test"] is not None:
            from binxent.workbench.report.page import write_report

            page = write_report(run)
        for checkpoint in CHECKPOINTS:
            (run / checkpoint).unlink(missing_ok=True)
        run_folder.finish(run)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; {how_to_continue}") from None
    except OSError as error:
        raise OSError(f"{run_folder.reason(error)}. The run is marked as interrupted; {how_to_continue}") from error
    _conclude(metrics, write)
    if page is not None:
        write(f"Report      {page}")
    return {"run": str(run), **metrics}


def _train_and_evaluate(plan: Plan, run: Path, stream: TextIO) -> dict[str, Any]:
    settings, split = plan.settings, plan.split
    dataset, sampled = plan.sampled
    prepared = Preparation.fit(dataset.features, dataset.table[sampled.training], settings.seed)
    with run_folder.replacing(run / preparation.FILE) as temporary:
        prepared.save(temporary)
    # Keras and JAX take seconds to import: errors in the data are reported before.
    from binxent.scoring import best_threshold
    from binxent.workbench.training.members import train_members

    rows = PreparedRows(plan, prepared, run)
    inputs = rows.training
    if rows.columns is not None:
        with run_folder.replacing(run / run_folder.COLUMNS) as temporary:
            temporary.write_text(_json({**plan.columns(), "columns": rows.columns}), encoding="utf-8")
    trained = train_members(plan, inputs, prepared.continuous, run, stream)
    with run_folder.replacing(run / NETWORK) as temporary:
        trained.ensemble.save(temporary)
    with run_folder.replacing(run / "model.keras") as temporary:
        trained.to_keras().save(temporary)
    _write_history(trained.history, run / "history.csv")
    target, weight = plan.labels(split.validation)
    weight_of_positives = plan.loss_options.get("pos_weight", 1.0)
    correction = find_correction(
        plan.correction_kind, weight_of_positives, target, trained.held_out_logits, weight, settings.seed
    )
    threshold = best_threshold(target, correction(trained.held_out_logits), weight)

    def predict(table: pl.DataFrame) -> np.ndarray:
        return correction(trained.ensemble.logits(prepared.transform(table)))

    metrics = {
        **plan.counts(),
        "best_epoch": trained.best_epoch,
        "epochs": len(trained.history),
        "folds": split.folds,
        "members": trained.ensemble.members,
        "regularisation": trained.regularisation,
        "correction": correction.to_json(),
        "threshold": threshold,
        "test": None,
        "test_raw": None,
        "rivals": [],
    }
    if len(split.test):
        test = Part(rows.test, *plan.labels(split.test))
        raw = trained.ensemble.logits(test.inputs)
        learnt = Part(inputs, *plan.labels(split.training))
        held = slice(None) if plan.dataset.sample is None else np.isin(split.test, plan.dataset.sample)
        metrics |= _write_predictions(plan, raw, correction, threshold, run / "predictions.parquet")
        metrics |= judge_predictions(dataset, sampled.test, correction(raw), predict, learnt, test, settings, held)
    metrics["findings"] = [finding.to_json() for finding in (*plan.findings, *judge_model(metrics))]
    with run_folder.replacing(run / "metrics.json") as temporary:
        temporary.write_text(_json(metrics), encoding="utf-8")
    return metrics


def _write_predictions(
    plan: Plan, raw: np.ndarray, correction: Correction, threshold: float | None, path: Path
) -> dict[str, Any]:
    """Write the predictions of the test rows and return their scores, corrected and raw."""
    from binxent.scoring import evaluate

    target, weight = plan.labels(plan.split.test)
    logit = correction(raw)
    columns = {"row": plan.dataset.row[plan.split.test], "target": target}
    if weight is not None:
        columns["weight"] = weight
    columns |= {"logit": logit, "probability": sigmoid(logit)}
    corrected = correction.kind != "none"
    if corrected:
        columns |= {"raw_logit": raw, "raw_probability": sigmoid(raw)}
    with run_folder.replacing(path) as temporary:
        pl.DataFrame(columns).write_parquet(temporary)
    scores = evaluate(target, logit, weight, threshold=threshold)
    return {"test": scores, "test_raw": evaluate(target, raw, weight) if corrected else None}


def _write_history(history: list[dict[str, float]], path: Path) -> None:
    with run_folder.replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["epoch", *history[0]])
        writer.writeheader()
        writer.writerows({"epoch": epoch, **metrics} for epoch, metrics in enumerate(history, start=1))


def _conclude(metrics: dict[str, Any], write: Writer) -> None:
    def shown(scores: dict[str, Any], name: str) -> str:
        value, low, high = (scores[name][key] for key in ("value", "low", "high"))
        if value is None:
            return "unknown"
        return f"{value:.4f}" + ("" if low is None else f" ({low:.4f} to {high:.4f})")

    test, raw, correction = metrics["test"], metrics["test_raw"], metrics["correction"]
    trained = f"{counted(metrics['members'], 'network')} for {counted(metrics['epochs'], 'epoch')}"
    write(f"Trained     {trained}; the validation loss was lowest in epoch {metrics['best_epoch']}")
    if test is None:
        return
    write(f"Test        log loss {shown(test, 'log_loss')}, AUC {shown(test, 'auc')}, Brier {shown(test, 'brier')}")
    for rival in metrics["rivals"]:
        write(f"Compared    the model {compared(rival)}")
    if raw is not None:
        times = "" if correction["slope"] == 1 else f" x {correction['slope']:.4g}"
        write(
            f"Corrected   logit{times} {correction['intercept']:+.4g}; "
            f"without that the log loss is {shown(raw, 'log_loss')}"
        )
    for finding in judge_model(metrics):
        write(finding.line)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def _environment() -> dict[str, str]:
    packages = ("binxent", "numpy", "llvmlite", "keras", "jax", "jaxlib", "polars", "scikit-learn", "scipy")
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "keras_backend": os.environ.get("KERAS_BACKEND", "jax"),
        **versions,
    }
