"""The rows of a CSV file, each of which must have as many values as the header has columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

CHUNK = 1 << 24  # bytes in memory at a time


def require_equal_rows(file: Path, separator: str) -> None:
    r"""Refuse a file with a row that is shorter or longer than the header.

    polars fills short rows with missing values, and drops the end of long ones where it need not read every column.

    Args:
        file: A CSV file, which may be compressed; all of it is read.
        separator: A single character.

    Raises:
        ValueError: If a row has another number of values than the header; with the row's line.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = path.write_text("x,y\n1,2\n3\n")
        >>> require_equal_rows(path, ",")
        Traceback (most recent call last):
        ...
        ValueError: line 3 has 1 value, and the header has 2; mend the line, or quote a value that contains `,`
    """
    started, columns, line = False, 0, 1  # line: of the chunk's start
    row_line, before, quoted = 1, 0, 0  # of the row that the chunk continues: its line, separators and open quote
    for chunk in _chunks(file):
        if not started:  # polars skips empty lines before the header
            header = chunk.lstrip(b"\r\n")
            line += chunk.count(b"\n", 0, len(chunk) - len(header))
            chunk, row_line, started = header, line, bool(header)
        text = np.frombuffer(chunk, np.uint8)
        quotes, newlines, separators = (np.flatnonzero(text == ord(mark)) for mark in ('"', "\n", separator))
        ends, separators = (
            marks[(np.searchsorted(quotes, marks) + quoted) % 2 == 0] for marks in (newlines, separators)
        )
        passed = np.searchsorted(separators, ends)
        widths = 1 + np.diff(passed, prepend=-before)
        row_lines = np.append(row_line, line + 1 + np.searchsorted(newlines, ends))
        columns = columns or int(next(iter(widths), 0))
        for row in np.flatnonzero(widths != columns).tolist():
            empty = row > 0 and not chunk[ends[row - 1] + 1 : ends[row]].strip()
            found = "is empty" if empty else f"has {widths[row]} value{'' if widths[row] == 1 else 's'}"
            raise ValueError(
                f"line {row_lines[row]} {found}, and the header has {columns}; mend the line, or quote a value that "
                f"contains `{separator}`"
            )
        before = len(separators) - int(passed[-1]) if len(ends) else before + len(separators)
        row_line, line, quoted = int(row_lines[-1]), line + len(newlines), (quoted + len(quotes)) % 2


def _chunks(file: Path) -> Iterator[bytes]:
    """Yield the file's bytes, with a newline at the end if the last row lacks it."""
    chunk = b"\n"
    with pa.input_stream(str(file)) as stream:
        while following := stream.read(CHUNK):
            chunk = following
            yield chunk
    if not chunk.endswith(b"\n"):
        yield b"\n"
