"""Loss, slope and curvature against the truth, over the whole range of floats."""

from dataclasses import replace
from functools import cache

import mpmath
import numpy as np
import oracle
import pytest
from cases import ELEMENTWISE, READINGS, SPELLINGS, points

import binxent as bx
from binxent import formulas

# How far loss, slope and curvature may be off, in units in the last place of the sum of their absolute terms, in
# either precision; a little more than the most that was measured (in brackets).
ULPS = {
    "bce": (1.8, 1.8, 2.3),  # 1.4 1.4 1.8
    "bce, positives 2.5": (2.0, 2.0, 2.4),
    "poly": (2.0, 2.0, 2.6),
    "poly -0.5": (2.0, 2.0, 2.6),
    "focal 0": (1.8, 1.8, 2.3),
    "focal 0.5": (1.8, 2.0, 2.8),
    "focal 1": (2.6, 3.0, 3.2),
    "focal 2, balanced": (4.0, 4.2, 4.2),
    "focal 3": (5.0, 5.0, 5.2),
    "focal 4": (6.0, 5.5, 6.5),
    "focal 7.3": (8.5, 9.0, 6.5),
    "asymmetric": (3.0, 3.5, 4.0),
    "asymmetric 0 0 0": (1.8, 1.8, 2.3),
    "asymmetric 2 3 0": (4.3, 5.3, 5.0),
    "asymmetric 0.5 7.3 0.05": (2.6, 3.0, 3.0),
    "asymmetric 0 2.5 0.5": (1.8, 2.0, 2.3),
}

each_spelling = pytest.mark.parametrize("name", SPELLINGS)
each_reading = pytest.mark.parametrize("reading", READINGS)
each_precision = pytest.mark.parametrize(
    "real", [pytest.param(np.float32, id="float32"), pytest.param(np.float64, id="float64", marks=pytest.mark.slow)]
)


@cache
def case(name, reading, real):
    """A loss, element by element, with predictions, labels and the truth."""
    loss = SPELLINGS[name](**READINGS[reading], **ELEMENTWISE)
    x, y = points(loss.from_logits, real)
    if reading == "exact probabilities" and "any" in loss.form:
        keep = within_reach(loss, x)
        x, y = x[keep], y[keep]
    return loss, x, y, oracle.truth(loss, x, y)


def within_reach(loss, x):
    """Where no term of a fractional power's derivatives overflows: p^(gamma - 2) does so when p is next to nothing."""
    return (np.minimum(x, 1 - x) > 1e-20) if min(g for g in powers(loss) if g % 1) < 2 else x >= 0


def powers(loss):
    return (loss.gamma,) if isinstance(loss, bx.BinaryFocalCrossentropy) else (loss.gamma_pos, loss.gamma_neg)


def accurate(got, truth, allowed):
    """Raises where an error is larger than allowed."""
    got = np.stack(got)
    errors = oracle.ulps(got, oracle.Truth(*(part[: len(got)] for part in truth)))
    for row, (error, most) in enumerate(zip(errors, allowed, strict=False)):
        worst = error.argmax()
        assert error[worst] <= most, (
            f"{error[worst]:.3g} ulps in derivative {row} at point {worst}: {got[row, worst]!r}"
        )


@each_spelling
@each_reading
@each_precision
def test_loss_slope_and_curvature_are_exact(name, reading, real):
    loss, x, y, truth = case(name, reading, real)
    results = bx.value_grad_hess(loss, y, x)
    assert all(result.dtype == real and result.shape == x.shape for result in results)
    accurate(results, truth, ULPS[name])


@pytest.mark.parametrize("name", ["bce", "poly", "focal 2, balanced", "focal 7.3", "asymmetric"])
@pytest.mark.parametrize("reading", ["logits", "probabilities"])
def test_loss_and_slope_are_exact_without_the_rest(name, reading):
    loss, x, y, truth = case(name, reading, np.float32)
    accurate([loss(y, x)], truth, ULPS[name])
    accurate(bx.value_and_grad(loss, y, x), truth, ULPS[name])


@pytest.mark.parametrize("reading", ["logits", "probabilities"])
def test_a_weight_per_label_is_exact(reading):
    loss, x, y, truth = case("bce, positives 2.5", reading, np.float32)
    per_label = replace(loss, pos_weight=[2.5] * x.size)
    accurate(bx.value_grad_hess(per_label, y, x), truth, ULPS["bce, positives 2.5"])


@each_spelling
@each_reading
def test_formulas_are_exact_on_numpy(name, reading):
    """The reference driver, which compiles nothing: the quick way to see that a formula is right."""
    loss, x, y, truth = case(name, reading, np.float64)
    finite = np.isfinite(x)  # NumPy's own sums have no answer to infinity minus infinity
    formula = formulas.define(np)(loss.reading, *loss.form)
    with np.errstate(all="ignore"):
        results = formula(x[finite], y[finite], loss.epsilon or 0.0, loss.constants)
    results = [np.broadcast_to(result, x[finite].shape) for result in results]
    accurate(results, oracle.Truth(*(part[:, finite] for part in truth)), np.array(ULPS[name]) + 1)


@each_spelling
def test_probabilities_as_keras_2_reads_them(name):
    """In float32, where 1 - epsilon leaves more than epsilon; in float64 rounding makes a cost of 0 negative."""
    real, loss = np.float32, SPELLINGS[name](**ELEMENTWISE)
    x, y = points(loss.from_logits, real)
    formula = formulas.define(np, real=real)("keras2_probability", *loss.form)
    results = formula(x, y, real(loss.epsilon), tuple(map(real, loss.constants)))
    accurate(results, oracle.truth(loss, x, y, added=loss.epsilon), ULPS[name])


def test_the_oracle_differentiates_as_the_definition():
    for name, define in SPELLINGS.items():
        for reading, options in READINGS.items():
            loss = define(**options)
            for x, y in [(0.3, 0.0), (0.3, 1.0), (0.71, 0.3), (0.9, 1.0), (0.6, 0.0)]:

                def value(x, loss=loss, y=y):
                    state = oracle.of_logit(x, 0) if loss.from_logits else oracle.of_probability(x, 1 - x)
                    return oracle.combine(loss, state, y, np.float64).values[0]

                got = oracle.truth_at(loss, x, y, np.float64).values
                for order, found in enumerate(got):
                    want = mpmath.diff(value, mpmath.mpf(x), order)
                    assert abs(found - want) <= 1e-15 * max(abs(want), 1e-10), (name, reading, x, y, order)
