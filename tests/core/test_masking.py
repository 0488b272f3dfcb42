"""Masking, smoothing and the range check are the same over the operations of any framework."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from support.compare import close

from binxent._core.masking import PLACEHOLDER, prepare
from binxent._core.ranges import range_error

WORDS = "{outside} of {total}, from {least} to {most}"


def numpy():
    return np, np.asarray


def torch():
    module = pytest.importorskip("torch")
    return module, module.tensor


def jax():
    module = pytest.importorskip("jax.numpy")
    return module, module.asarray


def tensorflow():
    pytest.importorskip("tensorflow")
    from binxent.tensorflow import _ops

    return _ops, lambda values: _ops.convert_to_tensor(values, "bool" if values.dtype == bool else "float32")


every = pytest.mark.parametrize("operations", [numpy, torch, jax, tensorflow])


@every
@pytest.mark.parametrize("ignored", [-1.0, math.nan])
@pytest.mark.parametrize("masked", [False, True])
def test_hidden_entries_become_the_placeholder(operations, ignored, masked):
    m, tensor = operations()
    loss = SimpleNamespace(ignore_label=ignored)
    x, y = np.float32([math.nan, 2, -3]), np.float32([ignored, 1, 0])
    mask = tensor(np.array([True, False, True])) if masked else None
    x, y, valid = prepare(m, loss, tensor(x), tensor(y), mask)
    where = [False, not masked, True]
    assert np.asarray(valid).tolist() == where
    close(np.asarray(x), np.where(where, [0, 2, -3], PLACEHOLDER))
    close(np.asarray(y), np.where(where, [0, 1, 0], PLACEHOLDER))


@every
def test_without_anything_to_hide_nothing_is_done(operations):
    m, tensor = operations()
    x, y = tensor(np.float32([1, 2])), tensor(np.float32([0, 1]))
    got = prepare(m, SimpleNamespace(ignore_label=None), x, y)
    assert got[0] is x and got[1] is y and got[2] is None


@pytest.mark.parametrize("operations", [numpy, torch])
@pytest.mark.parametrize(
    ("values", "valid", "options", "want"),
    [
        ([0.0, 0.5, 1.0, math.nan], None, {}, None),
        ([0.0, 0.5, 1.0, math.nan], None, {"refuse_nan": True}, "1 of 4, from 0 to 1"),
        ([math.nan], None, {"refuse_nan": True}, "1 of 1, from nan to nan"),
        ([2.0, -1.0, 0.0, math.nan], None, {}, "2 of 4, from -1 to 2"),
        ([2.0, -1.0, 0.0, 3.0], [True, False, True, True], {}, "2 of 3, from 0 to 3"),
        ([2.0, -1.0], [False, False], {}, None),
        ([[2.0], [math.inf]], None, {}, "2 of 2, from 2 to inf"),
        (-3.0, None, {}, "1 of 1, from -3 to -3"),
    ],
)
def test_the_range_error_counts_what_takes_part(operations, values, valid, options, want):
    tensor = operations()[1]
    hiding = [] if valid is None else [(tensor(np.float32(valid)), 0), (tensor(np.float32(values)), None)]
    error = range_error(tensor(np.float32(values)), hiding, WORDS, **options)
    assert (error if error is None else str(error)) == want


def test_the_range_error_is_of_the_kind_that_was_asked_for():
    assert type(range_error(np.array([2, 255], np.uint8), [], WORDS, error=RuntimeError)) is RuntimeError
