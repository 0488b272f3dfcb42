"""The options of the losses are plain numbers, whatever they are given as."""

from typing import Any

import numpy as np

PLAIN = (bool, int, float)


def number(name: str, value: Any) -> float:
    """The plain number that an option holds now: a later change of a variable it came from changes nothing.

    Args:
        name: The option, for messages.
        value: A Python or NumPy number, or an array, tensor or variable without axes, of any framework, whose value can
            be read now.

    Returns:
        A bool, an int or a float.

    Raises:
        TypeError: `value` is something else, or symbolic or traced, so that it has no value yet.

    Example:
        >>> number("gamma", np.array(2.0)), number("gamma", 2)
        (2.0, 2)
    """
    if type(value) in PLAIN:
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__") or _rank(value):
        raise TypeError(f"`{name}` must be a number; got {_described(value)}.")
    try:
        return float(value.detach() if hasattr(value, "detach") else value)  # torch warns of parameters otherwise
    except Exception as error:  # each framework has a type of its own for a tensor without a value
        raise TypeError(
            f"`{name}` must be a plain number, known when the loss is made; got {_described(value)}, whose value "
            "cannot be read here. Options are no part of a traced or symbolic computation: pass a Python number."
        ) from error


def _rank(value):
    try:
        return len(getattr(value, "shape", ()))
    except (TypeError, ValueError):  # a tensor of unknown rank
        return 0


def _described(value):
    if type(value).__module__ == "builtins":
        return repr(value)
    shape = getattr(value, "shape", None)
    kind = f"{type(value).__module__.partition('.')[0]}'s {type(value).__name__}"
    return kind if shape is None else f"{kind} of shape {shape}"
