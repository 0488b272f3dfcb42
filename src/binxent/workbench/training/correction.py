"""The correction that makes a model's logits those of calibrated probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

PARTS = 5
STEEPEST = 10.0  # the greatest slope that is believed


@dataclass(frozen=True)
class Correction:
    """A corrected logit is slope * logit + intercept.

    Attributes:
        kind: "none", "pos_weight" for the exact inverse of that weight, or "fitted".
        slope: Factor on the logit.
        intercept: Added after it.
    """

    kind: str = "none"
    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Correction:
        """Read what `to_json` gave.

        Raises:
            ValueError: If its numbers are not finite.
        """
        found = cls(str(stored["kind"]), float(stored["slope"]), float(stored["intercept"]))
        if not (math.isfinite(found.slope) and math.isfinite(found.intercept)):
            raise ValueError("the correction in metrics.json is not finite")
        return found

    def __call__(self, logit: np.ndarray) -> np.ndarray:
        """Return corrected logits."""
        return self.slope * logit + self.intercept

    def to_json(self) -> dict[str, Any]:
        """Return the correction as plain values."""
        return asdict(self)


def find_correction(
    kind: str, pos_weight: float, target: np.ndarray, logit: np.ndarray, weight: np.ndarray | None, seed: int
) -> Correction:
    """Find the correction of logits by the labels of held-out rows.

    A loss that does not aim at probabilities has its slope and intercept fitted in any case. For the others they are
    fitted if that helps: if, fitted on four fifths of the held-out rows, they lower the log loss of the other fifth.

    Args:
        kind: "none", "pos_weight" or "fitted": what the loss needs.
        pos_weight: What a positive counted in training; it multiplied the odds p / (1 - p).
        target: Labels 0 and 1 of the held-out rows, shape (rows,).
        logit: Their logits, shape (rows,).
        weight: Their weights, or None.
        seed: Determines the fifths.
    """
    exact = Correction(kind, 1.0, -math.log(pos_weight)) if kind == "pos_weight" else Correction()
    if kind != "fitted" and not _helps(exact, target, logit, weight, seed):
        return exact
    return Correction("fitted", *_fit(target, logit, weight))


def _fit(target: np.ndarray, logit: np.ndarray, weight: np.ndarray | None) -> tuple[float, float]:
    from binxent.scoring import fit_correction

    slope, intercept = fit_correction(target, logit, weight)
    if slope <= 0:
        # Out-of-fold logits of networks that have found nothing lean the wrong way: what is left is the base rate.
        share = float(np.average(target, weights=weight))
        return 0.0, math.log(share / (1 - share))
    return slope, intercept


def _helps(correction: Correction, target: np.ndarray, logit: np.ndarray, weight: np.ndarray | None, seed: int) -> bool:
    part = np.random.default_rng([seed, 0xCA11]).permutation(len(target)) % PARTS
    fitted = np.empty(len(target))
    for number in range(PARTS):
        left, others = part == number, part != number
        labels = target[others] if weight is None else target[others][weight[others] > 0]
        if not left.any() or labels.all() or not labels.any():
            return False
        slope, intercept = _fit(target[others], logit[others], None if weight is None else weight[others])
        if slope > STEEPEST:
            return False
        fitted[left] = slope * logit[left] + intercept
    gain = _losses(target, correction(logit)) - _losses(target, fitted)
    return bool(np.average(gain, weights=weight) > 0)


def _losses(target: np.ndarray, logit: np.ndarray) -> np.ndarray:
    import binxent.numpy as bx

    return np.asarray(bx.sigmoid_cross_entropy_with_logits(target.astype(float), logit))
