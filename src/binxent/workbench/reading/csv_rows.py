"""The rows of a CSV file, each of which must have as many values as the header has columns."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from binxent.workbench.wording import counted

LONGEST_ROW = 1 << 26  # bytes: a quote that is not closed shall not fill the memory
_SLOW_ROWS = 1 << 14  # of a frame that Python's own parser makes
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'


class NotNumbersError(Exception):
    """A value is no number in the form of programs."""


class Rows:
    r"""The rows of a CSV file as frames of text, in the order of the file; empty lines are left out.

    polars parses the text, after a check of what it does not check: it fills short rows with missing values, and takes
    an empty line for a row. Python's parser, which is slower, takes over where quotes stand within values, where a
    separator ends the rows, and for tables of one column.

    Attributes:
        empty_lines: Number of lines that were left out, so far.

    Example:
        >>> rows = Rows(",", 2, line=2)
        >>> [frame.rows() for frame in rows.frames([b'1,"a, b"\n\n2,c\n'], [0, 1])], rows.empty_lines
        ([[('1', 'a, b'), ('2', 'c')]], 1)
    """

    def __init__(self, separator: str, columns: int, line: int, missing: tuple[str, ...] = ()) -> None:
        """Begin before the first row.

        Args:
            separator: A single character.
            columns: Number of columns of the header.
            line: Number of the first row's line, from 1.
            missing: Words for missing values, where numbers are parsed.
        """
        self.empty_lines: int = 0
        self._separator = separator
        self._columns = columns
        self._line = line
        self._missing = missing

    def frames(
        self, chunks: Iterable[bytes], wanted: list[int], numbers: Collection[int] = ()
    ) -> Iterator[pl.DataFrame]:
        """Yield the rows of UTF-8 text, which ends in a newline.

        Args:
            chunks: The text after the header, in pieces that end anywhere.
            wanted: Positions of the columns to parse; their names in the frames are "0", "1" and so on.
            numbers: Positions of the columns to parse as float64, which is faster than to convert their text; words for
                missing values are then null in all columns.

        Raises:
            NotNumbersError: If a value of these columns is no number.
            ValueError: If a row has more or fewer values than the header, or its quotes are not balanced.
        """
        chunks, held, parsing = iter(chunks), b"", None
        with ThreadPoolExecutor(1) as parser:  # while it parses a piece, the next one is checked
            while self._columns > 1 and (chunk := next(chunks, b"")):
                held += chunk
                complete = self._complete_rows(held)
                if complete is None:
                    break
                text, used, lines = complete
                if text:
                    previous, parsing = parsing, parser.submit(self._parsed, text, wanted, numbers)
                    if previous is not None:
                        yield previous.result()
                held, self._line = held[used:], self._line + lines
                if len(held) > LONGEST_ROW:
                    break
            if parsing is not None:
                yield parsing.result()
        if numbers and held.strip():
            raise NotNumbersError
        yield from self._parsed_by_python(_chain(held, chunks), wanted)

    def _complete_rows(self, text: bytes) -> tuple[bytes, int, int] | None:
        """Return the complete rows without empty lines, their bytes in the text, and their lines; None if irregular."""
        marks = np.frombuffer(text, np.uint8)
        newlines, separators = (np.flatnonzero(marks == mark) for mark in (_NEWLINE, ord(self._separator)))
        ends = newlines
        if b'"' in text:
            quotes = np.flatnonzero(marks == _QUOTE)
            if not self._quotes_are_regular(marks, quotes):
                return None
            outside = [np.searchsorted(quotes, places) % 2 == 0 for places in (newlines, separators)]
            ends, separators = newlines[outside[0]], separators[outside[1]]
        if len(ends) == 0:
            return b"", 0, 0
        used = int(ends[-1]) + 1
        lines = int(np.searchsorted(newlines, used))
        inner = separators[: np.searchsorted(separators, used)]
        each = self._columns - 1
        regular = len(inner) == each * len(ends)  # then the first and the last separator of each row must be in it
        if regular and (inner[each - 1 :: each] < ends).all() and (inner[each::each] > ends[:-1]).all():
            return text[:used], used, lines
        widths = 1 + np.diff(np.searchsorted(inner, ends), prepend=0)
        empty = []
        for row in np.flatnonzero(widths != self._columns).tolist():
            start = int(ends[row - 1]) + 1 if row else 0
            end = int(ends[row]) + 1
            if text[start:end].isspace() and widths[row] == 1:
                empty.append((start, end))
            elif widths[row] > self._columns and text[start:end].rstrip(b"\r\n ").endswith(self._separator.encode()):
                return None  # separators end the row
            else:
                line = self._line + int(np.searchsorted(newlines, start))
                raise _wrong_width(line, int(widths[row]), self._columns, self._separator)
        self.empty_lines += len(empty)
        if not empty:
            return text[:used], used, lines
        starts, stops = [0, *(end for _, end in empty)], [*(start for start, _ in empty), used]
        return b"".join(text[start:stop] for start, stop in zip(starts, stops, strict=True)), used, lines

    def _quotes_are_regular(self, marks: np.ndarray, quotes: np.ndarray) -> bool:
        """Return whether each quote begins a value, ends one, or is doubled within one."""
        before_value = (_NEWLINE, _QUOTE, ord(self._separator))
        after_value = (*before_value, _RETURN)
        opening, closing = quotes[::2], quotes[1::2]
        before = marks[opening[opening > 0] - 1]
        after = marks[closing[closing + 1 < len(marks)] + 1]
        return bool(np.isin(before, before_value).all() and np.isin(after, after_value).all())

    def _parsed(self, text: bytes, wanted: list[int], numbers: Collection[int]) -> pl.DataFrame:
        schema = {f"column_{column}": pl.String() for column in range(1, self._columns + 1)}
        columns = {f"column_{column + 1}": str(column) for column in wanted}
        schema |= {f"column_{column + 1}": pl.Float64() for column in numbers}
        form = {"separator": self._separator, "null_values": list(self._missing) if numbers else None}
        try:
            frame = pl.read_csv(text, has_header=False, schema=schema, columns=list(columns), **form)
        except pl.exceptions.ComputeError:
            if numbers:
                raise NotNumbersError from None
            raise
        return frame.select(pl.col(name).alias(alias) for name, alias in columns.items())

    def _parsed_by_python(self, chunks: Iterable[bytes], wanted: list[int]) -> Iterator[pl.DataFrame]:
        schema = {str(column): pl.String() for column in wanted}
        rows, empty = [], 0
        limit = csv.field_size_limit(LONGEST_ROW)
        reader = csv.reader(_lines(chunks), delimiter=self._separator, skipinitialspace=True, strict=True)
        start = self._line
        try:
            for fields in reader:
                if not any(fields) and len(fields) < 2:
                    empty += 1
                else:
                    while len(fields) > self._columns and not fields[-1].strip():
                        fields.pop()
                    if len(fields) != self._columns:
                        raise _wrong_width(start, len(fields), self._columns, self._separator)
                    if self._columns == 1:  # an empty line between others is a missing value
                        rows += [[None]] * empty
                    else:
                        self.empty_lines += empty
                    empty = 0
                    rows.append([fields[column] for column in wanted])
                start = self._line + reader.line_num
                if len(rows) >= _SLOW_ROWS:
                    yield pl.DataFrame(rows, schema, orient="row")
                    rows = []
        except csv.Error as error:
            raise ValueError(_about_quotes(start, str(error))) from None
        finally:
            csv.field_size_limit(limit)
        self.empty_lines += empty
        if rows:
            yield pl.DataFrame(rows, schema, orient="row")


def _chain(held: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if held:
        yield held
    yield from chunks


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    held = b""
    for chunk in chunks:
        *lines, held = (held + chunk).split(b"\n")
        for line in lines:
            yield line.decode() + "\n"
    if held:
        yield held.decode()


def _wrong_width(line: int, found: int, columns: int, separator: str) -> ValueError:
    return ValueError(
        f"line {line} has {counted(found, 'value')}, and the header has {columns}; mend the line, or quote a value "
        f"that contains `{separator}`"
    )


def _about_quotes(line: int, reason: str) -> str:
    if "expected after" in reason:
        return f"line {line} has a quote within a quoted value; write it twice"
    if "unexpected end" in reason or "field larger" in reason:
        return f"the quote that begins a value in line {line} is not closed; close it, or write it twice"
    return f"line {line} is not CSV: {reason}"
