"""From the tensors that Keras 2 hands over to a loss: logits behind sigmoids, rows of ragged tensors, unknown ranks."""

import functools
import warnings
from typing import Any

import tensorflow as tf

from binxent import _tf_operations as operations
from binxent import _weighing
from binxent._tf_replicas import whole_mean
from binxent._tf_shapes import in_the_same_shape
from binxent.reduction import reduced_axes
from binxent.tensorflow import elementwise


def reduced(spec, reduction, y_true, y_pred, sample_weight) -> Any:
    """The reduced loss, in the dtype in which it is computed."""
    mask = getattr(y_pred, "_keras_mask", None)
    cost, y_true, y_pred = _prepared(spec, y_true, y_pred)
    if isinstance(y_true, tf.RaggedTensor) or isinstance(y_pred, tf.RaggedTensor):
        return _reduced_rows(cost, spec, reduction, y_true, y_pred, sample_weight)
    y_true, y_pred = _weighing.with_matching_ranks(operations, _ranked(y_true, y_pred), y_pred)
    y_true = in_the_same_shape(("y_true", "y_pred"), y_true, y_pred)  # before a weight can broadcast it
    if sample_weight is not None:
        sample_weight = _ranked(operations.convert_to_tensor(sample_weight, y_pred.dtype), y_pred, leading=True)
    return _weighing.reduced(operations, cost, spec, reduction, y_true, y_pred, sample_weight, mask, whole_mean)


def per_sample(spec, y_true, y_pred) -> Any:
    """The mean over the axis of a loss, in the dtype of the predictions."""
    cost, y_true, logits_or_probabilities = _prepared(spec, y_true, y_pred)
    dtype = _tensor(y_pred).dtype
    dtype = dtype if dtype.is_floating else logits_or_probabilities.dtype
    if isinstance(y_true, tf.RaggedTensor) or isinstance(logits_or_probabilities, tf.RaggedTensor):
        samples = _reduced_rows(cost, spec, "none", y_true, logits_or_probabilities, None)
    else:
        y_true = _ranked(y_true, logits_or_probabilities)
        samples = _weighing.reduced(operations, cost, spec, "none", y_true, logits_or_probabilities)
    return tf.cast(samples, dtype)


def _prepared(spec, y_true, y_pred):
    """What costs an element, and labels and predictions in the dtype to compute in: halves are too coarse."""
    logits = None if (spec.epsilon or 0) > 1e-7 else _logits_behind(y_pred)
    if logits is not None:
        reading, y_pred = "logit", logits
        if spec.from_logits:
            warnings.warn(
                f"`{spec.name}` has from_logits=True, but the predictions come straight out of a sigmoid. The logits "
                "behind them are taken, as in Keras 2: drop from_logits=True; or better, drop the sigmoid.",
                UserWarning,
                stacklevel=5,
            )
    else:
        reading = "keras2_probability" if spec.reading == "clipped_probability" else None
    y_pred = _tensor(y_pred)
    computed = tf.float64 if tf.float64 in (y_pred.dtype, spec.dtype) else tf.float32
    cost = functools.partial(elementwise, reading=reading)
    return cost, tf.cast(_tensor(y_true, computed), computed), tf.cast(y_pred, computed)


def _tensor(values, dtype=tf.float32) -> Any:
    return values if isinstance(values, tf.RaggedTensor) else tf.convert_to_tensor(values, dtype_hint=dtype)


def _logits_behind(y_pred):
    """The logits whose sigmoid the predictions are known to be, or None.

    A graph tells. Eagerly Keras leaves the logits of its sigmoid on what comes out, but those of its softmax as well.
    """
    if not tf.is_tensor(y_pred) or isinstance(y_pred, (tf.RaggedTensor, tf.Variable)):
        return None
    if not hasattr(y_pred, "numpy"):
        return y_pred.op.inputs[0] if y_pred.op.type == "Sigmoid" else None
    logits = getattr(y_pred, "_keras_logits", None)
    if logits is None or logits.shape != y_pred.shape or not tf.reduce_all(tf.sigmoid(logits) == y_pred):
        return None
    return logits


def _ranked(values, y_pred, leading=False):
    """Values whose rank only running tells, with axes of one added or taken away at the end until they have y_pred's.

    Args:
        values: A tensor.
        y_pred: The predictions, whose rank is known.
        leading: Whether to repeat values of which there is one for many predictions, whose axes they lead.
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


def _reduced_rows(cost, spec, reduction, y_true, y_pred, sample_weight):
    """The reduced loss of ragged tensors: one per row, and means are those of rows that have anything in them."""
    ragged: Any = y_pred if isinstance(y_pred, tf.RaggedTensor) else y_true
    if isinstance(y_true, tf.RaggedTensor) and isinstance(y_pred, tf.RaggedTensor):
        y_true = _in_equal_rows(y_true, y_pred)
    inside = ragged.with_flat_values(tf.ones_like(ragged.flat_values, tf.bool)).to_tensor()
    y_true, y_pred = (one.to_tensor() if isinstance(one, tf.RaggedTensor) else one for one in (y_true, y_pred))
    y_true, y_pred = _weighing.with_matching_ranks(operations, y_true, y_pred)

    def samples(cost, sample_weight):
        return _weighing.reduced(operations, cost, spec, "none", y_true, y_pred, sample_weight, inside)

    def ones(spec, y_pred, y_true):
        return tf.ones_like(y_pred)

    values = samples(cost, sample_weight)
    if reduction == "none":
        rank = y_pred.shape.rank
        deepest = min(ragged.ragged_rank, min(reduced_axes(spec.axis, rank), default=rank) - 1)
        lengths = ragged.nested_row_lengths()[: max(deepest, 0)]
        ragged_from = tf.RaggedTensor.from_tensor  # pyright: ignore[reportAttributeAccessIssue]
        return ragged_from(values, lengths) if lengths else values
    total = tf.reduce_sum(values)
    if reduction == "sum":
        return total
    weighted = reduction == "mean_with_sample_weight"
    return whole_mean(total, tf.reduce_sum(samples(ones, sample_weight if weighted else None)))


def _in_equal_rows(y_true, y_pred):
    """The labels, once it is known that their rows are as long as those of the predictions."""
    pairs = zip(y_true.nested_row_splits, y_pred.nested_row_splits, strict=False)
    message = "The rows of `y_true` must be as long as those of `y_pred`."
    checks = [tf.debugging.assert_equal(one, other, message=message) for one, other in pairs]
    with tf.control_dependencies([check for check in checks if check is not None]):
        return tf.identity(y_true)
