"""Rows in the order of their logits: what ranking statistics and decisions at a threshold are computed from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from binxent.scoring._rows import checked_rows

LEAST_FLAGGED = 10  # rows that show what a threshold does


@dataclass(frozen=True)
class Ranking:
    """The distinct logits in descending order, with the weight of each class at each of them.

    Attributes:
        logit: Distinct logits, shape (distinct,).
        positive: Sums of the positives' weights, shape (distinct,).
        negative: Sums of the negatives' weights, shape (distinct,).
        positive_squared: Sums of the positives' squared weights, shape (distinct,).
        negative_squared: Sums of the negatives' squared weights, shape (distinct,).
    """

    logit: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    positive_squared: np.ndarray
    negative_squared: np.ndarray


def rank(target: ArrayLike, logit: ArrayLike, weight: ArrayLike | None = None) -> Ranking:
    """Sort rows by logit, in descending order, and merge ties.

    Cumulative sums of the result give every ROC and precision-recall curve: at the i-th distinct logit, recall is
    sum(positive[: i + 1]) / sum(positive).

    Args:
        target: Labels 0 and 1 (or bool), shape (rows,).
        logit: Log-odds of label 1, or any score that rises with them, shape (rows,); may be infinite.
        weight: Non-negative finite numbers, shape (rows,); None counts every row once.

    Returns:
        The ranking; its weights are relative to the largest.

    Raises:
        ValueError: Shapes differ, labels are not 0 and 1, a logit is NaN, or a weight is negative or not finite.

    Example:
        >>> ranking = rank([1, 0, 1], [1.0, 2.0, 1.0])
        >>> ranking.logit, ranking.positive, ranking.negative
        (array([2., 1.]), array([0., 2.]), array([1., 0.]))
    """
    return rank_rows(*checked_rows(target, logit, weight))


def rank_rows(target: np.ndarray, logit: np.ndarray, weight: np.ndarray) -> Ranking:
    """Rank rows that `checked_rows` has checked."""
    order = np.argsort(-logit, kind="stable")
    target, logit, weight = target[order], logit[order], weight[order]
    first = np.flatnonzero(np.concatenate([[True], logit[1:] != logit[:-1]])[: logit.size])

    def sums(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, first) if first.size else values

    return Ranking(
        logit=logit[first],
        positive=sums(np.where(target, weight, 0.0)),
        negative=sums(np.where(target, 0.0, weight)),
        positive_squared=sums(np.where(target, weight**2, 0.0)),
        negative_squared=sums(np.where(target, 0.0, weight**2)),
    )


def ratio(part: float, whole: float) -> float | None:
    """Return part / whole, or None if the whole is 0."""
    return part / whole if whole > 0 else None


def decisions(ranking: Ranking, base_rate: float | None, chosen: float | None = None) -> list[dict[str, Any]]:
    """Return the consequences of flagging rows at round thresholds and at a chosen one.

    Args:
        ranking: The rows.
        base_rate: Weighted share of positives; None without rows.
        chosen: A probability.

    Returns:
        What `evaluate` describes as `thresholds`, in ascending order.
    """
    if base_rate is None:
        return []
    probability = expit(ranking.logit)
    hits, alarms = np.cumsum(ranking.positive), np.cumsum(ranking.negative)
    positives, negatives = float(hits[-1]), float(alarms[-1])

    def decision(threshold: float) -> dict[str, Any]:
        flagged = int(np.searchsorted(-probability, -threshold, side="right"))
        hit, alarm = (float(hits[flagged - 1]), float(alarms[flagged - 1])) if flagged else (0.0, 0.0)
        miss_cost = ratio(1 - threshold, threshold)
        total = positives + negatives
        return {
            "threshold": threshold,
            "precision": ratio(hit, hit + alarm),
            "recall": ratio(hit, positives),
            "f1": ratio(2 * hit, positives + hit + alarm),
            "specificity": ratio(negatives - alarm, negatives),
            "flagged": (hit + alarm) / total,
            "miss_cost": miss_cost,
            "cost": None if miss_cost is None else (alarm + miss_cost * (positives - hit)) / total,
            "cost_without_model": None if miss_cost is None else min(negatives, miss_cost * positives) / total,
        }

    thresholds = {*_round_thresholds(base_rate), *({chosen} - {None})}
    return [decision(threshold) for threshold in sorted(thresholds)]


def best_threshold(target: ArrayLike, logit: ArrayLike, weight: ArrayLike | None = None) -> float | None:
    """Return the probability from which on to flag rows for the highest F1, 2 hits / (positives + flagged).

    Choose it on other rows than those it is judged on: a threshold chosen on the same rows looks better than it is.

    Args:
        target: Labels 0 and 1 (or bool), shape (rows,).
        logit: Log-odds of label 1, shape (rows,); may be infinite.
        weight: Non-negative finite numbers, shape (rows,); None counts every row once.

    Returns:
        The threshold; None without a positive, or if fewer than ten rows were flagged or not flagged there.

    Raises:
        ValueError: Shapes differ, labels are not 0 and 1, a logit is NaN, or a weight is negative or not finite.

    Example:
        >>> rare = best_threshold([0] * 80 + [1] * 20, [-2.0] * 70 + [0.0] * 30)
        >>> rare, best_threshold([0, 1], [-1.0, 1.0])
        (0.5, None)
    """
    y, z, w = checked_rows(target, logit, weight)
    ranking = rank_rows(y, z, w)
    hits, flagged = np.cumsum(ranking.positive), np.cumsum(ranking.positive + ranking.negative)
    if not y.any():
        return None
    best = ranking.logit[np.argmax(2 * hits / (hits[-1] + flagged))]
    rows = int((z >= best).sum())
    return float(expit(best)) if min(rows, len(z) - rows) >= LEAST_FLAGGED else None


def _round_thresholds(base_rate: float) -> Iterator[float]:
    """Yield 0.05 to 0.95, and on towards the rarer class (0.02, 0.01, 0.005...) down to half its share."""
    yield from (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    rare = min(base_rate, 1 - base_rate)
    for threshold in (digit / 10**power for power in range(2, 13) for digit in (2, 1, 0.5)):
        if 0 < rare / 2 <= threshold:
            yield threshold if base_rate <= 0.5 else 1 - threshold
