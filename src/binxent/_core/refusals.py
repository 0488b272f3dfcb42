"""The error for an argument that holds no array of real numbers: what came, and what to do."""

import reprlib
from typing import Any

import numpy as np


def refusal(name: str, values: Any) -> TypeError:
    """Return the error to raise.

    Args:
        name: The argument.
        values: What was passed for it.

    Example:
        >>> print(refusal("labels", np.array([0, None])))
        `labels` must be an array of real numbers; got a NumPy array of object. Convert it, as with `.astype(float)`.
    """
    return TypeError(f"`{name}` must be an array of real numbers; got {_described(values)}. {_advice(values)}")


def is_masked(values: Any) -> bool:
    """Return whether values are a NumPy masked array, whose mask a conversion to a framework's arrays would drop."""
    return isinstance(values, np.ma.MaskedArray)


def _described(values):
    kind = type(values)
    if kind is np.ndarray:
        return f"a NumPy array of {values.dtype}"
    if is_masked(values):
        return "a masked array"
    package = kind.__module__.partition(".")[0]
    if package == "builtins":
        short = reprlib.repr(values)  # of a list that may fill the memory
        return f"a {kind.__name__}" if len(short) > 60 else short
    dtype = getattr(values, "dtype", None)
    return f"{package}'s {kind.__name__}" + (f" of {getattr(dtype, 'name', dtype)}" if dtype is not None else "")


def _advice(values):
    if is_masked(values):
        return "Fill it, as with `.filled(numpy.nan)`, and mark the masked entries by `ignore_label`."
    if hasattr(values, "toarray") or hasattr(values, "todense") or "Sparse" in type(values).__name__:
        return "Make it dense first."
    return "Convert it, as with `.astype(float)`." if hasattr(values, "astype") else "Pass an array of numbers."
