"""Losses where torch.compile has to look into them, and as text, which operators can take."""

import functools
import importlib
import json
from typing import Any

import torch

from binxent.losses import Pointwise
from binxent.torch._private import constant_when_compiled, guarded_number


def pointwise_of(kind, *parameters, clamped=False, **options) -> Any:
    """The `Pointwise` of a loss of `binxent.losses`.

    Args:
        kind: The loss's class.
        *parameters: Its parameters.
        clamped: Whether it takes probabilities as PyTorch does, with costs up to 100 and without a clip.
        **options: Its parameters by name.

    Raises:
        ValueError: A parameter is impossible.
    """
    if torch.compiler.is_dynamo_compiling():
        parameters = [_constant(value) for value in parameters]
        options = {name: _constant(value) for name, value in options.items()}
        return _constant_pointwise(kind, clamped, *parameters, **options)
    return _pointwise(kind, clamped, *parameters, **options)


def _constant(value):
    """A number that torch.compile takes as it is, and compiles anew for another."""
    if isinstance(value, (bool, int, float)):
        return guarded_number(value)
    return value


@functools.lru_cache(maxsize=256)
def _pointwise(kind, clamped, *parameters, **options):
    return kind(*parameters, **options).pointwise.read_as("clamped_probability" if clamped else None)


@constant_when_compiled
def _constant_pointwise(kind, clamped, *parameters, **options):
    return _pointwise(kind, clamped, *parameters, **options)


def encode(loss):
    """A `Pointwise` as text, the same in every process."""
    return _encode_values(*loss.values())


@constant_when_compiled
def _encode_values(prediction_kind, formula_key, *others):
    build, *choices = formula_key
    text = json.dumps([prediction_kind, f"{build.__module__}:{build.__qualname__}", choices, *others])
    _decoded[text] = Pointwise(prediction_kind, formula_key, *others)
    return text


_decoded: dict[str, Pointwise] = {}


def decode(text):
    """The `Pointwise` of a text, be it from this process or from a compiled graph that another has stored."""
    if text not in _decoded:
        prediction_kind, formula, choices, constants, *others = json.loads(text)
        module, _, name = formula.partition(":")
        build = functools.reduce(getattr, name.split("."), importlib.import_module(module))
        constants = (tuple(one) if isinstance(one, list) else one for one in constants)
        _decoded[text] = Pointwise(prediction_kind, (build, *choices), tuple(constants), *others)
    return _decoded[text]
