"""``binxent export``: the preparation and the networks of a run as one ONNX graph."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from binxent.workbench import run_folder
from binxent.workbench.data.encoders import (
    BOUND,
    DAY_CIRCLE,
    LARGEST,
    YEAR_CIRCLE,
    CategoryEncoder,
    NumberEncoder,
    TextEncoder,
)
from binxent.workbench.run import Run
from binxent.workbench.training.ensemble import Ensemble
from binxent.workbench.wording import Writer

MEANINGS = {
    "number": "a number; NaN if missing",
    "boolean": "1 for true, 0 for false; NaN if missing",
    "date": "seconds since 1970-01-01 00:00 UTC; NaN if missing",
    "category": "a category as text, whole numbers without a fraction; empty if missing",
    "text": "a text without blanks around it; empty if missing",
}
FEATURES = "features"  # the input of a network alone
OUTPUTS: tuple[str, ...] = ("logit", "probability")


def export(folder: Path, output: Path, write: Writer = lambda _: None) -> list[str]:
    """Write a run as an ONNX graph.

    Its inputs are the columns, each of shape (rows,); its outputs are `logit` and `probability` after the correction,
    doubles of shape (rows,). If a column holds long texts, whose n-grams ONNX cannot count, the graph is the network
    alone, and its input is the matrix that `Preparation.transform` gives.

    Args:
        folder: The run folder.
        output: The file to write; it is created when it is complete.
        write: Writes a remark for the user.

    Returns:
        The names of the inputs.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If the run is not complete or damaged, or the output does not end in .onnx.
    """
    run_folder.require_output(output, [".onnx"])
    from binxent.workbench.onnx_graph import Graph

    run = Run.load(folder)
    columns = run.features.columns
    inputs = _input_names(columns)
    graph = Graph(inputs.values())
    pairs = dict(zip(columns, run.preparation.encoders, strict=True))
    texts = [name for name, encoder in pairs.items() if isinstance(encoder, TextEncoder)]
    facts: dict[str, Any] = {"classes": run.classes}
    if texts:
        count = len(run.preparation.names)
        features = graph.input(FEATURES, "float", ["rows", count], "the prepared columns, as `names` of the metadata")
        facts["names"] = run.preparation.names
        write(
            f"Note: `{texts[0]}` holds texts, whose n-grams ONNX cannot count: the file holds the network alone. Its "
            f"input `{FEATURES}` is the matrix that Run.load({str(folder)!r}).preparation.transform gives for a table."
        )
    else:
        parts = [_encoded(graph, inputs[name], columns[name].kind, encoder) for name, encoder in pairs.items()]
        features = graph.apply("Concat", *parts, axis=1)
        facts["inputs"] = {inputs[name]: MEANINGS[column.kind] for name, column in columns.items()}
        for name in columns:
            if inputs[name] != name:
                write(f"Note: the input of the column `{name}` is called `{inputs[name]}`.")
    logit = _logits(features, run.ensemble) * run.correction.slope + run.correction.intercept
    outputs: dict[str, Any] = dict(zip(OUTPUTS, (logit, logit.apply("Sigmoid")), strict=True))
    model = graph.model(outputs, {name: json.dumps(value) for name, value in facts.items()})
    with run_folder.replacing(output) as temporary:
        temporary.write_bytes(model.SerializeToString())
    return [FEATURES] if texts else list(inputs.values())


def _input_names(columns: Collection[str]) -> dict[str, str]:
    """Return a name of the graph's input for each column: its own, unless that is empty or an output's."""
    taken, names = {*OUTPUTS, *columns}, {}
    for column in columns:
        name = column
        if column in ("", *OUTPUTS):
            name = f"column {column}".rstrip()
            while name in taken:
                name += "_"
        names[column] = name
        taken.add(name)
    return names


def _encoded(graph: Any, name: str, kind: str, encoder: Any) -> Any:
    """Return the inputs of the network that a column gives, shape (rows, inputs), float."""
    from onnx import TensorProto

    if isinstance(encoder, CategoryEncoder):
        return _categories(graph.input(name, "string", ["rows"], MEANINGS[kind]), encoder)
    column = graph.input(name, "double", ["rows"], MEANINGS[kind])
    missing = column.apply("IsNaN")
    raw = missing.apply("Where", 0.0, column)
    if isinstance(encoder, NumberEncoder):
        parts = [raw]
    else:
        found = _date_parts(raw)
        parts = [found[part] for part in encoder.parts]
    matrix = graph.apply("Concat", *[part.unsqueeze(1) for part in parts], axis=1)
    found = missing.unsqueeze(1).apply("Where", 0.0, _scaled(matrix, encoder.scales[: len(parts)]))
    if encoder.flagged:
        found = graph.apply("Concat", found, missing.unsqueeze(1).cast(TensorProto.DOUBLE), axis=1)
    return found.cast(TensorProto.FLOAT)


def _scaled(raw: Any, scales: np.ndarray) -> Any:
    center, spread, mean, deviation = (np.ascontiguousarray(column) for column in scales.T)
    outlying = (raw.clip(-LARGEST, LARGEST) - center) / (spread * BOUND)
    outlying = outlying.clip(-LARGEST, LARGEST)
    squashed = outlying * BOUND / (outlying * outlying + 1.0).apply("Sqrt")
    return (squashed - mean) / deviation


def _date_parts(seconds: Any) -> dict[str, Any]:
    """Return the parts of dates, as doubles of shape (rows,), by the names of `DATE_PARTS`.

    Source:
        H. Hinnant, "chrono-compatible low-level date algorithms": civil_from_days.
    """
    seconds = (seconds * 1000.0).apply("Floor") / 1000.0
    days = seconds // 86400.0
    hour = (seconds - days * 86400.0) // 3600.0
    # Years begin in March, and are counted in eras of 400.
    shifted = days + 719468.0
    era = shifted // 146097.0
    of_era = shifted - era * 146097.0
    years = (of_era - of_era // 1460.0 + of_era // 36524.0 - of_era // 146096.0) // 365.0
    of_year = of_era - (years * 365.0 + years // 4.0 - years // 100.0)
    fifth = (of_year * 5.0 + 2.0) // 153.0
    day = of_year - (fifth * 153.0 + 2.0) // 5.0 + 1.0
    month = (fifth + 2.0) % 12.0 + 1.0
    year = years + era * 400.0 + _as_number(month.apply("LessOrEqual", 2.0))
    before = year - 1.0
    new_year = before * 365.0 + before // 4.0 - before // 100.0 + before // 400.0 - 719162.0
    day_of_year = days - new_year + 1.0
    return {
        "year": year,
        "month": month,
        "day": day,
        "weekday": (days + 3.0) % 7.0 + 1.0,
        "hour": hour,
        "seconds since 1970": seconds,
        "sine of the day of the year": _looked_up(YEAR_CIRCLE[:, 0], day_of_year),
        "cosine of the day of the year": _looked_up(YEAR_CIRCLE[:, 1], day_of_year),
        "sine of the hour": _looked_up(DAY_CIRCLE[:, 0], hour),
        "cosine of the hour": _looked_up(DAY_CIRCLE[:, 1], hour),
    }


def _as_number(truth: Any) -> Any:
    from onnx import TensorProto

    return truth.cast(TensorProto.DOUBLE)


def _looked_up(table: np.ndarray, place: Any) -> Any:
    from onnx import TensorProto

    # Within the table, whatever a date before all calendars gives.
    index = place.clip(0.0, float(len(table) - 1)).cast(TensorProto.INT64)
    return place.graph.constant(np.ascontiguousarray(table)).apply("Gather", index)


def _categories(column: Any, encoder: CategoryEncoder) -> Any:
    places, other, missing = encoder.places
    found = column.apply(
        "LabelEncoder",
        domain="ai.onnx.ml",
        keys_strings=[*places, ""],
        values_int64s=[*places.values(), missing],
        default_int64=other,
    )
    low, high = (np.ascontiguousarray(values, np.float32) for values in encoder.levels)
    own = found.unsqueeze(1).apply("Equal", np.arange(len(low)))
    return own.apply("Where", high, low)


def _logits(features: Any, ensemble: Ensemble) -> Any:
    """Return the mean logit of the networks, shape (rows,), double."""
    from onnx import TensorProto

    bins, values = ensemble.bins, features
    if bins.slope.size:
        binned = features.apply("Gather", bins.columns, axis=1).unsqueeze(2) * bins.slope + bins.offset
        binned = binned.clip(np.array(-1, np.float32), np.array(1, np.float32))
        flat = binned.apply("Reshape", np.array([0, bins.slope.size]))
        values = features.apply("Concat", flat, axis=1)
    for layer, (kernel, bias) in enumerate(zip(ensemble.kernels, ensemble.biases, strict=True)):
        values = values.apply("Relu") if layer else values.unsqueeze(0)
        values = values @ np.ascontiguousarray(kernel) + np.ascontiguousarray(bias[:, None])
    mean = values.cast(TensorProto.DOUBLE).apply("ReduceMean", np.array([0]), keepdims=0)
    return mean.apply("Squeeze", np.array([1]))
