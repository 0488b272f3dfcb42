"""The driver of torch tensors on a GPU: a fused Triton kernel that reads each prediction and label once.

A program works through a few blocks of elements and leaves the sum of their losses in a slot of its own; a second,
small kernel adds up the slots in order. How elements are cut depends on their number alone, so the same input gives
the same bits from run to run. Nothing here waits for the GPU or decides from its data, so all of it can be captured in
a graph.

`_cpu.py` has the same functions for tensors on a CPU; `_drivers.py` describes them.
"""

# pyright: reportCallIssue=false, reportIndexIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportInvalidTypeForm=false
# (Triton's annotations are those of the compiler's side of a call, not of the caller's)
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
import triton
import triton.language as tl

from binxent._core import formulas
from binxent._core.options import check_precision
from binxent._core.sample_weights import MOST
from binxent.torch import _triton_maths
from binxent.torch._composite import compute_dtype
from binxent.torch._triton_layout import layout, like, strided_operands

OPTIONS = {"num_warps": 4, "enable_fp_fusion": True}  # fusion: a * b + c is one instruction, with one rounding
# A block has 8 elements for each thread of a program, 16 bytes of bfloat16, which is the widest load there is, or two
# such loads of float32. float64 takes twice the registers, so it gets half as many.
BLOCKS = {torch.float32: 1024, torch.float64: 512}
REALS = {torch.float32: tl.float32, torch.float64: tl.float64}
# While programs are few, each takes a single block, so that they fill the GPU. Larger inputs give each program more
# blocks, but no more than a float32 sum of half-precision losses can add up without losing digits.
MANY_PROGRAMS, MOST_STEPS = 2**14, 16
LONE_STEPS = 4  # up to so many blocks go to a single program, which makes the second kernel unnecessary
SUMS = 1024  # that are added up at a time
LARGEST_INDEX = 2**31 - 1

HALVES = (torch.float16, torch.bfloat16)


def jit(function):
    """Apply `triton.jit` to a closure; the whole numbers that it closes over become compile-time constants."""
    for cell in function.__closure__ or ():
        if isinstance(cell.cell_contents, int):
            cell.cell_contents = tl.constexpr(cell.cell_contents)
    return triton.jit(function)


@cache
def formulas_for_blocks():
    return formulas.build_formulas(_triton_maths, jit, tl.constexpr)


# Kernels. An operand is a tuple, its address and its strides along one to three axes, or None. The sizes beside it are
# those of all elements, of the last axis and of the one before. Outputs are dense.


@triton.jit
def offsets(start, lane, sizes, operand, WIDE: tl.constexpr):
    """Compute the offsets of a block's elements in an operand."""
    if len(operand) == 2:
        return start * operand[1] + lane.to(tl.int64) * operand[1]
    else:
        i = (start if WIDE else start.to(tl.int32)) + lane
        rest = i // sizes[1]
        inner = i - rest * sizes[1]
        if len(operand) == 3:
            return rest * operand[1] + inner * operand[2]
        else:
            outer = rest // sizes[2]
            return outer * operand[1] + (rest - outer * sizes[2]) * operand[2] + inner * operand[3]


@triton.jit
def read(start, lane, sizes, operand, REAL: tl.constexpr, WIDE: tl.constexpr):
    """Load the block of an operand that begins with element `start`, in the precision to compute in."""
    return read_as_it_is(start, lane, sizes, operand, WIDE).to(REAL)


@triton.jit
def read_as_it_is(start, lane, sizes, operand, WIDE: tl.constexpr):
    """Load the block of an operand that begins with element `start`, in its own precision."""
    return tl.load(operand[0] + offsets(start, lane, sizes, operand, WIDE), lane < sizes[0] - start, 0)


@triton.jit
def number(given, known: tl.constexpr, REAL: tl.constexpr):
    """Return a number of the loss, compiled in where it is known."""
    return tl.full([], given if known is None else known, REAL)


@triton.jit
def constants_of(
    k: tl.constexpr, start, lane, sizes, c, numbers, KNOWN: tl.constexpr, REAL: tl.constexpr, WIDE: tl.constexpr
):
    """Return the formula's constants from number k on: from an operand, from what is compiled in, or from bits."""
    if k == len(KNOWN):
        return ()
    else:
        others = constants_of(k + 1, start, lane, sizes, c, numbers, KNOWN, REAL, WIDE)
        if c is not None and c[k] is not None:
            value = read(start, lane, sizes, c[k], REAL, WIDE)
        elif KNOWN[k] is None:
            value = numbers[k].to(tl.int64).to(tl.float64, bitcast=True).to(REAL)
        else:
            value = tl.full([], KNOWN[k], REAL)
        return (value,) + others  # noqa: RUF005 (Triton has no unpacking)


@triton.jit
def divided(total, divisor_at, divisor):
    """Divide a float64 by the divisor, a number if there is no address."""
    return total / (tl.full([], divisor, tl.float64) if divisor_at is None else tl.load(divisor_at).to(tl.float64))


@triton.jit
def slope_factor(divisor_at, scale, upstream_at, REAL: tl.constexpr):
    """Divide upstream by the divisor, 0 over 0. In the precision to compute in: many GPUs divide float64 slowly."""
    if divisor_at is None:
        factor = tl.full([], scale, REAL)
    else:
        divisor = tl.load(divisor_at).to(REAL)
        factor = tl.where(divisor == 0, 0.0, 1.0 / divisor)
    return factor if upstream_at is None else factor * tl.load(upstream_at).to(REAL)


@triton.jit
def write(at, value, valid):
    """Store a value in the type of the address; float64 becomes a half by way of float32."""
    if at.dtype.element_ty != tl.float64:
        value = value.to(tl.float32)
    tl.store(at, value.to(at.dtype.element_ty), valid)


@triton.jit(do_not_specialize=["steps"])
def evaluate(
    x, y, w, c, elements, slopes, sums, divisor_at, divisor: tl.float64, scale: tl.float64, upstream_at,
    sizes, steps,
    ignored: tl.float64, keep: tl.float64, shift: tl.float64, epsilon: tl.float64, numbers,
    FORMULA: tl.constexpr, CLIP: tl.constexpr, KNOWN: tl.constexpr, SMOOTH: tl.constexpr, IGNORE: tl.constexpr,
    REAL: tl.constexpr, SUM: tl.constexpr, LONE: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Compute the losses and slopes of one program's blocks, and their sum; without a formula, the sum of weights."""
    lane = tl.arange(0, BLOCK)
    total = tl.zeros([BLOCK], SUM)
    factor = slope_factor(divisor_at, scale, upstream_at, REAL)
    for step in range(steps):
        start = (tl.program_id(0).to(tl.int64) * steps + step) * BLOCK
        valid = lane < sizes[0] - start
        if y is not None:
            own_label = read_as_it_is(start, lane, sizes, y, WIDE)
            label = own_label.to(REAL)
        weight = tl.full([BLOCK], 1.0, REAL) if w is None else read(start, lane, sizes, w, REAL, WIDE)
        if IGNORE == "number":
            if y[0].dtype.element_ty.primitive_bitwidth > 16 and y[0].dtype.element_ty != tl.float32:
                weight = tl.where(own_label.to(tl.float64) == number(ignored, None, tl.float64), 0.0, weight)
            else:  # what fits into float32 is compared in that, whatever the precision
                weight = tl.where(own_label.to(tl.float32) == number(ignored, None, tl.float32), 0.0, weight)
        elif IGNORE == "nan":
            weight = tl.where(label != label, 0.0, weight)
        if FORMULA is None:
            value = weight
        else:
            prediction = read(start, lane, sizes, x, REAL, WIDE)
            if IGNORE != "nothing" or w is not None:
                # Entries of weight 0 are replaced before the formula, so that none of their values can give NaN.
                prediction = tl.where(weight == 0, 0.5, prediction)
                label = tl.where(weight == 0, 0.0, label)
            not_label = 1.0 - label
            if SMOOTH:
                label = label * number(keep, None, REAL) + number(shift, None, REAL)
                not_label = not_label * number(keep, None, REAL) + number(shift, None, REAL)
            constants = constants_of(0, start, lane, sizes, c, numbers, KNOWN, REAL, WIDE)
            value, slope, _ = FORMULA(prediction, (label, not_label), number(epsilon, CLIP, REAL), constants)
            value = value * weight
            if slopes is not None:
                slope = slope * factor * weight
                if IGNORE != "nothing" or w is not None:
                    slope = tl.where(weight == 0, 0.0, slope)  # the factor may be infinite
                write(slopes + start + lane, slope, valid)
        if elements is not None:
            write(elements + start + lane, value, valid)
        if sums is not None:
            total = tl.where(valid, total + value.to(SUM), total)
    if sums is not None:
        partial = tl.sum(total).to(tl.float64)
        if LONE:
            partial = divided(partial, divisor_at, divisor)
        write(sums + tl.program_id(0), partial, True)


@triton.jit
def add_up(sums, total_at, divisor_at, divisor: tl.float64, count, BLOCK: tl.constexpr):
    """Divide the sum of all programs' sums by the divisor, in a single program."""
    lane = tl.arange(0, BLOCK)
    total = tl.zeros([BLOCK], tl.float64)
    for start in range(0, count, BLOCK):
        total += tl.load(sums + start + lane, lane < count - start, 0)
    write(total_at, divided(tl.sum(total), divisor_at, divisor), True)


@triton.jit(do_not_specialize=["steps"])
def multiply(values, factor_at, size, steps, REAL: tl.constexpr, BLOCK: tl.constexpr):
    """Multiply in place, unless the factor is 1."""
    factor = tl.load(factor_at)
    if factor != 1:
        lane = tl.arange(0, BLOCK)
        for step in range(steps):
            start = (tl.program_id(0).to(tl.int64) * steps + step) * BLOCK
            valid = lane < size - start
            value = tl.load(values + start + lane, valid).to(REAL)
            value = tl.where(value == 0, value, value * factor.to(REAL))  # 0 stays 0 under an infinite factor
            write(values + start + lane, value, valid)


# The driver: from tensors to launches.


def cut(size, block):
    """Return how many blocks each program takes, and how many programs there are."""
    blocks = max(1, -(-size // block))
    if blocks <= LONE_STEPS:
        return blocks, 1
    steps = min(max(1, blocks // MANY_PROGRAMS), MOST_STEPS)
    return steps, -(-blocks // steps)


class Specialization(NamedTuple):
    """A loss for the kernel: what is compiled in, and the numbers that are arguments.

    Attributes:
        formula: The formula, or None.
        clip: Epsilon where it is compiled in, else None.
        known: Each constant where it is compiled in, else None.
        smooth: Whether labels are smoothed.
        ignore: "nothing", "number" or "nan".
        numbers: The label to ignore, 1 - smoothing, smoothing / 2 and epsilon.
        constants: The bits of the constants in float64: Triton would take a float in a tuple for float32.
    """

    formula: Any
    clip: float | None
    known: tuple
    smooth: bool
    ignore: str
    numbers: tuple
    constants: tuple


@lru_cache
def specialization(loss, real=None):
    """Return the specialization for a loss, whose options must fit into the precision to compute in.

    Zeros and ones are compiled in, because they save work. Other numbers are arguments, so that a number that changes
    from step to step does not compile the kernel anew.
    """
    if real is not None:
        check_precision(loss.options, str(real).removeprefix("torch."))
    epsilon, smoothing, ignored = loss.epsilon or 0.0, loss.label_smoothing, loss.ignore_label
    ignore = "nothing" if ignored is None else "nan" if ignored != ignored else "number"
    numbers = [0.0 if isinstance(constant, tuple) else float(constant) for constant in loss.constants]
    return Specialization(
        formulas_for_blocks()(loss.prediction_kind, *loss.formula_key),
        _if_compiled_in(epsilon),
        tuple(map(_if_compiled_in, numbers)),
        smoothing != 0,
        ignore,
        (float(ignored or 0), 1 - smoothing, smoothing / 2, epsilon),
        tuple(map(int, np.array(numbers).view(np.int64))),
    )


def _if_compiled_in(value):
    return float(value) if value in (0, 1) else None


def launch(
    chosen, operands, found, real, *, elements=None, slopes=None, total=None, divisor=1, upstream=None, exact=True
):
    """Launch the kernels on operands, any of which may be None.

    Args:
        chosen: The `Specialization` of the loss.
        operands: x, y, w as `strided_operands` makes them, and a tuple of operands c, None for numbers, or None.
        found: Their layout.
        real: The precision to compute in, torch.float32 or torch.float64.
        elements: Dense tensor to write losses to, or None.
        slopes: Dense tensor to write slopes to, or None.
        total: 0-d tensor to write the sum of the losses over the divisor to, or None.
        divisor: A number, or a 0-d tensor.
        upstream: A 0-d tensor that multiplies slopes, or None.
        exact: Whether a program adds up its losses in float64, too, and not in float32.
    """
    size, block = found.sizes[0], BLOCKS[real]
    steps, programs = cut(size, block)
    divisor_at, divisor = (divisor, 1) if isinstance(divisor, torch.Tensor) else (None, divisor)
    device, sums = next(operand for operand in operands if operand is not None)[0].device, total
    if total is not None and programs > 1:
        sums = torch.empty(programs, dtype=torch.float64, device=device)
    with torch.cuda.device(device.index if device.type == "cuda" else -1):
        evaluate[(programs,)](
            *operands, elements, slopes, sums, divisor_at, divisor, 1 / divisor if divisor else 0.0, upstream,
            found.sizes, steps, *chosen.numbers, chosen.constants,
            FORMULA=chosen.formula, CLIP=chosen.clip, KNOWN=chosen.known, SMOOTH=chosen.smooth, IGNORE=chosen.ignore,
            REAL=REALS[real],
            SUM=tl.float64 if exact else tl.float32, LONE=programs == 1, WIDE=found.reach + block > LARGEST_INDEX,
            BLOCK=block, **OPTIONS,
        )  # fmt: skip
        if sums is not total:
            add_up[(1,)](sums, total, divisor_at, divisor, programs, BLOCK=SUMS, **OPTIONS)


def fuse(
    loss, operands, *, divisor: float | torch.Tensor = 1, upstream=None, dtype=None, elementwise=False, slope=False
):
    """Compute what `Driver.fuse` describes."""
    input, target, weight, pos_weight = operands
    shape, dtype = input.shape, dtype or input.dtype
    if pos_weight is None:
        constants = [_along_last_axis(each, input) if isinstance(each, tuple) else None for each in loss.constants]
    else:
        constants = [pos_weight]
    weight, *constants = (each if each is None else each.expand(shape) for each in (weight, *constants))
    (x, y, w, *c), found = strided_operands(input, target, weight, *constants)
    value = like(input, found, dtype) if elementwise else torch.empty((), dtype=dtype, device=input.device)
    slopes = like(input, found, input.dtype) if slope else None
    launch(
        specialization(loss, compute_dtype(input.dtype)),
        (x, y, w, tuple(c) if any(c) else None),
        found,
        compute_dtype(input.dtype),
        divisor=divisor,
        upstream=upstream,
        slopes=slopes,
        exact=input.dtype not in HALVES,
        **{"elements" if elementwise else "total": value},
    )
    return value, slopes


def tally(loss, target, weight=None):
    """Compute what `Driver.tally` describes, as a 0-d tensor."""
    total = torch.empty((), dtype=torch.float64, device=target.device)
    weight = weight if weight is None else weight.expand(target.shape)
    operands, found = strided_operands(None, target, weight, None)
    nothing = specialization(loss)._replace(formula=None, known=(), constants=())
    launch(nothing, operands, found, torch.float64, total=total)
    return total


def in_range(loss, operands, divisor):
    """Compute what `Driver.in_range` describes."""
    weight, size = operands.weight, divisor.abs()
    most = MOST[64 if operands.input.dtype is torch.float64 else 32]
    is_extreme = ((size > most) | (size < 1 / most)) & (size > 0) & size.isfinite()
    factor = torch.where(is_extreme, 1 / size, 1.0)
    return operands._replace(weight=(weight.to(factor.dtype) * factor).to(weight.dtype)), divisor * factor


def _along_last_axis(numbers, input):
    """Make a tensor with a number for each label, on the device of the input."""
    return torch.tensor(numbers, dtype=compute_dtype(input.dtype), device=input.device)


def scale_(tensor, factor):
    """Compute what `Driver.scale_` describes."""
    found = layout(tensor.shape, (tensor.stride(),))
    if found.strides != ((1,),):
        return tensor.copy_(torch.where(tensor == 0, tensor, tensor * factor))
    real = compute_dtype(tensor.dtype)
    steps, programs = cut(tensor.numel(), BLOCKS[real])
    with torch.cuda.device(tensor.device.index if tensor.is_cuda else -1):
        multiply[(programs,)](tensor, factor, tensor.numel(), steps, REAL=REALS[real], BLOCK=BLOCKS[real], **OPTIONS)
    return tensor
