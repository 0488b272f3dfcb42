"""The losses on NumPy arrays: from arguments as callers pass them to the fused loops, and back."""

from functools import lru_cache

import numpy as np

from binxent._core.array_likes import ABOUT_LABELS, as_numbers, as_predictions, check_range, described
from binxent._core.dtypes import DTYPES, compute_dtype, is_readable, named_dtype, result_dtype
from binxent._core.masking import both, not_ignored
from binxent._core.shapes import require_one_per_label, require_same_shape, resolve
from binxent._kernels.fused import fuse
from binxent._kernels.operands import NOWHERE, constant_operands, describe, gather, scatter

ABOUT_PREDICTIONS = "If these are logits, pass from_logits=True."


@lru_cache(maxsize=256)
def _resolve(names, may_lack_last, *shapes):
    return resolve(*shapes, names=names, may_lack_last=may_lack_last)


def differentiate(loss, y_true, y_pred, sample_weight, outputs):
    """The reduced loss, and as many derivatives as there are outputs, None standing for a new array."""
    predictions = as_predictions("y_pred", y_pred)
    derivatives = []
    for output in outputs:
        if output is None:
            output = np.empty(predictions.shape, result_dtype(predictions.dtype))
        else:
            others = [as_numbers("y_true", y_true), predictions, *derivatives]
            if sample_weight is not None:
                others.append(np.asarray(sample_weight))
            _check_output(output, predictions.shape, others)
        derivatives.append(output)
    return evaluate(loss, y_true, predictions, sample_weight, derivatives), derivatives


def _check_output(output, shape, others):
    if not isinstance(output, np.ndarray) or not is_readable(output.dtype) or output.dtype.kind in "biu":
        raise TypeError(f"`out` must be a NumPy array of {', '.join(DTYPES)}; got {described(output)}.")
    require_same_shape("out", output.shape, "y_pred", shape)
    if not output.flags.writeable:
        raise ValueError("`out` is read-only; pass an array that can be written to.")
    if any(np.may_share_memory(output, other) for other in others):
        raise ValueError("`out` shares memory with another argument, which would change while it is read; pass a copy.")


def evaluate(
    loss, y_true, y_pred, sample_weight=None, derivatives=(), *, names=("y_true", "y_pred"), may_lack_last=True
):
    """The reduced loss.

    Args:
        loss: A loss of `binxent.losses`.
        y_true: Labels.
        y_pred: Predictions.
        sample_weight: None, or weights.
        derivatives: Up to two floating arrays in the shape of the predictions, which the slope and the curvature of
            the reduced loss are written to.
        names: The names of labels and predictions, for errors.
        may_lack_last: Whether labels and predictions may differ by a last axis of one.
    """
    labels, predictions = as_numbers(names[0], y_true), as_predictions(names[1], y_pred)
    weight = None if sample_weight is None else as_numbers("sample_weight", sample_weight)
    weight_shape = None if weight is None else weight.shape
    shapes = _resolve(names, may_lack_last, labels.shape, predictions.shape, loss.axis, weight_shape)
    dtype = result_dtype(predictions.dtype) if loss.dtype is None else named_dtype(loss.dtype)
    require_one_per_label(loss.pointwise.constant_names, loss.pointwise.constants, shapes.pred)
    if predictions.size == 0:
        return np.zeros(shapes.samples if loss.reduction == "none" else (), dtype)[()]
    elements = Elements(loss, names, shapes, labels, predictions, weight, derivatives)
    if loss.reduction == "none" and shapes.per_sample == 1:
        losses = np.empty(shapes.samples, dtype)
        elements.run(elements.weights, losses=losses.reshape(shapes.pred))
        return losses[()]
    values = _means(elements, shapes)
    return (values.reshape(shapes.samples) if loss.reduction == "none" else values.sum()).astype(dtype)[()]


def _means(elements, shapes):
    """The mean of each sample, or the parts that the mean of all elements is the sum of."""
    divisors = _divisors(elements, shapes.per_sample)
    scale = np.divide(1.0, divisors, out=np.zeros(divisors.shape), where=divisors != 0)
    if scale.size == 1:
        return elements.run(elements.weights, float(scale[0])) * scale
    # Each sample has a divisor of its own, which becomes a weight.
    scale = scale.reshape(*shapes.samples, *(1,) * len(shapes.axes))
    return elements.run([*elements.weights, np.broadcast_to(scale, elements.predictions.shape)])


def _divisors(elements, per_sample):
    """What each sum is divided by: one number for all sums, or one for each."""
    reduction, ignoring = elements.loss.reduction, elements.loss.ignore_label is not None
    if reduction == "mean_with_sample_weight" and (elements.weights or ignoring):
        return elements.tally(elements.weights)
    if ignoring and (elements.by_sample or reduction != "sum"):
        return elements.tally([])
    return np.array([per_sample if reduction in ("none", "sum") else elements.size])


class Elements:
    """What the loops read and write, in one shape and in the order in which sums are taken.

    Attributes:
        loss: The loss.
        predictions: Array of predictions.
        labels: Array of labels.
        weights: Arrays whose product weighs each element; 0 hides it.
        size: Number of elements.
        by_sample: Whether there is a sum for each sample; the axes to average over then come last.
    """

    def __init__(self, loss, names, shapes, labels, predictions, weight, derivatives):
        shape, axes = shapes.pred, shapes.axes
        self.loss, self.names = loss, names
        self.labels, self.predictions = labels.reshape(shapes.true), predictions.reshape(shape)
        self.weights = [] if weight is None else [np.broadcast_to(weight.reshape(shapes.weight), shape)]
        self.derivatives = [array.reshape(shape) for array in derivatives]
        self.size = predictions.size
        self.real = compute_dtype(predictions.dtype)
        self.by_sample = shapes.per_sample > 1 and (
            loss.reduction == "none" or (loss.reduction == "sum" and loss.ignore_label is not None)
        )
        self.row = shapes.per_sample if self.by_sample else self.size
        label_axis = -1
        if self.by_sample:
            order = [axis for axis in range(len(shape)) if axis not in axes] + list(axes)
            self._transpose(order)
            label_axis = order.index(len(shape) - 1)
        self.constants = constant_operands(loss.pointwise.constants, self.predictions.shape, self.real, label_axis)

    def _transpose(self, order):
        self.labels, self.predictions = self.labels.transpose(order), self.predictions.transpose(order)
        self.weights = [array.transpose(order) for array in self.weights]
        self.derivatives = [array.transpose(order) for array in self.derivatives]

    def tally(self, weights):
        """The sums of the products of weights where the label is not ignored."""
        return self._fuse(weights, tallied=True)

    def run(self, weights, scale=1.0, losses=None):
        """The sums of the weighted losses; writes the derivatives, times scale, and each loss where that is wanted."""
        return self._fuse(
            weights,
            scale=scale,
            constants=self.constants,
            losses=NOWHERE if losses is None else describe(losses, self.real, scatter),
            derivatives=[describe(array, self.real, scatter) for array in self.derivatives],
        )

    def _fuse(self, weights, **options):
        real = self.real
        sums, suspicious = fuse(
            self.loss.pointwise,
            describe(self.predictions, real, gather),
            describe(self.labels, real, gather),
            [describe(weight, real, gather) for weight in weights],
            real=real,
            size=self.size,
            row=self.row,
            **options,
        )
        if suspicious:
            self._check_values(weights)
        return sums

    def _check_values(self, weights):
        """Raises the error that says which values are impossible, if any is."""
        valid = not_ignored(np, self.loss.ignore_label, self.labels)
        for weight in weights:
            if np.isinf(weight).any():
                raise ValueError("`sample_weight` must be finite; got an infinite weight. Weights of 0 hide entries.")
            valid = both(np, valid, weight != 0)
        check_range(self.names[0], self.labels, valid, ABOUT_LABELS)
        if not self.loss.from_logits:
            check_range(self.names[1], self.predictions, valid, ABOUT_PREDICTIONS)
