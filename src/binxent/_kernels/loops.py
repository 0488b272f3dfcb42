"""The loop of a formula: loss, slope and curvature of each element of a block, which is read once.

Vectors of elements are loaded, hidden where their weight is 0, evaluated, weighed, and stored or added up, several at a
time. Inputs lie contiguous and in the working precision, a whole number of steps of them.
"""

from collections.abc import Callable
from typing import Any

from binxent._core import formulas
from binxent._core.masking import PLACEHOLDER
from binxent._kernels.builder import INDEX, Builder
from binxent._kernels.maths import Maths
from binxent._kernels.plan import (
    CONSTANT,
    CURVATURE,
    EPSILON,
    KEEP,
    LABEL,
    LOSS,
    NUMBERS,
    PREDICTION,
    SCALE,
    SHIFT,
    SLOPE,
    WEIGHT,
)  # fmt: skip
from binxent._kernels.targets import Target
from binxent._kernels.values import Value


def evaluate(
    target: Target,
    name: str,
    prediction_kind: str,
    formula_key: tuple[Any, ...],
    value: str,
    derivatives: int,
    per_label: tuple[bool, ...],
    weighted: bool,
    smoothed: bool,
    kind: str,
) -> str:
    """Return the code of the loop of one formula: a function (plan, table, count, total).

    It returns 0 if all labels and probabilities are possible values; NaN makes it suspicious, too.

    Args:
        target: What code is made for.
        name: A name for the function.
        prediction_kind: How the formula reads predictions.
        formula_key: The function that builds the formula, and its choices; none for 1 in place of a loss.
        value: Whether the losses are added to the total ("sum"), written ("each"), or neither ("none").
        derivatives: How many to compute: 0, 1 or 2.
        per_label: For each of the constants, whether there is a value for each element.
        weighted: Whether there is a weight for each element; where it is 0 the element is hidden.
        smoothed: Whether labels are smoothed.
        kind: Working precision, "float" or "double".
    """
    b = Builder(target, name, 4)
    plan, table, count, total = b.arguments
    lanes, parts = b.lanes(kind), target.parts
    m = Maths(b, kind, lanes, parts)
    one, half, zero = m.number(1), m.number(PLACEHOLDER), m.number(0)

    def number(field):
        return b.spread(b.load("double", plan, field).to(kind), lanes, parts)

    def elements(entry):
        place = b.load(INDEX, table, entry)
        return lambda i: b.load(kind, place, i, lanes, parts)

    def output(entry):
        place = b.load(INDEX, table, entry)
        return lambda i, value: b.store(value, place, i)

    predictions, labels, weights = elements(PREDICTION), elements(LABEL), elements(WEIGHT)
    constants = _constants(per_label, number, elements)
    epsilon, scale, keep, shift = map(number, (EPSILON, SCALE, KEEP, SHIFT))
    outputs = [output(entry) for entry in (SLOPE, CURVATURE)[:derivatives]]
    sums, losses = Sum(b, zero), output(LOSS)
    greatest = b.variable(zero.first.bits_as(m.whole))
    formula = formulas.build_formulas(m, real=m.number)(prediction_kind, *formula_key) if formula_key else None
    with b.loop(0, count, lanes * parts) as i:
        prediction, label, weight = predictions(i), labels(i), one
        if weighted:
            weight = weights(i)
            hidden = weight == 0
            prediction, label = b.select(hidden, half, prediction), b.select(hidden, zero, label)
        if formula is None:
            results = (one,)
        else:
            # From 0 to 1 bits grow with a number, and those of negative numbers and of NaN are greater.
            label = b.without_negative_zero(label)
            greatest.value = b.greatest_bits(greatest.value, label)
            if prediction_kind != "logit":
                prediction = b.without_negative_zero(prediction)
                greatest.value = b.greatest_bits(greatest.value, prediction)
            label = label * keep + shift if smoothed else label
            results = formula(prediction, label, epsilon, tuple(constant(i) for constant in constants))
        loss, *derived = (each * weight if weighted else each for each in results)
        for write, each in zip(outputs, derived, strict=False):
            write(i, each * scale)
        if value == "sum":
            sums.add(loss)
        elif value == "each":
            losses(i, loss)
    if value == "sum":
        b.store(b.sum(b.load("double", total), sums.total(count)), total)
    return b.give_back(b.any_of(greatest.value.compare("ugt", one.first.bits_as(m.whole))))


def _constants(per_label, number, elements) -> list[Callable[[Value], Value]]:
    """Return for each constant the function that gives its values from an index on."""
    found = []
    for k, is_operand in enumerate(per_label):
        uniform = None if is_operand else number(NUMBERS + k)
        found.append(elements(CONSTANT + sum(per_label[:k])) if is_operand else lambda _, uniform=uniform: uniform)
    return found


class Sum:
    """A sum in float64 of what a loop computes, in an order that depends on the processor only."""

    def __init__(self, builder: Builder, zero: Value) -> None:
        self.builder, self.zero = builder, builder.filled("double", zero.lanes, 0)
        self.sum, self.last = builder.variable(self.zero), builder.variable(zero)

    def add(self, values: Value) -> None:
        """Add a step's values."""
        self.last.value = values
        total = self.sum.value
        for part in values.each_part():
            total = self.builder.sum(total, part.to("double"))
        self.sum.value = total

    def total(self, count: Value) -> Value:
        """Return the sum of the first values; if fewer than a step has, the others are left out."""
        b, lanes, some = self.builder, self.zero.lanes, self.zero
        for k, part in enumerate(self.last.value.each_part()):
            counted = b.lane_numbers(k * lanes, lanes) < b.spread(count, lanes, 1)
            some = b.sum(some, b.select(counted, part.to("double"), self.zero))
        is_short = b.spread(count < lanes * len(self.last.places), lanes, 1)
        return b.sum_of(b.select(is_short, some, self.sum.value))
