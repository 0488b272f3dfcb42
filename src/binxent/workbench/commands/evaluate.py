"""``binxent evaluate``: the options of an evaluation, and the call of `evaluation` with them."""

from __future__ import annotations

from pathlib import Path

import click

from binxent.workbench.commands._options import PATH, PATTERN, Command, write_json, write_line, write_remark


@click.command(cls=Command)
@click.argument("run", type=PATH)
@click.argument("data", metavar="LABELLED...", nargs=-1, required=True, type=PATTERN)
@click.option("--drop-missing", is_flag=True, help="Leave out the rows whose target or weight is missing.")
@click.option("--json", "as_json", is_flag=True, help="Write the scores to stdout as JSON, remarks to stderr.")
def evaluate(run: Path, data: tuple[str, ...], drop_missing: bool, as_json: bool) -> None:
    """Score a run on labelled data that it was not trained on.

    RUN is a run folder, and LABELLED are files as for training, with the target. Shows log loss, Brier score, AUC and
    calibration, with 95 % intervals, beside those of the run's test rows. The run folder may come from anybody:
    nothing in it is run.
    """
    from binxent.workbench import evaluation

    facts = evaluation.evaluate(run, data, drop_missing=drop_missing, write=write_remark)
    if as_json:
        write_json(facts)
    else:
        evaluation.describe(facts, write_line)
