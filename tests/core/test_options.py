"""Options are plain numbers, made so when they are given."""

import fractions

import numpy as np
import pytest
from support import option_kinds

from binxent import losses
from binxent._core.options import class_balance, number, numbers


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
