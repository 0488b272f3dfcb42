import io
import json
import os
from contextlib import contextmanager

import numpy as np
import polars as pl
import pytest

OPTIONS = ("--target", "readmitted", "--epochs", "6", "--patience", "2", "--hidden", "8", "--batch-size", "8")


@pytest.fixture
def data(visits, tmp_path):
    visits.write_csv(tmp_path / "visits.csv")
    return "visits.csv"


@pytest.fixture(scope="module")
def whole(trained_once):
    """Train without an interruption."""
    return trained_once(*OPTIONS)


def _in(owner, name, calls):
    """Ctrl-C at the given call of a function or method."""

    @contextmanager
    def interruption(monkeypatch):
        original, count = getattr(owner(), name), 0

        def interrupted(*args, **kwargs):
            nonlocal count
            count += 1
            if count == calls:
                raise KeyboardInterrupt
            return original(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(owner(), name, interrupted)
            yield

    return interruption


def _batches():
    from binxent.workbench.training import fit

    return fit._Batches


def _preparation():
    from binxent.workbench.data.preparation import Preparation

    return Preparation


def _numpy():
    return np


def _model():
    import keras

    return keras.Model


def _train():
    from binxent.workbench.training import train

    return train


def _page():
    from binxent.workbench.report import page

    return page


def _run_folder():
    from binxent.workbench import run_folder

    return run_folder


MOMENTS = {
    "before the first epoch": _in(_preparation, "fit", 1),
    "in the first epoch": _in(_batches, "__getitem__", 5),
    "in the third epoch": _in(_batches, "__getitem__", 12 * 2 + 6),
    "while a checkpoint is written": _in(_numpy, "savez", 3),
    "while the model is saved": _in(_model, "save", 1),
    "while the history is written": _in(_train, "_write_history", 1),
    "while the report is written": _in(_page, "write_report", 1),
    "before the mark is taken off": _in(_run_folder, "finish", 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_an_interrupted_run_ends_in_the_same_bits(binxent, whole, data, tmp_path, monkeypatch, moment):
    import keras

    with moment(monkeypatch):
        result = binxent("train", data, *OPTIONS, "--name", "cut")
    assert result.exit_code == 130
    assert result.stderr.strip().splitlines()[-1] == (
        "binxent: interrupted; continue with: binxent train --resume runs/cut"
    )
    cut = tmp_path / "runs" / "cut"
    assert (cut / "INTERRUPTED").exists()
    assert not list(cut.glob(".part-*"))
    result = binxent("train", "--resume", cut)
    assert result.exit_code == 0, result.output
    assert sorted(os.listdir(cut)) == sorted(os.listdir(whole))
    for name in ("metrics.json", "history.csv"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name
    ours, theirs = (keras.models.load_model(run / "model.keras").get_weights() for run in (cut, whole))
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    ours, theirs = (pl.read_parquet(run / "predictions.parquet") for run in (cut, whole))
    assert ours.equals(theirs)


@pytest.fixture
def cut(binxent, data, tmp_path, monkeypatch):
    """Interrupt a run in its third epoch, and return its folder."""
    with MOMENTS["in the third epoch"](monkeypatch):
        assert binxent("train", data, *OPTIONS, "--name", "cut").exit_code == 130
    return tmp_path / "runs" / "cut"


def test_resuming_counts_on(binxent, cut):
    lines = binxent("train", "--resume", cut).stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("epoch")][:2] == ["2/6", "3/6"]


def test_resuming_takes_the_same_options_again(binxent, cut, data):
    assert binxent("train", data, *OPTIONS, "--resume", cut).exit_code == 0


def test_resuming_may_be_a_dry_run(binxent, cut):
    assert f"Would continue {cut}" in " ".join(binxent("train", "--resume", cut, "--dry-run").stdout.split())
    assert (cut / "INTERRUPTED").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--epochs", "7"), "--epochs is 7, but the run runs/cut began with 6"),
        (("--seed", "1"), "--seed is 1, but the run runs/cut began with 0"),
        (("--loss", "focal"), "--loss is 'focal', but the run runs/cut began with 'bce'"),
        (("other.csv",), "but the run runs/cut began with"),
    ],
)
def test_resuming_with_other_settings_is_refused(refused, cut, options, sentence):
    assert sentence in refused("train", "--resume", os.path.relpath(cut), *options)
    assert (cut / "INTERRUPTED").exists()


def test_resuming_with_other_data_is_refused(refused, cut, visits, data):
    visits.reverse().write_csv(data)
    assert "the data has changed since this run" in refused("train", "--resume", cut)


def test_resuming_with_an_edited_config_is_refused(refused, cut):
    config = cut / "config.toml"
    config.write_text(config.read_text().replace("learning_rate = 0.001", "learning_rate = 0.002"))
    assert "config.toml is not what the run was started with" in refused("train", "--resume", cut)


def test_resuming_from_a_damaged_checkpoint_is_refused(refused, cut):
    checkpoint = cut / "checkpoint.npz"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[:100])
    assert "cannot be read" in refused("train", "--resume", cut)
    with np.load(io.BytesIO(whole)) as saved:
        arrays = dict(saved)
    for lacking in ("settings", "history", "weights_0", "best_1", "logits_0"):  # as those of other versions
        np.savez(checkpoint, **{name: array for name, array in arrays.items() if name != lacking})
        assert "cannot be read" in refused("train", "--resume", cut)
    np.savez(checkpoint, **{**arrays, "weights_0": arrays["weights_0"][:, :1]})
    assert "cannot be read" in refused("train", "--resume", cut)


def test_two_processes_may_continue_a_run(binxent, whole, cut, monkeypatch):
    from binxent.workbench.report import page

    write_report = page.write_report

    def while_another_ends(run):
        monkeypatch.undo()
        assert binxent("train", "--resume", cut).exit_code == 0
        return write_report(run)

    monkeypatch.setattr(page, "write_report", while_another_ends)
    result = binxent("train", "--resume", cut)
    assert result.exit_code == 0, result.output
    assert (cut / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()


def test_resuming_what_is_complete_or_no_run_is_refused(refused, whole, tmp_path):
    assert "is complete: there is nothing to resume" in refused("train", "--resume", whole)
    assert "there is no run folder" in refused("train", "--resume", "runs/nothing")
    assert "is not a run folder" in refused("train", "--resume", tmp_path)


def test_another_environment_is_noted(binxent, cut):
    environment = cut / "environment.json"
    environment.write_text(json.dumps({**json.loads(environment.read_text()), "jax": "0.0.1"}))
    assert "since it began, jax changed" in " ".join(binxent("train", "--resume", cut).stdout.split())


def test_predicting_with_an_interrupted_run_is_refused(refused, cut, data):
    sentence = refused("predict", cut, data, "-o", "out.csv")
    assert f"was interrupted; finish it first: binxent train --resume {cut}" in sentence
