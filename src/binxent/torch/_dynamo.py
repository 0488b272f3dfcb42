"""Losses as text, because the operators that torch.compile calls take no Python objects."""

import functools
import importlib
import json

from binxent.losses import Pointwise
from binxent.torch._private import constant_when_compiled


def encode(loss):
    """Return a `Pointwise` as text, the same in every process."""
    return _encode_values(*loss.values())


@constant_when_compiled
def _encode_values(prediction_kind, formula_key, *others):
    build, *choices = formula_key
    text = json.dumps([prediction_kind, f"{build.__module__}:{build.__qualname__}", choices, *others])
    _decoded[text] = Pointwise(prediction_kind, formula_key, *others)
    return text


_decoded: dict[str, Pointwise] = {}


def decode(text):
    """Return the `Pointwise` of a text, from this process or from a compiled graph that another process has stored."""
    if text not in _decoded:
        prediction_kind, formula, choices, constants, *others = json.loads(text)
        module, _, name = formula.partition(":")
        build = functools.reduce(getattr, name.split("."), importlib.import_module(module))
        constants = (tuple(constant) if isinstance(constant, list) else constant for constant in constants)
        _decoded[text] = Pointwise(prediction_kind, (build, *choices), tuple(constants), *others)
    return _decoded[text]
