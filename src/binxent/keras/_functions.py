"""The losses as functions, one loss per sample."""

from keras.saving import register_keras_serializable

from binxent import losses
from binxent._core.signatures import per_sample
from binxent.keras import _evaluation


@register_keras_serializable(package="binxent")
@per_sample(losses.BinaryCrossentropy)
def binary_crossentropy(spec, y_true, y_pred):
    """Binary cross-entropy per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `BinaryCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> costs = binary_crossentropy([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], from_logits=True)
        >>> print(*(f"{float(cost):.3f}" for cost in costs))
        0.235 1.496
    """
    return _evaluation.per_sample(spec, y_true, y_pred)


@register_keras_serializable(package="binxent")
@per_sample(losses.BinaryFocalCrossentropy)
def binary_focal_crossentropy(spec, y_true, y_pred):
    """Focal loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `BinaryFocalCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(f"{float(binary_focal_crossentropy([[1, 0]], [[0.9, 0.4]])[0]):.4f}")
        0.0414
    """
    return _evaluation.per_sample(spec, y_true, y_pred)


@register_keras_serializable(package="binxent")
@per_sample(losses.AsymmetricCrossentropy)
def asymmetric_crossentropy(spec, y_true, y_pred):
    """Asymmetric loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `AsymmetricCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(f"{float(asymmetric_crossentropy([[1, 0]], [[2.0, -3.5]], from_logits=True)[0]):.4f}")
        0.0076
    """
    return _evaluation.per_sample(spec, y_true, y_pred)


@register_keras_serializable(package="binxent")
@per_sample(losses.PolyBinaryCrossentropy)
def poly_binary_crossentropy(spec, y_true, y_pred):
    """Poly-1 loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `PolyBinaryCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(f"{float(poly_binary_crossentropy([[1, 0]], [[0.9, 0.4]], epsilon_1=2.0)[0]):.4f}")
        0.8081
    """
    return _evaluation.per_sample(spec, y_true, y_pred)
