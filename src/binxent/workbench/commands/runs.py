"""``binxent runs``: the options of the listing of runs, and the call of `listing` with them."""

from __future__ import annotations

from pathlib import Path

import click

from binxent.workbench.commands._options import PATH, Command, write_json, write_line


@click.command(cls=Command)
@click.argument("folder", type=PATH, default="runs")
@click.option("--json", "as_json", is_flag=True, help="Write the runs to stdout as JSON.")
def runs(folder: Path, as_json: bool) -> None:
    """List the runs in a folder, the newest last.

    FOLDER is `runs` by default. Shows data, target, scores on the test rows, and whether a run is complete.
    """
    from binxent.workbench import listing

    found = listing.list_runs(folder)
    if as_json:
        write_json(found)
        return
    for line in listing.as_lines(found):
        write_line(line)
