import math

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import log_loss

from binxent.workbench.training.correction import Correction, find_correction

rng = np.random.default_rng(0)
LOGIT = rng.normal(size=2000)
TARGET = (rng.random(2000) < expit(LOGIT)).astype(np.int8)
NOISE = rng.permutation(TARGET)


def test_calibrated_logits_stay_as_they_are():
    assert find_correction("none", 1.0, TARGET, LOGIT, None, 0) == Correction("none", 1.0, 0.0)


def test_a_pos_weight_is_undone_exactly():
    moved = LOGIT + math.log(3)
    assert find_correction("pos_weight", 3.0, TARGET, moved, None, 0) == Correction("pos_weight", 1.0, -math.log(3))


@pytest.mark.parametrize("kind", ["none", "pos_weight", "fitted"])
def test_a_slope_is_fitted_where_it_helps(kind):
    found = find_correction(kind, 3.0, TARGET, 2.5 * LOGIT + 1, None, 0)
    assert found.kind == "fitted"
    assert found.slope == pytest.approx(0.4, rel=0.15)
    np.testing.assert_allclose(found(2.5 * LOGIT + 1), LOGIT, atol=0.5)


def test_weights_count():
    weight = np.repeat([1.0, 0.0], 1000)
    wrong = np.where(weight > 0, LOGIT, -3 * LOGIT)
    assert find_correction("none", 1.0, TARGET, wrong, weight, 0).kind == "none"
    assert find_correction("none", 1.0, TARGET, wrong, None, 0).kind == "fitted"


def test_absurd_logits_are_no_worse_than_the_base_rate():
    for factor in (1e3, 1e5, 1e30):
        found = find_correction("none", 1.0, TARGET, factor * NOISE + factor * LOGIT, None, 0)
        assert found.kind == "fitted"
        assert log_loss(TARGET, expit(found(factor * NOISE + factor * LOGIT))) < log_loss(
            TARGET, np.full(2000, TARGET.mean())
        )


def test_a_class_whose_rows_hardly_count_gives_no_fit():
    weight = np.zeros(40)
    weight[:3] = 1  # of one class; without weight there are others
    target, logit = np.r_[1, 1, 1, np.arange(37) % 2], LOGIT[:40]
    assert find_correction("pos_weight", 2.0, target, logit, weight, 0) == Correction("pos_weight", 1.0, -math.log(2))


def test_logits_that_say_nothing_become_the_base_rate():
    found = find_correction("none", 1.0, NOISE, 2 * LOGIT, None, 0)
    assert found.kind == "fitted"
    assert abs(found.slope) < 0.1
    assert expit(found(LOGIT)).mean() == pytest.approx(NOISE.mean(), abs=0.01)


def test_a_class_of_few_rows_gives_no_fit():
    target = np.zeros(50, np.int8)
    target[0] = 1
    assert find_correction("none", 1.0, target, np.full(50, -3.0), None, 0) == Correction()
