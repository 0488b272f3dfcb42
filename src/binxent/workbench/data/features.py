"""The features: which columns to learn from, and their preprocessing for a network."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from binxent.workbench.data.table import KINDS, canonical, kind_of, require_columns

ID_NAME = re.compile(r"(?i:(^|[_\W])(id|uuid|guid|key|index|row|nr|no|number)$|^unnamed)|[a-z](Id|ID)$")


@dataclass(frozen=True)
class Features:
    """The columns to learn from.

    Attributes:
        kinds: Their kinds ("number", "boolean", "date" or "text") by name.
        left_out: Why other columns were left out, by name.
    """

    kinds: dict[str, str]
    left_out: dict[str, str]

    @property
    def summary(self) -> str:
        """The number of columns of each kind, in words."""
        counts = {kind: list(self.kinds.values()).count(kind) for kind in KINDS}
        return ", ".join(f"{n:,} {kind}{'s' * (n > 1)}" for kind, n in counts.items() if n)

    def select(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return the features of a table, each in the type of its kind."""
        return table.select(canonical(name, table.schema[name], kind) for name, kind in self.kinds.items())


def find_features(
    table: pl.DataFrame, roles: Collection[str] = (), exclude: Collection[str] = (), include: Collection[str] = ()
) -> Features:
    """Choose the columns to learn from.

    Constant columns carry no information. A column that identifies its row makes a network memorise the training rows:
    text of single words that all differ, or whole numbers that all differ and are named like an id or count the rows.

    Args:
        table: The whole table.
        roles: Columns with another role: target, weight, group.
        exclude: Columns the user leaves out.
        include: Columns the user keeps though they look like ids.

    Raises:
        ValueError: If there is no column of a name, `include` names a column that cannot be kept, or no column is
            left to learn from.
    """
    require_columns(exclude, table.columns, "--exclude")
    require_columns(include, table.columns, "--include")
    if both := [name for name in include if name in exclude]:
        raise ValueError(f"--exclude and --include both name the column `{both[0]}`; name it in one of them.")
    kinds, left_out = {}, {}
    for column in table:
        if column.name in roles:
            continue
        kind = kind_of(column.dtype)
        reason = "--exclude" if column.name in exclude else _reason_to_leave_out(column, kind, column.name in include)
        if reason is None and kind is not None:
            kinds[column.name] = kind
        elif column.name in include:
            raise ValueError(
                f"--include: the column `{column.name}` has nothing to learn from ({reason}); do not name it there."
            )
        else:
            left_out[column.name] = str(reason)
    if not kinds:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items()) or "it has no other columns"
        raise ValueError(f"the table has no column to learn from ({reasons}). --include COLUMN keeps one.")
    return Features(kinds, left_out)


def _reason_to_leave_out(column: pl.Series, kind: str | None, included: bool) -> str | None:
    if kind is None:
        return f"values of type {column.dtype}"
    if column.null_count() == len(column):
        return "empty"
    if column.n_unique() == 1:
        return "constant"
    return None if included or not _looks_like_id(column, kind) else "looks like an id; --include keeps it"


def _looks_like_id(column: pl.Series, kind: str) -> bool:
    values = column.drop_nulls()
    if kind not in ("number", "text") or values.n_unique() < len(values) or len(values) < 10:
        return False
    if kind == "text":
        words = values.cast(pl.String).str.strip_chars().str.count_matches(r"\s+").mean()
        return isinstance(words, float) and words < 1
    if not (values == values.round()).all():
        return False
    low, high = values.min(), values.max()
    counts_rows = isinstance(low, int | float) and isinstance(high, int | float) and high - low == len(values) - 1
    return counts_rows or ID_NAME.search(column.name) is not None


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
        from sklearn.preprocessing import StandardScaler
        from skrub import SquashingScaler, StringEncoder, TableVectorizer

        selected = self.features.select(table)
        self._pipeline = make_pipeline(
            TableVectorizer(high_cardinality=StringEncoder(random_state=self.seed)),
            # Linear for plausible values, bounded at 30 interquartile ranges: an absurd value in training cannot
            # flatten its column, and one in new data, infinity included, cannot move the logit without limit.
            SquashingScaler(max_absolute_value=30.0),
            StandardScaler(),
            SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True, keep_empty_features=True),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._pipeline.fit(selected)
        vectorizer = self._pipeline[0]
        self.categories = {
            name: selected[name].drop_nulls().unique(maintain_order=True).to_list()
            for name, kind in vectorizer.column_to_kind_.items()
            if kind == "low_cardinality" and self.features.kinds[name] == "text"
        }
        return self

    def transform(self, table: pl.DataFrame) -> np.ndarray:
        """Return the features of a table as a float32 matrix, shape (rows, inputs)."""
        with warnings.catch_warnings():
            # Unseen categories are reported once, through `unseen`, not in each batch.
            warnings.simplefilter("ignore")
            matrix = self._pipeline.transform(self.features.select(table))
        return np.ascontiguousarray(matrix, dtype=np.float32)

    def unseen(self, table: pl.DataFrame) -> Mapping[str, int]:
        """Return the number of values that were absent from the training rows, by category column."""
        counts = table.select(
            (pl.col(name).is_not_null() & ~pl.col(name).cast(pl.String).is_in(known)).sum().alias(name)
            for name, known in self.categories.items()
        )
        return counts.row(0, named=True) if self.categories else {}
