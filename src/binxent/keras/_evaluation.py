"""From the arrays that Keras hands over to a loss, on the backend that Keras runs on."""

import importlib
from typing import Any

import keras
from keras import ops

from binxent import _weighing
from binxent.reduction import standard_reduction

# What runs the formulas for each backend: a module whose `elementwise` takes (spec, predictions, labels).
DRIVERS = {"jax": "binxent.jax", "tensorflow": "binxent.tensorflow", "torch": "binxent.torch"}


def reduced(loss, y_true, y_pred, sample_weight, mask):
    """The reduced value of a `Loss`."""
    y_true, y_pred = _weighing.with_matching_ranks(ops, *_tensors(y_true, y_pred, loss.dtype))
    reduction = standard_reduction(loss.reduction)
    value = _weighing.reduced(ops, elementwise, loss.spec, reduction, y_true, y_pred, sample_weight, mask)
    return ops.cast(value, loss.dtype)


def per_sample(spec, y_true, y_pred):
    """The mean over the axis of a loss, in the dtype of the predictions."""
    dtype = keras.backend.standardize_dtype(_tensor(y_pred).dtype)
    if not keras.backend.is_float_dtype(dtype):
        dtype = keras.config.floatx()
    return ops.cast(_weighing.reduced(ops, elementwise, spec, "none", *_tensors(y_true, y_pred, dtype)), dtype)


def elementwise(spec, y_pred, y_true):
    """The loss of each element."""
    backend = keras.backend.backend()
    if backend not in DRIVERS:
        raise NotImplementedError(
            f"binxent.keras runs on {', '.join(DRIVERS)}; Keras runs on {backend}. Set the environment variable "
            f"KERAS_BACKEND to {' or '.join(DRIVERS)} before Keras is imported."
        )
    return importlib.import_module(DRIVERS[backend]).elementwise(spec, y_pred, y_true)


def _tensor(values, dtype=None) -> Any:
    return ops.convert_to_tensor(values, dtype)


def _tensors(y_true, y_pred, dtype):
    """Labels and predictions for a loss of this dtype: halves are too coarse to compute or to sum in."""
    computed = "float64" if dtype == "float64" else "float32"
    return _tensor(y_true, computed), _tensor(y_pred, computed)
