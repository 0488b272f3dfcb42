"""The loop of a formula: loss, slope and curvature of each element of a block, which is read once.

Vectors of elements are loaded, hidden where their weight is 0, evaluated, weighed, and stored or added up, several at a
time. Inputs lie contiguous and in the working precision, a whole number of steps of them.
"""

from collections.abc import Callable
from typing import Any

from binxent._core import formulas
from binxent._core.masking import PLACEHOLDER
from binxent._kernels.builder import INDEX, Builder
from binxent._kernels.maths import Maths, QuickMaths
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

STEPS = 4  # that share a logarithm
ENTROPIES = formulas.unweighted_bce, formulas.poly  # -log p_t, and what needs no logarithm


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
    loop = _Loop(
        Builder(target, name, 4), prediction_kind, formula_key, derivatives, per_label, weighted, smoothed, kind
    )
    b, sums = loop.b, Sum(loop.b, loop.zero)
    _, table, count, total = b.arguments
    losses = b.load(INDEX, table, LOSS)
    # Beside a power with any exponent, which takes an exponential more, a second formula of probabilities costs time.
    pays_off = prediction_kind == "logit" or "any" not in (formula_key or ())
    if value == "sum" and not weighted and pays_off:
        loop.add_up_quickly(sums)
    else:
        with b.loop(0, count, loop.step) as i:
            loss, derived, hidden = loop.guarded(i)
            loop.write(i, derived, hidden)
            if value == "sum":
                sums.add(loss)
            elif value == "each":
                b.store(loss, losses, i)
    if value == "sum":
        b.store(b.sum(b.load("double", total), sums.total(count)), total)
    return b.give_back(b.any_of(loop.greatest.value.compare("ugt", loop.largest)))


class _Loop:
    """What is computed for a step of elements: several vectors, from an index on."""

    def __init__(self, builder, prediction_kind, formula_key, derivatives, per_label, weighted, smoothed, kind):
        self.b, self.prediction_kind, self.formula_key, self.kind = builder, prediction_kind, formula_key, kind
        self.derivatives, self.weighted, self.smoothed = derivatives, weighted, smoothed
        plan, table, _, _ = builder.arguments
        self.lanes, self.parts = builder.lanes(kind), builder.target.parts
        self.step = self.lanes * self.parts
        self.m = m = Maths(builder, kind, self.lanes, self.parts)
        self.zero, self.one, self.half = m.number(0), m.number(1), m.number(PLACEHOLDER)

        def number(field):
            return builder.spread(builder.load("double", plan, field).to(kind), self.lanes, self.parts)

        def elements(entry):
            place = builder.load(INDEX, table, entry)
            return lambda i: builder.load(kind, place, i, self.lanes, self.parts)

        self.predictions, self.labels, self.weights = elements(PREDICTION), elements(LABEL), elements(WEIGHT)
        self.constants = _constants(per_label, number, elements)
        self.epsilon, self.scale, self.keep, self.shift = map(number, (EPSILON, SCALE, KEEP, SHIFT))
        self.outputs = [builder.load(INDEX, table, entry) for entry in (SLOPE, CURVATURE)[:derivatives]]
        # From 0 to 1 bits grow with a number, and those of all other numbers and of NaN are greater.
        self.largest, self.no_bits = (each.first.bits_as(m.whole) for each in (self.one, self.zero))
        self.greatest = builder.variable(self.no_bits)
        self.formula = self._formula(m) if formula_key else None

    def _formula(self, m):
        return formulas.build_formulas(m, real=m.number)(self.prediction_kind, *self.formula_key)

    def _results(self, formula, i, prediction, label):
        labels = label, self.one - label
        if self.smoothed:
            labels = tuple(self.m.fma(each, self.keep, self.shift) for each in labels)
        constants = tuple(constant(i) for constant in self.constants)
        loss, *derived = formula(prediction, labels, self.epsilon, constants)
        return loss, derived[: self.derivatives]

    def guarded(self, i):
        """Compute the losses, whatever is infinite, and keep the greatest bits of labels.

        Returns:
            The weighted losses and derivatives, and where elements are hidden; None if there are no weights.
        """
        b, weight, hidden = self.b, self.one, None
        prediction, label = self.predictions(i), self.labels(i)
        if self.weighted:
            weight = self.weights(i)
            hidden = weight == 0
            prediction, label = b.select(hidden, self.half, prediction), b.select(hidden, self.zero, label)
        if self.formula is None:
            return weight, [], hidden
        label = b.without_negative_zero(label)
        self.greatest.value = b.greatest_bits(self.greatest.value, label)
        if self.prediction_kind != "logit":
            prediction = b.without_negative_zero(prediction)
            self.greatest.value = b.greatest_bits(self.greatest.value, prediction)
        loss, derived = self._results(self.formula, i, prediction, label)
        if self.weighted:
            loss, derived = loss * weight, [each * weight for each in derived]
        return loss, derived, hidden

    def write(self, i, derived, hidden=None):
        """Write derivatives; those of hidden elements are 0 even under an infinite scale."""
        for place, each in zip(self.outputs, derived, strict=True):
            scaled = each * self.scale
            self.b.store(scaled if hidden is None else self.b.select(hidden, self.zero, scaled), place, i)

    def add_up_quickly(self, sums):
        """Add up losses by a formula without guards; a step with an odd number in it is computed again with guards.

        Where every loss has one logarithm of the form log1p(t), one is computed for all that lie in the same lane of
        `STEPS` steps. The losses of a step are added before they are turned into float64.
        """
        b, step, first = self.b, self.step, self.zero.first
        _, _, count, _ = b.arguments
        quick = QuickMaths(b, self.kind, self.lanes, self.parts)
        quick.smoothed = self.smoothed
        formula = self._formula(quick)
        one_logarithm = self.prediction_kind == "logit" and self.formula_key[0] in ENTROPIES
        is_short = (count < step).to(INDEX, signed=False)  # not every lane counts
        with b.loop(0, count, step * STEPS) as start:
            product = b.variable(first)
            with b.loop(start, b.least(start + step * STEPS, count), step) as i:
                prediction, label = self.predictions(i), self.labels(i)
                quick.terms = terms = [] if one_logarithm else None
                loss, derived = self._results(formula, i, prediction, label)
                loss = b.sum_of_parts(loss)
                odd = self._is_odd(prediction, label, loss, derived)
                kept, added, before = list(map(b.variable, derived)), b.variable(loss), product.value
                if terms:
                    product.value = quick.product([before, quick.product(terms)])
                with b.when((b.any_of(odd) | is_short) != 0):
                    loss, derived, _ = self.guarded(i)
                    added.value, product.value = sums.add_huge(loss), before
                    for each, value in zip(kept, derived, strict=True):
                        each.value = value
                sums.add_vector(added.value)
                self.write(i, [each.value for each in kept])
            if one_logarithm:
                sums.add_vector(Maths(b, self.kind, self.lanes, 1).log_of_more(product.value))

    def _is_odd(self, prediction, label, loss, derived):
        """Return in which lanes a label or probability is impossible or -0, or a result infinite or NaN."""
        b, bits = self.b, self.b.greatest_bits(self.no_bits, label)
        if self.prediction_kind != "logit":
            bits = b.greatest_bits(bits, prediction)
        odd = bits.compare("ugt", self.largest)
        # Where slopes are finite for any prediction, they tell nothing.
        for each in (loss, *(map(b.sum_of_parts, derived) if self.prediction_kind == "probability" else ())):
            odd |= (each - each) != 0
        return odd


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
        for part in values.each_part():
            self.add_vector(part)

    def add_huge(self, values: Value) -> Value:
        """Add a step's values in lanes where they cannot be added before, and return the sums of the other lanes."""
        b, none = self.builder, values.first.like(0)
        together = b.sum_of_parts(values)
        is_finite = (together - together) == 0
        self.last.value = values
        for part in values.each_part():
            self.add_vector(b.select(is_finite, none, part))
        return b.select(is_finite, together, none)

    def add_vector(self, part: Value) -> None:
        """Add the numbers of one vector, all of which count."""
        self.sum.value = self.builder.sum(self.sum.value, part.to("double"))

    def total(self, count: Value) -> Value:
        """Return the sum of the first values; if fewer than a step has, the others are left out."""
        b, lanes, some = self.builder, self.zero.lanes, self.zero
        for k, part in enumerate(self.last.value.each_part()):
            counted = b.lane_numbers(k * lanes, lanes) < b.spread(count, lanes, 1)
            some = b.sum(some, b.select(counted, part.to("double"), self.zero))
        is_short = b.spread(count < lanes * len(self.last.places), lanes, 1)
        return b.sum_of(b.select(is_short, some, self.sum.value))
