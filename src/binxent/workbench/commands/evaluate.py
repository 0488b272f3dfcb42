"""``binxent evaluate``: the options of an evaluation, and the call of `evaluation` with them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from binxent.workbench.commands._options import PATH, PATTERN, Command, printable


@click.command(cls=Command)
@click.argument("run", type=PATH)
@click.argument("data", metavar="LABELLED...", nargs=-1, required=True, type=PATTERN)
@click.option("--drop-missing", is_flag=True, help="Leave out the rows whose target or weight is missing.")
@click.option("--json", "as_json", is_flag=True, help="Write the scores to stdout as JSON, remarks to stderr.")
def evaluate(run: Path, data: tuple[str, ...], drop_missing: bool, as_json: bool) -> None:
    """Score the run folder RUN on LABELLED data: files as for training, with the target.

    Log loss, Brier score, AUC and calibration, with 95 % intervals, beside those of training's held-out rows. Labels
    are those of training. The run folder may come from anybody: nothing in it is run.
    """
    from binxent.workbench import evaluation

    facts = evaluation.evaluate(
        run, data, drop_missing=drop_missing, write=lambda text: click.echo(printable(text), err=True)
    )
    if as_json:
        click.echo(json.dumps(facts, indent=2, allow_nan=False))
        return
    evaluation.describe(facts, lambda text: click.echo(printable(text)))
