import polars as pl
import pytest

from binxent.workbench.reading.numbers import find_form, parse_numbers


@pytest.mark.parametrize(
    ("separator", "texts", "expected"),
    [
        (",", ["1,234.00", "5", "-7"], [1234, 5, -7]),
        (",", ["1,234,567", "1,234"], [1234567, 1234]),
        (",", ["$1,234", "$5", "-$3", "$-3", "($4.50)", "1 $"], [1234, 5, -3, -3, -4.5, 1]),
        (",", ["12.5%", "3 %", "7"], [12.5, 3, 7]),
        (",", ["1.2kg", "3 KG", "800g", "4"], [1.2, 3, None, 4]),
        (",", ["1'234.5", "3 rooms", "1 room"], [1234.5, 3, 1]),
        (",", ["\u22123", "\u20134", "+5", "1e5", "1 234", "1\u00a0234"], [-3, -4, 5, 1e5, 1234, 1234]),
        (";", ["1,5", "2,25", "3", "1.234,5", "-,5"], [1.5, 2.25, 3, 1234.5, -0.5]),
        (";", ["0,512", "1,234"], [0.512, 1.234]),
        (";", ["1,234.5", "5"], [1234.5, 5]),
        (",", ["1,5", "2,25", "3"], [1.5, 2.25, 3]),
        # Lists, ranges, versions, times and codes are not numbers.
        (",", ["1,3", "1", "2", "3"], [None, 1, 2, 3]),
        (",", ["10-20", "1.2.3", "12:30", "A12", "12,34,56", "--5", "+-5", "5 5", "$"], [None] * 9),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(separator, texts, expected):
    text = pl.Series(texts)
    assert parse_numbers(text, find_form(text, separator)).to_list() == expected


@pytest.mark.parametrize(
    ("separator", "usual", "texts", "decimal", "unclear"),
    [
        (",", None, ["1,234", "5"], ".", True),
        (";", None, ["1,234", "5"], ",", True),
        (";", ".", ["1,234", "5"], ".", False),
        (";", ",", ["1.234", "5"], ",", False),
        (";", ",", ["1.25", "5"], ".", False),
        (";", ",", ["7", "5"], ".", False),
    ],
)
def test_what_looks_like_thousands_and_like_decimals_is_unclear(separator, usual, texts, decimal, unclear):
    form = find_form(pl.Series(texts), separator, usual)
    assert (form.decimal, form.unclear) == (decimal, unclear)
