"""Who takes part: the floor, binxent, and its peers; one class each, frameworks imported when first asked.

A contender turns a case and its arrays into a call without arguments, or into None where it offers no such thing.
The call returns the value; or (value, gradient); or (loss, slope) of each element.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench.cases import ELEMENTS, GRADIENT, LOSSES, SAMPLES, VALUE, Case

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


class Floor(Contender):
    """A plain parallel Numba loop over the same bytes, on as many threads."""

    name, computes, fills_a_buffer = "floor", False, True

    def prepare(self, case, y_true, y_pred):
        if not case.is_large:
            return None
        from bench import floor

        y, z = (array.reshape(-1).view(f"u{array.itemsize}") for array in (y_true, y_pred))
        if case.want == VALUE:
            return partial(floor.read, y, z)
        return partial(floor.read_and_write, y, z, np.ones_like(z)) if case.want == GRADIENT else None


class Binxent(Contender):
    """The NumPy door."""

    name, fills_a_buffer = "binxent", True

    def prepare(self, case, y_true, y_pred):
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
        from torch.nn import functional

        functions = {
            ("bce", "logits"): functional.binary_cross_entropy_with_logits,
            ("bce", "probabilities"): functional.binary_cross_entropy,
        }
        return functions.get((case.loss, case.space))

    def prepare(self, case, y_true, y_pred):
        import torch

        function = self.function(case)
        if (
            function is None or case.dtype != case.labels or case.dtype == "bfloat16"
        ):  # torch.from_numpy knows no bfloat16
            return None
        y, z = torch.from_numpy(y_true), torch.from_numpy(y_pred)
        if case.want == VALUE:
            return partial(function, z, y)
        if case.want == SAMPLES:
            return partial(function, z, y, reduction="none")
        leaf = z.clone().requires_grad_()

        def mean_and_gradient():
            mean = function(leaf, y)
            return mean.detach(), *torch.autograd.grad(mean, leaf)

        def elements():
            each = function(leaf, y, reduction="none")
            return each.detach(), *torch.autograd.grad(each.sum(), leaf)

        return mean_and_gradient if case.want == GRADIENT else elements


class TorchCompiled(TorchEager):
    """PyTorch through Inductor, which fuses the elementwise steps."""

    name = "torch.compile"

    def function(self, case):
        import torch

        eager = super().function(case)
        torch.compiler.reset()  # torch counts the cases before this one against a limit of recompilations
        return eager and torch.compile(eager, dynamic=False, fullgraph=True)


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

        function = self.function(case)
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
    TorchCompiled(),
    TorchEager(),
    Optax(),
    Keras(),
    ScikitLearn(),
)
