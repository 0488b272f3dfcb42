"""``binxent compare``: the options of a comparison of two runs, and the call of `comparison` with them."""

from __future__ import annotations

from pathlib import Path

import click

from binxent.workbench.commands._options import PATH, Command, write_json, write_line


@click.command(cls=Command)
@click.argument("first", metavar="A", type=PATH)
@click.argument("second", metavar="B", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Write the comparison to stdout as JSON.")
def compare(first: Path, second: Path, as_json: bool) -> None:
    """Compare two runs on the test rows that they have in common.

    A and B are run folders. Differences are B minus A, of the same rows, with 95 % intervals. The runs need the same
    data; the same split, which equal seeds and groups give, leaves the most rows to compare.
    """
    from binxent.workbench import comparison

    facts = comparison.compare(first, second)
    if as_json:
        write_json(facts | {"conclusion": comparison.conclusion(facts)})
    else:
        comparison.describe(facts, write_line)
