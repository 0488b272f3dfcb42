"""The largest error of each contender over the whole float range, in units in the last place.

The truth is the 50-digit result for the inputs as they are in the dtype. A unit is the distance between neighbouring
numbers of the dtype at the size of the terms that make up the result (`reference.py`): rounding the terms allows no
smaller error. Results below the normal numbers of the dtype are left out: some compilers flush them to zero on purpose.
"""

import argparse
import json
import sys
from typing import Any

import mpmath
import numpy as np

from bench.cases import ACCURACY, DTYPES, Case
from bench.contenders import taking_part
from bench.reference import Truth, truth

LABELS = (0.0, 1.0, 0.05)


def main(arguments: list[str] | None = None) -> None:
    """Measure every case and print the results as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="few numbers")
    many = not parser.parse_args(arguments).quick
    json.dump([measure(case, 16 if many else 1) for case in ACCURACY], sys.stdout)


def measure(case: Case, mantissas: int) -> dict[str, Any]:
    """Return a row: the largest error in loss and in slope of each contender, and where it occurs."""
    y_true, y_pred = grid(case, mantissas)
    with mpmath.workdps(50):
        exact = [oracle(case, float(y), float(z)) for y, z in zip(y_true, y_pred, strict=True)]
    errors = {}
    for contender in taking_part(case):
        call = contender.prepare(case, y_true, y_pred) if contender.computes else None
        if call is not None:
            loss, slope = (np.asarray(result) for result in call())
            errors[contender.name] = {
                "loss": worst(loss, [t.loss for t in exact], [t.loss_scale for t in exact], y_true, y_pred),
                "slope": worst(slope, [t.slope for t in exact], [t.slope_scale for t in exact], y_true, y_pred),
            }
    return {**case.described(), "points": y_pred.size, "ulps": errors}


def grid(case: Case, mantissas: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and predictions: numbers of every exponent, of both signs for logits, each with every label."""
    dtype = DTYPES[case.dtype]
    limits = np.finfo(dtype)
    exponents = np.arange(limits.minexp, limits.maxexp)
    fractions = 1 + np.random.default_rng(0).random((exponents.size, mantissas))
    positive = np.ldexp(fractions, exponents[:, None]).ravel()
    near_one = np.linspace(-20, 20, 40 * mantissas + 1)
    if case.space == "logits":
        points = np.concatenate([positive, -positive, near_one, 5 * near_one])
    else:
        points = np.concatenate([positive[positive < 1], 1 - positive[positive < 1], 1 / (1 + np.exp(-near_one))])
    points = points.astype(dtype)
    if case.space == "probabilities":
        points = points[(points > 0) & (points < 1)]
    points = np.unique(points)
    labels = np.array(LABELS, dtype)
    return np.repeat(labels, points.size), np.tile(points, labels.size)


def oracle(case: Case, y: float, z: float) -> Truth:
    """Return loss and slope of a label and a prediction, to the current precision of mpmath."""
    y, z = mpmath.mpf(y), mpmath.mpf(z)
    if case.space == "probabilities":
        p, q = z, 1 - z
        exact = truth(case.loss, y, p, q, -mpmath.log(p), -mpmath.log1p(-p), mpmath.log1p, max)
        return exact._replace(slope=exact.slope / (p * q), slope_scale=exact.slope_scale / (p * q))
    e = mpmath.exp(-abs(z))
    big, small, rest = 1 / (1 + e), e / (1 + e), mpmath.log1p(e)
    p, q = (big, small) if z >= 0 else (small, big)
    a, b = (rest, rest + z) if z >= 0 else (rest - z, rest)
    return truth(case.loss, y, p, q, a, b, mpmath.log1p, max)


def worst(
    got: np.ndarray, exact: list[Any], scale: list[Any], y_true: np.ndarray, y_pred: np.ndarray
) -> dict[str, Any]:
    """Return the largest error in ulps, and where it occurs; `ulps` is None if a result is infinite or NaN there."""
    limits = np.finfo(got.dtype)
    largest, where = 0.0, 0
    for i, (number, truth_here, scale_here) in enumerate(zip(got.astype(float), exact, scale, strict=True)):
        if not limits.smallest_normal <= abs(truth_here) <= limits.max:
            continue
        unit = mpmath.ldexp(1, int(mpmath.floor(mpmath.log(scale_here, 2))) - limits.nmant)
        error = float(abs(mpmath.mpf(number) - truth_here) / unit) if np.isfinite(number) else np.inf
        if error > largest:
            largest, where = error, i
    place = {"y_true": float(y_true[where]), "y_pred": float(y_pred[where])}
    return {"ulps": float(f"{largest:.3g}") if np.isfinite(largest) else None, **place}


if __name__ == "__main__":
    main()
