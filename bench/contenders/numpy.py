"""Contenders on NumPy arrays: binxent and scikit-learn."""

import os
from functools import partial

import numpy as np

from bench.cases import GRADIENT, LOSSES, SAMPLES, VALUE
from bench.contenders.contender import Contender


class Binxent(Contender):
    """The NumPy door."""

    name, doors, fills_a_buffer = "binxent", ("numpy",), True

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
            with np.errstate(over="ignore"):  # in the sum over the whole range of floats, which is not used
                return each(y_true, y_pred), bx.value_and_grad(summed, y_true, y_pred)[1]

        return elements


class ScikitLearn(Contender):
    """scikit-learn's fused Cython loops, which its linear models and boosted trees train on."""

    name, doors = "scikit-learn", ("numpy",)
    fills_a_buffer, spare_arrays, sums_the_gradient = True, 1, True

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
