"""A wrong formula does not pass the tests: each mutation is caught by the test of the formulas."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def verdict(package):
    """Runs the quick test of the formulas on a copy of the package; returns whether it passed, and what it said."""
    path = os.pathsep.join([str(package), str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "-n0", "--import-mode=importlib"]
    command += [str(TESTS / "test_oracle.py"), "-k", "test_formulas_are_exact_on_numpy"]
    finished = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=240, check=False
    )
    assert finished.returncode in (0, 1), finished.stdout + finished.stderr
    return finished.returncode == 0, finished.stdout


def test_the_formulas_as_they_are_pass(package):
    passed, said = verdict(package)
    assert passed, said


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
    ("u = m.where(below, zero, p - margin)", "u = m.where(below, zero, p)"),
    ("h1 * bend + h1 * h1", "h1 * bend - h1 * h1"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("right", "wrong"), MUTATIONS, ids=range(len(MUTATIONS)))
def test_a_broken_formula_is_caught(package, right, wrong):
    source = package / "binxent/formulas.py"
    text = source.read_text(encoding="utf-8")
    assert text.count(right) == 1, "formulas.py no longer has the line that this test breaks"
    source.write_text(text.replace(right, wrong), encoding="utf-8")
    passed, said = verdict(package)
    assert not passed
    assert "AssertionError" in said, said  # caught by a comparison, not by a slip of the mutation
