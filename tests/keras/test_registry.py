"""Keras's names for losses and metrics, made ours and given back."""

import keras
import pytest
from keras import layers
from support.compare import close
from support.keras_calls import table

import binxent.keras as door


@pytest.fixture
def registered():
    door.register()
    yield
    door.register(False)


def test_names_mean_ours(registered, tmp_path):
    x, y = table(32)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["binary_crossentropy", "poly_binary_crossentropy"])
    loss, metric, _ = model.evaluate(x, y, verbose=0)
    close(loss, metric, 1e-5)
    assert isinstance(model._compile_loss._flat_losses[0].loss, door.BinaryCrossentropy)
    assert isinstance(model.metrics[1].metrics[0], door.metrics.BinaryCrossentropy)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.evaluate(x, y, verbose=0)[:2] == [loss, metric]
    assert isinstance(again._compile_loss._flat_losses[0].loss, door.BinaryCrossentropy)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("binary_crossentropy", door.BinaryCrossentropy),
        ("bce", door.BinaryCrossentropy),
        ("BCE", door.BinaryCrossentropy),
        ("BinaryCrossentropy", door.BinaryCrossentropy),
        ("binary_focal_crossentropy", door.BinaryFocalCrossentropy),
        ("BinaryFocalCrossentropy", door.BinaryFocalCrossentropy),
    ],
)
def test_names_go_back_to_keras(name, ours):
    door.register()
    door.register()  # twice is once
    assert isinstance(keras.losses.get(name), ours)
    assert isinstance(keras.metrics.get(name), keras.metrics.Metric)
    door.register(False)
    theirs = keras.losses.get(name)
    assert getattr(theirs, "__module__", type(theirs).__module__).startswith("keras.")
    with pytest.raises(ValueError, match="Could not interpret loss identifier"):
        keras.losses.get("poly_binary_crossentropy")


def test_objects_stay_what_they_are(registered):
    theirs = keras.losses.BinaryCrossentropy()
    assert keras.losses.get(theirs) is theirs
    assert keras.losses.get(keras.losses.binary_crossentropy) is keras.losses.binary_crossentropy
