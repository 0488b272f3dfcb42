"""The TensorFlow door in graphs: shapes that only running tells, TF1 sessions, XLA, SavedModels, and what is kept."""

import gc
import math
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from support.compare import close

import binxent.tensorflow as door
from binxent.tensorflow import _derivatives
from binxent.tensorflow import sigmoid_cross_entropy_with_logits as bce
from binxent.tensorflow import weighted_cross_entropy_with_logits as weighted

LOGITS, LABELS = np.float32([-np.inf, -3, 0, 2, np.inf]), np.float32([0, 1, 0.25, 0, 1])
LOSSES = np.float32([0, 3.0485873, 0.6931472, 2.126928, 0])
SLOPES = np.float32([0, -0.9525741, 0.25, 0.880797, 0])
CURVATURES = np.float32([0, 0.04517666, 0.25, 0.10499359, 0])
xla = pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])


def traced(function, shapes, xla=False):
    """The function, in a graph that knows these shapes of its arguments."""
    return tf.function(function, [tf.TensorSpec(shape) for shape in shapes], autograph=False, jit_compile=xla)


@xla
@pytest.mark.parametrize("known", [[None], [None, None], [None, 3], None], ids=str)
def test_shapes_that_only_running_tells_are_compared_then(known, xla):
    loss = traced(bce, [known, known], xla)
    ranks = (1, 2) if known is None else (len(known),)
    shapes = [shape for rank in ranks for shape in ([(3,), (1,)] if rank == 1 else [(4, 3), (1, 3), (4, 1), (3, 4)])]
    shapes = [shape for shape in shapes if known != [None, 3] or shape[1] == 3]
    for true_shape in shapes:
        for pred_shape in shapes:
            if true_shape == pred_shape:
                assert loss(tf.ones(true_shape), tf.zeros(pred_shape)).shape == pred_shape
                continue
            message = (
                "labels_must_have_the_shape_of_logits" if xla else "`labels` and `logits` must have the same shape"
            )
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                loss(tf.ones(true_shape), tf.zeros(pred_shape))


def test_tf_nn_broadcasts_silently_where_shapes_are_not_known():
    assert traced(tf.nn.sigmoid_cross_entropy_with_logits, [None, None])(tf.ones(4), tf.zeros((4, 1))).shape == (4, 4)


def test_shapes_that_are_known_are_compared_at_once():
    with pytest.raises(ValueError, match=r"`labels` and `logits` .* got \(None, 1\) and \(None,\)"):
        traced(bce, [[None, 1], [None]]).get_concrete_function()


@xla
def test_weights_of_positives_never_make_the_predictions_larger(xla):
    loss = traced(lambda y, x: weighted(y, x, [1.0, 2.0, 3.0]), [[None, None]] * 2, xla)
    close(loss(tf.ones((2, 3)), tf.zeros((2, 3))), np.full((2, 3), math.log(2)) * [1, 2, 3])
    with pytest.raises(tf.errors.InvalidArgumentError):
        loss(tf.ones((2, 1)), tf.zeros((2, 1)))


TAIL = 0.0, -20.0, 2.0611537e-09


@pytest.mark.parametrize(
    ("tf_nn", "ours", "labels", "logits", "truth"),
    [
        (tf.nn.sigmoid_cross_entropy_with_logits, bce, 1.0, np.inf, 0.0),
        (tf.nn.sigmoid_cross_entropy_with_logits, bce, 0.0, -np.inf, 0.0),
        (partial(tf.nn.weighted_cross_entropy_with_logits, pos_weight=2.0), partial(weighted, pos_weight=2.0), *TAIL),
    ],
    ids=["inf", "-inf", "weighted tail"],
)
def test_losses_that_tf_nn_gets_wrong(tf_nn, ours, labels, logits, truth):
    assert not abs(tf_nn(tf.constant(labels), tf.constant(logits)) - truth) < 1e-10
    close(ours(tf.constant(labels), tf.constant(logits)), truth)


def test_the_gradient_that_tf_nn_gets_wrong_at_zero():
    def slope(loss):
        x = tf.zeros(2)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(tf.constant([1.0, 0.0]), x, pos_weight=3.0)
        return tape.gradient(value, x)

    assert not np.allclose(slope(tf.nn.weighted_cross_entropy_with_logits), [-1.5, 0.5])
    close(slope(weighted), [-1.5, 0.5])


def test_a_session_runs_losses_and_their_derivatives():
    with tf.Graph().as_default():
        y, x = (tf.compat.v1.placeholder(tf.float32, [None], name) for name in ("y", "x"))
        loss = bce(labels=y, logits=x, name="mine")
        focal = door.sigmoid_focal_cross_entropy_with_logits(y, x, gamma=0.5)
        (slope,) = tf.compat.v1.gradients(loss, x)
        (curvature,) = tf.compat.v1.gradients(slope, x)
        (by_label,) = tf.compat.v1.gradients(loss, y)
        assert loss.op.name == "mine"
        assert not any("Xla" in str(op.node_def) for op in tf.compat.v1.get_default_graph().get_operations())
        with tf.compat.v1.Session() as session:
            feed = {x: LOGITS, y: LABELS}
            got = session.run([loss, slope, curvature, by_label, focal], feed)
            with pytest.raises(tf.errors.InvalidArgumentError, match="`labels` and `logits` must have the same shape"):
                session.run(loss, {x: LOGITS, y: LABELS[:1]})
    for one, want in zip(got, (LOSSES, SLOPES, CURVATURES, -LOGITS), strict=False):
        close(one, want, 1e-6, 1e-30)
    close(got[4], door.sigmoid_focal_cross_entropy_with_logits(LABELS, LOGITS, gamma=0.5))


@pytest.mark.slow
def test_a_program_without_tf2_behaviour_gets_the_same(interpreter):
    program = """
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
import binxent.tensorflow as door
x, y = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.float32, [None])
loss = door.sigmoid_cross_entropy_with_logits(labels=y, logits=x, label_smoothing=0.1, ignore_label=-1)
focal = door.sigmoid_focal_cross_entropy_with_logits(y, x, gamma=0.5)
results = [loss, focal, *tf.gradients(loss, x), *tf.gradients(focal, x)]
with tf.Session() as session:
    for result in session.run(results, {x: [float("inf"), -3.0, 0.0, 2.0], y: [1.0, 1.0, -1.0, 0.0]}):
        print(*(f"{value:.6f}" for value in result))
"""
    y, x = tf.constant([1.0, 1, -1, 0]), tf.constant([np.inf, -3, 0, 2])
    losses = [
        lambda: bce(y, x, label_smoothing=0.1, ignore_label=-1),
        lambda: door.sigmoid_focal_cross_entropy_with_logits(y, x, gamma=0.5),
    ]
    want = [loss().numpy() for loss in losses]
    for loss in losses:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss()
        want.append(tape.gradient(value, x).numpy())
    lines = interpreter(program, timeout=120, TF_CPP_MIN_LOG_LEVEL="3").splitlines()[-4:]
    close([list(map(float, line.split())) for line in lines], want, 1e-5, 2e-6)


def calls_to_compiled(graph):
    return [op for op in graph.get_operations() if op.type.endswith("PartitionedCall")]


def test_many_elements_of_known_number_are_left_to_xla():
    large = _derivatives.WORTH_COMPILING
    assert calls_to_compiled(traced(bce, [[large]] * 2).get_concrete_function().graph)
    for few in ([large - 1], [None], None):
        assert not calls_to_compiled(traced(bce, [few] * 2).get_concrete_function().graph)
    y, x = np.resize(LABELS, large), np.resize(LOGITS, large)
    close(traced(bce, [[large]] * 2)(y, x), np.resize(LOSSES, large))


def test_functions_that_are_run_eagerly_and_devices_that_xla_may_not_know(monkeypatch):
    monkeypatch.setattr(_derivatives, "_has_compiler", lambda: False)
    large = [_derivatives.WORTH_COMPILING]
    assert not calls_to_compiled(traced(bce, [large] * 2).get_concrete_function().graph)
    tf.config.run_functions_eagerly(True)
    try:
        close(tf.function(bce)(LABELS, LOGITS), LOSSES)
    finally:
        tf.config.run_functions_eagerly(False)


def ancestors(tensor):
    found, left = set(), [tensor.op]
    while left:
        operation = left.pop()
        if operation not in found:
            found.add(operation)
            left += [one.op for one in operation.inputs]
    return found


def test_nothing_but_the_inputs_is_kept_for_the_way_back():
    with tf.Graph().as_default():
        inputs = y, x, upstream = [tf.compat.v1.placeholder(tf.float32, [7]) for _ in range(3)]
        for loss in (bce, door.sigmoid_focal_cross_entropy_with_logits, door.binary_crossentropy):
            value = loss(y, x)
            (slope,) = tf.compat.v1.gradients(value, x, upstream)
            forward = ancestors(value)
            kept = [one for op in ancestors(slope) - forward for one in op.inputs if one.op in forward]
            assert kept
            assert all(any(one is known for known in inputs) for one in kept)


def test_a_tape_keeps_only_inputs():
    """Intermediate results of eager operations would be alive while the tape is."""
    x = y = tf.ones(1000)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = bce(y, x)
        gc.collect()
        large = [one for one in gc.get_objects() if issubclass(type(one), tf.Tensor) and one.shape == (1000,)]
    assert len(large) <= 3  # the inputs, the loss, and a label that is the input's own memory
    assert tape.gradient(value, x) is not None


class Model(tf.Module):
    """A loss and its slope, as one saves a training step."""

    @tf.function(input_signature=[tf.TensorSpec([None])] * 2)
    def loss(self, y, x):
        return bce(y, x, label_smoothing=0.0)

    @tf.function(input_signature=[tf.TensorSpec([40_000])] * 2)
    def large(self, y, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = bce(y, x)
        return loss, tape.gradient(loss, x)


LOADING = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        assert not name.startswith("binxent"), name
sys.meta_path.insert(0, Refuse())
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
x, y = tf.constant([-3.0, 0.0, 2.0]), tf.constant([1.0, 0.25, 0.0])
with tf.GradientTape() as outer:
    outer.watch([x, y])
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = model.loss(y, x)
    slope = tape.gradient(loss, x)
curvature = outer.gradient(slope, x)
with tf.GradientTape() as tape:
    tape.watch(y)
    by_label = tape.gradient(model.loss(y, x), y)
large = model.large(tf.ones(40_000), tf.zeros(40_000))
for result in (loss, slope, curvature, by_label, large[0][:3], large[1][:3]):
    print(*result.numpy())
"""


@pytest.mark.slow
def test_a_saved_model_needs_no_binxent(interpreter, tmp_path):
    tf.saved_model.save(Model(), str(tmp_path / "model"))
    lines = interpreter(LOADING, tmp_path / "model", timeout=120, TF_CPP_MIN_LOG_LEVEL="3").splitlines()[-6:]
    got = [list(map(float, line.split())) for line in lines]
    want = [LOSSES[1:4], SLOPES[1:4], CURVATURES[1:4], -LOGITS[1:4], [math.log(2)] * 3, [-0.5] * 3]
    close(got, want, 1e-6)
