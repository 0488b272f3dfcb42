"""The TensorFlow door: values, derivatives of any order, and options, eagerly, in graphs and under XLA."""

import gc
import math
from functools import cache, partial

import numpy as np
import pytest
import tensorflow as tf
from support import cases, oracle
from support.compare import close

import binxent as bx
import binxent.tensorflow as door
from binxent._core import formulas
from binxent.tensorflow import _derivatives, _pointwise

BCE, FOCAL, ASYMMETRIC, POLY = cases.FAMILY
FLUSHED = (
    1000  # least normal numbers: TensorFlow has no subnormal ones on a CPU, and multiplies what it lost by a logit
)
SPECS = [
    *(cases.LOSSES[name](from_logits=True) for name in (
        "bce", "bce, positives 2.5", "poly", "focal 0.5", "focal 2, balanced", "asymmetric", "asymmetric 0.5 7.3 0.05",
    )),
    *(cases.LOSSES[name](from_logits=False) for name in ("bce", "focal 2, balanced", "asymmetric")),
    bx.BinaryCrossentropy(epsilon=None),
]  # fmt: skip


def in_graph(function):
    """A function of tensors of which the graph knows nothing but ranks: their operations, one by one."""

    def call(*tensors):
        signature = [tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype) for tensor in tensors]
        return tf.function(function, input_signature=signature, autograph=False)(*tensors)

    return call


def compiled_inside(function):
    """A function of a graph that knows how many elements there are, and leaves them to XLA by itself."""
    return tf.function(function, autograph=False)


WAYS = {
    "eager": lambda function: function,
    "graph": in_graph,
    "compiled inside": compiled_inside,
    "xla": partial(tf.function, autograph=False, jit_compile=True),
}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
# Under XLA formulas are spelled as where a graph leaves them to XLA: not all need be compiled twice.
MOST = {name: way for name, way in WAYS.items() if name != "xla"}
most_ways = pytest.mark.parametrize("way", MOST.values(), ids=MOST)
EVERYDAY = (formulas.unweighted_bce,), (formulas.focal, 2)


@pytest.fixture(autouse=True)
def few_are_worth_compiling(monkeypatch):
    monkeypatch.setattr(_derivatives, "WORTH_COMPILING", 1)


def each(specs, ways=WAYS):
    """Each loss in each way, but only everyday ones where other tests compile the same: by LLVM, or by XLA inside."""
    pairs = [
        pytest.param(spec, way, id=f"{name_of(spec)}-{name}")
        for spec in specs
        for name, way in ways.items()
        if name not in ("eager", "xla") or spec.pointwise.formula_key in EVERYDAY
    ]
    return pytest.mark.parametrize(("spec", "way"), pairs)


def name_of(spec):
    build, *choices = spec.pointwise.formula_key
    return " ".join(map(str, (spec.prediction_kind, build.__name__, *choices, *spec.pointwise.constants)))


def gradient(function, *argnums):
    """The function of the mixed derivatives in these arguments, one tape around the other."""
    for argnum in argnums:
        function = partial(_gradient, function, argnum)
    return function


def _gradient(function, argnum, *tensors):
    with tf.GradientTape() as tape:
        tape.watch(tensors[argnum])
        value = function(*tensors)
    found = tape.gradient(value, tensors[argnum])
    return tf.zeros_like(tensors[argnum]) if found is None else found


def loss_of(spec):
    return lambda x, y: door.pointwise(spec, x, y)


def errors(got, truth):
    """Errors in ulps, but for those next to zero."""
    with np.errstate(invalid="ignore"):
        flushed = abs(got - truth.high) <= FLUSHED * float(np.finfo(got.dtype).tiny)
    return np.where(flushed, 0, oracle.ulps(got, truth))


def points_of(spec):
    x, y = cases.points(spec.from_logits, np.float32)
    if spec.prediction_kind == "probability":  # none that TensorFlow takes for 0
        y, x = y[x >= np.finfo(np.float32).tiny], x[x >= np.finfo(np.float32).tiny]
    return x[::3], y[::3]


@cache
def truth_of(spec):
    return oracle.truth(spec, *points_of(spec))


@each(SPECS)
def test_loss_slope_and_curvature_are_exact(spec, way):
    x, y = points_of(spec)
    loss = loss_of(spec)
    derivatives = way(lambda x, y: [gradient(loss, *[0] * order)(x, y) for order in range(3)])
    got, truth = np.stack(derivatives(tf.constant(x), tf.constant(y))), truth_of(spec)
    powers = [0, *(getattr(spec, name, 0) for name in ("gamma", "gamma_pos", "gamma_neg"))]
    assert errors(got, truth).max() <= 4 * (1 + max(powers))


@pytest.mark.parametrize("way", [WAYS["eager"], WAYS["graph"]], ids=["eager", "graph"])
def test_float64_is_exact_in_float64(way):
    spec = BCE(from_logits=True)
    x, y = (column[::3] for column in cases.points(True, np.float64))
    derivatives = way(lambda x, y: [gradient(loss_of(spec), *[0] * order)(x, y) for order in range(3)])
    got, truth = np.stack(derivatives(tf.constant(x), tf.constant(y))), oracle.truth(spec, x, y)
    assert got.dtype == np.float64
    assert errors(got, truth).max() <= 4


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float16"])
@pytest.mark.parametrize("way", [WAYS["graph"], compiled_inside], ids=["graph", "compiled inside"])
@pytest.mark.parametrize("define", cases.FAMILY)
def test_every_loss_is_traced_in_every_dtype(define, way, dtype):
    """Numbers in a formula take its dtype: TensorFlow converts none by itself."""
    x, y = tf.TensorSpec([3], dtype), tf.TensorSpec([3], "float32")
    for options in ({"from_logits": True}, {"from_logits": False}, {"from_logits": False, "epsilon": None}):
        loss = loss_of(define(**options))
        derivatives = lambda x, y: [gradient(loss, *argnums)(x, y) for argnums in ((), (0,), (0, 0), (1,))]  # noqa: E731, B023
        graph = tf.function(derivatives, [x, y], autograph=False).get_concrete_function()
        assert [result.dtype for result in graph.structured_outputs] == [dtype, dtype, dtype, "float32"]


@most_ways
@pytest.mark.parametrize("define", cases.FAMILY)
def test_nan_in_is_nan_out(define, way):
    x, y = tf.constant([math.nan, math.nan, 0.5]), tf.constant([0.0, 1.0, math.nan])
    for from_logits in (True, False):
        loss = loss_of(define(from_logits=from_logits))
        assert np.isnan(way(lambda x, y: [loss(x, y), gradient(loss, 0)(x, y)])(x, y)).all()  # noqa: B023


@pytest.mark.slow
@each(SPECS[1:7], MOST)
def test_infinite_logits(spec, way):
    x, y = tf.constant([np.inf, -np.inf, np.inf, -np.inf]), tf.constant([1.0, 0.0, 0.0, 1.0])
    loss = loss_of(spec)
    derivatives = way(lambda x, y: [gradient(loss, *[0] * order)(x, y) for order in range(4)])
    value, *rates = np.stack(derivatives(x, y))
    close(value[:2], [0, 0], 0)
    if not isinstance(spec, ASYMMETRIC):  # with a margin p stays below 1, and the cost finite
        assert np.isposinf(value[2:]).all()
    assert np.isfinite(rates).all()
    assert not np.isnan(way(gradient(loss, 1))(x, y)).any()


POINTS = (
    np.array([-30, -6, -2, -0.5, 0, 0.7, 3, 8, 25.0]),
    np.array([0, 1, 0.3, 0.9, 1, 0.25, 0, 0.5, 1.0]),
)
STEP = 1e-5


def numerically(function, argnum, x, y):
    """A derivative by central differences in float64."""
    arguments = [np.asarray(x, float), np.asarray(y, float)]
    sides = []
    for step in (STEP, -STEP):
        moved = list(map(tf.constant, arguments))
        moved[argnum] = tf.constant(arguments[argnum] + step)
        sides.append(np.asarray(function(*moved)))
    return (sides[0] - sides[1]) / (2 * STEP)


@pytest.mark.slow
@each([SPECS[1], SPECS[4], SPECS[6]], MOST)
def test_higher_and_mixed_derivatives(spec, way):
    loss, (x, y) = loss_of(spec), POINTS
    inner = np.clip(y, 0.1, 0.9)  # a focal loss has no derivative in the label beyond 0 and 1 to compare with
    points = tf.constant(x, tf.float32), tf.constant(inner, tf.float32)
    third = way(gradient(loss, 0, 0, 0))(*points)
    close(third, numerically(gradient(loss, 0, 0), 0, x, inner), 1e-4, 1e-5)
    for argnums in ([1], [0, 1], [1, 0]):
        got = way(gradient(loss, *argnums))(*points)
        close(got, numerically(gradient(loss, *[0] * argnums.count(0)), 1, x, inner), 1e-4, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("way", [WAYS["eager"], WAYS["graph"]], ids=["eager", "graph"])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_second_derivatives_in_the_label_are_exact_at_saturation(gamma, way):
    saturated = [(-45.0, 0.0), (50.0, 1.0), (-80.0, 0.0), (np.inf, 1.0), (-np.inf, 0.0)]
    x, y = (tf.constant(column, tf.float32) for column in zip(*saturated, strict=True))
    loss = loss_of(FOCAL(True, gamma=gamma, from_logits=True))
    orders = {(0, 2): [(1, 1)], (1, 1): [(0, 1), (1, 0)]}
    for order, ways in orders.items():
        want = [oracle.focal_derivative(gamma, *point, order) for point in saturated[:3]]
        for argnums in ways:
            got = way(gradient(loss, *argnums))(x, y)
            close(got[:3], want, 1e-5, 1e-19)  # no subnormal numbers
            assert not np.isnan(got).any()


@each_way
def test_a_logit_is_the_slope_in_the_label(way):
    z = tf.constant([-np.inf, -3.0, 0.0, 2.0, np.inf] * 3)
    slope = way(gradient(lambda z, y: door.sigmoid_cross_entropy_with_logits(y, z), 1))
    close(slope(z, tf.repeat([0.0, 1.0, 0.4], 5)), -z.numpy(), 1e-6, 1e-6)


@most_ways
@pytest.mark.parametrize("shape", [(), (3,), (4, 1), (4, 3)], ids=str)
def test_the_weight_of_positives_is_differentiated_in_its_shape(shape, way):
    rng = np.random.default_rng(0)
    z, y, c = (tf.constant(rng.uniform(low, 1.5, size), tf.float32) for low, size in (
        (-2, (4, 3)), (0, (4, 3)), (0.5, shape),
    ))  # fmt: skip
    loss = lambda z, y, c: door.weighted_cross_entropy_with_logits(y, z, c)  # noqa: E731
    close(way(loss)(z, y, c), c * y * tf.math.softplus(-z) + (1 - y) * tf.math.softplus(z), 1e-6)
    axes = {(): (0, 1), (3,): (0,), (4, 1): (1,), (4, 3): ()}[shape]
    rate = np.asarray(y * tf.math.softplus(-z)).sum(axes).reshape(shape)
    close(way(gradient(loss, 2))(z, y, c), rate, 1e-6)
    mixed = way(gradient(lambda *tensors: tf.reduce_sum(gradient(loss, 2)(*tensors)), 0))(z, y, c)
    close(mixed, -y * tf.sigmoid(-z), 1e-6)


def tangent(function, x, y, x_rate, y_rate):
    with tf.autodiff.ForwardAccumulator([x, y], [x_rate, y_rate]) as accumulator:
        value = function(x, y)
    return accumulator.jvp(value)


@pytest.mark.slow
@most_ways
@pytest.mark.parametrize("around", [False, True], ids=["inside", "around"])
def test_forward_accumulators(way, around):
    x, y = (tf.constant(column, tf.float32) for column in POINTS)
    rate, half, still = tf.ones_like(x), tf.fill(y.shape, 0.5), tf.zeros_like(y)
    outer, inner = (WAYS["eager"], way) if around else (way, WAYS["eager"])
    # Accumulators around functions go through each operation inside: as few of them as may be.
    spec = BCE(from_logits=True) if around else FOCAL(from_logits=True)
    loss, slope = loss_of(spec), gradient(loss_of(spec), 0)
    close(outer(partial(tangent, inner(loss)))(x, y, rate, half), slope(x, y) + 0.5 * gradient(loss, 1)(x, y), 1e-5)
    curvature = gradient(slope, 0)(x, y)
    close(outer(partial(tangent, inner(slope)))(x, y, rate, still), curvature, 1e-5, 1e-30)
    if not around:
        twice = partial(tangent, lambda x, y: tangent(loss, x, y, rate, still))
        close(outer(twice)(x, y, rate, still), curvature, 1e-5, 1e-30)


@most_ways
def test_tapes_around_functions(way):
    x, y = (tf.constant(column, tf.float32) for column in POINTS)
    loss = lambda x, y: door.sigmoid_cross_entropy_with_logits(y, x)  # noqa: E731
    for order in range(1, 3):
        close(gradient(way(loss), *[0] * order)(x, y), gradient(loss, *[0] * order)(x, y), 1e-6, 1e-30)


@each_way
def test_maps_jacobians_and_upstream_gradients(way):
    x, y = (tf.constant(column, tf.float32) for column in POINTS)
    loss = lambda x, y: door.sigmoid_cross_entropy_with_logits(y, x)  # noqa: E731
    slope = gradient(loss, 0)(x, y)
    close(way(lambda x, y: tf.vectorized_map(lambda pair: loss(*pair), (x, y)))(x, y), loss(x, y), 1e-6)
    close(way(lambda x, y: tf.vectorized_map(lambda pair: gradient(loss, 0)(*pair), (x, y)))(x, y), slope, 1e-6)

    def jacobian(x, y):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(x, y)
        return tape.jacobian(value, x)

    close(way(jacobian)(x, y), np.diag(slope), 1e-6)
    upstream = tf.linspace(-3.0, 3.0, 9)
    close(way(gradient(lambda x, y: upstream * loss(x, y), 0))(x, y), upstream * slope, 1e-6)
    taken = way(lambda x, y: tf.convert_to_tensor(gradient(lambda x, y: tf.gather(loss(x, y), [2, 2]), 0)(x, y)))
    close(taken(x, y), 2 * slope * tf.one_hot(2, 9), 1e-6)


@most_ways
@pytest.mark.parametrize(
    ("dtype", "label"),
    [
        ("float16", "uint8"),
        ("bfloat16", "bool"),
        ("bfloat16", "float64"),
        ("float32", "float16"),
        ("float64", "int64"),
        ("float64", "float64"),
    ],
)
def test_the_result_has_the_dtype_of_the_predictions(dtype, label, way):
    z, y = tf.constant([-2.0, 0.0, 3.0], dtype), tf.cast([0, 1, 1], label)
    loss = lambda z, y: door.sigmoid_cross_entropy_with_logits(y, z, label_smoothing=0.1)  # noqa: E731
    value, slope = way(lambda z, y: (loss(z, y), gradient(loss, 0)(z, y)))(z, y)
    assert (value.dtype, slope.dtype) == (z.dtype, z.dtype)
    wide = tf.cast(loss(tf.cast(z, "float64"), y), dtype)
    close(tf.cast(value, "float64"), tf.cast(wide, "float64"), {"float64": 1e-15, "float32": 2e-7}.get(dtype, 0))


@each([BCE(), BCE(True), FOCAL(gamma=0.5), FOCAL(from_logits=True)], MOST)
def test_no_half_becomes_nan(spec, way):
    every = np.arange(2**16, dtype="uint16").view("float16")
    x = every[~np.isnan(every)] if spec.from_logits else every[(every >= 0) & (every <= 1)]
    x = np.concatenate([x, x])
    y = np.arange(x.size) < x.size // 2
    loss = loss_of(spec)
    for result in way(lambda x, y: [loss(x, y), gradient(loss, 0)(x, y)])(tf.constant(x), tf.constant(y)):
        assert not np.isnan(result).any()


@most_ways
@pytest.mark.parametrize("ignored", [-1, math.nan])
def test_ignored_entries_are_hidden(ignored, way):
    z, y = tf.constant([np.nan, 1.0, np.inf, -2.0]), tf.constant([ignored, 1.0, ignored, 0.0])
    loss = lambda z, y: door.sigmoid_cross_entropy_with_logits(y, z, ignore_label=ignored, label_smoothing=0.1)  # noqa: E731
    kept = door.sigmoid_cross_entropy_with_logits(y[1::2], z[1::2], label_smoothing=0.1)
    value, slope, by_label = way(lambda z, y: [loss(z, y), gradient(loss, 0)(z, y), gradient(loss, 1)(z, y)])(z, y)
    close(value, [0, kept[0], 0, kept[1]])
    close(slope, [0, 1 / (1 + math.exp(-1)) - 0.95, 0, 1 / (1 + math.exp(2)) - 0.05], 1e-5)
    close(by_label, [0, -0.9, 0, 1.8])


def test_equal_losses_are_compiled_once():
    signature = tf.TensorSpec([_derivatives.WORTH_COMPILING], tf.float32)
    before = _derivatives._compiled.cache_info().misses
    for nan in (math.nan, float("nan"), -math.nan):
        loss = partial(door.sigmoid_cross_entropy_with_logits, label_smoothing=0.3, ignore_label=nan)
        tf.function(loss, autograph=False).get_concrete_function(signature, signature)
    assert _derivatives._compiled.cache_info().misses == before + 1


def test_ignored_integer_labels():
    y = tf.constant([255, 1, 0], tf.uint8)
    close(door.sigmoid_focal_cross_entropy_with_logits(y, tf.ones(3), ignore_label=255)[0], 0.0)


@pytest.mark.parametrize(
    ("function", "spec"),
    [
        (partial(door.binary_crossentropy, pos_weight=3.0, label_smoothing=0.1), BCE(False, 0.1, pos_weight=3.0)),
        (partial(door.binary_crossentropy, from_logits=True), BCE(True)),
        (
            partial(door.binary_focal_crossentropy, apply_class_balancing=True, alpha=0.3, gamma=1.5),
            FOCAL(True, 0.3, 1.5),
        ),
        (partial(door.asymmetric_crossentropy, gamma_pos=2, gamma_neg=3, margin=0.1), ASYMMETRIC(2, 3, 0.1)),
        (partial(door.poly_binary_crossentropy, epsilon_1=2.0, epsilon=None), POLY(2.0, epsilon=None)),
        (partial(door.sigmoid_cross_entropy_with_logits, pos_weight=[3.0] * 4), BCE(True, pos_weight=3.0)),
        (partial(door.weighted_cross_entropy_with_logits, pos_weight=[[3.0]]), BCE(True, pos_weight=3.0)),
        (partial(door.sigmoid_focal_cross_entropy_with_logits, alpha=0.3, gamma=1.5), FOCAL(True, 0.3, 1.5, True)),
        (partial(door.sigmoid_focal_cross_entropy_with_logits, alpha=-1), FOCAL(from_logits=True)),
        (partial(door.sigmoid_asymmetric_cross_entropy_with_logits, gamma_pos=2), ASYMMETRIC(2, from_logits=True)),
        (partial(door.sigmoid_poly_cross_entropy_with_logits, epsilon_1=2.0), POLY(2.0, True)),
    ],
)
def test_functions_say_what_their_losses_say(function, spec):
    x, y = np.array([[0.0, 0.2, 0.9, 1.0]], "float32"), np.array([[1, 0, 1, 0]])
    close(function(y, x), door.pointwise(spec, x, y), 0)


def test_another_reading_takes_the_place_of_the_losss_own():
    x, y = tf.constant([0.0, 0.2]), tf.constant([1.0, 0.0])
    close(_pointwise.elementwise(BCE().pointwise.read_as("logit"), x, y), door.pointwise(BCE(True), x, y), 0)
    close(_pointwise.elementwise(BCE().pointwise.read_as("keras2_probability"), x, y), [15.424949, 0.22314343])


def test_arguments_are_taken_as_tf_nn_takes_them():
    want = tf.nn.sigmoid_cross_entropy_with_logits([0.0, 1.0], [0.5, -1.0])
    close(door.sigmoid_cross_entropy_with_logits([0.0, 1.0], [0.5, -1.0]), want)
    close(door.sigmoid_cross_entropy_with_logits(logits=tf.Variable([0.5, -1.0]), labels=np.array([0, 1])), want)
    close(door.sigmoid_cross_entropy_with_logits(labels=(0, 1), logits=np.array([0.5, -1.0])), np.float64(want), 1e-6)
    want = tf.nn.weighted_cross_entropy_with_logits([0.0, 1.0], [0.5, -1.0], 3.0)
    close(door.weighted_cross_entropy_with_logits([0.0, 1.0], [0.5, -1.0], 3.0), want)
    assert door.sigmoid_cross_entropy_with_logits(tf.zeros((0, 3)), tf.zeros((0, 3))).shape == (0, 3)
    close(door.sigmoid_cross_entropy_with_logits(1.0, 2.0), np.log1p(np.exp(-2.0)))
    close(door.weighted_cross_entropy_with_logits(tf.constant(1.0), tf.constant(2.0), tf.constant(3.0)), 0.38078403)


@each_way
def test_variables_get_gradients(way):
    weight, bias = tf.Variable([[0.5], [-1.0]]), tf.Variable([0.0])
    x, y = tf.constant([[1.0, 2.0], [0.0, -1.0]]), tf.constant([[1], [0]])

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(door.sigmoid_cross_entropy_with_logits(y, x @ weight + bias))
        return tape.gradient(loss, [weight, bias])

    errors = (1 / (1 + np.exp(-np.array([[-1.5], [1.0]]))) - y.numpy()) / 2
    by_weight, by_bias = way(step)(x, y)
    close(by_weight, x.numpy().T @ errors, 1e-6)
    close(by_bias, errors.sum(0), 1e-6)


def test_the_caller_may_keep_an_array_longer_than_its_tensor():
    kept = [door.sigmoid_cross_entropy_with_logits(tf.zeros(size), tf.zeros(size)).numpy() for size in (7, 1 << 20)]
    gc.collect()
    door.sigmoid_cross_entropy_with_logits(tf.ones(1 << 20), tf.ones(1 << 20))
    for array in kept:
        close(array, np.full(array.shape, math.log(2)))


def test_eager_tensors_elsewhere_are_left_to_operations(monkeypatch):
    monkeypatch.setattr(_derivatives, "_lies_on_cpu", lambda tensor: False)
    x, y = (tf.constant(column, tf.float32) for column in POINTS)
    loss = loss_of(SPECS[4])
    got = [gradient(loss, *[0] * order)(x, y) for order in range(3)]
    monkeypatch.undo()
    close(got, [gradient(loss, *[0] * order)(x, y) for order in range(3)], 2e-6, 1e-7)


bce = door.sigmoid_cross_entropy_with_logits
weighted = door.weighted_cross_entropy_with_logits
RAGGED = tf.ragged.constant([[1.0]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bce([1.0], [1]), TypeError, "`logits` must be floating; got int32. Labels come first"),
        (lambda: door.binary_crossentropy([1.0], [True]), TypeError, "`output` must be floating; got bool"),
        (lambda: bce([1j], [1.0]), TypeError, "`labels` must be an array of real numbers"),
        (lambda: bce(["a"], [1.0]), TypeError, "`labels` must be an array of real numbers"),
        (lambda: bce([[1.0]], [1.0]), ValueError, r"`labels` and `logits` .* got \(1, 1\) and \(1,\)\. Reshape"),
        (lambda: door.binary_crossentropy([1.0], 1.0), ValueError, r"`target` and `output` .* got \(1,\) and \(\)"),
        (lambda: weighted([1.0], [1.0], -1), ValueError, "`pos_weight` must be finite and >= 0"),
        (lambda: weighted([1.0], [1.0], [1, 2]), ValueError, r"whose shape is \(1,\); got 2 numbers"),
        (lambda: weighted([1.0], [1.0], tf.ones((1, 1))), ValueError, "`pos_weight` must be a number, hold one"),
        (lambda: bce([1.0], [1.0], label_smoothing=2), ValueError, r"`label_smoothing` must lie in \[0, 1\]; got 2"),
        (lambda: door.binary_focal_crossentropy([1.0], [1.0], gamma=-1), ValueError, "`gamma` must be >= 0; got -1"),
        (lambda: door.poly_binary_crossentropy([1.0], [1.0], epsilon=0.7), ValueError, "`epsilon` must lie in"),
        (lambda: bce(RAGGED, [[1.0]]), ValueError, "`logits` must be ragged as `labels` is; got list"),
        (lambda: bce(RAGGED, tf.ragged.constant([[[1.0]]])), ValueError, "got ragged ranks 1 and 2"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@each_way
def test_ragged_rows_stay_ragged(way):
    logits, labels = tf.ragged.constant([[1.0, 2.0], [], [-3.0]]), tf.ragged.constant([[1.0, 0.0], [], [1.0]])
    wrap = way if way in (WAYS["eager"], WAYS["xla"]) else compiled_inside
    loss = lambda logits, labels: door.sigmoid_cross_entropy_with_logits(labels, logits)  # noqa: E731
    got = wrap(loss)(logits, labels)
    assert isinstance(got, tf.RaggedTensor)
    close(got.row_splits, [0, 2, 2, 3])
    close(got.flat_values, loss(logits.flat_values, labels.flat_values))

    def slope(logits, labels):
        with tf.GradientTape() as tape:
            tape.watch(logits.flat_values)
            value = tf.reduce_sum(loss(logits, labels))
        return tape.gradient(value, logits.flat_values)

    close(wrap(slope)(logits, labels), tf.sigmoid(logits.flat_values) - labels.flat_values, 1e-6)
    deep = tf.ragged.constant([[[1.0], [2.0, 3.0]]])
    close(wrap(loss)(deep, deep).flat_values, loss(deep.flat_values, deep.flat_values), 1e-6)
    if wrap is not WAYS["xla"]:  # which drops assertions
        with pytest.raises(tf.errors.InvalidArgumentError, match="must have rows of the same lengths"):
            wrap(loss)(logits, tf.ragged.constant([[1.0], [0.0], [1.0]]))
