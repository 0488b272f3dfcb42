"""The files that hold a table: found by name, and told apart by the endings of their names."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from binxent.workbench.suggestions import nearest

SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".parquet": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
    ".xlsx": "excel",
}  # fmt: skip


def find_files(patterns: Iterable[str]) -> list[Path]:
    """Return the files that paths and globs name, in order.

    Raises:
        FileNotFoundError: If a path or glob names nothing.
        ValueError: If a file's suffix is not that of a table, its name is not text, or it is named twice.
    """
    files = []
    for pattern in patterns:
        path = Path(pattern)
        if not pattern.strip():
            raise FileNotFoundError(f"{pattern!r} names no file.")
        if path.is_dir():
            raise FileNotFoundError(f"{pattern} is a folder; name the files in it, for example '{pattern}/*.parquet'.")
        found = [path] if path.exists() else [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]
        matches = [file for file in found if not file.is_dir()]
        if not matches:
            raise FileNotFoundError(f"there is no file {pattern}.{_nearby(path)}")
        if broken := [file for file in matches if not file.is_file()]:
            raise FileNotFoundError(f"{broken[0]} is a broken link or a device; name files that hold a table.")
        files += matches
    seen = set()
    for file in files:
        if not _is_text(str(file.absolute())):
            raise ValueError(f"the name of {str(file)!r} is not UTF-8, and cannot be written down; rename the file.")
        if format_of(file) is None:
            raise ValueError(f"{file} is not a known kind of table; its name must end in {', '.join(SUFFIXES)}.")
        if file.resolve() in seen:
            raise ValueError(f"{file} is named twice, and its rows would count twice; name each file once.")
        seen.add(file.resolve())
    return files


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _nearby(path: Path) -> str:
    beside = [other.name for other in path.parent.iterdir() if other.is_file()] if path.parent.is_dir() else []
    found = nearest(path.name, beside) if beside else ""
    return found if "Did you mean" in found else ""


def format_of(file: Path) -> str | None:
    """Return the format that a file's name stands for; None for an unknown one."""
    compressed = file.suffix.lower() in (".gz", ".zst", ".bz2")
    found = SUFFIXES.get(Path(file.stem).suffix.lower() if compressed else file.suffix.lower())
    return found if not compressed or found in ("csv", "jsonl", "json") else None


def size_in_words(size: int) -> str:
    """Return a number of bytes in words, as 7.6 MB."""
    for power, unit in enumerate(("bytes", "kB", "MB")):
        if size < 1000 ** (power + 1):
            return f"{size / 1000**power:.3g} {unit}"
    return f"{size / 1000**3:.3g} GB"


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
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the disk, not of the content
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise ValueError(f"{file} cannot be read as {format_of(file)}: {reason}.") from None
