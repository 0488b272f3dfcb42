"""What float32 would lose in the PyTorch door: extreme weights, labels of float64, infinite gradients from above."""

from math import inf, nan

import pytest
from support.compare import close

torch = pytest.importorskip("torch")
import binxent.torch as door  # noqa: E402

function = door.binary_cross_entropy_with_logits
REDUCTIONS = ("weighted_mean", "mean", "sum", "none")
by_formula = pytest.mark.parametrize("by_formula", [False, True], ids=["kernels", "formula"])


def value_and_grad(weight, reduction="weighted_mean", *, by_formula=False, upstream=1.0, labels=(1, 0, 1), **options):
    """The loss of three logits, and their gradient; a gradient in the weight takes the plain formula."""
    x = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
    weight = weight if weight is None else weight.detach().requires_grad_(by_formula)
    loss = function(x, torch.tensor(labels), weight, reduction=reduction, **options)
    loss.backward(torch.full_like(loss, upstream))
    return loss.detach(), x.grad


@by_formula
@pytest.mark.parametrize(
    ("size", "dtype"), [(1e-40, torch.float32), *((size, torch.float64) for size in (1e-60, 1e-40, 1e39, 1e300))]
)
def test_a_mean_by_weight_depends_on_the_ratios_of_weights_alone(size, dtype, by_formula):
    ratios = torch.tensor([1.0, 0.5, 0.25], dtype=torch.float64)
    close(value_and_grad((ratios * size).to(dtype), by_formula=by_formula), value_and_grad(ratios.float()), 1e-4)


@by_formula
def test_weights_of_float64_keep_their_size_beside_float32(by_formula):
    weight = torch.tensor([1e-60, 4e38, 1e60], dtype=torch.float64)
    value, slope = value_and_grad(weight, "none", by_formula=by_formula)
    close(value, torch.tensor([0.0, 4e38 * 0.3132616875, inf]), 1e-6)
    close(slope, torch.tensor([0.0, 4e38 * 0.2689414214, -inf]), 1e-6)


def test_a_tiny_weight_hides_no_infinite_loss():
    got = function(torch.tensor([inf]), torch.tensor([0]), torch.tensor([1e-60], dtype=torch.float64))
    close(got, torch.tensor(inf))


def test_a_mean_by_weight_of_float64_is_finite_though_the_sum_of_weights_is_not():
    x, y = torch.zeros(3, dtype=torch.float64), torch.ones(3)
    weight = torch.full((3,), 1e308, dtype=torch.float64)
    close(function(x, y, weight, reduction="weighted_mean"), torch.tensor(2.0, dtype=torch.float64).log())


@by_formula
@pytest.mark.parametrize("weight", [inf, nan])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_what_an_ignored_entry_weighs_does_not_matter(weight, reduction, by_formula):
    options = {"labels": (1, 0, -1), "ignore_index": -1, "by_formula": by_formula}
    want = value_and_grad(torch.tensor([1.0, 2.0, 3.0]), reduction, **options)
    close(value_and_grad(torch.tensor([1.0, 2.0, weight]), reduction, **options), want)
    with pytest.raises(ValueError, match="infinite weight"):
        value_and_grad(torch.tensor([1.0, inf, weight]), reduction, **options | {"by_formula": False})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_a_hidden_entry_has_no_gradient_whatever_comes_from_above(reduction, dtype):
    for create_graph in (False, True):
        for weight in (None, torch.tensor([1.0, 0.0, 1.0])):
            x = torch.tensor([0.5, -1.0, 2.0], dtype=dtype, requires_grad=True)
            loss = function(x, torch.tensor([1, 0, -1]), weight, reduction=reduction, ignore_index=-1)
            (slope,) = torch.autograd.grad(loss, x, torch.full_like(loss, inf), create_graph=create_graph)
            close(slope.detach().double(), [-inf, inf if weight is None else 0.0, 0.0])


@pytest.mark.parametrize("label", [1 + 1e-9, -1e-50])
def test_a_label_of_float64_is_compared_in_float64(label):
    with pytest.raises(ValueError, match=r"1 of 2 are not, from (-1e-50|1) to (1|1.000000001)\. Map"):
        function(torch.zeros(2), torch.tensor([1.0, label], dtype=torch.float64))


@by_formula
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.float64])
def test_only_the_very_label_is_ignored(dtype, by_formula):
    target, weight = torch.tensor([2**24 + 1, 1, 2**24], dtype=dtype), torch.ones(3, requires_grad=by_formula)
    options = {"reduction": "mean", "ignore_index": 2**24 + 1}
    close(function(torch.zeros(2), target[:2], weight[:2], **options).detach(), torch.tensor(0.6931472))
    if by_formula:  # which checks no labels
        close(function(torch.zeros(3), target, weight, **options).detach(), torch.tensor(0.6931472))
    else:
        with pytest.raises(ValueError, match="1 of 2 are not, from 1 to 16777216"):
            function(torch.zeros(3), target, weight, **options)
