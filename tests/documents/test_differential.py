"""binxent.keras beside Keras and beside the library of this backend, on random configurations."""

import pytest
from support.differential import check_all
from support.peers import keras

pytest.importorskip("keras")
LIBRARIES = {"jax": "optax", "tensorflow": "TensorFlow", "torch": "PyTorch"}
BACKEND = keras.backend.backend()


@pytest.mark.slow
def test_binxent_agrees_with_keras_and_its_backend():
    count = {"torch": 600, "tensorflow": 300, "jax": 16}[BACKEND]  # JAX compiles each operation for each shape
    peers = "Keras", LIBRARIES[BACKEND]
    seen = check_all(range(count), lambda peer, door: peer in peers and door == "binxent.keras")
    assert min(seen[peer] for peer in peers) > 2
