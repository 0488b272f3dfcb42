"""What Keras gets wrong on a backend is wrong there still, and right in binxent.keras on every backend."""

import pytest
from support.failing import BACKENDS, outcome, shows
from support.failings import FAILINGS

keras = pytest.importorskip("keras")
PEER = BACKENDS[keras.backend.backend()]
OURS = {"binxent.keras", f"binxent.{PEER[0].lower()}{PEER[1:]}"}


@pytest.mark.parametrize("row", [row for row in FAILINGS if PEER in row.peers], ids=lambda row: row.title)
def test_keras_fails(row):
    call, gives = row.peers[PEER]
    came = outcome(call)
    assert shows(came, gives), f"{PEER} gives {came}, not {gives}: where that is right, it leaves the table"
    assert not shows(came, row.right)


@pytest.mark.parametrize("row", [row for row in FAILINGS if OURS & row.ours.keys()], ids=lambda row: row.title)
def test_binxent_does_not(row):
    (name,) = OURS & row.ours.keys()
    came = outcome(row.ours[name])
    assert shows(came, row.right), f"{name} gives {came}, not {row.right}"
