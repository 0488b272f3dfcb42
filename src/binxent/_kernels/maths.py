"""Scalar maths for Numba that the compiler can vectorise: the module `m` in which `loops.py` defines the formulas.

Numba's own `math.exp` and `math.log` call library functions and promote to double, and such a loop does not vectorise:
it runs 15 times slower. Here every function is straight-line arithmetic on float32 or float64 made from LLVM
instructions, with polynomials in place of tables, no branches, and constants in the type of the argument.

As in `memory.py`, nobody closes over the intrinsics: formulas name their functions through this module.
"""

# pyright: reportCallIssue=false, reportRedeclaration=false
# (an intrinsic is called without its first argument)
from math import inf

import llvmlite.ir as ir
from numba.core import types
from numba.extending import intrinsic, register_jitable

from binxent._core.polynomials import (
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

INTEGER = {"float32": ir.IntType(32), "float64": ir.IntType(64)}
LIFTING = {name: 2.0**exponent for name, exponent in LIFT.items()}


def llvm_function(name, arity):
    """Wrap an LLVM float intrinsic as a Numba function: one instruction without Python semantics."""

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
    """Return the constant of a table in the type of the argument."""

    @intrinsic
    def like(typing, x):
        return x(x), lambda context, builder, signature, args: ir.Constant(
            args[0].type, table[signature.return_type.name]
        )

    return like


def polynomial(table):
    """Return the polynomial of a table by Horner's rule: one fused multiply-add per coefficient."""

    @intrinsic
    def evaluate(typing, x):
        def emit(context, builder, signature, args):
            kind = args[0].type
            fma = builder.module.declare_intrinsic("llvm.fma", [kind], ir.FunctionType(kind, [kind] * 3))
            first, *rest = (ir.Constant(kind, coefficient) for coefficient in table[signature.return_type.name])
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
    """Return the value in the type of x."""

    def emit(context, builder, signature, args):
        return context.cast(builder, args[1], signature.args[1], signature.return_type)

    return x(x, value), emit


@intrinsic
def where(typing, condition, a, b):
    """Return a conditional without a branch, which would stop vectorisation."""

    def emit(context, builder, signature, args):
        return builder.select(*args)

    return a(types.boolean, a, a), emit


@intrinsic
def _low_bits_as_exponent(typing, x):
    """Return the float whose exponent field is the last bits of x."""

    def emit(context, builder, signature, args):
        integer, bits = INTEGER[signature.return_type.name], MANTISSA_BITS[signature.return_type.name]
        return builder.bitcast(builder.shl(builder.bitcast(args[0], integer), integer(bits)), args[0].type)

    return x(x), emit


@intrinsic
def _exponent(typing, x):
    """Return the whole float n with x = 2^(n + LIFT) f, sqrt(1/2) <= f < sqrt(2), for a normal x > 0."""

    def emit(context, builder, signature, args):
        kind = signature.return_type.name
        integer, bits = INTEGER[kind], MANTISSA_BITS[kind]
        shifted = builder.sub(builder.bitcast(args[0], integer), integer(SQRT_HALF_BITS[kind] + (LIFT[kind] << bits)))
        return builder.sitofp(builder.ashr(shifted, integer(bits)), args[0].type)

    return x(x), emit


@intrinsic
def _mantissa(typing, x):
    """Return the f of `_exponent`."""

    def emit(context, builder, signature, args):
        kind = signature.return_type.name
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
