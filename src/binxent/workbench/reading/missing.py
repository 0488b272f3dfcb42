"""Words that stand for a missing value."""

from __future__ import annotations

import polars as pl

# In every column, exactly as written: other spellings of these may be words, such as the name Nan.
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "<NA>", "#N/A", "#NA", "#N/A N/A")
# In columns of numbers, dates and truth values, in any case.
_PLACEHOLDERS = {word.lower() for word in MISSING} | {
    "?", "??", "-", "--", "---", "\u2013", "\u2014", "\u2212", ".", "..", "none", "nil", "nul", "missing", "unknown",
    "not available", "not applicable", "#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "1.#qnan", "-1.#ind",
    "-nan", "nat", "(null)", "\\n",
}  # fmt: skip


def strip(text: pl.Series) -> pl.Series:
    """Return text without blanks around it, and null for the words that are missing in every column."""
    text = text.cast(pl.String)
    distinct = text.head(1000).n_unique()
    if distinct < 100 < len(text):  # of few different words, each is looked at once
        words = text.unique()
        if words.equals(_strip(words), null_equal=True):
            return text
    return _strip(text)


def _strip(text: pl.Series) -> pl.Series:
    text = text.str.strip_chars()
    return text.set(text.is_in(MISSING), None)


def without_placeholders(text: pl.Series) -> pl.Series:
    """Return stripped text with null for everything that stands for a missing number, date or truth value."""
    return text.set(text.str.to_lowercase().is_in(list(_PLACEHOLDERS)), None)
