"""What the formulas are made of, over any maths module: predictions read into a state, products with guards, powers.

A maths module offers `abs`, `where`, `minimum`, `maximum`, `exp` (called with x <= 0), `log` and `log1p` (called with
0 <= x <= 1), on scalars or on arrays. Where it has a better version of a function marked @offered here, it offers that
under the same name.
"""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol

from binxent._core.modulations import modulations


class Maths(Protocol):
    """What every maths module offers: `x` is a number or an array, whatever the module computes with."""

    def abs(self, x: Any, /) -> Any: ...
    def where(self, condition: Any, a: Any, b: Any, /) -> Any: ...
    def minimum(self, a: Any, b: Any, /) -> Any: ...
    def maximum(self, a: Any, b: Any, /) -> Any: ...
    def exp(self, x: Any, /) -> Any: ...
    def log(self, x: Any, /) -> Any: ...
    def log1p(self, x: Any, /) -> Any: ...


class PredictionKind(NamedTuple):
    """How predictions are read, and which guards that takes.

    Attributes:
        read: The function (x, epsilon) -> state.
        of_logit: Whether a prediction is a logit.
        infinite_costs: Whether a or b can be infinite.
        infinite_slopes: Whether derivatives of a or b can be infinite.
        costs_are_logs: Whether a is -log p and b is -log q, and not only nearly.
    """

    read: Callable[..., Any]
    of_logit: bool
    infinite_costs: bool
    infinite_slopes: bool
    costs_are_logs: bool = True


def lost_by_product(a: Any, b: Any, product: Any) -> Any:
    """Compute a b - product, what rounding took from a product of float64, by halves whose products are exact.

    Source: Dekker, "A floating-point technique for extending the available precision", 1971, section 5.
    """
    (a_high, a_low), (b_high, b_low) = (_halves(number) for number in (a, b))
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _halves(x):
    spread = x * (2.0**27 + 1)
    high = spread - (spread - x)
    return high, x - high


def primitives(m: Maths | SimpleNamespace, jit: Callable[..., Any], real: Callable[..., Any]) -> SimpleNamespace:
    """Build the small functions that predictions and losses share, compiled by `jit`."""
    zero, half, one, two, infinity = real(0), real(0.5), real(1), real(2), real(math.inf)
    far, least = real(1e8), real(2.0**-1022)  # a logarithm whose powers are 0; the least normal float64

    def offered(default):
        """Return what the maths module has under the name of the default, or else the default."""
        return getattr(m, default.__name__, default)

    @offered
    @jit
    def equal(a, b):
        """Compute a == b element by element; a hook, because TensorFlow needs tf.equal."""
        return a == b

    @offered
    @jit
    def cost_of_rest(x):
        """Compute -log(1 - x) for 0 <= x <= 1/2."""
        return zero - m.log1p(-x)

    @offered
    @jit
    def reciprocal(x):
        """Compute 1 / x for 1 <= x <= 2."""
        return one / x

    @offered
    @jit
    def divide_no_nan(a, b):
        """Compute a / b; both may be 0 where the result is not used."""
        return a / b

    @offered
    @jit
    def divide_weight_no_nan(weight, p):
        """Compute weight / p, which is 0 if the weight is, even for p = 0."""
        return m.where(equal(weight, zero), zero, weight / p)

    @offered
    @jit
    def multiply_no_nan(weight, value):
        """Compute weight * value, which is 0 if the weight is, even for an infinite value."""
        return m.where(equal(weight, zero), zero, weight * value)

    @offered
    @jit
    def multiply_cost_no_nan(weight, cost):
        """Compute the same for a cost, which is not negative."""
        return multiply_no_nan(weight, cost)

    @offered
    @jit
    def multiply_positive(factor, value):
        """Compute factor * value for a factor > 0, which may have underflowed: an infinite value stays infinite."""
        return m.where(equal(m.abs(value), infinity), value, factor * value)

    @offered
    @jit
    def linear_part(z, positive, negative):
        """Compute the linear part of the loss: |z| times the weight of the label opposite the sign of z."""
        return multiply_no_nan(m.where(z >= zero, negative, positive), m.abs(z))

    @offered
    @jit
    def label_linear_part(z, y, not_y):
        """Compute the same for the weights y and 1 - y."""
        return linear_part(z, y, not_y)

    @offered
    @jit
    def sigmoids(z):
        """Compute sigmoid(z) and sigmoid(-z), each without subtraction from 1, and log1p(exp(-|z|))."""
        e = m.exp(-m.abs(z))
        big = reciprocal(one + e)
        small = e * big
        tail = m.log1p(e)
        right = z >= zero
        return m.where(right, big, small), m.where(right, small, big), tail

    @offered
    @jit
    def clipped(x, low, high):
        """Return x, but at least low and at most high."""
        return m.maximum(m.minimum(x, high), low)

    @offered
    @jit
    def costs(p, q):
        """Compute -log p and -log q for q = 1 - p."""
        left = p < half
        less = m.minimum(p, q)  # exact: 1 - p loses no digit from 1/2 on
        high, low = zero - m.log(less), cost_of_rest(less)
        return m.where(left, high, low), m.where(left, low, high)

    @offered
    @jit
    def beyond_margin(p, q, margin):
        """Compute u = max(p - margin, 0), 1 - u and -log(1 - u)."""
        u = m.where(p <= margin, zero, p - margin)
        small = u < half
        rest = m.where(small, one - u, q + margin)
        # Lost by the rounding of 1 - u, to be put back to first order.
        lost = m.where(small, (one - rest) - u, zero)
        return u, rest, lost * (rest - two) - m.log(rest)

    # In float64, u^gamma = exp(-gamma L) keeps its digits: L = -log u comes with what rounding took from it.

    @offered
    def in_float64(x):
        """Return whether a number is computed in float64."""
        return getattr(x, "dtype", None) == "float64"

    lost_in_product = getattr(m, "lost_by_product", lost_by_product)

    @offered
    @jit
    def lost_by_sum(large, small, total):
        """Compute large + small - total, what rounding took from the sum; 0 if that is far or infinite."""
        return (m.minimum(large, far) - m.minimum(total, far)) + small if in_float64(total) else zero

    @offered
    @jit
    def lost_by_log(u, minus_log_u):
        """Compute -log u - minus_log_u, what rounding took from the logarithm; 0 where u is subnormal."""
        return (m.exp(-minus_log_u) - u) / m.maximum(u, least) if in_float64(u) else zero

    @offered
    @jit
    def power_from_log(gamma, minus_log_u):
        """Compute u^gamma from -log u, given in two parts."""
        logarithm, lost = minus_log_u
        if not in_float64(logarithm):
            return m.exp(-gamma * logarithm)
        bounded = m.minimum(logarithm, far)
        product = gamma * bounded
        result = m.exp(-product)
        return result - result * (lost_in_product(gamma, bounded, product) + gamma * lost)

    @offered
    @jit
    def minus_log_error_probability(u, y, minus_log_p, minus_log_q):
        """Compute -log u for u = y q + (1 - y) p, in two parts; for a hard label it is given.

        That covers u = 0, and u < 0 for a label that rounding has put outside [0, 1], where labels are not checked.
        """
        of_p, lost_of_p = minus_log_p
        of_q, lost_of_q = minus_log_q
        of_u = zero - m.log(u)
        lost = m.where(y >= one, lost_of_q, m.where(y <= zero, lost_of_p, lost_by_log(u, of_u)))
        return m.where(y >= one, of_q, m.where(y <= zero, of_p, of_u)), lost

    return SimpleNamespace(
        m=m,
        jit=jit,
        number=real,
        zero=zero,
        half=half,
        one=one,
        two=two,
        equal=equal,
        cost_of_rest=cost_of_rest,
        divide_no_nan=divide_no_nan,
        divide_weight_no_nan=divide_weight_no_nan,
        multiply_no_nan=multiply_no_nan,
        multiply_cost_no_nan=multiply_cost_no_nan,
        multiply_positive=multiply_positive,
        linear_part=linear_part,
        label_linear_part=label_linear_part,
        sigmoids=sigmoids,
        clipped=clipped,
        costs=costs,
        beyond_margin=beyond_margin,
        lost_by_sum=lost_by_sum,
        lost_by_log=lost_by_log,
        power_from_log=power_from_log,
        minus_log_error_probability=minus_log_error_probability,
    )


def prediction_kinds(f: SimpleNamespace) -> dict[str, PredictionKind]:
    """Build what reads a prediction into a state: (p, q), (a, b), (a', b'), (a'', b''), (w, bend), (z, tail).

    Here p = P(label 1), q = 1 - p, a = -log p, b = -log q, w = p' = -q', bend = p'' / p'; z and tail are a logit and
    log1p(exp(-|z|)), both 0 for probabilities. Primes are derivatives with respect to the prediction.
    """
    m, jit, zero, half, one = f.m, f.jit, f.zero, f.half, f.one
    sigmoids, clipped, costs, cost_of_rest = f.sigmoids, f.clipped, f.costs, f.cost_of_rest
    least, hundred = f.number(1e-12), f.number(100)

    @jit
    def from_logit(z, epsilon):
        """Read a logit: both labels cost the tail; the label opposite its sign costs |z| more."""
        p, q, tail = sigmoids(z)
        w = p * q
        return (p, q), (m.maximum(-z, zero) + tail, m.maximum(z, zero) + tail), (-q, p), (w, w), (w, q - p), (z, tail)

    @jit
    def from_probability(x, epsilon):
        """Clip to [epsilon, 1 - epsilon], as Keras does; the slope beyond is the clipped point's, never zero."""
        p = clipped(x, epsilon, one - epsilon)
        q = one - p
        over_p, over_q = one / p, one / q
        a, b = costs(p, q)
        return (p, q), (a, b), (-over_p, over_q), (over_p * over_p, over_q * over_q), (one, zero), (zero, zero)

    @jit
    def from_clamped_probability(x, epsilon):
        """End costs at 100, and take the slopes of (p - y) / max(p q, 1e-12), as PyTorch does."""
        probabilities, costs_of_both, _, _, change, logit = from_probability(x, zero)
        p, q = probabilities
        a, b = costs_of_both
        a, b = m.minimum(a, hundred), m.minimum(b, hundred)
        flat = p * q < least
        variance = m.where(flat, least, p * q)
        a2, b2 = m.where(flat, one / least, one / (p * p)), m.where(flat, one / least, one / (q * q))
        return (p, q), (a, b), (-q / variance, p / variance), (a2, b2), change, logit

    @jit
    def from_keras2_probability(x, epsilon):
        """Clip, and add epsilon again, as Keras 2 does: a = -log(p + epsilon), b = -log(q + epsilon)."""
        probabilities, _, _, _, change, logit = from_probability(x, epsilon)
        p, q = probabilities
        over_p, over_q = one / (p + epsilon), one / (q + epsilon)
        left = p < half
        less = m.minimum(p, q)
        high, low = zero - m.log(less + epsilon), cost_of_rest(m.maximum(less - epsilon, zero))
        a, b = m.where(left, high, low), m.where(left, low, high)
        return (p, q), (a, b), (-over_p, over_q), (over_p * over_p, over_q * over_q), change, logit

    return {
        "logit": PredictionKind(from_logit, True, True, False),
        "probability": PredictionKind(from_probability, False, True, True),
        "clipped_probability": PredictionKind(from_probability, False, False, False),
        "clamped_probability": PredictionKind(from_clamped_probability, False, False, False),
        "keras2_probability": PredictionKind(from_keras2_probability, False, False, False, costs_are_logs=False),
    }


def parts(f: SimpleNamespace, kind: PredictionKind) -> SimpleNamespace:
    """Build what formulas of one prediction kind consist of, with guards only where they are needed.

    Adds to the primitives `cost_share` and `slope_share` (weight times a cost, or a slope), `entropy`, `label_entropy`,
    `logarithms` and `modulation`.
    """
    m, jit, zero, half, lost_by_sum, lost_by_log = f.m, f.jit, f.zero, f.half, f.lost_by_sum, f.lost_by_log
    multiply_no_nan, multiply_cost_no_nan = f.multiply_no_nan, f.multiply_cost_no_nan
    linear_part, label_linear_part = f.linear_part, f.label_linear_part
    divide_weight_no_nan = f.divide_weight_no_nan
    of_logit, costs_are_logs = kind.of_logit, kind.costs_are_logs
    infinite_costs, infinite_slopes = kind.infinite_costs, kind.infinite_slopes

    @jit
    def cost_share(weight, cost):
        return multiply_cost_no_nan(weight, cost) if infinite_costs else weight * cost

    @jit
    def slope_share(weight, slope):
        return multiply_no_nan(weight, slope) if infinite_slopes else weight * slope

    @jit
    def derivatives(positive, negative, state):
        probabilities, _, slopes, curvatures, _, _ = state  # Triton cannot unpack nested tuples at once
        a1, b1 = slopes
        a2, b2 = curvatures
        if infinite_slopes:  # 1 / p and 1 / p^2 could overflow where a small weight makes the result finite
            p, q = probabilities
            slope_1, slope_0 = divide_weight_no_nan(positive, p), divide_weight_no_nan(negative, q)
            return slope_0 - slope_1, divide_weight_no_nan(slope_1, p) + divide_weight_no_nan(slope_0, q)
        else:
            return (
                slope_share(positive, a1) + slope_share(negative, b1),
                slope_share(positive, a2) + slope_share(negative, b2),
            )

    @jit
    def entropy(positive, negative, total, state):
        """Compute the labels' weights, which add up to `total`, times what the labels cost; with two derivatives."""
        _, costs, _, _, _, logit = state
        a, b = costs
        z, tail = logit
        slope, curvature = derivatives(positive, negative, state)
        if of_logit:  # both labels cost at least the tail, and one of them |z| more
            return total * tail + linear_part(z, positive, negative), slope, curvature
        else:
            return cost_share(positive, a) + cost_share(negative, b), slope, curvature

    @jit
    def label_entropy(label, state):
        """Compute y a + (1 - y) b, with two derivatives."""
        _, costs, _, _, _, logit = state
        a, b = costs
        y, not_y = label
        z, tail = logit
        slope, curvature = derivatives(y, not_y, state)
        if of_logit:
            return tail + label_linear_part(z, y, not_y), slope, curvature
        else:
            return cost_share(y, a) + cost_share(not_y, b), slope, curvature

    @jit
    def logarithms(state):
        """Compute -log p and -log q, in two parts each, p' / p and q' / q, for powers of p and q."""
        probabilities, costs, slopes, _, change, logit = state
        p, q = probabilities
        a, b = costs
        a1, b1 = slopes
        w, _ = change
        z, tail = logit
        if of_logit:
            lost_p, lost_q = lost_by_sum(m.maximum(-z, zero), tail, a), lost_by_sum(m.maximum(z, zero), tail, b)
            return (a, lost_p), (b, lost_q), -a1, -b1
        elif costs_are_logs:  # of the lesser probability; the logarithm of the other is small, and so is its rounding
            left = p < half
            lost = lost_by_log(m.minimum(p, q), m.where(left, a, b))
            return (a, m.where(left, lost, zero)), (b, m.where(left, zero, lost)), -a1, -b1
        else:
            a, b = zero - m.log(p), zero - m.log(q)
            return (a, lost_by_log(p, a)), (b, lost_by_log(q, b)), w / p, -w / q

    return SimpleNamespace(
        **vars(f),
        cost_share=cost_share,
        slope_share=slope_share,
        entropy=entropy,
        label_entropy=label_entropy,
        logarithms=logarithms,
        modulation=modulations(f, kind),
    )
