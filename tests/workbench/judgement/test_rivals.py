import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from binxent.workbench.judgement.rivals import Part, compared, simple_rivals

rng = np.random.default_rng(0)
INPUTS = rng.normal(size=(900, 5)).astype(np.float32)
TRUTH = 2 * INPUTS[:, 0] - 1
TARGET = (rng.random(900) < 1 / (1 + np.exp(-TRUTH))).astype(np.int8)


def parts(weight=None):
    cut = [slice(600), slice(600, None)]
    return [Part(INPUTS[rows], TARGET[rows], None if weight is None else weight[rows]) for rows in cut]


def test_rivals_are_scored_on_the_test_rows():
    training, test = parts()
    base, logistic = simple_rivals(training, test, TRUTH[600:], 0)
    assert (base["name"], logistic["name"]) == ("base rate", "logistic regression")
    rate = TARGET[:600].mean()
    assert base["test"]["log_loss"]["value"] == pytest.approx(log_loss(test.target, np.full(300, rate)))
    assert base["test"]["auc"]["value"] == 0.5
    perfect = log_loss(test.target, 1 / (1 + np.exp(-TRUTH[600:])))
    assert base["difference"]["value"] == pytest.approx(base["test"]["log_loss"]["value"] - perfect)
    assert base["difference"]["low"] > 0
    # The truth is logistic: the fit comes near to it.
    assert logistic["test"]["auc"]["value"] == pytest.approx(roc_auc_score(test.target, TRUTH[600:]), abs=0.01)
    assert abs(logistic["difference"]["value"]) < 0.02
    assert simple_rivals(training, test, TRUTH[600:], 0) == [base, logistic]


def test_rows_of_weight_0_do_not_count():
    weight = np.where(np.arange(900) % 3, 2.0, 0.0)
    training, test = parts(weight)
    spoilt = [
        Part(part.inputs, np.where(part.weight == 0, 1 - part.target, part.target), part.weight)
        for part in (training, test)
    ]
    found, again = (simple_rivals(*pair, TRUTH[600:], 0) for pair in ((training, test), spoilt))
    assert found[0] == again[0]
    assert found[1]["test"]["auc"]["value"] == pytest.approx(again[1]["test"]["auc"]["value"], abs=0.005)


def test_the_penalty_is_chosen_where_noise_is_wide():
    noise = rng.normal(size=(900, 300)).astype(np.float32)
    wide = np.hstack([INPUTS, noise])
    training, test = Part(wide[:200], TARGET[:200], None), Part(wide[600:], TARGET[600:], None)
    base, logistic = simple_rivals(training, test, TRUTH[600:], 0)
    assert logistic["test"]["log_loss"]["value"] < base["test"]["log_loss"]["value"]


def test_few_rows_have_rivals_too():
    training, test = (
        Part(INPUTS[:12], TARGET[:12] * 0 + np.arange(12) % 2, None),
        Part(INPUTS[-4:], np.array([0, 1, 0, 1]), None),
    )
    assert len(simple_rivals(training, test, np.zeros(4), 0)) == 2


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.1, 0.3, "beats logistic regression: its log loss is 0.2000 (0.1000 to 0.3000) below 0.6500"),
        (-0.3, -0.1, "is worse than logistic regression: its log loss is 0.2000 (0.1000 to 0.3000) above 0.6500"),
        (
            -0.4,
            0.1,
            "does not clearly differ from logistic regression: its log loss is 0.1500 (-0.1000 to 0.4000) above",
        ),
        (None, None, "cannot be compared with logistic regression"),
    ],
)
def test_the_comparison_in_words(low, high, words):
    middle = None if low is None else (low + high) / 2
    rival = {"name": "logistic regression", "test": {"log_loss": {"value": 0.65}}}
    assert compared({**rival, "difference": {"value": middle, "low": low, "high": high}}).startswith(words)
