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
def epochs_shown(total: int, stream: TextIO, *, again: bool = False) -> Iterator[Report]:
    """Yield a function to call after each epoch, which shows a live line on a terminal and prints lines elsewhere.

    Args:
        total: The largest number of epochs; early stopping shortens the time left.
        stream: Where to write. Colours follow NO_COLOR.
        again: Whether this is the training on all rows that follows the first, which has no validation rows.
    """
    from rich.console import Console

    console = Console(file=stream)
    title = "epoch on all rows" if again else "epoch"
    show = _live(total, console, title) if console.is_terminal else _plain(total, stream, title)
    with show as report:
        yield lambda epoch, metrics: report(epoch, {"loss": metrics["loss"]} if again else metrics)


def _losses(metrics: dict[str, float]) -> str:
    names = {"loss": "loss", "val_loss": "validation"}
    return "  ".join(f"{names[name]} {value:.4f}" for name, value in metrics.items())


@contextmanager
def _live(total: int, console: Console, title: str) -> Iterator[Report]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(title), MofNCompleteColumn(), BarColumn(bar_width=20), TextColumn("{task.description}"),
        TimeElapsedColumn(), TextColumn("at most"), TimeRemainingColumn(), TextColumn("left"),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("compiling", total=total)

        def report(epoch: int, metrics: dict[str, float]) -> None:
            progress.update(task, completed=epoch, description=_losses(metrics))

        yield report


@contextmanager
def _plain(total: int, stream: TextIO, title: str) -> Iterator[Report]:
    start, first = time.monotonic(), None

    def report(epoch: int, metrics: dict[str, float]) -> None:
        # The first epoch includes compilation, and a resumed run starts late: time counts from the first report.
        nonlocal start, first
        if first is None:
            start, first, left = time.monotonic(), epoch, ""
        else:
            seconds = (time.monotonic() - start) / (epoch - first) * (total - epoch)
            left = f"  at most {seconds:.0f} s left"
        click.echo(f"{title} {epoch:>{len(str(total))}}/{total}  {_losses(metrics)}{left}", file=stream)

    yield report
