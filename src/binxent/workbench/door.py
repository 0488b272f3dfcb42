"""The Python door of the workbench: training from a program, with the options of the command line as arguments."""

from __future__ import annotations

import dataclasses
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from binxent.workbench.backend import require_jax
from binxent.workbench.data.target import class_name
from binxent.workbench.reading.frames import as_frame, file_names
from binxent.workbench.run import Run
from binxent.workbench.settings import COLUMN_LISTS, Settings
from binxent.workbench.suggestions import nearest

OPTIONS = [field.name for field in dataclasses.fields(Settings) if field.name not in ("data", "data_fingerprint")]


def train(
    table: Any,
    *,
    output: str | PathLike[str] | None = None,
    name: str | None = None,
    config: str | PathLike[str] | None = None,
    report: bool = True,
    verbose: bool = False,
    **options: Any,
) -> Run:
    """Train a model on a table, as ``binxent train`` does.

    Args:
        table: A table of polars, pandas or pyarrow, or the path of a file, a glob, or a list of these.
        output: The folder of the runs. With None the run folder is a temporary one, and is removed with the last
            reference to the run.
        name: The name of the run folder; None for a numbered one.
        config: A config.toml to start from; options override it.
        report: Whether to write report.html, which takes some seconds.
        verbose: Whether to print what the table holds, what is done, and the progress.
        **options: The options of the command line that are settings, with underscores: ``target="died"``,
            ``pos_weight="auto"``, ``hidden=(64, 32)``, ``exclude=["id", "name"]``, ``drop_missing=True``. None leaves
            an option at its default.

    Returns:
        The run.

    Raises:
        TypeError: If there is no such option, or the table is none.
        OSError: If a file cannot be read or written.
        ValueError: If an option or the data do not allow a run.

    Example:
        >>> from binxent import workbench
        >>> run = workbench.train("patients.csv", target="died", pos_weight="auto")  # doctest: +SKIP
        >>> run.metrics["test"]["auc"]["value"]  # doctest: +SKIP
        0.87
        >>> run.predict_proba(new_patients)[:, 1]  # doctest: +SKIP
        array([0.02, 0.71, 0.16])
    """
    given = {key: _plain(key, value) for key, value in options.items() if value is not None}
    for key in given:
        if key not in OPTIONS:
            raise TypeError(f"train() has no option `{key}`.{nearest(key, OPTIONS)}")
    require_jax("training")
    files = file_names(table)
    rows = as_frame(table) if files is None else None
    given["data"] = files or ()
    folder = Path(tempfile.mkdtemp(prefix="binxent-") if output is None else output)
    try:
        with words_of_python():
            from binxent.workbench.training import train as job

            result = job.start(
                given,
                None if config is None else Path(config),
                name,
                folder,
                dry_run=False,
                write=print if verbose else lambda _: None,
                stream=sys.stdout if verbose else io.StringIO(),
                rows=rows,
                report=report,
            )
            run = Run.load(result["run"])
    except BaseException as error:
        if output is not None:
            raise
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from None  # without the advice to continue the run
        raise
    if output is None:
        run.remove_at_end(folder)
    return run


def _plain(key: str, value: Any) -> Any:
    """Return an option as a setting: lists as tuples, numbers of NumPy as those of Python, classes as text."""
    if isinstance(value, np.generic):
        value = value.item()
    if key == "positive":
        return class_name(value)
    if key in COLUMN_LISTS and isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(item.item() if isinstance(item, np.generic) else item for item in value)
    return value


COMMAND = r"binxent (?:train|predict)\b[^;]*"  # stays as it is
OPTION = r"--(?P<name>[a-z][a-z0-9-]*)(?P<value> (?=['A-Z\d])| (?:bce|focal|asymmetric|poly|auto)\b)?"


def in_python(sentence: str) -> str:
    """Return a sentence in which the options of the command line are named as arguments.

    Example:
        >>> in_python("Fill them in, or pass --drop-missing to leave these rows out.")
        'Fill them in, or pass drop_missing=True to leave these rows out.'
        >>> in_python("--weight: weights must be finite. Say which is positive: --positive 'yes'.")
        "weight: weights must be finite. Say which is positive: positive='yes'."
    """

    def argument(found: re.Match[str]) -> str:
        if found["name"] is None:
            return found[0]
        name, value = found["name"].replace("-", "_"), found["value"]
        if value is None:
            return f"{name}=True" if name == "drop_missing" else name
        return f"{name}={repr(value.strip()) if value.strip() else ''}"

    return re.sub(f"{COMMAND}|{OPTION}", argument, sentence)


@contextmanager
def words_of_python() -> Iterator[None]:
    """Raise errors with the sentences of the command line in the words of Python."""
    try:
        yield
    except (ValueError, OSError) as error:
        if len(error.args) != 1 or not isinstance(error.args[0], str) or in_python(error.args[0]) == error.args[0]:
            raise
        raise type(error)(in_python(error.args[0])) from error
