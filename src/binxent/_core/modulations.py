"""What makes a focal loss of cross-entropy: the product of u^gamma and a cost h, guarded only where it must be."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


def modulations(f: SimpleNamespace, kind: Any) -> Callable[[int | str], Callable[..., Any]]:
    """Return a function that makes, of a power kind, the product of u^gamma and h with its two derivatives.

    u' = u1 and u'' = u1 bend. Where h is infinite, u is not 0: no loss is infinite where the error has probability 0.
    In terms that other terms outweigh, h and h1 are bounded, so that 0 * inf cannot give NaN.
    """
    m, jit, zero, half, one, two, number, equal = f.m, f.jit, f.zero, f.half, f.one, f.two, f.number, f.equal
    divide_no_nan, multiply_positive, power_from_log = f.divide_no_nan, f.multiply_positive, f.power_from_log
    huge, infinity = number(1e30), number(math.inf)
    infinite_costs, infinite_slopes = kind.infinite_costs, kind.infinite_slopes

    @jit
    def bounded_cost(h):
        return m.minimum(h, huge) if infinite_costs else h

    @jit
    def bounded_slope(h1):
        return m.minimum(m.maximum(h1, -huge), huge) if infinite_slopes else h1

    def whole_power(n):
        first, second = number(n), number(n * (n - 1))

        @jit
        def times_power(u, x):
            """Compute u^n x for n >= 2, factor by factor: u^n alone could be 0 where x is infinite."""
            scaled = u * (u * x)
            if n > 2:
                scaled = u * scaled
            if n > 3:
                scaled = u * scaled
            return scaled

        @jit
        def modulated(u, u1, bend, ratio, minus_log_u, gamma, h, h1, h2):  # ratio = u1 / u
            bounded, bounded1 = bounded_cost(h), bounded_slope(h1)
            if n == 0:
                return h, h1, h2
            elif n == 1:
                return u * h, u1 * bounded + u * h1, u1 * bend * bounded + two * u1 * bounded1 + u * h2
            else:  # without `else`, Triton would compile all three branches
                lower = one if n == 2 else u if n == 3 else u * u
                f = lower * u * u
                f1 = first * lower * u * u1
                f2 = second * lower * u1 * u1 + f1 * bend
                loss = times_power(u, h) if infinite_costs else f * h
                slope = times_power(u, h1) if infinite_slopes else f * h1
                curvature = times_power(u, h2) if infinite_slopes else f * h2
                return loss, f1 * bounded + slope, f2 * bounded + two * f1 * bounded1 + curvature

        return modulated

    @jit
    def any_modulated(u, u1, bend, ratio, minus_log_u, gamma, h, h1, h2):
        """Compute u^gamma h: f = exp(gamma log u), f' = gamma r f, f'' = gamma r ((gamma - 1) r + bend) f, r = u1 / u.

        The exponential keeps its digits in the tails; r h is multiplied out first, as u^(gamma - 2) could overflow.
        """
        bounded, bounded1 = bounded_cost(h), bounded_slope(h1)
        f = power_from_log(gamma, minus_log_u)
        f1 = gamma * f * ratio
        rest = (gamma - one) * (ratio * bounded) + bend * bounded + two * bounded1
        loss = multiply_positive(f, h) if infinite_costs else f * h
        return loss, f * h1 + f1 * bounded, f * h2 + f1 * rest

    @jit
    def scaled(root, value):
        """Multiply by the square of a root, which could underflow beside a large value."""
        return root * (root * value)

    @jit
    def leading(root, value, rest):
        """Compute root^2 value + rest, where an infinite value outweighs the rest, and a root that has underflowed."""
        return m.where(equal(m.abs(value), infinity), value, scaled(root, value) + rest)

    @jit
    def any_modulated_probability(u, u1, bend, ratio, minus_log_u, gamma, h, h1, h2):
        """Compute the same where 1 / u may overflow: h / u is finite, unless h is infinite."""
        root, bounded, bounded1 = power_from_log(half * gamma, minus_log_u), bounded_cost(h), bounded_slope(h1)
        change, vanished = gamma * u1, equal(u, zero)
        h_over_u = m.where(vanished, zero, divide_no_nan(bounded, u))
        rest = (gamma - one) * u1 * h_over_u + bend * bounded + two * bounded1
        rest_over_u = m.where(vanished, zero, divide_no_nan(root * rest, u))
        return (
            multiply_positive(root, multiply_positive(root, h)),
            leading(root, h1, change * scaled(root, h_over_u)),
            leading(root, h2, change * (root * rest_over_u)),
        )

    def modulation(power_kind):
        if power_kind == "any":
            return any_modulated_probability if infinite_slopes else any_modulated
        return whole_power(power_kind)

    return modulation
