"""One call through every public door: the loss of each sample and its gradient, as the fixture `backend` asks."""

from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from typing import NamedTuple

from support.peers import (
    bx_jax,
    bx_keras,
    bx_tf,
    bx_tf_keras,
    bx_torch,
    by_jax,
    by_keras,
    by_tensorflow,
    by_torch,
    column,
    ops,
    tf,
    torch,
)

import binxent as bx


class Door(NamedTuple):
    """A public door, which takes losses of the family with labels, logits and weights of samples, as NumPy's arrays."""

    name: str
    value_and_grad: Callable  # (loss, y, x[, weight]) -> loss and slope of each sample
    weighs: bool  # whether it takes weights; the others leave them to the caller

    def value(self, *arguments):
        return self.value_and_grad(*arguments)[0]


def in_numpy(loss, y, x, weight=None):
    value, slope = bx.value_and_grad(replace(loss, reduction="none"), column(y), column(x), weight)
    return value, slope[:, 0]


def by_class(module, framework, reshape, loss, y, x, weight=None):
    """Call the class of the same name in a door of Keras's dialect."""
    like = getattr(module, type(loss).__name__)(**changed(loss), reduction="none")
    return framework(lambda z: like(column(y), reshape(z, (-1, 1)), weight), x)


def changed(loss):
    """Return the options that are not the defaults."""
    options = {field.name: getattr(loss, field.name) for field in fields(loss) if field.default is not MISSING}
    return {name: value for name, value in options.items() if value != type(loss).__dataclass_fields__[name].default}


def in_torch(loss, y, x, weight=None):
    if not loss.from_logits or loss.label_smoothing:
        return by_torch(lambda p: bx_torch.pointwise(loss, p, torch.tensor(y)), x)
    function, options = {
        "BinaryCrossentropy": lambda: (bx_torch.binary_cross_entropy_with_logits, {}),
        "BinaryFocalCrossentropy": lambda: (bx_torch.sigmoid_focal_loss, {"alpha": None, "gamma": loss.gamma}),
        "AsymmetricCrossentropy": lambda: (bx_torch.asymmetric_loss, {}),
        "PolyBinaryCrossentropy": lambda: (bx_torch.poly_binary_cross_entropy_with_logits, {}),
    }[type(loss).__name__]()
    weighted = {} if weight is None else {"weight": torch.tensor(weight)}
    return by_torch(lambda z: function(z, torch.tensor(y), reduction="none", **weighted, **options), x)


def in_jax(loss, y, x):
    return by_jax(lambda z: bx_jax.pointwise(loss, z, y), x)


def in_tensorflow(loss, y, x):
    return by_tensorflow(lambda z: bx_tf.pointwise(loss, z, y), x)


def in_keras(*arguments):
    return by_class(bx_keras, by_keras, ops.reshape, *arguments)


def in_tf_keras(*arguments):
    return by_class(bx_tf_keras, by_tensorflow, tf.reshape, *arguments)


DOORS = [
    Door("numpy", in_numpy, True),
    Door("torch", in_torch, True),
    Door("jax", in_jax, False),
    Door("tensorflow", in_tensorflow, False),
    Door("keras", in_keras, True),
    Door("tf_keras", in_tf_keras, True),
]
