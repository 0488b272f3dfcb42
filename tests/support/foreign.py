"""Array-likes that say more than their values, for the doors that convert them to tensors: masks and missing values."""

import numpy as np
import pandas as pd
import polars as pl
from scipy import sparse
from support.compare import close

import binxent as bx

Y, X, W = np.float32([[1, 0], [0, 1], [1, 1]]), np.float32([[2, -1], [0.5, -9], [3, 0.1]]), np.float32([1, 2, 3])
HIDDEN = np.array([[False, True], [False, False], [True, True]])
REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight", "none")


def masked(values, mask, data):
    """Return a masked array with something impossible below its mask."""
    return np.ma.array(np.where(mask, data, values), mask=mask)


# Labels, predictions and weights, some of them masked.
MASKED = {
    "labels": (masked(Y, HIDDEN, -7), X, None),
    "predictions": (Y, masked(X, HIDDEN, np.nan), W),
    "weights": (Y, X, masked(W, [False, False, True], np.inf)),
    "all": (masked(Y, HIDDEN, np.nan), masked(X, ~HIDDEN & (X > 1), np.inf), masked(W, [False, True, False], np.nan)),
    "nothing": (np.ma.array(Y), X, None),
}

integers = pd.Series([1, None, 0], dtype="Int64")
doubles = pd.Series([1, None, 0], dtype="Float64")
# What no argument of three numbers may be, and what the error says of it.
IMPOSSIBLE = {
    "Series": (integers, "has 1 missing values"),
    "column": (integers.array, "has 1 missing values"),
    "doubles": (doubles, "has 1 missing values"),
    "DataFrame": (pd.DataFrame({"y": integers}), "has 1 missing values"),
    "list of Series": ([doubles, doubles], "has 1 missing values"),
    "tuple of lists of Series": (([integers],), "has 1 missing values"),
    "polars": (pl.Series([1, None, 0]), "has 1 missing values"),
    "list of masked arrays": ([np.ma.array([1.0, 0.0, 7.0], mask=[0, 0, 1])], "Join them first"),
    "objects": (np.array([1, None, 0], object), "got an array of object. Convert it"),
    "strings": (np.array(["1", "0", "1"]), "must hold float64"),
    "sparse": (sparse.csr_matrix(np.eye(3)), "got a sparse one"),
}


def truth(reduction, labels, predictions, weight):
    """Return what the NumPy door computes."""
    return bx.BinaryCrossentropy(True, reduction=reduction)(labels, predictions, weight)


def refused(call):
    """Return the words in which a call refuses its arguments."""
    try:
        return f"{call()} came"
    except (TypeError, ValueError) as error:
        return str(error)


def with_function_of_its_own(door):
    """Return a loss of a door that speaks Keras whose `fn` is a user's."""
    loss = door.BinaryCrossentropy(True)
    loss.fn = lambda y_true, y_pred, **options: y_pred[..., 0]
    return loss


def masks_are_honoured(door, name):
    """Raise unless losses and functions of a door that speaks Keras compute what the NumPy door does."""
    y_true, y_pred, weight = MASKED[name]
    for reduction in REDUCTIONS:
        got = door.BinaryCrossentropy(True, reduction=reduction)(y_true, y_pred, weight)
        close(got, truth(reduction, y_true, y_pred, weight), 1e-6)
    for compute in (
        door.BinaryCrossentropy(True).call,
        lambda *given: door.binary_crossentropy(*given, from_logits=True),
    ):
        close(compute(y_true, y_pred), truth("none", y_true, y_pred, None), 1e-6)


def columns_are_what_they_hold(door):
    """Raise unless a door that speaks Keras reads nullable columns without a missing value, alone and in lists."""
    loss = door.BinaryCrossentropy(True)
    for dtype in ("Int64", "boolean", "Float64", "UInt8"):
        column = pd.Series([1, 0, 1], dtype=dtype)
        close(loss(column, X[:, 0], column), truth("mean", [1, 0, 1], X[:, 0], [1, 0, 1]), 1e-6)
        close(loss([column, column], X.T), truth("mean", [[1, 0, 1]] * 2, X.T, None), 1e-6)


def lists_without_numbers_are_refused(door):
    """Raise unless lists that hold something else beside numbers are refused by the name of the argument."""
    loss, right = door.BinaryCrossentropy(True), [[0.5], [0.5], [0.5]]
    for wrong in ([1, None, 1], [[1], [None], [1]], [1, "a", 1], (1, 2j, 1), ["1"] * 10**6):
        for name, call in (
            ("y_true", lambda wrong=wrong: loss(wrong, right)),
            ("y_true", lambda wrong=wrong: door.binary_crossentropy(wrong, right)),
            ("y_pred", lambda wrong=wrong: loss(right, wrong)),
            ("sample_weight", lambda wrong=wrong: loss(right, right, wrong)),
        ):
            words = refused(call)
            assert words.startswith(f"`{name}` must be an array of real numbers; got {wrong!r}"[:70]), words
            assert len(words) < 200, "the error repeats the list"
