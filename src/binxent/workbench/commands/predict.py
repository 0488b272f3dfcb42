"""``binxent predict``: the options of prediction, and the call of `training.predict` with them."""

from __future__ import annotations

from pathlib import Path

import click

from binxent.workbench.commands._options import PATH, PATTERN, Command, columns_option, write_line, write_remark
from binxent.workbench.wording import counted


@click.command(cls=Command)
@click.argument("run", type=PATH)
@click.argument("data", nargs=-1, required=True, type=PATTERN)
@click.option("-o", "--output", required=True, type=PATH, help="The file to write: .parquet or .csv.")
@columns_option("--keep", "A column of DATA to copy beside the predictions, or several as A,B; repeatable.")
@click.option("--threshold", type=float, metavar="T", help="Decide: the positive class from probability T on.")
@click.option("--miss-cost", type=float, metavar="M", help="Decide where a miss costs M false alarms: T = 1 / (1 + M).")
def predict(
    run: Path,
    data: tuple[str, ...],
    output: Path,
    keep: tuple[str, ...] | None,
    threshold: float | None,
    miss_cost: float | None,
) -> None:
    """Predict a logit and a probability for every row of a table.

    RUN is a run folder, and DATA are files with the columns of the training data; others are ignored. DATA may be
    larger than memory, unless it is JSON or an Excel workbook. Values are read as in training, and odd ones count as
    missing. With --threshold or --miss-cost, a column `decision` holds the name of a class. The run folder may come
    from anybody: nothing in it is run.
    """
    from binxent.workbench.training import predict as job

    rows = job.predict(
        run,
        data,
        output,
        keep=keep or (),
        threshold=threshold,
        miss_cost=miss_cost,
        write=write_remark,
    )
    write_line(f"Wrote {counted(rows, 'row')} to {output}")
