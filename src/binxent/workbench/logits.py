"""From logits to probabilities."""

from __future__ import annotations

import numpy as np


def sigmoid(logit: np.ndarray) -> np.ndarray:
    """Return the probability 1 / (1 + exp(-logit)), without overflow, and without the time that SciPy takes to load.

    Example:
        >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
        array([0. , 0.5, 1. ])
    """
    small = np.exp(-np.abs(logit))
    return np.where(logit >= 0, 1.0, small) / (1.0 + small)
