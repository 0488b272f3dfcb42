"""The split of a dataset into training, validation and test subsets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from binxent.workbench.data.dataset import Dataset


@dataclass(frozen=True)
class Split:
    """The rows of the three subsets, each in the table's order."""

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray


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
