import datetime as dt

import polars as pl
import pytest

from binxent.workbench.reading.columns import Column, find_column, kind_of

MISSING = ["?", "None", "-", "n/a", "<NA>", "#N/A", "NA ", "", "\u2212", "#DIV/0!", "null", None]


@pytest.mark.parametrize(
    ("values", "kind", "missing", "odd", "first"),
    [
        (["1.5", " 2", *MISSING], "number", len(MISSING), 0, 1.5),
        (["08/18/2024", "2024-08-19", *MISSING], "date", len(MISSING), 0, dt.datetime(2024, 8, 18)),
        (["True", "FALSE", *MISSING], "boolean", len(MISSING), 0, 1),
        (["1", "2", "old"], "number", 0, 1, 1),
        (["2024-08-18", "2024-08-19", "soon"], "date", 0, 1, dt.datetime(2024, 8, 18)),
        (["1", "a", "b"], "text", 0, 0, "1"),
        (["12A", "13B", "14C"], "text", 0, 0, "12A"),
        (["10+ years", "1 year", "2 years"], "text", 0, 0, "10+ years"),
        ([" yes", "no ", "NA", "-"], "text", 1, 0, "yes"),
        (["$1,200", "$5", "free"], "number", 0, 1, 1200),
        (["", None], "text", 2, 0, None),
        ([1, None], "number", 1, 0, 1),
        ([1.5, float("nan")], "number", 1, 0, 1.5),
        ([True, None], "boolean", 1, 0, 1),
    ],
)
def test_the_kind_is_that_of_most_values(values, kind, missing, odd, first):
    column, found = find_column(pl.Series("x", values, strict=False), separator=",")
    assert (column.kind, found.missing, found.odd, found.values[0]) == (kind, missing, odd, first)
    again = Column.from_json(column.to_json()).convert(pl.Series("x", values, strict=False))
    assert again.values.equals(found.values, null_equal=True)
    assert (again.missing, again.odd, again.examples) == (found.missing, found.odd, found.examples)


def test_an_odd_value_far_down_is_found_by_converting():
    numbers = [str(row) for row in range(30_000)]
    column, found = find_column(pl.Series("x", [*numbers, "$7", "?", "old", "old"]))
    assert column.kind == "number"
    assert found.values.tail(4).to_list() == [7, None, None, None]
    assert (found.missing, found.odd, found.examples) == (1, 2, ("old",))


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2, None], "category", ["1", "2", None]),
        ([1.0, 2.5, float("nan")], "category", ["1", "2.5", None]),
        (["1", "a", "b"], "number", [1, None, None]),
        ([20240818, 20240819, None], "date", [dt.datetime(2024, 8, 18), dt.datetime(2024, 8, 19), None]),
        (["07", "08", "?"], "text", ["07", "08", "?"]),
        ([dt.date(2024, 8, 18)], "text", ["2024-08-18"]),
    ],
)
def test_the_user_may_say_the_kind(values, kind, expected):
    column, found = find_column(pl.Series("x", values), kind)
    assert column.kind == kind
    assert found.values.to_list() == expected
    assert column.accepts(pl.Series(values).dtype)
    assert column.convert(pl.Series("x", values)).values.to_list() == expected


def test_a_kind_without_any_value_is_refused():
    with pytest.raises(ValueError, match="--number: the column `x` holds no number; its values are `a`, `b`"):
        find_column(pl.Series("x", ["a", "b"]), "number")


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (pl.Int8(), "number"),
        (pl.Decimal(10, 2), "number"),
        (pl.Boolean(), "boolean"),
        (pl.Datetime("ns", "Europe/Oslo"), "date"),
        (pl.Categorical(), "text"),
        (pl.List(pl.Int8), None),
        (pl.Binary(), None),
    ],
)
def test_kinds(dtype, kind):
    assert kind_of(dtype) == kind


def test_points_in_time_are_in_utc():
    noon = dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)
    values = pl.Series("x", [noon, None]).dt.convert_time_zone("Europe/Oslo")
    assert find_column(values)[1].values.to_list() == [noon.replace(tzinfo=None), None]


def test_types_that_need_a_guess_are_not_accepted():
    number, text = (find_column(pl.Series("x", values))[0] for values in (["1"], ["a"]))
    assert number.accepts(pl.Int64())
    assert number.accepts(pl.String())
    assert not number.accepts(pl.Boolean())
    assert not number.accepts(pl.List(pl.Int64))
    assert not text.accepts(pl.Int64())
    assert text.accepts(pl.Categorical())


@pytest.mark.parametrize("late", [" no", "no\t", "NA", "", "<NA>"])
def test_one_of_many_words_is_stripped_or_missing(late):
    words = ["yes", "no"] * 600
    found = find_column(pl.Series("x", [*words, late]))[1]
    assert found.values.to_list() == [*words, "no" if "no" in late else None]
    assert found.missing == ("no" not in late)


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([0, 2**31 - 1, -(2**31), None], dtype=pl.Int32).cast(pl.Date),
        pl.Series([0, 2**63 - 1, -(2**63), None]).cast(pl.Datetime("us")),
        pl.Series([0, 2**62, -(2**62), None]).cast(pl.Datetime("ms", "Europe/Oslo")),
    ],
)
def test_dates_beyond_the_calendar_are_odd(values):
    column, found = find_column(values.alias("d"))
    assert (column.kind, found.missing, found.odd) == ("date", 1, 2)
    assert found.examples == ("a date beyond the years 1 to 9999",)
    assert found.values.to_list() == [dt.datetime(1970, 1, 1), None, None, None]
    assert find_column(values.alias("d"), "category")[1].values.null_count() == 3


@pytest.mark.parametrize("last", [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59)])
def test_dates_at_the_ends_of_the_calendar_are_dates(last):
    for dtype in (pl.Datetime("us"), pl.Datetime("ms"), pl.Date):
        assert find_column(pl.Series("d", [last], dtype=pl.Datetime("us")).cast(dtype))[1].odd == 0
