"""The PyTorch door: functions and modules in torch's dialect, input first, and a superset of torch's options.

    >>> import torch
    >>> from binxent.torch import BCEWithLogitsLoss
    >>> logits = torch.tensor([[2.0, -1.0], [0.0, 3.0]], requires_grad=True)
    >>> target = torch.tensor([[1, 0], [1, -100]])
    >>> loss = BCEWithLogitsLoss(ignore_index=-100)(logits, target)
    >>> loss.backward()
    >>> print(f"{loss.item():.4f}", logits.grad[1].tolist())
    0.3778 [-0.1666666716337204, 0.0]

`BCEWithLogitsLoss` and `BCELoss` replace torch's when the import is changed. What all of them add:

- `target` may have any real dtype; the loss has the input's, and under autocast float32.
- `weight` (and `pos_weight`) may have any shape that broadcasts to the input's, as in torch. An entry of weight 0 is
  hidden entirely, NaN and infinities included.
- `label_smoothing` s in [0, 1]: a target y counts as y (1 - s) + s / 2.
- `ignore_index`, a number or NaN: entries with this target cost nothing, and no mean counts them.
- The reduction "weighted_mean" divides by the sum of the weights, where "mean" divides by the number of entries.
- `process_group`: a mean is taken over the entries of all its processes. Each process returns its share, such that the
  mean over processes, and the gradients that DistributedDataParallel or FSDP average, are those of one large batch,
  however its entries, weights and ignored targets are spread.
- All is differentiable in the input, the target and the weights, twice and in forward mode, too.
"""

from binxent._core.public_names import publish
from binxent.torch._functions import (
    asymmetric_loss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    poly_binary_cross_entropy_with_logits,
    sigmoid_focal_loss,
)
from binxent.torch._modules import (
    AsymmetricLoss,
    BCELoss,
    BCEWithLogitsLoss,
    PolyBCEWithLogitsLoss,
    SigmoidFocalLoss,
)
from binxent.torch._pointwise import pointwise

__all__ = [
    "AsymmetricLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "PolyBCEWithLogitsLoss",
    "SigmoidFocalLoss",
    "asymmetric_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "pointwise",
    "poly_binary_cross_entropy_with_logits",
    "sigmoid_focal_loss",
]

publish(globals())
