"""A loss composed of torch's own operations: on any device, under any transformation, with exact derivatives.

Autograd of a formula's expressions would be wrong: `clamp` has slope 0 or 1 at its kink, where the truth is 1/2, and a
sigmoid that has been rounded to 1 has none. So loss, slope and curvature are a `Function` each, whose derivative is the
next of the three.
"""

from types import SimpleNamespace

import torch

from binxent._core import masking
from binxent._core.formulas import LINEAR, define, in_label, unweighted_bce
from binxent.losses import Pointwise
from binxent.torch._private import has_tangent, is_differentiated_by_transform, nested_tangents, transforms_active

SINGLE_ONLY = ("mps",)  # devices without float64


def _minimum(a, b):
    if not isinstance(a, torch.Tensor):
        return min(a, b)
    return torch.minimum(a, b) if isinstance(b, torch.Tensor) else torch.clamp(a, max=b)


def _maximum(a, b):
    if not isinstance(a, torch.Tensor):
        return max(a, b)
    return torch.maximum(a, b) if isinstance(b, torch.Tensor) else torch.clamp(a, min=b)


_maths = SimpleNamespace(
    abs=torch.abs,
    where=torch.where,
    minimum=_minimum,
    maximum=_maximum,
    exp=torch.exp,
    log=torch.log,
    log1p=torch.log1p,
)
_formulas = define(_maths)


def compute(loss, operands, reduction):
    """Compute the reduced loss."""
    _, _, weight, pos_weight = operands
    x, y, valid = _read(loss, operands)
    each = _elementwise(loss, x, y, None if pos_weight is None else pos_weight.to(x.dtype))
    each = _weigh(each, valid, weight)
    if reduction.kind == "none":
        return each.to(reduction.dtype)
    return (_add_up(each) / divisor_of(loss, operands, reduction)).to(reduction.dtype)


def divisor_of(loss, operands, reduction):
    """Compute what a reduction divides the sum by, differentiable in the weight."""
    input, target, weight, _ = operands
    kind, process_group, _ = reduction
    valid = masking.not_ignored(torch, loss.ignore_label, target.to(compute_dtype(input.dtype)))
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
    # Upstream comes before the weights, which hide what becomes of it over 0.
    return _weigh(slope * (upstream.to(slope.dtype) / divisor), valid, weight).to(input.dtype)


def compute_dtype(dtype):
    """Return the precision to compute in."""
    return torch.float64 if dtype is torch.float64 else torch.float32


def _read(loss, operands):
    """Mask and smooth inputs and targets, in the precision to compute in; return where entries take part, too."""
    input, target, weight, _ = operands
    dtype = compute_dtype(input.dtype)
    x, y = input.to(dtype), target.to(dtype)
    # Other entries of weight 0 cost 0 by themselves, and their derivative in the weight is their loss.
    valid = None if weight is None else (weight != 0) | (x.isfinite() & y.isfinite())
    return masking.prepare(torch, loss, x, y, valid)


def _weigh(each, valid, weight):
    """Multiply values by weights, and set those that take no part to 0."""
    if weight is not None:
        weight = weight.to(each.dtype)
        each = weight * torch.where((weight == 0) & each.isinf(), 0.0, each)
    return each if valid is None else torch.where(valid, each, 0.0)


def _add_up(values):
    return values.sum(dtype=torch.float32 if values.device.type in SINGLE_ONLY else torch.float64)


def _elementwise(loss, x, y, pos_weight):
    """Compute the loss of each entry, differentiable in every operand."""
    if not (_is_differentiated(y) or _is_differentiated(pos_weight)):
        return _derivative(loss, x, y, pos_weight, 0)
    rule = in_label(loss.formula_key[0])
    if rule is LINEAR:
        positive, negative = _costs(loss, x)
        if pos_weight is not None:
            positive = positive * pos_weight
        return y * _without_weight(y, positive) + (1 - y) * _without_weight(1 - y, negative)
    a, b = _costs(Pointwise(loss.prediction_kind, (unweighted_bce,), epsilon=loss.epsilon), x)
    return rule(_maths, _without_weight(y, a), _without_weight(1 - y, b), y, _constants(loss, x, pos_weight))


def _costs(loss, x):
    """Compute the loss of each entry with the target 1, and with the target 0."""
    return _derivative(loss, x, torch.ones_like(x), None, 0), _derivative(loss, x, torch.zeros_like(x), None, 0)


def _without_weight(weight, cost):
    """A cost, which is 0 where it is infinite and has no weight: 0 * inf is NaN. Elsewhere it has its derivatives."""
    return torch.where((weight == 0) & cost.isinf(), 0.0, cost)


def _constants(loss, x, pos_weight):
    """The constants of the formula: numbers, and tensors that broadcast to the input."""
    if pos_weight is not None:
        return (pos_weight,)
    return tuple(
        torch.tensor(one, dtype=x.dtype, device=x.device) if isinstance(one, tuple) else one for one in loss.constants
    )


def _is_differentiated(tensor):
    """Whether a derivative in the tensor is asked for, by autograd or by a transformation of any level."""
    if tensor is None:
        return False
    if torch.compiler.is_dynamo_compiling():
        if transforms_active():  # and one of them may be about this tensor
            return True
    elif is_differentiated_by_transform(tensor):
        return True
    return has_tangent(tensor) or tensor.requires_grad


def _derivative(loss, x, y, pos_weight, order):
    """The loss of each entry (order 0), its slope (1) or its curvature (2), differentiable in x."""
    compiling = torch.compiler.is_dynamo_compiling()
    if order == 2 or (transforms_active() if compiling else nested_tangents()):
        # Third and higher derivatives use autodiff. max(z, 0) has its only kink at 0, so z = 0 is evaluated at 1e-30.
        return _formula_value(loss, x + (x == 0) * 1e-30, y, pos_weight, order)
    kind = Derivative if compiling else DerivativeWithTangents
    return kind.apply(x, y, pos_weight, loss, order)


def _formula_value(loss, x, y, pos_weight, order):
    formula = _formulas(loss.prediction_kind, *loss.formula_key)
    return formula(x, y, loss.epsilon or 0.0, _constants(loss, x, pos_weight))[order]


class Derivative(torch.autograd.Function):
    """One of the three numbers of a formula, which knows the next one as its derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, pos_weight, loss, order):
        return _formula_value(loss, x, y, pos_weight, order)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, pos_weight, ctx.loss, ctx.order = inputs
        ctx.save_for_backward(x, y, pos_weight)
        ctx.save_for_forward(x, y, pos_weight)

    @staticmethod
    def backward(ctx, upstream):  # pyright: ignore[reportIncompatibleMethodOverride]
        x, y, pos_weight = ctx.saved_tensors
        step = (
            _formula_value if torch.compiler.is_compiling() else _derivative
        )  # compiled graphs are differentiated once
        return upstream * step(ctx.loss, x, y, pos_weight, ctx.order + 1), None, None, None, None


class DerivativeWithTangents(Derivative):
    """A `Derivative` for forward mode, too, which torch.compile cannot look into."""

    @staticmethod
    def jvp(ctx, tangent, *_):  # pyright: ignore[reportIncompatibleMethodOverride]
        x, y, pos_weight = ctx.saved_tensors
        return tangent * _derivative(ctx.loss, x, y, pos_weight, ctx.order + 1)


def share(divisor, process_group, device):
    """The divisor that makes the mean over processes of all their losses the mean over all their entries."""
    total = torch.as_tensor(divisor, dtype=torch.float64, device=device).clone()
    torch.distributed.all_reduce(total, group=process_group)
    return total / torch.distributed.get_world_size(process_group)
