"""The split of a dataset: test rows, and the folds in which the others are held out while networks are trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from binxent.workbench.data.dataset import Dataset
from binxent.workbench.settings import Settings

VALIDATION_SHARE = 0.2  # of the rows that are not for the test
FOLDS = 5
CROSS_VALIDATED = 20_000  # rows up to which every row is held out once; of more, a fifth says enough
LEAST_WEIGHT = 1e-12  # of a class; with a smaller share the base rate is 0 or 1
# Words for the subsets in a column that --split names.
SUBSETS = {
    "train": "training", "training": "training", "learn": "training",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation", "eval": "validation",
    "test": "test", "testing": "test", "holdout": "test", "held-out": "test", "hold-out": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Split:
    """Rows to learn from and rows to judge by, each in the table's order.

    Attributes:
        training: Positions of the rows to learn from, int64.
        test: Positions of the rows that training never sees, int64.
        fold: The fold in which each row of `training` is held out, from 0; -1 for a row that never is.
        remark: How the rows were divided, in words.
    """

    training: np.ndarray
    test: np.ndarray
    fold: np.ndarray
    remark: str

    @property
    def folds(self) -> int:
        """The number of folds."""
        return int(self.fold.max()) + 1

    @property
    def validation(self) -> np.ndarray:
        """Positions of the rows of `training` that are held out in a fold."""
        return self.training[self.fold >= 0]


def split(dataset: Dataset, settings: Settings) -> Split:
    """Divide the rows: a fifth for the test, and the others into folds.

    The test rows are those of the files `test`, those that the column `split` says, the latest ones by the column
    `time`, or drawn at random with equal shares of positives, groups whole. Up to `CROSS_VALIDATED` other rows, each
    of them is held out in one of five folds; otherwise one fold has a fifth of them: the latest ones by `time`, or
    those that the column `split` says.

    Args:
        dataset: The rows.
        settings: Settings of the run.

    Raises:
        ValueError: If a subset would lack one of the classes.
    """
    everything = np.arange(len(dataset.target))
    named = None if dataset.subset is None else _named_subsets(dataset.subset, settings)
    test, remark = _test_rows(dataset, settings, everything, named)
    training = np.setdiff1d(everything, test)
    _require_classes(dataset, {"training subset": training}, settings)
    fold = np.full(len(training), -1)
    ordered = dataset.time is not None or (named is not None and (named == "validation").any())
    if ordered and settings.folds not in (None, 1):
        option = "--time" if dataset.time is not None else "--split"
        raise ValueError(f"--folds: {option} says which rows are for validation, so there is a single fold.")
    if dataset.time is not None:
        fold[np.isin(training, _latest(dataset, training, VALIDATION_SHARE, settings))] = 0
    elif named is not None and ordered:
        fold[named[training] == "validation"] = 0
    else:
        folds = settings.folds or (FOLDS if len(training) <= CROSS_VALIDATED else 1)
        parts = _random_folds(dataset, training, folds if folds > 1 else FOLDS, settings)
        for number, rows in enumerate(parts if folds > 1 else [_part_to_hold_out(parts)]):
            fold[np.isin(training, rows)] = number
    found = Split(training, test, fold, remark)
    subsets = {"validation subset": found.validation}
    if len(test) or settings.holdout:
        subsets["test subset"] = test
    for number in range(found.folds):
        name = "training subset" if found.folds == 1 else f"training subset without its fold {number + 1}"
        subsets[name] = training[fold != number]
    _require_classes(dataset, subsets, settings)
    return found


def of_sample(dataset: Dataset, parts: Split) -> tuple[Dataset, Split]:
    """Return a dataset and its split, without the rows that its table lacks if it is a sample."""
    sample = dataset.sample
    if sample is None:
        return dataset, parts
    place = np.full(len(dataset.target), -1)
    place[sample] = np.arange(len(sample))
    training, test = place[parts.training], place[parts.test]
    arrays = {name: getattr(dataset, name) for name in ("row", "target", "weight", "group", "time", "in_test_file")}
    sampled = replace(
        dataset,
        **{name: None if array is None else array[sample] for name, array in arrays.items()},
        subset=None if dataset.subset is None else dataset.subset.gather(sample),
        sample=None,
        batches=None,
    )
    learnt = training >= 0
    return sampled, Split(training[learnt], test[test >= 0], parts.fold[learnt], parts.remark)


def _test_rows(
    dataset: Dataset, settings: Settings, rows: np.ndarray, named: np.ndarray | None
) -> tuple[np.ndarray, str]:
    """Return the rows for the test, and how they were chosen."""
    if dataset.in_test_file is not None:
        return np.flatnonzero(dataset.in_test_file), "those of --test"
    if named is not None and (named == "test").any():
        return np.flatnonzero(named == "test"), f"by `{settings.split}`"
    if not settings.holdout:
        return rows[:0], "all rows are learnt from"
    if dataset.time is not None:
        return _latest(dataset, rows, settings.holdout, settings), f"the latest by `{settings.time}`"
    _require_enough(dataset, rows)
    drawn = rows if named is None else rows[named == "training"]
    parts = _random_folds(dataset, drawn, round(1 / settings.holdout), settings)
    return _part_to_hold_out(parts), f"seed {settings.seed}"


def _part_to_hold_out(parts: list[np.ndarray]) -> np.ndarray:
    """Return the first part; the next one if a giant group makes it the greater half of the rows."""
    return parts[0] if 2 * len(parts[0]) <= sum(map(len, parts)) else parts[1]


def _named_subsets(given: pl.Series, settings: Settings) -> np.ndarray:
    values = given.unique()
    words = [" ".join(value.split()).casefold() for value in values]
    if unknown := sorted(set(words) - set(SUBSETS)):
        raise ValueError(
            f"--split: the column `{settings.split}` has the value `{unknown[0]}`; its values must be train, "
            "validation and test."
        )
    places = given.replace_strict(values, np.arange(len(values)), return_dtype=pl.Int64)
    subsets = np.array([SUBSETS[word] for word in words])[places]
    if "training" not in subsets:
        raise ValueError(f"--split: no row of the column `{settings.split}` says train.")
    return subsets


def _latest(dataset: Dataset, rows: np.ndarray, share: float, settings: Settings) -> np.ndarray:
    """Return the latest rows, about such a share of them; rows of equal time stay together."""
    time: Any = dataset.time
    ordered = np.sort(time[rows])
    first = ordered[int((1 - share) * len(ordered))]
    latest = rows[time[rows] >= first]
    if len(latest) == len(rows):
        latest = rows[time[rows] > first]
    if len(latest) == 0:
        raise ValueError(
            f"--time: the column `{settings.time}` has too few different times to hold the latest rows out, once for "
            "validation and once for the test."
        )
    return latest


def _units(dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the numbers of negative and positive rows, or of the groups that have some, and their name."""
    target = dataset.target[rows]
    if dataset.group is None:
        return np.bincount(target, minlength=2), "rows"
    return np.bincount(np.unique(np.column_stack([dataset.group[rows], target]), axis=0)[:, 1], minlength=2), "groups"


def _require_enough(dataset: Dataset, rows: np.ndarray) -> None:
    counts, unit = _units(dataset, rows)
    if min(counts) < FOLDS:
        rare = dataset.positive if counts.argmin() else dataset.negative
        raise ValueError(
            f"too few {unit} to split into training, validation and test: the class `{rare}` has {min(counts)} {unit}, "
            f"and at least {FOLDS} of each class are needed."
        )


def _random_folds(dataset: Dataset, rows: np.ndarray, folds: int, settings: Settings) -> list[np.ndarray]:
    """Return parts of rows of nearly equal sizes and shares of positives; groups stay whole."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    counts, unit = _units(dataset, rows)
    if settings.folds is not None and settings.folds > min(counts):
        raise ValueError(f"--folds {settings.folds}: the rarer class has {min(counts)} {unit} to learn from.")
    if min(counts) < 2:
        rare = dataset.positive if counts.argmin() else dataset.negative
        raise ValueError(
            f"too few {unit} to hold some out: the class `{rare}` has {min(counts)} to learn from, and at least 2 of "
            "each class are needed."
        )
    target, group = dataset.target[rows], None if dataset.group is None else dataset.group[rows]
    kind = StratifiedKFold if group is None else StratifiedGroupKFold
    parts = kind(min(folds, *counts), shuffle=True, random_state=settings.seed).split(target, target, group)
    return [rows[held_out] for _, held_out in parts]


def _require_classes(dataset: Dataset, subsets: dict[str, np.ndarray], settings: Settings) -> None:
    drawn = settings.time is None and settings.split is None and not settings.test
    advice = "use smaller groups or other weights, or try another --seed" if drawn else "or divide the rows otherwise"
    for name, rows in subsets.items():
        counts = np.bincount(dataset.target[rows], minlength=2)
        totals = (
            counts if dataset.weight is None else np.bincount(dataset.target[rows], dataset.weight[rows], minlength=2)
        )
        if totals.min() <= LEAST_WEIGHT * totals.sum():
            empty = dataset.positive if totals.argmin() else dataset.negative
            lacks = "no rows" if counts[totals.argmin()] == 0 else f"{'hardly any' if totals.min() else 'no'} weight"
            raise ValueError(f"the {name} has {lacks} of the class `{empty}`. Add rows, {advice}.")
