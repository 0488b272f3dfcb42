"""What is measured: the losses, and a case for each row of the tables."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

LARGE = 2**24
QUICK = 2**18
DTYPES = {name: np.dtype(name) for name in ("float64", "float32", "float16", "uint8")}
DTYPES["bfloat16"] = np.dtype(ml_dtypes.bfloat16)


@dataclass(frozen=True)
class Loss:
    """A loss with its parameters: `kind` is the name of its class in binxent, `function` that of its function."""

    title: str
    kind: str
    function: str
    options: Mapping[str, float] = field(default_factory=dict)


FOCAL = ("BinaryFocalCrossentropy", "binary_focal_crossentropy")
ASYMMETRIC = ("AsymmetricCrossentropy", "asymmetric_crossentropy")
LOSSES = {
    "bce": Loss("binary cross-entropy", "BinaryCrossentropy", "binary_crossentropy"),
    "weighted": Loss("binary cross-entropy, c = 3", "BinaryCrossentropy", "binary_crossentropy", {"pos_weight": 3.0}),
    "focal": Loss("focal, γ = 2", *FOCAL, {"gamma": 2.0}),
    "focal-7.3": Loss("focal, γ = 7.3", *FOCAL, {"gamma": 7.3}),
    "asymmetric-plain": Loss(
        "asymmetric, γ = 1 and 2, no margin", *ASYMMETRIC, {"gamma_pos": 1.0, "gamma_neg": 2.0, "margin": 0.0}
    ),
    "asymmetric-margin": Loss(
        "asymmetric, γ = 1 and 2, margin 0.05", *ASYMMETRIC, {"gamma_pos": 1.0, "gamma_neg": 2.0, "margin": 0.05}
    ),
    "asymmetric": Loss(
        "asymmetric, γ = 1 and 4, margin 0.05", *ASYMMETRIC, {"gamma_pos": 1.0, "gamma_neg": 4.0, "margin": 0.05}
    ),
    "poly": Loss("poly, ε₁ = 1", "PolyBinaryCrossentropy", "poly_binary_crossentropy", {"epsilon_1": 1.0}),
}

VALUE, GRADIENT, SAMPLES, ELEMENTS = "value", "value and gradient", "loss per sample", "loss and slope per element"
FORWARD, BACKWARD = "forward", "forward and backward"
MODES = ("eager", "tf.function", "XLA")


@dataclass(frozen=True)
class Case:
    """A row of a table: a loss, its arrays, and the result that is computed.

    `want` is VALUE (the mean), GRADIENT (the mean and its gradient), SAMPLES (the loss of each sample), ELEMENTS (the
    loss and slope of each element, for the accuracy), or in a training step of PyTorch or TensorFlow FORWARD (the
    mean, without a graph or tape) or BACKWARD (the mean and, through `backward()` or the tape, a new gradient). Without
    `rows` the arrays hold LARGE numbers; without `columns` they have one axis. `door` names the framework of the
    arrays, `mode` the way in which TensorFlow runs.
    """

    loss: str = "bce"
    want: str = VALUE
    space: str = "logits"
    dtype: str = "float32"
    labels: str = "float32"
    soft: bool = False
    rows: int | None = None
    columns: int | None = None
    door: str = "numpy"
    mode: str = ""

    @property
    def is_large(self) -> bool:
        return self.rows is None

    def arrays(self, large: int = LARGE) -> tuple[np.ndarray, np.ndarray]:
        """Return labels and predictions, the same each time; no prediction is so extreme that a peer would clip it."""
        rng = np.random.default_rng(0)
        size = self.rows * (self.columns or 1) if self.rows else large
        y_pred = rng.standard_normal(size, np.float32)
        y_pred *= 3
        np.clip(y_pred, -12, 12, out=y_pred)
        if self.space == "probabilities":
            y_pred = 1 / (1 + np.exp(-y_pred))
        y_true = rng.random(size, np.float32)
        if not self.soft:
            y_true = y_true < 0.3
        shape = (-1, self.columns) if self.columns else (-1,)
        return y_true.astype(DTYPES[self.labels]).reshape(shape), y_pred.astype(DTYPES[self.dtype]).reshape(shape)

    def described(self) -> dict[str, Any]:
        return asdict(self)


SPACES = ("logits", "probabilities")
FAMILY_LOSSES = [loss for loss in LOSSES if loss != "weighted"]  # a constant more, the same kernel as "bce"
FAMILY = [Case(loss, want, space) for loss in FAMILY_LOSSES for space in SPACES for want in (VALUE, GRADIENT)]
OTHER_INPUTS = [
    Case("bce", VALUE, labels="uint8"),
    Case("bce", GRADIENT, labels="uint8"),
    Case("bce", VALUE, dtype="float16", labels="float16"),
    Case("bce", GRADIENT, dtype="float16", labels="float16"),
    Case("bce", VALUE, dtype="bfloat16", labels="bfloat16"),
    Case("bce", GRADIENT, dtype="bfloat16", labels="bfloat16"),
    Case("bce", GRADIENT, dtype="float64", labels="float64"),
    Case("bce", GRADIENT, soft=True),
    Case("focal", GRADIENT, soft=True),
    Case("bce", GRADIENT, columns=1),
    Case("bce", GRADIENT, columns=1024),
]
BATCH = {"rows": 32, "columns": 1}
SMALL = [
    Case("bce", SAMPLES, **BATCH),
    Case("bce", VALUE, **BATCH),
    Case("bce", GRADIENT, **BATCH),
    Case("bce", SAMPLES, "probabilities", **BATCH),
]
STEPS = (FORWARD, BACKWARD)
COMMON = [("bce", "logits"), ("bce", "probabilities"), ("focal", "logits")]  # what every framework offers
TORCH = [
    *(Case(loss, want, space, door="torch") for loss, space in COMMON for want in STEPS),
    Case("bce", BACKWARD, dtype="bfloat16", labels="bfloat16", door="torch"),
    Case("bce", BACKWARD, labels="uint8", door="torch"),
    *(Case("bce", want, door="torch", **BATCH) for want in STEPS),
]
JAX = [
    *(Case(loss, want, space, door="jax") for loss, space in COMMON for want in (VALUE, GRADIENT)),
    *(Case("bce", want, door="jax", **BATCH) for want in (VALUE, GRADIENT)),
]
TENSORFLOW = [
    *(
        Case(loss, want, space, door="tensorflow", mode=mode)
        for loss, space in [*COMMON, ("weighted", "logits")]
        for want in STEPS
        for mode in MODES
    ),
    *(Case("bce", want, door="tensorflow", mode=mode, **BATCH) for want in STEPS for mode in MODES),
]
SPEED = {"numpy": [*FAMILY, *OTHER_INPUTS, *SMALL], "torch": TORCH, "jax": JAX, "tensorflow": TENSORFLOW}
MEMORY = {
    "numpy": [Case(loss, GRADIENT, space) for loss in ("bce", "focal") for space in SPACES],
    "torch": [Case(loss, BACKWARD, space, door="torch") for loss, space in COMMON],
    "jax": [Case(loss, GRADIENT, space, door="jax") for loss, space in COMMON],
    "tensorflow": [
        Case(loss, BACKWARD, space, door="tensorflow", mode=mode) for loss, space in COMMON for mode in MODES
    ],
}
ACCURACY = [
    *(Case(loss, ELEMENTS, space) for loss in ("bce", "focal", "asymmetric", "poly") for space in SPACES),
    Case("bce", ELEMENTS, dtype="float64", labels="float64"),
]
