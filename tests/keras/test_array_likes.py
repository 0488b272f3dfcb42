"""Masks and missing values of arrays that come from outside of the backend."""

import keras
import numpy as np
import pytest
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
    truth,
    with_function_of_its_own,
)
from support.keras_calls import masked

import binxent as bx
import binxent.keras as door
from binxent.keras import metrics

LOSS = door.BinaryCrossentropy(True)
FUNCTION_OF_ITS_OWN = with_function_of_its_own(door)


@pytest.mark.parametrize("name", MASKED)
def test_masked_entries_take_no_part(name):
    masks_are_honoured(door, name)
    metric = metrics.BinaryCrossentropy(from_logits=True)
    y_true, y_pred, weight = MASKED[name]
    metric.update_state(y_true, y_pred, weight)
    close(metric.result(), truth("mean_with_sample_weight", y_true, y_pred, weight), 1e-6)


def test_masks_of_arrays_and_of_layers_meet_at_any_rank():
    layer, y_true = np.array([True, False, True]), np.ma.array([[1, 0, 7]], mask=[[0, 0, 1]]).T
    for labels, predictions in ((y_true, X[:, 0]), (y_true[:, 0], X[:, :1]), (y_true, X[:, :1])):
        close(LOSS(labels, masked(predictions, layer)), np.logaddexp(0, -2.0), 1e-6)
    weight = np.ma.array([1.0, np.nan, np.nan], mask=[0, 1, 1])
    close(FUNCTION_OF_ITS_OWN(Y, X, weight), 2.0)
    with pytest.raises(ValueError, match="`y_true` and `y_pred` must have the same shape"):
        LOSS(y_true[:2], np.ma.array(X[:, 0], mask=[0, 1, 0]))


def test_masks_are_refused_where_nothing_could_come_of_them():
    label, inputs, metric = np.ma.array(Y, mask=HIDDEN), keras.Input((2,)), metrics.FromLogits("mse")
    calls = {
        "y_true": [
            lambda: FUNCTION_OF_ITS_OWN(label, X),
            lambda: FUNCTION_OF_ITS_OWN.call(label, X),
            lambda: LOSS(label, inputs),
            lambda: door.binary_crossentropy(label, inputs),
            lambda: metric.update_state(label, X),
        ],
        "y_pred": [
            lambda: FUNCTION_OF_ITS_OWN(Y, label),
            lambda: LOSS(inputs, label),
            lambda: metric.update_state(Y, label),
        ],
        "sample_weight": [lambda: LOSS(Y, inputs, label), lambda: metric.update_state(Y, X, label)],
    }
    for name, each in calls.items():
        for call in each:
            words = refused(call)
            assert words.startswith(f"`{name}` must be an array of real numbers; got a masked array. Fill it"), words


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_missing_values_are_refused(name):
    values, words = IMPOSSIBLE[name]
    right = np.zeros(np.shape(values), "float32")
    metric = metrics.BinaryCrossentropy()
    for argument, calls in {
        "y_true": [
            lambda: LOSS(values, right),
            lambda: LOSS.call(values, right),
            lambda: FUNCTION_OF_ITS_OWN.call(values, right),
            lambda: door.binary_crossentropy(values, right),
            lambda: metric.update_state(values, right),
        ],
        "y_pred": [lambda: LOSS(right, values), lambda: FUNCTION_OF_ITS_OWN.call(right, values)],
        "sample_weight": [
            lambda: LOSS(right, right, values),
            lambda: FUNCTION_OF_ITS_OWN(right, right, values),
            lambda: metric.update_state(right, right, values),
        ],
    }.items():
        for call in calls:
            got = refused(call)
            assert got.startswith(f"`{argument}") and words in got, got
    assert (
        refused(lambda: bx.BinaryCrossentropy()(values, right)).partition("Convert")[0]
        == refused(lambda: LOSS(values, right)).partition("Convert")[0]
    )


def test_lists_of_something_else_are_refused():
    lists_without_numbers_are_refused(door)


def test_columns_without_a_missing_value_are_what_they_hold():
    columns_are_what_they_hold(door)


@pytest.mark.parametrize("given", [bx.BinaryCrossentropy(True), lambda y, z: bx.binary_crossentropy(y, z, True)])
def test_a_numpy_loss_in_a_model_names_the_door_of_keras(given):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", given)
    with pytest.raises(TypeError, match="`y_(true|pred)` .* Take the loss from .*`binxent.keras`"):
        model.train_on_batch(X, Y)
    with pytest.raises(TypeError, match="is a KerasTensor, .* Take the loss from `binxent.keras`"):
        given(Y, keras.Input((2,)))
    with pytest.raises(TypeError, match="is a KerasTensor"):
        given(Y[0], [keras.Input(batch_shape=())] * 2)
