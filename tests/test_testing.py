"""`check_formula` passes what is right, and says of each mistake what it is and where."""

import re
import sys

import mpmath
import pytest
from support.hill import HillLoss, Scaled, SquaredError, Undeclared

import binxent as bx
from binxent.losses import LINEAR, ElementwiseLoss, formula
from binxent.testing import check_formula

RIGHT = [
    bx.BinaryCrossentropy(pos_weight=[1.0, 5.0], label_smoothing=0.1, ignore_label=-1),
    bx.BinaryFocalCrossentropy(True, 0.3, 2.0),
    bx.AsymmetricCrossentropy(1.3, 2.7, 0.1),
    bx.PolyBinaryCrossentropy(2.0),
    HillLoss((1.5, 2.0)),
    SquaredError(),
    Scaled((1.0, 2.0)),
    # Kinks at the logit 0 and at the probabilities 0.5 and 0.2, all of which are looked at.
    bx.AsymmetricCrossentropy(0, 1, 0.5),
    bx.AsymmetricCrossentropy(0, 0, 0.2),
    bx.BinaryFocalCrossentropy(True, 0.0, 1e5),
]


@pytest.mark.slow
@pytest.mark.parametrize("loss", RIGHT, ids=lambda loss: loss.pointwise.name)
def test_right_formulas_pass(loss):
    precision = mpmath.mp.dps
    check_formula(loss)
    assert mpmath.mp.dps == precision


def bce(f, change, in_label=LINEAR):
    """Binary cross-entropy with a mistake, a function of its results and of what they are made of."""

    @formula(in_label=in_label)
    def changed(f):
        @f.jit
        def changed(state, label, constants):
            y, not_y = label
            return change(f, state, y, *f.entropy(y, not_y, f.one, state))

        return changed

    return changed(f)


def product_without_guard(f, state, y, loss, slope, curvature):
    a, b = state[1]
    return y * a + (f.one - y) * b, slope, curvature


def between(f, p, low, high):
    """1 between two probabilities, and 0 elsewhere."""
    return f.m.where(p > f.number(low), f.m.where(p < f.number(high), f.one, f.zero), f.zero)


def wrong_label(m, a, b, y, constants):
    return y * a


MISTAKES = {
    "another sign": (lambda f, s, y, loss, slope, curvature: (loss, -slope, curvature), r"slope: at the logit .* is"),
    "the curvature of another loss": (
        lambda f, s, y, loss, slope, curvature: (loss, slope, curvature * (f.one - f.two * s[0][0])),
        r"curvature: at the logit 0 .* it is 0; the derivative of the slope is 0\.25",
    ),
    "a difference without digits": (
        lambda f, s, y, loss, slope, curvature: (loss, s[0][0] - y, curvature),
        r"slope in float32: at the logit 13 and the label 1 it is -2\.26[1-9].*; -2\.2603",
    ),
    "a logarithm of a difference": (
        lambda f, s, y, loss, slope, curvature: (
            -(y * f.m.log(s[0][0]) + (f.one - y) * f.m.log(f.one - s[0][0])), slope, curvature,
        ),
        r"loss in float64: at the logit .* and the label 0",
    ),
    "0 times infinity": (product_without_guard, r"loss in float64: at the logit -?inf and the label [01] it is NaN"),
    "right at round numbers only": (
        lambda f, s, y, loss, slope, curvature: (
            loss, slope + between(f, s[0][0], 0.67, 0.73) * f.number(1e-9), curvature,
        ),
        r"slope: at the logit 0\.[789].* it is",
    ),
    "in the eleventh digit": (
        lambda f, s, y, loss, slope, curvature: (loss, slope * f.number(1 + 1e-10), curvature),
        r"slope: at the logit 0 and the label 0 it is 0\.5000000001; the derivative of the loss is 0\.5\.",
    ),
    "0 / 0": (
        lambda f, s, y, loss, slope, curvature: (loss * ((s[0][0] - f.half) / (s[0][0] - f.half)), slope, curvature),
        r"loss: at the logit 0 and the label 0 it is no number, even in 400 digits: 0 / 0",
    ),
    "a root of a negative": (
        lambda f, s, y, loss, slope, curvature: (loss + f.m.log(s[0][0] - f.half), slope, curvature),
        r"loss: at the logit -1e-30 and the label 0 it is no number",
    ),
    "not linear": (
        lambda f, s, y, loss, slope, curvature: (loss * y, slope * y, curvature * y),
        r"label: at the logit .* a loss that is LINEAR in the label is",
    ),
}  # fmt: skip


def own_loss(build):
    class Own(ElementwiseLoss):
        def define(self):
            return (build,), ()

    return Own()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named_with_their_place(mistake):
    change, words = MISTAKES[mistake]

    @formula(in_label=LINEAR)
    def mistaken(f):
        return bce(f, change)

    with pytest.raises(AssertionError, match=words) as raised:
        check_formula(own_loss(mistaken))
    assert str(raised.value).startswith("The formula `mistaken` is wrong:\n- ")
    assert "probability" not in str(raised.value)
    assert "nan is right" not in str(raised.value)
    for own, other in re.findall(r"it is (\S+); .*?(-?[\d.]+[\de+-]*) is right", str(raised.value)):
        assert own != other


def test_the_label_rule_is_that_of_the_loss():
    with pytest.raises(AssertionError, match=r"label: `undeclared` must declare"):
        check_formula(Undeclared())

    @formula(in_label=wrong_label)
    def misdeclared(f):
        return bce(f, lambda f, s, y, *results: results)

    with pytest.raises(AssertionError, match=r"label: at .* the loss is .*; `wrong_label` is .* there"):
        check_formula(own_loss(misdeclared))


def test_what_cannot_be_checked_is_refused(monkeypatch):
    with pytest.raises(TypeError, match="`loss` must be a loss"):
        check_formula(bx.binary_crossentropy)
    monkeypatch.setitem(sys.modules, "mpmath", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'binxent\[testing\]'"):
        check_formula(bx.BinaryCrossentropy())
