"""The Keras 2 door: Keras 2's numbers where they are right, and the right ones where they are not."""

import copy
import inspect
import math
import pickle
import warnings

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from support.compare import close

from binxent import losses
from binxent import tf_keras as door

pytestmark = pytest.mark.slow  # most tests trace graphs or train

RNG = np.random.default_rng(0)
NAN = math.nan
FAMILY = (
    door.BinaryCrossentropy,
    door.BinaryFocalCrossentropy,
    door.AsymmetricCrossentropy,
    door.PolyBinaryCrossentropy,
)
RUNS = {"eager": lambda function: function, "graph": tf.function, "XLA": tf.function(jit_compile=True)}

each_class = pytest.mark.parametrize("define", FAMILY)
each_run = pytest.mark.parametrize("run", RUNS)


def pairs(from_logits, shape=(4, 5, 3)):
    """Labels and predictions that no clip touches."""
    y, z = RNG.integers(0, 2, shape), RNG.normal(0, 2, shape)
    return y.astype("float32"), (z if from_logits else 1 / (1 + np.exp(-z))).astype("float32")


def entropies(y, z):
    """Return the truth, in float64: next to 0 the two terms cancel."""
    z = np.asarray(z, float)
    return np.logaddexp(0, z) - y * z


def value_and_slope(loss, y_true, y_pred, sample_weight=None):
    y_pred = tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(y_true, y_pred, sample_weight=sample_weight)
    return value, tape.gradient(value, y_pred)


def table(count=64):
    x = np.random.default_rng(1).normal(size=(count, 5)).astype("float32")
    return x, (x[:, 0] > 0.3).astype("float32")


def network(loss, activation=None, **options):
    tf_keras.utils.set_random_seed(0)
    model = tf_keras.Sequential(
        [tf_keras.layers.Dense(4, "relu", input_shape=(5,)), tf_keras.layers.Dense(1, activation)]
    )
    model.compile("sgd", loss, **options)
    return model


# Keras 2's numbers.


@each_run
@pytest.mark.parametrize("from_logits", [True, False], ids=["logits", "probabilities"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("BinaryCrossentropy", {"label_smoothing": 0.1}),
        ("BinaryFocalCrossentropy", {"gamma": 1.5}),
        ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.3, "axis": 1}),
    ],
)
def test_losses_and_slopes_are_those_of_keras_2(name, options, from_logits, run):
    y_true, y_pred = pairs(from_logits)
    weight = RNG.random((4, 5) if "axis" not in options else (4, 1)).astype("float32")
    given = [("auto", weight), ("auto", None), ("sum", weight), ("none", weight), ("none", 2.0)]
    for reduction, sample_weight in given[: {"eager": 5, "graph": 2, "XLA": 1}[run]]:  # each is compiled anew
        got, want = (
            value_and_slope(
                RUNS[run](define(from_logits=from_logits, reduction=reduction, **options)),
                y_true,
                y_pred,
                sample_weight,
            )
            for define in (getattr(door, name), getattr(tf_keras.losses, name))
        )
        for one, other in zip(got, want, strict=True):
            assert one.dtype == other.dtype
            close(one, other, 2e-5, 1e-6)


def test_certain_probabilities_cost_what_they_cost_in_keras_2():
    y_true, y_pred = np.float32([[1], [0], [1], [0]]), np.float32([[0], [1], [1], [0]])
    got, slopes = value_and_slope(door.BinaryCrossentropy(reduction="none"), y_true, y_pred)
    close(got, tf_keras.losses.BinaryCrossentropy(reduction="none")(y_true, y_pred), 1e-6, 2e-7)
    close(got, [15.425, 15.333, 0, 0], 1e-4, 1e-6)
    e, rest = 1e-7, 2.0**-23  # 1 - e is 1 - 2^-23 in float32
    close(slopes[:2, 0], [-1 / (2 * e), 1 / (rest + e)], 1e-5)  # where Keras's are 0
    exact = door.BinaryCrossentropy(epsilon=None, reduction="none")(y_true, y_pred)
    assert exact.numpy().tolist() == [np.inf, np.inf, 0, 0]
    close(door.BinaryCrossentropy(epsilon=0.01)([[1.0]], [[0.0]]), -math.log(0.02), 1e-6)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@each_run
def test_the_logits_behind_a_sigmoid_are_taken_but_not_a_softmaxs(activation, run):
    logits = tf.constant([[40.0, -30.0], [20.0, 90.0]])
    labels = tf.constant([[0.0, 1.0], [1.0, 0.0]])

    def compute(loss):
        activate = getattr(tf_keras.activations, activation)
        return value_and_slope(lambda y_true, z, sample_weight: loss(y_true, activate(z)), labels, logits)

    ours, keras2 = (
        RUNS[run](lambda loss=loss: compute(loss))()
        for loss in (door.BinaryCrossentropy(), tf_keras.losses.BinaryCrossentropy())
    )
    behind = entropies(labels.numpy(), logits.numpy().astype(float)).mean()
    close(keras2[0], behind)
    if activation == "sigmoid":
        close(ours[0], behind)
        close(ours[1], keras2[1], 1e-6, 1e-9)
        close(
            RUNS[run](lambda: compute(door.binary_crossentropy)[0])(),
            entropies(labels.numpy(), logits.numpy()).mean(-1),
        )
        clipped = RUNS[run](lambda: compute(door.BinaryCrossentropy(epsilon=1e-3))[0])()  # somebody wants a clip
        assert float(clipped) < 7
    else:
        # e is added at both ends: 2e and 1 - 2e, or so, cost this much.
        close(ours[0], tf_keras.losses.BinaryCrossentropy()(labels, tf.constant(tf.nn.softmax(logits).numpy())), 1e-5)


def test_a_sigmoid_and_from_logits_is_pointed_out():
    loss = door.BinaryCrossentropy(from_logits=True)
    with pytest.warns(UserWarning, match="come straight out of a sigmoid.*drop from_logits=True"):
        got = loss([[1.0]], tf_keras.activations.sigmoid(tf.constant([[-40.0]])))
    close(got, 40.0)


@pytest.mark.parametrize("define", [door.BinaryCrossentropy, tf_keras.losses.BinaryCrossentropy])
def test_a_mean_under_a_strategy_is_refused_outside_of_fit(define):
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        for reduction in ("auto", "sum_over_batch_size"):
            with pytest.raises(ValueError, match=r"Please use `tf.keras.losses.Reduction.SUM` or"):
                define(reduction=reduction)([[1.0]], [[0.5]])
        close(define(reduction="sum")([[1.0]], [[0.5]]), math.log(2), 1e-5)
        close(define(reduction="none")([[1.0]], [[0.5]]), [math.log(2)], 1e-5)


@pytest.mark.parametrize("reduction", ["mean", "mean_with_sample_weight"])
def test_our_own_means_are_refused_there_too(reduction):
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope(), pytest.raises(ValueError, match="Please use"):
        door.BinaryCrossentropy(reduction=reduction)([[1.0]], [[0.5]])


# Shapes: axes, ragged rows, weights, masks, unknown ranks.


@pytest.mark.parametrize("axis", [-1, 0, (0, 2), None, ()], ids=str)
def test_the_axis(axis):
    y_true, y_pred = pairs(True)
    for got in (
        door.BinaryCrossentropy(from_logits=True, axis=axis, reduction="none")(y_true, y_pred),
        door.binary_crossentropy(y_true, y_pred, True, axis=axis),
    ):
        close(got, entropies(y_true, y_pred).mean(axis), 1e-5)


def test_ranks_that_differ_by_a_last_axis_of_one_meet():
    y, z = pairs(True, (6,))
    for y_true, y_pred in ((y, z[:, None]), (y[:, None], z)):
        close(door.BinaryCrossentropy(from_logits=True)(y_true, y_pred), entropies(y, z).mean(), 1e-5)
    with pytest.raises(ValueError, match="must have the same shape"):
        door.binary_crossentropy(y, z[:, None], from_logits=True)
    with pytest.raises(ValueError, match="must have the same shape"):
        door.BinaryCrossentropy(from_logits=True)(y, z[:2])


RAGGED = {
    "rows": (([[1.0, 0.0], [1.0], [0.0, 0.0, 1.0]]), 1),
    "steps of two": ([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0]]], 1),
    "rows of rows": ([[[1.0, 0.0, 1.0], [0.0]], [[0.0, 1.0]]], 2),
}


@pytest.mark.parametrize("kind", RAGGED)
@pytest.mark.parametrize("run", ["eager", "graph"])
def test_ragged_rows_are_those_of_keras_2(kind, run):
    values, ragged_rank = RAGGED[kind]
    y_true = tf.ragged.constant(values, ragged_rank=ragged_rank)
    y_pred = y_true.with_flat_values(RNG.random(y_true.flat_values.shape).astype("float32"))
    weight = np.arange(1.0, y_true.shape[0] + 1, dtype="float32")
    for reduction in ("none", "sum", "auto"):
        for sample_weight in (None, weight):
            if kind == "rows of rows" and sample_weight is not None:
                continue  # which Keras takes for weights of the steps, from the right
            got, want = (
                RUNS[run](define(reduction=reduction))(y_true, y_pred, sample_weight=sample_weight)
                for define in (door.BinaryCrossentropy, tf_keras.losses.BinaryCrossentropy)
            )
            assert type(got) is type(want)
            if isinstance(want, tf.RaggedTensor):
                assert [len(row) for row in got.to_list()] == [len(row) for row in want.to_list()]
                got, want = got.flat_values, want.flat_values
            close(got, want, 1e-5, 1e-7)
    got, want = (package.binary_crossentropy(y_true, y_pred) for package in (door, tf_keras.losses))
    close(getattr(got, "flat_values", got), getattr(want, "flat_values", want), 1e-5, 1e-7)


def test_ragged_rows_that_are_empty_ignored_or_unequal():
    y_true = tf.ragged.constant([[1.0, -1.0], [], [-1.0], [0.0]])
    y_pred = tf.ragged.constant([[0.0, NAN], [], [NAN], [3.0]])
    want = np.array([math.log(2), 0, 0, np.logaddexp(0, 3)])
    loss = door.BinaryCrossentropy(from_logits=True, ignore_label=-1, reduction="none")
    close(loss(y_true, y_pred), want, 1e-6)
    weight = [1.0, NAN, NAN, 2.0]
    loss = door.BinaryCrossentropy(from_logits=True, ignore_label=-1)
    close(loss(y_true, y_pred), want.sum() / 2, 1e-6)  # Keras 2 has NaN for a row without elements
    loss = door.BinaryCrossentropy(from_logits=True, ignore_label=-1, reduction="mean_with_sample_weight")
    close(loss(y_true, y_pred, weight), (want[0] + 2 * want[3]) / 3, 1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="rows of `y_true` must be as long"):
        loss(tf.ragged.constant([[1.0], [1.0, 0.0], [0.0], [0.0]]), y_pred)


def test_ragged_models_fit():
    inputs = tf_keras.Input((None, 2), ragged=True)
    model = tf_keras.Model(inputs, tf_keras.layers.TimeDistributed(tf_keras.layers.Dense(1))(inputs))
    x = tf.RaggedTensor.from_row_lengths(RNG.normal(size=(6, 2)).astype("float32"), [1, 3, 2])
    y = tf.RaggedTensor.from_row_lengths(np.float32([[1], [0], [1], [1], [0], [1]]), [1, 3, 2])
    results = []
    for define in (door.BinaryCrossentropy, tf_keras.losses.BinaryCrossentropy):
        model.compile("sgd", define(from_logits=True))
        results.append(model.evaluate(x, y, verbose=0))
    close(*results, 1e-5)
    model.compile("sgd", door.BinaryCrossentropy(from_logits=True))
    assert model.fit(x, y, epochs=2, verbose=0).history["loss"][1] < results[0]


def test_weights_line_up_with_the_leading_axes():
    y_true, y_pred = pairs(True, (3, 3, 3))
    costs = entropies(y_true, y_pred)
    for shape in ((), (3,), (3, 1), (3, 3), (3, 3, 1), (3, 3, 3)):
        weight = RNG.random(shape).astype("float32")
        each = np.broadcast_to(weight.reshape([*weight.shape, *[1] * (3 - weight.ndim)]), costs.shape)
        for reduction, want in (
            ("auto", (costs * each).mean()),
            ("mean", (costs * each).mean()),
            ("sum", (costs * each).mean(-1).sum()),
            ("none", (costs * each).mean(-1)),
            ("mean_with_sample_weight", (costs * each).sum() / each.sum()),
        ):
            got = door.BinaryCrossentropy(from_logits=True, reduction=reduction)(y_true, y_pred, sample_weight=weight)
            close(got, want, 1e-5)


@pytest.mark.parametrize("shape", [(2,), (3, 2), (1, 5), (4, 5, 3, 1, 2), (3,)])
def test_weights_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="`sample_weight` must be a number, or have the shape of the predictions"):
        door.BinaryCrossentropy(from_logits=True)(*pairs(True), sample_weight=np.ones(shape, "float32"))


@each_class
def test_hidden_entries_hide_everything(define):
    y_true, y_pred = pairs(True, (4, 3))
    want, slopes = value_and_slope(define(from_logits=True, reduction="sum", axis=None), y_true[:2], y_pred[:2])
    y_true[2:], y_pred[2:] = NAN, np.inf
    y_true[3], y_pred[3] = -1, NAN
    masked = tf.constant(y_pred)
    masked._keras_mask = tf.constant([True, True, False, False])
    hiding = {
        "weight": (y_pred, {"sample_weight": np.float32([1, 1, 0, 0])}, {}),
        "mask": (masked, {}, {}),
        "label": (y_pred[[0, 1, 3, 3]], {}, {"ignore_label": -1}),
    }
    for how, (given, weights, options) in hiding.items():
        labels = y_true[[0, 1, 3, 3]] if how == "label" else y_true
        loss = define(from_logits=True, reduction="sum", axis=-1, **options)
        with tf.GradientTape() as tape:
            watched = tf.Variable(given)
            mask = getattr(given, "_keras_mask", None)
            predictions = tf.identity(watched)
            if mask is not None:
                predictions._keras_mask = mask
            value = loss(labels, predictions, **weights)
        close(value, want * 2, 1e-5)
        close(tape.gradient(value, watched), np.concatenate([slopes * 2, np.zeros((2, 3))]), 1e-5, 1e-7)


def test_masks_of_layers_weigh_as_in_keras_2():
    tokens = np.array([[1, 2, 0, 0], [3, 1, 2, 0]])
    y, weight = RNG.integers(0, 2, (2, 4, 1)).astype("float32"), np.float32([1, 3])
    inputs = tf_keras.Input((4,))
    hidden = tf_keras.layers.Embedding(4, 3, mask_zero=True)(inputs)
    model = tf_keras.Model(inputs, tf_keras.layers.TimeDistributed(tf_keras.layers.Dense(1))(hidden))
    for given in ({}, {"sample_weight": weight}):
        results = []
        for define in (door.BinaryCrossentropy, tf_keras.losses.BinaryCrossentropy):
            model.compile("sgd", define(from_logits=True))
            results.append(model.evaluate(tokens, y, verbose=0, **given))
        close(*results, 1e-5)


def test_shapes_that_only_running_tells():
    unknown, known = tf.TensorSpec(None), tf.TensorSpec((None, 3))
    loss = door.BinaryCrossentropy(from_logits=True)
    running = tf.function(lambda *given: loss(*given), input_signature=[unknown, known, unknown])
    y_true, y_pred = pairs(True, (4, 3))
    for weight in (2.0, [1, 2, 3, 4], [[1], [2], [3], [4]], y_pred**2):
        close(running(y_true, y_pred, np.float32(weight)), loss(y_true, y_pred, np.float32(weight)), 1e-6)
    for wrong in ([[1, 2, 3]], [1, 2]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`sample_weight` must have the shape"):
            running(y_true, y_pred, np.float32(wrong))
    for weight in (1.0, y_pred**2):
        with pytest.raises(tf.errors.InvalidArgumentError, match="must have the same shape"):
            running(y_true[:, :1], y_pred, np.float32(weight))
    single = tf.function(loss, input_signature=[unknown, tf.TensorSpec((None, 1))])
    close(single(y_true[:, 0], y_pred[:, :1]), entropies(y_true[:, 0], y_pred[:, 0]).mean(), 1e-5)


def test_an_empty_batch_costs_nothing():
    for reduction in ("auto", "sum"):
        assert float(door.BinaryCrossentropy(reduction=reduction)(tf.zeros((0, 3)), tf.zeros((0, 3)))) == 0


# Dtypes.


@each_class
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_functions_keep_the_dtype_and_classes_the_digits(define, dtype):
    y_true, y_pred = pairs(False)
    y_pred = tf.cast(y_pred, dtype)
    function = getattr(door, define().name)
    assert function(y_true, y_pred).dtype == dtype
    got = define()(tf.cast(y_true, "int32"), y_pred)
    assert got.dtype == ("float64" if dtype == "float64" else "float32")
    want = losses_of(define)(dtype="float64")(y_true.astype(float), tf.cast(y_pred, "float64").numpy())
    close(got, want, 1e-5)
    assert define(dtype="float16")(y_true, y_pred).dtype == "float16"


def losses_of(define):
    return getattr(losses, define.__name__)


def test_a_mean_of_many_halves_is_right():
    many = tf.zeros((100_000, 1), "float16")
    close(door.BinaryCrossentropy(from_logits=True)(many, many), math.log(2), 1e-5)
    assert math.isnan(tf_keras.losses.BinaryCrossentropy(from_logits=True)(many, many))


# Models.


@pytest.mark.parametrize(
    "options", [{}, {"run_eagerly": True}, {"jit_compile": True}, {"steps_per_execution": 2}], ids=lambda o: "".join(o)
)
def test_training_is_that_of_keras_2(options):
    x, y = table()
    histories = []
    for define in (door.BinaryFocalCrossentropy, tf_keras.losses.BinaryFocalCrossentropy):
        model = network(define(from_logits=True), **options)
        history = model.fit(x, y, 16, 2, 0, validation_data=(x, y, 1 + y), class_weight={0: 1.0, 1: 2.0})
        histories.append([history.history["loss"], history.history["val_loss"]])
    close(*histories, 1e-5)


@pytest.mark.parametrize("loss", [door.BinaryCrossentropy(from_logits=True), door.binary_crossentropy])
def test_training_in_a_graph_of_tensorflow_1(loss):
    x, y = table()
    with tf.Graph().as_default():
        y_true, y_pred = (tf.compat.v1.placeholder("float32", (None, 1)) for _ in range(2))
        value = tf.reduce_mean(loss(y_true, y_pred))
        slope = tf.compat.v1.gradients(value, y_pred)[0]
        with tf.compat.v1.Session() as session:
            feed = {y_true: [[1.0], [0.0]], y_pred: [[0.25], [0.5]]}
            got = session.run([value, slope], feed)
    want = tf.reduce_mean(loss([[1.0], [0.0]], [[0.25], [0.5]]))
    close(got[0], want)
    assert (np.sign(got[1]) == [[-1], [1]]).all()
    histories = []
    for one in (
        loss,
        "binary_crossentropy" if loss is door.binary_crossentropy else tf_keras.losses.BinaryCrossentropy(True),
    ):
        with tf.Graph().as_default():
            model = network(one, "sigmoid" if loss is door.binary_crossentropy else None)
            histories.append(model.fit(x, y, epochs=2, verbose=0, sample_weight=1 + y).history["loss"])
    close(*histories, 1e-5)


def test_half_precision_models_learn():
    x, y = table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layers = [
            tf_keras.layers.Dense(4, "relu", dtype="mixed_float16"),
            tf_keras.layers.Dense(1, dtype="mixed_float16"),
        ]
        model = tf_keras.Sequential(layers)
        optimizer = tf_keras.mixed_precision.LossScaleOptimizer(tf_keras.optimizers.SGD(0.5))
        model.compile(optimizer, door.BinaryFocalCrossentropy(from_logits=True, gamma=0.5))
        history = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert history[2] < 0.95 * history[0]


def test_labels_of_unknown_rank_train():
    x, y = table()
    batches = tf.data.Dataset.from_generator(lambda: zip(x[:, None], y[:, None], strict=True), (tf.float32, tf.float32))
    batches = batches.map(lambda x, y: (tf.ensure_shape(x, (None, 5)), y))
    model = network(door.BinaryCrossentropy(from_logits=True))
    want = network(door.BinaryCrossentropy(from_logits=True)).evaluate(x, y, verbose=0)
    close(model.evaluate(batches, verbose=0), want, 1e-5)


@pytest.mark.parametrize("loss", [door.BinaryCrossentropy(), door.binary_crossentropy], ids=["class", "function"])
def test_a_loss_between_symbolic_tensors(loss, tmp_path):
    x, y = table()
    inputs, labels = tf_keras.Input((5,)), tf_keras.Input((1,))
    outputs = tf_keras.layers.Dense(1, "sigmoid")(inputs)
    model = tf_keras.Model([inputs, labels], outputs)
    model.add_loss(tf.reduce_mean(loss(labels, outputs)))
    model.compile("sgd")
    want = entropies(y, np.log(p := model.predict([x, y], verbose=0)[:, 0]) - np.log1p(-p)).mean()
    close(model.evaluate([x, y], verbose=0), want, 1e-4)
    model.save(tmp_path / "model.keras")
    again = tf_keras.models.load_model(tmp_path / "model.keras")
    again.compile("sgd")
    close(again.evaluate([x, y], verbose=0), want, 1e-4)


LOADING = """
import sys, numpy as np, tf_keras, binxent.tf_keras
for path in sys.argv[1:]:
    model = tf_keras.models.load_model(path)
    loss = model.loss
    assert type(loss) is binxent.tf_keras.BinaryCrossentropy, loss
    assert loss.spec.pos_weight == (2.0,) and loss.axis == (0, 1) and loss.ignore_label != loss.ignore_label
    assert loss.reduction == "auto" and loss.label_smoothing == 0.1
    print(model.evaluate(np.ones((4, 5)), np.ones(4), verbose=0))
"""


def test_a_fresh_process_loads_saved_models(interpreter, tmp_path):
    model = network(door.BinaryCrossentropy(True, 0.1, (0, 1), pos_weight=[2.0], ignore_label=NAN))
    model.fit(*table(), verbose=0)
    paths = [tmp_path / name for name in ("model.keras", "model.h5", "folder")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in paths:
            model.save(path)
    results = [float(line) for line in interpreter(LOADING, *paths, TF_CPP_MIN_LOG_LEVEL="3").split()]
    close(results, [model.evaluate(np.ones((4, 5)), np.ones(4), verbose=0)] * 3, 1e-6)


def test_a_function_is_saved_as_a_loss_too(tmp_path):
    model = network(door.binary_focal_crossentropy, "sigmoid")
    model.fit(*table(), verbose=0)
    model.save(tmp_path / "model.keras")
    again = tf_keras.models.load_model(tmp_path / "model.keras")
    close(again.evaluate(*table(), verbose=0), model.evaluate(*table(), verbose=0), 0)


# Configurations.


@each_class
def test_configurations(define):
    loss = define(from_logits=True, label_smoothing=0.1, axis=(1, 2), reduction="sum", name="mine", ignore_label=-1)
    config = loss.get_config()
    assert (config["name"], config["axis"], config["reduction"]) == ("mine", [1, 2], "sum")
    revived = tf_keras.saving.deserialize_keras_object(tf_keras.saving.serialize_keras_object(loss))
    for again in (define.from_config(config), revived, copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert type(again) is define and again.spec == loss.spec and again.get_config() == config
    assert (loss.from_logits, loss.label_smoothing, loss.axis, loss.name) == (True, 0.1, (1, 2), "mine")
    with pytest.raises(AttributeError, match="has no attribute 'sharpness'"):
        _ = loss.sharpness


@pytest.mark.parametrize(
    "reduction", ["auto", "none", "sum", "sum_over_batch_size", "mean", "mean_with_sample_weight", None]
)
def test_reductions_are_kept(reduction):
    loss = door.BinaryCrossentropy(reduction=reduction)
    again = door.BinaryCrossentropy.from_config(loss.get_config())
    assert again.spec == loss.spec and again.reduction == loss.reduction
    assert loss.reduction in tf_keras.losses.Reduction.all()  # what Keras 2 asks about
    with pytest.raises(ValueError, match="Invalid value for argument `reduction`"):
        door.BinaryCrossentropy(reduction="median")


@pytest.mark.parametrize("name", ["BinaryCrossentropy", "BinaryFocalCrossentropy"])
def test_configurations_of_keras_load(name):
    keras2 = getattr(tf_keras.losses, name)(from_logits=True, label_smoothing=0.1).get_config()
    keras3 = {"name": "mine", "reduction": "sum_over_batch_size", "from_logits": True, "axis": -1, "dtype": "float32"}
    assert getattr(door, name).from_config(keras2).spec == getattr(losses, name)(from_logits=True, label_smoothing=0.1)
    assert getattr(door, name).from_config(keras3).spec == getattr(losses, name)(
        from_logits=True, name="mine", dtype="float32"
    )


def test_signatures_are_those_of_keras_2():
    for name in ("BinaryCrossentropy", "BinaryFocalCrossentropy", "binary_crossentropy", "binary_focal_crossentropy"):
        ours, keras2 = (inspect.signature(getattr(package, name)).parameters for package in (door, tf_keras.losses))
        assert list(ours)[: len(keras2)] == list(keras2)
        assert [ours[one].default for one in keras2] == [one.default for one in keras2.values()]


def test_an_impossible_parameter_is_refused():
    with pytest.raises(ValueError, match=r"`label_smoothing` must lie in \[0, 1\]; got 1.5"):
        door.BinaryCrossentropy(label_smoothing=1.5)
    with pytest.raises(TypeError, match="logits"):
        door.BinaryCrossentropy(logits=True)  # pyright: ignore[reportCallIssue]
