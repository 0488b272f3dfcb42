"""Where the JAX door can go: every transformation, exported programs, checks for NaN, and in place of optax."""

import inspect
import unittest
from functools import partial

import numpy as np
import pytest

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from support.compare import close, numbers  # noqa: E402

import binxent.jax as door  # noqa: E402

pytestmark = pytest.mark.slow  # each transformation compiles anew

EVERY = {
    "bce": (partial(door.sigmoid_binary_cross_entropy, pos_weight=[1.0, 2.0, 3.0]), False),
    "focal": (partial(door.sigmoid_focal_loss, alpha=0.25, gamma=0.5, label_smoothing=0.1), False),
    "asymmetric": (door.sigmoid_asymmetric_loss, False),
    "poly, ignored": (partial(door.sigmoid_poly_loss, ignore_label=0.25), False),
    "bce of probabilities": (door.binary_cross_entropy, True),
    "focal of exact probabilities": (partial(door.binary_focal_loss, epsilon=None), True),
}
every = pytest.mark.parametrize(("loss", "probabilities"), EVERY.values(), ids=EVERY)
some = pytest.mark.parametrize(("loss", "probabilities"), list(EVERY.values())[::2], ids=list(EVERY)[::2])


def arrays(probabilities, shape=(4, 3, 3), dtype="float32"):
    draw = np.random.default_rng(0)
    z = draw.normal(size=shape) * 2
    x = 1 / (1 + np.exp(-z)) if probabilities else z
    return jnp.asarray(x, dtype), jnp.asarray(draw.choice([0, 0.25, 1], shape), dtype)


def second_order(loss, x, y):
    """Loss, slope, curvature, and the slope in the label."""
    slope = jax.grad(lambda x, y: loss(x, y).sum(), (0, 1))
    curvature = jax.jvp(lambda x: slope(x, y)[0], (x,), (jnp.ones_like(x),))[1]
    return loss(x, y), *slope(x, y), curvature


@every
def test_transformations_agree(loss, probabilities):
    x, y = arrays(probabilities)
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"), jax.debug_nans(True):
        want = jax.jit(partial(second_order, loss))(x, y)
        rows = jax.vmap(jax.checkpoint(loss), -2, -2)
        for transformed in (jax.vmap(partial(second_order, loss)), partial(second_order, rows)):
            for got, wanted in zip(jax.jit(transformed)(x, y), want, strict=True):
                close(got, wanted, 1e-5, 1e-6)
    scanned = jax.jit(jax.grad(lambda x: jax.lax.map(lambda pair: loss(*pair), (x, y)).sum()))
    close(scanned(x), want[1], 1e-5, 1e-6)


@some
def test_x64_and_bfloat16_keep_their_dtype(loss, probabilities):
    x, y = arrays(probabilities)
    both = jax.jit(partial(second_order, loss))
    want = both(x, y)
    with jax.enable_x64(True):
        wide = both(*arrays(probabilities, dtype="float64"))
    assert {one.dtype for one in wide} == {jnp.dtype("float64")}
    half = both(*(array.astype("bfloat16") for array in (x, y)))
    assert {one.dtype for one in half} == {jnp.dtype("bfloat16")}
    rounded = both(*(array.astype("bfloat16").astype("float32") for array in (x, y)))
    for exact, single, got, coarse in zip(wide, want, half, rounded, strict=True):
        close(single, numbers(exact), 1e-4, 1e-5)
        close(got, coarse.astype("bfloat16"), 0.01, 1e-3)


@some
def test_exported_programs_do_the_same_on_any_platform(loss, probabilities):
    x, y = arrays(probabilities)
    function = jax.jit(lambda x, y: loss(x, y).sum())
    rows = jax.export.symbolic_shape("rows, 3, 3")
    shape = jax.ShapeDtypeStruct(rows, x.dtype)
    exported = jax.export.export(function, platforms=("cpu", "cuda", "tpu"))(shape, shape)
    loaded = jax.export.deserialize(exported.serialize(vjp_order=1))
    close(loaded.call(x, y), function(x, y))
    for got, want in zip(jax.grad(loaded.call, (0, 1))(x, y), jax.grad(function, (0, 1))(x, y), strict=True):
        close(got, want, 1e-5, 1e-6)


@pytest.mark.parametrize("loss", [partial(door.sigmoid_focal_loss, gamma=0.5), door.sigmoid_asymmetric_loss])
def test_no_nan_is_made_on_the_way(loss):
    z, y = jnp.array([jnp.inf, -jnp.inf, 200.0, -200.0, 0.0]), jnp.array([1.0, 0.0, 1.0, 0.0, 1.0])
    with jax.debug_nans(True):
        assert not np.isnan(jax.jit(partial(second_order, loss))(z, y)).any()


def test_the_weight_of_positives_goes_through_vmap_and_jit():
    z, y = arrays(False, (5, 3))
    weights = jnp.arange(6.0).reshape(2, 3)
    together = jax.jit(jax.vmap(lambda c: door.sigmoid_binary_cross_entropy(z, y, pos_weight=c)))(weights)
    for got, weight in zip(together, weights, strict=True):
        close(got, door.sigmoid_binary_cross_entropy(z, y, pos_weight=weight), 1e-6)
    per_sample = jax.vmap(lambda z, y, c: door.sigmoid_binary_cross_entropy(z, y, pos_weight=c))(z, y, jnp.ones(5))
    close(per_sample, door.sigmoid_binary_cross_entropy(z, y), 1e-6)
    slope = jax.jit(jax.grad(lambda c: door.sigmoid_binary_cross_entropy(z, y, pos_weight=c).sum()))(weights[1])
    close(slope, (y * jax.nn.softplus(-z)).sum(0), 1e-5)


FOCAL = [
    lambda z, y, alpha, gamma: door.sigmoid_focal_loss(z, y, alpha, gamma),
    lambda z, y, alpha, gamma: door.binary_focal_loss(jax.nn.sigmoid(z), y, alpha, gamma, epsilon=None),
]


@pytest.mark.parametrize("focal", FOCAL, ids=["logits", "probabilities"])
def test_the_options_of_a_focal_loss_may_be_traced_arrays_and_differentiated(focal):
    z, y = arrays(False, (5, 3))
    alpha, gamma = jnp.array([0.2, 0.5, 1.0]), jnp.array([0.0, 1.5, 3.0])
    got = jax.jit(focal)(z, y, alpha, gamma)
    for column in range(3):
        close(got[:, column], focal(z[:, column], y[:, column], float(alpha[column]), float(gamma[column])), 1e-5, 1e-7)
    close(focal(z, y, [0.2, 0.5, 1.0], gamma), got, 1e-6)
    close(focal(z, y, jnp.float32(0.2), np.float32(2)), focal(z, y, 0.2, 2.0), 1e-6)

    def spelled_out(z, y, alpha, gamma):
        p, q = jax.nn.sigmoid(z), jax.nn.sigmoid(-z)
        entropy = y * jax.nn.softplus(-z) + (1 - y) * jax.nn.softplus(z)
        return (y * alpha + (1 - y) * (1 - alpha)) * (y * q + (1 - y) * p) ** gamma * entropy

    gamma = jnp.array([0.5, 1.5, 3.0])
    for order in ((2,), (3,), (0, 3), (2, 3), (0, 2)):
        one, other = focal, spelled_out
        for argument in order:
            one, other = (jax.grad(lambda *a, f=f: f(*a).sum(), argument) for f in (one, other))
        close(jax.jit(one)(z, y, alpha, gamma), jax.jit(other)(z, y, alpha, gamma), 1e-4, 1e-5)


def test_impossible_arrays_of_focal_options_are_refused():
    z = y = jnp.ones((2, 2))
    with pytest.raises(ValueError, match=r"`alpha` must lie in \[0, 1\]; got \[0.5, 2.0\]"):
        door.sigmoid_focal_loss(z, y, [0.5, 2.0])
    with pytest.raises(ValueError, match=r"`gamma` must lie in \[0, inf\]"):
        door.sigmoid_focal_loss(z, y, gamma=[-1.0, 2.0])
    with pytest.raises(ValueError, match="`gamma` must be a number or hold one number for each label"):
        door.sigmoid_focal_loss(z, y, gamma=[1.0, 2.0, 3.0])


OPTAX = [
    ("sigmoid_binary_cross_entropy", {}),
    ("sigmoid_focal_loss", {}),
    ("sigmoid_focal_loss", {"alpha": 0.25, "gamma": 0.5}),
    ("sigmoid_focal_loss", {"gamma": 0.0}),
    ("sigmoid_focal_loss", {"alpha": jnp.array([0.1, 0.5, 0.9]), "gamma": jnp.float32(1.5)}),
]


@pytest.mark.parametrize(("name", "options"), OPTAX, ids=[f"{name} {list(options)}" for name, options in OPTAX])
def test_drop_in_for_optax(name, options):
    theirs, ours = getattr(pytest.importorskip("optax"), name), getattr(door, name)
    wanted, taken = inspect.signature(theirs).parameters, inspect.signature(ours).parameters
    for position, parameter in enumerate(wanted.values()):
        assert list(taken)[position] == parameter.name
        assert taken[parameter.name].default == parameter.default
    for dtype, label in [("float32", "float32"), ("bfloat16", "int32")]:
        z, y = arrays(False, (64, 3), dtype)
        y = y if label == "float32" else (y > 0.5).astype(label)
        (got, slope), (want, true_slope) = (
            jax.jit(lambda z, y, loss=loss: (loss(z, y), jax.grad(lambda z: loss(z, y).sum())(z)))(z, y)
            for loss in (partial(ours, **options), partial(theirs, **options))
        )
        assert got.dtype == slope.dtype == dtype
        tolerance = 1e-5 if dtype == "float32" else 0.05
        close(got, numbers(want), tolerance, tolerance)  # optax's own dtype is float32 where labels are integers
        close(slope, true_slope, tolerance, tolerance)


@pytest.mark.parametrize("case", ["SigmoidCrossEntropyTest", "SigmoidFocalLossTest"])
def test_optax_own_tests_pass(case, monkeypatch):
    theirs = pytest.importorskip("optax.losses._classification_test")
    for name in ("sigmoid_binary_cross_entropy", "sigmoid_focal_loss"):
        monkeypatch.setattr(theirs._classification, name, getattr(door, name))
    result = unittest.defaultTestLoader.loadTestsFromTestCase(getattr(theirs, case)).run(unittest.TestResult())
    assert result.testsRun > 3
    assert not result.errors + result.failures, "\n".join(said for _, said in result.errors + result.failures)
