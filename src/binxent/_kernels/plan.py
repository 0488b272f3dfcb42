"""What a kernel is told to do: the fields of a plan, eight bytes each, and of the table of a block.

First stands what differs from call to call: the blocks that threads have taken, the threads at work, sizes, a factor,
and three outputs. Then what a loss decides on, with the addresses of compiled functions and the formula's constants;
then the inputs and the weights. An operand has two fields: the address of the function that gathers (or scatters) it
and of its description, or 0 and the address of its data if that is used where it lies.

A table says where the elements of the block lie that a thread works on: outputs first, then weights, predictions,
labels, and the constants of which there is one for each label.
"""

BLOCK = 2048  # elements: all the blocks of float32 scratch together fit into a core's own cache
CLAIM = 8  # blocks that a thread takes at a time
MANY = 1 << 60  # more blocks than there are

NEXT, ACTIVE, SIZE, ROW, SCALE, OUTPUTS = range(6)
WIDTH, STEP, EVALUATE, WEIGH, ADD_UP, IGNORING, INPUTS, FACTORS, OPERANDS = range(OUTPUTS + 6, OUTPUTS + 15)
KEEP, SHIFT, EPSILON, IGNORED, NUMBERS = range(OUTPUTS + 15, OUTPUTS + 20)
IGNORE_NOTHING, IGNORE_NUMBER, IGNORE_NAN = range(3)

LOSS, SLOPE, CURVATURE, WEIGHT, PREDICTION, LABEL, CONSTANT = range(7)

# A thread's scratch: two tables, then for each entry of a table the last elements of a block that fill no vector, then
# for each entry a block, and one more block for the factors of weights.
LINE = 64  # bytes: what vectors are aligned to
REST = 512  # bytes


def table_size(entries: int) -> int:
    """Return the bytes that a table takes."""
    return -(-entries * 8 // LINE) * LINE


def scratch_size(per_label: int, width: int, factor_width: int) -> int:
    """Return the bytes of scratch that a thread takes, for a number of constants with one value for each label."""
    entries = CONSTANT + per_label
    return 2 * table_size(entries) + entries * REST + entries * BLOCK * width + BLOCK * factor_width
