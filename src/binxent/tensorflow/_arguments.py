"""Conversion of arguments: array-likes to tensors, and weights of positives to plain numbers or tensors."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from binxent import losses
from binxent._core.options import check_precision, numbers
from binxent._core.refusals import is_masked, refusal

TensorLike: TypeAlias = tf.Tensor | tf.Variable | tf.RaggedTensor | ArrayLike
# A number, or one for each label on the last axis; or a tensor or an array that broadcasts to the predictions.
PosWeight: TypeAlias = tf.Tensor | tf.Variable | ArrayLike | Sequence[tf.Variable] | Mapping[int, float]


def as_tensor(name, values) -> Any:
    """Convert values to a tensor of real numbers.

    Raises:
        TypeError: `values` are not real numbers, or are masked.
    """
    if is_masked(values):
        raise refusal(name, values)
    try:
        tensor = tf.convert_to_tensor(values)
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise refusal(name, values) from error
    if not (tensor.dtype.is_floating or tensor.dtype.is_integer or tensor.dtype.is_bool):
        raise refusal(name, values)
    return tensor


def as_pos_weight(values, predictions) -> Any:
    """Return the weight of positives as constants, a number or a tuple of numbers, or as a floating tensor.

    A tensor in a graph is not checked, unless it is constant: its values are known only when the graph runs.

    Raises:
        TypeError: `values` are not real numbers.
        ValueError: A value is negative or not finite, in its own precision or in that of the predictions.
    """
    if isinstance(values, (list, tuple)) and any(map(_is_tensor, values)):
        values = tf.stack([tf.convert_to_tensor(each, tf.float32) for each in values])
    if not _is_tensor(values):
        weights: Any = values if isinstance(values, Mapping) else numbers("pos_weight", values)
        if np.ndim(weights) < 2:
            return losses.BinaryCrossentropy(pos_weight=weights).pos_weight
        values = tf.constant(weights)
    tensor = as_tensor("pos_weight", values)
    seen: Any = tensor.numpy() if tf.executing_eagerly() else tf.get_static_value(tensor)
    if seen is not None:
        losses.BinaryCrossentropy(pos_weight=np.ravel(seen))  # refuses impossible weights
        check_precision([("pos_weight", seen)], "float64" if predictions.dtype == tf.float64 else "float32")
    return tensor if tensor.dtype.is_floating else tf.cast(tensor, tf.float32)


def _is_tensor(value):
    return tf.is_tensor(value) or hasattr(value, "__tf_tensor__")  # as Keras's variables
