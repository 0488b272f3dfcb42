"""Compiled kernels on disk: right in every process, renewed with the sources, and never needed."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.slow  # every test here compiles, in processes of its own

# Computes the kernels named by its arguments; prints each value, and "hit" if it came from the disk cache.
CALLS = """
import sys
import numpy as np
import binxent as bx
from binxent._kernels import loops

def noticed(*arguments, compiled=loops.compiled, **options):
    made = compiled(*arguments, **options)
    hits = made.cache_hits if hasattr(made, "cache_hits") else sum(made.stats.cache_hits.values())
    print("hit" if hits else "miss", file=sys.stderr)
    return made

loops.compiled = noticed
y, x = np.array([0, 1, 1, 0]), np.array([0.2, 0.7, 0.1, 0.6])
kinds = {"bce": bx.BinaryCrossentropy, "focal": bx.BinaryFocalCrossentropy, "poly": bx.PolyBinaryCrossentropy}
for name in sys.argv[1:]:
    kind, reading, dtype = name.split(",")
    try:
        print(float(kinds[kind](from_logits=reading == "logits")(y.astype(dtype), x.astype(dtype))))
    except ValueError as error:
        print("error", error)
"""
NAMES = [f"{kind},{reading},float32" for kind in ("bce", "poly") for reading in ("logits", "probabilities")]


def expected(name):
    """The mean loss that `CALLS` prints for a kernel, by its definition."""
    kind, reading, _ = name.split(",")
    y, x = np.array([0, 1, 1, 0]), np.array([0.2, 0.7, 0.1, 0.6])
    p = 1 / (1 + np.exp(-x)) if reading == "logits" else x
    of_truth = np.where(y == 1, p, 1 - p)
    return (-np.log(of_truth) + (1 - of_truth) * (kind == "poly")).mean()


@pytest.fixture
def start(package):
    """Start a process that uses a copy of the package, with a cache of its own."""

    def start(*names, program=CALLS, **environment):
        path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
        return subprocess.Popen(
            [sys.executable, "-c", program, *names],
            env=os.environ | {"PYTHONPATH": path} | environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    return start


def finish(process):
    """What it printed, and whether its kernels came from the cache."""
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    return output.split("\n")[:-1], re.findall(r"^(hit|miss)$", errors, re.M)


def right(output, names):
    """Raises unless every kernel gave its loss, and not that of another."""
    assert [float(value) if value[0].isdigit() else value for value in output] == pytest.approx(
        [expected(name) for name in names], rel=1e-6
    )


def cached(package):
    return sorted(path.name for path in package.rglob("*.nb?"))


def test_a_second_process_compiles_nothing(start, package):
    names = NAMES[:1]
    output, hits = finish(start(*names))
    right(output, names)
    assert set(hits) == {"miss"}
    files = cached(package)
    assert len(files) >= 2
    output, hits = finish(start(*names))
    right(output, names)
    assert set(hits) == {"hit"}
    assert cached(package) == files


def change(package, module, line, changed):
    """Changes one line of a module."""
    source = package / "binxent" / f"{module}.py"
    text = source.read_text(encoding="utf-8")
    assert text.count(line) == 1, f"{module}.py no longer has the line that this test changes"
    source.write_text(text.replace(line, changed), encoding="utf-8")


def test_changed_sources_are_compiled_anew(start, package):
    names = NAMES[:1]
    [before], _ = finish(start(*names))
    change(
        package, "_core/formulas", "return loss(read(x, epsilon), y, constants)",
        """loss_, slope_, curvature_ = loss(read(x, epsilon), y, constants)
            return loss_ + loss_, slope_, curvature_""",
    )  # fmt: skip
    [doubled], hits = finish(start(*names))
    assert "miss" in hits
    assert float(doubled) == pytest.approx(2 * float(before), rel=1e-6)
    change(
        package, "_kernels/maths", "return t * _log1p_polynomial(t)",
        "return _number(t, 2) * (t * _log1p_polynomial(t))",
    )  # fmt: skip
    [larger], hits = finish(start(*names))
    assert "miss" in hits
    assert float(larger) > 1.1 * float(doubled)


def test_kernels_of_many_processes_stay_apart(start):
    """Numba names what it compiles by counting, in each process anew; what is loaded together must not share names."""
    processes = [start(name) for name in NAMES]
    for name, process in zip(NAMES, processes, strict=True):
        right(finish(process)[0], [name])
    for names in (NAMES, NAMES[::-1]):
        output, hits = finish(start(*names))
        right(output, names)
        assert set(hits) == {"hit"}


# Two processes save a kernel at once, at the worst moment: both have read the index, each has written its own, and the
# one whose index is left is not the one whose code is.
INTERLEAVED = """
import sys
import time
from pathlib import Path
from numba.core import caching
role, folder = sys.argv.pop(), Path(sys.argv.pop())

def after(event):
    until = time.monotonic() + 120
    while not (folder / event).exists():
        assert time.monotonic() < until, event
        time.sleep(0.01)

def ordered(step, save):
    def saved(*arguments):
        before = {"first index": None, "second index": "first index", "second code": "second index"}
        before["first code"] = "second code"
        mine = f"{role} {step}"
        if before[mine]:
            after(before[mine])
        save(*arguments)
        (folder / mine).touch()
    return saved

def meeting(load):
    def loaded(self, times=[]):
        overloads = load(self)
        times.append(self)
        if len(times) == 2:  # first it looks for the kernel, then it goes on to save it
            (folder / role).touch()
            after("second" if role == "first" else "first")
        return overloads
    return loaded

files = caching.IndexDataCacheFile
files._save_index, files._save_data = ordered("index", files._save_index), ordered("code", files._save_data)
files._load_index = meeting(files._load_index)
"""


def test_two_processes_may_save_at_once(start, tmp_path):
    names = ["bce,logits,float32", "poly,probabilities,float32"]
    program = INTERLEAVED + CALLS
    processes = [
        start(name, str(tmp_path), which, program=program)
        for name, which in zip(names, ("first", "second"), strict=True)
    ]
    for name, process in zip(names, processes, strict=True):
        right(finish(process)[0], [name])
    for order in (names, names[::-1]):
        right(finish(start(*order))[0], order)


def test_no_folder_for_the_cache(start, package, tmp_path):
    """A file stands where the folder would be made, which stops root as well."""
    (package / "binxent/_kernels/__pycache__").touch()
    (tmp_path / "home").touch()
    nowhere = {name: str(tmp_path / "home") for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "APPDATA")}
    output, hits = finish(start(*NAMES[:1], **nowhere))
    right(output, NAMES[:1])
    assert set(hits) == {"miss"}
    assert cached(tmp_path) == []


FULL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))  # a longer file is an OSError, as on a full disk
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("size", [300, 4096])  # not even the index fits; the index, but not the code
def test_a_full_disk(start, size):
    names = NAMES[:1]
    output, hits = finish(start(*names, program=FULL_DISK.format(size=size) + CALLS))
    right(output, names)
    assert set(hits) == {"miss"}
    right(finish(start(*names))[0], names)  # and what was left behind does no harm


def test_kernels_are_named_after_all_the_code_that_they_come_from(interpreter):
    program = "import sys, binxent; before = set(sys.modules); import binxent._kernels.fused\n"
    program += "print(*(name.removeprefix('binxent.') for name in set(sys.modules) - before if 'binxent' in name))\n"
    program += "from binxent._kernels.compiler import MODULES; print(*MODULES)"
    loaded, named = (set(line.split()) for line in interpreter(program).splitlines())
    rooms, starters = (
        {"_core", "_kernels"},
        {"_kernels.fused", "_kernels.threads"},
    )  # which start kernels, and nothing of them is compiled
    assert loaded - rooms - starters == named
