"""Masking and label smoothing, over the operations of any framework.

Operations are called as in `numpy`, `jax.numpy`, `torch` and `keras.ops`, any of which fits: `isnan`, `logical_and`,
`logical_not`, `not_equal`, `where`. A condition of None holds everywhere.
"""

import math
from typing import Any

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
