"""Weights whose products with losses, or whose sum, would leave the range of the working precision."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from binxent._core.ranges import as_float64, counted

# By the bits of the working precision: the largest weight, and the inverse of the least, that it takes as they are.
MOST = {32: 2.0**62, 64: 2.0**510}


def sizes(
    weight: Any, hiding: Sequence[tuple[Any, float | None]] = (), read: Callable[[Any], np.ndarray] = as_float64
) -> tuple[float, float]:
    """Return the least and the largest size of a weight that counts and is not 0; infinity and 0 if there is none.

    Args:
        weight: Array or tensor of weights.
        hiding: Which of them do not count, as `ranges.range_error` takes it.
        read: What turns a block of them into a NumPy array, as there.
    """
    least, most = math.inf, 0.0
    for numbers in counted(weight, hiding, read):
        size = np.abs(numbers[numbers != 0])
        least = min(least, np.fmin.reduce(size, None, initial=math.inf))
        most = max(most, np.fmax.reduce(size, None, initial=0))
    return least, most


def is_extreme(sizes: tuple[float, float], bits: int) -> bool:
    """Return whether sizes are outside of the range that a working precision, of 32 or 64 bits, takes."""
    least, most = sizes
    return most > MOST[bits] or least < 1 / MOST[bits]


def scaled(weight: np.ndarray, largest: float) -> np.ndarray:
    """Return weights in float64, divided by the power of two that brings the largest size into [1/2, 1).

    One that would become 0, which hides its entry, is as small as a number can be instead.

    Example:
        >>> weight = np.array([2.0**-200, 0.0])
        >>> print(scaled(weight, 2.0**-200))
        [0.5 0. ]
    """
    weight = np.asarray(weight, np.float64)
    exponent = math.frexp(largest)[1]
    # In two steps, because 2^-exponent alone may be infinite.
    found = np.ldexp(np.ldexp(weight, -(exponent // 2)), exponent // 2 - exponent)
    return np.where((found == 0) & (weight != 0), np.copysign(np.finfo(float).smallest_subnormal, weight), found)
