"""The features: which columns to learn from, and their preprocessing for a network."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from binxent.workbench.reading.columns import KINDS, Column, Converted
from binxent.workbench.reading.table import Reading, Table

MOST_CATEGORIES = 200  # with an input of their own; the rarest share one
ID_NAME = re.compile(r"(?i:(^|[_\W])(id|uuid|guid|key|index|row|nr|no|number)$|^unnamed)|[a-z](Id|ID)$")


@dataclass(frozen=True)
class Features:
    """The columns to learn from.

    Attributes:
        columns: How to read them, by name.
        left_out: Why other columns were left out, by name.
    """

    columns: dict[str, Column]
    left_out: dict[str, str]

    @property
    def kinds(self) -> dict[str, str]:
        """The kinds of the columns, by name."""
        return {name: column.kind for name, column in self.columns.items()}

    @property
    def summary(self) -> str:
        """The number of columns of each kind, in words."""
        counts = {kind: list(self.kinds.values()).count(kind) for kind in KINDS}
        plurals = {"category": "categories"}
        return ", ".join(f"{n:,} {plurals.get(kind, f'{kind}s') if n > 1 else kind}" for kind, n in counts.items() if n)

    def convert(self, table: pl.DataFrame) -> dict[str, Converted]:
        """Convert the features of a table as it was read, by name."""
        return {name: column.convert(table.get_column(name)) for name, column in self.columns.items()}

    def select(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return the features of a converted table, with names that are no patterns: c0, c1 and so on."""
        found = []
        for place, (name, column) in enumerate(self.columns.items()):
            values = table.get_column(name)
            converted = values if values.dtype == KINDS[column.kind] else column.convert(values).values
            found.append(converted.alias(f"c{place}"))
        return pl.DataFrame(found)


def find_features(
    table: Table, roles: Collection[str] = (), include: Mapping[str, str] = MappingProxyType({})
) -> Features:
    """Choose the columns to learn from.

    Constant columns carry no information. A column that identifies its row makes a network memorise the training rows:
    text of single words that all differ, or whole numbers that all differ and are named like an id or count the rows.

    Args:
        table: The rows that are used.
        roles: Columns with another role: target, weight, group.
        include: Columns the user keeps though they look like ids, with the option that says so.

    Raises:
        ValueError: If `include` names a column that cannot be kept.
    """
    columns, left_out = {}, {}
    for column in table.rows:
        name, values = column.name, column.alias("")
        if name in roles:
            continue
        reading = table.readings[name]
        reason = _reason_to_leave_out(values, reading, name in include)
        if reason is None:
            columns[name] = reading.column
        elif name in include:
            raise ValueError(
                f"{include[name]}: the column `{name}` has nothing to learn from ({reason}); do not name it there."
            )
        else:
            left_out[name] = reason
    return Features(columns, left_out)


def _reason_to_leave_out(values: pl.Series, reading: Reading, included: bool) -> str | None:
    kind = reading.column.kind
    if values.dtype != KINDS[kind] and values.null_count() < len(values):
        return f"values of type {values.dtype}"
    if values.null_count() == len(values):
        return "empty"
    if values.n_unique() == 1:
        return "constant"
    return None if included or not _looks_like_id(values, reading) else "looks like an id; --include keeps it"


def _looks_like_id(column: pl.Series, reading: Reading) -> bool:
    kind, form = reading.column.kind, reading.column.number
    if kind not in ("number", "text") or reading.odd or form.unit or len(column) - column.null_count() < 10:
        return False
    values = column.drop_nulls()
    if kind == "number" and not (values == values.round()).all():
        return False
    if values.n_unique() < len(values):
        return False
    if kind == "text":
        words = values.str.strip_chars().str.count_matches(r"\s+").mean()
        return isinstance(words, float) and words < 1
    low, high = values.min(), values.max()
    counts_rows = isinstance(low, int | float) and isinstance(high, int | float) and high - low == len(values) - 1
    return counts_rows or ID_NAME.search(reading.column.name) is not None


class Preprocessor:
    """Turns columns of any kind into float32 numbers of mean 0 and variance 1, the inputs of a network.

    skrub's TableVectorizer encodes categories, long texts and dates. A missing number becomes the mean and a flag
    beside it; a category that is absent from the training rows becomes zeros.
    """

    def __init__(self, features: Features, seed: int) -> None:
        self.features = features
        self.seed = seed
        self.categories: dict[str, list[str]] = {}
        self._pipeline: Any = None

    def fit(self, table: pl.DataFrame) -> Preprocessor:
        """Learn the encodings and scales from the training rows."""
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler
        from skrub import SquashingScaler, StringEncoder, TableVectorizer

        selected = self.features.select(table)
        names = dict(zip(selected.columns, self.features.columns, strict=True))
        categories = [place for place, name in names.items() if self.features.columns[name].kind == "category"]
        one_hot = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False
        )
        one_hot.set_output(transform="polars")
        self._pipeline = make_pipeline(
            TableVectorizer(
                high_cardinality=StringEncoder(random_state=self.seed),
                specific_transformers=[(one_hot, categories)] if categories else (),
            ),
            # Linear for plausible values, bounded at 30 interquartile ranges: an absurd value in training cannot
            # flatten its column, and one in new data, infinity included, cannot move the logit without limit.
            SquashingScaler(max_absolute_value=30.0),
            StandardScaler(),
            SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True, keep_empty_features=True),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._pipeline.fit(selected)
        kinds = self._pipeline[0].column_to_kind_
        self.categories = {
            name: selected[place].drop_nulls().unique(maintain_order=True).to_list()
            for place, name in names.items()
            if place in categories or (kinds[place] == "low_cardinality" and self.features.kinds[name] == "text")
        }
        return self

    def transform(self, table: pl.DataFrame) -> np.ndarray:
        """Return the features of a converted table as a float32 matrix, shape (rows, inputs)."""
        with warnings.catch_warnings():
            # Unseen categories are reported once, through `unseen`, not in each batch.
            warnings.simplefilter("ignore")
            matrix = self._pipeline.transform(self.features.select(table))
        return np.ascontiguousarray(matrix, dtype=np.float32)

    def unseen(self, table: pl.DataFrame) -> Mapping[str, int]:
        """Return the number of values that were absent from the training rows, by category column."""
        counts = {}
        for name, known in self.categories.items():
            values = table.get_column(name).cast(pl.String).alias("")
            counts[name] = int((values.is_not_null() & ~values.is_in(known)).sum())
        return counts
