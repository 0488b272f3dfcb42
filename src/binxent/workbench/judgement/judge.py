"""All findings about a run: those about its table before the training, those about its model after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from binxent.workbench.data.dataset import Dataset
from binxent.workbench.data.split import Split
from binxent.workbench.judgement.findings import Finding
from binxent.workbench.judgement.leaks import leaking_columns, too_good_to_be_true
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
    if not any(getattr(settings, option, None) for option in ("time", "split")):
        found += time_columns(dataset)
    return found


def judge_model(metrics: Mapping[str, Any]) -> list[Finding]:
    """Find what speaks against a trained model.

    Args:
        metrics: The content of metrics.json.
    """
    return too_good_to_be_true(metrics)
