"""The tables of a report, as HTML."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from binxent.workbench.report.number_format import UNKNOWN, estimated, estimated_percent, number, percent


def thresholds(rows: Sequence[Mapping[str, Any]], chosen: float | None) -> str:
    """List the consequences of flagging rows at thresholds.

    Args:
        rows: `thresholds` of `binxent.scoring.evaluate`.
        chosen: The threshold of the highest F1 on the validation rows, if it is known.
    """
    if not rows:
        return absent("No row counts.")
    rows = [row for row in rows if 0 < row["flagged"] < 1] or rows
    marked = [row["threshold"] == chosen for row in rows]

    def thousandfold(cost: float | None) -> str:
        return number(None if cost is None else 1000 * cost)

    body = [
        {
            "Threshold": f"{row['threshold']:.3g}" + (" (highest F1 in validation)" if mark else ""),
            "Right if a miss costs": _times(row["miss_cost"]),
            "Flagged": percent(row["flagged"], 1),
            "Precision": percent(row["precision"], 1),
            "Recall": percent(row["recall"], 1),
            "Specificity": percent(row["specificity"], 1),
            "F1": UNKNOWN if row["f1"] is None else f"{row['f1']:.3f}",
            "Cost per 1,000 rows": thousandfold(row["cost"]),
            "Without the model": thousandfold(row["cost_without_model"]),
        }
        for row, mark in zip(rows, marked, strict=True)
    ]
    return _table(
        "Flag a row if its probability reaches the threshold. Which threshold is right depends on what mistakes cost. "
        "Find the line where a miss costs as many false alarms as it does for you. Costs are in units of one false "
        "alarm; without the model one would flag every row or none, whichever is cheaper. Thresholds that flag every "
        "row or none are left out.",
        list(body[0]),
        [list(row.values()) for row in body],
        marked,
    )


def _times(factor: float | None) -> str:
    if factor is None:
        return UNKNOWN
    return f"{factor:,.0f} ×" if factor >= 9.95 else f"{factor:.2g} ×"


def training(metrics: Mapping[str, Any]) -> str:
    """List the sizes of the subsets and the epochs."""
    folds = metrics["folds"]
    facts = {
        "Rows to learn from": f"{metrics['train_rows']:,}",
        "Validation rows among them": f"all, in {folds} folds" if folds > 1 else f"{metrics['validation_rows']:,}",
        "Test rows": f"{metrics['test_rows']:,}",
        "Networks": f"{metrics['members']:,}",
        "Positives among the rows to learn from": percent(metrics["base_rate"]),
        "Epochs": f"{metrics['epochs']:,}",
        "Best epoch": f"{metrics['best_epoch']:,}",
        "Log loss of the base rate, validation rows": number(metrics["base_rate_loss"]),
    }
    return _table("Sizes of the subsets, and the epochs of the training.", (), facts.items())


def scores(metrics: Mapping[str, Any]) -> str:
    """List every score with its interval, of raw predictions too if they were corrected."""
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
        for found in judged.values():
            estimate: Any = found
            for key in keys:
                estimate = estimate[key]
            cells += estimated(estimate)
        body.append(cells)
    columns = [column for name in judged for column in (name, "95 % interval")]
    return _table(
        "The test rows, taken as independent of each other. Intervals: infinitesimal jackknife, which is DeLong's "
        "method for the AUC; the exact binomial one for a perfect ranking.",
        ("Score", *columns),
        body,
    )


def columns_used(columns: Sequence[Mapping[str, Any]], importance: Sequence[Mapping[str, Any]]) -> str:
    """List every column of the data: its kind, its missing and odd values, its use, and its importance if it is known.

    Args:
        columns: What columns.json holds.
        importance: What metrics.json holds.
    """
    uses = {"feature": "used", "left out": "left out"}
    increase = {entry["column"]: entry["increase"] for entry in importance}
    body = [
        [
            column["name"],
            column["kind"] or "not read",
            f"{column['missing']:,}" if column["kind"] else UNKNOWN,
            f"{column['odd']:,}" + (f": {', '.join(column['examples'])}" if column["examples"] else ""),
            ": ".join(filter(None, [uses.get(column["use"], column["use"]), column["remark"]])),
            *([_increase(increase.get(column["name"]))] if importance else []),
        ]
        for column in columns
    ]
    return _table(
        "Every column of the data, over all rows. Odd values are not of the column's kind; they count as missing."
        + (" Importance: how much the log loss rises when the column is shuffled." if importance else ""),
        ("Column", "Kind", "Missing", "Odd values", "Use", *(["Importance"] if importance else [])),
        body,
        kind="columns",
    )


def _increase(value: float | None) -> str:
    return UNKNOWN if value is None else "0" if abs(value) < 5e-5 else f"{value:.4f}".replace("-", "−")


def rivals(metrics: Mapping[str, Any]) -> str:
    """Put the model's scores beside those of simple models on the same rows.

    Args:
        metrics: The content of metrics.json.
    """
    body = []
    known = [{"name": "this model", "test": metrics["test"], "difference": None}, *reversed(metrics["rivals"])]
    for rival in known:
        scores, difference = rival["test"], rival["difference"]
        cells = [text for name in ("log_loss", "auc") for text in estimated(scores[name])]
        higher = ("", "") if difference is None else estimated(difference)
        body.append([rival["name"], *cells, estimated(scores["brier"])[0], *higher])
    interval = "95 % interval"
    return _table(
        "The base rate is the share of positives in training, predicted for every row. The logistic regression has the "
        "inputs of the networks; its penalty is chosen by cross-validation on the training rows.",
        (
            "On the test rows",
            "Log loss",
            interval,
            "AUC",
            interval,
            "Brier",
            "Log loss above this model's",
            interval,
        ),
        body,
        [True],
    )


def examples(metrics: Mapping[str, Any]) -> str:
    """List the rows that the model was most certainly right and wrong about, with their values.

    Args:
        metrics: The content of metrics.json.
    """
    chosen = metrics["examples"]
    if not chosen:
        return absent("No row counts.")
    classes = (metrics["negative"], metrics["positive"])
    body = [
        ["Judgement", *("right" if example["right"] else "wrong" for example in chosen)],
        ["Truth", *(classes[example["target"]] for example in chosen)],
        ["Predicted probability", *(_share(example["probability"]) for example in chosen)],
        *([name, *(example["values"][name] or UNKNOWN for example in chosen)] for name in chosen[0]["values"]),
    ]
    return _table(
        "The test rows that the model was surest about: right, and wrong. The probability is that of "
        f"`{classes[1]}`; rows are counted from 1.",
        ("", *(f"Row {example['row'] + 1:,}" for example in chosen)),
        body,
        kind="columns",
    )


def _share(probability: float) -> str:
    return estimated_percent({"value": probability, "low": None, "high": None})[0]


def settings_used(settings: Mapping[str, Any]) -> str:
    """List the settings."""
    rows = []
    for key, value in settings.items():
        inner = value.items() if isinstance(value, dict) else [(None, value)]
        rows += [(key if name is None else f"{key}.{name}", _setting(entry)) for name, entry in inner]
    return _table("What config.toml holds; with it the run can be repeated.", (), rows, kind="settings")


def _setting(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_setting(entry) for entry in value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def prose(text: str) -> str:
    r"""Return a sentence as HTML: `names` in the type of code, and no line break before a per cent sign.

    Example:
        >>> prose("`<b>` is 5 % of it")
        '<code>&lt;b&gt;</code> is 5\xa0% of it'
    """
    coded = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
    return re.sub(r"(?<=\d) ?%", "\xa0%", coded)


def absent(reason: str) -> str:
    """Say why there is nothing to show."""
    return f'<p class="soft">Nothing to show here. {prose(reason)}</p>'


def _table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    marked: Sequence[bool] = (),
    kind: str = "",
) -> str:
    """Format a table of text; the first cell of each row is its header."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in columns)
    lines = [f'<table class="{kind}">' if kind else "<table>", f"<caption>{prose(caption)}</caption>"]
    if columns:
        lines.append(f"<thead><tr>{head}</tr></thead>")
    lines.append("<tbody>")
    for index, (name, *cells) in enumerate(rows):
        opening = '<tr class="best">' if index < len(marked) and marked[index] else "<tr>"
        body = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        lines.append(f'{opening}<th scope="row">{html.escape(name)}</th>{body}</tr>')
    return "\n".join([*lines, "</tbody>", "</table>"])
