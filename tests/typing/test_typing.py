"""Type checkers accept the right calls of a user's code, and find the wrong ones."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import binxent

FILES = sorted(Path(__file__).parent.glob("*_user.py"))
USERS = [file for file in FILES if importlib.util.find_spec(file.stem.removesuffix("_user"))]  # a package each
SOURCES = Path(binxent.__file__).parents[1]


def check_with_pyright(folder, *files):
    pytest.importorskip("pyright")
    for file in files:
        (folder / file.name).write_text(file.read_text())  # pyright reads only what lies in its project
    settings = {
        "include": [file.name for file in files],
        "extraPaths": [str(SOURCES)],
        "pythonVersion": f"{sys.version_info.major}.{sys.version_info.minor}",
        "typeCheckingMode": "standard",
        "enableTypeIgnoreComments": True,
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--project", folder, "--pythonpath", sys.executable]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_with_mypy(folder, *files):
    pytest.importorskip("mypy")
    settings = "[mypy]\nfollow_imports = silent\nwarn_unused_ignores = true\nignore_missing_imports = true\n"
    cache = Path(__file__).parents[2] / ".cache" / "mypy"  # of the frameworks' types, which take a quarter of a minute
    (folder / "mypy.ini").write_text(f"{settings}mypy_path = {SOURCES}\ncache_dir = {cache}\n")
    command = [sys.executable, "-m", "mypy", "--config-file", folder / "mypy.ini", *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("check", [check_with_pyright, check_with_mypy])
def test_right_calls_are_accepted_and_wrong_ones_found(check, tmp_path):
    """In the users' files wrong calls are marked, and a mark that is not needed is an error: two more must be found."""
    assert USERS
    wrong = tmp_path / "wrong_user.py"
    wrong.write_text("import binxent\nbinxent.BinaryCrossentropy(reduction='average')\n")
    needless = tmp_path / "needless_user.py"
    needless.write_text("import binxent\nbinxent.BinaryCrossentropy()  # type: ignore\n")
    found = check(tmp_path, *USERS, wrong, needless)
    errors = re.findall(r"(\w+_user\.py):(\d+):.* error: ", found.stdout)
    assert set(errors) == {(wrong.name, "2"), (needless.name, "2")}, found.stdout + found.stderr
