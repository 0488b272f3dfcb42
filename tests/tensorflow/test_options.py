"""What the TensorFlow door takes as options and tensors: the right number, or an error that names the argument."""

import inspect

import numpy as np
import pytest
import tensorflow as tf
from support import option_kinds
from support.compare import close

import binxent as bx
import binxent.tensorflow as door

LOSSES = {name: getattr(door, name) for name in door.__all__ if "entropy" in name}
ARGUMENTS = ("labels", "logits", "target", "output", "name", "from_logits", "apply_class_balancing")
OPTIONS = {
    name: [option for option in inspect.signature(loss).parameters if option not in ARGUMENTS]
    for name, loss in LOSSES.items()
}
EVERY_OPTION = [(name, option) for name, options in OPTIONS.items() for option in options]
VALUES = {
    "pos_weight": 2.5,
    "alpha": 0.25,
    "gamma": 1.5,
    "gamma_pos": 2.0,
    "gamma_neg": 3.0,
    "margin": 0.125,
    "epsilon": 0.0625,
    "epsilon_1": -0.5,
    "label_smoothing": 0.25,
    "ignore_label": 0.0,
}
X, Y = tf.constant([[0.25, 0.5, 0.75], [0.0, 0.5, 1.0]]), tf.constant([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5]])
WEIGHTS = [0.25, 0.5, 1.0]
weighted = door.weighted_cross_entropy_with_logits


def call(name, **options):
    """The loss, with the weight of positives that one of the functions asks for."""
    given = {"pos_weight": 1.0} if name.startswith("weighted") else {}
    return LOSSES[name](Y, X, **given | options)


def test_every_option_has_a_value_here():
    assert {option for _, option in EVERY_OPTION} == set(VALUES)


@pytest.mark.parametrize("option", VALUES)
def test_a_number_of_any_kind_is_that_number(option):
    name = next(name for name, options in OPTIONS.items() if option in options and not name.startswith("weighted"))
    balanced = {"apply_class_balancing": True} if option == "alpha" and name.startswith("binary") else {}
    value = VALUES[option]
    want = call(name, **balanced | {option: value}).numpy()
    assert (want != call(name).numpy()).any()
    for kind, make in (option_kinds.NUMBERS | {"tensor": tf.constant, "variable": tf.Variable}).items():
        assert (call(name, **balanced | {option: make(value)}).numpy() == want).all(), kind


ONE_PER_LABEL = option_kinds.SEVERAL | {
    "tensor": tf.constant,
    "variable": tf.Variable,
    "list of variables": lambda values: list(map(tf.Variable, values)),
    "tensor of two axes": lambda values: tf.constant([values]),
    "array of two axes": lambda values: np.array([values]),
    "array of objects of two axes": lambda values: np.array([values], object),
}


@pytest.mark.parametrize("kind", ONE_PER_LABEL)
def test_numbers_for_each_label_of_any_kind_are_those_numbers(kind):
    want = np.stack([weighted(Y[:, n], X[:, n], weight) for n, weight in enumerate(WEIGHTS)], 1)
    close(weighted(Y, X, ONE_PER_LABEL[kind](WEIGHTS)), want)


def test_variables_in_a_list_are_differentiated():
    weights = list(map(tf.Variable, WEIGHTS))
    with tf.GradientTape() as tape:
        loss = weighted(Y, X, weights)
    close(tape.gradient(loss, weights), tf.reduce_sum(Y * tf.math.softplus(-X), 0))


@pytest.mark.parametrize("make", [list, np.array, tf.constant, tf.Variable], ids=lambda make: make.__name__)
@pytest.mark.parametrize("length", [1, 2])
def test_several_numbers_are_one_for_each_label(make, length):
    """As in the other doors: a broadcast would give one label's weight to all of them."""
    wrong = make([2.0] * length)
    with pytest.raises(ValueError, match="`pos_weight` must be a number"):
        weighted(Y, X, wrong)
    for shape in ([None, None], None, [None, 3]):
        static = shape is not None and shape[-1] == 3
        with pytest.raises(ValueError if static else tf.errors.InvalidArgumentError):
            tf.function(lambda y, x: weighted(y, x, wrong), [tf.TensorSpec(shape)] * 2, autograph=False)(Y, X)


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
def test_weights_of_unknown_number_are_counted_when_the_graph_runs(xla):
    unknown = [tf.TensorSpec([None, None])] * 2 + [tf.TensorSpec([None])]
    loss = tf.function(weighted, unknown, autograph=False, jit_compile=xla)
    close(loss(Y, X, WEIGHTS), weighted(Y, X, WEIGHTS))
    message = (
        "pos_weight_must_hold_one_per_label" if xla else "`pos_weight` must hold one number for each label on the last"
    )
    for wrong in ([2.0], [2.0, 2.0]):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            loss(Y, X, wrong)


@pytest.mark.parametrize("make", [list, np.array, tf.constant, tf.Variable], ids=lambda make: make.__name__)
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_impossible_weights_are_refused_where_their_values_can_be_seen(make, value):
    for weights in ([1.0, value, 1.0], [[1.0, value, 1.0]]):
        with pytest.raises(ValueError, match="`pos_weight` must be finite and >= 0"):
            weighted(Y, X, make(weights))


@pytest.mark.parametrize(("name", "option"), EVERY_OPTION)
def test_an_option_of_another_kind_is_refused_by_name(name, option):
    refused = dict(option_kinds.REFUSED)
    refused["sparse tensor"] = tf.sparse.from_dense([1.0, 0.0, 1.0])
    refused["ragged tensor"] = tf.ragged.constant([[1.0], []])
    refused["string tensor"] = tf.constant("1.5")
    refused["complex tensor"] = tf.constant(1j)
    if option != "pos_weight":
        refused |= {"list": [1.0], "array": np.ones(3), "tensor": tf.ones(3), "variable": tf.Variable([1.0])}
    for kind, value in refused.items():
        with pytest.raises(TypeError, match=f"`{option}` must"):
            print(kind, call(name, **{option: value}))
    if option != "pos_weight":
        with (
            tf.Graph().as_default(),
            pytest.raises(TypeError, match=f"`{option}` must be a (plain )?number"),
        ):
            call(name, **{option: tf.compat.v1.placeholder(tf.float32, ())})


def test_a_variable_is_read_at_each_call_and_followed_as_a_weight():
    gamma, weight = tf.Variable(1.0), tf.Variable(1.0)
    focal = lambda: door.sigmoid_focal_cross_entropy_with_logits(Y, X, gamma=gamma)  # noqa: E731
    graph = tf.function(lambda: weighted(Y, X, weight), autograph=False)
    first = focal(), graph()
    gamma.assign(3.0)
    weight.assign(3.0)
    close(focal(), door.sigmoid_focal_cross_entropy_with_logits(Y, X, gamma=3.0))
    close(graph(), weighted(Y, X, 3.0))
    assert (focal() != first[0]).numpy().any()
    with pytest.raises(TypeError, match="`gamma` must be a plain number, known when the loss is made"):
        tf.function(focal, autograph=False)()


SPARSE = {
    "sparse tensor": (tf.sparse.from_dense([1.0, 0.0, 1.0]), "Make it dense"),
    "complex tensor": (tf.ones(3, tf.complex64), ""),
    "tensor of strings": (tf.constant(["0", "1", "0"]), ""),
}


@pytest.mark.parametrize("kind", option_kinds.REFUSED_ARRAYS | SPARSE)
def test_tensors_of_another_kind_are_refused_by_name(kind):
    values, advice = (option_kinds.REFUSED_ARRAYS | SPARSE)[kind]
    focal = door.sigmoid_focal_cross_entropy_with_logits
    for loss, labels, predictions in ((focal, "labels", "logits"), (door.poly_binary_crossentropy, "target", "output")):
        for name, arguments in ((labels, (values, X[0])), (predictions, (Y[0], values))):
            with pytest.raises(TypeError, match=f"`{name}` must be an array of real numbers; got .*{advice}"):
                loss(*arguments)


def test_a_loss_on_numpy_arrays_names_this_door_for_a_traced_tensor():
    loss = bx.BinaryCrossentropy(from_logits=True)
    with pytest.raises(
        TypeError, match=r"`y_pred` is a SymbolicTensor, .*\. Take the loss from `binxent\.tensorflow`, and in a"
    ):
        tf.function(lambda x: loss(np.ones(3), x), autograph=False)(tf.ones(3))
    close(loss(tf.ones(3), tf.zeros(3)), np.float64(np.log(2)))
