"""Weights whose products with losses, or whose sum, would leave the range of the working precision."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from binxent._core.array_likes import is_plain
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


def fitted(weight: Any, dtype: str, by_ratios: bool) -> tuple[Any, Any]:
    """Make factors of weights that a framework can convert to a dtype, and compute with in that.

    Args:
        weight: Weights as they were given; tensors are returned as they are.
        dtype: The name of the precision to compute in.
        by_ratios: Whether only the ratios of weights matter.

    Returns:
        The weights, or what has the same ratios; and None, or another factor of each weight.
    """
    array = np.asarray(weight) if is_plain(weight) else weight
    if not isinstance(array, np.ndarray | np.generic) or not is_extreme(sizes(array), 64 if dtype == "float64" else 32):
        return weight, None
    array, kind = np.asarray(array, np.float64), np.finfo(dtype)
    if by_ratios:
        return _without_subnormals(scaled(array, sizes(np.where(np.isfinite(array), array, 0))[1]), kind), None
    # Half of the exponent, which every dtype takes; beyond the bounds, the product with a loss is infinite or 0.
    half = np.clip(np.frexp(array)[1], 2 * kind.minexp + 2, 2 * kind.maxexp - 2) // 2
    rest = np.where(np.isfinite(array), np.clip(np.ldexp(array, -half), kind.min, kind.max), array)
    return _without_subnormals(rest, kind), np.ldexp(1.0, half)


def _without_subnormals(weight, kind):
    """Replace what might be taken for 0, which hides its entry, by the least normal number."""
    return np.where((np.abs(weight) < kind.tiny) & (weight != 0), np.copysign(kind.tiny, weight), weight)
