"""``binxent runs``: the options of the listing of runs, and the call of `listing` with them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from binxent.workbench.commands._options import PATH, Command, printable


@click.command(cls=Command)
@click.argument("folder", type=PATH, default="runs")
@click.option("--json", "as_json", is_flag=True, help="Write the runs to stdout as JSON.")
def runs(folder: Path, as_json: bool) -> None:
    """List the runs in FOLDER (runs by default), the newest last: data, target, scores on held-out rows, state."""
    from binxent.workbench import listing

    found = listing.list_runs(folder)
    if as_json:
        click.echo(json.dumps(found, indent=2, allow_nan=False))
        return
    for line in listing.as_lines(found):
        click.echo(printable(line))
