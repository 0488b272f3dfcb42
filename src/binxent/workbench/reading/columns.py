"""A column: its kind, how its values are written, and its conversion, the same in training and in prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import polars as pl

from binxent.workbench.reading import dates, numbers
from binxent.workbench.reading.dates import DateForm, parse_dates
from binxent.workbench.reading.missing import strip, without_placeholders
from binxent.workbench.reading.numbers import NumberForm, parse_numbers, plain_numbers
from binxent.workbench.wording import quoted

# The kinds of columns, each with the type that the preparation gets, whatever the type in the file.
KINDS: dict[str, pl.DataType] = {
    "number": pl.Float64(),
    "boolean": pl.Float64(),
    "date": dates.DATE,
    "category": pl.String(),
    "text": pl.String(),
}
SAMPLE = 2_000  # values from which the form of a column is found
EXAMPLES = 3  # of odd values
FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # of the years 1 to 9999, counted from 1970
BEYOND = "a date beyond the years 1 to 9999"


def kind_of(dtype: pl.DataType) -> str | None:
    """Return the kind of a polars type; None for types that the preparation cannot use."""
    if dtype.is_numeric() or dtype == pl.Null:
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype in (pl.Date, pl.Datetime):
        return "date"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    return None


@dataclass(frozen=True)
class Converted:
    """The values of a column in the type of its kind.

    Attributes:
        values: The values, null for missing and odd ones.
        missing: Number of missing values.
        odd: Number of values that are not of the kind.
        examples: A few different odd values, as text.
    """

    values: pl.Series
    missing: int
    odd: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """How to read a column.

    Attributes:
        name: Its name.
        kind: A key of `KINDS`.
        source: The kind of its type in the file; "text" where the file has only text.
        number: How its numbers are written.
        date: How its dates are written.
        code: Whether its categories are whole numbers: 007 and 7.0 are the category 7.
    """

    name: str
    kind: str
    source: str = "text"
    number: NumberForm = field(default_factory=NumberForm)
    date: DateForm = field(default_factory=DateForm)
    code: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the column as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Column:
        """Return the column that `to_json` gave these values.

        Raises:
            KeyError: If a value is missing.
            TypeError: If there is a further one.
            ValueError: If a value has another type, or there is no such kind.
        """
        forms = {"number": NumberForm(**values["number"]), "date": DateForm(**values["date"])}
        column = cls(values["name"], values["kind"], values["source"], **forms, code=values.get("code", False))
        usual = cls("", "text")
        for own, like in ((column, usual), (column.number, usual.number), (column.date, usual.date)):
            for key, value in vars(own).items():
                if type(value) is not type(vars(like)[key]):
                    raise ValueError(f"the column {column.name!r} cannot have {key} {value!r}")
        if column.kind not in KINDS:
            raise ValueError(f"the column {column.name!r} cannot have the kind {column.kind!r}")
        return column

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether values of a type can be converted without a guess."""
        kind = kind_of(dtype)
        return (
            dtype == pl.Null
            or kind in ("text", self.kind, self.source)
            or (self.kind == "category" and kind is not None)
        )

    def convert(self, values: pl.Series) -> Converted:
        """Convert values, and count those that are missing or are not of the kind.

        Example:
            >>> found = Column("age", "number").convert(pl.Series(["41", "n/a", " 7 ", "old"]))
            >>> found.values.to_list(), found.missing, found.odd, found.examples
            ([41.0, None, 7.0, None], 1, 1, ('old',))
        """
        values = values.alias("")  # polars takes some names for patterns, such as ^z$
        if self.code:
            found = replace(self, kind="number", code=False).convert(values)
            return replace(found, values=as_text(found.values))
        given = kind_of(values.dtype)
        typed = given == self.kind or values.dtype == KINDS[self.kind]
        if values.dtype == pl.Null or (typed and given != "text"):
            found = _canonical(values, self.kind)
            odd = _within_calendar(values).null_count() - values.null_count()
            return Converted(found, found.null_count() - odd, odd, (BEYOND,) * (odd > 0))
        text = as_text(values)
        if self.kind in ("text", "category"):
            text = strip(text)
            return Converted(text, text.null_count(), 0, ())
        plain = plain_numbers(text) if self.kind == "number" and self.number.decimal == "." else None
        rest = text if plain is None else text.filter(plain.is_null())
        if rest.null_count() == len(rest):
            return Converted(_canonical(rest if plain is None else plain, self.kind), len(rest), 0, ())
        rest = without_placeholders(strip(rest))
        if self.kind == "number":
            found = parse_numbers(rest, self.number)
        else:
            found = parse_dates(rest, self.date) if self.kind == "date" else _parse_booleans(rest)
        odd = rest.filter(found.is_null() & rest.is_not_null())
        if plain is not None:
            found = plain.scatter(plain.is_null().arg_true(), found)
        examples = tuple(odd.unique(maintain_order=True).head(EXAMPLES).to_list()) if len(odd) else ()
        return Converted(found, rest.null_count(), len(odd), examples)


def as_text(values: pl.Series) -> pl.Series:
    """Return values as text that `find_column` reads as the same values."""
    text = _within_calendar(values).cast(pl.String)
    # 3.0 is the category 3: whole numbers become fractions in a column with missing values.
    return text.str.replace(r"\.0$", "") if values.dtype.is_float() else text


def _canonical(values: pl.Series, kind: str) -> pl.Series:
    """Return typed values in the type of their kind, with null for every missing one."""
    dtype, values = values.dtype, _within_calendar(values)
    if kind == "date" and isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    values = values.cast(KINDS[kind])
    return values.fill_nan(None) if values.dtype == pl.Float64 else values


def _within_calendar(values: pl.Series) -> pl.Series:
    """Return values with null for dates outside of the years 1 to 9999, such as infinity in databases.

    Text has no others, and polars cannot convert some of them.
    """
    dtype = values.dtype
    if dtype not in (pl.Date, pl.Datetime):
        return values
    a_day = (
        {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}[dtype.time_unit] if dtype != pl.Date else 1
    )
    inside = (values.to_physical() // a_day).is_between(FIRST_DAY, LAST_DAY)
    return values.zip_with(inside.fill_null(True), values.clear(len(values)))


def _parse_booleans(text: pl.Series) -> pl.Series:
    words = text.str.to_lowercase()
    return words.replace_strict(["true", "false", "1", "0"], [1.0, 0.0] * 2, default=None, return_dtype=pl.Float64)


def find_column(
    values: pl.Series, kind: str | None = None, separator: str | None = None, decimal: str | None = None
) -> tuple[Column, Converted]:
    """Find out what a column holds and how it is written, and convert it.

    A column of text most of whose values are numbers, or dates, is of this kind.

    Args:
        values: All values of the column.
        kind: The kind that the user says it has; None to find it.
        separator: The separator of the file of text; None for other files.
        decimal: The decimal mark of the file's other columns, if it has been found.

    Raises:
        ValueError: If the column has no value of the kind that the user says it has.
    """
    name, values = values.name, values.alias("")  # polars takes some names for patterns, such as ^z$
    source = kind_of(values.dtype)
    if source is None or (source != "text" and kind in (None, source)):
        column = Column(name, source or "text", source or "")
        return column, column.convert(values) if source else Converted(values, values.null_count(), 0, ())
    text = as_text(values)
    if kind is None and values.dtype in (pl.Categorical, pl.Enum):
        column, found = find_column(text.alias(name), None, separator, decimal)
        if column.kind == "text":
            return column, found
        column = Column(name, "category", source)  # what its owner has made a category is no number
        return column, column.convert(text)
    overview = without_placeholders(strip(_sample(text))).drop_nulls()
    if kind is None and len(overview) and not overview.str.contains(r"(?i)\d|^(?:true|false)$").any():
        column = Column(name, "text", source)  # words alone
        return column, column.convert(text)
    plain = plain_numbers(text)
    if kind in (None, "number") and decimal is None and plain.null_count() == text.null_count() < len(text):
        # As programs write numbers: no form has to be found.
        return Column(name, "number", source), Converted(plain, plain.null_count(), 0, ())
    special = text.filter(plain.is_null() & text.is_not_null())
    sample = pl.concat([_sample(special), _sample(text.drop_nulls())]).unique(maintain_order=True)
    sample = without_placeholders(strip(sample)).drop_nulls()
    form = numbers.find_form(sample, separator, decimal)
    columns = {
        "boolean": Column(name, "boolean", source),
        "number": Column(name, "number", source, number=form),
        "date": Column(name, "date", source, date=dates.find_form(sample)),
        "category": Column(name, "category", source),
        "text": Column(name, "text", source),
    }
    if kind is not None:
        found = columns[kind].convert(values)
        if found.values.null_count() == len(values) and len(sample):
            shown = quoted(sample.head(EXAMPLES))
            raise ValueError(f"--{kind}: the column `{name}` holds no {kind}; its values are {shown}.")
        return columns[kind], found
    if len(sample) == 0:
        return columns["text"], columns["text"].convert(values)
    for candidate in ("boolean", "number", "date"):
        if (found := _converted_if_most(columns[candidate], text, sample)) is not None:
            return columns[candidate], found
    return columns["text"], columns["text"].convert(values)


def _sample(text: pl.Series) -> pl.Series:
    """Return different values from all over a column."""
    return text.gather_every(max(len(text) // SAMPLE, 1)).unique(maintain_order=True)


def _converted_if_most(column: Column, text: pl.Series, sample: pl.Series) -> Converted | None:
    """Convert a column if most of its values are of the kind; nearly all, where a unit may be part of a code."""
    if column.kind == "boolean" and not sample.str.to_lowercase().is_in(["true", "false"]).all():
        return None
    if column.convert(sample).odd == len(sample):
        return None
    found = column.convert(text)
    least = 0.9 if column.kind == "number" and numbers.is_word(column.number.unit) else 0.5
    return found if len(text) - found.missing - found.odd > least * (len(text) - found.missing) else None
