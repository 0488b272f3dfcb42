"""The difference between two models' scores on the same rows, which is known better than either score."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, stdtrit

import binxent.numpy as bx
from binxent.scoring._intervals import Z95, Estimate, effective_size, estimate, standard_error
from binxent.scoring._rows import checked_rows


@np.errstate(over="ignore", invalid="ignore")  # what overflows comes out as None
def compare(
    target: ArrayLike, logit: ArrayLike, other: ArrayLike, weight: ArrayLike | None = None
) -> dict[str, Estimate]:
    """Compare two models on the same rows: the other's score minus the first's, for each of three scores.

    With d the difference of a row's contributions and w its weight:

    - `log_loss`, `brier`: sum w d / sum w, with the standard error of a weighted mean, and Student's t for few rows.
      Both models have the same hard rows, and these drop out of d.
    - `auc`: the difference of the AUCs, with the standard error of DeLong, DeLong and Clarke-Pearson (1988), from the
      differences of the rows' weighted placements.

    Args:
        target: Labels 0 and 1 (or bool), shape (rows,).
        logit: Log-odds of label 1 by the first model, shape (rows,).
        other: Log-odds of label 1 by the other model, shape (rows,).
        weight: Non-negative finite numbers, shape (rows,); None counts every row once.

    Returns:
        The differences, each {"value", "low", "high"} with the ends of its 95 % interval; None for what the data do
        not determine.

    Raises:
        ValueError: Shapes differ, labels are not 0 and 1, a logit is NaN, or a weight is negative or not finite.

    Example:
        >>> found = compare([0, 1, 1, 0], [-2.0, 1.0, 3.0, 2.0], [-2.0, 1.0, 3.0, 0.5])
        >>> round(found["log_loss"]["value"], 3), found["auc"]["value"]
        (-0.288, 0.25)
    """
    y, first, w = checked_rows(target, logit, weight)
    second = checked_rows(target, other, weight)[1]
    labels = y.astype(float)

    def losses(z: np.ndarray) -> np.ndarray:
        return np.asarray(bx.sigmoid_cross_entropy_with_logits(labels, z))

    def squares(z: np.ndarray) -> np.ndarray:
        return np.square(expit(np.where(y, -z, z)))

    return {
        "log_loss": _mean_difference(losses(first), losses(second), w),
        "brier": _mean_difference(squares(first), squares(second), w),
        "auc": _auc_difference(first, second, y, w),
    }


def _mean_difference(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> Estimate:
    difference = second - first
    if not difference.size or not np.isfinite(difference).all():
        return estimate()
    mean = float(np.average(difference, weights=weight))
    return estimate(mean, _widened(standard_error(weight * (difference - mean) / weight.sum()), effective_size(weight)))


def _auc_difference(first: np.ndarray, second: np.ndarray, target: np.ndarray, weight: np.ndarray) -> Estimate:
    if target.all() or not target.any():
        return estimate()
    difference = _placements(second, target, weight) - _placements(first, target, weight)
    value, variance = 0.0, 0.0
    for rows in (target, ~target):
        share = weight[rows] / weight[rows].sum()
        value = float(np.dot(share, difference[rows]))  # the same for both classes
        variance += standard_error(share * (difference[rows] - value)) ** 2
    if variance == 0 and not np.array_equal(first, second):
        variance = math.nan  # two perfect rankings: nothing varies, and nothing is known of other rows
    return estimate(
        value, _widened(math.sqrt(variance), min(effective_size(weight[target]), effective_size(weight[~target])))
    )


def _widened(error: float, rows: float) -> float:
    """Return a standard error that makes up for being estimated from few rows itself (Student 1908)."""
    return error * float(stdtrit(rows - 1, 0.975)) / Z95 if rows > 1 else math.nan


def _placements(logit: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return how much of the other class lies on the right side of each row, ties counted half."""
    distinct, place = np.unique(logit, return_inverse=True)
    positive = np.bincount(place, weight * target, len(distinct))
    negative = np.bincount(place, weight * ~target, len(distinct))
    below = (np.cumsum(negative) - negative / 2) / negative.sum()
    above = 1 - (np.cumsum(positive) - positive / 2) / positive.sum()
    return np.where(target, below[place], above[place])
