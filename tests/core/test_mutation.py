"""A wrong formula does not pass the tests: each mutation is caught by the test of the formulas."""

import inspect
import re
from types import ModuleType

import pytest
from support import accuracy
from support.cases import LOSSES, PREDICTION_KINDS

from binxent._core import formula_parts, formulas, modulations

MODULES = (modulations, formula_parts, formulas)  # each uses the names of those before it


@pytest.fixture
def check():
    """Run the quick test of the formulas, for each prediction and loss, on formulas with one line changed."""
    sources = [inspect.getsource(module) for module in MODULES]

    def check(right, wrong):
        assert sum(source.count(right) for source in sources) == 1, "the formulas no longer have the line to break"
        changed = ModuleType(formulas.__name__)
        for module, source in zip(MODULES, sources, strict=True):
            text = re.sub(r"^from binxent\._core\..*$", "", source, flags=re.MULTILINE).replace(right, wrong)
            exec(compile(text, module.__file__, "exec"), vars(changed))
        for name in LOSSES:
            for prediction_kind in PREDICTION_KINDS:
                accuracy.formulas_are_exact(changed, name, prediction_kind)

    return check


def test_the_formulas_as_they_are_pass(check):
    line = MUTATIONS[0][0]
    check(line, line)


MUTATIONS = [
    ("(m.maximum(-z, zero) + tail", "(m.maximum(z, zero) + tail"),
    ("tail = m.log1p(e)", "tail = m.log1p(e * e)"),
    ("small = e * big", "small = one - big"),
    ("high, low = zero - m.log(less), cost_of_rest(less)", "high, low = zero - m.log(less), less"),
    ("lost = m.where(small, (one - rest) - u, zero)", "lost = zero * u"),
    ("two * f1 * bounded1", "f1 * bounded1"),
    ("m.where(z >= zero, negative, positive)", "m.where(z >= zero, positive, negative)"),
    ("rest = (gamma - one) * (ratio * bounded)", "rest = gamma * (ratio * bounded)"),
    ("rest = (gamma - one) * u1 * h_over_u", "rest = gamma * u1 * h_over_u"),
    ("m.where(y <= zero, of_p, of_u)", "m.where(y <= zero, of_q, of_u)"),
    ("balance = y * alpha + not_y * beta", "balance = y * beta + not_y * alpha"),
    (
        "error, error1 = y * q + not_y * p, (one - two * y) * w",
        "error, error1 = y * q + (one - y) * p, (two * y - one) * w",
    ),
    ("u = m.where(p <= margin, zero, p - margin)", "u = m.where(p <= margin, zero, p)"),
    ("h1 * bend + h1 * h1", "h1 * bend - h1 * h1"),
]


@pytest.mark.parametrize(("right", "wrong"), MUTATIONS, ids=range(len(MUTATIONS)))
def test_a_broken_formula_is_caught(check, right, wrong):
    with pytest.raises(AssertionError, match="ulps in derivative"):  # by a comparison, not by a slip of the mutation
        check(right, wrong)
