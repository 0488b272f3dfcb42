"""What a user sees of a job: lines of text, and the progress of a training, epoch by epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from rich.console import Console

Report = Callable[[int, dict[str, float]], None]  # takes an epoch's number, from 1, and its metrics


@contextmanager
def epochs_shown(total: int, stream: TextIO) -> Iterator[Report]:
    """Yield a function to call after each epoch, which shows a live line on a terminal and prints lines elsewhere.

    Args:
        total: The largest number of epochs; early stopping shortens the time left.
        stream: Where to write. Colours follow NO_COLOR.
    """
    from rich.console import Console

    console = Console(file=stream)
    with _live(total, console) if console.is_terminal else _plain(total, stream) as report:
        yield report


@contextmanager
def _live(total: int, console: Console) -> Iterator[Report]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("epoch"), MofNCompleteColumn(), BarColumn(bar_width=20), TextColumn("{task.description}"),
        TimeElapsedColumn(), TextColumn("at most"), TimeRemainingColumn(), TextColumn("left"),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("compiling", total=total)

        def report(epoch: int, metrics: dict[str, float]) -> None:
            description = f"loss {metrics['loss']:.4f}  validation {metrics['val_loss']:.4f}"
            progress.update(task, completed=epoch, description=description)

        yield report


@contextmanager
def _plain(total: int, stream: TextIO) -> Iterator[Report]:
    start, first = time.monotonic(), None

    def report(epoch: int, metrics: dict[str, float]) -> None:
        # The first epoch includes compilation, and a resumed run starts late: time counts from the first report.
        nonlocal start, first
        if first is None:
            start, first, left = time.monotonic(), epoch, ""
        else:
            seconds = (time.monotonic() - start) / (epoch - first) * (total - epoch)
            left = f"  at most {seconds:.0f} s left"
        losses = f"loss {metrics['loss']:.4f}  validation {metrics['val_loss']:.4f}"
        click.echo(f"epoch {epoch:>{len(str(total))}}/{total}  {losses}{left}", file=stream)

    yield report
