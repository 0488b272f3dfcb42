"""The judgement of a run: of its table before the training, of its model after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from binxent.workbench.data.dataset import Dataset
from binxent.workbench.data.split import Split
from binxent.workbench.judgement.examples import telling_examples
from binxent.workbench.judgement.findings import Finding
from binxent.workbench.judgement.importance import permutation_importance
from binxent.workbench.judgement.leaks import leaking_columns, too_good_to_be_true
from binxent.workbench.judgement.rivals import Part, simple_rivals
from binxent.workbench.judgement.rows import duplicate_rows, repeated_ids, time_columns
from binxent.workbench.settings import Settings


def judge_table(dataset: Dataset, split: Split, settings: Settings) -> list[Finding]:
    """Find what speaks against a table and its split, worst first.

    Args:
        dataset: The table, its target and its features.
        split: The rows of the subsets; the target of the test rows is compared with that of copies, never learnt from.
        settings: Settings of the run: what they settle is not suggested.
    """
    found = [*leaking_columns(dataset, split), *duplicate_rows(dataset, split)]
    if settings.group is None:
        found += repeated_ids(dataset, split)
    if settings.time is None and settings.split is None:
        found += time_columns(dataset)
    return found


def judge_model(metrics: Mapping[str, Any]) -> list[Finding]:
    """Find what speaks against a trained model.

    Args:
        metrics: The content of metrics.json.
    """
    return too_good_to_be_true(metrics)


def judge_predictions(
    dataset: Dataset,
    rows: np.ndarray,
    logit: np.ndarray,
    predict_logit: Callable[[pl.DataFrame], np.ndarray],
    training: Part,
    test: Part,
    settings: Settings,
    held: np.ndarray | slice = slice(None),
) -> dict[str, Any]:
    """Return what a report says about a model beside its scores.

    Args:
        dataset: The table and its features.
        rows: The test rows that the table has.
        logit: What the model predicts for all test rows, corrected.
        predict_logit: Predicts the corrected logits of rows of the table, shape (rows,).
        training: The prepared rows that a rival may learn from.
        test: All prepared test rows.
        settings: Settings of the run.
        held: Which of these the table has, if it is a sample.

    Returns:
        `importance`, `rivals`, and `examples` if the settings ask for some, as `metrics.json` holds them.
    """
    table, columns = dataset.table[rows], list(dataset.features.columns)
    target, weight = test.target[held], None if test.weight is None else test.weight[held]
    found: dict[str, Any] = {
        "importance": permutation_importance(predict_logit, table, target, weight, columns, settings.seed),
        "rivals": simple_rivals(training, test, logit, settings.seed),
    }
    if settings.examples:
        found["examples"] = telling_examples(
            table, dataset.row[rows], target, weight, logit[held], columns, settings.examples
        )
    return found
