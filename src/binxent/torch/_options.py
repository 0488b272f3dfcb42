"""The losses that the options of torch's dialect name."""

import torch

from binxent import losses
from binxent.torch._dynamo import pointwise_of


def binary_cross_entropy_of(from_logits, pos_weight, label_smoothing, ignore_index):
    """The `Pointwise`, and `pos_weight` if it is a tensor; a number is a constant of it."""
    kind, clamped = losses.BinaryCrossentropy, not from_logits
    if isinstance(pos_weight, torch.Tensor):
        loss = pointwise_of(kind, from_logits, label_smoothing, ignore_label=ignore_index, clamped=clamped)
        return loss.with_pos_weight(1.0), pos_weight
    options = {"pos_weight": pos_weight, "ignore_label": ignore_index, "clamped": clamped}
    return pointwise_of(kind, from_logits, label_smoothing, **options), None


def focal_loss_of(alpha, gamma, label_smoothing, ignore_index):
    balanced = alpha is not None and alpha != -1
    return pointwise_of(
        losses.BinaryFocalCrossentropy,
        balanced,
        alpha if balanced else 0.25,
        gamma,
        True,
        label_smoothing,
        ignore_label=ignore_index,
    )


def asymmetric_loss_of(gamma_neg, gamma_pos, clip, label_smoothing, ignore_index):
    return pointwise_of(
        losses.AsymmetricCrossentropy,
        gamma_pos,
        gamma_neg,
        clip or 0.0,
        True,
        label_smoothing,
        ignore_label=ignore_index,
    )


def poly_loss_of(epsilon_1, label_smoothing, ignore_index):
    return pointwise_of(losses.PolyBinaryCrossentropy, epsilon_1, True, label_smoothing, ignore_label=ignore_index)
