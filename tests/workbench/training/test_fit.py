import json

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from binxent.workbench.settings import Settings
from binxent.workbench.training import fit
from binxent.workbench.training.ensemble import Bins
from binxent.workbench.training.fit import Rows, best_ensemble, train
from binxent.workbench.training.network import Design, Regularisation

ROWS, FOLDS = 60, 3
rng = np.random.default_rng(0)
INPUTS = rng.normal(size=(ROWS, 4)).astype(np.float32)
TARGET = (rng.random(ROWS) < expit(2 * INPUTS[:, 0])).astype(np.int8)
FOLD = np.arange(ROWS) % FOLDS
SETTINGS = Settings(hidden=(4,), batch_size=16, epochs=3, patience=3)


def trained(tmp_path, target=TARGET, fold=FOLD, weight=None, seen=(0, 1, 2), **options):
    """Train one member for each fold, and return their design and their state."""
    from binxent.keras import BinaryCrossentropy
    from binxent.numpy import sigmoid_cross_entropy_with_logits

    design = Design(Bins.of(INPUTS, np.ones(4, bool)), [Regularisation(0.2, 0.1)], list(seen), 0.1)
    rows = Rows.of(INPUTS, target, weight, fold)
    checkpoint = tmp_path / f"{len(list(tmp_path.iterdir()))}.npz"

    def judge(target, logit):
        return sigmoid_cross_entropy_with_logits(target.astype(float), logit)

    loss = BinaryCrossentropy(from_logits=True)
    state = train(design, loss, judge, rows, SETTINGS, checkpoint, lambda epoch, metrics: None, **options)
    return design, state


def test_a_member_learns_nothing_from_the_rows_of_its_fold(tmp_path):
    _, state = trained(tmp_path)
    lies = np.where(FOLD == 0, 1 - TARGET, TARGET).astype(np.int8)
    _, other = trained(tmp_path, lies)
    for ours, theirs in zip(state.weights, other.weights, strict=True):
        assert np.array_equal(ours[0], theirs[0])
        assert not np.array_equal(ours[1], theirs[1])


def test_the_validation_loss_is_that_of_rows_that_members_have_not_seen(tmp_path):
    design, state = trained(tmp_path)
    best = state.best_epochs[0]
    logits = best_ensemble(state, design).member_logits(INPUTS)
    held_out = np.take_along_axis(logits, FOLD[None], axis=0)[0].astype(float)
    np.testing.assert_allclose(state.logits[0], held_out, rtol=1e-4, atol=1e-6)
    loss = np.mean(np.logaddexp(0, np.where(TARGET == 1, -held_out, held_out)))
    assert state.history[best - 1]["val_loss"][0] == pytest.approx(loss, rel=1e-5)


def test_rows_of_weight_zero_are_as_good_as_absent(tmp_path):
    weight = np.where(FOLD == 0, 0.0, 2.0)
    _, state = trained(tmp_path, weight=weight)
    _, other = trained(tmp_path, np.where(FOLD == 0, 1 - TARGET, TARGET).astype(np.int8), weight=weight)
    assert state.history == other.history


def test_a_training_without_held_out_rows_keeps_the_last_epoch(tmp_path):
    _, state = trained(tmp_path, fold=np.full(ROWS, -1), seen=(-1, -1), epochs=5)
    assert len(state.history) == 5
    for best, last in zip(state.best, state.weights, strict=True):
        np.testing.assert_array_equal(best, last)


@pytest.mark.slow
def test_a_single_fold_is_trained_again_on_all_rows(binxent, visits, tmp_path, monkeypatch):
    visits.write_csv(tmp_path / "visits.csv")
    options = ("--target", "readmitted", "--epochs", "3", "--hidden", "4", "--folds", "1")
    whole = binxent("train", "visits.csv", *options, "--name", "whole", "--json")
    metrics = json.loads(whole.stdout)
    assert (metrics["folds"], metrics["members"], metrics["validation_rows"]) == (1, 3, 20)
    original = fit.train

    def interrupted(*arguments, **further):
        if further.get("epochs"):
            raise KeyboardInterrupt
        return original(*arguments, **further)

    from binxent.workbench.training import members

    with monkeypatch.context() as patch:
        patch.setattr(members, "train", interrupted)
        assert binxent("train", "visits.csv", *options, "--name", "cut").exit_code == 130
    resumed = binxent("train", "--resume", "runs/cut")
    assert resumed.exit_code == 0
    again = [line for line in resumed.stdout.splitlines() if line.startswith("epoch on all rows ")]
    assert len(again) == metrics["best_epoch"]
    assert not any("validation" in line for line in again)  # no rows are held out
    ours, theirs = (pl.read_parquet(tmp_path / "runs" / run / "predictions.parquet") for run in ("whole", "cut"))
    assert ours.equals(theirs)
    assert not list((tmp_path / "runs" / "cut").glob("*refit*"))
