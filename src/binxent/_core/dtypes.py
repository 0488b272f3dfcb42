"""The dtypes of results, and the precision in which they are computed: float32 for halves, which are too coarse."""

from functools import lru_cache
from typing import Any

import numpy as np

DTYPES = ("float64", "float32", "float16", "bfloat16")
SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
IN_EVERY_RANGE = 65504.0  # the greatest float16


def compute_dtype(dtype: np.dtype) -> np.dtype:
    """Return the precision to compute in: float64 for float64, else float32."""
    return DOUBLE if dtype == DOUBLE else SINGLE


def result_dtype(dtype: np.dtype) -> np.dtype:
    """Return the dtype of the loss of predictions of this dtype: float32 for whole numbers and booleans."""
    return SINGLE if dtype.kind in "biu" else dtype


def named_dtype(name: str) -> np.dtype:
    """Return the dtype of a name in `DTYPES`."""
    if name == "bfloat16":
        from ml_dtypes import bfloat16  # NumPy itself has none

        return np.dtype(bfloat16)
    return np.dtype(name)


def rounded(values: Any, dtype: np.dtype) -> Any:
    """Return a number or an array of float64 in a dtype, beyond its range infinite, as the truth is there."""
    if isinstance(values, float) and abs(values) <= IN_EVERY_RANGE:
        return dtype.type(values)
    with np.errstate(over="ignore"):  # NumPy warns of a cast to infinity
        return values.astype(dtype) if isinstance(values, np.ndarray) else dtype.type(values)


@lru_cache(maxsize=64)
def is_readable(dtype: np.dtype) -> bool:
    """Return whether kernels read arrays of this dtype: real numbers in the byte order of the machine."""
    return (dtype.kind in "biu" or dtype.name in DTYPES) and dtype.isnative


def standard_dtype(dtype: Any) -> str | None:
    """Return the name of a floating dtype, or None for None.

    Raises:
        ValueError: The dtype is not one of `DTYPES`.
    """
    if dtype is None:
        return None
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    if name not in DTYPES:
        raise ValueError(f"`dtype` must be one of {', '.join(DTYPES)}, or None for that of `y_pred`; got {dtype!r}.")
    return name
