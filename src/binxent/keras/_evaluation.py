"""From the arrays that Keras hands over to a loss, on the backend that Keras runs on."""

import functools
import importlib
import math
from typing import Any

import keras
from keras import ops
from keras.src.losses.loss import scale_loss_for_distribution  # not public, but what Keras's own losses do

from binxent._core import weighted_reduction
from binxent._core.shapes import reduced_axes, require_same_shape, standard_reduction, weight_shape
from binxent.keras._logit_tracing import logits_behind

BACKEND = keras.backend.backend()  # of which a process has one
# What runs the formulas for each backend: a module whose `elementwise` takes (pointwise loss, predictions, labels).
DRIVERS = {"jax": "binxent.jax", "tensorflow": "binxent.tensorflow", "torch": "binxent.torch"}
# Loaded here, as what is imported while TensorFlow traces a function is traced, too.
DRIVER: Any = importlib.import_module(DRIVERS[BACKEND]) if BACKEND in DRIVERS else None
ON_TENSORFLOW: Any = (
    importlib.import_module("binxent.tensorflow._weighted_reduction") if BACKEND == "tensorflow" else None
)
# The reductions to means, and what torch's door calls them.
MEANS = {"sum_over_batch_size": "mean", "mean": "mean", "mean_with_sample_weight": "weighted_mean"}
LARGEST_FLOAT16 = 65504.0
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
    cost, y_true, y_pred = _prepared(spec, y_true, y_pred, loss.dtype)
    if ON_TENSORFLOW:
        value = ON_TENSORFLOW.reduced(cost, spec, reduction, y_true, y_pred, sample_weight, mask)
    else:
        y_true, y_pred = weighted_reduction.with_matching_ranks(ops, y_true, y_pred)
        if BACKEND == "torch" and mask is None and reduction in MEANS and math.prod(y_pred.shape):
            value = _mean_in_one_pass(cost, spec, reduction, y_true, y_pred, sample_weight)
        else:
            value = weighted_reduction.reduced(ops, cost, spec, reduction, y_true, y_pred, sample_weight, mask)
    if reduction in MEANS:
        value = scale_loss_for_distribution(value)
    return _cast(value, loss.dtype)


def per_sample(spec, y_true, y_pred) -> Any:
    """The mean over the axis of a loss, in the dtype of the predictions."""
    dtype: Any = keras.backend.standardize_dtype(_tensor(y_pred).dtype)
    if not keras.backend.is_float_dtype(dtype):
        dtype = keras.config.floatx()
    cost, y_true, y_pred = _prepared(spec, y_true, y_pred, dtype)
    if ON_TENSORFLOW:
        return _cast(ON_TENSORFLOW.per_sample(cost, spec, y_true, y_pred), dtype)
    return _cast(weighted_reduction.reduced(ops, cost, spec, "none", y_true, y_pred), dtype)


def totals(spec, dtype, y_true, y_pred, sample_weight, mask) -> tuple[Any, Any]:
    """The sum of the weighted losses, and that of the weights, for a metric of this dtype."""
    cost, y_true, y_pred = _prepared(spec, y_true, y_pred, dtype)
    if ON_TENSORFLOW:
        return ON_TENSORFLOW.totals(cost, spec, y_true, y_pred, sample_weight, mask)
    y_true, y_pred = weighted_reduction.with_matching_ranks(ops, y_true, y_pred)
    return weighted_reduction.totals(ops, cost, spec, y_true, y_pred, sample_weight, mask)


def _prepared(spec, y_true, y_pred, dtype) -> tuple[Any, Any, Any]:
    """What costs an element, and labels and predictions in the precision to compute in: halves are too coarse.

    Predictions become the logits behind them where these are known and nobody wants probabilities clipped.

    Raises:
        NotImplementedError: Keras runs on another backend.
    """
    if DRIVER is None:
        raise NotImplementedError(
            f"binxent.keras runs on {', '.join(DRIVERS)}; Keras runs on {BACKEND}. Set the environment variable "
            f"KERAS_BACKEND to {' or '.join(DRIVERS)} before Keras is imported."
        )
    loss, computed = spec.pointwise, "float64" if dtype == "float64" else "float32"
    if not spec.from_logits and (spec.epsilon or 0) <= 1e-7:
        logits = logits_behind(y_pred)
        if logits is not None:
            loss, y_pred = loss.read_as("logit"), logits
    cost = functools.partial(_in_kerass_words, DRIVER.elementwise, loss)
    is_half = getattr(y_pred, "dtype", None) is not None and keras.backend.standardize_dtype(y_pred.dtype) == "float16"
    if is_half and loss.prediction_kind != "logit":
        y_pred = _from_float16(y_pred)
    return cost, _tensor(y_true, computed), _tensor(y_pred, computed)


@ops.custom_gradient
def _from_float16(y_pred):
    """Probabilities in float32, whose slope of up to 1e7 at the clip must not become infinite on its way back.

    A saturated sigmoid multiplies it by its own slope of 0, and 0 * inf is NaN.
    """

    def gradient(*arguments, upstream=None):
        (upstream,) = arguments if upstream is None else (upstream,)
        return ops.cast(ops.clip(upstream, -LARGEST_FLOAT16, LARGEST_FLOAT16), "float16")

    return ops.cast(y_pred, "float32"), gradient


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


def _mean_in_one_pass(cost, spec, reduction, y_true, y_pred, sample_weight):
    """The mean of torch tensors, by the kernel that would compute the elements."""
    shape = tuple(y_pred.shape)
    require_same_shape("y_true", y_true.shape, "y_pred", shape)
    reduced_axes(spec.axis, len(shape))  # refuses an impossible axis
    weight = None
    if sample_weight is not None:
        weight = _tensor(sample_weight, y_pred.dtype)
        weight = weight.reshape(weight_shape(weight.shape, shape))
    loss = cost.args[1]
    return _in_kerass_words(DRIVER.reduced, loss, MEANS[reduction], y_pred, y_true, weight)


def _tensor(values, dtype=None) -> Any:
    if hasattr(values, "row_splits"):  # Keras has no ragged tensors
        return values if dtype is None else _cast(values, dtype)
    return ops.convert_to_tensor(values, dtype)


def _cast(values, dtype):
    if keras.backend.standardize_dtype(values.dtype) == dtype:
        return values
    if hasattr(values, "row_splits"):
        import tensorflow as tf

        return tf.cast(values, dtype)
    return ops.cast(values, dtype)
