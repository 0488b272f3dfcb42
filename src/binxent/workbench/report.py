"""One self-contained page about a run, for the colleague who was not there: ``report.html`` in the run folder.

The page needs no network and no JavaScript, and the same run gives the same bytes. `plots` draws, `score` has counted,
`report.html` beside this module is the frame; here the numbers get their words.
"""

import csv
import html
import importlib.resources
import json
import string
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from binxent.workbench import folder as run_folder
from binxent.workbench.score import rank
from binxent.workbench.spelling import UNKNOWN, number, percent

_FILES = ("config.toml", "history.csv", "metrics.json", "predictions.parquet")


def write_report(folder: Path) -> Path:
    """Writes ``report.html`` into the folder of a run.

    Args:
        folder: a run folder with config.toml, history.csv, metrics.json and predictions.parquet.

    Returns:
        The path of the page.

    Raises:
        FileNotFoundError: if one of those files is missing.
        OSError: if the page cannot be written.
    """
    for name in _FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} has no {name}, so there is nothing to report. Finish or repeat the run.")
    settings = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
        history = list(csv.DictReader(file))
    frame = importlib.resources.files("binxent.workbench").joinpath("report.html").read_text(encoding="utf-8")
    page = string.Template(frame).substitute(
        title=html.escape(folder.resolve().name),
        subtitle=_subtitle(metrics),
        cards=_cards(metrics["test"]),
        plain_words="\n".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in plain_words(metrics)),
        thresholds=_thresholds(metrics["test"]["thresholds"]),
        course=_course(metrics),
        scores=_scores(metrics),
        settings=_settings(settings),
        **_figures(folder / "predictions.parquet", history, metrics),
    )
    path = folder / "report.html"
    with run_folder.replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return path


def plain_words(metrics: Mapping[str, Any]) -> list[str]:
    """Says in sentences what the numbers of a run mean.

    Args:
        metrics: what metrics.json holds.

    Returns:
        Paragraphs of plain text.
    """
    test = metrics["test"]
    paragraphs = [
        [_explained(test), _ranked(test)],
        [_calibrated(test["calibration"]), _corrected(metrics)],
        [_learned(metrics), _rough(test)],
    ]
    return [" ".join(sentence for sentence in paragraph if sentence) for paragraph in paragraphs]


def _explained(test: Mapping[str, Any]) -> str:
    loss, base = test["log_loss"], test["base_rate_log_loss"]
    if base is None:
        return "No held-out row counts, so nothing can be said about the model."
    if loss["value"] is None:
        return "At least one row was predicted with full certainty and wrong, so the log loss is infinite."
    if base == 0:
        return (
            f"The held-out rows are all of one class: the log loss of {number(loss['value'])} cannot be judged, and "
            "most other scores do not exist."
        )
    explained = test["explained"]
    facts = f"its log loss is {number(loss['value'])}, where always predicting the base rate costs {number(base)}"
    if explained["value"] <= 0:
        return f"The model is no better than a constant: {facts}."
    share = f"{percent(explained['value'])} of the base-rate loss{_interval(explained, percent)}"
    sentence = f"The model explains {share}: {facts}."
    if explained["low"] is not None and explained["low"] <= 0:
        sentence += " With so few rows, that may still be chance."
    return sentence


def _ranked(test: Mapping[str, Any]) -> str:
    auc = test["auc"]
    if auc["value"] is None:
        return ""
    return f"It ranks a positive above a negative in {percent(auc['value'])} of the pairs{_interval(auc, percent)}."


def _calibrated(calibration: Mapping[str, Any]) -> str:
    slope, ratio = calibration["slope"], calibration["observed_over_expected"]
    sentences = []
    if slope["low"] is None:
        sentences.append("Whether the probabilities are too extreme or too timid cannot be told from these rows.")
    elif slope["high"] < 0:
        sentences.append(f"The probabilities point the wrong way: slope {number(slope['value'])}{_interval(slope)}.")
    elif slope["high"] < 1:
        sentences.append(
            f"The probabilities are too extreme: slope {number(slope['value'])}{_interval(slope)}, where 1 is ideal. "
            "They should lie nearer to the base rate."
        )
    elif slope["low"] > 1:
        sentences.append(
            f"The probabilities are too timid: slope {number(slope['value'])}{_interval(slope)}, where 1 is ideal. "
            "They could lie further from the base rate."
        )
    else:
        sentences.append(
            f"The spread of the probabilities is consistent with the truth: slope {number(slope['value'])}"
            f"{_interval(slope)}, where 1 is ideal."
        )
    if ratio["low"] is not None:
        times = f"{number(ratio['value'])} times as many positives as predicted{_interval(ratio)}"
        if ratio["low"] > 1:
            sentences.append(f"On the whole they are too low: there are {times}.")
        elif ratio["high"] < 1:
            sentences.append(f"On the whole they are too high: there are {times}.")
        else:
            sentences.append(f"On the whole they are right, as far as one can tell: there are {times}.")
    return " ".join(sentences)


def _corrected(metrics: Mapping[str, Any]) -> str:
    correction, raw = metrics["correction"], metrics["test_raw"]
    if correction["kind"] == "none" or raw is None:
        return ""
    if correction["kind"] == "pos_weight":
        sentence = (
            "Training weighed the positives, which moves every probability; the exact inverse, "
            f"{_signed(correction['intercept'])} on the logit, takes the weight out again."
        )
    else:
        sentence = (
            "The training loss does not aim at true probabilities, so a slope and an intercept were fitted on the "
            f"validation rows: corrected logit = {number(correction['slope'])} × logit "
            f"{_signed(correction['intercept'])}."
        )
    before, after = raw["log_loss"]["value"], metrics["test"]["log_loss"]["value"]
    if before is not None and after is not None:
        sentence += f" Without it the log loss would be {number(before)} instead of {number(after)}."
    return sentence


def _learned(metrics: Mapping[str, Any]) -> str:
    best, epochs = metrics["best_epoch"], metrics["epochs"]
    if best == epochs:
        return (
            f"The validation loss was at its lowest in the last of {epochs} {_plural('epoch', epochs)}: training for "
            "longer may help."
        )
    return f"The weights are those of epoch {best} of {epochs}, where the validation loss was lowest."


def _rough(test: Mapping[str, Any]) -> str:
    fewest = min(test["positives"], test["rows"] - test["positives"])
    if not 0 < fewest < 50:
        return ""
    which = "positive" if fewest == test["positives"] else "negative"
    return (
        f"All of this rests on {fewest} {which} {_plural('row', fewest)}: read the intervals rather than the numbers."
    )


def _subtitle(metrics: Mapping[str, Any]) -> str:
    test = metrics["test"]
    rows = f"Judged on {test['rows']:,} held-out {_plural('row', test['rows'])} that training never saw"
    if test["base_rate"] is None:
        return f"{rows}."
    weighted = " by weight" if test["weight_sum"] != test["rows"] else ""
    return f"{rows}; {test['positives']:,} positive ({percent(test['base_rate'])}{weighted})."


def _cards(test: Mapping[str, Any]) -> str:
    base_loss, base_rate = test["base_rate_log_loss"], test["base_rate"]
    always = {
        "Log loss": ("log_loss", base_loss),
        "Brier score": ("brier", None if base_rate is None else base_rate * (1 - base_rate)),
        "AUC": ("auc", 0.5),
        "Average precision": ("average_precision", base_rate),
    }
    cards = []
    for title, (key, constant) in always.items():
        estimate = test[key]
        interval = UNKNOWN if estimate["low"] is None else f"{number(estimate['low'])} to {number(estimate['high'])}"
        cards.append(
            f'<div class="card"><dt>{title}</dt><dd class="value">{number(estimate["value"])}</dd>'
            f"<dd>95 %: {interval}</dd>"
            f'<dd class="soft">constant prediction: {number(constant)}</dd></div>'
        )
    return "\n".join(cards)


def _figures(predictions: Path, history: Sequence[Mapping[str, str]], metrics: Mapping[str, Any]) -> dict[str, str]:
    # Matplotlib and polars take a second to import, and only a report needs the former.
    import polars as pl

    from binxent.workbench import plots

    table = pl.read_parquet(predictions)
    weight = table["weight"].to_numpy() if "weight" in table.columns else np.ones(len(table))
    counts = weight > 0
    weight = weight[counts]
    target = table["target"].to_numpy()[counts].astype(bool)
    logits = {"corrected": table["logit"].to_numpy()[counts]}
    if "raw_logit" in table.columns:
        logits = {"raw": table["raw_logit"].to_numpy()[counts], **logits}
    base_rate = metrics["test"]["base_rate"]

    def losses(column: str) -> np.ndarray:
        return np.array([float(epoch[column] or "nan") for epoch in history])

    figures = {
        "loss_curves": _figure(
            plots.loss_curves(
                losses("loss"), losses("val_loss"), metrics["best_epoch"], metrics["training_base_rate_loss"]
            ),
            "The loss by epoch, on training and validation rows. The dashed line is what always predicting the base "
            "rate costs on the validation rows.",
        )
    }
    if base_rate is None:
        return figures | dict.fromkeys(
            ("reliability", "histogram", "roc", "precision_recall"), _absent("No row counts.")
        )
    equal, example = "number of rows", "20 %"
    if plots.is_rare(base_rate):
        equal, example = "expected number of the rarer class", "1 %" if base_rate < 0.5 else "99 %"
    figures["reliability"] = _figure(
        plots.reliability(target, logits, weight, base_rate),
        f"Of the rows predicted at {example}, are {example} positive? On the dashed line they are. Each point stands "
        f"for the same {equal}; bars are 95 % intervals. Below: how often each probability was predicted.",
    )
    figures["histogram"] = _figure(
        plots.score_histogram(target, logits["corrected"], weight),
        "What the model predicted for negatives and for positives, each class by itself. The less they overlap, the "
        "better it tells them apart.",
    )
    if target.all() or not target.any():
        return figures | dict.fromkeys(("roc", "precision_recall"), _absent("The held-out rows are all of one class."))
    ranking = rank(target, logits["corrected"], weight)
    figures["roc"] = _figure(
        plots.roc(ranking),
        "Moving the threshold trades false alarms (to the right) for positives found (upwards). The area under the "
        f"curve, {number(metrics['test']['auc']['value'])}, is the chance that a positive ranks above a negative.",
    )
    figures["precision_recall"] = _figure(
        plots.precision_recall(ranking, base_rate),
        "Of the rows flagged, how many are positive (precision), against how many of the positives are found (recall). "
        f"Average precision {number(metrics['test']['average_precision']['value'])}.",
    )
    return figures


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{html.escape(caption)}</figcaption></figure>"


def _absent(reason: str) -> str:
    return f'<p class="soft">No picture here. {html.escape(reason)}</p>'


def _thresholds(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return _absent("No row counts.")
    rows = [row for row in rows if 0 < row["flagged"] < 1] or rows
    best = max(rows, key=lambda row: row["f1"] or 0)

    def thousandfold(cost: float | None) -> str:
        return number(None if cost is None else 1000 * cost)

    body = [
        {
            "Threshold": f"{row['threshold']:.3g}" + (" (highest F1)" if row is best and row["f1"] else ""),
            "Right if a miss costs": _times(row["miss_cost"]),
            "Flagged": percent(row["flagged"]),
            "Precision": percent(row["precision"]),
            "Recall": percent(row["recall"]),
            "Specificity": percent(row["specificity"]),
            "F1": number(row["f1"]),
            "Cost per 1,000 rows": thousandfold(row["cost"]),
            "Without the model": thousandfold(row["cost_without_model"]),
        }
        for row in rows
    ]
    return _table(
        "Flag a row if its probability reaches the threshold. Which threshold is right depends on what mistakes cost. "
        "Find the line where a miss costs as many false alarms as it does for you. Costs are in units of one false "
        "alarm; without the model one would flag every row or none, whichever is cheaper. Thresholds that flag every "
        "row or none are left out.",
        list(body[0]),
        [list(row.values()) for row in body],
        [row is best for row in rows],
    )


def _times(factor: float | None) -> str:
    if factor is None:
        return UNKNOWN
    return f"{factor:,.0f} ×" if factor >= 9.95 else f"{factor:.2g} ×"


def _course(metrics: Mapping[str, Any]) -> str:
    facts = {
        "Training rows": f"{metrics['train_rows']:,}",
        "Validation rows": f"{metrics['validation_rows']:,}",
        "Held-out rows": f"{metrics['test_rows']:,}",
        "Positives among the training labels": percent(metrics["base_rate"]),
        "Epochs": f"{metrics['epochs']:,}",
        "Best epoch": f"{metrics['best_epoch']:,}",
        "Log loss of the base rate, validation rows": number(metrics["base_rate_loss"]),
    }
    return _table("The course of the training.", (), facts.items())


def _scores(metrics: Mapping[str, Any]) -> str:
    raw = metrics["test_raw"]
    judged = {"Corrected": metrics["test"], "Raw": raw} if raw else {"Value": metrics["test"]}
    names = {
        "Log loss": ("log_loss",),
        "Explained share of the base-rate loss": ("explained",),
        "Brier score": ("brier",),
        "AUC": ("auc",),
        "Average precision": ("average_precision",),
        "Calibration slope (ideal: 1)": ("calibration", "slope"),
        "Calibration intercept (ideal: 0)": ("calibration", "intercept"),
        "Observed / expected positives (ideal: 1)": ("calibration", "observed_over_expected"),
    }
    body = []
    for title, keys in names.items():
        cells = [title]
        for scores in judged.values():
            estimate: Any = scores
            for key in keys:
                estimate = estimate[key]
            low, high = estimate["low"], estimate["high"]
            cells += [number(estimate["value"]), UNKNOWN if low is None else f"{number(low)} to {number(high)}"]
        body.append(cells)
    columns = [column for name in judged for column in (name, "95 % interval")]
    return _table(
        "Held-out rows, taken as independent of each other. Intervals: infinitesimal jackknife, which is DeLong's "
        "method for the AUC; the exact binomial one for a perfect ranking.",
        ("Score", *columns),
        body,
    )


def _settings(settings: Mapping[str, Any]) -> str:
    rows = []
    for key, value in settings.items():
        inner = value.items() if isinstance(value, dict) else [(None, value)]
        rows += [(key if name is None else f"{key}.{name}", _setting(entry)) for name, entry in inner]
    return _table("What config.toml holds; with it the run can be repeated.", (), rows, kind="settings")


def _setting(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_setting(entry) for entry in value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    marked: Sequence[bool] = (),
    kind: str = "",
) -> str:
    """A table of text; the first cell of each row names it."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in columns)
    lines = [f'<table class="{kind}">' if kind else "<table>", f"<caption>{html.escape(caption)}</caption>"]
    if columns:
        lines.append(f"<thead><tr>{head}</tr></thead>")
    lines.append("<tbody>")
    for index, (name, *cells) in enumerate(rows):
        opening = '<tr class="best">' if index < len(marked) and marked[index] else "<tr>"
        body = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        lines.append(f'{opening}<th scope="row">{html.escape(name)}</th>{body}</tr>')
    return "\n".join([*lines, "</tbody>", "</table>"])


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'} {number(abs(value))}"


def _interval(estimate: Mapping[str, Any], spell: Callable[[float], str] = number) -> str:
    if estimate["low"] is None:
        return ""
    return f" (95 % interval {spell(estimate['low'])} to {spell(estimate['high'])})"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"
