"""Options are plain numbers, made so when they are given."""

import fractions
import importlib
import inspect

import numpy as np
import pytest
from support import option_kinds

from binxent import losses
from binxent._core.options import boolean, class_balance, number, numbers
from binxent._core.pointwise import element_part


def _torch(make):
    return lambda: make(pytest.importorskip("torch"))


def _tf(make):
    return lambda: make(pytest.importorskip("tensorflow"))


def _jax(make):
    return lambda: make(pytest.importorskip("jax"))


def _keras(make):
    return lambda: make(pytest.importorskip("keras"))


def _in_graph(tf):
    with tf.Graph().as_default():
        return tf.compat.v1.placeholder("float32", ())


def _variable_in_graph(tf):
    variable = tf.Variable(2.0)
    with tf.Graph().as_default():
        return number("gamma", variable)


def _traced(jax):
    return jax.jit(lambda value: number("gamma", value))(2.0)


def _mapped(torch):
    return torch.func.vmap(lambda value: number("gamma", value))(torch.ones(3))


PLAIN = {
    "bool": lambda: True,
    "int": lambda: 2,
    "float": lambda: 2.5,
    "NumPy scalar": lambda: np.float32(0.5),
    "NumPy bool": lambda: np.bool_(True),
    "0-d array": lambda: np.array(2.5),
    "fraction": lambda: fractions.Fraction(5, 2),
    "torch tensor": _torch(lambda torch: torch.tensor(2.5)),
    "torch parameter": _torch(lambda torch: torch.nn.Parameter(torch.tensor(2.5))),
    "tf tensor": _tf(lambda tf: tf.constant(2.5)),
    "tf variable": _tf(lambda tf: tf.Variable(2.5)),
    "jax array": _jax(lambda jax: jax.numpy.float32(2.5)),
    "keras variable": _keras(lambda keras: keras.Variable(2.5)),
}
REFUSED = {
    "string": lambda: number("gamma", "2.5"),
    "NumPy string": lambda: number("gamma", np.str_("2.5")),
    "complex": lambda: number("gamma", 2j),
    "0-d array of text": lambda: number("gamma", np.array("2.5")),
    "tf string": _tf(lambda tf: number("gamma", tf.constant("2.5"))),
    "NumPy complex": lambda: number("gamma", np.complex64(2)),
    "none": lambda: number("gamma", None),
    "list": lambda: number("gamma", [2.5]),
    "1-d array": lambda: number("gamma", np.array([2.5])),
    "1-d torch tensor": _torch(lambda torch: number("gamma", torch.tensor([2.5]))),
    "torch.func.vmap": _torch(_mapped),
    "tf graph": _tf(lambda tf: number("gamma", _in_graph(tf))),
    "tf variable in a graph": _tf(_variable_in_graph),
    "jax.jit": _jax(_traced),
    "KerasTensor": _keras(lambda keras: number("gamma", keras.KerasTensor(()))),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_a_number_of_any_framework_is_made_plain(kind):
    got = number("gamma", PLAIN[kind]())
    assert type(got) in (bool, int, float)
    assert got == {"bool": True, "int": 2, "NumPy scalar": 0.5, "NumPy bool": True}.get(kind, 2.5)


@pytest.mark.parametrize("kind", REFUSED)
def test_anything_else_is_refused_by_name(kind):
    with pytest.raises(TypeError, match=r"`gamma` must be a (plain )?number"):
        REFUSED[kind]()


def test_several_numbers_of_any_kind_are_an_array_of_float64():
    for make in option_kinds.SEVERAL.values():
        got = numbers("pos_weight", make([1.0, 2.5, 4.0]))
        assert got.dtype == np.float64
        assert got.tolist() == [1.0, 2.5, 4.0]
    assert numbers("pos_weight", 2) == 2


@pytest.mark.parametrize("kind", option_kinds.REFUSED)
def test_what_are_no_numbers_is_refused_by_name(kind):
    with pytest.raises(TypeError, match="`pos_weight` must (be a (plain )?number|hold a number for each label)"):
        numbers("pos_weight", option_kinds.REFUSED[kind])


def test_an_error_does_not_repeat_a_long_list():
    for call in (
        lambda: numbers("pos_weight", ["auto"] * 10**6),
        lambda: number("gamma", [2.5] * 10**6),
        lambda: losses.BinaryCrossentropy([True] * 10**6),
        lambda: element_part([0.5] * 10**6),
    ):
        with pytest.raises(TypeError) as raised:
            call()
        assert len(str(raised.value)) < 300


@pytest.mark.parametrize("alpha", [None, -1, -1.0, np.float32(-1), np.array(-1)], ids=repr)
def test_classes_are_balanced_by_an_alpha_alone(alpha):
    assert class_balance(alpha) == (False, 0.25)
    assert class_balance(np.float32(0.5)) == (True, 0.5)
    assert class_balance(0) == (True, 0)
    with pytest.raises(TypeError, match="`alpha` must be a number"):
        class_balance("auto")


OPTIONS = {
    "label_smoothing": losses.BinaryCrossentropy,
    "ignore_label": losses.BinaryCrossentropy,
    "epsilon": losses.BinaryCrossentropy,
    "pos_weight": losses.BinaryCrossentropy,
    "alpha": losses.BinaryFocalCrossentropy,
    "gamma": losses.BinaryFocalCrossentropy,
    "gamma_pos": losses.AsymmetricCrossentropy,
    "gamma_neg": losses.AsymmetricCrossentropy,
    "margin": losses.AsymmetricCrossentropy,
    "epsilon_1": losses.PolyBinaryCrossentropy,
}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_loss_holds_plain_numbers(option):
    loss = OPTIONS[option](**{option: np.float32(0.25)})
    assert type(getattr(loss, option)) is float
    assert loss == OPTIONS[option](**{option: 0.25})
    with pytest.raises(TypeError, match=f"`{option}` must be a number"):
        OPTIONS[option](**{option: "0.25"})


NEEDED = {"losses": "numpy", "scoring": "scipy"}  # by the doors that are not called as what they need
DOORS = ("numpy", "losses", "scoring", "torch", "tensorflow", "keras", "keras.losses", "keras.metrics", "tf_keras")
NO_TRUTH_VALUES = ("no", 1, 0, 2.0, None, np.array([True]))


def with_truth_values(door):
    """Return each public function and class of a door that has options that are True or False, and their names."""
    for name in door.__all__:
        public = getattr(door, name)
        if callable(public) and public.__module__.startswith("binxent"):
            parameters = inspect.signature(public).parameters.values()
            options = [each.name for each in parameters if str(each.annotation) in ("<class 'bool'>", "bool | None")]
            required = [each.name for each in parameters if each.default is each.empty and each.kind < each.VAR_KEYWORD]
            if options:
                yield public, options, {each: [0.5] for each in required}


@pytest.mark.parametrize("door", DOORS)
def test_an_option_that_is_true_or_false_is_nothing_else(door):
    pytest.importorskip(NEEDED.get(door, door.partition(".")[0]))
    found = list(with_truth_values(importlib.import_module(f"binxent.{door}")))
    assert found
    for public, options, arguments in found:
        for option in options:
            for value in NO_TRUTH_VALUES:
                if option in ("size_average", "reduce") and value is None:
                    continue
                with pytest.raises(TypeError, match=f"`{option}` must be True or False; got "):
                    public(**arguments | {option: value})


def test_truth_values_of_numpy_are_pythons_and_1_is_none_even_after_true():
    assert boolean("from_logits", np.bool_(False)) is False
    assert losses.BinaryCrossentropy(np.bool_(True)).from_logits is True
    binary_crossentropy = importlib.import_module("binxent").binary_crossentropy
    binary_crossentropy([1.0], [0.0], from_logits=True)
    with pytest.raises(TypeError, match="`from_logits` must be True or False; got 1"):
        binary_crossentropy([1.0], [0.0], from_logits=1)
