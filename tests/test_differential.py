"""Every door without Keras 3, beside other libraries where they are right, on thousands of random configurations."""

import pytest
from support.differential import DOORS, PEERS, check_all

for module in ("jax", "optax", "tensorflow", "tf_keras", "torch"):
    pytest.importorskip(module)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [range(1000), range(1000, 2000)], ids=str)
def test_every_door_agrees_with_every_peer(seeds):
    seen = check_all(seeds, lambda peer, door: peer != "Keras" and door != "binxent.keras")
    assert {*PEERS, *DOORS} - {"Keras", "binxent.keras"} <= {name for name, count in seen.items() if count > 10}
