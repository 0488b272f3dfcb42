"""The tutorials on training: their network is compiled, fitted and plotted with binxent as with the original."""

from types import SimpleNamespace

import numpy as np
import pytest
from documents.forms import TENSORFLOW
from support import compare
from support.peers import bx_keras, bx_tf_keras, keras, tf_keras

pytestmark = pytest.mark.slow  # each test trains

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 20)).astype("float32")
Y = (X[:, :3].sum(1) + RNG.normal(size=160) > 0.7).astype("float32")

KERAS = SimpleNamespace(name="Keras", keras=keras, ours=bx_keras)
KERAS_2 = SimpleNamespace(name="Keras 2", keras=tf_keras, ours=bx_tf_keras)
each_keras = pytest.mark.parametrize("world", [KERAS, KERAS_2] if TENSORFLOW else [KERAS], ids=lambda world: world.name)


def fitted(world, loss, activation="sigmoid", **options):
    """Train the tutorials' network from the same start, and return its history."""
    world.keras.utils.set_random_seed(0)
    layers = world.keras.layers
    model = world.keras.Sequential(
        [layers.Dense(64, "relu"), layers.Dense(32, "relu"), layers.Dense(1, activation=activation)]
    )
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model.fit(X, Y, epochs=3, batch_size=32, validation_split=0.2, verbose=0, **options).history


def alike(ours, theirs, *curves):
    for curve in curves or ("loss", "val_loss"):
        compare.close(ours[curve], theirs[curve], 1e-4)
        assert ours[curve][-1] < ours[curve][0]


@each_keras
@pytest.mark.parametrize(
    ("kind", "options", "activation"),
    [
        ("BinaryCrossentropy", {}, "sigmoid"),
        ("BinaryCrossentropy", {"from_logits": True}, None),
        ("BinaryCrossentropy", {"label_smoothing": 0.1}, "sigmoid"),
        ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.25, "gamma": 2.0}, "sigmoid"),
    ],
    ids=["probabilities", "logits", "smoothing", "focal"],
)
def test_a_loss_trains_as_the_original_does(world, kind, options, activation):
    ours, theirs = (getattr(module, kind)(**options) for module in (world.ours, world.keras.losses))
    alike(fitted(world, ours, activation), fitted(world, theirs, activation))


@each_keras
def test_positives_may_count_twice(world):
    theirs = fitted(world, "binary_crossentropy", class_weight={0: 1.0, 1: 2.0})
    alike(fitted(world, world.ours.BinaryCrossentropy(), class_weight={0: 1.0, 1: 2.0}), theirs)
    # A weight of the loss's own also counts where the loss is validated.
    alike(fitted(world, world.ours.BinaryCrossentropy(pos_weight=2.0)), theirs, "loss")


def test_the_name_of_a_loss_names_ours_after_it_is_registered():
    theirs = fitted(KERAS, "binary_crossentropy")
    bx_keras.register()
    try:
        assert isinstance(keras.losses.get("binary_crossentropy"), bx_keras.BinaryCrossentropy)
        alike(fitted(KERAS, "binary_crossentropy"), theirs)
    finally:
        bx_keras.register(False)
    assert not isinstance(keras.losses.get("binary_crossentropy"), bx_keras.BinaryCrossentropy)


@each_keras
def test_the_curves_of_a_history_are_plotted(world, tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    history = fitted(world, world.ours.BinaryCrossentropy())
    figure, axes = pyplot.subplots()
    axes.plot(history["loss"], label="train")
    axes.plot(history["val_loss"], label="validation")
    figure.savefig(tmp_path / "loss.png")
    pyplot.close(figure)
    drawn = [line.get_ydata() for line in axes.lines]
    compare.close(drawn, [history["loss"], history["val_loss"]], 0)
    assert np.isfinite(drawn).all()
    assert len(np.unique(pyplot.imread(tmp_path / "loss.png").reshape(-1, 4), axis=0)) > 2
