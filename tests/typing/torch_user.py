"""What a user of the PyTorch door writes, read by type checkers and never run: each wrong call is marked as wrong."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from typing import assert_type

import numpy as np
import torch
from torch import nn

from binxent import PolyBinaryCrossentropy
from binxent.torch import (
    AsymmetricLoss,
    BCELoss,
    BCEWithLogitsLoss,
    PolyBCEWithLogitsLoss,
    SigmoidFocalLoss,
    asymmetric_loss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    pointwise,
    poly_binary_cross_entropy_with_logits,
    sigmoid_focal_loss,
)

logits, target, weight = torch.zeros(4, 3, requires_grad=True), torch.ones(4, 3), torch.ones(3)

loss = binary_cross_entropy_with_logits(logits, target)
assert_type(loss, torch.Tensor)
loss.backward()
binary_cross_entropy_with_logits(logits, target, weight, reduction="weighted_mean", pos_weight=2)
binary_cross_entropy_with_logits(logits, target, pos_weight=weight, label_smoothing=0.1, ignore_index=-100)
binary_cross_entropy_with_logits(logits, target, pos_weight=[1.0, 2.0, 5.0])
binary_cross_entropy_with_logits(logits, target, pos_weight=(1, 2, 5))
binary_cross_entropy_with_logits(logits, target, pos_weight=np.array([1.0, 2.0, 5.0]))
binary_cross_entropy(logits.sigmoid(), target, weight=weight, reduction="none").sum().item()
sigmoid_focal_loss(logits, target, alpha=None, gamma=np.float32(1.5), reduction="mean")
asymmetric_loss(logits, target, 4, 1, clip=None, reduction="sum")
poly_binary_cross_entropy_with_logits(logits, target, epsilon_1=2)

assert_type(pointwise(PolyBinaryCrossentropy(2.0), logits.sigmoid(), target, reduction="mean"), torch.Tensor)

criterion: nn.Module = nn.ModuleList(
    [
        BCEWithLogitsLoss(pos_weight=[1.0, 2.0, 5.0], label_smoothing=0.1),
        BCELoss(weight, reduction="sum", pos_weight=weight),
        SigmoidFocalLoss(alpha=0.5, gamma=2),
        AsymmetricLoss(clip=0.1),
        PolyBCEWithLogitsLoss(2.0, ignore_index=float("nan")),
    ]
)
twin: nn.BCEWithLogitsLoss = BCEWithLogitsLoss()
assert_type(SigmoidFocalLoss().forward(logits, target), torch.Tensor)
assert_type(SigmoidFocalLoss().gamma, float)


class Costly(BCEWithLogitsLoss):
    """A subclass with an option of its own."""

    def __init__(self, factor: float) -> None:
        super().__init__(reduction="sum")
        self.factor = factor

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Multiply the loss."""
        return self.factor * super().forward(input, target)


# Wrong
binary_cross_entropy_with_logits([0.0], target)  # type: ignore[arg-type]
binary_cross_entropy_with_logits(logits)  # type: ignore[call-arg]
binary_cross_entropy_with_logits(logits, target, 2.0)  # type: ignore[arg-type]
binary_cross_entropy_with_logits(logits, target, reduction="avg")  # type: ignore[arg-type]
binary_cross_entropy_with_logits(logits, target, pos_weight="auto")  # type: ignore[arg-type]
binary_cross_entropy_with_logits(logits, target, pos_weight={0: 1.0})  # type: ignore[arg-type]
binary_cross_entropy_with_logits(logits, target, gamma=2.0)  # type: ignore[call-arg]
binary_cross_entropy(logits, target, label_smoothing=None)  # type: ignore[arg-type]
sigmoid_focal_loss(logits, target, gamma="2")  # type: ignore[arg-type]
sigmoid_focal_loss(logits, target, gamma=[2.0])  # type: ignore[arg-type]
asymmetric_loss(logits, target, 4, 1, 0.05, None, "mean", 0.1)  # type: ignore[call-arg]
pointwise("poly", logits, target)  # type: ignore[arg-type]
pointwise(PolyBinaryCrossentropy(), logits, target, reduction=None)  # type: ignore[arg-type]
PolyBCEWithLogitsLoss(epsilon_1=None)  # type: ignore[arg-type]
SigmoidFocalLoss(reduction=None)  # type: ignore[arg-type]
BCELoss(weight=[1.0, 2.0])  # type: ignore[arg-type]
