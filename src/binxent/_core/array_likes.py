"""What callers pass as arrays, as NumPy arrays of real numbers."""

from typing import Any

import numpy as np

from binxent._core.dtypes import DOUBLE, DTYPES, SINGLE, is_readable
from binxent._core.ranges import range_error

OUTSIDE = "`{name}` must lie in [0, 1]; got {{outside}} of {{total}} outside, from {{least}} to {{most}}. {advice}"
ABOUT_LABELS = "Map the two classes to 0 and 1, or name the value to leave out as `ignore_label`."


def as_numbers(name: str, value: Any) -> np.ndarray:
    """The value as an array that kernels can read.

    Args:
        name: The argument's name, for errors.
        value: Anything that NumPy takes for an array.

    Raises:
        TypeError: It holds no real numbers.
    """
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if is_readable(array.dtype):
        return array
    native = array.dtype.newbyteorder("=")
    if not is_readable(native):
        raise TypeError(f"`{name}` must hold {', '.join(DTYPES)}, whole numbers or booleans; got {described(array)}.")
    return array.astype(native)


def as_predictions(name: str, value: Any) -> np.ndarray:
    """As `as_numbers`, with lists in float32, as in Keras."""
    array = as_numbers(name, value)
    if array is not value and array.dtype == DOUBLE and not hasattr(value, "dtype"):
        return array.astype(SINGLE)
    return array


def described(value: Any) -> str:
    """What a value is, for errors."""
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


def check_range(name: str, array: np.ndarray, valid: np.ndarray | None, advice: str) -> None:
    """Refuses values outside [0, 1].

    Args:
        name: The argument's name, for the error.
        array: The values.
        valid: Where they count; None if everywhere.
        advice: What to do about such values, a sentence.

    Raises:
        ValueError: A value that counts lies outside.
    """
    error = range_error(array, valid, OUTSIDE.format(name=name, advice=advice))
    if error is not None:
        raise error
