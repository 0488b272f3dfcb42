"""Numbers as people write them: signs, thousands, decimal commas, currencies, percents and units."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import polars as pl

from binxent.workbench.reading.distinct import fill_from_distinct

_MINUS = "[\u2212\u2012\u2013\ufe63\uff0d]"
_CURRENCY = r"(?:\p{Sc}|US\$|USD|EUR|GBP|CHF|JPY|CAD|AUD|NZD|CNY|INR|SEK|NOK|DKK|BRL|R\$)"
_UNIT = rf"(?:{_CURRENCY}|[%\u2030\u00b0\u00b5\u03bc\p{{L}}][\u00b0\u00b5\u03bc\p{{L}}/\u00b2\u00b3^.]*[23]?)"
_WHOLE = (
    rf"^(?P<sign>[+-]?)\s*(?P<currency>{_CURRENCY}?)\s*(?P<inner>[+-]?)"
    rf"(?P<digits>\d[\d.,'\u2019\s]*|[.,]\d+)(?P<exponent>(?:[eE][+-]?\d+)?)\s*(?P<unit>{_UNIT}?)$"
)
# Which mark is the decimal one: forms that have one meaning, and forms that have two.
_COMMA = r"^\D*(?:0\d*,\d+|\d*,\d{1,2}|\d+,\d{4,}|\d{4,},\d+|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,})(?:\D|$)"
_POINT = r"^\D*(?:0\d*\.\d+|\d*\.\d{1,2}|\d+\.\d{4,}|\d{4,}\.\d+|\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:,\d{3}){2,})(?:\D|$)"
_EITHER = r"^\D*[1-9]\d{0,2}[.,]\d{3}(?:\D|$)"


@dataclass(frozen=True)
class NumberForm:
    """How the numbers of a column are written.

    Attributes:
        decimal: The decimal mark, "." or ",".
        unit: A unit, percent or currency that may stand beside a number, in lower case; "" for none.
        unclear: Whether no value tells decimals from thousands, as in 1,234.
    """

    decimal: str = "."
    unit: str = ""
    unclear: bool = False


def plain_numbers(text: pl.Series) -> pl.Series:
    """Return text as numbers where it is one in the form of programs, and null elsewhere."""
    found = text.cast(pl.Float64, strict=False)
    return found.fill_nan(None) if found.is_nan().any() else found


def parse_numbers(text: pl.Series, form: NumberForm) -> pl.Series:
    """Return text as float64, and null where it is not a number of this form.

    Example:
        >>> parse_numbers(pl.Series(["$1,234.50", "(12)", "\u22123", "12 kg"]), NumberForm(unit="$")).to_list()
        [1234.5, -12.0, -3.0, None]
    """
    if form.decimal == ".":
        found = plain_numbers(text)
    else:
        without_points = text.set(text.str.contains(".", literal=True), None)
        found = plain_numbers(without_points.str.replace(",", ".", literal=True))
    return fill_from_distinct(found, text, lambda distinct: _by_form(distinct, form))


def _by_form(text: pl.Series, form: NumberForm) -> pl.Series:
    parts = _parts(text)
    digits = parts["digits"].str.strip_chars()
    comma, point = r"\,", r"\."
    group, mark = (comma, point) if form.decimal == "." else (point, comma)
    groups = "|".join(rf"\d{{1,3}}(?:{separator}\d{{3}})+" for separator in (group, "['\u2019]", r"\s"))
    regular = digits.str.contains(rf"^(?:(?:{groups}|\d+)(?:{mark}\d*)?|{mark}\d+)$")
    cleaned = digits.str.replace_all(rf"[^\d{mark}]", "").str.replace(",", ".", literal=True)
    values = plain_numbers(cleaned + parts["exponent"])
    negative = (parts["sign"] == "-") ^ (parts["inner"] == "-")
    twice_signed = (parts["sign"] != "") & (parts["inner"] != "")
    fits = regular & ~twice_signed & parts["unit"].is_in(["", form.unit])
    values = values.set(~fits.fill_null(False), None)
    return pl.select(pl.when(negative).then(-values).otherwise(values)).to_series()


def _parts(text: pl.Series) -> pl.DataFrame:
    """Return sign, digits, exponent and unit of each text, null where it is not built like a number."""
    text = text.str.strip_chars().str.replace_all(_MINUS, "-")
    text = text.str.replace(rf"^\(\s*((?:{_CURRENCY})?\s*\d.*)\)$", "-${1}")  # an accountant's minus
    parts = text.str.extract_groups(_WHOLE).struct.unnest()
    after, before = (parts[name].str.to_lowercase() for name in ("unit", "currency"))
    # 1 room and 2 rooms, 5 in. and 5 in: the same unit.
    after = after.str.strip_chars_end(".").str.replace(r"^(.{2,})s$", "${1}")
    both = (before != "") & (after != "")
    unit = (before + after).set(both.fill_null(False), "two units")
    return parts.with_columns(unit.alias("unit"))


def find_form(text: pl.Series, separator: str | None, usual: str | None = None) -> NumberForm:
    """Find out how the numbers of a column are written.

    Args:
        text: Different values of the column, stripped, without missing values.
        separator: The separator of the file, None if it has none. A comma cannot be told from a list where it also
            separates values, and must then stand in most of them to be a decimal comma.
        usual: The decimal mark of the file's other columns, if they agree.
    """
    commas, points, either = (int(text.str.contains(pattern).sum()) for pattern in (_COMMA, _POINT, _EITHER))
    unclear = commas == points == 0 and either > 0
    if commas == points:
        only_commas = not text.str.contains(".", literal=True).any()
        decimal = (usual or ("," if only_commas and separator not in (",", None) else ".")) if unclear else "."
    else:
        decimal = "," if commas > points else "."
    if decimal == "," and separator in (",", None) and 2 * int(text.str.contains(",", literal=True).sum()) < len(text):
        decimal = "."
    counts = Counter(unit for unit in _parts(text)["unit"].drop_nulls().to_list() if unit)
    unit = counts.most_common(1)[0][0] if counts else ""
    return NumberForm(decimal, unit, unclear and usual is None)


def is_word(unit: str) -> bool:
    """Return whether a unit is made of letters, and so may be part of a code or a name."""
    return unit[:1].isalpha()
