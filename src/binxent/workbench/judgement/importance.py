"""Permutation importance: how much worse a model predicts test rows when a column is shuffled (Breiman 2001)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

import binxent.numpy as bx

ROWS = 2_000  # test rows that are predicted again
COLUMNS = 100  # columns that are shuffled
AT_ONCE = 20_000  # rows in a batch
REPEATS = 10  # of few rows


def permutation_importance(
    predict_logit: Callable[[pl.DataFrame], np.ndarray],
    table: pl.DataFrame,
    target: np.ndarray,
    weight: np.ndarray | None,
    columns: Sequence[str],
    seed: int,
) -> list[dict[str, Any]]:
    """Measure how much the log loss of test rows rises when a column's values are dealt to other rows.

    Columns that say the same stand in for each other: both may look unimportant. At most 2,000 rows and the first 100
    columns are taken; the same arguments give the same numbers.

    Args:
        predict_logit: Returns the corrected logits of a table's rows, shape (rows,).
        table: Held-out rows, with every column that the model needs.
        target: Labels 0 and 1, shape (rows,).
        weight: Weights of the rows, shape (rows,); None counts every row once.
        columns: The columns to shuffle.
        seed: Decides the rows and the shuffling.

    Returns:
        For each column its name (`column`), the `increase` of the log loss in nats and its standard `error` over the
        rows, the largest increase first; nothing without rows that count or with infinite losses.
    """
    counted = np.flatnonzero(np.ones(len(target)) if weight is None else weight)
    if len(counted) < 2:
        return []
    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(counted)[:ROWS])
    part, label = table[rows], target[rows].astype(float)
    share = np.full(len(rows), 1 / len(rows)) if weight is None else weight[rows] / weight[rows].sum()

    def losses(logit: np.ndarray, copies: int) -> np.ndarray:
        labels = np.tile(label, copies)
        return np.asarray(bx.sigmoid_cross_entropy_with_logits(labels, np.asarray(logit, float))).reshape(copies, -1)

    before = losses(predict_logit(part), 1)[0]
    repeats = int(np.clip(ROWS // len(rows), 1, REPEATS))
    shuffled = [(name, random.permutation(len(rows))) for name in columns[:COLUMNS] for _ in range(repeats)]
    step = max(AT_ONCE // len(rows), 1)
    after = []
    for start in range(0, len(shuffled), step):
        copies = [_with_shuffled(part, *change) for change in shuffled[start : start + step]]
        after.append(losses(predict_logit(pl.concat(copies)), len(copies)))
    if not shuffled or not all(np.isfinite(part).all() for part in (before, *after)):
        return []
    differences = np.concatenate(after).reshape(-1, repeats, len(rows)).mean(axis=1) - before
    found = []
    for name, difference in zip(columns, differences, strict=False):
        mean = float(share @ difference)
        error = math.sqrt(np.square(share * (difference - mean)).sum() * len(rows) / (len(rows) - 1))
        found.append({"column": name, "increase": mean, "error": error})
    return sorted(found, key=lambda entry: -entry["increase"])


def _with_shuffled(table: pl.DataFrame, name: str, order: np.ndarray) -> pl.DataFrame:
    # Without the names, some of which are patterns to polars.
    columns = table.get_columns()
    place = table.get_column_index(name)
    columns[place] = columns[place].alias("").gather(order).alias(name)
    return pl.DataFrame(columns)
