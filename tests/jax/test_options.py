"""What the JAX door takes as options and arrays: the right number, or an error that names the argument."""

import inspect
import itertools
import math
from functools import partial

import numpy as np
import pytest
from support import option_kinds
from support.compare import close

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

import binxent as bx  # noqa: E402
import binxent.jax as door  # noqa: E402

LOSSES = {name: getattr(door, name) for name in door.__all__ if name.startswith(("sigmoid_", "binary_"))}
OPTIONS = {
    name: [
        option
        for option in inspect.signature(loss).parameters
        if option not in ("logits", "probabilities", "labels")
    ]
    for name, loss in LOSSES.items()
}  # fmt: skip
EVERY_OPTION = [(name, option) for name, options in OPTIONS.items() for option in options]
PER_LABEL = ("pos_weight", "alpha", "gamma")  # may also be arrays and traced
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
X, Y = jnp.array([[0.25, 0.5, 0.75], [0.0, 0.5, 1.0]]), jnp.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5]])

STRICT = {
    "float16": ("bool", "float32"),
    "bfloat16": ("int32", "bfloat16"),
    "float32": ("uint8", "float16"),
    "float64": ("int64", "float64"),
}
WITH_ARRAYS = [
    partial(door.sigmoid_binary_cross_entropy, pos_weight=[1.0, 2.0, 3.0]),
    partial(door.binary_cross_entropy, pos_weight=2),
    partial(door.sigmoid_focal_loss, alpha=np.float32([0.2, 0.3, 0.4]), gamma=jnp.bfloat16([1, 2, 3])),
    partial(door.binary_focal_loss, alpha=0.25, gamma=np.arange(3)),
    *(loss for name, loss in LOSSES.items() if "focal" not in name and "cross_entropy" not in name),
]


@pytest.mark.parametrize("dtype", STRICT)
@pytest.mark.parametrize("loss", WITH_ARRAYS, ids=lambda loss: getattr(loss, "func", loss).__name__)
def test_nothing_is_promoted_implicitly(loss, dtype):
    def total(ignored, x, y):
        return loss(x, y, label_smoothing=0.1, ignore_label=ignored).sum()

    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        for label, ignored in zip(STRICT[dtype], (1, math.nan), strict=True):
            arguments = (0, 1) if jnp.issubdtype(label, jnp.floating) else 0
            x, y = (jax.ShapeDtypeStruct((2, 3), each) for each in (dtype, label))
            value, slopes = jax.eval_shape(jax.value_and_grad(partial(total, ignored), arguments), x, y)
            assert value.dtype == dtype
            assert [slope.dtype for slope in jax.tree.leaves(slopes)] == [dtype, label][: np.size(arguments)]


@pytest.mark.parametrize("dtype", ["int32", "float16", "bfloat16", "float64"])
def test_traced_options_are_promoted_explicitly(dtype):
    def total(x, y, c):
        return door.sigmoid_focal_loss(x, y, c, c).sum() + door.sigmoid_binary_cross_entropy(x, y, pos_weight=c).sum()

    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        for shape, compute in itertools.product([(), (3,)], ["float32", "float64"]):
            x, c = jax.ShapeDtypeStruct((2, 3), compute), jax.ShapeDtypeStruct(shape, dtype)
            assert jax.eval_shape(total, x, x, c).dtype == compute


def test_a_traced_gamma_of_zero_in_half_precision():
    saturated, positive = jnp.array([200.0, 0.0]), jnp.ones(2)
    loss = lambda gamma: door.sigmoid_focal_loss(saturated, positive, gamma=gamma)  # noqa: E731
    close(jax.jit(loss)(jnp.zeros((), "float16")), [0.0, math.log(2)], 1e-6)


def test_every_option_has_a_value_here():
    assert {option for _, option in EVERY_OPTION} == set(VALUES)


@pytest.mark.parametrize("option", VALUES)
def test_a_number_of_any_kind_is_that_number(option):
    name = next(name for name, options in OPTIONS.items() if option in options)
    value = VALUES[option]
    loss = LOSSES[name]
    want = loss(X, Y, **{option: value})
    assert (want != loss(X, Y)).any()
    for kind, make in option_kinds.NUMBERS.items():
        assert (loss(X, Y, **{option: make(value)}) == want).all(), kind
    assert (loss(X, Y, **{option: jnp.float32(value)}) == want).all()


@pytest.mark.parametrize("option", PER_LABEL)
def test_numbers_for_each_label_of_any_kind_are_those_numbers(option):
    values = [0.25, 0.5, 1.0]
    loss = LOSSES["sigmoid_binary_cross_entropy" if option == "pos_weight" else "sigmoid_focal_loss"]
    want = jnp.stack([loss(X[:, n], Y[:, n], **{option: value}) for n, value in enumerate(values)], 1)
    for make in (*option_kinds.SEVERAL.values(), jnp.array, lambda values: [jnp.float32(each) for each in values]):
        close(loss(X, Y, **{option: make(values)}), want, 1e-6)
    for traced in (lambda c: loss(X, Y, **{option: c}), lambda c: loss(X, Y, **{option: [c[0], 0.5, c[2]]})):
        close(jax.jit(traced)(jnp.array(values)), want, 1e-6)
    for wrong in ([1.0], [1.0, 1.0], [[1.0, 1.0, 1.0]]):
        with pytest.raises(ValueError, match=f"`{option}` must be a number or hold one number"):
            loss(X, Y, **{option: wrong})


@pytest.mark.parametrize(("name", "option"), EVERY_OPTION)
def test_an_option_of_another_kind_is_refused_by_name(name, option):
    for kind, value in option_kinds.REFUSED.items():
        with pytest.raises(TypeError, match=f"`{option}` must"):
            print(kind, LOSSES[name](X, Y, **{option: value}))
    if option not in PER_LABEL:
        for value in ([1.0], np.ones(3), jnp.ones(3)):
            with pytest.raises(TypeError, match=f"`{option}` must be a number"):
                LOSSES[name](X, Y, **{option: value})
        with pytest.raises(TypeError, match=f"`{option}` must be a plain number, known when the loss is made"):
            jax.eval_shape(lambda value: LOSSES[name](X, Y, **{option: value}), 0.25)
    else:
        with pytest.raises(TypeError, match=f"`{option}` must be real; got complex64"):
            jax.eval_shape(lambda value: LOSSES[name](X, Y, **{option: value}), jnp.complex64(1))


@pytest.mark.parametrize("kind", option_kinds.REFUSED_ARRAYS)
def test_arrays_of_another_kind_are_refused_by_name(kind):
    values, advice = option_kinds.REFUSED_ARRAYS[kind]
    for loss, predictions in ((door.sigmoid_focal_loss, "logits"), (door.binary_poly_loss, "probabilities")):
        for name, arguments in (("labels", (X[0], values)), (predictions, (values, Y[0]))):
            with pytest.raises(TypeError, match=f"`{name}` must be an array of real numbers; got .*{advice}"):
                loss(*arguments)


def test_variables_of_flax_are_followed_where_they_are_traced():
    nnx = pytest.importorskip("flax.nnx")
    weight = nnx.Param(jnp.array([1.0, 2.0, 3.0]))
    loss = lambda c: door.sigmoid_binary_cross_entropy(X, Y, pos_weight=c).sum()  # noqa: E731
    close(loss(weight), loss([1.0, 2.0, 3.0]), 1e-6)
    slope = nnx.grad(loss)(weight)
    close(slope[...], (Y * jax.nn.softplus(-X)).sum(0), 1e-6)


def test_a_loss_on_numpy_arrays_names_this_door_for_a_traced_array():
    loss = bx.BinaryCrossentropy(from_logits=True)
    for transform in (jax.jit, jax.grad, jax.vmap):
        with pytest.raises(TypeError, match=r"`y_pred` is a \w*Tracer, .*\. Take the loss from `binxent\.jax`, and"):
            transform(lambda x: loss(np.ones(3), x))(jnp.ones(3))
    close(loss(jnp.ones(3), jnp.zeros(3)), np.float64(math.log(2)))
