"""The house itself: what an import brings along, what the wheel holds, and that the sources keep the rules."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Collection
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
HEAVY = {"catboost", "jax", "keras", "lightgbm", "llvmlite", "matplotlib", "ml_dtypes", "pandas", "polars"} | {
    "pyarrow",
    "rich",
    "scipy",
    "skrub",
    "sklearn",
    "tensorflow",
    "torch",
    "triton",
    "xgboost",
}


def brought_along(program: str) -> set[str]:
    """Return the heavy packages that a fresh interpreter has loaded after a program."""
    ask = (
        f"{program}\nimport sys\nloaded = {{name.partition('.')[0] for name, module in sys.modules.items() if module}}"
    )
    ask += "\nprint(*loaded, file=sys.stderr)"
    finished = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True)
    return HEAVY & set(finished.stderr.split())


def test_import_takes_no_framework_with_it():
    assert brought_along("import binxent") == set()


def test_a_framework_taken_along_would_be_seen():
    assert brought_along("import binxent, llvmlite") >= {"llvmlite"}


def test_making_a_loss_needs_no_framework():
    assert brought_along("import binxent; binxent.BinaryCrossentropy(from_logits=True).get_config()") == set()


def test_the_jax_door_takes_no_other_framework_with_it():
    assert brought_along("import binxent.jax") <= {"jax", "ml_dtypes", "scipy"}


def test_the_torch_door_takes_no_other_framework_with_it_nor_the_kernels_nor_the_compiler():
    program = "import binxent.torch, sys; assert 'torch._dynamo' not in sys.modules"
    assert brought_along(program) <= {"torch"}


@pytest.mark.slow
def test_the_tensorflow_door_takes_neither_torch_nor_the_kernels_with_it():
    assert not brought_along("import binxent.tensorflow") & {
        "torch",
        "llvmlite",
        "triton",
    }  # TensorFlow itself takes a lot


@pytest.mark.parametrize(
    "command", [[], ["train"], ["predict"], ["evaluate"], ["runs"], ["compare"], ["export"]], ids=" ".join
)
def test_help_loads_nothing_heavy(command):
    program = f"import sys\nsys.argv = {['binxent', *command, '--help']}\nfrom contextlib import suppress\n"
    program += "from binxent.workbench.cli import main\nwith suppress(SystemExit): main()"
    assert brought_along(program) == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_all_of_the_package_and_nothing_else(wheel):
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = (path for path in (ROOT / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert packed == {path.relative_to(ROOT / "src").as_posix() for path in files}
    assert "binxent/py.typed" in packed


def test_the_wheel_carries_the_licence_and_the_command(wheel):
    about = {name.partition(".dist-info/")[2]: name for name in wheel.namelist() if ".dist-info/" in name}
    assert "licenses/LICENSE" in about
    assert "binxent = binxent.workbench.cli:main" in wheel.read(about["entry_points.txt"]).decode()


def test_the_version_is_written_in_one_place(wheel):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert f"\nVersion: {version}\n" in wheel.read(metadata).decode()
    assert [path.name for path in SOURCES if f'"{version}"' in path.read_text(encoding="utf-8")] == []
    import binxent

    assert binxent.__version__ == version


def test_runtime_needs_numpy_and_llvmlite_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {name_of(requirement) for requirement in project["dependencies"]} == {"numpy", "llvmlite"}


def test_everything_that_the_makefile_installs_is_pinned():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*pyproject["project"]["dependencies"], *pyproject["project"]["optional-dependencies"]["train"]]
    wanted += [requirement for group in pyproject["dependency-groups"].values() for requirement in group]
    pinned = [line for line in (ROOT / "tests/constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pinned)
    assert {name_of(requirement) for requirement in wanted} - {"binxent"} <= {name_of(line) for line in pinned}


def name_of(requirement: str) -> str:
    """Return the package that a requirement names, normalised."""
    return re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "bench").rglob("*.py"))], ids=lambda path: path.name)
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def imports_of(source: str, modules: Collection[str]) -> set[str]:
    """Everything of ours that a module imports: inside functions and by name too, but not for type checkers alone."""
    found, todo = set(), [ast.parse(source)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            todo += node.orelse
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and node.value in modules and "." in node.value:
            found.add(node.value)  # `import_module` is called with it
    return {name for name in found if name.split(".")[0] in ("binxent", "bench")}


def module_behind(name: str) -> str:
    """Return the module that an imported name is, or is in."""
    return name if name in MODULES else name.rpartition(".")[0]


def circles(arrows: dict[str, set[str]]) -> set[str]:
    """Return the modules on an import circle, or between two circles."""
    left = {module: set(targets) for module, targets in arrows.items()}
    while True:
        ends = {module for module, targets in left.items() if not targets & left.keys()}
        ends |= left.keys() - set().union(*left.values())
        if not ends:
            return set(left)
        left = {module: targets for module, targets in left.items() if module not in ends}


def room_of(module: str) -> str:
    return max((room for room in MAY_IMPORT if f"{module}.".startswith(f"{room}.")), key=len)


def module_name(path: Path) -> str:
    inside = path.relative_to(ROOT / "src" if path.is_relative_to(ROOT / "src") else ROOT).with_suffix("")
    return ".".join(inside.parts[:-1] if path.name == "__init__.py" else inside.parts)


MODULES = {module_name(path): path for path in [*SOURCES, *sorted((ROOT / "bench").rglob("*.py"))]}
IMPORTS = {module: imports_of(path.read_text(encoding="utf-8"), MODULES) for module, path in MODULES.items()}
ARROWS = {
    module: {behind for name in names if (behind := module_behind(name)) in MODULES and behind != module}
    for module, names in IMPORTS.items()
}
# The rooms, and the others that each may import. A name stands for everything below it that has no line of its own.
INSIDE = {"binxent._core", "binxent._kernels", "binxent.losses"}
DOORS = {"binxent", *(f"binxent.{door}" for door in ("numpy", "torch", "jax", "tensorflow", "keras", "tf_keras"))}
MAY_IMPORT = {
    "binxent": {"binxent.numpy", "binxent.workbench"},
    "binxent._core": set(),
    "binxent._kernels": {"binxent._core"},
    "binxent.losses": {"binxent._core", "binxent._kernels"},
    **dict.fromkeys(DOORS - {"binxent"}, INSIDE),
    "binxent.keras": {*INSIDE, "binxent.jax", "binxent.tensorflow", "binxent.torch"},
    "binxent.tf_keras": {*INSIDE, "binxent.tensorflow"},
    "binxent.scoring": {"binxent._core", "binxent.numpy"},
    "binxent.testing": {"binxent._core", "binxent.losses"},
    "binxent.workbench": DOORS - {"binxent"} | {"binxent.scoring"},
    "bench": DOORS | {"binxent.scoring", "binxent.workbench"},
}
ON_PUBLIC_NAMES = ("binxent.workbench", "bench")


def test_no_modules_import_each_other_in_a_circle():
    assert circles(ARROWS) == set()


@pytest.mark.parametrize(
    "source",
    [
        "import binxent.x",
        "from binxent import x",
        "from binxent.x import y",
        "def f():\n    from binxent import x",
        "m = import_module('binxent.x')",
    ],
)
def test_every_kind_of_import_is_seen(source):
    assert {name.removesuffix(".y") for name in imports_of(source, {"binxent.x"})} == {"binxent.x"}
    assert imports_of("if TYPE_CHECKING:\n    " + source.replace("\n", "\n    "), {"binxent.x"}) == set()


def test_circles_are_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {"b", "c"}
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == set()


def test_no_room_imports_one_above_it():
    arrows = {(module, target) for module, targets in ARROWS.items() for target in targets}
    across = {arrow for arrow in arrows if room_of(arrow[0]) != room_of(arrow[1])}
    assert {(a, b) for a, b in across if room_of(b) not in MAY_IMPORT[room_of(a)]} == set()


def test_the_rooms_of_the_workbench_have_an_order():
    order = [
        "cli",
        "commands",
        "estimator",
        "door evaluation comparison listing export onnx_graph",
        "training run",
        "report",
        "judgement",
    ]
    order += ["data", "reading", "settings", "run_folder", "suggestions wording logits backend"]
    places = {f"binxent.workbench.{name}": place for place, names in enumerate(order) for name in names.split()}

    def place(module):
        return places.get(".".join(module.split(".")[:3]))

    inside = [module for module in MODULES if module.startswith("binxent.workbench.")]
    assert [module for module in inside if place(module) is None] == []
    upward = {(a, b) for a in inside for b in ARROWS[a] if (place(b) or 0) < (place(a) or 0) and place(b) is not None}
    assert upward == set()


def test_workbench_and_bench_use_public_names_only():
    private = {
        (module, name)
        for module, names in IMPORTS.items()
        for name in names
        if module.startswith(ON_PUBLIC_NAMES)
        and not name.startswith(ON_PUBLIC_NAMES)
        and any(part.startswith("_") for part in name.split("."))
    }
    assert private == set()


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_no_module_is_longer_than_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


LEFTOVERS = re.compile(
    r"\b(TODO|FIXME|XXX)\b|(?<![\w.])/(home|root|work|Users)/|NotImplemented(Error)?\(\"(not|to do)", re.I
)


@pytest.mark.parametrize(
    ("text", "left"),
    [("# TODO: later", True), ("open('/home/me/x')", True), ("see docs/work/x", False), ("todos los", False)],
)
def test_leftovers_are_recognised(text, left):
    assert bool(LEFTOVERS.search(text)) == left


def test_nothing_unfinished_or_private_is_left_in_the_sources():
    suffixes = {".py", ".md", ".toml", ".txt", ".json", ".html", ".css"}
    folders = [ROOT / name for name in ("src", "tests", "bench", "docs", "examples")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in suffixes]
    files += [path for path in ROOT.iterdir() if path.suffix in suffixes or path.name == "Makefile"]
    texts = {path: path.read_text(encoding="utf-8") for path in files if path != Path(__file__)}
    found = {path.relative_to(ROOT): left[0] for path, text in texts.items() if (left := LEFTOVERS.search(text))}
    assert found == {}
