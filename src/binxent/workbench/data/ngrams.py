"""Texts as numbers: the n-grams of their characters, weighted by tf-idf and projected on the main directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl

SIZES = (3, 4)  # of the n-grams
COMPONENTS = 30
MOST_NGRAMS = 50_000  # the commonest; 6 MB of components
MOST_ROWS = 100_000  # from which n-grams and directions are learnt
LONGEST = 1 << 16  # characters of a text that are read
CHUNK = 1 << 16  # characters in memory at a time
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Ngrams:
    """A projection of texts: s = t C, where t is the text's tf-idf vector of length 1.

    Attributes:
        keys: The known n-grams as `ngrams` gives them, ascending, shape (n-grams,), uint64.
        idf: Inverse document frequency of each, shape (n-grams,), float32.
        components: C, shape (n-grams, components), float32.

    Example:
        >>> texts = pl.Series([f"visit {row}: {word}" for row in range(4) for word in ("fever", "cough")])
        >>> Ngrams.fit(texts, seed=0).project(texts).shape
        (8, 8)

    Source:
        StringEncoder of skrub; A. Cvetkov-Iliev et al., "Analytics on non-normalized data sources", 2022.
    """

    keys: np.ndarray
    idf: np.ndarray
    components: np.ndarray

    @classmethod
    def fit(cls, texts: pl.Series, seed: int) -> Ngrams:
        """Learn n-grams, their frequencies and the main directions from texts without missing ones."""
        from sklearn.utils.extmath import randomized_svd

        texts = texts.gather_every(-(-len(texts) // MOST_ROWS) or 1)
        found = [
            pl.DataFrame({"key": keys, "row": rows}).unique().group_by("key").len()
            for _, keys, rows in _chunks(texts)
        ]  # fmt: skip
        common = pl.concat(found).group_by("key").sum().sort(["len", "key"], descending=[True, False])
        common = common.head(MOST_NGRAMS).sort("key")
        # scikit-learn's smooth idf: as if a further text held every n-gram once.
        idf = np.log((1 + len(texts)) / (1 + common["len"].to_numpy())) + 1
        ngrams = cls(common["key"].to_numpy(), idf.astype(np.float32), np.empty((len(idf), 0), np.float32))
        matrix, iterations = ngrams._tf_idf(texts), cast(Any, 5)  # which is annotated as text
        _, _, directions = randomized_svd(matrix, min(COMPONENTS, *matrix.shape), n_iter=iterations, random_state=seed)
        return cls(ngrams.keys, ngrams.idf, np.ascontiguousarray(directions.T, np.float32))

    def project(self, texts: pl.Series) -> np.ndarray:
        """Return the components of each text, shape (rows, components); zeros for a text without known n-grams."""
        parts = [np.empty((0, self.components.shape[1]), np.float32)]
        for count, keys, rows in _chunks(texts):
            row, place, weight = self._weighted(keys, rows, count)
            first = np.flatnonzero(np.diff(row, prepend=-1))
            parts.append(np.zeros((count, self.components.shape[1]), np.float32))
            if len(first):
                parts[-1][row[first]] = np.add.reduceat(self.components[place] * weight[:, None], first)
        return np.concatenate(parts)

    def _tf_idf(self, texts: pl.Series) -> Any:
        import scipy.sparse

        parts = []
        for count, keys, rows in _chunks(texts):
            row, place, weight = self._weighted(keys, rows, count)
            parts.append(scipy.sparse.csr_matrix((weight, (row, place)), shape=(count, len(self.keys))))
        return scipy.sparse.vstack(parts).tocsr()

    def _weighted(self, keys: np.ndarray, rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return row, place among the known n-grams, and tf-idf weight, of every n-gram of every row, in order."""
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[place] == keys
        found, times = np.unique(rows[known] * np.int64(len(self.keys)) + place[known], return_counts=True)
        row, place = np.divmod(found, len(self.keys))
        weight = times.astype(np.float32) * self.idf[place]
        # Added one after another: the sum does not depend on the other rows.
        length = np.sqrt(np.bincount(row, weight.astype(np.float64) ** 2, minlength=count))
        return row, place, weight / length[row].astype(np.float32)


def ngrams(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the n-grams of each word with a blank before and after it, as 64-bit hashes, and the row of each.

    These are the n-grams of scikit-learn's analyzer "char_wb".

    Example:
        >>> keys, rows = ngrams(pl.Series(["Ab", "a ab"]))
        >>> len(set(keys.tolist())), rows.tolist()
        (4, [0, 0, 1, 1, 1, 0, 1])
    """
    words = texts.alias("").str.head(LONGEST).str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars(" ")
    padded = " " + words + " "
    signs = np.frombuffer("".join(padded.to_list()).encode("utf-32-le"), np.uint32).astype(np.uint64)
    rows = np.repeat(np.arange(len(texts), dtype=np.int32), padded.str.len_chars().to_numpy())
    inner = signs != ord(" ")
    keys, found = [], []
    for size in SIZES:
        count = max(len(signs) - size + 1, 0)
        # Two blanks stand between texts: without one inside, an n-gram is part of a single word.
        whole = np.logical_and.reduce([inner[at : at + count] for at in range(1, size - 1)])
        start = np.flatnonzero(whole)
        key = np.full(len(start), size, np.uint64)
        for at in range(size):
            key = (key + signs[start + at]) * _FACTOR
            key ^= key >> np.uint64(29)
        keys.append(key)
        found.append(rows[start])
    return np.concatenate(keys), np.concatenate(found)


def _chunks(texts: pl.Series) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield the number of rows, the n-grams and their rows, for some texts at a time."""
    lengths = np.minimum(texts.str.len_chars().to_numpy(), LONGEST)
    ends = np.flatnonzero(np.diff(np.cumsum(lengths) // CHUNK, append=-1)) + 1
    start = 0
    for end in ends.tolist():
        yield end - start, *ngrams(texts[start:end])
        start = end
