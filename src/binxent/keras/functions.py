"""The losses as functions, one loss per sample."""

from keras.saving import register_keras_serializable

from binxent import losses
from binxent.keras._evaluation import per_sample


@register_keras_serializable(package="binxent")
def binary_crossentropy(
    y_true,
    y_pred,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
    *,
    pos_weight=None,
    ignore_label=None,
    epsilon=1e-7,
):
    """Binary cross-entropy per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `BinaryCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> costs = binary_crossentropy([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], from_logits=True)
        >>> print(*(f"{float(cost):.3f}" for cost in costs))
        0.235 1.496
    """
    spec = losses.BinaryCrossentropy(
        from_logits, label_smoothing, axis, pos_weight=pos_weight, ignore_label=ignore_label, epsilon=epsilon
    )
    return per_sample(spec, y_true, y_pred)


@register_keras_serializable(package="binxent")
def binary_focal_crossentropy(
    y_true,
    y_pred,
    apply_class_balancing=False,
    alpha=0.25,
    gamma=2.0,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
    *,
    ignore_label=None,
    epsilon=1e-7,
):
    """Focal loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `BinaryFocalCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(f"{float(binary_focal_crossentropy([[1, 0]], [[0.9, 0.4]])[0]):.4f}")
        0.0414
    """
    spec = losses.BinaryFocalCrossentropy(
        apply_class_balancing,
        alpha,
        gamma,
        from_logits,
        label_smoothing,
        axis,
        ignore_label=ignore_label,
        epsilon=epsilon,
    )
    return per_sample(spec, y_true, y_pred)


@register_keras_serializable(package="binxent")
def asymmetric_crossentropy(
    y_true,
    y_pred,
    gamma_pos=1.0,
    gamma_neg=4.0,
    margin=0.05,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
    *,
    ignore_label=None,
    epsilon=1e-7,
):
    """Asymmetric loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `AsymmetricCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(f"{float(asymmetric_crossentropy([[1, 0]], [[2.0, -3.5]], from_logits=True)[0]):.4f}")
        0.0076
    """
    spec = losses.AsymmetricCrossentropy(
        gamma_pos,
        gamma_neg,
        margin,
        from_logits,
        label_smoothing,
        axis,
        ignore_label=ignore_label,
        epsilon=epsilon,
    )
    return per_sample(spec, y_true, y_pred)


@register_keras_serializable(package="binxent")
def poly_binary_crossentropy(
    y_true,
    y_pred,
    epsilon_1=1.0,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
    *,
    ignore_label=None,
    epsilon=1e-7,
):
    """Poly-1 loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `PolyBinaryCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(f"{float(poly_binary_crossentropy([[1, 0]], [[0.9, 0.4]], epsilon_1=2.0)[0]):.4f}")
        0.8081
    """
    spec = losses.PolyBinaryCrossentropy(
        epsilon_1, from_logits, label_smoothing, axis, ignore_label=ignore_label, epsilon=epsilon
    )
    return per_sample(spec, y_true, y_pred)
