"""The time of each contender for each case: correctness first, then time, the contenders in turn, medians."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np

from bench.cases import BACKWARD, GRADIENT, LARGE, QUICK, SAMPLES, SPEED, VALUE, Case
from bench.contenders import Contender, taking_part
from bench.reference import truth

TOLERANCE = {"float64": 1e-10, "float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
CHECKED = 1 << 16


def main(arguments: list[str] | None = None) -> None:
    """Measure every case, or those whose description holds `--only`, and print the results as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("door", choices=SPEED, help="the framework of the arrays")
    parser.add_argument("--quick", action="store_true", help="small arrays and few rounds")
    parser.add_argument("--only", default="", help="a word that the case's description must hold, as in 'focal'")
    options = parser.parse_args(arguments)
    large, rounds = (QUICK, 3) if options.quick else (LARGE, 5)
    cases = [case for case in SPEED[options.door] if options.only in str(case)]
    json.dump([measure(case, large, rounds) for case in announce(cases)], sys.stdout)


def announce(cases: list[Case]) -> Iterable[Case]:
    """Print the case that is being measured to stderr."""
    for number, case in enumerate(cases, 1):
        print(f"  {number}/{len(cases)} {case}", file=sys.stderr, flush=True)
        yield case


def measure(case: Case, large: int, rounds: int) -> dict[str, Any]:
    """Return a row: the microseconds of each contender."""
    y_true, y_pred, right = question(replace(case, want=VALUE, mode=""), large)
    calls = {}
    for contender in taking_part(case):
        call = contender.prepare(case, y_true, y_pred)
        if call is not None:
            result = call()
            if contender.computes:
                check(contender, case, right, result)
            calls[contender.name] = call
    turns = take_turns(calls, rounds if case.is_large else 4 * rounds)
    return {**case.described(), "size": y_pred.size, "microseconds": turns}


@lru_cache(maxsize=1)
def question(case: Case, large: int) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return labels, predictions and the reference result, which do not depend on `want` and `mode`."""
    y_true, y_pred = case.arrays(large)
    return y_true, y_pred, right_answer(case, y_true, y_pred)


def right_answer(case: Case, y_true: np.ndarray, y_pred: np.ndarray) -> Any:
    """Return the loss of each element in float64, and the slopes that are checked."""
    y, z = y_true.reshape(-1), y_pred.reshape(-1)
    starts = range(0, z.size, CHECKED)  # pieces that fit into the caches
    with ThreadPoolExecutor() as pool:
        pieces = list(pool.map(lambda at: exact(case, y[at : at + CHECKED], z[at : at + CHECKED]), starts))
    return np.concatenate([loss for loss, _ in pieces]), pieces[0][1]


def exact(case: Case, y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return loss and slope of each element in float64."""
    y, z = y_true.astype(float), y_pred.astype(float)
    p, q = (z, 1 - z) if case.space == "probabilities" else (1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z)))
    right = truth(case.loss, y, p, q, -np.log(p), -np.log(q), np.log1p, np.maximum)
    return right.loss, right.slope / (p * q) if case.space == "probabilities" else right.slope


def check(contender: Contender, case: Case, right: Any, result: Any) -> None:
    """Raise if a contender is wrong: wrong results are not timed."""
    loss, slope = right
    tolerance = TOLERANCE[case.dtype]
    result = contender.as_arrays(result)
    if case.want == SAMPLES:
        close(contender, case, np.ravel(np.asarray(result)), loss, tolerance)
        return
    with_gradient = case.want in (GRADIENT, BACKWARD)
    mean = result[0] if with_gradient else result
    # In TensorFlow, XLA adds up float32 numbers in an order that costs a digit in a mean of millions.
    close(contender, case, mean, loss.mean(), 10 * tolerance if case.mode == "XLA" else tolerance)
    if with_gradient:
        got = np.ravel(np.asarray(result[1]))
        size = got.size
        got = got[:CHECKED].astype(float)
        if not contender.sums_the_gradient:
            got *= size
            # the gradient of a mean over many is small: in half precision it may be a single step away from zero
            tolerance += float(ml_dtypes.finfo(case.dtype).smallest_subnormal) * size
        close(contender, case, got, slope, tolerance)


def close(contender: Contender, case: Case, got: Any, right: Any, tolerance: float) -> None:
    """Raise unless every number is within the tolerance of its dtype."""
    error = np.max(np.abs(np.asarray(got, float) - right) / (1 + np.abs(right)))
    if not error <= tolerance:
        raise AssertionError(f"{contender.name} is wrong by {error:.1e} (at most {tolerance:.0e} is allowed) in {case}")


def take_turns(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Return median and quartiles for each call. In each round every call is timed once, so that noise affects all."""
    repeats = {name: max(1, round(1e-3 / time_of(call, 1))) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(0.005)  # the idle threads of the last contender spin for a while
            call()  # replaces its data in the caches
            times[name].append(1e6 * time_of(call, repeats[name]))
    return {
        name: dict(zip(("low", "median", "high"), np.percentile(taken, (25, 50, 75)).round(3).tolist(), strict=True))
        for name, taken in times.items()
    }


def time_of(call: Callable[[], Any], repeats: int) -> float:
    """Return the seconds of a call, the mean over `repeats`."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


if __name__ == "__main__":
    main()
