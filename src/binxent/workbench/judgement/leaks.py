"""Leaks: columns that alone give the target away, and models that are too good to be true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from binxent.scoring import evaluate
from binxent.workbench.data.dataset import Dataset
from binxent.workbench.data.split import Split
from binxent.workbench.judgement.findings import Finding
from binxent.workbench.wording import quoted

TELLING = 0.99  # the AUC of a single column that is a probable leak
PERFECT = 0.999  # the AUC of a model that is too good to be true
LEAST_LOW = 0.83  # the least lower end of the interval: 20 rows of each class, if they are told apart
ROWS = 5_000  # of each class; the AUC does not depend on the classes' shares
CELLS = 1_000_000  # rows of a class times columns
TOLD = 5  # leaks with a finding of their own
FEW = 50  # distinct numbers that may be codes
FOLDS = 5
CHECK = (
    "Check when it becomes known: if only after the target, or together with it, the model cannot have it when it "
    "predicts."
)


def leaking_columns(dataset: Dataset, split: Split) -> list[Finding]:
    """Find the features that alone rank the target's classes with an AUC of at least 0.99.

    Numbers and dates are judged by their order, with missing values at either end; texts, categories and few distinct
    numbers by the share of positives among the other rows with the same value. Test rows are not looked at.
    """
    rows = _sample(dataset, split)
    target = dataset.target[rows].astype(bool)
    if target.all() or not target.any():
        return []
    fold = np.random.default_rng(0).permutation(len(rows)) % FOLDS
    found = []
    for name in dataset.features.columns:
        values = dataset.table.get_column(name).alias("").gather(rows)
        missing = values.is_null().to_numpy()
        scores = [score for score in _scores(values, missing, target, fold) if _auc(score, target) >= TELLING]
        if not scores:
            continue
        auc = evaluate(target, max(scores, key=lambda score: _auc(score, target)))["auc"]
        if (auc["low"] or 0) < LEAST_LOW:
            continue
        alone = max(_auc(missing, target), _auc(~missing, target)) >= TELLING
        found.append(_leak(name, dataset, auc, missing_tells=alone))
    found.sort(key=lambda leak: -leak.evidence["auc"])
    return [*found[:TOLD], *_others([leak.columns[0] for leak in found[TOLD:]])]


def _others(names: list[str]) -> list[Finding]:
    if not names:
        return []
    sentence = f"Probable leak: so does each of {len(names):,} more columns: {quoted(names, TOLD)}."
    return [Finding("leak", "warning", sentence, CHECK, tuple(names), {"columns": float(len(names))})]


def _leak(name: str, dataset: Dataset, auc: Mapping[str, Any], *, missing_tells: bool) -> Finding:
    what = f"whether `{name}` is missing" if missing_tells else f"`{name}` alone"
    pairs = "all pairs" if auc["value"] == 1 else f"{_percent_down(auc['value'])} of the pairs"
    return Finding(
        code="leak",
        severity="warning",
        sentence=(
            f"Probable leak: {what} tells `{dataset.positive}` from `{dataset.negative}` in {pairs} outside of the "
            f"test rows (AUC {auc['value']:.4g})."
        ),
        fix=f"{CHECK} If so, --exclude '{name}'.",
        columns=(name,),
        evidence={"auc": auc["value"], "auc_low": auc["low"], "auc_high": auc["high"]},
    )


def too_good_to_be_true(metrics: Mapping[str, Any]) -> list[Finding]:
    """Find an AUC on the test rows of at least 0.999, which real tables seldom allow.

    Args:
        metrics: The content of metrics.json: the scores, and the columns' importance if it is known.
    """
    if metrics["test"] is None:
        return []
    auc = metrics["test"]["auc"]
    if auc["value"] is None or auc["value"] < PERFECT or (auc["low"] or 0) < LEAST_LOW:
        return []
    first = [entry["column"] for entry in metrics.get("importance") or () if entry["increase"] > 0][:1]
    suspect = f"`{first[0]}`, which the model relies on most" if first else "the columns that it relies on most"
    return [
        Finding(
            code="too_good",
            severity="warning",
            sentence=(
                "Probable leak: the model ranks "
                f"{'every' if auc['value'] == 1 else 'nearly every'} pair of test rows right (AUC {auc['value']:.5g}). "
                "Few targets can be predicted so well; more often a column, or several together, give the target away."
            ),
            fix=f"Begin with {suspect}: is it known when the model is to predict? If not, --exclude it.",
            columns=tuple(first),
            evidence={"auc": auc["value"], "auc_low": auc["low"], "auc_high": auc["high"]},
        )
    ]


def _sample(dataset: Dataset, split: Split) -> np.ndarray:
    """Return rows that are not for the test and have a weight, at equal steps, at most so many of each class."""
    candidates = np.ones(len(dataset.target), bool)
    candidates[split.test] = False
    if dataset.weight is not None:
        candidates &= dataset.weight > 0
    parts = [np.flatnonzero(candidates & (dataset.target == label)) for label in (0, 1)]
    most = min(ROWS, max(CELLS // len(dataset.features.columns), 500))
    return np.concatenate([part[:: -(-len(part) // most)] if len(part) else part for part in parts])


def _scores(values: pl.Series, missing: np.ndarray, target: np.ndarray, fold: np.ndarray) -> list[np.ndarray]:
    """Return scores of the rows by a column's values; a good one gives the target away."""
    scores = []
    ordered = values.dtype.is_numeric() or values.dtype.is_temporal()
    if ordered:
        number = values.to_physical().cast(pl.Float64).to_numpy()
        for end in (np.inf, -np.inf) if missing.any() else (0.0,):
            filled = np.where(missing, end, number)
            scores += [filled, -filled]
    if not ordered or values.n_unique() <= FEW:
        scores.append(_rates(values.rank("dense").fill_null(0).to_numpy().astype(np.int64), target, fold))
    return scores


def _rates(code: np.ndarray, target: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return the share of positives among the rows of the same value in the other folds, smoothed by one row."""
    size = int(code.max()) + 1
    cell = code * FOLDS + fold
    rows = np.bincount(cell, minlength=size * FOLDS).reshape(size, FOLDS)
    positives = np.bincount(cell, target, size * FOLDS).reshape(size, FOLDS)
    others = rows.sum(axis=1)[code] - rows[code, fold]
    return (positives.sum(axis=1)[code] - positives[code, fold] + target.mean()) / (others + 1)


def _auc(score: np.ndarray, target: np.ndarray) -> float:
    """Return the chance that a positive scores above a negative, ties counted half (Mann and Whitney 1947)."""
    ranks = pl.Series(score).rank("average").to_numpy()
    positives = int(target.sum())
    return float((ranks[target].sum() - positives * (positives + 1) / 2) / positives / (len(target) - positives))


def _percent_down(share: float) -> str:
    """Return a share below 1 as a percentage that is not rounded up to 100 %."""
    return f"{np.floor(1000 * share) / 10:g} %" if share < 0.999 else "more than 99.9 %"
