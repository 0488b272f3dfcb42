"""Estimates with 95 % intervals.

All intervals but the exact binomial ones come from the infinitesimal jackknife (Jaeckel 1972; Efron 1982, "The
Jackknife, the Bootstrap and Other Resampling Plans", chapter 6). A row's influence is its weight times the derivative
of the statistic with respect to that weight; the sum of the squared influences is the variance. It draws no random
numbers, honours weights of any scale, and is the textbook formula wherever there is one: the standard error of a mean,
DeLong's for the AUC, the sandwich of a regression. Rows are taken as independent: where several rows belong to one
person, the intervals are too narrow.
"""

import math

import numpy as np
from scipy.special import expit
from scipy.special import logit as log_odds

Z95 = 1.959963984540054  # the normal distribution has 95 % of its mass within this many standard deviations
Estimate = dict[str, float | None]  # "value", and the ends of its interval, "low" and "high"; None for unknown


def finite(number: float) -> float | None:
    """Return the number, or None if it is infinite or NaN."""
    return float(number) if math.isfinite(number) else None


def estimate(value: float = math.nan, error: float = math.nan, scale: str = "identity") -> Estimate:
    """Return a value and its 95 % interval.

    Args:
        value: The statistic; not finite for unknown.
        error: Its standard error; not finite for unknown.
        scale: The scale on which the interval is symmetric, so that it stays within the statistic's range: "identity",
            "log" for positive numbers, "logit" for shares.
    """
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
    return {"value": finite(value), "low": finite(low), "high": finite(high)}


def exact_estimate(value: float, trials: float) -> Estimate:
    """Return a share of 0 or 1, the same in all of so many trials, with Clopper and Pearson's interval (1934)."""
    far = 0.025 ** (1 / trials)
    return {"value": value, "low": far if value else 0.0, "high": 1.0 if value else 1 - far}


def mean_estimate(values: np.ndarray, weight: np.ndarray) -> Estimate:
    """Return the weighted mean of positive numbers, with an interval on the log scale."""
    if not values.size or not np.isfinite(values).all():
        return estimate()
    mean = float(np.average(values, weights=weight))
    return estimate(mean, standard_error(weight * (values - mean) / weight.sum()), "log")


def standard_error(influence: np.ndarray) -> float:
    """Return the standard error of a statistic from its rows' influences, with Bessel's correction."""
    rows = len(influence)
    return math.sqrt(np.square(influence).sum() * rows / (rows - 1)) if rows > 1 else math.nan


def wilson_interval(share: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of Wilson's 95 % interval (1927) for shares of so many independent rows each."""
    centre = (share + Z95**2 / (2 * size)) / (1 + Z95**2 / size)
    half = Z95 * np.sqrt(share * (1 - share) / size + Z95**2 / (4 * size**2)) / (1 + Z95**2 / size)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def effective_size(weight: np.ndarray) -> float:
    """Return the number of equally weighted rows with the same information, (sum w)^2 / sum w^2 (Kish 1965)."""
    return float(weight.sum() ** 2 / np.square(weight).sum()) if weight.any() else 0.0
