"""TensorFlow's operations under the names of `keras.ops`, for `_core/weighted_reduction.py`: no Keras is asked for."""

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
    """A tensor of a dtype, from values of any."""
    return tf.cast(tf.convert_to_tensor(values, dtype_hint=dtype), dtype)


def shape(tensor):
    """The dimensions: numbers, and scalar tensors where only running tells."""
    static = tensor.shape
    if None not in static:
        return tuple(static)
    running = tf.shape(tensor)
    return tuple(running[axis] if one is None else one for axis, one in enumerate(static))
