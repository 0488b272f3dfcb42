"""What a row of the table in `failings.py` is, and what it takes to show it."""

import warnings
from typing import Any, NamedTuple

import numpy as np

BACKENDS = {"jax": "Keras on JAX", "torch": "Keras on PyTorch", "tensorflow": "Keras on TensorFlow"}


class Failing(NamedTuple):
    """A sentence, and the calls that show it to be true of others and not of binxent.

    What a call gives is a number or an array; or an exception or a warning, of which its text has to be a part.
    """

    title: str
    right: Any
    peers: dict  # the name of a peer: (a call, what it gives)
    ours: dict  # the name of a module: a call that gives what is right


def outcome(call):
    """Return what came of a call: its warnings, and its value or its exception."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            result = call()
        except Exception as error:
            result = error
    return [*(one.message for one in said), result]


def shows(outcome, expected):
    """Whether what came of a call is what was expected of it."""
    if isinstance(expected, Exception):
        return any(isinstance(one, type(expected)) and str(expected) in str(one) for one in outcome)
    if isinstance(outcome[-1], Exception):
        return False
    value, expected = np.asarray(outcome[-1], float), np.asarray(expected, float)
    return value.shape == expected.shape and np.allclose(value, expected, 1e-4, 1e-30, equal_nan=True)


def gives(result, calls, *names):
    """Return the peers of these names, or all of them, and what the call of each gives."""
    return {name: (calls[name], result) for name in names or calls}


def on_keras(call):
    """Make the call on each of Keras's backends."""
    return dict.fromkeys(BACKENDS.values(), call)
