"""The memory of each contender for a value and its gradient, beyond its arguments and the gradient itself."""

import argparse
import ctypes
import gc
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.cases import LARGE, MEMORY, QUICK
from bench.contenders import taking_part


def main(arguments: list[str] | None = None) -> None:
    """Measure every case and print the results as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("door", choices=MEMORY, help="the framework of the arrays")
    parser.add_argument("--quick", action="store_true", help="small arrays")
    options = parser.parse_args(arguments)
    large = QUICK if options.quick else LARGE
    results = []
    for case in MEMORY[options.door]:
        y_true, y_pred = case.arrays(large)
        taken = {}
        for contender in taking_part(case):
            call = contender.prepare(case, y_true, y_pred)
            if call is not None and contender.computes:
                arrays = contender.spare_arrays - (not contender.fills_a_buffer)
                growth = peak_growth(call) + contender.growth_within_pool(call)
                taken[contender.name] = round((growth + arrays * y_pred.nbytes) / 2**20, 2)
        results.append({**case.described(), "size": y_pred.size, "mebibytes": taken})
    json.dump(results, sys.stdout)


def peak_growth(call: Callable[[], Any]) -> int:
    """Return the largest growth of resident memory during a call, in bytes, by the high-water mark of Linux.

    Python's tracemalloc covers only what Python and NumPy allocate, and not torch and XLA.
    """
    call()  # compiles, starts threads, fills pools
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # memory that the last call freed counts as new
    before = resident("VmRSS") - lazily_free()  # as does what it marked with MADV_FREE
    Path("/proc/self/clear_refs").write_text("5")  # sets the high-water mark back to now
    result = call()
    most = resident("VmHWM") - lazily_free()  # without pages that are still marked
    del result
    return most - before


def lazily_free() -> int:
    """Return the bytes of resident memory that are marked as free, for the system to take."""
    found = re.search(r"^LazyFree:\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def resident(field: str) -> int:
    """Return a line of /proc/self/status, in bytes."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f"/proc/self/status has no line {field}: resident memory can be measured on Linux only")
    return 1024 * int(found[1])


if __name__ == "__main__":
    main()
