"""A loss as a differentiable function of torch tensors, by three routes to the same numbers.

- The fused kernels take plain tensors on a CPU or a CUDA device: loss and gradient come from one pass over memory.
- The operators `binxent::loss` and `binxent::slope` hand large tensors on a CPU to the same kernels under
  `torch.compile`, which has nothing as fast to offer there.
- The plain formula, in torch's own operations, takes everything else: what is being compiled, exported, vectorized by
  `vmap`, differentiated twice, forward, or in the target or a weight; subclasses of tensors; other devices.

Derivatives are the formula's own, not those of its spelling: each knows the next.
"""

import functools
import importlib
from typing import Any

import torch
from torch._C._functorch import is_legacy_batchedtensor  # pyright: ignore[reportMissingImports]
from torch.autograd import forward_ad

from binxent.torch import _composite as composite
from binxent.torch._dynamo import decode, encode

PLAIN = (torch.Tensor, torch.nn.Parameter)
REDUCTIONS = ("none", "mean", "sum", "weighted_mean")
DRIVERS = {"cpu": "binxent.torch._cpu", "cuda": "binxent.torch._triton"}
# Elements on a CPU from which the operator is worth more than what torch.compile makes of the formula: below, leaving
# the graph costs more than it saves; above, a gradient in fresh memory takes longer to page in than to compute.
WORTH_A_KERNEL = 1 << 22


def evaluate(loss, input, target, weight=None, pos_weight=None, reduction="mean", process_group=None):
    """The reduced loss of tensors.

    Args:
        loss: A `losses.Pointwise`.
        input: Floating tensor of logits or probabilities, of any shape.
        target: Real tensor in the shape of `input`.
        weight: None or a tensor that broadcasts to the input; 0 hides an entry.
        pos_weight: None or a tensor that broadcasts to the input, in place of the loss's own.
        reduction: "none", "mean" (over the number of entries that are not ignored), "sum", or "weighted_mean" (over
            the sum of their weights).
        process_group: None, or the processes over which a mean is taken.

    Returns:
        A 0-d tensor, or with the reduction "none" one in the shape of the input, in the input's dtype; under autocast
        halves give float32.

    Raises:
        ValueError: Shapes do not match, a value or an option is impossible.
        TypeError: An argument is no tensor, or one of numbers that are not real.
    """
    _check(input, target, weight, pos_weight, reduction, process_group)
    dtype = input.dtype
    if dtype.itemsize == 2 and torch.is_autocast_enabled(input.device.type):
        dtype = torch.float32
    options = weight, pos_weight, reduction, process_group, dtype
    if torch.compiler.is_dynamo_compiling():
        if _suits_the_operator(input, target, weight, pos_weight):
            return _by_operator(loss, input, target, *options)
        return composite.compute(loss, input, target, *options)
    if _suits_the_kernels(input, target, weight, pos_weight):
        if torch.is_grad_enabled() and input.requires_grad:
            return differentiable(input, (loss, target, *options))
        return _by_kernels(input, loss, target, *options)[0]
    return composite.compute(loss, input, target, *options)


def _check(input, target, weight, pos_weight, reduction, process_group):
    if not (isinstance(input, torch.Tensor) and isinstance(target, torch.Tensor)):
        raise TypeError(f"`input` and `target` must be tensors; got {_kind(input)} and {_kind(target)}.")
    if not input.is_floating_point():
        raise TypeError(f"`input` must be floating; got {input.dtype}. The input comes first, then the target.")
    if target.is_complex():
        raise TypeError(f"`target` must be real; got {target.dtype}.")
    if target.shape != input.shape:
        raise ValueError(
            f"Target size ({target.size()}) must be the same as input size ({input.size()}). "
            "Reshape one of them: broadcasting would pair targets with inputs that are not theirs."
        )
    if weight is not None:
        _check_broadcast("weight", weight, input)
    if pos_weight is not None:
        _check_broadcast("pos_weight", pos_weight, input)
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"{reduction!r} is not a valid value for reduction; it must be one of {', '.join(REDUCTIONS)}."
        )
    if process_group is not None and not reduction.endswith("mean"):
        raise ValueError(
            f"`process_group` is for means, which it takes over all processes; reduction is {reduction!r}."
        )


def _check_broadcast(name, weight, input):
    if not isinstance(weight, torch.Tensor):
        raise TypeError(f"`{name}` must be a tensor; got {_kind(weight)}.")
    shape, wanted = tuple(weight.shape), tuple(input.shape)
    missing = len(wanted) - len(shape)
    if missing >= 0 and all(own in (1, full) for own, full in zip(shape, wanted[missing:], strict=True)):
        return
    hint = ""
    if len(shape) == 1 and len(wanted) > 1:
        for axis in (1, 0):  # labels, then samples
            if shape[0] == wanted[axis]:
                fitting = [1] * len(wanted)
                fitting[axis] = shape[0]
                hint = f" It has the length of axis {axis}: pass {name}.reshape({fitting})."
                break
    raise ValueError(
        f"`{name}` must broadcast to the shape of the input {wanted}, aligned with its last axis; got {shape}.{hint}"
    )


def _kind(value):
    return f"a {type(value).__name__}"


# The kernels.


def _driver(tensor) -> Any:
    """The module that runs the kernels where a tensor is, or None."""
    return _driver_for("cpu" if tensor.is_cpu else tensor.device.type)


@functools.cache
def _driver_for(device):
    try:
        return importlib.import_module(DRIVERS[device])
    except (KeyError, ImportError):
        return None


def _suits_the_kernels(input, target, weight, pos_weight):
    """Whether all that is asked for is the loss and perhaps the gradient of the input, and where the data lie."""
    on_cpu, index = input.is_cpu, input.get_device()
    for tensor in (target,) if weight is None and pos_weight is None else (target, weight, pos_weight):
        if tensor is not None and not (
            type(tensor) in PLAIN
            and tensor.is_cpu == on_cpu
            and tensor.get_device() == index
            and tensor.layout is torch.strided
            and not (tensor.requires_grad and torch.is_grad_enabled())
        ):
            return False
    return (
        type(input) in PLAIN
        and input.layout is torch.strided
        and input.numel() > 0
        and _driver(input) is not None
        and not torch._C._len_torch_dispatch_stack()
        and not torch._C._are_functorch_transforms_active()
        and forward_ad._current_level < 0
        and torch._C._get_tracing_state() is None
    )


class Fused(torch.autograd.Function):
    """The kernels, in a graph: the gradient is computed ahead, beside the loss."""

    @staticmethod
    def forward(ctx, input, others):
        loss, target, weight, pos_weight, reduction, process_group, dtype = others
        # float16 has no room for a gradient that a loss scaler has not multiplied yet: it is computed when asked for.
        ahead = input.dtype is not torch.float16
        value, ctx.slope, ctx.divisor = _by_kernels(
            input, loss, target, weight, pos_weight, reduction, process_group, dtype, ahead
        )
        ctx.loss = loss
        ctx.save_for_backward(input, target, weight, pos_weight)
        return value

    @staticmethod
    def backward(ctx, upstream):  # pyright: ignore[reportIncompatibleMethodOverride]
        slope = ctx.slope
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling() or _is_batched(upstream):
            gradient = composite.gradient(ctx.loss, ctx.saved_tensors, ctx.divisor, upstream)
        elif slope is None:  # in float16, or used up by a backward pass that kept the graph
            gradient = _gradient_by_kernels(ctx.loss, ctx.saved_tensors, ctx.divisor, upstream)
        else:
            ctx.slope = None
            scale_ = _driver(slope).scale_ if upstream.dim() == 0 else torch.Tensor.mul_
            gradient = scale_(slope, upstream)
        return gradient, None


def _is_batched(tensor):
    """Whether a tensor stands for many, inside of `vmap` or for `is_grads_batched`."""
    return torch._C._are_functorch_transforms_active() or is_legacy_batchedtensor(tensor)


# `Fused.apply` without its look for transformations, which takes as long as the kernel on a small batch.
differentiable: Any = super(torch.autograd.Function, Fused).apply  # pyright: ignore[reportAttributeAccessIssue]


def _by_kernels(input, loss, target, weight, pos_weight, reduction, process_group, dtype, slope=False):
    """The reduced loss, the slope that was asked for, and what both were divided by."""
    driver = _driver(input)
    if reduction == "weighted_mean" and weight is not None:
        divisor = driver.tally(loss, target, weight)
    elif reduction == "sum" or reduction == "none":
        divisor = 1
    else:
        divisor = target.numel() if loss.ignore_label is None else driver.tally(loss, target)
    if process_group is not None:
        divisor = composite.share(divisor, process_group, input.device)
    value, slopes = driver.fuse(
        loss, input, target, weight, pos_weight,
        divisor=divisor, dtype=dtype, elementwise=reduction == "none", slope=slope,
    )  # fmt: skip
    return value, slopes, divisor


def _gradient_by_kernels(loss, tensors, divisor, upstream):
    """Upstream times slope, in one pass that begins with input, target, weight and pos_weight."""
    input = tensors[0]
    fuse = functools.partial(_driver(input).fuse, loss, *tensors, slope=True)
    if upstream.dim() == 0:
        return fuse(divisor=divisor, upstream=upstream)[1]
    if input.element_size() > 2:
        return fuse()[1].mul_(upstream)
    return composite.gradient(loss, tensors, divisor, upstream)


# The operators for torch.compile.


def _suits_the_operator(input, target, weight, pos_weight):
    """Whether a large tensor on a CPU is worth leaving the compiled graph for."""
    tensors = [tensor for tensor in (target, weight, pos_weight) if tensor is not None]
    return (
        input.device.type == "cpu"
        and not torch.compiler.is_exporting()
        and not torch._C._are_functorch_transforms_active()
        and input.numel() >= WORTH_A_KERNEL
        and not any(tensor.requires_grad for tensor in tensors)
        and all(tensor.device == input.device for tensor in tensors)
    )


def _by_operator(loss, input, target, weight, pos_weight, reduction, process_group, dtype):
    value = torch.ops.binxent.loss(input, target, weight, pos_weight, encode(loss), reduction == "none")
    if reduction in ("none", "sum"):
        return value.to(dtype)
    return (value / composite.divisor_of(loss, target, weight, reduction, process_group)).to(dtype)


@torch.library.custom_op("binxent::loss", mutates_args=())
def loss_operator(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None,
    pos_weight: torch.Tensor | None,
    loss: str,
    elementwise: bool,
) -> torch.Tensor:
    """The loss of each entry, or their sum in float64."""
    kind = composite.working(input.dtype) if elementwise else torch.float64
    reduction = "none" if elementwise else "sum"
    if _suits_the_kernels(input, target, weight, pos_weight):
        return _by_kernels(input, decode(loss), target, weight, pos_weight, reduction, None, kind)[0]
    return composite.compute(decode(loss), input, target, weight, pos_weight, reduction, None, kind)


@torch.library.custom_op("binxent::slope", mutates_args=())
def slope_operator(
    upstream: torch.Tensor,
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None,
    pos_weight: torch.Tensor | None,
    loss: str,
) -> torch.Tensor:
    """The gradient of `binxent::loss`."""
    run = _gradient_by_kernels if _suits_the_kernels(input, target, weight, pos_weight) else composite.gradient
    return run(decode(loss), (input, target, weight, pos_weight), 1, upstream)


@loss_operator.register_fake
def _(input, target, weight, pos_weight, loss, elementwise):
    if elementwise:
        return torch.empty_like(input, dtype=composite.working(input.dtype))
    return input.new_empty((), dtype=torch.float64)


@slope_operator.register_fake
def _(upstream, input, target, weight, pos_weight, loss):
    return torch.empty_like(input)


def _remember(ctx, inputs, output):
    *tensors, ctx.spec, _ = inputs
    ctx.save_for_backward(*tensors)


def _differentiate(ctx, upstream):
    if torch.is_grad_enabled():
        gradient = composite.gradient(decode(ctx.spec), ctx.saved_tensors, 1, upstream)
    else:
        gradient = torch.ops.binxent.slope(upstream, *ctx.saved_tensors, ctx.spec)
    return gradient, None, None, None, None, None


loss_operator.register_autograd(_differentiate, setup_context=_remember)
