"""The losses as functions, one loss per sample."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from binxent import losses
from binxent._core.types import Axis
from binxent.tf_keras import _evaluation, _layers
from binxent.tf_keras._private import not_converted, registered


@registered()
@not_converted
def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
    *,
    pos_weight: ArrayLike | Mapping[int, float] | None = None,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> Any:
    """Compute binary cross-entropy per sample: the mean over `axis`, in the dtype of `y_pred`.

    `tf_keras.losses.binary_crossentropy`, with the options of `BinaryCrossentropy`.

    Args:
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`, ranks included.
        y_pred: Predictions, logits or probabilities.
        from_logits: Whether predictions are logits (any real number) or probabilities (in [0, 1]).
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        pos_weight: What a positive counts: a number, or one for each label on the last axis.
        ignore_label: Entries with this label, a number or NaN, take no part and do not count in a mean.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon] with epsilon added once more inside the
            logarithms, as Keras 2 does; None takes them exactly.

    Returns:
        A tensor in the shape of `y_pred` without `axis`, ragged ones with one loss per row; of symbolic tensors a
        symbolic one.

    Raises:
        ValueError: Shapes do not match, or an option is out of its range.
        TypeError: An option is of another kind.
        tf.errors.InvalidArgumentError: Shapes do not match that are known only when a graph runs.

    Example:
        >>> costs = binary_crossentropy([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], from_logits=True)
        >>> print(costs.numpy().round(2))
        [0.24 1.5 ]
    """
    return _sample_losses(losses.BinaryCrossentropy, **locals())


@registered()
@not_converted
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
    *,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> Any:
    """Compute the focal loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    `tf_keras.losses.binary_focal_crossentropy`. The options are those of `BinaryFocalCrossentropy`; the other
    arguments, and what is returned and raised, those of `binary_crossentropy`.

    Example:
        >>> print(binary_focal_crossentropy([[1, 0]], [[0.9, 0.4]]).numpy().round(4))
        [0.0414]
    """
    return _sample_losses(losses.BinaryFocalCrossentropy, **locals())


@registered()
@not_converted
def asymmetric_crossentropy(
    y_true: Any,
    y_pred: Any,
    gamma_pos: float = 1.0,
    gamma_neg: float = 4.0,
    margin: float = 0.05,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
    *,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> Any:
    """Compute the asymmetric loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The options are those of `AsymmetricCrossentropy`; the other arguments, and what is returned and raised, those of
    `binary_crossentropy`.

    Example:
        >>> print(asymmetric_crossentropy([[1, 0]], [[2.0, -3.5]], from_logits=True).numpy().round(4))
        [0.0076]
    """
    return _sample_losses(losses.AsymmetricCrossentropy, **locals())


@registered()
@not_converted
def poly_binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    epsilon_1: float = 1.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axis = -1,
    *,
    ignore_label: float | None = None,
    epsilon: float | None = 1e-7,
) -> Any:
    """Compute the Poly-1 loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The options are those of `PolyBinaryCrossentropy`; the other arguments, and what is returned and raised, those of
    `binary_crossentropy`.

    Example:
        >>> print(poly_binary_crossentropy([[1, 0]], [[0.9, 0.4]], epsilon_1=2.0).numpy().round(4))
        [0.8081]
    """
    return _sample_losses(losses.PolyBinaryCrossentropy, **locals())


def _sample_losses(kind: type[losses.Loss], y_true, y_pred, **options):
    compute = _layers.sample_losses if _layers.is_symbolic(y_true, y_pred) else _evaluation.sample_losses
    return compute(kind(**options), y_true, y_pred)
