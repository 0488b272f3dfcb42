"""The Keras door on the JAX backend: Keras's numbers where Keras is right, the right numbers where it is not."""

import inspect
import math
import os
import subprocess
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest

keras = pytest.importorskip("keras")
if keras.backend.backend() != "jax":
    pytest.skip("Keras is set to another backend than JAX.", allow_module_level=True)

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from keras.src.losses import losses_test as upstream  # noqa: E402

import binxent.keras as door  # noqa: E402
from binxent import losses  # noqa: E402

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

RNG = np.random.default_rng(0)
NAN = math.nan


@pytest.fixture(autouse=True)
def _the_same_numbers_in_any_order():
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


def close(got, want, rtol=2e-6, atol=0.0):
    """Raises where they differ by more."""
    np.testing.assert_allclose(np.asarray(got, float), np.asarray(want, float), rtol, atol, strict=True)


def softplus(z):
    return np.logaddexp(0, z)


def entropies(y, z):
    """The truth: element-wise binary cross-entropy of logits, in float64."""
    y, z = np.asarray(y, float), np.asarray(z, float)
    return y * softplus(-z) + (1 - y) * softplus(z)


def batch(*shape):
    return RNG.integers(0, 2, shape).astype("float32"), RNG.normal(0, 3, shape).astype("float32")


def masked(values, mask):
    """A tensor that carries the mask that a layer would leave on it."""
    tensor = keras.ops.convert_to_tensor(values)
    keras.src.backend.set_keras_mask(tensor, keras.ops.convert_to_tensor(mask))
    return tensor


# Keras's own tests and documents.


class TestBinaryCrossentropyUpstream(upstream.BinaryCrossentropyTest):
    """Keras's tests of its class, run on ours."""

    @pytest.fixture(autouse=True)
    def _ours(self, monkeypatch):
        monkeypatch.setattr(upstream, "losses", door)


class TestBinaryFocalCrossentropyUpstream(upstream.BinaryFocalCrossentropyTest):
    """Keras's tests of its class, run on ours."""

    @pytest.fixture(autouse=True)
    def _ours(self, monkeypatch):
        monkeypatch.setattr(upstream, "losses", door)


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
    assert got.dtype == "float32"


def test_clipped_probabilities():
    bce = door.BinaryCrossentropy(reduction="none", axis=())
    close(bce([1, 0, 1, 0], [0.0, 1.0, 1.0, 0.0]), [16.118095, 15.942385, 1.192093e-7, 1e-7])
    slope = jax.grad(lambda p: door.BinaryCrossentropy(reduction="sum", axis=())([1, 0], p))(jnp.array([0.0, 1.0]))
    close(slope, [-1e7, 2.0**23])  # Keras on JAX: exactly 0


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
    taken = inspect.signature(function).parameters
    options = {name: p.default for name, p in inspect.signature(define).parameters.items()}
    assert {name: p.default for name, p in taken.items() if name not in ("y_true", "y_pred")} == {
        name: default for name, default in options.items() if name not in ("reduction", "name", "dtype")
    }
    with pytest.raises(ValueError, match="must have the same shape"):
        function(y[:, 0], z[:, :1])
    assert function(y, jnp.asarray(z, "bfloat16"), from_logits=True).dtype == "bfloat16"


@each_class
def test_signatures_are_those_of_the_specs(define):
    assert inspect.signature(define) == inspect.signature(getattr(losses, define.__name__)).replace(
        return_annotation=inspect.signature(define).return_annotation
    )
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
    for wrap in (lambda f: f, jax.jit):
        with pytest.raises(ValueError, match="`y_true` and `y_pred` must have the same shape"):
            wrap(door.BinaryCrossentropy(True))(np.ones(true), np.ones(pred))


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
    y, z = np.array([[1.0, NAN], [0.0, 1.0]]), jnp.array([[0.3, bad], [bad, 0.6]])
    value, slope = jax.value_and_grad(lambda z: loss(y, z, np.array([[1.0, 0.0], [0.0, 2.0]])))(z)
    parts = loss(y[[0, 1], [0, 1]], z[(0, 1), (0, 1)], np.array([1.0, 2.0]))
    close(value, float(parts) / 2)  # it costs nothing, but counts
    close([slope[0, 1], slope[1, 0]], [0, 0])
    assert (slope[(0, 1), (0, 1)] != 0).all()


@pytest.mark.parametrize("ignore", [-1, 255, NAN])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ignored_entries_neither_cost_nor_count(ignore, reduction):
    y = np.array([[1.0, ignore, 0.0], [ignore, ignore, 1.0], [ignore] * 3])
    z = jnp.array([[2.0, NAN, 1.0], [np.inf, 3.0, -1.0], [NAN, 1.0, 2.0]])
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
    slope = np.asarray(jax.grad(lambda z: jnp.sum(loss(y, z, weight)))(z))
    hidden = np.isnan(y) if math.isnan(ignore) else y == ignore
    assert (slope[hidden] == 0).all()
    assert (slope[~hidden] != 0).all()


def test_pos_weight_per_label():
    y, z = batch(5, 3)
    c = (1.0, 2.0, 5.0)
    want = (entropies(y, z) * np.where(y == 1, c, 1)).mean()
    close(door.BinaryCrossentropy(True, pos_weight=c)(y, z), want)


# Numbers and dtypes.


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16", "float32"])
def test_half_precision_is_computed_in_float32(dtype):
    y, z = batch(100_000)
    got = door.BinaryCrossentropy(True, dtype=dtype)(y, z)
    assert got.dtype == keras.dtype_policies.get(dtype).compute_dtype
    close(got, entropies(y, z).mean(), 1e-2 if dtype == "bfloat16" else 1e-3)
    right = door.BinaryCrossentropy(dtype=dtype, reduction="none")([[1.0], [0.0]], jnp.array([[1.0], [0.0]], "float16"))
    assert (right < 1e-6).all()  # Keras: NaN


def test_half_precision_predictions():
    y, z = batch(7, 2)
    z = jnp.asarray(z, "bfloat16")
    got = door.BinaryCrossentropy(True)(y.astype(bool), z)
    assert got.dtype == "float32"
    close(got, entropies(y, z).mean())


def test_integers_are_predictions_too():
    close(door.binary_crossentropy(np.array([1, 0]), np.array([1, 0])), 1.192093e-7 / 2 + 1e-7 / 2)


def test_float64():
    with jax.enable_x64(True):
        y, z = np.array([0, 1]), np.array([-35.0, 2.0])
        close(door.BinaryCrossentropy(True, dtype="float64")(y, z), entropies(y, z).mean(), 1e-15)
        close(door.binary_crossentropy(y, jnp.asarray(z), True), entropies(y, z).mean(), 1e-15)
        close(
            door.BinaryCrossentropy(dtype="float64", reduction="none")([[1], [0]], [[0.0], [1.0]]),
            [16.11809565] * 2,
            1e-8,
        )


@each_class
def test_transformations(define):
    loss = define(from_logits=True)
    y, z = batch(3, 4)
    value, slope = jax.value_and_grad(lambda z: loss(y, z))(jnp.asarray(z))
    jitted = jax.jit(jax.value_and_grad(lambda z, y: loss(y, z)))(z, y)
    close(jitted[0], value)
    close(jitted[1], slope, 1e-5, 1e-9)
    each = jax.vmap(jax.grad(lambda z, y: loss(y, z)))(z, y)
    close(each / 3, slope, 1e-5, 1e-9)
    hessian = jax.hessian(lambda z: loss(y, z))(jnp.asarray(z)).reshape(12, 12)
    close(hessian, np.diag(np.diag(hessian)), 0)
    curvature = jax.jvp(jax.grad(lambda z: loss(y, z)), (jnp.asarray(z),), (jnp.ones((3, 4)),))[1]
    close(np.diag(hessian).reshape(3, 4), curvature, 1e-5, 1e-8)


# Living in a model.


def table(rows=256):
    x = RNG.normal(size=(rows, 5)).astype("float32")
    return x, (x @ np.array([2.0, -1.0, 0.5, 0.0, 1.0]) > 0.5).astype("int32")


def network(loss, activation=None, dtype=None, jit_compile=True):
    keras.utils.set_random_seed(0)
    head = keras.layers.Dense(1, activation, dtype=dtype, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(8, "relu", dtype=dtype), head])
    model.compile(keras.optimizers.SGD(0.3), loss, jit_compile=jit_compile)
    return model


@pytest.mark.parametrize(("define", "jit_compile"), [*((define, True) for define in CLASSES), (CLASSES[0], False)])
def test_a_model_learns_and_survives_saving(define, jit_compile, tmp_path):
    x, y = table()
    model = network(define(from_logits=True), jit_compile=jit_compile)
    before = model.evaluate(x, y, verbose=0)
    history = model.fit(x, y, epochs=3, validation_split=0.25, verbose=0).history
    assert model.evaluate(x, y, verbose=0) < 0.85 * before
    assert len(history["val_loss"]) == 3
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.loss) is define
    assert again.loss.spec == model.loss.spec
    close(again.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0), 0)
    again.fit(x, y, epochs=1, verbose=0)


def test_a_fresh_process_loads_a_saved_model(tmp_path):
    loss = door.BinaryCrossentropy(True, 0.1, (0, 1), pos_weight=[2.0], ignore_label=NAN, epsilon=None, dtype="float32")
    network(loss).save(tmp_path / "model.keras")
    script = (
        "import sys, keras, binxent.keras\n"
        "loss = keras.models.load_model(sys.argv[1]).loss\n"
        "assert loss.spec.pos_weight == (2.0,) and loss.axis == (0, 1) and loss.ignore_label != loss.ignore_label\n"
        "assert loss.epsilon is None and loss.label_smoothing == 0.1 and loss.get_config()['dtype'] == 'float32'\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "model.keras")], check=True)


def test_a_function_is_a_loss_too(tmp_path):
    x, y = table()
    model = network(door.binary_crossentropy, "sigmoid")
    model.fit(x, y[:, None], verbose=0)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").evaluate(x, y[:, None], verbose=0) > 0


@pytest.mark.parametrize("kind", ["sample_weight", "class_weight"])
def test_weights_of_fit(kind):
    x, y = table(32)
    weight = np.where(y == 1, 3.0, 0.5)
    model = network(door.BinaryCrossentropy(from_logits=True))
    given = {"sample_weight": weight} if kind == "sample_weight" else {"class_weight": {0: 0.5, 1: 3.0}}
    loss = model.fit(x, y, epochs=1, verbose=0, **given).history["loss"][0]
    close(loss, (weight * math.log(2)).mean(), 1e-6)  # the head starts at 0, so every logit is 0
    bias = model.layers[-1].bias.numpy()[0]
    assert np.sign(bias) == np.sign((weight * (y - 0.5)).sum())


def test_the_mask_of_an_embedding_reaches_the_loss():
    tokens = np.array([[1, 2, 0, 0], [3, 1, 2, 0]])
    y = RNG.integers(0, 2, (2, 4, 1)).astype("float32")
    inputs = keras.Input((4,))
    hidden = keras.layers.Embedding(4, 3, mask_zero=True)(inputs)
    model = keras.Model(inputs, keras.layers.TimeDistributed(keras.layers.Dense(1))(hidden))
    model.compile("sgd", door.BinaryCrossentropy(from_logits=True))
    costs = entropies(y, model.predict(tokens, verbose=0))[..., 0]
    close(model.evaluate(tokens, y, verbose=0), costs[tokens > 0].mean(), 1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "bfloat16"])
def test_half_precision_models_learn(policy):
    x, y = table()
    model = network(door.BinaryFocalCrossentropy(from_logits=True, gamma=0.5), dtype=policy)
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=3, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.95 * before


def test_several_outputs_with_weights_per_element():
    x, y = table(32)
    inputs = keras.Input((5,))
    heads = {"a": keras.layers.Dense(3, name="a")(inputs), "b": keras.layers.Dense(1, name="b")(inputs)}
    model = keras.Model(inputs, heads)
    model.compile("sgd", {name: door.BinaryCrossentropy(from_logits=True) for name in heads})
    labels = {"a": RNG.integers(0, 2, (32, 3)), "b": y}
    weights = {"a": RNG.random((32, 3)), "b": np.ones(32)}
    outputs = model.predict(x, verbose=0)
    want = (entropies(labels["a"], outputs["a"]) * weights["a"]).mean() + entropies(y, outputs["b"][:, 0]).mean()
    got = model.evaluate(x, labels, sample_weight=weights, verbose=0)
    close(got[0], want, 1e-5)


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
        assert door.BinaryCrossentropy()([1.0], [0.3]).dtype == "float16"
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
    monkeypatch.setattr(keras.backend, "backend", lambda: "openvino")
    with pytest.raises(
        NotImplementedError, match=r"binxent.keras runs on jax, .*; Keras runs on openvino. Set .* to jax or"
    ):
        door.BinaryCrossentropy()(np.ones(1), np.ones(1))
