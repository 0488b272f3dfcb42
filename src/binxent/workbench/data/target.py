"""The target: which of its two values counts as positive."""

from __future__ import annotations

import unicodedata

import numpy as np
import polars as pl

from binxent.workbench.suggestions import nearest

MOST_DIGITS = 1e16  # from here on numbers are written as 1e+16
# Pairs of words with an undisputed positive, as (negative, positive).
KNOWN_PAIRS = [
    ("0", "1"), ("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("negative", "positive"), ("neg", "pos"),
    ("-", "+"), ("off", "on"), ("absent", "present"), ("benign", "malignant"), ("healthy", "sick"), ("ham", "spam"),
    ("normal", "abnormal"), ("legitimate", "fraud"),
]  # fmt: skip


def binary_target(values: pl.Series, positive: str | None = None) -> tuple[np.ndarray, str, str]:
    """Find the two classes of a column.

    Args:
        values: The column, without missing values.
        positive: The value that counts as positive; None if it is obvious: 1 of 0/1, true, yes, and so on.

    Returns:
        The labels (int8, 1 for positive), the negative value and the positive value as text.

    Raises:
        ValueError: If the column does not have two values, or it is not obvious which is positive.

    Example:
        >>> binary_target(pl.Series("bought", ["no", "yes", "no"]))
        (array([0, 1, 0], dtype=int8), 'no', 'yes')
    """
    dtype, name, values = values.dtype, values.name, values.alias("value")  # some names are patterns to polars
    if not (dtype.is_numeric() or dtype == pl.Boolean or dtype in (pl.String, pl.Categorical, pl.Enum)):
        raise ValueError(f"the target `{name}` must be 0/1, true/false or two strings; its values are of type {dtype}.")
    counts = values.value_counts(sort=True)
    texts = {class_name(value): value for value in counts["value"].to_list()}
    found = ", ".join(f"{class_name(value)} ({count:,})" for value, count in counts.head(8).iter_rows())
    found += f" and {counts.height - 8:,} more" if counts.height > 8 else ""
    if counts.height == 1:
        raise ValueError(f"the target `{name}` has one class only: {found} rows. A classifier needs two.")
    if counts.height > 2:
        raise ValueError(
            f"the target `{name}` must have two values; it has {counts.height:,}: {found}. "
            "Leave the other rows out, or join classes into two."
        )
    if positive is None:
        positive = _obvious_positive(list(texts))
        if positive is None:
            raise ValueError(
                f"the target `{name}` has the values {found}. Say which one is positive: --positive '{min(texts)}' "
                f"or --positive '{max(texts)}'."
            )
    elif positive not in texts:
        numeric = dtype.is_numeric()
        alike = [
            text
            for text, value in texts.items()
            if _folded(text) == _folded(positive) or (numeric and _is_number(positive, value))
        ]
        if len(alike) != 1:
            raise ValueError(f"--positive: the target `{name}` has no value `{positive}`.{nearest(positive, texts)}")
        positive = alike[0]
    (negative,) = set(texts) - {positive}
    return (values == texts[positive]).to_numpy().astype(np.int8), negative, positive


def known_target(values: pl.Series, negative: str, positive: str) -> np.ndarray:
    """Return labels of the classes that a run was trained on.

    Args:
        values: A column, without missing values.
        negative: The name of the class 0.
        positive: The name of the class 1.

    Returns:
        The labels (int8, 1 for positive).

    Raises:
        ValueError: If a value is of neither class; blanks and case do not tell classes apart.

    Example:
        >>> known_target(pl.Series("bought", ["No", "yes ", "no"]), "no", "yes")
        array([0, 1, 0], dtype=int8)
    """
    counts = values.alias("value").value_counts(sort=True)
    labels, unknown = {}, []
    for value, count in counts.iter_rows():
        text = class_name(value)
        matches = [text == negative, text == positive]
        if not any(matches):
            matches = [_folded(text) == _folded(name) for name in (negative, positive)]
        if sum(matches) == 1:
            labels[value] = matches.index(True)
        else:
            unknown.append(f"`{text}` ({count:,})")
    if unknown:
        shown = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else "")
        raise ValueError(
            f"the target `{values.name}` has values of no class that the run was trained on: {shown}. The classes are "
            f"`{negative}` and `{positive}`."
        )
    return np.array([labels[value] for value in values.to_list()], np.int8)


def merge_classes(values: pl.Series) -> tuple[pl.Series, str]:
    """Make one class of values that differ in blanks and case only, if more than one class is then left.

    Args:
        values: A target, without missing values.

    Returns:
        The target, each class in its most frequent form, and a sentence on what was merged, or "".

    Example:
        >>> values, sentence = merge_classes(pl.Series("bought", ["yes", "Yes", "no", "yes"]))
        >>> values.to_list(), sentence
        (['yes', 'yes', 'no', 'yes'], 'the target `bought` has `yes` also as `Yes` (1); they count as one class')
    """
    if values.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return values, ""
    name, values = values.name, values.cast(pl.String).alias("value")
    forms: dict[str, dict[str, int]] = {}
    for value, count in values.value_counts(sort=True).sort("count", "value", descending=[True, False]).iter_rows():
        forms.setdefault(_folded(value), {})[value] = count
    if len(forms) < 2 or all(len(counts) == 1 for counts in forms.values()):
        return values.alias(name), ""
    merged = []
    for counts in forms.values():
        first, *others = counts
        if others:
            values = values.replace(others, [first] * len(others))
            merged.append(f"`{first}` also as {', '.join(f'`{other}` ({counts[other]:,})' for other in others[:5])}")
    return values.alias(name), f"the target `{name}` has {'; '.join(merged)}; they count as one class"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()).casefold())


def _is_number(text: str, value: float) -> bool:
    try:
        return float(text) == value
    except ValueError:
        return False


def class_name(value: object) -> str:
    """Return a value of a target as text: 1.0 as 1, True as true.

    Example:
        >>> class_name(True), class_name(1.0), class_name("Yes")
        ('true', '1', 'Yes')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < MOST_DIGITS:
        return str(int(value))
    return str(value)


def _obvious_positive(texts: list[str]) -> str | None:
    by_word = {_folded(text): text for text in texts}
    for pair in KNOWN_PAIRS:
        if set(by_word) == set(pair):
            return by_word[pair[1]]
    return None
