"""Masks and missing values of arrays that come from outside of TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from support.compare import close
from support.foreign import (
    HIDDEN,
    IMPOSSIBLE,
    MASKED,
    X,
    Y,
    columns_are_what_they_hold,
    lists_without_numbers_are_refused,
    masks_are_honoured,
    refused,
    with_function_of_its_own,
)

from binxent import tf_keras as door

LOSS = door.BinaryCrossentropy(True)
FUNCTION_OF_ITS_OWN = with_function_of_its_own(door)


@pytest.mark.parametrize("name", MASKED)
def test_masked_entries_take_no_part(name):
    masks_are_honoured(door, name)


def test_masks_of_arrays_and_of_layers_meet():
    predictions = tf.constant(X[:, :1])
    predictions._keras_mask = tf.constant([True, False, True])
    close(LOSS(np.ma.array([1, 0, 7], mask=[0, 0, 1]), predictions), np.logaddexp(0, -2.0), 1e-6)
    close(FUNCTION_OF_ITS_OWN(Y, X, np.ma.array([1.0, np.nan, np.nan], mask=[0, 1, 1])), 2.0)


def test_masks_are_refused_where_nothing_could_come_of_them():
    label, inputs, rows = np.ma.array(Y, mask=HIDDEN), tf_keras.Input((2,)), tf.ragged.constant([[1.0], [0.0, 1.0]])
    for name, call in (
        ("y_true", lambda: FUNCTION_OF_ITS_OWN(label, X)),
        ("y_pred", lambda: FUNCTION_OF_ITS_OWN.call(Y, label)),
        ("y_true", lambda: LOSS(label, inputs)),
        ("y_true", lambda: door.binary_crossentropy(label, inputs)),
        ("sample_weight", lambda: LOSS(Y, inputs, label)),
        ("sample_weight", lambda: LOSS(rows, rows, label[:, 0])),
    ):
        words = refused(call)
        assert words.startswith(f"`{name}` must be an array of real numbers; got a masked array. Fill it"), words


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_missing_values_are_refused(name):
    values, words = IMPOSSIBLE[name]
    right = np.zeros(np.shape(values), "float32")
    for argument, call in (
        ("y_true", lambda: LOSS(values, right)),
        ("y_true", lambda: LOSS.call(values, right)),
        ("y_true", lambda: FUNCTION_OF_ITS_OWN.call(values, right)),
        ("y_true", lambda: door.binary_crossentropy(values, right)),
        ("y_pred", lambda: LOSS(right, values)),
        ("sample_weight", lambda: LOSS(right, right, values)),
        ("sample_weight", lambda: FUNCTION_OF_ITS_OWN(right, right, values)),
    ):
        got = refused(call)
        assert got.startswith(f"`{argument}") and words in got, got


def test_lists_of_something_else_are_refused():
    lists_without_numbers_are_refused(door)


def test_columns_without_a_missing_value_are_what_they_hold():
    columns_are_what_they_hold(door)
