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

OPTIONS = {
    "error_model": "numpy",  # "python" would test every division for zero, and stop vectorisation
    # Never nnan or ninf: NaN in must be NaN out. Nor contract: LLVM fuses other products in the last entries of a
    # block, which it computes one by one, and equal entries would get unequal bits.
    "fastmath": {"nsz"},
}

# The code that kernels come from, as this process runs it.
MODULES = (
    "_core.formula_parts",
    "_core.formulas",
    "_core.polynomials",
    "_kernels.compiler",
    "_kernels.loops",
    "_kernels.maths",
    "_kernels.memory",
    "_kernels.operands",
)
SOURCES = [Path(__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py") for module in MODULES]
DIGEST = zlib.crc32(b"".join(path.read_bytes() for path in SOURCES))


def own_name(*choices):
    """Return a name for the one function that comes of these choices."""
    return re.sub(r"\W+", "_", "_".join(map(str, (*choices, DIGEST))))


def compiled(decorator, signature, function, *choices, stored=True, **options):
    """Compile the function; if it is to be stored, keep it in the disk cache, if there is a folder and room for it."""
    function.__qualname__ = own_name(*choices)
    try:
        return decorator(signature, cache=stored, **OPTIONS, **options)(function)
    except (OSError, RuntimeError, EOFError, UnpicklingError):  # no folder, no room, half a file
        return decorator(signature, **OPTIONS, **options)(function)


def part_of(*choices):
    """Return a decorator for the inner functions of what is compiled for these choices."""

    def decorate(function):
        function.__qualname__ = own_name(*choices, function.__name__)
        return register_jitable(function)

    return decorate
