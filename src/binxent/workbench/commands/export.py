"""``binxent export``: the options of the export, and the call of `export` with them."""

from __future__ import annotations

from pathlib import Path

import click

from binxent.workbench.commands._options import PATH, Command, printable


@click.command(cls=Command)
@click.argument("run", type=PATH)
@click.option("-o", "--output", required=True, type=PATH, help="The file to write: .onnx.")
def export(run: Path, output: Path) -> None:
    """Write the run folder RUN as an ONNX graph, from columns to logit and probability.

    The graph has an input for each column: numbers, dates as seconds since 1970, and categories as text. Where a column
    holds long texts, it is the network alone. Needs the package onnx: pip install 'binxent[onnx]'.
    """
    from binxent.workbench import export as job

    inputs = job.export(run, output, lambda text: click.echo(printable(text), err=True))
    click.echo(printable(f"Wrote {output}, with the inputs {', '.join(inputs)}"))
