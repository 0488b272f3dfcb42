"""What Keras gets wrong on a backend is wrong there still, and right in binxent.keras on every backend."""

import pytest
from failing import BACKENDS, outcome, shows
from failings import FAILINGS

keras = pytest.importorskip("keras")
PEER = BACKENDS[keras.backend.backend()]


@pytest.mark.parametrize("row", [row for row in FAILINGS if PEER in row.peers], ids=lambda row: row.title)
def test_keras_fails(row):
    call, gives = row.peers[PEER]
    came = outcome(call)
    assert shows(came, gives), f"{PEER} gives {came}, not {gives}: where that is right, it leaves the table"
    assert not shows(came, row.right)


@pytest.mark.parametrize("row", [row for row in FAILINGS if "binxent.keras" in row.ours], ids=lambda row: row.title)
def test_binxent_does_not(row):
    came = outcome(row.ours["binxent.keras"])
    assert shows(came, row.right), f"binxent.keras gives {came}, not {row.right}"
