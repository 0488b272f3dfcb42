import datetime as dt

import polars as pl
import pytest

from binxent.workbench.reading.dates import find_form, parse_dates

DAY = dt.datetime(2024, 8, 18)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-08-18", DAY),
        ("2024-08-18 14:05:09", DAY.replace(hour=14, minute=5, second=9)),
        ("2024-08-18T14:05", DAY.replace(hour=14, minute=5)),
        ("2024-08-18T14:05:09.5Z", DAY.replace(hour=14, minute=5, second=9, microsecond=500_000)),
        ("2024-08-18 14:05:09+02:00", DAY.replace(hour=12, minute=5, second=9)),
        ("2024-08-18 20:05:09 -0530", DAY.replace(day=19, hour=1, minute=35, second=9)),
        ("2024/8/18", DAY),
        ("20240818", DAY),
        ("08/18/2024", DAY),
        ("08/18/2024 12:00:00 AM", DAY),
        ("8/18/2024 12:30 pm", DAY.replace(hour=12, minute=30)),
        ("18/08/2024", DAY),
        ("18.8.2024", DAY),
        ("18-08-24", DAY),
        ("18-Aug-2024", DAY),
        ("18-AUG-99", dt.datetime(1999, 8, 18)),
        ("August 18, 2024", DAY),
        ("Sun, 18 Aug 2024 14:05", DAY.replace(hour=14, minute=5)),
        ("18th September 2024", dt.datetime(2024, 9, 18)),
        *[
            (text, None)
            for text in (
                "2024-02-30", "13/13/2024", "1.2.3", "1.2.3.4", "12:30", "5", "2024", "8/18-2024", "3 Maypoles 2024",
                "8/18/2024 13:00 PM", "8/18/2024 25:00", "18 Aug", "x 2024-08-18",
            )
        ],
    ],
)  # fmt: skip
def test_dates_as_people_write_them(text, moment):
    values = pl.Series([text, None])
    assert parse_dates(values, find_form(values)).to_list() == [moment, None]


@pytest.mark.parametrize(
    ("texts", "first", "unclear", "mixed"),
    [
        (["08/05/2024", "08/18/2024"], (8, 5), "", ""),
        (["08/05/2024", "18/08/2024"], (5, 8), "", ""),
        (["08/05/2024", "07/06/2024"], (8, 5), "/", ""),
        (["08.05.2024", "07.06.2024"], (5, 8), ".", ""),
        (["08-05-2024", "18/08/2024"], (8, 5), "-", ""),
        (["08/05/2024", "18/08/2024", "08/19/2024", "08/20/2024"], (8, 5), "", "/"),
        (["08/08/2024", "2024-08-18"], (8, 8), "", ""),
    ],
)
def test_day_and_month_are_told_apart_by_the_column(texts, first, unclear, mixed):
    text = pl.Series(texts)
    form = find_form(text)
    found = parse_dates(text, form)
    assert (found[0].month, found[0].day) == first
    assert found.null_count() == 0
    assert (form.unclear, form.mixed) == (unclear, mixed)
