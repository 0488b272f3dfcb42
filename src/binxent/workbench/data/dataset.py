"""The dataset: a table's target, features, weights and groups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from binxent.workbench.data.features import Features, find_features
from binxent.workbench.data.target import binary_target, merge_classes
from binxent.workbench.reading import frames
from binxent.workbench.reading.samples import breast_cancer
from binxent.workbench.reading.table import Files, Reading, Table, named_columns, read_frame, require_columns
from binxent.workbench.settings import COLUMN_LISTS, IN_MEMORY, KIND_LISTS, Settings
from binxent.workbench.suggestions import nearest
from binxent.workbench.wording import Writer, quoted

MOST_WEIGHT = 1e100  # of a row


@dataclass(frozen=True)
class ColumnUse:
    """What became of a column.

    Attributes:
        name: Its name.
        kind: Its kind; None if it was not read.
        missing: Number of missing values.
        odd: Number of values that are not of its kind, and count as missing.
        examples: A few of them.
        use: "feature", "target", "weight", "group", "time", "split" or "left out".
        remark: Why it was left out, or how an ambiguity was resolved; "" for nothing.
    """

    name: str
    kind: str | None
    missing: int
    odd: int
    examples: tuple[str, ...]
    use: str
    remark: str

    def to_json(self) -> dict[str, Any]:
        """Return the use as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Dataset:
    """A table with its columns in their roles.

    Attributes:
        table: The rows that are used; a sample of them, without the columns that have a role, if they are too many to
            be held.
        row: Positions of these rows in the input (int64).
        columns: What became of each column of the input, in its order.
        features: The columns to learn from.
        target: Labels, 1 for positive (int8).
        negative: The target's value that is 0.
        positive: The target's value that is 1.
        weight: Row weights (float64), or None.
        group: Group numbers (int64), or None.
        dropped: Number of rows that were dropped for missing values.
        time: Numbers that order the rows in time, or None.
        subset: The values of the column that says which subset a row belongs to, or None.
        in_test_file: Whether a row is of a file of test rows, or None.
        sample: Positions of the rows of `table` among those that are used; None if they are all.
        batches: Reads columns of all rows of the input, as they are in the files; None if `table` is no sample.
    """

    table: pl.DataFrame
    row: np.ndarray
    columns: tuple[ColumnUse, ...]
    features: Features
    target: np.ndarray
    negative: str
    positive: str
    weight: np.ndarray | None
    group: np.ndarray | None
    dropped: int
    time: np.ndarray | None = None
    subset: pl.Series | None = None
    in_test_file: np.ndarray | None = None
    sample: np.ndarray | None = None
    batches: Callable[[Collection[str]], Iterator[pl.DataFrame]] | None = None

    @property
    def base_rate(self) -> float:
        """The weighted share of positives."""
        return float(np.average(self.target, weights=self.weight))


def load(
    settings: Settings, write: Writer = lambda _: None, rows: pl.DataFrame | None = None
) -> tuple[Dataset, Settings]:
    """Read the data and give its columns their roles.

    Args:
        settings: Settings of the run.
        write: Writes a line for the user.
        rows: The data, if they are in memory and no file holds them.

    Returns:
        The dataset, and the settings with the data's fingerprint, the target and the columns' names.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the data has changed since the settings were written, or its columns cannot have these roles.
    """
    if settings.test and not settings.data:
        raise ValueError("--test names rows beside those of DATA; name DATA as well.")
    files = Files(settings.data, settings.test) if settings.data else None
    target = settings.target
    if files is not None:
        rows, fingerprint, names = pl.DataFrame(), "", files.names
    elif rows is not None:
        fingerprint, names = IN_MEMORY + frames.fingerprint(rows), rows.columns
    elif settings.in_memory:
        raise ValueError(
            "this run was trained on a table in memory, which its settings cannot name. Name a file that holds it: "
            "binxent train DATA --config FILE"
        )
    else:
        rows, fingerprint = breast_cancer()
        names, target = rows.columns, target or "malignant"
    if target is None:
        raise ValueError(f"say which column to predict: --target COLUMN.{nearest('', names)}")
    lists = {key: named_columns(getattr(settings, key), names, f"--{key}") for key in COLUMN_LISTS}
    settings = settings.replace(target=target, **lists)
    roles = _roles(settings, names)
    kinds = {name: kind for kind in KIND_LISTS for name in getattr(settings, kind)}
    types = {name: _ROLE_TYPES.get(option) for option, name in roles.items()}
    if files is None:
        table = read_frame(rows.drop(settings.exclude), fingerprint, kinds, types)
    else:
        table = files.read(settings.exclude, kinds, types, write)
    if settings.data_fingerprint not in (None, table.fingerprint):
        raise ValueError(
            "the data has changed since this run: its fingerprint differs. "
            "To train on it as it is now, name it on the command line: binxent train DATA --config FILE"
        )
    settings = settings.replace(data_fingerprint=table.fingerprint)
    return _assign_roles(table, roles, names, settings, write), settings


_ROLE_TYPES = {"--target": "label", "--group": "key", "--split": "key"}


def _roles(settings: Settings, names: Sequence[str]) -> dict[str, str]:
    """Return the columns that are not learnt from by their options; refuse contradictions."""
    divisions = {option: getattr(settings, option) for option in ("test", "time", "split")}
    if len(given := [f"--{option}" for option, value in divisions.items() if value]) > 1:
        raise ValueError(f"{' and '.join(given)} each say which rows are the test; give one of them.")
    if settings.group is not None and settings.time is not None:
        raise ValueError(
            "--group and --time exclude each other: a group of early and late rows cannot stay whole. Give one of them."
        )
    roles = {f"--{role}": getattr(settings, role) for role in ("target", "weight", "group", "time", "split")}
    columns = {option: name for option, name in roles.items() if name is not None}
    for option, name in columns.items():
        require_columns([name], names, option)
    if len(set(columns.values())) < len(columns):
        raise ValueError(f"{', '.join(columns)} must be different columns; got {', '.join(columns.values())}.")
    for key in COLUMN_LISTS:
        for role, name in columns.items():
            if name in getattr(settings, key) and not (role == "--time" and key in KIND_LISTS):
                raise ValueError(f"--{key}: the column `{name}` is never learnt from, as {role} names it.")
    for first, key in enumerate(COLUMN_LISTS):
        # --include and a kind go together: the one keeps a column, the other says how to read it.
        for other in COLUMN_LISTS[first + 1 :]:
            both = [name for name in getattr(settings, key) if name in getattr(settings, other)]
            if both and key != "include":
                raise ValueError(f"--{key} and --{other} both name the column `{both[0]}`; name it in one of them.")
    return columns


def _assign_roles(
    table: Table, roles: dict[str, str], names: Sequence[str], settings: Settings, write: Writer
) -> Dataset:
    rows = table.roles
    for option in roles.keys() & {"--weight", "--time"}:
        _require_numbers(rows.get_column(roles[option]), option)
    missing = {option: is_missing(rows.get_column(name)) for option, name in roles.items()}
    incomplete = np.logical_or.reduce([column.to_numpy() for column in missing.values()])
    if incomplete.any() and not settings.drop_missing:
        option, name = next((option, name) for option, name in roles.items() if missing[option].any())
        odd = "".join(f", {shown}" for shown in [_odd_in_words(table.readings[name])] if shown)
        raise ValueError(
            f"{option}: the column `{name}` is missing in {missing[option].sum():,} of {rows.height:,} rows{odd}. "
            "Fill them in, or pass --drop-missing to leave these rows out."
        )
    used = rows.filter(pl.Series(~incomplete))
    if used.height == 0:
        raise ValueError(f"every row lacks a value of {', '.join(roles.values())}: nothing is left to learn from.")
    target_values, merged = merge_classes(used.get_column(roles["--target"]))
    if merged:
        write(f"Note        {merged}")
    target, negative, positive = binary_target(target_values, settings.positive)
    kept = {name: f"--{key}" for key in ("include", *KIND_LISTS) for name in getattr(settings, key)}
    complete = pl.Series(~incomplete if table.whole is None else ~incomplete[table.whole.places])
    features = find_features(table, tuple(roles.values()), kept, complete)
    features = replace(features, left_out={**dict.fromkeys(settings.exclude, "--exclude"), **features.left_out})
    if not features.columns:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in features.left_out.items())
        raise ValueError(
            f"the table has no column to learn from ({reasons or 'it has no other columns'}). "
            "--include COLUMN keeps one."
        )
    codes = {name: column for name, column in features.columns.items() if column.code}
    learnt = pl.DataFrame(
        [
            codes[values.name].convert(values).values.alias(values.name) if values.name in codes else values
            for values in table.rows.filter(complete)
        ]
    )
    return Dataset(
        table=learnt,
        row=np.flatnonzero(~incomplete),
        columns=tuple(_use(name, table.readings.get(name), features, roles) for name in names),
        features=features,
        target=target,
        negative=negative,
        positive=positive,
        weight=None if settings.weight is None else weights(used.get_column(settings.weight)),
        group=None if settings.group is None else _numbered(used.get_column(settings.group)),
        time=None if settings.time is None else used.get_column(settings.time).to_physical().to_numpy(),
        subset=None if settings.split is None else used.get_column(settings.split).alias("").cast(pl.String),
        in_test_file=None if not settings.test else np.arange(rows.height)[~incomplete] >= table.first_of_test,
        dropped=rows.height - used.height,
        sample=None if table.whole is None else (np.cumsum(~incomplete) - 1)[table.whole.places[complete.to_numpy()]],
        batches=None if table.whole is None else table.whole.batches,
    )


def _use(name: str, reading: Reading | None, features: Features, roles: dict[str, str]) -> ColumnUse:
    if reading is None:
        return ColumnUse(name, None, 0, 0, (), "left out", features.left_out[name])
    role = next((option.removeprefix("--") for option, column in roles.items() if column == name), None)
    use = role or ("feature" if name in features.columns else "left out")
    remark = features.left_out.get(name) or features.remarks.get(name) or reading.remark
    kind = features.kinds.get(name, reading.column.kind)
    return ColumnUse(name, kind, reading.missing, reading.odd, reading.examples, use, remark)


def _odd_in_words(reading: Reading) -> str:
    return f"{reading.odd:,} of them odd values such as {quoted(reading.examples)}" if reading.odd else ""


def weights(column: pl.Series, option: str = "--weight") -> np.ndarray:
    """Return a column of row weights, which an option names, as float64.

    Raises:
        ValueError: If a weight is no number, negative, not finite, or so great or small that sums of them fail.
    """
    _require_numbers(column, "--weight")
    weight = column.cast(pl.Float64).to_numpy()
    wrong = ~((weight == 0) | ((weight >= 1 / MOST_WEIGHT) & (weight <= MOST_WEIGHT)))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{option}: weights must be 0, or from {1 / MOST_WEIGHT:g} to {MOST_WEIGHT:g}; row {row + 1:,} of "
            f"`{column.name}` has {weight[row]:g}."
        )
    return weight


def _require_numbers(column: pl.Series, option: str) -> None:
    is_date = option == "--time" and column.dtype in (pl.Date, pl.Datetime)
    if not (column.dtype.is_numeric() or is_date):
        wanted = {"--weight": "weights must be numbers", "--time": "times must be dates or numbers"}[option]
        raise ValueError(f"{option}: the column `{column.name}` holds {column.dtype}; {wanted}.")


def is_missing(column: pl.Series) -> pl.Series:
    """Return whether each value is missing; the series has no name, as some names are patterns to polars."""
    values = column.alias("")
    return values.is_null() | values.is_nan() if values.dtype.is_float() else values.is_null()


def _numbered(column: pl.Series) -> np.ndarray:
    return column.cast(pl.String).rank("dense").to_numpy().astype(np.int64) - 1
