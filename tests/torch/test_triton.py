"""The GPU driver without a GPU: in Triton's interpreter against the truth, and compiled for GPUs that are not there."""

import re
from functools import partial
from itertools import product
from math import nan

import numpy as np
import pytest
from support.accuracy import ULPS, accurate, case
from support.cases import FAMILY, LOSSES, PREDICTION_KINDS, predictions
from support.compare import close
from support.hill import Flat, HillLoss, Scaled

import binxent as bx

torch = pytest.importorskip("torch")
pytest.importorskip("triton")

from support.interpreted import Elsewhere, compile_for, interpret  # noqa: E402

pytestmark = pytest.mark.slow  # the interpreter and the compiler take minutes
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
LABELS = (*FLOATS, torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
LOGITS = bx.BinaryCrossentropy(from_logits=True)
SETTINGS = {"BLOCKS": {torch.float32: 64, torch.float64: 64}}  # small blocks: the interpreter takes them one by one


@pytest.fixture(scope="module")
def interpreter():
    elsewhere = Elsewhere(interpret)
    yield elsewhere
    elsewhere.close()


A100, H100 = 80, 90


@pytest.fixture(scope="module")
def compiler():
    elsewhere = Elsewhere(partial(compile_for, H100))
    yield elsewhere
    elsewhere.close()


@pytest.fixture
def fuse(interpreter):
    """`fuse` with small blocks, and NumPy arrays for results."""

    def run(*arguments, settings=None, **options):
        results, _ = interpreter("fuse", *arguments, settings=SETTINGS | (settings or {}), **options)
        return results

    return run


def expected(loss, x, y, weight=None, pos_weight=None, divisor=1):
    """Elements and slopes in float64, by the plain formula and the definition of a weight."""
    from binxent._core import formulas

    loss, x, y = loss.pointwise, x.double().numpy(), y.double().numpy()
    weight = np.ones(x.shape) if weight is None else weight.double().expand(x.shape).numpy()
    if pos_weight is not None:
        loss = loss.with_pos_weight(pos_weight.double().expand(x.shape).numpy())
    ignored = np.isnan(y) if loss.ignore_label != loss.ignore_label else y == np.float32(loss.ignore_label or -1)
    hidden = ignored | (weight == 0)
    x, y, weight = np.where(hidden, 0.5, x), np.where(hidden, 0, y), np.where(hidden, 0, weight)
    y = y * (1 - loss.label_smoothing) + loss.label_smoothing / 2
    formula = formulas.build_formulas(np)(loss.prediction_kind, *loss.formula_key)
    with np.errstate(divide="ignore", invalid="ignore"):  # of a branch below the margin that is not taken
        value, slope, _ = formula(x, (y, 1 - y), loss.epsilon or 0.0, loss.constants)
    return value * weight, slope * weight / divisor


def data(*shape, dtype=torch.float32, labels=torch.float32, from_logits=True):
    y, x = predictions(from_logits, shape)
    return torch.from_numpy(x).to(dtype), torch.from_numpy(y).to(labels)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reading", PREDICTION_KINDS)
@pytest.mark.parametrize("real", [np.float32, np.float64], ids=["float32", "float64"])
def test_loss_and_slope_are_exact(interpreter, name, reading, real):
    loss, x, y, truth = case(name, reading, real)
    normal = (x == 0) | (abs(x) >= np.finfo(real).tiny) | (real == np.float32)
    x, y, truth = x[normal], y[normal], truth._make(part[:, normal] for part in truth)
    value, slope = interpreter("fuse", loss, torch.from_numpy(x), torch.from_numpy(y), elementwise=True, slope=True)[0]
    more = 2 if real == np.float64 else 0  # what a logarithm has lost is computed by one more exponential
    accurate([value.numpy(), slope.numpy()], truth, np.array(ULPS[name]) + more)


class Clamped(bx.BinaryCrossentropy):
    """Probabilities as torch reads them."""

    prediction_kind = "clamped_probability"


def test_probabilities_are_clamped_as_torch_does(fuse):
    x = torch.tensor([0, 1e-45, 1e-30, 1e-7, 0.3, 0.5, 0.9, 1 - 6e-8, 1] * 2, dtype=torch.float32)
    y = torch.tensor([0.0, 1.0, 0.3]).repeat_interleave(6)
    value, slope = fuse(Clamped(epsilon=None), x, y, elementwise=True, slope=True)
    wide = x.double().requires_grad_()
    want = torch.nn.functional.binary_cross_entropy(wide, y.double(), reduction="none")
    want.sum().backward()
    close(value.double(), want.detach(), 1e-6)
    close(slope.double(), wide.grad, 1e-6)


@pytest.mark.parametrize("loss", FAMILY)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_every_loss_in_every_dtype(fuse, loss, dtype):
    loss = loss(from_logits=True, label_smoothing=0.1)
    x, y = data(7, 11, dtype=dtype)
    weight = torch.rand(7, 1)
    value, slope = expected(loss, x, y, weight, divisor=77)
    tolerance = 1e-13 if dtype == torch.float64 else 1e-5 if dtype == torch.float32 else torch.finfo(dtype).eps
    got, slopes = fuse(loss, x, y, weight, divisor=77, dtype=torch.float64, slope=True)
    assert got.dtype == torch.float64
    assert slopes.dtype == dtype
    close(got.double(), value.sum() / 77, 1e-6 if dtype != torch.float64 else 1e-14)
    close(slopes.double(), slope, tolerance, atol=1e-3 * tolerance)
    elements, nothing = fuse(loss, x, y, weight, elementwise=True)
    assert nothing is None
    assert elements.dtype == dtype
    close(elements.double(), value, tolerance, atol=1e-3 * tolerance)


@pytest.mark.parametrize("labels", LABELS, ids=str)
def test_labels_and_weights_are_read_as_they_are(fuse, labels):
    x, y = data(3, 50, labels=labels)
    weight = torch.arange(50).to(labels) if labels != torch.bool else torch.arange(50) % 3 == 0
    pos_weight = (torch.arange(50) % 4).to(labels)
    value, slope = expected(LOGITS, x, y, weight, pos_weight)
    got, slopes = fuse(LOGITS, x, y, weight, pos_weight, slope=True)
    assert got.dtype == torch.float32
    close(got.double(), value.sum(), 1e-6)
    close(slopes.double(), slope, 1e-5)


SHAPES = [(), (1,), (63,), (64,), (65,), (4 * 64,), (4 * 64 + 1,), (1000,), (3, 0, 2), (2, 1, 5, 1, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_size(fuse, shape):
    x, y = data(*shape)
    value, slope = expected(LOGITS, x, y)
    got, slopes = fuse(LOGITS, x, y, slope=True)
    close(got.double(), value.sum(), 1e-6)
    close(slopes.double(), slope, 1e-5)
    assert slopes.shape == x.shape
    assert slopes.is_contiguous()


def test_an_empty_mean_is_nan(fuse):
    assert fuse(LOGITS, torch.empty(0), torch.empty(0), divisor=0)[0].isnan()
    assert fuse(LOGITS, torch.empty(0), torch.empty(0), divisor=torch.zeros((), dtype=torch.float64))[0].isnan()


def test_sums_of_many_programs_and_programs_of_many_blocks(fuse):
    x, y = data(2 * 64 * 16 + 7)
    value, slope = expected(LOGITS, x, y)
    for settings in ({"SUMS": 16}, {"MANY_PROGRAMS": 3}, {"MANY_PROGRAMS": 3, "MOST_STEPS": 4}):
        got, slopes = fuse(LOGITS, x, y, slope=True, settings=settings, dtype=torch.float64)
        close(got.double(), value.sum(), 1e-7)
        close(slopes.double(), slope, 1e-5)


def layouts():
    """Predictions, labels and weights of one shape that lie in all sorts of ways."""
    x, y = data(4, 6, 10)
    w = torch.rand(4, 6, 10)
    yield "rows apart", (x[:, 0], y[:, 1], w[:, 2])
    yield "every third element", (x.flatten()[::3], y.flatten()[::3], w.flatten()[::3])
    yield "transposed alike", (x.mT, y.mT, w.mT)
    yield "transposed unlike", (x.mT, y.mT.contiguous(), w.mT)
    yield "a weight for each label", (x, y, w[0, 0])
    yield "a weight for each channel", (x, y, w[0, :, :1])
    yield "a weight for each sample", (x, y, w[:, :1, :1])
    yield "one weight", (x, y, w[0, 0, 0])
    yield "a single prediction", (x[0, 0, 0].expand(4, 6, 10), y, w)
    yield "an inner window", (x[1:, 2:5, 3:], y[:-1, :3, :7], w[:3, 3:, 1:8])
    x, y = data(2, 3, 4, 5)
    w = torch.rand(2, 3, 4, 5)
    yield "channels last", (x.to(memory_format=torch.channels_last), y, w[:1, :, :1, :1])
    yield "four axes that cannot be merged", (x[:, :2, :3, ::2], y[:, 1:, 1:, 2:], w[:1, :2, :1, :1])
    yield "four axes in another order", (x.permute(3, 1, 0, 2)[1:, 1:], y.permute(3, 1, 0, 2)[1:, 1:], w[0, 0, 0, 0])


@pytest.mark.parametrize("tensors", [pytest.param(tensors, id=name) for name, tensors in layouts()])
@pytest.mark.parametrize("wide", [False, True], ids=["32 bits", "64 bits"])
def test_every_layout(fuse, tensors, wide):
    x, y, w = tensors
    settings = {"LARGEST_INDEX": 0} if wide else {}
    value, slope = expected(LOGITS, x, y, w, w)
    elements, slopes = fuse(LOGITS, x, y, w, w, elementwise=True, slope=True, settings=settings)
    close(elements.double(), value, 1e-5)
    close(slopes.double(), slope, 1e-5)
    assert elements.stride() == slopes.stride() == torch.empty_like(x).stride()
    got, _ = fuse(LOGITS, x, y, w, w, settings=settings)
    close(got.double(), value.sum(), 1e-6)


@pytest.mark.parametrize("ignored", [None, -100.0, 0.1, nan], ids=str)
def test_what_is_hidden_is_hidden_entirely(fuse, interpreter, ignored):
    loss = bx.BinaryCrossentropy(from_logits=True, ignore_label=ignored, label_smoothing=0.2)
    x, y = data(8, 9)
    weight = torch.ones(8, 9)
    weight[0] = 0
    x[0] = torch.tensor([nan, float("inf"), -float("inf")] * 3)
    y[0, 3:] = torch.tensor([nan, float("inf"), -float("inf")] * 2)
    if ignored is not None:
        y[1:4] = ignored
        x[1:4, 0] = nan
        weight[2] = float("inf")
    count = 8 * 8 if ignored is None else 5 * 9 - 9
    kept, _ = interpreter("tally", loss, y, weight)
    assert kept == (8 * 9 - 9 if ignored is None else 4 * 9)
    value, slope = expected(loss, x, y, torch.where(weight == 0, 0.0, 1.0))
    for divisor in (count, kept):
        got, slopes = fuse(loss, x, y, weight, divisor=divisor, slope=True)
        close(got.double(), value.sum() / float(divisor), 1e-6)
        close(slopes.double(), slope / float(divisor), 1e-5, atol=1e-8)
    _, slopes = fuse(loss, x, y, weight, upstream=torch.tensor(float("inf")), slope=True)
    assert (slopes[weight == 0] == 0).all()
    alone, slopes = fuse(loss, x[:1], y[:1], weight[:1], divisor=torch.zeros(()), slope=True)
    assert alone.isnan()
    assert (slopes == 0).all()


def test_nan_stays_nan(fuse):
    for loss, from_logits in product(FAMILY, (True, False)):
        loss = loss(from_logits=from_logits)
        x, y = torch.tensor([nan, 0.5, 0.5]), torch.tensor([1.0, nan, 1.0])
        value, slope = fuse(loss, x, y, torch.tensor([1.0, 1.0, nan]), elementwise=True, slope=True)
        assert value.isnan().all()
        assert slope.isnan().all()


def test_slopes_are_multiplied_by_upstream(fuse):
    x, y = data(70)
    _, slope = expected(LOGITS, x, y)
    for upstream in (
        torch.tensor(3.5),
        torch.tensor(3.5, dtype=torch.float64),
        torch.tensor(3.5, dtype=torch.bfloat16),
    ):
        _, slopes = fuse(LOGITS, x, y, divisor=torch.tensor(7.0, dtype=torch.float64), upstream=upstream, slope=True)
        close(slopes.double(), slope / 2, 1e-5)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_scaling_in_place(interpreter, dtype):
    values = torch.randn(40, 30).to(dtype)
    for tensor in (values, values.T, values[:, 3:11], values[::2, 0]):
        for factor in (torch.tensor(1.0), torch.tensor(-2.5, dtype=torch.float64)):
            result, (changed, _) = interpreter("scale_", tensor, factor, settings=SETTINGS)
            assert result.dtype == dtype
            # The interpreter does not round to bfloat16, it cuts.
            close(changed.double(), tensor.double() * factor, torch.finfo(dtype).eps)
            assert factor != 1 or torch.equal(changed, tensor)
            assert torch.equal(result, changed)
    zeros, infinity = torch.zeros(5, 2, dtype=dtype), torch.tensor(float("inf"))
    for tensor in (zeros, zeros[:, 0]):
        assert (interpreter("scale_", tensor, infinity, settings=SETTINGS)[0] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.int32])
def test_only_the_very_label_is_ignored(interpreter, dtype):
    loss, y = bx.BinaryCrossentropy(ignore_label=2**24 + 1), torch.tensor([2**24, 2**24 + 1, 0], dtype=dtype)
    assert interpreter("tally", loss, y)[0] == 2


def test_weights_are_scaled_where_their_sum_has_no_inverse():
    from binxent.torch._drivers import Operands
    from binxent.torch._triton import in_range

    for size in (1e-40, 1.0, 1e37):
        weight = torch.tensor([1.0, 0.5, 0.0]) * size
        scaled, divisor = in_range(None, Operands(torch.zeros(3), torch.zeros(3), weight), weight.double().sum())
        close(scaled.weight / divisor, torch.tensor([2 / 3, 1 / 3, 0]), 1e-4)
        assert size != 1 or torch.equal(scaled.weight, weight)


def test_the_same_input_gives_the_same_bits(fuse):
    x, y = data(3000)
    first, second = (fuse(LOGITS, x, y, divisor=3000, dtype=torch.float64)[0] for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("count", range(5))
def test_a_formula_has_any_number_of_constants_any_of_them_per_label(fuse, count):
    x, y = data(40, 3)
    constants = [(0.5, 1.5, 2.0), 1 / 3, (1.0, 0.0, 4.0), 0.25][:count]
    total = 1 + sum(torch.tensor(one, dtype=torch.float64) for one in constants)
    options = {"elementwise": True, "slope": True, "dtype": torch.float64}
    got = fuse(Scaled(tuple(constants), from_logits=True), x.double(), y, **options)
    want = fuse(LOGITS, x.double(), y, **options)
    close(got, [one * total for one in want], 1e-14)


def test_a_loss_of_ones_own_compiles(compiler):
    compiles_well(compiler, (HillLoss(from_logits=True), *data(2**15)), 4)


@pytest.mark.parametrize("level", [1.0, 2.5])
def test_results_may_be_constants(fuse, compiler, level):
    x, y = data(30)
    close(fuse(Flat(level, from_logits=True), x, y, elementwise=True, slope=True), (torch.full_like(x, level), x * 0))
    assert compiler("fuse", Flat(level, from_logits=True), x, y, slope=True)


def variants():
    """What is launched for each kind of input, by name: a call, and the widest loads that its operands allow."""
    for define, from_logits in product(FAMILY, (True, False)):
        loss = define(from_logits=from_logits)
        for dtype in FLOATS:
            x, y = data(2**15, dtype=dtype, labels=dtype)
            yield f"{loss.name} {loss.prediction_kind} {dtype}", (loss, x, y), 4
    for name, define in LOSSES.items():
        yield name, (define(from_logits=True, label_smoothing=0.1, ignore_label=-100), *data(2**15)), 4
    yield "clamped", (Clamped(epsilon=None), *data(2**15)), 4
    for labels in LABELS:
        yield f"labels {labels}", (LOGITS, *data(2**15, labels=labels)), 4
    for name, (x, y, w) in layouts():
        yield name, (LOGITS, x, y, w, w), 1


def widest(ptx):
    """The most 32-bit words that one instruction loads from memory."""
    loads = re.findall(r"ld\.global(?:\.v(\d))?\.[bfsu](\d+)", ptx)
    return max(int(count or 1) * int(bits) for count, bits in loads) // 32


def compiles_well(compiler, call, words):
    kernel, *rest = compiler("fuse", *call, slope=True)
    assert kernel.stack == 0
    assert widest(kernel.ptx) >= words
    assert [one.name for one in rest] == (["add_up"] if call[1].numel() > 4096 else [])


@pytest.mark.parametrize(("call", "words"), [pytest.param(*rest, id=name) for name, *rest in variants()])
def test_every_variant_compiles_without_spills_and_with_wide_loads(compiler, call, words):
    compiles_well(compiler, call, words)


def test_an_older_gpu_is_served_as_well():
    compiler = Elsewhere(partial(compile_for, A100))
    for _, *variant in [*variants()][::6]:
        compiles_well(compiler, *variant)
    compiler.close()


@pytest.mark.parametrize("options", [{}, {"elementwise": True}, {"elementwise": True, "slope": True}], ids=str)
def test_everything_that_may_be_wanted_compiles(compiler, options):
    divisor, upstream = torch.ones((), dtype=torch.float64), torch.ones(())
    for dtype in FLOATS:
        kernel, *_ = compiler("fuse", LOGITS, *data(2**15, dtype=dtype), divisor=divisor, upstream=upstream, **options)
        assert kernel.stack == 0
        assert widest(kernel.ptx) == 4


def test_the_other_kernels_compile(compiler):
    y, factor = torch.zeros(2**20), torch.ones(())
    for ignored in (-100, nan):
        loss = bx.BinaryCrossentropy(ignore_label=ignored)
        assert [kernel.stack for kernel in compiler("tally", loss, y, y)] == [0, 0]
    for dtype in FLOATS:
        (kernel,) = compiler("scale_", y.to(dtype), factor)
        assert widest(kernel.ptx) == 4


def test_another_number_compiles_nothing_anew(compiler):
    x, y = data(100)
    kernels = [
        compiler("fuse", bx.BinaryFocalCrossentropy(from_logits=True, gamma=gamma), x, y)[0].ptx
        for gamma in (2.3, 2.4, 2.0)
    ]
    assert kernels[0] == kernels[1]
    assert kernels[0] != kernels[2]


def test_a_weight_for_each_label_leaves_the_other_loads_wide(compiler):
    x, y = data(2048, 81)
    for weights in ((torch.ones(81), None), (None, torch.ones(81)), (torch.ones(2048, 1), None)):
        assert widest(compiler("fuse", LOGITS, x, y, *weights, slope=True)[0].ptx) == 4


def test_more_elements_than_32_bits_count_compile(compiler):
    for rows, division in ((2**6, "div.s32"), (2**13, "div.s64")):
        x, weight = torch.zeros(1, 1).expand(rows, 2**19 + 1), torch.ones(rows, 1)
        assert division in compiler("fuse", LOGITS, x, x, weight)[0].ptx


def test_no_approximation_but_that_of_the_reciprocal(compiler):
    for define in FAMILY:
        ptx = compiler("fuse", define(from_logits=True), *data(100), slope=True)[0].ptx
        assert set(re.findall(r"\w+\.approx\S*|\S+\.ftz\S*", ptx)) == {"rcp.approx.ftz.f32"}


def test_no_minimum_drops_nan(compiler):
    for define, from_logits in product(FAMILY, (True, False)):
        ptx = compiler("fuse", define(from_logits=from_logits), *data(100), slope=True)[0].ptx
        assert set(re.findall(r"\b(?:min|max)\S*", ptx)) <= {"min.NaN.f32", "max.NaN.f32"}
