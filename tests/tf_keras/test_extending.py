"""Losses of the Keras 2 door are extended, saved and put between symbolic tensors as Keras 2's own are."""

import dataclasses
import inspect
import math

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from support.compare import close
from tf_keras.saving import deserialize_keras_object, register_keras_serializable, serialize_keras_object

from binxent import losses
from binxent import tf_keras as door

pytestmark = pytest.mark.slow  # most tests trace graphs or train

RNG = np.random.default_rng(0)
LABELS, LOGITS = [[1.0], [0.0]], [[0.0], [2.0]]


def entropies(y, z):
    return np.logaddexp(0, np.asarray(z, float)) - np.asarray(y, float) * z


def pairs(*shape):
    return RNG.integers(0, 2, shape).astype("float32"), RNG.normal(0, 2, shape).astype("float32")


@register_keras_serializable("tests")
class Costly(door.BinaryCrossentropy):
    """With a `call`, an argument and an option in the configuration of its own."""

    def __init__(self, factor=10.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * super().call(y_true, y_pred)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


class Theirs(tf_keras.losses.BinaryCrossentropy):
    def call(self, y_true, y_pred):
        return 10 * super().call(y_true, y_pred)


class Branching(door.BinaryCrossentropy):
    """Whose control flow depends on values, which autograph makes the graph's."""

    def call(self, y_true, y_pred):
        costs = super().call(y_true, y_pred)
        if tf.reduce_max(costs) > 100:  # noqa: SIM108
            factor = 0.0
        else:
            factor = 2.0
        return factor * costs


@pytest.mark.parametrize("run", [lambda function: function, tf.function], ids=["eager", "graph"])
def test_an_overridden_call_is_used(run):
    close(run(Costly(from_logits=True))(LABELS, LOGITS), 10 * entropies(LABELS, LOGITS).mean())
    close(run(Branching(from_logits=True))(LABELS, LOGITS), 2 * entropies(LABELS, LOGITS).mean())
    y, z = pairs(3, 4, 2)
    mask = tf.constant([[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1]]) > 0
    for reduction in ("auto", "sum", "none"):
        for weight in (None, RNG.random((3, 4)).astype("float32")):

            def compute(define, reduction=reduction, weight=weight):
                predictions = tf.constant(z)
                predictions._keras_mask = mask
                return define(from_logits=True, reduction=reduction)(y, predictions, weight)

            close(*(run(compute)(define) for define in (Costly, Theirs)), 1e-5, 1e-6)
    weight = RNG.random((3, 4)).astype("float32")
    got = run(Costly(from_logits=True, reduction="mean_with_sample_weight"))(y, z, weight)
    close(got, 10 * (entropies(y, z).mean(-1) * weight).sum() / weight.sum(), 1e-5)


def test_one_number_for_all_and_rows_of_ragged_tensors():
    class Single(door.BinaryCrossentropy):
        def call(self, y_true, y_pred):
            return tf.reduce_mean(super().call(y_true, y_pred))

    close(Single(from_logits=True)(LABELS, LOGITS, [1.0, 3.0]), 2 * entropies(LABELS, LOGITS).mean())
    y_true, y_pred = tf.ragged.constant([[1.0, 0.0], [1.0]]), tf.ragged.constant([[0.3, -1.0], [2.0]])
    close(Costly(from_logits=True)(y_true, y_pred), 10 * door.BinaryCrossentropy(True)(y_true, y_pred).numpy())


def test_a_replaced_fn_is_used():
    loss = door.BinaryCrossentropy(from_logits=True)
    assert loss.fn is door.binary_crossentropy
    assert dict(loss._fn_kwargs) == {"from_logits": True, "label_smoothing": 0.0, "axis": -1}
    loss.fn = lambda y_true, y_pred, from_logits, label_smoothing, axis: tf.reduce_mean((y_true - y_pred) ** 2, axis)
    close(loss(LABELS, LOGITS), 2.5)
    with pytest.raises(TypeError, match="item assignment"):
        loss._fn_kwargs["axis"] = 0


@dataclasses.dataclass(frozen=True)
class Own(losses.BinaryCrossentropy):
    """A loss of one's own."""


def test_a_loss_of_ones_own_takes_a_class_keyword():
    class Loss(door.Loss, spec=Own):
        pass

    loss = Loss(from_logits=True)
    close(loss(LABELS, LOGITS), entropies(LABELS, LOGITS).mean())
    close(loss.call(LABELS, LOGITS), entropies(LABELS, LOGITS)[:, 0])


def test_an_option_cannot_be_set_afterwards():
    loss = door.BinaryFocalCrossentropy(gamma=3.0)
    for name, value in (("label_smoothing", 0.3), ("gamma", 2.0), ("dtype", "float64")):
        with pytest.raises(
            AttributeError,
            match=f"`{name}` of a 'BinaryFocalCrossentropy' cannot be set .* Make a new one with {name}=",
        ):
            setattr(loss, name, value)
    loss = door.BinaryCrossentropy(from_logits=True, reduction="mean")
    loss.name, loss.reduction = "mine", "sum"
    close(loss(LABELS, LOGITS), entropies(LABELS, LOGITS).sum())
    assert (loss.get_config()["name"], loss.get_config()["reduction"]) == ("mine", "sum")


def test_a_single_weight_of_positives_is_not_broadcast():
    for call in (
        door.BinaryCrossentropy(pos_weight=[2.0]),
        lambda *given: door.binary_crossentropy(*given, pos_weight=[2.0]),
    ):
        with pytest.raises(ValueError, match=r"`pos_weight` must .* one number for each label .* \(4, 3\); got 1"):
            call(np.ones((4, 3)), np.ones((4, 3), "float32"))
        call(np.ones((4, 1)), np.ones((4, 1), "float32"))


NAMES = ("BinaryCrossentropy", "BinaryFocalCrossentropy", "AsymmetricCrossentropy", "PolyBinaryCrossentropy")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kind", ["function", "class", "subclass"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_model_comes_back_with_its_losses(kind, suffix, tmp_path):
    x, y = RNG.normal(size=(8, 3)).astype("float32"), RNG.integers(0, 2, (8, 1))
    for name in NAMES if kind != "subclass" else NAMES[:1]:
        model = tf_keras.Sequential([tf_keras.layers.Dense(1, "sigmoid", input_shape=(3,))])
        define = Costly if kind == "subclass" else getattr(door, name)
        loss = getattr(door, define().name) if kind == "function" else define(label_smoothing=0.1)
        model.compile("sgd", loss)
        want = model.evaluate(x, y, verbose=0)
        model.save(tmp_path / f"model{suffix}")
        again = tf_keras.models.load_model(tmp_path / f"model{suffix}")
        assert again.evaluate(x, y, verbose=0) == want
        assert again.loss is loss if kind == "function" else type(again.loss) is define
        if kind == "subclass":
            assert again.loss.factor == 10
    loss = Costly(3.0)
    assert deserialize_keras_object(serialize_keras_object(loss)).factor == 3


def test_weights_may_be_symbolic_too_and_functions_keep_the_dtype(tmp_path):
    t, z, w = (tf_keras.Input(shape) for shape in ((3,), (3,), ()))
    model = tf_keras.Model([t, z, w], door.BinaryCrossentropy(from_logits=True, reduction="sum")(t, z, w))
    y, logits = pairs(5, 3)
    weight = np.arange(5, dtype="float32")
    want = (entropies(y, logits).mean(-1) * weight).sum()
    close(model([y, logits, weight]), want, 1e-5)
    model.save(tmp_path / "model.keras")
    close(tf_keras.models.load_model(tmp_path / "model.keras")([y, logits, weight]), want, 1e-5)
    half = tf_keras.Input((3,), dtype="float16")
    assert door.binary_crossentropy(t, half, from_logits=True).dtype == "float16"
    with pytest.raises(ValueError, match="must have the same shape"):
        door.binary_crossentropy(w, tf_keras.Input((1,)))
    close(Costly(from_logits=True)(tf.ones((2, 1)), tf.zeros((2, 1), "float16")), 10 * math.log(2), 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_those_of_the_specs(name):
    """They are written out for readers and type checkers."""

    def written(thing):
        return [(one.name, one.kind, one.default) for one in inspect.signature(thing).parameters.values()]

    of_spec = written(getattr(losses, name))
    auto = [(one, kind, "auto" if one == "reduction" else default) for one, kind, default in of_spec]
    assert written(getattr(door, name)) == auto
    of_function = [one for one in of_spec if one[0] not in ("reduction", "name", "dtype")]
    assert written(getattr(door, getattr(door, name)().name))[2:] == of_function


@pytest.mark.parametrize("base", [door.Loss])
def test_a_class_without_a_loss_says_how_to_name_one(base):
    class Nothing(base):
        pass

    with pytest.raises(TypeError, match="`Nothing` computes no loss. Derive it from a class that does, .*spec=binxent"):
        Nothing(from_logits=True)
    for spec in (int, "bce", losses.BinaryCrossentropy(), door.BinaryCrossentropy):
        with pytest.raises(TypeError, match="`spec` of `Wrong` must be a class of `binxent.losses`, or derived from"):
            type("Wrong", (base,), {}, spec=spec)
