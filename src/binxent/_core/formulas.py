"""The maths of the family, once: loss, slope and curvature of one prediction and one label.

A formula returns three numbers together because they share one exponential: the loss and its first and second
derivative with respect to the prediction. It is a closure over a maths module `m`, a compiler `jit` and a number type,
so NumPy, LLVM, Triton, JAX, TensorFlow and PyTorch run the same lines:

    >>> import numpy as np
    >>> formula = build_formulas(np)("logit", unweighted_bce)
    >>> y = np.array([1.0, 0.0])
    >>> loss, slope, curvature = formula(np.array([0.0, 2.0]), (y, 1 - y), 0.0, ())
    >>> loss.round(6).tolist(), slope.round(6).tolist(), curvature.round(6).tolist()
    ([0.693147, 2.126928], [-0.5, 0.880797], [0.25, 0.104994])

Each function below marked @formula builds a formula from the parts of `formula_parts.py` and from choices that decide
what is compiled. The formula takes a state (a prediction as logit or probability, read by `prediction_kinds`), a label
as the pair (y, 1 - y), both with all their digits, and constants; `CONTRIBUTING.md` lists the letters. `in_label`
declares how the formula depends on the label.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar

from binxent._core.formula_parts import Maths, parts, prediction_kinds, primitives

LINEAR = "linear"
"""How most formulas depend on the label: y times the loss of label 1, plus 1 - y times that of label 0."""
WHOLE_POWERS = (0, 1, 2, 3, 4)
NEAR_ZERO = 1e-30  # takes the place of a logit of 0, where autodiff would meet the kink of max(z, 0)
HUGE = 1e28  # stands in for an infinite cost where a product with 0 must be 0

Build = TypeVar("Build", bound=Callable[..., Any])


def formula(*constants: str, in_label: str | Callable[..., Any]) -> Callable[[Build], Build]:
    """Declare that a function builds a formula.

    Args:
        constants: The parameters that the formula's constants come from, named in errors about them. A constant named
            pos_weight multiplies what label 1 costs.
        in_label: `LINEAR`, or the loss as a function (m, a, b, y, constants), a = -log p and b = -log(1 - p), which
            drivers differentiate in the label y and in the constants. A cost of a label without weight is finite there.

    Raises:
        TypeError: `in_label` is neither `LINEAR` nor callable, or a name is not a string.
    """
    if not (callable(in_label) or in_label == LINEAR):
        raise TypeError(f"`in_label` must be LINEAR, or a function (m, a, b, y, constants); got {in_label!r}.")
    if not all(isinstance(name, str) for name in constants):
        raise TypeError(f"@formula takes the names of parameters, as @formula('limit', ...); got {constants!r}.")

    def declare(build: Build) -> Build:
        vars(build).update(constant_names=constants, in_label=in_label)
        return build

    return declare


def in_label(build: Callable[..., Any]) -> Any:
    """Return how a formula depends on the label: `LINEAR`, or a function.

    Raises:
        TypeError: The formula does not declare it.
    """
    try:
        return build.in_label  # pyright: ignore[reportFunctionMemberAccess]
    except AttributeError:
        raise TypeError(
            f"`{build.__name__}` must declare how it depends on the label before a derivative in the label can be "
            "taken: decorate it with @formula(in_label=LINEAR), or with the loss as a function of the label."
        ) from None


def power_kind(gamma: float) -> int | str:
    """Return how to compute u^gamma: as a product where gamma is a small whole number, else by one more exponential."""
    return int(gamma) if gamma in WHOLE_POWERS else "any"


@formula(in_label=LINEAR)
def unweighted_bce(f: SimpleNamespace) -> Callable[..., Any]:
    """Build y a + (1 - y) b: the weights of the labels add up to 1."""
    label_entropy = f.label_entropy

    @f.jit
    def unweighted_bce(state, label, constants):
        return label_entropy(label, state)

    return unweighted_bce


@formula("pos_weight", in_label=LINEAR)
def bce(f: SimpleNamespace) -> Callable[..., Any]:
    """Build c y a + (1 - y) b."""
    entropy = f.entropy

    @f.jit
    def bce(state, label, constants):
        y, not_y = label
        (pos_weight,) = constants
        positive = pos_weight * y
        return entropy(positive, not_y, positive + not_y, state)

    return bce


@formula("epsilon_1", in_label=LINEAR)
def poly(f: SimpleNamespace) -> Callable[..., Any]:
    """Build y a + (1 - y) b + epsilon_1 (1 - p_t)."""
    one, two, label_entropy = f.one, f.two, f.label_entropy

    @f.jit
    def poly(state, label, constants):
        probabilities, _, _, _, change, _ = state
        p, q = probabilities
        w, bend = change
        y, not_y = label
        (epsilon_1,) = constants
        loss, slope, curvature = label_entropy(label, state)
        error, error1 = y * q + not_y * p, (one - two * y) * w
        return loss + epsilon_1 * error, slope + epsilon_1 * error1, curvature + epsilon_1 * error1 * bend

    return poly


def focal_in_label(m, a, b, y, constants):
    """Compute (y alpha + (1 - y) beta) u^gamma h, u = y q + (1 - y) p and h = y a + (1 - y) b, 0 where u is."""
    alpha, beta, gamma = constants
    error, entropy = y * m.exp(-b) + (1 - y) * m.exp(-a), y * a + (1 - y) * b
    return (y * alpha + (1 - y) * beta) * getattr(m, "power_times", power_times(m))(error, gamma, entropy)


def power_times(m):
    """Return the function (u, gamma, h) -> u^gamma h; a hook, as derivatives of it divide by u twice."""
    return lambda u, gamma, h: m.exp(gamma * m.log(m.maximum(u, 1e-30))) * h


@formula("alpha", "alpha", "gamma", in_label=focal_in_label)
def focal(f: SimpleNamespace, gamma_kind: int | str) -> Callable[..., Any]:
    """Build (1 - p_t)^gamma BCE, times y alpha + (1 - y) beta."""
    m, one, zero, two, divide_no_nan = f.m, f.one, f.zero, f.two, f.divide_no_nan
    label_entropy, logarithms, cost_share, slope_share = f.label_entropy, f.logarithms, f.cost_share, f.slope_share
    minus_log_error_probability, modulated = f.minus_log_error_probability, f.modulation(gamma_kind)

    @f.jit
    def focal(state, label, constants):
        probabilities, _, _, _, change, _ = state
        p, q = probabilities
        w, bend = change
        y, not_y = label
        alpha, beta, gamma = constants
        h, h1, h2 = label_entropy(label, state)
        u, u1 = y * q + not_y * p, (one - two * y) * w
        minus_log_p, minus_log_q, ratio_p, ratio_q = logarithms(state)
        minus_log_u = minus_log_error_probability(u, y, minus_log_p, minus_log_q)
        ratio = m.where(y >= one, ratio_q, m.where(y <= zero, ratio_p, divide_no_nan(u1, u)))
        loss, slope, curvature = modulated(u, u1, bend, ratio, minus_log_u, gamma, h, h1, h2)
        balance = y * alpha + not_y * beta
        return cost_share(balance, loss), slope_share(balance, slope), slope_share(balance, curvature)

    return focal


@formula("gamma_pos", "gamma_neg", "margin", in_label=LINEAR)
def asymmetric(
    f: SimpleNamespace, positive_kind: int | str, negative_kind: int | str, shifted: bool
) -> Callable[..., Any]:
    """Build y q^gamma_pos a + (1 - y) p_m^gamma_neg (-log(1 - p_m)), p_m = max(p - margin, 0)."""
    m, zero, divide_no_nan, beyond_margin = f.m, f.zero, f.divide_no_nan, f.beyond_margin
    lost_by_log = f.lost_by_log
    logarithms, cost_share, slope_share = f.logarithms, f.cost_share, f.slope_share
    positive_modulated, negative_modulated = f.modulation(positive_kind), f.modulation(negative_kind)

    @f.jit
    def asymmetric(state, label, constants):
        probabilities, costs, slopes, curvatures, change, _ = state
        p, q = probabilities
        a, b = costs
        a1, b1 = slopes
        a2, b2 = curvatures
        w, bend = change
        y, not_y = label
        gamma_pos, gamma_neg, margin = constants
        minus_log_p, minus_log_q, ratio_p, ratio_q = logarithms(state)
        loss_pos, slope_pos, curvature_pos = positive_modulated(q, -w, bend, ratio_q, minus_log_q, gamma_pos, a, a1, a2)
        if shifted:
            u, rest, h = beyond_margin(p, q, margin)
            below = p <= margin
            u1 = m.where(below, zero, w)
            h1 = u1 / rest
            ratio = m.where(below, zero, divide_no_nan(u1, u))
            minus_log_u = zero - m.log(u)
            loss_neg, slope_neg, curvature_neg = negative_modulated(
                u, u1, bend, ratio, (minus_log_u, lost_by_log(u, minus_log_u)), gamma_neg, h, h1, h1 * bend + h1 * h1
            )
        else:
            loss_neg, slope_neg, curvature_neg = negative_modulated(
                p, w, bend, ratio_p, minus_log_p, gamma_neg, b, b1, b2
            )
        return (
            cost_share(y, loss_pos) + cost_share(not_y, loss_neg),
            slope_share(y, slope_pos) + slope_share(not_y, slope_neg),
            slope_share(y, curvature_pos) + slope_share(not_y, curvature_neg),
        )

    return asymmetric


def uncompiled(function):
    """Return the function as it is: the `jit` of drivers that run or trace Python."""
    return function


def build_formulas(
    m: Maths | SimpleNamespace, jit: Callable[..., Any] = uncompiled, real: Callable[..., Any] = float
) -> Callable[..., Any]:
    """Build the formulas over one maths module.

    Args:
        m: Module or namespace as `formula_parts.py` describes it.
        jit: Decorator that compiles a function of scalars.
        real: Type of the constants; a compiler of float32 scalars needs float32 constants to stay in float32.

    Returns:
        A function (prediction_kind, build, *choices) that returns the formula (x, (y, 1 - y), epsilon, constants) ->
        (loss, slope, curvature). Prediction kinds are "logit", "probability", "clipped_probability",
        "clamped_probability" and "keras2_probability"; `build` is a function marked @formula.
    """
    shared = primitives(m, jit, real)
    kinds = prediction_kinds(shared)
    parts_of = {name: parts(shared, kind) for name, kind in kinds.items()}

    def build_formula(prediction_kind, build, *choices):
        read, loss = kinds[prediction_kind].read, build(parts_of[prediction_kind], *choices)

        @jit
        def formula(x, label, epsilon, constants):
            return loss(read(x, epsilon), label, constants)

        return formula

    return build_formula
