"""The losses of the Keras door on each backend: Keras's numbers where it is right, the right ones where it is not."""

import contextlib
import functools
import inspect
import math

import keras
import numpy as np
import pytest
from keras import ops
from support.compare import close, dtype_of, numbers
from support.keras_calls import BACKEND, RNG, batch, entropies, gradient, masked, value_and_gradient

import binxent.keras as door
from binxent import losses
from binxent.keras import _evaluation

CLASSES = [
    door.BinaryCrossentropy,
    door.BinaryFocalCrossentropy,
    door.AsymmetricCrossentropy,
    door.PolyBinaryCrossentropy,
]
FUNCTIONS = [
    door.binary_crossentropy,
    door.binary_focal_crossentropy,
    door.asymmetric_crossentropy,
    door.poly_binary_crossentropy,
]
each_class = pytest.mark.parametrize("define", CLASSES, ids=lambda define: define.__name__)
NAN = math.nan


# Keras's documents and numbers.


@pytest.mark.parametrize(
    ("y_true", "y_pred", "reduction", "sample_weight", "want"),
    [
        ([0, 1, 0, 0], [-18.6, 0.51, 2.94, -12.8], "sum_over_batch_size", None, 0.865),
        ([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], "sum_over_batch_size", None, 0.865),
        ([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], "auto", [0.8, 0.2], 0.2434),
        ([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], "sum", None, 1.7308),
        ([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], "none", None, [0.235, 1.496]),
        ([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], None, None, [0.235, 1.496]),
    ],
)
def test_documented_numbers(y_true, y_pred, reduction, sample_weight, want):
    got = door.BinaryCrossentropy(from_logits=True, reduction=reduction)(y_true, y_pred, sample_weight)
    close(got, want, atol=5e-4)
    assert dtype_of(got) == "float32"


def test_clipped_probabilities():
    bce = door.BinaryCrossentropy(reduction="none", axis=())
    close(bce([1, 0, 1, 0], [0.0, 1.0, 1.0, 0.0]), [16.118095, 15.942385, 1.192093e-7, 1e-7])
    slope = gradient(lambda p: door.BinaryCrossentropy(reduction="sum", axis=())([1, 0], p), [0.0, 1.0])
    close(slope, [-1e7, 2.0**23])  # Keras: exactly 0


@pytest.mark.parametrize(
    ("ours", "theirs", "arguments"),
    [
        (door.BinaryCrossentropy, keras.losses.BinaryCrossentropy, {"label_smoothing": 0.2}),
        (door.BinaryCrossentropy, keras.losses.BinaryCrossentropy, {"from_logits": True, "axis": 1}),
        (door.BinaryFocalCrossentropy, keras.losses.BinaryFocalCrossentropy, {"gamma": 1.5}),
        (
            door.BinaryFocalCrossentropy,
            keras.losses.BinaryFocalCrossentropy,
            {"apply_class_balancing": True, "alpha": 0.4, "label_smoothing": 0.1},
        ),
    ],
)
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none"])
def test_the_same_numbers_as_keras(ours, theirs, arguments, reduction):
    y, z = batch(5, 4, 3)
    x = z if arguments.get("from_logits") else (1 / (1 + np.exp(-z))).astype("float32")
    per_sample = arguments.get("axis") == 1
    weight = RNG.random(5 if per_sample else (5, 4)).astype("float32")
    their_weight = np.repeat(weight[:, None], 3, 1) if per_sample else weight
    ours, theirs = ours(**arguments, reduction=reduction), theirs(**arguments, reduction=reduction)
    close(ours(y, x), theirs(y, x), 1e-5)
    close(ours(y, x, weight), theirs(y, x, their_weight), 1e-5)


@pytest.mark.parametrize(("function", "define"), list(zip(FUNCTIONS, CLASSES, strict=True)))
def test_functions_are_the_losses_per_sample(function, define):
    y, z = batch(3, 4)
    close(function(y, z, from_logits=True), define(from_logits=True, reduction="none")(y, z), 0)
    of_loss = [one for one in written(getattr(losses, define.__name__)) if one[0] not in ("reduction", "name", "dtype")]
    assert written(function)[2:] == of_loss
    with pytest.raises(ValueError, match="must have the same shape"):
        function(y[:, 0], z[:, :1])
    assert dtype_of(function(y, ops.convert_to_tensor(z, "bfloat16"), from_logits=True)) == "bfloat16"


def written(thing):
    """The parameters of a signature, which is written out for readers and type checkers, without annotations."""
    return [(one.name, one.kind, one.default) for one in inspect.signature(thing).parameters.values()]


@each_class
def test_signatures_are_those_of_the_specs(define):
    assert written(define) == written(getattr(losses, define.__name__))
    theirs = getattr(keras.losses, define.__name__, None)
    if theirs:
        parameters = list(inspect.signature(define).parameters.values())
        their_parameters = list(inspect.signature(theirs).parameters.values())
        assert [(p.name, p.default) for p in parameters[: len(their_parameters)]] == [
            (p.name, p.default) for p in their_parameters
        ]


# Shapes, weights, masks and reductions.


def test_a_weight_belongs_to_its_sample():
    y, z = np.array([0.0, 1.0, 1.0]), np.array([1.0, 2.0, -3.0])
    weight = np.array([1.0, 0.5, 2.0])
    close(door.BinaryCrossentropy(from_logits=True)(y, z, weight), (entropies(y, z) * weight).mean())
    steps, logits = batch(4, 4, 1)
    weight = np.arange(4.0)
    want = (entropies(steps, logits) * weight[:, None, None]).mean()
    close(door.BinaryCrossentropy(from_logits=True)(steps, logits, weight), want)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (5, 1), (5, 4), (5, 4, 1), (5, 4, 3), (5, 1, 1)])
def test_weights_line_up_with_the_leading_axes(shape):
    y, z = batch(5, 4, 3)
    weight = RNG.random(shape).astype("float32")
    aligned = weight.reshape(shape + (1,) * (3 - len(shape))) if shape != (1,) else weight[0]
    want = entropies(y, z) * aligned
    close(door.BinaryCrossentropy(True)(y, z, weight), want.mean())
    close(door.BinaryCrossentropy(True, reduction="none")(y, z, weight), want.mean(-1))
    close(door.BinaryCrossentropy(True, reduction="sum")(y, z, weight), want.mean(-1).sum())
    total = np.broadcast_to(aligned, want.shape).sum()
    close(door.BinaryCrossentropy(True, reduction="mean_with_sample_weight")(y, z, weight), want.sum() / total)


@pytest.mark.parametrize("shape", [(3,), (4,), (4, 3), (5, 3), (5, 1, 3), (2, 5, 4, 3)])
def test_other_weights_are_refused(shape):
    y, z = batch(5, 4, 3)
    with pytest.raises(ValueError, match=r"`sample_weight` must be a number, or have the shape of the predictions"):
        door.BinaryCrossentropy(True)(y, z, np.ones(shape))


@pytest.mark.parametrize(("true", "pred"), [((5,), (5, 1)), ((5, 1), (5,)), ((5, 4, 1), (5, 4)), ((5, 4), (5, 4, 1))])
def test_a_last_axis_of_one_may_be_missing(true, pred):
    y, z = batch(*true)[0], batch(*pred)[1]
    close(door.BinaryCrossentropy(True)(y, z), entropies(y.ravel(), z.ravel()).mean())
    weight = np.arange(5.0)
    want = (entropies(y.ravel(), z.ravel()).reshape(5, -1) * weight[:, None]).mean()
    close(door.BinaryCrossentropy(True)(y, z, weight), want)


@pytest.mark.parametrize(("true", "pred"), [((5,), (4,)), ((4,), (5, 4)), ((5, 2), (5, 1)), ((), (5,))])
def test_other_shapes_are_refused(true, pred):
    with pytest.raises(ValueError, match="`y_true` and `y_pred` must have the same shape"):
        door.BinaryCrossentropy(True)(np.ones(true), np.ones(pred))


@pytest.mark.parametrize(
    ("axis", "axes"),
    [(-1, 2), (1, 1), (0, 0), ((0, 2), (0, 2)), ([1, 2], (1, 2)), (None, (0, 1, 2)), ((), ()), ([], ())],
)
def test_axes(axis, axes):
    y, z = batch(5, 4, 3)
    close(door.BinaryCrossentropy(True, axis=axis, reduction="none")(y, z), entropies(y, z).mean(axes))
    close(door.BinaryCrossentropy(True, axis=axis, reduction="sum")(y, z), entropies(y, z).mean(axes).sum())
    close(door.BinaryCrossentropy(True, axis=axis)(y, z), entropies(y, z).mean())
    close(door.binary_crossentropy(y, z, True, axis=axis), entropies(y, z).mean(axes))


REDUCTIONS = ["sum_over_batch_size", "sum", "mean_with_sample_weight", "none"]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nothing_costs_nothing(shape, reduction):
    got = door.BinaryCrossentropy(True, reduction=reduction)(np.ones(shape), np.ones(shape), 2.0)
    close(got, np.zeros(shape[:-1] if reduction == "none" else ()))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_masked_entries_neither_cost_nor_count(reduction, weighted):
    y, z = batch(2, 4, 3)
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 0]], bool)
    weight = RNG.random((2, 4)).astype("float32") if weighted else np.ones((2, 4), "float32")
    kept = (entropies(y, z).mean(-1) * weight)[mask]
    z[~mask], y[~mask], weight[~mask] = NAN, np.inf, NAN
    got = door.BinaryCrossentropy(True, reduction=reduction)(y, masked(z, mask), weight if weighted else None)
    if reduction == "none":
        close(got[mask], kept)
        close(got[~mask], np.zeros(3))
    else:
        over = {"sum": 1, "sum_over_batch_size": 5, "mean_with_sample_weight": weight[mask].sum()}[reduction]
        close(got, kept.sum() / over)


def test_everything_masked_costs_nothing():
    y, z = batch(2, 3)
    close(door.BinaryCrossentropy(True)(y, masked(z, np.zeros((2, 3), bool))), 0.0)


@each_class
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("bad", [NAN, math.inf, -math.inf])
def test_a_weight_of_zero_hides_value_and_gradient(define, from_logits, bad):
    loss = define(from_logits=from_logits)
    y, z = np.array([[1.0, NAN], [0.0, 1.0]]), np.array([[0.3, bad], [bad, 0.6]])
    value, slope = value_and_gradient(lambda z: loss(y, z, np.array([[1.0, 0.0], [0.0, 2.0]])), z)
    parts = loss(y[[0, 1], [0, 1]], z[[0, 1], [0, 1]], np.array([1.0, 2.0]))
    close(value, float(parts) / 2)  # it costs nothing, but counts
    assert slope[0, 1] == slope[1, 0] == 0
    assert (slope[(0, 1), (0, 1)] != 0).all()


@pytest.mark.parametrize("ignore", [-1, 255, NAN])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ignored_entries_neither_cost_nor_count(ignore, reduction):
    y = np.array([[1.0, ignore, 0.0], [ignore, ignore, 1.0], [ignore] * 3])
    z = np.array([[2.0, NAN, 1.0], [np.inf, 3.0, -1.0], [NAN, 1.0, 2.0]])
    weight = np.array([1.0, 3.0, 5.0])
    loss = door.BinaryCrossentropy(True, ignore_label=ignore, reduction=reduction)
    first, second = entropies([1, 0], [2, 1]), entropies(1, -1)
    want = {
        "sum": first.mean() + 3 * second,
        "sum_over_batch_size": (first.sum() + 3 * second) / 3,
        "mean_with_sample_weight": (first.sum() + 3 * second) / (1 + 1 + 3),
        "none": [first.mean(), 3 * second, 0],
    }
    close(loss(y, z, weight), want[reduction])
    slope = gradient(lambda z: loss(y, z, weight), z)
    hidden = np.isnan(y) if math.isnan(ignore) else y == ignore
    assert (slope[hidden] == 0).all()
    assert (slope[~hidden] != 0).all()


def test_pos_weight_per_label():
    y, z = batch(5, 3)
    c = (1.0, 2.0, 5.0)
    want = (entropies(y, z) * np.where(y == 1, c, 1)).mean()
    close(door.BinaryCrossentropy(True, pos_weight=c)(y, z), want)


def test_a_weight_of_positives_is_never_broadcast():
    y, z = batch(5, 3)
    for weights in ([2.0], [1.0, 2.0]):
        loss, metric = (kind.BinaryCrossentropy(pos_weight=weights, from_logits=True) for kind in (door, door.metrics))
        function = functools.partial(door.binary_crossentropy, from_logits=True, pos_weight=weights)
        for call in (loss, metric.update_state, function):
            with pytest.raises(
                ValueError, match=rf"`pos_weight` must .* one number for each label .* \(5, 3\); got {len(weights)}"
            ):
                call(y, z)
    close(door.BinaryCrossentropy(True, pos_weight=[2.0])([1.0], [[0.3]]), 2 * entropies(1, 0.3))


# Numbers and dtypes.


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16", "float32"])
def test_half_precision_is_computed_in_float32(dtype):
    y, z = batch(100_000)
    got = door.BinaryCrossentropy(True, dtype=dtype)(y, z)
    assert dtype_of(got) == keras.dtype_policies.get(dtype).compute_dtype
    close(got, entropies(y, z).mean(), 1e-2 if dtype == "bfloat16" else 1e-3)
    right = door.BinaryCrossentropy(dtype=dtype, reduction="none")(
        [[1.0], [0.0]], ops.convert_to_tensor([[1.0], [0.0]], "float16")
    )
    assert (numbers(right) < 1e-6).all()  # Keras: NaN


def test_half_precision_predictions():
    y, z = batch(7, 2)
    z = ops.convert_to_tensor(z, "bfloat16")
    got = door.BinaryCrossentropy(True)(y.astype(bool), z)
    assert dtype_of(got) == "float32"
    close(got, entropies(y, numbers(z)).mean())


def test_integers_are_predictions_too():
    close(door.binary_crossentropy(np.array([1, 0]), np.array([1, 0])), 1.192093e-7 / 2 + 1e-7 / 2)


def test_float64():
    with in_double_precision():
        y, z = np.array([0, 1]), np.array([-35.0, 2.0])
        for got in (
            door.BinaryCrossentropy(True, dtype="float64")(y, z),
            door.binary_crossentropy(y, doubles(z), True),
        ):
            assert dtype_of(got) == "float64"
            close(got, entropies(y, z).mean(), 1e-15)
        costs = door.BinaryCrossentropy(dtype="float64", reduction="none")([[1], [0]], [[0.0], [1.0]])
        close(costs, [16.11809565] * 2, 1e-8)


def doubles(values):
    return ops.convert_to_tensor(values, "float64")


def in_double_precision():
    if BACKEND != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.enable_x64(True)


@pytest.mark.skipif(BACKEND != "jax", reason="JAX has transformations")
@pytest.mark.parametrize("define", [door.BinaryCrossentropy, door.AsymmetricCrossentropy])
def test_transformations(define):
    import jax

    loss = define(from_logits=True)
    y, z = batch(3, 4)
    value, slope = jax.value_and_grad(lambda z: loss(y, z))(z)
    jitted = jax.jit(jax.value_and_grad(lambda z, y: loss(y, z)))(z, y)
    close(jitted[0], value)
    close(jitted[1], slope, 1e-5, 1e-9)
    each = jax.vmap(jax.grad(lambda z, y: loss(y, z)))(z, y)
    close(each / 3, slope, 1e-5, 1e-9)
    hessian = jax.hessian(lambda z: loss(y, z))(z).reshape(12, 12)
    close(hessian, np.diag(np.diag(hessian)), 0)
    curvature = jax.jvp(jax.grad(lambda z: loss(y, z)), (z,), (np.ones((3, 4), "float32"),))[1]
    close(np.diag(hessian).reshape(3, 4), curvature, 1e-5, 1e-8)


# Configurations and errors.


@each_class
def test_configurations(define):
    loss = define(from_logits=True, label_smoothing=0.1, axis=(1, 2), reduction="sum", name="mine", ignore_label=-1)
    config = loss.get_config()
    assert list(keras.losses.Loss.get_config(loss)) == ["name", "reduction"]
    assert config["name"] == "mine"
    assert config["axis"] == [1, 2]
    assert define.from_config(config).get_config() == config
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(revived) is define
    assert revived.spec == loss.spec
    assert (loss.from_logits, loss.label_smoothing, loss.axis, loss.name) == (True, 0.1, (1, 2), "mine")
    with pytest.raises(AttributeError, match="has no attribute 'sharpness'"):
        _ = loss.sharpness


@pytest.mark.parametrize(
    "config",
    [
        {"reduction": "sum_over_batch_size"},
        {"reduction": "auto"},
        {"reduction": "auto", "fn": "binary_crossentropy"},
    ],
    ids=["Keras 3", "Keras 2", "Keras 2 with its function"],
)
def test_configurations_of_keras_load(config):
    config = {"name": "bce", "from_logits": True, "label_smoothing": 0.1, "axis": -1} | config
    loss = door.BinaryCrossentropy.from_config(config)
    assert loss.spec == losses.BinaryCrossentropy(True, 0.1, name="bce")


def test_dtype_is_kept_and_floatx_followed():
    assert door.BinaryCrossentropy(dtype="bfloat16").get_config()["dtype"] == "bfloat16"
    assert door.BinaryCrossentropy(dtype=keras.DTypePolicy("mixed_float16")).get_config()["dtype"] == "float16"
    assert door.BinaryCrossentropy().get_config()["dtype"] is None
    keras.config.set_floatx("float16")
    try:
        assert dtype_of(door.BinaryCrossentropy()([1.0], [0.3])) == "float16"
    finally:
        keras.config.set_floatx("float32")


def test_losses_are_named():
    assert door.BinaryCrossentropy().name == "binary_crossentropy"
    assert door.PolyBinaryCrossentropy(name=None).name.startswith("poly_binary_crossentropy")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reduction": "median"}, "Invalid value for argument `reduction`"),
        ({"label_smoothing": 1.5}, r"`label_smoothing` must lie in \[0, 1\]; got 1.5"),
        ({"pos_weight": -1.0}, "`pos_weight` must be finite and >= 0"),
        ({"pos_weight": [[1.0]]}, "`pos_weight` must be a number or hold one number per label"),
        ({"epsilon": 1.0}, "`epsilon` must lie in"),
    ],
)
def test_impossible_parameters_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        door.BinaryCrossentropy(**arguments)


def test_unknown_parameters_are_refused():
    with pytest.raises(TypeError, match="logits"):
        door.BinaryCrossentropy(logits=True)  # pyright: ignore[reportCallIssue]


def test_an_alpha_without_balancing_is_pointed_out():
    with pytest.warns(UserWarning, match="no effect without apply_class_balancing"):
        door.BinaryFocalCrossentropy(alpha=0.4)


def test_an_axis_out_of_range_is_refused():
    with pytest.raises(ValueError, match="`axis` must lie between -2 and 1"):
        door.BinaryCrossentropy(axis=2)(np.ones((2, 2)), np.ones((2, 2)))


def test_another_backend_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr(_evaluation, "driver", None)
    monkeypatch.setattr(_evaluation, "BACKEND", "openvino")
    with pytest.raises(NotImplementedError, match=r"Keras runs on openvino. Set .* KERAS_BACKEND to jax or tensorflow"):
        door.BinaryCrossentropy()(np.ones(1), np.ones(1))
