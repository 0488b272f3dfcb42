"""Other libraries beside binxent: frameworks that are imported when a test first needs them, and losses to compare."""

import importlib

import numpy as np

import binxent as bx


class Lazily:
    """A module that is imported when something in it is first asked for."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, attribute):
        if attribute.startswith("__"):  # pytest looks at everything for its own marks, and must not import frameworks
            raise AttributeError(attribute)
        return getattr(importlib.import_module(self._name), attribute)


jax, jnp, optax = map(Lazily, ("jax", "jax.numpy", "optax"))
torch, F = map(Lazily, ("torch", "torch.nn.functional"))
tf, tf_keras = map(Lazily, ("tensorflow", "tf_keras"))
keras, ops = map(Lazily, ("keras", "keras.ops"))
bx_jax, bx_torch, bx_tf = map(Lazily, ("binxent.jax", "binxent.torch", "binxent.tensorflow"))
bx_keras, bx_tf_keras = map(Lazily, ("binxent.keras", "binxent.tf_keras"))


def column(values):
    return np.reshape(np.array(values, "float32"), (-1, 1))


# A loss, and the gradient of its sum, by a framework that is given the loss as a function of predictions.


def by_jax(loss, x, dtype="float32"):
    value, pull = jax.vjp(loss, jnp.asarray(x, dtype))
    return np.asarray(value, float), np.asarray(pull(jnp.ones_like(value))[0], float)


def by_torch(loss, x, dtype="float32"):
    x = torch.tensor(x, dtype=getattr(torch, dtype), requires_grad=True)
    value = loss(x)
    value.sum().backward()
    return value.detach().double().numpy(), x.grad.double().numpy()


def by_tensorflow(loss, x, dtype="float32"):
    x = tf.Variable(x, dtype=dtype)
    with tf.GradientTape() as tape:
        value = loss(x)
    return np.asarray(value, float), np.asarray(tape.gradient(value, x), float)


def by_keras(loss, x, dtype="float32"):
    """On the backend that Keras runs on."""
    return {"jax": by_jax, "torch": by_torch, "tensorflow": by_tensorflow}[keras.backend.backend()](loss, x, dtype)


# The same in one array: the sum of the loss, then the slope at each prediction.


def flat(loss, slope):
    return np.append(np.sum(loss, dtype=float), slope)


def in_jax(*arguments):
    return flat(*by_jax(*arguments))


def in_torch(*arguments):
    return flat(*by_torch(*arguments))


def in_tensorflow(*arguments):
    return flat(*by_tensorflow(*arguments))


def in_keras(*arguments):
    return flat(*by_keras(*arguments))


# Losses with their labels, as functions of the predictions alone.


def of_numpy(loss, x, y, weight=None):
    """NumPy differentiates nothing by itself, so here the predictions come along."""
    value, slope = bx.value_and_grad(loss, column(y), column(x), weight)
    return flat(value, slope)


def of_tensorflow(function, y, **options):
    return lambda z: function(labels=tf.constant(y, z.dtype), logits=z, **options)


def of_optax(function, y, **options):
    return lambda z: function(z, jnp.asarray(y, z.dtype), **options)


def of_torch(function, y, weight=None, **options):
    weighted = {} if weight is None else {"weight": torch.tensor(weight)}
    return lambda z: function(z, torch.tensor(y, dtype=z.dtype), reduction="none", **weighted, **options)


def of_keras(module, kind, y, weight=None, mask=None, **options):
    """Return a loss of Keras or in its dialect, summed over samples of one prediction."""

    def loss(z):
        z = ops.reshape(z, (-1, 1))
        if mask is not None:
            keras.src.backend.set_keras_mask(z, ops.convert_to_tensor(column(mask) != 0))
        return getattr(module, kind)(**{"reduction": "sum"} | options)(column(y), z, weight)

    return loss


def of_tf_keras(module, kind, y, weight=None, **options):
    options = {"reduction": "sum"} | options
    return lambda z: getattr(module, kind)(**options)(column(y), tf.reshape(z, (-1, 1)), weight)


# What others have published, where it is not installed for the tests.


def published_focal(inputs, targets, gamma, reduction="none"):
    """Compute the formula of fvcore's and torchvision's `sigmoid_focal_loss`."""
    p, costs = torch.sigmoid(inputs), F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    loss = costs * (1 - (p * targets + (1 - p) * (1 - targets))) ** gamma
    return {"mean": loss.mean, "sum": loss.sum}.get(reduction, lambda: loss)()


def published_soft_bce(inputs, targets, ignore_index):
    """Compute the mean of segmentation_models_pytorch's `SoftBCEWithLogitsLoss`."""
    return (F.binary_cross_entropy_with_logits(inputs, targets, reduction="none") * (targets != ignore_index)).mean()
