"""The limit of the machine: passes over memory that read and write the bytes of a loss and compute nothing."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

COUNT = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def pool() -> ThreadPoolExecutor:
    """Return the threads that share the passes."""
    return ThreadPoolExecutor(COUNT)


def shares(*arrays: np.ndarray) -> zip:
    """Return the part of each array that a thread takes."""
    return zip(*(np.array_split(array, COUNT) for array in arrays), strict=True)


def read(y_true: np.ndarray, y_pred: np.ndarray) -> int:
    """Read both arrays, as integers of their width: no conversion and no rounding."""
    return sum(pool().map(lambda share: sum(map(int, map(np.bitwise_or.reduce, share))), shares(y_true, y_pred)))


def read_and_write(y_true: np.ndarray, y_pred: np.ndarray, gradient: np.ndarray) -> int:
    """Read both arrays and write the third."""

    def work(share):
        y, z, g = share
        np.copyto(g, z)
        return int(np.bitwise_or.reduce(y))

    return sum(pool().map(work, shares(y_true, y_pred, gradient)))
