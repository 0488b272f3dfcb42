"""A loss as a differentiable function of torch tensors, by three routes to the same numbers.

- The fused kernels take plain tensors on a CPU or a CUDA device: loss and gradient come from one pass over memory.
- The operators `binxent::loss` and `binxent::slope` hand large tensors on a CPU to the same kernels under
  `torch.compile`, which has nothing as fast to offer there.
- The plain formula, in torch's own operations, takes everything else: what is being compiled, exported, vectorized by
  `vmap`, differentiated twice, forward, or in the target or a weight; subclasses of tensors; other devices.

Loss, slope and curvature are written by hand, each the derivative of the one before; autodiff of the expressions would
be wrong at z = 0.
"""

import functools
import warnings
from typing import Any

import torch

from binxent.torch import _composite as composite
from binxent.torch._drivers import Driver, Operands, Reduction
from binxent.torch._dynamo import decode, encode
from binxent.torch._options import PLAIN_TENSORS, check_pos_weight, check_reduction, check_tensor, described
from binxent.torch._private import (
    TracerWarning,
    has_no_transform,
    is_batched,
    is_traced,
    transforms_active,
    untransformed_apply,
)

FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
DENSE = (torch.strided, torch.jagged)
# Elements on a CPU from which the operator is worth more than what torch.compile makes of the formula: below, leaving
# the graph costs more than it saves; above, a gradient in fresh memory takes longer to page in than to compute.
WORTH_A_KERNEL = 1 << 22


def evaluate(loss, operands, kind="mean", process_group=None):
    """Reduce the loss of tensors.

    Args:
        loss: A `losses.Pointwise`.
        operands: The `Operands`, as a caller gave them.
        kind: "none", "mean", "sum" or "weighted_mean".
        process_group: None, or the processes over which a mean is taken.

    Returns:
        A 0-d tensor, or with the reduction "none" one in the shape of the input, in the input's dtype; under autocast
        halves give float32.

    Raises:
        ValueError: Shapes do not match, or a value or an option is impossible.
        TypeError: An argument is not a tensor of real numbers.
    """
    is_compiled = torch.compiler.is_dynamo_compiling()
    is_plain = not is_compiled and has_no_transform()
    if not (is_plain or is_compiled) and is_traced():
        with warnings.catch_warnings():  # that comparisons of shapes become constants of the trace
            warnings.simplefilter("ignore", TracerWarning)
            _check(operands, kind, process_group)
    else:
        _check(operands, kind, process_group)
    input = operands.input
    dtype = input.dtype
    if dtype.itemsize == 2 and torch.is_autocast_enabled(input.device.type):
        dtype = torch.float32
    reduction = Reduction(kind, process_group, dtype)
    if is_compiled:
        run = _by_operator if _suits_the_operator(operands) else composite.compute
        return run(loss, operands, reduction)
    driver = _suitable_driver(operands) if is_plain else None
    if driver is not None:
        if torch.is_grad_enabled() and input.requires_grad:
            return differentiable(input, (driver, loss, operands, reduction))
        return _by_kernels(driver, loss, operands, reduction)[0]
    _check_layouts(operands)
    pos_weight = operands.pos_weight
    if type(pos_weight) in PLAIN_TENSORS and pos_weight.is_cpu and is_plain:
        check_pos_weight(pos_weight, composite.compute_dtype(input.dtype))
    return composite.compute(loss, operands, reduction)


def _check(operands, kind, process_group):
    input, target, weight, pos_weight = operands
    if not (isinstance(input, torch.Tensor) and isinstance(target, torch.Tensor)):
        raise TypeError(f"`input` and `target` must be tensors; got {described(input)} and {described(target)}.")
    if input.dtype not in FLOATS:
        if not input.is_floating_point():
            raise TypeError(f"`input` must be floating; got {input.dtype}. The input comes first, then the target.")
        raise TypeError(f"`input` must be float64, float32, float16 or bfloat16; got {input.dtype}. Use input.float().")
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
    check_reduction(kind)
    if process_group is not None:
        if not kind.endswith("mean"):
            raise ValueError(f"`process_group` is for means, which it takes over all processes; reduction is {kind!r}.")
        if not isinstance(process_group, torch.distributed.ProcessGroup):
            got = described(process_group)
            raise TypeError(f"`process_group` must be a ProcessGroup of torch.distributed; got {got}.")


def _check_layouts(operands):
    for name, tensor in zip(operands._fields, operands, strict=True):
        if tensor is not None and tensor.layout not in DENSE:
            raise TypeError(f"`{name}` must be dense; got a tensor of {tensor.layout}. Pass {name}.to_dense().")
        if type(tensor).__name__ == "MaskedTensor":
            raise TypeError(f"`{name}` must be a plain tensor; got a MaskedTensor. Pass its mask as `weight`.")


def _check_broadcast(name, weight, input):
    check_tensor(name, weight)
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


# The kernels.


def _suitable_driver(operands) -> Driver | None:
    """Return the kernels, if they can run: plain tensors on one device, and no gradient but that of the input.

    No transformation must be active.
    """
    input, target, weight, pos_weight = operands
    on_cpu, index = input.is_cpu, input.get_device()
    if not on_cpu and weight is not None and weight.dtype is torch.float64 and input.dtype is not torch.float64:
        return None  # a GPU's kernels would round the weight
    for tensor in (target,) if weight is None and pos_weight is None else (target, weight, pos_weight):
        if tensor is not None and not (
            type(tensor) in PLAIN_TENSORS
            and tensor.is_cpu == on_cpu
            and tensor.get_device() == index
            and tensor.layout is torch.strided
            and not (tensor.requires_grad and torch.is_grad_enabled())
        ):
            return None
    if type(input) in PLAIN_TENSORS and input.layout is torch.strided and input.numel() > 0:
        return _driver("cpu" if on_cpu else input.device.type)
    return None


@functools.cache
def _driver(device: str) -> Driver | None:
    """Return the driver for a type of device; None if there is none."""
    if device == "cpu":
        from binxent.torch import _cpu

        return _cpu
    if device == "cuda":
        try:
            from binxent.torch import _triton
        except ImportError:  # without Triton, the plain formula runs on the GPU
            return None
        return _triton
    return None


class Fused(torch.autograd.Function):
    """The kernels as a node of autograd's graph; the gradient is computed in advance, together with the loss."""

    @staticmethod
    def forward(ctx, input, others):
        driver, loss, operands, reduction = others
        # A gradient in float16 may underflow before a loss scaler has multiplied it: it is computed in `backward`.
        ahead = input.dtype is not torch.float16
        value, ctx.slope, ctx.divisor, operands = _by_kernels(driver, loss, operands, reduction, ahead)
        ctx.driver, ctx.loss = driver, loss
        ctx.save_for_backward(*operands)
        return value

    @staticmethod
    def backward(ctx, upstream):  # pyright: ignore[reportIncompatibleMethodOverride]
        slope = ctx.slope
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling() or is_batched(upstream):
            gradient = composite.gradient(ctx.loss, Operands(*ctx.saved_tensors), ctx.divisor, upstream)
        elif slope is None:  # in float16, or used up by a backward pass that kept the graph
            gradient = _gradient_by_kernels(ctx.driver, ctx.loss, Operands(*ctx.saved_tensors), ctx.divisor, upstream)
        else:
            ctx.slope = None
            if upstream.dim() == 0:
                gradient = ctx.driver.scale_(slope, upstream)
            else:
                gradient = _times(slope, upstream, ctx.loss, Operands(*ctx.saved_tensors))
        return gradient, None


differentiable: Any = untransformed_apply(Fused)


def _by_kernels(driver, loss, operands, reduction, slope=False):
    """Compute the reduced loss, the slope if it is wanted, what both were divided by, and the operands for that."""
    input, target, weight, pos_weight = operands
    kind, process_group, dtype = reduction
    if pos_weight is not None and input.is_cpu:
        check_pos_weight(pos_weight, composite.compute_dtype(input.dtype))
    if kind == "weighted_mean" and weight is not None:
        divisor = driver.tally(loss, target, weight)
    elif kind == "sum" or kind == "none":
        divisor = 1
    else:
        divisor = target.numel() if loss.ignore_label is None else driver.tally(loss, target)
    if process_group is not None:
        divisor = composite.share(divisor, process_group, input.device)
    if kind == "weighted_mean" and weight is not None:
        operands, divisor = driver.in_range(loss, operands, divisor)
    value, slopes = driver.fuse(loss, operands, divisor=divisor, dtype=dtype, elementwise=kind == "none", slope=slope)
    return value, slopes, divisor, operands


def _times(slope, upstream, loss, operands):
    """Multiply slopes in place by an upstream gradient of each; those of hidden entries stay 0."""
    if loss.ignore_label is None and operands.weight is None:
        return slope.mul_(upstream)
    hidden = slope == 0
    return slope.mul_(upstream).masked_fill_(hidden, 0)


def _gradient_by_kernels(driver, loss, operands, divisor, upstream):
    """Compute upstream times slope, in one pass."""
    input = operands.input
    fuse = functools.partial(driver.fuse, loss, operands, slope=True)
    if upstream.dim() == 0:
        return fuse(divisor=divisor, upstream=upstream)[1]
    if input.element_size() > 2:
        slope: Any = fuse()[1]
        return _times(slope, upstream, loss, operands)
    return composite.gradient(loss, operands, divisor, upstream)


# The operators for torch.compile.


def _suits_the_operator(operands):
    """Return whether the operator is worth leaving the compiled graph: for a large tensor on a CPU."""
    input, *others = operands
    others = [tensor for tensor in others if tensor is not None]
    return (
        input.device.type == "cpu"
        and not torch.compiler.is_exporting()
        and not transforms_active()
        and input.numel() >= WORTH_A_KERNEL
        and not any(tensor.requires_grad for tensor in others)
        and all(tensor.device == input.device for tensor in others)
    )


def _by_operator(loss, operands, reduction):
    value = torch.ops.binxent.loss(*operands, encode(loss), reduction.kind == "none")
    if reduction.kind in ("none", "sum"):
        return value.to(reduction.dtype)
    return (value / composite.divisor_of(loss, operands, reduction)).to(reduction.dtype)


@torch.library.custom_op("binxent::loss", mutates_args=())
def loss_operator(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None,
    pos_weight: torch.Tensor | None,
    loss: str,
    elementwise: bool,
) -> torch.Tensor:
    """Compute the loss of each entry, or their sum in float64."""
    operands = Operands(input, target, weight, pos_weight)
    dtype = composite.compute_dtype(input.dtype) if elementwise else torch.float64
    reduction = Reduction("none" if elementwise else "sum", None, dtype)
    driver = _suitable_driver(operands) if has_no_transform() else None
    if driver is not None:
        return _by_kernels(driver, decode(loss), operands, reduction)[0]
    return composite.compute(decode(loss), operands, reduction)


@torch.library.custom_op("binxent::slope", mutates_args=())
def slope_operator(
    upstream: torch.Tensor,
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None,
    pos_weight: torch.Tensor | None,
    loss: str,
) -> torch.Tensor:
    """Compute the gradient of `binxent::loss`."""
    operands = Operands(input, target, weight, pos_weight)
    driver = _suitable_driver(operands) if has_no_transform() else None
    if driver is None:
        return composite.gradient(decode(loss), operands, 1, upstream)
    gradient: Any = _gradient_by_kernels(driver, decode(loss), operands, 1, upstream)
    return gradient


@loss_operator.register_fake
def _(input, target, weight, pos_weight, loss, elementwise):
    if elementwise:
        return torch.empty_like(input, dtype=composite.compute_dtype(input.dtype))
    return input.new_empty((), dtype=torch.float64)


@slope_operator.register_fake
def _(upstream, input, target, weight, pos_weight, loss):
    return torch.empty_like(input)


def _remember(ctx, inputs, output):
    *tensors, ctx.loss, _ = inputs
    ctx.save_for_backward(*tensors)


def _differentiate(ctx, upstream):
    if torch.is_grad_enabled():
        gradient = composite.gradient(decode(ctx.loss), Operands(*ctx.saved_tensors), 1, upstream)
    else:
        gradient = torch.ops.binxent.slope(upstream, *ctx.saved_tensors, ctx.loss)
    return gradient, None, None, None, None, None


loss_operator.register_autograd(_differentiate, setup_context=_remember)
