"""TensorFlow's page on `tf.keras.losses.BinaryCrossentropy`: its examples, and what it says, sentence by sentence."""

import inspect
from functools import partial

import numpy as np
import pytest
from documents.forms import OURS, TENSORFLOW, in_forms
from support import compare
from support.peers import tf, tf_keras

FLAT = [0.0, 1.0, 0.0, 0.0], [-18.6, 0.51, 2.94, -12.8]
BATCH = [[0.0, 1.0], [0.0, 0.0]], [[-18.6, 0.51], [2.94, -12.8]]
PROBABILITIES = [[0.0, 1.0], [0.0, 0.0]], [[0.1, 0.8], [0.3, 0.6]]
COSTS = -np.log([[0.9, 0.8], [0.7, 0.4]])


close = partial(compare.close, rtol=1e-5)


def tensors(*arrays):
    return [np.array(array, "float32") for array in arrays]


def costs(form, data, weight=None, kind="BinaryCrossentropy", **options):
    """Return the loss, with these options, of labels and predictions."""
    weight = None if weight is None else np.array(weight, "float32")
    return form.run(lambda: getattr(form.losses, kind)(**options)(*tensors(*data), sample_weight=weight))


@in_forms()
@pytest.mark.parametrize(
    ("data", "weight", "reduction", "printed"),
    [
        (FLAT, None, {}, 0.865),
        (BATCH, None, {}, 0.865),
        (BATCH, [0.8, 0.2], {}, 0.243),
        (BATCH, None, {"reduction": "sum"}, 1.730),
        (BATCH, None, {"reduction": "none"}, [0.235, 1.496]),
    ],
    ids=["one axis", "two axes", "weights", "sum", "none"],
)
def test_the_examples_give_what_is_printed(form, data, weight, reduction, printed):
    got = costs(form, data, weight, from_logits=True, **reduction)
    assert got.dtype == np.float32
    # The page cuts some numbers off (0.2436 is printed as 0.243, 1.7309 as 1.730) and rounds others (1.4958 is 1.496).
    close(got, printed, rtol=0, atol=1e-3)


@in_forms()
def test_predictions_are_probabilities_by_default(form):
    close(costs(form, PROBABILITIES), COSTS.mean())
    close(costs(form, PROBABILITIES, from_logits=False), COSTS.mean())


@in_forms()
def test_from_logits_says_that_predictions_may_be_any_number(form):
    labels, p = PROBABILITIES
    close(costs(form, (labels, np.log(p) - np.log1p(-np.array(p))), from_logits=True), COSTS.mean())


@in_forms()
@pytest.mark.parametrize("smoothing", [0.1, 0.5, 1.0])
def test_label_smoothing_squeezes_labels_towards_a_half(form, smoothing):
    labels, z = BATCH
    squeezed = np.array(labels) * (1 - smoothing) + 0.5 * smoothing
    assert (abs(squeezed - 0.5) < 0.5).all()
    got = costs(form, BATCH, from_logits=True, label_smoothing=smoothing)
    close(got, costs(form, (squeezed, z), from_logits=True))
    assert not np.isclose(got, costs(form, BATCH, from_logits=True))


@in_forms()
def test_axis_is_that_of_the_mean(form):
    for axis, want in ((-1, COSTS.mean(-1)), (0, COSTS.mean(0))):
        close(costs(form, PROBABILITIES, axis=axis, reduction="none"), want)


@in_forms()
def test_a_weight_may_be_a_number(form):
    close(costs(form, PROBABILITIES, 3.0), 3 * COSTS.mean())
    close(costs(form, PROBABILITIES, 3.0, reduction="none"), 3 * COSTS.mean(-1))


@in_forms()
def test_a_weight_may_be_given_per_sample(form):
    close(costs(form, PROBABILITIES, [2.0, 0.5], reduction="none"), [2, 0.5] * COSTS.mean(-1))
    for column_or_row in ([2.0, 0.5], [[2.0], [0.5]]):
        close(costs(form, PROBABILITIES, column_or_row), ([2, 0.5] * COSTS.mean(-1)).mean())


@in_forms()
def test_a_weight_may_be_given_per_mean(form):
    labels, p = (np.array([array, array, array]) for array in PROBABILITIES)
    weight = np.arange(6.0).reshape(3, 2)  # [batch_size, d0 .. dN-1], of predictions with the axes [.. dN-1, dN]
    want = np.array([COSTS.mean(-1)] * 3) * weight
    close(costs(form, (labels, p), weight), want.mean())
    close(costs(form, (labels, p), weight, reduction="none"), want)


@in_forms(OURS)
def test_a_weight_of_another_shape_is_refused(form):
    for weight in ([1.0, 2.0, 3.0], [[1.0, 2.0, 3.0]] * 2, [[[1.0]]] * 3):
        with pytest.raises(ValueError, match=r"`sample_weight` must be a number, or have the shape of the predictions"):
            costs(form, PROBABILITIES, weight)


@in_forms(OURS)
def test_labels_of_another_shape_are_refused(form):
    with pytest.raises(ValueError, match="must have the same shape"):
        costs(form, ([[0.0, 1.0]] * 3, PROBABILITIES[1]))


@in_forms()
def test_a_configuration_makes_the_loss_again(form):
    loss = form.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2, axis=0, reduction="sum", name="mine")
    config = loss.get_config()
    told = {"from_logits": True, "label_smoothing": 0.2, "axis": 0, "reduction": "sum", "name": "mine"}
    assert told.items() <= config.items()
    again = form.losses.BinaryCrossentropy.from_config(config)
    assert told.items() <= again.get_config().items()
    close(form.run(lambda: again(*tensors(*BATCH))), form.run(lambda: loss(*tensors(*BATCH))), rtol=0)


@in_forms()
def test_the_arguments_have_the_names_order_and_defaults_of_the_page(form):
    parameters = inspect.signature(form.losses.BinaryCrossentropy).parameters
    page = {"from_logits": False, "label_smoothing": 0.0, "axis": -1, "reduction": ..., "name": "binary_crossentropy"}
    assert list(parameters)[:5] == list(page)
    for name, default in page.items():
        assert default in (..., parameters[name].default)
    assert parameters["reduction"].default == ("auto" if form in TENSORFLOW else "sum_over_batch_size")
    called = inspect.signature(form.losses.BinaryCrossentropy.__call__).parameters
    assert list(called) == ["self", "y_true", "y_pred", "sample_weight"]


@in_forms([form for form in TENSORFLOW if form.name.startswith("TensorFlow 2")])
@pytest.mark.parametrize("reduction", ["auto", "sum_over_batch_size"])
def test_a_mean_is_refused_under_a_strategy_outside_of_fit(form, reduction):
    loss = form.losses.BinaryCrossentropy(reduction=reduction)
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        with pytest.raises(ValueError, match="Please use `tf.keras.losses.Reduction.SUM` or"):
            loss(*tensors(*PROBABILITIES))
        for other, want in (("sum", COSTS.mean(-1).sum()), ("none", COSTS.mean(-1))):
            close(form.losses.BinaryCrossentropy(reduction=other)(*tensors(*PROBABILITIES)), want)
        model = tf_keras.Sequential([tf_keras.layers.Dense(2, "sigmoid", kernel_initializer="zeros")])
        model.compile("sgd", loss)
    close(model.evaluate(np.ones((2, 3)), np.ones((2, 2)), verbose=0), np.log(2))
