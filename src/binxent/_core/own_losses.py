"""Checks of user-defined losses when they are made, so that mistakes do not surface inside a driver or a compiler."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from inspect import signature
from typing import Any

import numpy as np

from binxent._core import formulas
from binxent._core.options import PLAIN, number, number_or_tuple, standard_parameter

ADVICE = "It is made from the parts `f`, takes (state, (y, 1 - y), constants), and returns loss, slope and curvature."


def standard_parameters(loss: Any, common: Collection[str]) -> dict[str, Any]:
    """Return the parameters that a subclass has beside the common ones: numbers, tuples of them, strings, or None."""
    own = (field.name for field in fields(loss) if field.name not in common)
    return {name: standard_parameter(name, getattr(loss, name)) for name in own}


def check_config(kind: Callable[..., Any], config: Mapping[str, Any]) -> None:
    """Refuse a configuration that a class does not take.

    Raises:
        TypeError: The class takes other arguments.
    """
    try:
        signature(kind).bind(**config)
    except TypeError as error:
        raise TypeError(
            f"`{kind.__name__}` cannot be made of this config: {error}. A subclass with an `__init__` of its own needs "
            "a `get_config` or `from_config` that fits it."
        ) from None


def checked_choice(kind: Any, chosen: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Check what the method `define` of a loss returns.

    Args:
        kind: The class of the loss.
        chosen: What was returned.

    Returns:
        `Pointwise.formula_key` and `Pointwise.constants`, these as numbers and tuples of numbers.

    Raises:
        TypeError: `chosen` is not two tuples, a constant is not a number, the formula cannot be computed or is not
            compiled by `f.jit`, or it does not give three numbers made of the parts `f`.
        ValueError: A constant is beyond the range of floats.
    """
    match chosen:
        case ((build, *_) as key, tuple(constants)) if isinstance(key, tuple) and hasattr(build, "__name__"):
            pass
        case _:
            raise TypeError(
                f"`{kind.__name__}.define` must return two tuples: the function that builds the formula with its "
                f"choices, and the constants, as ((hill,), (1.5,)); got {chosen!r}."
            )
    declared = getattr(build, "constant_names", ())
    names = declared + tuple(f"constant {k}" for k in range(len(declared), len(constants)))
    constants = tuple(map(_checked_constant, names, constants))
    attempt = kind, key, len(constants)
    try:
        is_new = attempt not in _tried
    except TypeError as error:
        raise TypeError(f"The choices of `{kind.__name__}.define` must be hashable; got {key[1:]!r}.") from error
    if is_new:
        _try(*attempt)
        _tried.add(attempt)
    return key, constants


def _checked_constant(name, constant):
    if type(constant) in PLAIN:
        return number(name, constant)
    if type(constant) is tuple and constant and {*map(type, constant)} <= {*PLAIN}:
        return tuple(number(name, each) for each in constant)
    found = number_or_tuple(name, constant)
    if found == ():
        raise TypeError(f"`{name}` must be a number or hold one number per label of the last axis; got {constant!r}.")
    return found


_tried: set[tuple[Any, ...]] = set()  # torch.compile warns of an lru_cache


def _try(kind, key, count):
    """Compute a formula once, on plain numbers."""
    build = key[0]
    which = f"The formula `{build.__name__}` of `{kind.__name__}`"
    names, rule = getattr(build, "constant_names", ()), getattr(build, "in_label", None)
    if names and len(names) != count:
        raise TypeError(
            f"`{kind.__name__}.define` returns {count} constants, and the formula `{build.__name__}` names "
            f"{len(names)}: {', '.join(names)}. Return one for each name."
        )
    y, constants = np.float64(1), (np.float64(1),) * count
    compiled, built = [], []

    def jit(function):
        compiled.append(function)
        return function

    def build_once(f, *choices):
        built.append(build(f, *choices))
        return built[0]

    try:
        with np.errstate(all="ignore"):
            results = formulas.build_formulas(np, jit, np.float64)("logit", build_once, *key[1:])(
                np.float64(0.5), (y, 1 - y), np.float64(0), constants
            )
    except Exception as error:
        raise TypeError(f"{which} cannot be computed: {error!r}. {ADVICE}") from error
    if not isinstance(results, tuple) or len(results) != 3 or not all(map(_is_number, results)):
        raise TypeError(f"{which} must give three numbers; got {results!r}. {ADVICE}")
    if any(type(result) in PLAIN for result in results):
        raise TypeError(
            f"{which} gives a plain number, which has no precision: {results!r}. Return f.zero, f.one or f.number(...)."
        )
    if callable(rule):
        _try_in_label(which, rule, y, constants)
    if not any(built[0] is function for function in compiled):
        raise TypeError(
            f"{which} is computed by `{getattr(built[0], '__name__', built[0])}`, which is not compiled on a GPU: "
            "decorate it with @f.jit."
        )


def _try_in_label(which, rule, y, constants):
    """Compute a loss as a function of its label once, on plain numbers."""
    try:
        with np.errstate(all="ignore"):
            result = rule(np, np.float64(0.5), np.float64(0.9), y, constants)
    except Exception as error:
        raise TypeError(
            f"{which} depends on the label by a function that cannot be computed: {error!r}. It takes (m, a, b, y, "
            "constants) and returns the loss."
        ) from error
    if not _is_number(result):
        raise TypeError(f"{which} depends on the label by a function that must give a number; got {result!r}.")


def _is_number(value):
    return np.ndim(value) == 0 and np.isrealobj(value) and isinstance(value, (*PLAIN, np.number, np.ndarray))
