"""Values that may be impossible, looked at block by block because they may fill the memory; the error about them."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

MESSAGE = (
    "all elements of `{name}` should be between 0 and 1; {outside} of {total} are not, from {least} to {most}. {advice}"
)
BLOCK = 1 << 15  # entries, which a cache holds in float64


def blocks(shape: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """Return indices that cut arrays of a shape into views of at most `BLOCK` entries."""
    axis, inner = len(shape), 1
    while axis and inner * shape[axis - 1] <= BLOCK:
        axis -= 1
        inner *= shape[axis]
    if not axis:
        yield (...,)
        return
    axis, step = axis - 1, BLOCK // inner
    for outer in product(*map(range, shape[:axis])):
        for start in range(0, shape[axis], step):
            yield *outer, slice(start, start + step), ...


def as_float64(values: Any) -> np.ndarray:
    """Return a block of an array in float64."""
    return np.asarray(values, np.float64)


def counted(
    values: Any, hiding: Sequence[tuple[Any, float | None]], read: Callable[[Any], np.ndarray] = as_float64
) -> Iterator[np.ndarray]:
    """Return the values that count, block by block; the arguments are those of `range_error`."""
    hiding = [(array, number) for array, number in hiding if number is not None]
    for index in blocks(values.shape):
        numbers = read(values[index])
        hidden = [_equal(read(array[index]), number) for array, number in hiding]
        yield numbers[~np.logical_or.reduce(hidden)] if hidden else numbers


def any_infinite(
    values: Any, hiding: Sequence[tuple[Any, float | None]] = (), read: Callable[[Any], np.ndarray] = as_float64
) -> bool:
    """Return whether a value that counts is infinite; the arguments are those of `range_error`."""
    return any(np.isinf(numbers).any() for numbers in counted(values, hiding, read))


def range_error(
    values: Any,
    hiding: Sequence[tuple[Any, float | None]],
    message: str,
    *,
    read: Callable[[Any], np.ndarray] = as_float64,
    error: type[Exception] = ValueError,
    refuse_nan: bool = False,
) -> Exception | None:
    """Return the error that says how many values lie outside [0, 1], and how far; None if all lie inside.

    Its attribute `counts` holds the fields of the message, for a door that calls the arguments by other names.

    Args:
        values: Array or tensor of any real dtype.
        hiding: Pairs of an array in the same shape and a number: where the array has that number, perhaps NaN, the
            value does not count. None in place of the number hides nothing.
        message: The message, with the fields {outside}, {total}, {least} and {most}.
        read: Function that returns a block of the arrays as a NumPy array of float64.
        error: The kind of error.
        refuse_nan: Whether NaN counts as outside, too.
    """
    outside, total, least, most = 0, 0, math.inf, -math.inf
    for numbers in counted(values, hiding, read):
        total += numbers.size
        low, high = np.fmin.reduce(numbers, None, initial=math.inf), np.fmax.reduce(numbers, None, initial=-math.inf)
        least, most = min(least, low), max(most, high)
        if low < 0 or high > 1:
            outside += np.count_nonzero((numbers < 0) | (numbers > 1))
        if refuse_nan:
            outside += np.count_nonzero(numbers != numbers)
    if not outside:
        return None
    if least > most:  # every value is NaN
        least = most = math.nan
    counts = {"outside": outside, "total": total, "least": _shown(least), "most": _shown(most)}
    found = error(message.format(**counts))
    found.counts = counts  # pyright: ignore[reportAttributeAccessIssue]
    return found


def _equal(values, number):
    return np.isnan(values) if math.isnan(number) else values == number


def _shown(number):
    """Return a number with nine digits, or with all of them if it lies outside of [0, 1] and would not seem to."""
    text = f"{number:.9g}"
    return repr(float(number)) if number > 1 >= float(text) else text


def renamed(error: Exception, arguments: Mapping[str, tuple[str, str]]) -> Exception:
    """Return a range error of torch's driver as a ValueError with other names; any other error as it is.

    Args:
        error: The error.
        arguments: By torch's names "input" and "target": the door's name of the argument, and advice.
    """
    counts: Any = getattr(error, "counts", None)
    if counts is None:
        return error
    name, advice = arguments[error.argument]  # pyright: ignore[reportAttributeAccessIssue]
    return ValueError(MESSAGE.format(name=name, advice=advice, **counts))
