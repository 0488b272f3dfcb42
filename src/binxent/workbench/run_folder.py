"""The run folder: complete or marked as interrupted, and without half-written files."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MARK = "INTERRUPTED"
COLUMNS = "columns.json"
FORMAT = 2  # of the run folder; a folder of another one is refused
_SYSTEM_TEXTS = {os.strerror(number) for number in errno.errorcode}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` if the block succeeds, and is removed otherwise.

    Raises:
        OSError: If the file cannot be written, with a sentence as its message.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "numbers.txt"
        >>> with replacing(path) as temporary:
        ...     _ = temporary.write_text("1 2 3")
        >>> path.read_text()
        '1 2 3'
    """
    # The suffix stays the same: Keras and polars choose the format by it.
    temporary = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(f"{path} cannot be written: {reason(error)}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def first_line(error: BaseException) -> str:
    r"""Return the first line of an error's text, or the name of its type if it has none.

    Example:
        >>> first_line(ValueError("too short\n at 3")), first_line(KeyboardInterrupt())
        ('too short', 'KeyboardInterrupt')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def reason(error: OSError) -> str:
    """Return the system's reason, without a full stop."""
    text = re.sub(r" \(os error \d+\)$", "", error.strerror or str(error).strip().rstrip("."))
    # Other texts may begin with a name.
    return text[:1].lower() + text[1:] if text in _SYSTEM_TEXTS else text


def require_free(parent: Path, name: str) -> None:
    """Raise if a run cannot have this name.

    Raises:
        FileExistsError: If the name is taken.
        ValueError: If the name is a path.
    """
    if name.strip() in ("", ".", "..") or Path(name).name != name:
        raise ValueError(f"--name {name!r} must be a plain name; --output names the folder of the runs.")
    if (parent / name).exists():
        raise FileExistsError(f"the run {parent / name} exists already. A free name is {next_free(parent, name)}.")


def require_folder(parent: Path) -> None:
    """Raise a NotADirectoryError if runs cannot be written to a folder because it, or one above it, is a file."""
    for path in (parent, *parent.parents):
        if path.is_file():
            raise NotADirectoryError(f"--output {parent}: {path} is a file; name a folder for the runs.")


def create(parent: Path, name: str | None, stem: str, files: dict[str, str]) -> Path:
    """Create a run folder, marked as interrupted.

    The folder gets its name when its mark and its first files are written: it never exists without them.

    Args:
        parent: The folder of the runs; created if it does not exist.
        name: The run's name; None for `stem` and the next free number.
        stem: Start of numbered names.
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
                # Renaming fails if another process has created the folder meanwhile, unless it is empty.
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
    """Remove the mark of an incomplete run; another process may have finished the same run, to the same bits."""
    (folder / MARK).unlink(missing_ok=True)


def is_interrupted(folder: Path) -> bool:
    """Return whether the run has not finished."""
    return (folder / MARK).exists()


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file that is not compressed; Python objects are refused.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is damaged, or would unpack to more than its size.
    """
    import numpy as np

    try:
        # NumPy does not close what it opened itself, if it cannot read it.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            if sum(member.file_size for member in saved.zip.infolist()) > path.stat().st_size:
                raise ValueError("it is compressed, so that a small file could fill the memory")
            return {name: saved[name] for name in saved.files}
    except OSError:
        raise
    except Exception as error:  # of nearly any type
        raise ValueError(f"{path.name} is damaged: {first_line(error)}") from error


def require_run(folder: Path) -> None:
    """Raise a FileNotFoundError if the folder is not a run folder."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no run folder {folder}.")
    if not (folder / "config.toml").is_file():
        raise FileNotFoundError(f"{folder} is not a run folder: it has no config.toml.")


def require_complete(folder: Path) -> None:
    """Raise if a folder is not that of a complete run.

    Raises:
        FileNotFoundError: If it is not a run folder.
        ValueError: If the run has not finished.
    """
    require_run(folder)
    if is_interrupted(folder):
        raise ValueError(f"the run {folder} was interrupted; finish it first: binxent train --resume {folder}")


def require_output(path: Path, endings: Sequence[str]) -> None:
    """Raise if a result cannot be written to a file.

    Raises:
        FileNotFoundError: If there is no such folder.
        IsADirectoryError: If it is a folder itself.
        ValueError: If it has another ending.
    """
    if path.suffix.lower() not in endings:
        raise ValueError(f"-o {path}: the output must end in {' or '.join(endings)}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"-o {path}: there is no folder {path.parent}.")
    if path.is_dir():
        raise IsADirectoryError(f"-o {path} is a folder; name a file in it.")


def read_columns(folder: Path) -> dict[str, Any]:
    """Return what became of the columns of a run, and how they are read.

    Raises:
        FileNotFoundError: If the folder is of a version that did not write this down.
        ValueError: If the folder has another format, or the file is damaged.
    """
    path = folder / COLUMNS
    again = f"train it again: binxent train --config {folder / 'config.toml'}"
    if not path.is_file():
        raise FileNotFoundError(f"the run folder {folder} lacks {COLUMNS}, as those of older versions do; {again}")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        version = found["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"the run folder {folder} cannot be loaded: {COLUMNS} is damaged ({error}).") from None
    if version != FORMAT:
        raise ValueError(
            f"the run folder {folder} has the format {version!r}, and this version of binxent reads format {FORMAT}; "
            f"use the version that environment.json names, or {again}"
        )
    return found
