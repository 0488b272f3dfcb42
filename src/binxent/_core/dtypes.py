"""The dtypes of results, and the precision in which each is computed: halves are too coarse to compute in."""

from functools import lru_cache

import numpy as np

DTYPES = ("float64", "float32", "float16", "bfloat16")
SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


def compute_dtype(dtype: np.dtype) -> np.dtype:
    """The precision to compute in: float64 for float64, else float32."""
    return DOUBLE if dtype == DOUBLE else SINGLE


def result_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of a loss of predictions of this dtype: whole numbers and booleans count as float32."""
    return SINGLE if dtype.kind in "biu" else dtype


def named_dtype(name: str) -> np.dtype:
    """The dtype of this name, one of `DTYPES`."""
    if name == "bfloat16":
        from ml_dtypes import bfloat16  # NumPy itself has none

        return np.dtype(bfloat16)
    return np.dtype(name)


@lru_cache(maxsize=64)
def is_readable(dtype: np.dtype) -> bool:
    """Whether kernels read arrays of this dtype: real numbers in the byte order of the machine."""
    return (dtype.kind in "biu" or dtype.name in DTYPES) and dtype.isnative
