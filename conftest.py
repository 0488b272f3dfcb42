"""What every test needs before anything is imported, doctests included; the workers of pytest-xdist inherit it."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from _pytest.doctest import DoctestItem

os.environ.setdefault("KERAS_BACKEND", "jax")  # asked for once, by the first import of Keras
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no news of instruction sets
# What JAX compiles is kept: half of what its tests take, the next time.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).with_name(".cache") / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
with suppress(ImportError):  # both bring LLVM, and Python dies when Triton's comes after TensorFlow's
    import triton._C.libtriton  # noqa: F401


def pytest_itemcollected(item):
    """Let the examples of a door use the imports of the private modules that define what it re-exports."""
    if isinstance(item, DoctestItem) and item.dtest:
        private = f"{item.dtest.globs['__name__']}._"
        for name, module in list(sys.modules.items()):
            if name.startswith(private):
                item.dtest.globs = vars(module) | item.dtest.globs
