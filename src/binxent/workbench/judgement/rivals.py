"""Simple rivals of a model on the same split: the base rate, and a logistic regression."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import binxent.numpy as bx
from binxent.scoring import compare, evaluate

STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # scikit-learn's C: the inverse of the penalty
CELLS = 20_000_000  # of the matrix that is fitted
CELLS_OF_CHOICE = 2_000_000  # of the matrix that the penalty is chosen on
LEAST = 30  # rows of each class for a choice by cross-validation


@dataclass(frozen=True)
class Part:
    """Some rows, prepared.

    Attributes:
        inputs: The prepared features, shape (rows, inputs).
        target: Labels 0 and 1, shape (rows,).
        weight: Weights, shape (rows,); None counts every row once.
    """

    inputs: np.ndarray
    target: np.ndarray
    weight: np.ndarray | None

    def head(self, rows: int, seed: int) -> Part:
        """Return at most so many of the rows, drawn at random."""
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self.target))[:rows])
        return Part(self.inputs[chosen], self.target[chosen], None if self.weight is None else self.weight[chosen])


def simple_rivals(training: Part, test: Part, logit: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Fit simple models to the training rows and compare them with the model on the test rows.

    The logistic regression has the inputs of the networks. Its penalty is chosen among four by cross-validation on
    training rows.

    Args:
        training: The rows to learn from.
        test: The test rows.
        logit: What the model predicts for them, shape (rows,).
        seed: Decides the rows that are taken if there are very many, and the folds.

    Returns:
        For each rival its `name`, some of the scores of `binxent.scoring.evaluate` (`test`), and how much higher its
        log loss is than the model's (`difference`), with a 95 % interval of the paired rows.
    """
    base_rate = float(np.average(training.target, weights=training.weight))
    constant = np.full(len(test.target), float(bx.prior_logit(np.array([base_rate]))))
    found = {"base rate": constant, "logistic regression": _logistic_regression(training, test, seed)}
    return [
        {
            "name": name,
            "test": {key: scores[key] for key in ("log_loss", "auc", "brier")},
            "difference": compare(test.target, logit, rival, test.weight)["log_loss"],
        }
        for name, rival in found.items()
        for scores in [evaluate(test.target, rival, test.weight)]
    ]


def _logistic_regression(training: Part, test: Part, seed: int) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    def fitted(part: Part, strength: float) -> LogisticRegression:
        # scikit-learn takes the weights as float32, and the penalty is relative to their sum.
        weight = None if part.weight is None else part.weight / part.weight.mean()
        return LogisticRegression(C=strength, max_iter=300).fit(part.inputs, part.target, weight)

    def loss(strength: float) -> float:
        total = 0.0
        for learnt, left in StratifiedKFold(3, shuffle=True, random_state=seed).split(choice.inputs, choice.target):
            weight = (None, None) if choice.weight is None else (choice.weight[learnt], choice.weight[left])
            model = fitted(Part(choice.inputs[learnt], choice.target[learnt], weight[0]), strength)
            losses = bx.sigmoid_cross_entropy_with_logits(
                choice.target[left].astype(float), model.decision_function(choice.inputs[left])
            )
            total += float(np.sum(losses if weight[1] is None else weight[1] * losses))
        return total

    width = max(training.inputs.shape[1], 1)
    part = training.head(CELLS // width, seed)
    choice = training.head(CELLS_OF_CHOICE // width, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        enough = np.bincount(choice.target, minlength=2).min() >= LEAST
        strength = min(STRENGTHS, key=loss) if enough else 0.1
        return fitted(part, strength).decision_function(test.inputs)


def _four_decimals(estimate: Mapping[str, float | None]) -> tuple[str, str]:
    value, low, high = ("" if number is None else f"{number:.4f}" for number in estimate.values())
    return value, f"{low} to {high}"


def compared(
    rival: Mapping[str, Any], shown: Callable[[Mapping[str, float | None]], tuple[str, str]] = _four_decimals
) -> str:
    """Say whether the model beats a rival, in words that follow "the model".

    Args:
        rival: An entry of `simple_rivals`.
        shown: Formats an estimate and its interval.

    Example:
        >>> scores = {"log_loss": {"value": 0.65}}
        >>> compared({"name": "base rate", "test": scores, "difference": {"value": 0.2, "low": 0.1, "high": 0.3}})
        'beats the base rate: its log loss is 0.2000 (0.1000 to 0.3000) below 0.6500'
    """
    name = {"base rate": "the base rate"}.get(rival["name"], rival["name"])
    value, low, high = (rival["difference"][key] for key in ("value", "low", "high"))
    if value is None:
        return f"cannot be compared with {name}"
    verb = "beats" if low > 0 else "is worse than" if high < 0 else "does not clearly differ from"
    side, ends = ("below", (low, high)) if value >= 0 else ("above", (-high, -low))
    difference, interval = shown({"value": abs(value), "low": ends[0], "high": ends[1]})
    loss, _ = shown({"value": rival["test"]["log_loss"]["value"], "low": None, "high": None})
    return f"{verb} {name}: its log loss is {difference} ({interval}) {side} {loss}"
