"""What the PyTorch door adds to a loss: weights, ignored and smoothed targets, reductions; and where tensors lie."""

from functools import partial
from math import inf, nan
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from support.compare import close  # noqa: E402
from support.torch_calls import FAMILY, data, derivatives, each_function, each_route  # noqa: E402

import binxent.torch as door  # noqa: E402
from binxent import BinaryCrossentropy  # noqa: E402
from binxent.torch._dynamo import decode, encode  # noqa: E402

ROOT = Path(__file__).parents[2]
WITH_POSITIVES = ("bce", "probabilities")


def both(function, x, *arguments, **options):
    """The reduced loss and its gradient."""
    x = x.detach().clone().requires_grad_()
    loss = function(x, *arguments, **options)
    return [loss.detach(), *torch.autograd.grad(loss, x)]


@each_function
@each_route
@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 3), (5, 1), (1, 1)])
def test_a_weight_multiplies_what_it_broadcasts_to(name, route, shape):
    x, y = data(name, 5, 3)
    weight = torch.rand(shape) + 0.1
    want = [result * weight for result in derivatives(FAMILY[name], x, y, route=route)]
    close(derivatives(FAMILY[name], x, y, weight=weight, route=route), want)


@pytest.mark.parametrize("name", WITH_POSITIVES)
@each_route
@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 3), (5, 1)])
def test_pos_weight_multiplies_the_positive_share(name, route, shape):
    x, y = data(name, 5, 3)
    c = torch.rand(shape) * 4
    shares = (derivatives(FAMILY[name], x, torch.full_like(y, label), route=route) for label in (1, 0))
    want = [y * c * positive + (1 - y) * negative for positive, negative in zip(*shares, strict=True)]
    close(derivatives(FAMILY[name], x, y, pos_weight=c, route=route), want, 1e-6, 1e-6)


@pytest.mark.parametrize("name", WITH_POSITIVES)
@each_route
def test_pos_weight_may_be_a_number(name, route):
    x, y = data(name, 5, 3)
    for number in (3, 2.5, 0.0):
        got = derivatives(FAMILY[name], x, y, pos_weight=number, route=route)
        close(got, derivatives(FAMILY[name], x, y, pos_weight=torch.tensor(float(number)), route=route))


@each_function
@each_route
def test_a_weight_of_zero_hides_an_entry(name, route):
    x, y = data(name, 6)
    weight = torch.tensor([0.0, 0, 0, 0, 1, 2])
    bad_x = x.clone()
    bad_x[:4] = torch.tensor([nan, inf, -inf, nan] if name != "probabilities" else [nan, 1.5, -1, 0.5])
    bad_y = y.clone()
    bad_y[:4] = torch.tensor([0, 0, 1, nan])
    got = derivatives(FAMILY[name], bad_x, bad_y, weight=weight, route=route, order=2)
    for result in got:
        assert (result[:4] == 0).all()
        assert (result[4:] != 0).all()
    close([result[4:] for result in got], [result[4:] for result in derivatives(
        FAMILY[name], x, y, weight=weight, route=route, order=2)])  # fmt: skip
    for reduction in ("sum", "mean", "weighted_mean"):
        assert all(result.isfinite().all() for result in both(FAMILY[name], bad_x, bad_y, weight=weight,
                                                              reduction=reduction))  # fmt: skip


@each_function
@each_route
@pytest.mark.parametrize("ignore", [-100, 255, nan], ids=str)
def test_ignored_entries_are_hidden_and_not_counted(name, route, ignore):
    x, y = data(name, 8)
    ignored = torch.tensor([1, 0, 0, 1, 0, 0, 1, 0], dtype=torch.bool)
    bad_x, bad_y = torch.where(ignored, nan, x), torch.where(ignored, ignore, y)
    call = partial(FAMILY[name], ignore_index=ignore, label_smoothing=0.2)
    alone = partial(FAMILY[name], label_smoothing=0.2)
    for result, want in zip(
        derivatives(call, bad_x, bad_y, route=route), derivatives(alone, x, y, route=route), strict=True
    ):
        assert (result[ignored] == 0).all()
        close(result[~ignored], want[~ignored])
    weight = torch.rand(8)
    for reduction in ("sum", "mean", "weighted_mean"):
        got = both(call, bad_x, bad_y, weight=weight, reduction=reduction)
        want = both(alone, x[~ignored], y[~ignored], weight=weight[~ignored], reduction=reduction)
        close([got[0], got[1][~ignored]], want)


@each_route
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64, torch.bool], ids=str)
def test_whole_numbers_can_be_ignored(route, dtype):
    x, y = torch.randn(6), torch.tensor([0, 1, 0, 1, 1, 0]).to(dtype)
    ignore = 0 if dtype == torch.bool else 255
    if ignore:
        y[1] = ignore
    got = derivatives(FAMILY["bce"], x, y, ignore_index=ignore, route=route)[0]
    assert (got == 0).tolist() == (y == ignore).tolist()
    want = derivatives(FAMILY["bce"], x, y.float().clamp(0, 1), route=route)[0]
    close(got[y != ignore], want[y != ignore], 0)


@each_function
@each_route
def test_smoothing_by_s_leaves_half_of_s_at_either_end(name, route):
    x, y = data(name, 9)
    smoothed = y.double() * (1 - 0.3) + 0.3 / 2
    got = derivatives(FAMILY[name], x.double(), y.double(), label_smoothing=0.3, route=route)
    close(got, derivatives(FAMILY[name], x.double(), smoothed, route=route), 1e-12)
    assert derivatives(FAMILY["bce"], torch.zeros(1), torch.ones(1), label_smoothing=0.1)[1].item() == pytest.approx(
        -0.45
    )


@each_function
@each_route
def test_reductions(name, route):
    x, y = data(name, 4, 5)
    weight = torch.rand(4, 1)
    each, slope = derivatives(FAMILY[name], x, y, weight=weight, route=route)
    divisors = {"sum": 1, "mean": 20, "weighted_mean": weight.sum() * 5}
    for reduction, divisor in divisors.items():
        got = both(FAMILY[name], x, y, weight=weight, reduction=reduction)
        close(got, [each.sum() / divisor, slope / divisor], 1e-6)
    close(both(FAMILY[name], x, y, reduction="weighted_mean"), both(FAMILY[name], x, y, reduction="mean"))


@each_function
def test_nothing_at_all(name):
    x, y = torch.zeros(0, 3), torch.zeros(0, 3)
    for reduction, want in [("sum", 0.0), ("mean", nan), ("weighted_mean", nan)]:
        loss, gradient = both(FAMILY[name], x, y, weight=torch.ones(3), reduction=reduction)
        close(loss, torch.tensor(want))
        assert gradient.shape == (0, 3)
    assert FAMILY[name](x, y, reduction="none").shape == (0, 3)
    x, y = data(name, 3)
    loss, gradient = both(FAMILY[name], x, torch.full((3,), -1.0), ignore_index=-1, reduction="mean")
    assert loss.isnan()
    assert (gradient == 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_relations(seed):
    draw = torch.Generator().manual_seed(seed)
    z, y = torch.randn(50, generator=draw) * 10, torch.rand(50, generator=draw)
    none = {"reduction": "none"}
    bce = partial(door.binary_cross_entropy_with_logits, **none)
    close(door.sigmoid_focal_loss(z, y, alpha=-1, gamma=0), bce(z, y))
    close(door.poly_binary_cross_entropy_with_logits(z, y, epsilon_1=0.0, **none), bce(z, y))
    close(door.asymmetric_loss(z, y, 0, 0, None, **none), bce(z, y))
    close(2 * door.sigmoid_focal_loss(z, y, alpha=0.5), door.sigmoid_focal_loss(z, y, alpha=None))
    close(door.binary_cross_entropy((z.double() / 10).sigmoid(), y, **none), bce(z.double() / 10, y), 1e-12)
    p = z.sigmoid()
    p_t = y * p + (1 - y) * (1 - p)  # torchvision's words
    focal = (0.25 * y + 0.75 * (1 - y)) * (1 - p_t) ** 2 * F.binary_cross_entropy_with_logits(z, y, reduction="none")
    close(door.sigmoid_focal_loss(z, y), focal, 1e-4, 1e-5)
    close(door.poly_binary_cross_entropy_with_logits(z, y, 2.0, **none), bce(z, y) + 2 * (1 - p_t), 1e-5, 1e-5)


LAYOUTS = {
    "channels last": lambda t: t.contiguous(memory_format=torch.channels_last),
    "transposed": lambda t: t.transpose(1, 3).contiguous().transpose(1, 3),
    "sliced": lambda t: torch.cat([t, t, t], -1)[..., :: 3 if t.shape[-1] % 2 else 1][..., : t.shape[-1]],
    "expanded": lambda t: t[:1, :, :1].expand(t.shape),
    "negated": lambda t: torch._neg_view(-t),
    "offset": lambda t: torch.cat([t.flatten()[:3], t.flatten()])[3:].view(t.shape),
}


@each_function
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("other", ["alike", "contiguous"])
def test_layouts(name, layout, other):
    x, y = data(name, 2, 3, 4, 5)
    c = torch.rand(3, 1, 1)
    moved_x = LAYOUTS[layout](x)
    moved_y = LAYOUTS[layout](y) if other == "alike" else y
    want = derivatives(FAMILY[name], moved_x.contiguous(), moved_y.contiguous(), weight=c)
    leaf = moved_x.detach().requires_grad_()
    loss = FAMILY[name](leaf, moved_y, weight=c, reduction="none")
    (gradient,) = torch.autograd.grad(loss, leaf, torch.ones_like(loss))
    close([loss.detach(), gradient], want, 0)
    if layout == "channels last":
        assert loss.is_contiguous(memory_format=torch.channels_last)
        assert gradient.is_contiguous(memory_format=torch.channels_last)
    total = FAMILY[name](leaf, moved_y, weight=c, reduction="sum")
    close(torch.autograd.grad(total, leaf)[0], want[1], 0)


@each_function
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_arguments_are_never_written(name, dtype):
    x, y = data(name, 300, 2, dtype=dtype)
    weight, upstream = torch.rand(2, dtype=dtype), torch.rand(300, 2).to(dtype)
    x.requires_grad_()
    before = [tensor.detach().clone() for tensor in (x, y, weight, upstream)]
    versions = [tensor._version for tensor in (x, y, weight, upstream)]
    FAMILY[name](x, y, weight=weight, reduction="none").backward(upstream)
    FAMILY[name](x, y, weight=weight, reduction="mean").backward(upstream[0, 0])
    assert [tensor._version for tensor in (x, y, weight, upstream)] == versions
    close([x.detach(), y, weight, upstream], before, 0)


def test_results_do_not_share_memory_with_each_other():
    x = torch.randn(5, requires_grad=True)
    loss = door.binary_cross_entropy_with_logits(x, torch.ones(5), reduction="none")
    kept = loss.detach().clone()
    loss.backward(torch.full((5,), 3.0))
    close(loss.detach(), kept, 0)


def test_memory_is_used_again_only_when_nobody_holds_it():
    size = 1 << 21  # bytes by the megabyte: such results may lie where earlier ones lay
    y, held = torch.zeros(size), []
    for number in (1.0, -2.0, 3.0, -4.0, 5.0):
        x = torch.full((size,), number, requires_grad=True)
        loss = FAMILY["bce"](x, y, reduction="none")
        (gradient,) = torch.autograd.grad(loss, x, y + 1)
        held += [(gradient[3:], gradient[0].item()), (torch.from_numpy(loss.detach().numpy()[:-3]), loss[0].item())]
        del x, loss, gradient
    for part, value in held:
        assert (part == value).all()
    assert len({value for _, value in held}) == 10


PEAK = """
import sys
import torch
import binxent.torch as door
from bench.memory import peak_growth

torch.set_num_threads(1)
large = torch.ones(1 << 23)
small = torch.ones(1 << 10)
batches = iter([(one.requires_grad_(), one.detach()) for one in (small, large)])

def run():  # once to warm up, and then in earnest
    x, y = next(batches)
    loss = eval(sys.argv[1])(x, y)
    return torch.autograd.grad(loss, x) if loss.requires_grad else loss

print(peak_growth(run) / large.nbytes)
"""


@pytest.mark.slow
def test_the_gradient_is_the_only_memory(interpreter):
    """Of the process, at most at once, forward and backward, in units of the input's."""

    def peak(call):
        return float(interpreter(PEAK, call, package=ROOT))

    assert 0.95 < peak("lambda x, y: 3 * door.binary_cross_entropy_with_logits(x, y)") < 1.1
    assert peak("lambda x, y: door.binary_cross_entropy_with_logits(x.detach(), y)") < 0.1
    assert peak("torch.nn.functional.binary_cross_entropy_with_logits") > 1.9  # the measure sees what torch uses


def test_pointwise_losses_that_ignore_nan_are_equal():
    """Caches of compiled kernels go by them."""
    pointwise = [BinaryCrossentropy(ignore_label=ignored).pointwise for ignored in (nan, float("nan"), -nan)]
    assert len({*pointwise, decode(encode(pointwise[0]))}) == 1
    assert BinaryCrossentropy().pointwise not in pointwise


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_sums_beyond_the_range_of_a_dtype_are_infinite_without_a_warning(dtype, recwarn):
    x = torch.full((4,), torch.finfo(dtype).max, dtype=dtype)
    for weight in (None, torch.full((4,), 1e38)):
        value = door.binary_cross_entropy_with_logits(x, torch.zeros(4), weight, reduction="sum")
        close(value, torch.tensor(inf, dtype=dtype))
    assert not recwarn.list
