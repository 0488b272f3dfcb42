"""What the PyTorch door knows of a loss: plain values, which torch.compile can look into and operators can take."""

import functools
import json
from dataclasses import dataclass

import torch

from binxent.losses import identity


def constant_when_compiled(function):
    """`torch.compiler.assume_constant_result`, which would load all of the compiler for the sake of this mark."""
    function._dynamo_marked_constant = True
    return function


@dataclass(frozen=True, eq=False)
class Recipe:
    """What there is to know of a loss to compute it: plain values, which torch.compile can look into.

    Caches go by it, so that NaN in it equals NaN, as in a loss.
    """

    reading: str
    form: tuple
    constants: tuple
    label_smoothing: float
    ignore_label: float | None
    epsilon: float | None

    def __eq__(self, other):
        return self._identity() == other._identity() if type(self) is type(other) else NotImplemented

    def __hash__(self):
        return hash(self._identity())

    def _identity(self):
        return identity(_values(self))


def recipe(kind, *parameters, clamped=False, **options):
    """The recipe of a loss of `binxent.losses`.

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
        return _constant_recipe(kind, clamped, *parameters, **options)
    return _recipe(kind, clamped, *parameters, **options)


def _constant(value):
    """A number that torch.compile takes as it is, and compiles anew for another."""
    if isinstance(value, (bool, int, float)):
        return torch.fx.experimental.symbolic_shapes.guard_scalar(value)  # pyright: ignore
    return value


@functools.lru_cache(maxsize=256)
def _recipe(kind, clamped, *parameters, **options):
    return recipe_of(kind(*parameters, **options), "clamped_probability" if clamped else None)


@constant_when_compiled
def _constant_recipe(kind, clamped, *parameters, **options):
    return _recipe(kind, clamped, *parameters, **options)


def recipe_of(spec, reading=None):
    """The recipe of a loss of `binxent.losses`, where another reading of predictions may take the place of its own.

    A `pos_weight` for each label stays out: it is a tensor then, in the dtype and on the device of the predictions.
    """
    constants = (1.0,) if isinstance(spec.constants[0], tuple) else spec.constants
    return Recipe(reading or spec.reading, spec.form, constants, spec.label_smoothing, spec.ignore_label, spec.epsilon)


def encode(loss):
    """A recipe as text, which an operator can take."""
    return _encode_values(*_values(loss))


def _values(loss):
    return loss.reading, loss.form, loss.constants, loss.label_smoothing, loss.ignore_label, loss.epsilon


@constant_when_compiled
def _encode_values(*values):
    return json.dumps(values)


@functools.lru_cache
def decode(text):
    """The recipe of a text."""
    reading, form, constants, *others = json.loads(text)
    return Recipe(reading, tuple(form), tuple(constants), *others)
