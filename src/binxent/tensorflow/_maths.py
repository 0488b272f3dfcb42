"""The formulas in TensorFlow's words: as XLA makes one loop of them, as single operations, and to be differentiated."""

from types import SimpleNamespace

import tensorflow as tf

from binxent._core.formulas import define
from binxent._core.polynomials import COST_OF_REST, LOG1P


def _where(condition, a, b):
    """`tf.where` with numbers in the dtype of the tensor beside them."""
    kind = a.dtype if tf.is_tensor(a) else b.dtype if tf.is_tensor(b) else None
    return tf.where(condition, tf.convert_to_tensor(a, kind), tf.convert_to_tensor(b, kind))


def _multiply_no_nan(weight, value):
    return tf.math.multiply_no_nan(value, weight)


def _sigmoids(z):
    return tf.sigmoid(z), tf.sigmoid(-z), tf.math.log1p(tf.exp(-tf.abs(z)))


@tf.custom_gradient
def _log(x):
    """Where the formulas take log(0), nothing moves: below the margin of an asymmetric loss all is flat."""
    return tf.math.log(x), lambda up: tf.math.divide_no_nan(up, x)


def _times_polynomial(table):
    """x times the polynomial of a table: in place of a function of TensorFlow's that XLA does not vectorise."""

    def evaluate(x):
        first, *rest = table[x.dtype.name]
        for coefficient in rest:
            first = first * x + coefficient
        return x * first

    return evaluate


_words = {
    "abs": tf.abs,
    "where": _where,
    "minimum": tf.minimum,
    "maximum": tf.maximum,
    "exp": tf.exp,
    "equal": tf.equal,
    "multiply_no_nan": _multiply_no_nan,
}
FUSED = define(
    SimpleNamespace(
        log=tf.math.log, log1p=_times_polynomial(LOG1P), cost_of_rest=_times_polynomial(COST_OF_REST), **_words
    )
)
WORDS = SimpleNamespace(log=tf.math.log, log1p=tf.math.log1p, **_words)
# Each operation is a pass over memory, and what two of them have in common is another.
SINGLE = define(SimpleNamespace(log=tf.math.log, log1p=tf.math.log1p, sigmoids=_sigmoids, **_words))
DIFFERENTIABLE = define(
    SimpleNamespace(log=_log, log1p=tf.math.log1p, sigmoids=_sigmoids, divide_no_nan=tf.math.divide_no_nan, **_words)
)
