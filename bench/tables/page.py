"""The comparison as text for a terminal, as the committed file, and as tables of the documents."""

from typing import Any

from bench import machine, store
from bench.markdown import table, three_digits
from bench.tables.scores import summary

PACKAGES = (
    "numpy",
    "jax",
    "jaxlib",
    "keras",
    "scikit-learn",
    "skrub",
    "lightgbm",
    "xgboost-cpu",
    "xgboost",
    "catboost",
)
TITLES = {
    "logistic": "logistic regression",
    "hist_gradient_boosting": "HistGradientBoosting",
    "random_forest": "RandomForest",
    "lightgbm": "LightGBM",
    "xgboost": "XGBoost",
    "catboost": "CatBoost",
}
HEAD = ("skill", "median skill", "rank", "wins", "losses", "below 0", "AUC", "Brier", "CPU s")


def save(entries: list[dict[str, Any]], scores: list[dict[str, Any]], reference: str, seeds: list[int]) -> None:
    """Write the tables and the scores of their models as the committed results.

    Args:
        entries: The tables, as the manifest has them.
        scores: A row for each table and model.
        reference: The model that the others are compared with.
        seeds: The seeds of the means.
    """
    described = machine.describe()
    described["packages"] = {name: found for name in PACKAGES if (found := machine.installed(name))}
    measured = {row["table"] for row in scores}
    results = {
        "setup": [{"reference": reference, "seeds": seeds}],
        "tables": [entry for entry in entries if entry["name"] in measured],
        "scores": scores,
    }
    store.save("tables", {"machine": described, "results": results})


def as_text(scores: list[dict[str, Any]], reference: str) -> str:
    """Return the summary for a terminal."""
    if not scores:
        return f"No table has results of `{reference}` for all seeds yet."
    rows = [("", *HEAD), *_summary_rows(scores, reference)]
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [
        "  ".join([model.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, others, strict=True))])
        for model, *cells in rows
    ]
    found = summary(scores, reference)
    below = [f"{row['model']} is below the base rate on {', '.join(row['below'])}" for row in found if row["below"]]
    return "\n".join([f"{found[0]['tables']} tables", *lines, *below])


def _summary_rows(scores: list[dict[str, Any]], reference: str) -> list[tuple[str, ...]]:
    """Return the cells of each model's row; wins and losses are those of the reference over it."""
    return [
        (
            row["model"],
            f"{row['skill']:.3f}",
            f"{row['median_skill']:.3f}",
            f"{row['rank']:.2f}",
            "" if row["model"] == reference else str(row["wins"]),
            "" if row["model"] == reference else str(row["losses"]),
            str(len(row["below"])),
            f"{row['auc']:.3f}",
            f"{row['brier']:.4f}",
            three_digits(row["median_cpu_seconds"]),
        )
        for row in summary(scores, reference)
    ]


def _committed() -> tuple[list[dict[str, Any]], list[dict[str, Any]], str, list[int]]:
    """Return tables, scores, the reference and the seeds."""
    results = store.load("tables")["results"]
    return results["tables"], results["scores"], results["setup"][0]["reference"], results["setup"][0]["seeds"]


def _title(model: str, reference: str) -> str:
    return TITLES.get(model) or ("**binxent train**" if model == reference else f"**binxent train**, {model}")


def of_models() -> str:
    """Format the summary: a row for each model."""
    tables, scores, reference, seeds = _committed()
    rows = _summary_rows(scores, reference)
    shown = table(("", *HEAD), ((_title(model, reference), *cells) for model, *cells in rows))
    (below,) = (row["below"] for row in summary(scores, reference) if row["model"] == reference)
    said = f"`binxent train` is below the base rate on {', '.join(below)}." if below else ""
    seeded = f"{len(tables)} tables, splits with --seed {', '.join(map(str, seeds))}."
    return f"{seeded} {said}".strip() + f"\n\n{shown}"


def of_tables() -> str:
    """Format the skill of each model on each table, the best in bold, with marks for what is beyond the noise."""
    tables, scores, reference, _ = _committed()
    by_name = {(row["table"], row["model"]): row for row in scores}
    models = [row["model"] for row in summary(scores, reference)]
    models.sort(key=lambda model: (model != reference, model in TITLES))

    def cell(name: str, model: str) -> str:
        row = by_name.get((name, model))
        if row is None:
            return ""
        ratio = row["difference"] / row["standard_error"] if row["standard_error"] else 0.0
        mark = "" if model == reference or abs(ratio) <= 2 else (" ↑" if ratio < 0 else " ↓")
        best = row["log_loss"] == min(by_name[name, other]["log_loss"] for other in models if (name, other) in by_name)
        return (f"**{row['skill']:.3f}**" if best else f"{row['skill']:.3f}") + mark

    return table(
        ("table", "rows", *(_title(model, reference) for model in models)),
        ((entry["name"], f"{entry['rows']:,}", *(cell(entry["name"], model) for model in models)) for entry in tables),
    )


def of_sources() -> str:
    """Format where each table comes from, what is predicted, and what is left out."""
    tables, *_ = _committed()

    return table(
        ("table", "source", "target", "left out", "rows", "columns"),
        (
            (
                entry["name"],
                f"`{entry['source']}`",
                f"`{entry['target']}` = {entry['positive']}",
                _left_out(entry["exclude"]),
                f"{entry['rows']:,}",
                f"{entry['columns']:,}",
            )
            for entry in tables
        ),
        texts=4,
    )


def _left_out(exclude: dict[str, str]) -> str:
    """Return the columns that are left out, by reason; of many the first and the last."""
    reasons: dict[str, list[str]] = {}
    for column, reason in exclude.items():
        if column == "rownames":  # of every table that comes from R
            continue
        reasons.setdefault(reason, []).append(f"`{column}`")
    shown = {
        reason: ", ".join(names) if len(names) < 8 else f"{names[0]} to {names[-1]}"
        for reason, names in reasons.items()
    }
    return "; ".join(f"{names} ({reason})" for reason, names in shown.items())
