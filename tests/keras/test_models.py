"""The same model ending in logits, and the way back."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.compare import close, numbers
from support.keras_calls import RNG, table

import binxent.keras as door
from binxent.keras import logits_model, metrics, with_sigmoid

pytestmark = pytest.mark.slow  # each model is compiled


def sequential(*ends):
    return keras.Sequential([keras.Input((5,)), layers.Dense(3, "relu"), *ends])


def functional(end):
    inputs = keras.Input((5,))
    return keras.Model(inputs, end(layers.Dense(3, "relu")(inputs)))


def nested():
    inner = sequential(layers.Dense(1, "sigmoid"))
    inputs = keras.Input((5,))
    return keras.Model(inputs, layers.Reshape((1, 1))(inner(layers.Dense(5)(inputs))))


MODELS = {
    "an activation": lambda: sequential(layers.Dense(1, "sigmoid")),
    "a layer": lambda: sequential(layers.Dense(1), layers.Activation("sigmoid")),
    "before reshaping": lambda: sequential(layers.Dense(4, "sigmoid"), layers.Reshape((2, 2))),
    "before nothing": lambda: sequential(layers.Dense(1, "sigmoid"), layers.Activation("linear")),
    "a convolution": lambda: sequential(layers.Reshape((3, 1)), layers.Conv1D(2, 2, activation="sigmoid")),
    "each step": lambda: sequential(layers.Reshape((3, 1)), layers.TimeDistributed(layers.Dense(1, "sigmoid"))),
    "an einsum": lambda: functional(layers.EinsumDense("ab,bc->ac", (2,), activation="sigmoid", bias_axes="c")),
    "an operation": lambda: functional(lambda hidden: ops.sigmoid(layers.Dense(1)(hidden))),
    "a model in a model": nested,
    "a sequence in a sequence": lambda: keras.Sequential([keras.Input((5,)), sequential(layers.Dense(1, "sigmoid"))]),
}


@pytest.mark.parametrize("name", MODELS)
def test_there_and_back(name):
    model = MODELS[name]()
    x = table(8)[0]
    logits = logits_model(model)
    assert type(logits) is type(model)
    assert logits.name == model.name
    assert {id(one) for one in logits.variables} == {id(one) for one in model.variables}
    close(ops.sigmoid(logits(x)), numbers(model(x)))
    close(with_sigmoid(logits)(x), numbers(model(x)))
    again = type(model).from_config(logits.get_config())  # as saving does
    again.set_weights(logits.get_weights())
    close(again(x), numbers(logits(x)))
    with pytest.raises(ValueError, match="An output of `model` must come out of a sigmoid"):
        logits_model(logits)
    with pytest.raises(ValueError, match="is a sigmoid already"):
        with_sigmoid(model)


def test_training_either_trains_both(tmp_path):
    x, y = table(64)
    model = sequential(layers.Dense(1, "sigmoid"))
    observed = ["accuracy", keras.metrics.AUC(), keras.metrics.Precision(), "mse", metrics.BinaryCrossentropy()]
    model.compile("adam", "binary_crossentropy", metrics=observed, run_eagerly=True)
    model.fit(x, y, verbose=0)
    logits = logits_model(model)
    assert isinstance(logits.loss, door.BinaryCrossentropy)
    assert logits.loss.from_logits
    assert logits.optimizer is model.optimizer
    close(logits.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0), 1e-4)
    before = numbers(model.layers[-1].kernel)
    logits.fit(x, y, verbose=0)
    assert (numbers(model.layers[-1].kernel) != before).all()
    assert int(numbers(model.optimizer.iterations)) == 4
    model.fit(x, y, verbose=0)
    logits.save(tmp_path / "logits.keras")
    again = keras.models.load_model(tmp_path / "logits.keras")
    assert again.evaluate(x, y, verbose=0) == logits.evaluate(x, y, verbose=0)
    served = with_sigmoid(logits)
    assert not served.loss.from_logits
    close(served.evaluate(x, y, verbose=0), logits.evaluate(x, y, verbose=0), 1e-4)


def test_a_saturated_model_learns_again():
    x, y = np.ones((4, 1), "float32"), np.zeros((4, 1), "float32")
    model = keras.Sequential(
        [keras.Input((1,)), layers.Dense(1, "sigmoid", kernel_initializer=lambda *a, **k: ops.ones((1, 1)) * 40)]
    )
    model.compile(keras.optimizers.SGD(1.0), door.BinaryCrossentropy())
    logits = logits_model(model)
    close(logits.train_on_batch(x, y), 40.0)
    close(model.layers[-1].kernel, [[39.0]])


def two_heads():
    inputs = keras.Input((5,))
    yes = layers.Dense(1, "sigmoid", name="yes")(inputs)
    which = layers.Dense(3, "softmax", name="which")(inputs)
    return inputs, yes, which


@pytest.mark.parametrize("names", [False, True])
def test_only_sigmoids_are_converted(names):
    inputs, yes, which = two_heads()
    model = keras.Model(inputs, {"yes": yes, "which": which} if names else [yes, which])
    losses = {"yes": keras.losses.BinaryFocalCrossentropy(gamma=3.0), "which": "categorical_crossentropy"}
    observed = {"yes": ["accuracy"], "which": ["accuracy"]}
    model.compile("sgd", losses if names else list(losses.values()), metrics=observed, run_eagerly=True)
    logits = logits_model(model)
    loss = logits.loss["yes"] if names else logits.loss[0]
    assert loss.get_config() | {"from_logits": False} == losses["yes"].get_config()
    assert loss.get_config()["from_logits"]
    x, y = table(16)
    y = {"yes": y[:, None], "which": np.eye(3)[y]}
    y = y if names else list(y.values())
    close(logits.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0), 1e-4)
    back = with_sigmoid(logits)
    for got, want in zip(keras.tree.flatten(back(x)), keras.tree.flatten(model(x)), strict=True):
        close(got, numbers(want))
    uncompiled = keras.Model(logits.inputs[0], logits.outputs)
    with pytest.raises(ValueError, match=r"pass `outputs`, some of \['(yes|which)', '(yes|which)'\]"):
        with_sigmoid(uncompiled)
    converted = with_sigmoid(uncompiled, outputs=["yes"])
    want = numbers(keras.tree.flatten(model(x))[1 if names else 0])
    close(converted(x)[converted.output_names.index("yes")], want)
    with pytest.raises(ValueError, match=r"got \['no'\]"):
        with_sigmoid(uncompiled, outputs=["no"])


def test_a_sigmoid_that_the_model_needs_stays():
    inputs, yes, _ = two_heads()
    model = keras.Model(inputs, [yes, layers.Multiply(name="product")([yes, inputs])])
    logits, x = logits_model(model), table(4)[0]
    close(ops.sigmoid(logits(x)[0]), numbers(model(x)[0]))
    close(logits(x)[1], numbers(model(x)[1]))


def test_what_cannot_be_converted_says_why():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(
        TypeError, match="`logits_model` must see a model's layers.* got a Subclassed. End its `call` in"
    ):
        logits_model(Subclassed())
    close(with_sigmoid(Subclassed())(np.zeros((1, 2))), [[0.5, 0.5]])
    with pytest.raises(ValueError, match=r"must be built to share its variables: begin it with keras.Input"):
        logits_model(keras.Sequential([layers.Dense(1, "sigmoid")]))
    model = sequential(layers.Dense(1, "sigmoid"))
    model.compile("sgd", lambda y, p: ops.mean(p - y))
    with pytest.warns(UserWarning, match="cannot be made to take logits: the new model is not compiled"):
        assert not logits_model(model).compiled


def test_thresholds_move_with_the_predictions():
    model = sequential(layers.Dense(1, "sigmoid"))
    model.compile("sgd", door.BinaryCrossentropy(), metrics=[keras.metrics.BinaryAccuracy(threshold=0.8)])
    x, y = table(64)
    y = RNG.integers(0, 2, 64)
    close(logits_model(model).evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0), 1e-5)
