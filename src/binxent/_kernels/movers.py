"""Elements of any dtype and layout, for loops that know only contiguous blocks of float32 or float64.

A mover is compiled for one dtype and working precision: `gather` brings some elements of an input into a block, and
`scatter` takes a block to its place in an output. Half precision is converted by arithmetic on whole numbers where the
processor has no instruction: LLVM would call functions of a library that hardly any process has loaded.
"""

from collections.abc import Callable

import numpy as np

from binxent._kernels.builder import INDEX, Builder
from binxent._kernels.targets import Target
from binxent._kernels.values import BITS, Value


def _same(x: Value) -> Value:
    return x


def gather(target: Target, name: str, dtype: str, kind: str, bounded: bool = False) -> str:
    """Return the code of the function (where, start, count, block) that brings elements from start on into a block.

    With `bounded`, a number outside of [0, 1] is not rounded to 0 or 1, for a range check in the working precision.
    """
    storage, signed, decode, _ = STORAGE[dtype]

    def move(b, address, index, block, done, lanes):
        exact = decode(b.load(storage, address, index, lanes))
        x = exact.to(kind, signed=signed)
        if bounded:
            x = b.select((exact > 1) & (x == 1), x.like(2), x)
            x = b.select((exact < 0) & (x == 0), x.like(-1), x)
        b.store(x, block, done)

    return _mover(target, name, storage, kind, move)


def scatter(target: Target, name: str, dtype: str, kind: str) -> str:
    """Return the code of the function (where, start, count, block) that takes a block to elements from start on."""
    storage, _, _, encode = STORAGE[dtype]

    def move(b, address, index, block, done, lanes):
        b.store(encode(b.load(kind, block, done, lanes)).to(storage), address, index)

    return _mover(target, name, storage, kind, move)


def _mover(target, name, storage, kind, move):
    """Return the code of a mover, whose elements lie in runs of equal distances."""
    b = Builder(target, name, 4)
    where, start, count, block = b.arguments
    lanes, size = b.lanes(kind), BITS[storage] // 8
    done = b.variable(0)
    with b.loop_while(lambda: done.value < count):
        first = done.value
        address, step, run = _locate(b, where, start + first)
        run = b.least(run, count - first)
        with b.when(step == size):
            whole = run - run % lanes
            with b.loop(0, whole, lanes) as i:
                move(b, address, i, block, first + i, lanes)
            with b.loop(whole, run) as i:
                move(b, address, i, block, first + i, 1)
        with b.when(step != size), b.loop(0, run) as i:
            move(b, address + i * step, 0, block, first + i, 1)
        done.value = first + run
    return b.give_back()


def _locate(b, where, index):
    """Return the address of an element, the bytes to the next, and how many follow at that distance, itself included.

    A description holds the address of the data, the rank, the shape, and the strides in bytes.
    """
    rank = b.load(INDEX, where, 1)
    shape, strides = where + 16, where + 16 + rank * 8
    inner, step = b.load(INDEX, shape, rank - 1), b.load(INDEX, strides, rank - 1)
    column, rest = index % inner, b.variable(index // inner)
    address, axis = b.variable(b.load(INDEX, where) + column * step), b.variable(rank - 2)
    with b.loop_while(lambda: axis.value >= 0):
        extent = b.load(INDEX, shape, axis.value)
        address.value = address.value + rest.value % extent * b.load(INDEX, strides, axis.value)
        rest.value = rest.value // extent
        axis.value = axis.value - 1
    return address.value, step, inner - column


def _from_half(bits: Value) -> Value:
    """Return the float32 of a float16."""
    if bits.builder.target.has_halves:
        return bits.bits_as("half").to("float")
    half, select = bits.to("i32", signed=False), bits.builder.select
    sign, rest = (half & 0x8000) << 16, (half & 0x7FFF) << 13
    normal = rest + (112 << 23)  # the exponent of 1 is 15 in a half and 127 here
    # Subnormal halves lack the leading bit that the others leave out: it is put there, and taken away again.
    least = rest.like(113 << 23)
    subnormal = (rest + least).bits_as("float") - least.bits_as("float")
    found = select(rest.compare("ult", 0x7C00 << 13), normal, rest + (224 << 23))
    found = select(rest.compare("ult", 0x0400 << 13), subnormal.bits_as("i32"), found)
    return (found | sign).bits_as("float")


def _to_half(x: Value) -> Value:
    """Return the nearest float16, ties to even."""
    single, select = _to_single(x), x.builder.select
    if x.builder.target.has_halves:
        return single.to("half").bits_as("i16")
    bits = single.bits_as("i32")
    rest = bits & 0x7FFFFFFF
    # The exponent of 1 is 127 here and 15 in a half.
    normal = (rest - (112 << 23) + (_last(rest, 13) + 0x0FFF)) >> 13
    # Added to 1/2, whose last bit counts 2^-24 as that of a subnormal half does, a number is rounded to that.
    subnormal = (rest.bits_as("float") + 0.5).bits_as("i32") - (126 << 23)
    found = select(rest.compare("ult", 113 << 23), subnormal, normal)
    found = select(rest.compare("ult", 143 << 23), found, rest.like(0x7C00))
    found = select(rest.compare("ugt", 255 << 23), rest.like(0x7E00), found)
    return (found | ((bits >> 16) & 0x8000)).to("i16")


def _from_brain(bits: Value) -> Value:
    """Return the float32 of a bfloat16, which is its upper half."""
    return (bits.to("i32", signed=False) << 16).bits_as("float")


def _to_brain(x: Value) -> Value:
    """Return the nearest bfloat16, ties to even."""
    single = _to_single(x)
    bits = single.bits_as("i32")
    rounded = (bits + (_last(bits, 16) + 0x7FFF)) >> 16
    return x.builder.select(single != single, rounded.like(0x7FC0), rounded).to("i16")


def _to_single(x: Value) -> Value:
    """Return the float32 of a float that is to be rounded once more, to a half.

    From float64 it is rounded to odd: if it is not exact, the last bit is set. It then lies on the same side of what is
    halfway between two halves as the float64 does, so that the second rounding is as good as the only one. Boldo and
    Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008.
    """
    if x.kind == "float":
        return x
    nearest, select = x.to("float"), x.builder.select
    back, bits = nearest.to("double"), nearest.bits_as("i32")
    inexact = (back < x) | (back > x)
    # Both have the same sign, and bits grow with the distance from zero.
    too_small = back.bits_as("i64").compare("ult", x.bits_as("i64"))
    odd = bits + select(too_small, bits.like(1), bits.like(-1))
    return select((_last(bits, 0) == 0) & inexact, odd, bits).bits_as("float")


def _last(bits: Value, position: int) -> Value:
    return (bits >> position) & 1


# By dtype: how it lies in memory, whether it is signed, and what makes a number of it and back.
Convert = Callable[[Value], Value]
STORAGE: dict[str, tuple[str, bool, Convert, Convert]] = {
    "bool": ("i8", False, _same, _same),
    "float16": ("i16", False, _from_half, _to_half),
    "bfloat16": ("i16", False, _from_brain, _to_brain),
    "float32": ("float", True, _same, _same),
    "float64": ("double", True, _same, _same),
}
for code in np.typecodes["AllInteger"]:
    dtype = np.dtype(code)
    STORAGE[dtype.name] = (f"i{8 * dtype.itemsize}", dtype.kind == "i", _same, _same)
