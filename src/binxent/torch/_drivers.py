"""The interface of the drivers, and two bundles of arguments that most functions of the door take."""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


class Operands(NamedTuple):
    """The tensors of a loss.

    Attributes:
        input: Floating tensor of logits or probabilities, of any shape.
        target: Real tensor in the shape of `input`.
        weight: None or a tensor that broadcasts to the input: multiplies each entry's loss; 0 hides the entry.
        pos_weight: None or a tensor that broadcasts to the input, in place of the loss's own.
    """

    input: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor | None = None
    pos_weight: torch.Tensor | None = None


class Reduction(NamedTuple):
    """How the losses of the entries are reduced.

    Attributes:
        kind: "none", "mean" (over the number of entries that are not ignored), "sum", or "weighted_mean" (over the sum
            of their weights).
        process_group: None, or the processes over which a mean is taken.
        dtype: The dtype of the result.
    """

    kind: str
    process_group: "ProcessGroup | None"
    dtype: torch.dtype


class Driver(Protocol):
    """The fused kernels of one kind of device: what the modules `_cpu.py` and `_triton.py` offer."""

    def fuse(
        self,
        loss: Any,
        operands: Operands,
        *,
        divisor: float | torch.Tensor = 1,
        upstream: torch.Tensor | None = None,
        dtype: torch.dtype | None = None,
        elementwise: bool = False,
        slope: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the loss, and its slope if that is wanted, in one pass over memory.

        Args:
            loss: A `losses.Pointwise`.
            operands: Tensors on the device, with at least one element; float64 is computed in float64, all else in
                float32.
            divisor: Number or 0-d tensor that the sum of the losses, and the slopes, are divided by; over 0, slopes
                are 0.
            upstream: None or a 0-d tensor that the slopes are multiplied by.
            dtype: That of the loss; None takes the input's.
            elementwise: Whether to return each entry's loss instead of their sum over the divisor.
            slope: Whether to return the derivative with respect to the input, in its dtype.

        Returns:
            The loss, and the slope or None.

        Raises:
            RuntimeError: A probability, or its target, lies outside [0, 1] or is NaN; checked on a CPU only.
            ValueError: A target of logits lies outside [0, 1], or a weight is infinite; checked on a CPU only.
        """
        ...

    def tally(self, loss: Any, target: torch.Tensor, weight: torch.Tensor | None = None) -> float | torch.Tensor:
        """Add up the weights of the entries whose label is not ignored, in float64; without weights, count them."""
        ...

    def in_range(
        self, loss: Any, operands: Operands, divisor: float | torch.Tensor
    ) -> tuple[Operands, float | torch.Tensor]:
        """Scale the weights of a mean by weight, and its divisor, if the divisor or its inverse might overflow.

        The factor depends on the divisor alone, so that processes that share a divisor scale by the same.
        """
        ...

    def scale_(self, tensor: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """Multiply a tensor by a 0-d tensor in place, without touching memory if that is 1."""
        ...
