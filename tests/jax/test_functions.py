"""The JAX door: exact to every order and in every argument, through every transformation."""

import math
from functools import cache, partial

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from support.compare import close  # noqa: E402
from support.oracle import focal_derivative  # noqa: E402

import binxent.jax as door  # noqa: E402
from binxent import losses  # noqa: E402
from binxent.jax import _pointwise  # noqa: E402

BCE = losses.BinaryCrossentropy
FOCAL = losses.BinaryFocalCrossentropy
ASYMMETRIC = losses.AsymmetricCrossentropy
POLY = losses.PolyBinaryCrossentropy

FAMILY = [
    BCE(from_logits=True),
    BCE(from_logits=True, pos_weight=2.5),
    FOCAL(from_logits=True, gamma=0.0),
    FOCAL(from_logits=True, gamma=0.5),
    FOCAL(from_logits=True, gamma=1.0),
    FOCAL(from_logits=True, gamma=2.0, apply_class_balancing=True),
    FOCAL(from_logits=True, gamma=7.3, apply_class_balancing=True, alpha=0.8),
    ASYMMETRIC(from_logits=True),
    ASYMMETRIC(from_logits=True, gamma_pos=0.0, gamma_neg=2.5, margin=0.2),
    ASYMMETRIC(from_logits=True, gamma_pos=2.0, gamma_neg=1.0, margin=0.0),
    POLY(from_logits=True),
    POLY(from_logits=True, epsilon_1=-0.5),
]
each_loss = pytest.mark.parametrize("spec", FAMILY, ids=lambda spec: f"{spec.name}{spec.pointwise.constants}")

LOGITS = (-80.0, -30.0, -20.0, -7.5, -2.0, -0.3, -1e-3, 0.0, 1e-3, 0.4, 1.0, 3.0, 9.0, 20.0, 30.0, 80.0)
POINTS = np.array([(z, y) for z in LOGITS for y in (0.0, 1.0, 0.3)], "float32")


def definition(spec, z, y, c=None):
    """The loss as the papers write it, on numbers of 60 digits; c stands in for a positive's weight."""
    z, y = mpmath.mpf(z), mpmath.mpf(y)
    p, q = 1 / (1 + mpmath.exp(-z)), 1 / (1 + mpmath.exp(z))
    a, b = mpmath.log1p(mpmath.exp(-z)), mpmath.log1p(mpmath.exp(z))
    exact = [mpmath.mpf(constant) for constant in spec.pointwise.constants]
    entropy, miss = y * a + (1 - y) * b, y * q + (1 - y) * p
    if isinstance(spec, BCE):
        return (mpmath.mpf(c) if c else (exact or [1])[0]) * y * a + (1 - y) * b
    if isinstance(spec, FOCAL):
        alpha, beta, gamma = exact
        return (y * alpha + (1 - y) * beta) * miss**gamma * entropy
    if isinstance(spec, POLY):
        return entropy + exact[0] * miss
    gamma_pos, gamma_neg, margin = exact
    shifted = max(p - margin, mpmath.mpf(0))
    return y * q**gamma_pos * a - (1 - y) * shifted**gamma_neg * mpmath.log1p(-shifted)


def truth(spec, points, orders=(0, 0)):
    """The derivatives of the definition of these orders in logit and label, at each point."""
    with mpmath.workdps(60):
        at = partial(definition, spec)
        return np.array([float(mpmath.diff(at, (float(z), float(y)), orders)) for z, y in points])


@cache
def derivative(spec, *argnums):
    """The mixed derivative in these arguments (0: logit, 1: label), compiled, for many points."""
    function = partial(door.pointwise, spec)
    for argnum in argnums:
        function = jax.grad(function, argnum)
    return jax.jit(jax.vmap(function))


def tolerance(spec):
    """Relative: 4 ulps, and as many more as the loss's largest power makes of one."""
    powers = [0, *(getattr(spec, name, 0) for name in ("gamma", "gamma_pos", "gamma_neg"))]
    return 5e-7 * (1 + max(powers))


FLUSHED = 2e-38  # XLA has no subnormal numbers on a CPU


@each_loss
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_derivatives_in_the_logit_are_exact(spec, order):
    got, want = np.asarray(derivative(spec, *[0] * order)(*POINTS.T)), truth(spec, POINTS, (order, 0))
    hard = POINTS[:, 1] % 1 == 0
    # The terms of a loss and of its slope have one sign if the label is hard: no tail loses its digits.
    close(got[hard], want[hard], tolerance(spec), FLUSHED if order < 2 else 2e-7)
    close(got[~hard], want[~hard], tolerance(spec), 2e-7)


@pytest.mark.parametrize("spec", [FAMILY[n] for n in (1, 3, 6, 8, 10)], ids=lambda spec: spec.pointwise.name)
@pytest.mark.parametrize("argnums", [(1,), (0, 1), (0, 0, 1)], ids=str)
def test_derivatives_in_the_label_are_exact(spec, argnums):
    # A third derivative divides by the cube of a probability, which must not leave the range of float32.
    points = POINTS[abs(POINTS[:, 0]) <= (30 if len(argnums) < 3 else 20)]
    want = truth(spec, points, (argnums.count(0), argnums.count(1)))
    close(derivative(spec, *argnums)(*points.T), want, tolerance(spec), 2e-6)


SATURATED = [(-45.0, 0.0), (50.0, 1.0), (-80.0, 0.0), (80.0, 1.0)]


@pytest.mark.slow
@pytest.mark.parametrize("wide", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_second_derivatives_in_the_label_are_exact_at_saturation(gamma, wide):
    loss = partial(door.pointwise, FOCAL(True, gamma=gamma, from_logits=True))
    orders = {
        (0, 2): [jax.grad(jax.grad(loss, 1), 1), jax.jacfwd(jax.jacfwd(loss, 1), 1)],
        (1, 1): [jax.grad(jax.grad(loss), 1), jax.grad(jax.grad(loss, 1)), jax.jacfwd(jax.jacrev(loss), 1)],
    }
    with jax.enable_x64(wide):
        points = np.array(SATURATED).T.astype("float64" if wide else "float32")
        everything = jax.jit(jax.vmap(lambda z, y: [[f(z, y) for f in functions] for functions in orders.values()]))
        for order, results in zip(orders, everything(*points), strict=True):
            want = [focal_derivative(gamma, *point, order) for point in SATURATED]
            for got in results:
                close(got, want, 1e-13 if wide else 1e-6, 1e-37)


def test_a_logit_is_the_slope_in_the_label():
    z = jnp.array([-jnp.inf, -3.0, 0.0, 2.0, jnp.inf])
    slope = jax.grad(lambda y: door.sigmoid_binary_cross_entropy(z, y).sum())
    for label in (0.0, 1.0, 0.4):
        close(slope(jnp.full(5, label)), -z, 1e-6, 1e-6)


@pytest.mark.parametrize("argnums", [(2,), (2, 0), (0, 2), (2, 1)], ids=str)
def test_derivatives_in_the_weight_of_positives_are_exact(argnums):
    spec, orders = BCE(from_logits=True), tuple(argnums.count(argument) for argument in (0, 1, 2))
    with mpmath.workdps(60):
        want = [float(mpmath.diff(partial(definition, spec), (float(z), float(y), 3.0), orders)) for z, y in POINTS]
    function = _pointwise.elementwise
    for argnum in argnums:
        function = jax.grad(function, argnum + 1)
    got = jax.vmap(partial(function, spec.pointwise), (0, 0, None))(*POINTS.T, 3.0)
    close(got, want, 1e-6, FLUSHED)


def test_the_gradient_of_a_weight_per_label_adds_over_samples():
    z, y = jnp.linspace(-2, 2, 12).reshape(4, 3), (jnp.arange(12) % 2).reshape(4, 3)
    loss = partial(door.sigmoid_binary_cross_entropy, z, y)
    got = jax.grad(lambda c: loss(pos_weight=c).sum())(jnp.array([1.0, 2.0, 3.0]))
    close(got, (y * jax.nn.softplus(-z)).sum(0), 1e-6)


@each_loss
def test_infinite_logits(spec):
    far = np.array([(math.inf, 1.0), (-math.inf, 0.0), (math.inf, 0.0), (-math.inf, 1.0)], "float32")
    z, y = np.resize(far, POINTS.shape).T  # for which the derivatives are compiled
    value = derivative(spec)(z, y)[:4]
    close(value[:2], [0, 0], 0)
    if not isinstance(spec, ASYMMETRIC) or spec.margin == 0:  # with a margin p stays below 1, and the cost finite
        assert np.isposinf(value[2:]).all()
    for argnums in [(0,), (0, 0), (0, 0, 0)]:
        assert np.isfinite(derivative(spec, *argnums)(z, y)).all(), argnums
    assert not np.isnan(derivative(spec, 1)(z, y)).any()
    if isinstance(spec, FOCAL):  # the others are linear in the label
        for argnums in [(1, 1), (0, 1), (1, 0)]:
            assert not np.isnan(derivative(spec, *argnums)(z, y)).any(), argnums


@pytest.mark.parametrize("spec", [FAMILY[n] for n in (0, 1, 5, 7, 9, 10)], ids=lambda spec: spec.pointwise.name)
def test_a_label_beside_its_range_is_taken_as_it_is(spec):
    """Rounding leaves labels an ulp outside of [0, 1]; the share of the other label in the loss is negative then."""
    beside = [(z, np.nextafter(np.float32(y), np.float32(y * 3 - 1))) for z in LOGITS[1:-1] for y in (0, 1)]
    points = np.resize(np.array(beside, "float32"), POINTS.shape)  # for which the derivatives are compiled
    close(derivative(spec)(*points.T), truth(spec, points), tolerance(spec), 1e-6)
    p = np.linspace(0.01, 0.99, len(points), dtype="float32")
    probable = BCE(epsilon=None)
    want = -points[:, 1] * np.log(p.astype(float)) - (1 - points[:, 1].astype(float)) * np.log1p(-p.astype(float))
    close(door.pointwise(probable, p, points[:, 1]), want, 1e-6, 1e-7)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("define", [BCE, FOCAL, ASYMMETRIC, POLY])
def test_nan_in_is_nan_out(define, from_logits):
    spec = define(from_logits=from_logits)
    for x, y in [(math.nan, 0.0), (math.nan, 1.0), (0.5, math.nan)]:
        assert math.isnan(door.pointwise(spec, x, y)), (x, y)
        assert math.isnan(jax.grad(partial(door.pointwise, spec))(x, y)), (x, y)


@pytest.mark.parametrize(
    "spec",
    [BCE(), FOCAL(gamma=2.0), FOCAL(gamma=1.5), ASYMMETRIC(), POLY()],
    ids=lambda s: f"{s.name}{s.pointwise.constants}",
)
def test_probabilities_agree_with_logits(spec):
    p = np.array([1e-3, 0.04, 0.3, 0.5, 0.7, 0.97], "float32")
    y = np.array([0, 1, 0, 0.3, 1, 1], "float32")
    logits = np.log(p.astype(float)) - np.log1p(-p.astype(float))
    points, jacobian = np.stack([logits, y], 1), 1 / (p * (1 - p.astype(float)))
    with mpmath.workdps(60):
        close(derivative(spec)(p, y), truth(spec, points), 1e-5, 2e-7)
        close(derivative(spec, 0)(p, y), truth(spec, points, (1, 0)) * jacobian, 1e-5, 1e-6)
        close(derivative(spec, 1)(p, y), truth(spec, points, (0, 1)), 1e-5, 1e-6)


def test_the_clip_is_that_of_keras_and_keeps_its_slope():
    loss = door.binary_cross_entropy
    close(
        loss(jnp.array([0.0, 1.0, 1.0, 0.0]), jnp.array([1, 0, 1, 0])), [16.118095, 15.942385, 1.1920930e-7, 1e-7], 1e-6
    )
    slope = jax.vmap(jax.grad(loss))(jnp.array([0.0, 1.0, -0.5]), jnp.array([1, 0, 1]))
    close(slope, [-1e7, 2.0**23, -1e7], 1e-6)
    exact = partial(loss, epsilon=None)
    close(exact(jnp.array([1e-20, 0.0, 0.0, 1e-10]), jnp.array([1, 0, 1, 0])), [46.0517, 0.0, np.inf, 1e-10], 1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("label", ["float16", "bfloat16", "float32", "uint8", "int32", "bool"])
def test_the_result_has_the_dtype_of_the_predictions(dtype, label):
    z, y = jnp.array([-2.0, 0.0, 3.0], dtype), jnp.array([0, 1, 1], label)
    loss, slope = jax.value_and_grad(lambda z: door.sigmoid_binary_cross_entropy(z, y).sum())(z)
    assert (loss.dtype, slope.dtype) == (z.dtype, z.dtype)
    wide = door.sigmoid_binary_cross_entropy(z.astype("float32"), y.astype("float32"))
    close(door.sigmoid_binary_cross_entropy(z, y).astype("float32"), wide.astype(dtype).astype("float32"), 0)


def test_float64_is_exact_in_float64():
    with jax.enable_x64(True):
        z, y = jnp.array([-35.0, 0.5, 30.0]), jnp.array([0, 1, 1])
        loss, slope = jax.vmap(jax.value_and_grad(door.sigmoid_binary_cross_entropy))(z, y)
        assert loss.dtype == slope.dtype == jnp.float64
        close(loss, np.logaddexp(0, [-35.0, -0.5, -30.0]), 1e-15)
        close(slope, [1 / (1 + np.exp(35.0)), -1 / (1 + np.exp(0.5)), -1 / (1 + np.exp(30.0))], 1e-14)
        assert door.sigmoid_binary_cross_entropy(z.astype("float32"), y.astype("float64")).dtype == jnp.float32


@pytest.mark.parametrize(
    "spec", [BCE(), BCE(True), FOCAL(), FOCAL(gamma=0.5), FOCAL(from_logits=True), ASYMMETRIC(), POLY()]
)
def test_no_half_becomes_nan(spec):
    every = np.arange(2**16, dtype="uint16").view("float16")
    x = every[~np.isnan(every)] if spec.from_logits else every[(every >= 0) & (every <= 1)]
    for label in (0, 1):
        y = np.full(x.shape, label, "uint8")
        assert not np.isnan(door.pointwise(spec, x, y)).any()
        assert not np.isnan(jax.grad(lambda x: door.pointwise(spec, x, y).astype("float32").sum())(x)).any()  # noqa: B023


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_shapes_are_never_broadcast(wrap):
    loss = wrap(door.sigmoid_binary_cross_entropy)
    for shape in [(4, 1), (), (1,), (4, 4)]:
        with pytest.raises(
            ValueError, match=r"`labels` and `logits` must have the same shape; got .* and \(4,\)\. Reshape"
        ):
            loss(jnp.ones(4), jnp.ones(shape))
    for shape in [(4, 1), (2,), (1, 4)]:
        with pytest.raises(ValueError, match="`pos_weight` must be a number or hold one number"):
            loss(jnp.ones((1, 4)), jnp.ones((1, 4)), pos_weight=jnp.ones(shape))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: door.sigmoid_binary_cross_entropy(jnp.array([0, 1]), jnp.ones(2)),
            TypeError,
            "`logits` must be floating; got int32. They come first",
        ),
        (
            lambda: door.binary_cross_entropy(jnp.array([True]), jnp.ones(1)),
            TypeError,
            "`probabilities` must be floating; got bool",
        ),
        (
            lambda: door.sigmoid_poly_loss(jnp.ones(2), jnp.ones(2) * 1j),
            TypeError,
            "`labels` must be real; got complex64",
        ),
        (
            lambda: door.sigmoid_binary_cross_entropy(jnp.ones(2), jnp.ones(2), pos_weight=-1),
            ValueError,
            "`pos_weight` must be finite and >= 0",
        ),
        (
            lambda: door.sigmoid_binary_cross_entropy(jnp.ones(2), jnp.ones(2), label_smoothing=2),
            ValueError,
            r"`label_smoothing` must lie in \[0, 1\]; got 2",
        ),
        (
            lambda: door.sigmoid_focal_loss(jnp.ones(2), jnp.ones(2), gamma=-1),
            ValueError,
            "`gamma` must be >= 0; got -1",
        ),
        (
            lambda: door.sigmoid_focal_loss(jnp.ones(2), jnp.ones(2), alpha=1.5),
            ValueError,
            r"`alpha` must lie in \[0, 1\]; got 1.5",
        ),
        (lambda: door.binary_poly_loss(jnp.ones(2), jnp.ones(2), epsilon=0.7), ValueError, "`epsilon` must lie in"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("ignore", [-1, 255, math.nan])
def test_ignored_entries_are_hidden(ignore):
    z = jnp.array([jnp.nan, 1.0, jnp.inf, -2.0])
    y = jnp.array([ignore, 1.0, ignore, 0.0])
    loss = partial(door.sigmoid_binary_cross_entropy, ignore_label=ignore, label_smoothing=0.1)
    kept = door.sigmoid_binary_cross_entropy(z[1::2], y[1::2], label_smoothing=0.1)
    close(loss(z, y)[1::2], kept, 0)
    close(loss(z, y)[::2], [0, 0], 0)
    slope, by_label = jax.grad(lambda z, y: loss(z, y).sum(), (0, 1))(z, y)
    close(slope[::2], [0, 0], 0)
    close(by_label[::2], [0, 0], 0)
    assert (slope[1::2] != 0).all()


def test_ignored_integer_labels():
    y = jnp.array([255, 1, 0], "uint8")
    close(door.sigmoid_focal_loss(jnp.ones(3), y, ignore_label=255)[0], 0.0, 0)
    close(door.sigmoid_focal_loss(jnp.ones(3), y)[1:], door.sigmoid_focal_loss(jnp.ones(3), y, ignore_label=255)[1:], 0)


@pytest.mark.parametrize("spec", [FAMILY[1], FAMILY[3], FAMILY[7], FAMILY[10]], ids=lambda spec: spec.pointwise.name)
def test_transformations_agree(spec):
    z, y = jnp.asarray(POINTS[:, 0]), jnp.asarray(POINTS[:, 1])
    loss = partial(door.pointwise, spec)
    slope = derivative(spec, 0)(z, y)
    close(jax.jit(loss)(z, y), loss(z, y), 1e-6, FLUSHED)
    close(jax.vmap(loss)(z, y), loss(z, y), 1e-6, FLUSHED)
    upstream = jnp.linspace(-3, 3, len(z))
    close(jax.vjp(lambda z: loss(z, y), z)[1](upstream)[0], upstream * slope, 1e-6, FLUSHED)
    close(jax.jvp(lambda z: loss(z, y), (z,), (upstream,))[1], upstream * slope, 1e-6, FLUSHED)
    close(jax.grad(jax.checkpoint(lambda z: loss(z, y).sum()))(z), slope, 1e-6, FLUSHED)
    scanned = jax.grad(lambda z: jax.lax.scan(lambda total, zy: (total + loss(*zy), None), 0.0, (z, y))[0])
    close(scanned(z), slope, 1e-5, FLUSHED)


@pytest.mark.parametrize(
    "hessian", [jax.hessian, lambda f: jax.jacrev(jax.jacrev(f)), lambda f: jax.jacrev(jax.jacfwd(f))]
)
def test_hessians_are_diagonal_and_exact(hessian):
    spec = FOCAL(from_logits=True, gamma=2.0)
    z, y = jnp.array([-20.0, 0.0, 1.0]), jnp.array([0.0, 1.0, 0.3])
    got = hessian(lambda z: door.pointwise(spec, z, y).sum())(z)
    close(got, np.diag(truth(spec, np.stack([z, y], 1), (2, 0))), 1e-6, 1e-7)


def test_zero_initialised_heads_start_in_the_right_direction():
    slope = jax.vmap(jax.grad(door.sigmoid_binary_cross_entropy), (None, 0))
    close(slope(0.0, jnp.array([0.0, 1.0, 0.25])), [0.5, -0.5, 0.25], 0)


def test_labels_are_not_paid_for_unless_asked():
    z = y = jnp.ones(3)
    text = str(jax.make_jaxpr(jax.grad(lambda z: door.sigmoid_binary_cross_entropy(z, y).sum()))(z))
    both = str(jax.make_jaxpr(jax.grad(lambda z, y: door.sigmoid_binary_cross_entropy(z, y).sum(), (0, 1)))(z, y))
    assert text.count("custom_jvp_call[") == 2  # the loss and its slope
    assert both.count("custom_jvp_call[") == 4  # and the loss of either label


logits = st.floats(-60, 60, width=32)
labels = st.floats(0, 1, width=32, allow_subnormal=False)


@settings(max_examples=50, deadline=None)
@given(z=logits, y=labels, s=st.floats(0, 1, width=16))
def test_relations(z, y, s):
    bce = partial(door.sigmoid_binary_cross_entropy, float(z))
    close(door.sigmoid_focal_loss(z, y, alpha=-1, gamma=0.0), bce(y), 0)
    close(door.sigmoid_poly_loss(z, y, epsilon_1=0.0), bce(y), 0)
    close(door.sigmoid_asymmetric_loss(z, y, gamma_pos=0.0, gamma_neg=0.0, margin=0.0), bce(y), 1e-6)
    close(door.pointwise(BCE(True, s), z, y), bce(float(y * (1 - s) + s / 2)), 1e-5, 1e-5)
    half = door.sigmoid_focal_loss(z, y, alpha=0.5, gamma=1.0)
    close(2 * half, door.sigmoid_focal_loss(z, y, gamma=1.0), 1e-6, FLUSHED)


@pytest.mark.parametrize(
    ("function", "spec"),
    [
        (partial(door.binary_cross_entropy, pos_weight=3.0, label_smoothing=0.1), BCE(False, 0.1, pos_weight=3.0)),
        (partial(door.binary_focal_loss, alpha=0.3, gamma=1.5), FOCAL(True, 0.3, 1.5)),
        (partial(door.binary_asymmetric_loss, gamma_pos=2, gamma_neg=3, margin=0.1), ASYMMETRIC(2, 3, 0.1)),
        (partial(door.binary_poly_loss, epsilon_1=2.0, epsilon=None), POLY(2.0, epsilon=None)),
        (partial(door.sigmoid_binary_cross_entropy, pos_weight=[3.0] * 4), BCE(True, pos_weight=3.0)),
        (partial(door.sigmoid_focal_loss, alpha=0.3, gamma=1.5), FOCAL(True, 0.3, 1.5, True)),
        (partial(door.sigmoid_asymmetric_loss, gamma_pos=2, gamma_neg=3, margin=0.1), ASYMMETRIC(2, 3, 0.1, True)),
        (partial(door.sigmoid_poly_loss, epsilon_1=2.0), POLY(2.0, True)),
    ],
)
def test_functions_say_what_their_losses_say(function, spec):
    x, y = jnp.array([0.0, 0.2, 0.9, 1.0]), jnp.array([1, 0, 1, 0])
    close(function(x, y), door.pointwise(spec, x, y), 0)


def test_a_reading_takes_the_place_of_the_loss_own():
    spec, p, y = BCE(epsilon=None), jnp.array([0.0, 0.25, 1.0]), jnp.array([1, 0, 0])
    close(_pointwise.elementwise(spec.pointwise.read_as("probability"), p, y), [np.inf, -np.log(0.75), np.inf], 1e-6)
    close(_pointwise.elementwise(spec.pointwise.read_as("clamped_probability"), p, y), [100, -np.log(0.75), 100], 1e-6)


def test_nothing_but_the_arguments_is_kept_for_the_gradient():
    z, y = jnp.ones((64, 64), "bfloat16"), jnp.ones((64, 64), "uint8")
    for spec in (FAMILY[1], FAMILY[6], FAMILY[8]):
        _, gradient = jax.vjp(lambda z: door.pointwise(spec, z, y), z)  # noqa: B023
        assert sum(kept.nbytes for kept in jax.tree.leaves(gradient)) <= z.nbytes + y.nbytes + 64


def test_equal_losses_are_compiled_once():
    z, y = jnp.ones(3), jnp.array([0.0, 1.0, np.nan])
    _pointwise._elementwise.clear_cache()
    for nan in (math.nan, float("nan"), -math.nan):
        door.sigmoid_binary_cross_entropy(z, y, ignore_label=nan)
    assert _pointwise._elementwise._cache_size() == 1
    door.sigmoid_binary_cross_entropy(z, y)
    assert _pointwise._elementwise._cache_size() == 2
