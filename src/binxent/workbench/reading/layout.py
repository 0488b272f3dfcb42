"""The layout of a CSV file: its separator, its header, and what stands before the header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from binxent.workbench.reading.missing import MISSING
from binxent.workbench.wording import counted, quoted

SEPARATORS = ",;\t|"
LINES = 200  # looked at
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$")
_NUMBER = re.compile(r"\s*[+-]?[\d.,]*\d[\d.,]*(?:[eE][+-]?\d+)?%?\s*$")


@dataclass(frozen=True)
class Layout:
    """Where the rows of a CSV file begin, and what separates their values.

    Attributes:
        separator: A single character.
        names: Names of the columns, without blanks around them; one that has none is called unnamed_1, and so on.
        start: Number of bytes before the first row.
        line: Number of the first row's line, from 1.
        numeric: Positions of the columns that hold plain numbers, as far as the beginning of the file shows.
        missing: Words for missing values in these columns, as far as it shows them.
        notes: What was skipped or named, for the user.
    """

    separator: str
    names: tuple[str, ...]
    start: int
    line: int
    numeric: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Record:
    fields: list[str]
    first: int  # of the lines, from 0
    end: int


def find_layout(head: bytes, prefer_tab: bool = False) -> Layout | None:
    r"""Find the layout of a file from its beginning; None if it has no line that is not empty.

    Args:
        head: The first lines of the file in UTF-8, at least those of the header.
        prefer_tab: Whether the file's name says that tabs separate values.

    Example:
        >>> layout = find_layout(b'# made by hand\n"height, cm";weight\n180,5;70\n')
        >>> layout.separator, layout.names, layout.line
        (';', ('height, cm', 'weight'), 3)
    """
    pieces = head.split(b"\n", LINES)
    lines = [piece.decode("utf-8", "replace") + "\n" for piece in pieces[:-1]] or [head.decode("utf-8", "replace")]
    first = next((index for index, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return None
    candidates = SEPARATORS
    if stated := re.fullmatch(r'"?sep=(.)"?\s*', lines[first]):
        candidates, first = stated[1], first + 1
    best, score = None, ()
    for separator in candidates:
        records = _records(lines, first, separator)
        if not records:
            continue
        header = _header(records, lines)
        width, rows = len(records[header].fields), records[header + 1 :]
        if width == 1 and separator != candidates[0]:
            continue  # so that a value with a separator is refused with its line
        fields = [field for row in rows for field in row.fields if field.strip()]
        numbers = sum(_NUMBER.match(field) is not None for field in fields)
        alike = sum(len(row.fields) == width for row in rows) / len(rows) if rows else 1
        tab = prefer_tab and separator == "\t"
        found = (width > 1, tab, round(alike, 2), numbers / len(fields) if fields else 0, width)
        if found > score:
            best, score = (separator, records, header), found
    if best is None:
        return None
    separator, records, header = best
    record = records[header]
    names, notes = name_columns(record.fields)
    if any(_PLAIN.match(name) and "." in name for name in names):
        notes.append(f"line {record.first + 1} is taken for the header, though it holds numbers")
    skipped = sum(1 for line in lines[first : record.first] if line.strip())
    if skipped:
        notes = [f"skipped {counted(skipped, 'line')} before the header in line {record.first + 1}", *notes]
    start = sum(len(piece) + 1 for piece in pieces[: record.end])
    rows = [row.fields for row in records[header + 1 :] if len(row.fields) == len(names)]
    values = [[field for field in column if field not in MISSING] for column in zip(*rows, strict=True)]
    numeric = [place for place, column in enumerate(values) if column and all(map(_PLAIN.match, column))]
    missing = {row[place] for row in rows for place in numeric} & set(MISSING) - {""}
    start = min(start, len(head))
    return Layout(separator, names, start, record.end + 1, tuple(numeric), tuple(sorted(missing)), tuple(notes))


def _records(lines: list[str], first: int, separator: str) -> list[_Record]:
    reader = csv.reader(lines[first:], delimiter=separator, skipinitialspace=True)
    records, line = [], first
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                records.append(_Record(fields, line, first + reader.line_num))
            line = first + reader.line_num
    except csv.Error:
        pass  # a damaged row; it is refused when the rows are read
    if len(lines) == LINES and records and records[-1].end == LINES:
        records.pop()  # may be cut in its middle
    return records


def _header(records: list[_Record], lines: list[str]) -> int:
    """Return the position of the header among the records: after comments, and after lines of text above the table."""
    comments = 0
    while comments < len(records) and lines[records[comments].first].lstrip('"').startswith("#"):
        comments += 1
    if comments == len(records):
        return 0
    if comments:
        last, *following = records[comments - 1 : comments + 2]
        widths = {len(record.fields) for record in (last, *following)}
        numeric = [_has_number(record) for record in following]
        comment = not numeric[0] if numeric and last.fields[0].startswith("# ") else numeric == [False, True]
        if len(widths) == 1 and widths != {1} and not comment:
            return comments - 1  # a header may begin with #
    width = len(records[comments].fields)
    if width > 1:
        return comments
    below = Counter(len(record.fields) for record in records[comments:]).most_common(1)[0][0]
    for position in range(comments + 1, min(comments + 20, len(records) - 1)):
        record, rows = records[position], records[position + 1 :]
        if len(record.fields) == below > 1:
            gap = record.first > records[position - 1].end
            alike = all(len(row.fields) == below for row in rows)
            return position if alike and (gap or below > 2) and not _has_number(record) else comments
    return comments


def _has_number(record: _Record) -> bool:
    return any(_NUMBER.match(field) for field in record.fields)


def name_columns(fields: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the names that a header gives to its columns, and notes for the user on those that it leaves empty.

    Example:
        >>> name_columns(["age ", ""])
        (('age', 'unnamed_2'), ['columns without a name are called `unnamed_2`'])
    """
    own = [field.strip() for field in fields]
    return tuple(filled_names(own)), list(filter(None, [note_on_names(own)]))


def filled_names(names: Sequence[str]) -> list[str]:
    """Return names in which a column without a name is called by its place: unnamed_1 and so on."""
    return [name or f"unnamed_{number}" for number, name in enumerate(names, 1)]


def note_on_names(names: Sequence[str]) -> str:
    """Return a sentence on the names that `filled_names` gives, or ""."""
    unnamed = [filled for name, filled in zip(names, filled_names(names), strict=True) if not name]
    return f"columns without a name are called {quoted(unnamed, most=5)}" if unnamed else ""
