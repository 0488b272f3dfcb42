"""The measurements as they are committed: `results/*.json`, read and written."""

import json
from pathlib import Path
from typing import Any

from bench.cases import Case

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"


def load(part: str) -> dict[str, Any]:
    """Read the results of one part."""
    path = RESULTS / f"{part}.json"
    if not path.exists():
        own = part in ("gpu", "choices", "tables")
        program = f"python -m bench.{part}" if own else f"make bench ARGS='--only {part}'"
        raise FileNotFoundError(f"bench/results/{path.name} is not there. `{program}` makes it.")
    return json.loads(path.read_text(encoding="utf-8"))


def save(part: str, measured: dict[str, Any]) -> None:
    """Write the results of one part, one row a line, so that a change reads well in a diff."""
    conditions = [
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"
        for name, rows in measured["results"].items()
    ]
    text = f'{{"machine": {json.dumps(measured["machine"])},\n"results": {{{", ".join(conditions)}}}}}\n'
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{part}.json").write_text(text, encoding="utf-8")


def rows_of(part: str, condition: str = "default") -> dict[Case, dict[str, Any]]:
    """Read the rows of one part, by their case."""
    return {case_of(row): row for row in load(part)["results"][condition]}


def case_of(row: dict[str, Any]) -> Case:
    """Return the case that a row describes."""
    return Case(**{name: row[name] for name in Case.__dataclass_fields__})
