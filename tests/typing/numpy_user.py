"""Code that a user of the NumPy door may write. What is wrong must be found: a needless `ignore` is an error, too."""

import numpy as np
from numpy.typing import NDArray

import binxent as bx
from binxent import losses

labels, logits = np.array([[1, 0], [0, 1]]), np.zeros((2, 2), np.float32)
weights: NDArray[np.float64] = np.ones(2)

# Losses.
loss = bx.BinaryCrossentropy(from_logits=True, label_smoothing=0.1, pos_weight=[1.0, 2.0])
mean: float = float(loss(labels, logits, sample_weight=weights))
rounded = loss([0, 1], [0.5, -1.5]).round(3)
first, second = bx.BinaryCrossentropy(reduction="none")([[0], [1]], [[0.5], [0.25]])
family: list[losses.Loss] = [
    bx.BinaryFocalCrossentropy(gamma=2, axis=(0, 1)),
    bx.AsymmetricCrossentropy(reduction="none", axis=None),
    bx.PolyBinaryCrossentropy(reduction=None, dtype=np.float64),
    bx.BinaryCrossentropy(pos_weight={0: 1.0, 1: 3.0}, ignore_label=-1, epsilon=None, dtype="float32"),
]
twin: bx.BinaryCrossentropy = bx.BinaryCrossentropy.from_config(loss.get_config())

# Functions.
each: NDArray[np.floating] = bx.binary_crossentropy(labels, logits, from_logits=True, pos_weight=np.ones(2))
each = bx.binary_focal_crossentropy(labels, logits, True, 0.25, 2.0, from_logits=True)
each = bx.asymmetric_crossentropy(labels, logits, margin=0.1, axis=-1)
each = bx.poly_binary_crossentropy(labels, logits, 2.0)
each = bx.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
each = bx.weighted_cross_entropy_with_logits(labels, logits, pos_weight=3)
each = bx.pointwise(loss, logits, labels)
value, gradient = bx.value_and_grad(loss, labels, logits, weights, out=np.empty_like(logits))
value, gradient, hessian = bx.value_grad_hess(loss, labels, logits)
total: float = float(value) + float(hessian.sum())

# Class balance and threads.
balanced = bx.BinaryCrossentropy(True, pos_weight=bx.balanced_pos_weight(labels, ignore_label=-1))
bias: float = float(bx.prior_logit([1, 0, 0]))
bx.set_num_threads(bx.get_num_threads())

# Wrong calls.
bx.BinaryCrossentropy(reduction="average")  # type: ignore[arg-type]
bx.BinaryCrossentropy(from_logit=True)  # type: ignore[call-arg]
bx.BinaryCrossentropy(axis=1.5)  # type: ignore[arg-type]
bx.BinaryFocalCrossentropy(gamma="2")  # type: ignore[arg-type]
bx.AsymmetricCrossentropy(margin=None)  # type: ignore[arg-type]
bx.binary_crossentropy(labels)  # type: ignore[call-arg]
bx.binary_crossentropy(labels, logits, reduction="mean")  # type: ignore[call-arg]
bx.binary_crossentropy(labels, logits, False, 0.0, -1, 2.0)  # type: ignore[call-arg]
bx.weighted_cross_entropy_with_logits(labels, logits)  # type: ignore[call-arg]
bx.value_and_grad(labels, logits, loss)  # type: ignore[arg-type]
bx.value_and_grad(loss, labels, logits, out=[0.0])  # type: ignore[arg-type]
bx.pointwise("binary_crossentropy", logits, labels)  # type: ignore[arg-type]
bx.set_num_threads("2")  # type: ignore[arg-type]
word: str = loss(labels, logits)  # type: ignore[assignment]
loss.label_smoothing = 0.2  # type: ignore[misc]
bx.cross_entropy  # type: ignore[attr-defined]  # noqa: B018
