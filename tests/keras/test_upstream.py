"""Keras's own tests of these losses, from the installed package, run on ours without a change."""

import types

import pytest
from keras import ops
from keras.src.losses import loss_test, losses_test

import binxent.keras as door
from binxent import losses
from binxent.keras import _evaluation
from binxent.keras.losses import Loss


class TestBinaryCrossentropyUpstream(losses_test.BinaryCrossentropyTest):
    """Keras's tests of its class, run on ours."""

    @pytest.fixture(autouse=True)
    def _ours(self, monkeypatch):
        monkeypatch.setattr(losses_test, "losses", door)


class TestBinaryFocalCrossentropyUpstream(losses_test.BinaryFocalCrossentropyTest):
    """Keras's tests of its class, run on ours."""

    @pytest.fixture(autouse=True)
    def _ours(self, monkeypatch):
        monkeypatch.setattr(losses_test, "losses", door)


class SquaredError(Loss, spec=losses.BinaryCrossentropy, fn=door.binary_crossentropy):
    """The loss by which Keras tests masks, weights and reductions, on our way to them."""

    def __init__(self, reduction="sum_over_batch_size", dtype=None):
        super().__init__(axis=(), reduction=reduction, name="squared", dtype=dtype)


def squared_error(loss, y_pred, y_true):
    return (y_pred - y_true) ** 2


def mean_squared_error(loss, reduction, y_pred, y_true, weight):
    weight = ops.broadcast_to(1.0 if weight is None else weight, y_pred.shape)
    over = ops.sum(weight) if reduction == "weighted_mean" else ops.size(y_pred)
    return ops.sum(weight * squared_error(loss, y_pred, y_true)) / over


class TestLossUpstream(loss_test.LossTest):
    """Keras's tests of its base class, run on ours."""

    @pytest.fixture(autouse=True)
    def _ours(self, monkeypatch):
        driver = types.SimpleNamespace(elementwise=squared_error, reduced=mean_squared_error)
        monkeypatch.setattr(_evaluation, "driver", driver)
        monkeypatch.setattr(loss_test, "ExampleLoss", SquaredError)
