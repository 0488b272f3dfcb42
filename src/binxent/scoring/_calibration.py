"""Whether probabilities are right: the correction that makes them so, and bins to draw."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from binxent._core.options import boolean
from binxent.scoring._intervals import effective_size, wilson_interval
from binxent.scoring._logistic import logistic_regression, separated
from binxent.scoring._rows import checked_rows


@np.errstate(over="ignore", invalid="ignore")
def fit_correction(target: ArrayLike, logit: ArrayLike, weight: ArrayLike | None = None) -> tuple[float, float]:
    """Fit the slope and the intercept with which slope * logit + intercept is a calibrated logit.

    Unpenalised logistic regression of the label on the logit (Cox 1958). Where the logit separates the classes no such
    fit is finite: there each class counts as if it had one more row of either label (Platt 1999). Equal logits leave
    only the intercept to choose; labels of one class determine nothing and give (1, 0). An infinite logit counts as the
    largest finite logit.

    Args:
        target: Labels 0 and 1 (or bool), shape (rows,).
        logit: Log-odds of label 1, shape (rows,); may be infinite.
        weight: Non-negative finite numbers, shape (rows,); None counts every row once.

    Returns:
        The slope and the intercept, always finite.

    Raises:
        ValueError: Shapes differ, labels are not 0 and 1, a logit is NaN, or a weight is negative or not finite.

    Example:
        >>> slope, intercept = fit_correction([0, 1, 0, 1], [-1.0, 0.0, 2.0, 3.0])
        >>> round(slope, 2), round(intercept, 2)
        (0.42, -0.42)
    """
    y, z, w = checked_rows(target, logit, weight)
    if y.all() or not y.any():
        return 1.0, 0.0
    bound = min(np.abs(z[np.isfinite(z)]).max(initial=0.0), 1e100) or 1.0
    z = np.clip(z, -bound, bound)
    w = w / w.mean()
    positives, negatives = float(w[y].sum()), float(w[~y].sum())
    if z.min() == z.max():
        return 1.0, math.log(positives / negatives) - float(z[0])
    fit = None if separated(y, z) else logistic_regression(y.astype(float), z, w)
    if fit is None:
        smoothed = np.where(y, (positives + 1) / (positives + 2), 1 / (negatives + 2))
        fit = logistic_regression(smoothed, z, w)
    return (1.0, 0.0) if fit is None else (fit.slope, fit.intercept)


class CalibrationBins(NamedTuple):
    """Rows of neighbouring predictions, in ascending order.

    Attributes:
        predicted: Mean probability, shape (bins,).
        observed: Share of positives, shape (bins,).
        low: Lower end of the 95 % interval of the share, shape (bins,).
        high: Upper end of the 95 % interval of the share, shape (bins,).
    """

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray


def calibration_bins(
    target: ArrayLike, logit: ArrayLike, weight: ArrayLike | None = None, *, by_rarer_class: bool = False
) -> CalibrationBins:
    """Gather rows of neighbouring predictions into bins of equal weight; equal predictions share a bin.

    There are 2 to 20 bins, by the effective number of rows (Kish 1965). Intervals are Wilson's (1927) for the effective
    number of rows of the bin.

    Args:
        target: Labels 0 and 1 (or bool), shape (rows,).
        logit: Log-odds of label 1, shape (rows,); may be infinite.
        weight: Non-negative finite numbers, shape (rows,); None counts every row once.
        by_rarer_class: Whether bins have equal expected weights of the rarer class instead of equal weights of rows;
            otherwise all that matters about a rare class ends in one bin.

    Returns:
        The bins, empty ones left out.

    Raises:
        ValueError: Shapes differ, labels are not 0 and 1, a logit is NaN, or a weight is negative or not finite; or no
            row has a weight.
        TypeError: `by_rarer_class` is neither True nor False.

    Example:
        >>> bins = calibration_bins([0, 0, 1, 1], [-2.0, -2.0, 1.0, 1.0])
        >>> bins.predicted.round(2), bins.observed
        (array([0.12, 0.73]), array([0., 1.]))
    """
    by_rarer_class = boolean("by_rarer_class", by_rarer_class)
    y, z, w = checked_rows(target, logit, weight)
    if not y.size:
        raise ValueError("`weight` must be positive for at least one row; there is none. Pass rows that count.")
    probability, share = expit(z), w
    rows = effective_size(w)
    if by_rarer_class:
        base_rate = float(np.average(y, weights=w))
        expected = w * (probability if base_rate < 0.5 else expit(-z))
        share = expected if expected.sum() > 0 else w
        rows *= min(base_rate, 1 - base_rate)
    count = int(np.clip(rows / 15, 2, 20 if rows > 2000 else 10))
    distinct, tie = np.unique(z, return_inverse=True)
    share = np.bincount(tie, share, len(distinct))
    middle = (np.cumsum(share) - share / 2) / share.sum()
    place = np.minimum((middle * count).astype(int), count - 1)[tie]

    total = np.bincount(place, w, count)
    used = total > 0
    total = total[used]
    predicted = np.bincount(place, w * probability, count)[used] / total
    observed = np.bincount(place, w * y, count)[used] / total
    return CalibrationBins(
        predicted, observed, *wilson_interval(observed, total**2 / np.bincount(place, w**2, count)[used])
    )
