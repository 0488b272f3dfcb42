"""Numbers of float64 beside predictions in float32: none is lost, or overflows, without a word."""

import numpy as np
import pytest
from support.peers import bx_jax, bx_tf, bx_torch, by_torch, jax, tf, torch

import binxent as bx

LOGITS, LABELS = np.float32([0.5, -1.0]), np.float32([1.0, 0.0])
OPTIONS = {
    "pos_weight": bx.BinaryCrossentropy(True, pos_weight=1e39),
    "gamma": bx.BinaryFocalCrossentropy(gamma=1e39, from_logits=True),
    "alpha": bx.BinaryFocalCrossentropy(True, alpha=1e-50, from_logits=True),
    "margin": bx.AsymmetricCrossentropy(margin=1e-50, from_logits=True),
    "gamma_neg": bx.AsymmetricCrossentropy(gamma_neg=1e39, from_logits=True),
    "epsilon_1": bx.PolyBinaryCrossentropy(1e39, from_logits=True),
    "label_smoothing": bx.BinaryCrossentropy(True, label_smoothing=1e-50),
}


def value_and_grad(door, loss):
    if door.name == "torch":
        return by_torch(lambda z: bx_torch.pointwise(loss, z, torch.tensor(LABELS)), LOGITS)
    return door.value_and_grad(loss, LABELS, LOGITS)


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_does_not_fit_into_float32_is_refused_by_name(backend, option):
    with pytest.raises(ValueError, match=rf"`{option}` must be 0, or of a size from 1.18e-38 to 3.40e\+38, .* float32"):
        value_and_grad(backend, OPTIONS[option])


def test_an_option_that_fits_into_float64_is_used_in_float64():
    for option, loss in OPTIONS.items():
        value, slope = bx.value_and_grad(loss, LABELS, LOGITS.astype(float))
        assert np.isfinite(value), option
        assert np.isfinite(slope).all(), option


@pytest.mark.parametrize(("weight", "words"), [(np.inf, "must be finite and >= 0"), (1e39, "to be used in float32")])
def test_a_weight_of_positives_that_is_infinite_is_refused(weight, words):
    weights = np.array([weight, 1.0])
    calls = {
        "numpy": lambda: bx.weighted_cross_entropy_with_logits(LABELS, LOGITS, weights),
        "jax": lambda: bx_jax.sigmoid_binary_cross_entropy(LOGITS, LABELS, pos_weight=weights),
        "jax.jit": lambda: jax.jit(lambda z: bx_jax.sigmoid_binary_cross_entropy(z, LABELS, pos_weight=weights))(
            LOGITS
        ),
        "tensorflow": lambda: bx_tf.sigmoid_cross_entropy_with_logits(LABELS, LOGITS, pos_weight=tf.constant(weights)),
        "tf.function": lambda: tf.function(
            lambda z: bx_tf.sigmoid_cross_entropy_with_logits(LABELS, z, pos_weight=tf.constant(weights))
        )(LOGITS),
        **{
            name: by_tensors(weights, **grad) for name, grad in {"torch": {}, "torch's formula": {"grad": True}}.items()
        },
    }
    for name, call in calls.items():
        pytest.importorskip({"jax.jit": "jax", "tf.function": "tensorflow"}.get(name, name.partition("'")[0]))
        with pytest.raises(ValueError, match=words):
            call()


def by_tensors(pos_weight, grad=False):
    """Return a call of torch's door, by its kernels or, for labels that are differentiated, by the plain formula."""
    return lambda: bx_torch.binary_cross_entropy_with_logits(
        torch.tensor(LOGITS), torch.tensor(LABELS, requires_grad=grad), pos_weight=torch.tensor(pos_weight)
    )


def test_options_are_checked_in_torch_whatever_computes_the_loss():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="`epsilon_1` must be 0, or of a size"):
        bx_torch.pointwise(OPTIONS["epsilon_1"], torch.tensor(LOGITS), torch.tensor(LABELS, requires_grad=True))
    with pytest.raises(ValueError, match="`clip` must be 0, or of a size"):
        bx_torch.asymmetric_loss(torch.tensor(LOGITS), torch.tensor(LABELS), clip=1e-50)
