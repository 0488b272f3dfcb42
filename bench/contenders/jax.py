"""Contenders on JAX arrays, compiled by XLA: binxent, optax, Keras, and the formula as it is often written."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.cases import ELEMENTS, GRADIENT, LOSSES, SAMPLES, VALUE, Case
from bench.contenders.contender import Contender


class Optax(Contender):
    """optax on JAX, compiled by XLA."""

    name, doors = "optax, jit", ("numpy", "jax")

    def function(self, case: Case) -> Callable[..., Any] | None:
        """Return the function of (logits, labels) for losses per element."""
        import optax

        if case.space != "logits":
            return None
        if case.loss == "bce":
            return optax.sigmoid_binary_cross_entropy
        if case.loss.startswith("focal"):
            return partial(optax.sigmoid_focal_loss, **LOSSES[case.loss].options)
        return None

    def prepare(self, case, y_true, y_pred):
        import jax
        from jax import numpy as jnp

        function = self.function(case)
        if function is None or case.dtype != case.labels or case.dtype == "float64":
            return None
        y, z = jnp.asarray(y_true), jnp.asarray(y_pred)

        def mean(z, y):
            return function(z, y).mean()

        def elements(z, y):
            return function(z, y), jax.grad(lambda z: function(z, y).sum())(z)

        wanted = {VALUE: mean, GRADIENT: jax.value_and_grad(mean), SAMPLES: function, ELEMENTS: elements}
        compiled = jax.jit(wanted[case.want])
        return lambda: jax.block_until_ready(compiled(z, y))


class Keras(Optax):
    """Keras on JAX, compiled by XLA."""

    name = "Keras on JAX, jit"

    def function(self, case):
        os.environ.setdefault("KERAS_BACKEND", "jax")
        from keras import losses, ops

        loss = LOSSES[case.loss]
        function = getattr(losses, loss.function, None)
        if function is None:
            return None
        from_logits = case.space == "logits"
        return lambda z, y: function(
            ops.expand_dims(y, -1), ops.expand_dims(z, -1), from_logits=from_logits, **loss.options
        )


class BinxentJax(Optax):
    """The JAX door, compiled by XLA."""

    name, doors = "binxent.jax", ("jax",)

    def function(self, case):
        from binxent import jax as door

        if case.loss == "focal":
            return partial(door.sigmoid_focal_loss, **LOSSES[case.loss].options)
        return door.sigmoid_binary_cross_entropy if case.space == "logits" else door.binary_cross_entropy


class PlainFormula(Optax):
    """The formula that many write themselves, in the form that XLA compiles best; its slope at 0 is wrong."""

    name, doors = "plain formula, jit", ("jax",)

    def function(self, case):
        from jax import numpy as jnp

        if (case.loss, case.space) != ("bce", "logits"):
            return None
        return lambda z, y: jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-abs(z)))


class Doubled(Contender):
    """The smallest cost of a compiled function with a result as large as its argument: `a * 2`."""

    name, doors, computes = "a * 2, jit", ("jax",), False

    def prepare(self, case, y_true, y_pred):
        import jax
        from jax import numpy as jnp

        double, a = jax.jit(lambda a: a * 2), jnp.asarray(y_pred)
        return lambda: jax.block_until_ready(double(a))
