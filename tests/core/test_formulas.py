"""Loss, slope and curvature against the truth, over the whole range of floats."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from support import oracle
from support.accuracy import ULPS, accurate, case, formulas_are_exact
from support.cases import ELEMENTWISE, LOSSES, PREDICTION_KINDS, points

import binxent as bx
from binxent._core import formulas

each_loss = pytest.mark.parametrize("name", LOSSES)
each_prediction_kind = pytest.mark.parametrize("prediction_kind", PREDICTION_KINDS)
each_precision = pytest.mark.parametrize(
    "real", [pytest.param(np.float32, id="float32"), pytest.param(np.float64, id="float64", marks=pytest.mark.slow)]
)


@pytest.mark.compiles
@each_loss
@each_prediction_kind
@each_precision
def test_loss_slope_and_curvature_are_exact(name, prediction_kind, real):
    loss, x, y, truth = case(name, prediction_kind, real)
    results = bx.value_grad_hess(loss, y, x)
    assert all(result.dtype == real and result.shape == x.shape for result in results)
    accurate(results, truth, ULPS[name])


@pytest.mark.compiles
@pytest.mark.parametrize("name", ["bce", "poly", "focal 2, balanced", "focal 7.3", "asymmetric"])
@pytest.mark.parametrize("prediction_kind", ["logits", "probabilities"])
def test_loss_and_slope_are_exact_without_the_rest(name, prediction_kind):
    loss, x, y, truth = case(name, prediction_kind, np.float32)
    accurate([loss(y, x)], truth, ULPS[name])
    accurate(bx.value_and_grad(loss, y, x), truth, ULPS[name])


@pytest.mark.compiles
@pytest.mark.parametrize("prediction_kind", ["logits", "probabilities"])
def test_a_weight_per_label_is_exact(prediction_kind):
    loss, x, y, truth = case("bce, positives 2.5", prediction_kind, np.float32)
    per_label = replace(loss, pos_weight=[2.5] * x.size)
    accurate(bx.value_grad_hess(per_label, y, x), truth, ULPS["bce, positives 2.5"])


@each_loss
@each_prediction_kind
def test_formulas_are_exact_on_numpy(name, prediction_kind):
    """The reference driver, which compiles nothing: the quick way to see that a formula is right."""
    formulas_are_exact(formulas, name, prediction_kind)


@each_loss
def test_probabilities_as_keras_2_reads_them(name):
    """In float32, where 1 - epsilon leaves more than epsilon; in float64 rounding makes a cost of 0 negative."""
    real, loss = np.float32, LOSSES[name](**ELEMENTWISE)
    x, y = points(loss.from_logits, real)
    formula = formulas.build_formulas(np, real=real)("keras2_probability", *loss.pointwise.formula_key)
    with np.errstate(divide="ignore", invalid="ignore"):  # log 0, of terms that are not chosen
        results = formula(x, (y, 1 - y), real(loss.epsilon), tuple(map(real, loss.pointwise.constants)))
    accurate(results, oracle.truth(loss, x, y, added=loss.epsilon), ULPS[name])


def test_the_oracle_differentiates_as_the_definition():
    for name, define in LOSSES.items():
        for prediction_kind, options in PREDICTION_KINDS.items():
            loss = define(**options)
            for x, y in [(0.3, 0.0), (0.3, 1.0), (0.71, 0.3), (0.9, 1.0), (0.6, 0.0)]:

                def value(x, loss=loss, y=y):
                    state = oracle.of_logit(x, 0) if loss.from_logits else oracle.of_probability(x, 1 - x)
                    return oracle.combine(loss, state, y, np.float64).values[0]

                got = oracle.truth_at(loss, x, y, np.float64).values
                for order, found in enumerate(got):
                    want = mpmath.diff(value, mpmath.mpf(x), order)
                    assert abs(found - want) <= 1e-15 * max(abs(want), 1e-10), (name, prediction_kind, x, y, order)
