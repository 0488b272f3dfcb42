"""The time that a fresh process needs for `import binxent` and for the first result."""

import argparse
import json
import subprocess
import sys

import numpy as np

IMPORT = """
import time, numpy
start = time.perf_counter()
import binxent
print(time.perf_counter() - start)
"""
FIRST_CALL = """
import time, numpy
y_true, y_pred = numpy.ones((32, 1), numpy.float32), numpy.ones((32, 1), numpy.float32)
start = time.perf_counter()
import binxent
{call}
print(time.perf_counter() - start)
"""
LOSS = "binxent.BinaryCrossentropy(from_logits=True)"
PROGRAMS = {
    "import binxent": IMPORT,
    "import, first value": FIRST_CALL.format(call=f"{LOSS}(y_true, y_pred)"),
    "import, first value and gradient": FIRST_CALL.format(call=f"binxent.value_and_grad({LOSS}, y_true, y_pred)"),
}


def main(arguments: list[str] | None = None) -> None:
    """Measure every program and print the results, in milliseconds, as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds")
    rounds = 3 if parser.parse_args(arguments).quick else 15
    for program in PROGRAMS.values():
        milliseconds(program)  # writes bytecode
    times = {name: [] for name in PROGRAMS}
    for _ in range(rounds):
        for name, program in PROGRAMS.items():
            times[name].append(milliseconds(program))
    json.dump(
        [{"program": name, "milliseconds": round(float(np.median(taken)), 1)} for name, taken in times.items()],
        sys.stdout,
    )


def milliseconds(program: str) -> float:
    """Run a program in a process of its own and return the time that it prints, in milliseconds."""
    finished = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True)
    return 1e3 * float(finished.stdout)


if __name__ == "__main__":
    main()
