"""Array-likes that say more than their values, for the doors that convert them to tensors: masks and missing values."""

import numpy as np
import pandas as pd
import polars as pl
from scipy import sparse

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
