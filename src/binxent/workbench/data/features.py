"""The features: which columns to learn from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import polars as pl

from binxent.workbench.reading.columns import KINDS, Column, Converted
from binxent.workbench.reading.table import Reading, Table
from binxent.workbench.wording import counts_of

LEAST = 10  # values, fewer show no pattern
_WORD = r"(?:^|[_\W])"
ID_NAME = re.compile(
    rf"(?i:{_WORD}(id|uid|uuid|guid|key|index|idx|row|nr|no|number|record|rownames?|row_?(id|nr|no|num(ber)?))$|^unnamed)"
    r"|[a-z](Id|ID|Uid|UID)$"
)
CODE_NAME = re.compile(
    rf"(?i:{_WORD}(id|code|zip|(zip|post(al)?)_?code|plz|nr|fips|sic|naics|icd(9|10)?|sku|upc|ean|isbn)$|[_\W]no$)"
    r"|[a-z](Id|ID|Code|Zip|Nr|No)$"
)
# The numbers of an order or a time are no codes, whatever stands behind: month_id, grade_code.
ORDINAL_NAME = re.compile(
    r"(?i)year|month|week|day|date|time|hour|quarter|season|(^|[_\W])age|rank|rating|grade|level|score|count|stage|size"
)
_HEX = r"^(?i:[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}|(0x)?[0-9a-f]{12,})$"  # UUIDs and hashes


@dataclass(frozen=True)
class Features:
    """The columns to learn from.

    Attributes:
        columns: How to read them, by name.
        left_out: Why other columns were left out, by name.
        remarks: How columns were taken that may be taken otherwise, by name.
    """

    columns: dict[str, Column]
    left_out: dict[str, str]
    remarks: dict[str, str] = field(default_factory=dict)

    @property
    def kinds(self) -> dict[str, str]:
        """The kinds of the columns, by name."""
        return {name: column.kind for name, column in self.columns.items()}

    @property
    def summary(self) -> str:
        """The number of columns of each kind, in words."""
        return counts_of(sorted(self.kinds.values(), key=list(KINDS).index))

    def convert(self, table: pl.DataFrame) -> dict[str, Converted]:
        """Convert the features of a table as it was read, by name."""
        return {name: column.convert(table.get_column(name)) for name, column in self.columns.items()}

    def values(self, table: pl.DataFrame, name: str) -> pl.Series:
        """Return a feature of a converted table in the type of its kind, without its name, which may be a pattern."""
        values, column = table.get_column(name).alias(""), self.columns[name]
        return values if values.dtype == KINDS[column.kind] else column.convert(values).values

    def select(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return the features of a converted table, with names that are no patterns: c0, c1 and so on."""
        return pl.DataFrame([self.values(table, name).alias(f"c{place}") for place, name in enumerate(self.columns)])


def find_features(
    table: Table,
    roles: Collection[str] = (),
    given: Mapping[str, str] = MappingProxyType({}),
    used: pl.Series | None = None,
) -> Features:
    """Choose the columns to learn from.

    Constant columns carry no information. A column that identifies its row makes a network memorise the training rows:
    text of single words that all differ, hashes, whole numbers that count the rows, or that are named like an id and
    hardly repeat. Whole numbers that are named like a code and repeat are categories. Names and values of features
    decide, never the target.

    Args:
        table: All rows, or a sample of them: a column that counts them has gaps when some are dropped.
        roles: Columns with another role: target, weight, group, time or split.
        given: Columns the user keeps though they look like ids, or says the kind of, with the option that says so.
        used: Whether each row of the table is used, shape (rows,); None if all are.

    Raises:
        ValueError: If `given` names a column that cannot be kept.
    """
    columns, left_out, remarks = {}, {}, {}
    for column in table.rows:
        name, values = column.name, column.alias("")
        if name in roles:
            continue
        reading = table.readings[name]
        reason = _without_information(values if used is None else values.filter(used), reading)
        if reason is not None and name in given:
            raise ValueError(
                f"{given[name]}: the column `{name}` has nothing to learn from ({reason}); do not name it there."
            )
        rows = len(values) if table.whole is None else table.whole.count
        if reason is None and name not in given and _looks_like_id(values, reading, rows):
            reason = "looks like an id; --include keeps it"
        if reason is not None:
            left_out[name] = reason
        elif given.get(name, "--include") == "--include" and _looks_like_code(values, reading):
            columns[name] = replace(reading.column, kind="category", code=True)
            remarks[name] = "a code, taken as a category; --number keeps the numbers"
        else:
            columns[name] = reading.column
    return Features(columns, left_out, remarks)


def _without_information(values: pl.Series, reading: Reading) -> str | None:
    kind = reading.column.kind
    if values.dtype != KINDS[kind] and values.null_count() < len(values):
        return f"values of type {values.dtype}"
    if values.null_count() == len(values):
        return "empty"
    return "constant" if values.n_unique() == 1 else None


def _looks_like_id(column: pl.Series, reading: Reading, rows: int) -> bool:
    kind, form = reading.column.kind, reading.column.number
    values = column.drop_nulls()
    if kind not in ("number", "text") or reading.odd or form.unit or len(values) < LEAST:
        return False
    named = ID_NAME.search(reading.column.name) is not None
    differing = values.n_unique() / len(values)
    if kind == "text":
        hashes = differing > 0.9 and values.str.contains(_HEX).all()
        return hashes or (differing == 1 and _words(values) < 1)
    if not _whole(values) or differing < (0.95 if named else 1):
        return False
    span = float(values.max()) - float(values.min()) + 1  # type: ignore[arg-type]  (of floats)
    in_order = len(values) == len(column) and bool((values.diff().drop_nulls() > 0).all())
    # The numbers of a sample have gaps; so many that all differ within the span of the rows would not be chance.
    sampled = rows > len(column)
    counts_rows = span == len(values) or ((in_order or sampled) and span <= 1.5 * rows * len(values) / len(column))
    return named or (counts_rows and not ORDINAL_NAME.search(reading.column.name))


def _looks_like_code(column: pl.Series, reading: Reading) -> bool:
    name, values = reading.column.name, column.drop_nulls()
    if reading.column.kind != "number" or reading.column.number.unit or len(values) < LEAST:
        return False
    if not CODE_NAME.search(name) or ORDINAL_NAME.search(name):
        return False
    whole = _whole(values) and float(values.min()) >= 0  # type: ignore[arg-type]  (of floats)
    return whole and 2 < values.n_unique() <= len(values) / 2


def _whole(values: pl.Series) -> bool:
    return bool((values == values.round()).all()) and not values.is_infinite().any()


def _words(text: pl.Series) -> float:
    """Return the mean number of blanks between words."""
    mean = text.str.strip_chars().str.count_matches(r"\s+").mean()
    return float(mean) if isinstance(mean, int | float) else 0.0
