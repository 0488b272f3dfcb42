"""The losses as functions of NumPy arrays, with the names, arguments and numbers of Keras."""

from collections.abc import Mapping
from functools import lru_cache

from numpy.typing import ArrayLike

from binxent._core.pointwise import element_part
from binxent._core.types import Axis, FloatArray
from binxent._kernels import loaded_arrays
from binxent.losses import (
    AsymmetricCrossentropy,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    Loss,
    PolyBinaryCrossentropy,
)


def binary_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
    *,
    pos_weight: ArrayLike | Mapping[int, float] | None = None,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> FloatArray:
    """Compute the binary cross-entropy of each sample: the mean of c y a + (1 - y) b over `axis`.

    Args:
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`. Here and below, entries that a masked
            array (np.ma) masks take no part.
        y_pred: Predictions, logits or probabilities.
        from_logits: Whether predictions are logits.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        pos_weight: c, what a positive counts: a number, or one for each label on the last axis.
        ignore_label: Entries with this label, a number or NaN, take no part.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon]; None takes them exactly.

    Returns:
        Array in the shape of `y_pred` without `axis`, in the dtype of `y_pred`; float32 for whole numbers and lists.

    Raises:
        ValueError: Shapes differ, a label or probability lies outside [0, 1], or an option is out of its range.
        TypeError: An array holds no real numbers, or an option is not a number.

    Example:
        >>> print(binary_crossentropy([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], from_logits=True).round(3))
        [0.235 1.496]

    The function of that name in `keras.losses`.
    """
    return _per_sample(
        BinaryCrossentropy,
        y_true,
        y_pred,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
        pos_weight=pos_weight,
        ignore_label=ignore_label,
        epsilon=epsilon,
    )


def binary_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
    *,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> FloatArray:
    """Compute the focal loss of each sample; `BinaryFocalCrossentropy` has the equation.

    Args:
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`. Here and below, entries that a masked
            array (np.ma) masks take no part.
        y_pred: Predictions, logits or probabilities.
        apply_class_balancing: Whether positives count alpha and negatives 1 - alpha.
        alpha: What positives count, in [0, 1].
        gamma: How strongly easy entries fade, any number >= 0.
        from_logits: Whether predictions are logits.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        ignore_label: Entries with this label, a number or NaN, take no part.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon]; None takes them exactly.

    Returns:
        Array in the shape of `y_pred` without `axis`, in the dtype of `y_pred`; float32 for whole numbers and lists.

    Raises:
        ValueError: Shapes differ, a label or probability lies outside [0, 1], or an option is out of its range.
        TypeError: An array holds no real numbers, or an option is not a number.

    Example:
        >>> print(binary_focal_crossentropy([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]).round(3))
        [0.33  0.206]

    The function of that name in `keras.losses`.
    """
    return _per_sample(
        BinaryFocalCrossentropy,
        y_true,
        y_pred,
        apply_class_balancing=apply_class_balancing,
        alpha=alpha,
        gamma=gamma,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
        ignore_label=ignore_label,
        epsilon=epsilon,
    )


def asymmetric_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    gamma_pos: float = 1.0,
    gamma_neg: float = 4.0,
    margin: float = 0.05,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
    *,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> FloatArray:
    """Compute the asymmetric loss of each sample; `AsymmetricCrossentropy` has the equation.

    Args:
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`. Here and below, entries that a masked
            array (np.ma) masks take no part.
        y_pred: Predictions, logits or probabilities.
        gamma_pos: How strongly easy positives fade, any number >= 0.
        gamma_neg: How strongly easy negatives fade, any number >= 0.
        margin: Negatives with a probability up to this cost nothing, in [0, 1).
        from_logits: Whether predictions are logits.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        ignore_label: Entries with this label, a number or NaN, take no part.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon]; None takes them exactly.

    Returns:
        Array in the shape of `y_pred` without `axis`, in the dtype of `y_pred`; float32 for whole numbers and lists.

    Raises:
        ValueError: Shapes differ, a label or probability lies outside [0, 1], or an option is out of its range.
        TypeError: An array holds no real numbers, or an option is not a number.

    Example:
        >>> print(asymmetric_crossentropy([[1, 0, 0]], [[0.7, 0.04, 0.5]]).round(6))
        [0.043839]
    """
    return _per_sample(
        AsymmetricCrossentropy,
        y_true,
        y_pred,
        gamma_pos=gamma_pos,
        gamma_neg=gamma_neg,
        margin=margin,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
        ignore_label=ignore_label,
        epsilon=epsilon,
    )


def poly_binary_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    epsilon_1: float = 1.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
    *,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> FloatArray:
    """Compute the Poly-1 loss of each sample; `PolyBinaryCrossentropy` has the equation.

    Args:
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`. Here and below, entries that a masked
            array (np.ma) masks take no part.
        y_pred: Predictions, logits or probabilities.
        epsilon_1: Coefficient of 1 - p_t.
        from_logits: Whether predictions are logits.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        ignore_label: Entries with this label, a number or NaN, take no part.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon]; None takes them exactly.

    Returns:
        Array in the shape of `y_pred` without `axis`, in the dtype of `y_pred`; float32 for whole numbers and lists.

    Raises:
        ValueError: Shapes differ, a label or probability lies outside [0, 1], or an option is out of its range.
        TypeError: An array holds no real numbers, or an option is not a number.

    Example:
        >>> print(poly_binary_crossentropy([[1, 0]], [[0.9, 0.4]]).round(6))
        [0.558093]
    """
    return _per_sample(
        PolyBinaryCrossentropy,
        y_true,
        y_pred,
        epsilon_1=epsilon_1,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
        ignore_label=ignore_label,
        epsilon=epsilon,
    )


def sigmoid_cross_entropy_with_logits(labels: ArrayLike, logits: ArrayLike) -> FloatArray:
    """Compute the binary cross-entropy of each element from its logit.

    Args:
        labels: Labels in [0, 1], in the shape of `logits`.
        logits: Any real numbers.

    Returns:
        Array in the shape and dtype of `logits`.

    Raises:
        ValueError: Shapes differ, or a label lies outside [0, 1].
        TypeError: An array holds no real numbers.

    Example:
        >>> print(sigmoid_cross_entropy_with_logits(labels=[0.0, 1.0], logits=[-20.0, 0.0]))
        [2.0611537e-09 6.9314718e-01]

    The function of that name in `tf.nn`.
    """
    return _evaluate(_ELEMENTWISE, labels, logits, ("labels", "logits"))


def weighted_cross_entropy_with_logits(
    labels: ArrayLike, logits: ArrayLike, pos_weight: ArrayLike | Mapping[int, float]
) -> FloatArray:
    """Compute the binary cross-entropy of each element from its logit, with positives counted `pos_weight` times.

    Args:
        labels: Labels in [0, 1], in the shape of `logits`.
        logits: Any real numbers.
        pos_weight: A number, or one for each label on the last axis.

    Returns:
        Array in the shape and dtype of `logits`.

    Raises:
        ValueError: Shapes differ, a label lies outside [0, 1], or a weight is negative or infinite.
        TypeError: An array holds no real numbers.

    Example:
        >>> print(weighted_cross_entropy_with_logits(labels=[1.0, 0.0], logits=[0.0, 0.0], pos_weight=3.0))
        [2.0794415 0.6931472]

    The function of that name in `tf.nn`.
    """
    loss = BinaryCrossentropy(True, axis=(), reduction="none", pos_weight=pos_weight)
    return _evaluate(loss, labels, logits, ("labels", "logits"))


def pointwise(loss: Loss, predictions: ArrayLike, labels: ArrayLike) -> FloatArray:
    """Compute any loss, a user's own included, of each element.

    Args:
        loss: A loss of `binxent.losses`, or one derived from `ElementwiseLoss`. Its axis, reduction and dtype play no
            part here.
        predictions: Logits or probabilities, as the loss says.
        labels: Labels in [0, 1], in the shape of `predictions`.

    Returns:
        Array in the shape and dtype of `predictions`.

    Raises:
        ValueError: Shapes differ, or a label or probability lies outside [0, 1].
        TypeError: An array holds no real numbers, or `loss` is not a loss.

    Example:
        >>> print(pointwise(BinaryCrossentropy(from_logits=True), [0.0, 2.0], [1, 0]).round(4))
        [0.6931 2.1269]
    """
    element_part(loss)  # refuses what is not a loss
    return _evaluate(_elementwise(loss), labels, predictions, ("labels", "predictions"))


@lru_cache(maxsize=256, typed=True)  # True is a truth value, and the 1 that equals it is not
def _cached_loss(kind, **parameters):
    return kind(reduction="none", **parameters)


@lru_cache(maxsize=256)
def _elementwise(loss):
    return loss.per_entry()


_ELEMENTWISE = BinaryCrossentropy(from_logits=True, axis=(), reduction="none")


def _per_sample(kind, y_true, y_pred, **parameters):
    try:
        loss = _cached_loss(kind, **parameters)
    except TypeError:  # a list or an array among the parameters is not hashable
        loss = kind(reduction="none", **parameters)
    return _evaluate(loss, y_true, y_pred)


def _evaluate(loss, y_true, y_pred, names=("y_true", "y_pred")):
    return loaded_arrays().evaluate(loss, y_true, y_pred, None, names, False)
