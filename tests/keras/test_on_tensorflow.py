"""What only TensorFlow asks of the Keras door: shapes that only running tells, XLA, ragged rows."""

import numpy as np
import pytest
from support.compare import close, numbers
from support.keras_calls import BACKEND, batch, entropies, gradient

import binxent.keras as door

if BACKEND != "tensorflow":
    pytest.skip("Keras is set to another backend than TensorFlow.", allow_module_level=True)

import tensorflow as tf


def traced(jit_compile, *shapes):
    loss = door.BinaryCrossentropy(from_logits=True)
    signature = [tf.TensorSpec(shape) for shape in shapes]
    return tf.function(lambda *arguments: loss(*arguments), input_signature=signature, jit_compile=jit_compile)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "XLA"])
def test_shapes_that_only_running_tells(jit_compile):
    y, z = batch(4, 3)
    call = traced(jit_compile, (None, None), (None, None), (None,))
    close(call(y, z, np.arange(4.0)), (entropies(y, z) * np.arange(4.0)[:, None]).mean())
    for labels, weight in [((4, 1), 4), ((1, 3), 4), ((3, 4), 4), ((4, 3), 3), ((4, 3), 1)]:
        with pytest.raises(tf.errors.InvalidArgumentError):
            call(np.ones(labels), z, np.ones(weight))


def test_unknown_ranks():
    y, z = batch(4, 1)
    call = traced(False, None, (None, 1), None)
    weight = np.arange(4.0)
    for labels, weights in [(y, weight), (y[:, 0], weight[:, None])]:
        close(call(labels, z, weights), (entropies(y, z)[:, 0] * weight).mean())


def test_rows_of_ragged_tensors():
    """As Keras 2 takes them: the mean of each row, and that of the rows."""
    y, z = tf.ragged.constant([[0.0, 1.0], [1.0]]), tf.ragged.constant([[0.3, -1.0], [2.0]])
    rows = [entropies([0, 1], [0.3, -1]).mean(), entropies(1, 2)]
    close(door.BinaryCrossentropy(True)(y, z), np.mean(rows))
    close(door.BinaryCrossentropy(True)(y, z, [1.0, 3.0]), (rows[0] + 3 * rows[1]) / 2)
    close(door.BinaryCrossentropy(True, reduction="none")(y, z), rows)
    close(door.binary_crossentropy(y, z, True), rows)
    slope = gradient(lambda flat: door.BinaryCrossentropy(True)(y, z.with_values(flat)), z.values)
    close(slope, (1 / (1 + np.exp(-numbers(z.values))) - numbers(y.values)) / [4, 4, 2])
