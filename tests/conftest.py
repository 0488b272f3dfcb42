"""What tests share: every public door, fresh interpreters, and a number of threads that is put back."""

import os
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
from support.doors import DOORS

import binxent as bx

TESTS = Path(__file__).resolve().parent


class InstalledFrameworks:
    """Finds a framework only where it is installed: folders here have the same names, and would pass for packages."""

    names = {folder.name for folder in TESTS.iterdir()} & {"jax", "keras", "tensorflow", "tf_keras", "torch"}

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """Return None for anything else, which other finders find."""
        if name not in cls.names:
            return None
        found = PathFinder.find_spec(name, [entry for entry in sys.path if Path(entry).resolve() != TESTS])
        if found is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return found


sys.meta_path.insert(0, InstalledFrameworks)


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
