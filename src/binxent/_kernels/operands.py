"""Operands of any dtype and layout, for kernels that know only contiguous blocks of float32 or float64.

A mover is a small function, compiled for one dtype, that a kernel calls by its address: `gather` brings some elements
of an input into a block, `scatter` takes a block to its place in an output. An operand that is contiguous and of the
working precision needs none.
"""

# pyright: reportCallIssue=false, reportGeneralTypeIssues=false
# (an intrinsic is called without its first argument, and returns something)

from functools import cache

import numpy as np
from numba import cfunc, types
from numba.extending import register_jitable

from binxent._kernels import memory
from binxent._kernels.compiler import compiled

MOVER = types.void(types.int64, types.int64, types.int64, types.int64)


@register_jitable
def as_stored(x):
    return x


@register_jitable
def from_half(bits):
    return memory.from_half(bits)


@register_jitable
def to_half(x):
    return memory.to_half(x)


@register_jitable
def from_brain(bits):
    return memory.from_brain(bits)


@register_jitable
def to_brain(x):
    return memory.to_brain(x)


# By dtype: the type that Numba reads and writes, and what makes a number of it and back.
STORAGE = {
    "bool": (np.uint8, as_stored, as_stored),
    "float16": (np.uint16, from_half, to_half),
    "bfloat16": (np.uint16, from_brain, to_brain),
}
for code in (*np.typecodes["AllInteger"], "f", "d"):
    STORAGE[np.dtype(code).name] = (np.dtype(code).type, as_stored, as_stored)


@register_jitable
def locate(where, index):
    """Address of an element, the bytes to the next, and how many follow at that distance, itself included.

    A description at `where` holds the address of the data, the rank, the shape, and the strides in bytes.
    """
    rank = memory.read(where, 1, np.int64)
    inner, step = memory.read(where, 1 + rank, np.int64), memory.read(where, 1 + 2 * rank, np.int64)
    column, rest = index % inner, index // inner
    address = memory.read(where, 0, np.int64) + column * step
    for axis in range(rank - 2, -1, -1):
        extent = memory.read(where, 2 + axis, np.int64)
        address += rest % extent * memory.read(where, 2 + rank + axis, np.int64)
        rest //= extent
    return address, step, inner - column


@cache
def gather(dtype, real):
    """Address of the compiled function that brings elements [start, start + count) of an operand into a block."""
    storage, decode, _ = STORAGE[dtype]
    itemsize, width = np.dtype(storage).itemsize, np.dtype(real).itemsize

    def move(where, start, count, block):
        memory.use_wide_vectors()
        done = 0
        while done < count:
            address, step, run = locate(where, start + done)
            run = min(run, count - done)
            target = block + done * width
            if step == itemsize:
                for i in range(run):
                    memory.write_first(target, i, real, real(decode(memory.read_input(address, i, storage))))
            else:
                for i in range(run):
                    memory.write(target, i, real, real(decode(memory.read(address + i * step, 0, storage))))
            done += run

    return compiled(cfunc, MOVER, move, "gather", dtype, real.__name__)


@cache
def scatter(dtype, real):
    """Address of the compiled function that brings a block to elements [start, start + count) of an output."""
    storage, _, encode = STORAGE[dtype]
    itemsize, width = np.dtype(storage).itemsize, np.dtype(real).itemsize

    def move(where, start, count, block):
        memory.use_wide_vectors()
        done = 0
        while done < count:
            address, step, run = locate(where, start + done)
            run = min(run, count - done)
            source = block + done * width
            if step == itemsize:
                for i in range(run):
                    memory.write_first(address, i, storage, storage(encode(memory.read_input(source, i, real))))
            else:
                for i in range(run):
                    memory.write(address + i * step, 0, storage, storage(encode(memory.read(source, i, real))))
            done += run

    return compiled(cfunc, MOVER, move, "scatter", dtype, real.__name__)


NOWHERE = (0, 0, None)  # an operand that a plan does without


def describe(array, real, mover):
    """Return an array as an operand: its two fields in a plan, and what must stay alive while the plan is in use."""
    address = array.__array_interface__["data"][0]
    if array.dtype == real and array.flags.c_contiguous:
        return 0, address, array
    return lay_out(array, address, array.dtype.name, array.shape, array.strides, real, mover)


def lay_out(owner, address, dtype, extents, steps, real, mover):
    """As `describe`, of any memory, whose dtype goes by NumPy's name and whose steps are in bytes."""
    shape, strides = [1], [0]
    for extent, stride in zip(extents, steps, strict=True):
        if extent > 1 and strides[-1] == extent * stride:  # this axis goes on where the one before it leaves off
            shape[-1] *= extent
            strides[-1] = stride
        elif extent > 1:
            shape.append(extent)
            strides.append(stride)
    description = np.array([address, len(shape), *shape, *strides], np.int64)
    return mover(dtype, real.type).address, description.__array_interface__["data"][0], (owner, description)


def constant_operands(constants, shape, real, axis=-1):
    """Return the constants of a loss as operands: NOWHERE for a number, and one for each label for a tuple.

    Args:
        constants: Numbers, tuples of numbers, or arrays in the shape.
        shape: The shape of the predictions.
        real: Working precision.
        axis: The axis of the labels.
    """
    operands = []
    for constant in constants:
        if isinstance(constant, tuple):
            along = [1] * len(shape)
            along[axis] = len(constant)
            constant = np.broadcast_to(np.array(constant, np.float64).reshape(along), shape)
        operands.append(describe(constant, real, gather) if isinstance(constant, np.ndarray) else NOWHERE)
    return tuple(operands)
