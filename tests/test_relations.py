"""What holds for the losses of the family holds through every public door."""

import numpy as np
import pytest
from mpmath import mp
from support.cases import FAMILY
from support.compare import close
from support.doors import DOORS
from support.peers import bx_jax, bx_tf, bx_torch, jax, tf, torch

import binxent as bx

LOGITS = np.float32([-30, -2.5, -0.7, 0, 0, 0.3, 1.9, 40])
LABELS = np.float32([1, 0, 0.3, 0, 1, 1, 0.8, 0])
each_loss = pytest.mark.parametrize("loss", [kind(from_logits=True) for kind in FAMILY], ids=lambda loss: loss.name)


@each_loss
def test_every_door_gives_what_numpy_gives(backend, loss):
    want = bx.value_and_grad(type(loss)(from_logits=True, axis=(), reduction="none"), LABELS, LOGITS)
    close(backend.value_and_grad(loss, LABELS, LOGITS), [result.astype(float) for result in want], 1e-6, 1e-7)


def test_the_other_label_is_the_mirror(backend):
    for loss in (bx.BinaryCrossentropy(True), bx.PolyBinaryCrossentropy(from_logits=True)):
        value, slope = backend.value_and_grad(loss, LABELS, LOGITS)
        close(backend.value_and_grad(loss, 1 - LABELS, -LOGITS), (value, -slope), 1e-6, 1e-6)


def test_focal_loss_without_focus_is_cross_entropy(backend):
    focal, plain = bx.BinaryFocalCrossentropy(gamma=0, from_logits=True), bx.BinaryCrossentropy(True)
    close(*(backend.value_and_grad(loss, LABELS, LOGITS) for loss in (focal, plain)))


def test_each_sample_stands_alone(backend):
    loss = bx.BinaryCrossentropy(True)
    parts = [backend.value_and_grad(loss, LABELS[part], LOGITS[part]) for part in (np.s_[:3], np.s_[3:])]
    close(backend.value_and_grad(loss, LABELS, LOGITS), [np.concatenate(part) for part in zip(*parts, strict=True)])


def test_nan_stays_where_it_is(backend):
    x, y = LOGITS.copy(), LABELS.copy()
    x[2], y[5] = np.nan, np.nan
    for result in backend.value_and_grad(bx.BinaryCrossentropy(True), y, x):
        assert np.isnan(result).nonzero()[0].tolist() == [2, 5]


@each_loss
@pytest.mark.parametrize("backend", [door for door in DOORS if door.weighs], indirect=True, ids=lambda door: door.name)
def test_weights_multiply_and_zero_hides_nan(backend, loss):
    weight = np.float32([0, 0.5, 1, 2, 3, 0.25, 7, 1])
    x = LOGITS.copy()
    x[0] = np.nan
    want = backend.value_and_grad(loss, LABELS, LOGITS)
    close(backend.value_and_grad(loss, LABELS, x, weight), [result * weight for result in want], 1e-6, 1e-9)


@pytest.mark.parametrize("gamma", [2.0, 3.0, 7.3, 50.0])
def test_an_infinite_cost_is_infinite_however_small_its_label_and_its_power(backend, gamma):
    x, y = np.float32([-np.inf, np.inf, -np.inf, np.inf]), np.float32([1e-30, 1 - 2**-24, 1, 0])
    value, slope = backend.value_and_grad(bx.BinaryFocalCrossentropy(gamma=gamma, from_logits=True), y, x)
    assert np.isposinf(value).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("gamma", [0.5, 1.5])
def test_a_probability_whose_inverse_overflows_gives_no_nan(backend, gamma):
    p, y = map(np.ravel, np.meshgrid(np.float32([0, 1e-45, 1e-39, 1e-25]), np.float32([0, 1e-25, 0.3, 1])))
    exact = {"epsilon": None}
    for loss in (bx.BinaryFocalCrossentropy(gamma=gamma, **exact), bx.AsymmetricCrossentropy(gamma, gamma, 0, **exact)):
        value, slope = backend.value_and_grad(loss, y, p)
        assert not np.isnan([value, slope]).any()
        assert np.isfinite(slope[y == 0]).all()


def test_a_label_that_rounding_left_beyond_its_range_is_refused_or_counts_as_the_nearest(backend):
    x, y = np.float32([16, 17, 40, -17, -40]), np.float32([1 + 2**-23, 1 + 2**-23, 1 + 2**-22, -(2**-24), -1e-30])
    loss = bx.BinaryFocalCrossentropy(gamma=0.5, from_logits=True)
    refused, got = None, None
    try:
        got = backend.value_and_grad(loss, y, x)
    except ValueError as error:
        refused = str(error)
    if refused:
        assert "[0, 1]" in refused or "between 0 and 1" in refused
    else:
        close(got, backend.value_and_grad(loss, y.clip(0, 1), x), 1e-6, 1e-6)


@pytest.mark.parametrize("kind", [bx.BinaryCrossentropy, bx.PolyBinaryCrossentropy, bx.AsymmetricCrossentropy])
def test_a_little_smoothing_costs_no_digits(backend, kind):
    """In float32, 1 less the smoothed label has lost most of its own."""
    x, y, s = np.float32([50, 30, 12, -50, -30, -12]), np.float32([1, 1, 1, 0, 0, 0]), 1e-3
    loss = kind(from_logits=True, axis=(), reduction="none")
    of_1, of_0 = (bx.value_and_grad(loss, np.full(6, label), x.astype(float)) for label in (1.0, 0.0))
    smoothed = y.astype(float) * (1 - s) + s / 2
    want = [smoothed * at_1 + (1 - smoothed) * at_0 for at_1, at_0 in zip(of_1, of_0, strict=True)]
    close(backend.value_and_grad(kind(from_logits=True, label_smoothing=s), y, x), want, 1e-6)


FAR = np.array([-84, -50.3, -20.7, 30.1, 83.9]), np.array([0, 0, 0, 1.0, 1])  # logits that are right about their labels
FOCUS = bx.BinaryFocalCrossentropy(gamma=7.3, from_logits=True, axis=(), reduction="none")


def on_numpy(x, y):
    return FOCUS(y, x)


def on_torch(x, y):
    return torch.func.vmap(lambda x, y: bx_torch.pointwise(FOCUS, x, y))(torch.tensor(x), torch.tensor(y))


def on_jax(x, y):
    with jax.enable_x64(True):
        return np.asarray(bx_jax.pointwise(FOCUS, x, y))


def on_tensorflow(x, y):
    kinds = [tf.TensorSpec([None], tf.float64)] * 2
    graph = tf.function(lambda x, y: bx_tf.pointwise(FOCUS, x, y), autograph=False, input_signature=kinds)
    return graph(tf.constant(x), tf.constant(y))


@pytest.mark.parametrize("call", [on_numpy, on_torch, on_jax, on_tensorflow])
def test_a_power_in_float64_keeps_its_digits_where_it_is_tiny(call):
    pytest.importorskip(call.__name__.removeprefix("on_"))
    x, y = FAR
    with mp.workdps(40):
        size = [mp.mpf(z) for z in abs(x).tolist()]
        want = [float((1 / (1 + mp.exp(z))) ** mp.mpf(7.3) * mp.log1p(mp.exp(-z))) for z in size]
    close(call(x, y), want, 2e-15)
