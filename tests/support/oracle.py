"""The truth: each loss as its paper writes it, with its first two derivatives, on numbers of 50 digits.

Derivatives come from the product rule on series, not from the formulas under test. Every number has a size beside it,
the sum of the absolute values of its terms: that is what a rounding error is measured by where terms cancel.
"""

from functools import cache
from typing import NamedTuple

import mpmath
import numpy as np
from mpmath import mpf

import binxent as bx

mpmath.mp.dps = 50
FAR = mpf(10) ** 400  # stands in for infinity: beyond every float, yet 0 times it is 0


class Series(NamedTuple):
    """A number, its first and second derivative in the prediction, and the sizes of the three."""

    values: tuple
    sizes: tuple


class Truth(NamedTuple):
    """Loss, slope and curvature (rows) at each point (columns), each the sum of two floats, and their sizes."""

    high: np.ndarray
    low: np.ndarray
    size: np.ndarray


def series(value, slope, curvature, *sizes):
    values = value, slope, curvature
    return Series(values, (abs(value), *(sizes or map(abs, values[1:]))))


def plus(f, g):
    return Series(*(tuple(map(sum, zip(*pair, strict=True))) for pair in zip(f, g, strict=True)))


def scaled(f, factor):
    return Series(tuple(factor * value for value in f.values), tuple(abs(factor) * size for size in f.sizes))


def times(f, g):
    def leibniz(f, g):
        return f[0] * g[0], f[1] * g[0] + f[0] * g[1], f[2] * g[0] + 2 * f[1] * g[1] + f[0] * g[2]

    return Series(leibniz(f.values, g.values), leibniz(f.sizes, g.sizes))


def to_the(u, gamma, least):
    """u^gamma; its size grows with gamma where u itself has lost digits, and in float32 with what multiplies -log u.

    Below the least normal number a float has fewer digits. A power that is not whole hands that on to its derivatives.
    """
    v, v1, v2 = u.values
    if gamma == 0:
        return series(mpf(1), mpf(0), mpf(0))
    if v == 0:
        return series(mpf(0), mpf(0), mpf(0))
    power, first, second = v**gamma, gamma * v ** (gamma - 1), gamma * (gamma - 1) * v ** (gamma - 2)
    grown = 1 + (gamma + 2) * (u.sizes[0] / v - 1)
    if gamma != int(gamma):
        grown *= (1 if least < 1e-300 else 1 + gamma * abs(mpmath.log(v))) * max(1, least / power)
    values = power, first * v1, second * v1 * v1 + first * v2
    slope_size, curvature_size = first * u.sizes[1], abs(second) * u.sizes[1] ** 2 + first * u.sizes[2]
    return Series(values, (grown * power, *(grown * max(size, least) for size in (slope_size, curvature_size))))


def least_normal(real):
    return mpf(float(np.finfo(real).tiny))


def of_logit(z, least):
    """Return the series of p, 1 - p, -log p and -log(1 - p) in a logit."""
    e = mpmath.exp(-min(abs(z), mpf(10) ** 6))
    big, small, tail = 1 / (1 + e), e / (1 + e), mpmath.log1p(e)
    p, q = (big, small) if z >= 0 else (small, big)
    w, bend = p * q, p * q * (q - p)
    w_size, p_size, q_size = (max(one, least) for one in (w, p, q))
    return (
        series(p, w, bend, w_size, w_size),
        series(q, -w, -bend, w_size, w_size),
        series(max(-z, mpf(0)) + tail, -q, w, q_size, w_size),
        series(max(z, mpf(0)) + tail, p, w, p_size, w_size),
    )


def of_probability(p, q, added=0):
    """Return the same four series in a probability p, with q = 1 - p; Keras 2 adds something inside the logs."""
    a, b = (-mpmath.log(one + added) if one < 0.5 else -mpmath.log1p(added - other) for one, other in ((p, q), (q, p)))
    a, b = (cost if cost < 10**8 else FAR for cost in (a, b))
    one, zero = mpf(1), mpf(0)
    over_p, over_q = 1 / (p + added), 1 / (q + added)
    return series(p, one, zero), series(q, -one, zero), series(a, -over_p, over_p**2), series(b, over_q, over_q**2)


@cache
def of_prediction(x, from_logits, epsilon, real, added=0):
    """Return the four series in a prediction of a float type, with limits for infinite logits, 0 and 1."""
    if from_logits:
        return of_logit(mpf(x) if np.isfinite(x) else mpf(np.sign(x)) * FAR, least_normal(real))
    if epsilon is not None:
        x = float(min(max(real(x), real(epsilon)), real(1) - real(epsilon)))
    tiny = mpf(10) ** -(10**9)
    p, q = (tiny, mpf(1)) if x == 0 else (mpf(1), tiny) if x == 1 else (mpf(x), 1 - mpf(x))
    return of_probability(p, q, mpf(float(real(added))))


def combine(loss, state, y, real):
    """Return the series of a loss from those of the prediction, and a label; constants are rounded to a float type."""
    constants = [mpf(float(real(constant))) for constant in loss.pointwise.constants]
    if isinstance(loss, bx.AsymmetricCrossentropy):
        return asymmetric(state, mpf(y), *constants, least_normal(real), None if loss.from_logits else real)
    (definition,) = (found for kind, found in DEFINITIONS.items() if isinstance(loss, kind))
    return definition(state, mpf(y), least_normal(real), *constants)


def bce(state, y, least, pos_weight=1):
    *_, a, b = state
    return plus(scaled(a, pos_weight * y), scaled(b, 1 - y))


def error(state, y):
    """1 - p_t."""
    p, q, *_ = state
    return plus(scaled(q, y), scaled(p, 1 - y))


def focal(state, y, least, alpha, beta, gamma):
    modulated = times(to_the(error(state, y), gamma, least), bce(state, y, least))
    return scaled(modulated, y * alpha + (1 - y) * beta)


def poly(state, y, least, epsilon_1):
    return plus(bce(state, y, least), scaled(error(state, y), epsilon_1))


def asymmetric(state, y, gamma_pos, gamma_neg, margin, least, real):
    p, q, a, b = state
    positive, negative = times(to_the(q, gamma_pos, least), a), times(to_the(p, gamma_neg, least), b)
    if margin > 0:
        negative = shifted_negative(p, gamma_neg, margin, least, real)
    return plus(scaled(positive, y), scaled(negative, 1 - y))


# Elementwise losses by class: a function of the four series, the label, the least normal number, and the constants.
DEFINITIONS = {bx.BinaryCrossentropy: bce, bx.BinaryFocalCrossentropy: focal, bx.PolyBinaryCrossentropy: poly}


def shifted_negative(p, gamma, margin, least, real):
    """p_m^gamma (-log(1 - p_m)) for p_m = max(p - margin, 0), which loses digits where p is next to the margin.

    Unless p is itself a number of a float type, with a difference that is one too.
    """
    if p.values[0] <= margin:
        return series(mpf(0), mpf(0), mpf(0))
    shifted = plus(p, series(-margin, mpf(0), mpf(0)))
    if real and float(real(shifted.values[0])) == shifted.values[0]:
        shifted = series(*shifted.values)
    (u, u1, u2), (size, size1, size2) = shifted
    slope, slope_size = u1 / (1 - u), size1 / (1 - u)
    values = -mpmath.log1p(-u), slope, slope**2 + u2 / (1 - u)
    sizes = values[0], slope_size, slope_size**2 + size2 / (1 - u)
    cost = Series(values, tuple(size / u * one for one in sizes))
    return times(to_the(shifted, gamma, least), cost)


def truth_at(loss, x, y, real, added=0):
    """Return the series of a loss at one prediction and label."""
    return combine(loss, of_prediction(x, loss.from_logits, loss.epsilon, real, added), y, real)


def truth(loss, x, y, added=0):
    """Return the truth at arrays of predictions and labels, in the precision of the predictions."""
    real = x.dtype.type
    found = [truth_at(loss, one.item(), label.item(), real, added) for one, label in zip(x, y, strict=True)]
    high = np.array([[float(value) for value in point.values] for point in found]).T
    high[abs(high) > np.finfo(real).max] *= np.inf
    low = np.array([[rest(value, real) for value in point.values] for point in found]).T
    sizes = np.array([[float(size) for size in point.sizes] for point in found]).T
    return Truth(high, low, sizes)


def focal_derivative(gamma, z, y, orders, alpha=0.25):
    """A derivative, of these orders in logit and label, of the balanced focal loss of a logit, by differences."""

    def loss(z, y):
        p, q = 1 / (1 + mpmath.exp(-z)), 1 / (1 + mpmath.exp(z))
        return (
            (y * alpha + (1 - y) * (1 - alpha))
            * (y * q + (1 - y) * p) ** gamma
            * (-y * mpmath.log(p) - (1 - y) * mpmath.log(q))
        )

    with mpmath.workdps(300):  # steps far below a saturated probability
        return float(mpmath.diff(loss, (mpf(z), mpf(y)), orders))


def rest(value, real):
    """Return what the nearest float64 lacks, if the value does not overflow."""
    return float(value - mpf(float(value))) if abs(value) <= float(np.finfo(real).max) else 0.0


def ulps(got, truth):
    """Return the error of loss, slope and curvature at each point, in units in the last place of the size."""
    real = got.dtype.type
    info = np.finfo(real)
    with np.errstate(invalid="ignore", over="ignore"):
        error = abs((got - truth.high) - truth.low)
        error = np.where(got == truth.high, abs(truth.low), error)
        error = np.where(np.isnan(error), np.inf, error)
        return error / (float(info.eps) * np.maximum(np.minimum(truth.size, float(info.max)), float(info.tiny)))
