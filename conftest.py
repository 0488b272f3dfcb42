"""What every test needs before anything is imported, doctests included; the workers of pytest-xdist inherit it."""

import atexit
import os
import shutil
import tempfile
from contextlib import suppress

os.environ.setdefault("KERAS_BACKEND", "jax")  # asked for once, by the first import of Keras
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no news of instruction sets
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # networks of one shape are compiled once, whoever trains them
    cache = tempfile.mkdtemp(prefix="binxent-tests-")
    atexit.register(shutil.rmtree, cache, ignore_errors=True)
    os.environ |= {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1"}
with suppress(ImportError):  # both bring LLVM, and Python dies when Triton's comes after TensorFlow's
    import triton._C.libtriton  # noqa: F401
