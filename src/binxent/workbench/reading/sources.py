"""Sources of rows: a file of any format, opened without holding it in memory where its format allows that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from binxent.workbench.reading.csv_rows import Rows
from binxent.workbench.reading.encoding import Text
from binxent.workbench.reading.files import format_of, readable_errors
from binxent.workbench.reading.layout import LINES, filled_names, find_layout, name_columns, note_on_names
from binxent.workbench.wording import counted

BATCH = 1 << 16  # rows of a typed file in memory at a time
Frames = Callable[[list[int], list[int], Any], Iterator[pl.DataFrame]]  # of columns by place, some parsed as numbers
HEAD = 1 << 18  # bytes of a CSV file, read at a time until its header is found


@dataclass
class Source:
    """A file, opened.

    Attributes:
        file: The file.
        names: Names of its columns; a name may stand there twice.
        types: The columns' types; text for formats that have no types.
        separator: What separates the values of a CSV file; None for other formats.
        numeric: Columns of text that hold plain numbers, as far as the beginning of the file shows.
        notes: What was skipped, named or decoded, for the user; complete when all rows have been read.
    """

    file: Path
    names: list[str]
    types: Mapping[str, pl.DataType]
    separator: str | None
    frames: Frames
    numeric: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)

    def batches(
        self, columns: Iterable[str], digest: Any = None, numbers: Collection[str] = ()
    ) -> Iterator[pl.DataFrame]:
        """Yield the rows in order, without the columns that are not named.

        Args:
            columns: Names of columns.
            digest: Is updated with the file's bytes.
            numbers: Some of the numeric columns, to be parsed as float64.

        Raises:
            NotNumbersError: If a value of these is no plain number; reading them as text helps.
            ValueError: If a column stands there twice, or a row or value is damaged.
        """
        columns = list(columns)
        for name in columns:
            self.require_once(name)
        wanted = [self.names.index(name) for name in columns]
        if digest is not None and format_of(self.file) != "csv":
            with self.file.open("rb") as file:
                while data := file.read(1 << 24):
                    digest.update(data)
        with readable_errors(self.file):
            for frame in self.frames(wanted, [self.names.index(name) for name in numbers], digest):
                yield pl.DataFrame([series.alias(name) for series, name in zip(frame, columns, strict=True)])

    def require_once(self, name: str) -> None:
        """Raise a ValueError if several columns have a name."""
        places = [place for place, other in enumerate(self.names, 1) if other == name]
        if len(places) > 1:
            where = ", ".join(str(place) for place in places[:-1])
            raise ValueError(
                f"{self.file} has {len(places)} columns named `{name}`, at positions {where} and {places[-1]}; rename "
                "them in the file, or leave them out: --exclude."
            )

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text and text not in self.notes:
            self.notes.append(text)

    @property
    def repeated(self) -> list[str]:
        """The names that several columns have."""
        return [name for name, times in Counter(self.names).items() if times > 1]


def remarks(sources: Iterable[Source], most: int = 8) -> list[str]:
    """Return what was noted about sources, and in place of very many notes their number."""
    notes = [f"{source.file.name}: {note}" for source in sources for note in source.notes]
    more = len(notes) - most
    return notes if more <= 0 else [*notes[:most], f"{more:,} more remarks of this kind on other files"]


def open_source(file: Path) -> Source:
    """Open a table.

    Raises:
        ValueError: If the file is empty or damaged.
        ModuleNotFoundError: If an Excel workbook is to be read, and fastexcel is not installed.
    """
    if file.stat().st_size == 0:
        raise ValueError(f"{file} is empty.")
    with readable_errors(file):
        return _OPEN[str(format_of(file))](file)


def _open_csv(file: Path) -> Source:
    head, chunks = b"", Text(file, chunk=HEAD).chunks()
    for chunk in chunks:
        head += chunk
        if head.strip() and (head.count(b"\n") > LINES or len(head) > 64 * HEAD):
            break
    layout = find_layout(head, prefer_tab=".tsv" in [suffix.lower() for suffix in file.suffixes])
    if layout is None:
        raise pl.exceptions.NoDataError

    def frames(wanted: list[int], numbers: list[int], digest: Any) -> Iterator[pl.DataFrame]:
        text, rows = Text(file, digest), Rows(layout.separator, len(layout.names), layout.line, layout.missing)
        yield from rows.frames(_after(text.chunks(), layout.start), wanted, numbers)
        lines = rows.empty_lines
        source.note(f"skipped {counted(lines, 'empty line')}" if lines else "")
        source.note(text.note)

    names = list(layout.names)
    numeric = frozenset(names[place] for place in layout.numeric)
    source = Source(file, names, dict.fromkeys(names, pl.String()), layout.separator, frames, numeric)
    source.notes += layout.notes
    return source


def _after(chunks: Iterator[bytes], start: int) -> Iterator[bytes]:
    for chunk in chunks:
        if len(chunk) > start:
            yield chunk[start:]
        start = max(start - len(chunk), 0)


def _lazy(file: Path, table: pl.LazyFrame) -> Source:
    schema = table.collect_schema()
    own = schema.names()

    def frames(wanted: list[int], _numbers: list[int], _digest: Any) -> Iterator[pl.DataFrame]:
        chosen = table.select(cs.by_name(*(own[place] for place in wanted))) if wanted else table
        for batch in chosen.collect_batches(chunk_size=BATCH, maintain_order=True):
            yield batch.select(cs.by_name(*(own[place] for place in wanted)))

    return _typed(file, own, schema.dtypes(), frames)


def _typed(file: Path, own: list[str], types: list[pl.DataType], frames: Frames) -> Source:
    """Return a source whose columns have types, and names of their own, some of which may be empty."""
    names = filled_names(own)
    source = Source(file, names, dict(zip(names, types, strict=True)), None, frames)
    source.note(note_on_names(own))
    return source


def _open_parquet(file: Path) -> Source:
    return _lazy(file, pl.scan_parquet(file, glob=False))


def _open_arrow(file: Path) -> Source:
    with file.open("rb") as source:
        is_file_format = source.read(6) == b"ARROW1"
    if is_file_format:
        return _lazy(file, pl.scan_ipc(file, glob=False))
    table, own = _scan_arrow_stream(file)
    source = _lazy(file, table)
    source.note(note_on_names(own))
    return source


def _scan_arrow_stream(file: Path) -> tuple[pl.LazyFrame, list[str]]:
    # polars reads a stream as a whole; a generator of batches needs the memory of a batch only.
    import pyarrow as pa
    from polars.io.plugins import register_io_source

    def batches(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                frame = pl.DataFrame(batch.rename_columns(names))
                frame = (frame if columns is None else frame.select(cs.by_name(*columns)))[:rows]
                rows = None if rows is None else rows - frame.height
                yield frame if predicate is None else frame.filter(predicate)

    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
        own = stream.schema.names
        names = filled_names(own)  # polars would call a column without a name column_0
        schema = pl.DataFrame(stream.schema.empty_table().rename_columns(names)).schema
    return register_io_source(batches, schema=schema), own


def held(file: Path, table: pl.DataFrame) -> Source:
    """Return a table that is held in memory, and the file that it came from, as a source."""

    def frames(wanted: list[int], _numbers: list[int], _digest: Any) -> Iterator[pl.DataFrame]:
        yield from pl.DataFrame([table.to_series(place) for place in wanted]).iter_slices(BATCH)

    return _typed(file, table.columns, table.dtypes, frames)


def _open_json(file: Path) -> Source:
    text = b"".join(Text(file).chunks()).strip()
    if not text:
        raise pl.exceptions.NoDataError
    if text.startswith(b"["):
        return held(file, pl.read_json(text, infer_schema_length=None))
    if text.startswith(b"{") and (b"}\n{" in text.replace(b"\r", b"").replace(b" ", b"")):
        return _open_jsonl(file)
    raise ValueError('it must be a list of objects, a row each, as in [{"age": 41}, {"age": 7}]')


def _open_jsonl(file: Path) -> Source:
    text = b"".join(Text(file).chunks())
    if not text.strip():
        raise pl.exceptions.NoDataError
    return held(file, pl.read_ndjson(text, infer_schema_length=None))


def _open_excel(file: Path) -> Source:
    import fastexcel  # pyright: ignore[reportMissingImports]  # an extra of its own

    try:
        book = fastexcel.read_excel(file)
        sheets = book.sheet_names
        table = book.load_sheet(0, dtypes="string", header_row=None).to_polars()
    except fastexcel.FastExcelError as error:
        raise ValueError(str(error)) from None
    filled = pl.sum_horizontal(pl.all().is_not_null())
    counts = table.select(filled.alias("filled")).to_series()
    # A title above the table has a single cell.
    header = next((row for row, count in enumerate(counts) if count > 1 or count == table.width == 1), None)
    if header is None:
        raise pl.exceptions.NoDataError
    names, notes = name_columns([str(cell or "") for cell in table.row(header)])
    rows = table[header + 1 :].filter(counts[header + 1 :] > 0)
    source = held(file, rows)
    source.names, source.types = list(names), dict.fromkeys(names, pl.String())
    above, empty = int((counts[:header] > 0).sum()), table.height - header - 1 - rows.height
    source.note(f"skipped {counted(above, 'row')} above the header" if above else "")
    source.notes += notes
    source.note(f"skipped {counted(empty, 'empty row')}" if empty else "")
    source.note(f"read the sheet `{sheets[0]}`, the first of {len(sheets)}" if len(sheets) > 1 else "")
    return source


_OPEN = {
    "csv": _open_csv,
    "parquet": _open_parquet,
    "arrow": _open_arrow,
    "json": _open_json,
    "jsonl": _open_jsonl,
    "excel": _open_excel,
}
