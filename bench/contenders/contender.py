"""The base class of contenders, and the floor, which computes nothing."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench.cases import BACKWARD, FORWARD, GRADIENT, SPEED, VALUE, Case

Call = Callable[[], Any]
DOORS = tuple(SPEED)


class Contender:
    """A name for the tables, and how to make the call."""

    name: str
    doors: tuple[str, ...]  # the frameworks whose cases it takes part in
    computes = True  # the floor does not
    fills_a_buffer = False  # writes the gradient into memory that it is given
    spare_arrays = 0  # full-size arrays that it needs beside the gradient
    sums_the_gradient = False  # returns the gradient of the sum, not of the mean

    def prepare(self, case: Case, y_true: np.ndarray, y_pred: np.ndarray) -> Call | None:
        raise NotImplementedError

    def growth_within_pool(self, call: Call) -> int:
        """Return the bytes that a call takes from its framework's pool, which the system does not show."""
        return 0

    def as_arrays(self, result: Any) -> Any:
        """Return the result of a call as NumPy arrays."""
        return result


class Floor(Contender):
    """Passes of NumPy over the same bytes, on as many threads."""

    name, doors, computes, fills_a_buffer = "floor", DOORS, False, True

    def prepare(self, case, y_true, y_pred):
        if not case.is_large:
            return None
        from bench import floor

        y, z = (array.reshape(-1).view(f"u{array.itemsize}") for array in (y_true, y_pred))
        if case.want in (VALUE, FORWARD):
            return partial(floor.read, y, z)
        if case.want not in (GRADIENT, BACKWARD):
            return None
        if case.door == "numpy":
            return partial(floor.read_and_write, y, z, np.ones_like(z))
        return lambda: floor.read_and_write(y, z, np.empty_like(z))
