"""The PyTorch door under torch.compile and torch.export: one graph, the same numbers, and the operators' promises."""

import io
import os
import shutil
from functools import partial

import numpy as np
import pytest
from support.accuracy import ULPS, accurate, case

torch = pytest.importorskip("torch")
from support.compare import close  # noqa: E402
from support.torch_calls import FAMILY, FUNCTIONS, MODULES, data, each_function  # noqa: E402

import binxent.torch as door  # noqa: E402
from binxent.torch import _dispatch, _options  # noqa: E402
from binxent.torch._dynamo import encode  # noqa: E402

pytestmark = [
    pytest.mark.slow,  # each test compiles
    pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning"),  # torch's compiler uses it
    pytest.mark.filterwarnings("ignore:.* should not be instantiated:DeprecationWarning"),  # which that compiler does
]
COMPILED = ("bce, positives 2.5", "poly", "focal 2, balanced", "asymmetric")
needs_a_compiler = pytest.mark.skipif(
    not any(map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++"))), reason="Inductor needs a C++ compiler"
)
LARGE = 1 << 16  # from here on compiled graphs call the kernels, in these tests


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
    """Each test compiles for itself, and large begins earlier than where it pays."""
    monkeypatch.setattr(_dispatch, "WORTH_A_KERNEL", LARGE)
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Recorder:
    """A backend that runs graphs as they are, and keeps their code."""

    def __init__(self):
        self.graphs = []

    def __call__(self, graph, inputs):
        self.graphs.append(graph.code)
        return graph.forward


def together(x, y):
    """The losses of several functions, in one graph."""
    return [FUNCTIONS[name](x, y, reduction="none") for name in COMPILED]


@needs_a_compiler
@pytest.mark.slow
def test_compiled_formulas_are_exact():
    """One graph for all, because compiling takes seconds."""
    _, points, labels, _ = case(COMPILED[0], "logits", np.float32)
    run = torch.compile(together, fullgraph=True)
    x, y = torch.from_numpy(points).requires_grad_(), torch.from_numpy(labels)
    losses = run(x, y)
    slopes = [torch.autograd.grad(loss.sum(), x, retain_graph=True)[0] for loss in losses]
    for name, *got in zip(COMPILED, losses, slopes, strict=True):
        _, _, _, truth = case(name, "logits", np.float32)
        normal = (truth.size[:2] > 1e-37).all(0)  # what is smaller the compiler may flush to zero
        results = [result.detach().numpy()[normal] for result in got]
        parts = [part[:2, normal] for part in truth]
        accurate(results, type(truth)(*parts), np.array(ULPS[name]) + 2)


def test_compiled_kernels_are_exact():
    _, points, labels, _ = case(COMPILED[0], "logits", np.float32)
    times = -(-LARGE // len(points))
    x, y = (torch.from_numpy(array).repeat(times) for array in (points, labels))
    losses = torch.compile(together, fullgraph=True, backend="aot_eager")(x.requires_grad_(), y)
    for name, loss in zip(COMPILED, losses, strict=True):
        (slope,) = torch.autograd.grad(loss.sum(), x, retain_graph=True)
        _, _, _, truth = case(name, "logits", np.float32)
        for part in (0, -1):
            results = [result.detach().view(times, -1)[part].numpy() for result in (loss, slope)]
            accurate(results, truth, ULPS[name])


@each_function
@pytest.mark.parametrize("size", [7, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("reduction", ["none", "weighted_mean"])
def test_modules_in_one_graph(name, size, reduction):
    x, y = data(name, size)
    weight = torch.rand(size)
    module = MODULES[name](reduction=reduction, weight=weight, label_smoothing=0.1, ignore_index=-1)
    y[::3] = -1
    results = []
    for run in (torch.compile(module, fullgraph=True, backend="aot_eager"), module):
        leaf = x.clone().requires_grad_()
        loss = run(leaf, y)
        assert loss.shape == (x.shape if reduction == "none" else ())
        (gradient,) = torch.autograd.grad(loss, leaf, torch.ones_like(loss))
        results.append([loss.detach(), gradient])
    close(*results, 1e-5, 1e-7)


@needs_a_compiler
@pytest.mark.slow
def test_inductor_large_and_small():
    step = torch.compile(lambda x, y: 3 * FAMILY["bce"](2 * x, y, pos_weight=2.0), fullgraph=True)
    for size in (9, LARGE):
        x, y = data("bce", size)
        leaf, other = x.clone().requires_grad_(), x.clone().requires_grad_()
        step(leaf, y).backward()
        (3 * FAMILY["bce"](2 * other, y, pos_weight=2.0)).backward()
        close(leaf.grad, other.grad, 1e-5, 1e-9)


def test_small_tensors_stay_in_the_graph_and_large_ones_leave_it():
    for size, leaves in [(LARGE - 1, False), (LARGE, True)]:
        seen = Recorder()
        torch.compile(FAMILY["bce"], fullgraph=True, backend=seen)(*data("bce", size))
        assert ["binxent" in graph for graph in seen.graphs] == [leaves]
        torch._dynamo.reset()


@each_function
def test_changing_sizes_are_compiled_once(name):
    seen = Recorder()
    module = torch.compile(MODULES[name](), fullgraph=True, dynamic=True, backend=seen)
    for rows in (2, 3, 8, 100, 500):
        x, y = data(name, rows, 3)
        close(module(x, y), MODULES[name]()(x, y), 1e-6)
    assert len(seen.graphs) == 1
    for rows in (LARGE, LARGE + 5):
        module(*data(name, rows, 3))
    assert len(seen.graphs) == 2


def test_sizes_are_dynamic_without_being_asked():
    seen = Recorder()
    run = torch.compile(FAMILY["focal"], fullgraph=True, backend=seen)
    for rows in (2, 3, 8, 100):
        run(*data("focal", rows))
    assert len(seen.graphs) == 2  # as it is, and with any size


def test_options_are_constants_of_a_graph():
    seen = Recorder()
    x, y = data("focal", 5)
    run = torch.compile(lambda gamma: door.sigmoid_focal_loss(x, y, gamma=gamma), fullgraph=True, backend=seen)
    for gamma in (2.0, 1.5, 0.0, 2.0, 1.5, 2, 3):
        close(run(gamma), door.sigmoid_focal_loss(x, y, gamma=gamma))
    assert len(seen.graphs) <= 5
    with pytest.raises(Exception, match="must be >= 0"):
        torch.compile(lambda: door.sigmoid_focal_loss(x, y, gamma=-2.0), backend=seen)()


def test_kinds_of_pos_weight_in_one_graph():
    x, y = data("bce", 4, 2)
    run = torch.compile(FAMILY["bce"], fullgraph=True, backend="eager")
    want = FAMILY["bce"](x, y, pos_weight=torch.tensor([1.0, 5.0]))
    for pos_weight in ((1.0, 5.0), [1, 5], np.array([1.0, 5.0])):
        close(run(x, y, pos_weight=pos_weight), want)
    with pytest.raises(Exception, match="`gamma` must be a plain number"):
        torch.compile(door.sigmoid_focal_loss, fullgraph=True, backend="eager")(x, y, gamma=torch.tensor(2.0))


@pytest.mark.parametrize("size", [6, LARGE], ids=["small", "large"])
def test_other_arguments_to_be_differentiated(size):
    x, y = data("bce", size, dtype=torch.float64)
    results = []
    for run in (torch.compile(FAMILY["bce"], fullgraph=True, backend="aot_eager"), FAMILY["bce"]):
        tensors = [x.clone(), y.clone(), torch.ones(size).double(), torch.ones(1).double()]
        leaves = [tensor.requires_grad_() for tensor in tensors]
        results.append(torch.autograd.grad(run(*leaves[:3], pos_weight=leaves[3], reduction="sum"), leaves))
    close(*results, 1e-12, 1e-12)


@pytest.mark.parametrize("size", [6, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
def test_compiled_autocast(size, half):
    x, y = data("bce", size, dtype=half)
    y = y.round()

    def step(x, y):
        with torch.autocast("cpu", half):
            return FAMILY["bce"](x, y)

    leaf = x.clone().requires_grad_()
    loss = torch.compile(step, fullgraph=True, backend="aot_eager")(leaf, y)
    assert loss.dtype == torch.float32
    (loss * 65536).backward()
    exact = (x.double().sigmoid() - y) * (65536 / size)
    close(leaf.grad.double(), exact, 1.5 * torch.finfo(half).eps, 1e-4 / size + 6e-8)


@pytest.mark.parametrize("transform", ["grad", "vmap", "vmap of grad", "hessian"])
def test_compiled_transformations(transform):
    func = torch.func
    x, y = data("bce", 4, 3)
    run = {
        "grad": func.grad(FAMILY["bce"]),
        "vmap": func.vmap(FAMILY["bce"]),
        "vmap of grad": func.vmap(func.grad(FAMILY["bce"])),
        "hessian": func.hessian(FAMILY["bce"]),
    }[transform]
    close(torch.compile(run, backend="aot_eager")(x, y), run(x, y), 1e-5, 1e-7)


@each_function
def test_without_gradients_compiled(name):
    x, y = data(name, LARGE)
    run = torch.compile(FAMILY[name], fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        close(run(x, y, reduction="mean"), FAMILY[name](x, y, reduction="mean"))
    with torch.inference_mode():
        close(run(x, y, reduction="mean").clone(), FAMILY[name](x, y, reduction="mean"))


LOSSES = {
    "bce": _options.binary_cross_entropy_of(True, 2.0, 0.1, None, None)[0],
    "probabilities": _options.binary_cross_entropy_of(False, None, 0.0, -1.0, None)[0],
    "focal": _options.focal_loss_of(1.5, 0.0, 0.3, None),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("dtype", "elementwise"), [(torch.float32, True), (torch.float32, False), (torch.bfloat16, True)]
)
def test_operators_keep_their_promises(name, dtype, elementwise):
    x, y = data(name, 4, 3, dtype=dtype)
    text, weight = encode(LOSSES[name]), torch.rand(3, dtype=dtype)
    arguments = x.requires_grad_(), y, weight, None, text, elementwise
    torch.library.opcheck(torch.ops.binxent.loss, arguments)
    upstream = torch.rand((4, 3) if elementwise else ())
    positive = torch.rand(3) if name == "bce" else None
    torch.library.opcheck(torch.ops.binxent.slope, (upstream, x.detach(), y, None, positive, text))


def test_an_operator_can_be_differentiated_twice_in_eager_mode():
    x, y = data("focal", 5, dtype=torch.float64)
    loss = partial(torch.ops.binxent.loss, target=y, weight=None, pos_weight=None,
                   loss=encode(LOSSES["focal"]), elementwise=True)  # fmt: skip
    assert torch.autograd.gradgradcheck(loss, x.requires_grad_())


def test_a_process_group_in_one_graph(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        x, y = data("bce", 5)
        run = torch.compile(FAMILY["bce"], fullgraph=True, backend="eager")
        close(run(x, y, process_group=torch.distributed.group.WORLD), FAMILY["bce"](x, y))
    finally:
        torch.distributed.destroy_process_group()


@each_function
@pytest.mark.parametrize("strict", [True, False])
def test_exports(name, strict):
    x, y = data(name, 5, 3)
    module = MODULES[name](weight=torch.rand(3), label_smoothing=0.1)
    rows = torch.export.Dim("rows", min=2, max=1 << 20)
    shapes = ({0: rows}, {0: rows})
    program = torch.export.export(module, (x, y), dynamic_shapes=shapes, strict=strict)
    assert "binxent" not in program.graph_module.code
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    loaded = torch.export.load(file).module()
    x, y = data(name, 11, 3)
    close(loaded(x, y), module(x, y), 1e-6)


def test_onnx(tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    x, y = data("bce", 5, 3)
    torch.onnx.export(MODULES["bce"](), (x, y), tmp_path / "loss.onnx", dynamo=True)
    session = onnxruntime.InferenceSession(tmp_path / "loss.onnx")
    names = [one.name for one in session.get_inputs()]
    (loss,) = session.run(None, dict(zip(names, (x.numpy(), y.numpy()), strict=True)))
    close(torch.from_numpy(loss), MODULES["bce"]()(x, y), 1e-5)


def test_a_mean_by_tiny_weights_is_compiled_as_it_is_computed():
    function = partial(FAMILY["bce"], reduction="weighted_mean", ignore_index=-1)
    x, y, weight = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([1.0, 0.0, -1.0]), torch.tensor([3e-40, 1e-40, np.inf])
    close(torch.compile(function, fullgraph=True, backend="aot_eager")(x, y, weight), function(x, y, weight), 1e-4)
