"""The trained networks in plain NumPy: prediction needs no framework, and starts in milliseconds."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from binxent.workbench.run_folder import read_arrays

NETWORK = "network.npz"
BINS, FEWEST_BINS = 16, 4  # of an input
MOST_BINS = 1024  # of all inputs
SAMPLE = 100_000  # rows whose quantiles are taken
# Rows are predicted in blocks of one size, so that the bits of a row do not depend on the rows beside it.
BLOCK = 1024
FEWEST_BLOCKS = 6  # that are worth threads of their own
FEW = 3  # different values of an input that need no bins


@dataclass(frozen=True)
class Bins:
    r"""The piecewise-linear encoding of inputs, by which a network learns steps and bends that one line cannot follow.

    An input x becomes, beside itself, one number for each of its bins, from -1 below the bin to 1 above it:

    $$ \mathrm{clip}(\text{slope}\, x + \text{offset}, -1, 1) $$

    with quantiles of the training rows as the bins' edges (Gorishniy, Rubachev and Babenko 2022, "On Embeddings for
    Numerical Features in Tabular Deep Learning").

    Attributes:
        columns: Positions of the inputs that have bins, shape (binned,).
        slope: 2 / width of each bin, shape (binned, bins); 0 for bins of no width.
        offset: Shape (binned, bins).
    """

    columns: np.ndarray
    slope: np.ndarray
    offset: np.ndarray

    @classmethod
    def of(cls, inputs: np.ndarray, continuous: np.ndarray) -> Bins:
        """Find the edges; inputs of few different values have no bins, nor has a table of very many inputs.

        Args:
            inputs: The training rows, shape (rows, inputs).
            continuous: Whether each input is a quantity, shape (inputs,).
        """
        step = math.ceil(len(inputs) / SAMPLE)
        # A copy, as the rows may lie in a file, which is then read once.
        sample = inputs[::step].copy() if step > 1 else inputs
        binned = [column for column in np.flatnonzero(continuous) if _has_many_values(sample[:, column])]
        bins = min(BINS, MOST_BINS // max(len(binned), 1))
        binned = binned if bins >= FEWEST_BINS else []
        slope, offset = np.zeros((2, len(binned), bins), np.float32)
        for place, column in enumerate(binned):
            edges = np.unique(np.quantile(sample[:, column], np.linspace(0, 1, bins + 1)))
            # Bins narrower than the numbers' precision would be infinitely steep.
            edges = edges[np.append(True, np.diff(edges) > 1e-6 * np.abs(edges).max())]
            slope[place, : len(edges) - 1] = 2 / np.diff(edges)
            offset[place, : len(edges) - 1] = -1 - slope[place, : len(edges) - 1] * edges[:-1]
        return cls(np.array(binned, np.int64), slope, offset)

    def widened(self, inputs: np.ndarray) -> np.ndarray:
        """Return inputs and their bins, shape (rows, inputs + binned * bins)."""
        bins = np.clip(inputs[:, self.columns, None] * self.slope + self.offset, -1, 1)
        return np.concatenate([inputs, bins.reshape(len(inputs), -1)], axis=1)


@cache
def _blas_threads() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _has_many_values(values: np.ndarray) -> bool:
    return any(len(np.unique(part)) > FEW for part in (values[:100], values))


@dataclass(frozen=True)
class Ensemble:
    """Networks of one shape, dense ReLU layers and one logit each; the logit of a row is their mean.

    Attributes:
        bins: The encoding of the inputs, the same for all networks.
        kernels: One array for each layer, shape (members, values in, values out).
        biases: One array for each layer, shape (members, values out).
    """

    bins: Bins
    kernels: Sequence[np.ndarray]
    biases: Sequence[np.ndarray]

    @property
    def members(self) -> int:
        """The number of networks."""
        return len(self.kernels[0])

    @property
    def inputs(self) -> int:
        """The number of inputs, without their bins."""
        return self.kernels[0].shape[1] - self.bins.slope.size

    def only(self, members: Sequence[int]) -> Ensemble:
        """Return some of the networks."""
        chosen = list(members)
        return Ensemble(self.bins, [array[chosen] for array in self.kernels], [array[chosen] for array in self.biases])

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """Return the mean logit of each row of a float32 matrix, shape (rows,), float64."""
        return self.member_logits(inputs).mean(axis=0, dtype=np.float64)

    def member_logits(self, inputs: np.ndarray) -> np.ndarray:
        """Return each member's logit of each row, shape (members, rows), float32."""
        logits = np.empty((self.members, len(inputs)), np.float32)

        def predict(start: int) -> None:
            logits[:, start : start + BLOCK] = self._block_logits(inputs[start : start + BLOCK])

        starts = range(0, len(inputs), BLOCK)
        # A thread for each block instead of several for each product: they need not wait for each other, and the
        # bits do not depend on their number.
        with _blas_threads().limit(limits=1, user_api="blas"):
            if len(starts) < FEWEST_BLOCKS:
                deque(map(predict, starts), maxlen=0)
            else:
                with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
                    deque(pool.map(predict, starts), maxlen=0)
        return logits

    def _block_logits(self, inputs: np.ndarray) -> np.ndarray:
        """Return the logits of at most `BLOCK` rows, shape (members, rows)."""
        rows = len(inputs)
        filled = np.concatenate([inputs, np.zeros((BLOCK - rows, inputs.shape[1]), np.float32)])
        # All members at once in the first layer, as they have the same inputs.
        values = self.bins.widened(filled) @ self._first
        values = values.reshape(BLOCK, self.members, -1).swapaxes(0, 1) + self.biases[0][:, None]
        for kernel, bias in zip(self.kernels[1:], self.biases[1:], strict=True):
            values = np.matmul(np.maximum(values, 0), kernel) + bias[:, None]
        return values[:, :rows, 0]

    @cached_property
    def _first(self) -> np.ndarray:
        """The kernels of the first layer side by side, shape (values in, members * values out)."""
        return self.kernels[0].swapaxes(0, 1).reshape(self.kernels[0].shape[1], -1)

    def save(self, path: Path) -> None:
        """Write the arrays to an .npz file."""
        layers = {f"kernel_{place}": kernel for place, kernel in enumerate(self.kernels)}
        layers |= {f"bias_{place}": bias for place, bias in enumerate(self.biases)}
        arrays: dict[str, Any] = {**vars(self.bins), **layers}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Ensemble:
        """Read what `save` wrote; nothing in the file is executed.

        Raises:
            ValueError: If the file is not complete, or its arrays do not fit together.
        """
        try:
            arrays = read_arrays(path)
            layers = sum(name.startswith("kernel_") for name in arrays)
            found = cls(
                Bins(*(arrays[name] for name in ("columns", "slope", "offset"))),
                [arrays[f"kernel_{place}"] for place in range(layers)],
                [arrays[f"bias_{place}"] for place in range(layers)],
            )
        except (ValueError, KeyError, OSError) as error:
            raise ValueError(f"{path} is damaged ({error}).") from None
        if not found._fits_together():
            raise ValueError(f"{path} is damaged: its arrays do not fit together.")
        return found

    def _fits_together(self) -> bool:
        columns, slope, offset = self.bins.columns, self.bins.slope, self.bins.offset
        numbers = [slope, offset, *self.kernels, *self.biases]
        if not self.kernels or columns.dtype != np.int64 or columns.ndim != 1:
            return False
        if any(array.dtype != np.float32 or not np.isfinite(array).all() for array in numbers):
            return False
        if slope.ndim != 2 or slope.shape != offset.shape or len(slope) != len(columns):
            return False
        if any(kernel.ndim != 3 for kernel in self.kernels):
            return False
        members, width, _ = self.kernels[0].shape
        inputs = width - slope.size
        if members < 1 or inputs < 1 or ((columns < 0) | (columns >= inputs)).any():
            return False
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            if kernel.shape[:2] != (members, width) or bias.shape != (members, kernel.shape[2]):
                return False
            width = kernel.shape[2]
        return width == 1
