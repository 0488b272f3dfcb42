"""The formulas on jax.numpy, in two variants: `values`, which XLA on a CPU fuses into the sum, and `derivatives`.

On a CPU, XLA computes and sums a loss in one parallel pass, many times faster than otherwise, unless it contains a
`where` or a clip, and it turns the `minimum` of a `maximum` into a clip. So `values` does without these. In that pass
`minimum` and `maximum` drop a NaN in their first argument, so another term of the sum must carry it. `derivatives` is
safe to differentiate. `in_label` is the maths module of a loss as a function of its label.
"""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp

from binxent._core.formulas import build_formulas


@jax.custom_jvp
def _log(x):
    return jnp.log(x)


@_log.defjvp
def _log_rule(primals, tangents):
    """Return the logarithm and its tangent, 0 at 0: log(0) occurs only where an asymmetric loss is flat."""
    (x,), (dx,) = primals, tangents
    return jnp.log(x), jnp.where(x == 0, 0, dx / x)


@jax.custom_jvp
def _power_times(u, gamma, h):
    """Compute u^gamma h; autodiff's factors 1 / u and 1 / u^2 would leave the range of the dtype.

    The result is finite, also times any cost up to `HUGE`, because 0 * inf is NaN.
    """
    root, kind = jnp.exp(gamma / 2 * _log_of_normal(u)), jnp.finfo(u.dtype)
    most = jnp.where(u < kind.tiny, float(kind.max) ** 0.25, float(kind.max) ** 0.9).astype(u.dtype)
    return jnp.minimum(root * h * root, most)


@_power_times.defjvp
def _power_times_rule(primals, tangents):
    (u, gamma, h), (du, dgamma, dh) = primals, tangents
    value = _power_times(u, gamma, h)
    by_power = gamma * _power_times(u, gamma - 1, h)
    return value, by_power * du + value * _log_of_normal(u) * dgamma + _power_times(u, gamma, jnp.ones_like(h)) * dh


def _log_of_normal(u):
    return jnp.log(jnp.maximum(u, jnp.finfo(u.dtype).tiny))


MATHS = {
    "abs": jnp.abs,
    "where": jnp.where,
    "minimum": jnp.minimum,
    "maximum": jnp.maximum,
    "exp": jnp.exp,
    "log": _log,
    "log1p": jnp.log1p,
}


def _finite(x):
    return jnp.minimum(x, jnp.finfo(x.dtype).max)


def _to_infinity(share, beyond):
    """Add the part of an infinite cost beyond the largest number, with the sign of the share, unless the share is 0."""
    return share + jnp.maximum(jnp.minimum(share * jnp.finfo(share.dtype).max, beyond), -beyond)


def _multiply_cost_no_nan(weight, cost):
    finite = _finite(cost)
    return _to_infinity(weight * finite, cost - finite)


def _multiply_positive(factor, value):
    finite = _finite(value)
    return factor * finite + (value - finite)


def _linear_part(z, positive, negative):
    size = jnp.abs(z)
    finite = _finite(size)
    upper = jnp.minimum(jnp.maximum(z, 0), finite)
    return _to_infinity(positive * (finite - upper) + negative * upper, size - finite)


def _sigmoids(z):
    return jax.nn.sigmoid(z), jax.nn.sigmoid(-z), jnp.log1p(jnp.exp(-jnp.abs(z)))


def _clipped(x, low, high):
    """Clip without a `minimum` of a `maximum`; the sign of NaN is NaN, and keeps it."""
    return jnp.maximum(-jnp.maximum(-x, -high), low) + 0 * jnp.sign(x)


def _costs(p, q):
    return -jnp.log(p), -jnp.log1p(-p)


def _beyond_margin(p, q, margin):
    """Compute the cost up to u = 1/2 from u, and the rest from q + margin, which has the digits that 1 - u has lost."""
    u, rest = jnp.maximum(p - margin, 0), q + margin
    return u, rest, jnp.minimum(-jnp.log1p(-u), math.log(2)) - jnp.log(jnp.minimum(2 * rest, 1))


def _minus_log_error_probability(u, y, minus_log_p, minus_log_q):
    """Compute -log u for any label, infinite at u = 0, where the loss is 0, and for a label just outside [0, 1]."""
    u = jnp.maximum(u, 0)
    of_u = -jnp.log(u)
    return of_u, (jnp.exp(-of_u) - u) / jnp.maximum(u, 2.0**-1022) if u.dtype == jnp.float64 else 0


in_label = SimpleNamespace(**MATHS, power_times=_power_times)
derivatives = build_formulas(SimpleNamespace(**MATHS))
values = build_formulas(
    SimpleNamespace(
        **MATHS,
        multiply_cost_no_nan=_multiply_cost_no_nan,
        multiply_positive=_multiply_positive,
        linear_part=_linear_part,
        sigmoids=_sigmoids,
        clipped=_clipped,
        costs=_costs,
        beyond_margin=_beyond_margin,
        minus_log_error_probability=_minus_log_error_probability,
    )
)
