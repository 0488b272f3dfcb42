"""The tutorial on TensorFlow 1: the functions for one loss agree, in a graph run by a `Session` and everywhere else.

It prints two results, 0.7127 of logits and 0.7115 of what leaves a sigmoid, but no inputs: these have such results.
"""

import numpy as np
import pytest
from documents.forms import FORMS, eagerly, in_keras, in_session
from support import compare
from support.peers import bx_keras, bx_tf, bx_tf_keras, keras, ops, tf, tf_keras

LABELS = [[0.0], [1.0], [1.0], [0.0]]
RUNS = {"Keras": in_keras, "TensorFlow 2": eagerly, "TensorFlow 1": in_session}
worlds = pytest.mark.parametrize("world", sorted({form.name.split(",")[0] for form in FORMS}))


def of_logits(world):
    """Return the functions of labels and logits, the originals first."""
    if world == "Keras":
        modules = keras.losses, ops, bx_keras
        return [lambda y, z, module=module: module.binary_crossentropy(y, z, from_logits=True) for module in modules]
    modules = tf_keras.losses, tf_keras.backend, bx_tf_keras, bx_tf
    named = [lambda y, z, module=module: module.binary_crossentropy(y, z, from_logits=True) for module in modules]
    modules = tf.nn, bx_tf
    return named + [
        lambda y, z, module=module: module.sigmoid_cross_entropy_with_logits(labels=y, logits=z) for module in modules
    ]


def of_probabilities(world):
    """Return the functions of labels and probabilities, the originals first."""
    if world == "Keras":
        return [module.binary_crossentropy for module in (keras.losses, ops, bx_keras)]
    return [module.binary_crossentropy for module in (tf_keras.losses, tf_keras.backend, bx_tf_keras, bx_tf)]


def means(world, functions, logits, activation=None):
    """Return the mean loss by each function, of logits or of what an activation makes of them."""
    tensor, mean = (ops.convert_to_tensor, ops.mean) if world == "Keras" else (tf.convert_to_tensor, tf.reduce_mean)
    activation = activation or (lambda z: z)

    def mean_of(function):
        return lambda: mean(function(tensor(LABELS), activation(tensor(np.array(logits, "float32")))))

    return [float(RUNS[world](mean_of(function))) for function in functions]


@worlds
def test_the_functions_agree_on_logits(world):
    got = means(world, of_logits(world), [[-0.5], [0.9], [1.7], [1.7]])
    compare.close(np.round(got, 4), [0.7127] * len(got))
    compare.close(got, [got[0]] * len(got), 3e-7)


@worlds
def test_the_functions_agree_after_a_sigmoid(world):
    logits, sigmoid = [[0.4], [-0.6], [0.3], [-0.9]], ops.sigmoid if world == "Keras" else tf.sigmoid
    got = means(world, of_probabilities(world), logits, sigmoid) + means(world, of_logits(world), logits)
    compare.close(np.round(got, 4), [0.7115] * len(got))
    compare.close(got, [got[0]] * len(got), 1e-6)  # Keras 2 adds an epsilon of 1e-7 to probabilities
