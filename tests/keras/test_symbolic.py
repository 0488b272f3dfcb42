"""Losses between symbolic tensors are operations of a functional model, with Keras's numbers where it has them."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.compare import close, numbers
from support.keras_calls import batch, entropies

import binxent.keras as door


def inputs(*shapes):
    return [keras.Input(shape) for shape in shapes]


LOSSES = {
    "function": (lambda t, i: door.binary_crossentropy(t, i, from_logits=True), lambda e: e.mean(-1)),
    "function over an axis": (lambda t, i: door.binary_crossentropy(t, i, True, axis=1), lambda e: e.mean(1)),
    "class": (lambda t, i: door.BinaryCrossentropy(from_logits=True)(t, i), lambda e: e.mean()),
    "class per sample": (lambda t, i: door.BinaryCrossentropy(True, reduction="none")(t, i), lambda e: e.mean(-1)),
    "class with options": (
        lambda t, i: door.BinaryCrossentropy(True, reduction="sum", ignore_label=-1, axis=None, name="mine")(t, i),
        lambda e: e.mean(),
    ),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_a_loss_between_symbolic_tensors(kind, tmp_path):
    make, reduce = LOSSES[kind]
    t, i = inputs((4, 3), (4, 3))
    output = make(t, i)
    model = keras.Model([i, t], output)
    y, z = batch(5, 4, 3)
    want = reduce(entropies(y, z))
    assert (output.dtype, output.shape) == ("float32", (None, *want.shape[1:])[: want.ndim])
    close(model([z, y]), want)
    model.save(tmp_path / "model.keras")
    close(keras.models.load_model(tmp_path / "model.keras")([z, y]), want)


def test_weights_may_be_symbolic_too(tmp_path):
    t, i, w = inputs((3,), (3,), ())
    loss = door.BinaryFocalCrossentropy(gamma=0.0, from_logits=True, reduction="mean_with_sample_weight")
    model = keras.Model([t, i, w], loss(t, i, w))
    y, z = batch(5, 3)
    weight = np.arange(5, dtype="float32")
    want = (entropies(y, z).mean(-1) * weight).sum() / weight.sum()
    close(model([y, z, weight]), want, 1e-5)
    model.save(tmp_path / "model.keras")
    close(keras.models.load_model(tmp_path / "model.keras")([y, z, weight]), want, 1e-5)
    constant = keras.Model([t, i], door.BinaryCrossentropy(True)(t, i, 2.0))
    close(constant([y, z]), 2 * entropies(y, z).mean())


def test_the_same_as_keras_with_labels_among_the_inputs():
    x, t = inputs((5,), (1,))
    p = layers.Dense(1, "sigmoid")(x)
    ours, theirs = (module.binary_crossentropy(t, p) for module in (door, keras.losses))
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    model = keras.Model([x, t], [ours, theirs])
    got, want = model([np.random.default_rng(0).normal(size=(8, 5)), np.ones((8, 1))])
    close(got, numbers(want), 1e-5)


def test_an_overridden_call_between_symbolic_tensors():
    class Costly(door.BinaryCrossentropy):
        def call(self, y_true, y_pred):
            return 10 * super().call(y_true, y_pred)

    y, z = batch(5, 3)
    for reduction, shape in (("sum_over_batch_size", ()), ("none", (None,))):
        t, i = inputs((3,), (3,))
        output = Costly(from_logits=True, reduction=reduction)(t, i)
        assert output.shape == shape
        close(keras.Model([t, i], output)([y, z]), 10 * entropies(y, z).mean(-1 if shape else None))


def test_half_precision_and_a_missing_last_axis():
    t, i = keras.Input(()), keras.Input((1,), dtype="float16")
    output = door.binary_crossentropy(keras.ops.expand_dims(t, -1), i, from_logits=True)
    assert output.dtype == "float16"
    output = door.BinaryCrossentropy(True, dtype="bfloat16")(t, i)
    assert (output.dtype, output.shape) == ("bfloat16", ())
    got = keras.Model([t, i], output)([ops.ones((2,)), ops.zeros((2, 1), "float16")])
    close(got, np.log(2), 1e-2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t, i: door.binary_crossentropy(t, i), "must have the same shape"),
        (lambda t, i: door.BinaryCrossentropy()(t, i), "must have the same shape"),
        (lambda t, i: door.BinaryCrossentropy()(i, i, t), "`sample_weight` must be a number, or have the shape"),
        (lambda t, i: door.BinaryCrossentropy(axis=3)(i, i), "`axis` must lie between"),
        (lambda t, i: door.BinaryCrossentropy(pos_weight=[2.0])(i, i), "`pos_weight` must be a number or hold one"),
    ],
)
def test_shapes_are_refused_while_the_model_is_put_together(call, message):
    with pytest.raises(ValueError, match=message):
        call(*inputs((4, 2), (4, 3)))
