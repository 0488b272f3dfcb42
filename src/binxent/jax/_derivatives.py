"""A loss in JAX with exact derivatives, to any order and in every argument.

Loss, slope and curvature are hand-written, each the derivative of the one before; autodiff of the expressions would be
wrong: at z = 0 it takes -1 or 0 for the slope of `maximum(z, 0) - z` where -0.5 is right, and it loses the slope of
`where(w == 0, 0, w * cost)` in w.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from binxent._core.formulas import HUGE, LINEAR, NEAR_ZERO, in_label, unweighted_bce
from binxent._core.masking import smooth
from binxent.jax import _maths


@functools.lru_cache
def derivative(formula_key, prediction_kind, epsilon, smoothing, order):
    """Return the loss (order 0), its slope (1) or its curvature (2), as a function with a derivative by hand."""
    formula = (_maths.derivatives if order else _maths.values)(prediction_kind, *formula_key)
    build = formula_key[0]

    def formula_value(x, y, constants):
        # A result that is a constant, as a curvature of 0, has no shape of its own.
        return jnp.broadcast_to(
            jnp.asarray(formula(x, smooth(smoothing, y), epsilon, constants)[order], x.dtype), x.shape
        )

    def apart(x, y, constants):
        return formula_value(*jax.tree.map(_set_apart, (x, y, constants))).reshape(x.shape)

    value = jax.custom_jvp(apart if order else formula_value)

    def by_prediction(x, y, constants):
        if order < 2:
            return derivative(formula_key, prediction_kind, epsilon, smoothing, order + 1)(x, y, constants)
        # Third and higher derivatives use autodiff. max(z, 0) has its only kink at 0, so z = 0 is evaluated at 1e-30.
        return _differentiate(lambda x: formula_value(x, y, constants), jnp.where(x == 0, NEAR_ZERO, x))

    def by_label(x, y, constants):
        if in_label(build) is LINEAR:
            return (1 - smoothing) * (plain(x, jnp.ones_like(y), constants) - plain(x, jnp.zeros_like(y), constants))

        def of_label(a, b, y):
            return in_label(build)(_maths.in_label, a, b, smooth(smoothing, y)[0], constants)

        return through_costs(lambda a, b: _differentiate(functools.partial(of_label, a, b), y), x)

    def by_constant(k, x, y, constants):
        smoothed, _ = smooth(smoothing, y)
        if in_label(build) is not LINEAR:

            def in_constant(a, b, constant):
                return in_label(build)(_maths.in_label, a, b, smoothed, (*constants[:k], constant, *constants[k + 1 :]))

            return through_costs(lambda a, b: _differentiate(functools.partial(in_constant, a, b), constants[k]), x)
        if build.constant_names[k] == "pos_weight":
            # c y a: y takes the place of c.
            return plain(x, jnp.ones_like(y), (*constants[:k], smoothed, *constants[k + 1 :]))
        return _differentiate(lambda c: formula_value(x, y, (*constants[:k], c, *constants[k + 1 :])), constants[k])

    def through_costs(rate, x):
        """Return a rate, a function of the costs, differentiated `order` times in the prediction."""

        def of_prediction(x):
            return rate(*(finite_cost(prediction_kind, epsilon, label)(x) for label in (1.0, 0.0)))

        for _ in range(order):
            of_prediction = functools.partial(_differentiate, of_prediction)
        return of_prediction(x)

    def rule(primals, tangents):
        dx, dy, dconstants = tangents
        by_constants = (functools.partial(by_constant, k) for k in range(len(dconstants)))
        parts = [(by_prediction, dx), (by_label, dy), *zip(by_constants, dconstants, strict=True)]
        # Most calls do not differentiate labels, whose tangent is then a symbolic zero and costs nothing.
        terms = [rate(*primals) * tangent for rate, tangent in parts if not isinstance(tangent, SymbolicZero)]
        return value(*primals), functools.reduce(jnp.add, terms)

    value.defjvp(rule, symbolic_zeros=True)
    plain = derivative(formula_key, prediction_kind, epsilon, 0.0, order) if smoothing else value
    return value


@functools.lru_cache
def finite_cost(prediction_kind, epsilon, label):
    """Return the cost of a label as a function of the prediction; it and its slope are finite: 0 * inf is NaN."""

    def bce(x, order):
        value = derivative((unweighted_bce,), prediction_kind, epsilon, 0.0, order)(x, jnp.full_like(x, label), ())
        return jnp.clip(value, -HUGE, HUGE)

    cost = jax.custom_jvp(functools.partial(bce, order=0))
    cost.defjvp(lambda primals, tangents: (cost(*primals), bce(primals[0], 1) * tangents[0]))
    return cost


def _set_apart(array):
    """Give the array another shape, so that XLA does not share work between loss and slope.

    On a CPU, XLA would write shared values, even constants, to memory at full size, and read them twice.
    """
    if not array.ndim:
        return array
    return lax.platform_dependent(array[None], cpu=lax.optimization_barrier, default=lambda array: array)


def _differentiate(function, x):
    return jax.jvp(function, (x,), (jnp.ones_like(x),))[1]
