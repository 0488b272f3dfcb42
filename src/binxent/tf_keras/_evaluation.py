"""From the tensors that Keras 2 hands over to a loss to those that are computed with: the logits behind sigmoids."""

import functools
import warnings
from typing import Any

import tensorflow as tf

from binxent.tensorflow import _weighted_reduction, elementwise


def reduced(spec, reduction, y_true, y_pred, sample_weight) -> Any:
    """The reduced loss, in the dtype in which it is computed."""
    mask = getattr(y_pred, "_keras_mask", None)
    cost, y_true, y_pred = _prepared(spec, y_true, y_pred)
    return _weighted_reduction.reduced(cost, spec, reduction, y_true, y_pred, sample_weight, mask)


def per_sample(spec, y_true, y_pred) -> Any:
    """The mean over the axis of a loss, in the dtype of the predictions."""
    cost, y_true, logits_or_probabilities = _prepared(spec, y_true, y_pred)
    dtype = _tensor(y_pred).dtype
    dtype = dtype if dtype.is_floating else logits_or_probabilities.dtype
    return tf.cast(_weighted_reduction.per_sample(cost, spec, y_true, logits_or_probabilities), dtype)


def _prepared(spec, y_true, y_pred):
    """What costs an element, and labels and predictions in the dtype to compute in: halves are too coarse."""
    logits = None if (spec.epsilon or 0) > 1e-7 else _logits_behind(y_pred)
    if logits is not None:
        loss, y_pred = spec.pointwise.read_as("logit"), logits
        if spec.from_logits:
            warnings.warn(
                f"`{spec.name}` has from_logits=True, but the predictions come straight out of a sigmoid. The logits "
                "behind them are taken, as in Keras 2: drop from_logits=True; or better, drop the sigmoid.",
                UserWarning,
                stacklevel=5,
            )
    else:
        kind = "keras2_probability" if spec.prediction_kind == "clipped_probability" else None
        loss = spec.pointwise.read_as(kind)
    y_pred = _tensor(y_pred)
    computed = tf.float64 if tf.float64 in (y_pred.dtype, spec.dtype) else tf.float32
    cost = functools.partial(elementwise, loss)
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
