"""The formulas in the words of JAX: twice, as what XLA differentiates well is not what it adds up fast.

On a CPU, XLA computes and sums a loss in one parallel pass, many times faster than otherwise, unless there is a `where`
in it or a clip, which is also what it makes of the `minimum` of a `maximum`. So values are spelled without these. In
that pass `minimum` and `maximum` lose a NaN that comes first, which therefore needs another way to the sum.
"""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp

from binxent._core.formulas import define


@jax.custom_jvp
def _log(x):
    return jnp.log(x)


@_log.defjvp
def _log_rule(primals, tangents):
    """Where the formulas take log(0), nothing moves: below the margin of an asymmetric loss all is flat."""
    (x,), (dx,) = primals, tangents
    return jnp.log(x), jnp.where(x == 0, 0, dx / x)


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
    """Adds what an infinite cost has beyond the largest number, if it has a share at all."""
    return share + jnp.minimum(share * jnp.finfo(share.dtype).max, beyond)


def _multiply_cost_no_nan(weight, cost):
    finite = _finite(cost)
    return _to_infinity(weight * finite, cost - finite)


def _linear_part(z, positive, negative):
    size = jnp.abs(z)
    finite = _finite(size)
    upper = jnp.minimum(jnp.maximum(z, 0), finite)
    return _to_infinity(positive * (finite - upper) + negative * upper, size - finite)


def _sigmoids(z):
    return jax.nn.sigmoid(z), jax.nn.sigmoid(-z), jnp.log1p(jnp.exp(-jnp.abs(z)))


def _clipped(x, low, high):
    """The sign of NaN is NaN."""
    return jnp.maximum(-jnp.maximum(-x, -high), low) + 0 * jnp.sign(x)


def _costs(p, q):
    return -jnp.log(p), -jnp.log1p(-p)


def _beyond_margin(p, q, margin):
    """The cost of u up to 1/2, and what it costs more beyond, where 1 - u has lost digits that q + margin has."""
    u, rest = jnp.maximum(p - margin, 0), q + margin
    return u, rest, jnp.minimum(-jnp.log1p(-u), math.log(2)) - jnp.log(jnp.minimum(2 * rest, 1))


def _minus_log_error_probability(u, y, minus_log_p, minus_log_q):
    """Where u is 0, so is the loss."""
    return -jnp.log(u)


derivatives = define(SimpleNamespace(**MATHS))
values = define(
    SimpleNamespace(
        **MATHS,
        multiply_cost_no_nan=_multiply_cost_no_nan,
        linear_part=_linear_part,
        sigmoids=_sigmoids,
        clipped=_clipped,
        costs=_costs,
        beyond_margin=_beyond_margin,
        minus_log_error_probability=_minus_log_error_probability,
    )
)
