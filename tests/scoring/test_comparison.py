import numpy as np
import pytest
from scipy.special import expit

from binxent.scoring import compare, evaluate


def two_models(rows, seed=0, weighted=False):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=rows) * 1.5
    target = rng.random(rows) < expit(truth)
    first, second = (truth + rng.normal(size=rows) * noise for noise in (1.0, 0.7))
    return target, first.round(1), second, rng.gamma(2.0, size=rows) if weighted else None


@pytest.mark.parametrize("weighted", [False, True])
def test_differences_are_those_of_the_scores(weighted):
    target, first, second, weight = two_models(300, weighted=weighted)
    found = compare(target, first, second, weight)
    one, other = (evaluate(target, logit, weight) for logit in (first, second))
    for name, difference in found.items():
        assert difference["value"] == pytest.approx(other[name]["value"] - one[name]["value"], abs=1e-12)
        width = difference["high"] - difference["low"]
        assert 0 < width < one[name]["high"] - one[name]["low"]  # of the same rows, so the narrower interval
    reverse = compare(target, second, first, weight)
    for name, difference in found.items():
        assert reverse[name]["low"] == pytest.approx(-difference["high"])


def test_intervals_hold_the_truth_as_often_as_they_say():
    far = compare(*two_models(400_000, seed=99))
    inside = dict.fromkeys(far, 0)
    for seed in range(400):
        for name, difference in compare(*two_models(150, seed)).items():
            inside[name] += difference["low"] <= far[name]["value"] <= difference["high"]
    assert {name: 0.92 <= count / 400 <= 0.975 for name, count in inside.items()} == dict.fromkeys(far, True)


def test_few_rows_are_not_too_sure():
    far = compare(*two_models(400_000, seed=99))["log_loss"]["value"]
    found = [compare(*two_models(6, seed))["log_loss"] for seed in range(1000)]
    assert sum(each["low"] <= far <= each["high"] for each in found) > 920


def test_the_scale_of_the_weights_and_rows_without_weight_change_nothing():
    target, first, second, weight = two_models(100, weighted=True)
    want = compare(target, first, second, weight)
    more = [np.concatenate([part, part[:9]]) for part in (target, first, second)]
    found = compare(*more, np.concatenate([weight * 7, np.zeros(9)]))
    for name in want:
        assert list(found[name].values()) == pytest.approx(list(want[name].values()))


def test_what_the_rows_do_not_determine_is_unknown():
    none = {"value": None, "low": None, "high": None}
    assert compare([1, 1], [0.0, 1.0], [1.0, 2.0])["auc"] == none
    assert compare([0, 1, 1], [0.0, -np.inf, 1.0], [1.0, 2.0, 3.0])["log_loss"] == none
    assert compare([], [], []) == dict.fromkeys(("log_loss", "brier", "auc"), none)
    same = compare([0, 1, 0, 1], [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0])
    assert all(difference == {"value": 0.0, "low": 0.0, "high": 0.0} for difference in same.values())
    perfect = compare([0, 1, 0, 1], [0.0, 1.0, 0.0, 1.0], [-1.0, 1.0, -2.0, 3.0])["auc"]
    assert perfect == {"value": 0.0, "low": None, "high": None}
    with pytest.raises(ValueError, match="`logit` must not be NaN"):
        compare([0, 1], [0.0, 1.0], [np.nan, 1.0])
