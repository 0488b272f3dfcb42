"""The options of the losses are plain numbers, whatever they are given as, or True and False."""

import reprlib
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

PLAIN = (bool, int, float)
GREATEST = sys.float_info.max


def boolean(name: str, value: Any) -> bool:
    """Return an option that is True or False; NumPy's count, numbers do not: they may be another argument's.

    Args:
        name: The option, for messages.
        value: What was passed.

    Raises:
        TypeError: It is neither True nor False.

    Example:
        >>> boolean("from_logits", np.bool_(True))
        True
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise TypeError(f"`{name}` must be True or False; got {_described(value)}.")


def number(name: str, value: Any) -> float:
    """Return the plain number that an option holds now: a later change of a variable it came from changes nothing.

    Args:
        name: The option, for messages.
        value: A Python or NumPy number, or an array, tensor or variable without axes, of any framework, whose value can
            be read now.

    Returns:
        A bool, an int or a float.

    Raises:
        TypeError: `value` is not a number, or has no value yet because it is symbolic or traced.
        ValueError: It is a whole number beyond the range of floats.

    Example:
        >>> number("gamma", np.array(2.0)), number("gamma", 2)
        (2.0, 2)
    """
    if isinstance(value, (np.generic, np.ndarray)) and not value.ndim:
        value = value.item()
    if isinstance(value, PLAIN):
        if abs(value) > GREATEST and isinstance(value, int):
            raise ValueError(f"`{name}` must lie in the range of floats; got a whole number beyond {GREATEST:.4g}.")
        return value
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__") or _rank(value) or _is_not_real(value):
        raise TypeError(f"`{name}` must be a number; got {_described(value)}.")
    try:
        return float(_detached(value))
    except Exception as error:  # each framework has a type of its own for a tensor without a value
        raise TypeError(
            f"`{name}` must be a plain number, known when the loss is made; got {_described(value)}, whose value "
            "cannot be read here. Options are no part of a traced or symbolic computation: pass a Python number."
        ) from error


def numbers(name: str, values: Any) -> float | np.ndarray:
    """Return the plain numbers that an option holds now, one or several.

    Args:
        name: The option, for messages.
        values: A number as `number` takes it; or a sequence, an array, a Series or a tensor of them, of any framework,
            whose values can be read now.

    Returns:
        A bool, an int or a float; or an array of float64.

    Raises:
        TypeError: `values` do not hold numbers, or have no values yet because they are symbolic or traced.

    Example:
        >>> numbers("pos_weight", 2), numbers("pos_weight", (1, 2.5))
        (2, array([1. , 2.5]))
    """
    if type(values) in PLAIN:
        return number(name, values)
    if np.ma.is_masked(values):
        raise TypeError(f"`{name}` must hold a number for each label; got a masked array with masked entries.")
    try:
        array = np.asarray(_detached(values))
    except Exception as error:  # each framework has a type of its own for a tensor without values
        raise TypeError(
            f"`{name}` must be a number, or several, known when the loss is made; got {_described(values)}, whose "
            "values cannot be read here. Pass Python numbers."
        ) from error
    if array.dtype == object and array.ndim:
        array = np.array([number(name, each) for each in array.flat]).reshape(array.shape)
    elif not array.ndim:
        return number(name, values)
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise TypeError(f"`{name}` must be a number, or several; got {_described(values)} of {array.dtype}.")
    return array.astype(float)


def number_or_tuple(name: str, values: Any) -> float | tuple[float, ...]:
    """Return the plain numbers that an option holds now: one, or one for each label of the last axis as a tuple.

    Args:
        name: The option, for messages.
        values: What `numbers` takes.

    Raises:
        TypeError: `values` do not hold numbers, or have no values yet because they are symbolic or traced.
        ValueError: They have more than one axis.
    """
    found = numbers(name, values)
    if not isinstance(found, np.ndarray):
        return found
    if found.ndim > 1:
        raise ValueError(
            f"`{name}` must be a number or hold one number per label of the last axis; got shape {found.shape}."
        )
    return tuple(found.tolist())


def standard_parameter(name: str, value: Any) -> Any:
    """Return a parameter of a user-defined loss as a string, a number, a tuple of these, or None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, tuple | list):
        return tuple(standard_parameter(name, each) for each in value)
    return number_or_tuple(name, value)


def standard_pos_weight(pos_weight: Any) -> float | tuple[float, ...] | None:
    """Return a `pos_weight` as a number, or one for each label, also of a mapping {label: number}; None stays.

    Raises:
        TypeError: It does not hold numbers.
        ValueError: A number is negative or not finite, or a label has no number.
    """
    if pos_weight is None:
        return None
    if isinstance(pos_weight, Mapping):
        missing = set(range(len(pos_weight))).symmetric_difference(pos_weight)
        if missing or not pos_weight:
            raise ValueError(
                "`pos_weight` must have a number for each label from 0 on, 1.0 where nothing is to change; "
                f"got {pos_weight!r}."
            )
        pos_weight = [pos_weight[label] for label in range(len(pos_weight))]
    weights = number_or_tuple("pos_weight", pos_weight)
    if not np.all((np.asarray(weights) >= 0) & (np.asarray(weights) < np.inf)):
        raise ValueError(f"`pos_weight` must be finite and >= 0; got {pos_weight!r}.")
    return weights if isinstance(weights, tuple) else float(weights)


def check_precision(options: Iterable[tuple[str, Any]], dtype: str) -> None:
    """Refuse options that are infinite, or lose their digits, in the precision in which they are used.

    Args:
        options: Names and values: numbers, several numbers, or None.
        dtype: The name of that precision.

    Raises:
        ValueError: A number is finite and too large, or so close to 0 that it is subnormal, which some compilers take
            for 0.

    Example:
        >>> check_precision([("gamma", 2.0), ("margin", 1e-50)], "float64")
        >>> check_precision([("gamma", 2.0), ("margin", 1e-50)], "float32")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: `margin` must be 0, or of a size from 1.18e-38 to 3.40e+38, to be used in float32; got 1e-50. ...
    """
    least, most = np.finfo(dtype).tiny, np.finfo(dtype).max
    for name, value in options:
        sizes = np.abs(np.asarray(0.0 if value is None else value, np.float64))
        if ((sizes > most) & (sizes < np.inf) | (sizes < least) & (sizes > 0)).any():
            raise ValueError(
                f"`{name}` must be 0, or of a size from {least:.2e} to {most:.2e}, to be used in {dtype}; got "
                f"{value!r}. Losses of float64 predictions are computed in float64."
            )


def class_balance(alpha: Any) -> tuple[bool, float]:
    """Return the `apply_class_balancing` and `alpha` of a focal loss, for functions that have only an `alpha`.

    Args:
        alpha: What positives count; None or -1 counts positives and negatives fully.

    Raises:
        TypeError: `alpha` is neither a number nor None.

    Example:
        >>> class_balance(0.4), class_balance(-1), class_balance(None)
        ((True, 0.4), (False, 0.25), (False, 0.25))
    """
    alpha = -1 if alpha is None else number("alpha", alpha)
    return (False, 0.25) if alpha == -1 else (True, alpha)  # 0.25 is the default, which needs no warning


def _rank(value):
    try:
        return len(getattr(value, "shape", ()))
    except (TypeError, ValueError):  # a tensor of unknown rank
        return 0


def _is_not_real(value):
    """Return whether it is a tensor of strings or complex numbers, which TensorFlow converts to floats."""
    return any(kind in str(getattr(value, "dtype", "")) for kind in ("string", "complex"))


def _detached(value: Any) -> Any:
    """Return the value without a gradient: torch warns of parameters made numbers, and refuses them as arrays."""
    if hasattr(value, "detach"):
        return value.detach()
    return value.numpy() if hasattr(value, "numpy") else value  # a variable of Keras may hold such a parameter


def _described(value):
    if type(value).__module__ == "builtins":
        return reprlib.repr(value)
    shape = getattr(value, "shape", None)
    kind = f"{type(value).__module__.partition('.')[0]}'s {type(value).__name__}"
    return kind if shape is None else f"{kind} of shape {shape}"
