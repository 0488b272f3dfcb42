"""The ways in which the documents call a loss: in a graph of TensorFlow 1, in TensorFlow 2, and in Keras 3.

Each way is tried with the original and with binxent in its place.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest
from support.peers import Lazily, bx_keras, bx_tf_keras, keras, ops, tf

pytest.importorskip("keras")


class Form(NamedTuple):
    """One way to call one library."""

    name: str
    losses: Any  # the module with Keras's classes and functions
    run: Any  # gives the NumPy arrays of what a call makes

    @property
    def is_ours(self):
        return "binxent" in self.name


def in_keras(call):
    return np.asarray(ops.convert_to_numpy(call()))


def eagerly(call):
    return call().numpy()


def in_session(call):
    """In a graph that is built first and run afterwards."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        return session.run(call())


KERAS = [Form("Keras", Lazily("keras.losses"), in_keras), Form("Keras, binxent", bx_keras, in_keras)]
TENSORFLOW = [
    Form("TensorFlow 2", Lazily("tf_keras.losses"), eagerly),
    Form("TensorFlow 2, binxent", bx_tf_keras, eagerly),
    Form("TensorFlow 1", Lazily("tf_keras.losses"), in_session),
    Form("TensorFlow 1, binxent", bx_tf_keras, in_session),
]
if keras.backend.backend() != "jax":
    TENSORFLOW = []  # they do not depend on Keras's backend, and one run of them is enough
FORMS = KERAS + TENSORFLOW


def in_forms(forms=FORMS):
    return pytest.mark.parametrize("form", forms, ids=lambda form: form.name)


OURS = [form for form in FORMS if form.is_ours]
