"""The losses by their equations, on arrays in NumPy's extended precision: the truth for numbers in bulk.

`oracle.py` has 50 digits and points chosen for their difficulty; here are some 19 digits, and millions of points.
"""

import numpy as np
from support.hill import HillLoss, Scaled, SquaredError

import binxent as bx

Real = np.longdouble
ZERO, ONE = Real(0), Real(1)
FAR = Real("1e400")  # stands in for infinity: beyond every float, yet 0 times it is 0
SUFFICES = np.finfo(Real).precision >= 18  # not on Windows, nor on macOS with ARM's processors


class Term:
    """A function of a prediction at many points: itself and two derivatives, and the sizes that errors are measured by.

    A size is the sum of the absolute values of what is added up, so it shows where terms cancel.
    """

    def __init__(self, value, slope, curvature, *sizes):
        self.values = value, slope, curvature
        self.sizes = sizes or tuple(map(abs, self.values))

    def __add__(self, other):
        other = other if isinstance(other, Term) else Term(other, ZERO, ZERO)
        sums = (x + y for x, y in zip(self.values, other.values, strict=True))
        return Term(*sums, *(x + y for x, y in zip(self.sizes, other.sizes, strict=True)))

    def __mul__(self, other):
        other = other if isinstance(other, Term) else Term(other, ZERO, ZERO)
        return Term(*_products(self.values, other.values), *_products(self.sizes, other.sizes))

    def chained(self, outer, outer1, outer2, growth=ONE):
        """Return outer(self), given its derivatives; its size is larger where the argument has lost digits."""
        _, u1, u2 = self.values
        _, size1, size2 = self.sizes
        first, second = abs(outer1), abs(outer2)
        sizes = abs(outer), first * size1, second * size1 * size1 + first * size2
        return Term(outer, outer1 * u1, outer2 * u1 * u1 + outer1 * u2, *(growth * size for size in sizes))


def _products(f, g):
    return f[0] * g[0], f[1] * g[0] + f[0] * g[1], f[2] * g[0] + 2 * f[1] * g[1] + f[0] * g[2]


def power(u, gamma, real):
    """u^gamma; where -log u multiplies an error, the size has that factor, if the power is not a small whole number."""
    if gamma == 0:
        return Term(ONE, ZERO, ZERO)
    value, size = u.values[0], u.sizes[0]
    none = value <= 0
    v = np.where(none, ONE, value)
    growth = 1 + (gamma + 2) * (size / v - 1)
    if gamma not in (1, 2, 3, 4):
        tiny = Real(np.finfo(real).tiny)
        growth = growth * (1 + gamma * abs(np.log(v))) * np.maximum(1, tiny / np.maximum(v**gamma, tiny / FAR))
    powers = [np.where(none, ZERO, factor * v**exponent) for factor, exponent in _derivatives(gamma)]
    if gamma == 1:
        powers[1] = ONE  # its derivative does not vanish where u does
    if gamma == 2:
        powers[2] = Real(2)
    return u.chained(*powers, growth=np.where(none, ONE, growth))


def _derivatives(gamma):
    return (ONE, gamma), (gamma, gamma - 1), (gamma * (gamma - 1), gamma - 2)


def of_logits(z, real):
    """Return p, 1 - p, -log p and -log(1 - p)."""
    near = np.clip(z, Real(-5000), Real(5000))
    e = np.exp(-abs(near))
    big, small, tail = 1 / (1 + e), e / (1 + e), np.log1p(e)
    p, q = np.where(z >= 0, big, small), np.where(z >= 0, small, big)
    w, bend = p * q, p * q * (q - p)
    z = np.where(np.isinf(z), np.copysign(FAR, z), z)
    a, b = np.maximum(-z, ZERO) + tail, np.maximum(z, ZERO) + tail
    # Below the least normal number a float has fewer digits.
    p_size, q_size, w_size = (np.maximum(each, Real(np.finfo(real).tiny)) for each in (p, q, w))
    return (
        Term(p, w, bend, p, w_size, w_size),
        Term(q, -w, -bend, q, w_size, w_size),
        Term(a, -q, w, a, q_size, w_size),
        Term(b, p, w, b, p_size, w_size),
    )


def of_probabilities(x, epsilon, real):
    """Return the same of probabilities, clipped in a working precision."""
    if epsilon is not None:
        low = real(epsilon)
        x = np.clip(x, Real(low), Real(real(1) - low))
    nothing = Real("1e-1000")
    p, q = np.where(x == 0, nothing, x), np.where(x == 1, nothing, 1 - x)
    a = np.where(x == 0, FAR, np.where(p < 0.5, -np.log(p), -np.log1p(-q)))
    b = np.where(x == 1, FAR, np.where(q < 0.5, -np.log(q), -np.log1p(-p)))
    return Term(p, ONE, ZERO), Term(q, -ONE, ZERO), Term(a, -1 / p, 1 / p**2), Term(b, 1 / q, 1 / q**2)


def shifted(p, margin, is_exact, real):
    """Return p_m = max(p - margin, 0) and -log(1 - p_m)."""
    eps, value = Real(np.finfo(real).eps), p.values[0]
    u, size = np.maximum(value - margin, ZERO), value + margin
    inside, rest = u > 0, 1 - u
    lost = np.where(is_exact(u), ONE, size / np.where(inside, u, ONE))
    first, second = np.where(inside, p.values[1], ZERO), np.where(inside, p.values[2], ZERO)
    sizes = [np.where(inside, each, ZERO) * lost for each in (u, p.sizes[1], p.sizes[2])]
    # So near to the margin, an error of the probability decides on which side it lies.
    undecided = ~is_exact(value - margin) & (abs(value - margin) < 16 * eps * margin)
    sizes = [np.where(undecided, FAR, each) for each in sizes]
    shifted = Term(u, first, second, *sizes)
    cost = shifted.chained(-np.log1p(-u), 1 / rest, 1 / rest**2, growth=np.where(inside, lost, ONE))
    return shifted, cost


def element_losses(loss, x, y, real, constants):
    """Return a loss of each element and its two derivatives, and their sizes, as three rows each.

    Args:
        loss: The loss, whose smoothing is applied here.
        x: Predictions.
        y: Labels.
        real: Working precision, which predictions and labels are in, and constants are rounded to.
        constants: What `loss.pointwise.constants` holds, each as a number or in the shape of the predictions.
    """
    with np.errstate(all="ignore"):
        s = Real(loss.label_smoothing)
        y, n = y * (1 - s) + s / 2, (1 - y) * (1 - s) + s / 2
        constants = [np.asarray(constant).astype(real).astype(Real) for constant in constants]
        p, q, a, b = of_logits(x, real) if loss.from_logits else of_probabilities(x, loss.epsilon, real)
        found = _element_losses(loss, p, q, a, b, y, n, constants, real)
        shape = x.shape
        return (np.stack([np.broadcast_to(each, shape) for each in rows]) for rows in (found.values, found.sizes))


def _element_losses(loss, p, q, a, b, y, n, constants, real):
    """Return the term of a loss; n is 1 - y."""
    entropy, error = a * y + b * n, q * y + p * n
    match loss:
        case bx.BinaryCrossentropy():
            return a * (y * constants[0]) + b * n if constants else entropy
        case bx.BinaryFocalCrossentropy():
            alpha, beta, gamma = constants
            return power(error, gamma, real) * entropy * (y * alpha + n * beta)
        case bx.PolyBinaryCrossentropy():
            return entropy + error * constants[0]
        case bx.AsymmetricCrossentropy():
            gamma_pos, gamma_neg, margin = constants
            u, cost = p, b
            if margin > 0:
                # A difference of two floats may be a float itself; that of a computed probability has lost digits.
                exact = (lambda u: ~(u < 0) & False) if loss.from_logits else (lambda u: u.astype(real) == u)
                u, cost = shifted(p, margin, exact, real)
            return power(q, gamma_pos, real) * a * y + power(u, gamma_neg, real) * cost * n
        case HillLoss():
            return a * y + (p * -ONE + constants[0]) * p * p * n
        case SquaredError():
            difference = p * n + q * -y
            return difference * difference
        case Scaled():
            return entropy * (ONE + sum(constants, ZERO))
    raise TypeError(f"no equation of {loss}")
