"""Predictions that are known for what they are: the logits behind a sigmoid, and warnings where kinds are mistaken."""

import contextlib
import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.compare import close, numbers
from support.keras_calls import BACKEND, entropies, gradient, table, value_and_gradient

import binxent.keras as door
from binxent.keras import metrics

KNOWN = BACKEND != "jax"  # which leaves nothing on an array
SATURATED = np.array([[40.0], [-50.0], [2.0]], "float32")
LABELS = np.array([[0.0], [1.0], [1.0]], "float32")


def sequential(*ends):
    return keras.Sequential([keras.Input((5,)), *ends])


class Subclassed(keras.Model):
    def __init__(self, activation):
        super().__init__()
        self.head = layers.Dense(1, activation, name="head")

    def call(self, inputs):
        return self.head(inputs)


class WithItsOwnStep(keras.Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        y_pred = ops.sigmoid(y_pred) * 0.5
        return self.loss(y, y_pred)


def mistakes(model, loss, observed=None, **options):
    """The warnings of two epochs and an evaluation."""
    x, y = table(8)
    model.compile("sgd", loss, metrics=observed, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(ValueError if BACKEND == "torch" else ()):  # torch's door looks at values as well
            model.fit(x, y[:, None], epochs=2, batch_size=4, verbose=0)
            model.evaluate(x, y[:, None], verbose=0)
    return [str(one.message) for one in caught if "`binary_" in str(one.message)]


@pytest.mark.parametrize("way", ["compiled", "eager"])
def test_a_sigmoid_is_not_logits(way):
    for model in (
        sequential(layers.Dense(1, "sigmoid", name="last")),
        sequential(layers.Dense(1), layers.Activation("sigmoid", name="last"), layers.Reshape((1,))),
    ):
        (message,) = mistakes(model, door.BinaryCrossentropy(from_logits=True), run_eagerly=way == "eager")
        assert "has from_logits=True, but the predictions come straight out of a sigmoid (layer 'last')" in message
        assert "binxent.keras.logits_model(model)" in message


@pytest.mark.parametrize("way", ["compiled", "eager"])
def test_a_layer_without_activation_is_not_a_probability(way):
    for last in (layers.Dense(1, name="last"), layers.EinsumDense("ab,bc->ac", (1,), bias_axes="c", name="last")):
        (message,) = mistakes(sequential(last), door.BinaryFocalCrossentropy(), run_eagerly=way == "eager")
        assert "takes probabilities, but" in message
        assert "a layer without activation (layer 'last'): they are logits. Pass from_logits=True" in message


def test_the_output_at_fault_is_named():
    inputs = keras.Input((5,))
    outputs = [layers.Dense(1, name="logits")(inputs), layers.Dense(1, "sigmoid", name="probabilities")(inputs)]
    model, (x, y) = keras.Model(inputs, outputs), table(8)
    model.compile("sgd", [door.BinaryCrossentropy(from_logits=True), door.BinaryCrossentropy(from_logits=True)])
    with pytest.warns(UserWarning, match="'probabilities'") as caught:
        model.fit(x, [y[:, None], y[:, None]], verbose=0)
    assert not [one for one in caught if "'logits'" in str(one.message)]


def test_metrics_point_it_out_too():
    model = sequential(layers.Dense(1, name="last"))
    observed = [metrics.BinaryFocalCrossentropy(), metrics.BinaryCrossentropy(from_logits=True)]
    (message,) = mistakes(model, door.BinaryCrossentropy(from_logits=True), observed)
    assert message.startswith("`binary_focal_crossentropy` takes probabilities")


@pytest.mark.parametrize(
    ("ends", "from_logits"),
    [
        ([layers.Dense(1)], True),
        ([layers.Dense(1, "sigmoid")], False),
        ([layers.Dense(1), layers.Softmax()], False),
        ([layers.Dense(1, "sigmoid"), layers.Rescaling(2.0, -1.0)], True),
        ([layers.Dense(1, "tanh")], True),
        ([layers.Dense(1), layers.Rescaling(0.0, 0.5)], False),
    ],
    ids=["logits", "probabilities", "softmax", "a sigmoid and more", "another activation", "a layer and more"],
)
@pytest.mark.filterwarnings("ignore:You are using a softmax")
def test_no_false_alarm(ends, from_logits):
    loss = door.BinaryCrossentropy(from_logits=from_logits)
    assert mistakes(sequential(*ends), loss, run_eagerly=BACKEND != "tensorflow") == []


def test_no_false_alarm_where_a_model_goes_its_own_way():
    inputs = keras.Input((5,))
    model = WithItsOwnStep(inputs, layers.Dense(1)(inputs))
    assert mistakes(model, door.BinaryCrossentropy(), run_eagerly=True) == []


@pytest.mark.skipif(not KNOWN, reason="JAX leaves nothing on an array")
def test_graphs_tell_what_a_subclassed_model_ends_in():
    (message,) = mistakes(Subclassed("sigmoid"), door.BinaryCrossentropy(from_logits=True))
    assert "come straight out of a sigmoid" in message
    (message,) = mistakes(Subclassed(None), door.BinaryCrossentropy())
    assert "come straight out of a layer without activation" in message
    assert mistakes(Subclassed("sigmoid"), door.BinaryCrossentropy()) == []
    assert mistakes(Subclassed(None), door.BinaryCrossentropy(from_logits=True)) == []


def test_a_loss_stops_checking(monkeypatch):
    checks = []
    monkeypatch.setattr(door.losses._logit_tracing, "_by_model", lambda y_pred: checks.append(1))
    loss = door.BinaryCrossentropy(from_logits=True)
    for _ in range(20):
        loss([1.0], [0.0])
    assert len(checks) == door.losses._logit_tracing.CHECKS


@pytest.mark.skipif(not KNOWN, reason="JAX leaves nothing on an array")
@pytest.mark.parametrize("define", [door.BinaryCrossentropy, door.BinaryFocalCrossentropy])
def test_a_saturated_sigmoid_is_seen_through(define):
    through, logits = define(reduction="sum"), define(from_logits=True, reduction="sum")
    got = value_and_gradient(lambda z: through(LABELS, keras.activations.sigmoid(z)), SATURATED)
    want = value_and_gradient(lambda z: logits(LABELS, z), SATURATED)
    close(got[0], numbers(want[0]), 0)
    assert (got[1] == want[1]).all()
    assert (abs(got[1][:2]) > 0.9).all()
    function = door.binary_crossentropy(LABELS, keras.activations.sigmoid(ops.convert_to_tensor(SATURATED)))
    close(function, entropies(LABELS, SATURATED)[:, 0])


def test_a_softmax_is_not_seen_through():
    z = np.array([[2.0, -1.0], [0.0, 3.0]], "float32")
    y = np.array([[1.0, 0.0], [1.0, 0.0]], "float32")
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    want = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    close(door.BinaryCrossentropy()(y, keras.activations.softmax(ops.convert_to_tensor(z))), want)
    slope = gradient(lambda z: door.BinaryCrossentropy()(y, keras.activations.softmax(z)), z)
    close(slope.sum(-1), [0, 0], atol=1e-6)  # a softmax does not move when all logits do


def test_a_clip_that_was_asked_for_stays():
    loss = door.BinaryCrossentropy(epsilon=0.01, reduction="none")
    costs = loss(LABELS, keras.activations.sigmoid(ops.convert_to_tensor(SATURATED)))
    close(costs[:2], [-np.log(0.01)] * 2, 1e-5)


@pytest.mark.parametrize("policy", [None, "mixed_float16"])
def test_a_saturated_model_learns(policy):
    """Keras: the gradient is exactly 0 on JAX and torch, and everywhere in mixed precision."""
    kernel = keras.initializers.Constant(30.0)
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, "sigmoid", kernel_initializer=kernel, dtype=policy)])
    model.compile(keras.optimizers.SGD(1.0), door.BinaryCrossentropy())
    value = model.train_on_batch(np.ones((2, 1)), np.zeros((2, 1)))
    moved = numbers(model.layers[-1].kernel)[0, 0]
    if KNOWN:
        close(value, 30.0)
        assert moved == 29.0
    else:
        assert moved == 30.0  # `logits_model` is for that


def test_the_slope_at_the_clip_stays_finite_in_float16():
    p = np.array([[1.0], [0.0], [0.5]])
    slope = gradient(lambda p: door.BinaryCrossentropy(reduction="sum")(LABELS, p), p, "float16")
    close(slope, [[65504.0], [-65504.0], [-2.0]], 1e-3)
