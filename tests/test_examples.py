"""The example scripts run, and print what they were written to show."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def rows(name: str, tmp_path: Path) -> dict[str, list[float]]:
    """Run a script and return its lines, each as words and the numbers after them."""
    single = os.environ | {"OMP_NUM_THREADS": "1"}  # OpenMP's threads spin while they wait, and tests share the cores
    finished = subprocess.run(
        [sys.executable, EXAMPLES / name],
        capture_output=True, text=True, timeout=240, cwd=tmp_path, env=single, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    found = (re.fullmatch(r"(.*?)((?:\s+\d[\d.e+-]*)*)", line) for line in finished.stdout.splitlines())
    return {line[1]: [float(number) for number in line[2].split()] for line in found if line}


@pytest.mark.slow
def test_imbalance(tmp_path):
    shown = rows("imbalance.py", tmp_path)
    (rate,) = shown["the truth"]
    plain, weighted, corrected, focal = (
        shown[name]
        for name in ("binary cross-entropy", "pos_weight=50", "pos_weight=50, logit - log(50)", "focal, gamma=2")
    )
    for p, cost, auc in (plain, corrected):
        assert p == pytest.approx(rate, rel=0.2)
        assert cost == pytest.approx(plain[1], rel=0.01)
        assert auc == pytest.approx(plain[2], abs=0.005)
    assert weighted[0] > 10 * rate
    assert min(weighted[1], focal[1]) > 2 * plain[1]


@pytest.mark.slow
def test_multilabel_ignore(tmp_path):
    shown = rows("multilabel_ignore.py", tmp_path)
    taken_for_no, ignored, everything = (
        shown[name] for name in ("unknown taken for no", "unknown ignored", "everything known")
    )
    assert max(taken_for_no) < 0.7
    assert min(ignored) > 0.85
    assert all(one <= best + 0.02 for one, best in zip(ignored, everything, strict=True))


@pytest.mark.slow
def test_segmentation(tmp_path):
    shown = rows("segmentation.py", tmp_path)
    assert shown["no weights"][1] < 0.1
    assert min(shown["pos_weight (C, 1, 1)"]) > 0.7
    assert any("pass pos_weight.reshape([1, 2, 1, 1])" in line for line in shown)


@pytest.mark.slow
def test_ddp(tmp_path):
    shown = rows("ddp.py", tmp_path)
    assert shown["mean of means  relative error of the gradient"][0] > 0.1
    assert shown["process_group  relative error of the gradient"][0] < 1e-6


@pytest.mark.slow
def test_flax_classifier(tmp_path):
    shown = rows("flax_classifier.py", tmp_path)
    (plain, recall), (weighted, more) = shown["pos_weight=1"], shown["pos_weight=10"]
    assert max(plain, weighted) < 0.2
    assert 0.9 < recall < more


@pytest.mark.slow
def test_equinox_classifier(tmp_path):
    shown = rows("equinox_classifier.py", tmp_path)
    plain, smoothed, focal = (shown[name][0] for name in ("plain", "label_smoothing=0.2", "focal, gamma=2"))
    assert smoothed < plain < focal


def test_every_example_is_tested_short_and_says_how_to_run_it():
    tests = {name.removeprefix("test_") + ".py" for name in globals() if name.startswith("test_")}
    for script in EXAMPLES.glob("*.py"):
        text = script.read_text(encoding="utf-8")
        assert script.name in tests
        assert f"python examples/{script.name}" in text
        assert text.count("\n") < 60


def test_every_example_is_in_the_documents():
    root = EXAMPLES.parent
    documents = "".join(path.read_text(encoding="utf-8") for path in (root / "README.md", *root.glob("docs/*.md")))
    for script in EXAMPLES.glob("*.py"):
        assert f"examples/{script.name})" in documents
