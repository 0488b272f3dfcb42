"""The documents' tables, made from the committed measurements.

`python -m bench.documents` fills each block `NAME` of the documents with `TABLES[NAME]()`; a test checks that they are
up to date.
"""

import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench import findings, gpu
from bench.cases import (
    FAMILY_LOSSES,
    GRADIENT,
    JAX,
    LOSSES,
    MODES,
    SAMPLES,
    SPACES,
    TENSORFLOW,
    TORCH,
    VALUE,
    Case,
)
from bench.fit import ENGINES
from bench.markdown import fill_blocks, table, three_digits
from bench.store import ROOT, case_of, load, rows_of
from bench.tables import page

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONDITIONS = {"default": "with default allocation", "reused buffers": "with glibc keeping and reusing its buffers"}


def fill_documents() -> Iterable[Path]:
    """Write the tables into the documents, and yield the paths of those that changed."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        filled = fill(text)
        if filled != text:
            path.write_text(filled, encoding="utf-8")
            yield path


def fill(text: str) -> str:
    """Make the tables of a document's blocks."""
    return fill_blocks(text, made)


def made(name: str) -> str:
    """Make the table of a name, or say how to measure it."""
    try:
        return TABLES[name]()
    except FileNotFoundError as missing:
        return f"Not measured yet: {missing}"


def of_part(part: str) -> str:
    """Return all tables of a part, for a terminal."""
    return "\n\n".join(TABLES[name]() for name in TABLES_OF[part])


def title(case: Case) -> str:
    """Return the name of a row: what distinguishes the case."""
    parts = [LOSSES[case.loss].title, f"from {case.space}", case.want, *filter(None, [case.mode])]
    if case.dtype != "float32":
        parts.append(case.dtype)
    if case.labels != case.dtype:
        parts.append(f"{case.labels} labels")
    if case.soft:
        parts.append("soft labels")
    if case.rows or case.columns:
        parts.append(f"{case.rows or 'n'} × {case.columns}")
    return ", ".join(parts)


def contenders(rows: Iterable[dict[str, Any]], measure: str) -> list[str]:
    """Return the contenders of all rows, in the order of first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row[measure]))


def medians(row: dict[str, Any], unit: float = 1e3) -> dict[str, float]:
    """Return the medians of a row, in units of `unit` microseconds."""
    return {name: times["median"] / unit for name, times in row["microseconds"].items()}


def of_machine(part: str) -> str:
    """Return a sentence that describes the machine of the measurements."""
    machine = load(part)["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    cache = f", {machine['last_level_cache_mib']} MiB of cache" if machine["last_level_cache_mib"] else ""
    gpu = f"{machine['gpu']} with CUDA {machine['cuda']}, beside " if "gpu" in machine else ""
    return (
        f"Measured on {gpu}{machine['processor']}, {machine['cores']} cores{cache}, "
        f"{machine['memory_gib']} GiB of memory, {machine['system']}, Python {machine['python']}, {versions}."
    )


def speed_beside_peers() -> str:
    """Format binary cross-entropy from logits: the floor, binxent and the other contenders."""
    value, gradient = (medians(rows_of("speed")[Case(want=want)]) for want in (VALUE, GRADIENT))
    names = sorted(value, key=lambda name: value[name])
    return table(
        ("milliseconds", VALUE, GRADIENT),
        ((bold(name), three_digits(value[name]), three_digits(gradient[name])) for name in names),
    )


def bold(name: str) -> str:
    """Format the names of binxent in bold."""
    return f"**{name}**" if name.startswith("binxent") else name


def speed_of_family() -> str:
    """Format each loss as a multiple of its floor."""
    rows = rows_of("speed")
    columns = [(space, want) for space in SPACES for want in (VALUE, GRADIENT)]

    def over_floor(case: Case) -> str:
        times = medians(rows[case])
        return f"{times['binxent'] / times['floor']:.2f}"

    return table(
        ("times the floor", *(f"{space}: {want}" for space, want in columns)),
        (
            (LOSSES[name].title, *(over_floor(Case(name, want, space)) for space, want in columns))
            for name in FAMILY_LOSSES
        ),
    )


def speed_in_full(part: str) -> str:
    """Format every large case with default allocation, and those that were measured with reused buffers."""
    return "\n\n".join(
        f"Milliseconds, {CONDITIONS[condition]}:\n\n"
        + all_contenders([row for case, row in rows_of(part, condition).items() if case.is_large], 1e3)
        for condition in load(part)["results"]
    )


def small_calls(part: str) -> str:
    """Format the time of a call on a small batch."""
    return all_contenders([row for case, row in rows_of(part).items() if not case.is_large], 1, "microseconds")


def beside_peers(part: str, cases: list[Case]) -> str:
    """Format a door beside its framework: large float32 arrays with default allocation."""
    rows = rows_of(part)
    return all_contenders(
        [rows[case] for case in cases if case.is_large and case.dtype == case.labels == "float32"], 1e3
    )


def tensorflow_beside_peers() -> str:
    """Format the milliseconds of the TensorFlow door and of its peer, in every mode."""
    rows = rows_of("tensorflow")

    def both(case: Case) -> str:
        times = medians(rows[case])
        (theirs,) = (times[name] for name in times.keys() - {"floor", "binxent.tensorflow"})
        return f"{three_digits(times['binxent.tensorflow'])} / {three_digits(theirs)}"

    return table(
        ("milliseconds, **binxent** / TensorFlow or Keras", *MODES),
        (
            (
                f"{LOSSES[case.loss].title}, from {case.space}, {case.want}",
                *(both(replace(case, mode=mode)) for mode in MODES),
            )
            for case in TENSORFLOW
            if case.is_large and case.mode == MODES[0]
        ),
    )


def all_contenders(rows: list[dict[str, Any]], unit: float, corner: str = "") -> str:
    """Format the medians of every contender in every row."""
    names = contenders(rows, "microseconds")
    return table(
        (corner, *map(bold, names)),
        (
            (title(case_of(row)), *(three_digits(times[name]) if name in times else "" for name in names))
            for row in rows
            for times in [medians(row, unit)]
        ),
    )


def small_things() -> str:
    """Format calls on small batches, start-up and memory in a few numbers."""
    small = medians(rows_of("speed")[Case(want=SAMPLES, rows=32, columns=1)], 1)
    waits = {row["program"]: row["milliseconds"] for row in load("startup")["results"]["default"]}
    peak = rows_of("memory", "numpy")[Case(want=GRADIENT)]["mebibytes"]
    return table(
        ("", "binxent", "torch eager"),
        (
            ("losses of a 32 × 1 batch, one call", f"{small['binxent']:.1f} µs", f"{small['torch eager']:.1f} µs"),
            ("memory beside the gradient, 2²⁴ logits", f"{peak['binxent']:.1f} MiB", f"{peak['torch eager']:.1f} MiB"),
            ("`import binxent`, beyond NumPy's own import", f"{waits['import binxent']:.0f} ms", ""),
            (
                "from there to the first gradient, in a fresh process",
                f"{waits['import, first value and gradient']:.0f} ms",
                "",
            ),
        ),
    )


def memory(door: str) -> str:
    """Format the peak memory of the contenders for the arrays of a framework."""
    rows = load("memory")["results"].get(door)
    if not rows:
        raise FileNotFoundError(
            "bench/results/memory.json lacks this. `make bench ARGS='--only memory'` makes it anew."
        )
    names = contenders(rows, "mebibytes")
    return table(
        ("MiB", *map(bold, names)),
        (
            (
                title(case_of(row)),
                *(f"{row['mebibytes'][name]:.1f}" if name in row["mebibytes"] else "" for name in names),
            )
            for row in rows
        ),
    )


def fit() -> str:
    """Format an epoch of `fit` with binxent's loss and with the engine's own."""
    return table(
        ("milliseconds for an epoch", "**binxent**", "its own loss", "ratio"),
        (
            (
                f"{ENGINES[engine]}: {LOSSES[row['loss']].title}, from {row['space']}",
                three_digits(times["binxent"]),
                three_digits(times["its own loss"]),
                f"{times['binxent'] / times['its own loss']:.2f}",
            )
            for engine, rows in load("fit")["results"].items()
            for row in rows
            for times in [medians(row)]
        ),
    )


def on_gpu() -> str:
    """Format training steps on a GPU."""
    return gpu.table(load("gpu")["results"]["default"])


def startup() -> str:
    """Format the time of a fresh process."""
    return table(
        ("a fresh process, after `import numpy`", "milliseconds"),
        ((row["program"], f"{row['milliseconds']:.0f}") for row in load("startup")["results"]["default"]),
    )


def accuracy() -> str:
    """Format the largest error of each contender, in loss and slope."""
    rows = load("accuracy")["results"]["default"]
    names = contenders(rows, "ulps")

    def cell(row: dict[str, Any], name: str) -> str:
        if name not in row["ulps"]:
            return ""
        return " / ".join(errors(row["ulps"][name][what]["ulps"], row["dtype"]) for what in ("loss", "slope"))

    def head(row: dict[str, Any]) -> str:
        return f"{LOSSES[row['loss']].title}, {row['space']}" + (
            f", {row['dtype']}" if row["dtype"] != "float32" else ""
        )

    return table(
        ("ulps, loss / slope", *map(bold, names)), ((head(row), *(cell(row, name) for name in names)) for row in rows)
    )


def errors(ulps: float | None, dtype: str) -> str:
    """Format an error in ulps, or the words for a result without a correct digit."""
    if ulps is None:
        return "not finite"
    digits = {"float64": 52, "float32": 23}[dtype]
    return "no digit right" if ulps >= 2.0**digits else three_digits(ulps)


TABLES = {
    "machine": partial(of_machine, "speed"),
    "speed-peers": speed_beside_peers,
    "speed-family": speed_of_family,
    "speed-full": partial(speed_in_full, "speed"),
    "small-calls": partial(small_calls, "speed"),
    "small-things": small_things,
    "torch-machine": partial(of_machine, "torch"),
    "torch-peers": partial(beside_peers, "torch", TORCH),
    "torch-full": partial(speed_in_full, "torch"),
    "torch-small": partial(small_calls, "torch"),
    "torch-memory": partial(memory, "torch"),
    "jax-machine": partial(of_machine, "jax"),
    "jax-peers": partial(beside_peers, "jax", JAX),
    "jax-full": partial(speed_in_full, "jax"),
    "jax-small": partial(small_calls, "jax"),
    "jax-memory": partial(memory, "jax"),
    "tensorflow-machine": partial(of_machine, "tensorflow"),
    "tensorflow-peers": tensorflow_beside_peers,
    "tensorflow-full": partial(speed_in_full, "tensorflow"),
    "tensorflow-small": partial(small_calls, "tensorflow"),
    "tensorflow-memory": partial(memory, "tensorflow"),
    "fit-machine": partial(of_machine, "fit"),
    "fit": fit,
    "gpu-machine": partial(of_machine, "gpu"),
    "gpu": on_gpu,
    "memory": partial(memory, "numpy"),
    "startup": startup,
    "accuracy": accuracy,
    "tables-machine": partial(of_machine, "tables"),
    "tables-models": page.of_models,
    "tables-skill": page.of_tables,
    "tables-sources": page.of_sources,
    **findings.TABLES,
}
TABLES_OF = {
    "speed": ("machine", "speed-peers", "speed-family", "speed-full", "small-calls"),
    "torch": ("torch-machine", "torch-full", "torch-small"),
    "jax": ("jax-machine", "jax-full", "jax-small"),
    "tensorflow": ("tensorflow-machine", "tensorflow-peers", "tensorflow-full", "tensorflow-small"),
    "fit": ("fit-machine", "fit"),
    "memory": ("memory", "torch-memory", "jax-memory", "tensorflow-memory"),
    "startup": ("startup",),
    "accuracy": ("accuracy",),
}


if __name__ == "__main__":
    for written in fill_documents():
        print(f"wrote {written}", file=sys.stderr)
