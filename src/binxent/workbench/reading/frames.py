"""Tables in memory, of polars, pandas or Arrow: as one table of polars, with a fingerprint of its content."""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from binxent.workbench.reading.columns import as_text
from binxent.workbench.reading.layout import filled_names
from binxent.workbench.reading.sources import BATCH, Source, held


def as_frame(table: Any) -> pl.DataFrame:
    """Return a table in memory as one of polars.

    Names of columns become text, an empty one says its place, and the index of a pandas table is ignored. Categories
    that are not text become text of the type Categorical; objects of several types become text.

    Args:
        table: A table of polars or pandas, or an object with the Arrow PyCapsule interface, such as a table of pyarrow.

    Raises:
        TypeError: If it is none of these.
        ValueError: If two columns have one name.

    Example:
        >>> import pyarrow as pa
        >>> as_frame(pa.table({"age": [41, 7]}))["age"].to_list()
        [41, 7]
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(table, pandas.DataFrame):
        names = filled_names([str(name) for name in table.columns])
        _require_different(names)
        return pl.DataFrame([_from_pandas(table.iloc[:, place]).alias(name) for place, name in enumerate(names)])
    if isinstance(table, pl.DataFrame):
        return _named(table)
    if isinstance(table, pl.LazyFrame):
        return _named(table.collect())
    if hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__"):
        names = getattr(table, "column_names", None) or getattr(getattr(table, "schema", None), "names", [])
        _require_different(filled_names(names))
        return _named(pl.DataFrame(table), names)
    raise TypeError(
        f"a table must be one of polars, pandas or pyarrow, or the path of a file; got {type(table).__name__}."
    )


def _named(table: pl.DataFrame, own: Sequence[str] = ()) -> pl.DataFrame:
    """Give the columns names that are not empty; `own` are those that they had before polars changed empty ones."""
    names = filled_names(own or table.columns)
    _require_different(names)
    return table if names == table.columns else table.rename(dict(zip(table.columns, names, strict=True)))


def file_names(table: Any) -> tuple[str, ...] | None:
    """Return the paths and globs that stand for a table: one, or a list of them; None for a table in memory.

    Example:
        >>> file_names("a.csv"), file_names([Path("a.csv"), "b*.csv"]), file_names({})
        (('a.csv',), ('a.csv', 'b*.csv'), None)
    """
    if isinstance(table, str | PathLike):
        table = [table]
    if isinstance(table, list | tuple) and table and all(isinstance(item, str | PathLike) for item in table):
        return tuple(os.fspath(item) for item in table)
    return None


def is_table(table: Any) -> bool:
    """Return whether `as_frame` takes an object."""
    pandas = sys.modules.get("pandas")
    return (
        isinstance(table, pl.DataFrame | pl.LazyFrame)
        or (pandas is not None and isinstance(table, pandas.DataFrame))
        or hasattr(table, "__arrow_c_stream__")
        or hasattr(table, "__arrow_c_array__")
    )


def from_array(array: np.ndarray) -> pl.DataFrame:
    """Return an array of shape (rows, columns) as a table with the columns x0, x1 and so on.

    Booleans become numbers, and objects of several types text.

    Example:
        >>> from_array(np.array([[1, "a"], [2, None]], object)).to_dict(as_series=False)
        {'x0': [1, 2], 'x1': ['a', None]}
    """
    if array.dtype == bool:
        array = array.astype(np.int8)
    columns = [_from_objects(column) if array.dtype.kind in "OUSV" else pl.Series(column) for column in array.T]
    return pl.DataFrame([column.alias(f"x{place}") for place, column in enumerate(columns)])


def _from_objects(values: np.ndarray) -> pl.Series:
    with suppress(TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(values.tolist())
    missing = [value is None or value != value for value in values]  # NaN and NaT differ from themselves
    return pl.Series([None if gap else str(value) for value, gap in zip(values, missing, strict=True)], dtype=pl.String)


def _require_different(names: list[str]) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise ValueError(f"the table has {names.count(repeated[0])} columns named `{repeated[0]}`; rename them.")


def _from_pandas(values: Any) -> pl.Series:
    values = values.reset_index(drop=True).rename("values")
    dtype = str(values.dtype)
    if dtype == "category":
        codes = pl.Series(values.cat.codes.to_numpy().astype(np.int64)).replace(-1, None)
        categories = as_text(_from_pandas(values.cat.categories.to_series()))
        return categories.gather(codes).cast(pl.Categorical)
    if dtype.startswith("Sparse"):
        values = values.sparse.to_dense()
    if not dtype.startswith("period"):  # months since 1970, as whole numbers
        with suppress(TypeError, ValueError, OverflowError, NotImplementedError, pl.exceptions.PolarsError):
            return pl.from_pandas(values)
    texts = [None if gap else str(value) for value, gap in zip(values, values.isna(), strict=True)]
    return pl.Series(texts, dtype=pl.String)


def fingerprint(table: pl.DataFrame) -> str:
    """Return a SHA-256 of a table's names, types and values, which does not depend on how they lie in memory."""
    digest = hashlib.sha256()
    for column in table:
        digest.update(f"{column.name}\0{column.dtype}\0{len(column)}\0".encode(errors="replace"))
        for start in range(0, len(column), BATCH):
            for part in _bytes_of(column.alias("")[start : start + BATCH]):
                digest.update(part)
    return digest.hexdigest()


def _bytes_of(values: pl.Series) -> list[bytes]:
    """Return the bytes of values: where they are null, the lengths of texts, and the values with zeros for nulls."""
    nulls = np.packbits(values.is_null().to_numpy()).tobytes()
    dtype = values.dtype
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        text = values.cast(pl.String).fill_null("")
        return [nulls, text.str.len_bytes().to_numpy().tobytes(), text.str.join("").item().encode()]
    if dtype.is_float():
        return [nulls, values.fill_null(0.0).to_numpy().tobytes()]
    if dtype == pl.Boolean:
        return [nulls, np.packbits(values.fill_null(False).to_numpy()).tobytes()]
    if dtype.is_integer() or (dtype.is_temporal() and dtype != pl.Null):
        return [nulls, values.to_physical().fill_null(0).to_numpy().tobytes()]
    return [nulls, repr(values.to_list()).encode(errors="replace")]


def source_of(table: pl.DataFrame) -> Source:
    """Return a table in memory as a source of rows, which is called "the table" in errors."""
    return held(Path("the table"), table)
