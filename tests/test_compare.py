"""The comparison on which the other tests rest can fail, in each of the things that it checks."""

import numpy as np
import pytest
from support.compare import close

ONE = np.float32([1, np.nan, np.inf])
NEXT = np.float32([1 + 2**-23, np.nan, np.inf])


@pytest.mark.parametrize(
    ("got", "want", "tolerance"),
    [
        (ONE, ONE, {"ulps": 0}),
        (NEXT, ONE, {"ulps": 1}),
        (NEXT, ONE, {}),
        (ONE, ONE.astype(float), {}),
        (ONE, [1, np.nan, np.inf], {}),
        ((np.float32(2), ONE), (2.0, ONE), {}),
        ([2.0, 3.0], np.array([2.0, 3.0]), {}),
        (np.float32(0.5), 0.5000001, {"rtol": 0, "atol": 1e-6}),
    ],
)
def test_what_is_close(got, want, tolerance):
    close(got, want, **tolerance)


@pytest.mark.parametrize(
    ("got", "want", "tolerance"),
    [
        (NEXT, ONE, {"ulps": 0}),
        (NEXT, ONE, {"rtol": 1e-8}),
        (ONE.astype(float), ONE, {}),
        (ONE, ONE.astype(float), {"ulps": 0}),
        (ONE, ONE.astype(">f4"), {"ulps": 0}),
        (ONE[None], ONE, {}),
        (np.float32(1), np.ones(1, np.float32), {}),
        (ONE, np.float32([1, np.nan, -np.inf]), {}),
        (ONE, np.float32([1, 0, np.inf]), {}),
        (ONE, np.float32([1, np.nan, 1e30]), {}),
        ((ONE, ONE), (ONE, NEXT), {"ulps": 0}),
        ((ONE,), (ONE, ONE), {}),
        (np.stack([ONE, ONE]), (ONE, ONE), {"ulps": 0}),
        (1.0, np.float64(1), {"ulps": 0}),
        (np.float32(0.5), 0.5001, {"rtol": 0, "atol": 1e-6}),
    ],
)
def test_what_is_not(got, want, tolerance):
    with pytest.raises(AssertionError):
        close(got, want, **tolerance)


def test_arrays_of_other_frameworks():
    torch, jnp = pytest.importorskip("torch"), pytest.importorskip("jax.numpy")
    values = torch.tensor([1.0, 2.0], dtype=torch.bfloat16, requires_grad=True)
    for got in (values, jnp.array([1, 2], "bfloat16")):
        close(got, jnp.array([1, 2], "bfloat16"), ulps=0)
        with pytest.raises(AssertionError, match="bfloat16, not float32"):
            close(got, np.float32([1, 2]))
        with pytest.raises(AssertionError, match="1 of 2 values differ"):
            close(got, [1, 2.001])
