"""Verify that a checker of a user's code sees a type of every public name: `pyright --verifytypes`, for `make lint`.

Keras has no types, so pyright calls each class that derives from one of Keras's partially unknown, whatever it says
itself. Those are counted apart, and nothing else may be unknown.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

OF_KERAS = ("Type of metaclass unknown", "Type of base class")


def verify() -> int:
    folder = Path(sys.executable).parent  # pyright asks the first Python on the path for packages
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "pyright", "--verifytypes", "binxent", "--ignoreexternal", "--outputjson"]
    printed = subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stdout
    symbols = json.loads(printed)["typeCompleteness"]["symbols"]
    untyped = [symbol for symbol in symbols if not symbol["isTypeKnown"]]
    derived = [symbol for symbol in untyped if all(map(is_about_keras, symbol["diagnostics"]))]
    for symbol in untyped:
        if symbol not in derived:
            print(symbol["name"], *(one["message"] for one in symbol["diagnostics"]), sep="\n    ", file=sys.stderr)
    if len(symbols) < 300:
        print(f"Only {len(symbols)} names were found: is binxent installed?", file=sys.stderr)
    return int(len(untyped) > len(derived) or len(symbols) < 300)


def is_about_keras(diagnostic: dict) -> bool:
    return diagnostic["message"].startswith(OF_KERAS)


if __name__ == "__main__":
    sys.exit(verify())
