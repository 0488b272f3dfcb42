"""The scores of predictions on held-out rows: the numbers of a run's report, each with a 95 % interval."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

import binxent.numpy as bx
from binxent.scoring._intervals import (
    Estimate,
    effective_size,
    estimate,
    exact_estimate,
    finite,
    mean_estimate,
    standard_error,
)
from binxent.scoring._logistic import logistic_regression, separated
from binxent.scoring._ranking import Ranking, decisions, rank_rows, ratio
from binxent.scoring._rows import checked_rows


@np.errstate(over="ignore", invalid="ignore")  # what overflows comes out as None
def evaluate(
    target: ArrayLike, logit: ArrayLike, weight: ArrayLike | None = None, *, threshold: float | None = None
) -> dict[str, Any]:
    """Score logits by the labels of held-out rows.

    Weights say how much a row counts, not how often it was seen: doubling all of them changes nothing. Rows of weight
    zero are left out. What the data do not determine (the AUC of one class, the slope of separable classes) is None.
    With y the label, z the logit, p = sigmoid(z), w the weight:

    - `log_loss`: sum w l / sum w with l = -y log p - (1 - y) log(1 - p), computed from the logits without a clip;
      interval of a weighted mean, on the log scale. `base_rate_log_loss` is that of always predicting the share of
      positives in these same rows, and `explained` is 1 - log_loss / base_rate_log_loss (McFadden 1974), with an
      interval on the log scale of the ratio.
    - `brier`: sum w (p - y)^2 / sum w (Brier 1950); interval likewise.
    - `auc`: chance that a positive is ranked above a negative, ties counted half; variance by DeLong, DeLong and
      Clarke-Pearson (1988) with weighted placements, interval on the logit scale. At exactly 0 or 1 that variance is
      zero: there the interval is the exact one (Clopper and Pearson 1934) of as many independent pairs as the
      smaller class has rows (its effective size, Kish 1965).
    - `average_precision`: sum of precision x step of recall, as in scikit-learn; infinitesimal jackknife on the logit
      scale; at exactly 1 the exact binomial interval over the positives (Boyd, Eng and Page 2013).
    - `calibration`: `slope` and `intercept` of a logistic regression of the label on the logit (Cox 1958), ideally 1
      and 0; a slope below 1 means probabilities that are too extreme; sandwich variance (White 1982).
      `observed_over_expected`: sum w y / sum w p; interval on the log scale.
    - `thresholds`: the consequences of flagging every probability of at least `threshold`, for round thresholds and the
      given one. `flagged` is a share of the rows. `cost` is the mean cost of a row in units of one false alarm,
      where a miss costs `miss_cost` = (1 - threshold) / threshold of them: the ratio at which this threshold is the
      right one for true probabilities (Elkan 2001). `cost_without_model` is the cheaper of flagging all and none.

    Args:
        target: Labels 0 and 1 (or bool), shape (rows,).
        logit: Log-odds of label 1, shape (rows,); may be infinite.
        weight: Non-negative finite numbers, shape (rows,); None counts every row once.
        threshold: A probability, chosen on other rows.

    Returns:
        A dictionary of numbers, None, lists and dictionaries, ready for JSON. Estimates are {"value", "low", "high"},
        the ends those of a 95 % interval.

    Raises:
        ValueError: Shapes differ, labels are not 0 and 1, a logit is NaN, or a weight is negative or not finite.

    Example:
        >>> scores = evaluate([0, 1, 1, 0], [-2.0, 1.0, 3.0, 0.5])
        >>> scores["auc"]["value"], round(scores["log_loss"]["value"], 3)
        (1.0, 0.366)
    """
    y, z, w = checked_rows(target, logit, weight)
    ranking = rank_rows(y, z, w)
    base_rate = ratio(float(w[y].sum()), float(w.sum()))
    losses = np.asarray(bx.sigmoid_cross_entropy_with_logits(y.astype(float), z))
    return {
        "rows": y.size,
        "weight_sum": float(y.size) if weight is None else finite(float(np.sum(weight))),
        "positives": int(y.sum()),
        "base_rate": base_rate,
        "log_loss": mean_estimate(losses, w),
        "base_rate_log_loss": None if base_rate is None else _entropy(base_rate),
        "explained": _explained(losses, y, w, base_rate),
        "brier": mean_estimate(np.square(expit(np.where(y, -z, z))), w),
        "auc": _auc(ranking, y, w),
        "average_precision": _average_precision(ranking, y, w),
        "calibration": _calibration(y, z, w),
        "thresholds": decisions(ranking, base_rate, threshold),
    }


def _entropy(probability: float) -> float:
    """Return the log loss of always predicting the share of positives."""
    return 0.0 - sum(share * math.log(share) for share in (probability, 1 - probability) if share > 0)


def _explained(losses: np.ndarray, target: np.ndarray, weight: np.ndarray, base_rate: float | None) -> Estimate:
    if not base_rate or base_rate == 1 or not np.isfinite(losses).all():
        return estimate()
    constant_losses = np.where(target, -math.log(base_rate), -math.log1p(-base_rate))
    constant = float(np.dot(weight, constant_losses))
    relative = float(np.dot(weight, losses)) / constant
    # Both losses are of the same rows and rise together on hard rows: the interval of their ratio is the narrower one.
    left = estimate(relative, standard_error(weight * (losses - relative * constant_losses) / constant), "log")
    value, high, low = (None if end is None else 1 - end for end in left.values())
    return {"value": value, "low": low, "high": high}


def _auc(ranking: Ranking, target: np.ndarray, weight: np.ndarray) -> Estimate:
    positives, negatives = ranking.positive.sum(), ranking.negative.sum()
    if positives == 0 or negatives == 0:
        return estimate()
    # A row's placement: how much of the other class lies on the right side of it, ties counted half.
    below = 1 - (np.cumsum(ranking.negative) - ranking.negative / 2) / negatives
    above = (np.cumsum(ranking.positive) - ranking.positive / 2) / positives
    for outcome in (0.0, 1.0):
        if (below[ranking.positive > 0] == outcome).all():
            return exact_estimate(outcome, min(effective_size(weight[target]), effective_size(weight[~target])))
    auc = float(np.dot(ranking.positive, below) / positives)
    variance = 0.0
    for rows, squared, placement, total in (
        (target.sum(), ranking.positive_squared, below, positives),
        (target.size - target.sum(), ranking.negative_squared, above, negatives),
    ):
        variance += np.dot(squared, np.square((placement - auc) / total)) * rows / (rows - 1) if rows > 1 else math.nan
    return estimate(auc, math.sqrt(variance), "logit")


def _average_precision(ranking: Ranking, target: np.ndarray, weight: np.ndarray) -> Estimate:
    positives = ranking.positive.sum()
    if positives == 0:
        return estimate()
    flagged = np.cumsum(ranking.positive + ranking.negative)
    precision = np.cumsum(ranking.positive) / flagged
    if (precision[ranking.positive > 0] == 1).all():
        return exact_estimate(1.0, effective_size(weight[target]))
    value = float(np.dot(ranking.positive, precision) / positives)
    # A positive is a term of the sum and raises the precision of every term further down; a negative lowers them.
    raises = np.cumsum((ranking.positive * (1 - precision) / flagged)[::-1])[::-1]
    lowers = np.cumsum((ranking.positive * precision / flagged)[::-1])[::-1]
    variance = np.dot(ranking.positive_squared, np.square((precision - value + raises) / positives))
    variance += np.dot(ranking.negative_squared, np.square(lowers / positives))
    rows = target.size
    return estimate(value, math.sqrt(variance * rows / (rows - 1)) if rows > 1 else math.nan, "logit")


def _calibration(target: np.ndarray, logit: np.ndarray, weight: np.ndarray) -> dict[str, Estimate]:
    probability = expit(logit)
    expected = float(np.dot(weight, probability))
    observed_over_expected = estimate()
    if expected > 0:
        observed = float(weight[target].sum()) / expected
        error = standard_error(weight * (target - observed * probability) / expected)
        observed_over_expected = estimate(observed, error, "log")
    slope = intercept = estimate()
    regular = np.isfinite(logit).all() and not separated(target, logit)
    if regular and (fit := logistic_regression(target.astype(float), logit, weight)):
        intercept = estimate(fit.intercept, standard_error(fit.influence[:, 0]))
        slope = estimate(fit.slope, standard_error(fit.influence[:, 1]))
    return {"slope": slope, "intercept": intercept, "observed_over_expected": observed_over_expected}
