"""Sums by the quick loop equal those of the loop with guards, whatever lies in a step, and lose no digits."""

import mpmath
import numpy as np
import pytest

import binxent as bx
from binxent.numpy import value_and_grad
from tests.support.cases import LOSSES, PREDICTION_KINDS

STEP = 64  # elements of float32, on the widest processors
SOME = ["bce", "bce, positives 2.5", "poly", "focal 2, balanced", "focal 7.3", "asymmetric 0.5 7.3 0.05"]
ODD_LOGITS = [(np.inf, 1), (np.inf, 0), (-np.inf, 0.3), (3e38, 0), (2.0, -0.0), (-np.inf, 0)]
ODD_PROBABILITIES = [(0, 0), (0, 1), (1, 1), (1, 0.5), (1e-42, 0), (-0.0, 0), (0.2, -0.0), (1e-39, 1e-30)]


def ordinary(kind, real, size):
    """Return labels and predictions that need no guard."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, size)
    predictions = logits if kind == "logits" else 1 / (1 + np.exp(-logits))
    return np.where(rng.random(size) < 0.1, 0.3, rng.random(size) < 0.4).astype(real), predictions.astype(real)


@pytest.mark.parametrize(("kind", "real"), [*((kind, np.float32) for kind in PREDICTION_KINDS), ("logits", np.float64)])
@pytest.mark.parametrize("name", SOME)
def test_sums_and_gradients_do_not_depend_on_what_else_is_in_a_step(name, kind, real):
    """Each loss of an element has guards if losses are written, and has none in most steps of a sum."""
    options = PREDICTION_KINDS[kind] | {"axis": (), "dtype": "float64"}
    each, total = (LOSSES[name](reduction=reduction, **options) for reduction in ("none", "sum"))
    labels, predictions = ordinary(kind, real, 5 * STEP + 7)
    _, plain = value_and_grad(total, labels, predictions)
    for k, (prediction, label) in enumerate(ODD_LOGITS if kind == "logits" else ODD_PROBABILITIES):
        odd_labels, odd_predictions = labels.copy(), predictions.copy()
        place = 31 * k  # in each of the steps
        odd_labels[place], odd_predictions[place] = label, prediction
        losses = each(odd_labels, odd_predictions)
        value, gradient = value_and_grad(total, odd_labels, odd_predictions)
        np.testing.assert_allclose(value, losses.sum(), rtol=3e-7 if real is np.float32 else 1e-15)
        assert total(odd_labels, odd_predictions) == value
        np.testing.assert_array_equal(np.delete(gradient, place), np.delete(plain, place))
        alone = value_and_grad(total, odd_labels[place : place + 1], odd_predictions[place : place + 1])[1]
        np.testing.assert_array_equal(gradient[place], alone[0])


@pytest.mark.parametrize("label", [0.0, 1.0, 0.3])
def test_a_mean_of_equal_losses_is_that_loss(label):
    """Errors of equal numbers do not average out: four additions and four products must be as good as exact."""
    loss = bx.BinaryCrossentropy(from_logits=True)
    for logit in np.linspace(-30, 30, 101).astype(np.float32):
        z, y = mpmath.mpf(float(logit)), mpmath.mpf(float(np.float32(label)))
        truth = float(y * mpmath.log1p(mpmath.exp(-z)) + (1 - y) * mpmath.log1p(mpmath.exp(z)))
        mean = loss(np.full(5000, label, np.float32), np.full(5000, logit))
        assert abs(mean - truth) <= 3 * np.spacing(np.float32(truth)), logit
