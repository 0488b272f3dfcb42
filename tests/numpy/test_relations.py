"""What must hold between results, whatever the numbers are."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from support.cases import ELEMENTWISE, FAMILY, predictions
from support.compare import close

import binxent as bx

pytestmark = pytest.mark.compiles

# No deadline: the first example of a relation may wait for a kernel to be compiled.
settings.register_profile("relations", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("relations")

FLOATS = st.sampled_from([np.float32, np.float64])
KINDS = st.sampled_from(FAMILY)
LOGIT_FAMILY = [kind(from_logits=True, **ELEMENTWISE) for kind in FAMILY]


@st.composite
def batches(draw, elements=None, hard=False, rank=2):
    """Logits and labels in a small shape; labels and their complements are exact."""
    real = draw(FLOATS)
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=rank, max_side=5))
    numbers = st.floats(-100, 100, width=32) if elements is None else elements
    x = draw(arrays.arrays(real, shape, elements=numbers))
    eighths = st.sampled_from([0, 1]) if hard else st.integers(0, 8).map(lambda n: n / 8)
    return draw(arrays.arrays(real, shape, elements=eighths)), x


everything = st.floats(allow_nan=False, allow_infinity=True, width=32)


@given(batches(everything, hard=True), st.sampled_from(["bce", "poly", "focal"]))
def test_labels_and_logits_may_change_sides(batch, name):
    y, x = batch
    loss, mirrored = {
        "bce": (bx.BinaryCrossentropy(True, **ELEMENTWISE),) * 2,
        "poly": (bx.PolyBinaryCrossentropy(2.0, True, **ELEMENTWISE),) * 2,
        "focal": tuple(bx.BinaryFocalCrossentropy(True, alpha, 2.0, True, **ELEMENTWISE) for alpha in (0.25, 0.75)),
    }[name]
    value, grad, hess = bx.value_grad_hess(loss, y, x)
    other = bx.value_grad_hess(mirrored, 1 - y, -x)
    close((value, -grad, hess), other, ulps=8)


@given(batches(everything), st.sampled_from(LOGIT_FAMILY))
def test_no_nan_comes_of_numbers(batch, loss):
    y, x = batch
    for result in (loss(y, x), *bx.value_grad_hess(loss, y, x)):
        assert not np.isnan(result).any()


@given(batches(st.floats(0, 1, width=32)), KINDS, st.sampled_from([1e-7, None, 0.0]))
def test_no_nan_comes_of_probabilities(batch, kind, epsilon):
    y, p = batch
    for result in bx.value_grad_hess(kind(epsilon=epsilon, **ELEMENTWISE), y, p):
        assert not np.isnan(result).any()


@given(batches(), st.sampled_from(LOGIT_FAMILY), st.data())
def test_nan_stays_nan_and_where_it_is(batch, loss, data):
    y, x = batch
    clean = bx.value_grad_hess(loss, y, x)
    at = data.draw(st.integers(0, x.size - 1))
    for array in (y, x):
        kept = array.flat[at]
        array.flat[at] = math.nan
        for result, before in zip(bx.value_grad_hess(loss, y, x), clean, strict=True):
            assert np.isnan(result.flat[at])
            close(np.delete(result, at), np.delete(before, at), ulps=0)
        array.flat[at] = kept


@given(batches(), st.sampled_from(LOGIT_FAMILY), st.sampled_from([0.0, 0.5, 1.0, 3.0]))
def test_weights_multiply(batch, loss, weight):
    y, x = batch
    plain = bx.value_grad_hess(loss, y, x)
    for w in (weight, np.full(len(x), weight), np.full(x.shape, weight, x.dtype)):
        close(bx.value_grad_hess(loss, y, x, w), [(result * weight).astype(x.dtype) for result in plain], ulps=0)


@given(batches(), st.sampled_from(LOGIT_FAMILY))
def test_batches_add(batch, loss):
    y, x = batch
    loss = replace(loss, reduction="sum")
    whole, both = loss(y, x), loss(np.concatenate([y, y[::-1]]), np.concatenate([x, x[::-1]]))
    close(both, 2 * whole.astype(float), rtol=1e-6)


@given(batches(), st.sampled_from(LOGIT_FAMILY), st.randoms(use_true_random=False))
def test_the_order_of_entries_is_nothing_to_a_loss(batch, loss, random):
    y, x = batch
    order = random.sample(range(len(x)), len(x))
    want = [result[order] for result in bx.value_grad_hess(loss, y, x)]
    close(bx.value_grad_hess(loss, y[order], x[order]), want, ulps=0)


@pytest.mark.parametrize("from_logits", [True, False])
@given(batch=batches(st.floats(0, 1, width=32)))
def test_relatives_without_their_difference_are_binary_cross_entropy(from_logits, batch):
    y, x = batch
    options = {"from_logits": from_logits, **ELEMENTWISE}
    want = bx.value_grad_hess(bx.BinaryCrossentropy(**options), y, x)
    for relative in (
        bx.BinaryFocalCrossentropy(gamma=0, **options),
        bx.PolyBinaryCrossentropy(0.0, **options),
        bx.AsymmetricCrossentropy(0, 0, 0, **options),
    ):
        got = bx.value_grad_hess(relative, y, x)
        hard = y % 1 == 0
        close([result[hard] for result in got], [result[hard] for result in want], ulps=1)  # rounds elsewhere
        close(got[0], want[0], rtol=1e-6)
        close(got[1], want[1], rtol=1e-6, atol=1e-6 * abs(want[1]).max())
        close(got[2], want[2], rtol=1e-6)


@given(batches(hard=True), st.sampled_from([0.0, 0.25, 3.0]))
def test_a_weight_of_positives_is_a_weight(batch, c):
    y, x = batch
    loss = bx.BinaryCrossentropy(True, **ELEMENTWISE)
    want = bx.value_grad_hess(loss, y, x, np.where(y == 1, c, 1))
    close(bx.value_grad_hess(replace(loss, pos_weight=c), y, x), want, ulps=2)
    close(bx.value_grad_hess(replace(loss, pos_weight=[c] * x.shape[-1]), y, x), want, ulps=2)
    close(bx.weighted_cross_entropy_with_logits(y, x, c), want[0], ulps=2)


@given(batches(), st.sampled_from(LOGIT_FAMILY), st.sampled_from([0.25, 0.5, 1.0]))
def test_smoothing_is_a_softer_label(batch, loss, s):
    y, x = batch
    soft = (y * (1 - s) + s / 2).astype(x.dtype)
    close(bx.value_grad_hess(replace(loss, label_smoothing=s), y, x), bx.value_grad_hess(loss, soft, x), ulps=0)


@given(batches(), KINDS)
def test_probabilities_agree_with_logits(batch, kind):
    y, z = batch
    z = np.clip(z, -8, 8).astype(np.float64)
    p = 1 / (1 + np.exp(-z))
    by_logit = bx.value_and_grad(kind(from_logits=True, **ELEMENTWISE), y, z)
    by_probability = bx.value_and_grad(kind(epsilon=None, **ELEMENTWISE), y, p)
    close(by_probability[0], by_logit[0], rtol=1e-8, atol=1e-12)
    close(by_probability[1] * p * (1 - p), by_logit[1], rtol=1e-8, atol=1e-12)


@given(
    batches(), st.sampled_from(LOGIT_FAMILY), st.sampled_from(["sum_over_batch_size", "sum", "mean_with_sample_weight"])
)
def test_the_gradient_is_that_of_the_loss(batch, loss, reduction):
    y, z = (array.astype(np.float64) for array in batch)
    z, loss = np.clip(z, -20, 20), replace(loss, reduction=reduction, axis=-1)
    w, step = np.linspace(0.5, 2, len(z)), 1e-5
    grad = bx.value_and_grad(loss, y, z, w)[1]
    direction = np.cos(np.arange(z.size)).reshape(z.shape)
    change = loss(y, z + step * direction, w) - loss(y, z - step * direction, w)
    # With a margin the loss has a kink, where a difference says nothing.
    if not (isinstance(loss, bx.AsymmetricCrossentropy) and (abs(1 / (1 + np.exp(-z)) - 0.05) < 1e-4).any()):
        close(change / (2 * step), (grad * direction).sum(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize("how", ["weight of 0", "ignored number", "ignored NaN"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", "none"])
def test_hidden_entries_are_hidden_whatever_they_hold(from_logits, kind, how, reduction):
    y, x = predictions(from_logits, (40, 3))
    hidden = np.random.default_rng(2).random((40, 3)) < 0.3
    w = np.where(hidden, 0.0, 2.0)
    ignore = {"weight of 0": None, "ignored number": -1.0, "ignored NaN": math.nan}[how]
    loss = kind(from_logits=from_logits, reduction=reduction, ignore_label=ignore)
    label = 0.0 if ignore is None else ignore
    results = []
    for filling in (0.5, math.nan, math.inf, -math.inf, -7, 1e30):
        spoilt_x, spoilt_y = (
            np.where(hidden, filling, x).astype("float32"),
            np.where(hidden, label, y).astype("float32"),
        )
        if ignore is None:
            spoilt_y = np.where(hidden, filling, y).astype("float32")
        spoilt_w = w if ignore is None else np.where(hidden, filling if abs(filling) < 1e9 else 0, 2.0)
        results.append([loss(spoilt_y, spoilt_x, spoilt_w), *bx.value_grad_hess(loss, spoilt_y, spoilt_x, spoilt_w)])
        assert (results[-1][2][hidden] == 0).all() and (results[-1][3][hidden] == 0).all()
    for other in results[1:]:
        close(other, results[0], ulps=0)
    assert np.isfinite(results[0][0]).all()


def test_an_ignored_entry_is_as_if_it_were_not_there():
    y, x = predictions(True, (50,))
    y[::3] = 255
    for reduction in ("sum_over_batch_size", "mean_with_sample_weight"):
        loss = bx.BinaryCrossentropy(True, reduction=reduction, ignore_label=255)
        kept = y != 255
        close(loss(y, x), loss(y[kept], x[kept]), rtol=1e-6)
        value, grad = bx.value_and_grad(loss, y.astype(np.uint8), x)
        close(value, loss(y[kept], x[kept]), rtol=1e-6)
        close(grad[kept], bx.value_and_grad(loss, y[kept], x[kept])[1], rtol=1e-6)
