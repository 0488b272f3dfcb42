"""The losses on a CPU: formulas compiled into loops over arrays, run on several threads."""

from functools import cache
from types import ModuleType


@cache
def loaded_arrays() -> ModuleType:
    """Return the module `arrays`, which loads the compiler with the first call that computes."""
    from binxent._kernels import arrays

    return arrays
