"""The numbers of a report against scikit-learn, textbook formulas, coverage by simulation, and degenerate data."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    d2_log_loss_score,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from binxent.scoring import best_threshold, evaluate, fit_correction, rank
from binxent.scoring._intervals import effective_size

ESTIMATES = ("log_loss", "explained", "brier", "auc", "average_precision")


def sample(rows=400, seed=0, shift=-0.5, spread=2.0, ties=False, weighted=False):
    random = np.random.default_rng(seed)
    truth = random.normal(size=rows) * spread + shift
    target = (random.random(rows) < expit(truth)).astype(np.int8)
    logit = 1.3 * truth + 0.2
    return target, logit.round() if ties else logit, random.gamma(2.0, size=rows) if weighted else None


@pytest.fixture(params=[(ties, weighted) for ties in (False, True) for weighted in (False, True)], ids=str)
def rows(request):
    ties, weighted = request.param
    return sample(ties=ties, weighted=weighted)


def numbers(tree):
    if isinstance(tree, dict):
        for value in tree.values():
            yield from numbers(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from numbers(value)
    elif tree is not None:
        yield tree


def test_values_are_those_of_scikit_learn(rows):
    target, logit, weight = rows
    probability = expit(logit)
    scores = evaluate(target, logit, weight)
    expected = {
        "log_loss": log_loss(target, probability, sample_weight=weight),
        "explained": d2_log_loss_score(target, probability, sample_weight=weight),
        "brier": brier_score_loss(target, probability, sample_weight=weight),
        "auc": roc_auc_score(target, logit, sample_weight=weight),
        "average_precision": average_precision_score(target, logit, sample_weight=weight),
    }
    for name, value in expected.items():
        assert scores[name]["value"] == pytest.approx(value, rel=1e-12), name
        assert scores[name]["low"] < value < scores[name]["high"], name
    assert scores["rows"] == len(target)
    assert scores["positives"] == target.sum()
    assert scores["base_rate"] == pytest.approx(np.average(target, weights=weight))
    constant = np.full(len(target), scores["base_rate"])
    assert scores["base_rate_log_loss"] == pytest.approx(log_loss(target, constant, sample_weight=weight))
    assert scores["weight_sum"] == pytest.approx(len(target) if weight is None else weight.sum())


def test_thresholds_are_those_of_scikit_learn(rows):
    target, logit, weight = rows
    probability = expit(logit)
    table = evaluate(target, logit, weight)["thresholds"]
    assert [row["threshold"] for row in table] == sorted({row["threshold"] for row in table})
    for row in table:
        flagged = probability >= row["threshold"]
        options = {"sample_weight": weight, "zero_division": np.nan}
        for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
            assert row[name] == pytest.approx(score(target, flagged, **options)), name
        assert row["specificity"] == pytest.approx(recall_score(1 - target, ~flagged, **options))
        assert row["flagged"] == pytest.approx(np.average(flagged, weights=weight))
        miss = (1 - row["threshold"]) / row["threshold"]
        cost = np.where(target == 1, miss * ~flagged, flagged)
        assert row["cost"] == pytest.approx(np.average(cost, weights=weight))
        everyone = [np.average(np.where(target == 1, 0, 1), weights=weight), miss * np.average(target, weights=weight)]
        assert row["cost_without_model"] == pytest.approx(min(everyone))
    chosen = best_threshold(target, logit, weight)
    (best,) = (
        row["f1"]
        for row in evaluate(target, logit, weight, threshold=chosen)["thresholds"]
        if row["threshold"] == chosen
    )
    assert best == pytest.approx(
        max(f1_score(target, probability >= p, sample_weight=weight) for p in np.unique(probability))
    )


def test_auc_interval_is_delongs():
    target, logit, _ = sample(rows=150, ties=True)
    positive, negative = logit[target == 1], logit[target == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    auc = wins.mean()
    error = math.sqrt(wins.mean(1).var(ddof=1) / len(positive) + wins.mean(0).var(ddof=1) / len(negative))
    half = 1.959963984540054 * error / (auc * (1 - auc))
    middle = math.log(auc / (1 - auc))
    scores = evaluate(target, logit)["auc"]
    assert [scores["low"], scores["high"]] == pytest.approx([expit(middle - half), expit(middle + half)], rel=1e-12)


def test_calibration_is_the_logistic_regression_of_scikit_learn(rows):
    target, logit, weight = rows
    fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12)
    fit.fit(logit[:, None], target, sample_weight=weight)
    found = evaluate(target, logit, weight)["calibration"]
    assert found["slope"]["value"] == pytest.approx(fit.coef_[0, 0], rel=1e-7)
    assert found["intercept"]["value"] == pytest.approx(fit.intercept_[0], abs=1e-7)
    pair = (found["slope"]["value"], found["intercept"]["value"])
    assert fit_correction(target, logit, weight) == pytest.approx(pair, rel=1e-12)
    ratio = np.average(target, weights=weight) / np.average(expit(logit), weights=weight)
    assert found["observed_over_expected"]["value"] == pytest.approx(ratio)


def test_correction_calibrates():
    target, logit, weight = sample(weighted=True)
    slope, intercept = fit_correction(target, logit, weight)
    after = evaluate(target, slope * logit + intercept, weight)["calibration"]
    assert after["slope"]["value"] == pytest.approx(1)
    assert after["intercept"]["value"] == pytest.approx(0, abs=1e-9)
    assert after["observed_over_expected"]["value"] == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "shift", "spread", "weighted"), [(120, -0.5, 3.0, False), (250, 0.0, 2.0, True), (1000, -4.0, 1.5, False)]
)
def test_intervals_cover(rows, shift, spread, weighted):
    """About 95 of 100 intervals contain the value of the population, on either side of it about as often."""
    population = evaluate(*sample(500_000, seed=1, shift=shift, spread=spread))
    truth = {name: population[name]["value"] for name in ESTIMATES}
    truth |= {name: estimate["value"] for name, estimate in population["calibration"].items()}
    covered, trials = dict.fromkeys(truth, 0), 400
    for seed in range(trials):
        scores = evaluate(*sample(rows, seed=seed + 2, shift=shift, spread=spread, weighted=weighted))
        scores |= scores["calibration"]
        for name, value in truth.items():
            covered[name] += scores[name]["low"] <= value <= scores[name]["high"]
    for name, count in covered.items():
        assert 0.89 < count / trials < 0.985, (name, count / trials)


def test_standard_errors_agree_with_the_bootstrap():
    target, logit, weight = sample(rows=600, weighted=True)
    logit = logit + 4  # far from calibrated, so that what is taken for granted at a ratio of 1 shows

    def estimates(rows):
        scores = evaluate(target[rows], logit[rows], weight[rows])
        return [scores[name] for name in ESTIMATES] + list(scores["calibration"].values())

    random = np.random.default_rng(3)
    drawn = [estimates(random.integers(0, len(target), len(target))) for _ in range(300)]
    errors = np.std([[estimate["value"] for estimate in replicate] for replicate in drawn], axis=0)
    for estimate, error in zip(estimates(slice(None)), errors, strict=True):
        assert (estimate["high"] - estimate["low"]) / (2 * 1.96) == pytest.approx(error, rel=0.15)


@pytest.mark.parametrize("factor", [2.0, 1e-300, 1e300])
def test_the_scale_of_weights_is_free(factor):
    target, logit, weight = sample(weighted=True)
    once, scaled = evaluate(target, logit, weight), evaluate(target, logit, weight * factor)
    del once["weight_sum"], scaled["weight_sum"]
    assert list(numbers(scaled)) == pytest.approx(list(numbers(once)), rel=1e-9)
    assert fit_correction(target, logit, weight * factor) == pytest.approx(fit_correction(target, logit, weight))


def test_rows_of_weight_zero_are_hidden():
    target, logit, weight = sample(weighted=True)
    hidden = np.concatenate([logit, [np.nan, np.inf, -np.inf]])
    more = evaluate(np.append(target, [1, 0, 1]), hidden, np.append(weight, [0, 0, 0]))
    assert more == evaluate(target, logit, weight)


def test_order_of_rows_does_not_matter():
    target, logit, weight = sample(weighted=True)
    order = np.random.default_rng(0).permutation(len(target))
    shuffled = evaluate(target[order], logit[order], weight[order])
    assert list(numbers(shuffled)) == pytest.approx(list(numbers(evaluate(target, logit, weight))), rel=1e-10)


DEGENERATE = {
    "no rows": ([], [], None),
    "no weight": ([0, 1], [0.0, 1.0], [0.0, 0.0]),
    "one row": ([1], [0.3], None),
    "one of each": ([0, 1], [0.3, -0.2], None),
    "positives only": ([1, 1, 1], [0.3, 2.0, -1.0], None),
    "negatives only": ([0, 0, 0], [0.3, 2.0, -1.0], None),
    "equal scores": ([0, 1, 1, 0, 1], [0.7] * 5, None),
    "perfect": ([0, 0, 1, 1], [-3.0, -2.0, 1.0, 5.0], None),
    "reversed": ([0, 0, 1, 1], [3.0, 2.0, -1.0, -5.0], None),
    "touching": ([0, 0, 1, 1], [0.0, 1.0, 1.0, 2.0], None),
    "infinite and right": ([0, 0, 1, 1], [-np.inf, 2.0, 1.0, np.inf], None),
    "infinite and wrong": ([0, 0, 1, 1], [np.inf, 2.0, 1.0, -np.inf], None),
    "all infinite": ([0, 1, 1, 0], [np.inf, np.inf, -np.inf, -np.inf], None),
    "huge": ([0, 1, 1, 0, 1, 0], [1e300, -1e300, 1e308, -1e308, 1e-300, 5.0], None),
    "saturated": ([0, 1, 1, 0, 1, 0], [800.0, -800.0, 900.0, -900.0, 40.0, -40.0], None),
    "nearly one weight": ([0, 1, 1, 0], [1.0, -1.0, 2.0, -2.0], [1e-300, 1.0, 1e-300, 1e-12]),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_data_give_none_and_never_nan(case):
    target, logit, weight = DEGENERATE[case]
    scores = evaluate(target, logit, weight)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    assert set(scores) == set(evaluate(*sample()))
    slope, intercept = fit_correction(target, logit, weight)
    assert math.isfinite(slope)
    assert math.isfinite(intercept)


def test_what_the_data_cannot_tell_is_none():
    nothing = {"value": None, "low": None, "high": None}
    one_class = evaluate(*DEGENERATE["negatives only"])
    assert one_class["auc"] == one_class["average_precision"] == one_class["calibration"]["slope"] == nothing
    assert one_class["log_loss"]["value"] > 0
    assert one_class["base_rate_log_loss"] == 0
    assert evaluate(*DEGENERATE["infinite and wrong"])["log_loss"] == nothing
    assert evaluate(*DEGENERATE["infinite and right"])["log_loss"]["value"] == pytest.approx(0.61, abs=0.01)
    assert evaluate(*DEGENERATE["touching"])["calibration"]["slope"] == nothing
    assert evaluate(*DEGENERATE["equal scores"])["auc"]["value"] == 0.5
    assert evaluate(*DEGENERATE["no rows"])["thresholds"] == []


def test_a_perfect_ranking_is_not_certain():
    """Ten clean pairs happen in 2.5 of 100 samples even where the true AUC is 0.025^(1/10) = 0.69."""
    target, logit = np.repeat([0, 1], [50, 10]), np.arange(60.0)
    assert evaluate(target, logit)["auc"] == {"value": 1.0, "low": pytest.approx(0.6915, abs=1e-4), "high": 1.0}
    assert evaluate(target, -logit)["auc"] == {"value": 0.0, "low": 0.0, "high": pytest.approx(0.3085, abs=1e-4)}
    assert evaluate(target, logit)["average_precision"]["low"] == pytest.approx(0.6915, abs=1e-4)


def test_correction_of_separable_equal_and_single_class_data():
    slope, intercept = fit_correction(*DEGENERATE["perfect"])
    # Two rows per class, each class with one more row of either label: targets 3/4 and 1/4 (Platt 1999).
    logit = np.array(DEGENERATE["perfect"][1])
    residual = np.array([0.25, 0.25, 0.75, 0.75]) - expit(slope * logit + intercept)
    assert residual.sum() == pytest.approx(0, abs=1e-9)
    assert residual @ logit == pytest.approx(0, abs=1e-9)
    assert fit_correction(*DEGENERATE["reversed"])[0] < 0
    assert fit_correction(*DEGENERATE["equal scores"]) == (1.0, pytest.approx(math.log(3 / 2) - 0.7))
    assert fit_correction(*DEGENERATE["positives only"]) == (1.0, 0.0)


def test_thresholds_follow_a_rare_class():
    target, logit, _ = sample(200_000, shift=-9.0, spread=1.5)
    low = [row["threshold"] for row in evaluate(target, logit)["thresholds"]]
    assert min(low) < target.mean() < 0.002
    high = [row["threshold"] for row in evaluate(1 - target, -logit)["thresholds"]]
    assert max(high) > 1 - target.mean()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.floats(allow_nan=False), st.floats(0, allow_infinity=False)),
        min_size=0,
        max_size=12,
    )
)
def test_any_data_give_json(rows):
    columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.zeros(0)] * 3
    json.dumps(evaluate(*columns), allow_nan=False)
    assert np.isfinite(fit_correction(*columns)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [0.0]), "one length; got shapes (2,), (1,) and (2,)"),
        (([[0, 1]], [[0.0, 1.0]]), "one-dimensional"),
        (([0, 2], [0.0, 1.0]), "hold 0 and 1 only; got [0, 2]"),
        (([0, 1], [0.0, np.nan]), "must not be NaN; 1 of 2 are"),
        (([0, 1], [0.0, 1.0], [1.0, -1.0]), "must be finite and not negative"),
        (([0, 1], [0.0, 1.0], [1.0, np.inf]), "must be finite and not negative"),
    ],
)
@pytest.mark.parametrize("function", [evaluate, fit_correction])
def test_wrong_arguments_are_explained(function, arguments, message):
    with pytest.raises(ValueError) as caught:
        function(*arguments)
    assert message in str(caught.value)


def test_effective_size():
    assert effective_size(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_size(np.array([3.0, 1.0])) == pytest.approx(1.6)
    assert effective_size(np.array([])) == effective_size(np.array([0.0])) == 0


def test_rank_gathers_ties():
    ranking = rank(np.array([True, False, True]), np.array([1.0, 2.0, 1.0]), np.array([2.0, 3.0, 4.0]))
    assert ranking.logit.tolist() == [2.0, 1.0]
    # The largest weight, 4, is the unit.
    assert ranking.positive.tolist() == [0.0, 1.5]
    assert ranking.negative.tolist() == [0.75, 0.0]
    assert ranking.positive_squared.tolist() == [0.0, 1.25]
