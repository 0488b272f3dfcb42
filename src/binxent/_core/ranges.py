"""The error about labels and probabilities outside [0, 1], with the argument names of each door."""

from collections.abc import Mapping
from typing import Any

MESSAGE = (
    "all elements of `{name}` should be between 0 and 1; {outside} of {total} are not, from {least} to {most}. {advice}"
)


def range_error(
    values: Any, valid: Any, message: str, *, error: type[Exception] = ValueError, refuse_nan: bool = False
) -> Exception | None:
    """Return the error that says how many values lie outside [0, 1], and how far; None if all lie inside.

    Its attribute `counts` holds the fields of the message, for a door that calls the arguments by other names. Works on
    NumPy arrays and torch tensors, and makes no copy of values that all lie inside.

    Args:
        values: Array or tensor of any real dtype.
        valid: Where values count, in their shape; None if everywhere.
        message: The message, with the fields {outside}, {total}, {least} and {most}.
        error: The kind of error.
        refuse_nan: Whether NaN counts as outside, too.
    """
    outside = (values < 0) | (values > 1)
    if refuse_nan:
        outside |= values != values
    if valid is not None:
        outside &= valid
    if not outside.any():
        return None
    counted = values.reshape(-1) if valid is None else values[valid]
    numbers = counted[counted == counted]  # without NaN
    least, most = (float(numbers.min()), float(numbers.max())) if len(numbers) else (float("nan"),) * 2
    counts = {"outside": int(outside.sum()), "total": len(counted), "least": f"{least:.9g}", "most": f"{most:.9g}"}
    found = error(message.format(**counts))
    found.counts = counts  # pyright: ignore[reportAttributeAccessIssue]
    return found


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
