"""One pass over memory on a CPU: operands packed into a plan, and the compiled loop run on as many threads as pay off.

Blocks are cut the same way whatever the number of threads, each block's sum has its own slot, and the slots are added
in order: the same input gives the same bits on any number of threads.
"""

import ctypes
import struct
from functools import cache

import numpy as np

from binxent._kernels import blocks, loops
from binxent._kernels.compiler import compiled
from binxent._kernels.operands import KINDS, NOWHERE, address_of
from binxent._kernels.plan import BLOCK, IGNORE_NAN, IGNORE_NOTHING, IGNORE_NUMBER, NUMBERS, scratch_size
from binxent._kernels.targets import host
from binxent._kernels.threads import threads
from binxent._kernels.values import BITS


@cache
def plan_format(constants, operands):
    """Return the struct of a plan, and a ctypes array that holds one."""
    packed = struct.Struct(f"=13q5d6q{constants}d{operands * 2}q")
    return packed, ctypes.c_char * packed.size


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
    most_threads=None,
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
        most_threads: How many threads the door allows, or None.

    Returns:
        The float64 sums, undefined if losses are written; and whether a label, probability or weight may have an
        impossible value: NaN is suspected, too.
    """
    ignored, smoothing, numbers = loss.ignore_label, loss.label_smoothing, () if tallied else loss.constants
    ignoring = IGNORE_NOTHING if ignored is None else IGNORE_NAN if ignored != ignored else IGNORE_NUMBER
    per_label, along_labels = (False,) * len(numbers), ()
    if constants and not tallied:
        per_label = tuple(operand is not NOWHERE for operand in constants)
        along_labels = tuple(operand for operand in constants if operand is not NOWHERE)
    summed, weighted, kind = losses is NOWHERE, tallied or bool(weights) or ignoring != IGNORE_NOTHING, KINDS[real]
    by_row = summed and row < BLOCK and row != size  # more than one sum in each block
    functions = (
        compiled(
            loops.evaluate,
            None if tallied else loss.prediction_kind,
            None if tallied else loss.formula_key,
            "sum" if summed and not by_row else "each",
            len(derivatives),
            per_label,
            weighted,
            smoothing != 0,
            kind,
        ),
        compiled(blocks.weigh, kind) if weighted else 0,
        compiled(blocks.add_up, kind) if by_row else 0,
    )
    fields = [0, 0, size, row, real.itemsize, step(kind), *functions, ignoring, 2 + len(along_labels), len(weights)]
    fields += (NUMBERS + len(numbers), 1 - smoothing, smoothing / 2, loss.epsilon or 0.0, scale, ignored or 0.0)
    outputs = losses, *derivatives, *(NOWHERE,) * (2 - len(derivatives))
    operands = *outputs, predictions, labels, *along_labels, *weights
    for move, where, _ in outputs:
        fields += (move, where)
    fields += [0.0 if one_per_label else number for number, one_per_label in zip(numbers, per_label, strict=True)]
    for move, where, _ in operands[3:]:
        fields += (move, where)
    layout, room = plan_format(len(numbers), len(operands) - 3)
    plan = room()
    layout.pack_into(plan, 0, *fields)
    pieces = -(-row // BLOCK)  # sums in each row
    sums = np.empty(size // row * pieces)
    found = threads.run(
        compiled_run(), compiled_end, ctypes.addressof(plan), address_of(sums),
        scratch_size(len(along_labels), real.itemsize), (plan, sums, operands), size, most_threads,
    )  # fmt: skip
    if pieces > 1:
        with np.errstate(over="ignore"):  # a sum beyond every float is infinite, as its loss is
            sums = sums.reshape(-1, pieces).sum(1)
    return sums, found != 0


@cache
def step(kind):
    """Return how many elements the loop of a formula works on at a time."""
    return host().vector_bits // BITS[kind] * host().parts


@cache
def compiled_run():
    """Return the function (plan, sums, scratch) that works through blocks."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 3)(compiled(blocks.run))


@cache
def compiled_end():
    """Return the function (plan) that makes threads leave a plan, and returns when all have."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(compiled(blocks.end))
