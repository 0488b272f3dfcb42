"""A loss in JAX that knows its own derivatives, to any order and in every argument.

Derivatives are the formula's own, not those of its spelling: differentiating `maximum(z, 0)` gives -1 or 0 where the
slope at z = 0 is -0.5, and differentiating `where(m == 0, 0, m * cost)` loses the slope in m.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from binxent import _jax_formulas

BESIDE_ZERO = 1e-30


@functools.lru_cache
def derivative(form, reading, epsilon, order):
    """The loss (order 0), its slope (1) or its curvature (2), as a function that knows its own derivatives."""
    formula = (_jax_formulas.derivatives if order else _jax_formulas.values)(reading, *form)

    def spelled_out(x, y, constants):
        return formula(x, y, epsilon, constants)[order]

    def apart(x, y, constants):
        return spelled_out(*jax.tree.map(_set_apart, (x, y, constants))).reshape(x.shape)

    value = jax.custom_jvp(apart if order else spelled_out)

    def by_prediction(x, y, constants):
        if order < 2:
            return derivative(form, reading, epsilon, order + 1)(x, y, constants)
        # From here on the spelling is differentiated. It bends at 0 only, so the answer beside 0 is right at 0 too.
        beside = jnp.where(x == 0, BESIDE_ZERO, x)
        return _differentiate(lambda x: spelled_out(x, y, constants), beside)

    def by_label(x, y, constants):
        if form[0] != "focal":  # the others are linear in the label
            return value(x, jnp.ones_like(y), constants) - value(x, jnp.zeros_like(y), constants)
        rate = functools.partial(_focal_by_label, reading, epsilon, y, constants)
        for _ in range(order):
            rate = functools.partial(_differentiate, rate)
        return rate(x)

    def by_pos_weight(x, y, constants):
        return value(x, jnp.ones_like(y), (y,))  # c y a, where y stands in for c and one for y

    def rule(primals, tangents):
        dx, dy, dconstants = tangents
        parts = [(by_prediction, dx), (by_label, dy)] + ([(by_pos_weight, *dconstants)] if form[0] == "bce" else [])
        # A symbolic zero says that nobody asks: most never differentiate labels, and need not pay for it.
        terms = [rate(*primals) * tangent for rate, tangent in parts if not isinstance(tangent, SymbolicZero)]
        return value(*primals), functools.reduce(jnp.add, terms)

    value.defjvp(rule, symbolic_zeros=True)
    return value


def _set_apart(array):
    """The same array in another shape, for a computation of its own.

    What loss and slope have in common, be it a constant, XLA on a CPU writes to memory at full size and reads twice.
    """
    if not array.ndim:
        return array
    return lax.platform_dependent(array[None], cpu=lax.optimization_barrier, default=lambda array: array)


def _differentiate(function, x):
    return jax.jvp(function, (x,), (jnp.ones_like(x),))[1]


def _focal_by_label(reading, epsilon, y, constants, x):
    """d/dy of (y alpha + (1 - y) beta) u^gamma h, where u = y q + (1 - y) p and h = y a + (1 - y) b."""
    alpha, beta, gamma = constants
    bce = derivative(("bce",), reading, epsilon, 0)
    unweighted = (jnp.ones_like(alpha),)
    # Infinite costs are made finite, as 0 * inf is NaN.
    a, b = (jnp.minimum(bce(x, jnp.full_like(x, label), unweighted), 1e30) for label in (1.0, 0.0))
    p, q = jnp.exp(-a), jnp.exp(-b)
    u, h = y * q + (1 - y) * p, y * a + (1 - y) * b
    certain = u == 0  # then h is 0 too, and so is what u' brings
    share = jnp.where(certain, 0, h / jnp.where(certain, 1, u))
    balance = y * alpha + (1 - y) * beta
    return u**gamma * ((alpha - beta) * h + balance * (gamma * (q - p) * share + a - b))
