"""``binxent compare``: the options of a comparison of two runs, and the call of `comparison` with them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from binxent.workbench.commands._options import PATH, Command, printable


@click.command(cls=Command)
@click.argument("first", metavar="A", type=PATH)
@click.argument("second", metavar="B", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Write the comparison to stdout as JSON.")
def compare(first: Path, second: Path, as_json: bool) -> None:
    """Compare the run folders A and B on the rows that are held out in both.

    Differences are B minus A, of the same rows, with 95 % intervals. The runs need the same data; the same split, which
    equal seeds and groups give, leaves the most rows to compare.
    """
    from binxent.workbench import comparison

    facts = comparison.compare(first, second)
    if as_json:
        click.echo(json.dumps(facts | {"conclusion": comparison.conclusion(facts)}, indent=2, allow_nan=False))
        return
    comparison.describe(facts, lambda text: click.echo(printable(text)))
