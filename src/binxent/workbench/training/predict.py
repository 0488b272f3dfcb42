"""``binxent predict``: applies the model of a run to a table, batch by batch."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from binxent.workbench import run_folder
from binxent.workbench.data.counts import Counts
from binxent.workbench.data.features import Features
from binxent.workbench.reading.columns import kind_of
from binxent.workbench.reading.files import find_files
from binxent.workbench.reading.numbers import plain_numbers
from binxent.workbench.reading.sources import Source, open_source, remarks
from binxent.workbench.reading.table import named_columns
from binxent.workbench.run import Run
from binxent.workbench.suggestions import nearest
from binxent.workbench.wording import Writer

DECISION = "decision"  # the column of decisions
FORMULA = re.compile(r"^[=+\-@\t\r]")


def predict(
    folder: Path,
    data: Sequence[str],
    output: Path,
    *,
    keep: Sequence[str] = (),
    threshold: float | None = None,
    miss_cost: float | None = None,
    write: Writer,
) -> int:
    """Apply a run to files.

    Args:
        folder: The run folder.
        data: Files or globs.
        output: The file to write, .parquet or .csv; it is created when it is complete.
        keep: Columns of the data to copy beside the predictions.
        threshold: The least probability at which a row is decided to be positive; None for no decisions.
        miss_cost: What a miss costs, in false alarms: the threshold is then 1 / (1 + miss_cost).
        write: Writes a remark for the user.

    Returns:
        The number of rows.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If the run is not complete, or the data do not have the columns it was trained on.
    """
    run_folder.require_output(output, list(_WRITERS))
    threshold = decision_threshold(threshold, miss_cost)
    files = find_files(data)
    if os.path.realpath(output) in {os.path.realpath(file) for file in files}:
        raise ValueError(f"-o {output} is one of the inputs; write to another file.")
    run = Run.load(folder)
    sources = [open_source(file) for file in files]
    kept = named_columns(keep, sources[0].names, "--keep")
    for source in sources:
        run.require_columns(source)
    decided = [] if threshold is None else [DECISION]
    _require_kept(sources, kept, ["logit", "probability", "raw_logit", "raw_probability", *decided])
    types = {name: sources[0].types[name] for name in kept}
    for name, dtype in types.items() if output.suffix.lower() == ".csv" else ():
        if dtype.is_nested() or dtype in (pl.Binary, pl.Duration):
            raise ValueError(f"--keep {name}: a CSV file cannot hold values of type {dtype}; write a .parquet file.")
    copies = _CsvCopies() if output.suffix.lower() == ".csv" else _Copies()
    counts = Counts()
    with run_folder.replacing(output) as temporary, _WRITERS[output.suffix.lower()](temporary) as append:

        def append_batch(copied: pl.DataFrame, scores: pl.DataFrame) -> None:
            columns = [copies.of(copied.get_column(name).cast(dtype)) for name, dtype in types.items()]
            if threshold is not None:
                scores = scores.with_columns(_decisions(scores.get_column("probability"), threshold, run.classes))
            append(pl.DataFrame([*columns, *scores]))

        for copied, scores in run.predictions(sources, kept, counts):
            append_batch(copied, scores)
        if counts.rows == 0:
            append_batch(pl.DataFrame(schema=types), run.score_converted(pl.DataFrame()))
    _note_unused(sources[0], run.features, kept, write)
    for sentence in (*remarks(sources), *counts.odd_in_words(), *counts.unseen_in_words()):
        write(f"Note: {sentence}")
    copies.describe(write)
    if threshold is not None:
        write(f"Decided: `{run.classes[1]}` where the probability is at least {threshold:.4g}.")
    return counts.rows


def decision_threshold(threshold: float | None, miss_cost: float | None) -> float | None:
    """Return the threshold that is given, or that is right for a cost; None if neither is given.

    Flagging a row of probability p costs 1 - p false alarms, and leaving it p times the cost of a miss; the two are
    equal at p = 1 / (1 + miss_cost) (Elkan 2001).

    Raises:
        ValueError: If both are given, or are out of range.

    Example:
        >>> decision_threshold(None, 4.0)
        0.2
    """
    if threshold is not None and miss_cost is not None:
        raise ValueError("--threshold and --miss-cost both decide; give one of them.")
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"--threshold must be a probability from 0 to 1; got {threshold:g}.")
    if miss_cost is None:
        return threshold
    if not 0 < miss_cost < math.inf:
        raise ValueError(f"--miss-cost must be a positive number: false alarms that a miss costs; got {miss_cost:g}.")
    return 1 / (1 + miss_cost)


def _decisions(probability: pl.Series, threshold: float, classes: tuple[str, str]) -> pl.Series:
    negative, positive = classes
    names = pl.Series([negative, positive], dtype=pl.String)
    return names.gather((probability >= threshold).cast(pl.UInt32)).alias(DECISION)


class _Copies:
    """Columns copied as they are."""

    def of(self, values: pl.Series) -> pl.Series:
        return values

    def describe(self, write: Writer) -> None:
        pass


class _CsvCopies(_Copies):
    """Columns copied to a CSV file: text that a spreadsheet would run as a formula gets a ' before it."""

    def __init__(self) -> None:
        self.quoted: Counter[str] = Counter()

    def of(self, values: pl.Series) -> pl.Series:
        name = f"'{values.name}" if FORMULA.match(values.name) else values.name
        if name != values.name:
            self.quoted[values.name] += 0
        if kind_of(values.dtype) != "text":
            return values.alias(name)
        text = values.cast(pl.String).alias("")
        formulas = (text.str.contains(FORMULA.pattern) & plain_numbers(text).is_null()).fill_null(False)
        if formulas.any():
            self.quoted[values.name] += int(formulas.sum())
            text = text.zip_with(~formulas, "'" + text)
        return text.alias(name)

    def describe(self, write: Writer) -> None:
        for name, count in self.quoted.items():
            what = f"{count:,} values of `{name}`" if count else f"the name `{name}`"
            write(
                f"Note: a ' was put before {what}, so that no spreadsheet runs them as formulas; a .parquet file keeps "
                "them as they are."
            )


def _require_kept(sources: Sequence[Source], keep: Sequence[str], scores: Sequence[str]) -> None:
    """Refuse columns to keep that a file lacks or has twice, or that are called as the scores are."""
    for source in sources:
        if lacking := [name for name in keep if name not in source.names]:
            raise ValueError(f"--keep: {source.file} has no column `{lacking[0]}`.{nearest(lacking[0], source.names)}")
        for name in keep:
            source.require_once(name)
    if clash := set(keep) & set(scores):
        raise ValueError(f"--keep {min(clash)}: the predictions have a column of this name; rename one in the data.")


def _note_unused(source: Source, features: Features, keep: Sequence[str], write: Writer) -> None:
    extra = [name for name in dict.fromkeys(source.names) if name not in features.columns and name not in keep]
    if extra:
        shown = ", ".join(extra[:8]) + (f" and {len(extra) - 8} more" if len(extra) > 8 else "")
        write(f"Note: ignored columns that the run does not use: {shown}")


@contextmanager
def _parquet(path: Path) -> Iterator[Callable[[pl.DataFrame], object]]:
    import pyarrow.parquet as pq

    with path.open("wb") as file:
        writer = None
        try:

            def write(batch: pl.DataFrame) -> None:
                nonlocal writer
                table = batch.to_arrow()
                writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
                writer.write_table(table)

            yield write
        finally:
            if writer is not None:
                writer.close()


@contextmanager
def _csv(path: Path) -> Iterator[Callable[[pl.DataFrame], object]]:
    with path.open("wb") as file:

        def write(batch: pl.DataFrame) -> None:
            batch.write_csv(file, include_header=file.tell() == 0)

        yield write


_WRITERS = {".parquet": _parquet, ".csv": _csv}
