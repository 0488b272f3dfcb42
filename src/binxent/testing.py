"""Check a loss of your own: whether slope, curvature and label derivative are right, to the last digits.

    >>> from binxent.losses import BinaryFocalCrossentropy
    >>> check_formula(BinaryFocalCrossentropy(gamma=2.0))

It needs mpmath: `pip install 'binxent[testing]'`.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np

from binxent._core.formulas import LINEAR, build_formulas, in_label
from binxent._core.pointwise import Pointwise, element_part
from binxent.losses import Loss

__all__ = ["check_formula"]

DIGITS = 400  # enough for a difference next to the greatest float and for p next to the least
STEP = 1e-100  # of a logit, and of a probability relative to it; an error of its cube, relative, is left
AGREEMENT = 1e-12  # relative; two ways to the same number in so many digits agree far better than that
FAR = 2**40  # the exponent of what stands in for infinity: beyond powers of floats, yet 0 times it is 0
FARTHEST = 1e12  # exponentials of greater numbers would take long; that of -FARTHEST times infinity is still 0
SIZES = (
    1e-30, 1e-9, 0.01, 0.3, 0.7, 1.0, 2.2, 3.5, 6.0, 9.0, 13.0, 17.0, 24.0, 37.0, 60.0, 87.0, 300.0, 700.0, 1e5, 1e30,
)  # fmt: skip
LOGITS = (0.0, *SIZES, *(-size for size in SIZES))
PROBABILITIES = (1e-37, 1e-9, 1e-6, 0.001, 0.04, 0.2, 0.45, 0.5, 0.55, 0.7, 0.93, 0.999, 1 - 1e-6)
LABELS = (0.0, 1.0, 0.5, 0.3, 0.95, 1e-6)
AT_RANDOM = 24  # further predictions, always the same, with one in each interval of 1 / 24 of the probability
PREDICTION_KINDS = ("logit", "probability", "clipped_probability")
RESULTS = ("loss", "slope", "curvature")


def check_formula(loss: Loss, *, ulps: float = 1000.0) -> None:
    """Check the formula of a loss against high-precision differences over the whole range of floats.

    For predictions read as logits and as probabilities, and for hard and soft labels, it checks that
    - the slope is the derivative of the loss in the prediction, and the curvature that of the slope: central
      differences in 400 digits agree to 12; at a kink, a value between the derivatives of both sides is right,
    - the declared dependence on the label is that of the loss,
    - float64 and float32 keep the digits, at saturated predictions, too,
    - nothing is NaN, and infinite logits give the limits.

    Args:
        loss: A loss of `binxent.losses`, or of your own. Its `from_logits`, label smoothing, axis and reduction take no
            part; where its constants are one for each label, each label is checked.
        ulps: How many units in the last place of the prediction, of a soft label and of the result an error in floats
            may have.

    Raises:
        AssertionError: The formula is wrong. The message names each mistake, where it is, and the right value.
        TypeError: `loss` is not a loss.
        ModuleNotFoundError: mpmath is missing.

    Example:
        >>> from binxent.losses import LINEAR, ElementwiseLoss, formula
        >>> @formula(in_label=LINEAR)
        ... def rough_bce(f):
        ...     one, entropy = f.one, f.entropy
        ...     @f.jit
        ...     def rough_bce(state, label, constants):
        ...         y, not_y = label
        ...         cost, _, curvature = entropy(y, not_y, one, state)
        ...         p, _ = state[0]
        ...         return cost, p - y, curvature
        ...     return rough_bce
        >>> class RoughBCE(ElementwiseLoss):
        ...     def define(self):
        ...         return (rough_bce,), ()
        >>> check_formula(RoughBCE())  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        AssertionError: The formula `rough_bce` is wrong:
        - slope in float64: at the logit 13 and the label 1 it is -2.26032429...; -2.26032429... is right...
    """
    pointwise, context = element_part(loss), _context()
    report = _Report(pointwise.name)
    for constants, prediction_kind in product(_each_label(pointwise.constants), PREDICTION_KINDS):
        if report.findings and prediction_kind != "logit":
            break  # the same mistake again, in other numbers
        case = _Case(context, pointwise, prediction_kind, constants)
        report.look_at(_wrong_derivatives(case))
        report.look_at(_wrong_in_label(case))
        for real in (np.float64, np.float32):
            report.look_at(_lost_digits(case, real, ulps))
            report.look_at(_wrong_at_ends(case, real, ulps))
    if report.findings:
        raise AssertionError(report.text())


@dataclass
class _Report:
    """What was found, the first of each kind with its count."""

    name: str
    findings: dict[str, list[str]] = field(default_factory=dict)

    def look_at(self, found: Iterator[tuple[str, str]]) -> None:
        for kind, sentence in found:
            self.findings.setdefault(kind, []).append(sentence)

    def text(self) -> str:
        lines = [f"The formula `{self.name}` is wrong:"]
        for kind, sentences in self.findings.items():
            more = f" So it is at {len(sentences) - 1} more points." if len(sentences) > 1 else ""
            lines.append(f"- {kind}: {sentences[0]}{more}")
        return "\n".join(lines)


def _context():
    try:
        import mpmath
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "`check_formula` computes with mpmath, which is not installed: pip install 'binxent[testing]'"
        ) from None
    context = mpmath.MPContext()  # a precision of its own
    context.dps = DIGITS
    return context


def _each_label(constants):
    """Return the constants of each label, as numbers."""
    count = max((len(constant) for constant in constants if isinstance(constant, tuple)), default=1)
    return {tuple(c[k] if isinstance(c, tuple) else c for c in constants) for k in range(count)}


class _Case:
    """The formula of a loss for one prediction kind and one set of constants, in high precision and in floats."""

    def __init__(self, context: Any, pointwise: Pointwise, prediction_kind: str, constants: tuple[float, ...]) -> None:
        self.context, self.mpf = context, context.mpf
        self.prediction_kind, self.key, self.constants = prediction_kind, pointwise.formula_key, constants
        self.of_logit = prediction_kind == "logit"
        self.epsilon = 1e-7 if prediction_kind == "clipped_probability" else 0.0
        self.exact = cache(self._exact)
        self.formula = build_formulas(_maths(context), real=context.mpf)(prediction_kind, *self.key)

    def points(self) -> Iterator[tuple[float, float]]:
        """Return predictions where the formula has derivatives (a clip has none at its ends), with labels."""
        for x in LOGITS if self.of_logit else PROBABILITIES:
            if self.of_logit or 2 * self.epsilon < x < 1 - 2 * self.epsilon:
                yield from ((x, y) for y in LABELS)

    def points_between(self) -> Iterator[tuple[float, float]]:
        """Return those points, and others at random between them and next to the ends."""
        yield from self.points()
        number = random.Random(0)
        for k in range(AT_RANDOM):
            p = (k + number.uniform(0.01, 0.99)) / AT_RANDOM
            x, far = math.log(p / (1 - p)), 10 ** number.uniform(-20, 20)
            if not self.of_logit:
                x, far = p, 10 ** number.uniform(-6, -1)
            for each in (x, far if p < 0.5 or not self.of_logit else -far) if k % 3 == 0 else (x,):
                yield from ((each, y) for y in (0.0, 1.0, number.random()))

    def ends(self) -> Iterator[tuple[float, float]]:
        """Return the infinite logits, or the probabilities 0 and 1, with labels."""
        return product((-math.inf, math.inf) if self.of_logit else (0.0, 1.0), LABELS)

    def _exact(self, x: Any, y: Any, real: Callable[[float], Any] = float) -> tuple[Any, ...]:
        """Return loss, slope and curvature in high precision; options are rounded to a float type."""
        epsilon, *constants = (self.mpf(float(real(number))) for number in (self.epsilon, *self.constants))
        if abs(x) == math.inf:
            x = self.context.ldexp(1 if x > 0 else -1, FAR)
        nan = self.mpf("nan")
        try:
            results = self.formula(self.mpf(x), (self.mpf(y), 1 - self.mpf(y)), epsilon, tuple(constants))
        except ZeroDivisionError:
            return (nan,) * 3
        return tuple(nan if isinstance(result, self.context.mpc) else result for result in results)

    def rates(self, x: Any, y: Any, real: Callable[[float], Any] = float) -> tuple[Any, ...]:
        """Return the derivatives of loss, slope and curvature in the prediction, by central differences."""
        return tuple((left + right) / 2 for left, right in self.one_sided_rates(x, y, real))

    def one_sided_rates(self, x: Any, y: Any, real: Callable[[float], Any] = float) -> list[tuple[Any, Any]]:
        """Return the derivatives from the left and from the right, which are the same but for a kink."""
        x, step = self.mpf(x), self.step(x)
        places = (self.exact(each, y, real) for each in (x - step, x, x + step))
        return [((here - low) / step, (high - here) / step) for low, here, high in zip(*places, strict=True)]

    def step(self, x: Any) -> Any:
        return self.mpf(STEP) * (1 if self.of_logit else min(x, 1 - x))

    def noise(self, x: Any, size: Any) -> Any:
        """Return how far a difference of results of this size may be off."""
        return (abs(size) + 1) * self.mpf(STEP) ** 2.9 / self.step(x)

    def sizes(self, x: float, y: float, real: Callable[[float], Any]) -> tuple[Any, ...]:
        """Return what errors are relative to: the results, those of the hard labels, and what moves with rounded x.

        The two labels may cancel each other, and a result may change its sign, which no formula can follow.
        """
        scale = self.scale(x)
        of_label_0, of_label_1 = self.exact(x, 0, real), self.exact(x, 1, real)
        parts = zip(self.exact(x, y, real), self.rates(x, y, real), of_label_0, of_label_1, strict=True)
        return tuple(
            abs(own) + scale * abs(rate) + (1 - y) * abs(at_0) + y * abs(at_1) for own, rate, at_0, at_1 in parts
        )

    def scale(self, x: float) -> float:
        """Return the size of a prediction that its rounding is relative to."""
        return max(abs(x), 1.0) if self.of_logit else x

    def change(self, which: int, x: float, y: float, real: Callable[[float], Any], rounding: float) -> Any:
        """Return by how much a result changes with a rounding of the prediction and of a soft label: 1 - y is rounded.

        It is more than the derivatives say where a kink lies next to the prediction.
        """
        want = self.exact(x, y, real)[which]
        reach = rounding * self.scale(x) if math.isfinite(x) else 0.0
        near = [(x - reach, y), (x + reach, y)]
        if y not in (0, 1):
            near += [(x, max(y - rounding, 0.0)), (x, min(y + rounding, 1.0))]
        return max(abs(self.exact(*each, real)[which] - want) for each in near)

    def in_floats(self, points: list[tuple[float, float]], real: Any) -> Iterator[tuple[Any, ...]]:
        """Return loss, slope and curvature at each point, in the precision of a float type."""
        x, y = np.array(points, real).T
        constants = tuple(map(real, self.constants))
        with np.errstate(all="ignore"):
            results = build_formulas(np, real=real)(self.prediction_kind, *self.key)(
                x, (y, 1 - y), real(self.epsilon), constants
            )
        return zip(*(np.broadcast_to(result, x.shape).tolist() for result in results), strict=True)

    def place(self, x: float, y: float) -> str:
        return f"at the {'logit' if self.of_logit else 'probability'} {x:.9g} and the label {y:.9g}"


def _maths(context):
    """Return the maths module of the formulas on numbers of mpmath."""
    zero = context.mpf(0)
    return SimpleNamespace(
        abs=abs,
        where=lambda condition, a, b: a if condition else b,
        minimum=min,
        maximum=max,
        exp=lambda x: context.exp(min(max(x, -FARTHEST), FARTHEST)) if x > -context.inf else zero,
        log=context.log,
        log1p=context.log1p,
        divide_no_nan=lambda a, b: a / b if b else zero,
        power_times=lambda u, gamma, h: u**gamma * h,
    )


def _wrong_derivatives(case):
    for x, y in case.points_between():
        results = case.exact(x, y)
        for name, result in zip(RESULTS, results, strict=True):
            if case.context.isnan(result):
                yield name, f"{case.place(x, y)} it is no number, even in {DIGITS} digits: 0 / 0, or inf - inf, say."
        rates = case.one_sided_rates(x, y)
        for name, of, got, below, sides in zip(RESULTS[1:], RESULTS, results[1:], results, rates, strict=False):
            want = sum(sides) / 2
            allowed = AGREEMENT * max(abs(got), abs(want)) + case.noise(x, below)
            if min(sides) - allowed > got or got > max(sides) + allowed:
                own, other = _apart(case, got, want)
                yield name, f"{case.place(x, y)} it is {own}; the derivative of the {of} is {other}."


def _wrong_in_label(case):
    try:
        rule = in_label(case.key[0])
    except TypeError as error:
        yield "label", str(error)
        return
    exp, log = case.context.exp, case.context.log
    for x, y in case.points_between():
        if case.of_logit and abs(x) > 700:
            continue  # in 400 digits, 1 - p is 0
        (got, *_), (of_0, *_), (of_1, *_) = (case.exact(x, label) for label in (y, 0, 1))
        if rule == LINEAR:
            want, source = y * of_1 + (1 - y) * of_0, "a loss that is LINEAR in the label is"
        else:
            p = 1 / (1 + exp(-case.mpf(x))) if case.of_logit else case.mpf(x)
            want = rule(_maths(case.context), -log(p), -log(1 - p), case.mpf(y), tuple(map(case.mpf, case.constants)))
            source = f"`{rule.__name__}` is"
        if abs(got - want) > AGREEMENT * (abs(got) + abs(want) + abs(of_0) + abs(of_1)):
            own, other = _apart(case, got, want)
            yield "label", f"{case.place(x, y)} the loss is {own}; {source} {other} there."


def _lost_digits(case, real, ulps):
    info = np.finfo(real)
    greatest, least = float(info.max), float(info.tiny)
    points = [(float(real(x)), float(real(y))) for x, y in case.points() if real(x) != 1]
    for (x, y), computed in zip(points, case.in_floats(points, real), strict=True):
        results, sizes = case.exact(x, y, real), case.sizes(x, y, real)
        for which, (name, got, want, size) in enumerate(zip(RESULTS, computed, results, sizes, strict=True)):
            if case.context.isnan(want):
                continue  # there is nothing to compare with
            if math.isinf(got) and (size > greatest or (not case.of_logit and x**-2 > greatest)):
                continue  # what a label costs alone, or the curvature of -log p, is beyond the greatest float
            error, allowed = abs(case.mpf(got) - want), ulps * (float(info.eps) * size + least)
            if error <= allowed or error <= case.change(which, x, y, real, ulps * float(info.eps)):
                continue
            own, other = _apart(case, got, want, info.precision + 2)
            yield f"{name} in {info.dtype}", f"{case.place(x, y)} it is {own}; {other} is right."


def _wrong_at_ends(case, real, ulps):
    info, points = np.finfo(real), list(case.ends())
    for (x, y), computed in zip(points, case.in_floats(points, real), strict=True):
        y = float(real(y))
        for which, (name, got, want) in enumerate(zip(RESULTS, computed, case.exact(x, y, real), strict=True)):
            if math.isnan(got):
                yield f"{name} in {info.dtype}", f"{case.place(x, y)} it is NaN."
            elif case.of_logit and not case.context.isnan(want):
                limit = float(want) if abs(want) <= float(info.max) else math.inf if want > 0 else -math.inf
                is_limit = math.isclose(got, limit, rel_tol=1e-5, abs_tol=float(info.tiny))
                if not is_limit and not abs(got - limit) <= case.change(which, x, y, real, ulps * float(info.eps)):
                    yield f"{name} in {info.dtype}", f"{case.place(x, y)} it is {got:.9g}; {limit:.9g} is the limit."


def _apart(case, got, want, digits=9):
    """Return two numbers as texts, in so many digits that they differ."""
    own, other = (f"{float(each):.{digits}g}" for each in (got, want))
    while own == other and digits < DIGITS:
        own, other = (case.context.nstr(case.mpf(each), digits) for each in (got, want))
        digits += 1
    return own, other
