"""The losses in models: fitting, evaluating, weights, masks, several outputs, half precision, saving."""

import math
import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers
from support.compare import close, numbers
from support.keras_calls import BACKEND, RNG, entropies, on_any_backend, table

import binxent.keras as door
from binxent.keras import metrics
from binxent.losses import FAMILY

pytestmark = pytest.mark.slow  # each test trains


def network(loss, activation=None, dtype=None, **options):
    keras.utils.set_random_seed(0)
    head = layers.Dense(1, activation, dtype=dtype, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((5,)), layers.Dense(8, "relu", dtype=dtype), head])
    model.compile(keras.optimizers.SGD(0.3), loss, **options)
    return model


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.head = layers.Dense(1)

    def call(self, inputs):
        return self.head(inputs)


WAYS = {
    "compiled": {},
    "eager": {"run_eagerly": True},
    "XLA": {"jit_compile": True},
    "two steps": {"steps_per_execution": 2},
}


@pytest.mark.parametrize("way", WAYS)
def test_models_learn_in_every_way(way):
    if BACKEND == "torch" and way in ("XLA", "two steps"):
        pytest.skip("torch compiles otherwise, and takes no steps_per_execution")
    x, y = table()
    model = network(door.BinaryCrossentropy(from_logits=True), **WAYS[way])
    before = model.evaluate(x, y, verbose=0)
    history = model.fit(x, y, epochs=3, validation_split=0.25, verbose=0).history
    assert len(history["val_loss"]) == 3
    costs = entropies(y[:, None], numbers(model.predict(x, verbose=0)))
    assert costs.mean() < 0.85 * before
    close(model.evaluate(x, y, verbose=0), costs.mean(), 1e-5)


# All three come from torch itself, while it compiles.
@pytest.mark.filterwarnings("ignore:<class 'torch.autograd.function.Function'> should not be:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.skipif(BACKEND != "torch", reason="only torch has torch.compile")
def test_a_model_learns_under_torch_compile(monkeypatch):
    """Traced and differentiated; the C++ that formulas become is tested in `tests/torch/test_compile.py`."""
    import torch

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    x, y = table(32)
    model = network(door.BinaryCrossentropy(from_logits=True), jit_compile=True)
    losses = [model.train_on_batch(x, y) for _ in range(5)]
    close(losses[0], math.log(2), 1e-6)  # the head starts at 0, so every logit is 0
    assert losses[-1] < 0.95 * losses[0]


def test_a_model_survives_saving(tmp_path):
    x, y = table(64)
    names = [kind.__name__ for kind in FAMILY]
    inputs = keras.Input((5,))
    model = keras.Model(inputs, {name: layers.Dense(1, name=name)(inputs) for name in names})
    model.compile(
        "sgd",
        {name: getattr(door, name)(from_logits=True, label_smoothing=0.1) for name in names},
        metrics={name: [getattr(metrics, name)(from_logits=True)] for name in names},
    )
    y = dict.fromkeys(names, y[:, None])
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for name in names:
        assert type(again.loss[name]) is getattr(door, name)
        assert again.loss[name].spec == model.loss[name].spec
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    again.fit(x, y, verbose=0)


@on_any_backend
def test_a_fresh_process_loads_a_saved_model(tmp_path):
    loss = door.BinaryCrossentropy(
        True, 0.1, (0, 1), pos_weight=[2.0], ignore_label=math.nan, epsilon=None, dtype="float32"
    )
    model = network(
        loss, metrics=[metrics.BinaryFocalCrossentropy(gamma=3.0, from_logits=True), metrics.FromLogits("mse")]
    )
    x, y = table(8)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    script = (
        "import sys, keras, binxent.keras, numpy as np\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "loss = model.loss\n"
        "assert loss.spec.pos_weight == (2.0,) and loss.axis == (0, 1) and loss.ignore_label != loss.ignore_label\n"
        "assert loss.epsilon is None and loss.label_smoothing == 0.1 and loss.get_config()['dtype'] == 'float32'\n"
        "assert int(model.optimizer.iterations) == 1\n"
        "names = [metric.name for metric in model._compile_metrics._user_metrics]\n"
        "assert names == ['binary_focal_crossentropy', 'mse'], names\n"
        "assert len(model.evaluate(np.ones((2, 5)), np.ones((2, 1)), verbose=0)) == 3\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "model.keras")], check=True)


def test_a_function_is_a_loss_too(tmp_path):
    x, y = table(64)
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
    loss = model.fit(x, y, verbose=0, **given).history["loss"][0]
    close(loss, (weight * math.log(2)).mean(), 1e-6)  # the head starts at 0, so every logit is 0
    bias = numbers(model.layers[-1].bias)[0]
    assert np.sign(bias) == np.sign((weight * (y - 0.5)).sum())


@pytest.mark.parametrize("weighted", [False, True])
def test_the_mask_of_an_embedding_reaches_the_loss(weighted):
    tokens = np.array([[1, 2, 0, 0], [3, 1, 2, 0], [1, 0, 0, 0]])
    y = RNG.integers(0, 2, (3, 4, 1)).astype("float32")
    inputs = keras.Input((4,))
    hidden = layers.Embedding(4, 3, mask_zero=True)(inputs)
    model = keras.Model(inputs, layers.TimeDistributed(layers.Dense(1))(hidden))
    metric = metrics.BinaryCrossentropy(from_logits=True, name="mean")
    model.compile("sgd", door.BinaryCrossentropy(from_logits=True), weighted_metrics=[metric])
    costs = entropies(y, numbers(model.predict(tokens, verbose=0)))[..., 0]
    weights = np.array([1.0, 0.5, 3.0]) if weighted else np.ones(3)
    got = model.evaluate(tokens, y, sample_weight=weights if weighted else None, verbose=0)
    kept, each = tokens > 0, np.broadcast_to(weights[:, None], (3, 4))
    close(got[0], (costs * each)[kept].mean(), 1e-5)
    close(got[1], (costs * each)[kept].sum() / each[kept].sum(), 1e-5)


def test_half_precision_models_learn():
    x, y = table()
    policy = "bfloat16" if BACKEND == "torch" else "mixed_float16"
    model = network(door.BinaryFocalCrossentropy(from_logits=True, gamma=0.5), dtype=policy)
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=3, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.95 * before


def test_several_outputs_with_weights_per_element():
    x, y = table(32)
    inputs = keras.Input((5,))
    heads = {"a": layers.Dense(3, name="a")(inputs), "b": layers.Dense(1, name="b")(inputs)}
    model = keras.Model(inputs, heads)
    model.compile("sgd", {name: door.BinaryCrossentropy(from_logits=True) for name in heads})
    labels = {"a": RNG.integers(0, 2, (32, 3)), "b": y[:, None]}
    weights = {"a": RNG.random((32, 3)), "b": np.ones(32)}
    outputs = {name: numbers(output) for name, output in model.predict(x, verbose=0).items()}
    want = (entropies(labels["a"], outputs["a"]) * weights["a"]).mean() + entropies(labels["b"], outputs["b"]).mean()
    got = model.evaluate(x, labels, sample_weight=weights, verbose=0)
    close(got[0], want, 1e-5)


def test_subclassed_models_and_single_batches():
    x, y = table(32)
    model = Subclassed()
    model.compile("sgd", door.BinaryCrossentropy(from_logits=True))
    costs = entropies(y[:, None], numbers(model(x))).mean()
    close(model.train_on_batch(x, y), costs, 1e-5)
    assert model.test_on_batch(x, y) < costs


def test_class_weights_of_several_labels_are_pos_weights():
    """What `class_weight` cannot say: Keras takes the argmax of each row of labels for its class."""
    x = RNG.normal(size=(32, 5)).astype("float32")
    y = RNG.integers(0, 2, (32, 3))
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
    model.compile("sgd", door.BinaryCrossentropy(from_logits=True, pos_weight={0: 1.0, 1: 1.0, 2: 4.0}))
    assert model.loss.pos_weight == (1.0, 1.0, 4.0)
    costs = entropies(y, numbers(model.predict(x, verbose=0))) * np.where(y == 1, [1.0, 1.0, 4.0], 1.0)
    close(model.evaluate(x, y, verbose=0), costs.mean(), 1e-5)
    with pytest.warns(UserWarning, match="Keras takes the argmax of each row"):
        model.fit(x, y, class_weight={0: 1.0, 1: 1.0, 2: 4.0}, verbose=0)
    with pytest.raises(ValueError, match="`pos_weight` must have a number for each label from 0 on"):
        door.BinaryCrossentropy(pos_weight={0: 1.0, 2: 4.0})
