"""Losses and metrics are extended as Keras's own are: by `call`, `fn`, configurations and arguments of one's own."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.saving import deserialize_keras_object, register_keras_serializable, serialize_keras_object
from keras.src.losses.losses import LossFunctionWrapper
from support.compare import close
from support.keras_calls import batch, entropies, gradient, masked, table

import binxent.keras as door
from binxent import losses
from binxent.keras import metrics

LABELS, LOGITS = [[1.0], [0.0]], [[0.0], [2.0]]


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


@register_keras_serializable("tests")
class CostlyMean(metrics.BinaryCrossentropy):
    """With an `update_state`, a `result`, an argument and an option of its own."""

    def __init__(self, factor=10.0, **options):
        super().__init__(**options)
        self.factor = factor
        self.batches = self.add_variable((), "zeros", name="batches")

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, y_pred, sample_weight)
        self.batches.assign_add(1.0)

    def result(self):
        return self.factor * super().result()

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


def squared_error(y_true, y_pred, from_logits, label_smoothing, axis):
    assert (from_logits, label_smoothing, axis) == (True, 0.0, -1)
    return ops.mean((y_true - y_pred) ** 2, axis=-1)


def test_an_overridden_call_is_used():
    close(Costly(from_logits=True)(LABELS, LOGITS), 10 * entropies(LABELS, LOGITS).mean())
    close(Costly(2.0, from_logits=True, reduction="sum")(LABELS, LOGITS), 2 * entropies(LABELS, LOGITS).sum())
    close(Costly(from_logits=True)([1.0, 0.0], LOGITS), 10 * entropies(LABELS, LOGITS).mean())  # ranks meet
    y, z = batch(4, 3)
    got = gradient(lambda z: Costly(from_logits=True)(y, z), z)
    close(got, 10 * gradient(lambda z: door.BinaryCrossentropy(from_logits=True)(y, z), z), 1e-5, 1e-8)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none"])
@pytest.mark.parametrize("hidden", ["weights", "mask", "both", "neither"])
def test_what_it_returns_is_weighed_masked_and_reduced_as_in_keras(reduction, hidden):
    class Theirs(keras.losses.BinaryCrossentropy):
        def call(self, y_true, y_pred):
            return 10 * super().call(y_true, y_pred)

    y, z = batch(3, 4, 2)
    mask = np.array([[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1]], bool)
    weight = np.random.default_rng(0).random((3, 4)).astype("float32") if hidden in ("weights", "both") else None
    z = masked(z, mask) if hidden in ("mask", "both") else z
    ours, theirs = (define(from_logits=True, reduction=reduction)(y, z, weight) for define in (Costly, Theirs))
    close(ours, theirs, 1e-5)


def test_hidden_samples_of_an_overridden_call_cost_nothing():
    y, z = np.float32([[1], [0], [1]]), np.float32([[0], [np.nan], [2]])
    want = 10 * entropies([1, 1], [0, 2])
    close(Costly(from_logits=True, reduction="none")(y, z, [1.0, 0.0, 2.0]), [want[0], 0, 2 * want[1]])
    close(Costly(from_logits=True)(y, masked(z, [True, False, True])), want.mean())


def test_a_call_that_gives_one_number_is_weighed_too():
    class Single(door.BinaryCrossentropy):
        def call(self, y_true, y_pred):
            return ops.mean(super().call(y_true, y_pred))

    want = entropies(LABELS, LOGITS).mean()
    close(Single(from_logits=True)(LABELS, LOGITS), want)
    close(Single(from_logits=True)(LABELS, LOGITS, [1.0, 3.0]), 2 * want)


def test_halves_of_an_overridden_call_are_summed_in_float32():
    y, z = batch(100_000, 1)
    close(Costly(from_logits=True, dtype="float16")(y, z), 10 * entropies(y, z).mean(), 1e-3)


def test_an_overridden_call_may_take_structures():
    class Both(door.BinaryCrossentropy):
        def call(self, y_true, y_pred):
            return super().call(y_true["a"], y_pred["a"]) + super().call(y_true["b"], y_pred["b"])

    y, z = {"a": LABELS, "b": LABELS}, {"a": LOGITS, "b": LOGITS}
    close(Both(from_logits=True)(tree(y), tree(z)), 2 * entropies(LABELS, LOGITS).mean())


def tree(structure):
    return {name: np.float32(values) for name, values in structure.items()}


def test_a_replaced_fn_is_used():
    loss = door.BinaryCrossentropy(from_logits=True)
    assert loss.fn is door.binary_crossentropy
    assert dict(loss._fn_kwargs) == {"from_logits": True, "label_smoothing": 0.0, "axis": -1}
    loss.fn = squared_error
    close(loss(LABELS, LOGITS), 2.5)
    loss = door.BinaryCrossentropy(from_logits=True)
    loss.call = lambda y_true, y_pred: ops.sum(y_pred, -1)
    close(loss(LABELS, LOGITS), 1.0)
    with pytest.raises(TypeError, match="item assignment"):
        loss._fn_kwargs["axis"] = 0
    options = door.BinaryCrossentropy(pos_weight=3.0, epsilon=None)._fn_kwargs
    assert options["pos_weight"] == 3 and options["epsilon"] is None and "ignore_label" not in options


def test_losses_of_ones_own_options_are_saved_and_trained(tmp_path):
    x, y = table(32)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1)])
    model.compile("sgd", Costly(4.0, from_logits=True), metrics=[CostlyMean(from_logits=True)], run_eagerly=True)
    loss, mean = model.evaluate(x, y, verbose=0)
    close(4 * mean, 10 * loss, 1e-5)
    assert float(model.metrics[1].metrics[0].batches) == 1
    for name in ("model.keras", "model.h5"):
        model.save(tmp_path / name)
        again = keras.models.load_model(tmp_path / name)
        close(again.evaluate(x, y, verbose=0), [loss, mean], 1e-6)
        assert (type(again.loss), again.loss.factor) == (Costly, 4.0)
    for thing in (Costly(3.0, label_smoothing=0.1), CostlyMean(3.0, label_smoothing=0.1)):
        again = deserialize_keras_object(serialize_keras_object(thing))
        assert (type(again), again.factor, again.label_smoothing) == (type(thing), 3.0, 0.1)


def test_functions_work_inside_of_keras_wrappers():
    y, z = batch(4, 3)
    wrapped = LossFunctionWrapper(door.binary_crossentropy, from_logits=True)
    metric = keras.metrics.MeanMetricWrapper(door.binary_crossentropy, from_logits=True)
    metric.update_state(y, z)
    for got in (wrapped(y, z), metric.result()):
        close(got, entropies(y, z).mean())
    again = deserialize_keras_object(serialize_keras_object(wrapped))
    assert again.fn is door.binary_crossentropy


@dataclasses.dataclass(frozen=True)
class Own(losses.BinaryCrossentropy):
    """A loss of one's own."""

    name: str | None = "own"


@pytest.mark.filterwarnings("ignore")
def test_a_loss_of_ones_own_takes_a_class_keyword():
    class Loss(door.losses.Loss, spec=Own):
        pass

    class Mean(metrics.Metric, spec=Own):
        pass

    loss, metric = Loss(from_logits=True, dtype="float32"), Mean(from_logits=True)
    metric.update_state(LABELS, LOGITS)
    for got in (loss(LABELS, LOGITS), metric.result(), ops.mean(loss.call(np.float32(LABELS), np.float32(LOGITS)))):
        close(got, entropies(LABELS, LOGITS).mean())
    assert (loss.name, type(loss.from_config(loss.get_config()))) == ("own", Loss)


@pytest.mark.parametrize("base", [door.losses.Loss, metrics.Metric])
def test_a_class_without_a_loss_says_how_to_name_one(base):
    class Nothing(base):
        pass

    with pytest.raises(TypeError, match="`Nothing` computes no loss. Derive it from a class that does, .*spec=binxent"):
        Nothing(from_logits=True)
    for spec in (int, "bce", losses.BinaryCrossentropy(), door.BinaryCrossentropy):
        with pytest.raises(TypeError, match="`spec` of `Wrong` must be a class of `binxent.losses`, or derived from"):
            type("Wrong", (base,), {}, spec=spec)


# Options are set once.


@pytest.mark.parametrize("make", [door.BinaryFocalCrossentropy, metrics.BinaryFocalCrossentropy])
def test_an_option_cannot_be_set_afterwards(make):
    thing = make(gamma=3.0)
    for name, value in (("label_smoothing", 0.3), ("gamma", 2.0), ("from_logits", True), ("spec", None)):
        with pytest.raises(
            AttributeError,
            match=f"`{name}` of a '{make.__name__}' cannot be set afterwards.* Make a new one with {name}=",
        ):
            setattr(thing, name, value)
    thing.gamma = 3  # as subclasses do with their arguments
    assert thing.gamma == 3.0 and thing.label_smoothing == 0


def test_what_keras_sets_itself_can_be_set():
    loss = door.BinaryCrossentropy(from_logits=True)
    loss.name, loss.reduction = "mine", "sum"
    close(loss(LABELS, LOGITS), entropies(LABELS, LOGITS).sum())
    assert (loss.get_config()["name"], loss.get_config()["reduction"]) == ("mine", "sum")
    metric = metrics.BinaryCrossentropy()
    metric.name = "mine"
    assert metric.get_config()["name"] == "mine"


def test_an_option_that_a_subclass_sets_must_agree():
    class Early(door.BinaryFocalCrossentropy):
        def __init__(self, gamma, inner):
            self.gamma = gamma
            super().__init__(gamma=inner)

    assert Early(2, 2.0).gamma == 2.0
    with pytest.raises(AttributeError, match="`gamma` of a 'Early' cannot be set"):
        Early(3.0, 2.0)


@pytest.mark.parametrize("make", [door.BinaryFocalCrossentropy, metrics.BinaryFocalCrossentropy])
def test_options_are_plain_numbers_of_the_moment(make):
    gamma = keras.Variable(3.0)
    thing = make(gamma=gamma, label_smoothing=ops.convert_to_tensor(0.5))
    gamma.assign(5.0)
    assert (thing.gamma, type(thing.gamma), thing.label_smoothing) == (3.0, float, 0.5)
    with pytest.raises(TypeError, match="`gamma` must be a plain number, known when the loss is made"):
        make(gamma=keras.Input(batch_shape=()))
