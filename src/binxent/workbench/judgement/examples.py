"""Examples: the test rows that a model was most certainly right and wrong about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from binxent.workbench.logits import sigmoid

LONGEST = 200  # characters of a value


def telling_examples(
    table: pl.DataFrame,
    row: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    logit: np.ndarray,
    columns: Sequence[str],
    count: int,
) -> list[dict[str, Any]]:
    """Choose the test rows with the lowest and the highest log loss, with their values.

    Args:
        table: The test rows.
        row: Their positions in the input, from 0.
        target: Labels 0 and 1, shape (rows,).
        weight: Weights of the rows, shape (rows,); rows of weight 0 are left out. None counts every row once.
        logit: What the model predicts, shape (rows,).
        columns: The columns whose values are kept.
        count: How many right and how many wrong rows, at most.

    Returns:
        For each row its position (`row`), whether the model was `right`, its `target` and `probability`, and its
        `values` as text by column; the surest first.
    """
    certainty = np.where(target == 1, logit, -logit)  # of the truth: positive for rows that are right
    counted = np.flatnonzero(np.ones(len(target)) if weight is None else weight)
    order = counted[np.argsort(-certainty[counted], kind="stable")]
    right = [place for place in order[:count] if certainty[place] > 0]
    wrong = [place for place in order[::-1][:count] if certainty[place] < 0]
    return [
        {
            "row": int(row[place]),
            "right": bool(certainty[place] > 0),
            "target": int(target[place]),
            "probability": float(sigmoid(logit[place])),
            "values": {name: _shown(table.get_column(name)[int(place)]) for name in columns},
        }
        for place in (*right, *wrong)
    ]


def _shown(value: Any) -> str:
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value).removesuffix(" 00:00:00")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
