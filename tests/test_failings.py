"""What others get wrong is wrong still, and right in the doors of binxent: the table of `failings.py`."""

import re
from pathlib import Path

import pytest
from support.failing import BACKENDS, outcome, shows
from support.failings import FAILINGS

MODULES = {"PyTorch": "torch", "TensorFlow": "tensorflow", "NumPy": "numpy"}
PEERS = [(row, peer) for row in FAILINGS for peer in row.peers if peer not in BACKENDS.values()]
DOORS = [(row, door) for row in FAILINGS for door in row.ours if not door.startswith("binxent.keras")]


def named(rows):
    return pytest.mark.parametrize(("row", "name"), rows, ids=[f"{name}: {row.title}" for row, name in rows])


@named(PEERS)
def test_a_peer_fails(row, name):
    pytest.importorskip(MODULES.get(name, name if name in ("optax", "tf_keras") else "torch"))
    call, gives = row.peers[name]
    came = outcome(call)
    assert shows(came, gives), f"{name} gives {came}, not {gives}: where that is right, it leaves the table"
    assert not shows(came, row.right)


@named(DOORS)
def test_binxent_does_not(row, name):
    pytest.importorskip(name, exc_type=ModuleNotFoundError)
    came = outcome(row.ours[name])
    assert shows(came, row.right), f"{name} gives {came}, not {row.right}"


def test_the_page_lists_every_failing():
    page = (Path(__file__).resolve().parents[1] / "docs/keras.md").read_text(encoding="utf-8")
    table = page.partition("| failing | who |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| (.*) \| (.*) \|$", table, re.MULTILINE)[1:] == [(row.title, who(row)) for row in FAILINGS]


def who(row):
    """Describe the peers of a row in few words."""
    backends = [backend.removeprefix("Keras on ") for backend in BACKENDS.values() if backend in row.peers]
    on = f" on {' and '.join(backends)}" if len(backends) < len(BACKENDS) else ""
    others = [peer for peer in row.peers if peer not in BACKENDS.values()]
    return ", ".join([f"Keras{on}"] * bool(backends) + others)
