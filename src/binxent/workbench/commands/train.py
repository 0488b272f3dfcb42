"""``binxent train``: the options of training, and the call of `training.train` with them."""

from __future__ import annotations

import functools
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from binxent.workbench.backend import require_jax
from binxent.workbench.commands._options import PATH, PATTERN, Command, columns_option, printable, write_json


def _write_wrapped(text: str, *, err: bool = False) -> None:
    # Continuation lines are indented to the text column; those of a list item to the item.
    indent = "  " if text.startswith("- ") else " " * 12
    wrap = functools.partial(textwrap.fill, width=100, break_long_words=False, break_on_hyphens=False)
    click.echo(wrap(printable(text), subsequent_indent=indent), err=err)


def _widths(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    if value.strip().lower() == "none":
        return ()
    try:
        return tuple(int(width) for width in value.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a list of layer widths; write for example 64,32, or none for a linear model."
        ) from None


def _auto_or_number(_context: click.Context, _option: click.Parameter, value: str | None) -> str | float | None:
    if value is None or value == "auto":
        return value
    try:
        return float(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither auto nor a number.") from None


_table_options = [
    click.option("--target", metavar="COLUMN", help="The column to predict: 0/1, true/false, or two strings."),
    click.option("--positive", metavar="VALUE", help="The target's value that counts as positive."),
    click.option("--group", metavar="COLUMN", help="Keep rows of one group in the same subset of the split."),
    click.option("--weight", metavar="COLUMN", help="Non-negative weights of the rows, for the loss and the scores."),
    click.option("--time", metavar="COLUMN", help="Test on the latest fifth of the rows by these dates or numbers."),
    click.option("--split", metavar="COLUMN", help="The column that says train, validation or test of each row."),
    click.option("--test", metavar="FILE", multiple=True, type=PATTERN, help="A file of the test rows; repeatable."),
    columns_option("--exclude", "A column to leave unread, or several as A,B; this and the next five are repeatable."),
    columns_option("--include", "A column to keep though it looks like an id."),
    columns_option("--number", "A column of numbers, whatever it looks like; what is none counts as missing."),
    columns_option("--category", "A column of categories, such as codes written as numbers."),
    columns_option("--date", "A column of dates."),
    columns_option("--text", "A column of text."),
    click.option(
        "--drop-missing",
        is_flag=True,
        default=None,
        help="Drop the rows whose target, weight or group is missing.",
    ),
]
_loss_options = [
    click.option(
        "--loss",
        type=click.Choice(["bce", "focal", "asymmetric", "poly"]),
        help="Binary cross-entropy, or a variation of it.  [default: bce]",
    ),
    click.option("--gamma", type=float, help="focal: the focusing exponent.  [default: 2]"),
    click.option("--alpha", type=float, help="focal: the positives' share of class balancing.  [default: off]"),
    click.option("--gamma-pos", type=float, help="asymmetric: the positives' exponent.  [default: 1]"),
    click.option("--gamma-neg", type=float, help="asymmetric: the negatives' exponent.  [default: 4]"),
    click.option("--margin", type=float, help="asymmetric: taken off the negatives' probability.  [default: 0.05]"),
    click.option("--epsilon-1", type=float, help="poly: the coefficient of 1 - p_t.  [default: 1]"),
    click.option("--label-smoothing", type=float, help="Squeeze the labels towards 0.5.  [default: 0]"),
    click.option(
        "--pos-weight",
        metavar="auto|NUMBER",
        callback=_auto_or_number,
        help="bce: count positives so many times; auto balances the classes. The probabilities are corrected.",
    ),
]
_fit_options = [
    click.option(
        "--hidden", metavar="WIDTHS", callback=_widths, help="Hidden layers' widths, or none.  [default: 64,32]"
    ),
    click.option("--learning-rate", type=float, help="Adam's learning rate.  [default: 0.001]"),
    click.option("--batch-size", type=int, help="Rows per step.  [default: 32 to 1024, by the number of rows]"),
    click.option("--epochs", type=int, help="The most epochs to train.  [default: 100]"),
    click.option("--patience", type=int, help="Epochs without a lower validation loss before stopping.  [default: 10]"),
    click.option(
        "--folds",
        type=int,
        help="Parts of the rows, each held out from a network to find out when to stop; 1 holds out a fifth.  "
        "[default: 5; 1 beyond 20,000 rows]",
    ),
    click.option("--seed", type=int, help="Decides the split, the first weights and the shuffling.  [default: 0]"),
    click.option(
        "--examples",
        metavar="N",
        type=int,
        help="Show the values of N right and N wrong test rows in the report.  [default: 0]",
    ),
]


def _with(options: list[Callable]) -> Callable[[Callable], Callable]:
    return lambda command: functools.reduce(lambda inner, option: option(inner), reversed(options), command)


@click.command(cls=Command)
@click.argument("data", nargs=-1, type=PATTERN)
@_with(_table_options)
@_with(_loss_options)
@_with(_fit_options)
@click.option("--name", help="The run's name.  [default: the data's name and the next free number]")
@click.option("--output", type=PATH, help="The folder of the runs.  [default: runs]")
@click.option("--config", type=PATH, help="Repeat the run of this config.toml; options override.")
@click.option("--resume", metavar="RUN", type=PATH, help="Continue this interrupted run.")
@click.option("--dry-run", is_flag=True, help="Print what the table holds and what would be done; train nothing.")
@click.option("--json", "as_json", is_flag=True, help="Write the scores to stdout as JSON, the text to stderr.")
def train(
    data: tuple[str, ...],
    name: str | None,
    output: Path | None,
    config: Path | None,
    resume: Path | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model on a table, and write a report on it.

    DATA are CSV, Parquet, Arrow, JSON or Excel files, or a quoted glob of them. Without DATA the model learns the
    breast-cancer data that ships in scikit-learn.

    \b
    Examples:
      binxent train
      binxent train patients.csv --target readmitted --positive yes
      binxent train 'visits/*.parquet' --target bought --group customer --pos-weight auto
      binxent train --config runs/patients-1/config.toml
      binxent train --resume runs/patients-2
    """  # noqa: D301 (click takes a real backspace for a paragraph that keeps its lines)
    require_jax("training")
    from binxent.workbench.training import train as job

    given = {
        option: value for option, value in options.items() if value is not None and (option, value) != ("test", ())
    }
    if data:
        given["data"] = tuple(data)
    write = functools.partial(_write_wrapped, err=as_json)
    stream = sys.stderr if as_json else sys.stdout
    if resume is not None:
        for option, value in (("--config", config), ("--name", name), ("--output", output)):
            if value is not None:
                raise ValueError(f"--resume continues a run as it was set up; {option} cannot be given with it.")
        result = job.resume(resume, given, dry_run=dry_run, write=write, stream=stream)
    else:
        result = job.start(given, config, name, output or Path("runs"), dry_run=dry_run, write=write, stream=stream)
    if as_json:
        write_json(result)
