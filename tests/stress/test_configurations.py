"""Thousands of random calls: nothing is touched beside the operands, and results are those of the equations.

The environment variable BINXENT_STRESS says how many; 100,000 take a quarter of an hour.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import guarded
from support.configurations import PER_KERNEL, Configuration

TESTS = Path(__file__).resolve().parents[1]
PARTS = 4  # tests, which run side by side
COUNT = int(os.environ.get("BINXENT_STRESS", "2000")) // PARTS
pytestmark = [
    pytest.mark.skipif(not guarded.CAN_GUARD, reason="this system cannot protect pages"),
    pytest.mark.compiles,
]


def run(*arguments):
    """Run Python, which may die, beside the modules of the tests."""
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(TESTS))))
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "error", *map(str, arguments)],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_random_calls(part, tmp_path):
    last, first = tmp_path / "last", part * -(-COUNT // PER_KERNEL) * PER_KERNEL
    finished = run("-m", "support.configurations", last, first, COUNT)
    assert finished.returncode == 0, f"{finished.stderr}\nThe last one was {last.read_text().rstrip()}"


def test_wrong_results_are_seen():
    """The twin: results that are off by a few parts in a million."""
    seen = []
    for number in range(0, 20 * PER_KERNEL, PER_KERNEL):
        configuration = Configuration(number)
        call = configuration.call
        configuration.call = lambda call=call: [np.asarray(each) * np.float32(1.00001) for each in call()]
        try:
            configuration.check()
        except AssertionError as error:
            seen.append("are wrong" in str(error))
    assert sum(seen) > 5


@pytest.mark.parametrize(
    "program",
    [
        "ctypes.string_at(guarded.guarded(12).ctypes.data + 12, 1)",
        "ctypes.string_at(guarded.guarded(12, at_end=False).ctypes.data - 1, 1)",
        "ctypes.memset(guarded.empty((3, 5), 'float32').ctypes.data + 60, 0, 1)",
        "room = guarded.guarded(5000); guarded.read_only(room); room[4999] = 1",
    ],
)
def test_touching_what_is_guarded_ends_the_process(program):
    begin = "import ctypes; from support import guarded; room = guarded.guarded(9); room.fill(1); print(room.sum());"
    finished = run("-c", begin + program)
    assert finished.stdout.strip() == "9"
    assert finished.returncode < 0
