"""Losses of `binxent.losses` on tensors: what the Keras door calls."""

import torch

from binxent.torch._dispatch import evaluate
from binxent.torch._dynamo import recipe_of


def elementwise(spec, predictions, labels, pos_weight=None, reading=None):
    """The loss of each element under a loss of `binxent.losses`, which the Keras door calls.

    Args:
        spec: The loss. Its axis, reduction and dtype play no part here.
        predictions: Floating tensor of logits or probabilities, as the loss says.
        labels: Tensor in the shape of `predictions`.
        pos_weight: Takes the place of the loss's own: a tensor that broadcasts to the predictions.
        reading: How predictions are read, in place of the loss's own reading; `formulas.py` names them.

    Returns:
        A tensor in the shape and dtype of `predictions`.

    Raises:
        ValueError: Shapes differ, or a value is impossible.
        TypeError: `predictions` are not floating, or `labels` are not real.

    Example:
        >>> from binxent import losses
        >>> spec = losses.BinaryCrossentropy(from_logits=True)
        >>> print(elementwise(spec, torch.tensor([0.0, 2.0]), torch.tensor([1, 0])))
        tensor([0.6931, 2.1269])
    """
    return reduced(spec, "none", predictions, labels, None, pos_weight, reading)


def reduced(spec, reduction, predictions, labels, weight=None, pos_weight=None, reading=None):
    """What `elementwise` would give, reduced as the functions of this module do, in one pass.

    Args:
        spec: The loss.
        reduction: "none", "mean", "sum" or "weighted_mean".
        predictions: As for `elementwise`.
        labels: As for `elementwise`.
        weight: Factors of each element's loss, a tensor that broadcasts to the predictions.
        pos_weight: As for `elementwise`.
        reading: As for `elementwise`.

    Returns:
        A 0-d tensor, or with the reduction "none" one in the shape of the predictions.

    Raises:
        ValueError: Shapes do not match, or a value is impossible.
        TypeError: `predictions` are not floating, or `labels` are not real.

    Example:
        >>> from binxent import losses
        >>> spec = losses.BinaryCrossentropy(from_logits=True)
        >>> print(reduced(spec, "mean", torch.tensor([0.0, 2.0]), torch.tensor([1, 0])))
        tensor(1.4100)
    """
    if pos_weight is None and isinstance(spec.constants[0], tuple):
        pos_weight = torch.tensor(spec.constants[0], dtype=predictions.dtype, device=predictions.device)
        if pos_weight.shape != predictions.shape[-1:]:
            raise ValueError(
                "`pos_weight` must be a number or hold one number for each label on the last axis of the predictions, "
                f"whose shape is {tuple(predictions.shape)}; got {pos_weight.numel()} numbers."
            )
    return evaluate(recipe_of(spec, reading), predictions, labels, weight, pos_weight, reduction)
