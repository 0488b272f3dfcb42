"""The rows of a table while it is read: all of them, or a sample if they are too many to be held."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

LARGEST = 1 << 26  # cells of a table, rows x columns; a larger one is not held as a whole
SAMPLED = 1 << 25  # cells of the sample of such a table
FEWEST = 1 << 16  # rows that are held, and sampled, of a table of very many columns


@dataclass
class _Batch:
    source: int
    places: np.ndarray | range  # positions of the sampled rows
    sampled: pl.DataFrame
    whole: pl.DataFrame


class RowSample:
    """Some columns of all rows; of the others all rows up to `LARGEST` cells, and of a larger table a sample.

    A row is in the sample by the hash of its position, whatever it holds and whatever batch brings it: rows at equal
    steps would be all alike in a table whose values recur. As often as the sample exceeds `SAMPLED` cells, it is
    halved. Up to `FEWEST` rows are no table too large, nor too large a sample, whatever their columns.

    Attributes:
        sources: The numbers of rows of each file.
    """

    def __init__(self, names: Sequence[str], whole: Collection[str]) -> None:
        """Begin before the first row.

        Args:
            names: The columns.
            whole: Those of them that are kept of all rows.
        """
        self.sources: list[int] = []
        self._names, self._whole = names, whole
        self._batches: list[_Batch] = []
        self._halvings = 0

    @property
    def rows(self) -> int:
        """The number of rows so far."""
        return sum(self.sources)

    @property
    def is_large(self) -> bool:
        """Whether the table is too large to be held."""
        return self.rows > self._most(LARGEST)

    def _most(self, cells: int) -> int:
        return max(cells // max(len(self._names), 1), FEWEST)

    def add_source(self) -> None:
        """Begin the rows of another file."""
        self.sources.append(0)

    def restart_source(self) -> None:
        """Forget the rows of the last file."""
        self.sources[-1] = 0
        self._batches = [batch for batch in self._batches if batch.source != len(self.sources) - 1]

    def add(self, rows: pl.DataFrame) -> None:
        """Add the next rows of the last file."""
        sampled, whole = (
            pl.DataFrame([rows.get_column(name) for name in self._names if (name in self._whole) is kept])
            for kept in (False, True)
        )
        places = range(self.rows, self.rows + rows.height)
        self.sources[-1] += rows.height
        batch = _Batch(len(self.sources) - 1, places, sampled, whole)
        _halve(batch, self._halvings)
        self._batches.append(batch)
        while self.is_large and sum(len(batch.places) for batch in self._batches) > self._most(SAMPLED):
            self._halvings += 1
            for batch in self._batches:
                _halve(batch, self._halvings)

    def places(self) -> np.ndarray:
        """Return the positions of the sampled rows over all files, int64."""
        places = [_as_array(batch.places) for batch in self._batches]
        return np.concatenate([np.empty(0, np.int64), *places])

    def columns(self, types: Sequence[Mapping[str, pl.DataType]]) -> dict[str, list[pl.Series]]:
        """Return the values of each column, by name, a series for each file.

        Args:
            types: The types of the columns of each file, for files without rows.
        """
        found: dict[str, list[pl.Series]] = {name: [] for name in self._names}
        for source, own in enumerate(types):
            batches = [batch for batch in self._batches if batch.source == source]
            for name, series in found.items():
                frames = [batch.whole if name in self._whole else batch.sampled for batch in batches]
                parts = [frame.get_column(name) for frame in frames]
                series.append(pl.concat(parts) if parts else pl.Series(name, [], own[name]))
        return found


def _halve(batch: _Batch, times: int) -> None:
    """Leave of the sampled rows of a batch those that remain when all of its rows are halved so many times."""
    if times == 0:
        return
    places = _as_array(batch.places)
    kept = _hashed(places) < np.uint64(1 << (64 - times))
    sampled = batch.sampled.filter(pl.Series(kept))
    batch.places, batch.sampled = places[kept], pl.DataFrame([_copied(column) for column in sampled])


def _copied(column: pl.Series) -> pl.Series:
    # Rows of text that are filtered keep the text of all rows in memory.
    return (column.alias("") + "").alias(column.name) if column.dtype == pl.String else column


def _as_array(places: np.ndarray | range) -> np.ndarray:
    return np.arange(places.start, places.stop) if isinstance(places, range) else places


def _hashed(places: np.ndarray) -> np.ndarray:
    """Return evenly distributed numbers, uint64: the generator SplitMix64 (Steele, Lea and Flood 2014)."""
    bits = (places.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
