"""The driver of torch tensors on a CPU: runs the CPU kernels on tensors in place, without a copy.

`_triton.py` has the same functions for tensors on a GPU; `_drivers.py` describes them.
"""

import ctypes
import math
from typing import Any

import numpy as np
import torch

from binxent._core.dtypes import DOUBLE, SINGLE
from binxent._core.ranges import any_infinite, range_error
from binxent._core.sample_weights import MOST, is_extreme, scaled, sizes
from binxent._kernels import fused
from binxent._kernels.allocator import LARGE, allocate
from binxent._kernels.operands import (
    NOWHERE,
    constant_operands,
    gather,
    gather_labels,
    lay_out,
    reads_exactly,
    scatter,
)
from binxent._kernels.plan import BLOCK
from binxent.torch._drivers import Operands

# What NumPy calls the dtypes that kernels read.
NAMES = {getattr(torch, name): name for name in ("bool", "float64", "float32", "float16", "bfloat16")}
NAMES |= {getattr(torch, f"{sign}int{bits}"): f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
COMPUTE_DTYPES = {torch.float64: DOUBLE, torch.float32: SINGLE}
SCALARS = {
    torch.float64: (torch.empty((), dtype=torch.float64, device="cpu"), ctypes.c_double),
    torch.float32: (torch.empty((), dtype=torch.float32, device="cpu"), ctypes.c_float),
}
OUTSIDE = (
    "all elements of {name} should be between 0 and 1; {{outside}} of {{total}} are not, from {{least}} to {{most}}. "
    "{advice}"
)


def fuse(
    loss,
    operands,
    *,
    divisor: float | torch.Tensor = 1,
    upstream=None,
    dtype=None,
    elementwise=False,
    slope=False,
    label_axis=-1,
    real=None,
):
    """Compute what `Driver.fuse` describes; constants that differ between labels lie along the label axis.

    Called with a precision, it computes in that, and all values are known to be possible.
    """
    input, target, weight, pos_weight = operands
    if not input.is_contiguous():
        order = sorted(range(input.dim()), key=input.stride, reverse=True)
        if order != list(range(input.dim())):
            return _fuse_in_order(
                order, loss, operands,
                divisor=divisor, upstream=upstream, dtype=dtype, elementwise=elementwise, slope=slope,
            )  # fmt: skip
    kind, shape, size = input.dtype, input.shape, input.numel()
    is_checked, real = real is not None, real or (DOUBLE if kind is torch.float64 else SINGLE)
    dtype, divisor = dtype or kind, float(divisor)
    scale = 1 / divisor if divisor else 0.0
    if upstream is not None:
        scale *= upstream.item()
    losses = _empty(input, dtype) if elementwise else None
    slopes = _empty(input, kind) if slope else None
    if weight is None and pos_weight is None and size <= BLOCK and _lie_ready(loss, input, target, losses, real):
        total, suspicious = fused.fuse_block(
            loss,
            input.data_ptr(),
            target.data_ptr(),
            real=real,
            size=size,
            scale=scale,
            losses=0 if losses is None else losses.data_ptr(),
            slopes=0 if slopes is None else slopes.data_ptr(),
        )
    else:
        if pos_weight is None:
            constants = constant_operands(loss.constants, shape, real, label_axis)
        else:
            constants = (_operand(pos_weight.expand(shape), real, gather),)
        weights = () if weight is None else (weight.expand(shape),)
        exact, compares_labels = _reads_exactly(weights, target, loss, real)
        factors = [_operand(each, DOUBLE if exact else real, gather) for each in weights]
        if compares_labels:
            factors.append(_operand(target, DOUBLE, gather))
        sums, suspicious = fused.fuse(
            loss,
            _operand(input, real, gather),
            _operand(target, real, gather_labels),
            factors,
            real=real,
            size=size,
            row=size,
            scale=scale,
            constants=constants,
            losses=NOWHERE if losses is None else _operand(losses, real, scatter),
            derivatives=() if slopes is None else (_operand(slopes, real, scatter),),
            most_threads=torch.get_num_threads(),
            exact=exact,
        )
        total = float(sums[0] if sums.size == 1 else sums.sum())
    if suspicious and not is_checked:
        hiding = _refuse_impossible_values(loss, input, target, weight)
        if weight is not None and is_extreme(sizes(weight.expand(shape), hiding, _as_float64), 8 * real.itemsize):
            return fuse(
                loss, operands, divisor=divisor, upstream=upstream, dtype=dtype, elementwise=elementwise, slope=slope,
                label_axis=label_axis, real=DOUBLE,
            )  # fmt: skip
    if losses is None:
        losses = _scalar(total / divisor if divisor else math.nan, dtype)
    return losses, slopes


def _fuse_in_order(order, loss, operands, *, elementwise, slope, **options):
    """Compute what `fuse` does, with the axes in the order in which memory is read from end to end."""
    shape = operands.input.shape
    permuted: Any = (each if each is None else each.expand(shape).permute(order) for each in operands)
    found: Any = fuse(
        loss, Operands(*permuted),
        elementwise=elementwise, slope=slope, label_axis=order.index(len(shape) - 1), **options,
    )  # fmt: skip
    value, slopes = found
    back = [order.index(axis) for axis in range(len(shape))]
    return value.permute(back) if elementwise else value, slopes.permute(back) if slope else None


def tally(loss, target, weight=None):
    """Compute what `Driver.tally` describes, as a Python number."""
    size = target.numel()
    real = DOUBLE if torch.float64 in (target.dtype, None if weight is None else weight.dtype) else SINGLE
    if _reads_exactly((), target, loss, real)[0]:
        real = DOUBLE
    labels = _operand(target, real, gather)
    weights = () if weight is None else (_operand(weight.expand(target.shape), real, gather),)
    sums, _ = fused.fuse(
        loss, labels, labels, weights,
        real=real, size=size, row=size, tallied=True, most_threads=torch.get_num_threads(),
    )  # fmt: skip
    return float(sums.sum())


def scale_(tensor, factor):
    """Compute what `Driver.scale_` describes."""
    number = factor.item()
    if not math.isfinite(number):  # 0, the slope of a hidden entry, stays 0
        return tensor.copy_(torch.where(tensor == 0, 0.0, tensor * number))
    return tensor if number == 1 else tensor.mul_(number)


def _empty(like, dtype):
    """Make a contiguous tensor in the shape of another, a large one in memory that was used before."""
    size = like.numel() * dtype.itemsize
    if size >= LARGE:
        return torch.from_numpy(allocate(size)).view(dtype).view(like.shape)
    if dtype is like.dtype and like.is_contiguous():
        return torch.empty_like(like)
    return torch.empty(like.shape, dtype=dtype, device="cpu")


def _scalar(value, dtype):
    """Make a 0-d tensor, infinite beyond the dtype's range, in a third of the time that torch takes for a number."""
    if dtype not in SCALARS:
        return torch.scalar_tensor(value, dtype=torch.float64, device="cpu").to(dtype)
    like, number = SCALARS[dtype]
    tensor = torch.empty_like(like)
    number.from_address(tensor.data_ptr()).value = value
    return tensor


def _lie_ready(loss, input, target, losses, real):
    """Return whether a kernel can use the tensors where they lie, and the numbers of the loss."""
    dtype = input.dtype
    return (
        COMPUTE_DTYPES.get(dtype) is real
        and target.dtype is dtype
        and (losses is None or losses.dtype is dtype)
        and input.is_contiguous()
        and target.is_contiguous()
        and not (input.is_neg() or target.is_neg())
        and loss.ignore_label is None
        and not loss.has_number_per_label
    )


def _operand(tensor, real, mover):
    """Make an operand of a kernel from a tensor."""
    if COMPUTE_DTYPES.get(tensor.dtype) is real and tensor.is_contiguous() and not tensor.is_neg():
        return 0, tensor.data_ptr(), tensor
    if tensor.dtype not in NAMES or tensor.is_neg():
        tensor = tensor.resolve_neg().to(torch.float64)
    width = tensor.element_size()
    steps = [step * width for step in tensor.stride()]
    return lay_out(tensor, tensor.data_ptr(), NAMES[tensor.dtype], tensor.shape, steps, real, mover)


def _reads_exactly(weights, target, loss, real):
    if not weights and loss.ignore_label is None:
        return False, False
    name = NAMES.get(target.dtype, "float64")
    return reads_exactly(weights, np.dtype(name) if name != "bfloat16" else SINGLE, loss.ignore_label, real)


def in_range(loss, operands, divisor):
    """Compute what `Driver.in_range` describes."""
    divisor = float(divisor)
    weight, most = operands.weight, MOST[64 if operands.input.dtype is torch.float64 else 32]
    if divisor == 0 or 1 / most <= abs(divisor) <= most or math.isnan(divisor):
        return operands, divisor
    weights = _as_float64(weight)
    if math.isfinite(divisor):
        weight, divisor = torch.from_numpy(scaled(weights, divisor)), math.ldexp(divisor, -math.frexp(divisor)[1])
    else:
        target = operands.target
        largest = sizes(weight.expand(target.shape), [(target, loss.ignore_label)], _as_float64)[1]
        weight = torch.from_numpy(scaled(np.broadcast_to(weights, target.shape), largest))
        divisor = tally(loss, operands.target, weight)
    return operands._replace(weight=weight), divisor


def _refuse_impossible_values(loss, input, target, weight):
    """Raise the error that says which values are impossible, if any is.

    Returns:
        Which weights do not count, as `range_error` takes it.
    """
    hiding = hidden = [(target, loss.ignore_label)]
    if weight is not None:
        weight = weight.expand(target.shape)
        if any_infinite(weight, hiding, _as_float64):
            raise ValueError("`weight` must be finite; got an infinite weight. Weights of 0 hide entries.")
        hidden = [*hiding, (weight, 0)]
    is_logit = loss.prediction_kind == "logit"
    checked = [("target", target, "Map the two classes to 0 and 1, or name the value to leave out as `ignore_index`.")]
    if not is_logit:
        checked.append(("input", input, "Logits belong to `binary_cross_entropy_with_logits`."))
    kind = ValueError if is_logit else RuntimeError  # torch's own, where it checks at all
    for name, values, advice in checked:
        message = OUTSIDE.format(name=name, advice=advice)
        error = range_error(values, hidden, message, read=_as_float64, error=kind, refuse_nan=not is_logit)
        if error is not None:
            error.argument = name  # pyright: ignore[reportAttributeAccessIssue]
            raise error
    return hiding


def _as_float64(tensor):
    """Return a block of a tensor as a NumPy array."""
    return tensor.detach().to(torch.float64).resolve_neg().numpy()
