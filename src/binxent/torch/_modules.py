"""The modules in place of torch's: each calls the function of its name with the options that it holds."""

import inspect

import torch

from binxent.torch._functions import (
    asymmetric_loss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    poly_binary_cross_entropy_with_logits,
    sigmoid_focal_loss,
)
from binxent.torch._options import asymmetric_loss_of, focal_loss_of, poly_loss_of


class _Options:
    """What the modules have in common: options are attributes, and are shown where they are not the defaults."""

    def _keep(self, label_smoothing, ignore_index, process_group):
        self.label_smoothing, self.ignore_index, self.process_group = label_smoothing, ignore_index, process_group

    def _kept(self):
        return {
            "label_smoothing": self.label_smoothing,
            "ignore_index": self.ignore_index,
            "process_group": self.process_group,
        }

    def extra_repr(self):
        """The options that are not the defaults."""
        parameters = inspect.signature(type(self)).parameters.values()
        values = [(one.name, getattr(self, one.name, one.default), one.default) for one in parameters]
        return ", ".join(
            f"{name}={f'<{tuple(value.shape)}>' if isinstance(value, torch.Tensor) and value.dim() else value}"
            for name, value, default in values
            if value is not default and (isinstance(value, torch.Tensor) or value != default)
        )


class BCEWithLogitsLoss(_Options, torch.nn.BCEWithLogitsLoss):
    """`binary_cross_entropy_with_logits` as a module, in place of `torch.nn.BCEWithLogitsLoss`.

    `weight` and `pos_weight` are buffers: they move with the module and stand in its state dict when given.

    Example:
        >>> loss = BCEWithLogitsLoss(label_smoothing=0.1)
        >>> loss
        BCEWithLogitsLoss(label_smoothing=0.1)
        >>> print(loss(torch.tensor([[0.5, -1.0]]), torch.tensor([[1.0, 0.0]])))
        tensor(0.4312)
    """

    def __init__(
        self,
        weight=None,
        size_average=None,
        reduce=None,
        reduction="mean",
        pos_weight=None,
        *,
        label_smoothing=0.0,
        ignore_index=None,
        process_group=None,
    ):
        super().__init__(weight, size_average, reduce, reduction, _as_buffer(pos_weight))
        self._keep(label_smoothing, ignore_index, process_group)

    def forward(self, input, target):
        """The loss of a batch."""
        return binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight, **self._kept()
        )


class BCELoss(_Options, torch.nn.BCELoss):
    """`binary_cross_entropy` as a module, in place of `torch.nn.BCELoss`.

    `weight` and `pos_weight` are buffers: they move with the module and stand in its state dict when given.

    Example:
        >>> loss = BCELoss()
        >>> print(loss(torch.tensor([0.9, 0.4]), torch.tensor([1.0, 0.0])))
        tensor(0.3081)
    """

    def __init__(
        self,
        weight=None,
        size_average=None,
        reduce=None,
        reduction="mean",
        *,
        pos_weight=None,
        label_smoothing=0.0,
        ignore_index=None,
        process_group=None,
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", _as_buffer(pos_weight))
        self._keep(label_smoothing, ignore_index, process_group)

    def forward(self, input, target):
        """The loss of a batch."""
        return binary_cross_entropy(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight, **self._kept()
        )


class SigmoidFocalLoss(_Options, torch.nn.Module):
    """`sigmoid_focal_loss` as a module; its reduction is "mean" unless another is asked for.

    `weight` is a buffer: it moves with the module and stands in its state dict when given.

    Example:
        >>> loss = SigmoidFocalLoss(alpha=-1, gamma=1.5)
        >>> loss
        SigmoidFocalLoss(alpha=-1, gamma=1.5)
        >>> print(loss(torch.tensor([0.0, 2.0]), torch.tensor([1, 0])))
        tensor(1.0016)
    """

    def __init__(
        self,
        alpha=0.25,
        gamma=2.0,
        reduction="mean",
        *,
        weight=None,
        label_smoothing=0.0,
        ignore_index=None,
        process_group=None,
    ):
        super().__init__()
        self.register_buffer("weight", weight)
        self.alpha, self.gamma, self.reduction = alpha, gamma, reduction
        self._keep(label_smoothing, ignore_index, process_group)
        focal_loss_of(alpha, gamma, label_smoothing, ignore_index)  # refuses impossible options

    def forward(self, inputs, targets):
        """The loss of a batch."""
        return sigmoid_focal_loss(
            inputs, targets, self.alpha, self.gamma, self.reduction, weight=self.weight, **self._kept()
        )


class AsymmetricLoss(_Options, torch.nn.Module):
    """`asymmetric_loss` as a module.

    `weight` is a buffer: it moves with the module and stands in its state dict when given.

    Example:
        >>> loss = AsymmetricLoss(gamma_neg=2, clip=0.0, reduction="sum")
        >>> loss
        AsymmetricLoss(gamma_neg=2, clip=0.0, reduction=sum)
        >>> print(loss(torch.tensor([2.0, -3.5]), torch.tensor([1, 0])))
        tensor(0.0152)
    """

    def __init__(
        self,
        gamma_neg=4.0,
        gamma_pos=1.0,
        clip=0.05,
        reduction="mean",
        *,
        weight=None,
        label_smoothing=0.0,
        ignore_index=None,
        process_group=None,
    ):
        super().__init__()
        self.register_buffer("weight", weight)
        self.gamma_neg, self.gamma_pos, self.clip, self.reduction = gamma_neg, gamma_pos, clip, reduction
        self._keep(label_smoothing, ignore_index, process_group)
        asymmetric_loss_of(gamma_neg, gamma_pos, clip, label_smoothing, ignore_index)  # refuses impossible options

    def forward(self, input, target):
        """The loss of a batch."""
        return asymmetric_loss(
            input, target, self.gamma_neg, self.gamma_pos, self.clip, self.weight, self.reduction, **self._kept()
        )


class PolyBCEWithLogitsLoss(_Options, torch.nn.Module):
    """`poly_binary_cross_entropy_with_logits` as a module.

    `weight` is a buffer: it moves with the module and stands in its state dict when given.

    Example:
        >>> loss = PolyBCEWithLogitsLoss(epsilon_1=2.0)
        >>> loss
        PolyBCEWithLogitsLoss(epsilon_1=2.0)
        >>> print(loss(torch.tensor([0.0]), torch.tensor([1])))
        tensor(1.6931)
    """

    def __init__(
        self,
        epsilon_1=1.0,
        reduction="mean",
        *,
        weight=None,
        label_smoothing=0.0,
        ignore_index=None,
        process_group=None,
    ):
        super().__init__()
        self.register_buffer("weight", weight)
        self.epsilon_1, self.reduction = epsilon_1, reduction
        self._keep(label_smoothing, ignore_index, process_group)
        poly_loss_of(epsilon_1, label_smoothing, ignore_index)  # refuses impossible options

    def forward(self, input, target):
        """The loss of a batch."""
        return poly_binary_cross_entropy_with_logits(
            input, target, self.epsilon_1, self.weight, self.reduction, **self._kept()
        )


def _as_buffer(pos_weight):
    return pos_weight if pos_weight is None else torch.as_tensor(pos_weight)
