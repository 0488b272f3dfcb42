"""Masking and label smoothing, over the operations of any framework.

Operations are called as in `numpy`, `jax.numpy`, `torch` and `keras.ops`, any of which fits: `isnan`, `logical_and`,
`logical_not`, `not_equal`, `where`. A condition of None holds everywhere.
"""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from binxent._core.array_likes import is_plain

# Placeholder for masked entries: a valid logit, probability and label, at which every formula is finite. It replaces
# them before the formula is applied, so that their gradient is 0 and not 0 * NaN.
PLACEHOLDER = 0.5
# The range of each dtype of whole numbers. The name of a signed one is a part of the name of the unsigned one.
WHOLE = {f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)}
WHOLE |= {f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)}


def not_ignored(m: Any, ignore_label: float | None, labels: Any) -> Any:
    """Return where labels differ from the label to ignore, a number or NaN; None if no label can be that one."""
    if ignore_label is None:
        return None
    for name, (least, most) in WHOLE.items():
        if name in str(labels.dtype):
            if not least <= ignore_label <= most or ignore_label != int(ignore_label):
                return None
            ignore_label = int(ignore_label)  # a float would make floats of all of them
            break
    return m.logical_not(m.isnan(labels)) if math.isnan(ignore_label) else m.not_equal(labels, ignore_label)


def before_rounding(m: Any, loss: Any, labels: Any, dtype: str) -> tuple[Any, list[Any]]:
    """Compare labels with the label to ignore, if after rounding to another dtype more of them could be equal to it.

    Args:
        m: The operations, for tensors.
        loss: Anything with an `axis` and an `ignore_label`.
        labels: The labels as they were given.
        dtype: The name of the precision to compute in.

    Returns:
        The loss and no mask; or what has its axis, and ignores no label, and a mask that is False at ignored labels.
    """
    ignored = loss.ignore_label
    if ignored is None or math.isnan(ignored) or dtype == "float64":
        return loss, []
    labels = np.asarray(labels) if is_plain(labels) else labels
    is_host = isinstance(labels, np.ndarray | np.generic)
    is_unshaped = hasattr(labels, "row_splits") or getattr(getattr(labels, "shape", None), "rank", 0) is None
    if is_unshaped or not loses_labels(str(getattr(labels, "dtype", "")), ignored):
        return loss, []
    valid = not_ignored(np if is_host else m, ignored, labels)
    return SimpleNamespace(axis=loss.axis, ignore_label=None), [] if valid is None else [valid]


def loses_labels(dtype: str, ignore_label: float) -> bool:
    """Return whether another label of a dtype may be equal to the one to ignore after rounding to float32."""
    return "float64" in dtype or (abs(ignore_label) >= 2**24 and any(name in dtype for name in ("int32", "int64")))


def both(m: Any, first: Any, second: Any) -> Any:
    """Return where both conditions hold."""
    if first is None or second is None:
        return second if first is None else first
    return m.logical_and(first, second)


def hide(m: Any, valid: Any, *values: Any) -> tuple[Any, ...]:
    """Replace values by the placeholder where they are not valid."""
    return values if valid is None else tuple(m.where(valid, each, PLACEHOLDER) for each in values)


def smooth(label_smoothing: float, labels: Any) -> tuple[Any, Any]:
    """Smooth labels: y becomes y (1 - s) + s / 2. Return it and 1 minus it, which has digits of its own next to 0."""
    if not label_smoothing:
        return labels, 1 - labels
    keep, shift = 1 - label_smoothing, label_smoothing / 2
    return labels * keep + shift, (1 - labels) * keep + shift


def prepare(
    m: Any, loss: Any, predictions: Any, labels: Any, valid: Any = None, own_labels: Any = None
) -> tuple[Any, Any, Any]:
    """Mask predictions and labels, for a formula.

    Args:
        m: The operations.
        loss: Anything with an `ignore_label`.
        predictions: Predictions, in the dtype to compute in.
        labels: Labels, in the same dtype.
        valid: Where entries take part, apart from ignored labels.
        own_labels: The labels in their own dtype, to be compared with the label to ignore; None compares `labels`.

    Returns:
        Predictions, labels, and where entries take part, each broadcast against the others.
    """
    valid = both(m, valid, not_ignored(m, loss.ignore_label, labels if own_labels is None else own_labels))
    predictions, labels = hide(m, valid, predictions, labels)
    return predictions, labels, valid
