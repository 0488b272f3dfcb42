"""A wrong formula does not pass the tests: each mutation is caught by the test of the formulas."""

import inspect
from types import ModuleType

import pytest
from support import accuracy
from support.cases import READINGS, SPELLINGS

from binxent._core import formulas


@pytest.fixture
def check():
    """Runs the quick test of the formulas, reading by reading and loss by loss, on formulas with one line changed."""
    text = inspect.getsource(formulas)

    def check(right, wrong):
        assert text.count(right) == 1, "formulas.py no longer has the line that this test breaks"
        changed = ModuleType(formulas.__name__)
        exec(compile(text.replace(right, wrong), formulas.__file__, "exec"), vars(changed))
        for name in SPELLINGS:
            for reading in READINGS:
                accuracy.formulas_are_exact(changed, name, reading)

    return check


def test_the_formulas_as_they_are_pass(check):
    line = MUTATIONS[0][0]
    check(line, line)


MUTATIONS = [
    ("return p, q, m.maximum(-z, zero) + tail", "return p, q, m.maximum(z, zero) + tail"),
    ("tail = m.log1p(e)", "tail = m.log1p(e * e)"),
    ("small = e * big", "small = one - big"),
    ("over_q * over_q, one", "over_p * over_q, one"),
    ("lost = m.where(small, (one - rest) - u, zero)", "lost = zero * u"),
    ("two * f1 * bounded1", "f1 * bounded1"),
    ("m.where(z >= zero, negative, positive)", "m.where(z >= zero, positive, negative)"),
    ("(gamma - one) * ratio + bend", "gamma * ratio + bend"),
    ("m.where(equal(y, zero), minus_log_p,", "m.where(equal(y, zero), minus_log_q,"),
    ("balance = y * alpha + (one - y) * beta", "balance = y * beta + (one - y) * alpha"),
    (
        "miss, miss1 = y * q + (one - y) * p, (one - two * y) * w",
        "miss, miss1 = y * q + (one - y) * p, (two * y - one) * w",
    ),
    ("u = m.where(p <= margin, zero, p - margin)", "u = m.where(p <= margin, zero, p)"),
    ("h1 * bend + h1 * h1", "h1 * bend - h1 * h1"),
]


@pytest.mark.parametrize(("right", "wrong"), MUTATIONS, ids=range(len(MUTATIONS)))
def test_a_broken_formula_is_caught(check, right, wrong):
    with pytest.raises(AssertionError, match="ulps in derivative"):  # by a comparison, not by a slip of the mutation
        check(right, wrong)
