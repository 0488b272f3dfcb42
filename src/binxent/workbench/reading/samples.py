"""A table that is at hand without a file."""

from __future__ import annotations

import hashlib
from typing import Any

import polars as pl


def breast_cancer() -> tuple[pl.DataFrame, str]:
    """Return the breast-cancer data of scikit-learn (569 rows, 30 numbers, malignant is 1) and its SHA-256."""
    from sklearn.datasets import load_breast_cancer

    bunch: Any = load_breast_cancer()
    table = pl.DataFrame(bunch.data, schema=[name.replace(" ", "_") for name in bunch.feature_names])
    # In scikit-learn 1 is benign; the tumours to find are malignant.
    malignant = pl.Series("malignant", 1 - bunch.target, dtype=pl.Int8)
    return table.with_columns(malignant), hashlib.sha256(bunch.data.tobytes() + bunch.target.tobytes()).hexdigest()
