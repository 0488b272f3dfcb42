"""Tables: files as polars frames whose columns have one of four kinds."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from binxent.workbench.data.csv_rows import require_equal_rows
from binxent.workbench.suggestions import nearest

# The kinds of columns, each with the type that the preprocessor gets, whatever the type in the file.
KINDS: dict[str, pl.DataType] = {
    "number": pl.Float64(),
    "boolean": pl.Float64(),
    "date": pl.Datetime("us"),
    "text": pl.String(),
}
SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".parquet": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]


def kind_of(dtype: pl.DataType) -> str | None:
    """Return the kind of a polars type; None for types that the preprocessor cannot use."""
    if dtype.is_numeric() or dtype == pl.Null:
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype in (pl.Date, pl.Datetime):
        return "date"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    return None


def canonical(name: str, dtype: pl.DataType, kind: str) -> pl.Expr:
    """Return the expression that casts a column to the type of its kind, with null for every missing value."""
    column = pl.col(name)
    if kind == "date" and isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    column = column.cast(KINDS[kind])
    return column.fill_nan(None) if KINDS[kind] == pl.Float64 else column


def find_files(patterns: Iterable[str]) -> list[Path]:
    """Return the files that paths and globs name, in order.

    Raises:
        FileNotFoundError: If a path or glob names nothing.
        ValueError: If a file's suffix is not that of a table, or a file is named twice.
    """
    files = []
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            raise FileNotFoundError(f"{pattern} is a folder; name the files in it, for example '{pattern}/*.parquet'.")
        found = [path] if path.exists() else [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]
        if not found:
            raise FileNotFoundError(f"there is no file {pattern}.{_nearby(path)}")
        files += [file for file in found if file.is_file()]
    seen = set()
    for file in files:
        if _format(file) is None:
            raise ValueError(f"{file} is not a known kind of table; its name must end in {', '.join(SUFFIXES)}.")
        if file.resolve() in seen:
            raise ValueError(f"{file} is named twice, and its rows would count twice; name each file once.")
        seen.add(file.resolve())
    return files


def _nearby(path: Path) -> str:
    beside = [other.name for other in path.parent.iterdir() if other.is_file()] if path.parent.is_dir() else []
    found = nearest(path.name, beside) if beside else ""
    return found if "Did you mean" in found else ""


def _format(file: Path) -> str | None:
    compressed = file.suffix.lower() in (".gz", ".zst")
    return SUFFIXES.get(Path(file.stem).suffix.lower() if compressed else file.suffix.lower())


@contextmanager
def readable_errors(file: Path) -> Iterator[None]:
    """Raise the errors of polars about a file as readable sentences.

    Raises:
        ValueError: If the file is empty, or is not of the format of its suffix.
    """
    try:
        yield
    except pl.exceptions.NoDataError:
        raise ValueError(f"{file} is empty.") from None
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the disk, not of the content
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise ValueError(f"{file} cannot be read as {_format(file)}: {reason}.") from None


def scan(file: Path, kinds: Mapping[str, str] | None = None) -> pl.LazyFrame:
    """Open a table without holding it in memory.

    Args:
        file: A CSV, Parquet or Arrow file.
        kinds: The kinds that columns must have, by name. CSV files are parsed accordingly; without it their types are
            inferred from all of their rows.

    Raises:
        ValueError: If the file is empty or damaged, or rows of a CSV file have different numbers of values.
    """
    if file.stat().st_size == 0:
        raise ValueError(f"{file} is empty.")
    with readable_errors(file):
        if _format(file) == "parquet":
            table = pl.scan_parquet(file, glob=False)
        elif _format(file) == "arrow":
            table = _scan_arrow(file)
        else:
            separator = _separator(file)
            require_equal_rows(file, separator)
            # Dates are not overridden: only inference finds their format.
            types = {"number": pl.Float64, "boolean": pl.Boolean, "text": pl.String}
            table = pl.scan_csv(
                file,
                separator=separator,
                null_values=MISSING,
                try_parse_dates=True,
                infer_schema_length=None if kinds is None else 10_000,
                schema_overrides={name: types[kind] for name, kind in (kinds or {}).items() if kind in types},
                glob=False,
            )
        table.collect_schema()
        return table


def _scan_arrow(file: Path) -> pl.LazyFrame:
    with file.open("rb") as source:
        is_file_format = source.read(6) == b"ARROW1"
    return pl.scan_ipc(file, glob=False) if is_file_format else _scan_arrow_stream(file)


def _scan_arrow_stream(file: Path) -> pl.LazyFrame:
    # polars reads a stream as a whole; a generator of batches needs the memory of a batch only.
    import pyarrow as pa
    from polars.io.plugins import register_io_source

    def batches(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                frame = pl.DataFrame(batch).select(columns or pl.all())[:rows]
                rows = None if rows is None else rows - frame.height
                yield frame if predicate is None else frame.filter(predicate)

    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
        schema = pl.DataFrame(stream.schema.empty_table()).schema
    return register_io_source(batches, schema=schema)


def _separator(file: Path) -> str:
    if file.suffix.lower() in (".gz", ".zst"):
        return "\t" if ".tsv" in file.suffixes else ","
    with file.open(encoding="utf-8", errors="replace") as source:
        header = source.readline()
    return max(",;\t|", key=header.count)


def read(patterns: Iterable[str]) -> tuple[pl.DataFrame, str]:
    """Read files as one table.

    Args:
        patterns: Paths and globs.

    Returns:
        The table, and the SHA-256 of the files' bytes.

    Raises:
        FileNotFoundError: If a path or glob names nothing.
        ValueError: If a file cannot be read, or the files' columns differ.
    """
    digest, frames = hashlib.sha256(), []
    files = find_files(patterns)
    for file in files:
        with file.open("rb") as source:
            digest.update(hashlib.file_digest(source, "sha256").digest())
        table = scan(file)
        with readable_errors(file):
            frame = table.collect()
        # A column without any value has no type: in a CSV it is inferred as text.
        frames.append(frame.with_columns(pl.lit(None).alias(column.name) for column in frame if _is_empty(column)))
        _require_same_columns(files[0], frames[0], file, frames[-1])
    first = frames[0]
    table = pl.concat([frame.select(first.columns) for frame in frames], how="vertical_relaxed")
    if table.height == 0:
        raise ValueError(f"{files[0]} has a header but no rows.")
    return table.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None)), digest.hexdigest()


def _is_empty(column: pl.Series) -> bool:
    return column.null_count() == len(column)


def _require_same_columns(first_file: Path, first: pl.DataFrame, file: Path, frame: pl.DataFrame) -> None:
    for name in first.columns:
        if name not in frame.columns:
            raise ValueError(
                f"{file} lacks the column `{name}` that {first_file} has. All files need the same columns."
            )
        ours, theirs = kind_of(first.schema[name]), kind_of(frame.schema[name])
        if ours != theirs and pl.Null not in (first.schema[name], frame.schema[name]):
            raise ValueError(f"the column `{name}` is {ours} in {first_file} and {theirs} in {file}.")
    for name in frame.columns:
        if name not in first.columns:
            raise ValueError(
                f"{file} has the column `{name}` that {first_file} lacks. All files need the same columns."
            )


def breast_cancer() -> tuple[pl.DataFrame, str]:
    """Return the breast-cancer data of scikit-learn (569 rows, 30 numbers, malignant is 1) and its SHA-256."""
    from sklearn.datasets import load_breast_cancer

    bunch: Any = load_breast_cancer()
    table = pl.DataFrame(bunch.data, schema=[name.replace(" ", "_") for name in bunch.feature_names])
    # In scikit-learn 1 is benign; the tumours to find are malignant.
    malignant = pl.Series("malignant", 1 - bunch.target, dtype=pl.Int8)
    return table.with_columns(malignant), hashlib.sha256(bunch.data.tobytes() + bunch.target.tobytes()).hexdigest()


def require_columns(names: Iterable[str], columns: Iterable[str], option: str) -> None:
    """Raise a ValueError with the most similar column if there is no column of a name."""
    columns = list(columns)
    for name in names:
        if name not in columns:
            raise ValueError(f"{option}: there is no column `{name}`.{nearest(name, columns)}")
