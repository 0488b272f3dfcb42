"""``binxent predict``: applies the model of a run to a table, batch by batch."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from binxent.workbench import run_folder
from binxent.workbench.data.features import Features, Preprocessor
from binxent.workbench.reading.columns import EXAMPLES, Column, kind_of
from binxent.workbench.reading.files import find_files
from binxent.workbench.reading.numbers import plain_numbers
from binxent.workbench.reading.sources import Source, open_source
from binxent.workbench.reading.table import named_columns
from binxent.workbench.suggestions import nearest
from binxent.workbench.training.progress import Writer

ROWS = 1 << 16  # in memory at a time
FORMULA = re.compile(r"^[=+\-@\t\r]")
NOTES = 8  # files whose remarks are shown


@dataclass(frozen=True)
class Run:
    """A complete run, ready to predict.

    Attributes:
        model: The network, ending in a logit.
        preprocessor: Turns columns into the network's inputs.
        slope: Factor on the network's logits.
        intercept: Added after it; the result is the logit of a calibrated probability.
        corrected: Whether slope and intercept differ from 1 and 0.
    """

    model: Any
    preprocessor: Preprocessor
    slope: float
    intercept: float
    corrected: bool

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Load a run folder. It holds pickled Python objects: load only folders that you would run as a program.

        Raises:
            FileNotFoundError: If it is not a run folder.
            ValueError: If the run has not finished, or a file in it is damaged.
        """
        run_folder.require_run(folder)
        if run_folder.is_interrupted(folder):
            raise ValueError(f"the run {folder} was interrupted; finish it first: binxent train --resume {folder}")
        columns = run_folder.read_columns(folder)
        import joblib
        import keras

        for name in ("metrics.json", "preprocessor.joblib", "model.keras"):
            if not (folder / name).is_file():
                raise FileNotFoundError(f"the run folder {folder} lacks {name}; train it again.")
        try:
            correction = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["correction"]
            preprocessor = joblib.load(folder / "preprocessor.joblib")
            reading = {column["name"]: Column.from_json(column) for column in columns["reading"]}
            preprocessor.features = Features(reading, preprocessor.features.left_out)
            model = keras.models.load_model(folder / "model.keras", compile=False)
        except Exception as error:
            # Damaged pickles and zip files raise errors of nearly any type.
            first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ValueError(f"the run folder {folder} cannot be loaded: {first_line}") from error
        exact = correction["kind"] == "none"
        return cls(model, preprocessor, correction["slope"], correction["intercept"], corrected=not exact)

    def predict(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return the logit and the probability of each row; and the raw ones if they differ."""
        from scipy.special import expit

        from binxent.workbench.training.network import predict_logits

        raw = predict_logits(self.model, self.preprocessor.transform(table)) if table.height else np.empty(0)
        logit = self.slope * raw + self.intercept
        columns = {"logit": logit, "probability": expit(logit)}
        if self.corrected:
            columns |= {"raw_logit": raw, "raw_probability": expit(raw)}
        return pl.DataFrame({name: np.asarray(values, np.float64) for name, values in columns.items()})


def predict(folder: Path, data: Sequence[str], output: Path, *, keep: Sequence[str] = (), write: Writer) -> int:
    """Apply a run to files.

    Args:
        folder: The run folder.
        data: Files or globs.
        output: The file to write, .parquet or .csv; it is created when it is complete.
        keep: Columns of the data to copy beside the predictions.
        write: Writes a remark for the user.

    Returns:
        The number of rows.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If the run is not complete, or the data do not have the columns it was trained on.
    """
    if output.suffix.lower() not in _WRITERS:
        raise ValueError(f"-o {output}: the output must end in {' or '.join(_WRITERS)}.")
    files = find_files(data)
    if any(output.resolve() == file.resolve() for file in files):
        raise ValueError(f"-o {output} is one of the inputs; write to another file.")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"-o {output}: there is no folder {output.parent}.")
    if output.is_dir():
        raise IsADirectoryError(f"-o {output} is a folder; name a file in it.")
    run = Run.load(folder)
    sources = [open_source(file) for file in files]
    kept = named_columns(keep, sources[0].names, "--keep")
    features = run.preprocessor.features
    for source in sources:
        _require_columns(source, features, kept)
    types = {name: sources[0].types[name] for name in kept}
    for name, dtype in types.items() if output.suffix.lower() == ".csv" else ():
        if dtype.is_nested() or dtype in (pl.Binary, pl.Duration):
            raise ValueError(f"--keep {name}: a CSV file cannot hold values of type {dtype}; write a .parquet file.")
    copies = _CsvCopies() if output.suffix.lower() == ".csv" else _Copies()
    counts, rows = _Counts(), 0
    with run_folder.replacing(output) as temporary, _WRITERS[output.suffix.lower()](temporary) as append:
        for source in sources:
            for batch in source.batches(dict.fromkeys([*features.columns, *kept])):
                for part in batch.iter_slices(ROWS):
                    copied = [copies.of(part.get_column(name).cast(types[name])) for name in kept]
                    append(pl.DataFrame([*copied, *run.predict(counts.converted(part, run.preprocessor))]))
                rows += batch.height
        counts.require_kinds(features.kinds)
        if rows == 0:
            empty = [copies.of(pl.Series(name, [], dtype)) for name, dtype in types.items()]
            append(pl.DataFrame([*empty, *run.predict(pl.DataFrame())]))
    _note_unused(sources[0], features, kept, write)
    for source in sources[:NOTES]:
        for note in source.notes:
            write(f"Note: {source.file}: {note}")
    counts.describe(rows, write)
    copies.describe(write)
    return rows


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


class _Counts:
    """Counts of values that are not as in training, over all batches, by column."""

    def __init__(self) -> None:
        self.present: Counter[str] = Counter()
        self.odd: Counter[str] = Counter()
        self.unseen: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def converted(self, batch: pl.DataFrame, preprocessor: Preprocessor) -> pl.DataFrame:
        """Convert the features of a batch as in training, and count."""
        found = preprocessor.features.convert(batch)
        for name, column in found.items():
            self.present[name] += batch.height - column.missing
            self.odd[name] += column.odd
            shown = self.examples.setdefault(name, [])
            shown += [value for value in column.examples if value not in shown][: EXAMPLES - len(shown)]
        table = pl.DataFrame([column.values.alias(name) for name, column in found.items()])
        self.unseen.update(preprocessor.unseen(table))
        return table

    def require_kinds(self, kinds: Mapping[str, str]) -> None:
        """Raise a ValueError if most values of a column are not of the kind that it had in training."""
        changed = [
            f"`{name}` is text and was {kinds[name]} in training (as in {self._shown(name)})"
            for name, odd in self.odd.items()
            if 2 * odd > self.present[name]
        ]
        if changed:
            raise ValueError(f"the columns' types have changed: {'; '.join(changed)}.")

    def describe(self, rows: int, write: Writer) -> None:
        """Write what was counted."""
        for name, count in self.odd.items():
            if count:
                write(f"Note: odd values of `{name}`, taken as missing: {count:,} of {rows:,} ({self._shown(name)}).")
        for name, count in self.unseen.items():
            if count:
                write(f"Note: {count:,} of {rows:,} values of `{name}` were never seen in training.")

    def _shown(self, name: str) -> str:
        return ", ".join(f"`{value}`" for value in self.examples[name])


def _require_columns(source: Source, features: Features, keep: Sequence[str]) -> None:
    """Compare a file's columns with the training data's."""
    file, kinds = source.file, features.kinds
    if missing := [name for name in kinds if name not in source.names]:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise ValueError(
            f"{file} lacks the column `{missing[0]}`{more} that the run was trained on."
            f"{nearest(missing[0], source.names)}"
        )
    if lacking := [name for name in keep if name not in source.names]:
        raise ValueError(f"--keep: {file} has no column `{lacking[0]}`.{nearest(lacking[0], source.names)}")
    for name in (*kinds, *keep):
        source.require_once(name)
    if clash := set(keep) & {"logit", "probability", "raw_logit", "raw_probability"}:
        raise ValueError(f"--keep {min(clash)}: the predictions have a column of this name; rename one in the data.")
    changed = [
        f"`{name}` is {kind_of(source.types[name]) or source.types[name]} and was {column.kind} in training"
        for name, column in features.columns.items()
        if not column.accepts(source.types[name])
    ]
    if changed:
        raise ValueError(f"{file}: the columns' types have changed: {'; '.join(changed)}.")


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
