"""The weighted, reduced loss over the operations of any framework, by the rules of `shapes.py`.

The Keras doors share it. Operations are called as in `keras.ops`: `broadcast_to`, `cast`, `convert_to_tensor` (from
values of any dtype), `divide_no_nan`, `isnan`, `logical_and`, `logical_not`, `not_equal`, `reshape`, `shape` (a tuple
of numbers, with scalar tensors for unknown dimensions), `sum`, `where`.

Static shapes may have unknown dimensions, None, as in TensorFlow's graphs. They are checked while the graph runs: a
weight is reshaped to the dimensions of the predictions, which fails where it does not fit.
"""

import functools
import math
import operator
import types
from typing import Any

from binxent._core.masking import both, hide, not_ignored
from binxent._core.shapes import Shapes, match_ranks, resolve, weight_shape

SAMPLES = types.SimpleNamespace(axis=(), ignore_label=None)  # a loss whose elements are losses per sample


def with_matching_ranks(m, y_true, y_pred) -> tuple[Any, Any]:
    """Reshape labels or predictions where their ranks differ by a last axis of one."""
    true_shape, pred_shape = tuple(y_true.shape), tuple(y_pred.shape)
    matched_true, matched_pred = match_ranks(true_shape, pred_shape)
    if matched_true != true_shape:
        y_true = m.reshape(y_true, (*m.shape(y_true), 1)[: len(matched_true)])
    if matched_pred != pred_shape:
        y_pred = m.reshape(y_pred, (*m.shape(y_pred), 1)[: len(matched_pred)])
    return y_true, y_pred


def weighted_loss(
    m, elementwise, loss, reduction, y_true, y_pred, sample_weight=None, masks=(), whole_mean=None
) -> Any:
    """Compute the weighted, reduced loss.

    Args:
        m: The operations.
        elementwise: The loss of each element: a function of (predictions, labels) that refuses, at run time,
            labels in another shape than the predictions.
        loss: A loss of `binxent.losses`, or `SAMPLES`.
        reduction: One of `shapes.REDUCTIONS`, which takes the place of the loss's own.
        y_true: Tensor of labels, in the dtype of `y_pred`.
        y_pred: Tensor of predictions, in the dtype to compute and to sum in.
        sample_weight: None, or values in the shape of `y_pred` or of its leading axes.
        masks: Arrays of truth values in such shapes: False hides an entry, which does not count in means either.
        whole_mean: None, or a function of a sum and its divisor that takes the place of their quotient, where other
            replicas hold further entries of the batch.

    Returns:
        A tensor in the dtype of `y_pred`.

    Raises:
        ValueError: Shapes do not match.
    """
    costs, weight, valid, shapes = _weighted(m, elementwise, loss, y_true, y_pred, sample_weight, masks)
    if reduction in ("none", "sum"):
        samples = _over(m, _sum(m, costs, shapes.axes), _count(m, valid, y_pred, shapes.axes))
        return samples if reduction == "none" else _sum(m, samples)
    by_weight = reduction == "mean_with_sample_weight" and weight is not None
    divisor = _sum(m, _spread(m, weight, y_pred)) if by_weight else _count(m, valid, y_pred)
    if whole_mean is not None:
        return whole_mean(_sum(m, costs), m.convert_to_tensor(divisor, y_pred.dtype))
    return _over(m, _sum(m, costs), divisor)


def weighted_samples(m, reduce, reduction, samples, sample_weight=None, masks=(), factor=None) -> Any:
    """Compute the weighted, reduced loss from losses per sample that a user's function has computed.

    Args:
        m: The operations.
        reduce: `weighted_loss`, or a function that takes its arguments from `elementwise` on.
        reduction: As for `weighted_loss`.
        samples: Tensor of losses per sample, or a single number that stands for all of them.
        sample_weight: None, or values in the shape of `samples` or of its leading axes.
        masks: Arrays of truth values in such shapes.
        factor: None, or another factor of `sample_weight`, in its shape.
    """
    for other in (sample_weight, *masks):
        if other is not None and len(samples.shape) == 0:
            samples = m.broadcast_to(samples, m.shape(m.convert_to_tensor(other, samples.dtype)))
    elementwise = weighed(m, lambda samples, _: samples, factor)
    return reduce(elementwise, SAMPLES, reduction, samples, samples, sample_weight, masks)


def totals(m, elementwise, loss, y_true, y_pred, sample_weight=None, masks=()) -> tuple[Any, Any]:
    """Compute the two sums whose quotient is the mean over many batches: of weighted losses, and of weights.

    The arguments are those of `weighted_loss`. Without weights, each entry that is neither masked nor ignored weighs 1.
    """
    costs, weight, valid, _ = _weighted(m, elementwise, loss, y_true, y_pred, sample_weight, masks)
    weights = _count(m, valid, y_pred) if weight is None else _sum(m, _spread(m, weight, y_pred))
    return _sum(m, costs), m.cast(weights, y_pred.dtype)


def _weighted(m, elementwise, loss, y_true, y_pred, sample_weight, masks) -> tuple[Any, Any, Any, Shapes]:
    """Compute each element's weighted loss; also return the weight, where elements are valid, and the shapes.

    The weight is 0 where an element is not valid. It is None without weights, as is the condition where all are valid.
    """
    weight = None if sample_weight is None else m.convert_to_tensor(sample_weight, y_pred.dtype)
    masks = [m.convert_to_tensor(mask, "bool") for mask in masks]
    shapes = resolve(
        y_true.shape,
        y_pred.shape,
        loss.axis,
        None if weight is None else weight.shape,
        [mask.shape for mask in masks],
        may_lack_last=False,
    )
    weight = _reshaped(m, weight, shapes.weight, y_pred)
    valid = not_ignored(m, loss.ignore_label, y_true)
    for mask, shape in zip(masks, shapes.masks, strict=True):
        valid = both(m, _reshaped(m, mask, shape, y_pred), valid)
    visible = valid if weight is None else both(m, valid, m.not_equal(weight, 0))
    y_true, y_pred = hide(m, visible, y_true, y_pred)
    costs = elementwise(y_pred, y_true)
    if weight is None:
        return (costs if valid is None else m.where(valid, costs, 0.0)), None, valid, shapes
    weight = weight if valid is None else m.where(valid, weight, 0.0)
    return costs * weight, weight, valid, shapes


def weighed(m, elementwise, factor) -> Any:
    """Return a function for the loss of each element that is multiplied by another factor of weights; None for none."""
    if factor is None:
        return elementwise
    return lambda y_pred, y_true: elementwise(y_pred, y_true) * aligned(m, factor, y_pred.dtype, y_pred)


def aligned(m, values, dtype, y_pred) -> Any:
    """Convert a weight to a tensor that broadcasts to the predictions."""
    values = m.convert_to_tensor(values, dtype)
    return _reshaped(m, values, weight_shape(values.shape, y_pred.shape), y_pred)


def _reshaped(m, values, shape, y_pred):
    """Reshape values to a shape of `Shapes`."""
    if values is None or (shape == tuple(values.shape) and None not in shape):
        return values
    # Reshaping to an unknown dimension of the predictions fails at run time if the weight has another.
    dimensions = m.shape(y_pred)
    return m.reshape(values, tuple(dimensions[axis] if extent is None else extent for axis, extent in enumerate(shape)))


def _sum(m, values, axes=None):
    axes = tuple(range(len(values.shape))) if axes is None else axes
    return m.sum(values, axes) if axes else values


def _spread(m, values, y_pred):
    """Broadcast values to the shape of the predictions."""
    return m.broadcast_to(values, m.shape(y_pred))


def _count(m, valid, y_pred, axes=None):
    """Count the valid elements along axes; the result is an int if the static shape suffices."""
    if valid is not None:
        return _sum(m, _spread(m, m.cast(valid, "int32"), y_pred), axes)
    dimensions = m.shape(y_pred)
    dimensions = dimensions if axes is None else [dimensions[axis] for axis in axes]
    if all(isinstance(extent, int) for extent in dimensions):
        return math.prod(dimensions)
    return functools.reduce(operator.mul, (m.cast(extent, y_pred.dtype) for extent in dimensions))


def _over(m, total, divisor):
    """Divide a sum; anything over nothing is 0."""
    if isinstance(divisor, int):
        return total / max(divisor, 1)  # the sum of nothing is 0 already
    return m.divide_no_nan(total, m.cast(divisor, total.dtype))
