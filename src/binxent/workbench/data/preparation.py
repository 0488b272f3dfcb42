"""The preparation: from columns of any kind to the float32 inputs of a network, stored as plain arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from binxent.workbench.data.encoders import (
    DATE_PARTS,
    FEW_VALUES,
    CategoryEncoder,
    DateEncoder,
    Encoder,
    NumberEncoder,
    TextEncoder,
)
from binxent.workbench.data.features import Features
from binxent.workbench.data.ngrams import Ngrams
from binxent.workbench.run_folder import first_line, read_arrays

FILE = "preparation.npz"  # in a run folder
BLOCK = 1 << 12  # rows that are prepared at a time: their inputs stay in the cache
_ENCODERS: dict[str, Any] = {
    "number": NumberEncoder,
    "date": DateEncoder,
    "category": CategoryEncoder,
    "text": TextEncoder,
}
_TEXT_ARRAYS = {"keys": np.dtype(np.uint64), "idf": np.dtype(np.float32), "components": np.dtype(np.float32)}


@dataclass(frozen=True)
class Preparation:
    """Turns columns of any kind into float32 numbers of mean 0 and variance 1, the inputs of a network.

    A missing number becomes the mean, with a flag beside it; a category that is absent from the training rows becomes
    zeros before the inputs are standardised. A row is prepared alike whatever rows stand beside it.

    Attributes:
        features: The columns, and how to read them.
        encoders: The encoder of each column, in the same order.
    """

    features: Features
    encoders: tuple[Encoder, ...]

    @classmethod
    def fit(cls, features: Features, table: pl.DataFrame, seed: int) -> Preparation:
        """Learn encodings and scales.

        Args:
            features: The columns to learn from.
            table: The training rows, converted.
            seed: Of the projection of texts.
        """
        kinds = features.kinds
        return cls(features, tuple(_fit(kinds[name], features.values(table, name), seed) for name in kinds))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each input, such as `age`, `age missing`, `city=Rome`, `seen: weekday`."""
        pairs = zip(self.features.columns, self.encoders, strict=True)
        return tuple(f"{name}{label}" for name, encoder in pairs for label in encoder.labels)

    @cached_property
    def continuous(self) -> np.ndarray:
        """Whether each input is a quantity, such as a number or a part of a date, shape (inputs,), bool."""
        return np.array([number for encoder in self.encoders for number in encoder.continuous], bool)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The inputs of each column, by its name."""
        ends = np.cumsum([len(encoder.labels) for encoder in self.encoders]).tolist()
        return {
            name: slice(end - len(encoder.labels), end)
            for name, encoder, end in zip(self.features.columns, self.encoders, ends, strict=True)
        }

    def transform(self, table: pl.DataFrame) -> np.ndarray:
        """Return the features of a converted table as a float32 matrix, shape (rows, inputs)."""
        matrix = np.empty((table.height, len(self.names)), np.float32)
        for start in range(0, table.height, BLOCK):
            part = table[start : start + BLOCK]
            for encoder, (name, inputs) in zip(self.encoders, self.slices.items(), strict=True):
                encoder.encode(self.features.values(part, name), matrix[start : start + BLOCK, inputs])
        return matrix

    def unseen(self, table: pl.DataFrame) -> Mapping[str, int]:
        """Return the number of values that were absent from the training rows, by category column."""
        return {
            name: encoder.unseen(self.features.values(table, name))
            for name, encoder in zip(self.features.columns, self.encoders, strict=True)
            if isinstance(encoder, CategoryEncoder)
        }

    def save(self, path: Path) -> None:
        """Write the preparation as arrays of numbers and a JSON text, uncompressed, to a file that ends in .npz."""
        columns = [
            {"name": name, **_facts(encoder)}
            for name, encoder in zip(self.features.columns, self.encoders, strict=True)
        ]  # fmt: skip
        arrays: dict[str, Any] = {"scales": np.concatenate([encoder.scales for encoder in self.encoders])}
        for number, encoder in enumerate(self.encoders):
            if isinstance(encoder, TextEncoder):
                arrays |= {f"{name}_{number}": getattr(encoder.ngrams, name) for name in _TEXT_ARRAYS}
        text = np.frombuffer(json.dumps({"columns": columns}).encode(), np.uint8)
        np.savez(path, description=text, **arrays)

    @classmethod
    def load(cls, path: Path, features: Features) -> Preparation:
        """Read what `save` wrote. Nothing in the file is run, whatever it holds.

        Args:
            path: The file.
            features: The columns, and how to read them.

        Raises:
            ValueError: If the file is damaged, or belongs to other features.
        """
        try:
            return cls(features, _read(path, features))
        except Exception as error:
            # Damaged files raise errors of nearly any type.
            raise ValueError(f"{path.name} is damaged or belongs to another run ({first_line(error)})") from error


def _fit(kind: str, values: pl.Series, seed: int) -> Encoder:
    if kind in NumberEncoder.kinds:
        return NumberEncoder.fit(values)
    if kind in DateEncoder.kinds:
        return DateEncoder.fit(values)
    if kind == "category" or values.n_unique() <= FEW_VALUES:
        return CategoryEncoder.fit(values)
    return TextEncoder.fit(values, seed)


def _facts(encoder: Encoder) -> dict[str, Any]:
    """Return an encoder, but for its arrays, as plain values."""
    (name,) = [name for name, kind in _ENCODERS.items() if isinstance(encoder, kind)]
    values = {field.name: getattr(encoder, field.name) for field in fields(cast(Any, encoder))}
    return {"encoder": name, **{key: value for key, value in values.items() if isinstance(value, bool | tuple)}}


def _read(path: Path, features: Features) -> tuple[Encoder, ...]:
    arrays = read_arrays(path)
    columns = json.loads(arrays["description"].tobytes())["columns"]
    names = [column.pop("name") for column in columns]
    _require(names == list(features.columns), "its columns are others than those of columns.json")
    scales = arrays["scales"]
    _require(scales.dtype == np.float64 and scales.ndim == 2 and scales.shape[1] == 4, "its scales have another shape")
    _require(bool((scales[:, 1::2] > 0).all() and np.isfinite(scales[:, ::2]).all()), "its scales are not valid")
    encoders, start = [], 0
    for number, (facts, column) in enumerate(zip(columns, features.columns.values(), strict=True)):
        encoding = facts.pop("encoder")
        kind = _ENCODERS[encoding]
        _require(column.kind in kind.kinds, f"`{column.name}` is {column.kind} in columns.json")
        if encoding == "text":
            facts["ngrams"] = _ngrams({name: arrays[f"{name}_{number}"] for name in _TEXT_ARRAYS})
        facts = {key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()}
        encoder = kind(scales=scales[start:], **facts)
        _require_facts(encoder)
        count = len(encoder.labels)
        encoders.append(replace(encoder, scales=scales[start : start + count]))
        start += count
    _require(start == len(scales), "its scales have another shape")
    return tuple(encoders)


def _require_facts(encoder: Encoder) -> None:
    for key, value in vars(encoder).items():
        if key in ("flagged", "binary"):
            _require(isinstance(value, bool), f"`{key}` is {value!r}")
    if isinstance(encoder, DateEncoder):
        _require(len(encoder.parts) > 0 and set(encoder.parts) <= DATE_PARTS.keys(), "a part of a date is unknown")
    if isinstance(encoder, CategoryEncoder):
        values = (*encoder.values, *encoder.rare)
        texts = all(isinstance(value, str) for value in values)
        _require(texts and len(set(values)) == len(values), "categories must be different texts")


def _ngrams(arrays: dict[str, np.ndarray]) -> Ngrams:
    keys, idf, components = arrays.values()
    right = all(arrays[name].dtype == dtype for name, dtype in _TEXT_ARRAYS.items())
    _require(right and keys.ndim == idf.ndim == 1 and components.ndim == 2, "its n-grams have another shape")
    _require(0 < len(keys) == len(idf) == len(components), "its n-grams have another shape")
    _require(bool((keys[1:] > keys[:-1]).all() and np.isfinite(idf).all()), "its n-grams are not valid")
    _require(bool(np.isfinite(components).all()), "its n-grams are not valid")
    return Ngrams(keys, idf, components)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
