"""Layouts, ranks, axes, weights and reductions, against plain NumPy in float64."""

import itertools

import numpy as np
import pytest
from support.cases import ELEMENTWISE, FAMILY, predictions
from support.compare import close

import binxent as bx

pytestmark = pytest.mark.compiles

LOGITS = bx.BinaryCrossentropy(True)
REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight", "none")


def layouts(array, folder):
    """Return the same numbers, in each memory layout of NumPy."""
    yield "Fortran order", np.asfortranarray(array)
    yield "every second", np.repeat(array, 2, -1)[..., ::2]
    yield "backwards", array[..., ::-1].copy()[..., ::-1]
    yield "backwards in all", array[::-1, ::-1].copy()[::-1, ::-1]
    yield "inner part", np.pad(array, 3)[3:-3, 3:-3]
    unaligned = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    unaligned[...] = array
    yield "unaligned", unaligned
    frozen = array.copy()
    frozen.flags.writeable = False
    yield "read-only", frozen
    mapped = np.memmap(folder / f"{array.dtype}.bin", array.dtype, "w+", shape=array.shape)
    mapped[...] = array
    yield "memory-mapped", mapped
    yield "transposed twice", array.T.copy().T
    yield "field of a record", np.rec.fromarrays([array, array]).f1


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "uint8"])
def test_layouts_give_the_same_bits(dtype, tmp_path):
    y, x = predictions(dtype == "uint8", (301, 13), "float32" if dtype == "uint8" else dtype)
    w = np.random.default_rng(0).random((301, 13)).astype(np.float32)
    loss = bx.BinaryCrossentropy(dtype == "uint8")
    y, x = (y.astype(dtype), x) if dtype == "uint8" else (y, x)
    want = bx.value_grad_hess(loss, y, x, w)
    for name, other in layouts(x, tmp_path):
        close(bx.value_grad_hess(loss, y, other, w), want, ulps=0)
        assert loss(y, other, w) == want[0], name
    for _, other in layouts(y, tmp_path):
        close(bx.value_grad_hess(loss, other, x, w), want, ulps=0)
    for _, other in layouts(w, tmp_path):
        close(bx.value_grad_hess(loss, y, x, other), want, ulps=0)


def test_broadcast_views():
    y, x = np.broadcast_to(np.float32([0, 1, 1]), (50, 3)), np.broadcast_to(np.float32([[2.0]]), (50, 3))
    for loss in (
        LOGITS,
        bx.BinaryCrossentropy(True, reduction="none"),
        bx.BinaryCrossentropy(True, reduction="none", axis=0),
    ):
        close(bx.value_grad_hess(loss, y, x), bx.value_grad_hess(loss, y.copy(), x.copy()), ulps=0)


def test_many_axes():
    shape = (2, 3, 1, 2, 3, 2, 2, 1, 3, 2)
    y, x = predictions(True, shape)
    order = (9, 0, 4, 2, 6, 1, 8, 3, 5, 7)
    want = [result.transpose(order) for result in bx.value_grad_hess(bx.BinaryCrossentropy(True, **ELEMENTWISE), y, x)]
    close(
        bx.value_grad_hess(bx.BinaryCrossentropy(True, **ELEMENTWISE), y.transpose(order), x.transpose(order)),
        want,
        ulps=0,
    )


@pytest.mark.parametrize("kind", FAMILY)
def test_numbers_without_axes(kind):
    loss = kind(from_logits=True)
    value, grad, hess = bx.value_grad_hess(loss, np.float32(1), np.float32(0.3))
    one = bx.value_grad_hess(loss, np.float32([1]), np.float32([0.3]))
    close((value, grad[None], hess[None]), one, ulps=0)
    assert loss(1, 0.3) == value
    for axis in (-1, None, ()):
        assert kind(from_logits=True, axis=axis, reduction="none")(1, 0.3) == value


@pytest.mark.parametrize(
    ("true_shape", "pred_shape", "meeting"),
    [
        ((6,), (6, 1), (6, 1)),
        ((6, 1), (6,), (6, 1)),
        ((2, 3), (2, 3, 1), (2, 3)),
        ((2, 3, 1), (2, 3), (2, 3)),
        ((), (1,), ()),
    ],
)
def test_ranks_that_differ_by_a_last_axis_of_one(true_shape, pred_shape, meeting):
    y, x = predictions(True, true_shape)[0], predictions(True, pred_shape)[1]
    for reduction in REDUCTIONS:
        loss = bx.BinaryCrossentropy(True, reduction=reduction)
        value, grad = bx.value_and_grad(loss, y, x)
        want_value, want_grad = bx.value_and_grad(loss, y.reshape(meeting), x.reshape(meeting))
        close((value, grad), (want_value, want_grad.reshape(pred_shape)), ulps=0)
        close(loss(y, x), want_value, ulps=0)


def reference(y, x, weight, ignored, axis, reduction, shape):
    """Value and gradient of binary cross-entropy by the rules of `shapes.py`, spelt out in float64."""
    y, x = y.astype(float), x.astype(float)
    kept = np.ones(shape) if ignored is None else (y != ignored).astype(float)
    y = np.where(kept > 0, y, 0)
    each, slope = np.logaddexp(0, x) - y * x, 1 / (1 + np.exp(-x)) - y
    w = np.broadcast_to(np.reshape(weight, np.shape(weight) + (1,) * (len(shape) - np.ndim(weight))), shape) * kept
    axes = tuple(range(len(shape))) if axis is None else (axis,) if isinstance(axis, int) else axis
    if reduction == "sum_over_batch_size":
        divisor = kept.sum()
    elif reduction == "mean_with_sample_weight":
        divisor = w.sum()
    else:
        divisor = kept.sum(axes, keepdims=True)
    share = np.divide(w, divisor, out=np.zeros(shape), where=np.broadcast_to(divisor, shape) != 0)
    value = (share * each).sum(axes) if reduction == "none" else (share * each).sum()
    return value, share * slope


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("axis", [-1, 0, 1, (0, 2), (), None], ids=str)
@pytest.mark.parametrize("ignored", [None, -1])
def test_reductions_axes_and_weights(reduction, axis, ignored):
    shape = (5, 4, 3)
    y, x = predictions(True, shape)
    rng = np.random.default_rng(4)
    if ignored is not None:
        y[rng.random(shape) < 0.4] = ignored
        y[2] = ignored  # a sample, or a step, of which nothing is left
    loss = bx.BinaryCrossentropy(True, axis=axis, reduction=reduction, ignore_label=ignored)
    for weight_shape in [None, (), (5,), (5, 1), (5, 1, 1), (5, 4), (5, 4, 1), (5, 4, 3)]:
        weight = None if weight_shape is None else rng.integers(0, 4, weight_shape).astype(np.float32)
        got = bx.value_and_grad(loss, y, x, weight)
        value, grad = reference(y, x, 1.0 if weight is None else weight, ignored, axis, reduction, shape)
        close(got[0], value, rtol=2e-6, atol=1e-7)
        close(got[1], grad, rtol=2e-6, atol=1e-8)
        close(loss(y, x, weight), value, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize(
    "shape", [(1, 5000), (3, 2047), (3, 2048), (3, 2049), (2047, 2), (2049, 3), (1500, 7), (70_001, 2)]
)
@pytest.mark.parametrize("reduction", ["none", "sum_over_batch_size"])
def test_rows_of_any_length(shape, reduction):
    y, x = predictions(True, shape)
    w = np.random.default_rng(0).random(shape[0]).astype(np.float32)
    got = bx.value_and_grad(bx.BinaryCrossentropy(True, reduction=reduction), y, x, w)
    value, grad = reference(y, x, w, None, -1, reduction, shape)
    close(got[0], value, rtol=1e-6)
    close(got[1], grad, rtol=1e-6, atol=1e-9)


def test_weights_of_samples_weigh_samples():
    """Of outputs (N,), Keras takes the mean first and gives 4.67 times the loss at zero."""
    y, z, w = np.zeros(3, np.float32), np.float32([1, 2, 3]), np.float32([1, 2, 4])
    close(LOGITS(y, z, w), (np.logaddexp(0, z) * w).mean())
    square = np.zeros((3, 3, 1), np.float32)
    square[0] = 1
    got = bx.value_and_grad(bx.BinaryCrossentropy(True, reduction="sum"), square, square, np.float32([0, 1, 2]))[1]
    assert (got[0] == 0).all() and (got[1] != 0).all() and (got[2] == 2 * got[1]).all()


def test_nothing_left_costs_nothing():
    y, x = np.full((4, 3), -1.0, np.float32), np.full((4, 3), np.nan, np.float32)
    for reduction, kind in itertools.product(REDUCTIONS, FAMILY):
        value, grad = (
            bx.value_and_grad(kind(True, reduction=reduction, ignore_label=-1), y, x) if kind is not None else None
        )
        assert (value == 0).all() and (grad == 0).all()
        value, grad = bx.value_and_grad(kind(reduction=reduction), y, x, np.zeros(4))
        assert (value == 0).all() and (grad == 0).all()
