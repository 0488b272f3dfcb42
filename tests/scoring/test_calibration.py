import numpy as np
import pytest
from scipy.special import expit

from binxent.scoring import calibration_bins


def test_calibration_bins_hold_every_row_once():
    random = np.random.default_rng(0)
    logit, weight = random.normal(size=5000), random.gamma(1.0, size=5000)
    target = random.random(5000) < expit(logit)
    predicted, observed, low, high = calibration_bins(target, logit, weight)
    assert len(predicted) == 20
    assert (np.diff(predicted) > 0).all()
    assert ((low <= observed) & (observed <= high)).all()
    assert np.mean((low <= predicted) & (predicted <= high)) > 0.8
    assert observed.mean() == pytest.approx(np.average(target, weights=weight), abs=0.005)


def test_wilson_interval_of_a_bin():
    """Wilson 1927 for 8 of 10: 0.4902 to 0.9433."""
    target = np.arange(10) < 8
    _, observed, low, high = calibration_bins(target, np.zeros(10))
    assert observed == pytest.approx([0.8])
    assert low == pytest.approx([0.4902], abs=1e-4)
    assert high == pytest.approx([0.9433], abs=1e-4)


def test_rare_positives_get_bins_of_their_own():
    random = np.random.default_rng(0)
    logit = random.normal(size=100_000) * 1.5 - 8
    target = random.random(100_000) < expit(logit)
    by_rows = calibration_bins(target, logit)
    by_positives = calibration_bins(target, logit, by_rarer_class=True)
    assert by_positives.predicted.max() > 3 * by_rows.predicted.max()
    mirrored = calibration_bins(~target, -logit, by_rarer_class=True)
    assert mirrored.predicted == pytest.approx(1 - by_positives.predicted[::-1], rel=1e-6)


def test_without_a_row_that_counts_there_are_no_bins():
    with pytest.raises(ValueError, match="positive for at least one row"):
        calibration_bins([0, 1], [0.0, 1.0], [0.0, 0.0])
