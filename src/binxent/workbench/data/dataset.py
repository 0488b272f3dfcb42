"""The dataset: a table's target, features, weights and groups, and its split into three subsets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from binxent.workbench.data.features import Features, find_features
from binxent.workbench.data.table import breast_cancer, read, require_columns
from binxent.workbench.data.target import binary_target
from binxent.workbench.settings import Settings
from binxent.workbench.suggestions import nearest


@dataclass(frozen=True)
class Dataset:
    """A table with its columns in their roles.

    Attributes:
        table: The rows that are used.
        row: Positions of these rows in the input (int64).
        features: The columns to learn from.
        target: Labels, 1 for positive (int8).
        negative: The target's value that is 0.
        positive: The target's value that is 1.
        weight: Row weights (float64), or None.
        group: Group numbers (int64), or None.
        dropped: Number of rows that were dropped for missing values.
    """

    table: pl.DataFrame
    row: np.ndarray
    features: Features
    target: np.ndarray
    negative: str
    positive: str
    weight: np.ndarray | None
    group: np.ndarray | None
    dropped: int

    @property
    def base_rate(self) -> float:
        """The weighted share of positives."""
        return float(np.average(self.target, weights=self.weight))


@dataclass(frozen=True)
class Split:
    """The rows of the three subsets, each in the table's order."""

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def load(settings: Settings) -> tuple[Dataset, Settings]:
    """Read the data and give its columns their roles.

    Args:
        settings: Settings of the run.

    Returns:
        The dataset, and the settings with the data's fingerprint and the target.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the data has changed since the settings were written, or its columns cannot have these roles.
    """
    table, fingerprint = read(settings.data) if settings.data else breast_cancer()
    if settings.data_fingerprint not in (None, fingerprint):
        raise ValueError(
            "the data has changed since this run: its fingerprint differs. "
            "To train on it as it is now, name it on the command line: binxent train DATA --config FILE"
        )
    target = settings.target or (None if settings.data else "malignant")
    if target is None:
        raise ValueError(f"say which column to predict: --target COLUMN.{nearest('', table.columns)}")
    settings = settings.replace(data_fingerprint=fingerprint, target=target)
    return _assign_roles(table, target, settings), settings


def _assign_roles(table: pl.DataFrame, target_name: str, settings: Settings) -> Dataset:
    roles = {"--target": target_name, "--weight": settings.weight, "--group": settings.group}
    columns = {option: name for option, name in roles.items() if name is not None}
    for option, name in columns.items():
        require_columns([name], table.columns, option)
    if len(set(columns.values())) < len(columns):
        raise ValueError(f"{', '.join(columns)} must be different columns; got {', '.join(columns.values())}.")
    for option, names in (("--exclude", settings.exclude), ("--include", settings.include)):
        for role, name in columns.items():
            if name in names:
                raise ValueError(f"{option}: the column `{name}` is never learnt from, as {role} names it.")
    if settings.weight is not None and not table.schema[settings.weight].is_numeric():
        raise ValueError(
            f"--weight: the column `{settings.weight}` holds {table.schema[settings.weight]}; weights must be numbers."
        )
    incomplete = table.select(pl.any_horizontal(pl.col(*columns.values()).is_null())).to_series()
    if incomplete.any() and not settings.drop_missing:
        option, name = next((option, name) for option, name in columns.items() if table[name].null_count())
        raise ValueError(
            f"{option}: the column `{name}` is missing in {table[name].null_count():,} of {table.height:,} rows. "
            "Fill them in, or pass --drop-missing to leave these rows out."
        )
    used = table.filter(~incomplete)
    if used.height == 0:
        raise ValueError(f"every row lacks a value of {', '.join(columns.values())}: nothing is left to learn from.")
    features = find_features(used, tuple(columns.values()), settings.exclude, settings.include)
    target, negative, positive = binary_target(used[target_name], settings.positive)
    return Dataset(
        table=used,
        row=np.flatnonzero(~incomplete.to_numpy()),
        features=features,
        target=target,
        negative=negative,
        positive=positive,
        weight=None if settings.weight is None else _weights(used[settings.weight]),
        group=None if settings.group is None else _numbered(used[settings.group]),
        dropped=table.height - used.height,
    )


def _weights(column: pl.Series) -> np.ndarray:
    weight = column.cast(pl.Float64).to_numpy()
    wrong = ~(np.isfinite(weight) & (weight >= 0))
    if wrong.any():
        raise ValueError(
            f"--weight: weights must be finite and at least 0; row {wrong.argmax() + 1:,} of `{column.name}` "
            f"has {weight[wrong.argmax()]:g}."
        )
    return weight


def _numbered(column: pl.Series) -> np.ndarray:
    return np.unique(column.cast(pl.String).to_numpy(), return_inverse=True)[1]


def split(dataset: Dataset, seed: int) -> Split:
    """Split the rows 60/20/20 into training, validation and test subsets, with equal shares of positives.

    Args:
        dataset: The rows; those of a group stay in one subset.
        seed: Determines the split.

    Raises:
        ValueError: If a subset would lack one of the classes.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    if dataset.group is None:
        folds, counted, unit = StratifiedKFold(5, shuffle=True, random_state=seed), dataset.target, "rows"
    else:
        folds, unit = StratifiedGroupKFold(5, shuffle=True, random_state=seed), "groups"
        first = np.unique(np.column_stack([dataset.group, dataset.target]), axis=0)
        counted = first[:, 1]
    fewest = min(np.bincount(counted, minlength=2))
    if fewest < 5:
        rare = dataset.positive if np.bincount(counted, minlength=2).argmin() else dataset.negative
        raise ValueError(
            f"too few {unit} to split into training, validation and test: the class `{rare}` has {fewest} {unit}, and "
            "at least 5 of each class are needed."
        )
    fifths = [held_out for _, held_out in folds.split(dataset.target, dataset.target, dataset.group)]
    found = Split(training=np.sort(np.concatenate(fifths[2:])), validation=fifths[1], test=fifths[0])
    for name, rows in vars(found).items():
        weight = None if dataset.weight is None else dataset.weight[rows]
        totals = np.bincount(dataset.target[rows], weights=weight, minlength=2)
        if totals.min() == 0:
            empty = dataset.positive if totals.argmin() else dataset.negative
            raise ValueError(
                f"the {name} subset has no {'weight' if totals.sum() else 'rows'} of the class `{empty}`. Add rows, "
                "use smaller groups or other weights, or try another --seed."
            )
    return found
