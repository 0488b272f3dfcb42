"""The plots of a report: each function draws a figure with matplotlib and returns it as inline SVG."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from scipy.special import expit
from scipy.special import logit as log_odds

from binxent.scoring import Ranking, calibration_bins
from binxent.workbench.report._drawing import (
    BLUE,
    GREY,
    ORANGE,
    REFERENCE,
    annotate,
    name_ends,
    name_level,
    probability_ticks,
    svg,
    thinned,
    unit_square,
)
from binxent.workbench.report.number_format import percent

MOST_BARS = 15  # columns whose importance is drawn
LONGEST_NAME = 28  # of a column, in letters


def loss_curves(train: np.ndarray, validation: np.ndarray, best_epoch: int, base_rate_loss: float | None) -> str:
    """Draw training and validation loss by epoch, the best epoch, and the loss of a constant prediction.

    Args:
        train: Loss on the training rows, shape (epochs,).
        validation: Loss on the validation rows, shape (epochs,).
        best_epoch: The epoch of the lowest validation loss, counted from 1.
        base_rate_loss: Validation loss of always predicting the base rate; None leaves the line out.
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
            axes.axhline(base_rate_loss, **REFERENCE)
        axes.margins(x=0.02, y=0.15)
        axes.set_ylim(max(0.0, axes.get_ylim()[0]))
        if base_rate_loss is not None:
            name_level(axes, "always the base rate", base_rate_loss, epochs, (train, validation), avoid=best_epoch)
        if 1 <= best_epoch <= len(epochs) and np.isfinite(validation[best_epoch - 1]):
            best = validation[best_epoch - 1]
            axes.axvline(best_epoch, color=BLUE, linewidth=0.8, dashes=(1, 2))
            axes.plot(best_epoch, best, "o", color=BLUE, markersize=5)
            side = "left" if best_epoch <= 0.6 * len(epochs) else "right"
            annotate(
                axes,
                f"best epoch {best_epoch}: {best:.4g}",
                (best_epoch, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4 if side == "left" else -4, -9),
                color=BLUE,
                ha=side,
            )
        name_ends(axes, len(epochs), {"training": (train[-1], GREY), "validation": (validation[-1], BLUE)})

    return svg(draw, "Training and validation loss by epoch")


def reliability(target: np.ndarray, logits: Mapping[str, np.ndarray], weight: np.ndarray, base_rate: float) -> str:
    """Draw the observed share of positives against the predicted probability, over a histogram of the predictions.

    Bars are Wilson's 95 % intervals. Each point stands for the same weight of rows. If one class is rare, that would
    leave a single point for it: then the axes are log-odds, and each point stands for the same expected weight of the
    rare class.

    Args:
        target: Labels, bool, shape (rows,).
        logits: One or two sets of logits by name, each of shape (rows,); the last one is what the model predicts.
        weight: Positive weights, shape (rows,).
        base_rate: Weighted share of positives.
    """
    rare = is_rare(base_rate)
    curves = [np.array(calibration_bins(target, z, weight, by_rarer_class=rare)) for z in logits.values()]
    colors = [GREY, BLUE][-len(logits) :]
    scale = _log_odds if rare else np.asarray

    def draw(figure: Figure) -> None:
        axes, histogram = figure.subplots(2, 1, sharex=True, height_ratios=[5, 1])
        final = scale(expit(list(logits.values())[-1]))
        low, high = (
            _common_range([scale(curve[:2]) for curve in curves] + [np.quantile(final, [0.05])]) if rare else (0.0, 1.0)
        )
        axes.plot([low, high], [low, high], **REFERENCE)
        axes.set(xlim=(low, high), ylim=(low, high), ylabel="Observed share of positives")
        for curve, color in zip(curves, colors, strict=True):
            predicted, observed, bottom, top = np.clip(scale(curve), low, high)
            axes.vlines(predicted, bottom, top, color=color, linewidth=1, alpha=0.6)
            axes.plot(predicted, observed, "o-", color=color, markersize=4, linewidth=0.9, clip_on=False)
        for line, (name, color) in enumerate(zip(logits, colors, strict=True)):
            if len(logits) > 1:
                annotate(axes, name, (0, 1), xycoords="axes fraction", xytext=(6, -12 - 11 * line), color=color)

        share, edges = np.histogram(final, np.linspace(low, high, 51), weights=weight / weight.sum())
        histogram.stairs(share, edges, fill=True, color=BLUE, alpha=0.45)
        histogram.set(xlabel="Predicted probability", ylabel="Rows", ylim=(0, None if share.any() else 1))
        histogram.yaxis.set_major_locator(MaxNLocator(2))
        histogram.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
        probability_ticks(axes.yaxis, low, high, rare)
        probability_ticks(histogram.xaxis, low, high, rare)

    return svg(draw, "Reliability diagram: observed share of positives against predicted probability", height=4.4)


def roc(ranking: Ranking) -> str:
    """Draw the share of positives found against the share of negatives flagged, over all thresholds.

    Args:
        ranking: Rows of both classes.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], **REFERENCE)
        annotate(axes, "guessing", (0.75, 0.75), xytext=(6, -9))
        alarms = np.append(0, np.cumsum(ranking.negative)) / ranking.negative.sum()
        recall = np.append(0, np.cumsum(ranking.positive)) / ranking.positive.sum()
        axes.plot(*thinned(alarms, recall), color=BLUE, clip_on=False)
        unit_square(axes, "False-positive rate (1 - specificity)", "True-positive rate (recall)")

    return svg(draw, "ROC curve: true-positive rate against false-positive rate")


def precision_recall(ranking: Ranking, base_rate: float) -> str:
    """Draw precision against recall over all thresholds, and the base rate, which is the precision of guessing.

    Args:
        ranking: Rows of both classes.
        base_rate: Weighted share of positives.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.axhline(base_rate, **REFERENCE)
        found, flagged = np.cumsum(ranking.positive), np.cumsum(ranking.positive + ranking.negative)
        precision = found / flagged
        recall, precision = np.append(0, found / found[-1]), np.append(precision[0], precision)
        axes.plot(*thinned(recall, precision), color=BLUE, ds="steps-pre", clip_on=False)
        unit_square(axes, "Recall", "Precision")
        name_level(axes, f"base rate {percent(base_rate)}", base_rate, recall, [precision])

    return svg(draw, "Precision-recall curve")


def score_histogram(target: np.ndarray, logit: np.ndarray, weight: np.ndarray) -> str:
    """Draw a histogram of the predictions of each class, on a log-odds axis labelled in probabilities.

    Args:
        target: Labels, bool, shape (rows,).
        logit: What the model predicts, shape (rows,).
        weight: Positive weights, shape (rows,).
    """
    # All but the outermost 0.5 % of either class; what lies beyond, infinities included, is in the outermost bars.
    ends = [np.quantile(np.clip(logit[rows], -16, 16), [0.005, 0.995]) for rows in (target, ~target) if rows.any()]
    low, high = float(np.min(ends)) - 0.5, float(np.max(ends)) + 0.5

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        shapes = []
        for name, rows, color in (("negatives", ~target, ORANGE), ("positives", target, BLUE)):
            if not rows.any():
                continue
            clipped = np.clip(logit[rows], low, high)
            edges = np.linspace(low, high, int(np.clip(2 * np.cbrt(rows.sum()), 10, 50)) + 1)
            share, _ = np.histogram(clipped, edges, weights=weight[rows] / weight[rows].sum())
            heights = share / np.diff(edges)
            axes.stairs(heights, edges, fill=True, color=color, alpha=0.28)
            axes.stairs(heights, edges, color=color, linewidth=1.2)
            shapes.append((name, edges, heights, color))
        axes.set_xlim(low, high)
        axes.set_ylim(0, 1.15 * max((heights.max() for _, _, heights, _ in shapes), default=1))
        for name, edges, heights, color in shapes:
            others = [shape[1:3] for shape in shapes if shape[0] != name]
            x, height = _place_of_name(edges, heights, others)
            at = (x - low) / (high - low)
            side = "left" if at < 0.15 else "right" if at > 0.85 else "center"
            annotate(axes, name, (x, height), xytext=(0, 3), color=color, ha=side)
        axes.set(xlabel="Predicted probability", ylabel="Share of the class")
        axes.yaxis.set_major_locator(FixedLocator([]))
        probability_ticks(axes.xaxis, low, high, True)

    return svg(draw, "Histogram of the predicted probability by class", height=4.4)


def _place_of_name(
    edges: np.ndarray, heights: np.ndarray, others: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[float, float]:
    """Return the middle and the top of the bar that stands out most above another histogram."""
    middles, reach = (edges[1:] + edges[:-1]) / 2, 0.08 * (edges[-1] - edges[0])  # half a name's width
    highest = np.zeros(len(heights))
    for other_edges, other_heights in others:
        for place, x in enumerate(middles):
            near = (other_edges[1:] > x - reach) & (other_edges[:-1] < x + reach)
            highest[place] = max(highest[place], other_heights[near].max(initial=0))
    best = int(np.argmax(heights - highest))
    return float(middles[best]), float(heights[best])


def importance(columns: Sequence[str], increase: np.ndarray, error: np.ndarray) -> str:
    """Draw how much the log loss rises when each column is shuffled, as bars with 95 % intervals.

    Args:
        columns: Their names, the most important first.
        increase: Rise of the log loss in nats, shape (columns,).
        error: Its standard error, shape (columns,).
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        places = np.arange(len(columns))[::-1]
        axes.barh(places, increase, height=0.62, color=BLUE, alpha=0.45)
        axes.hlines(places, increase - 1.96 * error, increase + 1.96 * error, color=BLUE, linewidth=1.2)
        axes.axvline(0, color=GREY, linewidth=0.9)
        axes.spines["left"].set_visible(False)
        axes.set_yticks(places, [_shortened(name) for name in columns])
        axes.set(xlabel="Rise of the log loss", ylim=(-0.7, len(columns) - 0.3))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(False, axis="y")

    return svg(draw, "Importance of the columns", height=0.8 + 0.22 * len(columns))


def _shortened(name: str) -> str:
    # A dollar sign would begin a formula.
    half = LONGEST_NAME // 2
    text = name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[1 - half :]}"
    return "".join(sign if sign.isprintable() else " " for sign in text).replace("$", r"\$")


def is_rare(base_rate: float) -> bool:
    """Return whether a class is so rare that probabilities are better drawn as log-odds.

    Args:
        base_rate: Share of positives.
    """
    return not 0.05 <= base_rate <= 0.95


def _log_odds(probability: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return log_odds(probability)


def _common_range(coordinates: list[np.ndarray]) -> tuple[float, float]:
    values = np.concatenate([part.ravel() for part in coordinates])
    values = np.clip(values[np.isfinite(values)], -20, 20)
    return (float(values.min()) - 0.8, float(values.max()) + 0.8) if values.size else (-5.0, 5.0)
