"""What tests share: every public door, fresh interpreters, and a number of threads that is put back."""

import os
import subprocess
import sys

import pytest
from support.doors import DOORS

import binxent as bx


@pytest.fixture(params=DOORS, ids=lambda door: door.name)
def backend(request):
    """Return each public door in turn, Keras's on the backend of this process; see `support/doors.py`."""
    if request.param.name != "numpy":
        pytest.importorskip(request.param.name)
    return request.param


@pytest.fixture
def interpreter(tmp_path):
    """Run a program in a fresh interpreter and return what it prints; end it if it hangs."""

    def run(program, *arguments, timeout=60, package=None, **environment):
        path = [str(package)] if package else []
        path += [entry for entry in (os.environ.get("PYTHONPATH"),) if entry]
        variables = os.environ | {"PYTHONPATH": os.pathsep.join(path)} | environment
        finished = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            capture_output=True, text=True, timeout=timeout, env=variables, cwd=tmp_path, check=False,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return run


@pytest.fixture
def set_num_threads():
    """Set the number of threads, for one test."""
    before = bx.get_num_threads()
    yield bx.set_num_threads
    bx.set_num_threads(before)
