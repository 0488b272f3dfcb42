"""Scores as a table of text in a terminal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from binxent.workbench.report.number_format import number

SCORES = {"log_loss": "Log loss", "brier": "Brier score", "auc": "AUC"}


def in_columns(cells: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Return the rows of a table as lines, whose columns begin below each other.

    Args:
        cells: Rows of equal length.
        right: The columns that are aligned on the right.

    Example:
        >>> in_columns([["run", "rows"], ["first", "7"]], right=[1])
        ['run    rows', 'first     7']
    """
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    aligned = [f"{{:{'>' if place in right else '<'}{width}}}" for place, width in enumerate(widths)]
    return ["  ".join(aligned).format(*row).rstrip() for row in cells]


def interval_text(estimate: Mapping[str, float | None]) -> str:
    """Return the ends of an interval.

    Example:
        >>> interval_text({"value": 0.5, "low": 0.25, "high": 1.0})
        '0.250 to 1.00'
    """
    return f"{number(estimate['low'])} to {number(estimate['high'])}"


def with_interval(estimate: Mapping[str, float | None] | None) -> str:
    """Return a value with its interval, if it has one; nothing for None.

    Example:
        >>> with_interval({"value": 0.5, "low": 0.25, "high": 1.0}), with_interval(None)
        ('0.500 (0.250 to 1.00)', '')
    """
    if estimate is None:
        return ""
    interval = "" if estimate["low"] is None else f" ({interval_text(estimate)})"
    return number(estimate["value"]) + interval
