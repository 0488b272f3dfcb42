"""Any real dtype of labels, predictions, weights and outputs gives what converted copies give."""

import tracemalloc

import numpy as np
import pytest
from support.cases import ELEMENTWISE, FAMILY, LOSSES, predictions
from support.compare import close

import binxent as bx

ml_dtypes = pytest.importorskip("ml_dtypes")
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOATS = [np.dtype("float64"), np.dtype("float32"), np.dtype("float16"), BFLOAT16]
WHOLE = [np.dtype(kind) for kind in ("bool", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")]
each_float = pytest.mark.parametrize("dtype", FLOATS, ids=str)


def compute(loss, y, x, *weight):
    """Return the loss, and loss, gradient and curvature together."""
    return loss(y, x, *weight), *bx.value_grad_hess(loss, y, x, *weight)


@each_float
@pytest.mark.parametrize("label", [*FLOATS, *WHOLE], ids=str)
def test_labels_of_any_dtype(dtype, label):
    y, x = predictions(True, (37, 5), dtype)
    loss = bx.BinaryCrossentropy(True, label_smoothing=0.1)
    got = compute(loss, y.astype(label), x)
    assert [np.asarray(result).dtype for result in got] == [dtype] * 4
    close(got, compute(loss, y.astype(np.result_type(x.dtype, np.float32)), x), ulps=0)


@pytest.mark.parametrize("label", FLOATS, ids=str)
def test_soft_labels_of_any_dtype(label):
    _, x = predictions(True, (300,))
    y = np.linspace(0, 1, 300).astype(label)
    loss = bx.BinaryFocalCrossentropy(from_logits=True)
    close(compute(loss, y, x), compute(loss, y.astype(np.float32), x), ulps=0)


@pytest.mark.parametrize("dtype", FLOATS[2:], ids=str)
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("kind", FAMILY)
def test_halves_are_computed_in_float32_and_rounded_once(kind, from_logits, dtype):
    every = np.arange(2**16, dtype=np.uint16).view(dtype)
    with np.errstate(invalid="ignore"):  # comparing NaN
        x = every if from_logits else every[(every >= 0) & (every <= 1)]
    loss = kind(from_logits=from_logits, **ELEMENTWISE)
    for label in (0, 1):
        y = np.full(x.shape, label, np.uint8)
        with np.errstate(over="ignore"):
            want = [result.astype(dtype) for result in bx.value_grad_hess(loss, y, x.astype(np.float32))]
        got = bx.value_grad_hess(loss, y, x)
        close(got, want, ulps=0)
        with np.errstate(invalid="ignore"):
            for result in got:
                assert not np.isnan(result[~np.isnan(x)]).any()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("name", ["bce", "poly", "focal 0.5", "focal 2, balanced", "asymmetric"])
def test_no_float_becomes_nan(name, from_logits, dtype):
    integer = np.dtype(f"u{np.dtype(dtype).itemsize}")
    rng = np.random.default_rng(1)
    x = rng.integers(0, np.iinfo(integer).max, 40_000, integer, endpoint=True).view(dtype)
    x = np.concatenate([x[~np.isnan(x)], np.array([np.inf, -np.inf, 0.0, -0.0, 1.0], dtype)])
    for epsilon in (1e-7, None, 0.0):
        if not from_logits:
            x = x[(x >= 0) & (x <= 1)]
        loss = LOSSES[name](from_logits=from_logits, epsilon=epsilon, **ELEMENTWISE)
        for label in (0, 1, 0.25):
            results = bx.value_grad_hess(loss, np.full(x.shape, label, dtype), x)
            for result in results[: 2 if epsilon != 1e-7 else 3]:
                assert not np.isnan(result).any()


@each_float
@pytest.mark.parametrize("weight", [*FLOATS, *WHOLE], ids=str)
def test_weights_of_any_dtype(dtype, weight):
    y, x = predictions(True, (37, 5), dtype)
    w = np.random.default_rng(0).integers(0, 2, (37, 5))
    loss = bx.BinaryCrossentropy(True)
    close(
        compute(loss, y, x, w.astype(weight)), compute(loss, y, x, w.astype(np.result_type(dtype, np.float32))), ulps=0
    )


@pytest.mark.parametrize("dtype", WHOLE, ids=str)
def test_predictions_of_whole_numbers_count_as_float32(dtype):
    x = np.array([0, 1, 1, 0]).astype(dtype)
    for loss in (bx.BinaryCrossentropy(True), bx.BinaryCrossentropy()):
        close(compute(loss, [1, 0, 1, 0], x), compute(loss, [1, 0, 1, 0], x.astype(np.float32)), ulps=0)


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2"])
def test_the_other_byte_order(dtype):
    y, x = predictions(True, (37, 5), dtype)
    swapped = x.astype(np.dtype(dtype).newbyteorder())
    loss = bx.BinaryCrossentropy(True)
    labels = y.astype(">i4"), y.astype("<i4")
    for label in labels:
        close(compute(loss, label, swapped), compute(loss, y, x), ulps=0)
    close(bx.binary_crossentropy(y, swapped, True), bx.binary_crossentropy(y, x, True), ulps=0)


@pytest.mark.parametrize("rows", [1, 33, 2048, 2049])
def test_the_same_bits_wherever_an_array_lies(rows):
    def strided(array):
        return np.stack([array, np.full_like(array, 0.5)], -1)[..., 0]

    def read_only(array):
        array = array.copy()
        array.flags.writeable = False
        return array

    y, x = predictions(True, (rows, 1))
    for reduction in ("mean", "sum", "none"):
        loss = bx.BinaryCrossentropy(True, 0.1, reduction=reduction)
        want = bx.value_and_grad(loss, y, x)
        for place in (strided, read_only):
            for arguments in ((place(y), x), (y, place(x))):
                close([loss(*arguments), *bx.value_and_grad(loss, *arguments)], [want[0], *want], ulps=0)
        out = strided(np.empty_like(x))
        close(bx.value_and_grad(loss, y, x, out=out), want, ulps=0)
        close(out, want[1], ulps=0)


@each_float
@pytest.mark.parametrize("dtype_of_out", FLOATS, ids=str)
def test_out_of_any_dtype(dtype, dtype_of_out):
    y, x = predictions(True, (300, 7), dtype)
    loss = bx.BinaryFocalCrossentropy(from_logits=True)
    out = np.full(x.shape, np.nan, dtype_of_out), np.full(x.shape, np.nan, dtype_of_out)
    value, grad, hess = bx.value_grad_hess(loss, y, x, out=out)
    assert grad is out[0] and hess is out[1]
    wide = bx.value_grad_hess(loss, y, x.astype(np.result_type(dtype, np.float32)))
    close((grad, hess), [result.astype(dtype_of_out) for result in wide[1:]], ulps=0)
    close(value, loss(y, x), ulps=0)


HALVES = """
import ctypes
import numpy as np
import binxent as bx
from binxent._kernels.operands import describe, gather, scatter

def move(mover, array, block):
    function, where, owner = describe(array, block.dtype, mover)
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(function)(where, 0, array.size, block.ctypes.data)

def rounded(x, leading, least):
    step = 2.0 ** (np.maximum(np.frexp(x)[1] - 1, least) - leading + 1)
    return np.where(np.isfinite(x), np.rint(x / step) * step, x)  # no rounding is left for the cast to do

def check(half, working):
    # each number of a half, and numbers around each rounding
    name, real = np.dtype(half).name, np.dtype(working)
    leading, least = (8, -126) if name == "bfloat16" else (11, -14)
    every = np.arange(2**16, dtype=np.uint16).view(half)
    got = np.empty(every.size, real)
    move(gather, every, got)
    np.testing.assert_array_equal(got, every.astype(real))
    assert (np.signbit(got) == np.signbit(every)).all()

    numbers = np.sort(got[np.isfinite(got)])
    between = numbers[:-1] / 2 + numbers[1:] / 2
    edge = numbers[-1] + (numbers[-1] - numbers[-2]) / 2  # from here on numbers become infinite
    random = np.random.default_rng(0)
    x = [edge, -edge, np.inf, -np.inf, np.nan, -np.nan, np.finfo(real).max, np.finfo(real).tiny, 5e-324]
    x = [numbers, between, x, random.integers(0, 2**32, 200_000, np.uint32).view(np.float32)]
    x = np.concatenate(x).astype(real)
    near = [x, np.nextafter(x, np.inf, dtype=real), np.nextafter(x, -np.inf, dtype=real)]
    # where two roundings would differ from one
    near += [x * real.type(1 + sign * 2.0**-power) for power in (20, 22, 30, 40, 50) for sign in (1, -1)]
    x = np.concatenate(near)
    got = np.full(x.size, 7, half)
    move(scatter, got, x)
    want = x.astype(half) if half is np.float16 else rounded(x.astype(np.float64), leading, least).astype(half)
    assert np.isnan(x).sum() > 10 and np.isinf(want).sum() > 10
    np.testing.assert_array_equal(got.astype(np.float64), want.astype(np.float64))
    assert (np.signbit(got) == np.signbit(x))[~np.isnan(x)].all()
    quiet = 0x40 if name == "bfloat16" else 0x200
    assert (got.view(np.uint16)[np.isnan(x)] & quiet).all()

    y, x = np.array([0.0, 1.0]), np.array([0.5, 2.0]).astype(half if working == "float32" else real)
    out = np.empty(2, half)
    _, grad = bx.value_and_grad(bx.BinaryCrossentropy(True), y, x, out=out)
    loss = bx.BinaryCrossentropy(True, axis=(), reduction="none", dtype=name)(y, x)
    np.testing.assert_allclose(grad.astype(float), [0.31122967, -0.05960146], 1e-2)
    np.testing.assert_allclose(loss.astype(float), [0.97407698, 0.12692801], 1e-2)

np.seterr(all="ignore")
for working in ("float32", "float64"):
    check(np.float16, working)
from ml_dtypes import bfloat16  # a library that might bring what float16 lacked
for working in ("float32", "float64"):
    check(bfloat16, working)
"""


@pytest.mark.parametrize("processor", ["host", "generic"])
def test_halves_are_rounded_once_on_any_processor(interpreter, processor):
    """In a process that has loaded nothing else: some libraries bring the functions that LLVM may call for halves."""
    chosen = {"BINXENT_CPU": "generic"} if processor == "generic" else {}
    interpreter(HALVES, **chosen)


@each_float
def test_out_that_lies_strided(dtype):
    y, x = predictions(True, (300, 7), dtype)
    loss = bx.BinaryCrossentropy(True)
    want = bx.value_and_grad(loss, y, x)
    room = np.full((2, 7, 900), np.nan, dtype)
    out = room[1, ::-1, ::3].T
    got = bx.value_and_grad(loss, y, x, out=out)
    assert got[1] is out
    close(got, want, ulps=0)
    assert np.count_nonzero(~np.isnan(room)) == x.size, "something was written beside the output"


def test_out_may_lie_between_the_entries_of_other_arrays():
    y, x = predictions(True, (24,))
    loss = bx.BinaryCrossentropy(True)
    want = bx.value_grad_hess(loss, y, x)
    for room in (np.zeros((4, 24), np.float32), np.zeros((24, 4), np.float32).T, np.zeros(96, np.float32)):
        labels, inputs, *outputs = [room[k::4] for k in range(4)] if room.ndim == 1 else room
        labels[...], inputs[...] = y, x
        close(bx.value_grad_hess(loss, labels, inputs, out=tuple(outputs)), want, ulps=0)
        close((labels, inputs), (y, x), ulps=0)


def test_out_must_not_overlap():
    y, x = predictions(True, (20,))
    loss, weights, room = bx.BinaryCrossentropy(True), np.ones(20, np.float32), np.zeros(100, np.float32)
    apart = np.lib.stride_tricks.as_strided(room, (4, 5), (8, 52))
    for arguments, out in [
        ((y, x), y),
        ((y, x), x),
        ((y, x), x[::-1]),
        ((y, x, weights), weights),
        ((y[1:19], x[1:19]), x[:18]),
        ((y[:10], x[::2]), x[4:14]),
        ((y.reshape(4, 5), apart), np.lib.stride_tricks.as_strided(room[2:], (4, 5), (4, 52))),
    ]:
        with pytest.raises(ValueError, match="shares memory"):
            bx.value_and_grad(loss, *arguments, out=out)


def test_out_must_not_overlap_itself():
    y, x = predictions(True, (4, 6))
    loss, room = bx.BinaryCrossentropy(True), np.zeros(200, np.float32)

    def strided(*steps):
        return np.ndarray(x.shape, np.float32, room.data, 400, steps)

    close(bx.value_and_grad(loss, y, x, out=strided(-8, 20)), bx.value_and_grad(loss, y, x), ulps=0)
    for steps in [(0, 4), (4, 0), (4, 4), (2, 40), (12, 4), (24, -16)]:
        with pytest.raises(ValueError, match="Entries of `out` lie at the same place"):
            bx.value_and_grad(loss, y, x, out=strided(*steps))
        with pytest.raises(ValueError, match="Entries of `out` lie at the same place"):
            bx.value_grad_hess(loss, y, x, out=(np.empty_like(x), strided(*steps)))


def test_results_own_their_memory_and_can_be_resized():
    y, x = np.zeros((4, 2)), np.zeros((4, 2), np.float32)
    each = {"axis": (), "reduction": "none"}
    for result in (
        bx.binary_crossentropy(y, x, from_logits=True),
        bx.binary_crossentropy(y[:, :1], x[:, :1], from_logits=True),
        bx.BinaryCrossentropy(True, **each)(y, x),
        *bx.value_grad_hess(bx.BinaryCrossentropy(True, **each), y, x),
    ):
        result.resize((9, 9), refcheck=False)  # the tuple refers to it
        assert result.shape == (9, 9)


def test_results_beyond_the_range_of_a_dtype_are_infinite_without_a_warning(recwarn):
    x, y = np.full((4, 2), 6e4, np.float16), np.zeros((4, 2))
    for options, want in [
        ({"axis": (), "reduction": "sum"}, np.inf),
        ({"reduction": "none"}, [np.inf] * 4),
        ({"axis": (), "reduction": "none"}, [[np.inf] * 2] * 4),
        ({}, np.inf),
        ({"dtype": "float32"}, 120_000),
    ]:
        loss = bx.BinaryCrossentropy(True, **options)
        close(loss(y, x, 2.0), np.array(want, loss.dtype or "float16"))
    infinite = np.float32(np.inf)
    close(bx.BinaryCrossentropy(True, axis=(), reduction="sum")(y, x.astype("f4") * 5e33), infinite)
    close(bx.BinaryCrossentropy(True, reduction="sum", ignore_label=-1)(y, np.full((4, 2), 1e308)), np.inf)
    assert not recwarn.list


@pytest.mark.parametrize("kind", FAMILY)
def test_arguments_are_never_written(kind):
    y, x = predictions(True, (70_000, 2))
    w = np.ones(70_000, np.float32)
    y[::7] = -1
    copies = y.copy(), x.copy(), w.copy()
    for array in (y, x, w):
        array.flags.writeable = False
    for dtype in ("float32", "float64", "float16"):
        compute(kind(from_logits=True, ignore_label=-1, reduction="none"), y, x.astype(dtype), w)
    close((y, x, w), copies, ulps=0)


def peak_memory(call):
    """Return the most bytes held at once while a call runs."""
    call()
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_no_temporary_has_the_size_of_the_input():
    y, x = predictions(True, (1 << 23,))
    out, w, c = np.empty_like(x), np.ones(1 << 22, np.float32), [1.0, 2.0]
    y2, x2, out2 = (array.reshape(-1, 2) for array in (y, x, out))
    half, whole, wide = x2.astype(np.float16), y2.astype(np.uint8), x2.astype(np.float64)
    bce = bx.BinaryCrossentropy
    calls = {
        "value": lambda: bce(True)(y, x),
        "gradient": lambda: bx.value_and_grad(bce(True), y, x, out=out),
        "curvature": lambda: bx.value_grad_hess(bce(True), y, x, out=(out, wide.reshape(-1))),
        "weights": lambda: bx.value_and_grad(bce(True), y2, x2, w, out=out2),
        "halves, weight per label": lambda: bx.value_and_grad(bce(True, pos_weight=c), whole, half, out=out2),
        "backwards, ignored": lambda: bx.value_and_grad(bce(True, ignore_label=-1), y[::-1], x[::-1], out=out),
        "mean by weights": lambda: bce(True, reduction="mean_with_sample_weight")(y2, half, w),
    }
    peaks = {name: peak_memory(call) for name, call in calls.items()}
    assert max(peaks.values()) < x.nbytes / 8, peaks


def test_a_temporary_would_be_seen():
    x = np.zeros(1 << 20, np.float32)
    assert peak_memory(lambda: x + x) >= x.nbytes


@each_float
def test_sums_are_added_in_float64(dtype):
    y, x = predictions(True, (50_001,), dtype)
    each = bx.sigmoid_cross_entropy_with_logits(y, x.astype(np.float64))
    got = bx.BinaryCrossentropy(True, axis=(), reduction="sum", dtype="float64")(y, x)
    close(got, each.sum(), rtol=1e-7)


@each_float
def test_nan_is_checked_without_a_warning(dtype):
    y, p = np.array([0, np.nan, -1], dtype), np.array([np.nan, 0.5, np.nan], dtype)
    assert np.isnan(bx.BinaryCrossentropy(ignore_label=-1)(y, p))
