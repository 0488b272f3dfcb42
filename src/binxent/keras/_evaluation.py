"""From the arrays that Keras hands over to a loss, on the backend that Keras runs on."""

import functools
import importlib
import math
from typing import Any

import keras
from keras import ops
from keras.src.losses.loss import scale_loss_for_distribution  # not public, but what Keras's own losses do

from binxent import _weighing
from binxent.keras._provenance import logits_behind
from binxent.reduction import reduced_axes, require_same_shape, standard_reduction, weight_shape

# What runs the formulas for each backend: a module whose `elementwise` takes (spec, predictions, labels).
DRIVERS = {"jax": "binxent.jax", "tensorflow": "binxent.tensorflow", "torch": "binxent.torch"}
# The reductions for which torch's kernels need no help, and torch's names for them.
FUSED = {"sum_over_batch_size": "mean", "mean": "mean", "mean_with_sample_weight": "weighted_mean"}
# What torch's door, which looks at values where they can be seen, says in words of its own.
IN_KERASS_WORDS = {
    "elements of input": "elements of `y_pred`",
    "elements of target": "elements of `y_true`",
    "Logits belong to `binary_cross_entropy_with_logits`": "Logits need from_logits=True",
    "`ignore_index`": "`ignore_label`",
}


def reduced(loss, y_true, y_pred, sample_weight, mask) -> Any:
    """The reduced value of a `Loss`."""
    spec, reduction = loss.spec, standard_reduction(loss.reduction)
    reading, y_pred = _behind_sigmoid(spec, y_pred)
    y_true, y_pred = _weighing.with_matching_ranks(ops, *_tensors(y_true, y_pred, loss.dtype))
    if mask is None and reduction in FUSED and keras.backend.backend() == "torch" and math.prod(y_pred.shape):
        value = _fused(spec, reduction, y_true, y_pred, sample_weight, reading)
    else:
        each = elementwise_in(reading)
        value = _weighing.reduced(ops, each, spec, reduction, y_true, y_pred, sample_weight, mask, _whole_mean())
    if reduction in FUSED:
        value: Any = scale_loss_for_distribution(value)
    return value if keras.backend.standardize_dtype(value.dtype) == loss.dtype else ops.cast(value, loss.dtype)


def per_sample(spec, y_true, y_pred):
    """The mean over the axis of a loss, in the dtype of the predictions."""
    dtype: Any = keras.backend.standardize_dtype(_tensor(y_pred).dtype)
    if not keras.backend.is_float_dtype(dtype):
        dtype = keras.config.floatx()
    reading, y_pred = _behind_sigmoid(spec, y_pred)
    value = _weighing.reduced(ops, elementwise_in(reading), spec, "none", *_tensors(y_true, y_pred, dtype))
    return ops.cast(value, dtype)


def totals(spec, dtype, y_true, y_pred, sample_weight, mask):
    """The sum of the weighted losses, and that of the weights, for a metric of this dtype."""
    reading, y_pred = _behind_sigmoid(spec, y_pred)
    y_true, y_pred = _weighing.with_matching_ranks(ops, *_tensors(y_true, y_pred, dtype))
    return _weighing.totals(ops, elementwise_in(reading), spec, y_true, y_pred, sample_weight, mask)


def driver() -> Any:
    """The module that runs the formulas on the backend that Keras runs on.

    Raises:
        NotImplementedError: There is none.
    """
    backend = keras.backend.backend()
    if backend not in DRIVERS:
        raise NotImplementedError(
            f"binxent.keras runs on {', '.join(DRIVERS)}; Keras runs on {backend}. Set the environment variable "
            f"KERAS_BACKEND to {' or '.join(DRIVERS)} before Keras is imported."
        )
    return importlib.import_module(DRIVERS[backend])


def elementwise_in(reading):
    """The backend's `elementwise`, with predictions read in another way than the loss's own, or in that for None."""
    return functools.partial(_in_kerass_words, driver().elementwise, reading=reading)


def _in_kerass_words(function, *arguments, **options):
    try:
        return function(*arguments, **options)
    except (RuntimeError, ValueError) as error:
        message = str(error)
        if "should be between 0 and 1" not in message:
            raise
        for torchs, kerass in IN_KERASS_WORDS.items():
            message = message.replace(torchs, kerass)
        raise ValueError(message) from None


def _whole_mean():
    """TensorFlow's mean over a batch that the replicas of a strategy share, where there are several."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return None
    from binxent._tf_replicas import whole_mean

    return whole_mean


def _behind_sigmoid(spec, y_pred):
    """How to read which predictions: the logits behind them where they are known and nobody wants them clipped."""
    if spec.from_logits or (spec.epsilon or 0) > 1e-7:
        return None, y_pred
    logits = logits_behind(y_pred)
    return (None, y_pred) if logits is None else ("logit", logits)


def _fused(spec, reduction, y_true, y_pred, sample_weight, reading):
    """The reduced loss of torch tensors, in one pass."""
    shape = tuple(y_pred.shape)
    require_same_shape("y_true", y_true.shape, "y_pred", shape)
    reduced_axes(spec.axis, len(shape))  # refuses an impossible axis
    weight = None
    if sample_weight is not None:
        weight = _tensor(sample_weight, y_pred.dtype)
        weight = weight.reshape(weight_shape(weight.shape, shape))
    return _in_kerass_words(driver().reduced, spec, FUSED[reduction], y_pred, y_true, weight, reading=reading)


def _tensor(values, dtype=None) -> Any:
    return ops.convert_to_tensor(values, dtype)


def _tensors(y_true, y_pred, dtype) -> tuple[Any, Any]:
    """Labels and predictions for a loss of this dtype: halves are too coarse to compute or to sum in."""
    computed = "float64" if dtype == "float64" else "float32"
    return _tensor(y_true, computed), _tensor(y_pred, computed)
