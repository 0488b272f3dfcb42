"""The loop over blocks, which threads share, and the loops around that of a formula: weights, sums of rows.

A thread claims blocks until none is left. For each it gathers what does not lie contiguous and in the working
precision, calls the loop of the formula, and scatters the results. Every sum has a slot of its own, so the sums have
the same bits on any number of threads.
"""

from binxent._core.sample_weights import MOST
from binxent._kernels.builder import INDEX, Builder
from binxent._kernels.plan import (
    ACTIVE,
    ADD_UP,
    BLOCK,
    CLAIM,
    EVALUATE,
    FACTORS,
    IGNORE_NAN,
    IGNORE_NUMBER,
    IGNORED,
    IGNORING,
    INPUTS,
    LABEL,
    LINE,
    LOSS,
    MANY,
    NEXT,
    OPERANDS,
    OUTPUTS,
    PREDICTION,
    REST,
    ROW,
    SIZE,
    STEP,
    WEIGH,
    WEIGHT,
    WIDTH,
)  # fmt: skip
from binxent._kernels.targets import Target
from binxent._kernels.values import BITS


def run(target: Target, name: str) -> str:
    """Return the code of the function (plan, sums, scratch) that works through blocks, on several threads at once.

    It returns 0 if all labels and probabilities are possible values, and no weight is extreme.
    """
    b = Builder(target, name, 3)
    plan, sums, scratch = b.arguments

    def field(index):
        return b.load(INDEX, plan, index)

    mode = b.set_float_mode()
    b.fetch_and_add(plan + 8 * ACTIVE, 1)
    size, row, width, step, weigh, add_up = map(field, (SIZE, ROW, WIDTH, STEP, WEIGH, ADD_UP))
    entries, operands = field(INPUTS) + PREDICTION, plan + field(OPERANDS) * 8
    rows, pieces, blocks = _cut(b, size, row)
    rest_table = scratch + (entries * 8 + (LINE - 1)) // LINE * LINE
    rests = rest_table + (rest_table - scratch)
    room = rests + entries * REST
    _prepare_rests(b, entries, rest_table, rests, width)
    suspicious, claimed = b.variable(0), b.variable(b.fetch_and_add(plan + 8 * NEXT, CLAIM))
    with b.loop_while(lambda: claimed.value < blocks):
        with b.loop(claimed.value, b.least(claimed.value + CLAIM, blocks)) as block:
            long = row >= BLOCK
            piece = block % pieces * BLOCK
            start = b.select(long, block // pieces * row + piece, block * rows * row)
            count = b.select(long, b.least(row - piece, BLOCK), b.least(rows * row, size - start))
            length, slot = b.select(long, count, row), sums + b.select(long, block, block * rows) * 8
            first = b.select(sums != 0, slot, rests)  # without sums, any place will do
            with b.loop(PREDICTION, entries) as entry:
                place = room + entry * BLOCK * width
                b.store(_input(b, operands, entry - PREDICTION, start, count, place, width), scratch, entry)
            with b.when(weigh != 0):
                b.store(room + width * (WEIGHT * BLOCK), scratch, WEIGHT)
                found = b.call(weigh, plan, scratch, start, count, room + entries * BLOCK * width)
                suspicious.value = suspicious.value | found
            with b.loop(LOSS, WEIGHT) as entry:
                move, where = _operand(b, plan + 8 * OUTPUTS, entry)
                in_place = (move == 0) & (where != 0)
                b.store(b.select(in_place, where + start * width, room + entry * BLOCK * width), scratch, entry)
            b.store(b.number("double", 0), first)
            suspicious.value = suspicious.value | _evaluate(
                b, plan, scratch, rest_table, first, count, step, width, entries, weigh, add_up
            )
            with b.when(add_up != 0):
                b.call(add_up, b.load(INDEX, scratch, LOSS), count, length, first)
            with b.loop(LOSS, WEIGHT) as entry:
                move, where = _operand(b, plan + 8 * OUTPUTS, entry)
                with b.when(move != 0):
                    b.call(move, where, start, count, b.load(INDEX, scratch, entry))
        claimed.value = b.fetch_and_add(plan + 8 * NEXT, CLAIM)
    b.fetch_and_add(plan + 8 * ACTIVE, -1)
    b.restore_float_mode(mode)
    return b.give_back(suspicious.value)


def _cut(b, size, row):
    """Return how the elements are cut: rows per block if they are short, blocks per row if long, blocks in all."""
    rows = b.select(row < BLOCK, b.number(INDEX, BLOCK) // row, b.number(INDEX, 1))
    pieces = (row + (BLOCK - 1)) // BLOCK
    of_short = (size + rows * row - 1) // (rows * row)
    return rows, pieces, b.select(row < BLOCK, of_short, size // row * pieces)


def _prepare_rests(b, entries, rest_table, rests, width):
    """Fill the room for the last elements with a number at which every formula is finite, and write their table."""
    half = b.select(width == 4, b.number(INDEX, 0x3F0000003F000000), b.number(INDEX, 0x3FE0000000000000))
    vector = b.spread(half, 8, 1)
    with b.loop(0, entries) as entry:
        rest = rests + entry * REST
        b.store(rest, rest_table, entry)
        with b.when(entry >= WEIGHT), b.loop(0, REST // 8, 8) as i:
            b.store(vector, rest, i)


def _operand(b, operands, index):
    """Return the two fields of an operand."""
    return b.load(INDEX, operands, index * 2), b.load(INDEX, operands, index * 2 + 1)


def _input(b, operands, index, start, count, place, width):
    """Return the address of the elements of an operand: where they lie, or gathered into a place."""
    move, where = _operand(b, operands, index)
    found = b.variable(where + start * width)
    with b.when(move != 0):
        b.call(move, where, start, count, place)
        found.value = place
    return found.value


def _evaluate(b, plan, table, rest_table, total, count, step, width, entries, weigh, add_up):
    """Call the loop of the formula for a block; elements that fill no vectors are taken to where others follow them."""
    evaluate, suspicious = b.load(INDEX, plan, EVALUATE), b.variable(0)
    rest = count % step
    whole = count - rest
    with b.when(whole != 0):
        suspicious.value = b.call(evaluate, plan, table, whole, total)
    with b.when(rest != 0):
        offset, words = whole * width, rest * width // 4
        first = b.select(weigh != 0, b.number(INDEX, WEIGHT), b.number(INDEX, PREDICTION))
        with b.loop(first, entries) as entry:
            _copy_words(b, words, b.load(INDEX, table, entry) + offset, b.load(INDEX, rest_table, entry))
        suspicious.value = suspicious.value | b.call(evaluate, plan, rest_table, rest, total)
        with b.loop(LOSS, WEIGHT) as entry:
            wanted = (b.load(INDEX, plan + 8 * OUTPUTS, entry * 2 + 1) != 0) | ((entry == LOSS) & (add_up != 0))
            with b.when(wanted):
                _copy_words(b, words, b.load(INDEX, rest_table, entry), b.load(INDEX, table, entry) + offset)
    return suspicious.value


def _copy_words(b, words, source, target):
    with b.loop(0, words) as i:
        b.store(b.load("i32", source, i), target, i)


def end(target: Target, name: str) -> str:
    """Return the code of the function that ends a plan: it lets nobody claim another block, and waits for all at work.

    Who enters later finds nothing to claim, and touches nothing but the plan.
    """
    b = Builder(target, name, 1)
    (plan,) = b.arguments
    b.fetch_and_add(plan + 8 * NEXT, MANY)
    with b.loop_while(lambda: b.fetch_and_add(plan + 8 * ACTIVE, 0) > 0):
        pass
    return b.give_back()


def weigh(target: Target, name: str, kind: str, factor_kind: str, has_own_labels: bool) -> str:
    """Return the code of the function (plan, table, start, count, scratch) that makes the weights of a block.

    They are the products of all factors, and 0 where the label is ignored. It returns whether a factor has a size
    whose products may leave the range of the working precision; infinity has.

    Args:
        target: What code is made for.
        name: A name for the function.
        kind: Working precision.
        factor_kind: Precision of the factors.
        has_own_labels: Whether the labels come once more, after the factors and in their precision, to be compared.
    """
    b = Builder(target, name, 5)
    plan, table, start, count, scratch = b.arguments
    lanes, width = b.lanes(kind), b.number(INDEX, BITS[factor_kind] // 8)
    weights, labels = b.load(INDEX, table, WEIGHT), b.load(INDEX, table, LABEL)
    label_kind, most = factor_kind if has_own_labels else kind, MOST[BITS[kind]]
    extreme = b.variable(0)

    def each(body):
        whole = count - count % lanes
        with b.loop(0, whole, lanes) as i:
            body(i, lanes)
        with b.loop(whole, count) as i:
            body(i, 1)

    def start_with_one(i, lanes):
        b.store(b.filled(kind, lanes, 1), weights, i)

    each(start_with_one)
    inputs = b.load(INDEX, plan, INPUTS)
    factors = plan + (b.load(INDEX, plan, OPERANDS) + inputs * 2) * 8
    with b.loop(0, b.load(INDEX, plan, FACTORS)) as k:
        here = _input(b, factors, k, start, count, scratch, width)

        def multiply(i, lanes):
            factor = b.load(factor_kind, here, i, lanes)
            size = b.intrinsic("fabs", factor)
            extreme.value = extreme.value | b.any_of((size > most) | ((size < 1 / most) & (factor != 0)))
            b.store((b.load(kind, weights, i, lanes).to(factor_kind) * factor).to(kind), weights, i)

        each(multiply)
    ignoring, ignored = b.load(INDEX, plan, IGNORING), b.load("double", plan, IGNORED).to(label_kind)
    if has_own_labels:
        labels = _input(b, factors, b.load(INDEX, plan, FACTORS), start, count, scratch, width)

    def without(is_ignored):
        def hide(i, lanes):
            label, weight = b.load(label_kind, labels, i, lanes), b.load(kind, weights, i, lanes)
            b.store(b.select(is_ignored(label), weight.like(0), weight), weights, i)

        each(hide)

    with b.when(ignoring == IGNORE_NUMBER):
        without(lambda label: label == b.spread(ignored, label.lanes, 1))
    with b.when(ignoring == IGNORE_NAN):
        without(lambda label: label != label)
    return b.give_back(extreme.value)


def add_up(target: Target, name: str, kind: str) -> str:
    """Return the code of the function (values, count, length, sums) that adds `length` values at a time, in float64."""
    b = Builder(target, name, 4)
    values, count, length, sums = b.arguments
    lanes = b.lanes("double")
    whole = length - length % lanes
    with b.loop(0, count // length) as k:
        first = values + k * length * (BITS[kind] // 8)
        vector, total = b.variable(b.filled("double", lanes, 0)), b.variable(b.number("double", 0))
        with b.loop(0, whole, lanes) as i:
            vector.value = b.sum(vector.value, b.load(kind, first, i, lanes).to("double"))
        with b.loop(whole, length) as i:
            total.value = b.sum(total.value, b.load(kind, first, i).to("double"))
        b.store(b.sum(b.sum_of(vector.value), total.value), sums, k)
    return b.give_back()
