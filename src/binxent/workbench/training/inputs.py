"""The prepared rows: matrices in memory, or in files if they are large."""

from __future__ import annotations

import math
import tempfile
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from binxent.workbench import run_folder
from binxent.workbench.data.counts import Counts
from binxent.workbench.data.preparation import Preparation
from binxent.workbench.training.plan import Plan

ROWS = 1 << 16  # prepared at a time
LARGEST = 1 << 26  # numbers of a matrix, 256 MB; larger ones lie in a file


class _Matrix:
    """A float32 matrix that is written row by row; a large one to a file, which the system removes after its use."""

    def __init__(self, rows: int, inputs: int, folder: Path) -> None:
        """Begin before the first row.

        Args:
            rows: The number of rows.
            inputs: The number of columns.
            folder: The folder for the file.
        """
        self._shape, self._filled = (rows, inputs), 0
        self._file = tempfile.TemporaryFile(dir=folder) if rows * inputs > LARGEST else None  # noqa: SIM115
        self._array = np.empty(self._shape if self._file is None else (0, inputs), np.float32)

    def __enter__(self) -> _Matrix:
        return self

    def append(self, part: np.ndarray) -> None:
        """Write the next rows.

        Raises:
            OSError: If the disk is full.
        """
        if self._file is None:
            self._array[self._filled : self._filled + len(part)] = part
        else:
            try:
                self._file.write(np.ascontiguousarray(part).data)
                self._file.flush()
            except OSError as error:
                size = 4 * math.prod(self._shape) / 1e9
                raise OSError(f"{size:.2g} GB of prepared rows do not fit there: {run_folder.reason(error)}") from error
        self._filled += len(part)

    def complete(self) -> np.ndarray:
        """Return the matrix; one that lies in a file is read where it is used."""
        if self._file is not None:
            # As a plain array, which keeps the file's content although the file is closed.
            self._array = np.asarray(np.memmap(self._file, np.float32, "r", shape=self._shape))
        return self._array

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with suppress(OSError):  # of a full disk, which has been raised
                self._file.close()


class PreparedRows:
    """The rows of a plan, prepared. Those of a table that is too large to be held are read again."""

    def __init__(self, plan: Plan, prepared: Preparation, folder: Path) -> None:
        """Begin; rows are prepared when they are needed.

        Args:
            plan: The plan.
            prepared: Its preparation.
            folder: The folder for matrices that are too large for the memory.
        """
        self._plan, self._prepared, self._folder = plan, prepared, folder

    @cached_property
    def training(self) -> np.ndarray:
        """The rows to learn from, float32, shape (rows, inputs)."""
        return self._of(self._plan.split.training) if self._streamed is None else self._streamed[0]

    @cached_property
    def test(self) -> np.ndarray:
        """The held-out rows, float32, shape (rows, inputs)."""
        return self._of(self._plan.split.test) if self._streamed is None else self._streamed[1]

    @property
    def columns(self) -> list[dict[str, Any]] | None:
        """What became of each column, counted over all rows if the plan has seen a sample; else None."""
        return None if self._streamed is None else self._streamed[2]

    def _matrix(self, rows: np.ndarray) -> _Matrix:
        return _Matrix(len(rows), len(self._prepared.names), self._folder)

    def _of(self, rows: np.ndarray) -> np.ndarray:
        with self._matrix(rows) as matrix:
            for part in self._plan.dataset.table[rows].iter_slices(ROWS):
                matrix.append(self._prepared.transform(part))
            return matrix.complete()

    @cached_property
    def _streamed(self) -> tuple[np.ndarray, np.ndarray, list[dict[str, Any]]] | None:
        dataset, split, counts = self._plan.dataset, self._plan.split, Counts()
        if dataset.batches is None:
            return None
        total = len(dataset.target) + dataset.dropped
        subset = np.full(total, -1, np.int8)  # of each row of the input
        for number, rows in enumerate((split.training, split.test)):
            subset[dataset.row[rows]] = number
        with self._matrix(split.training) as training, self._matrix(split.test) as test:
            for batch in dataset.batches(list(dataset.features.columns)):
                for part in batch.iter_slices(ROWS):
                    of_part = subset[counts.rows : counts.rows + part.height]
                    inputs = self._prepared.transform(counts.converted(part, self._prepared))
                    if counts.rows <= total:
                        training.append(inputs[of_part == 0])
                        test.append(inputs[of_part == 1])
            if counts.rows != total:
                raise ValueError(f"a file of the data has changed: it had {total:,} rows, and has {counts.rows:,} now.")
            return training.complete(), test.complete(), self._columns(counts)

    def _columns(self, counts: Counts) -> list[dict[str, Any]]:
        """Return what became of the columns: features with counts of all rows, others with those of the sample."""
        dataset, found = self._plan.dataset, []
        seen = dataset.table.height
        sampled = f" (of a sample of {seen:,} rows)" if seen < len(dataset.target) else ""
        for column in dataset.columns:
            if column.use == "feature":
                missing = counts.rows - counts.present[column.name]
                examples = tuple(counts.examples[column.name])
                column = replace(column, missing=missing, odd=counts.odd[column.name], examples=examples)
            elif column.use == "left out" and column.kind is not None:
                column = replace(column, remark=column.remark + sampled)
            found.append(column.to_json())
        return found
