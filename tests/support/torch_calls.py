"""What the tests of the PyTorch door call: each function beside the loss that it is, and the routes that it has."""

from functools import partial

import pytest

import binxent as bx

torch = pytest.importorskip("torch")

import binxent.torch as door  # noqa: E402

torch.set_num_threads(1)  # tests run beside each other, and OpenMP's threads wait for cores in busy loops

# By their names in `cases.LOSSES`.
FUNCTIONS = {
    "bce": door.binary_cross_entropy_with_logits,
    "bce, positives 2.5": partial(door.binary_cross_entropy_with_logits, pos_weight=2.5),
    "poly": door.poly_binary_cross_entropy_with_logits,
    "focal 0": partial(door.sigmoid_focal_loss, alpha=None, gamma=0),
    "focal 0.5": partial(door.sigmoid_focal_loss, alpha=-1, gamma=0.5),
    "focal 2, balanced": partial(door.sigmoid_focal_loss, alpha=0.3),
    "asymmetric": door.asymmetric_loss,
    "asymmetric 2 3 0": partial(door.asymmetric_loss, gamma_pos=2, gamma_neg=3, clip=None),
}
PROBABILITIES = {
    "clamped": door.binary_cross_entropy,
    "clamped, positives 2.5": partial(door.binary_cross_entropy, pos_weight=2.5),
}

# One of each of the five, and their modules.
FAMILY = {
    "bce": door.binary_cross_entropy_with_logits,
    "probabilities": door.binary_cross_entropy,
    "focal": partial(door.sigmoid_focal_loss, alpha=0.3),
    "asymmetric": partial(door.asymmetric_loss, clip=0.2),
    "poly": door.poly_binary_cross_entropy_with_logits,
}
MODULES = {
    "bce": door.BCEWithLogitsLoss,
    "probabilities": door.BCELoss,
    "focal": partial(door.SigmoidFocalLoss, alpha=0.3),
    "asymmetric": partial(door.AsymmetricLoss, clip=0.2),
    "poly": door.PolyBCEWithLogitsLoss,
}
each_function = pytest.mark.parametrize("name", FAMILY)


class Plain(torch.Tensor):
    """A tensor whose memory is hidden: it takes the route of the plain formula."""


ROUTES = {"kernels": lambda tensor: tensor, "plain formula": lambda tensor: tensor.as_subclass(Plain)}
each_route = pytest.mark.parametrize("route", ROUTES)


def derivatives(function, x, *arguments, route="kernels", order=1, **options):
    """Return the loss of each element and its derivatives in the input, as plain tensors."""
    x = x.detach().clone().requires_grad_()
    results = [function(ROUTES[route](x), *arguments, reduction="none", **options)]
    for step in range(order):
        create_graph = step + 1 < order
        results += torch.autograd.grad(results[-1], x, torch.ones_like(results[-1]), create_graph=create_graph)
    return [result.detach().as_subclass(torch.Tensor) for result in results]


def data(name, *shape, dtype=torch.float32, seed=0):
    """Return an input that suits a function of the family, and targets between 0 and 1, half of them hard."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=draw, dtype=torch.float64) * 2
    soft = torch.rand(shape, generator=draw, dtype=torch.float64)
    y = torch.where(torch.rand(shape, generator=draw) < 0.5, soft, (soft < 0.4).double())
    return (x.sigmoid() if name == "probabilities" else x).to(dtype), y.to(dtype)


class Clamped(bx.BinaryCrossentropy):
    """The loss that `binary_cross_entropy` is, for the oracle."""

    prediction_kind = "clamped_probability"
