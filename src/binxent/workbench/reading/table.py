"""A table: files of rows with the same columns, read as one, each column in the type of its kind."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl

from binxent.workbench.reading.columns import Column, Converted, as_text, find_column, kind_of
from binxent.workbench.reading.csv_rows import NotNumbersError
from binxent.workbench.reading.files import find_files, size_in_words
from binxent.workbench.reading.missing import strip, without_placeholders
from binxent.workbench.reading.numbers import plain_numbers
from binxent.workbench.reading.row_sample import RowSample
from binxent.workbench.reading.sources import Source, open_source, remarks
from binxent.workbench.suggestions import nearest
from binxent.workbench.wording import Writer


@dataclass(frozen=True)
class Reading:
    """What was read of a column.

    Attributes:
        column: How it was read.
        missing: Number of missing values.
        odd: Number of values that are not of its kind, and count as missing.
        examples: A few of them.
    """

    column: Column
    missing: int = 0
    odd: int = 0
    examples: tuple[str, ...] = ()

    @property
    def remark(self) -> str:
        """How an ambiguity was resolved, or ""."""
        number, date = self.column.number, self.column.date
        if self.column.kind == "number" and number.unclear:
            taken = "thousands" if number.decimal == "." else "decimals"
            return f"the comma is taken for a mark of {taken}"
        if self.column.kind == "date" and (date.unclear or date.mixed):
            order = "day before month" if (date.unclear or date.mixed)[0] in date.day_first else "month before day"
            both = "some values have the day first and others the month; " if date.mixed else ""
            return f"{both}where only the order tells them apart, {order} is taken"
        return ""


@dataclass(frozen=True)
class Whole:
    """All rows of a table that holds a sample of them.

    Attributes:
        count: The number of rows.
        places: Positions of the sampled rows.
        batches: Reads columns of all rows again, as they are in the files.
    """

    count: int
    places: np.ndarray
    batches: Callable[[Collection[str]], Iterator[pl.DataFrame]]


@dataclass(frozen=True)
class Table:
    """Rows, and how their columns were read.

    Attributes:
        rows: The rows, each column in the type of its kind; a sample of them, without the columns that have a role, if
            they are too many to be held.
        roles: The columns that have a role, of all rows.
        readings: What was read of each column, by name, in the order of the file.
        fingerprint: SHA-256 of the files' bytes.
        first_of_test: Position of the first row that is of a file of test rows; the number of rows if there is none.
        whole: What `rows` is a sample of; None if it is all rows.
    """

    rows: pl.DataFrame
    roles: pl.DataFrame
    readings: dict[str, Reading]
    fingerprint: str
    first_of_test: int
    whole: Whole | None = None


class Files:
    """Files that make up a table, opened.

    Attributes:
        names: Names of the columns, in the order of the first file.
    """

    def __init__(self, patterns: Iterable[str], test: Iterable[str] = ()) -> None:
        """Open the files.

        Args:
            patterns: Paths and globs.
            test: Paths and globs of further files, whose rows are to be told apart.

        Raises:
            FileNotFoundError: If a path or glob names nothing.
            ValueError: If a file is empty or damaged, or named in both lists.
        """
        learnt, held_out = find_files(patterns), find_files(test)
        if both := {file.resolve() for file in learnt} & {file.resolve() for file in held_out}:
            raise ValueError(f"--test: {min(both)} is one of DATA; rows to judge by must be other rows.")
        self._sources = [open_source(file) for file in (*learnt, *held_out)]
        self._learnt = len(learnt)
        self.names: list[str] = list(dict.fromkeys(self._sources[0].names))

    def read(
        self,
        exclude: Collection[str] = (),
        kinds: Mapping[str, str] | None = None,
        roles: Mapping[str, str | None] | None = None,
        write: Writer = lambda _: None,
    ) -> Table:
        """Read all rows; of a table that is too large a sample, but for the columns with a role.

        Args:
            exclude: Columns to leave unread.
            kinds: Kinds that the user says columns have, by name.
            roles: Columns that are not learnt from, by name: "label" for one that is a number or date only if all of
                its values are, "key" for one whose text is not to be interpreted, None for others.
            write: Writes a line for the user.

        Raises:
            ValueError: If a row is damaged, the files' columns differ, or a column has no value of its kind.
        """
        names = [name for name in self.names if name not in exclude]
        self._require_same_columns(exclude)
        sizes = size_in_words(sum(source.file.stat().st_size for source in self._sources))
        files = self._sources[0].file.name if len(self._sources) == 1 else f"{len(self._sources):,} files"
        write(f"Reading     {files} ({sizes})")
        roles = roles or {}
        as_they_are = {*(kinds or {}), *(name for name, role in roles.items() if role)}
        digest, rows, parsed = hashlib.sha256(), RowSample(names, roles), []
        for source in self._sources:
            own, numbers = _read_source(source, names, source.numeric - as_they_are, rows)
            digest.update(own)
            parsed.append(numbers)
        for remark in remarks(self._sources):
            write(f"Note        {remark}")
        if names and rows.rows == 0:
            raise ValueError(f"{self._sources[0].file} has a header but no rows.")

        def again(columns: Collection[str]) -> Iterator[pl.DataFrame]:
            for source, numbers in zip(self._sources, parsed, strict=True):
                try:
                    yield from source.batches(columns, numbers=[name for name in numbers if name in columns])
                except NotNumbersError:
                    raise ValueError(f"{source.file} has changed since it was read.") from None

        whole = Whole(rows.rows, rows.places(), again) if rows.is_large else None
        first_of_test = sum(rows.sources[: self._learnt])
        parts = rows.columns([source.types for source in self._sources])
        del rows  # its frames need not outlive the conversion
        found = self._convert(names, parts, kinds or {}, {name: role for name, role in roles.items() if role})
        return _table(found, roles, digest.hexdigest(), first_of_test, whole)

    def _convert(
        self,
        names: list[str],
        parts: dict[str, list[pl.Series]],
        kinds: Mapping[str, str],
        roles: Mapping[str, str],
    ) -> dict[str, tuple[Column, Converted]]:
        separators = {source.separator for source in self._sources}
        separator = separators.pop() if len(separators) == 1 else None

        def convert(name: str, decimal: str | None = None) -> tuple[Column, Converted]:
            return self._convert_column(name, parts[name], kinds.get(name), roles.get(name), separator, decimal)

        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            found = dict(zip(names, pool.map(convert, names), strict=True))
        forms = {name: column.number for name, (column, _) in found.items() if column.kind == "number"}
        if any(form.decimal == "," and not form.unclear for form in forms.values()):
            # The other columns of the file have decimal commas too: 1.234 is more than a thousand.
            for name, form in forms.items():
                text = kind_of(parts[name][0].dtype) == "text"
                if text and (form.decimal == "." or form.unclear):
                    found[name] = convert(name, ",")
        return found

    def _convert_column(
        self, name: str, parts: list[pl.Series], kind: str | None, role: str | None, separator: str | None,
        decimal: str | None,
    ) -> tuple[Column, Converted]:  # fmt: skip
        full = [part for part in parts if part.null_count() < len(part)]
        if not full:
            return find_column(pl.Series(name, [None] * sum(len(part) for part in parts), dtype=pl.Null), kind)
        types = {kind_of(part.dtype) for part in full}
        if len(types) > 1 and None in types:
            self._refuse_kinds(name, [kind_of(part.dtype) or str(part.dtype) for part in parts])
        if len(types) > 1:  # a CSV file beside a Parquet file
            parts = [as_text(part) for part in parts]
        if kind is None and role != "key":
            self._require_same_writing(name, parts)
        filled = [part.clear().to_frame() for part in parts if part.null_count() < len(part)]
        (dtype,) = pl.concat(filled, how="vertical_relaxed").dtypes
        values = pl.concat([part.cast(dtype) for part in parts])
        return find_column(values, kind, separator, decimal) if role is None else _in_role(values, role, separator)

    def _require_same_writing(self, name: str, parts: list[pl.Series]) -> None:
        """Refuse a column that holds numbers alone in one file, and none in another."""
        if len(parts) == 1 or kind_of(parts[0].dtype) != "text":
            return
        kinds = []
        for part in parts:
            sample = without_placeholders(strip(part.drop_nulls().head(100))).drop_nulls()
            numbers = len(sample) - plain_numbers(sample).null_count()
            kinds.append({0: "text", len(sample): "number"}.get(numbers) if len(sample) else None)
        if {"text", "number"} <= set(kinds):
            self._refuse_kinds(name, kinds)

    def _refuse_kinds(self, name: str, kinds: list[str | None]) -> None:
        (first, one), *others = [(source.file, kind) for source, kind in zip(self._sources, kinds, strict=True) if kind]
        other, another = next((file, kind) for file, kind in others if kind != one)
        raise ValueError(
            f"the column `{name}` is {one} in {first} and {another} in {other}. Say which it is, for example "
            f"--text '{name}', or mend a file."
        )

    def _require_same_columns(self, exclude: Collection[str]) -> None:
        first = self._sources[0]
        wanted = [name for name in self.names if name not in exclude]
        for source in self._sources[1:]:
            for one, other, names in ((source, first, wanted), (first, source, source.names)):
                for name in names:
                    if name not in one.names and name not in exclude:
                        raise ValueError(
                            f"{one.file} lacks the column `{name}` that {other.file} has. All files need the same "
                            "columns."
                        )


def _read_source(
    source: Source, names: list[str], numeric: Collection[str], rows: RowSample
) -> tuple[bytes, list[str]]:
    """Add all rows of a file, and return its SHA-256 and the columns that are parsed as numbers."""
    # With other separators, points may stand between thousands.
    numbers = [name for name in names if name in numeric] if source.separator == "," else []
    rows.add_source()
    while True:
        digest = hashlib.sha256()
        try:
            for batch in source.batches(names, digest, numbers):
                rows.add(batch)
        except NotNumbersError:
            rows.restart_source()
            numbers = []
        else:
            return digest.digest(), numbers


def _in_role(values: pl.Series, role: str, separator: str | None) -> tuple[Column, Converted]:
    """Convert labels, which are numbers only if all of them are; leave typed values as they are, and blanks in text."""
    if kind_of(values.dtype) != "text":
        return Column(values.name, kind_of(values.dtype) or "text"), Converted(values, values.null_count(), 0, ())
    text = Column(values.name, "text").convert(values)
    if role == "label":
        column, found = find_column(values, None, separator)
        if column.kind == "number" and found.odd == 0 and found.missing == text.missing:
            return column, found
    as_written = values.alias("").cast(pl.String).set(text.values.is_null(), None)
    if role == "label":
        # A third class beside two is no class if it is a word for a missing value.
        known = without_placeholders(text.values)
        classes = known.drop_nulls().str.to_lowercase().n_unique()
        if classes == 2 < text.values.drop_nulls().str.to_lowercase().n_unique():
            as_written = as_written.set(known.is_null(), None)
    return Column(values.name, "text"), Converted(as_written, as_written.null_count(), 0, ())


def _table(
    found: Mapping[str, tuple[Column, Converted]],
    roles: Collection[str],
    fingerprint: str,
    first_of_test: int | None = None,
    whole: Whole | None = None,
) -> Table:
    values = [converted.values.alias(name) for name, (_, converted) in found.items()]
    rows = pl.DataFrame([column for column in values if whole is None or column.name not in roles])
    with_role = pl.DataFrame([column for column in values if column.name in roles])
    readings = {
        name: Reading(column, converted.missing, converted.odd, converted.examples)
        for name, (column, converted) in found.items()
    }
    first_of_test = rows.height if first_of_test is None else first_of_test
    return Table(rows, with_role, readings, fingerprint, first_of_test, whole)


def read_frame(
    rows: pl.DataFrame,
    fingerprint: str = "",
    kinds: Mapping[str, str] | None = None,
    roles: Mapping[str, str | None] | None = None,
) -> Table:
    """Read rows in memory as `Files.read` does those of a file."""
    found, roles = {}, roles or {}
    for column in rows:
        role = roles.get(column.name)
        found[column.name] = (
            find_column(column, (kinds or {}).get(column.name)) if role is None else _in_role(column, role, None)
        )
    return _table(found, roles, fingerprint)


def require_columns(names: Iterable[str], columns: Iterable[str], option: str) -> None:
    """Raise a ValueError with the most similar column if there is no column of a name."""
    columns = list(columns)
    for name in names:
        if name not in columns:
            raise ValueError(f"{option}: there is no column `{name}`.{nearest(name, columns)}")


def named_columns(given: Iterable[str], columns: Collection[str], option: str) -> tuple[str, ...]:
    """Return the columns that an option names, each as the whole of a value, or several as A,B.

    Raises:
        ValueError: If there is no column of a name, or a column is named twice.

    Example:
        >>> named_columns(["weight, kg", "a,b"], ["a", "b", "weight, kg"], "--exclude")
        ('weight, kg', 'a', 'b')
    """
    names = []
    for value in given:
        parts = [value] if value in columns else [part.strip() for part in value.split(",")]
        if not all(parts):
            raise ValueError(f"{option}: {value!r} has an empty column name; write the names as A,B.")
        if len(parts) > 1 and not any(part in columns for part in parts):
            parts = [value]  # reported as a whole
        names += parts
    require_columns(names, columns, option)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{option} names the column `{name}` {names.count(name)} times; name it once.")
    return tuple(names)
