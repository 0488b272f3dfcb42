"""The losses of the arrays that Keras passes to a loss, on the backend that Keras runs on."""

import functools
import math
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from binxent._core import weighted_reduction
from binxent._core.array_likes import ABOUT_LABELS, read_all_foreign, without_mask
from binxent._core.masking import before_rounding
from binxent._core.options import check_precision
from binxent._core.ranges import renamed
from binxent._core.sample_weights import fitted
from binxent._core.shapes import resolve, standard_reduction
from binxent.keras._logit_tracing import logits_behind
from binxent.keras._private import get_keras_mask, scale_loss_for_distribution

BACKEND = keras.backend.backend()  # a process has one
# The module that runs the formulas: its `elementwise` takes (pointwise loss, predictions, labels). It is imported here,
# because an import while TensorFlow traces a function would be traced, too.
driver: Any = None
on_tensorflow: Any = None
if BACKEND == "jax":
    from binxent.jax import _pointwise as driver
elif BACKEND == "tensorflow":
    from binxent.tensorflow import _pointwise as driver
    from binxent.tensorflow import _weighted_reduction as on_tensorflow
elif BACKEND == "torch":
    from binxent.torch import _pointwise as driver
# The reductions to means, and their names in torch's door.
MEANS = {"sum_over_batch_size": "mean", "mean": "mean", "mean_with_sample_weight": "weighted_mean"}
LARGEST_FLOAT16 = 65504.0
# The names of the arguments in this door by those of torch's driver, which checks values; and advice.
ARGUMENTS = {
    "target": ("y_true", ABOUT_LABELS),
    "input": ("y_pred", "Logits need from_logits=True."),
}


def reduced_loss(keras_loss, y_true, y_pred, sample_weight) -> Any:
    """Compute the reduced value of a `Loss`."""
    loss, reduction = keras_loss.spec, standard_reduction(keras_loss.reduction)
    layer_mask = get_keras_mask(y_pred)
    (y_true, y_pred, sample_weight), masks = read_all_foreign(y_true=y_true, y_pred=y_pred, sample_weight=sample_weight)
    masks += [] if layer_mask is None else [layer_mask]
    sample_weight, factor = _fitted(sample_weight, keras_loss.dtype, reduction)
    loss, pointwise, y_true, y_pred, ignored = _prepared(loss, y_true, y_pred, keras_loss.dtype)
    masks += ignored
    if on_tensorflow:
        elements = weighted_reduction.weighed(ops, _elements(pointwise), factor)
        value = on_tensorflow.weighted_loss(elements, loss, reduction, y_true, y_pred, sample_weight, masks)
    else:
        y_true, y_pred = weighted_reduction.with_matching_ranks(ops, y_true, y_pred)
        if BACKEND == "torch" and not masks and factor is None and reduction in MEANS and math.prod(y_pred.shape):
            value = _mean_in_one_pass(pointwise, loss.axis, reduction, y_true, y_pred, sample_weight)
        else:
            value = weighted_reduction.weighted_loss(
                ops, weighted_reduction.weighed(ops, _elements(pointwise), factor),
                loss, reduction, y_true, y_pred, sample_weight, masks,
            )  # fmt: skip
    return _delivered(value, keras_loss, reduction)


def reduced_samples(keras_loss, y_true, y_pred, sample_weight) -> Any:
    """Compute the reduced value of a `Loss` whose losses per sample a subclass computes, in `call` or `fn`.

    As in Keras, weights, masks and the reduction are applied to what `call` returns.
    """
    reduction, dtype = standard_reduction(keras_loss.reduction), _computed(keras_loss.dtype)
    (sample_weight,), masks = read_all_foreign(sample_weight=sample_weight)
    sample_weight, factor = _fitted(sample_weight, keras_loss.dtype, reduction)
    layer_mask = get_keras_mask(y_pred)
    y_true = keras.tree.map_structure(lambda each: _tensor(without_mask("y_true", each), dtype), y_true)
    y_pred = keras.tree.map_structure(lambda each: _tensor(without_mask("y_pred", each), dtype), y_pred)
    returned = keras_loss.call(y_true, y_pred)
    masks += [mask for mask in (layer_mask, get_keras_mask(returned)) if mask is not None]
    reduce = on_tensorflow.weighted_loss if on_tensorflow else functools.partial(weighted_reduction.weighted_loss, ops)
    samples = _tensor(returned, dtype)
    value = weighted_reduction.weighted_samples(ops, reduce, reduction, samples, sample_weight, masks, factor)
    return _delivered(value, keras_loss, reduction)


def _fitted(sample_weight, dtype, reduction):
    return fitted(sample_weight, _computed(dtype), reduction == "mean_with_sample_weight")


def _delivered(value, keras_loss, reduction):
    return _cast(scale_loss_for_distribution(value) if reduction in MEANS else value, keras_loss.dtype)


def sample_losses(loss, y_true, y_pred, may_lack_last=False) -> Any:
    """Compute the mean over the axis of a loss, in the dtype of the predictions.

    Args:
        loss: A loss of `binxent.losses`.
        y_true: Labels.
        y_pred: Predictions.
        may_lack_last: Whether their ranks may differ by a last axis of one.
    """
    (y_true, y_pred), masks = read_all_foreign(y_true=y_true, y_pred=y_pred)
    if may_lack_last:
        y_true, y_pred = _matched(y_true, y_pred)
    dtype = dtype_of(y_pred)
    loss, pointwise, y_true, y_pred, ignored = _prepared(loss, y_true, y_pred, dtype)
    masks += ignored
    if on_tensorflow:
        return _cast(on_tensorflow.sample_losses(_elements(pointwise), loss, y_true, y_pred, masks), dtype)
    value = weighted_reduction.weighted_loss(ops, _elements(pointwise), loss, "none", y_true, y_pred, masks=masks)
    return _cast(value, dtype)


def totals(loss, dtype, y_true, y_pred, sample_weight) -> tuple[Any, Any]:
    """Compute the sum of the weighted losses and the sum of the weights, for a metric of this dtype."""
    layer_mask = get_keras_mask(y_pred)
    (y_true, y_pred, sample_weight), masks = read_all_foreign(y_true=y_true, y_pred=y_pred, sample_weight=sample_weight)
    masks += [] if layer_mask is None else [layer_mask]
    if isinstance(sample_weight, np.ndarray):
        check_precision([("sample_weight", sample_weight)], _computed(dtype))
    loss, pointwise, y_true, y_pred, ignored = _prepared(loss, y_true, y_pred, dtype)
    masks += ignored
    if on_tensorflow:
        return on_tensorflow.totals(_elements(pointwise), loss, y_true, y_pred, sample_weight, masks)
    y_true, y_pred = weighted_reduction.with_matching_ranks(ops, y_true, y_pred)
    return weighted_reduction.totals(ops, _elements(pointwise), loss, y_true, y_pred, sample_weight, masks)


def dtype_of(y_pred) -> str:
    """Return the dtype in which a function returns the losses of these predictions."""
    dtype: Any = keras.backend.standardize_dtype(_tensor(y_pred).dtype)
    return dtype if keras.backend.is_float_dtype(dtype) else keras.config.floatx()


def with_matching_ranks(y_true, y_pred) -> tuple[Any, Any]:
    """Convert labels and predictions to tensors, and reshape one if their ranks differ by a last axis of one."""
    return _matched(without_mask("y_true", y_true), without_mask("y_pred", y_pred))


def _matched(y_true, y_pred):
    y_true, y_pred = _tensor(y_true), _tensor(y_pred)
    if any(getattr(each.shape, "rank", 0) is None or hasattr(each, "row_splits") for each in (y_true, y_pred)):
        return y_true, y_pred  # their ranks are matched when the graph runs
    return weighted_reduction.with_matching_ranks(ops, y_true, y_pred)


def _prepared(loss, y_true, y_pred, dtype) -> tuple[Any, Any, Any, Any, list[Any]]:
    """Return a loss, its element part, labels and predictions in the dtype to compute in, and masks of labels.

    Predictions are replaced by the logits behind them where these are known and no larger clip is asked for.

    Raises:
        NotImplementedError: Keras runs on another backend.
    """
    if driver is None:
        raise NotImplementedError(
            f"binxent.keras runs on jax, tensorflow and torch; Keras runs on {BACKEND}. Set the environment variable "
            "KERAS_BACKEND to jax or tensorflow or torch before Keras is imported."
        )
    pointwise, computed = loss.pointwise, _computed(dtype)
    if not loss.from_logits and (loss.epsilon or 0) <= 1e-7:
        logits = logits_behind(y_pred)
        if logits is not None:
            pointwise, y_pred = pointwise.read_as("logit"), logits
    is_half = getattr(y_pred, "dtype", None) is not None and keras.backend.standardize_dtype(y_pred.dtype) == "float16"
    if is_half and pointwise.prediction_kind != "logit":
        y_pred = _from_float16(y_pred)
    given, (loss, ignored) = loss, before_rounding(ops, loss, y_true, computed)
    if loss is not given:
        pointwise = replace(pointwise, ignore_label=None)
    # The driver of torch checks the range of labels, and must see them before they are rounded.
    is_wide = BACKEND == "torch" and str(getattr(y_true, "dtype", "")).endswith("float64")
    return loss, pointwise, _tensor(y_true, "float64" if is_wide else computed), _tensor(y_pred, computed), ignored


def _elements(pointwise):
    """Return the function of (predictions, labels) that computes the loss of each element."""
    return functools.partial(_run, driver.elementwise, pointwise)


@ops.custom_gradient
def _from_float16(y_pred):
    """Convert probabilities to float32: the slope of up to 1e7 at the clip must not become infinite on its way back.

    The slope of a saturated sigmoid is 0, and 0 * inf is NaN.
    """

    def gradient(*arguments, upstream=None):
        (upstream,) = arguments if upstream is None else (upstream,)
        return ops.cast(ops.clip(upstream, -LARGEST_FLOAT16, LARGEST_FLOAT16), "float16")

    return ops.cast(y_pred, "float32"), gradient


def _run(function, *arguments):
    """Run a function of the driver, with the argument names of this door in errors."""
    try:
        return function(*arguments)
    except (RuntimeError, ValueError) as error:
        if not hasattr(error, "counts"):
            raise
        raise renamed(error, ARGUMENTS) from None


def _mean_in_one_pass(pointwise, axis, reduction, y_true, y_pred, sample_weight):
    """Compute the mean of torch tensors in the pass over memory that computes the elements."""
    weight = None if sample_weight is None else _tensor(sample_weight, y_pred.dtype)
    weight_shape = None if weight is None else weight.shape
    shapes = resolve(y_true.shape, y_pred.shape, axis, weight_shape, may_lack_last=False)
    weight = None if weight is None else weight.reshape(shapes.weight)
    return _run(driver.reduced, pointwise, MEANS[reduction], y_pred, y_true, weight)


def _computed(dtype):
    """Return the dtype to compute in: halves are too coarse."""
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
