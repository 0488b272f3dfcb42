"""`python -m bench`: measure everything, save the results, and write the tables into the documents."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import documents, machine, store
from bench.fit import ENGINES

# By default, glibc takes new pages for every large array, and the system clears each; with these it reuses pages.
REUSED_BUFFERS = {
    "MALLOC_MMAP_THRESHOLD_": str(2**40),
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(2**29),
}
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}
ON_TENSORFLOW = {"KERAS_BACKEND": "tensorflow", **QUIET}
# The programs of each part, by condition. Reused buffers matter to NumPy rows with peers only.
PARTS: dict[str, dict[str, tuple[list[str], dict[str, str]]]] = {
    "speed": {
        "default": (["bench.speed", "numpy"], {}),
        "reused buffers": (["bench.speed", "numpy", "--only", "loss='bce'"], REUSED_BUFFERS),
    },
    "torch": {
        "default": (["bench.speed", "torch"], {}),
        "reused buffers": (["bench.speed", "torch"], REUSED_BUFFERS),
    },
    "jax": {
        "default": (["bench.speed", "jax"], {}),
        "reused buffers": (["bench.speed", "jax"], REUSED_BUFFERS),
    },
    "tensorflow": {"default": (["bench.speed", "tensorflow"], ON_TENSORFLOW)},
    "fit": {engine: (["bench.fit", engine], QUIET) for engine in ENGINES},
    "memory": {
        "numpy": (["bench.memory", "numpy"], {}),
        "torch": (["bench.memory", "torch"], {}),
        "jax": (["bench.memory", "jax"], {}),
        "tensorflow": (["bench.memory", "tensorflow"], ON_TENSORFLOW),
    },
    "startup": {"default": (["bench.startup"], {})},
    "accuracy": {"default": (["bench.accuracy"], {})},
}


def main() -> None:
    """Run the parts, each in processes of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="check that everything runs, on little data; save nothing")
    parser.add_argument("--only", choices=PARTS, help="a single part; the results of the others stay")
    options = parser.parse_args()
    parts = [options.only] if options.only else list(PARTS)
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            store.RESULTS = Path(folder)
            measure(parts, ["--quick"])
            for part in parts:
                print(documents.of_part(part), end="\n\n")
    else:
        measure(parts, [])
        for document in documents.fill_documents():
            print(f"wrote {document.relative_to(store.ROOT)}", file=sys.stderr)


def measure(parts: list[str], arguments: list[str]) -> None:
    """Measure the parts one after another and save their results."""
    for part in parts:
        print(f"{part} ...", file=sys.stderr, flush=True)
        start = time.perf_counter()
        results = {condition: run(*program, arguments) for condition, program in PARTS[part].items()}
        store.save(part, {"machine": machine.describe(), "results": results})
        print(f"{part}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)


def run(command: list[str], environment: dict[str, str], arguments: list[str]) -> list[dict[str, Any]]:
    """Return the results of a part under a condition."""
    program = [sys.executable, "-m", *command, *arguments]
    finished = subprocess.run(
        program, check=True, cwd=store.ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE
    )
    return json.loads(finished.stdout)


if __name__ == "__main__":
    main()
