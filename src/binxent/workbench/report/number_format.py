"""The format of numbers in the report."""

import math
from collections.abc import Mapping

UNKNOWN = "–"


def number(value: float | None) -> str:
    """Format a number with three significant digits; between 0.99 and 1, with two of its distance to 1.

    Args:
        value: Any finite number; None if it is unknown.

    Example:
        >>> number(0.12345), number(0.99961), number(1234.5), number(1 - 1e-9), number(-2.0), number(3.2e-6)
        ('0.123', '0.99961', '1,234', '1.00', '−2.00', '3.20e−06')
    """
    if value is None:
        return UNKNOWN
    if abs(value) < 1e-12:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.2e}".replace("-", "−")
    if abs(value - 1) < 1e-6:
        return "1.00"
    digits = 2 - math.floor(math.log10(abs(value)))
    if 0.99 < value < 1:
        digits = 1 - math.floor(math.log10(1 - value))
    return f"{value:,.{max(digits, 0)}f}".replace("-", "−")


def percent(share: float | None, digits: int = 2) -> str:
    """Format a share as a percentage with one decimal; near 0 % and 100 %, with so many significant digits.

    Args:
        share: Usually from 0 to 1; None if it is unknown.
        digits: Significant digits of the distance to 0 % or 100 %.

    Example:
        >>> percent(0.5), percent(0.1234), percent(0.00032), percent(0.9995), percent(0.99523, 1), percent(None)
        ('50 %', '12.3 %', '0.032 %', '99.95 %', '99.5 %', '–')
    """
    if share is None:
        return UNKNOWN
    value = 100 * share
    near = min(abs(value), abs(100 - value))
    decimals = 1 if near < 1e-9 else min(max(digits - 1 - math.floor(math.log10(near)), 1), 9)
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".").replace("-", "−") + " %"


def estimated(estimate: Mapping[str, float | None], most: int = 4) -> tuple[str, str]:
    """Format an estimate and its interval with the digits that the interval supports: two of its half width.

    Args:
        estimate: `value`, `low` and `high`, each a number or None.
        most: Decimals at most.

    Example:
        >>> estimated({"value": 0.5081, "low": -0.2192, "high": 1.2354})
        ('0.51', '−0.22 to 1.24')
        >>> estimated({"value": 0.9999981, "low": 0.9999951, "high": 1.0})
        ('1.0000', '1.0000 to 1')
        >>> estimated({"value": 0.25, "low": None, "high": None})
        ('0.250', '–')
    """
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    if value is None or low is None or high is None:
        return number(value), UNKNOWN
    if high - low <= 1e-9 * abs(value):
        return number(value), UNKNOWN  # a constant has no interval
    if not math.isfinite(high - low) or 0 < abs(value) < 1e-4:
        return number(value), f"{number(low)} to {number(high)}"
    decimals = min(max(1 - math.floor(math.log10((high - low) / 2)), 0), most)

    def text(end: float) -> str:
        return f"{end:,.0f}" if end in (0, 1) else f"{end:,.{decimals}f}".replace("-", "−")

    return text(value), f"{text(low)} to {text(high)}"


def estimated_percent(estimate: Mapping[str, float | None]) -> tuple[str, str]:
    """Format a share and its interval as percentages, with at most one decimal and never rounded to all or nothing.

    Args:
        estimate: `value`, `low` and `high`, each a share of at most 1 or None.

    Example:
        >>> estimated_percent({"value": 0.7861, "low": 0.7012, "high": 0.8433})
        ('79 %', '70 % to 84 %')
        >>> estimated_percent({"value": 0.99999872, "low": 0.9999, "high": 1.0})
        ('more than 99.9 %', 'more than 99.9 % to 100 %')
    """
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    half = None if low is None or high is None else 50 * (high - low)
    decimals = 0 if half is not None and half >= 2 else 1

    def text(share: float | None) -> str:
        if share is None:
            return UNKNOWN
        if 0.999 < share < 1:
            return "more than 99.9 %"
        if 0 < share < 0.001:
            return "less than 0.1 %"
        shown = f"{100 * share:.{decimals}f}"
        if shown in ("0", "100") and share not in (0, 1):
            shown = f"{100 * share:.1f}"
        return shown.removesuffix(".0").replace("-", "−") + " %"

    return text(value), UNKNOWN if half is None else f"{text(low)} to {text(high)}"
