"""The PyTorch door differentiated: twice, forward, in every argument, vectorized, and in mixed precision."""

from functools import partial

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from support.compare import close  # noqa: E402
from support.torch_calls import FAMILY, MODULES, data, derivatives, each_function, each_route  # noqa: E402

import binxent as bx  # noqa: E402
import binxent.torch as door  # noqa: E402

pytestmark = [
    pytest.mark.slow,  # hundreds of numerical derivatives
    pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning"),  # torch's forward mode uses it
]

REDUCTIONS = ("none", "mean", "sum", "weighted_mean")


def interior(name, *shape):
    """Inputs and targets in float64, away from where a formula has a corner."""
    x, y = data(name, *shape, dtype=torch.float64)
    return x, y * 0.8 + 0.1


def arguments(name, *shape):
    """Input, target, weight and, where there is one, pos_weight, all to be differentiated."""
    tensors = [*interior(name, *shape), torch.rand(shape[-1:], dtype=torch.float64) + 0.5]
    if name in ("bce", "probabilities"):
        tensors.append(torch.rand(shape[-1:], dtype=torch.float64) + 0.5)
    return [tensor.requires_grad_() for tensor in tensors]


def called(name, reduction="mean", **options):
    """A function of the family with its tensors in one order."""

    def call(x, y, weight=None, pos_weight=None):
        extra = {} if pos_weight is None else {"pos_weight": pos_weight}
        return FAMILY[name](x, y, weight=weight, reduction=reduction, **extra, **options)

    return call


@each_function
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradients_in_every_argument(name, reduction):
    call = called(name, reduction, label_smoothing=0.1, ignore_index=-1)
    tensors = arguments(name, 2, 2)
    assert torch.autograd.gradcheck(call, tensors, check_forward_ad=True, check_batched_grad=True)
    x, y, weight, *_ = tensors
    assert torch.autograd.gradcheck(lambda x: call(x, y.detach(), weight.detach()), x, check_batched_grad=True)


@each_function
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_second_gradients_in_every_argument(name, reduction):
    call, tensors = called(name, reduction), arguments(name, 2, 2)
    assert torch.autograd.gradgradcheck(call, tensors, check_fwd_over_rev=True, check_batched_grad=reduction == "mean")
    x, y, weight, *_ = tensors  # from the kernels' gradient to the second
    assert torch.autograd.gradgradcheck(lambda x: call(x, y.detach(), weight.detach()), x, check_fwd_over_rev=True)


@each_function
def test_functional_derivatives_agree(name):
    x, y = interior(name, 5)
    loss = called(name, "sum")
    value, slope, curvature = derivatives(FAMILY[name], x, y, order=2)
    func = torch.func
    close(func.grad(loss)(x, y), slope, 1e-13)
    close(func.grad_and_value(loss)(x, y)[1], value.sum(), 1e-13)
    close(func.vjp(lambda x: loss(x, y), x)[1](torch.tensor(3.0).double())[0], 3 * slope, 1e-13)
    close(func.jvp(lambda x: loss(x, y), (x,), (y,))[1], (slope * y).sum(), 1e-13)
    each = called(name, "none")
    for jacobian in (func.jacrev, func.jacfwd):
        close(jacobian(each)(x, y), slope.diag(), 1e-13)
        close(func.jacrev(jacobian(loss))(x, y), curvature.diag(), 1e-12, 1e-15)
    close(func.hessian(loss)(x, y), curvature.diag(), 1e-12, 1e-15)
    close(torch.autograd.functional.hessian(lambda x: loss(x, y), x), curvature.diag(), 1e-12, 1e-15)


@each_function
def test_mixed_derivatives(name):
    """In the target once and in the input, in either order and mode."""
    x, y = interior(name, 4)
    loss, func = called(name, "sum"), torch.func
    x1, y1 = x.clone().requires_grad_(), y.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(x1, y1), x1, create_graph=True)
    want = torch.autograd.grad(slope.sum(), y1)[0].diag()
    step = 1e-6
    near = [derivatives(FAMILY[name], x, y + sign * step)[1] for sign in (1, -1)]
    close(want.diag(), (near[0] - near[1]) / (2 * step), 1e-7, 1e-8)
    for inner, outer in [(0, 1), (1, 0)]:
        for one, other in [(func.jacrev, func.jacrev), (func.jacrev, func.jacfwd), (func.jacfwd, func.jacrev)]:
            close(other(one(loss, inner), outer)(x, y), want, 1e-11, 1e-14)
    if name == "bce":
        close(want, -torch.eye(4, dtype=torch.float64), 1e-14, 1e-15)


@each_function
def test_forward_over_forward_is_right_or_refused(name):
    """Torch's own losses refuse it, and so do functions that know their derivative."""
    x, y = interior(name, 4)
    curvature = derivatives(FAMILY[name], x, y, order=2)[2]
    try:
        got = torch.func.jacfwd(torch.func.jacfwd(called(name, "sum")))(x, y)
    except (RuntimeError, NotImplementedError):
        return
    close(got, curvature.diag(), 1e-9, 1e-12)


@each_function
@pytest.mark.parametrize("reduction", ["none", "weighted_mean"])
def test_vectorized_over_every_argument(name, reduction):
    tensors = [tensor.detach() for tensor in arguments(name, 3, 2)]
    tensors[2:] = [tensor + torch.arange(3).double().reshape(3, 1) for tensor in tensors[2:]]
    call = called(name, reduction)
    places = range(len(tensors))
    for chosen in [*({place} for place in places), {0, 1}, {*places}]:
        axes = tuple(0 if place in chosen else None for place in places)
        given = [tensor if axis == 0 else tensor[0] for axis, tensor in zip(axes, tensors, strict=True)]
        rows = [
            [tensor[row] if axis == 0 else tensor for axis, tensor in zip(axes, given, strict=True)] for row in range(3)
        ]
        close(torch.func.vmap(call, axes)(*given), torch.stack([call(*row) for row in rows]), 1e-13)
        gradient = torch.func.grad(lambda *row: call(*row).sum())
        close(torch.func.vmap(gradient, axes)(*given), torch.stack([gradient(*row) for row in rows]), 1e-13)


def test_gradients_per_sample_of_a_model():
    torch.manual_seed(0)
    model, loss = torch.nn.Linear(4, 1), MODULES["bce"]()
    x, y = torch.randn(6, 4), torch.randint(0, 2, (6, 1))

    def compute(parameters, x, y):
        return loss(torch.func.functional_call(model, parameters, (x,)), y)

    parameters = {name: value.detach() for name, value in model.named_parameters()}
    got = torch.func.vmap(torch.func.grad(compute), (None, 0, 0))(parameters, x, y)
    for row in range(6):
        model.zero_grad()
        loss(model(x[row]), y[row]).backward()
        for name, value in model.named_parameters():
            close(got[name][row], value.grad, 1e-5, 1e-7)


@each_function
def test_buffers_can_be_replaced(name):
    x, y = data(name, 4, 3)
    module = MODULES[name](weight=torch.ones(3))
    got = torch.func.functional_call(module, {"weight": torch.tensor([0.0, 1, 2])}, (x, y))
    close(got, MODULES[name](weight=torch.tensor([0.0, 1, 2]))(x, y), 0)


@each_function
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_backward_twice_gives_the_same(name, dtype, reduction):
    x, y = data(name, 40, dtype=dtype)
    x.requires_grad_()
    loss = FAMILY[name](x, y, reduction=reduction)
    upstream = torch.linspace(-3, 3, 40).to(dtype) if reduction == "none" else torch.tensor(-2.5, dtype=dtype)
    kept = upstream.clone()
    gradients = [torch.autograd.grad(loss, x, upstream, retain_graph=True)[0].clone() for _ in range(3)]
    (last,) = torch.autograd.grad(loss, x, upstream)
    for gradient in [*gradients[1:], last]:
        close(gradient, gradients[0], 2 * torch.finfo(dtype).eps)
    close(upstream, kept, 0)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(loss, x, upstream)
    unit, slope = torch.finfo(dtype).eps, derivatives(FAMILY[name], x.double(), y.double())[1]
    wanted = slope * upstream.double() / (1 if reduction == "none" else 40)
    close(last.double(), wanted, max(4 * unit, 1e-6), 4 * unit)


@each_function
@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("retain_graph", [True, False])
def test_many_upstream_gradients_at_once(name, reduction, retain_graph):
    x, y = data(name, 4)
    x.requires_grad_()
    loss = FAMILY[name](x, y, reduction=reduction)
    upstream = torch.linspace(-1, 2, 3 * loss.numel()).reshape(3, *loss.shape)
    want = [torch.autograd.grad(loss, x, one, retain_graph=True)[0] for one in upstream]
    got = torch.autograd.grad(loss, x, upstream, is_grads_batched=True, retain_graph=retain_graph)[0]
    close(got, torch.stack(want), 1e-6)


@each_route
def test_gradients_add_up_over_calls(route):
    x, y = torch.randn(9, requires_grad=True), torch.ones(9)
    loss = FAMILY["bce"]
    total = loss(x, y) * 2 + loss(x, y, reduction="sum") - 3 * loss(x, y, reduction="none").mean()
    total.backward()
    slope = derivatives(loss, x, y, route=route)[1]
    close(x.grad, slope * (2 / 9 + 1 - 3 / 9), 1e-5)


@each_function
def test_without_gradients(name):
    x, y = data(name, 7)
    want = FAMILY[name](x, y)
    leaf = x.clone().requires_grad_()
    with torch.no_grad():
        assert not FAMILY[name](leaf, y).requires_grad
        close(FAMILY[name](leaf, y), want)
    with torch.inference_mode():
        got = FAMILY[name](leaf, y)
        assert got.is_inference()
        made_here = FAMILY[name](x.clone(), y.clone())
    close([got.clone(), made_here.clone()], [want, want])
    close(FAMILY[name](leaf, y).detach(), want)
    assert not FAMILY[name](x, y).requires_grad


@each_function
def test_checkpoints_and_hooks_on_saved_tensors(name):
    x, y = data(name, 7)
    want = derivatives(FAMILY[name], x, y)[1]
    for reentrant in (True, False):
        leaf = x.clone().requires_grad_()
        torch.utils.checkpoint.checkpoint(
            called(name, "sum"), leaf, y, use_reentrant=reentrant
        ).backward()  # fmt: skip
        close(leaf.grad, want, 0)
    seen = []
    leaf = x.clone().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: seen.append(t.clone()) or len(seen) - 1, seen.__getitem__):
        loss = called(name, "sum")(leaf, y)
    (2 * loss).backward()
    close(leaf.grad, 2 * want, 0)
    with torch.autograd.graph.save_on_cpu():
        loss = called(name, "sum")(leaf, y)
    close(torch.autograd.grad(loss, leaf)[0], want, 0)


def test_an_input_that_was_changed_is_noticed():
    """Or does not matter: the gradient has been computed by then, its derivative has not."""
    x = torch.randn(5, requires_grad=True)
    hidden = x * 1
    loss = FAMILY["bce"](hidden, torch.ones(5), reduction="sum")
    hidden.mul_(2)
    close(torch.autograd.grad(loss, x, retain_graph=True)[0], x.detach().sigmoid() - 1, 1e-5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(loss, x, create_graph=True)


@each_function
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
def test_autocast_computes_in_float32(name, half):
    """What leaves the last layer in half precision is not rounded again before the optimizer sees a loss."""
    x, y = data(name, 64, dtype=half)
    for route in ("kernels", "plain formula"):
        with torch.autocast("cpu", half):
            loss, slope = derivatives(FAMILY[name], x, y.round().to(torch.uint8), route=route)
            total = FAMILY[name](x, y, reduction="mean")
        assert (loss.dtype, slope.dtype, total.dtype) == (torch.float32, half, torch.float32)
        want = derivatives(FAMILY[name], x.float(), y.round(), route=route)
        close(loss, want[0], 0)
        close(slope, want[1].to(half), torch.finfo(half).eps)
    with torch.autocast("cpu", half):
        assert FAMILY[name](x.double(), y).dtype == torch.float64
        assert FAMILY[name](x.float(), y).dtype == torch.float32


def test_a_scaled_gradient_of_float16_does_not_vanish():
    """A mean over 2^20 entries, each with a gradient below the least float16, times what a scaler begins with."""
    x = torch.full((1 << 20,), 3.0, dtype=torch.float16, requires_grad=True)
    with torch.autocast("cpu", torch.float16):
        loss = FAMILY["bce"](x, torch.ones(1 << 20))
    (loss * 65536.0).backward()
    want = -1 / (1 + torch.tensor(3.0).double().exp()) * 65536 / (1 << 20)
    close(x.grad.double(), want.expand(x.shape), 1e-3)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
def test_gradients_under_autocast_are_no_worse_than_those_of_torch(half):
    x = torch.linspace(-12, 12, 481).to(half)
    for label in (0.0, 1.0):
        y = torch.full_like(x, label)
        exact = torch.sigmoid(x.double()) if label == 0 else -torch.sigmoid(-x.double())
        errors = []
        for function in (FAMILY["bce"], F.binary_cross_entropy_with_logits):
            leaf = x.clone().requires_grad_()
            with torch.autocast("cpu", half):
                loss = function(leaf, y, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, leaf)
            errors.append(((gradient.double() - exact) / exact).abs())
        assert (errors[0] <= errors[1] + torch.finfo(half).eps).all()
        assert errors[0].max() < 1.1 * torch.finfo(half).eps or half == torch.float16  # whose tail is subnormal


@each_function
def test_tensors_without_numbers(name):
    x, y = torch.empty(3, 4, device="meta", requires_grad=True), torch.empty(3, 4, device="meta")
    for reduction in REDUCTIONS:
        loss = called(name, reduction)(x, y, torch.empty(4, device="meta"))
        assert loss.device.type == "meta" and loss.shape == ((3, 4) if reduction == "none" else ())
        loss.sum().backward()
        assert x.grad is not None and x.grad.shape == (3, 4)
    with torch._subclasses.FakeTensorMode() as mode:
        fake = mode.from_tensor(torch.rand(3, 4)).requires_grad_()
        loss = called(name, "mean", ignore_index=-1)(fake, torch.rand(3, 4))
        loss.backward()
        assert isinstance(fake.grad, torch._subclasses.FakeTensor) and fake.grad.shape == (3, 4)


@pytest.mark.filterwarnings("error::torch.jit.TracerWarning")
@each_function
def test_traces(name):
    x, y = interior(name, 6)
    slope = partial(torch.func.grad(called(name, "mean")))
    graph = torch.fx.experimental.proxy_tensor.make_fx(slope)(x, y)
    assert "binxent" not in graph.code
    close(graph(x / 2, y), slope(x / 2, y), 1e-13)
    weight = torch.rand(6, dtype=torch.float64)
    scripted = torch.jit.trace(called(name, "mean"), (x, y, weight), check_trace=False)
    close(scripted(x / 2, y, weight), called(name, "mean")(x / 2, y, weight), 1e-13)


def test_a_fresh_head_starts_in_the_right_direction():
    x = torch.zeros(2, requires_grad=True)
    door.binary_cross_entropy_with_logits(x, torch.tensor([1.0, 0.0]), reduction="sum").backward()
    close(x.grad, torch.tensor([-0.5, 0.5]), 0)


def test_where_all_is_ignored_no_derivative_is_a_number_that_is_not():
    x = torch.randn(4, dtype=torch.float64, requires_grad=True)
    loss = door.binary_cross_entropy_with_logits(x, torch.full((4,), -1.0), ignore_index=-1)
    assert loss.isnan()
    (slope,) = torch.autograd.grad(loss, x, create_graph=True)
    assert torch.equal(slope, torch.zeros_like(x))
    assert torch.equal(torch.autograd.grad(slope.sum(), x)[0], torch.zeros_like(x))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.5])
def test_a_transform_of_a_vanishing_probability_gives_what_autograd_gives(gamma):
    """A transform differentiates labels, too, whose costs are infinite here."""
    p, y = torch.cartesian_prod(torch.tensor([0, 1e-45, 1e-39, 1e-25]), torch.tensor([0, 1e-25, 0.3, 1])).T
    p.requires_grad_()
    for loss in (bx.BinaryFocalCrossentropy(gamma=gamma, epsilon=None), bx.BinaryCrossentropy(epsilon=None)):
        total = lambda p, y, loss=loss: door.pointwise(loss, p, y).sum()  # noqa: E731
        (want,) = torch.autograd.grad(total(p, y), p)
        close(torch.func.grad(total)(p.detach(), y), want, 1e-5, 1e-20)
        assert not torch.func.grad(total, argnums=1)(p.detach(), y).isnan().any()
