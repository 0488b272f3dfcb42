"""How fast on a CPU: fused loops that read each prediction and label once, at the speed of memory.

A loop works through the elements block by block, as a plan says; several threads run it at once, and each claims blocks
until none is left. An operand that already is a contiguous array of the working precision is used where it lies; any
other dtype, stride or broadcast shape is first gathered into a block of scratch that stays in the cache, by a small
function compiled for that dtype alone, whose address the plan holds. So there is one loop per formula, number of
derivatives and precision, and not one per combination of dtypes and weights.
"""

# pyright: reportCallIssue=false, reportGeneralTypeIssues=false, reportRedeclaration=false
# (an intrinsic is called without its first argument, and returns something)
import math
from functools import cache

import numpy as np
from numba import cfunc, njit, types
from numba.extending import register_jitable

from binxent._core import formulas
from binxent._kernels import maths, memory
from binxent._kernels.compiler import compiled, part_of

BLOCK = 2048  # elements: all the blocks of float32 scratch together fit into a core's own cache
CLAIM = 8  # blocks that a thread takes at a time
MANY = 1 << 60  # more blocks than there are

# The blocks of a thread's scratch; one more follows for each constant of which there is one per label.
X, Y, W, LOSS, SLOPE, CURVATURE, FACTOR, CONSTANT = range(8)

# A plan tells a kernel what to do, in fields of eight bytes. First whole numbers: the blocks that threads have taken,
# the threads at work, the sizes, and the operands, two fields each: the address of the function that gathers (or
# scatters) it and of its description, or 0 and the address of its data if that is used where it lies. Then real
# numbers; then the constants, each in two fields, an operand or 0 and a number; then the operands that are weights.
NEXT, ACTIVE, SIZE, ROW, IGNORE, WEIGHTS = range(6)
PREDICTIONS, LABELS, LOSSES, SLOPES, CURVATURES = range(6, 16, 2)
KEEP, SHIFT, EPSILON, SCALE, IGNORED = range(16, 21)
FIRST_CONSTANT = 21
IGNORE_NOTHING, IGNORE_NUMBER, IGNORE_NAN = range(3)

KERNEL = types.float64(types.int64[::1], types.float64[::1])

# Kernels.


@register_jitable
def claim(plan):
    """Return the first of the blocks that a thread takes next."""
    return memory.fetch_and_add(np.int64(plan.ctypes.data), CLAIM)


@register_jitable
def enter(plan):
    """Count a thread among those at work, before it claims a block; from here on nothing may be raised."""
    memory.fetch_and_add(np.int64(plan.ctypes.data) + 8 * ACTIVE, 1)


@register_jitable
def leave(plan):
    memory.fetch_and_add(np.int64(plan.ctypes.data) + 8 * ACTIVE, -1)


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
    """Sum `length` values at a time, in float64."""
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


def weigher(real, arity):
    """Compile for a precision and a number of constants: the weights of a block, 0 where the label is ignored."""
    first_weight = FIRST_CONSTANT + 2 * arity
    width = np.dtype(real).itemsize
    zero, one, infinity = real(0), real(1), real(math.inf)

    @part_of(real.__name__, arity)
    def weigh(plan, start, count, labels, scratch):
        weights, impossible = scratch + W * BLOCK * width, 0.0
        for i in range(count):
            memory.write(weights, i, real, one)
        for k in range(plan[WEIGHTS]):
            factors = operand(plan, first_weight + 2 * k, start, count, scratch + FACTOR * BLOCK * width, width)
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
    return formulas.build_formulas(maths, register_jitable(forceinline=True), real)  # pyright: ignore[reportArgumentType]


def constants_of(real, per_label, name):
    """Compile the constants of a formula, each a number or an operand, for any number of them.

    Returns:
        Three functions that return tuples: of (plan) the numbers, 0 for operands; of (plan, start, count, scratch) the
        addresses of the elements of the operands; of (numbers, addresses, i) the constants of element i.
    """
    width, zero = np.dtype(real).itemsize, real(0)

    @part_of(*name)
    def nothing(*_):
        return ()

    numbers = addresses = elements = nothing
    for k, is_operand in reversed(list(enumerate(per_label))):
        field, block = FIRST_CONSTANT + 2 * k, (CONSTANT + sum(per_label[:k])) * BLOCK * width
        functions = _constant(real, name, k, is_operand, field, block, zero, width, numbers, addresses, elements)
        numbers, addresses, elements = functions
    return numbers, addresses, elements


def _constant(real, name, k, is_operand, field, block, zero, width, numbers, addresses, elements):
    """Return the three functions for constant k and those after it."""

    @part_of(*name, k)
    def numbers_from(plan):
        return (zero if is_operand else number(plan, field + 1, real), *numbers(plan))

    @part_of(*name, k)
    def addresses_from(plan, start, count, scratch):
        here = operand(plan, field, start, count, scratch + block, width) if is_operand else scratch
        return (here, *addresses(plan, start, count, scratch))

    @part_of(*name, k)
    def elements_from(uniform, where, i):
        value = memory.read_input(where[k], i, real) if is_operand else uniform[k]
        return (value, *elements(uniform, where, i))

    return numbers_from, addresses_from, elements_from


def formula_name(key):
    """Return the choices of a formula, and a name for the function that builds it, as parts of a kernel's name."""
    build, *choices = key
    return build.__module__, build.__qualname__, *choices


@cache
def kernel(prediction_kind, formula_key, derivatives, per_label, real):
    """Return the compiled fused loop of one formula.

    Args:
        prediction_kind: How the formula reads predictions.
        formula_key: The function that builds the formula, and its choices.
        derivatives: How many to compute: 0, 1 or 2.
        per_label: For each of the constants, whether it comes from an operand, a value for each element.
        real: Working precision, np.float32 or np.float64.

    Returns:
        A function (plan, sums) that may run on several threads at once, sharing one plan. It returns 0 if all labels,
        probabilities and weights are possible values; negative zeros and NaN make it suspicious, too.
    """
    name = (*formula_name(formula_key), prediction_kind, *per_label, derivatives, real.__name__)
    formula = formulas_for(real)(prediction_kind, *formula_key)
    weigh = weigher(real, len(per_label))
    numbers_of, addresses_of, constants_at = constants_of(real, per_label, name)
    width, bounded, blocks_of_scratch = np.dtype(real).itemsize, prediction_kind != "logit", CONSTANT + sum(per_label)
    zero, half, one = real(0), real(0.5), real(1)

    @part_of(*name)
    def evaluate(plan, count, x, y, where, loss, slope, curvature):
        memory.use_wide_vectors()
        numbers = numbers_of(plan)
        keep, shift = number(plan, KEEP, real), number(plan, SHIFT, real)
        epsilon, scale = number(plan, EPSILON, real), number(plan, SCALE, real)
        greatest = memory.bits(zero)
        for i in range(count):
            prediction, label = memory.read_input(x, i, real), memory.read_input(y, i, real)
            greatest = memory.greatest_bits(greatest, label)
            if bounded:
                greatest = memory.greatest_bits(greatest, prediction)
            constants = constants_at(numbers, where, i)
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
        workspace = np.empty(blocks_of_scratch * BLOCK, real)
        scratch, step = np.int64(workspace.ctypes.data), BLOCK * width
        size, row = plan[SIZE], plan[ROW]
        blocks = cut(size, row)[2]
        has_weights = plan[WEIGHTS] > 0 or plan[IGNORE] != IGNORE_NOTHING
        weights, impossible = scratch, 0.0
        enter(plan)
        claimed = claim(plan)
        while claimed < blocks:
            for block in range(claimed, min(claimed + CLAIM, blocks)):
                start, count, first, length = block_range(size, row, block)
                x = operand(plan, PREDICTIONS, start, count, scratch + X * step, width)
                y = operand(plan, LABELS, start, count, scratch + Y * step, width)
                where = addresses_of(plan, start, count, scratch)
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
                impossible += evaluate(plan, count, x, y, where, loss, slope, curvature)
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
            claimed = claim(plan)
        leave(plan)
        memory.keep_alive(workspace)
        return impossible

    own = formula_key[0].__module__ == formulas.__name__  # elsewhere it may change without a change of name
    return compiled(njit, KERNEL, run, *name, nogil=True, stored=own)


@cache
def tally(real):
    """Return the compiled loop that adds up the weights of what is not ignored; called like a kernel."""
    weigh = weigher(real, 0)
    width = np.dtype(real).itemsize

    def run(plan, sums):
        workspace = np.empty(CONSTANT * BLOCK, real)
        scratch = np.int64(workspace.ctypes.data)
        size, row = plan[SIZE], plan[ROW]
        blocks, impossible = cut(size, row)[2], 0.0
        enter(plan)
        claimed = claim(plan)
        while claimed < blocks:
            for block in range(claimed, min(claimed + CLAIM, blocks)):
                start, count, first, length = block_range(size, row, block)
                labels = operand(plan, LABELS, start, count, scratch + Y * BLOCK * width, width)
                weights, infinite = weigh(plan, start, count, labels, scratch)
                impossible += infinite
                add_up(weights, count, length, sums, first, real)
            claimed = claim(plan)
        leave(plan)
        memory.keep_alive(workspace)
        return impossible

    return compiled(njit, KERNEL, run, "tally", real.__name__, nogil=True)


@cache
def end():
    """Return the compiled function that ends a plan: it lets nobody claim another block, and waits for all at work.

    Who enters later finds nothing to claim, and touches nothing but the plan.
    """

    def run(plan):
        memory.fetch_and_add(plan + 8 * NEXT, MANY)
        while memory.fetch_and_add(plan + 8 * ACTIVE, 0) > 0:
            pass

    return compiled(cfunc, types.void(types.int64), run, "end").ctypes
