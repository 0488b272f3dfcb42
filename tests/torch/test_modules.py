"""The modules in place of torch's: the same behaviour, state and cases, those of torch's own test suite among them."""

import copy
import io
import pickle
import warnings

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from support.compare import close  # noqa: E402
from support.torch_calls import MODULES, data, each_function  # noqa: E402
from torch import nn  # noqa: E402

import binxent.torch as door  # noqa: E402

TWINS = {"BCELoss": (door.BCELoss, nn.BCELoss), "BCEWithLogitsLoss": (door.BCEWithLogitsLoss, nn.BCEWithLogitsLoss)}
TWIN_FUNCTIONS = {
    name: (getattr(door, name), getattr(F, name))
    for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits")
}
each_twin = pytest.mark.parametrize("name", TWINS)


@pytest.fixture(scope="module")
def torch_tests():
    """Torch's own collection of cases, which comes with torch but takes seconds to import."""
    pytest.importorskip("expecttest")
    from torch.testing._internal import common_methods_invocations, common_modules

    return common_methods_invocations, common_modules


@pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning")
@pytest.mark.slow
@each_twin
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_torchs_cases_for_modules(torch_tests, name, dtype):
    (info,) = [info for info in torch_tests[1].module_db if info.module_cls is TWINS[name][1]]
    assert info.module_error_inputs_func is None
    cases = info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=True)
    assert len(cases) >= 6
    for case in cases:
        ours, theirs = (kind(*case.constructor_input.args, **case.constructor_input.kwargs) for kind in TWINS[name])
        x, y = case.forward_input.args
        got = ours(x, y)
        torch.testing.assert_close(got, case.reference_fn(ours, x, y))
        upstream = torch.rand_like(got)
        gradients = [torch.autograd.grad(module(x, y), x, upstream) for module in (ours, theirs)]
        torch.testing.assert_close(*gradients)


@pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning")
@pytest.mark.slow
@pytest.mark.parametrize("name", TWIN_FUNCTIONS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_torchs_cases_for_functions(torch_tests, name, dtype):
    (info,) = [info for info in torch_tests[0].op_db if info.name == f"nn.functional.{name}"]
    assert info.error_inputs_func is None
    samples = list(info.sample_inputs("cpu", dtype, requires_grad=True))
    assert len(samples) >= 11
    ours, theirs = TWIN_FUNCTIONS[name]
    for sample in samples:
        leaves, target_dtype = [sample.input, *sample.args], dtype
        if dtype.itemsize == 2:  # theirs are no measure there
            leaves, target_dtype = [leaf.detach().double().requires_grad_() for leaf in leaves], torch.float64
        weights = {key: one.to(target_dtype) if torch.is_tensor(one) else one for key, one in sample.kwargs.items()}
        got, want = ours(sample.input, *sample.args, **sample.kwargs), theirs(*leaves, **weights)
        assert got.dtype == dtype
        torch.testing.assert_close(got, want.to(dtype))
        upstream = torch.rand_like(got)
        gradients = torch.autograd.grad(got, [sample.input, *sample.args], upstream)
        wanted = torch.autograd.grad(want, leaves, upstream.to(target_dtype))
        torch.testing.assert_close(gradients, tuple(one.to(dtype) for one in wanted))


@each_twin
def test_a_twin_is_an_instance_of_torchs(name):
    ours, theirs = TWINS[name]
    assert issubclass(ours, theirs)
    assert isinstance(ours(), nn.modules.loss._Loss)
    assert ours.__name__ == theirs.__name__


@each_twin
@pytest.mark.parametrize("direction", ["from torch", "to torch"])
def test_states_move_between_twins(name, direction):
    made = [kind(weight=torch.tensor([1.0, 2.0])) for kind in TWINS[name]]
    for module in made:
        if name == "BCEWithLogitsLoss":
            module.pos_weight = torch.tensor([3.0, 4.0])
    source, destination = made if direction == "to torch" else made[::-1]
    source.weight.mul_(5)
    assert list(source.state_dict()) == list(destination.state_dict())
    destination.load_state_dict(source.state_dict())
    close(destination.weight, torch.tensor([5.0, 10.0]))
    assert list(TWINS[name][0]().state_dict()) == []


@pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning")
def test_the_state_of_a_scripted_twin_is_taken():
    scripted = torch.jit.script(nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0, 3.0])))
    file = io.BytesIO()
    torch.save(scripted.state_dict(), file)
    file.seek(0)
    module = door.BCEWithLogitsLoss(pos_weight=torch.ones(2))
    module.load_state_dict(torch.load(file))
    close(module.pos_weight, torch.tensor([2.0, 3.0]))


@each_function
def test_copies_and_files(name):
    x, y = data(name, 4, 3)
    module = MODULES[name](weight=torch.rand(3), label_smoothing=0.1, ignore_index=-1, reduction="weighted_mean")
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), torch.load(file, weights_only=False)):
        close(other(x, y), module(x, y), 0)
        other.weight.zero_()
        assert module.weight.any()


@each_function
def test_buffers_move_with_the_module(name):
    module = nn.Sequential(nn.Linear(3, 3), MODULES[name](weight=torch.ones(3)))
    assert "1.weight" in module.state_dict()
    assert module.to(torch.float64)[1].weight.dtype == torch.float64
    assert module.to("meta")[1].weight.device.type == "meta"
    assert list(module[1].parameters()) == []


@pytest.mark.parametrize("kind", [door.BCEWithLogitsLoss, door.BCELoss])
def test_pos_weight_is_a_buffer_when_given(kind):
    assert list(kind(pos_weight=torch.tensor([2.0])).state_dict()) == ["pos_weight"]
    x, y = torch.tensor([0.3, 0.6]), torch.tensor([1.0, 0.0])
    close(kind(pos_weight=2)(x, y), kind(pos_weight=torch.tensor(2.0))(x, y), 0)
    assert kind(pos_weight=2.5).double().pos_weight == 2.5


@each_function
def test_a_module_says_what_it_was_given(name):
    shown = repr(MODULES[name](label_smoothing=0.1, reduction="sum", weight=torch.ones(3)))
    assert "label_smoothing=0.1" in shown and "reduction=sum" in shown.replace("'", "") and "(3,)" in shown
    assert "ignore_index" not in shown


class Costly(door.BCEWithLogitsLoss):
    """A user's subclass, with options of its own before ours."""

    def __init__(self, factor, *args, steps=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.factor, self.steps = factor, steps
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, input, target):
        self.seen += 1
        return self.factor * super().forward(input, target)


class Shown(door.SigmoidFocalLoss):
    """Another, which says of itself what it wants."""

    def __init__(self):
        super().__init__(gamma=1.5)

    def extra_repr(self):
        return f"{super().extra_repr()}, mine"


@pytest.mark.filterwarnings("ignore:.* should not be instantiated:DeprecationWarning")  # by torch's compiler
@pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning")  # which uses it
def test_subclasses_with_a_forward_and_options_of_their_own():
    x, y = torch.tensor([[0.5, -1.0]]), torch.tensor([[1.0, 0.0]])
    module = Costly(10, None, pos_weight=[1.0, 3.0], steps=torch.arange(3).numpy(), label_smoothing=0.1)
    want = 10 * door.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 3.0]), label_smoothing=0.1)(x, y)
    close(module(x, y), want)
    close(nn.Sequential(module)[0](x, y), want)
    assert repr(module) == "Costly(pos_weight=<(2,)>, label_smoothing=0.1, factor=10, steps=[0 1 2])"
    assert repr(Shown()) == "Shown(gamma=1.5, mine)"
    assert list(module.state_dict()) == ["pos_weight", "seen"]
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), copy.copy(module)):
        close(other(x, y), want)
    fresh = Costly(10, pos_weight=[1, 1], label_smoothing=0.1)
    fresh.load_state_dict(module.state_dict())
    close(fresh(x, y), want)
    close(torch.compile(fresh, backend="eager", fullgraph=True)(x, y), want)


@each_twin
def test_the_old_names_of_reductions(name):
    x, y = torch.tensor([0.2, 0.7]), torch.tensor([1.0, 0.0])
    ours, theirs = TWINS[name]
    for options in ({"size_average": False}, {"reduce": False}, {"size_average": True, "reduce": True}):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            own, other = ours(**options), theirs(**options)
            function = {"BCELoss": door.binary_cross_entropy}.get(name, door.binary_cross_entropy_with_logits)
            directly = function(x, y, **options)
        assert caught
        close([own(x, y), directly], [other(x, y), other(x, y)])


@each_twin
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_a_batch_is_its_samples_one_by_one(name, reduction):
    x, y = torch.rand(5, 3), torch.rand(5, 3)
    module = TWINS[name][0](reduction=reduction)
    one_by_one = torch.stack([module(*pair) for pair in zip(x, y, strict=True)])
    together = {"none": lambda t: t, "mean": torch.mean, "sum": torch.sum}[reduction]
    close(module(x, y), together(one_by_one))


# What torch's test suite asks of the two losses, in words of our own.


@each_twin
@pytest.mark.parametrize("sizes", [((5,), (3,)), ((5, 1), (5,)), ((4, 4), (4,)), ((1,), ()), ((2, 3), (3, 2))])
def test_different_sizes_are_refused(name, sizes):
    x, y = map(torch.rand, sizes)
    for pair in ((x, y), (y, x)):
        with pytest.raises(ValueError, match=r"Target size \(torch.Size\(.*must be the same as input size"):
            TWINS[name][0]()(*pair)


def test_logits_and_probabilities_agree():
    x, y = torch.randn(64, 4), torch.randint(0, 2, (64, 4)).float()
    close(door.BCEWithLogitsLoss()(x, y), door.BCELoss()(x.sigmoid(), y), 1e-5)
    weight = torch.rand(4)
    close(door.BCEWithLogitsLoss(weight)(x, y), door.BCELoss(weight)(x.sigmoid(), y), 1e-5)
    x, y = torch.full((3,), -200.0), torch.ones(3)
    close(door.BCELoss(reduction="sum")(x.sigmoid(), y), torch.tensor(300.0))


def test_the_gradient_at_zero():
    x = torch.zeros(3, 1, requires_grad=True)
    door.BCEWithLogitsLoss(reduction="sum")(x, torch.zeros(3, 1)).backward()
    close(x.grad, torch.full((3, 1), 0.5), 0)
    x = torch.zeros(3, 1, requires_grad=True)
    door.BCEWithLogitsLoss(pos_weight=torch.ones(3, 1), reduction="sum")(x, torch.zeros(3, 1)).backward()
    close(x.grad, torch.full((3, 1), 0.5), 0)


@pytest.mark.parametrize("shape", [(4,), (1, 4), (16, 4)])
def test_weights_broadcast_as_if_repeated(shape):
    x, y = torch.rand(16, 4), torch.rand(16, 4)
    weight = torch.rand(shape)
    for name, (ours, _) in TWINS.items():
        close(ours(weight)(x, y), ours(weight.expand(16, 4))(x, y), 0)
        close(ours(pos_weight=weight)(x, y), ours(pos_weight=weight.expand(16, 4).contiguous())(x, y), 0)
        assert name


def test_pos_weights_of_one_change_nothing():
    x, y = torch.rand(64, 4), torch.rand(64, 4)
    close(door.BCEWithLogitsLoss(pos_weight=torch.ones(4))(x, y), door.BCEWithLogitsLoss()(x, y))


def test_large_logits_are_stable():
    y, x = torch.tensor([0.0, 1.0]), torch.tensor([0.0, -120.0])
    weighted = door.BCEWithLogitsLoss(pos_weight=torch.ones(2))
    for module in (door.BCEWithLogitsLoss(), weighted):
        assert module(x, y).isfinite()
        assert module(-x, torch.tensor([0.0, 0.0])).isfinite()
        close(module(1e30 * torch.ones(2), torch.ones(2)), torch.tensor(0.0))


def test_the_cost_of_a_probability_ends_at_100():
    x = torch.tensor([0.0, 1.0, 0.0, 1.0])
    close(door.BCELoss(reduction="none")(x, torch.tensor([1.0, 0, 0, 1])), torch.tensor([100.0, 100, 0, 0]))


@pytest.mark.parametrize("name", TWINS)
def test_losses_are_never_negative(name):
    for seed in range(20):
        torch.manual_seed(seed)
        x, y = torch.rand(5, 5), torch.rand(5, 5)
        assert TWINS[name][0](reduction="none")(x, y).min() >= 0
    assert TWINS[name][0](reduction="none")(torch.ones(1), torch.ones(1)).item() >= 0


@each_twin
def test_empty_batches(name):
    x, y = torch.rand(0, 4), torch.rand(0, 4)
    for reduction in ("none", "mean", "sum"):
        ours, theirs = (kind(reduction=reduction)(x, y) for kind in TWINS[name])
        close(ours, theirs, 0)
