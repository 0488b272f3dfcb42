"""The weighted reduction for TensorFlow: with ragged rows, and with ranks and shapes known only when a graph runs."""

from typing import Any

import tensorflow as tf

from binxent._core import weighted_reduction
from binxent._core.shapes import reduced_axes
from binxent.tensorflow import _ops as operations
from binxent.tensorflow._replicas import whole_mean
from binxent.tensorflow._shapes import in_the_same_shape


def weighted_loss(elementwise, loss, reduction, y_true, y_pred, sample_weight=None, masks=()) -> Any:
    """Reduce as `weighted_reduction.weighted_loss` does, with labels whose rank may differ by a last axis of one.

    Args:
        elementwise: The loss of each element, a function of (predictions, labels).
        loss: A loss of `binxent.losses`.
        reduction: One of `shapes.REDUCTIONS`.
        y_true: Labels, perhaps ragged, in the dtype of `y_pred`.
        y_pred: Predictions, perhaps ragged, in the dtype to compute in.
        sample_weight: None, or values in the shape of `y_pred` or of its leading axes.
        masks: Truth values in such shapes, for tensors that are not ragged.
    """
    if isinstance(y_true, tf.RaggedTensor) or isinstance(y_pred, tf.RaggedTensor):
        return _loss_of_rows(elementwise, loss, reduction, y_true, y_pred, sample_weight)
    operands = _prepared(y_true, y_pred, sample_weight)
    return weighted_reduction.weighted_loss(operations, elementwise, loss, reduction, *operands, masks, whole_mean)


def sample_losses(elementwise, loss, y_true, y_pred, masks=()) -> Any:
    """Compute the mean over the axis of a loss, with labels in the shape of the predictions."""
    if isinstance(y_true, tf.RaggedTensor) or isinstance(y_pred, tf.RaggedTensor):
        return _loss_of_rows(elementwise, loss, "none", y_true, y_pred, None)
    labels = _ranked(y_true, y_pred)
    return weighted_reduction.weighted_loss(operations, elementwise, loss, "none", labels, y_pred, masks=masks)


def totals(elementwise, loss, y_true, y_pred, sample_weight=None, masks=()) -> tuple[Any, Any]:
    """Compute the sum of the weighted losses, and that of the weights, of tensors that are not ragged."""
    return weighted_reduction.totals(operations, elementwise, loss, *_prepared(y_true, y_pred, sample_weight), masks)


def _prepared(y_true, y_pred, sample_weight) -> tuple[Any, Any, Any]:
    """Return labels, predictions and weights whose shapes match, or are refused when the graph runs."""
    y_true, y_pred = weighted_reduction.with_matching_ranks(operations, _ranked(y_true, y_pred), y_pred)
    y_true = in_the_same_shape(("y_true", "y_pred"), y_true, y_pred)  # before a weight can broadcast it
    if sample_weight is not None:
        sample_weight = _ranked(operations.convert_to_tensor(sample_weight, y_pred.dtype), y_pred, leading=True)
    return y_true, y_pred, sample_weight


def _ranked(values, y_pred, leading=False):
    """Give values of unknown rank the rank of `y_pred`: add or remove axes of one at the end when the graph runs.

    Args:
        values: A tensor.
        y_pred: The predictions, whose rank is known.
        leading: Whether the values are weights, which lead the axes of the predictions and are repeated along the rest.
    """
    if values.shape.rank is not None:
        return values
    wanted = tf.shape(y_pred)
    shape = tf.concat([tf.shape(values), tf.ones_like(wanted)], 0)[: y_pred.shape.rank]
    values = tf.ensure_shape(tf.reshape(values, shape), [None] * y_pred.shape.rank)
    if not leading:
        return values
    only_ones_from_here = tf.math.cumprod(tf.cast(shape == 1, tf.int32), reverse=True) > 0
    fits = tf.debugging.Assert(
        tf.reduce_all((shape == wanted) | only_ones_from_here),
        ["`sample_weight` must have the shape of the predictions or of their leading axes; got", shape, "for", wanted],
    )
    with tf.control_dependencies([] if fits is None else [fits]):
        return tf.broadcast_to(values, wanted)


def _loss_of_rows(elementwise, loss, reduction, y_true, y_pred, sample_weight):
    """Reduce the loss of ragged tensors, one sample per row; means leave out empty rows."""
    ragged: Any = y_pred if isinstance(y_pred, tf.RaggedTensor) else y_true
    if isinstance(y_true, tf.RaggedTensor) and isinstance(y_pred, tf.RaggedTensor):
        y_true = _in_equal_rows(y_true, y_pred)
    valid = ragged.with_flat_values(tf.ones_like(ragged.flat_values, tf.bool)).to_tensor()
    y_true, y_pred = (
        values.to_tensor() if isinstance(values, tf.RaggedTensor) else values for values in (y_true, y_pred)
    )
    y_true, y_pred = weighted_reduction.with_matching_ranks(operations, y_true, y_pred)

    def samples(elementwise, sample_weight):
        return weighted_reduction.weighted_loss(
            operations, elementwise, loss, "none", y_true, y_pred, sample_weight, [valid]
        )

    def ones(y_pred, y_true):
        return tf.ones_like(y_pred)

    values = samples(elementwise, sample_weight)
    if reduction == "none":
        rank = y_pred.shape.rank
        deepest = min(ragged.ragged_rank, min(reduced_axes(loss.axis, rank), default=rank) - 1)
        lengths = ragged.nested_row_lengths()[: max(deepest, 0)]
        ragged_from = tf.RaggedTensor.from_tensor  # pyright: ignore[reportAttributeAccessIssue]
        return ragged_from(values, lengths) if lengths else values
    total = tf.reduce_sum(values)
    if reduction == "sum":
        return total
    weighted = reduction == "mean_with_sample_weight"
    return whole_mean(total, tf.reduce_sum(samples(ones, sample_weight if weighted else None)))


def _in_equal_rows(y_true, y_pred):
    """Return the labels, after a check that their rows are as long as those of the predictions."""
    pairs = zip(y_true.nested_row_splits, y_pred.nested_row_splits, strict=False)
    message = "The rows of `y_true` must be as long as those of `y_pred`."
    checks = [tf.debugging.assert_equal(true, pred, message=message) for true, pred in pairs]
    with tf.control_dependencies([check for check in checks if check is not None]):
        return tf.identity(y_true)
