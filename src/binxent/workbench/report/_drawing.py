"""What the plots of a report have in common: style, axes, annotations, and the SVG of a figure.

Positives and the model's predictions are blue, negatives orange (Okabe and Ito's colours, which the colour-blind can
tell apart), comparisons grey and dashed, and lines carry their names beside them instead of in a legend. Text stays
text, in the page's font. The same data give the same bytes, whatever the day and the user's matplotlibrc.
"""

import io
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter
from scipy.special import logit as log_odds

from binxent.workbench.report.number_format import percent

BLUE, ORANGE, GREY, INK, HAIR = "#0072b2", "#d55e00", "#6e7681", "#24292f", "#e6e9ed"
_STYLE = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",  # comes with matplotlib: the layout is the same on every machine
    "font.size": 8,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": HAIR,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.5,
}
REFERENCE: dict[str, Any] = {"color": GREY, "linewidth": 0.9, "dashes": (4, 3)}


def svg(draw: Callable[[Figure], None], label: str, height: float = 3.5) -> str:
    """Draw a figure as an <svg> element for a page with several of them.

    Args:
        draw: Draws into the empty figure.
        label: Description for screen readers, unique on the page.
        height: Height in inches; the width is 4.8 inches.
    """
    # Element ids are hashes of the content and the salt: a salt for each figure keeps them unique on a page.
    with matplotlib.style.context(["default", _STYLE | {"svg.hashsalt": label}]):
        figure = Figure(figsize=(4.8, height), layout="constrained")
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True)
    text = buffer.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = body.replace("xlink:href", "href")
    body = body.replace("font-family: 'DejaVu Sans'; ", "")
    body = re.sub(r' d="[^"]*"', lambda d: re.sub(r"\d+\.\d+", lambda n: f"{float(n[0]):.2f}", d[0]), body)
    body = re.sub(r"\s*\n\s*", "\n", body)
    width, tall = 4.8 * 72, height * 72
    return f'<svg class="plot" viewBox="0 0 {width:g} {tall:g}" role="img" aria-label="{label}">{body}'


def unit_square(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Give both axes the range 0 to 1, in percent, and names."""
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=xlabel, ylabel=ylabel)
    for axis in (axes.xaxis, axes.yaxis):
        probability_ticks(axis, 0, 1, False)


def probability_ticks(axis: Axis, low: float, high: float, as_log_odds: bool) -> None:
    """Label an axis with round percentages: evenly if it is linear, 1, 10, 50, 90, 99 and so on if it is log-odds."""
    if as_log_odds:
        decades = [10.0**-power for power in range(7, 0, -1)]
        for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
            low_half = sorted({decade * step for decade in decades for step in steps if decade * step < 0.5})
            ticks = [*low_half, 0.5, *(1 - p for p in reversed(low_half))]
            shown = [p for p in ticks if low <= log_odds(p) <= high]
            if len(shown) >= 4:
                break
        at = {float(log_odds(p)): percent(p) for p in shown}
        step = 1
        while len(at) > 9 or sum(map(len, at.values())) > 42:  # letters that have room side by side
            step += 1
            at = {float(log_odds(p)): percent(p) for p in shown[::step]}
    else:
        at = {p: percent(p) for p in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)}
    axis.set_major_locator(FixedLocator(list(at)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: at[min(at, key=lambda tick: abs(tick - value))]))


def annotate(axes: Axes, text: str, where: tuple[float, float], **options: Any) -> None:
    """Write text at an offset in points from a place on the axes."""
    options = {"color": GREY} | options
    axes.annotate(text, where, textcoords="offset points", **options)


def name_ends(axes: Axes, x: float, lines: Mapping[str, tuple[float, str]]) -> None:
    """Write the name of each line beside its end, apart from each other where the ends are close."""
    known = sorted((y, name, color) for name, (y, color) in lines.items() if np.isfinite(y))
    low, high = axes.get_ylim()
    points_per_unit = 200 / (high - low)
    shift = 0.0
    if len(known) == 2:
        shift = max(0.0, 10 - (known[1][0] - known[0][0]) * points_per_unit) / 2
    for (y, name, color), sign in zip(known, (-1, 1), strict=False):
        annotate(axes, name, (x, y), xytext=(5, sign * shift), color=color, va="center", annotation_clip=False)


def name_level(
    axes: Axes, name: str, level: float, x: np.ndarray, curves: Iterable[np.ndarray], avoid: float | None = None
) -> None:
    """Write the name of a horizontal line where the curves are furthest from it: left, middle or right, above or below.

    Args:
        axes: Axes with their final limits.
        name: The name.
        level: Where the line is.
        x: Places of the curves' points.
        curves: Heights of the points.
        avoid: A place at which a vertical line stands.
    """
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    fine = np.linspace(x[0], x[-1], 400)
    share = (fine - left) / (right - left)
    line = None if avoid is None else (avoid - left) / (right - left)
    heights = np.array([(np.interp(fine, x, curve) - level) / (high - low) for curve in curves])

    def room(start: float, side: int) -> float:
        inside = heights[:, (share >= start - 0.05) & (share <= start + 0.45)]
        inside = inside[np.isfinite(inside) & (side * inside > -0.02)]
        crossed = line is not None and start < line < start + 0.4
        within = low < level + side * 0.06 * (high - low) < high
        return (abs(inside).min(initial=0.2) - 0.1 * crossed) if within else -1.0

    places = [(start, side) for start in (0.0, 0.6, 0.3) for side in (1, -1)]
    start, side = max(places, key=lambda place: min(room(*place), 0.1))
    at, aligned = {0.0: (0.0, "left"), 0.3: (0.5, "center"), 0.6: (1.0, "right")}[start]
    shift = {"left": 4, "center": 0, "right": -4}[aligned]
    offset = (shift, 3 if side > 0 else -10)
    annotate(axes, name, (at, level), xycoords=("axes fraction", "data"), xytext=offset, ha=aligned)


def thinned(x: np.ndarray, y: np.ndarray, most: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Return at most so many points of a curve, at equal steps along it: a page need not hold a million vertices."""
    if len(x) <= most:
        return x, y
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.unique(np.append(np.searchsorted(way, np.linspace(0, way[-1], most - 1)), len(x) - 1).clip(0, len(x) - 1))
    return x[kept], y[kept]
