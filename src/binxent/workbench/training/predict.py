"""``binxent predict``: applies the model of a run to a table, batch by batch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from binxent.workbench import run_folder
from binxent.workbench.data.features import Preprocessor
from binxent.workbench.data.table import find_files, kind_of, readable_errors, scan
from binxent.workbench.suggestions import nearest
from binxent.workbench.training.progress import Writer

ROWS = 1 << 16  # in memory at a time


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
        import joblib
        import keras

        for name in ("metrics.json", "preprocessor.joblib", "model.keras"):
            if not (folder / name).is_file():
                raise FileNotFoundError(f"the run folder {folder} lacks {name}; train it again.")
        try:
            correction = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["correction"]
            preprocessor = joblib.load(folder / "preprocessor.joblib")
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
    kinds = run.preprocessor.features.kinds
    tables = [_checked(file, kinds, keep, write if file == files[0] else lambda _: None) for file in files]
    kept = tables[0].select(keep).head(0).collect()
    for name, dtype in kept.schema.items() if output.suffix.lower() == ".csv" else ():
        if dtype.is_nested() or dtype in (pl.Binary, pl.Duration):
            raise ValueError(f"--keep {name}: a CSV file cannot hold values of type {dtype}; write a .parquet file.")
    rows, unseen = 0, Counter()
    with run_folder.replacing(output) as temporary, _WRITERS[output.suffix.lower()](temporary) as append:
        for file, table in zip(files, tables, strict=True):
            for batch in _batches(file, table.cast(kept.schema)):
                append(pl.DataFrame([*batch.select(keep), *run.predict(batch)]))
                unseen.update(run.preprocessor.unseen(batch))
                rows += batch.height
        if rows == 0:
            append(pl.DataFrame([*kept, *run.predict(kept)]))
    for name, count in unseen.items():
        if count:
            write(f"Note: {count:,} of {rows:,} values of `{name}` were never seen in training.")
    return rows


def _checked(file: Path, kinds: dict[str, str], keep: Sequence[str], write: Writer) -> pl.LazyFrame:
    """Open a file and compare its columns with the training data's."""
    table = scan(file, kinds)
    schema = table.collect_schema()
    if missing := [name for name in kinds if name not in schema]:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise ValueError(
            f"{file} lacks the column `{missing[0]}`{more} that the run was trained on.{nearest(missing[0], schema)}"
        )
    if lacking := [name for name in keep if name not in schema]:
        raise ValueError(f"--keep: {file} has no column `{lacking[0]}`.{nearest(lacking[0], schema)}")
    if clash := set(keep) & {"logit", "probability", "raw_logit", "raw_probability"}:
        raise ValueError(f"--keep {min(clash)}: the predictions have a column of this name; rename one in the data.")
    changed = []
    for name, kind in kinds.items():
        found = kind_of(schema[name])
        # An empty CSV column of dates is inferred as text; values that are not dates raise when they are read.
        empty = schema[name] == pl.Null or (kind == "date" and schema[name] == pl.String)
        if found != kind and not empty:
            changed.append(f"`{name}` is {found or schema[name]} and was {kind} in training")
    if changed:
        raise ValueError(f"{file}: the columns' types have changed: {'; '.join(changed)}.")
    extra = [name for name in schema if name not in kinds and name not in keep]
    if extra:
        shown = ", ".join(extra[:8]) + (f" and {len(extra) - 8} more" if len(extra) > 8 else "")
        write(f"Note: ignored columns that the run does not use: {shown}")
    texts = [name for name, kind in kinds.items() if kind == "date" and schema[name] == pl.String]
    return table.select(*dict.fromkeys([*kinds, *keep])).with_columns(pl.col(texts).str.to_datetime())


def _batches(file: Path, table: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    with readable_errors(file):
        yield from (batch for batch in table.collect_batches(chunk_size=ROWS, maintain_order=True) if batch.height)


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
