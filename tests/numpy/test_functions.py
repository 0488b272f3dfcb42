"""The NumPy door speaks Keras's words and says Keras's numbers."""

import inspect
import math

import numpy as np
import pytest
from support.cases import FAMILY, predictions
from support.compare import close

import binxent as bx

Y, Z = [[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]]
P = [[0.6, 0.4], [0.4, 0.6]]


def truncated(values):
    """To the three decimals that the documents print, most of which are cut off rather than rounded."""
    return (np.floor(np.asarray(values, float) * 1000) / 1000).tolist()


def f32(*numbers):
    return np.array(numbers, np.float32)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "options", "weight", "want"),
    [
        ([0, 1, 0, 0], [-18.6, 0.51, 2.94, -12.8], {}, None, 0.865),
        (Y, Z, {}, None, 0.865),
        (Y, Z, {}, [0.8, 0.2], 0.243),
        (Y, Z, {"reduction": "sum"}, None, 1.730),
    ],
)
def test_numbers_of_the_documents(y_true, y_pred, options, weight, want):
    got = bx.BinaryCrossentropy(from_logits=True, **options)(y_true, y_pred, sample_weight=weight)
    assert type(got) is np.float32
    assert truncated(got) == want


def test_losses_of_samples():
    got = bx.BinaryCrossentropy(from_logits=True, reduction="none")(Y, Z)
    assert got.dtype == np.float32
    close(got, [0.235, 1.496], atol=6e-4, rtol=0)
    close(bx.binary_crossentropy(Y, Z, from_logits=True), got, ulps=0)
    assert truncated(bx.binary_crossentropy(Y, P)) == [0.916, 0.713]


@pytest.mark.parametrize(
    ("p", "y", "dtype", "want"),
    [
        (0, 1, "float32", 16.118095),
        (1, 0, "float32", 15.942385),
        (0, 1, "float64", 16.11809565095832),
        (1, 0, "float64", 16.11809565095832),
        (0, 0, "float32", 1e-7),
        (1, 1, "float32", 2.0**-23),
    ],
)
def test_the_clip_is_that_of_keras(p, y, dtype, want):
    close(bx.BinaryCrossentropy()(np.array([y]), np.array([p], dtype)), want, rtol=5e-7)


@pytest.mark.parametrize(("p", "y", "want"), [(0, 1, -1e7), (1, 0, 2.0**23), (0, 0, 1), (1, 1, -1)])
def test_beyond_the_clip_the_slope_is_that_of_the_clipped_point(p, y, want):
    close(bx.value_and_grad(bx.BinaryCrossentropy(), f32(y), f32(p))[1], [want], rtol=5e-7)


def test_without_a_clip_a_probability_is_taken_as_it_is():
    loss = bx.BinaryCrossentropy(epsilon=None, reduction="none", axis=())
    close(loss(f32(1, 0, 0, 0, 1), f32(1e-20, 0, 1, 1e-10, 1)), [46.051704, 0, math.inf, 1e-10, 0])


def test_a_wider_clip():
    close(bx.BinaryCrossentropy(epsilon=0.1)(f32(1), f32(0.0)), -math.log(0.1))


def test_focal_numbers_of_the_documents():
    y, z = [0, 1, 0, 0], [-18.6, 0.51, 2.94, -12.8]
    assert truncated(bx.BinaryFocalCrossentropy(gamma=2, from_logits=True)(y, z)) == 0.691
    assert truncated(bx.BinaryFocalCrossentropy(True, from_logits=True)(y, z)) == 0.51
    assert truncated(bx.binary_focal_crossentropy(Y, P)) == [0.329, 0.205]


def test_class_balancing_weighs_negatives_by_the_rest():
    plain = bx.BinaryFocalCrossentropy(reduction="none", axis=(), from_logits=True)(Y, Z)
    balanced = bx.BinaryFocalCrossentropy(True, 0.25, reduction="none", axis=(), from_logits=True)(Y, Z)
    close(balanced, plain * np.where(np.array(Y) == 1, 0.25, 0.75), atol=1e-12)


def test_focal_with_soft_labels_follows_the_probability_of_the_truth():
    close(bx.binary_focal_crossentropy([[0.7]], [[2.0]], from_logits=True), [0.0879], atol=6e-5, rtol=0)


def test_what_the_tutorials_print():
    z, y = np.linspace(-2, 2, 9), np.tile([0.0, 1.0, 0.0], 3)
    p = 1 / (1 + np.exp(-z))
    want = -(y * np.log(p) + (1 - y) * np.log1p(-p))
    close(bx.sigmoid_cross_entropy_with_logits(labels=y, logits=z), want, rtol=1e-14)
    close(bx.weighted_cross_entropy_with_logits(y, z, 2.0), np.where(y == 1, 2, 1) * want, rtol=1e-14)
    close(bx.binary_crossentropy(y, p), want.mean(), rtol=1e-14)
    close(bx.binary_crossentropy(y, z, True), want.mean(), rtol=1e-14)
    smooth = 0.1 * 0.5 + 0.9 * y
    close(bx.binary_crossentropy(y, p, label_smoothing=0.1), -(smooth * np.log(p) + (1 - smooth) * np.log1p(-p)).mean())


def test_weighted_form_has_the_right_gradient_for_a_head_that_starts_at_zero():
    loss = bx.BinaryCrossentropy(True, axis=(), reduction="sum", pos_weight=3.0)
    close(bx.value_and_grad(loss, f32(1, 0), f32(0, 0))[1], f32(-1.5, 0.5), ulps=0)


def test_tails_keep_their_digits():
    close(bx.sigmoid_cross_entropy_with_logits(f32(0), f32(-20)), [2.0611537e-9])
    close(bx.value_and_grad(bx.BinaryCrossentropy(True), f32(1), f32(20))[1], [-2.0611537e-9])
    close(bx.value_and_grad(bx.BinaryFocalCrossentropy(gamma=0, from_logits=True), f32(1), f32(-30))[1], [-1])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_mean_of_many_half_losses(dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    z = np.zeros(100_000, dtype)
    for loss in (bx.BinaryCrossentropy(True), bx.BinaryCrossentropy(True, reduction="sum_over_batch_size", axis=None)):
        got = loss(np.ones(z.size, np.uint8), z)
        assert got.dtype == z.dtype
        close(got, np.float32(math.log(2)).astype(z.dtype), ulps=0)


@pytest.mark.parametrize(
    ("function", "kind", "options"),
    [
        (bx.binary_crossentropy, bx.BinaryCrossentropy, {"pos_weight": [2.0, 3.0], "label_smoothing": 0.25}),
        (bx.binary_focal_crossentropy, bx.BinaryFocalCrossentropy, {"apply_class_balancing": True, "alpha": 0.4}),
        (bx.binary_focal_crossentropy, bx.BinaryFocalCrossentropy, {"gamma": 2.5, "epsilon": None}),
        (bx.asymmetric_crossentropy, bx.AsymmetricCrossentropy, {"gamma_pos": 2, "gamma_neg": 3, "margin": 0.1}),
        (bx.poly_binary_crossentropy, bx.PolyBinaryCrossentropy, {"epsilon_1": 2.0, "ignore_label": 0}),
    ],
)
@pytest.mark.parametrize("axis", [-1, 0, (0, 1), None, ()], ids=str)
@pytest.mark.parametrize("from_logits", [False, True])
def test_functions_say_what_their_losses_say(function, kind, options, axis, from_logits):
    y, x = predictions(from_logits, (5, 2))
    loss = kind(from_logits=from_logits, axis=axis, reduction="none", **options)
    close(function(y, x, from_logits=from_logits, axis=axis, **options), loss(y, x), ulps=0)


@pytest.mark.parametrize("kind", FAMILY)
def test_the_options_of_a_function_are_those_of_its_loss(kind):
    name = kind().name
    options = [p for p in inspect.signature(getattr(bx, name)).parameters.values() if not p.name.startswith("y_")]
    own = inspect.signature(kind).parameters.values()
    of_classes = ("reduction", "name", "dtype")
    assert [(p.name, p.default, p.kind) for p in options] == [
        (p.name, p.default, p.kind) for p in own if p.name not in of_classes
    ]


@pytest.mark.parametrize("kind", FAMILY)
def test_pointwise_takes_any_loss_and_averages_nothing(kind):
    y, x = predictions(True, (4, 3), "float64")
    loss = kind(from_logits=True, axis=0, reduction="sum", dtype="float32", label_smoothing=0.1)
    want = kind(from_logits=True, axis=(), reduction="none", label_smoothing=0.1)(y, x)
    close(bx.pointwise(loss, x, y), want, ulps=0)
    with pytest.raises(ValueError, match="`labels` and `predictions` must have the same shape"):
        bx.pointwise(loss, x, y[:, :1])


def test_the_sum_over_scores_takes_no_axis():
    y, z = f32(1, 0, 1), f32(0.3, -1, 2)
    mean = bx.value_and_grad(bx.BinaryCrossentropy(True), y, z)
    close(bx.value_and_grad(bx.BinaryCrossentropy(True, reduction="sum"), y, z), mean, ulps=0)
    value, grad = bx.value_and_grad(bx.BinaryCrossentropy(True, axis=(), reduction="sum"), y, z)
    close([value, *grad], 3 * np.array([mean[0], *mean[1]]))


@pytest.mark.parametrize("kind", FAMILY)
def test_an_empty_batch_costs_nothing(kind):
    for reduction, want in [("sum_over_batch_size", ()), ("sum", ()), ("mean_with_sample_weight", ()), ("none", (0,))]:
        loss = kind(reduction=reduction)
        empty = np.zeros((0, 3), np.float32)
        close(loss(empty, empty), np.zeros(want, np.float32)[()], ulps=0)
        value, grad = bx.value_and_grad(loss, empty, empty, np.zeros(0))
        close(value, np.zeros(want, np.float32)[()], ulps=0)
        close(grad, empty, ulps=0)
    close(kind(reduction="none")(np.zeros((3, 0)), np.zeros((3, 0))), np.zeros(3), ulps=0)


def test_lists_numbers_and_whole_numbers_are_float32():
    assert bx.BinaryCrossentropy(True)(1, 0) == np.float32(math.log(2))
    for y_pred in (0, 0.0, [0], np.zeros(1, int), np.zeros(1, bool), [[0.0]]):
        assert bx.BinaryCrossentropy(True)(np.ones_like(y_pred), y_pred).dtype == np.float32
    assert bx.BinaryCrossentropy(True)(1.0, np.float64(0)).dtype == np.float64


@pytest.mark.parametrize(("dtype", "itemsize"), [("float64", 8), ("float32", 4), ("float16", 2), (np.float32, 4)])
def test_a_loss_may_ask_for_a_dtype(dtype, itemsize):
    y, z = predictions(True, (4, 3))
    for reduction in ("none", "sum", "mean"):
        got = bx.BinaryCrossentropy(True, dtype=dtype, reduction=reduction)(y, z)
        want = bx.BinaryCrossentropy(True, reduction=reduction)(y, z)
        assert got.itemsize == itemsize
        close(got, want.astype(float), rtol=1e-3)


def test_balanced_weight_and_prior_logit():
    y = np.array([[1, 0, 1], [0, 0, 1], [0, 1, 0], [0, 0, 1]], bool)
    close(bx.balanced_pos_weight(y), np.array([3, 3, 1 / 3]), ulps=0)
    close(bx.prior_logit(y), np.log([1 / 3, 1 / 3, 3]), rtol=1e-15)
    for column in (y[:, 0], y[:, :1], y[:, 0].astype("float16"), y[:, 0].tolist()):
        close(bx.balanced_pos_weight(column), np.float64(3), ulps=0)
        close(bx.prior_logit(column), math.log(1 / 3), rtol=1e-15)
    close(bx.balanced_pos_weight([0.25, 0.5]), np.float64(1.25 / 0.75), ulps=0)
    close(bx.balanced_pos_weight([1, 0, 0, -1, -1], ignore_label=-1), np.float64(2), ulps=0)
    close(bx.prior_logit([1, 0, 0, math.nan], ignore_label=math.nan), math.log(0.5), rtol=1e-15)
    close(bx.balanced_pos_weight(np.stack([y, y], 1)), np.array([3, 3, 1 / 3]), ulps=0)


def test_a_balanced_weight_balances_and_a_prior_starts_without_slope():
    rng = np.random.default_rng(3)
    y = (rng.random((500, 4)) < [0.1, 0.3, 0.5, 0.9]).astype(np.float32)
    loss = bx.BinaryCrossentropy(True, reduction="sum", pos_weight=bx.balanced_pos_weight(y))
    close(bx.value_and_grad(loss, y, np.zeros_like(y))[1].sum(0), np.zeros(4), atol=1e-4)
    z = np.broadcast_to(bx.prior_logit(y), y.shape)
    close(bx.value_and_grad(bx.BinaryCrossentropy(True, reduction="sum"), y, z)[1].sum(0), np.zeros(4), atol=1e-9)
