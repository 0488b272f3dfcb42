"""What the NumPy door says when it is asked for the impossible: what it wanted, what came, what to do."""

import math
import re
import tracemalloc

import numpy as np
import pytest
from support.cases import FAMILY

import binxent as bx
from binxent._core import ranges

LOGITS, PROBABILITIES = bx.BinaryCrossentropy(from_logits=True), bx.BinaryCrossentropy()
ONES = np.ones((8, 2), np.float32)


def zeros(*shape):
    return np.zeros(shape, np.float32)


def read_only(*shape):
    array = zeros(*shape)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        # Shapes.
        (
            lambda: LOGITS(zeros(8), zeros(8, 2)),
            ValueError,
            "`y_true` and `y_pred` must have the same shape; got (8,) and (8, 2). Reshape one of them",
        ),
        (lambda: LOGITS(zeros(2, 8), ONES), ValueError, "must have the same shape; got (2, 8) and (8, 2)"),
        (lambda: LOGITS(0.0, ONES), ValueError, "must have the same shape; got () and (8, 2)"),
        (lambda: LOGITS(zeros(8, 1, 1), zeros(8)), ValueError, "must have the same shape; got (8, 1, 1) and (8,)"),
        (
            lambda: bx.binary_crossentropy(zeros(8), zeros(8, 1)),
            ValueError,
            "`y_true` and `y_pred` must have the same shape; got (8,) and (8, 1)",
        ),
        (
            lambda: bx.sigmoid_cross_entropy_with_logits(zeros(8), zeros(8, 1)),
            ValueError,
            "`labels` and `logits` must have the same shape; got (8,) and (8, 1)",
        ),
        (
            lambda: bx.weighted_cross_entropy_with_logits(zeros(4, 1), zeros(4), 2.0),
            ValueError,
            "`labels` and `logits` must have the same shape",
        ),
        # Weights.
        (
            lambda: LOGITS(ONES, ONES, zeros(2)),
            ValueError,
            "`sample_weight` must be a number, or have the shape .* (8, 2) or of their leading axes; got (2,)",
        ),
        (lambda: LOGITS(ONES, ONES, zeros(1, 2)), ValueError, "or of their leading axes; got (1, 2)"),
        (lambda: LOGITS(ONES, ONES, zeros(8, 2, 2)), ValueError, "or of their leading axes; got (8, 2, 2)"),
        (lambda: LOGITS(ONES, ONES, math.inf), ValueError, "`sample_weight` must be finite; got an infinite weight."),
        (
            lambda: LOGITS(ONES, ONES, np.full(8, -np.inf)),
            ValueError,
            "`sample_weight` must be finite; got an infinite weight. Weights of 0 hide entries.",
        ),
        (
            lambda: bx.BinaryCrossentropy(True, pos_weight=[1, 2, 3])(ONES, ONES),
            ValueError,
            "`pos_weight` must be a number or hold one number for each label on the last axis of the predictions, "
            "whose shape is (8, 2); got 3 numbers.",
        ),
        # Axes.
        (
            lambda: bx.BinaryCrossentropy(axis=2)(ONES, ONES),
            ValueError,
            "`axis` must lie between -2 and 1 for predictions",
        ),
        (lambda: bx.BinaryCrossentropy(axis=(0, -2))(ONES, ONES), ValueError, "`axis` names an axis twice: (0, -2)"),
        # Values.
        (
            lambda: LOGITS(np.array([0.0, 2.0, -1.0]), zeros(3)),
            ValueError,
            "`y_true` must lie in [0, 1]; got 2 of 3 outside, from -1 to 2. Map the two classes to 0 and 1, or name",
        ),
        (
            lambda: PROBABILITIES(np.array([0, 1, 1]), np.array([0.5, 3.25, 0.1])),
            ValueError,
            "`y_pred` must lie in [0, 1]; got 1 of 3 outside, from 0.1 to 3.25. If these are logits",
        ),
        (
            lambda: PROBABILITIES(ONES, np.full_like(ONES, 1.0000001)),
            ValueError,
            "outside, from 1.00000012 to 1.00000012",
        ),
        (
            lambda: PROBABILITIES(ONES, np.full_like(ONES, -1e-30)),
            ValueError,
            "`y_pred` must lie in [0, 1]; got 16 of 16",
        ),
        (lambda: PROBABILITIES(ONES, np.full_like(ONES, math.inf)), ValueError, "`y_pred` must lie in [0, 1]"),
        (
            lambda: LOGITS(np.array([1, 2], "uint8"), zeros(2)),
            ValueError,
            "got 1 of 2 outside, from 1 to 2. Map the two",
        ),
        (
            lambda: LOGITS(np.array([1, 255], "uint8"), zeros(2)),
            ValueError,
            "name the value to leave out as `ignore_label`",
        ),
        (
            lambda: bx.BinaryCrossentropy(True, ignore_label=-1)(np.array([1, -1, 3]), zeros(3)),
            ValueError,
            "`y_true` must lie in [0, 1]; got 1 of 2 outside, from 1 to 3",
        ),
        (
            lambda: bx.sigmoid_cross_entropy_with_logits([2.0], [0.0]),
            ValueError,
            "`labels` must lie in [0, 1]; got 1 of 1 outside, from 2 to 2",
        ),
        (lambda: bx.binary_crossentropy([1.0], [2.0]), ValueError, "If these are logits, pass from_logits=True."),
        # Things that are no real numbers.
        (
            lambda: LOGITS(np.array(["a"]), zeros(1)),
            TypeError,
            "`y_true` must hold float64, .* whole numbers or booleans; got an array of <U1",
        ),
        (lambda: LOGITS(ONES, ONES * 1j), TypeError, "`y_pred` must hold float64"),
        (lambda: LOGITS(ONES, "abc"), TypeError, "got an array of <U3."),
        (lambda: LOGITS(ONES, None), TypeError, "`y_pred` must hold float64"),
        (lambda: LOGITS([1], [object()]), TypeError, "got an array of object."),
        (lambda: LOGITS(ONES, ONES, ONES.astype(object)), TypeError, "`sample_weight` must hold float64"),
        (lambda: LOGITS(ONES, ONES.astype(np.longdouble)), TypeError, "got an array of "),
        # Outputs.
        (
            lambda: bx.value_and_grad(LOGITS, ONES, ONES, out=zeros(2, 8)),
            ValueError,
            "`out` and `y_pred` must have the same shape; got (2, 8) and (8, 2)",
        ),
        (
            lambda: bx.value_and_grad(LOGITS, ONES, ONES, out=zeros(8, 2).astype(int)),
            TypeError,
            "`out` must be a NumPy array of float64, float32, float16, bfloat16; got an array of int64.",
        ),
        (
            lambda: bx.value_and_grad(LOGITS, ONES, ONES, out=[0.0]),
            TypeError,
            "`out` must be a NumPy array of .* got a list.",
        ),
        (
            lambda: bx.value_and_grad(LOGITS, ONES, ONES, out=read_only(8, 2)),
            ValueError,
            "`out` is read-only; pass an array",
        ),
        (
            lambda: bx.value_and_grad(LOGITS, ONES, ONES, out=ONES),
            ValueError,
            "`out` shares memory with another argument, which would change while it is read; pass a copy.",
        ),
        (
            lambda: bx.value_grad_hess(LOGITS, ONES, ONES, out=(zeros(8, 2), zeros(2, 8))),
            ValueError,
            "`out` and `y_pred` must have the same shape",
        ),
        (
            lambda: bx.value_grad_hess(LOGITS, ONES, zeros(8, 2), out=(out := zeros(8, 2), out)),
            ValueError,
            "shares memory",
        ),
        # Classes and threads.
        (
            lambda: bx.balanced_pos_weight([0, 0]),
            ValueError,
            "`y_true` has no positive entry, so no weight can balance it. Leave it out or weigh it by hand.",
        ),
        (
            lambda: bx.balanced_pos_weight([[1, 0], [0, 0]]),
            ValueError,
            "`y_true` has no positive entry for label 1, so",
        ),
        (
            lambda: bx.balanced_pos_weight([[1, 0], [1, 1]]),
            ValueError,
            "`y_true` has no negative entry for label 0, so no weight can balance it.",
        ),
        (lambda: bx.balanced_pos_weight(zeros(2, 12)), ValueError, "for label 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..., so"),
        (lambda: bx.balanced_pos_weight([0, 3]), ValueError, "`y_true` must lie in [0, 1]; got 1 of 2 outside"),
        (
            lambda: bx.balanced_pos_weight([0, 1], ignore_label="x"),
            TypeError,
            "`ignore_label` must be a number; got 'x'",
        ),
        (lambda: bx.prior_logit([0, 0]), ValueError, "`y_true` has no positive entry, so its prior logit is infinite."),
        (lambda: bx.prior_logit([1, 1]), ValueError, "`y_true` has no negative entry, so its prior logit is infinite."),
        *(
            (
                lambda count=count: bx.set_num_threads(count),
                ValueError,
                f"a whole number from 1 to 65536; got {count!r}.",
            )
            for count in (0, 1.5, "2", True, 2**70)
        ),
    ],
)
def test_messages(call, error, message):
    pattern = ".*".join(map(re.escape, message.split(".*")))
    with pytest.raises(error, match=pattern):
        call()


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize("position", ["first", "last", "among many"])
def test_one_impossible_value_is_found_wherever_it_is(kind, position):
    size = 300_001
    at = {"first": 0, "last": size - 1, "among many": 123_456}[position]
    y, x = np.zeros(size, np.float32), np.full(size, 0.5, np.float32)
    for values, message in ((y, "`y_true` must lie"), (x, "`y_pred` must lie")):
        values[at] = 2
        with pytest.raises(ValueError, match=re.escape(message)):
            kind()(y, x)
        with pytest.raises(ValueError, match=re.escape(message)):
            bx.value_and_grad(kind(), y, x)
        values[at] = 0.5
    kind()(y, x)


LARGE = 1 << 20
LAYOUTS = {
    "contiguous": lambda: np.full(LARGE, 0.5, np.float32),
    "strided": lambda: np.full((LARGE // 4, 8), 0.5)[:, ::2],
    "transposed": lambda: np.full((3, LARGE // 3), 0.5, np.float32).T,
    "broadcast": lambda: np.broadcast_to(np.full(LARGE // 64, 0.5, np.float32), (64, LARGE // 64)),
    "float16": lambda: np.full((4, LARGE // 4), 0.5, np.float16),
    "of whole numbers": lambda: np.zeros(LARGE, np.uint8),
}


def extra_memory(call):
    """Return the bytes that a call allocates at once, and the error that it ends with."""
    tracemalloc.start()
    try:
        call()
    except ValueError as error:
        return tracemalloc.get_traced_memory()[1], str(error)
    finally:
        tracemalloc.stop()
    raise AssertionError("no error was raised")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_error_about_one_value_copies_no_array(layout):
    values = LAYOUTS[layout]()
    owner = values if values.base is None else values.base
    owner.flat[-2 if layout == "strided" else -1] = 2
    count, size, least = 64 if layout == "broadcast" else 1, values.size, f"{values.min():.9g}"
    good, weight = np.broadcast_to(np.float32(0.5), values.shape), np.ones(values.shape[:1])
    for call, name in (
        (lambda: LOGITS(values, good), "y_true"),
        (lambda: PROBABILITIES(good, values), "y_pred"),
        (lambda: bx.BinaryCrossentropy(ignore_label=-1)(good, values, weight), "y_pred"),
    ):
        size_of_copies, message = extra_memory(call)
        assert f"`{name}` must lie in [0, 1]; got {count} of {size} outside, from {least} to 2." in message
        assert size_of_copies < 1 << 21
    weight[3] = math.inf
    size_of_copies, message = extra_memory(lambda: LOGITS(good, good, weight))
    assert "`sample_weight` must be finite" in message
    assert size_of_copies < 1 << 21


def test_an_error_counts_every_value_once_however_arrays_are_cut(monkeypatch):
    monkeypatch.setattr(ranges, "BLOCK", 6)
    for shape in ((), (7,), (6,), (3, 5), (2, 2, 3), (2, 7, 2), (9, 1, 1), (1, 13), (4, 0, 9), (0, 9)):
        array = np.zeros(shape, int)
        for index in ranges.blocks(shape):
            assert array[index].size <= 6
            array[index] += 1
        assert (array == 1).all()
    y, x = np.linspace(-1, 2, 31), np.zeros(31)
    y[4], y[5] = -7, math.nan
    weight = (np.arange(31) % 3 > 0) * 1.0
    loss = bx.BinaryCrossentropy(True, axis=(), ignore_label=-7)
    counted = y[(weight != 0) & (y != -7)]
    outside = np.count_nonzero((counted < 0) | (counted > 1))
    with pytest.raises(ValueError, match=rf"got {outside} of {counted.size} outside, from -0.9 to 1.9\."):
        loss(y, x, weight)


@pytest.mark.parametrize("kind", FAMILY)
def test_nan_is_no_error_but_stays_nan(kind):
    for y, x in ((math.nan, 0.5), (0.0, math.nan), (1.0, math.nan)):
        for from_logits in (False, True):
            value, grad = bx.value_and_grad(kind(from_logits=from_logits), np.float32([y, 1]), np.float32([x, 0.5]))
            assert math.isnan(value)
            assert math.isnan(grad[0])
            assert not math.isnan(grad[1])


def test_a_nan_weight_is_no_error_but_stays_nan():
    assert math.isnan(LOGITS(ONES, ONES, np.full(8, math.nan)))


def test_after_an_error_the_next_call_is_right():
    y = np.zeros(300_000, np.float32)
    for _ in range(3):
        with pytest.raises(ValueError, match="`y_true` must lie"):
            LOGITS(y + 2, y)
        assert LOGITS(y, y) == np.float32(math.log(2))
