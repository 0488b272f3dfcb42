"""One pass over memory on a CPU: operands packed into a plan, and the compiled loop run on as many threads as pay off.

Blocks are cut the same way whatever the number of threads, each block's sum has its own slot, and the slots are added
in order: the same input gives the same bits on any number of threads.
"""

import ctypes
import struct
from functools import cache
from typing import Any

import numpy as np

from binxent._core.options import check_precision
from binxent._kernels import blocks, loops
from binxent._kernels.compiler import compiled
from binxent._kernels.operands import KINDS, NOWHERE, address_of
from binxent._kernels.plan import BLOCK, IGNORE_NAN, IGNORE_NOTHING, IGNORE_NUMBER, NUMBERS, scratch_size
from binxent._kernels.targets import host
from binxent._kernels.threads import room, threads
from binxent._kernels.values import BITS


class Program:
    """What a loss decides on: the compiled functions, and the part of a plan that is the same in all its calls.

    Attributes:
        loss: The `losses.Pointwise`.
        fixed: That part.
        layout: The struct of a plan.
        room: The ctypes array that holds one.
        scratch: How many bytes of scratch each thread needs.
    """

    def __init__(self, loss, tallied, value, derivatives, weights, per_label, real, exact):
        if not tallied:
            check_precision(loss.options, real.name)
        ignored, smoothing, numbers = loss.ignore_label, loss.label_smoothing, () if tallied else loss.constants
        ignoring = IGNORE_NOTHING if ignored is None else IGNORE_NAN if ignored != ignored else IGNORE_NUMBER
        weighted, kind = tallied or weights > 0 or ignoring != IGNORE_NOTHING, KINDS[real]
        factor_kind = "double" if exact else kind
        has_own_labels, width = exact and ignoring == IGNORE_NUMBER, BITS[kind] // 8
        formula = (None, None) if tallied else (loss.prediction_kind, loss.formula_key)
        per_label = per_label or (False,) * len(numbers)
        written = "each" if value == "sums" else value
        functions = (
            compiled(loops.evaluate, *formula, written, derivatives, per_label, weighted, smoothing != 0, kind),
            compiled(blocks.weigh, kind, factor_kind, has_own_labels) if weighted else 0,
            compiled(blocks.add_up, kind) if value == "sums" else 0,
        )
        target, inputs = host(), 2 + sum(per_label)
        step = target.vector_bits // BITS[kind] * target.parts
        numbers = [0.0 if varies else number for number, varies in zip(numbers, per_label, strict=True)]
        self.loss, self.scratch = loss, scratch_size(sum(per_label), width, BITS[factor_kind] // 8)
        self.fixed = struct.pack(
            f"=9q{4 + len(numbers)}d",
            width, step, *functions, ignoring, inputs, weights - has_own_labels, NUMBERS + len(numbers),
            1 - smoothing, smoothing / 2, loss.epsilon or 0.0, ignored or 0.0, *numbers,
        )  # fmt: skip
        self.layout = struct.Struct(f"=4qd6q{len(self.fixed)}s{2 * (inputs + weights)}q")
        self.room = ctypes.c_char * self.layout.size


_programs: dict[tuple[Any, ...], Program] = {}
MOST_PROGRAMS = 1024  # losses, each made for one call


def fuse(
    loss,
    predictions,
    labels,
    weights=(),
    *,
    real,
    size,
    row,
    scale=1.0,
    constants=None,
    losses=NOWHERE,
    derivatives=(),
    tallied=False,
    summed=True,
    most_threads=None,
    exact=False,
):
    """Run the fused loop of a loss over operands of one shape, which a door has described.

    Args:
        loss: The `losses.Pointwise`.
        predictions: Operand of floating or whole numbers.
        labels: Operand of any real dtype.
        weights: Operands whose product multiplies each element's loss and derivatives. Zero hides the element.
        real: Working precision, `SINGLE` or `DOUBLE`, for which the operands were described.
        size: How many elements there are; at least one.
        row: How many consecutive elements each of the returned sums takes; the size is a multiple.
        scale: What the derivatives are multiplied by.
        constants: For each of the formula's constants an operand, or NOWHERE for the number that the loss has; None is
            that number for all.
        losses: Operand to write each element's weighted loss to.
        derivatives: Up to two operands to write first and second derivatives to.
        tallied: Whether to add up the weights, where the label is not ignored, instead of the losses.
        summed: Whether the sums are wanted; if losses are written, there are none.
        most_threads: How many threads the door allows, or None.
        exact: Whether the weights were described for float64 instead; after them come the labels once more, also for
            float64, if one of them is to be ignored that is a number.

    Returns:
        The float64 sums, if any are wanted; and whether a label or probability may have an impossible value, or is NaN,
        or a weight is so large or small that the working precision may not do.
    """
    if not constants or tallied:
        per_label, inputs = (), (predictions, labels)
    else:
        per_label = tuple(operand is not NOWHERE for operand in constants)
        inputs = predictions, labels, *(operand for operand in constants if operand is not NOWHERE)
    value = "sum" if row >= BLOCK or row == size else "sums"  # one or several in each block
    if losses is not NOWHERE:
        value = "each"
    elif not summed:
        value = "none"
    program = _program(loss, tallied, value, len(derivatives), len(weights), per_label, real, exact)
    first, second = (*derivatives, NOWHERE, NOWHERE)[:2]
    fields = []
    for move, where, _ in (*inputs, *weights):
        fields += (move, where)
    plan = program.room()
    program.layout.pack_into(
        plan, 0, 0, 0, size, row, scale, *losses[:2], *first[:2], *second[:2], program.fixed, *fields
    )
    pieces = -(-row // BLOCK) if value in ("sum", "sums") else 0  # sums in each row
    sums = np.empty(size // row * pieces)
    found = threads.run(
        compiled_run(), compiled_end, ctypes.addressof(plan), address_of(sums) if pieces else 0, program.scratch,
        (plan, sums, inputs, weights, losses, derivatives), size, most_threads,
    )  # fmt: skip
    if pieces > 1:
        with np.errstate(over="ignore"):  # a sum beyond every float is infinite, as its loss is
            sums = sums.reshape(-1, pieces).sum(1)
    return sums, found != 0


def fuse_block(loss, predictions, labels, *, real, size, scale=1.0, losses=0, slopes=0):
    """Run the fused loop of a loss over a single block, at addresses: what `fuse` does, for small arrays.

    Args:
        loss: The `losses.Pointwise`, without a constant that differs between labels.
        predictions: Address of contiguous numbers in the working precision, as are the others.
        labels: Address of the labels.
        real: Working precision, `SINGLE` or `DOUBLE`.
        size: How many elements there are, 1 to `BLOCK`.
        scale: What the slopes are multiplied by.
        losses: Address to write each element's loss to, or 0.
        slopes: Address to write the slopes to, or 0.

    Returns:
        The float64 sum, 0 if losses are written; and whether a label or a probability may have an impossible value, or
        is NaN.
    """
    program = _program(loss, False, "each" if losses else "sum", 1 if slopes else 0, 0, (), real, False)
    plan, total = program.room(), ctypes.c_double()
    program.layout.pack_into(
        plan, 0, 0, 0, size, size, scale, 0, losses, 0, slopes, 0, 0, program.fixed, 0, predictions, 0, labels
    )
    scratch = room.held if room.held.size >= program.scratch else room.of(program.scratch)
    found = compiled_run_of_block()(ctypes.addressof(plan), ctypes.addressof(total), scratch.address)
    return total.value, found != 0


def _program(loss, *choices):
    """Return the program of a loss for one kind of call: the arguments of `Program`."""
    key = id(loss), choices  # a program holds its loss, so no other has its id
    program = _programs.get(key)
    if program is None:
        if len(_programs) >= MOST_PROGRAMS:
            _programs.clear()
        program = _programs[key] = Program(loss, *choices)
    return program


@cache
def compiled_run():
    """Return the function (plan, sums, scratch) that works through blocks."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 3)(compiled(blocks.run))


@cache
def compiled_run_of_block():
    """Return the same function; it keeps Python's lock, which takes longer to get back than a block."""
    return ctypes.PYFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 3)(compiled(blocks.run))


@cache
def compiled_end():
    """Return the function (plan) that makes threads leave a plan, and returns when all have."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(compiled(blocks.end))
