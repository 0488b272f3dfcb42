"""The losses in optax's dialect: one loss per element, predictions first, options by keyword."""

from collections.abc import Mapping

import jax

from binxent import losses
from binxent.jax._pointwise import ArrayLike, PerLabel, elementwise, focal


def sigmoid_binary_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    pos_weight: PerLabel | Mapping[int, float] | None = None,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
) -> jax.Array:
    """Compute binary cross-entropy of logits: c y log(1 + exp(-z)) + (1 - y) log(1 + exp(z)).

    Args:
        logits: z, any real number.
        labels: y in [0, 1], in the shape of `logits`.
        pos_weight: c, what a positive counts: a number, or one for each label on the last axis.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `logits` are not floating, `labels` are not real, or an option is not a number.

    Example:
        >>> print(sigmoid_binary_cross_entropy(jnp.array([-20.0, 0.0]), jnp.array([0, 1])))
        [2.0611537e-09 6.9314718e-01]
    """
    loss = losses.BinaryCrossentropy(True, label_smoothing, ignore_label=ignore_label)
    return elementwise(loss.pointwise, logits, labels, pos_weight)


def binary_cross_entropy(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    pos_weight: PerLabel | Mapping[int, float] | None = None,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> jax.Array:
    """Compute binary cross-entropy of probabilities: -c y log(p) - (1 - y) log(1 - p).

    Args:
        probabilities: p in [0, 1].
        labels: y in [0, 1], in the shape of `probabilities`.
        pos_weight: c, what a positive counts: a number, or one for each label on the last axis.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.
        epsilon: p is clipped to [epsilon, 1 - epsilon], and has the clipped point's gradient; None takes p exactly.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `probabilities` are not floating, `labels` are not real, or an option is not a number.

    Example:
        >>> print(binary_cross_entropy(jnp.array([0.9, 0.0]), jnp.array([1, 1])).round(4))
        [ 0.1054 16.1181]
    """
    loss = losses.BinaryCrossentropy(False, label_smoothing, ignore_label=ignore_label, epsilon=epsilon)
    return elementwise(loss.pointwise, probabilities, labels, pos_weight)


def sigmoid_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    alpha: PerLabel | None = None,
    gamma: PerLabel = 2.0,
    *,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
) -> jax.Array:
    """Compute the focal loss of logits: (1 - p_t)^gamma times binary cross-entropy, p_t the probability of the truth.

    From Lin et al., "Focal Loss for Dense Object Detection", 2017, section 3.

    Args:
        logits: Any real number.
        labels: y in [0, 1], in the shape of `logits`.
        alpha: What positives count, in [0, 1], a number or one for each label on the last axis; negatives count
            1 - alpha. None or -1 counts both fully.
        gamma: How strongly easy entries fade, >= 0, a number or one for each label; 0 is binary cross-entropy.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `logits` are not floating, `labels` are not real, or an option is not a number.

    Example:
        >>> print(sigmoid_focal_loss(jnp.array([0.0, 20.0]), jnp.array([1, 1]), alpha=0.25).round(4))
        [0.0433 0.    ]
    """
    return focal(logits, labels, alpha, gamma, True, label_smoothing, ignore_label=ignore_label)


def binary_focal_loss(
    probabilities: ArrayLike,
    labels: ArrayLike,
    alpha: PerLabel | None = None,
    gamma: PerLabel = 2.0,
    *,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> jax.Array:
    """Compute the focal loss of probabilities: (1 - p_t)^gamma times binary cross-entropy, p_t that of the truth.

    From Lin et al., "Focal Loss for Dense Object Detection", 2017, section 3.

    Args:
        probabilities: p in [0, 1].
        labels: y in [0, 1], in the shape of `probabilities`.
        alpha: What positives count, in [0, 1], a number or one for each label on the last axis; negatives count
            1 - alpha. None or -1 counts both fully.
        gamma: How strongly easy entries fade, >= 0, a number or one for each label; 0 is binary cross-entropy.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.
        epsilon: p is clipped to [epsilon, 1 - epsilon], and has the clipped point's gradient; None takes p exactly.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `probabilities` are not floating, `labels` are not real, or an option is not a number.

    Example:
        >>> print(binary_focal_loss(jnp.array([0.9, 0.4]), jnp.array([1, 0])).round(4))
        [0.0011 0.0817]
    """
    return focal(
        probabilities, labels, alpha, gamma, False, label_smoothing, ignore_label=ignore_label, epsilon=epsilon
    )


def sigmoid_asymmetric_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    gamma_pos: float = 1.0,
    gamma_neg: float = 4.0,
    margin: float = 0.05,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
) -> jax.Array:
    """Compute the asymmetric loss of logits, for labels that are mostly 0: easy negatives fade faster.

    Positives cost -(1 - p)^gamma_pos log(p), negatives -p_m^gamma_neg log(1 - p_m), where p_m = max(p - margin, 0).
    From Ridnik et al., "Asymmetric Loss For Multi-Label Classification", 2021, equations 4 to 6.

    Args:
        logits: Any real number.
        labels: y in [0, 1], in the shape of `logits`.
        gamma_pos: How strongly easy positives fade, any number >= 0.
        gamma_neg: How strongly easy negatives fade, any number >= 0.
        margin: Negatives with a probability up to this cost nothing, in [0, 1).
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `logits` are not floating, `labels` are not real, or an option is not a number.

    Example:
        >>> print(sigmoid_asymmetric_loss(jnp.array([2.0, -3.5]), jnp.array([1, 0])).round(4))
        [0.0151 0.    ]
    """
    loss = losses.AsymmetricCrossentropy(gamma_pos, gamma_neg, margin, True, label_smoothing, ignore_label=ignore_label)
    return elementwise(loss.pointwise, logits, labels)


def binary_asymmetric_loss(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    gamma_pos: float = 1.0,
    gamma_neg: float = 4.0,
    margin: float = 0.05,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> jax.Array:
    """Compute the asymmetric loss of probabilities, for labels that are mostly 0: easy negatives fade faster.

    Positives cost -(1 - p)^gamma_pos log(p), negatives -p_m^gamma_neg log(1 - p_m), where p_m = max(p - margin, 0).
    From Ridnik et al., "Asymmetric Loss For Multi-Label Classification", 2021, equations 4 to 6.

    Args:
        probabilities: p in [0, 1].
        labels: y in [0, 1], in the shape of `probabilities`.
        gamma_pos: How strongly easy positives fade, any number >= 0.
        gamma_neg: How strongly easy negatives fade, any number >= 0.
        margin: Negatives with a probability up to this cost nothing, in [0, 1).
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.
        epsilon: p is clipped to [epsilon, 1 - epsilon], and has the clipped point's gradient; None takes p exactly.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `probabilities` are not floating, `labels` are not real, or an option is not a number.

    Example:
        >>> print(binary_asymmetric_loss(jnp.array([0.9, 0.03]), jnp.array([1, 0])).round(4))
        [0.0105 0.    ]
    """
    loss = losses.AsymmetricCrossentropy(
        gamma_pos, gamma_neg, margin, False, label_smoothing, ignore_label=ignore_label, epsilon=epsilon
    )
    return elementwise(loss.pointwise, probabilities, labels)


def sigmoid_poly_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    epsilon_1: float = 1.0,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
) -> jax.Array:
    """Compute the poly-1 loss of logits: binary cross-entropy + epsilon_1 (1 - p_t), p_t the probability of the truth.

    From Leng et al., "PolyLoss", 2022, equation 5.

    Args:
        logits: Any real number.
        labels: y in [0, 1], in the shape of `logits`.
        epsilon_1: How much the first term of the loss's polynomial in 1 - p_t counts on top.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `logits` are not floating, `labels` are not real, or an option is not a number.

    Example:
        >>> print(sigmoid_poly_loss(jnp.array([0.0]), jnp.array([1])).round(4))
        [1.1931]
    """
    loss = losses.PolyBinaryCrossentropy(epsilon_1, True, label_smoothing, ignore_label=ignore_label)
    return elementwise(loss.pointwise, logits, labels)


def binary_poly_loss(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    epsilon_1: float = 1.0,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> jax.Array:
    """Compute the poly-1 loss of probabilities: binary cross-entropy + epsilon_1 (1 - p_t), p_t that of the truth.

    From Leng et al., "PolyLoss", 2022, equation 5.

    Args:
        probabilities: p in [0, 1].
        labels: y in [0, 1], in the shape of `probabilities`.
        epsilon_1: How much the first term of the loss's polynomial in 1 - p_t counts on top.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.
        epsilon: p is clipped to [epsilon, 1 - epsilon], and has the clipped point's gradient; None takes p exactly.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `probabilities` are not floating, `labels` are not real, or an option is not a number.

    Example:
        >>> print(binary_poly_loss(jnp.array([0.5]), jnp.array([1])).round(4))
        [1.1931]
    """
    loss = losses.PolyBinaryCrossentropy(epsilon_1, False, label_smoothing, ignore_label=ignore_label, epsilon=epsilon)
    return elementwise(loss.pointwise, probabilities, labels)
