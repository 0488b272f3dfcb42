"""The maths module of the formulas for compiled loops: each function appends instructions to a loop.

Everything is straight-line arithmetic, with polynomials in place of tables and of calls into a library, and without
branches: it is the same for one number as for a vector.
"""

from binxent._core.formula_parts import lost_by_product
from binxent._core.polynomials import (
    BIAS,
    COST_OF_REST,
    EXP,
    LIFT,
    LN2_HIGH,
    LN2_LOW,
    LOG,
    LOG1P,
    LOG2_E,
    LOWEST_EXPONENT,
    MANTISSA_BITS,
    SHIFTER,
    SQRT_HALF_BITS,
    UNLIFT,
)
from binxent._kernels.builder import Builder
from binxent._kernels.values import BITS, WHOLE, Value, constant

PRECISIONS = {"float": "float32", "double": "float64"}


class Maths:
    """The maths module for one builder, one kind of floating number, and one number of lanes and parts."""

    def __init__(self, builder: Builder, kind: str, lanes: int, parts: int) -> None:
        self.builder, self.kind, self.lanes, self.parts = builder, kind, lanes, parts
        self.precision, self.whole = PRECISIONS[kind], WHOLE[BITS[kind]]

    def number(self, value: float) -> Value:
        """Return a constant."""
        return Value(self.builder, self.kind, self.lanes, (constant(self.kind, self.lanes, value),) * self.parts)

    def abs(self, x: Value) -> Value:
        """Return |x|."""
        return self.builder.intrinsic("fabs", x)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """Return a b + c, rounded once if the processor can."""
        return self.builder.intrinsic("fma", a, b, c) if self.builder.target.has_fma else a * b + c

    def where(self, condition: Value, a: Value, b: Value) -> Value:
        """Return a where the condition holds, b elsewhere."""
        return self.builder.select(condition, a, b)

    def minimum(self, a: Value, b: Value) -> Value:
        """Return the lesser of two numbers; NaN in a stays."""
        return self.where(a > b, b, a)

    def maximum(self, a: Value, b: Value) -> Value:
        """Return the greater of two numbers; NaN in a stays."""
        return self.where(a < b, b, a)

    def exp(self, x: Value) -> Value:
        """Compute exp(x) for x <= 0: 2^n exp(r), n = log2(e) x rounded by adding a number whose last bit is worth 1.

        The last bits of that sum are n + LIFT + BIAS, the exponent field of 2^(n + LIFT). The lift keeps it normal
        where 2^n is not, and is taken back by the last multiplication.
        """
        shifter, number, p = self._named(SHIFTER), self.number, self.precision
        t = self.minimum(-x, number(-LOWEST_EXPONENT[p]))  # of -|z| this leaves |z|, which the formulas want anyway
        shifted = self.fma(t, number(-LOG2_E[p]), shifter)
        n = shifted - shifter
        r = self.fma(n, number(-LN2_LOW[p]), self.fma(n, number(-LN2_HIGH[p]), -t))
        power = (shifted.bits_as(self.whole) << MANTISSA_BITS[p]).bits_as(self.kind)
        return self.fma(self.fma(self._polynomial(EXP, r), r * r, r), power, power) * self._named(UNLIFT)

    def log1p(self, t: Value) -> Value:
        """Compute log(1 + t) for 0 <= t <= 1."""
        return t * self._polynomial(LOG1P, t)

    def cost_of_rest(self, x: Value) -> Value:
        """Compute -log(1 - x) for 0 <= x <= 1/2."""
        return x * self._polynomial(COST_OF_REST, x)

    def log(self, x: Value) -> Value:
        """Compute log(x) for 0 <= x <= 1; NaN stays NaN."""
        n, low = self._log_parts(x)
        return self.where(x > 0, self.fma(n, self._named(LN2_HIGH), low), x - float("inf"))

    def _log_parts(self, x):
        """Return n and low, so that log(x) is n LN2_HIGH + low."""
        p, number = self.precision, self.number
        lifted = x * number(2.0 ** LIFT[p])  # a subnormal becomes normal, and a number next to 1 does not overflow
        offset = SQRT_HALF_BITS[p] + (LIFT[p] << MANTISSA_BITS[p])
        shifted = lifted.bits_as(self.whole) - offset
        n = shifted.binary("ashr", "", MANTISSA_BITS[p])
        fraction = (shifted & ((1 << MANTISSA_BITS[p]) - 1)) + SQRT_HALF_BITS[p]
        return self._parts_of(n, fraction.bits_as(self.kind) - 1)

    def log_of_more(self, s: Value) -> Value:
        """Compute log(1 + s) for any s >= 0 below 2^LIFT, with the digits of a small s."""
        p = self.precision
        n = ((1 + s).bits_as(self.whole) - SQRT_HALF_BITS[p]).binary("ashr", "", MANTISSA_BITS[p])
        scale = ((n.like(BIAS[p]) - n) << MANTISSA_BITS[p]).bits_as(self.kind)  # 2^-n
        n, low = self._parts_of(n, self.fma(s, scale, scale - 1))
        return self.fma(n, self._named(LN2_HIGH), low)

    def _parts_of(self, n, f):
        """Return n and low for n log(2) + log(1 + f), where 1 + f lies between sqrt(1/2) and sqrt(2)."""
        n = n.to(self.kind)
        inner = self.fma(self._polynomial(LOG, f), f, self.number(-0.5))
        return n, self.fma(f * f, inner, self.fma(n, self._named(LN2_LOW), f))

    def in_float64(self, x: Value) -> bool:
        """Return whether numbers are computed in float64."""
        return x.kind == "double"

    def lost_by_product(self, a: Value, b: Value, product: Value) -> Value:
        """Compute a b - product, what rounding took from a product."""
        return self.fma(a, b, -product) if self.builder.target.has_fma else lost_by_product(a, b, product)

    def lost_by_log(self, u: Value, minus_log_u: Value) -> Value:
        """Compute -log u - minus_log_u, what rounding took from the last sum of the logarithm."""
        if not self.in_float64(u):
            return self.number(0)
        n, low = self._log_parts(u)
        # n LN2_HIGH is exact.
        return self.where(u > 0, (n * -LN2_HIGH[self.precision] - minus_log_u) - low, self.number(0))

    def _named(self, table):
        return self.number(table[self.precision])

    def _polynomial(self, table, x):
        """Return the polynomial of a table by Horner's rule: one fused multiply-add per coefficient."""
        result, *rest = map(self.number, table[self.precision])
        for coefficient in rest:
            result = self.fma(result, x, coefficient)
        return result


class QuickMaths(Maths):
    """The maths module for sums of losses that are all finite: without guards, and with few logarithms.

    The sum of log1p(t) is log1p(s) with 1 + s = (1 + t_1) (1 + t_2) ..., which takes one logarithm for many elements.
    """

    terms: list[Value] | None = None  # t_1, t_2, ... if logarithms are left for later
    smoothed = False  # whether 1 - y has digits of its own

    def log1p(self, t: Value) -> Value:
        """Compute log(1 + t); or leave it for later, and return 0."""
        if self.terms is None:
            return super().log1p(t)
        self.terms += t.each_part()
        return self.number(0)

    def product(self, terms: list[Value]) -> Value:
        """Return s. It is a sum of positive terms, and loses no digits to the 1."""
        while len(terms) > 1:
            pairs = zip(terms[::2], terms[1::2], strict=False)
            terms = [self.fma(a, b, a + b) for a, b in pairs] + terms[len(terms) // 2 * 2 :]
        return terms[0]

    def multiply_no_nan(self, weight: Value, value: Value) -> Value:
        """Compute weight * value."""
        return weight * value

    def divide_weight_no_nan(self, weight: Value, p: Value) -> Value:
        """Compute weight / p."""
        return weight / p

    def multiply_positive(self, factor: Value, value: Value) -> Value:
        """Compute factor * value."""
        return factor * value

    def label_linear_part(self, z: Value, y: Value, not_y: Value) -> Value:
        """Compute (1 - y) z where z > 0 and -y z elsewhere; derivatives that depend on it round as with guards."""
        if self.terms is not None and self.builder.target.has_fma and not self.smoothed:
            return self.fma(-y, z, self.maximum(z, self.number(0)))
        return self.where(z >= 0, not_y, y) * self.abs(z)
