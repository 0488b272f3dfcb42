"""``binxent predict``: the options of prediction, and the call of `training.predict` with them."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from binxent.workbench.commands._options import PATH, PATTERN, Command, column_names, require_jax


@click.command(cls=Command)
@click.argument("run", type=PATH)
@click.argument("data", nargs=-1, required=True, type=PATTERN)
@click.option("-o", "--output", required=True, type=PATH, help="The file to write: .parquet or .csv.")
@click.option(
    "--keep",
    metavar="COLUMNS",
    callback=column_names,
    help="Columns of DATA to copy beside the predictions, as A,B.",
)
def predict(run: Path, data: tuple[str, ...], output: Path, keep: tuple[str, ...] | None) -> None:
    """Apply the model of the run folder RUN to DATA: a logit and a probability for every row, in the rows' order.

    DATA may be larger than memory. Its columns must be those of the training data; others are ignored. A run folder
    holds pickled Python objects: apply only runs that you trust as you would trust a program.
    """
    require_jax("prediction")
    from binxent.workbench.training import predict as job

    rows = job.predict(run, data, output, keep=keep or (), write=functools.partial(click.echo, err=True))
    click.echo(f"Wrote {rows:,} rows to {output}")
