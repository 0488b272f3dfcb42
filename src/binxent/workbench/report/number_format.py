"""How the report writes numbers."""

import math

UNKNOWN = "–"


def number(value: float | None) -> str:
    """Writes three significant digits, and between 0.99 and 1 as many more as keep two of the distance to 1.

    Args:
        value: any finite number, or None for one that is not known.

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
    """Writes a share as a percentage with one decimal, and near 0 % and 100 % as many as it needs.

    Args:
        share: usually from 0 to 1; None for one that is not known.

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
    """Writes a regular noun for a count.

    Args:
        noun: in the singular.
        count: of things.

    Example:
        >>> plural("row", 1), plural("row", 2)
        ('row', 'rows')
    """
    return noun if count == 1 else f"{noun}s"
