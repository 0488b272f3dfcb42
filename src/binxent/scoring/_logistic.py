"""Logistic regression of a label on a logit, which measures calibration and corrects it."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import expit
from scipy.special import logit as log_odds

import binxent.numpy as bx


def separated(target: np.ndarray, logit: np.ndarray) -> bool:
    """Return whether a threshold separates the classes (they may touch): then a steeper slope always fits better.

    Args:
        target: Labels, bool, shape (rows,).
        logit: Log-odds, float, shape (rows,), without NaN.
    """
    positive, negative = logit[target], logit[~target]
    if not positive.size or not negative.size:
        return True
    return bool(positive.min() >= negative.max() or positive.max() <= negative.min())


class LogisticFit(NamedTuple):
    """The best sigmoid(intercept + slope * logit).

    Attributes:
        intercept: Log-odds at a logit of 0.
        slope: Log-odds per unit of the logit.
        influence: Influence of each row on the intercept and the slope, shape (rows, 2).
    """

    intercept: float
    slope: float
    influence: np.ndarray


def logistic_regression(label: np.ndarray, logit: np.ndarray, weight: np.ndarray) -> LogisticFit | None:
    """Fit sigmoid(intercept + slope * logit) to labels by Newton's method, without a penalty.

    Args:
        label: Labels in [0, 1], shape (rows,).
        logit: Finite numbers, shape (rows,).
        weight: Positive numbers, shape (rows,).

    Returns:
        The fit; None if the iteration finds no finite optimum.
    """
    centre = np.average(logit, weights=weight)
    spread = math.sqrt(np.average(np.square(logit - centre), weights=weight))
    if not 0 < spread < math.inf:
        return None
    # Standardised, the two coefficients are nearly independent, and the steps are good from the first.
    design = np.stack([np.ones_like(logit), (logit - centre) / spread], axis=1)

    def loss_at(coefficients: np.ndarray) -> float:
        return float(np.dot(weight, bx.sigmoid_cross_entropy_with_logits(label, design @ coefficients)))

    share = float(np.average(label, weights=weight))
    coefficients = np.array([log_odds(share), 0.0])
    loss = loss_at(coefficients)
    for _ in range(100):
        fitted = expit(design @ coefficients)
        score = weight[:, None] * (label - fitted)[:, None] * design
        information = design.T @ ((weight * fitted * (1 - fitted))[:, None] * design)
        gradient = score.sum(axis=0)
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            return None
        gain = float(gradient @ step)  # twice what a quadratic loss would still lose
        if not math.isfinite(gain):
            return None
        if gain <= 1e-18 * weight.sum():
            back = np.array([[1.0, -centre / spread], [0.0, 1 / spread]])
            intercept, slope = (back @ (coefficients + step)).tolist()
            return LogisticFit(intercept, slope, np.linalg.solve(information, score.T).T @ back.T)
        size = 1.0
        # Halve the step while it overshoots; near the optimum the loss may rise by a rounding error.
        while (new := loss_at(coefficients + size * step)) > loss * (1 + 1e-13) and size > 1e-6:
            size /= 2
        coefficients, loss = coefficients + size * step, new
    return None
