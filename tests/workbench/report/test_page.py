"""The report of a run: whole for every kind of run, self-contained, well-formed, safe, and the same twice."""

import errno
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from binxent.scoring import evaluate, fit_correction, rank
from binxent.workbench.judgement.rivals import Part, simple_rivals
from binxent.workbench.report import plots
from binxent.workbench.report._drawing import thinned
from binxent.workbench.report.narrative import plain_words
from binxent.workbench.report.number_format import UNKNOWN, estimated
from binxent.workbench.report.page import write_report
from binxent.workbench.run_folder import FORMAT


def write_run(
    folder: Path,
    *,
    rows=300,
    shift=-0.5,
    spread=3.0,
    weighted=False,
    correction="none",
    epochs=12,
    best_epoch=9,
    seed=0,
    judged=False,
) -> dict:
    """Write a run folder as training leaves it, without training."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        truth = random.normal(size=rows) * spread + shift
    target = (random.random(rows) < expit(truth)).astype(np.int8)
    weight = random.gamma(2.0, size=rows).round(2) if weighted else None
    if weight is not None:
        weight[:3] = 0
    raw = {"none": truth, "pos_weight": truth + 1.2, "fitted": 0.6 * truth + 0.4}[correction]
    slope, intercept = {"none": (1.0, 0.0), "pos_weight": (1.0, -1.2)}.get(correction) or fit_correction(
        target, raw, weight
    )
    logit = slope * raw + intercept
    columns = {"row": np.arange(rows), "target": target}
    columns |= {"weight": weight} if weighted else {}
    columns |= {"logit": logit, "probability": expit(logit)}
    columns |= {"raw_logit": raw, "raw_probability": expit(raw)} if correction != "none" else {}
    pl.DataFrame(columns).write_parquet(folder / "predictions.parquet")
    test = evaluate(target, logit, weight)
    metrics = {
        "positive": "yes",
        "negative": "no",
        "train_rows": 4 * rows,
        "validation_rows": 4 * rows,
        "test_rows": rows,
        "positives": 4 * int(target.sum()),
        "base_rate": test["base_rate"] or 0.0,
        "base_rate_loss": test["base_rate_log_loss"] or 0.0,
        "training_base_rate_loss": test["base_rate_log_loss"] or 0.0,
        "best_epoch": best_epoch,
        "epochs": epochs,
        "members": 5,
        "folds": 5,
        "correction": {"kind": correction, "slope": slope, "intercept": intercept},
        "test": test,
        "test_raw": evaluate(target, raw, weight) if correction != "none" else None,
    }
    metrics |= _judgement(target, logit, weight) if judged else {}
    (folder / "metrics.json").write_text(json.dumps(metrics, allow_nan=False))
    best, base = test["log_loss"]["value"] or 0.4, test["base_rate_log_loss"] or 0.7
    lines = ["epoch,loss,val_loss,accuracy,val_accuracy,auc,val_auc"]
    for epoch in range(1, epochs + 1):
        fall = (base - best) * np.exp(-epoch / 3)
        rise = 0.01 * base * max(0, epoch - best_epoch)
        lines.append(f"{epoch},{0.8 * best + fall},{best + fall + rise},0.9,0.88,0.95,0.94")
    (folder / "history.csv").write_text("\n".join(lines) + "\n")
    columns = [
        {
            "name": "age",
            "kind": "number",
            "missing": 1234,
            "odd": 1,
            "examples": ["old"],
            "use": "feature",
            "remark": "",
        },
        {"name": "id", "kind": None, "missing": 0, "odd": 0, "examples": [], "use": "left out", "remark": "--exclude"},
    ]
    (folder / "columns.json").write_text(json.dumps({"format": FORMAT, "columns": columns, "reading": []}))
    (folder / "config.toml").write_text('data = ["flowers.csv"]\ntarget = "bought"\nhidden = [64, 32]\nseed = 7\n')
    return metrics


def _judgement(target, logit, weight) -> dict:
    part = Part(np.stack([logit, -logit], axis=1).clip(-30, 30), target, weight)
    both = 0 < target.mean() < 1
    return {
        "threshold": 0.3,
        "test": evaluate(target, logit, weight, threshold=0.3),
        "findings": [
            {"code": "time", "severity": "note", "sentence": "A <note>.", "fix": "Do that."},
            {"code": "leak", "severity": "warning", "sentence": "Probable leak: <b>.", "fix": "--exclude '<b>'."},
        ],
        "rivals": simple_rivals(part, part, logit, 0) if both else [],
        "importance": [
            {"column": name, "increase": 0.5 / (place + 1), "error": 0.02}
            for place, name in enumerate(
                ["age", "<i>", "$a$ & b", "a very long name that does not fit into a plot", *"cdefghijklmno"]
            )
        ],
        "examples": [
            {
                "row": 6,
                "right": right,
                "target": 1,
                "probability": 0.99998,
                "values": {"age": "41", "<i>": "<s>", "none": ""},
            }
            for right in (True, False)
        ],
    }


class Page(HTMLParser):
    """Checks that tags nest and gathers what the tests ask about."""

    VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.references, self.headings, self.captions, self.words = [], [], [], [], 0, []
        self.plots = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.note(tag, dict(attrs))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.note(tag, dict(attrs))

    def note(self, tag, attributes):
        assert tag != "script"
        assert not any(name.startswith("on") for name in attributes), attributes
        self.captions += tag == "caption"
        if "id" in attributes:
            self.ids.append(attributes["id"])
        self.references += [attributes[name] for name in ("href", "src", "xlink:href") if name in attributes]
        self.references += re.findall(r"url\(([^)]*)\)", " ".join(filter(None, attributes.values())))
        if tag == "svg":
            self.plots.append(attributes)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        if "style" not in self.open:
            self.words += data.split()


RUNS = {
    "plain": {},
    "weighted": {"weighted": True},
    "pos_weight": {"correction": "pos_weight"},
    "fitted": {"correction": "fitted", "weighted": True},
    "rare": {"rows": 20_000, "shift": -9.0, "spread": 1.8},
    "rare corrected": {"rows": 20_000, "shift": -9.0, "spread": 1.8, "correction": "fitted", "weighted": True},
    "common": {"rows": 20_000, "shift": 9.0, "spread": 1.8},
    "one epoch": {"epochs": 1, "best_epoch": 1},
    "few rows": {"rows": 12},
    "perfect": {"rows": 200, "spread": 500.0},
    "infinite": {"rows": 200, "spread": 1e308},
    "equal scores": {"rows": 200, "spread": 0.0},
    "one class": {"rows": 100, "shift": -40.0},
    "one class, zero weights": {"rows": 3, "weighted": True},
    "no rows": {"rows": 0},
    "judged": {"judged": True, "correction": "fitted", "weighted": True},
}


@pytest.mark.parametrize("name", RUNS)
def test_a_report_for_every_kind_of_run(tmp_path, name):
    folder = tmp_path / "flowers-1"
    write_run(folder, **RUNS[name])
    path = write_report(folder)
    assert path == folder / "report.html"
    assert sorted(file.name for file in folder.iterdir()) == [
        "columns.json",
        "config.toml",
        "history.csv",
        "metrics.json",
        "predictions.parquet",
        "report.html",
    ]
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert all(reference.startswith("#") and reference[1:] in page.ids for reference in page.references)
    assert not re.search(r"https?:|//[a-z]|@import|<link", text)
    words = " ".join(page.words)
    assert not re.search(r"\b(nan|NaN|inf|None|null|(True|False)(?!-))\b", words)
    judged = name == "judged"
    assert page.headings == [
        *(["Beside simple models", "What it relies on"] if judged else []),
        "Can the probabilities be believed?",
        "Does it put positives first?",
        "Where to draw the line",
        *(["Examples"] if judged else []),
        "How it learned",
        "All scores",
        "The columns",
        "Settings",
    ]
    assert all(plot["role"] == "img" and plot["aria-label"] for plot in page.plots)
    assert page.captions == (4 if name in ("no rows", "one class, zero weights") else 5) + 2 * judged
    expected = {"no rows": 1, "one class, zero weights": 1, "one class": 2, "judged": 6}.get(name, 5)
    assert len(page.plots) == expected
    assert len(text) < 400_000


def test_the_same_run_gives_the_same_bytes(tmp_path, monkeypatch):
    import matplotlib as mpl

    pages = []
    for parent in ("a", "b"):
        write_run(tmp_path / parent / "flowers-1", correction="fitted")
        monkeypatch.setitem(mpl.rcParams, "font.size", 17.0 if parent == "b" else 10.0)
        monkeypatch.setitem(mpl.rcParams, "axes.labelpad", 30.0 if parent == "b" else 4.0)
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "0" if parent == "b" else "1000000000")
        pages.append(write_report(tmp_path / parent / "flowers-1").read_bytes())
    assert pages[0] == pages[1]
    assert mpl.rcParams["font.size"] == 17.0


def test_another_run_gives_another_page(tmp_path):
    write_run(tmp_path / "a" / "flowers-1")
    write_run(tmp_path / "b" / "flowers-1", seed=1)
    first, second = (write_report(tmp_path / parent / "flowers-1").read_text() for parent in "ab")
    for label in ("Reliability", "ROC", "Precision-recall", "Histogram"):
        cut = [re.search(rf'<svg[^>]*aria-label="{label}.*?</svg>', page, re.DOTALL)[0] for page in (first, second)]
        assert cut[0] != cut[1], label


def test_the_page_shows_the_scores(tmp_path):
    metrics = write_run(tmp_path / "flowers-1", correction="fitted")
    words = " ".join(Page(write_report(tmp_path / "flowers-1").read_text(encoding="utf-8")).words)
    for scores in (metrics["test"], metrics["test_raw"]):
        for name in ("log_loss", "brier", "auc", "average_precision"):
            assert estimated(scores[name])[0] in words, name
    assert words.startswith("flowers.csv: bought = yes")
    assert "Each of 1,500 rows is a case. The model predicts bought from 1 of 2 columns: 1 number." in words
    assert "It is judged on 300 test rows that training never saw" in words
    assert "Run flowers-1." in words
    assert "64, 32" in words


def test_the_page_shows_the_judgement(tmp_path):
    metrics = write_run(tmp_path / "flowers-1", judged=True)
    text = write_report(tmp_path / "flowers-1").read_text(encoding="utf-8")
    words = " ".join(Page(text).words)
    # Warnings come first, before the scores; their words are escaped.
    places = [text.index(part) for part in ("Probable leak: &lt;b&gt;", "A &lt;note&gt;", 'class="cards"')]
    assert places == sorted(places)
    assert "this model" in words
    for rival in metrics["rivals"]:
        assert f"{rival['name']} {estimated(rival['test']['log_loss'])[0]}" in words
    assert "0.3 (highest F1 in validation)" in words
    assert "2 less important columns are left out" in words
    assert "Row 7 Row 7 Judgement right wrong Truth yes yes Predicted probability more than 99.9 %" in words
    assert "<i> <s> <s>" in words
    assert "These scores say little about new rows" in words
    assert "explains" not in words


def test_names_are_escaped(tmp_path):
    folder = tmp_path / "<b>runs & 'more'"
    write_run(folder)
    evil = '<script>alert("1")</script>&amp;$title'
    (folder / "config.toml").write_text(f"target = '{evil}'\n'<i>' = {{ '\"<u>' = ['<s>'] }}\n")
    text = write_report(folder).read_text(encoding="utf-8")
    words = " ".join(Page(text).words)
    assert words.count(evil) == 4  # in both titles, under them, and among the settings
    assert "<b>runs & 'more'" in words
    assert '<i>."<u>' in words
    assert "<s>" in words


@pytest.mark.parametrize("name", ["config.toml", "columns.json", "history.csv", "metrics.json", "predictions.parquet"])
def test_a_missing_file_is_named(tmp_path, name):
    write_run(tmp_path / "flowers-1")
    (tmp_path / "flowers-1" / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {name}"):
        write_report(tmp_path / "flowers-1")


def test_an_old_report_survives_a_failure(tmp_path, monkeypatch):
    folder = tmp_path / "flowers-1"
    write_run(folder)
    before = write_report(folder).read_bytes()
    (folder / "config.toml").write_text("seed = 8\n")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=r"report\.html cannot be written: no space left"):
        write_report(folder)
    assert (folder / "report.html").read_bytes() == before
    assert not list(folder.glob(".*"))


def test_many_rows_make_a_small_page(tmp_path):
    write_run(tmp_path / "flowers-1", rows=200_000, correction="fitted", weighted=True)
    assert write_report(tmp_path / "flowers-1").stat().st_size < 150_000


def words_about(tmp_path, change=None, **options):
    metrics = write_run(tmp_path / "run", **options)
    if change:
        change(metrics)
    return " ".join(plain_words(metrics))


def test_words_about_a_good_model(tmp_path):
    words = words_about(tmp_path, rows=3000)
    assert re.search(r"explains \d\d(\.\d)? % of the base-rate loss", words)
    assert "Nothing shows that the probabilities are too extreme or too timid: slope" in words
    assert "On the whole they are right" in words
    assert "the mean of 5 networks, each trained without one of 5 parts of the rows." in words
    assert "Of 12 epochs, the validation loss was lowest in epoch 9." in words
    assert "rests on" not in words
    assert "Without it the log loss" not in words


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.6, 0.9, "are too extreme: slope 0.75 (95 % interval 0.60 to 0.90)"),
        (0.94, 0.98, "are slightly too extreme"),
        (1.2, 1.5, "are too timid"),
        (1.02, 1.1, "are slightly too timid"),
        (-2.0, -1.0, "wrong way"),
        (0.9, 1.1, "Nothing shows that the probabilities are too extreme"),
        (0.3, 1.9, "cannot be judged"),
        (-0.219, 1.24, "cannot be judged: slope 0.51 (95 % interval −0.22 to 1.24)"),
    ],
)
def test_words_about_the_slope(tmp_path, low, high, expected):
    slope = {"value": (low + high) / 2, "low": low, "high": high}
    words = words_about(tmp_path, lambda metrics: metrics["test"]["calibration"].update(slope=slope))
    assert expected in words


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(1.1, 1.3, "too low"), (0.7, 0.9, "too high"), (0.9, 1.1, "right")]
)
def test_words_about_the_level(tmp_path, low, high, expected):
    ratio = {"value": (low + high) / 2, "low": low, "high": high}
    words = words_about(tmp_path, lambda metrics: metrics["test"]["calibration"].update(observed_over_expected=ratio))
    assert expected in words


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"correction": "pos_weight"}, r"exact inverse, − 1\.20 on the logit.*Without it the log loss would be"),
        ({"correction": "fitted"}, r"corrected logit = \d.* × logit [+−] \d"),
        ({"best_epoch": 12}, "lowest in the last of 12 epochs"),
        ({"rows": 40}, r"rests on \d+ (positive|negative) rows"),
        ({"rows": 100, "shift": -40.0}, "all of one class"),
        ({"rows": 0}, "No test row counts"),
        ({"rows": 6, "spread": 1e6}, "These rows do not show whether"),
    ],
)
def test_words_about_runs(tmp_path, options, expected):
    assert re.search(expected, words_about(tmp_path, **options))


def test_words_after_a_leak_hold_no_praise(tmp_path):
    options = {"rows": 3000, "spread": 200.0, "best_epoch": 12}
    assert re.search("explains .*training for longer may help", words_about(tmp_path / "1", **options))
    finding = {"code": "too_good", "severity": "warning", "sentence": "", "fix": ""}
    words = words_about(tmp_path / "2", lambda metrics: metrics.update(findings=[finding]), **options)
    assert "These scores say little about new rows" in words
    assert not re.search("explains|longer", words)
    # Other findings are no reason.
    finding["code"] = "time"
    assert "explains" in words_about(tmp_path / "3", lambda metrics: metrics.update(findings=[finding]), **options)


def test_words_beside_rivals(tmp_path):
    words = words_about(tmp_path, judged=True)
    assert re.search(r"It does not clearly differ from logistic regression: its log loss is [^;]+ 0\.\d+\.", words)


def test_shares_have_the_digits_that_their_interval_supports(tmp_path):
    explained = {"value": 0.9999987, "low": 0.9999, "high": 0.99999999}
    words = words_about(tmp_path, lambda metrics: metrics["test"].update(explained=explained))
    assert (
        "explains more than 99.9 % of the base-rate loss (95 % interval more than 99.9 % to more than 99.9 %)" in words
    )


def test_nothing_is_right_about_a_useless_model(tmp_path):
    def useless(metrics):
        metrics["test"]["explained"] = {"value": -0.1, "low": -0.2, "high": 0.1}
        metrics["test"]["calibration"]["slope"] = {"value": 0.9, "low": 0.7, "high": 1.1}

    assert "cannot be judged: slope 0.9" in words_about(tmp_path, useless)


def test_words_about_a_useless_model(tmp_path):
    def worse(metrics):
        metrics["test"]["explained"] = {"value": -0.1, "low": -0.2, "high": 0.1}

    def unsure(metrics):
        metrics["test"]["explained"] = {"value": 0.1, "low": -0.2, "high": 0.3}

    def infinite(metrics):
        metrics["test"]["log_loss"] = {"value": None, "low": None, "high": None}

    assert "no better than a constant" in words_about(tmp_path / "1", worse)
    assert "may still be chance" in words_about(tmp_path / "2", unsure)
    assert "the log loss is infinite" in words_about(tmp_path / "3", infinite)


def test_a_thinned_curve_keeps_its_shape():
    x = np.sort(np.random.default_rng(0).random(100_000))
    y = x**0.2
    few_x, few_y = thinned(x, y)
    assert len(few_x) <= 501
    assert (few_x[0], few_x[-1]) == (x[0], x[-1])
    assert np.abs(np.interp(x, few_x, few_y) - y).max() < 0.005


def texts_of(svg: str) -> dict[str, tuple[float, float]]:
    """Return the places of the texts of a plot, in points."""
    found = re.findall(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)<', svg)
    return {text: (float(x), float(y)) for x, y, text in found}


def test_names_stand_beside_the_curves():
    epochs = np.arange(1, 31)
    falling, rising = 1 / epochs, 0.9 + epochs / 300
    # The curves are at the level on the left in one plot and on the right in the other.
    left = texts_of(plots.loss_curves(falling, falling + 0.01, 30, 0.8))["always the base rate"]
    right = texts_of(plots.loss_curves(rising - 0.5, rising, 1, 1.0))["always the base rate"]
    assert left[0] > 170 > 100 > right[0]


def test_the_names_of_classes_stand_where_the_classes_do():
    random = np.random.default_rng(0)
    target = np.arange(4_000) % 2 == 1
    # The highest bar of the positives stands below those of the negatives.
    logit = np.where(target, np.where(random.random(4_000) < 0.6, 0.0, 3.0), 0.0) + random.normal(size=4_000) * 0.5
    places = texts_of(plots.score_histogram(target, logit, np.ones(4_000)))
    assert places["positives"][0] > places["negatives"][0] + 100


def chromium():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@pytest.mark.slow
@pytest.mark.skipif(chromium() is None, reason="no Chromium here to open the report with")
def test_chromium_shows_every_part(tmp_path):
    write_run(tmp_path / "flowers-1", correction="fitted")
    path = write_report(tmp_path / "flowers-1")
    flags = [
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", "--window-size=1200,5000"),
    ]
    command = [chromium(), *flags, f"--user-data-dir={tmp_path / 'profile'}"]
    image = tmp_path / "page.png"
    subprocess.run([*command, f"--screenshot={image}", path.as_uri()], check=True, timeout=120, capture_output=True)
    from matplotlib.image import imread

    # Every figure paints: blue ink in five separate stretches of the page, and nothing wider than the window.
    pixels = imread(image)[..., :3]
    blue = np.abs(pixels - np.array([0, 0x72, 0xB2]) / 255).max(axis=2) < 0.03
    assert blue.sum() > 3000
    assert pixels.shape[1] == 1200


def test_pictures_take_what_rank_gives():
    target, logit = np.array([True, False]), np.array([1.0, -1.0])
    ranking = rank(target, logit, np.ones(2))
    for svg in (plots.roc(ranking), plots.precision_recall(ranking, 0.5)):
        assert svg.startswith("<svg")
        assert svg.rstrip().endswith("</svg>")


def test_every_column_is_listed(tmp_path):
    write_run(tmp_path / "run")
    page = write_report(tmp_path / "run").read_text()
    cells = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", page.partition("<h2>The columns</h2>")[2])
    assert cells[:5] == ["Column", "Kind", "Missing", "Odd values", "Use"]
    assert cells[5:10] == ["age", "number", "1,234", "1: old", "used"]
    assert cells[10:15] == ["id", "not read", UNKNOWN, "0", "left out: --exclude"]
