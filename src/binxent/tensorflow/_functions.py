"""The losses in tf.nn's dialect: one loss per element, labels first, options by keyword."""

import tensorflow as tf

from binxent import losses
from binxent._core.options import class_balance
from binxent.tensorflow._arguments import PosWeight, TensorLike
from binxent.tensorflow._pointwise import elementwise


def sigmoid_cross_entropy_with_logits(
    labels: TensorLike | None = None,
    logits: TensorLike | None = None,
    name: str | None = None,
    *,
    pos_weight: PosWeight | None = None,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
) -> tf.Tensor:
    """Compute binary cross-entropy of logits: c y log(1 + exp(-x)) + (1 - y) log(1 + exp(x)).

    `tf.nn.sigmoid_cross_entropy_with_logits`, with options.

    Args:
        labels: y in [0, 1], in the shape of `logits`.
        logits: x, any real number.
        name: Name of the operation.
        pos_weight: c, what a positive counts: a number, one for each label on the last axis, or an array or tensor
            with more axes that broadcasts to `logits`.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `logits` are not floating, `labels` are not real, or an option is not a number.
        tf.errors.InvalidArgumentError: Shapes differ that are known only when a graph runs.

    Example:
        >>> print(sigmoid_cross_entropy_with_logits(labels=[0.0, 1.0], logits=[-20.0, 0.0]).numpy())
        [2.0611537e-09 6.9314718e-01]
    """
    loss = losses.BinaryCrossentropy(True, label_smoothing, ignore_label=ignore_label)
    return elementwise(loss.pointwise, logits, labels, pos_weight, name=name)


def weighted_cross_entropy_with_logits(
    labels: TensorLike,
    logits: TensorLike,
    pos_weight: PosWeight,
    name: str | None = None,
    *,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
) -> tf.Tensor:
    """Compute binary cross-entropy of logits: pos_weight y log(1 + exp(-x)) + (1 - y) log(1 + exp(x)).

    `tf.nn.weighted_cross_entropy_with_logits`, whose gradient at 0 is wrong and whose negatives cost nothing from -17.

    Args:
        labels: y in [0, 1], in the shape of `logits`.
        logits: x, any real number.
        pos_weight: What a positive counts: a number, one for each label on the last axis, or an array or tensor with
            more axes that broadcasts to `logits`.
        name: Name of the operation.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `logits` are not floating, `labels` are not real, or an option is not a number.
        tf.errors.InvalidArgumentError: Shapes differ that are known only when a graph runs.

    Example:
        >>> print(weighted_cross_entropy_with_logits([1.0, 0.0], [0.0, -20.0], pos_weight=2.0).numpy())
        [1.3862944e+00 2.0611537e-09]
    """
    return sigmoid_cross_entropy_with_logits(
        labels,
        logits,
        name,
        pos_weight=pos_weight,
        label_smoothing=label_smoothing,
        ignore_label=ignore_label,
    )


def sigmoid_focal_cross_entropy_with_logits(
    labels: TensorLike,
    logits: TensorLike,
    alpha: float | None = None,
    gamma: float = 2.0,
    name: str | None = None,
    *,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
) -> tf.Tensor:
    """Compute the focal loss of logits: (1 - p_t)^gamma times binary cross-entropy, p_t the probability of the truth.

    From Lin et al., "Focal Loss for Dense Object Detection", 2017, section 3.

    Args:
        labels: y in [0, 1], in the shape of `logits`.
        logits: Any real number.
        alpha: What positives count, in [0, 1]; negatives count 1 - alpha. None or -1 counts both fully.
        gamma: How strongly easy entries fade, any number >= 0; 0 is binary cross-entropy.
        name: Name of the operation.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `logits` are not floating, `labels` are not real, or an option is not a number.
        tf.errors.InvalidArgumentError: Shapes differ that are known only when a graph runs.

    Example:
        >>> print(sigmoid_focal_cross_entropy_with_logits([1, 1], [0.0, 2.0], alpha=0.25).numpy().round(5))
        [0.04332 0.00045]
    """
    balance = class_balance(alpha)
    loss = losses.BinaryFocalCrossentropy(*balance, gamma, True, label_smoothing, ignore_label=ignore_label)
    return elementwise(loss.pointwise, logits, labels, name=name)


def sigmoid_asymmetric_cross_entropy_with_logits(
    labels: TensorLike,
    logits: TensorLike,
    gamma_pos: float = 1.0,
    gamma_neg: float = 4.0,
    margin: float = 0.05,
    name: str | None = None,
    *,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
) -> tf.Tensor:
    """Compute the asymmetric loss of logits, for labels that are mostly 0: easy negatives fade faster.

    Positives cost -(1 - p)^gamma_pos log(p), negatives -p_m^gamma_neg log(1 - p_m), where p_m = max(p - margin, 0).
    From Ridnik et al., "Asymmetric Loss For Multi-Label Classification", 2021, equations 4 to 6.

    Args:
        labels: y in [0, 1], in the shape of `logits`.
        logits: Any real number.
        gamma_pos: How strongly easy positives fade, any number >= 0.
        gamma_neg: How strongly easy negatives fade, any number >= 0.
        margin: Negatives with a probability up to this cost nothing, in [0, 1).
        name: Name of the operation.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `logits` are not floating, `labels` are not real, or an option is not a number.
        tf.errors.InvalidArgumentError: Shapes differ that are known only when a graph runs.

    Example:
        >>> print(sigmoid_asymmetric_cross_entropy_with_logits([1, 0], [2.0, -3.5]).numpy().round(4))
        [0.0151 0.    ]
    """
    loss = losses.AsymmetricCrossentropy(gamma_pos, gamma_neg, margin, True, label_smoothing, ignore_label=ignore_label)
    return elementwise(loss.pointwise, logits, labels, name=name)


def sigmoid_poly_cross_entropy_with_logits(
    labels: TensorLike,
    logits: TensorLike,
    epsilon_1: float = 1.0,
    name: str | None = None,
    *,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
) -> tf.Tensor:
    """Compute the poly-1 loss of logits: binary cross-entropy + epsilon_1 (1 - p_t), p_t the probability of the truth.

    From Leng et al., "PolyLoss", 2022, equation 5.

    Args:
        labels: y in [0, 1], in the shape of `logits`.
        logits: Any real number.
        epsilon_1: How much the first term of the loss's polynomial in 1 - p_t counts on top.
        name: Name of the operation.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `logits` are not floating, `labels` are not real, or an option is not a number.
        tf.errors.InvalidArgumentError: Shapes differ that are known only when a graph runs.

    Example:
        >>> print(sigmoid_poly_cross_entropy_with_logits([1], [0.0]).numpy().round(4))
        [1.1931]
    """
    loss = losses.PolyBinaryCrossentropy(epsilon_1, True, label_smoothing, ignore_label=ignore_label)
    return elementwise(loss.pointwise, logits, labels, name=name)


def binary_crossentropy(
    target: TensorLike,
    output: TensorLike,
    from_logits: bool = False,
    *,
    pos_weight: PosWeight | None = None,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> tf.Tensor:
    """Compute binary cross-entropy of probabilities or logits: the `binary_crossentropy` of Keras's backend.

    Args:
        target: Labels in [0, 1], in the shape of `output`.
        output: Probabilities in [0, 1], or logits.
        from_logits: Whether `output` holds logits; this is never guessed.
        pos_weight: What a positive counts: a number, one for each label on the last axis, or an array or tensor with
            more axes that broadcasts to `output`.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon] and have the clipped point's gradient; None takes
            them exactly.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `output` is not floating, `target` is not real, or an option is not a number.
        tf.errors.InvalidArgumentError: Shapes differ that are known only when a graph runs.

    Example:
        >>> print(binary_crossentropy([1.0, 1.0], [0.9, 0.0]).numpy().round(4))
        [ 0.1054 16.1181]
    """
    loss = losses.BinaryCrossentropy(from_logits, label_smoothing, ignore_label=ignore_label, epsilon=epsilon)
    return elementwise(loss.pointwise, output, target, pos_weight)


def binary_focal_crossentropy(
    target: TensorLike,
    output: TensorLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    *,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> tf.Tensor:
    """Compute the focal loss of probabilities or logits: the `binary_focal_crossentropy` of Keras's backend.

    An element costs (1 - p_t)^gamma times its binary cross-entropy, where p_t is the probability of the truth.
    From Lin et al., "Focal Loss for Dense Object Detection", 2017, section 3.

    Args:
        target: Labels y in [0, 1], in the shape of `output`.
        output: Probabilities p in [0, 1], or logits.
        apply_class_balancing: Whether positives count alpha, and negatives 1 - alpha.
        alpha: In [0, 1].
        gamma: How strongly easy entries fade, any number >= 0; 0 is binary cross-entropy.
        from_logits: Whether `output` holds logits; this is never guessed.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon] and have the clipped point's gradient; None takes
            them exactly.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `output` is not floating, `target` is not real, or an option is not a number.
        tf.errors.InvalidArgumentError: Shapes differ that are known only when a graph runs.

    Example:
        >>> print(binary_focal_crossentropy([1.0, 0.0], [0.9, 0.4]).numpy().round(4))
        [0.0011 0.0817]
    """
    loss = losses.BinaryFocalCrossentropy(
        apply_class_balancing, alpha, gamma, from_logits, label_smoothing, ignore_label=ignore_label, epsilon=epsilon
    )
    return elementwise(loss.pointwise, output, target)


def asymmetric_crossentropy(
    target: TensorLike,
    output: TensorLike,
    gamma_pos: float = 1.0,
    gamma_neg: float = 4.0,
    margin: float = 0.05,
    from_logits: bool = False,
    *,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> tf.Tensor:
    """Compute the asymmetric loss of probabilities or logits, for labels that are mostly 0.

    Positives cost -(1 - p)^gamma_pos log(p), negatives -p_m^gamma_neg log(1 - p_m), where p_m = max(p - margin, 0).
    From Ridnik et al., "Asymmetric Loss For Multi-Label Classification", 2021, equations 4 to 6.

    Args:
        target: Labels y in [0, 1], in the shape of `output`.
        output: Probabilities p in [0, 1], or logits.
        gamma_pos: How strongly easy positives fade, any number >= 0.
        gamma_neg: How strongly easy negatives fade, any number >= 0.
        margin: Negatives with a probability up to this cost nothing, in [0, 1).
        from_logits: Whether `output` holds logits; this is never guessed.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon] and have the clipped point's gradient; None takes
            them exactly.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `output` is not floating, `target` is not real, or an option is not a number.
        tf.errors.InvalidArgumentError: Shapes differ that are known only when a graph runs.

    Example:
        >>> print(asymmetric_crossentropy([1.0, 0.0], [0.9, 0.03]).numpy().round(4))
        [0.0105 0.    ]
    """
    loss = losses.AsymmetricCrossentropy(
        gamma_pos, gamma_neg, margin, from_logits, label_smoothing, ignore_label=ignore_label, epsilon=epsilon
    )
    return elementwise(loss.pointwise, output, target)


def poly_binary_crossentropy(
    target: TensorLike,
    output: TensorLike,
    epsilon_1: float = 1.0,
    from_logits: bool = False,
    *,
    label_smoothing: float = 0.0,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> tf.Tensor:
    """Compute the poly-1 loss of probabilities or logits: binary cross-entropy + epsilon_1 (1 - p_t).

    p_t is the probability of the truth. From Leng et al., "PolyLoss", 2022, equation 5.

    Args:
        target: Labels y in [0, 1], in the shape of `output`.
        output: Probabilities p in [0, 1], or logits.
        epsilon_1: How much the first term of the loss's polynomial in 1 - p_t counts on top.
        from_logits: Whether `output` holds logits; this is never guessed.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, cost 0.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon] and have the clipped point's gradient; None takes
            them exactly.

    Returns:
        The loss of each element.

    Raises:
        ValueError: Shapes differ, or an option is out of its range.
        TypeError: `output` is not floating, `target` is not real, or an option is not a number.
        tf.errors.InvalidArgumentError: Shapes differ that are known only when a graph runs.

    Example:
        >>> print(poly_binary_crossentropy([1.0], [0.5]).numpy().round(4))
        [1.1931]
    """
    loss = losses.PolyBinaryCrossentropy(
        epsilon_1, from_logits, label_smoothing, ignore_label=ignore_label, epsilon=epsilon
    )
    return elementwise(loss.pointwise, output, target)
