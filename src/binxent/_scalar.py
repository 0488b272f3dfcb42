"""Scalar maths for Numba that the compiler can vectorise: the module `m` in which `_cpu.py` defines the formulas.

Numba's own `math.exp` and `math.log` call library functions and promote to double, and such a loop does not vectorise:
it runs 15 times slower. Here every function is straight-line arithmetic on float32 or float64 made from LLVM
instructions, with polynomials in place of tables, no branches, and constants in the type of the argument.

As in `_memory.py`, nobody closes over the intrinsics: formulas name their functions through this module.
"""

# pyright: reportCallIssue=false, reportRedeclaration=false
# (an intrinsic is called without its first argument)
from math import inf

import llvmlite.ir as ir
from numba.core import types
from numba.extending import intrinsic, register_jitable

# Coefficients from the highest power down: Chebyshev fits (mpmath.chebyfit) with truncation errors below 2e-8 of the
# function in float32 and below 2e-17 in float64.
#   exp:   (exp(r) - 1 - r) / r^2         for |r| <= log(2) / 2
#   log1p: log(1 + t) / t                 for 0 <= t <= 1
#   cost_of_rest: -log(1 - x) / x         for 0 <= x <= 1/2
#   log:   (log(1 + f) - f + f^2/2) / f^3 for sqrt(1/2) - 1 <= f <= sqrt(2) - 1
# fmt: off
EXP = {
    types.float32: (0.0013926184, 0.008363179, 0.041666556, 0.16666576, 0.5),
    types.float64: (
        2.0914686968086876e-09, 2.5105217004720745e-08, 2.75572736431103e-07, 2.7557255400206422e-06,
        2.4801587325547743e-05, 0.00019841269874820627, 0.0013888888888883748, 0.008333333333326136,
        0.04166666666666667, 0.1666666666666667, 0.5,
    ),
}
LOG1P = {
    types.float32: (
        -0.003176057, 0.019542526, -0.05637361, 0.105436236, -0.15269667, 0.19663274, -0.24951616, 0.3332971,
        -0.49999893, 1.0,
    ),
    types.float64: (
        -1.6020216725538194e-05, 0.00019330794553431145, -0.0011093809681700342, 0.004047809893467512,
        -0.01061469636358553, 0.021511022653356974, -0.03553052540144125, 0.05007742395391704, -0.06288754670783146,
        0.07329015255534954, -0.08207163680437429, 0.09055567515590733, -0.09992127821760016, 0.11109740896460193,
        -0.12499817769513955, 0.14285696309567308, -0.16666665403691092, 0.19999999940349814, -0.2499999999826481,
        0.3333333333330646, -0.49999999999999833, 1.0,
    ),
}
COST_OF_REST = {
    types.float32: (
        1.733612, -2.458962, 1.9598706, -0.5900887, 0.34074646, 0.17544077, 0.2519568, 0.33325517, 0.5000012, 1.0,
    ),
    types.float64: (
        34.64325485311617, -154.70688210932119, 328.287292707348, -434.6681168629363, 400.94424171996883,
        -272.3316008159411, 140.98321573398854, -56.54861513680553, 17.935943950567406, -4.373972785340507,
        0.9592834456750595, -0.044716012534183794, 0.11638092289356726, 0.1095884162292003, 0.12510682097461606,
        0.14285164148286852, 0.16666686669473194, 0.19999999514837213, 0.2500000000719781, 0.33333333333276843,
        0.5000000000000018, 1.0,
    ),
}
LOG = {
    types.float32: (
        0.06971612, -0.11479734, 0.1168542, -0.12425687, 0.14249058, -0.16667803, 0.20000716, -0.24999997, 0.3333333,
    ),
    types.float64: (
        -0.025061228095282464, 0.0566642324205218, -0.06129561980727906, 0.0537187789066478, -0.05368280388050548,
        0.05837018351464999, -0.06265031869518063, 0.06671985555271291, -0.0714223204915847, 0.0769198812013375,
        -0.08333345056413204, 0.09090919875998202, -0.0999999999631727, 0.11111110909841072, -0.12499999997109267,
        0.1428571428759174, -0.16666666666697305, 0.19999999999993223, -0.2499999999999993, 0.33333333333333337,
    ),
}
# fmt: on
# log(2) in two parts, the first with so few digits that its product with a small whole number is exact.
LN2_HIGH = {types.float32: 0.693359375, types.float64: 6.93147180369123816490e-01}
LN2_LOW = {types.float32: -2.12194440e-4, types.float64: 1.90821492927058770002e-10}
LOG2_E = {types.float32: 1.4426950408889634, types.float64: 1.4426950408889634}
LOWEST_EXPONENT = {types.float32: -104.0, types.float64: -746.0}  # exp of less rounds to 0, through all subnormals
LIFT = {types.float32: 24, types.float64: 64}
MANTISSA_BITS = {types.float32: 23, types.float64: 52}
BIAS = {types.float32: 127, types.float64: 1023}
SHIFTER = {kind: 1.5 * 2.0 ** MANTISSA_BITS[kind] + LIFT[kind] + BIAS[kind] for kind in LIFT}
LIFTING = {kind: 2.0 ** LIFT[kind] for kind in LIFT}
UNLIFT = {kind: 2.0 ** -LIFT[kind] for kind in LIFT}
INTEGER = {types.float32: ir.IntType(32), types.float64: ir.IntType(64)}
SQRT_HALF_BITS = {types.float32: 0x3F3504F3, types.float64: 0x3FE6A09E667F3BCD}


def llvm_function(name, arity):
    """An LLVM float intrinsic as a Numba function: one instruction, no Python semantics, no promotion to double."""

    def emit(context, builder, signature, args):
        kind = args[0].type
        function = builder.module.declare_intrinsic(name, [kind], ir.FunctionType(kind, [kind] * arity))
        return builder.call(function, args)

    if arity == 1:

        @intrinsic
        def function(typing, a):
            return a(a), emit
    else:

        @intrinsic
        def function(typing, a, b, c):
            return a(a, a, a), emit

    return function


def constant(table):
    """The constant of a table in the type of the argument."""

    @intrinsic
    def like(typing, x):
        return x(x), lambda context, builder, signature, args: ir.Constant(args[0].type, table[signature.return_type])

    return like


def polynomial(table):
    """The polynomial of a table by Horner's rule: one fused multiply-add per coefficient."""

    @intrinsic
    def evaluate(typing, x):
        def emit(context, builder, signature, args):
            kind = args[0].type
            fma = builder.module.declare_intrinsic("llvm.fma", [kind], ir.FunctionType(kind, [kind] * 3))
            first, *rest = (ir.Constant(kind, coefficient) for coefficient in table[signature.return_type])
            for coefficient in rest:
                first = builder.call(fma, [first, args[0], coefficient])
            return first

        return x(x), emit

    return evaluate


abs, _fma = llvm_function("llvm.fabs", 1), llvm_function("llvm.fma", 3)
_exp_polynomial, _log1p_polynomial, _log_polynomial = polynomial(EXP), polynomial(LOG1P), polynomial(LOG)
_cost_of_rest_polynomial = polynomial(COST_OF_REST)
_log2_e, _ln2_high, _ln2_low = constant(LOG2_E), constant(LN2_HIGH), constant(LN2_LOW)
_lowest_exponent = constant(LOWEST_EXPONENT)
_shifter, _lift, _unlift = constant(SHIFTER), constant(LIFTING), constant(UNLIFT)


@intrinsic
def _number(typing, x, value):
    """The value in the type of x."""

    def emit(context, builder, signature, args):
        return context.cast(builder, args[1], signature.args[1], signature.return_type)

    return x(x, value), emit


@intrinsic
def where(typing, condition, a, b):
    """A conditional without a branch, which would stop vectorisation."""

    def emit(context, builder, signature, args):
        return builder.select(*args)

    return a(types.boolean, a, a), emit


@intrinsic
def _low_bits_as_exponent(typing, x):
    """The float whose exponent field is the last bits of x."""

    def emit(context, builder, signature, args):
        integer, bits = INTEGER[signature.return_type], MANTISSA_BITS[signature.return_type]
        return builder.bitcast(builder.shl(builder.bitcast(args[0], integer), integer(bits)), args[0].type)

    return x(x), emit


@intrinsic
def _exponent(typing, x):
    """The whole float n with x = 2^(n + LIFT) f, sqrt(1/2) <= f < sqrt(2), for a normal x > 0."""

    def emit(context, builder, signature, args):
        kind = signature.return_type
        integer, bits = INTEGER[kind], MANTISSA_BITS[kind]
        shifted = builder.sub(builder.bitcast(args[0], integer), integer(SQRT_HALF_BITS[kind] + (LIFT[kind] << bits)))
        return builder.sitofp(builder.ashr(shifted, integer(bits)), args[0].type)

    return x(x), emit


@intrinsic
def _mantissa(typing, x):
    """The f of `_exponent`."""

    def emit(context, builder, signature, args):
        kind = signature.return_type
        integer, bits = INTEGER[kind], MANTISSA_BITS[kind]
        shifted = builder.sub(builder.bitcast(args[0], integer), integer(SQRT_HALF_BITS[kind] + (LIFT[kind] << bits)))
        fraction = builder.and_(shifted, integer((1 << bits) - 1))
        return builder.bitcast(builder.add(fraction, integer(SQRT_HALF_BITS[kind])), args[0].type)

    return x(x), emit


@register_jitable
def minimum(a, b):
    return where(a > b, b, a)


@register_jitable
def maximum(a, b):
    return where(a < b, b, a)


@register_jitable
def exp(x):
    """exp(x) for x <= 0: 2^n exp(r), where n is log2(e) x rounded, by adding a number whose last bit is worth 1.

    The last bits of that sum are n + LIFT + BIAS, the exponent field of 2^(n + LIFT). The lift keeps it normal where
    2^n is not, and is taken back by the last multiplication.
    """
    t = minimum(-x, -_lowest_exponent(x))  # of -|z| this leaves |z|, which the formulas want anyway
    shifted = _fma(t, -_log2_e(x), _shifter(x))
    n = shifted - _shifter(x)
    r = _fma(n, -_ln2_low(x), _fma(n, -_ln2_high(x), -t))
    power = _low_bits_as_exponent(shifted)
    return _fma(_fma(_exp_polynomial(r), r * r, r), power, power) * _unlift(x)


@register_jitable
def log1p(t):
    """log(1 + t) for 0 <= t <= 1."""
    return t * _log1p_polynomial(t)


@register_jitable
def cost_of_rest(x):
    """-log(1 - x) for 0 <= x <= 1/2."""
    return x * _cost_of_rest_polynomial(x)


@register_jitable
def log(x):
    """log(x) for 0 <= x <= 1; NaN stays NaN."""
    lifted = x * _lift(x)  # a subnormal becomes normal, and a number next to 1 does not overflow
    n, f = _exponent(lifted), _mantissa(lifted) - _number(x, 1)
    low = _fma(f * f, _fma(_log_polynomial(f), f, _number(x, -0.5)), _fma(n, _ln2_low(x), f))
    return where(x > _number(x, 0), _fma(n, _ln2_high(x), low), x - _number(x, inf))
