"""Contenders on PyTorch tensors: binxent and PyTorch, eager and compiled."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench.cases import BACKWARD, ELEMENTS, FORWARD, GRADIENT, LOSSES, SAMPLES, VALUE, Case
from bench.contenders.contender import Contender


class TorchEager(Contender):
    """PyTorch without compilation."""

    name, doors = "torch eager", ("numpy", "torch")

    def function(self, case: Case) -> Callable[..., Any] | None:
        """Return the function of (input, target) for the mean loss; `reduction="none"` gives losses per element."""
        from torch.nn import functional

        functions = {
            ("bce", "logits"): functional.binary_cross_entropy_with_logits,
            ("bce", "probabilities"): functional.binary_cross_entropy,
            ("focal", "logits"): usual_focal_loss if case.door == "torch" else None,
        }
        function = functions.get((case.loss, case.space))
        if function is None or case.dtype == case.labels:
            return function
        return (lambda z, y: function(z, y.to(z.dtype))) if case.door == "torch" else None

    def prepare(self, case, y_true, y_pred):
        import torch

        function = self.function(case)
        if function is None or (case.dtype == "bfloat16" and case.door == "numpy"):
            return None
        y, z = as_tensor(y_true), as_tensor(y_pred)
        if case.want == FORWARD:
            return torch.no_grad()(partial(function, z, y))
        if case.want == VALUE:
            return partial(function, z, y)
        if case.want == SAMPLES:
            return partial(function, z, y, reduction="none")
        leaf = z.clone().requires_grad_()

        def forward_and_backward():
            mean = function(leaf, y)
            mean.backward()
            gradient, leaf.grad = leaf.grad, None
            return mean.detach(), gradient

        def mean_and_gradient():
            mean = function(leaf, y)
            return mean.detach(), *torch.autograd.grad(mean, leaf)

        def elements():
            each = function(leaf, y, reduction="none")
            return each.detach(), *torch.autograd.grad(each.sum(), leaf)

        return {BACKWARD: forward_and_backward, GRADIENT: mean_and_gradient, ELEMENTS: elements}[case.want]

    def as_arrays(self, result):
        if isinstance(result, tuple):
            return tuple(map(self.as_arrays, result))
        return result.float().numpy() if result.element_size() == 2 else result.numpy()


class TorchCompiled(TorchEager):
    """PyTorch through Inductor, which fuses the elementwise steps."""

    name = "torch.compile"

    def function(self, case):
        return compiled(super().function(case))


class BinxentTorch(TorchEager):
    """The PyTorch door."""

    name, doors = "binxent.torch", ("torch",)

    def function(self, case):
        from binxent import torch as door

        if case.loss == "focal":
            return partial(door.sigmoid_focal_loss, alpha=-1, reduction="mean", **LOSSES[case.loss].options)
        return door.binary_cross_entropy_with_logits if case.space == "logits" else door.binary_cross_entropy


class BinxentTorchCompiled(BinxentTorch):
    """The PyTorch door inside a compiled function."""

    name = "binxent.torch, compiled"

    def function(self, case):
        return compiled(super().function(case))


def usual_focal_loss(inputs, targets, gamma=LOSSES["focal"].options["gamma"]):
    """Return the focal loss as torchvision and most of its copies compute it, without alpha."""
    import torch
    from torch.nn import functional

    p = torch.sigmoid(inputs)
    entropy = functional.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    return (entropy * (1 - p_t) ** gamma).mean()


def compiled(function: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """Compile a function with torch.compile, anew for each case."""
    import torch

    torch._dynamo.config.recompile_limit = 1000  # each case compiles the same functions anew
    return function and torch.compile(lambda z, y, **options: function(z, y, **options), dynamic=False, fullgraph=True)


def as_tensor(array: np.ndarray) -> Any:
    """Return a tensor on the memory of an array; torch.from_numpy does not support bfloat16."""
    import torch

    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
