"""The PyTorch door's numbers: exact on every route, never worse than torch's, and torch's own where torch is right."""

from functools import partial
from math import inf, nan

import numpy as np
import pytest
from mpmath import log, log1p, mpf
from support import oracle
from support.accuracy import ULPS, accurate, case
from support.cases import points
from support.compare import close
from support.oracle import focal_derivative

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from support.torch_calls import (  # noqa: E402
    FAMILY,
    FUNCTIONS,
    PROBABILITIES,
    ROUTES,
    data,
    derivatives,
    each_function,
    each_route,
)

import binxent as bx  # noqa: E402
import binxent.torch as door  # noqa: E402

FLOAT64 = ("bce, positives 2.5", "focal 2, balanced", "asymmetric")
HALVES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
each_half = pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)


def tensors(*arrays):
    return [torch.from_numpy(array) for array in arrays]


@pytest.mark.parametrize(
    ("name", "real"),
    [*((name, np.float32) for name in FUNCTIONS), *((name, np.float64) for name in FLOAT64)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_loss_slope_and_curvature_are_exact(name, real):
    _, x, y, truth = case(name, "logits", real)
    order = 1 if name == "focal 0.5" else 2  # p^(gamma - 2) leaves the range of float32
    plain = np.array(ULPS[name]) + 2  # torch's exponentials and logarithms are not ours, above all below 1e-38
    for route, allowed in [("kernels", [*ULPS[name][:2], plain[2]]), ("plain formula", plain)]:
        results = derivatives(FUNCTIONS[name], *tensors(x, y), route=route, order=order)
        accurate([result.numpy() for result in results], truth, allowed)


def clamped_truth(x, y, positive):
    """Costs end at 100, and slopes are those of (p - y) / max(p (1 - p), 1e-12)."""
    rows = []
    for p, label in zip(map(mpf, x.tolist()), map(mpf, y.tolist()), strict=True):
        a, b = (min(cost, mpf(100)) for cost in (-log(p) if p else mpf(inf), -log1p(-p) if p < 1 else mpf(inf)))
        width = max(p * (1 - p), mpf(10) ** -12)
        terms = positive * label * a, (1 - label) * b, -positive * label * (1 - p) / width, (1 - label) * p / width
        rows.append((terms[0] + terms[1], terms[2] + terms[3], abs(terms[2]) + abs(terms[3])))
    values, slopes, sizes = zip(*rows, strict=True)
    high = np.array([values, slopes], float)
    low = np.array([[float(one - mpf(float(one))) for one in row] for row in (values, slopes)])
    return oracle.Truth(high, low, np.array([values, sizes], float))


@pytest.mark.parametrize("name", PROBABILITIES)
@pytest.mark.parametrize("real", [np.float32, np.float64], ids=["float32", "float64"])
def test_probabilities_are_exact_up_to_their_clamps(name, real):
    x, y = points(False, real)
    truth = clamped_truth(x, y, mpf(2.5 if "2.5" in name else 1))
    for route in ROUTES:
        results = derivatives(PROBABILITIES[name], *tensors(x, y), route=route)
        accurate([result.numpy() for result in results], truth, (3, 4))


@each_function
@each_half
@each_route
def test_every_half_is_computed_in_float32_and_rounded_once(name, half, route):
    every = torch.arange(-(2**15), 2**15, 7 if route == "plain formula" else 1).to(torch.int16).view(half)
    x = every if name != "probabilities" else every[(every >= 0) & (every <= 1)]
    for label in (0, 1):
        y = torch.full(x.shape, label, dtype=torch.uint8)
        got = derivatives(FAMILY[name], x, y, route=route)
        want = derivatives(FAMILY[name], x.float(), y, route=route)
        # One rounding to a half apart: where float32 lies midway, its last bit decides.
        close(got, [result.to(half) for result in want], torch.finfo(half).eps)
        for result in got:
            assert not result[~x.isnan()].isnan().any()
            assert result[x.isnan()].isnan().all()


@each_route
def test_the_numbers_that_torch_rounds_away(route):
    x, y = torch.tensor([-20.0, 20.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 1.0, 0.0])
    loss, slope, curvature = derivatives(FAMILY["bce"], x, y, route=route, order=2)
    close(loss, torch.tensor([2.0611537e-9, 2.0611537e-9, 0.6931472, 0.6931472]))
    close(slope, torch.tensor([2.0611537e-9, -2.0611537e-9, -0.5, 0.5]))
    close(curvature, torch.tensor([2.0611537e-9, 2.0611537e-9, 0.25, 0.25]))
    torch_loss, torch_slope = derivatives(F.binary_cross_entropy_with_logits, x, y)
    assert torch_loss[0] == 0 and torch_slope[1] == 0, "torch has become exact: say so in the documentation"


@each_function
@each_route
def test_infinities_cost_nothing_or_everything_and_nan_stays(name, route):
    ends = (0.0, 1.0) if name == "probabilities" else (-inf, inf)
    x, y = torch.tensor([ends[0], ends[1], ends[1], ends[0]]), torch.tensor([0.0, 1.0, 0.0, 1.0])
    loss, slope = derivatives(FAMILY[name], x, y, route=route)
    assert (loss[:2] == 0).all()
    assert (loss[2:] > 0.6).all()
    if name in ("bce", "focal", "poly"):
        assert loss[2:].isposinf().all()
    assert slope.isfinite().all()
    if name != "probabilities":  # which a NaN is not
        for arguments in [(torch.tensor([nan, nan]), y[:2]), (torch.zeros(1), torch.tensor([nan]))]:
            assert all(result.isnan().all() for result in derivatives(FAMILY[name], *arguments, route=route))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("gamma", [None, 0, 0.5, 1, 2], ids=str)
def test_the_target_of_an_extreme_input_may_be_differentiated(gamma, dtype):
    """Value and slope are those for a target without a gradient, and nothing is NaN, in two derivatives."""
    if gamma is None:
        functions = [FAMILY["bce"], partial(FAMILY["bce"], pos_weight=2.5), FAMILY["asymmetric"], FAMILY["poly"]]
    else:
        functions = [partial(FAMILY["focal"], gamma=gamma)]
    points = [(z, label) for z in (-inf, -1e30, -800.0, -45.0, 50.0, 120.0, inf) for label in (0.0, 1.0, 0.3)]
    x, y = torch.tensor(points, dtype=dtype).T
    for function in functions:
        want = derivatives(function, x, y, route="plain formula", order=2)
        leaves = x.clone().requires_grad_(), y.clone().requires_grad_()
        value = function(*leaves, reduction="none")
        close(value.detach(), want[0], 1e-5, 1e-30)
        slopes = torch.autograd.grad(value.sum(), leaves, create_graph=True)
        close(slopes[0].detach(), want[1], 1e-5, 1e-30)
        assert not slopes[1].isnan().any()
        for slope in slopes:
            for second in torch.autograd.grad(slope.sum(), leaves, retain_graph=True, materialize_grads=True):
                assert not second.isnan().any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("gamma", [0.5, 1, 2])
def test_second_derivatives_in_the_target_are_exact_at_saturation(gamma, dtype):
    x = torch.tensor([-45.0, 50.0, -80.0], dtype=dtype, requires_grad=True)
    y = torch.tensor([0.0, 1.0, 0.0], dtype=dtype, requires_grad=True)
    value = door.sigmoid_focal_loss(x, y, gamma=gamma, reduction="sum")
    slopes = torch.autograd.grad(value, (x, y), create_graph=True)
    of_target, mixed = (torch.autograd.grad(slope.sum(), y, retain_graph=True)[0].double() for slope in slopes[::-1])
    for got, orders in [(of_target, (0, 2)), (mixed, (1, 1))]:
        want = [focal_derivative(gamma, *point, orders) for point in zip(x.tolist(), y.tolist(), strict=True)]
        close(got, want, 1e-5, 1e-37)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, *HALVES.values()], ids=str)
@pytest.mark.parametrize("positive", [1.0, 2.5])
def test_no_error_is_larger_than_that_of_torch(dtype, positive):
    """At no point by more than the rounding of the last operations, and by far at some."""
    real = np.float64 if dtype == torch.float64 else np.float32
    _, x, y, truth = case("bce" if positive == 1 else "bce, positives 2.5", "logits", real)
    exact = [(tensor.to(dtype).to(tensor.dtype) == tensor).numpy() for tensor in tensors(x, y)]
    kept = exact[0] & exact[1] & np.isfinite(x) & (abs(x) < 1e38)  # beyond, and at infinity, see above
    x, y = (tensor.to(dtype) for tensor in tensors(x[kept], y[kept]))
    pos_weight = torch.tensor(positive, dtype=dtype)
    ours = derivatives(door.binary_cross_entropy_with_logits, x, y, pos_weight=pos_weight)
    theirs = derivatives(F.binary_cross_entropy_with_logits, x, y, pos_weight=pos_weight)
    kind = torch.finfo(dtype)
    for own, other, high, size in zip(ours, theirs, truth.high[:, kept], truth.size[:, kept], strict=False):
        unit = kind.eps * torch.from_numpy(size).clamp(kind.tiny)
        own, other = ((one.double() - torch.from_numpy(high)).abs() / unit for one in (own, other))
        assert (own <= other + 2).all(), (x[own > other + 2], y[own > other + 2])
        assert own.max() < 2.5 < 100 < other.max()


REDUCTIONS = ("none", "mean", "sum")


def anyhow(tensor, draw):
    """The same values, lying differently in memory."""
    choice = draw.integers(6)
    if choice == 0 and tensor.dim() > 1:
        return tensor.transpose(0, -1).contiguous().transpose(0, -1)
    if choice == 1 and tensor.dim():
        return torch.stack([tensor, tensor], -1)[..., 1]
    if choice == 2 and tensor.dim() and tensor.shape[0]:
        return tensor[:1].expand(tensor.shape)
    if choice == 3 and tensor.dim():
        return tensor.flip(0).clone().flip(0)
    if choice == 4 and tensor.dim() == 4:
        return tensor.contiguous(memory_format=torch.channels_last)
    return tensor


def some_weight(shape, draw, dtypes):
    """None, or a weight of a shape that broadcasts to this one."""
    if draw.integers(3) == 0:
        return None
    kept = shape[draw.integers(len(shape) + 1) :]
    own = [size if draw.integers(3) else 1 for size in kept]
    weight = torch.as_tensor(draw.uniform(0, 3, own) * draw.integers(0, 5, own).clip(0, 1))
    return anyhow(weight.to(dtypes[draw.integers(len(dtypes))]), draw)


@pytest.mark.parametrize("seed", range(6))
def test_the_answers_of_torch_where_torch_is_right(seed):
    """Torch in float64 on the same numbers, for shapes, layouts, dtypes, weights and reductions at random."""
    draw, dtypes = np.random.default_rng(seed), [torch.float32, torch.float64, torch.float16, torch.bfloat16]
    for _ in range(300):
        shape = [int(size) for size in draw.choice([1, 2, 3, 5, 17], draw.integers(5))]
        if draw.integers(30) == 0:
            shape = [0, *shape[1:]]
        logits = bool(draw.integers(2))
        dtype, label = dtypes[draw.integers(4)], dtypes[draw.integers(4)]
        x = torch.as_tensor(draw.normal(0, 4, shape)).to(dtype)
        x = anyhow(x if logits else (x.double().sigmoid() * 0.96 + 0.02).to(dtype), draw)
        y = draw.uniform(0, 1, shape) if draw.integers(2) else draw.integers(0, 2, shape)
        y = anyhow(torch.from_numpy(np.asarray(y, float)).to(label), draw)
        options = {"weight": some_weight(shape, draw, dtypes)}
        if logits:
            options["pos_weight"] = some_weight(shape, draw, dtypes)
        options["reduction"] = REDUCTIONS[draw.integers(3)]
        ours, theirs = (
            (door.binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits)
            if logits
            else (door.binary_cross_entropy, F.binary_cross_entropy)
        )
        wide = {key: one.double() if isinstance(one, torch.Tensor) else one for key, one in options.items()}
        leaf, wide_leaf = x.detach().requires_grad_(), x.detach().double().requires_grad_()
        got, want = ours(leaf, y, **options), theirs(wide_leaf, y.double(), **wide)
        upstream = torch.as_tensor(draw.normal(size=tuple(want.shape))).to(dtype)
        got.backward(upstream)
        want.backward(upstream.double())
        assert leaf.grad is not None and wide_leaf.grad is not None
        eps = torch.finfo(dtype).eps
        told = f"{ours.__name__}({x.dtype} {shape} {x.stride()}, {y.dtype} {y.stride()}, {options})"
        for own, other in [(got.detach(), want.detach()), (leaf.grad, wide_leaf.grad)]:
            assert own.dtype == dtype, told
            rtol, atol = (16 * eps, 200 * eps) if dtype.itemsize > 2 else (3 * eps, eps)
            close(own.double(), other, rtol, atol, what=told)


@each_function
@each_route
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64], ids=str)
def test_targets_may_be_whole_numbers(name, route, dtype):
    x, _ = data(name, 7, 3)
    y = torch.arange(21).reshape(7, 3) % 2
    got = derivatives(FAMILY[name], x, y.to(dtype), route=route)
    close(got, derivatives(FAMILY[name], x, y.float(), route=route), 0)


@each_function
@each_route
def test_the_loss_has_the_dtype_of_the_input(name, route):
    for dtype in (torch.float64, torch.float32, *HALVES.values()):
        for target in (torch.float64, torch.float32, torch.float16, torch.int64):
            x, y = data(name, 4, dtype=dtype)
            call = partial(FAMILY[name], weight=torch.rand(4, dtype=target) if target.is_floating_point else None)
            assert {result.dtype for result in derivatives(call, x, y.round().to(target), route=route)} == {dtype}


@each_function
@pytest.mark.parametrize("size", [1, 33, 2048, 2049])
def test_the_same_bits_wherever_a_tensor_lies(name, size):
    places = {
        "as it is": torch.clone,
        "strided": lambda tensor: torch.stack([tensor, torch.zeros_like(tensor)], -1)[:, 0],
        "negated by a view": lambda tensor: torch._neg_view(-tensor),
    }

    def results(x, y, reduction):
        x = x.detach().requires_grad_()
        loss = FAMILY[name](x, y, reduction=reduction, label_smoothing=0.1)
        (0.7 * loss.sum()).backward()
        return [loss.detach(), x.grad]

    for reduction in ("mean", "sum", "none"):
        x, y = data(name, size)
        want = results(x, y, reduction)
        for place, laid in places.items():
            close(results(laid(x), y, reduction), want, ulps=0, what=f"input {place}, {reduction}")
            close(results(x, laid(y), reduction), want, ulps=0, what=f"target {place}, {reduction}")


def test_a_small_call_may_have_a_number_for_each_label():
    x, y = data("bce", 5, 3)
    numbers = 1.0, 2.0, 3.0
    got = door.pointwise(bx.BinaryCrossentropy(from_logits=True, pos_weight=numbers), x, y)
    close(got, derivatives(FAMILY["bce"], x, y, pos_weight=torch.tensor(numbers))[0], ulps=0)
