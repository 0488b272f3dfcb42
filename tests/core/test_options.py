"""Options are plain numbers, made so when they are given."""

import fractions

import numpy as np
import pytest

from binxent._core.options import number


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
