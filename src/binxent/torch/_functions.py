"""The functions in torch's dialect: input first, and a superset of torch's options."""

from typing import TYPE_CHECKING

import torch

from binxent.torch._dispatch import evaluate
from binxent.torch._drivers import Operands
from binxent.torch._options import (
    Number,
    PosWeight,
    ReductionKind,
    asymmetric_loss_of,
    binary_cross_entropy_of,
    focal_loss_of,
    poly_loss_of,
    reduction_kind,
)

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


def binary_cross_entropy_with_logits(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: ReductionKind = "mean",
    pos_weight: PosWeight | None = None,
    *,
    label_smoothing: Number = 0.0,
    ignore_index: Number | None = None,
    process_group: "ProcessGroup | None" = None,
) -> torch.Tensor:
    """Compute binary cross-entropy of logits: -c y log p - (1 - y) log(1 - p), p = sigmoid(input).

    The function of that name in `torch.nn.functional`, with both tails exact.

    Args:
        input: Logits, a floating tensor of any shape.
        target: y in [0, 1], in the shape of `input`.
        weight: Factors of each entry's loss, a tensor that broadcasts to the input.
        size_average: Deprecated, as in torch.
        reduce: Deprecated, as in torch.
        reduction: "none", "mean", "sum" or "weighted_mean".
        pos_weight: c, the weight of positives: a number >= 0, or an array or tensor that broadcasts to the input:
            (C,) for C labels on the last axis, (C, 1, 1) for C maps of images.
        label_smoothing: s in [0, 1].
        ignore_index: Entries with this target, a number or NaN, are left out.
        process_group: The processes over which a mean is taken.

    Returns:
        A 0-d tensor, or with the reduction "none" one in the shape of the input.

    Raises:
        ValueError: Shapes do not match, or an option or a target is impossible. Values are not checked on a GPU, nor
            under `torch.compile`.
        TypeError: An argument is not a tensor, the input is not floating, or an option is not a number.

    Example:
        >>> print(binary_cross_entropy_with_logits(torch.tensor([0.0, 2.0]), torch.tensor([1, 0])))
        tensor(1.4100)
    """
    loss, pos_weight = binary_cross_entropy_of(True, pos_weight, label_smoothing, ignore_index, input)
    return evaluate(
        loss,
        Operands(input, target, weight, pos_weight),
        reduction_kind(size_average, reduce, reduction),
        process_group,
    )


def binary_cross_entropy(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: ReductionKind = "mean",
    *,
    pos_weight: PosWeight | None = None,
    label_smoothing: Number = 0.0,
    ignore_index: Number | None = None,
    process_group: "ProcessGroup | None" = None,
) -> torch.Tensor:
    """Compute binary cross-entropy of probabilities: -c y log p - (1 - y) log(1 - p), p = input.

    The function of that name in `torch.nn.functional`: logarithms are clamped at -100 and the gradient's denominator
    p (1 - p) at 1e-12. Halves are computed in float32, so it works under autocast.

    Args:
        input: Probabilities in [0, 1], a floating tensor of any shape.
        target: y in [0, 1], in the shape of `input`.
        weight: Factors of each entry's loss, a tensor that broadcasts to the input.
        size_average: Deprecated, as in torch.
        reduce: Deprecated, as in torch.
        reduction: "none", "mean", "sum" or "weighted_mean".
        pos_weight: c, the weight of positives: a number >= 0, or an array or tensor that broadcasts to the input.
        label_smoothing: s in [0, 1].
        ignore_index: Entries with this target, a number or NaN, are left out.
        process_group: The processes over which a mean is taken.

    Returns:
        A 0-d tensor, or with the reduction "none" one in the shape of the input.

    Raises:
        RuntimeError: A probability or a target lies outside [0, 1] or is NaN. Values are not checked on a GPU, nor
            under `torch.compile`.
        ValueError: Shapes do not match, or an option is impossible.
        TypeError: An argument is not a tensor, the input is not floating, or an option is not a number.

    Example:
        >>> print(binary_cross_entropy(torch.tensor([0.9, 0.4]), torch.tensor([1, 0])))
        tensor(0.3081)
    """
    loss, pos_weight = binary_cross_entropy_of(False, pos_weight, label_smoothing, ignore_index, input)
    return evaluate(
        loss,
        Operands(input, target, weight, pos_weight),
        reduction_kind(size_average, reduce, reduction),
        process_group,
    )


def sigmoid_focal_loss(
    inputs: torch.Tensor,
    targets: torch.Tensor,
    alpha: Number | None = 0.25,
    gamma: Number = 2.0,
    reduction: ReductionKind = "none",
    *,
    weight: torch.Tensor | None = None,
    label_smoothing: Number = 0.0,
    ignore_index: Number | None = None,
    process_group: "ProcessGroup | None" = None,
) -> torch.Tensor:
    """Compute the focal loss of logits: (1 - p_t)^gamma (-y log p - (1 - y) log(1 - p)).

    Here p = sigmoid(inputs), and p_t = y p + (1 - y) (1 - p) is the probability of the target.

    The function of that name in `torchvision.ops`; from Lin et al., "Focal Loss for Dense Object Detection", 2017.

    Args:
        inputs: Logits, a floating tensor of any shape.
        targets: y in [0, 1], in the shape of `inputs`.
        alpha: Weight of positives, in [0, 1]; negatives have 1 - alpha. -1 or None weights both by 1.
        gamma: Focus on hard entries, any number >= 0; 0 is binary cross-entropy.
        reduction: "none", "mean", "sum" or "weighted_mean".
        weight: Factors of each entry's loss, a tensor that broadcasts to the inputs.
        label_smoothing: s in [0, 1].
        ignore_index: Entries with this target, a number or NaN, are left out.
        process_group: The processes over which a mean is taken.

    Returns:
        With the reduction "none" a tensor in the shape of the inputs, else a 0-d tensor.

    Raises:
        ValueError: Shapes do not match, or an option or a target is impossible.
        TypeError: An argument is not a tensor, the inputs are not floating, or an option is not a number.

    Example:
        >>> print(sigmoid_focal_loss(torch.tensor([0.0, 2.0]), torch.tensor([1, 0])))
        tensor([0.0433, 1.2376])
    """
    loss = focal_loss_of(gamma, label_smoothing, alpha, ignore_index)
    return evaluate(loss, Operands(inputs, targets, weight), reduction, process_group)


def asymmetric_loss(
    input: torch.Tensor,
    target: torch.Tensor,
    gamma_neg: Number = 4.0,
    gamma_pos: Number = 1.0,
    clip: Number | None = 0.05,
    weight: torch.Tensor | None = None,
    reduction: ReductionKind = "mean",
    *,
    label_smoothing: Number = 0.0,
    ignore_index: Number | None = None,
    process_group: "ProcessGroup | None" = None,
) -> torch.Tensor:
    """Compute the asymmetric loss of logits: -y q^gamma_pos log p - (1 - y) m^gamma_neg log(1 - m).

    Here p = sigmoid(input), q = 1 - p and m = max(p - clip, 0). From Ridnik et al., "Asymmetric Loss For Multi-Label
    Classification", 2021, with the names of its authors' code, which takes the sum.

    Args:
        input: Logits, a floating tensor of any shape.
        target: y in [0, 1], in the shape of `input`.
        gamma_neg: Focus on hard negatives, any number >= 0.
        gamma_pos: Focus on hard positives, any number >= 0.
        clip: Negatives with a probability up to this have a loss of 0, in [0, 1); None is 0.
        weight: Factors of each entry's loss, a tensor that broadcasts to the input.
        reduction: "none", "mean", "sum" or "weighted_mean".
        label_smoothing: s in [0, 1].
        ignore_index: Entries with this target, a number or NaN, are left out.
        process_group: The processes over which a mean is taken.

    Returns:
        A 0-d tensor, or with the reduction "none" one in the shape of the input.

    Raises:
        ValueError: Shapes do not match, or an option or a target is impossible.
        TypeError: An argument is not a tensor, the input is not floating, or an option is not a number.

    Example:
        >>> print(asymmetric_loss(torch.tensor([2.0, -3.5]), torch.tensor([1, 0])))
        tensor(0.0076)
    """
    loss = asymmetric_loss_of(gamma_neg, gamma_pos, label_smoothing, clip, ignore_index)
    return evaluate(loss, Operands(input, target, weight), reduction, process_group)


def poly_binary_cross_entropy_with_logits(
    input: torch.Tensor,
    target: torch.Tensor,
    epsilon_1: Number = 1.0,
    weight: torch.Tensor | None = None,
    reduction: ReductionKind = "mean",
    *,
    label_smoothing: Number = 0.0,
    ignore_index: Number | None = None,
    process_group: "ProcessGroup | None" = None,
) -> torch.Tensor:
    """Compute the Poly-1 loss of logits: binary cross-entropy + epsilon_1 (1 - p_t).

    Here p_t = y p + (1 - y) (1 - p) is the probability of the target, p = sigmoid(input). From Leng et al., "PolyLoss",
    2022, equation 5.

    Args:
        input: Logits, a floating tensor of any shape.
        target: y in [0, 1], in the shape of `input`.
        epsilon_1: Coefficient of the first term of the loss's polynomial in 1 - p_t.
        weight: Factors of each entry's loss, a tensor that broadcasts to the input.
        reduction: "none", "mean", "sum" or "weighted_mean".
        label_smoothing: s in [0, 1].
        ignore_index: Entries with this target, a number or NaN, are left out.
        process_group: The processes over which a mean is taken.

    Returns:
        A 0-d tensor, or with the reduction "none" one in the shape of the input.

    Raises:
        ValueError: Shapes do not match, or an option or a target is impossible.
        TypeError: An argument is not a tensor, the input is not floating, or an option is not a number.

    Example:
        >>> print(poly_binary_cross_entropy_with_logits(torch.tensor([0.0]), torch.tensor([1])))
        tensor(1.1931)
    """
    loss = poly_loss_of(epsilon_1, label_smoothing, ignore_index)
    return evaluate(loss, Operands(input, target, weight), reduction, process_group)
