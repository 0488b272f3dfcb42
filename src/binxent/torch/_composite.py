"""A loss composed of torch's own operations: on any device, under any transformation, with exact derivatives.

Autograd of a formula's expressions would be wrong: `clamp` has slope 0 or 1 at its kink, where the truth is 1/2, and a
sigmoid that has been rounded to 1 has none. So loss, slope and curvature are a `Function` each, whose derivative is the
next of the three.
"""

from types import SimpleNamespace

import torch

from binxent._core import masking
from binxent._core.formulas import HUGE, LINEAR, NEAR_ZERO, build_formulas, in_label, unweighted_bce
from binxent.losses import Pointwise
from binxent.torch._options import check_precision
from binxent.torch._private import has_tangent, is_differentiated_by_transform, nested_tangents, transforms_active

SINGLE_ONLY = ("mps",)  # devices without float64
OWN_PRECISION = (torch.float64, torch.int64, torch.int32)  # the dtypes of labels that float32 would round


def _minimum(a, b):
    if not isinstance(a, torch.Tensor):
        return min(a, b)
    return torch.minimum(a, b) if isinstance(b, torch.Tensor) else torch.clamp(a, max=b)


def _maximum(a, b):
    if not isinstance(a, torch.Tensor):
        return max(a, b)
    return torch.maximum(a, b) if isinstance(b, torch.Tensor) else torch.clamp(a, min=b)


def _power_times(u, gamma, h):
    """Compute u^gamma h, by plain operations where a `Function` does not work."""
    if torch.compiler.is_dynamo_compiling() or nested_tangents():
        return PowerTimes.forward(u, gamma, h)
    return PowerTimes.apply(u, gamma, h)


_maths = SimpleNamespace(
    abs=torch.abs,
    where=torch.where,
    minimum=_minimum,
    maximum=_maximum,
    exp=torch.exp,
    log=torch.log,
    log1p=torch.log1p,
    in_float64=lambda x: x.dtype is torch.float64,
    power_times=_power_times,
)
_formulas = build_formulas(_maths)


def compute(loss, operands, reduction):
    """Compute the reduced loss."""
    input, _, weight, pos_weight = operands
    x, y, valid = _read(loss, operands)
    costs = _elementwise(loss, x, y, None if pos_weight is None else pos_weight.to(x.dtype))
    if reduction.kind == "weighted_mean" and weight is not None and input.device.type not in SINGLE_ONLY:
        weight = weight.to(torch.float64)  # a tiny weight would lose digits, and so would its gradient
        operands = operands._replace(weight=weight)
    costs = _weigh(costs, valid, weight)
    if reduction.kind == "none":
        return costs.to(reduction.dtype)
    return (_add_up(costs) / divisor_of(loss, operands, reduction)).to(reduction.dtype)


def divisor_of(loss, operands, reduction):
    """Compute what a reduction divides the sum by, differentiable in the weight."""
    input, target, weight, _ = operands
    kind, process_group, _ = reduction
    valid = masking.not_ignored(torch, loss.ignore_label, _comparable(target, input.dtype))
    if kind == "weighted_mean" and weight is not None:
        weight = weight.expand(target.shape)
        divisor = _add_up(weight if valid is None else torch.where(valid, weight, 0.0))
    elif kind.endswith("mean"):
        divisor = target.numel() if valid is None else _add_up(valid)
    else:
        divisor = 1
    if process_group is None:
        return divisor
    shared = share(torch.as_tensor(divisor).detach(), process_group, target.device)
    if isinstance(divisor, torch.Tensor) and divisor.requires_grad:
        shared = shared + (divisor - divisor.detach()) / torch.distributed.get_world_size(process_group)
    return shared


def gradient(loss, operands, divisor, upstream):
    """Compute upstream times slope, to be differentiated further."""
    input, _, weight, pos_weight = operands
    x, y, valid = _read(loss, operands)
    slope = _derivative(loss, x, y, None if pos_weight is None else pos_weight.to(x.dtype), 1)
    # Upstream comes before the weights, because a weight of 0 must hide upstream / 0, too.
    return _weigh(slope * (upstream.to(slope.dtype) / divisor), valid, weight).to(input.dtype)


def compute_dtype(dtype):
    """Return the precision to compute in."""
    return torch.float64 if dtype is torch.float64 else torch.float32


def _read(loss, operands):
    """Mask inputs and targets, in the precision to compute in; return where entries take part, too."""
    input, target, weight, _ = operands
    # Rounded to float32, a weight of float64 may be 0 or infinite.
    dtype = torch.float64 if weight is not None and weight.dtype is torch.float64 else compute_dtype(input.dtype)
    check_precision(str(dtype).removeprefix("torch."), *loss.values())
    x, y = input.to(dtype), target.to(dtype)
    # Finite entries stay even if their weight is 0: they cost 0, but their derivative in the weight is their loss.
    valid = None if weight is None else (weight != 0) | (x.isfinite() & y.isfinite())
    return masking.prepare(torch, loss, x, y, valid, _comparable(target, input.dtype))


def _comparable(target, dtype):
    """Return the target in a precision in which no two of its labels are the same, to be compared with another."""
    return target if target.dtype in OWN_PRECISION else target.to(compute_dtype(dtype))


def _weigh(values, valid, weight):
    """Multiply values by weights, and set those that take no part to 0."""
    if weight is not None:
        weight = weight.to(torch.promote_types(weight.dtype, values.dtype))
        values = weight * torch.where((weight == 0) & ~values.isfinite(), 0.0, values)
    return values if valid is None else torch.where(valid, values, 0.0)


def _add_up(values):
    return values.sum(dtype=torch.float32 if values.device.type in SINGLE_ONLY else torch.float64)


def _elementwise(loss, x, y, pos_weight):
    """Compute the loss of each entry, differentiable in every operand."""
    if not (_is_differentiated(y) or _is_differentiated(pos_weight)):
        return _derivative(loss, x, y, pos_weight, 0)
    # The loss at fixed labels and weights has the derivatives in x; the rest is 0, and has the others.
    y0, pos_weight0 = y.detach(), None if pos_weight is None else pos_weight.detach()
    value, rule = _derivative(loss, x, y0, pos_weight0, 0), in_label(loss.formula_key[0])
    (y, _), (y0, _) = (masking.smooth(loss.label_smoothing, each) for each in (y, y0))
    if rule is LINEAR:
        a, b = _costs(loss.plain(), x)
        positive, positive0 = (y, y0) if pos_weight is None else (y * pos_weight, y0 * pos_weight0)
        return value + (positive - positive0) * a - (y - y0) * b
    a, b = _costs(Pointwise(loss.prediction_kind, (unweighted_bce,), epsilon=loss.epsilon), x)
    constants = _constants(loss, x, pos_weight)
    return value + (rule(_maths, a, b, y, constants) - rule(_maths, a, b, y0, constants))


def _costs(loss, x):
    """Compute the loss of each entry with the target 1, and with the target 0, both bounded: 0 * inf is NaN."""
    return tuple(_derivative(loss, x, torch.full_like(x, label), None, 0, True) for label in (1.0, 0.0))


def _constants(loss, x, pos_weight):
    """Return the constants of the formula: numbers, and tensors that broadcast to the input."""
    if pos_weight is not None:
        return (pos_weight,)
    return tuple(
        torch.tensor(constant, dtype=x.dtype, device=x.device) if isinstance(constant, tuple) else constant
        for constant in loss.constants
    )


def _is_differentiated(tensor):
    """Return whether a derivative in the tensor is needed, by autograd or by a transformation of any level."""
    if tensor is None:
        return False
    if torch.compiler.is_dynamo_compiling():
        if transforms_active():  # any of them may differentiate this tensor
            return True
    elif is_differentiated_by_transform(tensor):
        return True
    return has_tangent(tensor) or tensor.requires_grad


def _derivative(loss, x, y, pos_weight, order, bounded=False):
    """Compute the loss of each entry (order 0), its slope (1) or its curvature (2), differentiable in x.

    A bounded one is at most `HUGE`, its derivatives are finite and those that it would have without the bound.
    """
    compiling = torch.compiler.is_dynamo_compiling()
    if order == 2 or (transforms_active() if compiling else nested_tangents()):
        # Third and higher derivatives use autodiff. max(z, 0) has its only kink at 0, so z = 0 is evaluated at 1e-30.
        return _formula_value(loss, x + (x == 0) * NEAR_ZERO, y, pos_weight, order, bounded)
    kind = Derivative if compiling else DerivativeWithTangents
    return kind.apply(x, y, pos_weight, loss, order, bounded)


def _formula_value(loss, x, y, pos_weight, order, bounded=False):
    formula = _formulas(loss.prediction_kind, *loss.formula_key)
    label = masking.smooth(loss.label_smoothing, y)
    value = formula(x, label, loss.epsilon or 0.0, _constants(loss, x, pos_weight))[order]
    if not isinstance(value, torch.Tensor) or value.dim() != x.dim():  # a constant has no shape of its own
        value = torch.as_tensor(value, dtype=x.dtype, device=x.device).expand(x.shape).contiguous()
    if bounded:
        most = torch.finfo(value.dtype).max if order else HUGE
        return value.clamp(-most, most)
    return value


class Derivative(torch.autograd.Function):
    """Loss, slope or curvature as a function of autograd, with the next of the three as its derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, pos_weight, loss, order, bounded):
        return _formula_value(loss, x, y, pos_weight, order, bounded)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, pos_weight, ctx.loss, ctx.order, ctx.bounded = inputs
        ctx.save_for_backward(x, y, pos_weight)
        ctx.save_for_forward(x, y, pos_weight)

    @staticmethod
    def backward(ctx, upstream):  # pyright: ignore[reportIncompatibleMethodOverride]
        x, y, pos_weight = ctx.saved_tensors
        # Compiled graphs are differentiated once.
        step = _formula_value if torch.compiler.is_compiling() else _derivative
        slope = step(ctx.loss, x, y, pos_weight, ctx.order + 1, ctx.bounded)
        return upstream * slope, None, None, None, None, None


class DerivativeWithTangents(Derivative):
    """A `Derivative` with forward mode, which torch.compile cannot trace."""

    @staticmethod
    def jvp(ctx, tangent, *_):  # pyright: ignore[reportIncompatibleMethodOverride]
        x, y, pos_weight = ctx.saved_tensors
        return tangent * _derivative(ctx.loss, x, y, pos_weight, ctx.order + 1, ctx.bounded)


class PowerTimes(torch.autograd.Function):
    """u^gamma h with derivatives by hand: autodiff's factors 1 / u and 1 / u^2 would leave the range of the dtype.

    The result is finite, also times any cost up to `HUGE`, because 0 * inf is NaN.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(u, gamma, h):
        kind = torch.finfo(u.dtype)
        root = torch.exp(gamma / 2 * torch.log(u.clamp(kind.tiny)))
        most = torch.full_like(u, kind.max**0.9).masked_fill(u < kind.tiny, kind.max**0.25)
        return torch.minimum(root * h * root, most)

    @staticmethod
    def setup_context(ctx, inputs, output):
        u, ctx.gamma, h = inputs
        ctx.save_for_backward(u, h)
        ctx.save_for_forward(u, h)

    @staticmethod
    def backward(ctx, upstream):  # pyright: ignore[reportIncompatibleMethodOverride]
        by_u, by_h = _slopes_of_power(ctx)
        return upstream * by_u, None, upstream * by_h

    @staticmethod
    def jvp(ctx, du, _, dh):  # pyright: ignore[reportIncompatibleMethodOverride]
        by_u, by_h = _slopes_of_power(ctx)
        return by_u * du + by_h * dh


def _slopes_of_power(ctx):
    u, h = ctx.saved_tensors
    return ctx.gamma * _power_times(u, ctx.gamma - 1, h), _power_times(u, ctx.gamma, torch.ones_like(h))


def share(divisor, process_group, device):
    """Return the divisor that makes the mean over processes of all their losses the mean over all their entries."""
    total = torch.as_tensor(divisor, dtype=torch.float64, device=device).clone()
    torch.distributed.all_reduce(total, group=process_group)
    return total / torch.distributed.get_world_size(process_group)
