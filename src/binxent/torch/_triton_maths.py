"""Maths for Triton, on blocks of float32 or float64: the module `m` in which `_triton.py` defines the formulas.

Triton's own exp and log are approximate in float32 (exp(-80) is off by 1e-6), its minimum and maximum drop NaN, and its
float64 functions come from a library that its interpreter does not have. So these are the functions of
`_kernels/maths.py`, with the same polynomials, written for Triton.
"""

# pyright: reportCallIssue=false, reportIndexIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# (Triton's annotations are those of the compiler's side of a call, not of the caller's)

import torch
import triton
import triton.language as tl

from binxent._core import polynomials as tables


def by_type(table):
    """Return what a table holds for float32 and float64, as a constant."""
    return tl.constexpr((table["float32"], table["float64"]))


EXP, LOG1P, COST_OF_REST, LOG = map(by_type, (tables.EXP, tables.LOG1P, tables.COST_OF_REST, tables.LOG))
LN2_HIGH, LN2_LOW, LOG2_E = map(by_type, (tables.LN2_HIGH, tables.LN2_LOW, tables.LOG2_E))
LOWEST_EXPONENT, SMALLEST_NORMAL = map(by_type, (tables.LOWEST_EXPONENT, tables.SMALLEST_NORMAL))
SHIFTER, UNLIFT = map(by_type, (tables.SHIFTER, tables.UNLIFT))
MANTISSA_BITS, SQRT_HALF_BITS = map(by_type, (tables.MANTISSA_BITS, tables.SQRT_HALF_BITS))
INTEGER = by_type({"float32": tl.int32, "float64": tl.int64})


@triton.jit
def number(x, value: tl.constexpr):
    """Return a constant in the type and shape of x: Triton would take a bare one through float32."""
    return tl.full(x.shape, value, x.dtype)


@triton.jit
def constant(x, table: tl.constexpr):
    """Return the constant of a table in the type and shape of x."""
    return number(x, table[x.dtype == tl.float64])


@triton.jit
def polynomial(x, table: tl.constexpr):
    """Return the polynomial of a table by Horner's rule: one fused multiply-add per coefficient."""
    coefficients: tl.constexpr = table[x.dtype == tl.float64]
    value = number(x, coefficients[0])
    for k in tl.static_range(1, len(coefficients)):
        value = tl.fma(value, x, number(x, coefficients[k]))
    return value


@triton.jit
def abs(x):
    return tl.abs(x)


@triton.jit
def where(condition, a, b):
    return tl.where(condition, a, b)


@triton.jit
def minimum(a, b):
    return tl.minimum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def maximum(a, b):
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def exp(x):
    """Compute exp(x) for x <= 0 as 2^n exp(r): n is log2(e) x, rounded by adding a number whose last bit is worth 1.

    The last bits of that sum are n + LIFT + BIAS, the exponent field of 2^(n + LIFT). The lift keeps it normal where
    2^n is not, and is taken back by the last multiplication.
    """
    x = maximum(x, constant(x, LOWEST_EXPONENT))
    shifter = constant(x, SHIFTER)
    shifted = tl.fma(x, constant(x, LOG2_E), shifter)
    n = shifted - shifter
    r = tl.fma(n, -constant(x, LN2_LOW), tl.fma(n, -constant(x, LN2_HIGH), x))
    bits = shifted.to(INTEGER[x.dtype == tl.float64], bitcast=True) << MANTISSA_BITS[x.dtype == tl.float64]
    power = bits.to(x.dtype, bitcast=True)
    return tl.fma(tl.fma(polynomial(r, EXP), r * r, r), power, power) * constant(x, UNLIFT)


@triton.jit
def log1p(t):
    """Compute log(1 + t) for 0 <= t <= 1."""
    return t * polynomial(t, LOG1P)


@triton.jit
def cost_of_rest(x):
    """Compute -log(1 - x) for 0 <= x <= 1/2."""
    return x * polynomial(x, COST_OF_REST)


@triton.jit
def log(x):
    """Compute log(x) for 0 <= x <= 1; NaN stays NaN.

    x = 2^n f, sqrt(1/2) <= f < sqrt(2): both are read off the bits of x, less those of sqrt(1/2).
    """
    integer: tl.constexpr = INTEGER[x.dtype == tl.float64]
    bits: tl.constexpr = MANTISSA_BITS[x.dtype == tl.float64]
    subnormal = x < constant(x, SMALLEST_NORMAL)
    normal = tl.where(subnormal, x * number(x, 2.0**64), x)
    shifted = normal.to(integer, bitcast=True) - SQRT_HALF_BITS[x.dtype == tl.float64]
    n = (shifted >> bits).to(x.dtype) - tl.where(subnormal, number(x, 64.0), number(x, 0.0))
    fraction = (shifted & ((1 << bits) - 1)) + SQRT_HALF_BITS[x.dtype == tl.float64]
    f = fraction.to(x.dtype, bitcast=True) - number(x, 1.0)
    low = tl.fma(polynomial(f, LOG) * f, f * f, tl.fma(number(x, -0.5) * f, f, n * constant(x, LN2_LOW)))
    result = tl.fma(n, constant(x, LN2_HIGH), f + low)
    return tl.where(x > 0, result, tl.where(x == x, number(x, float("-inf")), x))


@triton.jit
def lost_by_sum(large, small, total):
    """Compute large + small - total, what rounding took from a sum of float64; 0 if that is far or infinite."""
    if total.dtype == tl.float64:
        return (minimum(large, number(total, 1e8)) - minimum(total, number(total, 1e8))) + small
    else:
        return number(total, 0.0)


@triton.jit
def lost_by_log(u, minus_log_u):
    """Compute -log u - minus_log_u, what rounding took from the logarithm of a float64."""
    if u.dtype == tl.float64:
        return (exp(-minus_log_u) - u) / maximum(u, constant(u, SMALLEST_NORMAL))
    else:
        return number(u, 0.0)


@triton.jit
def lost_by_product(a, b, product):
    """Compute a b - product, what rounding took from a product."""
    return tl.fma(a, b, -product)


@triton.jit
def power_from_log(gamma, minus_log_u):
    """Compute u^gamma from -log u, given in two parts, of which float32 needs the first."""
    logarithm, lost = minus_log_u
    if logarithm.dtype == tl.float64:
        bounded = minimum(logarithm, number(logarithm, 1e8))
        product = gamma * bounded
        result = exp(-product)
        return result - result * (lost_by_product(gamma + number(logarithm, 0.0), bounded, product) + gamma * lost)
    else:
        return exp(-gamma * logarithm)


if torch.version.hip is None:

    @triton.jit
    def reciprocal(x):
        """Compute 1 / x for 1 <= x <= 2 in one instruction; division takes eight, for all of float32."""
        if x.dtype == tl.float64:
            return 1.0 / x
        else:
            return tl.inline_asm_elementwise("rcp.approx.ftz.f32 $0, $1;", "=f,f", [x], tl.float32, True, 1)
