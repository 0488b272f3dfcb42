"""A complete run: the model of a run folder, and its predictions for tables in memory and in files."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Iterator, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from binxent.workbench import run_folder
from binxent.workbench.data import preparation
from binxent.workbench.data.counts import Counts
from binxent.workbench.data.features import Features
from binxent.workbench.data.preparation import Preparation
from binxent.workbench.logits import sigmoid
from binxent.workbench.reading.columns import Column, kind_of
from binxent.workbench.reading.files import find_files
from binxent.workbench.reading.frames import as_frame, file_names, source_of
from binxent.workbench.reading.sources import Source, open_source
from binxent.workbench.settings import Settings
from binxent.workbench.suggestions import nearest
from binxent.workbench.training.correction import Correction
from binxent.workbench.training.ensemble import NETWORK, Ensemble

ROWS = 1 << 16  # in memory at a time
NEEDED = ("metrics.json", preparation.FILE, NETWORK)


class Run:
    """A complete run, ready to predict. It can be pickled: the pickle holds the files of its folder.

    Attributes:
        folder: The run folder.
        classes: The names of the negative and of the positive class.
        metrics: The scores on the test rows and how the logits were corrected, as in metrics.json.
        ensemble: The networks, whose mean logit is the model's.
        preparation: Turns columns into the networks' inputs.
        correction: Makes their logits those of calibrated probabilities.

    Example:
        >>> run = Run.load("runs/patients-1")  # doctest: +SKIP
        >>> run.predict_proba("new.csv")[:, 1].max()  # doctest: +SKIP
        0.93
    """

    folder: Path
    classes: tuple[str, str]
    metrics: dict[str, Any]
    ensemble: Ensemble
    preparation: Preparation
    correction: Correction

    def __init__(self, folder: str | PathLike[str]) -> None:
        """Load a run folder. Nothing in it is run, whoever made it.

        Args:
            folder: The run folder.

        Raises:
            FileNotFoundError: If it is not a run folder.
            ValueError: If the run has not finished, or a file in it is damaged.
        """
        self.folder = folder = Path(folder)
        run_folder.require_complete(folder)
        columns = run_folder.read_columns(folder)

        for name in NEEDED:
            if not (folder / name).is_file():
                raise FileNotFoundError(f"the run folder {folder} lacks {name}; train it again.")
        try:
            self.metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
            negative, positive = columns["classes"]
            self.classes = str(negative), str(positive)
            self.correction = Correction.from_json(self.metrics["correction"])
            reading = {column["name"]: Column.from_json(column) for column in columns["reading"]}
            self.preparation = Preparation.load(folder / preparation.FILE, Features(reading, {}))
            self.ensemble = Ensemble.load(folder / NETWORK)
            if self.ensemble.inputs != len(self.preparation.names):
                raise ValueError(f"{NETWORK} has {self.ensemble.inputs} inputs, not {len(self.preparation.names)}")
        except Exception as error:
            # Damaged zip files raise errors of nearly any type.
            raise ValueError(f"the run folder {folder} cannot be loaded: {run_folder.first_line(error)}") from error

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Run:
        """Load a run folder; the same as `Run(folder)`."""
        return cls(folder)

    @property
    def features(self) -> Features:
        """The columns that prediction needs, and how they are read."""
        return self.preparation.features

    @cached_property
    def settings(self) -> Settings:
        """The settings of the run."""
        return Settings.from_toml(self.folder / "config.toml")

    @property
    def report(self) -> Path:
        """The path of the report, an HTML page."""
        return self.folder / "report.html"

    def predict_logit(self, table: Any) -> np.ndarray:
        """Return the logit of the positive class for each row, corrected: sigmoid of it is the probability.

        Args:
            table: A table of polars, pandas or pyarrow, or the path of a file, a glob, or a list of these. It has the
                columns that the run learnt from; others are ignored.

        Returns:
            Logits, shape (rows,), float64.

        Raises:
            OSError: If a file cannot be read.
            TypeError: If it is no table.
            ValueError: If it lacks a column, or most values of a column are not of the kind that they had in training.
        """
        sources = open_table(table)
        for source in sources:
            self.require_columns(source)
        counts = Counts()
        found = [scores.get_column("logit").to_numpy() for _, scores in self.predictions(sources, (), counts)]
        for sentence in counts.odd_in_words():
            warnings.warn(sentence, stacklevel=2)
        return np.concatenate([np.empty(0), *found])

    def predict_proba(self, table: Any) -> np.ndarray:
        """Return the probability of each class for each row.

        Args:
            table: As of `predict_logit`.

        Returns:
            Probabilities, shape (rows, 2), float64, in the order of `classes`.

        Raises:
            OSError: If a file cannot be read.
            TypeError: If it is no table.
            ValueError: If it lacks a column, or most values of a column are not of the kind that they had in training.
        """
        logit = self.predict_logit(table)
        return np.column_stack([sigmoid(-logit), sigmoid(logit)])

    def score_converted(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return the logit and the probability of each row of converted features; and the raw ones if they differ."""
        raw = self.ensemble.logits(self.preparation.transform(table)) if table.height else np.empty(0)
        logit = self.correction(raw)
        columns = {"logit": logit, "probability": sigmoid(logit)}
        if self.correction.kind != "none":
            columns |= {"raw_logit": raw, "raw_probability": sigmoid(raw)}
        return pl.DataFrame({name: np.asarray(values, np.float64) for name, values in columns.items()})

    def predictions(
        self, sources: Sequence[Source], kept: Sequence[str], counts: Counts
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Yield some columns of the rows as they are, and the predictions for these rows, batch by batch.

        Args:
            sources: Sources that have the run's columns.
            kept: Names of columns.
            counts: Counts what is not as in training.

        Raises:
            ValueError: At the end, if most values of a column are not of the kind that they had in training.
        """
        for source in sources:
            for batch in source.batches(dict.fromkeys([*self.features.columns, *kept])):
                for part in batch.iter_slices(ROWS):
                    copied = pl.DataFrame([part.get_column(name) for name in kept])
                    yield copied, self.score_converted(counts.converted(part, self.preparation))
        counts.require_kinds(self.features.kinds)

    def require_columns(self, source: Source) -> None:
        """Compare a table's columns with those of the training data.

        Raises:
            ValueError: If a column is missing, stands there twice, or has another type.
        """
        file, kinds = source.file, self.features.kinds
        if missing := [name for name in kinds if name not in source.names]:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise ValueError(
                f"{file} lacks the column `{missing[0]}`{more} that the run was trained on."
                f"{nearest(missing[0], source.names)}"
            )
        for name in kinds:
            source.require_once(name)
        changed = [
            f"`{name}` is {kind_of(source.types[name]) or source.types[name]} and was {column.kind} in training"
            for name, column in self.features.columns.items()
            if not column.accepts(source.types[name])
        ]
        if changed:
            raise ValueError(f"{file}: the columns' types have changed: {'; '.join(changed)}.")

    def remove_at_end(self, folder: Path) -> None:
        """Remove a temporary folder when the last reference to the run is gone, or the program ends."""
        weakref.finalize(self, _remove, folder, os.getpid())

    def __getstate__(self) -> dict[str, Any]:
        files = [path for path in self.folder.iterdir() if path.is_file() and not path.name.startswith(".")]
        return {"name": self.folder.name, "files": {path.name: path.read_bytes() for path in sorted(files)}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        parent = Path(tempfile.mkdtemp(prefix="binxent-"))
        self.remove_at_end(parent)
        folder = parent / state["name"]
        folder.mkdir()
        for name, content in state["files"].items():
            (folder / name).write_bytes(content)
        Run.__init__(self, folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"


def _remove(folder: Path, owner: int) -> None:
    """Remove a folder, but not from a process that was forked, which has a copy of the reference."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def open_table(table: Any) -> list[Source]:
    """Open a table in memory, or the files that a path, a glob or a list of these names."""
    names = file_names(table)
    return [source_of(as_frame(table))] if names is None else [open_source(file) for file in find_files(names)]
