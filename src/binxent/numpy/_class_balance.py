"""The weight of positives that balances a label, and the logit of its base rate, from which to start."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from binxent._core.array_likes import ABOUT_LABELS, as_numbers, check_range
from binxent._core.masking import both, not_ignored
from binxent._core.options import number


def balanced_pos_weight(y_true: ArrayLike, *, ignore_label: float | None = None) -> np.float64 | NDArray[np.float64]:
    """Count negatives over positives: the `pos_weight` with which both classes weigh the same.

    Args:
        y_true: Labels in [0, 1], (n,) or (n, 1) for one label, (n, ..., labels) for several.
        ignore_label: Entries with this label, a number or NaN, are not counted; nor are entries that a masked array
            (np.ma) masks.

    Returns:
        A number for one label, else an array (labels,), in float64.

    Raises:
        ValueError: A label has only one class, or a value lies outside [0, 1].
        TypeError: `y_true` holds no real numbers, or `ignore_label` is not a number.

    Example:
        >>> print(balanced_pos_weight([1, 0, 0, 0]))
        3.0
    """
    positives, negatives = _count_classes(y_true, ignore_label)
    for count, name in ((positives, "positive"), (negatives, "negative")):
        if not np.all(count):
            raise ValueError(f"{_absent(count, name)}, so no weight can balance it. Leave it out or weigh it by hand.")
    return negatives / positives


def prior_logit(y_true: ArrayLike, *, ignore_label: float | None = None) -> np.float64 | NDArray[np.float64]:
    """Compute the logit of the base rate, log(positives / negatives): the bias to start an output layer from.

    Args:
        y_true: Labels in [0, 1], (n,) or (n, 1) for one label, (n, ..., labels) for several.
        ignore_label: Entries with this label, a number or NaN, are not counted; nor are entries that a masked array
            (np.ma) masks.

    Returns:
        A number for one label, else an array (labels,), in float64.

    Raises:
        ValueError: A label has only one class, or a value lies outside [0, 1].
        TypeError: `y_true` holds no real numbers, or `ignore_label` is not a number.

    Example:
        >>> print(prior_logit([1, 0, 0, 0]).round(6))
        -1.098612
    """
    positives, negatives = _count_classes(y_true, ignore_label)
    for count, name in ((positives, "positive"), (negatives, "negative")):
        if not np.all(count):
            raise ValueError(f"{_absent(count, name)}, so its prior logit is infinite. Leave it out or set it by hand.")
    return np.log(positives) - np.log(negatives)


def _count_classes(y_true, ignore_label):
    """Count positives and negatives of each label, as sums of labels and of their complements."""
    ignore_label = None if ignore_label is None else number("ignore_label", ignore_label)
    labels, mask = as_numbers("y_true", y_true)
    shape = -1, labels.shape[-1] if labels.ndim > 1 else 1
    labels = labels.reshape(shape).astype(np.float64)
    valid = both(np, None if mask is None else ~mask.reshape(shape), not_ignored(np, ignore_label, labels))
    check_range("y_true", labels, [] if valid is None else [(valid, False)], ABOUT_LABELS)
    positives = labels.sum(0, where=True if valid is None else valid)
    negatives = (1.0 - labels).sum(0, where=True if valid is None else valid)
    return (positives[0], negatives[0]) if positives.size == 1 else (positives, negatives)


def _absent(counts, name):
    which = np.flatnonzero(np.atleast_1d(counts) == 0)
    listed = ", ".join(map(str, which[:10])) + (", ..." if which.size > 10 else "")
    return f"`y_true` has no {name} entry" + (f" for label {listed}" if np.size(counts) > 1 else "")
