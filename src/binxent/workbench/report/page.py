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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from binxent.scoring import Ranking, rank
from binxent.workbench import run_folder
from binxent.workbench.report import tables
from binxent.workbench.report.narrative import plain_words
from binxent.workbench.report.number_format import estimated, number, percent
from binxent.workbench.wording import counted, counts_of

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
    columns = run_folder.read_columns(folder)["columns"]
    importance, suspects = metrics.get("importance", []), metrics.get("findings", [])
    page = string.Template(frame).substitute(
        title=html.escape(_title(settings, metrics, folder)),
        facts="\n".join(f"<p>{tables.prose(line)}</p>" for line in _facts(settings, metrics, columns, folder)),
        findings=_findings(suspects),
        cards=_cards(metrics["test"]),
        plain_words="\n".join(f"<p>{tables.prose(paragraph)}</p>" for paragraph in plain_words(metrics)),
        rivals=_section("Beside simple models", tables.rivals(metrics)) if metrics.get("rivals") else "",
        importance=_section("What it relies on", _importance(importance), "single") if importance else "",
        examples=_section("Examples", tables.examples(metrics)) if "examples" in metrics else "",
        thresholds=tables.thresholds(metrics["test"]["thresholds"], metrics.get("threshold")),
        training=tables.training(metrics),
        scores=tables.scores(metrics),
        columns=tables.columns_used(columns, importance),
        settings=tables.settings_used(settings),
        **_figures(folder / "predictions.parquet", history, metrics),
    )
    path = folder / "report.html"
    with run_folder.replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return path


def _title(settings: Mapping[str, Any], metrics: Mapping[str, Any], folder: Path) -> str:
    """Return the table's name and what is predicted."""
    target = settings.get("target")
    positive = settings.get("positive", metrics.get("positive"))
    predicted = " = ".join(str(part) for part in (target, positive) if part is not None)
    return ": ".join(filter(None, [_table_name(settings, folder), predicted]))


def _table_name(settings: Mapping[str, Any], folder: Path) -> str:
    data = [Path(pattern).name for pattern in settings.get("data", ())]
    if not data:
        return "Breast-cancer data" if "data_fingerprint" in settings else folder.resolve().name
    return data[0] if len(data) == 1 else f"{data[0]} and {counted(len(data) - 1, 'more file')}"


def _facts(
    settings: Mapping[str, Any], metrics: Mapping[str, Any], columns: Sequence[Mapping[str, Any]], folder: Path
) -> list[str]:
    """Say what a row is, what the model learnt from, and on which rows it is judged."""
    test = metrics["test"]
    used = [column["kind"] for column in columns if column["use"] == "feature"]
    rows = metrics["train_rows"] + metrics["test_rows"]
    target = f" `{settings['target']}`" if "target" in settings else " the target"
    learnt = (
        f"Each of {rows:,} rows is a case. The model predicts{target} from {len(used):,} of {len(columns):,} columns: "
        f"{counts_of(used)}."
    )
    judged = f"It is judged on {counted(test['rows'], 'test row')} that training never saw"
    if test["base_rate"] is not None:
        weighted = " by weight" if test["weight_sum"] != test["rows"] else ""
        judged += f"; {test['positives']:,} of them are positive ({percent(test['base_rate'])}{weighted})"
    return [f"{learnt} {judged}.", f"Run {folder.resolve().name}."]


def _findings(findings: Sequence[Mapping[str, Any]]) -> str:
    if not findings:
        return ""
    items = "\n".join(
        f'<li class="{html.escape(finding["severity"])}">{tables.prose(finding["sentence"])} '
        f'<span class="soft">{tables.prose(finding["fix"])}</span></li>'
        for finding in sorted(findings, key=lambda finding: finding["severity"] != "warning")
    )
    return f'<section aria-label="Findings">\n<ul class="findings">\n{items}\n</ul>\n</section>'


def _importance(importance: Sequence[Mapping[str, Any]]) -> str:
    from binxent.workbench.report import plots

    shown = importance[: plots.MOST_BARS]
    return _figure(
        plots.importance(
            [entry["column"] for entry in shown],
            *(np.array([entry[key] for entry in shown]) for key in ("increase", "error")),
        ),
        "How much the log loss of the test rows rises when the values of one column are dealt to other rows. Lines are "
        "95 % intervals. Columns that say the same stand in for each other, and both look less important."
        + (
            f" {len(importance) - len(shown):,} less important columns are left out."
            if len(shown) < len(importance)
            else ""
        ),
    )


def _section(title: str, body: str, kind: str = "scroll") -> str:
    return f'<section>\n<h2>{title}</h2>\n<div class="{kind}">\n{body}\n</div>\n</section>'


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
        value, interval = estimated(test[key])
        cards.append(
            f'<div class="card"><dt>{title}</dt><dd class="value">{value}</dd>'
            f"<dd>95 %: {interval}</dd>"
            f'<dd class="soft">constant prediction: {number(constant)}</dd></div>'
        )
    return "\n".join(cards)


def _figures(predictions: Path, history: Sequence[Mapping[str, str]], metrics: Mapping[str, Any]) -> dict[str, str]:
    # Matplotlib and polars take a second to import, and only a report needs matplotlib.
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
    absent = tables.absent("The test rows are all of one class." if len(target) else "No row counts.")
    figures: dict[str, str] = dict.fromkeys(("reliability", "histogram", "roc", "precision_recall"), absent)
    figures["loss_curves"] = _loss_curves(history, metrics)
    if len(target):
        figures["histogram"] = _figure(
            plots.score_histogram(target, logits["corrected"], weight),
            "What the model predicted for negatives and for positives, each class by itself. The less they overlap, "
            "the better it tells them apart.",
        )
    if target.any() and not target.all():
        figures["reliability"] = _reliability(target, logits, weight, metrics["test"]["base_rate"])
        figures |= _ranking_curves(rank(target, logits["corrected"], weight), metrics["test"])
    return figures


def _loss_curves(history: Sequence[Mapping[str, str]], metrics: Mapping[str, Any]) -> str:
    from binxent.workbench.report import plots

    loss, val_loss = (np.array([float(epoch[name] or "nan") for epoch in history]) for name in ("loss", "val_loss"))
    return _figure(
        plots.loss_curves(loss, val_loss, metrics["best_epoch"], metrics["training_base_rate_loss"]),
        "The loss by epoch, on training and validation rows. The dashed line is what always predicting the base "
        "rate costs on the validation rows.",
    )


def _reliability(target: np.ndarray, logits: Mapping[str, np.ndarray], weight: np.ndarray, base_rate: float) -> str:
    from binxent.workbench.report import plots

    equal, example = "number of rows", "20 %"
    if plots.is_rare(base_rate):
        equal, example = "expected number of the rarer class", "1 %" if base_rate < 0.5 else "99 %"
    return _figure(
        plots.reliability(target, logits, weight, base_rate),
        f"Of the rows predicted at {example}, are {example} positive? On the dashed line they are. Each point stands "
        f"for the same {equal}; bars are 95 % intervals. Below: how often each probability was predicted.",
    )


def _ranking_curves(ranking: Ranking, test: Mapping[str, Any]) -> dict[str, str]:
    from binxent.workbench.report import plots

    roc = _figure(
        plots.roc(ranking),
        "Moving the threshold trades false alarms (to the right) for positives found (upwards). The area under the "
        f"curve, {estimated(test['auc'])[0]}, is the chance that a positive ranks above a negative.",
    )
    precision_recall = _figure(
        plots.precision_recall(ranking, test["base_rate"]),
        "Of the rows flagged, how many are positive (precision), against how many of the positives are found (recall). "
        f"Average precision {estimated(test['average_precision'])[0]}.",
    )
    return {"roc": roc, "precision_recall": precision_recall}


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{tables.prose(caption)}</figcaption></figure>"
