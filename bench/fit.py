"""The time of an epoch of `model.fit` with binxent's loss and with the engine's own: small batches, a small network.

There the arithmetic of the loss costs next to nothing; the overhead around it is what differs.
"""

import argparse
import importlib
import json
import os
import sys
from functools import partial
from typing import Any

import numpy as np

from bench.cases import LOSSES
from bench.speed import take_turns

ENGINES = {
    "jax": "Keras on JAX",
    "tensorflow": "Keras on TensorFlow",
    "torch": "Keras on PyTorch",
    "tf_keras": "Keras 2 on TensorFlow",
}
TRAINED = [("bce", "logits"), ("bce", "probabilities"), ("focal", "logits")]
BATCH, FEATURES = 32, 30
BATCHES, QUICK_BATCHES = 100, 10


def main(arguments: list[str] | None = None) -> None:
    """Measure every loss on one engine and print the results as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("engine", choices=ENGINES, help="the framework that trains")
    parser.add_argument("--quick", action="store_true", help="few batches and rounds")
    options = parser.parse_args(arguments)
    batches, rounds = (QUICK_BATCHES, 3) if options.quick else (BATCHES, 9)
    json.dump([measure(options.engine, loss, space, batches, rounds) for loss, space in TRAINED], sys.stdout)


def measure(engine: str, loss: str, space: str, batches: int, rounds: int) -> dict[str, Any]:
    """Return a row: the microseconds of an epoch. Raise unless both networks start and learn alike."""
    keras, ours = libraries(engine)
    x, y = data(batches * BATCH)
    epochs, first = {}, {}
    for name, library in (("binxent", ours), ("its own loss", keras.losses)):
        make = getattr(library, LOSSES[loss].kind)
        network = compiled(keras, make(from_logits=space == "logits", **LOSSES[loss].options), space)
        epochs[name] = partial(network.fit, x, y, batch_size=BATCH, shuffle=False, verbose=0)
        first[name] = epochs[name]().history["loss"]
    np.testing.assert_allclose(first["binxent"], first["its own loss"], rtol=1e-3)
    return {"loss": loss, "space": space, "batches": batches, "microseconds": take_turns(epochs, rounds)}


def libraries(engine: str) -> tuple[Any, Any]:
    """Return Keras on the engine, and binxent's door to it."""
    if engine == "tf_keras":
        return importlib.import_module("tf_keras"), importlib.import_module("binxent.tf_keras")
    os.environ["KERAS_BACKEND"] = engine
    return importlib.import_module("keras"), importlib.import_module("binxent.keras")


def data(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels, in the size of a medical table."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, FEATURES), np.float32)
    return x, (x[:, :1] + rng.standard_normal((rows, 1)) > 1).astype(np.float32)


def compiled(keras: Any, loss: Any, space: str) -> Any:
    """Return the network of the tutorials, 64-32-1, with the same weights each time."""
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense
    last = dense(1, activation=None if space == "logits" else "sigmoid")
    network = keras.Sequential(
        [keras.Input((FEATURES,)), dense(64, activation="relu"), dense(32, activation="relu"), last]
    )
    network.compile(optimizer="adam", loss=loss)
    return network


if __name__ == "__main__":
    main()
