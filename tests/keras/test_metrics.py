"""The metrics: exact means whatever the batches, weights and masks, and what Keras asks of metrics."""

import inspect
import math

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.compare import close, dtype_of, numbers
from support.keras_calls import RNG, batch, entropies, masked

import binxent.keras as door
from binxent.keras import metrics

EACH = [
    metrics.BinaryCrossentropy,
    metrics.BinaryFocalCrossentropy,
    metrics.AsymmetricCrossentropy,
    metrics.PolyBinaryCrossentropy,
]
each_metric = pytest.mark.parametrize("define", EACH, ids=lambda define: define.__name__)


@each_metric
@pytest.mark.parametrize("weighted", [False, True])
def test_the_mean_does_not_depend_on_the_batches(define, weighted):
    y, z = batch(23, 3)
    weight = RNG.random(23).astype("float32") if weighted else None
    loss = getattr(door, define.__name__)(from_logits=True, reduction="none", axis=())
    each, weights = numbers(loss(y, z)), np.ones((23, 3)) if weight is None else np.repeat(weight[:, None], 3, 1)
    for size in (23, 7, 1):
        metric = define(from_logits=True)
        for start in range(0, 23, size):
            part = slice(start, start + size)
            metric.update_state(y[part], z[part], None if weight is None else weight[part])
        close(metric.result(), (each * weights).sum() / weights.sum(), 1e-6)
    metric.reset_state()
    close(metric.result(), 0.0)


def test_evaluate_gives_the_mean_of_the_table():
    x = RNG.normal(size=(70, 5)).astype("float32")
    y = RNG.integers(0, 2, (70, 2)).astype("float32")
    weight = RNG.random(70).astype("float32")
    model = keras.Sequential([keras.Input((5,)), layers.Dense(2)])
    plain, weighted = (metrics.BinaryCrossentropy(name, from_logits=True) for name in ("plain", "weighted"))
    model.compile("sgd", door.BinaryCrossentropy(from_logits=True), metrics=[plain], weighted_metrics=[weighted])
    each = entropies(y, numbers(model.predict(x, verbose=0)))
    for size in (70, 32):
        got = model.evaluate(x, y, batch_size=size, sample_weight=weight, verbose=0)
        close(got[1], each.mean(), 1e-6)
        close(got[2], (each.mean(-1) * weight).sum() / weight.sum(), 1e-6)


def test_hidden_entries_neither_cost_nor_count():
    y = np.array([[1.0, -1.0], [0.0, 1.0], [0.0, 0.0]], "float32")
    z = np.array([[2.0, math.nan], [math.inf, 3.0], [1.0, math.nan]], "float32")
    metric = metrics.BinaryCrossentropy(from_logits=True, ignore_label=-1)
    metric.update_state(y, masked(z, np.array([True, False, True])), [[1.0, 1.0], [5.0, 5.0], [2.0, 0.0]])
    close(metric.result(), (entropies(1, 2) + 2 * entropies(0, 1)) / 3)


def test_long_series_lose_nothing():
    metric = metrics.BinaryCrossentropy(from_logits=True)
    y, z = ops.ones((1,)), ops.convert_to_tensor([0.3])
    for _ in range(300):
        metric.update_state(y, z, 0.1)
    close(metric.result(), entropies(1, 0.3), 2e-7)
    sums, lost = map(numbers, metric.variables)
    exact = float(np.float32(0.1)) * 300
    assert abs(sums[1] - exact) > 1e-5  # in float32
    assert abs(sums[1] + lost[1] - exact) < 1e-7
    metric.update_state([1.0], [-math.inf])
    assert float(metric.result()) == math.inf


def test_stateless_updates_are_for_jax():
    metric = metrics.BinaryCrossentropy(from_logits=True)
    state = metric.stateless_update_state(metric.variables, [1.0], [0.3])
    close(metric.stateless_result(state), entropies(1, 0.3))
    close(metric.result(), 0.0)


@each_metric
def test_configurations(define):
    metric = define("mine", from_logits=True, label_smoothing=0.1, ignore_label=math.nan)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(again) is define
    assert again.spec == metric.spec
    assert (again.name, again.dtype, again.from_logits) == ("mine", "float32", True)
    defaults = {name: p.default for name, p in inspect.signature(define).parameters.items()}
    of_loss = {name: p.default for name, p in inspect.signature(getattr(door, define.__name__)).parameters.items()}
    assert defaults == {name: value for name, value in of_loss.items() if name not in ("axis", "reduction")}
    with pytest.raises(AttributeError, match="sharpness"):
        _ = metric.sharpness


def test_signature_is_that_of_keras():
    ours, theirs = (inspect.signature(kind.BinaryCrossentropy).parameters for kind in (metrics, keras.metrics))
    assert [(p.name, p.default) for p in list(ours.values())[: len(theirs)]] == [
        (p.name, p.default) for p in theirs.values()
    ]
    config = keras.metrics.BinaryCrossentropy(from_logits=True).get_config()
    assert metrics.BinaryCrossentropy.from_config(config).from_logits


def test_halves_are_summed_in_float32():
    metric = metrics.BinaryCrossentropy(from_logits=True, dtype="float16")
    metric.update_state(np.ones(100_000), np.zeros(100_000))
    assert dtype_of(metric.result()) == "float16"
    close(metric.result(), math.log(2), 1e-3)


@pytest.mark.parametrize("metric", [keras.metrics.Precision(), "mse", keras.metrics.AUC(num_thresholds=50)])
def test_metrics_of_probabilities_take_logits(metric):
    y, z = batch(40, 1)
    p = 1 / (1 + np.exp(-z))
    wrapped = metrics.FromLogits(metric)
    wrapped = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(wrapped))
    plain = keras.metrics.MeanSquaredError() if metric == "mse" else metric
    plain.update_state(y, p)
    for _ in range(2):
        wrapped.reset_state()
        wrapped.update_state(y, z)
        close(wrapped.result(), numbers(plain.result()), 1e-6)
    assert wrapped.name == (metric if isinstance(metric, str) else metric.name)
