"""Memory by address, for Numba: typed reads and writes, half floats, an atomic counter, calls through a pointer.

Kernels get the addresses of arrays rather than arrays, so that one compiled kernel serves every dtype and every layout.
Whoever takes an address answers for it: the array must be kept alive, and outputs must not overlap inputs.

Kernels name these functions through the module, `memory.read(...)`. Numba's disk cache tells kernels apart by pickling
what they refer to, and a module is pickled by name, while an intrinsic on its own has a new name in every process.
"""

import llvmlite.ir as ir
from numba.core import types
from numba.extending import intrinsic

POINTER = ir.PointerType()
WORD, SINGLE = ir.IntType(32), ir.FloatType()
# A kernel writes up to three outputs in one loop. LLVM may assume that none of them overlaps another or an input.
OUTPUTS = ("first output", "second output", "third output")


def _scopes(module, names):
    domain = module.add_metadata(["binxent"])
    return module.add_metadata([module.add_metadata([name, domain]) for name in names])


def _element(context, builder, signature, args):
    kind = context.get_value_type(signature.args[2].instance_type)
    return builder.gep(builder.inttoptr(args[0], POINTER), [args[1]], source_etype=kind), kind


@intrinsic
def read(typing, address, index, storage):
    """Return the number at an index of an array of a NumPy type."""

    def emit(context, builder, signature, args):
        pointer, kind = _element(context, builder, signature, args)
        return builder.load(pointer, typ=kind)

    return storage.instance_type(address, index, storage), emit


@intrinsic
def read_input(typing, address, index, storage):
    """Return a `read` that no output in the same loop overlaps."""

    def emit(context, builder, signature, args):
        pointer, kind = _element(context, builder, signature, args)
        value = builder.load(pointer, typ=kind)
        value.set_metadata("noalias", _scopes(builder.module, OUTPUTS))
        return value

    return storage.instance_type(address, index, storage), emit


@intrinsic
def write(typing, address, index, storage, value):
    """Write a number, cast to the type of the array."""

    def emit(context, builder, signature, args):
        pointer, _ = _element(context, builder, signature, args)
        value = context.cast(builder, args[3], signature.args[3], signature.args[2].instance_type)
        builder.store(value, pointer)

    return types.void(address, index, storage, value), emit


def _output_writer(position):
    @intrinsic
    def write_output(typing, address, index, storage, value):
        def emit(context, builder, signature, args):
            pointer, _ = _element(context, builder, signature, args)
            instruction = builder.store(args[3], pointer)
            others = [name for name in OUTPUTS if name != OUTPUTS[position]]
            instruction.set_metadata("alias.scope", _scopes(builder.module, OUTPUTS[position : position + 1]))
            instruction.set_metadata("noalias", _scopes(builder.module, others))

        return types.void(address, index, storage, value), emit

    return write_output


write_first, write_second, write_third = map(_output_writer, range(3))


def _has_halves(context):
    """Whether what is compiled for turns float32 into float16 and back in one instruction.

    If not, LLVM calls functions of a library that hardly any process has loaded, and the process ends.
    """
    triple, _, features = context.codegen().magic_tuple()
    return "+f16c" in features.split(",") or triple.startswith(("aarch64", "arm64"))


def _as_single(builder, word):
    return builder.bitcast(word, SINGLE)


def _to_single(builder, x):
    """Return the float32 of a float that is to be rounded once more, to a half.

    From float64 it is rounded to odd: if it is not exact, the last bit is set. It then lies on the same side of what is
    halfway between two halves as the float64 does, so that the second rounding is as good as the only one. Boldo and
    Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008.
    """
    if x.type == SINGLE:
        return x
    nearest = builder.fptrunc(x, SINGLE)
    back, bits = builder.fpext(nearest, x.type), builder.bitcast(nearest, WORD)
    even = builder.icmp_unsigned("==", _last(builder, bits, 0), WORD(0))
    inexact = builder.fcmp_ordered("!=", back, x)
    # Both have the same sign, and bits grow with the distance from zero.
    too_small = builder.icmp_unsigned("<", _bits(builder, back), _bits(builder, x))
    odd = builder.add(bits, builder.select(too_small, WORD(1), WORD(-1)))
    return _as_single(builder, builder.select(builder.and_(even, inexact), odd, bits))


def _last(builder, bits, position):
    return builder.and_(builder.lshr(bits, WORD(position)), WORD(1))


@intrinsic
def from_half(typing, bits):
    """Return the float32 of a float16, which Numba holds as uint16."""

    def emit(context, builder, signature, args):
        if _has_halves(context):
            return builder.fpext(builder.bitcast(args[0], ir.HalfType()), SINGLE)
        half = builder.zext(args[0], WORD)
        sign = builder.shl(builder.and_(half, WORD(0x8000)), WORD(16))
        rest = builder.shl(builder.and_(half, WORD(0x7FFF)), WORD(13))
        normal = builder.add(rest, WORD(112 << 23))  # the exponent of 1 is 15 in a half and 127 here
        # Subnormal halves lack the leading bit that the others leave out: it is put there, and taken away again.
        least = WORD(113 << 23)
        subnormal = builder.fsub(_as_single(builder, builder.add(rest, least)), _as_single(builder, least))
        special = builder.add(rest, WORD(224 << 23))
        found = builder.select(builder.icmp_unsigned("<", rest, WORD(0x7C00 << 13)), normal, special)
        few = builder.icmp_unsigned("<", rest, WORD(0x0400 << 13))
        found = builder.select(few, builder.bitcast(subnormal, WORD), found)
        return _as_single(builder, builder.or_(found, sign))

    return types.float32(bits), emit


@intrinsic
def to_half(typing, x):
    """Return the nearest float16, ties to even."""

    def emit(context, builder, signature, args):
        single = _to_single(builder, args[0])
        if _has_halves(context):
            return builder.bitcast(builder.fptrunc(single, ir.HalfType()), ir.IntType(16))
        bits = builder.bitcast(single, WORD)
        rest = builder.and_(bits, WORD(0x7FFFFFFF))
        # The exponent of 1 is 127 here and 15 in a half.
        rounded = builder.add(builder.sub(rest, WORD(112 << 23)), builder.add(WORD(0x0FFF), _last(builder, rest, 13)))
        normal = builder.lshr(rounded, WORD(13))
        # Added to 1/2, whose last bit counts 2^-24 as that of a subnormal half does, a number is rounded to that.
        subnormal = builder.fadd(_as_single(builder, rest), SINGLE(0.5))
        subnormal = builder.sub(builder.bitcast(subnormal, WORD), WORD(126 << 23))
        found = builder.select(builder.icmp_unsigned("<", rest, WORD(113 << 23)), subnormal, normal)
        found = builder.select(builder.icmp_unsigned("<", rest, WORD(143 << 23)), found, WORD(0x7C00))
        found = builder.select(builder.icmp_unsigned(">", rest, WORD(255 << 23)), WORD(0x7E00), found)
        sign = builder.lshr(builder.and_(bits, WORD(0x80000000)), WORD(16))
        return builder.trunc(builder.or_(found, sign), ir.IntType(16))

    return types.uint16(x), emit


@intrinsic
def from_brain(typing, bits):
    """Return the float32 of a bfloat16, which is its upper half."""

    def emit(context, builder, signature, args):
        return _as_single(builder, builder.shl(builder.zext(args[0], WORD), WORD(16)))

    return types.float32(bits), emit


@intrinsic
def to_brain(typing, x):
    """Return the nearest bfloat16, ties to even."""

    def emit(context, builder, signature, args):
        single = _to_single(builder, args[0])
        bits = builder.bitcast(single, WORD)
        rounded = builder.add(bits, builder.add(WORD(0x7FFF), _last(builder, bits, 16)))
        rounded = builder.lshr(rounded, WORD(16))
        rounded = builder.select(builder.fcmp_unordered("uno", single, single), WORD(0x7FC0), rounded)
        return builder.trunc(rounded, ir.IntType(16))

    return types.uint16(x), emit


@intrinsic
def add_in_any_order(typing, total, x):
    """total + x, in a sum that the compiler may reorder: otherwise no sum is vectorised."""

    def emit(context, builder, signature, args):
        x = context.cast(builder, args[1], signature.args[1], signature.args[0])
        return builder.fadd(args[0], x, flags=["reassoc"])

    return total(total, x), emit


def _bits(builder, x):
    return builder.bitcast(x, ir.IntType(64 if isinstance(x.type, ir.DoubleType) else 32))


@intrinsic
def bits(typing, x):
    """Return the bits of a float. From 0 to 1 they grow with it; those of negative numbers and of NaN are greater."""

    def emit(context, builder, signature, args):
        return _bits(builder, args[0])

    return (types.uint64 if x == types.float64 else types.uint32)(x), emit


@intrinsic
def greatest_bits(typing, greatest, x):
    """Return the greater of some bits and those of a float."""

    def emit(context, builder, signature, args):
        found = _bits(builder, args[1])
        return builder.select(builder.icmp_unsigned(">", found, args[0]), found, args[0])

    return greatest(greatest, x), emit


@intrinsic
def fetch_and_add(typing, address, count):
    """Add the count to the int64 at an address, in one step for all threads, and return what was there."""

    def emit(context, builder, signature, args):
        return builder.atomic_rmw("add", builder.inttoptr(args[0], POINTER), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), emit


@intrinsic
def call_mover(typing, function, where, start, count, block):
    """Call the compiled `gather` or `scatter` at an address."""

    def emit(context, builder, signature, args):
        mover = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 4)
        builder.call(builder.inttoptr(args[0], mover.as_pointer()), args[1:])

    return types.void(*[types.int64] * 5), emit


@intrinsic
def keep_alive(typing, array):
    """Do nothing, after the last use of an array by address: Numba frees it after the last use by name."""
    return types.none(array), lambda context, builder, signature, args: context.get_dummy_value()


@intrinsic
def interleave_loops_above(typing):
    """Lets each turn of the loops before it, in the same function, work on four vectors at once.

    Left to itself LLVM takes two, and loads the constants of the formulas, which do not fit into registers, for those.
    """

    def emit(context, builder, signature, args):
        blocks, module = builder.function.blocks, builder.module
        four = module.add_metadata(["llvm.loop.interleave.count", ir.Constant(ir.IntType(32), 4)])
        for position, block in enumerate(blocks):
            if isinstance(block.terminator, ir.Branch) and block.terminator.operands[0] in blocks[: position + 1]:
                loop = module.add_metadata([f"{builder.function.name} {position}", four])
                loop.operands = (loop, four)  # that is how LLVM tells loops apart
                block.terminator.set_metadata("llvm.loop", loop)
        return context.get_dummy_value()

    return types.none(), emit


@intrinsic
def use_wide_vectors(typing):
    """Lets the function it stands in use the widest vectors there are; on some processors LLVM prefers half of them."""

    def emit(context, builder, signature, args):
        # llvmlite's attribute set refuses names that it does not know.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), emit
