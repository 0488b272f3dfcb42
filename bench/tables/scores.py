"""What a model's probabilities for the held-out rows are worth, and how two models compare.

The skill is 1 - log loss / log loss of a constant, the held-out rows' own share of positives: 1 is perfect, 0 no better
than the base rate. The constant has seen the held-out labels, so skill 0 is a little hard.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

SMALLEST = 1e-15  # a probability of the label below it counts as this: forests give zeros, whose log loss is infinite


def score(labels: np.ndarray, probabilities: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """Return the scores of a model, and the losses of the rows.

    Args:
        labels: 0 or 1, shape (rows,).
        probabilities: Of label 0 and of label 1, shape (rows, 2).

    Returns:
        Log loss, the loss of the base rate, AUC, Brier score and the number of rows that `SMALLEST` concerns; and the
        losses in float32, shape (rows,).
    """
    from sklearn.metrics import roc_auc_score

    labels = np.asarray(labels).astype(int)
    of_label = np.asarray(probabilities, dtype=np.float64)[np.arange(labels.size), labels]
    losses = -np.log(np.maximum(of_label, SMALLEST))
    return {
        "log_loss": float(losses.mean()),
        "base_loss": base_loss(float(labels.mean())),
        "auc": float(roc_auc_score(labels, np.asarray(probabilities)[:, 1])),
        "brier": float(np.mean((1 - of_label) ** 2)),
        "clipped": int(np.sum(of_label < SMALLEST)),
    }, losses.astype(np.float32)


def base_loss(share: float) -> float:
    """Return the log loss of a constant for a share of positives, where the constant is that share."""
    return float(-(share * np.log(share) + (1 - share) * np.log1p(-share)))


def difference(rows: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Return the mean difference of the rows' losses, theirs - ours, and its standard error.

    A row that is held out with several seeds gives one summand, the sum of its differences, not several.

    Args:
        rows: The row's number, shape (n,), over all seeds.
        ours: Losses of the rows, shape (n,).
        theirs: Losses of the same rows, shape (n,).
    """
    differences = theirs.astype(np.float64) - ours
    mean = differences.mean()
    _, group = np.unique(rows, return_inverse=True)
    sums = np.bincount(group, weights=differences - mean)
    return float(mean), float(np.sqrt(np.sum(sums**2)) / differences.size)


def summary(scores: Iterable[dict[str, Any]], reference: str) -> list[dict[str, Any]]:
    """Return a row for each model: means over the tables that all models have, and wins of the reference over it.

    Args:
        scores: A row for each table and model, means over the seeds, with the paired difference from the reference.
        reference: The model that the others are compared with.

    Returns:
        The rows by falling mean skill. `wins` counts the tables on which the reference is better by more than two
        standard errors, `losses` those on which it is worse, `below` those on which the model's skill is negative.
    """
    by_model: dict[str, dict[str, dict[str, Any]]] = {}
    for row in scores:
        by_model.setdefault(row["model"], {})[row["table"]] = row
    tables = sorted(set.intersection(*(set(rows) for rows in by_model.values()))) if by_model else []
    models = list(by_model)
    losses = np.array([[by_model[model][table]["log_loss"] for table in tables] for model in models])
    # The rank of a model on a table: how many are better, and half of those that are equal, itself included.
    better = (losses[None] < losses[:, None]).sum(axis=1)
    equal = (losses[None] == losses[:, None]).sum(axis=1)
    ranks = better + (equal + 1) / 2
    found = []
    for model, rank in zip(models, ranks, strict=True):
        rows = [by_model[model][table] for table in tables]
        beyond = [row["difference"] / max(row["standard_error"], 1e-300) for row in rows if model != reference]
        found.append(
            {
                "model": model,
                "tables": len(tables),
                "skill": float(np.mean([row["skill"] for row in rows])),
                "median_skill": float(np.median([row["skill"] for row in rows])),
                "rank": float(rank.mean()),
                "wins": sum(ratio > 2 for ratio in beyond),
                "losses": sum(ratio < -2 for ratio in beyond),
                "below": [row["table"] for row in rows if row["skill"] < 0],
                "auc": float(np.mean([row["auc"] for row in rows])),
                "brier": float(np.mean([row["brier"] for row in rows])),
                "cpu_seconds": float(np.mean([row["cpu_seconds"] for row in rows])),
                "median_cpu_seconds": float(np.median([row["cpu_seconds"] for row in rows])),
            }
        )
    return sorted(found, key=lambda row: -row["skill"])
