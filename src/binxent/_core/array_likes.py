"""Array-likes as NumPy arrays of real numbers, with their masks; missing values are refused."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from binxent._core.dtypes import DOUBLE, DTYPES, SINGLE, is_readable
from binxent._core.options import PLAIN
from binxent._core.ranges import range_error
from binxent._core.refusals import refusal

OUTSIDE = "`{name}` must lie in [0, 1]; got {{outside}} of {{total}} outside, from {{least}} to {{most}}. {advice}"
ABOUT_LABELS = "Map the two classes to 0 and 1, or name the value to leave out as `ignore_label`."
FRAMEWORKS = ("jax", "jaxlib", "keras", "tensorflow", "tf_keras", "torch")


def as_numbers(name: str, value: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Convert a value to an array that kernels can read.

    Args:
        name: The argument's name, for errors.
        value: Anything that NumPy takes for an array. The mask of a masked array is kept, the index of a pandas object
            is not.

    Returns:
        The array, and where it is masked: an array of its shape, or None if nowhere.

    Raises:
        TypeError: The value holds no real numbers, or is a sparse matrix or a tensor that requires a gradient.
        ValueError: Values are missing, as pandas.NA and Arrow's nulls are.
    """
    array, mask = (value, None) if type(value) is np.ndarray else _read(name, value)
    if is_readable(array.dtype):
        return array, mask
    native = array.dtype.newbyteorder("=")
    if is_readable(native):
        return array.astype(native), mask
    found = f"an array of {array.dtype}" if array.ndim or array.dtype != object else f"a {type(value).__name__}"
    advice = f" Convert it: np.array({name}, np.float32)." if array.ndim and array.dtype == object else ""
    raise TypeError(f"`{name}` must hold {', '.join(DTYPES)}, whole numbers or booleans; got {found}.{advice}")


def as_predictions(name: str, value: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """As `as_numbers`, but with Python numbers and lists of them in float32, as in Keras."""
    array, mask = as_numbers(name, value)
    if array is not value and array.dtype == DOUBLE and is_plain(value):
        return array.astype(SINGLE), mask
    return array, mask


def read_foreign(name: str, value: Any) -> tuple[Any, np.ndarray | None]:
    """Convert the array-likes whose masks and missing values a framework's conversion would drop.

    Args:
        name: The argument's name, for errors.
        value: Anything that a framework takes for a tensor.

    Returns:
        Objects of NumPy, pandas, polars, Arrow and SciPy, and lists of them, as `as_numbers` returns them; anything
        else, a tensor above all, as it is, and None.

    Raises:
        TypeError: The value holds no real numbers, or is a sparse matrix.
        ValueError: Values are missing.
    """
    if value is None or hasattr(value, "requires_grad"):  # torch.compile traces this, and not what follows
        return value, None
    is_list = isinstance(value, (list, tuple))
    kinds = (_leaf_types(value) if is_list else {type(value)}).difference(PLAIN)
    if is_list and any(kind.__module__ == "builtins" for kind in kinds):  # None, say, and text
        raise refusal(name, value)
    return as_numbers(name, value) if kinds and all(map(_is_foreign, kinds)) else (value, None)


def read_all_foreign(**values: Any) -> tuple[tuple[Any, ...], list[np.ndarray]]:
    """Convert several arguments by `read_foreign`.

    Returns:
        The values in their order; and, for each that is masked, where it is not.
    """
    pairs = [read_foreign(name, value) for name, value in values.items()]
    return tuple(value for value, _ in pairs), [~mask for _, mask in pairs if mask is not None]


def without_mask(name: str, value: Any) -> Any:
    """Convert a value by `read_foreign`, for a computation that has no place for a mask.

    Raises:
        TypeError: The value is masked.
    """
    array, mask = read_foreign(name, value)
    if mask is not None:
        raise refusal(name, value)
    return array


def check_range(name: str, array: np.ndarray, hiding: Sequence[tuple[np.ndarray, float | None]], advice: str) -> None:
    """Refuse values outside [0, 1].

    Args:
        name: The argument's name, for the error.
        array: The values.
        hiding: Which of them do not count, as `range_error` takes it.
        advice: What to do about such values, a sentence.

    Raises:
        ValueError: A value that counts lies outside.
    """
    error = range_error(array, hiding, OUTSIDE.format(name=name, advice=advice))
    if error is not None:
        raise error


def _read(name, value):
    """Convert a value to an array of any dtype, and its mask."""
    if isinstance(value, np.ndarray):
        return np.asarray(value), _mask(value)
    if isinstance(value, (list, tuple)):
        kinds = _leaf_types(value)
        if not all(map(_is_maskless, kinds)):
            raise TypeError(f"`{name}` is a {type(value).__name__} of masked arrays. Join them first, by np.ma.stack.")
        if not all(_reader(kind) is _from_anything for kind in kinds):
            value = _read_each(name, value)
        return np.asarray(value), None
    return _reader(type(value))(name, value), None


def _read_each(name, values):
    """Convert what nested lists hold, each value as it would be converted by itself."""
    return [
        _read_each(f"{name}[{k}]", each) if type(each) in (list, tuple) else _reader(type(each))(f"{name}[{k}]", each)
        for k, each in enumerate(values)
    ]


def is_plain(value):
    """Return whether a value is a Python number or a nested list of them."""
    kinds = _leaf_types(value) if isinstance(value, (list, tuple)) else {type(value)}
    return kinds.issubset(PLAIN)


@cache
def _is_foreign(kind: type) -> bool:
    """Return whether values of this type are numbers or arrays outside of the frameworks."""
    return issubclass(kind, (*PLAIN, np.generic, np.ndarray)) or _reader(kind) not in NOT_FOREIGN


@cache
def _is_maskless(kind: type) -> bool:
    """Return whether NumPy converts and joins values of this type without dropping a mask."""
    return not (issubclass(kind, np.ndarray) and hasattr(kind, "mask"))


def _mask(array):
    """Return where a subclass of NumPy's array is masked, or None."""
    if _is_maskless(type(array)):
        return None
    mask = np.broadcast_to(array.mask, array.shape)  # pyright: ignore[reportAttributeAccessIssue]
    return mask if mask.any() else None


def _leaf_types(values):
    """Return the types of the values in nested lists."""
    kinds = set(map(type, values))
    if kinds.isdisjoint((list, tuple)):
        return kinds
    nested = (_leaf_types(each) if type(each) in (list, tuple) else {type(each)} for each in values)
    return set().union(*nested)


@cache
def _reader(kind: type) -> Callable[[str, Any], np.ndarray]:
    """Return the function that makes an array of a value of this type."""
    modules = [base.__module__ for base in kind.__mro__]
    for prefix, reader in READERS.items():
        if any(f"{module}.".startswith(prefix) for module in modules):
            return reader
    return _from_anything


def _from_anything(name, value):
    return np.asarray(value)


def _from_pandas(name, value):
    """Convert columns to their common dtype; NumPy would make objects of several dtypes, or turn NA into NaN."""
    if not hasattr(value, "isna"):  # a single value
        return np.asarray(value)
    dtypes = {value.dtype} if value.ndim == 1 else set(value.dtypes)
    are_numpys = all(isinstance(dtype, np.dtype) for dtype in dtypes)
    if are_numpys and len(dtypes) < 2:
        return np.asarray(value)
    if not are_numpys:
        _refuse_missing(name, np.count_nonzero(value.isna()))
    try:
        dtype = np.result_type(*(getattr(dtype, "numpy_dtype", dtype) for dtype in dtypes))
    except TypeError:  # categories, dates
        return np.asarray(value)
    return value.to_numpy(dtype=dtype)


def _from_polars(name, value):
    if not hasattr(value, "to_numpy"):
        advice = f" Pass `{name}.collect()`." if hasattr(value, "collect") else ""
        raise TypeError(f"`{name}` must be an array; got a {type(value).__name__} of polars.{advice}")
    _refuse_missing(name, np.sum(np.asarray(value.null_count())))
    return np.asarray(value)


def _from_arrow(name, value):
    columns = value.columns if hasattr(value, "columns") else [value]
    _refuse_missing(name, sum(getattr(column, "null_count", 0) for column in columns))
    return np.asarray(value)


def _refuse_missing(name, count):
    if count:
        raise ValueError(
            f"`{name}` has {count} missing values. Drop them, pass a masked array (np.ma), or fill them: labels with a "
            "number that `ignore_label` names."
        )


def _from_sparse(name, value):
    raise TypeError(f"`{name}` must be an array; got a sparse one ({type(value).__name__}). Pass `{name}.toarray()`.")


def _from_torch(name, value):
    if value.requires_grad:
        raise TypeError(
            f"`{name}` is a tensor that requires a gradient, which does not pass through NumPy. Take the loss from "
            f"`binxent.torch`, and in a Keras model from `binxent.keras`; or pass `{name}.detach()`."
        )
    return _from_tensor(name, value)


def _from_tensor(name, value):
    try:
        return np.asarray(value)
    except Exception as error:  # each framework has a type of its own for a tensor without values
        modules = [base.__module__.partition(".")[0] for base in type(value).__mro__]
        door = next(module for module in modules if module in FRAMEWORKS).removesuffix("lib")
        in_keras = "" if "keras" in door else ", and in a Keras model from `binxent.keras`"
        raise TypeError(
            f"`{name}` is a {type(value).__name__}, whose values NumPy cannot read, as those of traced and symbolic "
            f"tensors. Take the loss from `binxent.{door}`{in_keras}."
        ) from error


READERS = {
    "pandas.": _from_pandas,
    "polars.": _from_polars,
    "pyarrow.": _from_arrow,
    "scipy.sparse.": _from_sparse,
    "torch.": _from_torch,
    **{f"{framework}.": _from_tensor for framework in FRAMEWORKS if framework != "torch"},
}
NOT_FOREIGN = (_from_anything, _from_torch, _from_tensor)
