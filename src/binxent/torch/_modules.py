"""The modules in place of torch's: each calls the function of its name with the options that it holds."""

import inspect
from typing import TYPE_CHECKING, Any

import torch

from binxent.torch._functions import (
    asymmetric_loss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    poly_binary_cross_entropy_with_logits,
    sigmoid_focal_loss,
)
from binxent.torch._options import (
    PLAIN_TENSORS,
    Number,
    PosWeight,
    ReductionKind,
    asymmetric_loss_of,
    binary_cross_entropy_of,
    check_pos_weight,
    check_reduction,
    check_tensor,
    focal_loss_of,
    number,
    poly_loss_of,
    reduction_kind,
    tensor_of_pos_weight,
)
from binxent.torch._private import has_no_transform

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


class _Options:
    """What the modules have in common: options are attributes, and the repr shows those that are not the defaults.

    An option may be set anew at any time: the next call takes it, and refuses what the constructor would refuse.
    """

    reduction: str
    label_smoothing: float
    ignore_index: float | None
    process_group: "ProcessGroup | None"

    def _set_options(self, *, process_group, **numbers):
        check_reduction(self.reduction)
        self.process_group = process_group
        for name, value in numbers.items():
            setattr(self, name, value if value is None else number(name, value))

    def _buffer(self, name: str) -> torch.Tensor | None:
        """Return a buffer, in a third of the time that `torch.nn.Module.__getattr__` takes."""
        buffers = self._buffers  # pyright: ignore[reportAttributeAccessIssue]
        return buffers[name] if name in buffers else getattr(self, name)

    def _common_options(self) -> dict[str, Any]:
        return {
            "reduction": self.reduction,
            "label_smoothing": self.label_smoothing,
            "ignore_index": self.ignore_index,
            "process_group": self.process_group,
        }

    def extra_repr(self) -> str:
        """Show the options that are not the defaults, those of a subclass last."""
        defaults = {}
        for kind in type(self).__mro__:
            if issubclass(kind, _Options) and "__init__" in vars(kind):
                defaults = {one.name: one.default for one in inspect.signature(kind).parameters.values()} | defaults
        values = {name: getattr(self, name) for name in defaults if hasattr(self, name)}
        return ", ".join(
            f"{name}={f'<{tuple(value.shape)}>' if isinstance(value, torch.Tensor) and value.dim() else value}"
            for name, value in values.items()
            if _differ(value, defaults[name])
        )


def _differ(value, default):
    if isinstance(value, torch.Tensor):
        return True
    try:
        return value is not default and bool(value != default)
    except (TypeError, ValueError):  # an option of a subclass that has no single answer, such as an array
        return True


class BCEWithLogitsLoss(_Options, torch.nn.BCEWithLogitsLoss):
    """`binary_cross_entropy_with_logits` as a module, in place of `torch.nn.BCEWithLogitsLoss`.

    `weight` and `pos_weight` are buffers: they move with the module, and are in its state dict if given. A
    `pos_weight` that is not a tensor becomes one of the default floating dtype.

    Example:
        >>> loss = BCEWithLogitsLoss(label_smoothing=0.1)
        >>> loss
        BCEWithLogitsLoss(label_smoothing=0.1)
        >>> print(loss(torch.tensor([[0.5, -1.0]]), torch.tensor([[1.0, 0.0]])))
        tensor(0.4312)
    """

    def __init__(
        self,
        weight: torch.Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: ReductionKind = "mean",
        pos_weight: PosWeight | None = None,
        *,
        label_smoothing: Number = 0.0,
        ignore_index: Number | None = None,
        process_group: "ProcessGroup | None" = None,
    ) -> None:
        super().__init__(
            _weight(weight), None, None, reduction_kind(size_average, reduce, reduction), _pos_weight(pos_weight)
        )
        binary_cross_entropy_of(True, None, label_smoothing, ignore_index, None)  # refuses impossible options
        self._set_options(label_smoothing=label_smoothing, ignore_index=ignore_index, process_group=process_group)

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss of a batch."""
        return binary_cross_entropy_with_logits(
            input, target, self._buffer("weight"), pos_weight=self._buffer("pos_weight"), **self._common_options()
        )


class BCELoss(_Options, torch.nn.BCELoss):
    """`binary_cross_entropy` as a module, in place of `torch.nn.BCELoss`.

    `weight` and `pos_weight` are buffers: they move with the module, and are in its state dict if given. A
    `pos_weight` that is not a tensor becomes one of the default floating dtype.

    Example:
        >>> loss = BCELoss()
        >>> print(loss(torch.tensor([0.9, 0.4]), torch.tensor([1.0, 0.0])))
        tensor(0.3081)
    """

    pos_weight: torch.Tensor | None

    def __init__(
        self,
        weight: torch.Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: ReductionKind = "mean",
        *,
        pos_weight: PosWeight | None = None,
        label_smoothing: Number = 0.0,
        ignore_index: Number | None = None,
        process_group: "ProcessGroup | None" = None,
    ) -> None:
        super().__init__(_weight(weight), reduction=reduction_kind(size_average, reduce, reduction))
        self.register_buffer("pos_weight", _pos_weight(pos_weight))
        binary_cross_entropy_of(False, None, label_smoothing, ignore_index, None)  # refuses impossible options
        self._set_options(label_smoothing=label_smoothing, ignore_index=ignore_index, process_group=process_group)

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss of a batch."""
        return binary_cross_entropy(
            input, target, self._buffer("weight"), pos_weight=self._buffer("pos_weight"), **self._common_options()
        )


class SigmoidFocalLoss(_Options, torch.nn.Module):
    """`sigmoid_focal_loss` as a module; its reduction is "mean" unless another is asked for.

    `weight` is a buffer: it moves with the module, and is in its state dict if given.

    Example:
        >>> loss = SigmoidFocalLoss(alpha=-1, gamma=1.5)
        >>> loss
        SigmoidFocalLoss(alpha=-1, gamma=1.5)
        >>> print(loss(torch.tensor([0.0, 2.0]), torch.tensor([1, 0])))
        tensor(1.0016)
    """

    weight: torch.Tensor | None
    alpha: float | None
    gamma: float

    def __init__(
        self,
        alpha: Number | None = 0.25,
        gamma: Number = 2.0,
        reduction: ReductionKind = "mean",
        *,
        weight: torch.Tensor | None = None,
        label_smoothing: Number = 0.0,
        ignore_index: Number | None = None,
        process_group: "ProcessGroup | None" = None,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", _weight(weight))
        self.reduction = reduction
        focal_loss_of(gamma, label_smoothing, alpha, ignore_index)  # refuses impossible options
        self._set_options(
            alpha=alpha,
            gamma=gamma,
            label_smoothing=label_smoothing,
            ignore_index=ignore_index,
            process_group=process_group,
        )

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Compute the loss of a batch."""
        return sigmoid_focal_loss(
            inputs, targets, self.alpha, self.gamma, weight=self._buffer("weight"), **self._common_options()
        )


class AsymmetricLoss(_Options, torch.nn.Module):
    """`asymmetric_loss` as a module.

    `weight` is a buffer: it moves with the module, and is in its state dict if given.

    Example:
        >>> loss = AsymmetricLoss(gamma_neg=2, clip=0.0, reduction="sum")
        >>> loss
        AsymmetricLoss(gamma_neg=2, clip=0.0, reduction=sum)
        >>> print(loss(torch.tensor([2.0, -3.5]), torch.tensor([1, 0])))
        tensor(0.0152)
    """

    weight: torch.Tensor | None
    gamma_neg: float
    gamma_pos: float
    clip: float | None

    def __init__(
        self,
        gamma_neg: Number = 4.0,
        gamma_pos: Number = 1.0,
        clip: Number | None = 0.05,
        reduction: ReductionKind = "mean",
        *,
        weight: torch.Tensor | None = None,
        label_smoothing: Number = 0.0,
        ignore_index: Number | None = None,
        process_group: "ProcessGroup | None" = None,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", _weight(weight))
        self.reduction = reduction
        asymmetric_loss_of(gamma_neg, gamma_pos, label_smoothing, clip, ignore_index)  # refuses impossible options
        self._set_options(
            gamma_neg=gamma_neg,
            gamma_pos=gamma_pos,
            clip=clip,
            label_smoothing=label_smoothing,
            ignore_index=ignore_index,
            process_group=process_group,
        )

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss of a batch."""
        return asymmetric_loss(
            input, target, self.gamma_neg, self.gamma_pos, self.clip, self._buffer("weight"), **self._common_options()
        )


class PolyBCEWithLogitsLoss(_Options, torch.nn.Module):
    """`poly_binary_cross_entropy_with_logits` as a module.

    `weight` is a buffer: it moves with the module, and is in its state dict if given.

    Example:
        >>> loss = PolyBCEWithLogitsLoss(epsilon_1=2.0)
        >>> loss
        PolyBCEWithLogitsLoss(epsilon_1=2.0)
        >>> print(loss(torch.tensor([0.0]), torch.tensor([1])))
        tensor(1.6931)
    """

    weight: torch.Tensor | None
    epsilon_1: float

    def __init__(
        self,
        epsilon_1: Number = 1.0,
        reduction: ReductionKind = "mean",
        *,
        weight: torch.Tensor | None = None,
        label_smoothing: Number = 0.0,
        ignore_index: Number | None = None,
        process_group: "ProcessGroup | None" = None,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", _weight(weight))
        self.reduction = reduction
        poly_loss_of(epsilon_1, label_smoothing, ignore_index)  # refuses impossible options
        self._set_options(
            epsilon_1=epsilon_1,
            label_smoothing=label_smoothing,
            ignore_index=ignore_index,
            process_group=process_group,
        )

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss of a batch."""
        return poly_binary_cross_entropy_with_logits(
            input, target, self.epsilon_1, self._buffer("weight"), **self._common_options()
        )


def _weight(weight):
    if weight is not None:
        check_tensor("weight", weight)
    return weight


def _pos_weight(pos_weight):
    """Return the buffer: a tensor as it is, else in the default dtype, so that no state dict is cut to integers."""
    if pos_weight is None:
        return None
    if not isinstance(pos_weight, torch.Tensor):
        return tensor_of_pos_weight(pos_weight, torch.get_default_dtype(), None)
    check_tensor("pos_weight", pos_weight)
    if type(pos_weight) in PLAIN_TENSORS and pos_weight.is_cpu and has_no_transform():
        check_pos_weight(pos_weight, torch.float64)
    return pos_weight
