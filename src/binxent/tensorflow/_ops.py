"""TensorFlow's operations under the names of `keras.ops`, for `_core/weighted_reduction.py`: without Keras."""

import tensorflow as tf

broadcast_to = tf.broadcast_to
cast = tf.cast
divide_no_nan = tf.math.divide_no_nan
isnan = tf.math.is_nan
logical_and = tf.logical_and
logical_not = tf.logical_not
not_equal = tf.not_equal
reshape = tf.reshape
sum = tf.reduce_sum
where = tf.where


def convert_to_tensor(values, dtype):
    """Convert values of any dtype to a tensor of a dtype."""
    return tf.cast(tf.convert_to_tensor(values, dtype_hint=dtype), dtype)


def shape(tensor):
    """Return the dimensions: numbers, and scalar tensors where they are known only when a graph runs."""
    static = tensor.shape
    if None not in static:
        return tuple(static)
    running = tf.shape(tensor)
    return tuple(running[axis] if extent is None else extent for axis, extent in enumerate(static))
