"""A loss in JAX that knows its own derivatives, to any order and in every argument.

Derivatives are the formula's own, not those of its spelling: differentiating `maximum(z, 0)` gives -1 or 0 where the
slope at z = 0 is -0.5, and differentiating `where(m == 0, 0, m * cost)` loses the slope in m.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from binxent.jax import _maths

BESIDE_ZERO = 1e-30


@functools.lru_cache
def derivative(form, reading, epsilon, order):
    """The loss (order 0), its slope (1) or its curvature (2), as a function that knows its own derivatives."""
    formula = (_maths.derivatives if order else _maths.values)(reading, *form)

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
        if form[0] == "focal":
            return differentiated(_focal_by_label, x, y, constants)
        return value(x, jnp.ones_like(y), constants) - value(x, jnp.zeros_like(y), constants)  # it is linear

    def by_pos_weight(x, y, constants):
        return value(x, jnp.ones_like(y), (y,))  # c y a, where y stands in for c and one for y

    def by_alpha(x, y, constants):
        alpha, beta, gamma = constants
        return value(x, y, (jnp.ones_like(alpha), jnp.zeros_like(beta), gamma))

    def by_beta(x, y, constants):
        alpha, beta, gamma = constants
        return value(x, y, (jnp.zeros_like(alpha), jnp.ones_like(beta), gamma))

    def by_gamma(x, y, constants):
        return differentiated(_focal_by_gamma, x, y, constants)

    def differentiated(rate, x, y, constants):
        rate = functools.partial(rate, reading, epsilon, y, constants)
        for _ in range(order):
            rate = functools.partial(_differentiate, rate)
        return rate(x)

    by_constants = {"bce": (by_pos_weight,), "focal": (by_alpha, by_beta, by_gamma)}.get(form[0], ())

    def rule(primals, tangents):
        dx, dy, dconstants = tangents
        parts = [(by_prediction, dx), (by_label, dy), *zip(by_constants, dconstants, strict=False)]
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
    a, b, u, h, balance = _focal_terms(reading, epsilon, y, constants, x)
    certain = u == 0  # then h is 0 too, and so is what u' brings
    share = jnp.where(certain, 0, h / jnp.where(certain, 1, u))
    return u**gamma * ((alpha - beta) * h + balance * (gamma * (jnp.exp(-b) - jnp.exp(-a)) * share + a - b))


def _focal_by_gamma(reading, epsilon, y, constants, x):
    """d/dgamma of the same."""
    _, _, u, h, balance = _focal_terms(reading, epsilon, y, constants, x)
    return balance * u ** constants[2] * h * jnp.log(jnp.where(u == 0, 1, u))


def _focal_terms(reading, epsilon, y, constants, x):
    alpha, beta, _ = constants
    bce = derivative(("unweighted_bce",), reading, epsilon, 0)
    # Infinite costs are made finite, as 0 * inf is NaN.
    a, b = (jnp.minimum(bce(x, jnp.full_like(x, label), ()), 1e30) for label in (1.0, 0.0))
    u, h = y * jnp.exp(-b) + (1 - y) * jnp.exp(-a), y * a + (1 - y) * b
    return a, b, u, h, y * alpha + (1 - y) * beta
