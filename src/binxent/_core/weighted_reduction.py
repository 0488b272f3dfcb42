"""The weighted, reduced loss over any framework's operations, by the rules of `shapes.py`.

The Keras doors share it. Operations are called as in `keras.ops`, which is one namespace that fits: `cast`,
`broadcast_to`, `convert_to_tensor` (from values of any dtype), `divide_no_nan`, `isnan`, `logical_and`, `logical_not`,
`not_equal`, `reshape`, `shape` (a tuple of numbers, and of scalar tensors where only running tells), `sum`, `where`.

Static shapes may have unknown dimensions, None, as in TensorFlow's graphs. What they leave open is settled while
running: a weight is reshaped to the dimensions of the predictions, which fails where it does not fit.
"""

import functools
import math
import operator
from typing import Any

from binxent._core.shapes import match_ranks, reduced_axes, require_same_shape, weight_shape

ANYWHERE = 0.5  # a logit, a probability and a label that no formula stumbles over: it stands in for hidden entries


def with_matching_ranks(m, y_true, y_pred) -> tuple[Any, Any]:
    """Labels and predictions, one of them reshaped where their ranks differ by a last axis of one."""
    true_shape, pred_shape = tuple(y_true.shape), tuple(y_pred.shape)
    matched_true, matched_pred = match_ranks(true_shape, pred_shape)
    if matched_true != true_shape:
        y_true = m.reshape(y_true, (*m.shape(y_true), 1)[: len(matched_true)])
    if matched_pred != pred_shape:
        y_pred = m.reshape(y_pred, (*m.shape(y_pred), 1)[: len(matched_pred)])
    return y_true, y_pred


def reduced(m, elementwise, spec, reduction, y_true, y_pred, sample_weight=None, mask=None, whole_mean=None):
    """The weighted, reduced loss.

    Args:
        m: The operations.
        elementwise: The loss of each element: a function of (predictions, labels) that refuses, while running,
            labels whose shape is not the predictions'.
        spec: A loss of `binxent.losses`.
        reduction: One of `shapes.REDUCTIONS`, which takes the place of the loss's own.
        y_true: Tensor of labels, in the dtype of `y_pred`.
        y_pred: Tensor of predictions, in the dtype to compute and to sum in.
        sample_weight: None, or values in the shape of `y_pred` or of its leading axes.
        mask: None, or the same of truth values: False hides an entry, which does not count in means either.
        whole_mean: A function of the sum over everything and what it is divided by, in place of their quotient: where
            other replicas hold further entries of the batch.

    Returns:
        A tensor in the dtype of `y_pred`.

    Raises:
        ValueError: Shapes do not match.
    """
    axes = reduced_axes(spec.axis, len(y_pred.shape))
    loss, weight, counts = _weighed(m, elementwise, spec, y_true, y_pred, sample_weight, mask)
    if reduction in ("none", "sum"):
        samples = _over(m, _sum(m, loss, axes), _count(m, counts, y_pred, axes))
        return samples if reduction == "none" else _sum(m, samples)
    weighted = reduction == "mean_with_sample_weight" and weight is not None
    divisor = _sum(m, _spread(m, weight, y_pred)) if weighted else _count(m, counts, y_pred)
    if whole_mean is not None:
        return whole_mean(_sum(m, loss), m.convert_to_tensor(divisor, y_pred.dtype))
    return _over(m, _sum(m, loss), divisor)


def totals(m, elementwise, spec, y_true, y_pred, sample_weight=None, mask=None) -> tuple[Any, Any]:
    """What a mean over many batches adds up: the sum of the weighted losses, and that of the weights.

    The arguments are those of `reduced`. Without weights, each entry that is neither masked nor ignored weighs 1.
    """
    loss, weight, counts = _weighed(m, elementwise, spec, y_true, y_pred, sample_weight, mask)
    weights = _count(m, counts, y_pred) if weight is None else _sum(m, _spread(m, weight, y_pred))
    return _sum(m, loss), m.cast(weights, y_pred.dtype)


def _weighed(m, elementwise, spec, y_true, y_pred, sample_weight, mask):
    """Each element's weighted loss; the weight, 0 where elements do not count, or None; where they count, or None."""
    require_same_shape("y_true", y_true.shape, "y_pred", y_pred.shape)
    weight = None if sample_weight is None else aligned(m, sample_weight, y_pred.dtype, y_pred)
    counts = _both(m, None if mask is None else aligned(m, mask, "bool", y_pred), _not_ignored(m, spec, y_true))
    shown = _both(m, counts, None if weight is None else m.not_equal(weight, 0))
    if shown is not None:
        # Before the loss, so that the gradient is 0 and not 0 * NaN.
        y_true, y_pred = m.where(shown, y_true, ANYWHERE), m.where(shown, y_pred, ANYWHERE)
    loss = elementwise(y_pred, y_true)
    if weight is None:
        return (loss if counts is None else m.where(counts, loss, 0.0)), None, counts
    weight = weight if counts is None else m.where(counts, weight, 0.0)
    return loss * weight, weight, counts


def aligned(m, values, dtype, y_pred):
    """A weight or a mask as a tensor that meets each element of the predictions with what is meant for it."""
    values, dimensions = m.convert_to_tensor(values, dtype), m.shape(y_pred)
    wanted = weight_shape(values.shape, y_pred.shape)
    if wanted == tuple(values.shape) and None not in wanted:
        return values
    # Where the predictions' own dimension is not known before, it is what the weight's has to be.
    return m.reshape(values, tuple(dimensions[axis] if one is None else one for axis, one in enumerate(wanted)))


def _not_ignored(m, spec, y_true):
    if spec.ignore_label is None:
        return None
    return m.logical_not(m.isnan(y_true)) if math.isnan(spec.ignore_label) else m.not_equal(y_true, spec.ignore_label)


def _both(m, first, second):
    """Both conditions, of which either may be missing."""
    if first is None or second is None:
        return second if first is None else first
    return m.logical_and(first, second)


def _sum(m, values, axes=None):
    axes = tuple(range(len(values.shape))) if axes is None else axes
    return m.sum(values, axes) if axes else values


def _spread(m, values, y_pred):
    """Values of perhaps fewer elements in the shape of the predictions."""
    return m.broadcast_to(values, m.shape(y_pred))


def _count(m, counts, y_pred, axes=None):
    """How many elements count along axes: a number where nothing but a known shape decides."""
    if counts is not None:
        return _sum(m, _spread(m, m.cast(counts, "int32"), y_pred), axes)
    dimensions = m.shape(y_pred)
    dimensions = dimensions if axes is None else [dimensions[axis] for axis in axes]
    if all(isinstance(one, int) for one in dimensions):
        return math.prod(dimensions)
    return functools.reduce(operator.mul, (m.cast(one, y_pred.dtype) for one in dimensions))


def _over(m, total, divisor):
    """A sum over what it is a mean of; anything over nothing is 0."""
    if isinstance(divisor, int):
        return total / max(divisor, 1)  # the sum of nothing is 0 already
    return m.divide_no_nan(total, m.cast(divisor, total.dtype))
