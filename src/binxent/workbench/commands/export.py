"""``binxent export``: the options of the export, and the call of `export` with them."""

from __future__ import annotations

from pathlib import Path

import click

from binxent.workbench.commands._options import PATH, Command, write_line, write_remark


@click.command(cls=Command)
@click.argument("run", type=PATH)
@click.option("-o", "--output", required=True, type=PATH, help="The file to write: .onnx.")
def export(run: Path, output: Path) -> None:
    """Write a run as an ONNX graph, from columns to probabilities.

    RUN is a run folder. The graph has an input for each column: numbers, dates as seconds since 1970, and categories as
    text. If a column holds long texts, the graph is the networks alone, and its input is the prepared columns. Needs
    the package onnx: pip install 'binxent[onnx]'.
    """
    from binxent.workbench import export as job
    from binxent.workbench.wording import quoted

    inputs = job.export(run, output, write_remark)
    write_line(f"Wrote {output}, with the {'inputs' if len(inputs) > 1 else 'input'} {quoted(inputs)}")
