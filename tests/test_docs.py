"""The documents are true: their tables are the measurements, their snippets run, their links lead somewhere."""

import ast
import doctest
import importlib
import inspect
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from bench import documents
from bench.documents import DOCUMENTS
from bench.store import ROOT

PAGES = [*(path for path in DOCUMENTS if path.parent.name != "api"), ROOT / "CONTRIBUTING.md"]
BASES = (ROOT, ROOT / "src/binxent")
each_document = pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)


def snippets(document: Path, language: str) -> list[str]:
    """Return the document's fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(document: Path, program: str) -> list[list[str]]:
    """Return the words of every console line that calls one program."""
    lines = [line for text in snippets(document, "console") for line in text.replace("\\\n", "").splitlines()]
    words = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines if line.startswith("$ ")]
    return [line for line in words if line[0] == program]


@each_document
def test_the_tables_are_the_committed_measurements(document):
    text = document.read_text(encoding="utf-8")
    assert documents.fill(text) == text, "run `make bench-documents`"


def test_a_stale_table_would_be_seen():
    stale = "<!-- measured: startup -->\n| old | table |\n<!-- end -->"
    assert documents.fill(stale) != stale
    assert documents.fill(documents.fill(stale)) == documents.fill(stale)


@each_document
def test_python_snippets_run_and_print_what_they_say(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    names: dict[str, object] = {}
    for number, snippet in enumerate(snippets(document, "python"), 1):
        if ">>>" not in snippet:
            exec(compile(snippet, f"{document.name}, snippet {number}", "exec"), names)
            continue
        test = doctest.DocTestParser().get_doctest(snippet, names, document.name, str(document), 0)
        assert doctest.DocTestRunner().run(test, clear_globs=False).failed == 0
        names.update(test.globs)


@each_document
def test_make_commands_name_targets_that_exist(document):
    named = re.findall(r"`make ([a-z-]+)", document.read_text(encoding="utf-8"))
    for _, *arguments in [*commands(document, "make"), *(("make", target) for target in named)]:
        subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, check=True, capture_output=True)


@each_document
def test_pip_commands_name_extras_that_exist(document):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for line in commands(document, "pip"):
        for named in re.findall(r"\[(.*?)\]", " ".join(line)):
            assert set(named.split(",")) <= set(extras)


def test_pytest_commands_name_tests_that_exist():
    lines = [line for document in PAGES for line in commands(document, ".venv-core/bin/python")]
    assert lines
    for _, dash_m, program, *arguments in lines:
        assert (dash_m, program) == ("-m", "pytest")
        (path,) = (ROOT / word for word in arguments if "/" in word)
        assert not arguments[-1].isidentifier() or re.search(rf"\bdef test_\w*{arguments[-1]}", path.read_text())
        assert path.exists()


@pytest.mark.slow
@each_document
def test_binxent_commands_run(document, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from binxent.workbench.commands import workbench

    monkeypatch.chdir(tmp_path)
    for _, *words in commands(document, "binxent"):
        write_missing_tables(words, tmp_path)
        shortened = ["--epochs", "2"] if words[0] == "train" and "--config" not in words else []
        finished = CliRunner().invoke(workbench, [*words, *shortened])
        assert finished.exit_code == 0, f"{shlex.join(words)}\n{finished.output}"


def write_missing_tables(words: list[str], folder: Path) -> None:
    """Make up every table that a command reads, with the columns that its options name."""
    import polars as pl

    written = {words[i + 1] for i, word in enumerate(words[:-1]) if word in ("-o", "--output")}
    columns = {words[i + 1]: word for i, word in enumerate(words[:-1]) if word in ("--target", "--group", "--weight")}
    if words[0] == "evaluate":
        columns["died"] = "--target"
    rows = range(400)
    for name in words:
        path = folder / name
        if path.suffix not in (".csv", ".parquet") or name in written or path.exists():
            continue
        table = pl.DataFrame({"age": [20 + 7 * i % 61 / 1.5 for i in rows], "ward": ["abc"[i % 3] for i in rows]})
        for column, option in columns.items():
            values = {"--target": [int(i % 7 < 2) for i in rows], "--group": [i // 4 for i in rows]}
            table = table.with_columns(pl.Series(column, values.get(option, [1.0 + i % 2 for i in rows])))
        table.write_csv(path) if path.suffix == ".csv" else table.write_parquet(path)


def test_the_torch_page_names_every_argument():
    import binxent.torch

    section = (ROOT / "docs/torch.md").read_text(encoding="utf-8").partition("## Every argument")[2]
    sentence = re.search(r"All ten take by name (.*?)\. ", section, re.DOTALL)
    assert sentence is not None
    common = set(re.findall(r"`(\w+)`", sentence[1]))
    shown = set()
    for function, module, arguments in re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*) \|$", section, re.MULTILINE):
        named = common | set(re.findall(r"`(\w+)`", arguments))
        assert set(inspect.signature(getattr(binxent.torch, function)).parameters) == named
        inputs = set(list(inspect.signature(getattr(binxent.torch, function)).parameters)[:2])
        assert set(inspect.signature(getattr(binxent.torch, module)).parameters) == named - inputs
        shown |= {function, module}
    assert shown == set(binxent.torch.__all__) - {"pointwise"}  # it has a sentence


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "runs", "compare", "export"])
def test_the_workbench_page_names_every_option(command):
    from binxent.workbench.commands import workbench

    options = {option.opts[-1] for option in workbench.commands[command].params if option.param_type_name == "option"}
    page = (ROOT / "docs/workbench.md").read_text(encoding="utf-8")
    assert options
    assert {option for option in options if not re.search(rf"`[^`]*{option}\b[^`]*`", page)} == set()


def test_the_architecture_page_names_every_room_of_the_workbench():
    rooms = {path.stem for path in (ROOT / "src/binxent/workbench").iterdir() if not path.name.startswith("__")}
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").partition("## The workbench")[2]
    assert {room for room in rooms if f"`{room}`" not in page} == set()


@pytest.mark.parametrize(
    ("module", "page"),
    [
        ("binxent.keras", "keras.md"),
        ("binxent.keras.metrics", "keras.md"),
        ("binxent.tf_keras", "keras.md"),
        ("binxent.tensorflow", "keras.md"),
        ("binxent.jax", "jax.md"),
    ],
)
def test_a_page_names_everything_public(module, page):
    door = importlib.import_module(module)
    public = {name for name, thing in inspect.getmembers(door, callable) if thing.__module__.startswith(module)}
    public -= {"Loss", "LossLayer", "LossOperation", "Metric", "elementwise"}  # what doors are made of
    public = {name for name in public if not name.startswith("_")} & set(getattr(door, "__all__", public))
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert public
    assert {name for name in public if not re.search(rf"\b{name}\b", text)} == set()


def test_the_reference_shows_every_public_name():
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "docs/api").glob("*.md")]
    shown = {text.removeprefix("::: ").strip() for text in pages}  # options, which could leave names out, would stay
    names = exported_names()
    assert len(names) > 5
    assert set(names["binxent.numpy"]) <= set(names["binxent"]), "`import binxent` stands for `binxent.numpy`"
    assert set(names) - {"binxent.numpy"} <= shown


def exported_names() -> dict[str, list[str]]:
    """Return the `__all__` of every module without an underscore that has one."""
    found = {}
    for path in (ROOT / "src").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        exported = re.search(r"^__all__ = (\[.*?\])$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        if exported and "._" not in module and not module.startswith("binxent.workbench"):  # a program, with its page
            found[module] = ast.literal_eval(exported[1])
    return found


def test_other_programs_are_not_shown_without_a_check():
    known = ("make", "pip", "binxent", ".venv-core/bin/python")
    shown = {
        line.removeprefix("$ ").split()[0]
        for path in PAGES
        for text in snippets(path, "console")
        for line in text.splitlines()
        if line.startswith("$ ")
    }
    assert shown <= set(known)


@each_document
def test_links_lead_to_files(document):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_files_that_are_named_exist(name):
    named = re.findall(r"`([\w/.]+/[\w.]*)`", (ROOT / name).read_text(encoding="utf-8"))
    assert named
    assert [path for path in named if path != "site/" and not any((base / path).exists() for base in BASES)] == []
