"""Options of every kind, number, array or tensor: the PyTorch door takes them for what they are, or names them."""

import re
from functools import partial
from math import inf, nan

import numpy as np
import pytest
from support.compare import close
from support.option_kinds import NUMBERS, REFUSED, SEVERAL, check

torch = pytest.importorskip("torch")
from support.torch_calls import Plain  # noqa: E402

import binxent.torch as door  # noqa: E402

CALLS = {
    "binary_cross_entropy_with_logits": door.BCEWithLogitsLoss,
    "binary_cross_entropy": door.BCELoss,
    "sigmoid_focal_loss": door.SigmoidFocalLoss,
    "asymmetric_loss": door.AsymmetricLoss,
    "poly_binary_cross_entropy_with_logits": door.PolyBCEWithLogitsLoss,
}
OWN = {
    "sigmoid_focal_loss": ("alpha", "gamma"),
    "asymmetric_loss": ("gamma_neg", "gamma_pos", "clip"),
    "poly_binary_cross_entropy_with_logits": ("epsilon_1",),
}
POSITIVES = ("binary_cross_entropy_with_logits", "binary_cross_entropy")
x, y = torch.tensor([[0.25, 0.875], [0.5, 0.75]]), torch.tensor([[1.0, 0.0], [0.5, 1.0]])
tensors = {"tensor": torch.tensor, "Parameter": lambda value: torch.nn.Parameter(torch.tensor(value), False)}
with_gradient = {"Parameter with a gradient": lambda value: torch.nn.Parameter(torch.tensor(value))}
modules_too = pytest.mark.parametrize("how", ["function", "module"])


def called(name, how, **options):
    """The loss by a function, or by its module; options that are tensors may be given to either."""
    if how == "module":
        return CALLS[name](**options, reduction="sum")(x, y)
    return getattr(door, name)(x, y, **options, reduction="sum")


@modules_too
@pytest.mark.parametrize(
    ("name", "option"),
    [(name, option) for name in CALLS for option in (*OWN.get(name, ()), "label_smoothing", "ignore_index")],
)
def test_plain_numbers(name, option, how):
    call, value = partial(called, name, how), 0.5
    want = call(**{option: value})
    assert not torch.equal(want, call())
    for make in (NUMBERS | tensors).values():
        check(call, option, make(value), want, close)
    for given in (*REFUSED.values(), torch.nn.Parameter(torch.tensor(value))):
        check(call, option, given, None, close)
    for make in (SEVERAL | {"tensor": torch.tensor}).values():
        for values in ([value], [value, value]):
            check(call, option, make(values), None, close)
    check(call, option, torch.tensor(value, device="meta"), None, close)
    check(call, option, torch.tensor(value).as_subclass(Plain), None, close)


@modules_too
@pytest.mark.parametrize("name", POSITIVES)
def test_pos_weight(name, how):
    call, agree = partial(called, name, how), partial(close, rtol=1e-6)
    for number, kinds in [(3.0, NUMBERS | tensors | with_gradient), ([0.5, 3.0], SEVERAL | tensors | with_gradient)]:
        want = call(pos_weight=torch.tensor(number))
        for make in kinds.values():
            check(lambda make=make, **given: call(**given).detach(), "pos_weight", make(number), want, agree)
    assert not torch.equal(call(pos_weight=[0.5, 3.0]), call(pos_weight=[3.0, 0.5]))
    check(call, "pos_weight", [[0.5], [3.0]], call(pos_weight=torch.tensor([[0.5], [3.0]])), agree)
    for given in (*REFUSED.values(), {0: 0.5, 1: 0.5}, [[0.5], [0.5, 0.5]]):
        check(call, "pos_weight", given, None, close)


def test_the_example_of_a_tuple():
    got = door.binary_cross_entropy_with_logits(torch.zeros(2, 2), torch.ones(2, 2), pos_weight=(1.0, 5.0))
    close(got, torch.tensor(2.0794415))


@modules_too
@pytest.mark.parametrize("name", CALLS)
def test_weights_are_tensors(name, how):
    call = partial(called, name, how)
    want = call(weight=torch.tensor([0.5, 2.0]))
    for make in tensors.values():
        check(call, "weight", make([0.5, 2.0]), want, close)
    for given in (*REFUSED.values(), *(make([0.5, 2.0]) for make in SEVERAL.values()), 2.0, torch.tensor([1j, 2.0])):
        check(call, "weight", given, None, close)


@modules_too
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("reduction", [None, "avg", 1, ["mean"], np.array(["mean", "sum"])], ids=str)
def test_reductions(name, how, reduction):
    with pytest.raises(ValueError, match="is not a valid value for reduction; it must be one of none, mean, sum, wei"):
        if how == "module":
            CALLS[name](reduction=reduction)
        else:
            getattr(door, name)(x, y, reduction=reduction)


@modules_too
@pytest.mark.parametrize("name", POSITIVES)
@pytest.mark.parametrize("bad", [-1.0, nan, inf], ids=str)
def test_one_rule_for_pos_weight(name, how, bad):
    for pos_weight in (bad, [1.0, bad], torch.tensor(bad), torch.tensor([1.0, bad])):
        with pytest.raises(ValueError, match=re.escape("`pos_weight` must be finite and >= 0; got ")):
            if how == "module":
                CALLS[name](pos_weight=pos_weight)
            else:
                getattr(door, name)(x, y, pos_weight=pos_weight)


def test_a_pos_weight_is_looked_at_again_when_it_changes():
    module = door.BCEWithLogitsLoss(pos_weight=[1.0, 2.0])
    module(x, y)
    module.pos_weight[1] = -2
    for _ in range(2):
        with pytest.raises(ValueError, match="got values from -2 to 1"):
            module(x, y)
    module.pos_weight[1] = 2
    module(x, y)
    with pytest.raises(ValueError, match="got -1"):
        door.binary_cross_entropy_with_logits(x.T, y.T, pos_weight=torch.tensor(-1))


def test_values_elsewhere_are_not_looked_at():
    with torch.device("meta"):
        module = door.BCEWithLogitsLoss(pos_weight=torch.tensor([-1.0, nan]))
        assert door.BCEWithLogitsLoss(pos_weight=3).pos_weight.is_meta
    assert module(x.to("meta"), y.to("meta")).is_meta


@pytest.mark.parametrize("kind", [door.BCEWithLogitsLoss, door.BCELoss])
def test_buffers_have_the_default_dtype(kind):
    state = {"pos_weight": torch.tensor(3.75)}
    for given in (3, True, np.int16(3), np.float64(3), np.array(3)):
        module = kind(pos_weight=given)
        assert module.pos_weight.dtype == torch.float32
        module.load_state_dict(state)
        close(module.pos_weight, torch.tensor(3.75), 0)
    for given in ([1, 5], np.array([1.0, 5.0])):
        close(kind(pos_weight=given).pos_weight, torch.tensor([1.0, 5.0]), 0)
    own = np.array([1.0, 5.0], np.float32)
    module = kind(pos_weight=own)
    module.pos_weight.zero_()
    assert own.all(), "the buffer shares the caller's memory"
    given = torch.tensor([1.0, 5.0], dtype=torch.float64)
    assert kind(pos_weight=given).pos_weight is given
    torch.set_default_dtype(torch.float64)
    try:
        close(kind(pos_weight=0.1).pos_weight, torch.tensor(0.1), 0)
    finally:
        torch.set_default_dtype(torch.float32)


def test_one_per_label_in_full_precision():
    wide = x.double()
    got = door.binary_cross_entropy_with_logits(wide, y, pos_weight=(0.1, 0.7))
    wide_pos_weight = torch.tensor([0.1, 0.7], dtype=torch.float64)
    close(got, door.binary_cross_entropy_with_logits(wide, y, pos_weight=wide_pos_weight), 1e-15)


def test_attributes_are_checked_when_they_are_used():
    for name, kind in CALLS.items():
        for option in (*OWN.get(name, ()), "label_smoothing", "ignore_index"):
            module = kind()
            setattr(module, option, "often")
            with pytest.raises(TypeError, match=f"`{option}` must be a number; got 'often'"):
                module(x, y)
    module = door.AsymmetricLoss()
    module.clip = 1.0
    with pytest.raises(ValueError, match=re.escape("`clip` must lie in [0, 1), or be None for 0; got 1.0.")):
        module(x, y)
    module.clip, module.reduction = None, "often"
    with pytest.raises(ValueError, match="'often' is not a valid value for reduction"):
        module(x, y)


def test_an_option_is_what_it_was_at_construction():
    gamma = torch.tensor(2.0)
    module = door.SigmoidFocalLoss(gamma=gamma)
    gamma.zero_()
    assert module.gamma == 2.0 and isinstance(module.gamma, float)
    assert repr(door.SigmoidFocalLoss(gamma=torch.tensor(1.5))) == "SigmoidFocalLoss(gamma=1.5)"
    losses = []
    for value in (2.0, 0.0):
        gamma.fill_(value)
        losses.append(door.sigmoid_focal_loss(x, y, gamma=gamma, reduction="sum"))
        close(losses[-1], door.sigmoid_focal_loss(x, y, gamma=value, reduction="sum"), 0)
    assert losses[0] < losses[1]


def test_an_option_inside_of_vmap_or_grad():
    def call(gamma):
        return door.sigmoid_focal_loss(x, y, gamma=gamma, reduction="sum")

    for transform, gamma in [(torch.func.vmap, [1.0, 2.0]), (torch.func.grad, 1.0)]:
        with pytest.raises(TypeError, match="`gamma` must be a plain number"):
            transform(call)(torch.tensor(gamma))


@pytest.mark.parametrize("name", ["input", "target", "weight", "pos_weight"])
def test_sparse_tensors_are_refused(name):
    dense = {"input": x, "target": y, "weight": torch.ones(2, 2), "pos_weight": torch.ones(2, 2)}
    with pytest.raises(TypeError, match=f"`{name}` must be dense; got a tensor of torch.sparse_coo. Pass {name}.to_de"):
        door.binary_cross_entropy_with_logits(**dense | {name: dense[name].to_sparse()})


@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors")
def test_masked_tensors_are_refused():
    masked = torch.masked.masked_tensor(x, x > 0.5)
    with pytest.raises(TypeError, match="`input` must be a plain tensor; got a MaskedTensor. Pass its mask"):
        door.binary_cross_entropy_with_logits(masked, y)
