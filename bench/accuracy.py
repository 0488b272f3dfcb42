"""How far each contender is from the truth, over the whole float range: the largest error in units in the last place.

The truth is the 50-digit result for the very numbers that were given. One unit is the distance between neighbouring
numbers of the dtype at the size of the terms that make up the result (`reference.py`), so that nobody is asked for
more than rounding the terms allows. Results too small for a normal number of the dtype are left out: some contenders'
compilers flush them to zero on purpose.
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
    """One row: each contender's worst loss and worst slope, and where they lie."""
    y_true, y_pred = grid(case, mantissas)
    with mpmath.workdps(50):
        exact = [oracle(case, float(y), float(z)) for y, z in zip(y_true, y_pred, strict=True)]
    errors = {}
    for contender in taking_part(case):
        call = contender.prepare(case, y_true, y_pred) if contender.computes else None
        if call is not None:
            loss, slope = (np.asarray(result) for result in call())
            errors[contender.name] = {
                "loss": worst(loss, [one.loss for one in exact], [one.loss_scale for one in exact], y_true, y_pred),
                "slope": worst(slope, [one.slope for one in exact], [one.slope_scale for one in exact], y_true, y_pred),
            }
    return {**case.described(), "points": y_pred.size, "ulps": errors}


def grid(case: Case, mantissas: int) -> tuple[np.ndarray, np.ndarray]:
    """Every exponent of the dtype, both signs for logits, some numbers in each, paired with every label."""
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
    """Loss and slope of one label and one prediction, to mpmath's present precision."""
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
    """The largest error in units in the last place, and where; `ulps` is None if a result is infinite or NaN there."""
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
