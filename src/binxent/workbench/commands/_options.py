"""What several commands share: options that are given once, columns by name, and text and JSON for a terminal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class Command(click.Command):
    """A command that refuses an option given twice; click keeps the last one and drops the others."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises:
            click.UsageError: If they are not valid, or an option is repeated.
        """
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        for parameter, times in Counter(given).items():
            if times > 1 and isinstance(parameter, click.Option) and not parameter.multiple:
                raise click.UsageError(f"{parameter.opts[-1]} is given {times} times; give it once.", ctx)
        return super().parse_args(ctx, args)


class NonEmptyPath(click.Path):
    """A path; an empty text, such as a shell variable that is not set, would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail if the text is empty."""
        if not str(value).strip():
            self.fail(f"{value!r} is not a path; name a file or a folder.", param, ctx)
        return super().convert(value, param, ctx)


PATH = NonEmptyPath(path_type=Path)
PATTERN = NonEmptyPath()  # a path or a glob, as text


def column_names(_context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...] | None:
    """Check the names of columns; those written as A,B are separated when the columns of the table are known.

    Raises:
        click.BadParameter: If a name is empty or repeated.
    """
    if not value:
        return None
    for name, times in Counter(value).items():
        if not name.strip():
            raise click.BadParameter(f"{name!r} is an empty column name; name a column, or several as A,B.")
        if times > 1:
            raise click.BadParameter(f"the column `{name}` is named {times} times; name it once.")
    return value


def columns_option(option: str, text: str) -> Callable[[Callable], Callable]:
    """Return an option that names columns, once or more often."""
    return click.option(option, metavar="COLUMN", multiple=True, callback=column_names, help=text)


def printable(text: str) -> str:
    r"""Return text that a terminal shows and does not obey: control characters and what is not text are escaped.

    Example:
        >>> printable("a\x1b[31m column\n")
        'a\\x1b[31m column\\n'
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def write_line(text: str) -> None:
    """Write a result to stdout."""
    click.echo(printable(text))


def write_remark(text: str) -> None:
    """Write a remark to stderr, so that stdout holds the results only."""
    click.echo(printable(text), err=True)


def write_json(value: Any) -> None:
    """Write plain values to stdout as JSON."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))
