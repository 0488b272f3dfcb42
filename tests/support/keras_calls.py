"""What the tests of the Keras door share: numbers, the truth, and gradients on whichever backend Keras runs."""

import keras
import numpy as np
import pytest
from keras import ops
from support.compare import numbers

BACKEND = keras.config.backend()
RNG = np.random.default_rng(0)
on_any_backend = pytest.mark.skipif(BACKEND != "jax", reason="Every backend would show the same: JAX does.")


def value_and_gradient(function, values, dtype="float32"):
    """Return a function's value and its gradient on Keras's backend; of several values, that of their sum."""
    x = ops.convert_to_tensor(values, dtype)
    if BACKEND == "jax":
        import jax

        value, back = jax.vjp(function, x)
        return value, numbers(back(ops.ones_like(value))[0])
    if BACKEND == "torch":
        x = x.detach().clone().requires_grad_()
        value = function(x)
        value.sum().backward()
        return value.detach(), numbers(x.grad)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return value, numbers(tf.convert_to_tensor(tape.gradient(value, x)))


def gradient(function, values, dtype="float32"):
    return value_and_gradient(function, values, dtype)[1]


def softplus(z):
    return np.logaddexp(0, z)


def entropies(y, z):
    """Return the truth: element-wise binary cross-entropy of logits, in float64."""
    y, z = np.asarray(y, float), np.asarray(z, float)
    return y * softplus(-z) + (1 - y) * softplus(z)


def batch(*shape):
    """Labels and logits."""
    return RNG.integers(0, 2, shape).astype("float32"), RNG.normal(0, 3, shape).astype("float32")


def masked(values, mask):
    """Return a tensor with the mask that a layer would leave on it."""
    tensor = ops.convert_to_tensor(values, "float32")
    keras.src.backend.set_keras_mask(tensor, ops.convert_to_tensor(mask))
    return tensor


def table(rows=256):
    """Return a small table that can be learnt."""
    x = RNG.normal(size=(rows, 5)).astype("float32")
    return x, (x @ np.array([2.0, -1.0, 0.5, 0.0, 1.0]) > 0.5).astype("int32")
