"""Numbers of float64 beside predictions in float32: none is lost, or overflows, without a word."""

import re

import numpy as np
import pytest
from support.compare import close
from support.doors import DOORS
from support.peers import (
    bx_jax,
    bx_keras,
    bx_tf,
    bx_tf_keras,
    bx_torch,
    by_jax,
    by_keras,
    by_tensorflow,
    by_torch,
    jax,
    keras,
    ops,
    tf,
    torch,
)

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


WEIGHTS = [1e-50, 1e-40, 1e39, 1e300, np.float32(1e-40), np.float32(3e38)]
MEAN = bx.BinaryCrossentropy(True, axis=(), reduction="mean_with_sample_weight")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [*WEIGHTS, 1e-320, 1e308], ids=str)
def test_a_mean_by_weight_depends_on_the_ratios_of_weights_alone(size, dtype):
    x, y, ratios = np.array([0.5, -1.0, 2.0], dtype), np.array([1.0, 0.0, 1.0]), np.array([1.0, 0.5, 0.25])
    want = bx.value_and_grad(MEAN, y, x, ratios)
    close(bx.value_and_grad(MEAN, y, x, ratios * size), want, 1e-5 if size == 1e-320 else 1e-6)
    close(MEAN(y, x[:, None], ratios * size), want[0], 1e-5)


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
def test_weights_of_float64_keep_their_size_beside_float32(reduction):
    x, y = np.float32([1e-30, 40, -np.inf]), np.float32([0.5, 1, 0])
    loss = bx.BinaryCrossentropy(True, axis=(), reduction=reduction, dtype="float64")
    for weight in ([1e-50, 1e-60, 1e-70], [1e50, 1e60, 1e70], [1.0, 1e-50, 1e50]):
        want = bx.value_and_grad(loss, y, x.astype(float), weight)
        close(bx.value_and_grad(loss, y, x, weight)[0], want[0], 1e-6)
    wrong = np.float32([np.inf])
    assert bx.BinaryCrossentropy(True, reduction=reduction)([0.0], wrong, [1e-50]) == np.inf  # not hidden


@pytest.mark.parametrize("weight", [np.inf, np.nan])
def test_what_an_ignored_entry_weighs_does_not_matter(weight):
    x, y, weights = np.float32([0.5, 0.25]), np.array([1.0, -1.0]), np.array([1.0, weight])
    for reduction in ("mean_with_sample_weight", "sum", "mean", "none"):
        loss = bx.BinaryCrossentropy(True, axis=(), reduction=reduction, ignore_label=-1)
        close(bx.value_and_grad(loss, y, x, weights), bx.value_and_grad(loss, y, x, [1.0, 1.0]), ulps=0)
        masked = np.ma.array([1.0, 1.0], mask=[False, True])
        close(bx.value_and_grad(loss, masked, x, weights), bx.value_and_grad(loss, masked, x), ulps=0)
    with pytest.raises(ValueError, match="infinite weight"):
        MEAN([1.0, 0.0], x, [1.0, np.inf])


@pytest.mark.parametrize("label", [1 + 1e-9, np.nextafter(1, 2), -1e-50, -5e-324])
def test_a_label_of_float64_is_compared_in_float64(label):
    found = f"from 1 to {float(label)!r}" if label > 1 else f"from {label:.9g} to 1"
    with pytest.raises(ValueError, match=re.escape(f"1 of 2 outside, {found}. Map")):
        MEAN(np.array([1.0, label]), np.zeros(2, np.float32))


@pytest.mark.parametrize(
    ("ignored", "other"), [(2**24 + 1, np.int64(2**24)), (2**24 + 1, 2.0**24), (0.5, 0.5 + 1e-12), (1, 1 - 1e-12)]
)
def test_only_the_very_label_is_ignored(ignored, other):
    loss, x = bx.BinaryCrossentropy(True, axis=(), reduction="none", ignore_label=ignored), np.zeros(2, np.float32)
    labels = np.array([other, ignored])
    if other > 1:
        with pytest.raises(ValueError, match="1 of 1 outside"):
            loss(labels, x)
    else:
        close(loss(labels, x), np.float32([np.log(2), 0]))
        close(bx.value_and_grad(loss, labels, x, [3.0, 1.0])[0], np.float32([3 * np.log(2), 0]))


def test_weights_of_losses_per_sample_may_come_with_nan():
    """Each sample has a divisor of its own there, which is one more weight."""
    loss = bx.BinaryCrossentropy(reduction="none", ignore_label=-1)
    found = loss(np.float32([[1, -1], [0, 1]]), np.float32([[0.5, 0], [np.nan, 0]]), np.float32([[3, 1], [1, 1]]))
    close(found, np.float32([3 * np.log(2), np.nan]))


def in_keras_dialect(backend, loss, y, x, weight=None):
    """The loss by the class of the same name in a door of Keras's dialect, NumPy's included, as an array."""
    module = {"numpy": bx, "keras": bx_keras, "tf_keras": bx_tf_keras}[backend.name]
    options = {"from_logits": True, "axis": (), "reduction": loss.reduction, "ignore_label": loss.ignore_label}
    got = module.BinaryCrossentropy(**options)(y, x, weight)
    return got if backend.name == "numpy" else np.asarray(ops.convert_to_numpy(got))


X, Y, RATIOS = np.float32([[0.5], [-1.0], [2.0]]), np.array([[1.0], [0.0], [1.0]]), np.array([1.0, 0.5, 0.25])
weighing = pytest.mark.parametrize(
    "backend", [door for door in DOORS if door.name in ("keras", "tf_keras")], indirect=True, ids=lambda door: door.name
)


@weighing
@pytest.mark.parametrize("size", [*WEIGHTS, 1e-320], ids=str)
def test_keras_takes_a_mean_by_weight_from_ratios(backend, size):
    close(in_keras_dialect(backend, MEAN, Y, X, RATIOS * size), MEAN(Y, X, RATIOS), 1e-5)


@weighing
@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
def test_keras_keeps_the_size_of_weights_of_float64(backend, reduction):
    loss = bx.BinaryCrossentropy(True, axis=(), reduction=reduction)
    large = 1e39 if reduction == "none" else 1e38  # a sum in float32 ends there
    for weight in ([large, 1e37, 3.0], [1e-60, 1.0, 1e300], RATIOS * 1e-60):
        with np.errstate(over="ignore"):
            want = loss(Y, X, weight)
        close(in_keras_dialect(backend, loss, Y, X, np.array(weight)), want, 1e-6)
        close(in_keras_dialect(backend, loss, Y, X, list(weight)), want, 1e-6)
    wrong = np.float32([[-np.inf], [0.0], [0.0]])
    assert np.isposinf(in_keras_dialect(backend, loss, Y, wrong, np.array([1e-60, 1.0, 1.0]))).any()  # not hidden


def test_a_metric_refuses_weights_that_its_dtype_cannot_add_up():
    pytest.importorskip("keras")
    metric = bx_keras.metrics.BinaryCrossentropy(from_logits=True)
    with pytest.raises(ValueError, match="`sample_weight` must be 0, or of a size"):
        metric.update_state(Y, X, RATIOS * 1e39)


@weighing
@pytest.mark.parametrize("weight", [np.inf, np.nan])
def test_keras_does_not_look_at_what_an_ignored_entry_weighs(backend, weight):
    y, masked = np.array([[1], [0], [-1]]), np.ma.array([[1], [0], [1]], mask=[[0], [0], [1]])
    for reduction in ("mean_with_sample_weight", "sum", "mean", "none"):
        loss = bx.BinaryCrossentropy(True, axis=(), reduction=reduction, ignore_label=-1)
        want = loss(y, X, [1.0, 2.0, 3.0])
        for labels in (y, masked):
            close(in_keras_dialect(backend, loss, labels, X, np.array([1.0, 2.0, weight])), want, 1e-6)


def elements(backend, loss, y, x, as_tensor):
    """The loss of each element by any door, with the labels as an array or as a tensor of the framework."""
    if backend.name in ("numpy", "keras", "tf_keras"):
        framework = {"keras": keras, "tf_keras": tf}.get(backend.name)
        if as_tensor and framework is not None:
            y = getattr(framework, "ops", framework).convert_to_tensor(y)
        return in_keras_dialect(backend, loss, y, x)
    if backend.name == "torch":
        return bx_torch.pointwise(loss, torch.tensor(x), torch.tensor(y)).numpy()
    if backend.name == "jax":
        return np.asarray(bx_jax.pointwise(loss, x, y))
    return (tf.function(bx_tf.pointwise) if as_tensor else bx_tf.pointwise)(loss, x, tf.constant(y)).numpy()


@pytest.mark.parametrize("as_tensor", [False, True], ids=["array", "tensor"])
def test_every_door_ignores_the_very_label_only(backend, as_tensor):
    for labels in ([[0.5 + 1e-12], [0.5]], [[1 - 1e-12], [1.0]]):
        if as_tensor and backend.name == "keras" and keras.backend.backend() == "jax":
            continue  # its tensors have float32 at most
        loss = bx.BinaryCrossentropy(True, axis=(), reduction="none", ignore_label=labels[1][0])
        got = elements(backend, loss, np.array(labels), np.zeros((2, 1), np.float32), as_tensor)
        close(got, np.float32([[np.log(2)], [0]]))


def test_doors_that_check_no_labels_compare_whole_ones_before_rounding(backend):
    if backend.name in ("numpy", "torch") or (backend.name == "keras" and keras.backend.backend() == "torch"):
        return  # which refuse the other label
    loss = bx.BinaryCrossentropy(True, axis=(), reduction="none", ignore_label=2**24 + 1)
    for as_tensor in (False, True):
        got = elements(backend, loss, np.array([[2**24], [2**24 + 1]]), np.zeros((2, 1), np.float32), as_tensor)
        assert got[0, 0] != 0
        assert got[1, 0] == 0


@pytest.mark.parametrize("door", ["jax", "tensorflow", "tf.function", "keras"])
def test_a_hidden_entry_has_no_gradient_whatever_comes_from_above(door):
    pytest.importorskip({"tf.function": "tensorflow"}.get(door, door))
    y, x = np.float32([1, -1, 0]), np.float32([0.5, 0.25, -1.0])
    loss = bx.BinaryCrossentropy(True, axis=(), reduction="none", ignore_label=-1)

    def call(z):
        if door == "keras":
            like = bx_keras.BinaryCrossentropy(True, axis=(), reduction="none", ignore_label=-1)
            return like(y, z, np.float32([1, 1, 0]))
        return (bx_jax if door == "jax" else bx_tf).pointwise(loss, z, y)

    run = tf.function(call) if door == "tf.function" else call
    by = {"jax": by_jax, "keras": by_keras}.get(door, by_tensorflow)
    _, slope = by(lambda z: run(z) * np.float32(np.inf), x)
    close(slope, [-np.inf, 0.0, 0.0 if door == "keras" else np.inf])
