import datetime as dt

import numpy as np
import polars as pl

from binxent.workbench.judgement.examples import telling_examples

TABLE = pl.DataFrame(
    {
        "^x$": [0.5, None, 1 / 3, 4.0, 1e9, 6.0],
        "note": ["a", "b" * 300, None, "d", "e", "f"],
        "seen": [dt.datetime(2024, 1, day) for day in range(1, 6)] + [dt.datetime(2024, 1, 6, 7)],
    }
)
TARGET = np.array([1, 1, 0, 0, 1, 0])
LOGIT = np.array([3.0, -2.0, -1.0, 0.5, 0.1, -9.0])
ROW = np.arange(10, 16)


def test_the_surest_rows_come_first():
    found = telling_examples(TABLE, ROW, TARGET, None, LOGIT, TABLE.columns, 2)
    assert [(example["row"], example["right"]) for example in found] == [
        (15, True), (10, True), (11, False), (13, False),
    ]  # fmt: skip
    assert found[1]["values"] == {"^x$": "0.5", "note": "a", "seen": "2024-01-01"}
    assert found[2]["values"]["^x$"] == ""
    assert len(found[2]["values"]["note"]) < 210
    assert found[0]["values"]["seen"] == "2024-01-06 07:00:00"
    assert round(found[1]["probability"], 4) == 0.9526
    assert found[2]["target"] == 1


def test_few_rows_and_rows_of_weight_0():
    weight = np.array([1, 0, 1, 1, 1, 0])
    found = telling_examples(TABLE, ROW, TARGET, weight, LOGIT, ["note"], 9)
    assert [(example["row"], example["right"]) for example in found] == [
        (10, True), (12, True), (14, True), (13, False),
    ]  # fmt: skip
