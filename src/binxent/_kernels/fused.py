"""One pass over memory on a CPU: operands packed into a plan, and the compiled loop run on as many threads as pay off.

Blocks are cut the same way whatever the number of threads, each block's sum has its own slot, and the slots are added
in order: the same input gives the same bits on any number of threads.
"""

import struct
from functools import cache

import numpy as np

from binxent._kernels.loops import BLOCK, IGNORE_NAN, IGNORE_NOTHING, IGNORE_NUMBER, end, kernel, tally
from binxent._kernels.operands import NOWHERE
from binxent._kernels.threads import threads


@cache
def plan_format(per_label, weights):
    """Return the struct of a plan."""
    return struct.Struct(
        "=16q5d" + "".join("2q" if is_operand else "qd" for is_operand in per_label) + f"{2 * weights}q"
    )


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
        The float64 sums, and whether a label, probability or weight may have an impossible value: NaN and -0 are
        suspected, too.
    """
    ignored, smoothing = loss.ignore_label, loss.label_smoothing
    first = derivatives[0] if derivatives else NOWHERE
    second = derivatives[1] if len(derivatives) > 1 else NOWHERE
    ignoring = IGNORE_NOTHING if ignored is None else IGNORE_NAN if ignored != ignored else IGNORE_NUMBER
    fields = [0, 0, size, row, ignoring, len(weights)]
    for mover, where, _ in (predictions, labels, losses, first, second):
        fields += (mover, where)
    fields += (1 - smoothing, smoothing / 2, loss.epsilon or 0.0, scale, ignored or 0.0)
    numbers = () if tallied else loss.constants
    operands = (constants or (NOWHERE,) * len(numbers)) if numbers else ()
    per_label = tuple(one is not NOWHERE for one in operands)
    for value, (mover, where, _), is_operand in zip(numbers, operands, per_label, strict=True):
        fields += (mover, where) if is_operand else (0, value)
    for mover, where, _ in weights:
        fields += (mover, where)
    plan = np.empty(len(fields), np.int64)
    plan_format(per_label, len(weights)).pack_into(plan.data, 0, *fields)
    if tallied:
        run = tally(real.type)
    else:
        run = kernel(loss.prediction_kind, loss.formula_key, len(derivatives), per_label, real.type)
    pieces = -(-row // BLOCK)  # sums in each row
    sums = np.empty(size // row * pieces)
    operands = predictions, labels, operands, losses, first, second, weights
    suspicious = threads.run(run, end(), plan, sums, operands, size, most_threads) > 0
    if pieces > 1:
        with np.errstate(over="ignore"):  # a sum beyond every float is infinite, as its loss is
            sums = sums.reshape(-1, pieces).sum(1)
    return sums, suspicious
