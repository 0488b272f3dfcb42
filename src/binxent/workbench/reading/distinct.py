"""Text that is read once for each distinct value."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl


def fill_from_distinct(found: pl.Series, text: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Return what was found, and what a slower function reads where nothing was found in a text.

    Example:
        >>> text = pl.Series(["1", "two", None, "two"])
        >>> fill_from_distinct(pl.Series([1, None, None, None]), text, lambda texts: texts.str.len_chars()).to_list()
        [1, 3, None, 3]
    """
    rest = (found.is_null() & text.is_not_null()).arg_true()
    if len(rest) == 0:
        return found
    texts = text.gather(rest)
    distinct = texts.unique()
    return found.scatter(rest, texts.replace_strict(distinct, read(distinct), default=None, return_dtype=found.dtype))
