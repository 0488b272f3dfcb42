"""The losses and the predictions that the tests of the core go through."""

import numpy as np

import binxent as bx
from binxent.losses import FAMILY as FAMILY  # one of each

PREDICTION_KINDS = {
    "logits": {"from_logits": True},
    "probabilities": {"from_logits": False},
    "exact probabilities": {"from_logits": False, "epsilon": None},
}
ELEMENTWISE = {"axis": (), "reduction": "none"}
SOFT = (0.5, 0.3, 0.001, 0.999)

# Losses with every kind of power, by their names in the table of tolerances.
LOSSES = {
    "bce": lambda **options: bx.BinaryCrossentropy(**options),
    "bce, positives 2.5": lambda **options: bx.BinaryCrossentropy(pos_weight=2.5, **options),
    "poly": lambda **options: bx.PolyBinaryCrossentropy(**options),
    "poly -0.5": lambda **options: bx.PolyBinaryCrossentropy(-0.5, **options),
    "focal 0": lambda **options: bx.BinaryFocalCrossentropy(gamma=0, **options),
    "focal 0.5": lambda **options: bx.BinaryFocalCrossentropy(gamma=0.5, **options),
    "focal 1": lambda **options: bx.BinaryFocalCrossentropy(gamma=1, **options),
    "focal 2, balanced": lambda **options: bx.BinaryFocalCrossentropy(True, 0.3, **options),
    "focal 3": lambda **options: bx.BinaryFocalCrossentropy(gamma=3, **options),
    "focal 4": lambda **options: bx.BinaryFocalCrossentropy(gamma=4, **options),
    "focal 7.3": lambda **options: bx.BinaryFocalCrossentropy(gamma=7.3, **options),
    "asymmetric": lambda **options: bx.AsymmetricCrossentropy(**options),
    "asymmetric 0 0 0": lambda **options: bx.AsymmetricCrossentropy(0, 0, 0, **options),
    "asymmetric 2 3 0": lambda **options: bx.AsymmetricCrossentropy(2, 3, 0, **options),
    "asymmetric 0.5 7.3 0.05": lambda **options: bx.AsymmetricCrossentropy(0.5, 7.3, 0.05, **options),
    "asymmetric 0 2.5 0.5": lambda **options: bx.AsymmetricCrossentropy(0, 2.5, 0.5, **options),
}


def points(from_logits, real):
    """Return predictions over a whole float type, each with both hard labels, and some with soft labels."""
    info, rng = np.finfo(real), np.random.default_rng(0)
    if from_logits:
        ends = [0, info.smallest_subnormal, info.tiny, 1e-20, 1e-10, 1e-6, 1e-3, 1000, 1e5, 1e20, info.max, np.inf]
        # Where exponentials change their last bits, sigmoids saturate, and results become subnormal and vanish.
        turns = [
            0.1,
            0.34,
            0.35,
            0.5,
            0.69,
            0.7,
            1,
            1.0397,
            1.04,
            2,
            3,
            4,
            5,
            7,
            9,
            12,
            15,
            16.6,
            17,
            18,
            20,
            30,
            36,
            37,
        ]
        tails = [50, 70, 86, 87, 88, 89, 95, 100, 103, 104, 105, 120, 300, 500, 700, 708, 709, 710, 740, 745, 746, 750]
        x = np.array([*ends, *turns, *tails, *rng.exponential(3, 20)])
        x = np.concatenate([x, -x])
    else:
        ends = [0, info.smallest_subnormal, info.tiny, 1e-35, 1e-30, 1e-18, 1e-15, 1e-10, 1e-8, 0.99e-7, 1e-7, 1.01e-7]
        turns = [1e-6, 1e-4, 0.01, 0.049, 0.051, 0.1, 0.2, 0.25, 0.29, 0.3, 0.4, 0.499, 0.5]
        x = np.array([*ends, *turns, *rng.uniform(0, 0.5, 20), *10 ** rng.uniform(-8, 0, 10)])
        edges = [np.nextafter(real(edge), real(to)) for edge in (0.05, 0.5, 1) for to in (0, 1)]
        x = np.concatenate([x, 1 - x, edges, [0.05]])
    x, rare = np.unique(x.astype(real)), len(SOFT)
    chosen = [(x, 0), (x, 1), *((x[start::rare], soft) for start, soft in enumerate(SOFT))]
    labels = np.concatenate([np.full(len(some), label, real) for some, label in chosen])
    return np.concatenate([some for some, _ in chosen]), labels


def predictions(from_logits, shape, dtype="float32", seed=0):
    """Draw labels, and predictions of a model that has learnt something, from a seed."""
    rng = np.random.default_rng(seed)
    y = np.asarray(rng.integers(0, 2, shape))
    z = rng.normal(2.0 * y - 1, 2.0)
    return y.astype(np.float32), np.asarray(z if from_logits else 1 / (1 + np.exp(-z)), dtype)
