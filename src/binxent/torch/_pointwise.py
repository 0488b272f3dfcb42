"""Any loss of `binxent.losses`, a user's own included, on tensors."""

import torch

from binxent import losses
from binxent._core.array_likes import ABOUT_LABELS
from binxent._core.pointwise import element_part
from binxent._core.ranges import renamed
from binxent._core.shapes import require_one_per_label, require_same_shape
from binxent.torch._dispatch import evaluate
from binxent.torch._drivers import Operands
from binxent.torch._options import ReductionKind, described

# The names that `pointwise` has for the arguments of the other functions, and advice on values outside [0, 1].
ARGUMENTS = {
    "target": ("labels", ABOUT_LABELS),
    "input": ("predictions", "Logits need from_logits=True."),
}


def pointwise(
    loss: losses.Loss,
    predictions: torch.Tensor,
    labels: torch.Tensor,
    *,
    weight: torch.Tensor | None = None,
    reduction: ReductionKind = "none",
) -> torch.Tensor:
    """Compute any loss, a user's own included, of each element or reduced.

    Args:
        loss: A loss of `binxent.losses`, or one derived from `ElementwiseLoss`. Its axis, reduction and dtype play no
            part here.
        predictions: Floating tensor of logits or probabilities, as the loss says.
        labels: y in [0, 1], in the shape of `predictions`.
        weight: Factors of each element's loss, a tensor that broadcasts to the predictions.
        reduction: "none", "mean", "sum" or "weighted_mean".

    Returns:
        A tensor in the shape and dtype of `predictions`; a 0-d tensor unless the reduction is "none".

    Raises:
        ValueError: Shapes differ, the reduction is impossible, or eagerly on a CPU, a label or probability lies outside
            [0, 1].
        TypeError: `predictions` are not floating, `labels` are not real, or `loss` is not a loss.

    Example:
        >>> from binxent import BinaryCrossentropy
        >>> print(pointwise(BinaryCrossentropy(from_logits=True), torch.tensor([0.0, 2.0]), torch.tensor([1, 0])))
        tensor([0.6931, 2.1269])
    """
    part = element_part(loss)
    for name, tensor in (("predictions", predictions), ("labels", labels)):
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"`{name}` must be a tensor; got {described(tensor)}. Predictions come first, then labels.")
    require_same_shape("labels", labels.shape, "predictions", predictions.shape)
    if torch.compiler.is_dynamo_compiling():
        return reduced(part, reduction, predictions, labels, weight)
    try:
        return reduced(part, reduction, predictions, labels, weight)
    except (RuntimeError, ValueError) as error:
        if not hasattr(error, "counts"):
            raise
        raise renamed(error, ARGUMENTS) from None


def elementwise(loss: losses.Pointwise, predictions: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Compute the loss of each element, of a `losses.Pointwise`."""
    return reduced(loss, "none", predictions, labels)


def reduced(
    loss: losses.Pointwise,
    reduction: ReductionKind,
    predictions: torch.Tensor,
    labels: torch.Tensor,
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """Compute what `pointwise` does, of a `losses.Pointwise`."""
    if isinstance(predictions, torch.Tensor):  # `evaluate` refuses anything else
        require_one_per_label(loss.constant_names, loss.constants, predictions.shape)
    return evaluate(loss, Operands(predictions, labels, weight), reduction)
