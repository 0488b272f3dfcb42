"""Rows that are not independent: copies on both sides of the split, several rows of one thing, rows in time."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from binxent.workbench.data.dataset import Dataset
from binxent.workbench.data.split import Split
from binxent.workbench.judgement.findings import Finding

_THINGS = (
    r"account|animal|applicant|borrower|child|client|customer|device|driver|employee|family|household|individual|lead|"
    r"member|mother|owner|participant|passenger|patient|person|player|policy|pupil|respondent|session|student|subject|"
    r"twin|user|visitor|voter|worker"
)
THING_NAME = re.compile(
    rf"(?i:(^|[_\W])(({_THINGS})([_\W]?(code|hash|name|nr|no|num|number|key))?|u?id|uuid|guid)$)|[a-z](Id|ID)$"
)
TIME_NAME = re.compile(r"(?i)(^|[_\W])(date|time|timestamp|datetime|when|epoch|year|month|day|created|issued|seen)")
BIRTH_NAME = re.compile(r"(?i)birth|born|(^|[_\W])dob($|[_\W])")


def duplicate_rows(dataset: Dataset, split: Split) -> list[Finding]:
    """Find test rows whose features and target occur among the other rows, more often than chance explains.

    Rows of a few categories are often equal by chance. Two things tell copies from those: their targets agree, and
    far fewer rows are equal when each column is shuffled by itself.
    """
    features = dataset.features.select(dataset.table)
    rows, test = features.hash_rows().to_numpy(), np.zeros(len(dataset.target), bool)
    test[split.test] = True
    copies = _known(rows, test)
    if copies.sum() < 5 or copies.mean() < 0.01:  # also without test rows
        return []
    share = float(copies.mean())
    shuffle = np.random.default_rng(0).permutation
    shuffled = pl.DataFrame([column.gather(shuffle(len(column))) for column in features])
    if share < 5 * _known(shuffled.hash_rows().to_numpy(), test).mean():
        return []
    distinct, place = np.unique(rows[~test], return_index=True)
    known = rows[test][copies]
    first = dataset.target[~test][place[np.searchsorted(distinct, known)]]
    if not _agree(dataset.target[test][copies], first):
        return []
    return [
        Finding(
            code="duplicates",
            severity="warning",
            sentence=(
                f"{copies.sum():,} of {len(copies):,} test rows ({share:.0%}) are copies of other rows, with the same "
                "features and nearly always the same target: the scores are those of rows that training has seen."
            ),
            fix="Drop the copies from the table, or keep rows that belong together in one part by --group COLUMN.",
            evidence={"rows": float(copies.sum()), "share": share},
        )
    ]


def _known(rows: np.ndarray, test: np.ndarray) -> np.ndarray:
    return np.isin(rows[test], rows[~test])


def _agree(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether labels agree far beyond chance: Cohen's kappa (1960) of at least 0.9, or one class."""
    chance = one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean())
    return bool(chance == 1 or ((one == other).mean() - chance) / (1 - chance) >= 0.9)


def repeated_ids(dataset: Dataset, split: Split) -> list[Finding]:
    """Find columns that are named like a person's or a thing's id, with rows of most values on both sides."""
    test = np.zeros(len(dataset.target), bool)
    test[split.test] = True
    found = []
    for column in dataset.columns:
        if column.kind not in ("number", "category", "text") or column.use not in ("feature", "left out"):
            continue
        if not THING_NAME.search(column.name):
            continue
        values = dataset.table.get_column(column.name).alias("")
        known = values.is_not_null().to_numpy()
        code = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)[known]
        distinct, inside = int(code.max(initial=0)), test[known]
        if distinct < max(20, np.sqrt(len(code)) / 2) or not inside.any():
            continue
        both = np.isin(code[inside], code[~inside]).mean()
        if both >= 0.3:
            found.append((column.name, distinct, len(code) / distinct, float(both)))
    return [_repeated(*facts) for facts in found[:3]]


def _repeated(name: str, distinct: int, rows: float, both: float) -> Finding:
    return Finding(
        code="repeated_ids",
        severity="warning",
        sentence=(
            f"`{name}` looks like an id with several rows: {distinct:,} values, {rows:.2g} rows each. Of the test "
            f"rows, {both:.0%} have a value that other rows have too, so the scores may flatter the model."
        ),
        fix=f"If it is to predict for new ones, --group '{name}' keeps all rows of one in the same part.",
        columns=(name,),
        evidence={"values": float(distinct), "rows_per_value": rows, "share": both},
    )


def time_columns(dataset: Dataset) -> list[Finding]:
    """Find the column that tells when a row was made: the table is in its order, or it is a date with such a name."""
    candidates = []
    for column in dataset.columns:
        named = TIME_NAME.search(column.name) is not None
        time_like = column.kind == "date" or (column.kind == "number" and named)
        if not time_like or column.use not in ("feature", "left out") or BIRTH_NAME.search(column.name):
            continue
        values = dataset.table.get_column(column.name).alias("")
        if values.null_count() > 0.05 * len(values) or values.n_unique() < 10:
            continue
        known = values.drop_nulls()
        ordered = known.is_sorted() or known.is_sorted(descending=True)
        if ordered or (column.kind == "date" and named):
            candidates.append((not ordered, column.name))
    if not candidates:
        return []
    unordered, name = min(candidates, key=lambda candidate: candidate[0])
    why = "is a date" if unordered else "is in the order of the rows"
    return [
        Finding(
            code="time",
            severity="note",
            sentence=f"`{name}` {why}, and the test rows are drawn at random from all times.",
            fix=f"If the model is to predict what comes later, --time '{name}' holds out the latest rows instead.",
            columns=(name,),
        )
    ]
