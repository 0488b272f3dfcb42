"""Compiled models are saved and loaded in both formats of Keras, with the losses and metrics that they had."""

import keras
import pytest
from keras import layers
from support.keras_calls import on_any_backend, table

import binxent.keras as door
from binxent.keras import metrics

CASES = [
    *(("function", name) for name in door.__all__ if name.endswith("crossentropy") and name.islower()),
    *(("class", name) for name in ("binary_crossentropy", "asymmetric_crossentropy")),
    ("string", "binary_focal_crossentropy"),
]


@on_any_backend
@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize(("kind", "function"), CASES)
def test_a_model_comes_back_with_its_losses(kind, function, suffix, tmp_path):
    name = next(one for one in door.__all__ if one.lower() == function.replace("_", ""))
    x, y = table(16)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1, "sigmoid")])
    made = {
        "class": lambda: (getattr(door, name)(label_smoothing=0.1), getattr(metrics, name)()),
        "function": lambda: (getattr(door, function), getattr(door, function)),
        "string": lambda: (function, function),
    }[kind]
    if kind == "string":
        door.register()
    try:
        loss, metric = made()
        model.compile("sgd", loss, metrics=[metric], run_eagerly=True)
        want = model.evaluate(x, y[:, None], verbose=0)
        model.save(tmp_path / f"model.{suffix}")
        again = keras.models.load_model(tmp_path / f"model.{suffix}")
        assert again.evaluate(x, y[:, None], verbose=0) == pytest.approx(want, rel=1e-6)
        loaded = again._compile_loss._flat_losses[0].loss
    finally:
        door.register(False)
    if kind == "function":
        assert loaded.fn is loss
    else:
        assert type(loaded) is getattr(door, name)
        assert loaded.label_smoothing == (0.1 if kind == "class" else 0.0)
