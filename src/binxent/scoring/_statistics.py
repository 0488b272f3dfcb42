"""How good are these probabilities? The numbers of a run's report, each with a 95 % interval.

All intervals but two exact ones come from one idea, the infinitesimal jackknife (Jaeckel 1972; Efron 1982, "The
Jackknife, the Bootstrap and Other Resampling Plans", chapter 6). A row's influence is its weight times the derivative
of the statistic with respect to that weight; the sum of the squared influences is the variance. It draws no random
numbers, honours weights of any scale, and is the textbook formula wherever there is one: the standard error of a mean,
DeLong's for the AUC, the sandwich of a regression. Rows are taken as independent: where several rows belong to one
person, the intervals are too narrow.
"""

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit
from scipy.special import logit as log_odds

import binxent as bx
from binxent.scoring._logistic import logistic_regression, separated

Z95 = 1.959963984540054  # the normal distribution has 95 % of its mass within this many standard deviations


@np.errstate(over="ignore", invalid="ignore")  # what overflows comes out as None
def evaluate(target: ArrayLike, logit: ArrayLike, weight: ArrayLike | None = None) -> dict[str, Any]:
    """Judges logits by the labels of held-out rows.

    Weights say how much a row counts, not how often it was seen: doubling all of them changes nothing. Rows of weight
    zero are left out. What the data cannot tell (the AUC of one class, the slope of separable classes) is None.

    - `log_loss`: mean binary cross-entropy, from the logits, without a clip; interval of a weighted mean, on the log
      scale. `base_rate_log_loss` is that of always predicting the share of positives in these same rows, and
      `explained` is 1 - log_loss / base_rate_log_loss (McFadden 1974), on the log scale of the ratio.
    - `brier`: mean squared error of the probability (Brier 1950); interval likewise.
    - `auc`: chance that a positive is ranked above a negative, ties counted half; variance by DeLong, DeLong and
      Clarke-Pearson (1988) with weighted placements, interval on the logit scale. At exactly 0 or 1 that variance is
      zero: there the interval is the exact one (Clopper and Pearson 1934) of as many independent pairs as the
      smaller class has rows (its effective size, Kish 1965).
    - `average_precision`: sum of precision x step of recall, as in scikit-learn; infinitesimal jackknife on the logit
      scale; at exactly 1 the exact binomial interval over the positives (Boyd, Eng and Page 2013).
    - `calibration`: `slope` and `intercept` of a logistic regression of the label on the logit (Cox 1958), ideally 1
      and 0; a slope below 1 means probabilities that are too extreme; sandwich variance (White 1982).
      `observed_over_expected`: positives over the sum of the probabilities; interval on the log scale.
    - `thresholds`: what happens when every probability of at least `threshold` is flagged; one row has the threshold of
      the highest F1. `flagged` is a share of the rows. `cost` is the mean cost of a row in units of one false alarm,
      where a miss costs `miss_cost` = (1 - threshold) / threshold of them: the ratio at which this threshold is the
      right one for true probabilities (Elkan 2001). `cost_without_model` is the cheaper of flagging all and none.

    Args:
        target: labels 0 and 1 (or bool), shape (rows,).
        logit: log-odds of label 1, shape (rows,); may be infinite, not NaN.
        weight: non-negative finite numbers, shape (rows,); None counts every row once.

    Returns:
        A dictionary of numbers, None, lists and dictionaries, ready for JSON. Estimates are {"value", "low", "high"}.

    Raises:
        ValueError: if shapes differ, labels are not 0 and 1, a logit is NaN, or a weight is negative or not finite.

    Example:
        >>> evaluate([0, 1, 1, 0], [-2.0, 1.0, 3.0, 0.5])["auc"]["value"]
        1.0
    """
    y, z, w = _rows(target, logit, weight)
    ranking = rank(y, z, w)
    base_rate = _ratio(float(w[y].sum()), float(w.sum()))
    losses = bx.sigmoid_cross_entropy_with_logits(y.astype(float), z)
    return {
        "rows": y.size,
        "weight_sum": float(y.size) if weight is None else _finite(np.sum(weight)),
        "positives": int(y.sum()),
        "base_rate": base_rate,
        "log_loss": _mean(losses, w),
        "base_rate_log_loss": None if base_rate is None else entropy(base_rate),
        "explained": _explained(losses, y, w, base_rate),
        "brier": _mean(np.square(expit(np.where(y, -z, z))), w),
        "auc": _auc(ranking, y, w),
        "average_precision": _average_precision(ranking, y, w),
        "calibration": _calibration(y, z, w),
        "thresholds": _thresholds(ranking, base_rate),
    }


@np.errstate(over="ignore", invalid="ignore")
def fit_correction(target: ArrayLike, logit: ArrayLike, weight: ArrayLike | None = None) -> tuple[float, float]:
    """Finds the slope and the intercept that make `slope * logit + intercept` a calibrated logit.

    Unpenalised logistic regression of the label on the logit (Cox 1958). Where the logit separates the classes no such
    fit is finite: there each class counts as if it had one more row of either label (Platt 1999). Equal logits leave
    only the intercept to choose; labels of one class teach nothing: (1, 0). An infinite logit counts as the largest
    finite one.

    Args:
        target: labels 0 and 1 (or bool), shape (rows,).
        logit: log-odds of label 1, shape (rows,).
        weight: non-negative finite numbers, shape (rows,); None counts every row once.

    Returns:
        (slope, intercept), always finite.

    Raises:
        ValueError: as `evaluate`.

    Example:
        >>> slope, intercept = fit_correction([0, 1, 0, 1], [-1.0, 0.0, 2.0, 3.0])
        >>> round(slope, 2), round(intercept, 2)
        (0.42, -0.42)
    """
    y, z, w = _rows(target, logit, weight)
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
    if fit is None:
        return 1.0, 0.0
    (intercept, slope), _ = fit
    return float(slope), float(intercept)


def entropy(probability: float) -> float:
    """Log loss of always predicting `probability` where that share of the labels is 1.

    Args:
        probability: a share, from 0 to 1.

    Example:
        >>> round(entropy(0.5), 4)
        0.6931
    """
    return 0.0 - sum(share * math.log(share) for share in (probability, 1 - probability) if share > 0)


def effective_size(weight: ArrayLike) -> float:
    """Number of equally weighted rows that would know as much (Kish 1965).

    Args:
        weight: non-negative weights, shape (rows,).

    Example:
        >>> effective_size([1.0, 1.0, 0.0])
        2.0
    """
    weight = np.asarray(weight, float)
    return float(weight.sum() ** 2 / np.square(weight).sum()) if weight.any() else 0.0


@dataclasses.dataclass(frozen=True)
class Ranking:
    """The distinct logits from the highest down, with the weight of either class at each, plain and squared."""

    logit: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    positive_squared: np.ndarray
    negative_squared: np.ndarray


def rank(target: np.ndarray, logit: np.ndarray, weight: np.ndarray) -> Ranking:
    """Sorts rows by logit and gathers the tied ones.

    Args:
        target: bool, shape (rows,).
        logit: float, shape (rows,), without NaN.
        weight: positive float, shape (rows,).
    """
    order = np.argsort(-logit, kind="stable")
    target, logit, weight = target[order], logit[order], weight[order]
    first = np.flatnonzero(np.concatenate([[True], logit[1:] != logit[:-1]])[: logit.size])

    def at_each(values):
        return np.add.reduceat(values, first) if first.size else values

    return Ranking(
        logit=logit[first],
        positive=at_each(np.where(target, weight, 0.0)),
        negative=at_each(np.where(target, 0.0, weight)),
        positive_squared=at_each(np.where(target, weight**2, 0.0)),
        negative_squared=at_each(np.where(target, 0.0, weight**2)),
    )


def _rows(target: Any, logit: Any, weight: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows that count, as bool, float64 and float64; the heaviest weighs 1."""
    target, logit = np.asarray(target), np.asarray(logit, float)
    weight = np.ones(target.shape) if weight is None else np.asarray(weight, float)
    if target.ndim != 1 or not target.shape == logit.shape == weight.shape:
        raise ValueError(
            f"`target`, `logit` and `weight` must be one-dimensional and of one length; got shapes {target.shape}, "
            f"{logit.shape} and {weight.shape}. Pass one entry per row."
        )
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError("`weight` must be finite and not negative. Give rows that must not count a weight of 0.")
    # No statistic here depends on the scale of the weights. Where its square underflows, a weight is none.
    weight = weight / (weight.max(initial=0.0) or 1.0)
    counts = weight > 1e-150
    target, logit, weight = target[counts], logit[counts], weight[counts]
    labels = np.unique(target)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"`target` must hold 0 and 1 only; got {labels[:5].tolist()}. Compare it with the positive class first."
        )
    if np.isnan(logit).any():
        raise ValueError(
            f"`logit` must not be NaN; {np.isnan(logit).sum()} of {logit.size} are. The model has diverged, or its "
            "input has missing values."
        )
    return target.astype(bool), logit, weight


def _finite(number):
    return float(number) if math.isfinite(number) else None


def _ratio(part, whole):
    return part / whole if whole > 0 else None


def _estimate(value=math.nan, error=math.nan, scale="identity"):
    """Value and 95 % interval: symmetric on the given scale, so that it stays where the value can be."""
    low = high = math.nan
    if math.isfinite(value) and math.isfinite(error):
        if scale == "identity":
            low, high = value - Z95 * error, value + Z95 * error
        elif scale == "log" and value > 0:
            factor = math.exp(min(Z95 * error / value, 700.0))
            low, high = value / factor, value * factor
        elif scale == "logit" and 0 < value < 1:
            half = Z95 * error / (value * (1 - value))
            low, high = expit(log_odds(value) - half), expit(log_odds(value) + half)
    return {"value": _finite(value), "low": _finite(low), "high": _finite(high)}


def _standard_error(influence):
    """Standard error of a statistic whose rows have these influences, with Bessel's correction."""
    rows = len(influence)
    return math.sqrt(np.square(influence).sum() * rows / (rows - 1)) if rows > 1 else math.nan


def _mean(values, weight):
    if not values.size or not np.isfinite(values).all():
        return _estimate()
    mean = float(np.average(values, weights=weight))
    return _estimate(mean, _standard_error(weight * (values - mean) / weight.sum()), "log")


def _explained(losses, target, weight, base_rate):
    if not base_rate or base_rate == 1 or not np.isfinite(losses).all():
        return _estimate()
    constant_losses = np.where(target, -math.log(base_rate), -math.log1p(-base_rate))
    constant = float(np.dot(weight, constant_losses))
    ratio = float(np.dot(weight, losses)) / constant
    # Both losses are of the same rows, and a hard row is hard for both: the ratio is surer than either.
    left = _estimate(ratio, _standard_error(weight * (losses - ratio * constant_losses) / constant), "log")
    value, high, low = (None if part is None else 1 - part for part in left.values())
    return {"value": value, "low": low, "high": high}


def _unanimous(value, trials):
    """Value 0 or 1 seen in every one of so many independent trials: the exact 95 % interval of Clopper and Pearson."""
    far = 0.025 ** (1 / trials)
    return {"value": value, "low": far if value else 0.0, "high": 1.0 if value else 1 - far}


def _auc(ranking, target, weight):
    positives, negatives = ranking.positive.sum(), ranking.negative.sum()
    if positives == 0 or negatives == 0:
        return _estimate()
    # A row's placement: how much of the other class lies on the right side of it, ties counted half.
    below = 1 - (np.cumsum(ranking.negative) - ranking.negative / 2) / negatives
    above = (np.cumsum(ranking.positive) - ranking.positive / 2) / positives
    for outcome in (0.0, 1.0):
        if (below[ranking.positive > 0] == outcome).all():
            return _unanimous(outcome, min(effective_size(weight[target]), effective_size(weight[~target])))
    auc = float(np.dot(ranking.positive, below) / positives)
    variance = 0.0
    for rows, squared, placement, mass in (
        (target.sum(), ranking.positive_squared, below, positives),
        (target.size - target.sum(), ranking.negative_squared, above, negatives),
    ):
        variance += np.dot(squared, np.square((placement - auc) / mass)) * rows / (rows - 1) if rows > 1 else math.nan
    return _estimate(auc, math.sqrt(variance), "logit")


def _average_precision(ranking, target, weight):
    positives = ranking.positive.sum()
    if positives == 0:
        return _estimate()
    flagged = np.cumsum(ranking.positive + ranking.negative)
    precision = np.cumsum(ranking.positive) / flagged
    if (precision[ranking.positive > 0] == 1).all():
        return _unanimous(1.0, effective_size(weight[target]))
    value = float(np.dot(ranking.positive, precision) / positives)
    # A positive is a term of the sum and raises the precision of every term further down; a negative lowers them.
    raises = np.cumsum((ranking.positive * (1 - precision) / flagged)[::-1])[::-1]
    lowers = np.cumsum((ranking.positive * precision / flagged)[::-1])[::-1]
    variance = np.dot(ranking.positive_squared, np.square((precision - value + raises) / positives))
    variance += np.dot(ranking.negative_squared, np.square(lowers / positives))
    rows = target.size
    return _estimate(value, math.sqrt(variance * rows / (rows - 1)) if rows > 1 else math.nan, "logit")


def _calibration(target, logit, weight):
    probability = expit(logit)
    expected = float(np.dot(weight, probability))
    observed_over_expected = _estimate()
    if expected > 0:
        ratio = float(weight[target].sum()) / expected
        error = _standard_error(weight * (target - ratio * probability) / expected)
        observed_over_expected = _estimate(ratio, error, "log")
    slope = intercept = _estimate()
    regular = np.isfinite(logit).all() and not separated(target, logit)
    if regular and (fit := logistic_regression(target.astype(float), logit, weight)):
        (at_zero, steepness), influence = fit
        intercept = _estimate(at_zero, _standard_error(influence[:, 0]))
        slope = _estimate(steepness, _standard_error(influence[:, 1]))
    return {"slope": slope, "intercept": intercept, "observed_over_expected": observed_over_expected}


def _thresholds(ranking, base_rate):
    if base_rate is None:
        return []
    probability = expit(ranking.logit)
    hits, alarms = np.cumsum(ranking.positive), np.cumsum(ranking.negative)
    positives, negatives = float(hits[-1]), float(alarms[-1])

    def row(threshold):
        flagged = int(np.searchsorted(-probability, -threshold, side="right"))
        hit, alarm = (float(hits[flagged - 1]), float(alarms[flagged - 1])) if flagged else (0.0, 0.0)
        miss_cost = _ratio(1 - threshold, threshold)
        total = positives + negatives
        return {
            "threshold": threshold,
            "precision": _ratio(hit, hit + alarm),
            "recall": _ratio(hit, positives),
            "f1": _ratio(2 * hit, positives + hit + alarm),
            "specificity": _ratio(negatives - alarm, negatives),
            "flagged": (hit + alarm) / total,
            "miss_cost": miss_cost,
            "cost": None if miss_cost is None else (alarm + miss_cost * (positives - hit)) / total,
            "cost_without_model": None if miss_cost is None else min(negatives, miss_cost * positives) / total,
        }

    rows = [row(threshold) for threshold in _round_thresholds(base_rate)]
    if positives:
        last_of_tie = np.append(probability[1:] != probability[:-1], True)
        f1 = np.where(last_of_tie, 2 * hits / (positives + hits + alarms), -1.0)
        best = row(float(probability[np.argmax(f1)]))
        if best["f1"] > max(row["f1"] for row in rows):
            rows.append(best)
    return sorted(rows, key=lambda row: row["threshold"])


def _round_thresholds(base_rate):
    """From 0.05 to 0.95, and on towards the rarer class (0.02, 0.01, 0.005...) down to half its share."""
    grid = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    tail = [digit / 10**power for power in range(2, 13) for digit in (2, 1, 0.5)]
    rare = min(base_rate, 1 - base_rate)
    further = [t for t in tail if 0 < rare / 2 <= t]
    return grid + (further if base_rate <= 0.5 else [1 - t for t in further])
