"""What several commands share: options that are given once, and the text form of their values."""

from __future__ import annotations

import os
from collections import Counter
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
            if times > 1 and isinstance(parameter, click.Option):
                lists = " Write several columns as A,B." if parameter.callback is column_names else ""
                raise click.UsageError(f"{parameter.opts[-1]} is given {times} times; give it once.{lists}", ctx)
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


def column_names(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Parse column names that are written as A,B.

    Raises:
        click.BadParameter: If a name is empty or repeated.
    """
    if value is None:
        return None
    names = tuple(name.strip() for name in value.split(","))
    if not all(names):
        raise click.BadParameter(f"{value!r} has an empty column name; write the names as A,B.")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise click.BadParameter(f"{value!r} has the column `{name}` {times} times; name it once.")
    return names


def require_jax(purpose: str) -> None:
    """Choose Keras's backend JAX.

    Args:
        purpose: What needs it, for the error.

    Raises:
        ValueError: If the environment names another backend.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "jax")
    if backend != "jax":
        raise ValueError(f"{purpose} runs on Keras's backend jax, and KERAS_BACKEND is {backend!r}; unset it.")
