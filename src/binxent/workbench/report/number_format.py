"""The format of numbers in the report."""

import math

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


def percent(share: float | None) -> str:
    """Format a share as a percentage with one decimal; near 0 % and 100 %, with two significant digits.

    Args:
        share: Usually from 0 to 1; None if it is unknown.

    Example:
        >>> percent(0.5), percent(0.1234), percent(0.00032), percent(0.9995), percent(None)
        ('50 %', '12.3 %', '0.032 %', '99.95 %', '–')
    """
    if share is None:
        return UNKNOWN
    value = 100 * share
    near = min(abs(value), abs(100 - value))
    decimals = 1 if near < 1e-9 else min(max(1 - math.floor(math.log10(near)), 1), 9)
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".").replace("-", "−") + " %"


def plural(noun: str, count: int) -> str:
    """Return a regular noun in the number of a count.

    Args:
        noun: The noun in the singular.
        count: The number of things.

    Example:
        >>> plural("row", 1), plural("row", 2)
        ('row', 'rows')
    """
    return noun if count == 1 else f"{noun}s"
