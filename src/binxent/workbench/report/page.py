"""A self-contained page about a run, for colleagues who did not see it: ``report.html`` in the run folder.

The page needs no network and no JavaScript, and the same run gives the same bytes. It joins the scores of
`binxent.scoring`, the plots of `plots` and the sentences of `narrative` in the frame `page.html`.
"""

import csv
import html
import importlib.resources
import json
import string
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from binxent.scoring import rank
from binxent.workbench import run_folder
from binxent.workbench.report.narrative import plain_words
from binxent.workbench.report.number_format import UNKNOWN, number, percent, plural

_FILES = ("config.toml", run_folder.COLUMNS, "history.csv", "metrics.json", "predictions.parquet")


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into a run folder.

    Args:
        folder: A run folder with config.toml, columns.json, history.csv, metrics.json and predictions.parquet.

    Returns:
        The path of the page.

    Raises:
        FileNotFoundError: If one of those files is missing.
        OSError: If the page cannot be written.
    """
    for name in _FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} has no {name}, so there is nothing to report. Finish or repeat the run.")
    settings = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
        history = list(csv.DictReader(file))
    frame = importlib.resources.files("binxent.workbench.report").joinpath("page.html").read_text(encoding="utf-8")
    page = string.Template(frame).substitute(
        title=html.escape(folder.resolve().name),
        subtitle=html.escape(_subtitle(settings, metrics["test"])),
        cards=_cards(metrics["test"]),
        plain_words="\n".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in plain_words(metrics)),
        thresholds=_thresholds(metrics["test"]["thresholds"]),
        training=_training(metrics),
        scores=_scores(metrics),
        columns=_columns(run_folder.read_columns(folder)["columns"]),
        settings=_settings(settings),
        **_figures(folder / "predictions.parquet", history, metrics),
    )
    path = folder / "report.html"
    with run_folder.replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return path


def _subtitle(settings: Mapping[str, Any], test: Mapping[str, Any]) -> str:
    predicted = " = ".join(str(settings[key]) for key in ("target", "positive") if key in settings)
    parts = [f"Predicts {predicted}"] if predicted else []
    parts.append(f"judged on {test['rows']:,} held-out {plural('row', test['rows'])} that training never saw")
    if test["base_rate"] is not None:
        weighted = " by weight" if test["weight_sum"] != test["rows"] else ""
        parts.append(f"{test['positives']:,} of them positive ({percent(test['base_rate'])}{weighted})")
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


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

    from binxent.workbench.report import plots

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
    absent = _absent("The held-out rows are all of one class." if len(target) else "No row counts.")
    figures |= dict.fromkeys(("reliability", "histogram", "roc", "precision_recall"), absent)
    if len(target):
        figures["histogram"] = _figure(
            plots.score_histogram(target, logits["corrected"], weight),
            "What the model predicted for negatives and for positives, each class by itself. The less they overlap, "
            "the better it tells them apart.",
        )
    if target.all() or not target.any():
        return figures
    equal, example = "number of rows", "20 %"
    if plots.is_rare(base_rate):
        equal, example = "expected number of the rarer class", "1 %" if base_rate < 0.5 else "99 %"
    figures["reliability"] = _figure(
        plots.reliability(target, logits, weight, base_rate),
        f"Of the rows predicted at {example}, are {example} positive? On the dashed line they are. Each point stands "
        f"for the same {equal}; bars are 95 % intervals. Below: how often each probability was predicted.",
    )
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
    return f'<p class="soft">No plot here. {html.escape(reason)}</p>'


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
        [row is best and bool(row["f1"]) for row in rows],
    )


def _times(factor: float | None) -> str:
    if factor is None:
        return UNKNOWN
    return f"{factor:,.0f} ×" if factor >= 9.95 else f"{factor:.2g} ×"


def _training(metrics: Mapping[str, Any]) -> str:
    facts = {
        "Training rows": f"{metrics['train_rows']:,}",
        "Validation rows": f"{metrics['validation_rows']:,}",
        "Held-out rows": f"{metrics['test_rows']:,}",
        "Positives among the training labels": percent(metrics["base_rate"]),
        "Epochs": f"{metrics['epochs']:,}",
        "Best epoch": f"{metrics['best_epoch']:,}",
        "Log loss of the base rate, validation rows": number(metrics["base_rate_loss"]),
    }
    return _table("Sizes of the subsets, and the epochs of the training.", (), facts.items())


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


def _columns(columns: Sequence[Mapping[str, Any]]) -> str:
    uses = {"feature": "used", "left out": "left out"}
    body = [
        [
            column["name"],
            column["kind"] or "not read",
            f"{column['missing']:,}" if column["kind"] else UNKNOWN,
            f"{column['odd']:,}" + (f": {', '.join(column['examples'])}" if column["examples"] else ""),
            ": ".join(filter(None, [uses.get(column["use"], column["use"]), column["remark"]])),
        ]
        for column in columns
    ]
    return _table(
        "Every column of the data, over all rows. Odd values are not of the column's kind; they count as missing.",
        ("Column", "Kind", "Missing", "Odd values", "Use"),
        body,
        kind="columns",
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
    """Format a table of text; the first cell of each row is its header."""
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
