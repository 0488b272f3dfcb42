"""The formulas over TensorFlow, for each dtype to compute in and in three variants.

`fused` is for XLA, which makes one loop of all operations; `single` for operations that run one by one, each a pass
over memory, so that a shared intermediate result costs a pass, too; `differentiable` for autodiff.
"""

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

from binxent._core.formulas import build_formulas
from binxent._core.polynomials import COST_OF_REST, LOG1P


def maths_of(dtype, **others) -> Any:
    """Return the maths module for a dtype, with other functions in place of TensorFlow's or beside them."""

    def of_two(function):
        """Return the function of two values in the dtype, which would be float32 where neither is a tensor."""
        return lambda a, b: function(tf.convert_to_tensor(a, dtype), tf.convert_to_tensor(b, dtype))

    functions = {
        "abs": tf.abs,
        "where": lambda condition, a, b: of_two(functools.partial(tf.where, condition))(a, b),
        "minimum": of_two(tf.minimum),
        "maximum": of_two(tf.maximum),
        "exp": tf.exp,
        "log": tf.math.log,
        "log1p": tf.math.log1p,
        "equal": tf.equal,
        "in_float64": lambda x: dtype == tf.float64,
        "multiply_no_nan": of_two(lambda weight, value: tf.math.multiply_no_nan(value, weight)),
    }
    return SimpleNamespace(**functions | others)


@functools.cache
def fused(dtype):
    """Return the formulas for XLA."""
    return build_formulas(maths_of(dtype, log1p=_times_polynomial(LOG1P), cost_of_rest=_times_polynomial(COST_OF_REST)))


@functools.cache
def single(dtype):
    """Return the formulas as single operations."""
    return build_formulas(maths_of(dtype, sigmoids=_sigmoids))


@functools.cache
def differentiable(dtype):
    """Return the formulas to be differentiated."""
    return build_formulas(maths_of(dtype, log=_log, sigmoids=_sigmoids, divide_no_nan=tf.math.divide_no_nan))


def _sigmoids(z):
    return tf.sigmoid(z), tf.sigmoid(-z), tf.math.log1p(tf.exp(-tf.abs(z)))


@tf.custom_gradient
def _log(x):
    """Return the logarithm, with a slope of 0 at 0: the formulas take log(0) only where an asymmetric loss is flat."""
    return tf.math.log(x), lambda up: tf.math.divide_no_nan(up, x)


def power_times(u, gamma, h):
    """Compute u^gamma h without leaving the range of the dtype on the way.

    The result is finite, also times any cost up to `HUGE`, because 0 * inf is NaN.
    """
    kind = np.finfo(u.dtype.as_numpy_dtype)
    root = tf.exp(gamma / 2 * tf.math.log(tf.maximum(u, kind.tiny)))
    most = tf.where(u < kind.tiny, kind.max**0.25, kind.max**0.9)
    return tf.minimum(root * h * root, tf.cast(most, u.dtype))


def _times_polynomial(table):
    """Return the function x times the polynomial of a table: XLA does not vectorise TensorFlow's own function."""

    def evaluate(x):
        first, *rest = table[x.dtype.name]
        for coefficient in rest:
            first = first * x + coefficient
        return x * first

    return evaluate
