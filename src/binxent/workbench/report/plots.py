"""The pictures of a report: each function draws one figure with matplotlib and returns it as inline SVG.

One visual language for all of them: positives and what the model answers are blue, negatives orange (Okabe and Ito's
colours, told apart by the colour-blind), comparisons grey and dashed, and lines carry their names beside them instead
of in a legend. Text stays text, in the page's font. The same data give the same bytes, whatever the day and the
user's matplotlibrc.
"""

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from scipy.special import expit
from scipy.special import logit as log_odds

from binxent.scoring._statistics import Z95, Ranking, effective_size
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
_REFERENCE: dict[str, Any] = {"color": GREY, "linewidth": 0.9, "dashes": (4, 3)}


def loss_curves(train: np.ndarray, validation: np.ndarray, best_epoch: int, base_rate_loss: float | None) -> str:
    """Draws training and validation loss by epoch, the best epoch, and the loss of a constant prediction.

    Args:
        train: loss on the training rows, shape (epochs,).
        validation: loss on the validation rows, shape (epochs,).
        best_epoch: the epoch whose weights were kept, counted from 1.
        base_rate_loss: validation loss of always predicting the base rate; None leaves the line out.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        epochs = np.arange(1, len(train) + 1)
        marker = {"marker": "o", "markersize": 4} if len(epochs) == 1 else {}
        axes.plot(epochs, train, color=GREY, **marker)
        axes.plot(epochs, validation, color=BLUE, **marker)
        axes.set(xlabel="Epoch", ylabel="Loss")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        if base_rate_loss is not None:
            axes.axhline(base_rate_loss, **_REFERENCE)
            _note(axes, "always the base rate", (0, base_rate_loss), xycoords=("axes fraction", "data"), xytext=(4, 3))
        axes.margins(x=0.02, y=0.15)
        axes.set_ylim(max(0.0, axes.get_ylim()[0]))
        if 1 <= best_epoch <= len(epochs) and np.isfinite(validation[best_epoch - 1]):
            best = validation[best_epoch - 1]
            axes.axvline(best_epoch, color=BLUE, linewidth=0.8, dashes=(1, 2))
            axes.plot(best_epoch, best, "o", color=BLUE, markersize=5)
            side = "left" if best_epoch <= 0.6 * len(epochs) else "right"
            _note(
                axes,
                f"best epoch {best_epoch}: {best:.4g}",
                (best_epoch, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4 if side == "left" else -4, -9),
                color=BLUE,
                ha=side,
            )
        _name_ends(axes, len(epochs), {"training": (train[-1], GREY), "validation": (validation[-1], BLUE)})

    return _svg(draw, "Training and validation loss by epoch")


def reliability(target: np.ndarray, logits: Mapping[str, np.ndarray], weight: np.ndarray, base_rate: float) -> str:
    """Draws the observed share of positives against the predicted probability, over a histogram of the predictions.

    Bars are Wilson's 95 % intervals. Each point stands for the same weight of rows. Where one class is rare that would
    leave a single point for all that matters: there the axes are log-odds, and each point stands for the same expected
    weight of the rare class.

    Args:
        target: bool, shape (rows,).
        logits: one or two sets of logits by name, each of shape (rows,); the last is the one that the model answers.
        weight: positive, shape (rows,).
        base_rate: weighted share of positives.
    """
    rare = is_rare(base_rate)
    curves = [calibration_bins(target, z, weight, base_rate) for z in logits.values()]
    colors = [GREY, BLUE][-len(logits) :]
    scale = _log_odds if rare else np.asarray

    def draw(figure: Figure) -> None:
        axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=[5, 1])
        answered = scale(expit(list(logits.values())[-1]))
        low, high = (
            _common_range([scale(curve[:2]) for curve in curves] + [np.quantile(answered, [0.05])])
            if rare
            else (0.0, 1.0)
        )
        axes.plot([low, high], [low, high], **_REFERENCE)
        axes.set(xlim=(low, high), ylim=(low, high), ylabel="Observed share of positives")
        for curve, color in zip(curves, colors, strict=True):
            predicted, observed, bottom, top = np.clip(scale(curve), low, high)
            axes.vlines(predicted, bottom, top, color=color, linewidth=1, alpha=0.6)
            axes.plot(predicted, observed, "o-", color=color, markersize=4, linewidth=0.9, clip_on=False)
        for line, (name, color) in enumerate(zip(logits, colors, strict=True)):
            if len(logits) > 1:
                _note(axes, name, (0, 1), xycoords="axes fraction", xytext=(6, -12 - 11 * line), color=color)

        share, edges = np.histogram(answered, np.linspace(low, high, 51), weights=weight / weight.sum())
        counts.stairs(share, edges, fill=True, color=BLUE, alpha=0.45)
        counts.set(xlabel="Predicted probability", ylabel="Rows", ylim=(0, None if share.any() else 1))
        counts.yaxis.set_major_locator(MaxNLocator(2))
        counts.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
        _probability_ticks(axes.yaxis, low, high, rare)
        _probability_ticks(counts.xaxis, low, high, rare)

    return _svg(draw, "Reliability diagram: observed share of positives against predicted probability", height=4.4)


def roc(ranking: Ranking) -> str:
    """Draws the share of positives found against the share of negatives flagged, over all thresholds.

    Args:
        ranking: of rows of both classes.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], **_REFERENCE)
        _note(axes, "guessing", (0.75, 0.75), xytext=(6, -9))
        alarms = np.append(0, np.cumsum(ranking.negative)) / ranking.negative.sum()
        recall = np.append(0, np.cumsum(ranking.positive)) / ranking.positive.sum()
        axes.plot(*_thinned(alarms, recall), color=BLUE, clip_on=False)
        _unit_square(axes, "False-positive rate (1 - specificity)", "True-positive rate (recall)")

    return _svg(draw, "ROC curve: true-positive rate against false-positive rate")


def precision_recall(ranking: Ranking, base_rate: float) -> str:
    """Draws precision against recall over all thresholds, and the base rate, which is the precision of guessing.

    Args:
        ranking: of rows of both classes.
        base_rate: weighted share of positives.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.axhline(base_rate, **_REFERENCE)
        # Near the bottom the curve comes from the left, elsewhere it ends on the right.
        place = (
            {"ha": "right", "xytext": (-2, 14)} if base_rate < 0.05 else {"xytext": (4, 3 if base_rate < 0.85 else -10)}
        )
        _note(axes, f"base rate {percent(base_rate)}", (base_rate < 0.05, base_rate), **place)
        found, flagged = np.cumsum(ranking.positive), np.cumsum(ranking.positive + ranking.negative)
        precision = found / flagged
        recall = np.append(0, found / found[-1])
        axes.plot(*_thinned(recall, np.append(precision[0], precision)), color=BLUE, ds="steps-pre", clip_on=False)
        _unit_square(axes, "Recall", "Precision")

    return _svg(draw, "Precision-recall curve")


def score_histogram(target: np.ndarray, logit: np.ndarray, weight: np.ndarray) -> str:
    """Draws how the predictions of each class are spread, on a log-odds axis labelled in probabilities.

    Args:
        target: bool, shape (rows,).
        logit: what the model answers, shape (rows,).
        weight: positive, shape (rows,).
    """
    # All but the outermost of either class; what lies beyond, infinities included, stands in the outermost bars.
    ends = [np.quantile(np.clip(logit[rows], -16, 16), [0.005, 0.995]) for rows in (target, ~target) if rows.any()]
    low, high = float(np.min(ends)) - 0.5, float(np.max(ends)) + 0.5

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        names = []
        for name, rows, color in (("negatives", ~target, ORANGE), ("positives", target, BLUE)):
            if not rows.any():
                continue
            inside = np.clip(logit[rows], low, high)
            edges = np.linspace(low, high, int(np.clip(2 * np.cbrt(rows.sum()), 10, 50)) + 1)
            share, _ = np.histogram(inside, edges, weights=weight[rows] / weight[rows].sum())
            axes.stairs(share / np.diff(edges), edges, fill=True, color=color, alpha=0.28)
            axes.stairs(share / np.diff(edges), edges, color=color, linewidth=1.2)
            peak = int(np.argmax(share))
            names.append((name, edges[peak : peak + 2].mean(), share[peak] / np.diff(edges)[0], color))
        axes.set_xlim(low, high)
        axes.set_ylim(0, 1.15 * max((height for _, _, height, _ in names), default=1))
        for name, x, height, color in names:
            at = (x - low) / (high - low)
            side = "left" if at < 0.15 else "right" if at > 0.85 else "center"
            _note(axes, name, (x, height), xytext=(0, 3), color=color, ha=side)
        axes.set(xlabel="Predicted probability", ylabel="Share of the class")
        axes.yaxis.set_major_locator(FixedLocator([]))
        _probability_ticks(axes.xaxis, low, high, True)

    return _svg(draw, "Histogram of the predicted probability by class", height=4.4)


def calibration_bins(target: np.ndarray, logit: np.ndarray, weight: np.ndarray, base_rate: float) -> np.ndarray:
    """Gathers rows of neighbouring predictions into bins of equal mass; equal predictions share a bin.

    Args:
        target: bool, shape (rows,).
        logit: float, shape (rows,).
        weight: positive, shape (rows,).
        base_rate: weighted share of positives; decides what mass is, as in `reliability`.

    Returns:
        Shape (4, bins): mean probability, observed share of positives, and the ends of its Wilson interval (1927) for
        the bin's effective number of rows (Kish 1965).
    """
    probability = expit(logit)
    most = effective_size(weight)
    mass = weight
    if is_rare(base_rate):
        mass = weight * (probability if base_rate < 0.5 else expit(-logit))
        most *= min(base_rate, 1 - base_rate)
        mass = mass if mass.sum() > 0 else weight
    bins = int(np.clip(most / 15, 2, 20 if most > 2000 else 10))
    distinct, tie = np.unique(logit, return_inverse=True)
    mass = np.bincount(tie, mass, len(distinct))
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    place = np.minimum((middle * bins).astype(int), bins - 1)[tie]

    total = np.bincount(place, weight, bins)
    used = total > 0
    total = total[used]
    predicted = np.bincount(place, weight * probability, bins)[used] / total
    observed = np.bincount(place, weight * target, bins)[used] / total
    size = total**2 / np.bincount(place, weight**2, bins)[used]
    centre = (observed + Z95**2 / (2 * size)) / (1 + Z95**2 / size)
    half = Z95 * np.sqrt(observed * (1 - observed) / size + Z95**2 / (4 * size**2)) / (1 + Z95**2 / size)
    return np.stack([predicted, observed, np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)])


def is_rare(base_rate: float) -> bool:
    """Tells whether a class is so rare that probabilities are better drawn as log-odds.

    Args:
        base_rate: share of positives.
    """
    return not 0.05 <= base_rate <= 0.95


def _log_odds(probability: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return log_odds(probability)


def _common_range(coordinates: list[np.ndarray]) -> tuple[float, float]:
    values = np.concatenate([part.ravel() for part in coordinates])
    values = np.clip(values[np.isfinite(values)], -20, 20)
    return (float(values.min()) - 0.8, float(values.max()) + 0.8) if values.size else (-5.0, 5.0)


def _thinned(x: np.ndarray, y: np.ndarray, most: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """At most so many points of a curve, at equal steps along it: a million rows must not make a million vertices."""
    if len(x) <= most:
        return x, y
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.unique(np.append(np.searchsorted(way, np.linspace(0, way[-1], most - 1)), len(x) - 1).clip(0, len(x) - 1))
    return x[kept], y[kept]


def _unit_square(axes: Axes, xlabel: str, ylabel: str) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=xlabel, ylabel=ylabel)
    for axis in (axes.xaxis, axes.yaxis):
        _probability_ticks(axis, 0, 1, False)


def _probability_ticks(axis: Axis, low: float, high: float, as_log_odds: bool) -> None:
    """Round percentages, evenly on a straight axis, and 1, 10, 50, 90, 99 and so on where the axis is log-odds."""
    if as_log_odds:
        decades = [10.0**-power for power in range(7, 0, -1)]
        for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
            low_half = sorted({decade * step for decade in decades for step in steps if decade * step < 0.5})
            ticks = [*low_half, 0.5, *(1 - p for p in reversed(low_half))]
            shown = [p for p in ticks if low <= log_odds(p) <= high]
            if len(shown) >= 4:
                break
        at = {float(log_odds(p)): percent(p) for p in shown[:: 1 + len(shown) // 9]}
    else:
        at = {p: percent(p) for p in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)}
    axis.set_major_locator(FixedLocator(list(at)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: at[min(at, key=lambda tick: abs(tick - value))]))


def _note(axes: Axes, text: str, where: tuple[float, float], **options: Any) -> None:
    """Text at an offset in points from a place on the axes."""
    options = {"color": GREY} | options
    axes.annotate(text, where, textcoords="offset points", **options)


def _name_ends(axes: Axes, x: float, lines: Mapping[str, tuple[float, str]]) -> None:
    """The name of each line beside its end, pushed apart where the ends are close."""
    known = sorted((y, name, color) for name, (y, color) in lines.items() if np.isfinite(y))
    low, high = axes.get_ylim()
    points_per_unit = 200 / (high - low)
    shift = 0.0
    if len(known) == 2:
        shift = max(0.0, 10 - (known[1][0] - known[0][0]) * points_per_unit) / 2
    for (y, name, color), sign in zip(known, (-1, 1), strict=False):
        _note(axes, name, (x, y), xytext=(5, sign * shift), color=color, va="center", annotation_clip=False)


def _svg(draw: Callable[[Figure], None], label: str, height: float = 3.5) -> str:
    """The drawn figure as an <svg> element that can stand in a page beside others."""
    # Element ids come from the content and this salt: its own salt per figure keeps them apart within a page.
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
