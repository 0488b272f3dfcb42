"""The PyTorch door on a GPU, against float64 on the CPU: skipped where there is none."""

from itertools import product
from math import inf, nan

import numpy as np
import pytest
from support.accuracy import ULPS, accurate, case
from support.cases import LOSSES, PREDICTION_KINDS
from support.compare import close

torch = pytest.importorskip("torch")

if not torch.cuda.is_available():
    pytest.skip("no GPU", allow_module_level=True)

from binxent.torch import (  # noqa: E402
    _triton,
    asymmetric_loss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    poly_binary_cross_entropy_with_logits,
    sigmoid_focal_loss,
)
from binxent.torch._drivers import Operands  # noqa: E402

FROM_LOGITS = (
    binary_cross_entropy_with_logits,
    sigmoid_focal_loss,
    asymmetric_loss,
    poly_binary_cross_entropy_with_logits,
)
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
LABELS = (*FLOATS, torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
TOLERANCES = {torch.float64: 1e-13, torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 8e-3}


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)


@pytest.fixture
def no_waiting():
    """Raises where the CPU waits for the GPU."""
    yield lambda: torch.cuda.set_sync_debug_mode("error")
    torch.cuda.set_sync_debug_mode("default")


def data(*shape, dtype=torch.float32, labels=torch.float32):
    x = 3 * torch.randn(shape, device="cuda")
    return x.to(dtype).requires_grad_(), (torch.rand(shape, device="cuda") < 0.3).to(labels)


def value_and_gradient(function, x, *arguments, upstream=1, **options):
    value = function(x, *arguments, **options)
    (gradient,) = torch.autograd.grad(value, x, upstream * torch.ones_like(value))
    return value.detach(), gradient


def on_cpu(tensor):
    return tensor.detach().cpu().double() if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() else tensor


def check(function, x, *arguments, tolerance, upstream=1, **options):
    """Compares value and gradient with the same call in float64 on the CPU."""
    value, gradient = value_and_gradient(function, x, *arguments, upstream=upstream, **options)
    there = [one.cpu() if isinstance(one, torch.Tensor) else one for one in map(on_cpu, arguments)]
    named = {name: one.cpu() if isinstance(one, torch.Tensor) else one for name, one in options.items()}
    want = value_and_gradient(function, on_cpu(x).requires_grad_(), *there, upstream=upstream, **named)
    assert value.dtype == gradient.dtype == x.dtype
    assert value.is_cuda
    assert gradient.shape == x.shape
    scale = want[1].abs().max().item() if gradient.numel() else 1
    close(value.double(), want[0], tolerance)
    close(gradient.double(), want[1], tolerance, atol=tolerance * 1e-2 * scale)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reading", PREDICTION_KINDS)
@pytest.mark.parametrize("real", [np.float32, np.float64], ids=["float32", "float64"])
def test_loss_and_slope_are_exact(name, reading, real):
    loss, x, y, truth = case(name, reading, real)
    here = [torch.from_numpy(one).cuda() for one in (x, y)]
    value, slope = _triton.fuse(loss.pointwise, Operands(*here), elementwise=True, slope=True)
    # GPUs divide float32 with an error of up to two units in the last place.
    accurate([value.cpu().numpy(), slope.cpu().numpy()], truth, np.array(ULPS[name]) + 2)


@pytest.mark.parametrize("function", FROM_LOGITS)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "weighted_mean"])
def test_every_loss(function, dtype, reduction):
    x, y = data(1000, 37, dtype=dtype)
    weight = torch.rand(1000, 1, device="cuda")
    options = {"label_smoothing": 0.1, "reduction": reduction}
    upstream = 2.0**15 if "mean" in reduction else 3  # as a loss scaler does: else float16 has no room for slopes
    check(function, x, y, tolerance=TOLERANCES[dtype], weight=weight, upstream=upstream, **options)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_probabilities(dtype):
    x, y = data(1000, 37)
    p = x.detach().sigmoid().to(dtype).requires_grad_()
    check(binary_cross_entropy, p, y, tolerance=TOLERANCES[dtype], upstream=2.0**12)


@pytest.mark.parametrize("labels", LABELS, ids=str)
def test_labels_are_read_as_they_are(labels):
    x, y = data(300, 5, labels=labels)
    pos_weight = torch.arange(5, device="cuda").to(labels if labels != torch.bool else torch.float32)
    check(binary_cross_entropy_with_logits, x, y, pos_weight=pos_weight, tolerance=1e-5)


SHAPES = [(), (1,), (4096,), (4097,), (2**20 + 3,), (2**24 + 5,), (3, 4, 5, 6)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_size(shape):
    x, y = data(*shape)
    check(binary_cross_entropy_with_logits, x, y, tolerance=1e-5)


def layouts():
    yield lambda x: x[:, 3]
    yield lambda x: x.transpose(1, 3)
    yield lambda x: x[1:, 1:, 2:, ::2]
    yield lambda x: x.to(memory_format=torch.channels_last)
    yield lambda x: x[:1].expand(4, -1, -1, -1)


@pytest.mark.parametrize("one", layouts())
@pytest.mark.parametrize("other", layouts())
def test_every_layout(one, other):
    x, y = data(4, 6, 10, 16)
    x, y = one(x.detach()), other(y)
    shape = torch.broadcast_shapes(*(tuple(min(a, b) for a, b in zip(x.shape, y.shape, strict=False)),))
    if x.dim() != y.dim():
        pytest.skip("of another rank")
    window = tuple(slice(size) for size in shape)
    x, y = x[window].requires_grad_(), y[window]
    for weight in (None, torch.rand(x.shape, device="cuda"), torch.rand(x.shape[-1], device="cuda")):
        check(binary_cross_entropy_with_logits, x, y, weight, tolerance=1e-5)


def test_what_is_hidden_is_hidden_entirely():
    x, y = data(8, 9)
    with torch.no_grad():
        x[0], y[1] = torch.tensor([nan, inf, -inf] * 3), -100
        x[1] = nan
    weight = torch.ones_like(y)
    weight[0] = 0
    check(binary_cross_entropy_with_logits, x, y, weight, ignore_index=-100, tolerance=1e-5)
    check(binary_cross_entropy_with_logits, x, y, weight, ignore_index=-100, reduction="weighted_mean", tolerance=1e-5)


def test_the_same_input_gives_the_same_bits():
    x, y = data(2**22 + 1)
    results = [value_and_gradient(binary_cross_entropy_with_logits, x, y) for _ in range(3)]
    for value, gradient in results[1:]:
        assert torch.equal(value, results[0][0])
        assert torch.equal(gradient, results[0][1])


@pytest.mark.parametrize("options", [{}, {"ignore_index": -100}, {"reduction": "weighted_mean"}], ids=str)
def test_the_cpu_never_waits(no_waiting, options):
    x, y = data(2**20, dtype=torch.bfloat16)
    weight = torch.rand_like(x)
    value_and_gradient(binary_cross_entropy_with_logits, x, y, weight, **options)  # compiles
    no_waiting()
    value_and_gradient(binary_cross_entropy_with_logits, x, y, weight, **options)


@pytest.mark.parametrize("options", [{}, {"ignore_index": -100}], ids=str)
def test_graphs(options):
    x, y = data(100_000)

    def step():
        return value_and_gradient(binary_cross_entropy_with_logits, x, y, upstream=2, **options)

    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        value, gradient = step()
    for _ in range(2):
        new, labels = data(100_000)
        with torch.no_grad():
            x.copy_(new)
            y.copy_(labels)
            y[:50] = -100 if options else 1
        graph.replay()
        want = step()
        assert torch.equal(value, want[0])
        assert torch.equal(gradient, want[1])


def test_another_stream():
    x, y = data(2**20)
    torch.cuda.synchronize()
    want = value_and_gradient(binary_cross_entropy_with_logits, x, y)
    with torch.cuda.stream(torch.cuda.Stream()):
        got = value_and_gradient(binary_cross_entropy_with_logits, x, y)
        torch.cuda.current_stream().synchronize()
    assert torch.equal(got[0], want[0])
    assert torch.equal(got[1], want[1])


def test_an_upstream_of_one_leaves_the_gradient_as_it_is():
    values = torch.randn(2**20, device="cuda")
    before = values.clone()
    assert torch.equal(_triton.scale_(values, torch.ones((), device="cuda")), before)
    assert torch.equal(_triton.scale_(values, torch.tensor(0.5, device="cuda")), before / 2)


def test_the_peak_is_one_gradient():
    x, y = data(2**26, dtype=torch.bfloat16, labels=torch.bool)
    value_and_gradient(binary_cross_entropy_with_logits, x, y)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    binary_cross_entropy_with_logits(x, y).backward()
    assert torch.cuda.max_memory_allocated() - before <= x.numel() * x.element_size() + 2**21


def needs(bytes):
    return pytest.mark.skipif(torch.cuda.mem_get_info()[0] < bytes, reason="not enough memory on the GPU")


@needs(16 * 2**30)
@pytest.mark.slow
def test_more_elements_than_32_bits_count():
    size = 2**31 + 2**20 + 1
    x = torch.zeros(size, dtype=torch.bfloat16, device="cuda")
    y = torch.zeros(size, dtype=torch.bool, device="cuda")
    x[-1], y[-1], x[2**31] = -8.0, True, 4.0
    value, slope = _triton.fuse(_loss(), Operands(x, y), divisor=2.0**31, dtype=torch.float64, slope=True)
    zero, right, wrong = np.log(2), np.log1p(np.exp(8.0)), np.log1p(np.exp(4.0))
    close(value.cpu(), ((size - 2) * zero + right + wrong) / 2.0**31, 1e-6)
    want = torch.tensor([0.5, 1 / (1 + np.exp(-4.0)), -1 / (1 + np.exp(-8.0))]) / 2**31
    close(slope[[0, 2**31, -1]].double().cpu(), want.double(), 8e-3)
    del slope
    rows = x[: 2**31].view(2**11, 2**20)[:, : 2**19]  # far apart, though not so many
    narrow = y[: 2**31].view(2**11, 2**20)[:, 2**19 :]
    operands = Operands(rows, narrow, torch.ones(2**19, device="cuda"))
    value, _ = _triton.fuse(_loss(), operands, dtype=torch.float64)
    close(value.cpu(), 2**30 * zero, 1e-6)


def _loss():
    import binxent as bx

    return bx.BinaryCrossentropy(from_logits=True).pointwise


@pytest.mark.parametrize(("compiled", "autocast"), list(product([False, True], [False, True])))
def test_compiled_and_under_autocast(compiled, autocast):
    x, y = data(1000, 10)
    for function, made in ((binary_cross_entropy_with_logits, x), (binary_cross_entropy, x.detach().sigmoid())):
        call = torch.compile(function, fullgraph=True) if compiled else function
        made = made.detach().to(torch.bfloat16 if autocast else torch.float32).requires_grad_()
        with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
            value, gradient = value_and_gradient(call, made, y)
        want = value_and_gradient(function, on_cpu(made).cpu().requires_grad_(), y.double().cpu())
        assert value.dtype == torch.float32
        close(value.double(), want[0], 1e-5)
        close(gradient.double(), want[1], 1e-2 if autocast else 1e-5, atol=1e-9)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU")
def test_tensors_on_a_gpu_that_is_not_the_current_one():
    x, y = (one.to("cuda:1") for one in data(100_000))
    x = x.detach().requires_grad_()
    value, gradient = value_and_gradient(binary_cross_entropy_with_logits, x, y)
    assert value.device == gradient.device == x.device
    assert torch.cuda.current_device() == 0
