"""The one comparison of results: it raises, and checks dtype, shape and value together, of a loss and its gradients."""

import numpy as np


def close(got, want, rtol=1e-6, atol=0.0, *, ulps=None, what=""):
    """Raise unless results have the dtypes, shapes and values that are wanted, NaN being equal to NaN.

    The dtype is compared unless `want` is the truth: plain numbers, or NumPy's float64, which no result need have. What
    was printed, and so is plain numbers itself, has none.

    Args:
        got: An array of any framework, or a sequence of them, such as a loss and its gradients.
        want: The same, expected.
        rtol: How far a value may be off, relative to the value that is wanted.
        atol: How much farther, absolutely.
        ulps: The tolerance in units in the last place, instead; 0 asks for the same bits, and always for the dtype.
        what: What is compared, for the message.
    """
    if are_results(got) or (ulps is not None and are_results(want)):
        assert isinstance(got, (list, tuple)) and len(got) == len(want), f"{what} got {got!r}, not {len(want)} results"
        for one, other in zip(got, want, strict=True):
            close(one, other, rtol, atol, ulps=ulps, what=what)
        return
    is_truth = not hasattr(want, "dtype") or (isinstance(want, np.ndarray | np.generic) and want.dtype == np.float64)
    if ulps is not None or (hasattr(got, "dtype") and not is_truth):
        assert dtype_of(got) == dtype_of(want), f"{what} got {dtype_of(got)}, not {dtype_of(want)}"
    last_place = np.float64 if dtype_of(want) == "float64" else np.float32
    got, want = numbers(got), numbers(want)
    assert got.shape == want.shape, f"{what} got shape {got.shape}, not {want.shape}"
    with np.errstate(invalid="ignore", over="ignore"):
        allowed = rtol * abs(want) + atol if ulps is None else ulps * np.spacing(abs(want).astype(last_place))
        alike = (got == want) | (np.isnan(got) & np.isnan(want)) | (np.isfinite(want) & (abs(got - want) <= allowed))
    if not alike.all():
        where = tuple(np.argwhere(~alike)[0].tolist())
        count = np.count_nonzero(~alike)
        raise AssertionError(
            f"{what} {count} of {alike.size} values differ; at {where} got {got[where]}, not {want[where]}"
        )


def are_results(values):
    """Whether they are a sequence of arrays, and not plain numbers."""
    return isinstance(values, (list, tuple)) and not all(type(one) in (bool, int, float) for one in values)


def dtype_of(values):
    """Return the name of a dtype, in any framework."""
    dtype = getattr(values, "dtype", type(values).__name__)
    return dtype.name if hasattr(dtype, "as_numpy_dtype") else str(dtype).removeprefix("torch.")


def numbers(values):
    """Values of any framework, as a NumPy array in float64."""
    if isinstance(values, (list, tuple)):
        return np.asarray([numbers(one) for one in values], float)
    if hasattr(values, "detach"):  # a tensor of PyTorch
        values = values.detach().cpu().double()
    return np.asarray(values, float)
