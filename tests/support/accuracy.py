"""How exact results must be: the one table of tolerances, and losses with the truth at points of the whole range."""

from functools import cache

import numpy as np
from support import oracle
from support.cases import ELEMENTWISE, LOSSES, PREDICTION_KINDS, points

# How far loss, slope and curvature may be off, in units in the last place of the sum of their absolute terms, in
# either precision; a little more than the most that was measured (in brackets).
ULPS = {
    "bce": (1.8, 1.8, 2.3),  # 1.4 1.4 1.8
    "bce, positives 2.5": (2.0, 2.0, 2.4),
    "poly": (2.0, 2.0, 2.6),
    "poly -0.5": (2.0, 2.0, 2.6),
    "focal 0": (1.8, 1.8, 2.3),
    "focal 0.5": (2.0, 2.3, 2.8),
    "focal 1": (2.6, 3.0, 3.2),
    "focal 2, balanced": (4.0, 4.2, 4.2),
    "focal 3": (5.0, 5.0, 5.2),
    "focal 4": (6.0, 5.5, 6.5),
    "focal 7.3": (8.5, 9.0, 7.8),
    "asymmetric": (3.0, 3.5, 4.0),
    "asymmetric 0 0 0": (1.8, 1.8, 2.3),
    "asymmetric 2 3 0": (4.3, 5.3, 5.0),
    "asymmetric 0.5 7.3 0.05": (3.3, 3.7, 3.5),
    "asymmetric 0 2.5 0.5": (1.8, 2.0, 2.3),
}


@cache
def case(name, prediction_kind, real):
    """Return a loss, element by element, with predictions, labels and the truth."""
    loss = LOSSES[name](**PREDICTION_KINDS[prediction_kind], **ELEMENTWISE)
    x, y = points(loss.from_logits, real)
    if prediction_kind == "exact probabilities" and any(0 < gamma < 1 for gamma in powers(loss)):
        keep = (x > 0) & (x < 1)  # where an error is impossible, the curvature is infinite; formulas give 0
        x, y = x[keep], y[keep]
    return loss, x, y, oracle.truth(loss, x, y)


def powers(loss):
    """Return the exponents of a loss."""
    return [constant for name, constant in vars(loss).items() if name.startswith("gamma")]


def accurate(got, truth, allowed):
    """Raise where an error is larger than allowed."""
    got = np.stack(got)
    errors = oracle.ulps(got, oracle.Truth(*(part[: len(got)] for part in truth)))
    for row, (error, most) in enumerate(zip(errors, allowed, strict=False)):
        worst = error.argmax()
        assert error[worst] <= most, (
            f"{error[worst]:.3g} ulps in derivative {row} at point {worst}: {got[row, worst]!r}"
        )


def formulas_are_exact(formulas, name, prediction_kind):
    """Raise where the formulas of a module, run by NumPy as they stand, are not accurate."""
    loss, x, y, truth = case(name, prediction_kind, np.float64)
    # NumPy's own sums have no answer to infinity minus infinity; only kernels correct the logarithm of a subnormal.
    finite = np.isfinite(x) & ((abs(x) >= np.finfo(x.dtype).tiny) | (x == 0))
    build, *choices = loss.pointwise.formula_key
    formula = formulas.build_formulas(np)(loss.prediction_kind, getattr(formulas, build.__name__), *choices)
    with np.errstate(all="ignore"):
        results = formula(x[finite], (y[finite], 1 - y[finite]), loss.epsilon or 0.0, loss.pointwise.constants)
    results = [np.broadcast_to(result, x[finite].shape) for result in results]
    accurate(results, oracle.Truth(*(part[:, finite] for part in truth)), np.array(ULPS[name]) + 2)
