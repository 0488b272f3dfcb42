"""The one comparison of results: it raises, and looks at dtype, shape and value, of all results together."""

import numpy as np


def same(got, want, ulps=0.0):
    """Raises unless results have the same dtypes, shapes and values, NaN being equal to NaN.

    Args:
        got: A NumPy array or scalar, or a sequence of them, as a loss and its derivatives.
        want: The same, expected.
        ulps: How far a value may be off, in units in its last place; 0 asks for the same bits.
    """
    if isinstance(want, (tuple, list)):
        assert isinstance(got, (tuple, list)) and len(got) == len(want), f"got {got!r}, not {len(want)} results"
        for one, other in zip(got, want, strict=True):
            same(one, other, ulps)
        return
    assert isinstance(got, (np.ndarray, np.generic)), f"got a {type(got).__name__}"
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype, f"got {got.dtype}, not {want.dtype}"
    assert got.shape == want.shape, f"got shape {got.shape}, not {want.shape}"
    alike = (got == want) | (np.isnan(got) & np.isnan(want))
    if ulps:
        unit = np.spacing(abs(want).astype(np.result_type(want.dtype, np.float32)))
        with np.errstate(invalid="ignore"):
            alike |= abs(got.astype(float) - want.astype(float)) <= ulps * unit
    if not alike.all():
        where = tuple(index[0] for index in np.nonzero(~alike))
        count = np.count_nonzero(~alike)
        raise AssertionError(
            f"{count} of {alike.size} values differ; at {where} got {got[where]!r}, not {want[where]!r}"
        )


def close(got, want, rtol=1e-6, atol=0.0):
    """Raises unless values are about the same: for numbers that were printed, or summed elsewhere."""
    np.testing.assert_allclose(np.asarray(got, float), np.asarray(want, float), rtol, atol, strict=True)
