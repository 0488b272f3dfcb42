"""The run folder: complete, or marked as interrupted; and no file in it half-written."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = "INTERRUPTED"
_SYSTEMS_WORDS = {os.strerror(number) for number in errno.errorcode}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block succeeds, and vanishes when not.

    Raises:
        OSError: If the file cannot be written, in a sentence.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "numbers.txt"
        >>> with replacing(path) as temporary:
        ...     _ = temporary.write_text("1 2 3")
        >>> path.read_text()
        '1 2 3'
    """
    # Same suffix: Keras and polars choose the format by it.
    temporary = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(f"{path} cannot be written: {reason(error)}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def reason(error: OSError) -> str:
    """Return why the system refused, without a full stop."""
    text = re.sub(r" \(os error \d+\)$", "", error.strerror or str(error).strip().rstrip("."))
    # Only the system's own words are known to begin with an ordinary capital.
    return text[:1].lower() + text[1:] if text in _SYSTEMS_WORDS else text


def require_free(parent: Path, name: str) -> None:
    """Refuse the name of a run.

    Raises:
        FileExistsError: If the name is taken.
        ValueError: If the name is a path.
    """
    if name in ("", ".", "..") or Path(name).name != name:
        raise ValueError(f"--name {name!r} must be a plain name; --output says in which folder the run is put.")
    if (parent / name).exists():
        raise FileExistsError(f"the run {parent / name} exists already. A free name is {next_free(parent, name)}.")


def create(parent: Path, name: str | None, stem: str, files: dict[str, str]) -> Path:
    """Create a run folder, marked as interrupted.

    It appears under its name at once with its mark and first files, so that it is never seen without them.

    Args:
        parent: The folder of the runs; created if need be.
        name: The run's name; None for `stem` and the next free number.
        stem: What numbered names start with.
        files: The first files, text by name.

    Raises:
        FileExistsError: If the name is taken.
        ValueError: If the name is a path.
        OSError: If the folder cannot be written.
    """
    if name is not None:
        require_free(parent, name)
    draft = None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".new-run-", dir=parent))
        draft.chmod(0o777 & ~_umask())
        (draft / MARK).write_text(
            "This run has not finished; `binxent train --resume` with this folder continues it.\n"
        )
        for file, text in files.items():
            (draft / file).write_text(text, encoding="utf-8")
        while True:
            folder = parent / (name or next_free(parent, stem))
            try:
                # Renaming onto a folder that somebody else made meanwhile fails, unless it is empty.
                return draft.rename(folder)
            except OSError:
                if name is not None or not folder.exists():
                    raise
    except OSError as error:
        raise OSError(f"the run folder cannot be created in {parent}: {reason(error)}.") from error
    finally:
        if draft is not None and draft.exists():
            shutil.rmtree(draft, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def next_free(parent: Path, stem: str) -> str:
    """Return `stem` with the first number that no run in `parent` has: flowers-1, flowers-2, ..."""
    stem = re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "run"
    number = 1
    while (parent / f"{stem}-{number}").exists():
        number += 1
    return f"{stem}-{number}"


def finish(folder: Path) -> None:
    """Take the mark off: the run is complete."""
    (folder / MARK).unlink()


def is_interrupted(folder: Path) -> bool:
    """Return whether the run has not finished."""
    return (folder / MARK).exists()


def require_run(folder: Path) -> None:
    """Raise a FileNotFoundError if the folder is not that of a run."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no run folder {folder}.")
    if not (folder / "config.toml").is_file():
        raise FileNotFoundError(f"{folder} is not a run folder: it has no config.toml.")
