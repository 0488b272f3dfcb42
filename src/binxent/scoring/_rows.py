"""The rows that count: labels, logits and weights, checked and in one form."""

import numpy as np
from numpy.typing import ArrayLike


def checked_rows(
    target: ArrayLike, logit: ArrayLike, weight: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check labels, logits and weights, and leave out rows of weight zero.

    Args:
        target: Labels 0 and 1 (or bool), shape (rows,).
        logit: Log-odds of label 1, shape (rows,).
        weight: Non-negative finite numbers, shape (rows,); None counts every row once.

    Returns:
        Labels (bool), logits (float64) and weights (float64); the largest weight is 1.

    Raises:
        ValueError: Shapes differ, labels are not 0 and 1, a logit is NaN, or a weight is negative or not finite.
    """
    y, z = np.asarray(target), np.asarray(logit, float)
    w = np.ones(y.shape) if weight is None else np.asarray(weight, float)
    if y.ndim != 1 or not y.shape == z.shape == w.shape:
        raise ValueError(
            f"`target`, `logit` and `weight` must be one-dimensional and of one length; got shapes {y.shape}, "
            f"{z.shape} and {w.shape}. Pass one entry per row."
        )
    if not (np.isfinite(w) & (w >= 0)).all():
        raise ValueError("`weight` must be finite and not negative. Give rows that must not count a weight of 0.")
    # No statistic here depends on the scale of the weights. A weight whose square underflows counts as zero.
    w = w / (w.max(initial=0.0) or 1.0)
    valid = w > 1e-150
    y, z, w = y[valid], z[valid], w[valid]
    labels = np.unique(y)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"`target` must hold 0 and 1 only; got {labels[:5].tolist()}. Compare it with the positive class first."
        )
    if np.isnan(z).any():
        raise ValueError(
            f"`logit` must not be NaN; {np.isnan(z).sum()} of {z.size} are. The model has diverged, or its input has "
            "missing values."
        )
    return y.astype(bool), z, w
