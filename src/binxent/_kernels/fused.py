"""How fast on a CPU: fused loops that read each prediction and label once, at the speed of memory.

A kernel works through the elements block by block. An operand that already is a contiguous array of the working
precision is used where it lies; any other dtype, stride or broadcast shape is first gathered into a block of scratch
that stays in the cache, by a small function compiled for that dtype alone, whose address the kernel is given. So there
is one kernel per formula, number of derivatives and precision, and not one per combination of dtypes and weights.

Blocks are cut the same way whatever the number of threads, each block's sum has its own slot, and the slots are added
in order: the same input gives the same bits on any number of threads.
"""

# pyright: reportCallIssue=false, reportGeneralTypeIssues=false, reportRedeclaration=false
# (an intrinsic is called without its first argument, and returns something)
import math
import struct
from functools import cache

import numpy as np
from numba import njit, types
from numba.extending import register_jitable

from binxent._core import formulas
from binxent._kernels import maths, memory
from binxent._kernels.compiler import compiled, part_of
from binxent._kernels.operands import NOWHERE
from binxent._kernels.threads import threads

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
BLOCK = 2048  # elements: all the blocks of float32 scratch together fit into a core's own cache
CLAIM = 8  # blocks that a thread takes at a time

# The blocks of a thread's scratch.
X, Y, C, W, LOSS, SLOPE, CURVATURE, FACTOR, BLOCKS = range(9)

# A plan tells a kernel what to do, in fields of eight bytes. First whole numbers: the blocks that threads have taken,
# the sizes, and the operands, two fields each: the address of the function that gathers (or scatters) it and of its
# description, or 0 and the address of its data if that is used where it lies. Then real numbers, then the weights.
NEXT, SIZE, ROW, IGNORE, WEIGHTS = range(5)
PREDICTIONS, LABELS, POS_WEIGHT, LOSSES, SLOPES, CURVATURES = range(5, 17, 2)
KEEP, SHIFT, EPSILON, SCALE, IGNORED, FIRST_CONSTANT, SECOND_CONSTANT, THIRD_CONSTANT = range(17, 25)
FIRST_WEIGHT = 25
IGNORE_NOTHING, IGNORE_NUMBER, IGNORE_NAN = range(3)

KERNEL = types.float64(types.int64[::1], types.float64[::1])

# Kernels.


@register_jitable
def cut(size, row):
    """How the elements are cut: blocks per row if rows are long, else rows per block, and the number of blocks."""
    if row >= BLOCK:
        pieces = (row + BLOCK - 1) // BLOCK
        return pieces, 1, size // row * pieces
    rows = BLOCK // row
    return 1, rows, (size + rows * row - 1) // (rows * row)


@register_jitable
def block_range(size, row, block):
    """First element and number of elements of a block, its first sum, and the elements in each of its sums."""
    pieces, rows, _ = cut(size, row)
    if row >= BLOCK:
        start = block // pieces * row + block % pieces * BLOCK
        count = min(BLOCK, row - block % pieces * BLOCK)
        return start, count, block, count
    start = block * rows * row
    return start, min(rows * row, size - start), block * rows, row


@register_jitable
def add_up(values, count, length, sums, first, real):
    """Sums `length` values at a time, in float64."""
    memory.use_wide_vectors()
    for k in range(count // length):
        total = 0.0
        for i in range(k * length, (k + 1) * length):
            total = memory.add_in_any_order(total, memory.read(values, i, real))
        sums[first + k] = total


@register_jitable
def number(plan, field, real):
    """One of the real numbers of a plan."""
    return real(memory.read(np.int64(plan.ctypes.data), field, np.float64))


@register_jitable
def operand(plan, field, start, count, block, width):
    """Address of the elements of an operand: where they lie, or gathered into the block."""
    mover, where = plan[field], plan[field + 1]
    if mover == 0:
        return where + start * width
    memory.call_mover(mover, where, start, count, block)
    return block


@register_jitable
def destination(plan, field, start, block, width):
    """Address to write an output to: where it belongs, or a block that `deliver` takes there."""
    mover, where = plan[field], plan[field + 1]
    return where + start * width if mover == 0 and where != 0 else block


@register_jitable
def deliver(plan, field, start, count, block):
    if plan[field] != 0:
        memory.call_mover(plan[field], plan[field + 1], start, count, block)


@register_jitable
def is_ignored(label, plan, ignored):
    return (plan[IGNORE] == IGNORE_NUMBER and label == ignored) or (plan[IGNORE] == IGNORE_NAN and label != label)


def weigher(real):
    """Compiles for one precision: the product of the weights of a block, 0 where the label is ignored."""
    width = np.dtype(real).itemsize
    zero, one, infinity = real(0), real(1), real(math.inf)

    @part_of(real.__name__)
    def weigh(plan, start, count, labels, scratch):
        weights, impossible = scratch + W * BLOCK * width, 0.0
        for i in range(count):
            memory.write(weights, i, real, one)
        for k in range(plan[WEIGHTS]):
            factors = operand(plan, FIRST_WEIGHT + 2 * k, start, count, scratch + FACTOR * BLOCK * width, width)
            for i in range(count):
                factor = memory.read(factors, i, real)
                impossible = memory.add_in_any_order(impossible, maths.where(maths.abs(factor) == infinity, one, zero))
                memory.write(weights, i, real, memory.read(weights, i, real) * factor)
        if plan[IGNORE] != IGNORE_NOTHING:
            ignored = number(plan, IGNORED, real)
            for i in range(count):
                weight = memory.read(weights, i, real)
                memory.write(
                    weights, i, real, zero if is_ignored(memory.read(labels, i, real), plan, ignored) else weight
                )
        return weights, impossible

    return weigh


@cache
def formulas_for(real):
    # A function that is not inlined stops vectorisation, and LLVM would leave some of these out of line.
    return formulas.define(maths, register_jitable(forceinline=True), real)


@cache
def kernel(reading, form, arity, derivatives, per_label, real):
    """The compiled fused loop of one formula.

    Args:
        reading: How the formula reads predictions.
        form: Name and choices of the formula.
        arity: Number of its constants.
        derivatives: How many to compute: 0, 1 or 2.
        per_label: Whether the only constant comes from an operand, one for each element.
        real: Working precision, np.float32 or np.float64.

    Returns:
        A function (plan, sums) that may run on several threads at once, sharing one plan. It returns 0 if all labels,
        probabilities and weights are possible values; negative zeros and NaN make it suspicious, too.
    """
    mode = "per_label" if per_label else "uniform"
    name = (*form, reading, mode, derivatives, real.__name__)
    formula = formulas_for(real)(reading, *form)
    weigh = weigher(real)
    width, bounded = np.dtype(real).itemsize, reading != "logit"
    zero, half, one = real(0), real(0.5), real(1)

    if arity == 1:

        @part_of(*name)
        def constants_of(plan):
            return (number(plan, FIRST_CONSTANT, real),)
    else:

        @part_of(*name)
        def constants_of(plan):
            first, second = number(plan, FIRST_CONSTANT, real), number(plan, SECOND_CONSTANT, real)
            return first, second, number(plan, THIRD_CONSTANT, real)

    @part_of(*name)
    def evaluate(plan, count, x, y, c, loss, slope, curvature):
        memory.use_wide_vectors()
        constants = constants_of(plan)
        keep, shift = number(plan, KEEP, real), number(plan, SHIFT, real)
        epsilon, scale = number(plan, EPSILON, real), number(plan, SCALE, real)
        greatest = memory.bits(zero)
        for i in range(count):
            prediction, label = memory.read_input(x, i, real), memory.read_input(y, i, real)
            greatest = memory.greatest_bits(greatest, label)
            if bounded:
                greatest = memory.greatest_bits(greatest, prediction)
            if per_label:
                constants = (memory.read_input(c, i, real),)
            value, first, second = formula(prediction, label * keep + shift, epsilon, constants)
            memory.write_first(loss, i, real, value)
            if derivatives > 0:
                memory.write_second(slope, i, real, first * scale)
            if derivatives > 1:
                memory.write_third(curvature, i, real, second * scale)
        memory.interleave_loops_above()
        return 1.0 if greatest > memory.bits(one) else 0.0

    @part_of(*name)
    def weighted(weights, values, count):
        for i in range(count):
            memory.write(values, i, real, memory.read(values, i, real) * memory.read(weights, i, real))

    def run(plan, sums):
        memory.use_wide_vectors()
        workspace = np.empty(BLOCKS * BLOCK, real)
        scratch, step = np.int64(workspace.ctypes.data), BLOCK * width
        size, row = plan[SIZE], plan[ROW]
        blocks = cut(size, row)[2]
        has_weights = plan[WEIGHTS] > 0 or plan[IGNORE] != IGNORE_NOTHING
        weights, c, impossible = scratch, scratch, 0.0
        claimed = memory.claim(np.int64(plan.ctypes.data), CLAIM)
        while claimed < blocks:
            for block in range(claimed, min(claimed + CLAIM, blocks)):
                start, count, first, length = block_range(size, row, block)
                x = operand(plan, PREDICTIONS, start, count, scratch + X * step, width)
                y = operand(plan, LABELS, start, count, scratch + Y * step, width)
                if per_label:
                    c = operand(plan, POS_WEIGHT, start, count, scratch + C * step, width)
                if has_weights:
                    weights, infinite = weigh(plan, start, count, y, scratch)
                    impossible += infinite
                    # What has no weight is hidden before any maths, behind a pair that every loss can take.
                    for i in range(count):
                        hidden = memory.read(weights, i, real) == zero
                        memory.write(scratch + X * step, i, real, maths.where(hidden, half, memory.read(x, i, real)))
                        memory.write(scratch + Y * step, i, real, maths.where(hidden, zero, memory.read(y, i, real)))
                    x, y = scratch + X * step, scratch + Y * step
                loss = destination(plan, LOSSES, start, scratch + LOSS * step, width)
                slope = destination(plan, SLOPES, start, scratch + SLOPE * step, width)
                curvature = destination(plan, CURVATURES, start, scratch + CURVATURE * step, width)
                impossible += evaluate(plan, count, x, y, c, loss, slope, curvature)
                if has_weights:
                    weighted(weights, loss, count)
                    if derivatives > 0:
                        weighted(weights, slope, count)
                    if derivatives > 1:
                        weighted(weights, curvature, count)
                add_up(loss, count, length, sums, first, real)
                deliver(plan, LOSSES, start, count, loss)
                if derivatives > 0:
                    deliver(plan, SLOPES, start, count, slope)
                if derivatives > 1:
                    deliver(plan, CURVATURES, start, count, curvature)
            claimed = memory.claim(np.int64(plan.ctypes.data), CLAIM)
        memory.keep_alive(workspace)
        return impossible

    return compiled(njit, KERNEL, run, *name, nogil=True)


@cache
def tally(real):
    """The compiled loop that adds up the weights of what is not ignored; called like a kernel."""
    weigh = weigher(real)
    width = np.dtype(real).itemsize

    def run(plan, sums):
        workspace = np.empty(BLOCKS * BLOCK, real)
        scratch = np.int64(workspace.ctypes.data)
        size, row = plan[SIZE], plan[ROW]
        blocks, impossible = cut(size, row)[2], 0.0
        claimed = memory.claim(np.int64(plan.ctypes.data), CLAIM)
        while claimed < blocks:
            for block in range(claimed, min(claimed + CLAIM, blocks)):
                start, count, first, length = block_range(size, row, block)
                labels = operand(plan, LABELS, start, count, scratch + Y * BLOCK * width, width)
                weights, infinite = weigh(plan, start, count, labels, scratch)
                impossible += infinite
                add_up(weights, count, length, sums, first, real)
            claimed = memory.claim(np.int64(plan.ctypes.data), CLAIM)
        memory.keep_alive(workspace)
        return impossible

    return compiled(njit, KERNEL, run, "tally", real.__name__, nogil=True)


# The driver: from operands to a plan.


UNUSED_CONSTANTS = {count: (0.0,) * (FIRST_WEIGHT - FIRST_CONSTANT - count) for count in range(1, 4)}


@cache
def plan_format(weights):
    return struct.Struct(f"=17q8d{2 * weights}q")


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
    pos_weight=NOWHERE,
    losses=NOWHERE,
    derivatives=(),
    tallied=False,
    most_threads=None,
):
    """Runs the fused loop of a loss over operands of one shape, which a door has described.

    Args:
        loss: The `losses.Loss`, of which the formula and its parameters count, but not axis and reduction.
        predictions: Operand of floating or whole numbers.
        labels: Operand of any real dtype.
        weights: Operands whose product multiplies each element's loss and derivatives. Zero hides the element.
        real: Working precision, `SINGLE` or `DOUBLE`, for which the operands were described.
        size: How many elements there are; at least one.
        row: How many consecutive elements each of the returned sums takes; the size is a multiple.
        scale: What the derivatives are multiplied by.
        pos_weight: Operand that replaces the loss's `pos_weight`.
        losses: Operand to write each element's weighted loss to.
        derivatives: Up to two operands to write first and second derivatives to.
        tallied: Whether to add up the weights, where the label is not ignored, instead of the losses.
        most_threads: How many threads the door allows, or None.

    Returns:
        The float64 sums, and whether a label, probability or weight may have an impossible value: NaN and -0 are
        suspected, too.
    """
    ignored, smoothing, per_label = loss.ignore_label, loss.label_smoothing, pos_weight is not NOWHERE
    constants = (1.0,) if per_label else loss.constants
    first = derivatives[0] if derivatives else NOWHERE
    second = derivatives[1] if len(derivatives) > 1 else NOWHERE
    ignoring = IGNORE_NOTHING if ignored is None else IGNORE_NAN if ignored != ignored else IGNORE_NUMBER
    fields = [0, size, row, ignoring, len(weights)]
    for mover, where, _ in (predictions, labels, pos_weight, losses, first, second):
        fields += (mover, where)
    fields += (1 - smoothing, smoothing / 2, loss.epsilon or 0.0, scale, ignored or 0.0, *constants)
    fields += UNUSED_CONSTANTS[len(constants)]
    for mover, where, _ in weights:
        fields += (mover, where)
    plan = np.empty(len(fields), np.int64)
    plan_format(len(weights)).pack_into(plan.data, 0, *fields)
    if tallied:
        run = tally(real.type)
    else:
        # Where every label counts the same, a quarter of the arithmetic beyond exp and log1p falls away.
        form = ("unweighted_bce",) if loss.form == ("bce",) and not per_label and constants == (1.0,) else loss.form
        run = kernel(loss.reading, form, len(constants), len(derivatives), per_label, real.type)
    pieces = -(-row // BLOCK)  # sums in each row
    sums = np.empty(size // row * pieces)
    suspicious = threads.run(run, plan, sums, size, most_threads) > 0
    return sums if pieces == 1 else sums.reshape(-1, pieces).sum(1), suspicious
