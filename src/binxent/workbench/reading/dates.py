"""Dates as people write them: ISO, with the month or the day first, with names of months, with a time of day."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from binxent.workbench.reading.distinct import fill_from_distinct

DATE = pl.Datetime("us")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = (
    r"(?:(?:[T\s,]|\sat\s)\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>(?i:[ap]\.?m\.?)?)\s*(?P<zone>(?i:Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?))?$"
)
_ISO = {"%Y-%m-%d": 10, "%Y-%m-%d %H:%M:%S": 19, "%Y-%m-%dT%H:%M:%S": 19}  # with their lengths; fast to parse
_WEEKDAY = r"^(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_NAME = (
    r"(?P<month>(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?))\.?"
)
_MARKS = "/-."  # between the parts; a date has one of them twice
_YEAR_FIRST = [rf"^(?P<year>\d{{4}})\{mark}(?P<month>\d{{1,2}})\{mark}(?P<day>\d{{1,2}}){_TIME}" for mark in _MARKS]
_YEAR_LAST = {
    mark: rf"^(?P<left>\d{{1,2}})\{mark}(?P<right>\d{{1,2}})\{mark}(?P<year>\d{{4}}|\d{{2}}){_TIME}" for mark in _MARKS
}
_COMPACT = rf"^(?P<year>\d{{4}})(?P<month>\d{{2}})(?P<day>\d{{2}}){_TIME}"
_NAMED = [
    rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?[\s-]*{_NAME}[\s,-]*(?P<year>\d{{4}}|\d{{2}}){_TIME}",
    rf"{_WEEKDAY}{_NAME}\s*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}){_TIME}",
    rf"^(?P<year>\d{{4}})[\s-]{_NAME}[\s-](?P<day>\d{{1,2}}){_TIME}",
]


@dataclass(frozen=True)
class DateForm:
    """How the dates of a column are written, where only the order tells day and month apart.

    Attributes:
        day_first: The marks between the parts ("/", "-", ".") with which the day stands before the month.
        unclear: The marks with which no value shows which of them comes first.
        mixed: The marks with which some values have the day first, and others the month.
    """

    day_first: str = ""
    unclear: str = ""
    mixed: str = ""


def parse_dates(text: pl.Series, form: DateForm) -> pl.Series:
    """Return text as points in time, those with a zone in UTC, and null where it is not a date.

    Example:
        >>> found = parse_dates(pl.Series(["08/05/2024 1:30 PM", "2024-08-18", "18-Aug-24", "-"]), DateForm())
        >>> found.dt.to_string("%Y-%m-%d %H:%M").to_list()
        ['2024-08-05 13:30', '2024-08-18 00:00', '2024-08-18 00:00', None]
    """
    found = pl.Series(text.name, [None] * len(text), dtype=DATE)
    for form_of_iso, length in _ISO.items():
        texts = text.set((text.str.len_bytes() != length).fill_null(True), None)
        if texts.null_count() < len(texts):
            found = found.zip_with(texts.is_null(), texts.str.to_datetime(form_of_iso, strict=False, time_unit="us"))
    return fill_from_distinct(found, text, lambda distinct: _by_form(distinct, form))


def _by_form(text: pl.Series, form: DateForm) -> pl.Series:
    parsed = pl.Series("", [None] * len(text), dtype=DATE)
    for pattern in [*_YEAR_FIRST, *_NAMED, _COMPACT]:
        rows, parts = _matches(text, parsed, pattern)
        if len(rows):
            parsed = parsed.scatter(rows, _assemble(parts, parts["month"], parts["day"]))
    for mark, pattern in _YEAR_LAST.items():
        rows, parts = _matches(text, parsed, pattern)
        if len(rows):
            left, right = parts["left"], parts["right"]
            usual, other = _assemble(parts, left, right), _assemble(parts, right, left)
            if mark in form.day_first:
                usual, other = other, usual
            # Where the order of the column gives no date, the value itself shows the other one.
            parsed = parsed.scatter(rows, usual.zip_with(usual.is_not_null(), other))
    return parsed


def _matches(text: pl.Series, parsed: pl.Series, pattern: str) -> tuple[pl.Series, pl.DataFrame]:
    """Return the positions of values that are not parsed yet and match a pattern, and the parts that it finds."""
    rows = (parsed.is_null() & text.str.contains(pattern)).arg_true()
    return rows, text.gather(rows).str.extract_groups(pattern).struct.unnest()


def _assemble(parts: pl.DataFrame, month: pl.Series, day: pl.Series) -> pl.Series:
    """Return year, month, day and time of day as points in time; null where there is no such one."""
    named = month.str.slice(0, 3).str.to_lowercase()
    month = named.replace_strict(
        _MONTHS, [str(number) for number in range(1, 13)], default=named, return_dtype=pl.String
    )
    year = parts["year"]
    pivot = pl.select(  # as POSIX has it: 69 to 99 are of the last century
        pl.when(year.str.len_chars() > 2).then(year).when(year > "68").then("19" + year).otherwise("20" + year)
    ).to_series()
    hour = parts["hour"].cast(pl.Int64, strict=False)
    afternoon = parts["half"].str.to_lowercase().str.starts_with("p")
    by_halves = (parts["half"] != "").fill_null(False)
    hour = pl.select(
        pl.when(by_halves & ~hour.is_between(1, 12)).then(99)
        .when(by_halves).then(hour % 12 + 12 * afternoon.cast(pl.Int64))
        .otherwise(hour)
    ).to_series()  # fmt: skip
    clock = [
        hour.cast(pl.String).fill_null("0"),
        parts["minute"].fill_null("0"),
        parts["second"].fill_null("0"),
    ]
    fields = [pivot, *(field.str.zfill(2) for field in (month, day, *clock))]
    year, month, day, hour_text, minute, second = fields
    text = year + "-" + month + "-" + day + "T" + hour_text + ":" + minute + ":" + second
    fraction = parts["fraction"].fill_null("0").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64)
    moment = text.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us")
    zone = parts["zone"].str.replace(":", "", literal=True).fill_null("")
    offset = zone.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0) * 60
    offset += zone.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    offset *= zone.str.starts_with("-").cast(pl.Int64) * -2 + 1
    return moment + (fraction - offset * 60_000_000).cast(pl.Duration("us"))


def find_form(text: pl.Series) -> DateForm:
    """Find out whether the days of a column stand before its months.

    Args:
        text: Different values of the column, stripped, without missing values.
    """
    day_first = unclear = mixed = ""
    for mark, pattern in _YEAR_LAST.items():
        parts = text.str.extract_groups(pattern).struct.unnest()
        left, right = (parts[name].cast(pl.Int64, strict=False) for name in ("left", "right"))
        days = int((left.is_between(13, 31) & right.is_between(1, 12)).sum())
        months = int((right.is_between(13, 31) & left.is_between(1, 12)).sum())
        either = bool((left.is_between(1, 12) & right.is_between(1, 12) & (left != right)).any())
        # Where nothing shows it: 8.5.2024 is written where the day stands first, 8/5/2024 everywhere.
        if days > months or (days == months and mark == "."):
            day_first += mark
        unclear += mark if either and days == months == 0 else ""
        mixed += mark if days and months else ""
    return DateForm(day_first, unclear, mixed)
