"""The growth rule: a loss is one dataclass, one formula and one line of the oracle, and runs in every framework."""

import copy
import json
import math
import pickle
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import pytest
from support import oracle
from support.compare import close
from support.hill import Flat, HillLoss, Scaled, SquaredError, Undeclared, hill
from support.oracle import plus, scaled, times
from support.peers import bx_jax, bx_tf, bx_torch, jax, tf, torch

import binxent as bx
from binxent.losses import LINEAR, ElementwiseLoss, formula

oracle.DEFINITIONS[HillLoss] = lambda state, y, least, limit: plus(
    scaled(state[2], y),
    scaled(times(times(state[0], state[0]), plus(oracle.series(limit, 0, 0), scaled(state[0], -1))), 1 - y),
)

ELEMENTS = {"axis": (), "reduction": "none"}
LOGITS = np.array([-np.inf, -90, -20, -3, -0.5, 0, 1e-20, 0.7, 4, 17, 88, np.inf])
X, Y = (part.ravel().astype("float32") for part in np.meshgrid(LOGITS, [0.0, 1.0, 0.3]))


def by_numpy(loss):
    return bx.value_grad_hess(loss, Y, X)


def by_torch(loss, subclass=None):
    x = torch.tensor(X, requires_grad=True)
    value = bx_torch.pointwise(loss, x.as_subclass(subclass) if subclass else x, torch.tensor(Y)).as_subclass(
        torch.Tensor
    )
    (slope,) = torch.autograd.grad(value, x, torch.ones_like(value), create_graph=True)
    (curvature,) = torch.autograd.grad(slope, x, torch.ones_like(value))
    return [each.detach().numpy() for each in (value, slope, curvature)]


def by_torch_operations(loss):
    class Unknown(torch.Tensor):
        """A tensor whose memory the kernels do not look into."""

    return by_torch(loss, Unknown)


def by_jax(loss):
    function = partial(bx_jax.pointwise, loss)
    slope = jax.grad(function)
    return [np.asarray(jax.vmap(each)(X, Y)) for each in (function, slope, jax.grad(slope))]


def by_tensorflow(loss):
    x = tf.constant(X)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = bx_tf.pointwise(loss, x, tf.constant(Y))
        slope = inner.gradient(value, x)
    return [each.numpy() for each in (value, slope, outer.gradient(slope, x))]


DOORS = {
    "NumPy": by_numpy, "PyTorch": by_torch, "PyTorch, operations": by_torch_operations, "JAX": by_jax,
    "TensorFlow": by_tensorflow,
}  # fmt: skip
ULPS = {"NumPy": 5, "PyTorch": 5, "PyTorch, operations": 5, "JAX": 8, "TensorFlow": 12}


@pytest.mark.parametrize("door", DOORS)
def test_a_loss_of_ones_own_is_exact_in_every_framework(door):
    loss = HillLoss(from_logits=True, **ELEMENTS)
    truth = oracle.truth(loss, X, Y)
    errors = oracle.ulps(np.stack(DOORS[door](loss)), truth)
    tiny = np.abs(truth.high) < 1e-36  # JAX and TensorFlow have no subnormal numbers
    assert np.where(tiny, 0, errors).max() <= ULPS[door]


def test_as_a_loss_on_arrays_it_has_all_options():
    loss = HillLoss(2.0, label_smoothing=0.2, ignore_label=-1, reduction="mean_with_sample_weight")
    p, y, w = np.array([[0.8, 0.3], [0.1, 0.5]]), np.array([[1, 0], [-1, 1]]), np.array([[1.0, 2.0], [5.0, 0.5]])
    smooth = y * 0.8 + 0.1
    each = -smooth * np.log(p) + (1 - smooth) * (2 - p) * p**2
    kept = w * (y >= 0)
    assert np.isclose(loss(y, p, w), (each * kept).sum() / kept.sum(), rtol=1e-12)
    assert HillLoss(2.0) == HillLoss(2) and HillLoss.from_config(loss.get_config()) == loss


FINITE = np.isfinite(X) & (np.abs(X) < 30)


def in_label(door, loss):
    x, y = X[FINITE], Y[FINITE]
    if door == "JAX":
        return jax.vmap(jax.grad(lambda y, x: bx_jax.pointwise(loss, x, y)))(y, x)
    if door == "PyTorch":
        y = torch.tensor(y, requires_grad=True)
        bx_torch.pointwise(loss, torch.tensor(x), y).sum().backward()
        return y.grad
    y = tf.constant(y)
    with tf.GradientTape() as tape:
        tape.watch(y)
        value = bx_tf.pointwise(loss, tf.constant(x), y)
    return tape.gradient(value, y)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("level", [1.0, 2.5])
def test_results_may_be_constants(door, level):
    want = [np.full(X.shape, number, "float32") for number in (level, 0.0, 0.0)]
    close(DOORS[door](Flat(level, from_logits=True, **ELEMENTS)), want, ulps=0)


def test_results_that_are_constants_have_the_shape_of_predictions_in_transformations():
    x, y = np.zeros((4, 3), "float32"), np.ones((4, 3), "float32")
    loss, levels = Flat((1.0, 2.0, 3.0), from_logits=True), np.tile(np.float32([1, 2, 3]), (4, 1))
    z, t = torch.tensor(x), torch.tensor(y, requires_grad=True)
    close(torch.vmap(partial(bx_torch.pointwise, loss))(z, t.detach()), torch.tensor(levels))
    close(torch.func.grad(lambda z: bx_torch.pointwise(loss, z, t.detach()).sum())(z), torch.zeros(4, 3))
    close(torch.func.hessian(lambda z: bx_torch.pointwise(loss, z, t.detach()).sum())(z), torch.zeros(4, 3, 4, 3))
    close(torch.autograd.grad(bx_torch.pointwise(loss, z, t).sum(), t)[0], torch.zeros(4, 3))
    close(bx_jax.pointwise(loss, x, y), jax.numpy.array(levels))
    close(jax.grad(lambda x: bx_jax.pointwise(loss, x, y).sum())(x), jax.numpy.zeros((4, 3)))
    close(jax.grad(lambda y: bx_jax.pointwise(loss, x, y).sum())(y), jax.numpy.zeros((4, 3)))
    close(tf.function(partial(bx_tf.pointwise, loss))(x, y), tf.constant(levels))


@pytest.mark.parametrize("door", ["JAX", "PyTorch", "TensorFlow"])
def test_the_derivative_in_the_label_follows_the_rule_beside_the_formula(door):
    x, y = X[FINITE].astype(float), Y[FINITE].astype(float)
    p, a = 1 / (1 + np.exp(-x)), np.logaddexp(0, -x)
    linear = in_label(door, HillLoss(from_logits=True))
    np.testing.assert_allclose(np.asarray(linear), a - (1.5 - p) * p**2, 2e-6, 1e-7)
    np.testing.assert_allclose(np.asarray(in_label(door, SquaredError(from_logits=True))), 2 * (y - p), 2e-6, 1e-7)
    with pytest.raises(TypeError, match="`undeclared` must declare how it depends on the label"):
        in_label(door, Undeclared(from_logits=True))


@pytest.mark.parametrize("count", [0, *(pytest.param(count, marks=pytest.mark.slow) for count in (1, 2, 3)), 4])
def test_a_formula_has_any_number_of_constants_any_of_them_per_label(count):
    y, x = np.array([[1, 0, 1], [0, 0, 1]], "float32"), np.array([[1, -2, 3], [0.5, 0, -1]], "float32")
    constants = [(0.5, 1.5, 2.0), 3.0, (1.0, 0.0, 4.0), 0.25][:count]
    total = 1 + sum(np.array(one) for one in constants)
    loss = Scaled(tuple(constants), from_logits=True, **ELEMENTS)
    plain = bx.BinaryCrossentropy(True, **ELEMENTS)
    want = [each * total for each in bx.value_and_grad(plain, y, x)]
    np.testing.assert_allclose(bx.value_and_grad(loss, y, x), want, 1e-6)
    by_sample = Scaled(tuple(constants), from_logits=True, axis=0, reduction="none")
    np.testing.assert_allclose(by_sample(y, x), want[0].mean(0), 1e-6)
    np.testing.assert_allclose(bx_jax.pointwise(loss, x, y), want[0], 1e-6)
    z = torch.tensor(x.T.copy().T, requires_grad=True)  # in another order of axes
    value = bx_torch.pointwise(loss, z, torch.tensor(y))
    value.sum().backward()
    np.testing.assert_allclose(value.detach(), want[0], 1e-6)
    np.testing.assert_allclose(z.grad, want[1], 1e-6)
    np.testing.assert_allclose(bx_tf.pointwise(loss, x, y), want[0], 1e-6)
    if count:
        with pytest.raises(ValueError, match="must be a number or hold one number"):
            bx_torch.pointwise(loss, torch.zeros(2, 4), torch.zeros(2, 4))


POINTWISE = {
    "NumPy": (bx.pointwise, np.array),
    "PyTorch": (lambda *arguments: bx_torch.pointwise(*arguments), lambda values: torch.tensor(values)),
    "JAX": (lambda *arguments: bx_jax.pointwise(*arguments), np.array),
    "TensorFlow": (lambda *arguments: bx_tf.pointwise(*arguments), lambda values: tf.constant(values)),
}


@pytest.mark.parametrize("door", POINTWISE)
def test_errors_of_pointwise_have_its_own_words(door):
    pointwise, array = POINTWISE[door]
    two, one = array([0.5, 0.5]), array([1.0])
    with pytest.raises(ValueError, match="`labels` and `predictions` must have the same shape"):
        pointwise(bx.BinaryCrossentropy(), two, one)
    with pytest.raises(TypeError, match="`loss` must be a loss of `binxent.losses`.* It comes first"):
        pointwise(two, two, two)
    with pytest.raises(TypeError, match=r"`loss` must be a loss; got the class. Make one of it: HillLoss\(\)"):
        pointwise(HillLoss, two, two)
    with pytest.raises(TypeError, match="`loss` must be a loss; got its attribute `pointwise`. Pass the loss itself"):
        pointwise(HillLoss().pointwise, two, two)
    if door in ("NumPy", "PyTorch"):  # where values are looked at
        with pytest.raises(ValueError, match=r"`labels`.*1 of 2.*Map the two classes"):
            pointwise(bx.BinaryCrossentropy(True), two, array([0.0, 3.0]))
        with pytest.raises(ValueError, match=r"`predictions`.*1 of 2.*from_logits=True"):
            pointwise(bx.BinaryCrossentropy(), array([0.0, 3.0]), two)


@dataclass(frozen=True, eq=False)
class Variant(HillLoss):
    """A loss with parameters of every kind."""

    variant: str = "plain"
    limits: tuple = ()


@dataclass(frozen=True, eq=False)
class Noted(bx.BinaryCrossentropy):
    """A loss of the family with a parameter more."""

    notes: object = ()


class Costly(bx.BinaryCrossentropy):
    """A subclass with an `__init__` of its own."""

    def __init__(self, cost):
        super().__init__(from_logits=True, pos_weight=[cost, 1.0])


@dataclass(frozen=True, eq=False, slots=True)
class Slotted(HillLoss):
    """A loss whose own parameter is in a slot."""

    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Doubled(HillLoss):
    """A loss with a parameter that follows from another, and a property that is computed once."""

    double: float = field(init=False, default=0.0)

    def __post_init__(self):
        object.__setattr__(self, "double", 2 * self.limit)
        super().__post_init__()

    @cached_property
    def half(self):
        return self.limit / 2


OWN = [
    HillLoss((1.5, math.nan), from_logits=True, ignore_label=math.nan),
    HillLoss(np.float32(1.5), name="hill"),
    Variant([1.5, 2], variant="other", limits=[[1, 2.5], math.nan]),
    Noted(notes=[1, np.array([2.5, math.nan])]),
    Costly(3.0),
    Slotted(1.5, 2.0),
    Doubled(1.25),
]


@pytest.mark.parametrize("loss", OWN, ids=lambda loss: type(loss).__name__)
def test_a_loss_of_ones_own_equals_its_copies(loss):
    for other in (copy.copy(loss), copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert other == loss and hash(other) == hash(loss) and other.pointwise == loss.pointwise
    if isinstance(loss, Costly):
        with pytest.raises(TypeError, match="`Costly` cannot be made of this config: .*own needs a `get_config`"):
            Costly.from_config(loss.get_config())
    else:
        config = json.loads(json.dumps(loss.get_config()))
        assert type(loss).from_config(config) == loss
    y, x = np.array([[1.0, 0.0]]), np.array([[0.5, 0.25]])
    np.testing.assert_array_equal(bx.pointwise(loss, x, y).shape, (1, 2))


@pytest.mark.parametrize(
    "value",
    ["1", None, (), object(), {1.5}, np.zeros((2, 2)), b"1", 1j, (1.5, "1"), [1.5, None], tf.Variable("1")],
    ids=lambda value: type(value).__name__,
)
def test_a_parameter_of_ones_own_is_plain(value):
    with pytest.raises((TypeError, ValueError), match="`limit` must "):
        HillLoss(value)


def built(build, *constants):
    """A loss with this formula and these constants."""

    class Own(ElementwiseLoss):
        def define(self):
            return (build, *constants) if build is None else ((build,), constants)

    return Own


def chosen(*choices):
    """A loss that chooses its formula by these."""

    class Own(ElementwiseLoss):
        def define(self):
            return choices, ()

    return Own


def giving(*results):
    """A formula that gives these results."""
    return formula("scale", in_label=LINEAR)(lambda f: lambda state, y, constants: results[0] if results else None)


MISTAKES = {
    "no tuples": (built(None), r"`Own.define` must return two tuples.*got \(None,\)"),
    "too few constants": (built(giving(1)), "returns 0 constants, and the formula .* names 1: scale"),
    "nothing": (built(giving(), 1.0), "must give three numbers; got None. It is made from the parts `f`"),
    "two results": (built(giving((1.0, 2.0)), 1.0), "must give three numbers; got "),
    "an exception": (
        built(lambda f: lambda state, y, constants: state.p, 1.0),
        "cannot be computed: AttributeError",
    ),
    "no parts": (built(lambda: None, 1.0), "cannot be computed: TypeError"),
    "a part that is none": (built(lambda f: f.entropie, 1.0), "The formula .* of `Own` cannot be computed: AttributeE"),
    "another state": (built(lambda f: lambda state, y, constants: state[6], 1.0), "cannot be computed: IndexError"),
    "an array": (
        built(lambda f: lambda state, y, constants: (np.ones(2), 1, 1)),
        "must give three numbers; got .*arr",
    ),
    "a formula of the family": (
        chosen(bx.BinaryCrossentropy(pos_weight=2).pointwise.formula_key[0]),
        "names 1: pos_we",
    ),
    "a list of choices": (chosen(lambda f, choices: None, [1]), r"choices of `Own.define` must be hashable; got \(\[1"),
    "a partial function": (chosen(partial(giving)), "`Own.define` must return two tuples: the function that builds"),
    "a label function of two": (
        chosen(formula(in_label=lambda a, b: a)(lambda f: lambda state, label, constants: label[:1] * 3)),
        r"depends on the label by a function that cannot be computed: .* It takes \(m, a, b, y, constants\)",
    ),
    "plain numbers": (
        built(giving((1.0, 0, 0.0)), 1.0),
        r"gives a plain number, .*\(1.0, 0, 0.0\). Return f.zero, f.one",
    ),
    "no f.jit": (
        built(lambda f: lambda state, label, constants: label[:1] * 3),
        "by `<lambda>`, .*: decorate it with @f.jit",
    ),
    "a label function of nothing": (
        chosen(formula(in_label=lambda *_: None)(lambda f: lambda state, label, constants: label[:1] * 3)),
        "depends on the label by a function that must give a number; got None",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_a_formula_are_found_when_the_loss_is_made(mistake):
    own, words = MISTAKES[mistake]
    with pytest.raises(TypeError, match=words):
        own()


@pytest.mark.parametrize("constant", [10**400, -(10**400), (1.5, 10**400), [10**400], np.array([10**400])])
def test_a_constant_has_a_place_among_the_floats(constant):
    with pytest.raises(ValueError, match="`limit` must lie in the range of floats; got a whole number beyond 1.798e"):
        HillLoss(constant)
    with pytest.raises(ValueError, match="`limit` must lie in the range of floats"):
        built(hill, constant)()
    if isinstance(constant, int):
        with pytest.raises(ValueError, match="`gamma` must lie in the range of floats"):
            bx.BinaryFocalCrossentropy(gamma=constant)


def test_constants_of_any_kind_are_plain_numbers():
    for constant in (np.array([1.5, 2]), [np.float32(1.5), 2], torch.tensor([1.5, 2])):
        assert built(hill, constant)().pointwise.constants == ((1.5, 2.0),)


@pytest.mark.parametrize("wrong", ["liner", None])
def test_a_formula_is_declared_by_names_and_a_rule(wrong):
    with pytest.raises(TypeError, match="`in_label` must be LINEAR, or a function"):
        formula("limit", in_label=wrong)
    with pytest.raises(TypeError, match="@formula takes the names of parameters"):
        formula(1.5, in_label=LINEAR)


def test_a_loss_that_does_not_finish_its_base_is_no_loss():
    @dataclass(frozen=True, eq=False)
    class Unfinished(HillLoss):
        def __post_init__(self):
            pass

    with pytest.raises(TypeError, match="`Unfinished` has chosen no formula: its own `__init__` or `__post_init__`"):
        bx.pointwise(Unfinished(), [0.5], [1])


def test_a_property_that_is_computed_once_is_no_part_of_a_loss():
    one, other = Doubled(1.25), Doubled(1.25)
    assert one.half == 0.625
    assert one == other and hash(one) == hash(other)
    assert Slotted(1.5, 2.0) != Slotted(1.5, 3.0)


@formula(in_label=LINEAR)
def literal(f):
    """Binary cross-entropy times a number of Python's."""

    @f.jit
    def literal(state, label, constants):
        loss, slope, curvature = f.entropy(*label, f.one, state)
        return loss * 2.5, slope * 2.5, curvature * 2.5

    return literal


def test_a_number_of_python_in_a_formula_has_the_working_precision():
    loss, room = built(literal)(from_logits=True, **ELEMENTS), np.full(12, 7, "float32")
    z, y = np.linspace(-2, 2, 8, dtype="float32"), np.ones(8, "float32")
    value, slope = bx.value_and_grad(loss, y, z, out=room[:8])
    np.testing.assert_allclose(value, 2.5 * np.logaddexp(0, -z.astype(float)), 1e-6)
    np.testing.assert_allclose(slope, -2.5 / (1 + np.exp(z.astype(float))), 1e-6)
    assert (room[8:] == 7).all()
