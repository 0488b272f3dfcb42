"""The losses of the tensors that Keras 2 passes to a loss, from the logits behind sigmoids."""

import functools
import warnings
from typing import Any

import tensorflow as tf

from binxent import losses
from binxent._core.masking import both
from binxent._core.weighted_reduction import with_matching_ranks as matched
from binxent.tensorflow import _ops as operations
from binxent.tensorflow import _weighted_reduction
from binxent.tensorflow._logit_tracing import logits_of_sigmoid
from binxent.tensorflow._pointwise import elementwise
from binxent.tf_keras._private import mask_of, not_converted

SAMPLES = losses.BinaryCrossentropy(axis=())  # whose elements are losses per sample already


@not_converted
def reduced_loss(spec, reduction, y_true, y_pred, sample_weight) -> Any:
    """The reduced loss, in its dtype, or in the dtype in which it is computed."""
    mask = mask_of(y_pred)
    cost, y_true, y_pred = _prepared(spec, y_true, y_pred)
    value = _weighted_reduction.reduced(cost, spec, reduction, y_true, y_pred, sample_weight, mask)
    return value if spec.dtype is None else tf.cast(value, spec.dtype)


@not_converted
def reduced_samples(spec, call, reduction, y_true, y_pred, sample_weight) -> Any:
    """The reduced loss, from losses per sample that the `call` of a subclass computes.

    As in Keras, weights, masks and the reduction are applied to what `call` returns.
    """
    mask, y_pred = mask_of(y_pred), tf.nest.map_structure(_tensor, y_pred)
    computed = _computed(spec, *tf.nest.flatten(y_pred))
    y_pred = tf.nest.map_structure(lambda one: tf.cast(one, computed), y_pred)
    y_true = tf.nest.map_structure(lambda one: tf.cast(_tensor(one, computed), computed), y_true)
    samples = call(y_true, y_pred)
    mask = both(operations, mask, mask_of(samples))
    samples = tf.cast(_tensor(samples), computed)
    for other in (sample_weight, mask):
        if other is not None and samples.shape.rank == 0:  # one loss for all samples
            samples = tf.broadcast_to(samples, tf.shape(other))
    value = _weighted_reduction.reduced(
        lambda samples, _: samples, SAMPLES, reduction, samples, samples, sample_weight, mask
    )
    return value if spec.dtype is None else tf.cast(value, spec.dtype)


def sample_losses(spec, y_true, y_pred) -> Any:
    """The mean over the axis of a loss, in the dtype of the predictions."""
    cost, y_true, logits_or_probabilities = _prepared(spec, y_true, y_pred)
    dtype = _tensor(y_pred).dtype
    dtype = dtype if dtype.is_floating else logits_or_probabilities.dtype
    return tf.cast(_weighted_reduction.per_sample(cost, spec, y_true, logits_or_probabilities), dtype)


def with_matching_ranks(y_true, y_pred) -> tuple[Any, Any]:
    """Labels and predictions as tensors, one of them reshaped where their ranks differ by a last axis of one."""
    y_true, y_pred = _tensor(y_true), _tensor(y_pred)
    if any(isinstance(one, tf.RaggedTensor) or one.shape.rank is None for one in (y_true, y_pred)):
        return y_true, y_pred  # their ranks are matched when the graph runs
    return matched(operations, y_true, y_pred)


def _prepared(spec, y_true, y_pred):
    """A function for the loss of each element, and labels and predictions in the dtype to compute in."""
    logits = None if (spec.epsilon or 0) > 1e-7 else logits_of_sigmoid(y_pred)
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
        is_clipped = spec.prediction_kind == "clipped_probability"
        loss = spec.pointwise.read_as("keras2_probability" if is_clipped else None)
    y_pred = _tensor(y_pred)
    computed = _computed(spec, y_pred)
    cost = functools.partial(elementwise, loss)
    return cost, tf.cast(_tensor(y_true, computed), computed), tf.cast(y_pred, computed)


def _computed(spec, *predictions):
    """The dtype to compute in: halves are too coarse."""
    return tf.float64 if tf.float64 in (spec.dtype, *(one.dtype for one in predictions)) else tf.float32


def _tensor(values, dtype=tf.float32) -> Any:
    return values if isinstance(values, tf.RaggedTensor) else tf.convert_to_tensor(values, dtype_hint=dtype)
