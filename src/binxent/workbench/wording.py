"""Sentences for the user: who writes them, and their parts, counted things and quoted names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

Writer = Callable[[str], None]  # writes a line for the user


def counted(count: int, noun: str) -> str:
    """Return a number of things.

    Args:
        count: The number.
        noun: The thing in the singular; regular, or ending in y.

    Example:
        >>> counted(1, "row"), counted(1234, "row"), counted(2, "category")
        ('1 row', '1,234 rows', '2 categories')
    """
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else several}"


def counts_of(nouns: Iterable[str]) -> str:
    """Return how often each thing is there.

    Example:
        >>> counts_of(["number", "text", "number"])
        '2 numbers, 1 text'
    """
    return ", ".join(counted(count, noun) for noun, count in Counter(nouns).items())


def quoted(names: Iterable[object], most: int | None = None) -> str:
    """Return names or values in the quotes of code.

    Args:
        names: The names.
        most: How many to show; None for all.

    Example:
        >>> quoted(["age", "city"]), quoted(["a", "b", "c"], most=1)
        ('`age`, `city`', '`a` and 2 more')
    """
    texts = [f"`{name}`" for name in names]
    shown = texts[:most]
    return ", ".join(shown) + (f" and {len(texts) - len(shown):,} more" if len(texts) > len(shown) else "")
