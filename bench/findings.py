"""The tables and pictures of docs/choosing.md, from the results of `bench.choices`."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import t as student

from bench import store
from bench.markdown import table

PICTURES = store.ROOT / "docs" / "pictures"
STUCK = 0.7  # accuracy; always giving the more frequent answer reaches 0.63
# Okabe and Ito's colours, which the colour-blind can tell apart; each line also has a marker and its name beside it.
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072b2", "#d55e00", "#009e73", "#aa4499", "#56b4e9", "#6e7681"
COLORS = {
    "plain": BLUE,
    "pos_weight": ORANGE,
    "1 in": GREEN,
    "focal": PURPLE,
    "smoothing": GREEN,
    "poly": SKY,
    "asymmetric": ORANGE,
    "told": ORANGE,
}
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "binxent",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e9ed",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
}
REFERENCE: dict[str, Any] = {"color": GREY, "linewidth": 0.9, "dashes": (4, 3)}

Row = dict[str, Any]


def by_way(experiment: str, data: Any, what: str, rows: list[Row] | None = None) -> dict[str, dict[str, Any]]:
    """Return the scores or curves of an experiment on a data set, by way of training; those on disk by default."""
    rows = store.load("choices")["results"]["default"] if rows is None else rows
    return {
        row["way"]: row[what]
        for row in rows
        if row["experiment"] == experiment and (data is None or row["data"] == data) and what in row
    }


def mean(numbers: Iterable[float | None]) -> float:
    """Return the mean over seeds; NaN if a seed has no finite number."""
    return float(np.mean(np.array(list(numbers), float)))


def interval(numbers: Iterable[float]) -> float:
    """Return half the width of the 95 % interval of a mean over seeds."""
    values = np.array(list(numbers), float)
    return float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def differences(scores: Iterable[float], others: Iterable[float]) -> np.ndarray:
    """Return the differences of scores, paired by seed, which removes the variation of the data."""
    return np.array(list(scores), float) - np.array(list(others), float)


def scores_table(experiment: str, data: str, columns: tuple[str, ...], rows: list[Row] | None = None) -> str:
    """Format the mean scores by way; bold if they differ from the first way by more than the seeds vary."""
    ways = by_way(experiment, data, "scores", rows)
    first = next(iter(ways.values()))
    return table(
        ("", *columns),
        ((way, *(cell(scores[column], first[column]) for column in columns)) for way, scores in ways.items()),
    )


def cell(numbers: list[float], reference: list[float]) -> str:
    """Format a mean, bold if it differs from the reference beyond the 95 % interval of the paired differences."""
    value = mean(numbers)
    if not np.isfinite(value):
        return "not finite"
    text = f"{value:.3f}" if value < 10 else f"{value:.1f}"
    difference = differences(numbers, reference)
    return f"**{text}**" if abs(difference.mean()) > interval(difference) else text


def noise_table(rows: list[Row] | None = None) -> str:
    """Format the accuracy on clean labels, by the share of labels that were flipped."""
    shares = (0.0, 0.1, 0.2, 0.3, 0.4)
    by_share = [by_way("noisy", share, "scores", rows) for share in shares]
    return table(
        ("accuracy", *(f"{share:.0%} flipped" for share in shares)),
        ((way, *(cell(ways[way]["accuracy"], ways["plain"]["accuracy"]) for ways in by_share)) for way in by_share[0]),
    )


def saturated_table(rows: list[Row] | None = None) -> str:
    """Format the accuracy after a saturated start, and the number of runs that stayed there."""
    models = ("logistic regression", "network 64-32-1")
    by_model = [by_way("saturated", model, "scores", rows) for model in models]

    def accuracy(numbers: list[float]) -> str:
        return f"{mean(numbers):.2f} ({sum(number < STUCK for number in numbers)} of {len(numbers)} stuck)"

    return table(
        ("accuracy", *models),
        ((way, *(accuracy(ways[way]["accuracy"]) for ways in by_model)) for way in by_model[0]),
    )


RARE = ("AUC", "average precision", "log loss", "slope", "mean p / share", "F1 at 1/2", "F1, chosen threshold")
CALIBRATED = ("accuracy", "log loss", "log loss, temperature fitted", "slope", "mean p / share")
SEVERAL = ("average precision", "log loss", "mean p / share", "F1 at 1/2", "F1, chosen thresholds")
TABLES: dict[str, Callable[..., str]] = {
    "choices-rare-made": partial(scores_table, "rare", "made", RARE),
    "choices-rare-digits": partial(scores_table, "rare", "digits", RARE),
    "choices-plenty": partial(scores_table, "calibrated", "plenty", CALIBRATED),
    "choices-few": partial(scores_table, "calibrated", "few", CALIBRATED),
    "choices-labels": partial(scores_table, "several_labels", "made", SEVERAL),
    "choices-noise": noise_table,
    "choices-saturated": saturated_table,
}


def draw(rows: list[Row] | None = None, folder: Path = PICTURES) -> Iterator[Path]:
    """Draw every picture and yield their paths."""
    import matplotlib.style
    from matplotlib.figure import Figure

    rows = store.load("choices")["results"]["default"] if rows is None else rows
    folder.mkdir(exist_ok=True)
    for name, (fill, height) in DRAWINGS.items():
        with matplotlib.style.context(["default", STYLE]):
            figure = Figure(figsize=(7.4, height), layout="constrained")
            fill(figure, rows)
            path = folder / f"{name}.svg"
            figure.savefig(path, metadata={"Date": None, "Creator": None, "Description": digest(rows)})
        text = path.read_text(encoding="utf-8").replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
        path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")
        yield path


def digest(rows: list[Row]) -> str:
    """Return a hash of measurements, which the pictures made from them contain."""
    return f"measurements {hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]}"


def color_of(way: str) -> str:
    """Return the colour of a way of training, the same in all pictures."""
    return next(color for name, color in COLORS.items() if way.startswith(name))


def dots(axes: Any, ways: list[str], series: dict[str, tuple[Callable[[str], np.ndarray], str, str]]) -> None:
    """Draw means with their intervals, a line for each way of training, the series beside each other."""
    for i, (name, (numbers, color, marker)) in enumerate(series.items()):
        found = [numbers(way) for way in ways]
        axes.errorbar(
            [np.mean(values) for values in found],
            np.arange(len(ways)) + 0.22 * (i - (len(series) - 1) / 2),
            xerr=[interval(values) for values in found],
            fmt=marker,
            color=color,
            linewidth=1.1,
            label=name,
        )
    axes.set_yticks(range(len(ways)), ways)
    axes.set_ylim(len(ways) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(length=0)


def rare(figure: Any, rows: list[Row]) -> None:
    """Draw the reliability of rare positives, and the effect of weights and other losses on ranking and decisions."""
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.15])
    curves = by_way("rare", "made", "curve", rows)
    left.loglog([1e-4, 1], [1e-4, 1], **REFERENCE)
    for way, marker in zip([way for way in curves if "then" not in way], "os^D", strict=True):
        curve = curves[way]
        left.loglog(curve["x"], np.maximum(np.array(curve["y"], float), 1e-4), marker=marker, color=color_of(way))
    names = {"plain": (0.02, 0.045, "right"), "pos_weight": (0.024, 0.00045, "right"), "focal": (0.32, 0.13, "center")}
    for start, (x, y, side) in names.items():
        left.text(
            x, y, "pos_weight 49\nand 1 in 49" if start == "pos_weight" else start, color=color_of(start), ha=side
        )
    left.set(xlabel="predicted probability", ylabel="share of positives", xlim=(3e-4, 1), ylim=(3e-4, 1))
    left.set_title("Made data, 2 % positives")

    scores = {data: by_way("rare", data, "scores", rows) for data in ("made", "digits")}
    for data, name, color, marker in (("made", "made data", BLUE, "o"), ("digits", "digits", ORANGE, "s")):
        ways = scores[data]
        kinds = [way for way in ways if way != "plain" and "then" not in way]
        lines = [(kind, score) for kind in kinds for score in ("AUC", "average precision", "F1, chosen threshold")]
        found = [differences(ways[kind][score], ways["plain"][score]) for kind, score in lines]
        places = np.arange(len(lines)) + (0.13 if data == "digits" else -0.13)
        right.errorbar(
            [d.mean() for d in found],
            places,
            xerr=[interval(d) for d in found],
            fmt=marker,
            color=color,
            linewidth=1.1,
            label=name,
        )
    shown = ("pos_weight", "1 in c negatives", "focal")
    short = ("AUC", "average precision", "best F1")
    right.set_yticks(range(9), [f"{kind}: {score}" for kind in shown for score in short])
    right.set_ylim(8.6, -0.6)
    right.axvline(0, **REFERENCE)
    right.grid(axis="y", visible=False)
    right.tick_params(length=0)
    right.legend(frameon=False, loc="lower left")
    right.set(xlabel="difference from plain cross-entropy", xticks=[-0.08, -0.04, 0, 0.04])
    right.set_title("Ranking, with 95 % intervals")


def calibrated(figure: Any, rows: list[Row]) -> None:
    """Draw the prediction that minimises each loss by the true chance, and the resulting calibration slopes."""
    import binxent as bx

    left, right = figure.subplots(1, 2, width_ratios=[1, 1])
    chance = np.linspace(0.005, 0.995, 100)
    logits = np.linspace(-12, 12, 4801)
    options = {"from_logits": True, "reduction": "none", "axis": ()}
    measured = by_way("calibrated", "plenty", "curve", rows)
    for way, loss, marker in (
        ("plain", bx.BinaryCrossentropy(**options), "o"),
        ("smoothing 0.2", bx.BinaryCrossentropy(label_smoothing=0.2, **options), "s"),
        ("focal, γ = 2", bx.BinaryFocalCrossentropy(gamma=2.0, **options), "D"),
        ("poly, ε₁ = 1", bx.PolyBinaryCrossentropy(epsilon_1=1.0, **options), "^"),
        ("asymmetric, γ = 1 and 4", bx.AsymmetricCrossentropy(**options), "v"),
    ):
        cost = [loss(np.full_like(logits, label), logits) for label in (1.0, 0.0)]
        best = expit(logits[np.argmin(chance[:, None] * cost[0] + (1 - chance[:, None]) * cost[1], axis=1)])
        left.plot(chance, best, color=color_of(way))
        curve = measured[way]
        left.plot(curve["y"], curve["x"], marker, color=color_of(way), markerfacecolor="white", label=way.split(",")[0])
    left.legend(frameon=False, loc="upper left", fontsize=7.5)
    left.set(xlabel="true chance of a positive", ylabel="what the model answers", xlim=(0, 1), ylim=(0, 1))
    left.set_title("Lines: the loss's aim. Markers: trained networks")

    scores = {data: by_way("calibrated", data, "scores", rows) for data in ("plenty", "few")}
    dots(
        right,
        list(scores["plenty"]),
        {
            "rows in plenty": (lambda way: np.array(scores["plenty"][way]["slope"]), BLUE, "o"),
            "few rows, digits": (lambda way: np.array(scores["few"][way]["slope"]), ORANGE, "s"),
        },
    )
    right.axvline(1, **REFERENCE)
    right.legend(frameon=False, loc="upper right")
    right.set(xlabel="below 1 too extreme, above 1 too timid")
    right.set_title("Calibration slope, with 95 % intervals")


def several_labels(figure: Any, rows: list[Row]) -> None:
    """Draw the quality of decisions about twenty labels, and step sizes for a mean and for a sum over them."""
    left, right = figure.subplots(1, 2, width_ratios=[1, 1])
    ways = by_way("several_labels", "made", "scores", rows)
    dots(
        left,
        list(ways),
        {
            "average precision": (lambda way: np.array(ways[way]["average precision"]), GREY, "^"),
            "F1 at 1/2": (lambda way: np.array(ways[way]["F1 at 1/2"]), ORANGE, "s"),
            "F1, chosen thresholds": (lambda way: np.array(ways[way]["F1, chosen thresholds"]), BLUE, "o"),
        },
    )
    left.legend(frameon=False, loc="center left", bbox_to_anchor=(0.0, 0.52))
    left.set(xlabel="mean over twenty labels", xticks=[0.2, 0.25, 0.3])
    left.set_title("Twenty labels, 33 % to 1 % positive")

    for way, scores in by_way("mean_or_sum", "made", "scores", rows).items():
        color = BLUE if way.startswith("SGD") else ORANGE
        style = {"linewidth": 4, "alpha": 0.35} if way.endswith("mean") else {"linewidth": 1.2}
        right.loglog(list(map(float, scores)), list(map(mean, scores.values())), color=color, label=way, **style)
    right.set(xlabel="step size", ylabel="log loss per label, after 100 steps", ylim=(0.19, 1.2))
    right.set_yticks([0.2, 0.3, 0.5, 1.0], ["0.2", "0.3", "0.5", "1"])
    right.minorticks_off()
    right.legend(frameon=False)
    right.set_title("Mean or sum over labels")


def noisy(figure: Any, rows: list[Row]) -> None:
    """Draw accuracy by the share of wrong labels."""
    axes = figure.subplots()
    shares = (0.0, 0.1, 0.2, 0.3, 0.4)
    by_share = [by_way("noisy", share, "scores", rows) for share in shares]
    for way, marker in zip(by_share[0], "osD^osv", strict=True):
        found = [ways[way]["accuracy"] for ways in by_share]
        stopped = "stopped" in way
        axes.errorbar(
            np.array(shares) * 100,
            list(map(mean, found)),
            yerr=list(map(interval, found)),
            fmt=marker + ("--" if stopped else "-"),
            color=color_of(way),
            markerfacecolor="white" if stopped else color_of(way),
            label=way,
        )
    axes.set(xlabel="labels flipped in training, %", ylabel="accuracy on clean labels", xticks=[0, 10, 20, 30, 40])
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set_title("Digits, odd or even: a network trained to the end, and stopped early")


def saturated(figure: Any, rows: list[Row]) -> None:
    """Draw the gradient at the logit of a saturated, wrong prediction, and the accuracies that models reach."""
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    styles = {
        "binxent, from logits": (BLUE, "-"),
        "Keras, from logits": (SKY, "--"),
        "binxent, after a sigmoid": (ORANGE, "-"),
        "Keras, after a sigmoid": (GREY, "--"),
    }
    slopes = [by_way("saturated", label, "curve", rows) for label in ("positive", "negative")]
    for way, (color, dashes) in styles.items():
        for curves in slopes:
            left.plot(
                curves[way]["x"], curves[way]["y"], dashes, color=color, linewidth=2.4 if "binxent" in way else 1.2
            )
    left.text(-40, 0.94, "from logits", color=BLUE)
    left.text(-40, 0.04, "after a sigmoid", color=ORANGE, fontsize=7.5)
    left.set(xlabel="logit of a positive (left) and of a negative (right)", ylabel="size of the gradient")
    left.set_title("What a wrong answer tells the logit, float32")

    ways = by_way("saturated", "network 64-32-1", "scores", rows)
    for i, (way, (color, _)) in enumerate(styles.items()):
        accuracy = ways[way]["accuracy"]
        right.plot(accuracy, i + np.linspace(-0.2, 0.2, len(accuracy)), "o", color=color, alpha=0.8, markersize=4)
    right.set_yticks(range(len(styles)), styles)
    for label, (color, _) in zip(right.get_yticklabels(), styles.values(), strict=True):
        label.set_color(color)
    right.set_ylim(len(styles) - 0.5, -0.5)
    right.axvline(0.63, **REFERENCE)
    right.text(0.64, 0.5, "one answer\nfor all", color=GREY, va="center")
    right.tick_params(length=0)
    right.grid(axis="y", visible=False)
    right.set(xlabel="accuracy of each run")
    right.set_title("Raw measurements, network 64-32-1")


DRAWINGS: dict[str, tuple[Callable[[Any, list[Row]], None], float]] = {
    "rare": (rare, 3.1),
    "calibrated": (calibrated, 3.3),
    "several_labels": (several_labels, 2.9),
    "noisy": (noisy, 2.9),
    "saturated": (saturated, 2.7),
}
