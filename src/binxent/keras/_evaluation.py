"""The losses of the arrays that Keras passes to a loss, on the backend that Keras runs on."""

import functools
import math
from typing import Any

import keras
from keras import ops

from binxent import losses
from binxent._core import weighted_reduction
from binxent._core.masking import both
from binxent._core.ranges import renamed
from binxent._core.shapes import reduced_axes, require_same_shape, standard_reduction, weight_shape
from binxent.keras._logit_tracing import logits_behind
from binxent.keras._private import get_keras_mask, scale_loss_for_distribution

BACKEND = keras.backend.backend()  # a process has one
# What runs the formulas: its `elementwise` takes (pointwise loss, predictions, labels). Imported here, as what is
# imported while TensorFlow traces a function is traced, too.
driver: Any = None
on_tensorflow: Any = None
if BACKEND == "jax":
    from binxent.jax import _pointwise as driver
elif BACKEND == "tensorflow":
    from binxent.tensorflow import _pointwise as driver
    from binxent.tensorflow import _weighted_reduction as on_tensorflow
elif BACKEND == "torch":
    from binxent.torch import _pointwise as driver
# The reductions to means, and what torch's door calls them.
MEANS = {"sum_over_batch_size": "mean", "mean": "mean", "mean_with_sample_weight": "weighted_mean"}
LARGEST_FLOAT16 = 65504.0
SAMPLES = losses.BinaryCrossentropy(axis=())  # whose elements are losses per sample already
# What torch's driver, which looks at values where they can be seen, calls the arguments, and what to do about them.
ARGUMENTS = {
    "target": ("y_true", "Map the two classes to 0 and 1, or name the value to leave out as `ignore_label`."),
    "input": ("y_pred", "Logits need from_logits=True."),
}


def reduced_loss(loss, y_true, y_pred, sample_weight, mask) -> Any:
    """The reduced value of a `Loss`."""
    spec, reduction = loss.spec, standard_reduction(loss.reduction)
    cost, y_true, y_pred = _prepared(spec, y_true, y_pred, loss.dtype)
    if on_tensorflow:
        value = on_tensorflow.reduced(cost, spec, reduction, y_true, y_pred, sample_weight, mask)
    else:
        y_true, y_pred = weighted_reduction.with_matching_ranks(ops, y_true, y_pred)
        if BACKEND == "torch" and mask is None and reduction in MEANS and math.prod(y_pred.shape):
            value = _mean_in_one_pass(cost, spec, reduction, y_true, y_pred, sample_weight)
        else:
            value = weighted_reduction.reduced(ops, cost, spec, reduction, y_true, y_pred, sample_weight, mask)
    return _delivered(value, loss, reduction)


def reduced_samples(loss, y_true, y_pred, sample_weight, mask) -> Any:
    """The reduced value of a `Loss` whose losses per sample a subclass computes, in `call` or `fn`.

    As in Keras, weights, masks and the reduction are applied to what `call` returns.
    """
    reduction, computed = standard_reduction(loss.reduction), _computed(loss.dtype)
    y_true, y_pred = (keras.tree.map_structure(lambda one: _tensor(one, computed), one) for one in (y_true, y_pred))
    returned = loss.call(y_true, y_pred)
    mask, samples = both(ops, mask, get_keras_mask(returned)), _tensor(returned, computed)
    for other in (sample_weight, mask):
        if other is not None and samples.shape == ():  # one loss for all samples
            samples: Any = ops.broadcast_to(samples, ops.shape(_tensor(other)))
    reduce = on_tensorflow.reduced if on_tensorflow else functools.partial(weighted_reduction.reduced, ops)
    value = reduce(lambda samples, _: samples, SAMPLES, reduction, samples, samples, sample_weight, mask)
    return _delivered(value, loss, reduction)


def _delivered(value, loss, reduction):
    return _cast(scale_loss_for_distribution(value) if reduction in MEANS else value, loss.dtype)


def sample_losses(spec, y_true, y_pred) -> Any:
    """The mean over the axis of a loss, in the dtype of the predictions."""
    dtype = dtype_of(y_pred)
    cost, y_true, y_pred = _prepared(spec, y_true, y_pred, dtype)
    if on_tensorflow:
        return _cast(on_tensorflow.per_sample(cost, spec, y_true, y_pred), dtype)
    return _cast(weighted_reduction.reduced(ops, cost, spec, "none", y_true, y_pred), dtype)


def dtype_of(y_pred) -> str:
    """The dtype in which a function returns the losses of these predictions."""
    dtype: Any = keras.backend.standardize_dtype(_tensor(y_pred).dtype)
    return dtype if keras.backend.is_float_dtype(dtype) else keras.config.floatx()


def with_matching_ranks(y_true, y_pred) -> tuple[Any, Any]:
    """Labels and predictions as tensors, one of them reshaped where their ranks differ by a last axis of one."""
    y_true, y_pred = _tensor(y_true), _tensor(y_pred)
    if any(getattr(one.shape, "rank", 0) is None or hasattr(one, "row_splits") for one in (y_true, y_pred)):
        return y_true, y_pred  # their ranks are matched when the graph runs
    return weighted_reduction.with_matching_ranks(ops, y_true, y_pred)


def totals(spec, dtype, y_true, y_pred, sample_weight, mask) -> tuple[Any, Any]:
    """The sum of the weighted losses and the sum of the weights, for a metric of this dtype."""
    cost, y_true, y_pred = _prepared(spec, y_true, y_pred, dtype)
    if on_tensorflow:
        return on_tensorflow.totals(cost, spec, y_true, y_pred, sample_weight, mask)
    y_true, y_pred = weighted_reduction.with_matching_ranks(ops, y_true, y_pred)
    return weighted_reduction.totals(ops, cost, spec, y_true, y_pred, sample_weight, mask)


def _prepared(spec, y_true, y_pred, dtype) -> tuple[Any, Any, Any]:
    """A function for the loss of each element, and labels and predictions in the dtype to compute in.

    Predictions are replaced by the logits behind them where these are known and no larger clip is asked for.

    Raises:
        NotImplementedError: Keras runs on another backend.
    """
    if driver is None:
        raise NotImplementedError(
            f"binxent.keras runs on jax, tensorflow and torch; Keras runs on {BACKEND}. Set the environment variable "
            "KERAS_BACKEND to jax or tensorflow or torch before Keras is imported."
        )
    loss, computed = spec.pointwise, _computed(dtype)
    if not spec.from_logits and (spec.epsilon or 0) <= 1e-7:
        logits = logits_behind(y_pred)
        if logits is not None:
            loss, y_pred = loss.read_as("logit"), logits
    cost = functools.partial(_cost, driver.elementwise, loss)
    is_half = getattr(y_pred, "dtype", None) is not None and keras.backend.standardize_dtype(y_pred.dtype) == "float16"
    if is_half and loss.prediction_kind != "logit":
        y_pred = _from_float16(y_pred)
    return cost, _tensor(y_true, computed), _tensor(y_pred, computed)


@ops.custom_gradient
def _from_float16(y_pred):
    """Probabilities in float32, whose slope of up to 1e7 at the clip must not become infinite on its way back.

    The slope of a saturated sigmoid is 0, and 0 * inf is NaN.
    """

    def gradient(*arguments, upstream=None):
        (upstream,) = arguments if upstream is None else (upstream,)
        return ops.cast(ops.clip(upstream, -LARGEST_FLOAT16, LARGEST_FLOAT16), "float16")

    return ops.cast(y_pred, "float32"), gradient


def _cost(function, *arguments):
    """What a function of the driver returns, with errors in the words of this door."""
    try:
        return function(*arguments)
    except (RuntimeError, ValueError) as error:
        if not hasattr(error, "counts"):
            raise
        raise renamed(error, ARGUMENTS) from None


def _mean_in_one_pass(cost, spec, reduction, y_true, y_pred, sample_weight):
    """The mean of torch tensors, by the kernel that would compute the elements."""
    shape = tuple(y_pred.shape)
    require_same_shape("y_true", y_true.shape, "y_pred", shape)
    reduced_axes(spec.axis, len(shape))  # refuses an impossible axis
    weight = None
    if sample_weight is not None:
        weight = _tensor(sample_weight, y_pred.dtype)
        weight = weight.reshape(weight_shape(weight.shape, shape))
    return _cost(driver.reduced, cost.args[1], MEANS[reduction], y_pred, y_true, weight)


def _computed(dtype):
    """The dtype to compute in: halves are too coarse."""
    return "float64" if dtype == "float64" else "float32"


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
