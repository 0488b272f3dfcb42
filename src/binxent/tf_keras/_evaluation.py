"""The losses of the tensors that Keras 2 passes to a loss, from the logits behind sigmoids."""

import functools
import warnings
from dataclasses import replace
from typing import Any

import tensorflow as tf

from binxent._core.array_likes import read_all_foreign, without_mask
from binxent._core.masking import before_rounding
from binxent._core.sample_weights import fitted
from binxent._core.weighted_reduction import weighed, weighted_samples
from binxent._core.weighted_reduction import with_matching_ranks as matched
from binxent.tensorflow import _ops as operations
from binxent.tensorflow import _weighted_reduction
from binxent.tensorflow._logit_tracing import logits_of_sigmoid
from binxent.tensorflow._pointwise import elementwise
from binxent.tf_keras._private import mask_of, not_converted

WEIGHTED = "mean_with_sample_weight"


@not_converted
def reduced_loss(loss, reduction, y_true, y_pred, sample_weight) -> Any:
    """Compute the reduced loss, in the dtype of the loss; if that is None, in the dtype of the computation."""
    layer_mask = mask_of(y_pred)
    (y_true, y_pred, sample_weight), masks = _read(y_true=y_true, y_pred=y_pred, sample_weight=sample_weight)
    masks += [] if layer_mask is None else [layer_mask]
    dtype = loss.dtype
    loss, elements, y_true, y_pred, ignored = _prepared(loss, y_true, y_pred)
    sample_weight, factor = fitted(sample_weight, y_pred.dtype.name, reduction == WEIGHTED)
    masks += ignored
    elements = weighed(operations, elements, factor)
    value = _weighted_reduction.weighted_loss(elements, loss, reduction, y_true, y_pred, sample_weight, masks)
    return value if dtype is None else tf.cast(value, dtype)


@not_converted
def reduced_samples(loss, call, reduction, y_true, y_pred, sample_weight) -> Any:
    """Compute the reduced loss from losses per sample that the `call` of a subclass computes.

    As in Keras, weights, masks and the reduction are applied to what `call` returns.
    """
    (sample_weight,), masks = read_all_foreign(sample_weight=sample_weight)
    layer_mask = mask_of(y_pred)
    y_pred = tf.nest.map_structure(lambda each: _tensor(without_mask("y_pred", each)), y_pred)
    dtype = _computed(loss, *tf.nest.flatten(y_pred))
    y_pred = tf.nest.map_structure(lambda each: tf.cast(each, dtype), y_pred)
    y_true = tf.nest.map_structure(lambda each: tf.cast(_tensor(without_mask("y_true", each), dtype), dtype), y_true)
    sample_weight, factor = fitted(sample_weight, dtype.name, reduction == WEIGHTED)
    returned = call(y_true, y_pred)
    masks += [mask for mask in (layer_mask, mask_of(returned)) if mask is not None]
    samples, reduce = tf.cast(_tensor(returned), dtype), _weighted_reduction.weighted_loss
    value = weighted_samples(operations, reduce, reduction, samples, sample_weight, masks, factor)
    return value if loss.dtype is None else tf.cast(value, loss.dtype)


def sample_losses(loss, y_true, y_pred, may_lack_last=False) -> Any:
    """Compute the mean over the axis of a loss, in the dtype of the predictions.

    Args:
        loss: A loss of `binxent.losses`.
        y_true: Labels.
        y_pred: Predictions.
        may_lack_last: Whether their ranks may differ by a last axis of one.
    """
    (y_true, y_pred), masks = _read(y_true=y_true, y_pred=y_pred)
    if may_lack_last:
        y_true, y_pred = _matched(y_true, y_pred)
    loss, elements, y_true, logits_or_probabilities, ignored = _prepared(loss, y_true, y_pred)
    masks += ignored
    dtype = _tensor(y_pred).dtype
    dtype = dtype if dtype.is_floating else logits_or_probabilities.dtype
    return tf.cast(_weighted_reduction.sample_losses(elements, loss, y_true, logits_or_probabilities, masks), dtype)


def with_matching_ranks(y_true, y_pred) -> tuple[Any, Any]:
    """Convert labels and predictions to tensors, and reshape one if their ranks differ by a last axis of one."""
    return _matched(without_mask("y_true", y_true), without_mask("y_pred", y_pred))


def _matched(y_true, y_pred):
    y_true, y_pred = _tensor(y_true), _tensor(y_pred)
    if any(isinstance(each, tf.RaggedTensor) or each.shape.rank is None for each in (y_true, y_pred)):
        return y_true, y_pred  # their ranks are matched when the graph runs
    return matched(operations, y_true, y_pred)


def _read(**values):
    """Read array-likes; the rows of ragged tensors have no place for a mask."""
    if any(isinstance(value, tf.RaggedTensor) for value in values.values()):
        return tuple(without_mask(name, value) for name, value in values.items()), []
    return read_all_foreign(**values)


def _prepared(loss, y_true, y_pred):
    """Return a loss, a function for the loss of each element, labels and predictions to compute with, and masks."""
    logits = None if (loss.epsilon or 0) > 1e-7 else logits_of_sigmoid(y_pred)
    if logits is not None:
        pointwise, y_pred = loss.pointwise.read_as("logit"), logits
        if loss.from_logits:
            warnings.warn(
                f"`{loss.name}` has from_logits=True, but the predictions come straight out of a sigmoid. The logits "
                "behind them are taken, as in Keras 2: drop from_logits=True; or better, drop the sigmoid.",
                UserWarning,
                stacklevel=5,
            )
    else:
        is_clipped = loss.prediction_kind == "clipped_probability"
        pointwise = loss.pointwise.read_as("keras2_probability" if is_clipped else None)
    y_pred = _tensor(y_pred)
    dtype = _computed(loss, y_pred)
    given, (loss, ignored) = loss, before_rounding(operations, loss, y_true, dtype.name)
    if loss is not given:
        pointwise = replace(pointwise, ignore_label=None)
    y_true, y_pred = tf.cast(_tensor(y_true, dtype), dtype), tf.cast(y_pred, dtype)
    return loss, functools.partial(elementwise, pointwise), y_true, y_pred, ignored


def _computed(loss, *predictions):
    """Return the dtype to compute in: halves are too coarse."""
    return tf.float64 if tf.float64 in (loss.dtype, *(each.dtype for each in predictions)) else tf.float32


def _tensor(values, dtype=tf.float32) -> Any:
    return values if isinstance(values, tf.RaggedTensor) else tf.convert_to_tensor(values, dtype_hint=dtype)
