"""The encoders: each turns a column of one kind into inputs of a network, in the same way for training and new rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
import polars as pl

from binxent.workbench.data.ngrams import Ngrams

FEW_VALUES = 40  # a text column with at most so many different values is a category
MOST_CATEGORIES = 200  # with an input of their own; the rarest share one
BOUND = 30.0  # of scaled numbers, in interquartile ranges
LARGEST = 1e150  # of numbers: larger ones count as infinite
QUANTILE_ROWS = 1 << 20
UNSCALED = (0.0, 1.0, 0.0, 1.0)


class Encoder(Protocol):
    """What all encoders have.

    Attributes:
        kinds: The kinds of columns that it encodes.
    """

    kinds: ClassVar[tuple[str, ...]]

    @property
    def labels(self) -> list[str]:
        """What each input adds to the name of the column."""
        ...

    @property
    def continuous(self) -> list[bool]:
        """Whether each input is a quantity, which may have bins."""
        ...

    @property
    def scales(self) -> np.ndarray:
        """Center, spread, mean and deviation of each input, shape (inputs, 4)."""
        ...

    def encode(self, values: pl.Series, inputs: np.ndarray) -> None:
        """Write the inputs of some rows, shape (rows, inputs)."""
        ...


def find_scales(raw: np.ndarray) -> np.ndarray:
    """Return center, spread, mean and deviation of each column of a matrix, whose NaN are missing.

    Center and spread are the median and the interquartile range; where that is 0, half of the whole range. Mean and
    deviation are those of the squashed numbers. What does not vary gets an infinite spread: it becomes 0.

    Args:
        raw: Shape (rows, inputs).

    Source:
        SquashingScaler of skrub; D. Holzmüller et al., "Better by Default", 2024.
    """
    scales = np.tile([0.0, math.inf, 0.0, 1.0], (raw.shape[1], 1))
    for scale, column in zip(scales, raw.T, strict=True):
        present = np.clip(column[~np.isnan(column)], -LARGEST, LARGEST)
        finite = present[np.abs(present) < LARGEST]
        if len(finite) == 0 or finite.min() == finite.max():
            continue
        sample = finite[:: -(-len(finite) // QUANTILE_ROWS)]
        low, median, high = np.percentile(sample, [25, 50, 75])
        scale[:2] = median, high - low if high > low else (finite.max() - finite.min()) / 2
        squashed = _squash(present, scale)
        scale[2:] = squashed.mean(), squashed.std()
    return scales


def _squash(raw: np.ndarray, scales: np.ndarray) -> np.ndarray:
    # Linear for plausible values, bounded at 30 interquartile ranges: an absurd value in training cannot flatten its
    # column, and one in new data, infinity included, cannot move the logit without limit.
    with np.errstate(over="ignore"):
        outlying = (np.clip(raw, -LARGEST, LARGEST) - scales[..., 0]) / (scales[..., 1] * BOUND)
    outlying = np.clip(outlying, -LARGEST, LARGEST)  # whose square is finite
    return BOUND * outlying / np.sqrt(1 + outlying * outlying)


def scaled(raw: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return numbers of mean 0 and variance 1 in training, and 0 where they are missing.

    Args:
        raw: Shape (rows, inputs), with NaN for missing numbers.
        scales: As `find_scales` gives them.
    """
    found = (_squash(raw, scales) - scales[:, 2]) / scales[:, 3]
    found[np.isnan(found)] = 0
    return found


class _Scaled:
    """An encoder of numbers, with an input that flags missing values if there were any in training."""

    scales: np.ndarray
    flagged: bool

    def _write(self, raw: np.ndarray, missing: np.ndarray, inputs: np.ndarray) -> None:
        inputs[:, : raw.shape[1]] = scaled(raw, self.scales[: raw.shape[1]])
        if self.flagged:
            inputs[:, -1] = missing


def _with_flag(scales: np.ndarray, flagged: bool) -> np.ndarray:
    return np.concatenate([scales, [UNSCALED]]) if flagged else scales


def _is_flagged(values: pl.Series) -> bool:
    return 0 < values.null_count() < len(values)


@dataclass(frozen=True)
class NumberEncoder(_Scaled):
    """A column of numbers or truth values.

    Attributes:
        scales: As in `Encoder`.
        flagged: Whether the last input flags missing values.
        binary: Whether it had two different values in training.
    """

    kinds: ClassVar[tuple[str, ...]] = ("number", "boolean")
    scales: np.ndarray
    flagged: bool
    binary: bool

    @classmethod
    def fit(cls, values: pl.Series) -> NumberEncoder:
        """Learn the scale from the training rows."""
        flagged = _is_flagged(values)
        raw = values.to_numpy()
        binary = bool((np.isnan(raw) | (raw == values.min()) | (raw == values.max())).all())
        return cls(_with_flag(find_scales(raw[:, None]), flagged), flagged, binary)

    @property
    def labels(self) -> list[str]:
        """What each input adds to the name of the column."""
        return ["", " missing"] if self.flagged else [""]

    @property
    def continuous(self) -> list[bool]:
        """Whether each input is a quantity, which may have bins."""
        return [not self.binary, False] if self.flagged else [not self.binary]

    def encode(self, values: pl.Series, inputs: np.ndarray) -> None:
        """Write the inputs of some rows, shape (rows, inputs)."""
        raw = values.to_numpy()[:, None]
        self._write(raw, np.isnan(raw[:, 0]), inputs)


def _circle(steps: int) -> np.ndarray:
    angle = 2 * np.pi * np.arange(steps + 1) / steps
    return np.column_stack([np.sin(angle), np.cos(angle)])


YEAR_CIRCLE, DAY_CIRCLE = _circle(366), _circle(24)  # sine and cosine of each day, and of each hour
# Parts of a date. The positions on a circle are looked up: sines do not have the same last bits everywhere.
DATE_PARTS: dict[str, Any] = {
    "year": lambda dates: dates.dt.year(),
    "month": lambda dates: dates.dt.month(),
    "day": lambda dates: dates.dt.day(),
    "weekday": lambda dates: dates.dt.weekday(),
    "hour": lambda dates: dates.dt.hour(),
    "seconds since 1970": lambda dates: dates.dt.timestamp("ms") / 1000,
    "sine of the day of the year": lambda dates: YEAR_CIRCLE[dates.dt.ordinal_day().fill_null(0), 0],
    "cosine of the day of the year": lambda dates: YEAR_CIRCLE[dates.dt.ordinal_day().fill_null(0), 1],
    "sine of the hour": lambda dates: DAY_CIRCLE[dates.dt.hour().fill_null(0), 0],
    "cosine of the hour": lambda dates: DAY_CIRCLE[dates.dt.hour().fill_null(0), 1],
}


@dataclass(frozen=True)
class DateEncoder(_Scaled):
    """A column of dates, as those of its parts that vary.

    Attributes:
        scales: As in `Encoder`.
        flagged: Whether the last input flags missing values.
        parts: Keys of `DATE_PARTS`.
    """

    kinds: ClassVar[tuple[str, ...]] = ("date",)
    scales: np.ndarray
    flagged: bool
    parts: tuple[str, ...]

    @classmethod
    def fit(cls, values: pl.Series) -> DateEncoder:
        """Choose the parts and learn their scales from the training rows."""
        flagged = _is_flagged(values)
        found = {part: find_scales(_part(values, part)[:, None]) for part in DATE_PARTS}
        varying = {part: scale for part, scale in found.items() if np.isfinite(scale).all()}
        varying = varying or {"year": found["year"]}
        return cls(_with_flag(np.concatenate(list(varying.values())), flagged), flagged, tuple(varying))

    @property
    def labels(self) -> list[str]:
        """What each input adds to the name of the column."""
        return [*(f": {part}" for part in self.parts), *[" missing"] * self.flagged]

    @property
    def continuous(self) -> list[bool]:
        """Whether each input is a quantity, which may have bins."""
        return [*[True] * len(self.parts), *[False] * self.flagged]

    def encode(self, values: pl.Series, inputs: np.ndarray) -> None:
        """Write the inputs of some rows, shape (rows, inputs)."""
        raw = np.column_stack([_part(values, part) for part in self.parts])
        self._write(raw, values.is_null().to_numpy(), inputs)


def _part(dates: pl.Series, part: str) -> np.ndarray:
    found = np.array(DATE_PARTS[part](dates), np.float64)
    found[dates.is_null().to_numpy()] = np.nan
    return found


@dataclass(frozen=True)
class TextEncoder(_Scaled):
    """A column of texts, as components of their n-grams.

    Attributes:
        scales: As in `Encoder`.
        flagged: Whether the last input flags missing values.
        ngrams: The projection.
    """

    kinds: ClassVar[tuple[str, ...]] = ("text",)
    scales: np.ndarray
    flagged: bool
    ngrams: Ngrams

    @classmethod
    def fit(cls, values: pl.Series, seed: int) -> TextEncoder:
        """Learn the n-grams and the scales of their components from the training rows."""
        flagged, present = _is_flagged(values), values.drop_nulls()
        ngrams = Ngrams.fit(present, seed)
        sample = present.gather_every(-(-len(present) // QUANTILE_ROWS))
        return cls(_with_flag(find_scales(ngrams.project(sample).astype(np.float64)), flagged), flagged, ngrams)

    @property
    def labels(self) -> list[str]:
        """What each input adds to the name of the column."""
        count = self.ngrams.components.shape[1]
        return [*(f": text {number}" for number in range(1, count + 1)), *[" missing"] * self.flagged]

    @property
    def continuous(self) -> list[bool]:
        """Whether each input is a quantity, which may have bins."""
        # Directions of texts are many, and mean little by themselves: bins of them would be fitted to noise.
        return [False] * len(self.labels)

    def encode(self, values: pl.Series, inputs: np.ndarray) -> None:
        """Write the inputs of some rows, shape (rows, inputs)."""
        missing = values.is_null().to_numpy()
        raw = self.ngrams.project(values.fill_null("")).astype(np.float64)
        raw[missing] = np.nan
        self._write(raw, missing, inputs)


@dataclass(frozen=True)
class CategoryEncoder:
    """A column of categories: an input for each, standardised; one for all rare ones; one for missing values.

    A category that training has not seen is rare, or 0 in every input before they are standardised.

    Attributes:
        kinds: As in `Encoder`.
        scales: As in `Encoder`.
        values: Those with an input of their own.
        rare: Those that share an input.
        flagged: Whether missing values have an input.
    """

    kinds: ClassVar[tuple[str, ...]] = ("category", "text")
    scales: np.ndarray
    values: tuple[str, ...]
    rare: tuple[str, ...] = field(repr=False)
    flagged: bool

    @classmethod
    def fit(cls, values: pl.Series) -> CategoryEncoder:
        """Count the categories in the training rows."""
        counts = values.drop_nulls().alias("value").value_counts(name="count").sort("value")
        flagged = values.null_count() > 0
        places = len(counts) if len(counts) + flagged <= MOST_CATEGORIES else MOST_CATEGORIES - 1 - flagged
        order = np.argsort(counts["count"].to_numpy(), kind="stable")
        rare, common = (np.sort(part) for part in np.split(order, [len(order) - places]))
        totals = [*counts["count"].gather(common), *[counts["count"].gather(rare).sum()] * (len(rare) > 0)]
        share = np.array([*totals, *[values.null_count()] * flagged]) / len(values)
        deviation = np.sqrt(share * (1 - share))
        scales = np.tile(UNSCALED, (len(share), 1))
        scales[:, 2], scales[:, 3] = share, np.where(deviation > 0, deviation, math.inf)
        names = counts["value"]
        # Two categories are one indicator.
        first = 1 if len(scales) == 2 else 0
        return cls(scales[first:], tuple(names.gather(common)), tuple(names.gather(rare)), flagged)

    @cached_property
    def _inputs(self) -> list[str]:
        own = [f"={value}" for value in self.values]
        return [*own, *[": rare values"] * bool(self.rare), *[" missing"] * self.flagged]

    @property
    def labels(self) -> list[str]:
        """What each input adds to the name of the column."""
        return self._inputs[1:] if len(self._inputs) == 2 else self._inputs

    @property
    def continuous(self) -> list[bool]:
        """Whether each input is a quantity, which may have bins."""
        return [False] * len(self.labels)

    @cached_property
    def _known(self) -> pl.Enum:
        return pl.Enum(self.values)

    @property
    def places(self) -> tuple[dict[str, int], int, int]:
        """The input of each value, of all others and of missing ones; -1 for none."""
        first = len(self._inputs) - len(self.labels)
        of_values = {value: place - first for place, value in enumerate(self.values)}
        other = len(self.values) - first if self.rare else -1
        return of_values, other, len(self.labels) - 1 if self.flagged else -1

    @property
    def levels(self) -> tuple[np.ndarray, np.ndarray]:
        """What each input is without and with its value, shape (inputs,)."""
        share, deviation = self.scales[:, 2], self.scales[:, 3]
        return -share / deviation, (1 - share) / deviation

    def encode(self, values: pl.Series, inputs: np.ndarray) -> None:
        """Write the inputs of some rows, shape (rows, inputs)."""
        (of_values, other, missing), (low, high) = self.places, self.levels
        known = self._find(values).to_physical().cast(pl.Int64).fill_null(len(self.values)).to_numpy()
        place = np.array([*of_values.values(), other])[known]
        place[values.is_null().to_numpy()] = missing
        inputs[:] = low
        rows = np.flatnonzero(place >= 0)
        inputs[rows, place[rows]] = high[place[rows]]

    def unseen(self, values: pl.Series) -> int:
        """Return the number of values that were absent from the training rows."""
        unknown = values.filter(self._find(values).is_null() & values.is_not_null())
        return int((~unknown.is_in(self.rare)).sum()) if len(unknown) and self.rare else len(unknown)

    def _find(self, values: pl.Series) -> pl.Series:
        if not self.values:  # polars fails on an empty enumeration
            return pl.Series([None] * len(values), dtype=pl.Enum([""]))
        return values.cast(self._known, strict=False)
