"""The benches' judges are right themselves: the reference, the correctness check and the ulps."""

import mpmath
import numpy as np
import pytest

from bench import accuracy, documents, fit, speed, store
from bench.cases import (
    ACCURACY,
    BACKWARD,
    ELEMENTS,
    FORWARD,
    GRADIENT,
    LOSSES,
    MODES,
    SPACES,
    SPEED,
    STEPS,
    TORCH,
    VALUE,
    Case,
)
from bench.contenders import BinxentTorch, Contender, Optax, PlainFormula, TfNn, TorchEager, taking_part


@pytest.mark.parametrize("label", [0.0, 1.0, 0.3])
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_reference_slope_is_the_derivative_of_the_reference_loss(loss, space, label):
    case = Case(loss, ELEMENTS, space)
    for point in (0.02, 0.3, 0.75, 0.999) if space == "probabilities" else (-9.0, -0.5, 0.0, 0.5, 9.0):
        with mpmath.workdps(50):
            derivative = mpmath.diff(lambda z: accuracy.oracle(case, label, z).loss, point)
            exact = accuracy.oracle(case, label, point)
            assert abs(derivative - exact.slope) <= 1e-12 * exact.slope_scale
            assert exact.slope_scale >= abs(exact.slope)
            assert exact.loss_scale >= abs(exact.loss)


def test_ulps_are_counted():
    exact = [mpmath.mpf(1.5), mpmath.mpf(1.5), mpmath.mpf(1e-42)]
    got = np.array([1.5, np.nextafter(np.nextafter(np.float32(1.5), 2), 2), 0], np.float32)
    labels, points = np.zeros(3, np.float32), np.array([3, 4, 5], np.float32)
    assert accuracy.worst(got, exact, exact, labels, points) == {"ulps": 2.0, "y_true": 0.0, "y_pred": 4.0}
    got[0] = np.nan
    assert accuracy.worst(got, exact, exact, labels, points) == {"ulps": None, "y_true": 0.0, "y_pred": 3.0}


@pytest.mark.parametrize("case", ACCURACY, ids=str)
def test_the_grid_reaches_both_ends_of_the_range(case):
    y_true, y_pred = accuracy.grid(case, 1)
    assert y_pred.min() < (-1e38 if case.space == "logits" else 1e-37)
    assert y_pred.max() > (1e38 if case.space == "logits" else 1 - 1e-6)
    assert set(y_true) == {y_pred.dtype.type(label) for label in accuracy.LABELS}


def test_a_wrong_contender_is_stopped():
    case = Case(want=GRADIENT, rows=64)
    y_true, y_pred = case.arrays()
    p = 1 / (1 + np.exp(-y_pred.astype(float)))
    loss, slope = np.mean(-np.log(np.where(y_true == 1, p, 1 - p))), (p - y_true) / p.size
    exact = speed.right_answer(case, y_true, y_pred)
    someone = Contender()
    someone.name = "someone"
    speed.check(someone, case, exact, (loss, slope))
    for wrong in ((1.01 * loss, slope), (loss, 2 * slope), (np.nan, slope)):
        with pytest.raises(AssertionError, match="someone is wrong by"):
            speed.check(someone, case, exact, wrong)


@pytest.mark.parametrize("contender", [BinxentTorch(), TorchEager()], ids=lambda contender: contender.name)
@pytest.mark.parametrize("case", TORCH, ids=str)
def test_a_training_step_is_right_and_leaves_no_gradient_behind(case, contender):
    y_true, y_pred = case.arrays(large=2**10)
    step = contender.prepare(case, y_true, y_pred)
    exact = speed.right_answer(case, y_true, y_pred)
    for _ in range(2):
        speed.check(contender, case, exact, step())
    if case.want == BACKWARD:
        (_, first), (_, second) = step(), step()
        assert first.data_ptr() != second.data_ptr()  # each in new memory
        assert first.equal(second)  # nothing is added up
    else:
        assert case.want == FORWARD
        assert not step().requires_grad


@pytest.mark.parametrize("want", [VALUE, GRADIENT])
@pytest.mark.parametrize("contender", [Optax(), PlainFormula()], ids=lambda contender: contender.name)
def test_what_jax_compiles_is_right(want, contender):
    case = Case(want=want, rows=64, columns=1, door="jax")
    y_true, y_pred = case.arrays()
    step = contender.prepare(case, y_true, y_pred)
    speed.check(contender, case, speed.right_answer(case, y_true, y_pred), step())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("want", STEPS)
@pytest.mark.parametrize("loss", ["bce", "weighted"])
def test_a_step_of_tensorflow_is_right_in_every_mode(loss, want, mode):
    case = Case(loss, want, rows=64, columns=1, door="tensorflow", mode=mode)
    y_true, y_pred = case.arrays()
    step = TfNn().prepare(case, y_true, y_pred)
    speed.check(TfNn(), case, speed.right_answer(case, y_true, y_pred), step())


@pytest.mark.slow
def test_both_losses_train_the_same_network_or_nothing_is_timed(monkeypatch):
    import keras

    engine = keras.config.backend()
    monkeypatch.setenv("KERAS_BACKEND", engine)
    row = fit.measure(engine, "bce", "logits", batches=2, rounds=1)
    assert set(row["microseconds"]) == {"binxent", "its own loss"}
    monkeypatch.setattr(keras.losses, "BinaryCrossentropy", keras.losses.BinaryFocalCrossentropy)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        fit.measure(engine, "bce", "logits", batches=2, rounds=1)


@pytest.mark.parametrize("door", SPEED)
def test_everybody_takes_part_where_they_know_the_arrays(door):
    names = [contender.name for contender in taking_part(Case(door=door))]
    assert names[0] == "floor"
    assert [name for name in names if name.startswith("binxent")]
    assert len(names) > len([name for name in names if name.startswith("binxent")]) + 1


def test_everybody_is_timed_in_each_round():
    called = []
    times = speed.take_turns({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, rounds=3)
    assert set(times) == {"a", "b"}
    assert all(0 < one["low"] <= one["median"] <= one["high"] for one in times.values())
    assert "".join(called).count("ab") >= 3


def test_results_are_kept_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    measured = {"machine": {"cores": 4}, "results": {"default": [Case().described(), Case("focal").described()]}}
    store.save("speed", measured)
    assert store.load("speed") == measured
    assert list(store.rows_of("speed")) == [Case(), Case("focal")]


def test_a_table_without_measurements_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    block = "<!-- measured: torch-full -->\nold\n<!-- end -->"
    filled = documents.fill(block)
    assert "make bench ARGS='--only torch'" in filled
    assert "old" not in filled
    times = {"microseconds": {"torch eager": {"median": 2000.0}}}
    cases = Case(want=BACKWARD, door="torch"), Case(want=BACKWARD, rows=32, columns=1, door="torch")
    rows = [case.described() | times for case in cases]
    store.save("torch", {"machine": {}, "results": {"default": rows, "reused buffers": rows}})
    assert "| binary cross-entropy, from logits, forward and backward | 2.00 |" in documents.fill(block)
    assert "32" not in documents.fill(block)
