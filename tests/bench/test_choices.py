"""The experiments of docs/choosing.md run, their scores are right, and the page shows what they found."""

import numpy as np
import pytest
from jax.nn import sigmoid
from scipy.special import expit
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import f1_score

from bench import findings, practice, store


@pytest.fixture(scope="module")
def task():
    return practice.made(3, 2000, share=0.3)


def shown(y, z):
    """Return a subset without features, and logits for it, for one seed."""
    return practice.Subset(np.empty((1, y.size, 0)), y[None]), practice.Predictions(z[None], z[None])


def test_pictures_show_the_committed_measurements():
    now = findings.digest(store.load("choices")["results"]["default"])
    pictures = sorted(findings.PICTURES.glob("*.svg"))
    measured = [path for path in pictures if "<dc:description>measurements" in path.read_text("utf-8")]  # not by hand
    assert [path.stem for path in measured] == sorted(findings.DRAWINGS)
    assert [path.name for path in measured if now not in path.read_text("utf-8")] == [], "run python -m bench.choices"


def test_made_rows_have_the_share_of_positives_that_was_asked_for(task):
    assert task.train.x.shape == (3, 2000, 8)
    assert abs(task.unseen.y.mean() - 0.3) < 0.02
    labels = practice.many_labels(2, 3000, labels=5).train.y.mean(axis=(0, 1))
    np.testing.assert_allclose(labels, np.geomspace(1 / 3, 0.01, 5), rtol=0.3)
    flipped = practice.flipped(task, 0.2)
    assert abs(np.mean(flipped.train.y != task.train.y) - 0.2) < 0.02
    assert flipped.unseen is task.unseen


def test_calibration_and_temperature_find_what_was_done_to_the_logits():
    random = np.random.default_rng(0)
    z = random.normal(size=200_000) * 2
    y = (random.random(z.size) < expit(z)).astype(float)
    intercept, slope = practice.calibration(y, 2 * z + 1)
    assert (intercept, slope) == pytest.approx((-0.5, 0.5), abs=0.02)
    assert practice.inverse_temperature(y, 2 * z) == pytest.approx(0.5, abs=0.02)
    part, predictions = shown(y, 2 * z + 1)
    repaired = practice.recalibrated(practice.Task(part, part, part), predictions)
    assert practice.calibration(y, repaired.unseen[0]) == pytest.approx((0, 1), abs=1e-6)
    curve = practice.reliability(part, practice.shifted(repaired, 0.0))
    np.testing.assert_allclose(curve["x"], curve["y"], atol=0.01)


def test_the_chosen_threshold_is_the_best_one():
    random = np.random.default_rng(0)
    y, z = (random.random(60) < 0.3).astype(float), random.normal(size=60).round(1)
    best = max(f1_score(y, z >= threshold) for threshold in z)
    assert practice.f1(y, z >= practice.best_threshold(y, z)) == pytest.approx(best)


def test_the_best_answers_are_chosen_for_each_seed():
    y = np.array([[0.0, 1.0], [1.0, 0.0]])
    part = practice.Subset(np.empty((2, 2, 0)), y)
    candidates = [practice.Predictions(z, 10 * z) for z in np.array([[[-1.0, 1], [-1, 1]], [[1, -1], [1, -1]]])]
    np.testing.assert_array_equal(practice.best(part, candidates).unseen, [[-10, 10], [10, -10]])


def test_entries_that_are_left_out_teach_nothing(task):
    from bench.choices import plain

    labels = task.train.y.copy()
    labels[:, ::2] = practice.IGNORED
    half = practice.Subset(task.train.x[:, 1::2], task.train.y[:, 1::2])
    without = practice.trained(plain, task._replace(train=half), steps=20)
    np.testing.assert_allclose(practice.trained(plain, task, labels=labels, steps=20).unseen, without.unseen, atol=1e-4)


def test_only_differences_beyond_the_seeds_are_bold():
    assert (
        findings.cell([0.5, 0.6, 0.7], [0.4, 0.5, 0.6]) == "**0.600**"
    )  # each by 0.1, however far the seeds are apart
    assert findings.cell([0.5, 0.6, 0.7], [0.7, 0.6, 0.5]) == "0.600"
    assert findings.cell([0.5, None], [0.5, 0.5]) == "not finite"


def guessed(loss, task, *, labels=None, seeds=None, **options):
    """Stands in for training, which takes minutes: guesses that are better than none, and the loss of the labels."""
    y = (task.train.y if labels is None else labels).astype(np.float32)
    assert np.isfinite(loss(np.zeros_like(y), y)).all()
    random = np.random.default_rng(0)
    return practice.Predictions(*(2 * part.y - 1 + random.normal(size=part.y.shape) for part in task[1:]))


@pytest.mark.slow
def test_every_experiment_fills_its_tables_and_pictures(tmp_path, monkeypatch):
    from bench import choices

    monkeypatch.setattr(practice, "trained", guessed)
    rows = [row for name in choices.EXPERIMENTS[:-1] for row in choices.timed(name, seeds=2, size=0.2)]
    monkeypatch.setattr(choices, "EXPERIMENTS", choices.EXPERIMENTS[-1:])
    rows += choices.measure(seeds=2, size=0.2)  # in a process of its own, which trains in earnest
    scores = {(row["experiment"], row["data"], row["way"]): row["scores"] for row in rows if "scores" in row}
    assert all(len(numbers) == 2 for row in scores.values() for numbers in row.values())
    kept = store.load("choices")["results"]["default"]
    assert scores.keys() == {(row["experiment"], row["data"], row["way"]) for row in kept if "scores" in row}
    for name, table in findings.TABLES.items():
        assert table(rows).count("\n") == table(kept).count("\n"), name
    assert {path.stem for path in findings.draw(rows, tmp_path)} == set(findings.DRAWINGS)


@pytest.mark.slow
def test_a_network_that_starts_out_certain_learns_from_logits_only():
    from binxent.jax import binary_cross_entropy, sigmoid_binary_cross_entropy

    measurements, benign = load_breast_cancer(return_X_y=True)
    task = practice.shuffled(2, measurements, 1 - benign, standardise=False)
    losses = sigmoid_binary_cross_entropy, lambda z, y: binary_cross_entropy(sigmoid(z), y)
    logits, after_sigmoid = (
        practice.accuracies(task.unseen, practice.trained(loss, task, hidden=(64, 32), steps=60, rate=0.01))
        for loss in losses
    )
    assert min(logits) > 0.85
    assert max(after_sigmoid) < findings.STUCK
