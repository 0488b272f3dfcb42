"""Who takes part: the floor, binxent, and its peers; one class each, frameworks imported when first asked.

A contender turns a case and its arrays into a call without arguments, or into None where it offers no such thing.
The call returns the value; or (value, gradient); or (loss, slope) of each element.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench.cases import BACKWARD, ELEMENTS, FORWARD, GRADIENT, LOSSES, SAMPLES, VALUE, Case

Call = Callable[[], Any]


class Contender:
    """A name for the tables, and how to make the call."""

    name: str
    computes = True  # the floor does not
    fills_a_buffer = False  # writes the gradient into memory that it is given
    spare_arrays = 0  # full-size arrays that it must be given beside the gradient
    sums_the_gradient = False  # returns the gradient of the sum, not of the mean

    def prepare(self, case: Case, y_true: np.ndarray, y_pred: np.ndarray) -> Call | None:
        raise NotImplementedError

    def as_arrays(self, result: Any) -> Any:
        """The call's result, as NumPy understands it."""
        return result


class Floor(Contender):
    """A plain parallel Numba loop over the same bytes, on as many threads."""

    name, computes, fills_a_buffer = "floor", False, True

    def prepare(self, case, y_true, y_pred):
        if not case.is_large:
            return None
        from bench import floor

        y, z = (array.reshape(-1).view(f"u{array.itemsize}") for array in (y_true, y_pred))
        if case.want in (VALUE, FORWARD):
            return partial(floor.read, y, z)
        if case.want == BACKWARD:
            return lambda: floor.read_and_write(y, z, np.empty_like(z))
        return partial(floor.read_and_write, y, z, np.ones_like(z)) if case.want == GRADIENT else None


class Binxent(Contender):
    """The NumPy door."""

    name, fills_a_buffer = "binxent", True

    def prepare(self, case, y_true, y_pred):
        if case.in_torch:
            return None
        import binxent as bx

        loss = LOSSES[case.loss]
        define = partial(getattr(bx, loss.kind), from_logits=case.space == "logits", **loss.options)
        if case.want == VALUE:
            return partial(define(), y_true, y_pred)
        if case.want == GRADIENT:
            return partial(bx.value_and_grad, define(), y_true, y_pred, out=np.ones_like(y_pred))
        if case.want == SAMPLES:
            return partial(
                getattr(bx, loss.function), y_true, y_pred, from_logits=case.space == "logits", **loss.options
            )
        each = define(axis=(), reduction="none", epsilon=None)
        summed = define(axis=(), reduction="sum", epsilon=None)

        def elements():
            with np.errstate(over="ignore"):  # the sum over the whole range of floats, which nobody asks for
                return each(y_true, y_pred), bx.value_and_grad(summed, y_true, y_pred)[1]

        return elements


class TorchEager(Contender):
    """PyTorch as it comes."""

    name = "torch eager"

    def function(self, case: Case) -> Callable[..., Any] | None:
        """The mean loss of (input, target), or with `reduction="none"` each element's."""
        from torch.nn import functional

        functions = {
            ("bce", "logits"): functional.binary_cross_entropy_with_logits,
            ("bce", "probabilities"): functional.binary_cross_entropy,
            ("focal", "logits"): usual_focal_loss if case.in_torch else None,
        }
        function = functions.get((case.loss, case.space))
        if function is None or case.dtype == case.labels:
            return function
        return (lambda z, y: function(z, y.to(z.dtype))) if case.in_torch else None

    def prepare(self, case, y_true, y_pred):
        import torch

        function = self.function(case)
        if function is None or (case.dtype == "bfloat16" and not case.in_torch):
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

    name = "binxent.torch"

    def function(self, case):
        if not case.in_torch:
            return None
        from binxent import torch as door

        if case.loss == "focal":
            return partial(door.sigmoid_focal_loss, alpha=-1, reduction="mean", **LOSSES[case.loss].options)
        return door.binary_cross_entropy_with_logits if case.space == "logits" else door.binary_cross_entropy


class BinxentTorchCompiled(BinxentTorch):
    """The PyTorch door inside of a compiled function."""

    name = "binxent.torch, compiled"

    def function(self, case):
        return compiled(super().function(case))


def usual_focal_loss(inputs, targets, gamma=LOSSES["focal"].options["gamma"]):
    """The focal loss as torchvision and most of its copies spell it, without alpha."""
    import torch
    from torch.nn import functional

    p = torch.sigmoid(inputs)
    entropy = functional.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    return (entropy * (1 - p_t) ** gamma).mean()


def compiled(function: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """The function through torch.compile, once for each case."""
    import torch

    torch._dynamo.config.recompile_limit = 1000  # each case compiles the same functions anew
    return function and torch.compile(lambda z, y, **options: function(z, y, **options), dynamic=False, fullgraph=True)


def as_tensor(array: np.ndarray) -> Any:
    """The array's memory as a tensor; torch.from_numpy knows no bfloat16."""
    import torch

    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


class Optax(Contender):
    """optax on JAX, compiled by XLA."""

    name = "optax, jit"

    def function(self, case: Case) -> Callable[..., Any] | None:
        """Losses per element of (logits, labels)."""
        import optax

        if case.space != "logits":
            return None
        if case.loss == "bce":
            return optax.sigmoid_binary_cross_entropy
        if case.loss.startswith("focal"):
            return partial(optax.sigmoid_focal_loss, **LOSSES[case.loss].options)
        return None

    def prepare(self, case, y_true, y_pred):
        import jax
        from jax import numpy as jnp

        function = None if case.in_torch else self.function(case)
        if function is None or case.dtype != case.labels or case.dtype == "float64":
            return None
        y, z = jnp.asarray(y_true), jnp.asarray(y_pred)

        def mean(z, y):
            return function(z, y).mean()

        def elements(z, y):
            return function(z, y), jax.grad(lambda z: function(z, y).sum())(z)

        wanted = {VALUE: mean, GRADIENT: jax.value_and_grad(mean), SAMPLES: function, ELEMENTS: elements}
        compiled = jax.jit(wanted[case.want])
        return lambda: jax.block_until_ready(compiled(z, y))


class Keras(Optax):
    """Keras on JAX, compiled by XLA."""

    name = "Keras on JAX, jit"

    def function(self, case):
        os.environ.setdefault("KERAS_BACKEND", "jax")
        from keras import losses, ops

        loss = LOSSES[case.loss]
        function = getattr(losses, loss.function, None)
        if function is None:
            return None
        from_logits = case.space == "logits"
        return lambda z, y: function(
            ops.expand_dims(y, -1), ops.expand_dims(z, -1), from_logits=from_logits, **loss.options
        )


class ScikitLearn(Contender):
    """scikit-learn's fused Cython loops, which its linear models and boosted trees train on."""

    name, fills_a_buffer, spare_arrays, sums_the_gradient = "scikit-learn", True, 1, True

    def prepare(self, case, y_true, y_pred):
        from sklearn._loss import HalfBinomialLoss

        plain = case.loss == "bce" and case.space == "logits" and case.dtype == case.labels and y_true.ndim == 1
        if not plain or case.dtype not in ("float32", "float64"):
            return None
        loss, threads = HalfBinomialLoss(), os.cpu_count()
        losses, slopes = np.ones_like(y_pred), np.ones_like(y_pred)
        if case.want == VALUE:
            return lambda: loss.loss(y_true, y_pred, loss_out=losses, n_threads=threads).mean()

        def mean_and_gradient():
            loss.loss_gradient(y_true, y_pred, loss_out=losses, gradient_out=slopes, n_threads=threads)
            return losses.mean(), slopes

        return mean_and_gradient if case.want == GRADIENT else None


CONTENDERS: tuple[Contender, ...] = (
    Floor(),
    Binxent(),
    BinxentTorch(),
    BinxentTorchCompiled(),
    TorchCompiled(),
    TorchEager(),
    Optax(),
    Keras(),
    ScikitLearn(),
)
