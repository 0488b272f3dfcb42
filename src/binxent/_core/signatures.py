"""Keras classes and functions with the signature of a loss of `binxent.losses`, so that each is written down once."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

Parameters = ParamSpec("Parameters")
OF_CLASSES = ("reduction", "name", "dtype")  # a function of one loss per sample has none of them


def takes(define: Callable[Parameters, Any], own, default=None, passed_on=False):
    """Give an __init__ of (self, spec, value) the signature of the spec.

    Args:
        define: The loss of `binxent.losses`.
        own: The parameter whose value, as given, is kept beside the spec.
        default: That parameter's default.
        passed_on: Whether the spec gets that value, too; if not, it may be a value that only the owner accepts.
    """
    signature = _with_defaults(inspect.signature(define), {own: default})

    def decorate(initialize: Callable[[Any, Any, Any], None]) -> Callable[Concatenate[Any, Parameters], None]:
        def __init__(self, *args: Parameters.args, **kwargs: Parameters.kwargs):
            parameters = signature.bind(*args, **kwargs).arguments
            value = parameters.get(own, default)
            if not passed_on:
                parameters.pop(own, None)
            initialize(self, define(**parameters), value)  # pyright: ignore[reportCallIssue]

        return _signed(__init__, ["self"], signature)

    return decorate


def per_sample(define: Callable[Parameters, Any]):
    """Give a function of (spec, y_true, y_pred) the signature (y_true, y_pred, the loss's own parameters)."""
    whole = inspect.signature(define)
    own = [parameter for name, parameter in whole.parameters.items() if name not in OF_CLASSES]
    signature = whole.replace(parameters=own)

    def decorate(
        function: Callable[[Any, Any, Any], Any],
    ) -> Callable[Concatenate[Any, Any, Parameters], Any]:
        @functools.wraps(function)
        def wrapper(y_true, y_pred, *args: Parameters.args, **kwargs: Parameters.kwargs):
            return function(define(**signature.bind(*args, **kwargs).arguments), y_true, y_pred)  # pyright: ignore

        return _signed(wrapper, ["y_true", "y_pred"], signature)

    return decorate


def _with_defaults(signature, defaults):
    parameters = signature.parameters.items()
    return signature.replace(
        parameters=[one.replace(default=defaults[name]) if name in defaults else one for name, one in parameters]
    )


def _signed(function, names, signature):
    leading = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    function.__signature__ = signature.replace(parameters=[*leading, *signature.parameters.values()])
    return function
