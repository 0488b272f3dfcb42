"""Numba's compiler with a disk cache that can be trusted.

Kernels are closures, many from the same lines, and Numba's cache goes wrong with those in three ways, unless each has a
name of its own, made of its choices and of the code it comes from:

- One index file serves all functions of one name, and of two processes that add to it at once, one may find the other's
  code in its place.
- The linker goes by name, and Numba numbers the closures of a process in the order in which they are defined: kernels
  stored by two processes may call each other's inner functions.
- A stored function counts as new if the file that it stands in is older: a process that outlives an upgrade would store
  the old version's kernels as the new version's.
"""

import re
import zlib
from pathlib import Path
from pickle import UnpicklingError

from numba.extending import register_jitable

from binxent import formulas

OPTIONS = {
    "error_model": "numpy",  # "python" would test every division for zero, and stop vectorisation
    "fastmath": {"contract", "nsz"},  # never nnan or ninf: NaN in must be NaN out
}

# The code that this process runs.
SOURCES = [*sorted(Path(__file__).parent.glob("_*.py")), Path(formulas.__file__)]
DIGEST = zlib.crc32(b"".join(path.read_bytes() for path in SOURCES))


def own_name(*choices):
    """A name for the one function that comes of these choices."""
    return re.sub(r"\W+", "_", "_".join(map(str, (*choices, DIGEST))))


def compiled(decorator, signature, function, *choices, **options):
    """The function compiled, kept in the disk cache if there is a folder and room for it."""
    function.__qualname__ = own_name(*choices)
    try:
        return decorator(signature, cache=True, **OPTIONS, **options)(function)
    except (OSError, RuntimeError, EOFError, UnpicklingError):  # no folder, no room, half a file
        return decorator(signature, **OPTIONS, **options)(function)


def part_of(*choices):
    """A decorator for the inner functions of what is compiled for these choices."""

    def decorate(function):
        function.__qualname__ = own_name(*choices, function.__name__)
        return register_jitable(function)

    return decorate
