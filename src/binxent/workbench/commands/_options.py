"""Options that several commands have, and the text form of their values."""

from __future__ import annotations

import click


def column_names(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Parse column names that are written as A,B."""
    return None if value is None else tuple(name.strip() for name in value.split(",") if name.strip())
