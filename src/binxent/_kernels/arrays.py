"""The losses on NumPy arrays: read the arguments, resolve shapes, arrange elements, divide, run the fused loops."""

from functools import lru_cache, reduce
from typing import Any, NamedTuple

import numpy as np

from binxent._core.array_likes import ABOUT_LABELS, as_numbers, as_predictions, check_range
from binxent._core.dtypes import DOUBLE, DTYPES, compute_dtype, is_readable, named_dtype, result_dtype, rounded
from binxent._core.ranges import any_infinite
from binxent._core.sample_weights import is_extreme, scaled, sizes
from binxent._core.shapes import require_one_per_label, require_same_shape, resolve
from binxent._kernels.fused import fuse, fuse_block
from binxent._kernels.operands import (
    NOWHERE,
    address_of,
    constant_operands,
    describe,
    gather,
    gather_labels,
    reads_exactly,
    scatter,
)
from binxent._kernels.plan import BLOCK

MOST_WORK: Any = 10_000  # steps, some 0.1 ms; NumPy's types allow special values only
ABOUT_PREDICTIONS = "If these are logits, pass from_logits=True."


@lru_cache(maxsize=256)
def _resolve(names, may_lack_last, *shapes):
    return resolve(*shapes, names=names, may_lack_last=may_lack_last)


class Arguments(NamedTuple):
    """The arguments of a call, as arrays.

    Attributes:
        names: The names of labels and predictions, for errors.
        labels: Array of labels.
        predictions: Array of predictions.
        weight: Array of weights, 0 where they are masked, or None.
        masks: Where labels, predictions and weights are masked: arrays of their shapes, or None; empty if nowhere.
    """

    names: tuple[str, str]
    labels: np.ndarray
    predictions: np.ndarray
    weight: np.ndarray | None
    masks: tuple[np.ndarray | None, ...]


def read(y_true, y_pred, sample_weight=None, names=("y_true", "y_pred")):
    """Read arguments as arrays.

    Raises:
        TypeError: An argument holds no real numbers.
        ValueError: Values are missing.
    """
    labels, true_mask = as_numbers(names[0], y_true)
    predictions, pred_mask = as_predictions(names[1], y_pred)
    weight, weight_mask = (None, None) if sample_weight is None else as_numbers("sample_weight", sample_weight)
    if true_mask is None and pred_mask is None and weight_mask is None:
        return Arguments(names, labels, predictions, weight, ())
    if weight is not None and weight_mask is not None:
        weight = np.where(weight_mask, np.zeros_like(weight), weight)
    return Arguments(names, labels, predictions, weight, (true_mask, pred_mask, weight_mask))


def evaluate(loss, y_true, y_pred, sample_weight=None, names=("y_true", "y_pred"), may_lack_last=True):
    """Compute what a loss returns when it is called."""
    return compute(loss, read(y_true, y_pred, sample_weight, names), (), may_lack_last)


def differentiate(loss, y_true, y_pred, sample_weight, outputs):
    """Compute the reduced loss, and as many derivatives as there are outputs, None standing for a new array."""
    arguments = read(y_true, y_pred, sample_weight)
    shape, dtype = arguments.predictions.shape, result_dtype(arguments.predictions.dtype)
    derivatives = []
    for output in outputs:
        if output is None:
            output = np.empty(shape, dtype)
        else:
            others = [arguments.labels, arguments.predictions, *derivatives]
            _check_output(output, shape, others if arguments.weight is None else [*others, arguments.weight])
        derivatives.append(output)
    return compute(loss, arguments, derivatives), derivatives


def _check_output(output, shape, others):
    kinds = ", ".join(DTYPES)
    if not isinstance(output, np.ndarray) or hasattr(output, "mask"):
        raise TypeError(f"`out` must be a NumPy array of {kinds}; got a {type(output).__name__}.")
    if not is_readable(output.dtype) or output.dtype.kind in "biu":
        raise TypeError(f"`out` must be a NumPy array of {kinds}; got an array of {output.dtype}.")
    require_same_shape("out", output.shape, "y_pred", shape)
    if not output.flags.writeable:
        raise ValueError("`out` is read-only; pass an array that can be written to.")
    if any(np.may_share_memory(output, other) and _overlap(output, other) for other in others):
        raise ValueError("`out` shares memory with another argument, which would change while it is read; pass a copy.")
    if not output.flags.forc and _overlaps_itself(output):
        raise ValueError(
            "Entries of `out` lie at the same place, as those of a broadcast array do. Pass an array that has a place "
            "for each."
        )


def _overlap(one, other):
    """Return whether two arrays have a byte in common, or may have: the search ends after `MOST_WORK` steps."""
    try:
        return np.shares_memory(one, other, MOST_WORK)
    except np.exceptions.TooHardError:
        return True


def _overlaps_itself(array):
    """Return whether two entries do, or may, have a byte in common: two that differ in an axis and in none before."""
    for extent in array.shape:
        if extent > 1 and _overlap(array[:1], array[1:]):
            return True
        array = array[0]
    return False


def compute(loss, arguments, derivatives=(), may_lack_last=True):
    """Compute the reduced loss.

    Args:
        loss: A loss of `binxent.losses`.
        arguments: Labels, predictions and weights.
        derivatives: Up to two floating arrays in the shape of the predictions, which the slope and the curvature of
            the reduced loss are written to.
        may_lack_last: Whether labels and predictions may differ by a last axis of one.
    """
    names, labels, predictions, weight, _ = arguments
    weight_shape = None if weight is None else weight.shape
    shapes = _resolve(names, may_lack_last, labels.shape, predictions.shape, loss.axis, weight_shape)
    dtype = result_dtype(predictions.dtype) if loss.dtype is None else named_dtype(loss.dtype)
    pointwise = loss.pointwise
    if pointwise.has_number_per_label:
        require_one_per_label(pointwise.constant_names, pointwise.constants, shapes.pred)
    if predictions.size == 0:
        return np.zeros(shapes.samples if loss.reduction == "none" else (), dtype)[()]
    elements = Elements(loss, shapes, arguments, derivatives)
    if loss.reduction == "none" and shapes.per_sample == 1:
        losses = np.empty(shapes.samples, dtype)
        elements.run(elements.weights, losses=losses.reshape(shapes.pred))
        return losses if losses.ndim else losses[()]
    values: Any = _means(elements, shapes)
    if loss.reduction == "none":
        return rounded(values.reshape(shapes.samples), dtype)
    if values.size == 1:
        return rounded(values.item(), dtype)
    with np.errstate(over="ignore"):
        return rounded(values.sum(), dtype)


def _means(elements, shapes):
    """Compute the mean of each sample, or the parts whose sum is the mean of all elements."""
    divisors = _divisors(elements, shapes.per_sample)
    if len(divisors) == 1:
        scale = 1 / float(divisors[0]) if divisors[0] else 0.0
        return elements.run(elements.weights, scale) * scale
    scale = np.divide(1.0, divisors, out=np.zeros(divisors.shape), where=divisors != 0)
    # Each sample has a divisor of its own, which becomes a weight.
    scale = scale.reshape(*shapes.samples, *(1,) * len(shapes.axes))
    return elements.run([*elements.weights, np.broadcast_to(scale, elements.predictions.shape)])


def _divisors(elements, per_sample):
    """Return the divisors of the sums: one for all sums, or one for each."""
    reduction, some_left_out = elements.loss.reduction, elements.some_left_out
    if reduction == "mean_with_sample_weight" and (elements.weights or some_left_out):
        return elements.tally(elements.weights)
    if some_left_out and (elements.by_sample or reduction != "sum"):
        return elements.tally(elements.visible)
    return (per_sample if reduction in ("none", "sum") else elements.size,)


class Elements:
    """The operands of the fused loops, in one shape and in the order in which sums are taken.

    Attributes:
        loss: The loss.
        predictions: Array of predictions.
        labels: Array of labels.
        visible: Empty, or an array that is False where an entry is masked.
        weights: Arrays whose product weighs each element, `visible` included; 0 hides it.
        some_left_out: Whether some elements may not count in a mean, masked or ignored.
        size: Number of elements.
        real: Working precision.
        is_checked: Whether all values are known to be possible, and weights in the range of the working precision.
        by_sample: Whether there is a sum for each sample; the axes to average over then come last.
    """

    def __init__(self, loss, shapes, arguments, derivatives):
        self.names, labels, predictions, weight, masks = arguments
        shape, axes = shapes.pred, shapes.axes
        self.loss = loss
        if labels.shape != predictions.shape:
            labels, predictions = labels.reshape(shapes.true), predictions.reshape(shape)
            derivatives = [array.reshape(shape) for array in derivatives]
        self.labels, self.predictions, self.derivatives = labels, predictions, derivatives
        self.visible = _visible(masks, shapes) if masks else []
        self.weights = [] if weight is None else [np.broadcast_to(weight.reshape(shapes.weight), shape)]
        if self.visible:  # whatever a masked entry weighs, infinity and NaN included
            (visible,) = self.visible
            self.weights = [np.where(visible, each, np.zeros((), each.dtype)) for each in self.weights]
        self.weights = self.weights or self.visible
        self.size = predictions.size
        self.real = compute_dtype(predictions.dtype)
        self.some_left_out = bool(self.visible) or loss.ignore_label is not None
        self.by_sample = shapes.per_sample > 1 and (
            loss.reduction == "none" or (loss.reduction == "sum" and self.some_left_out)
        )
        self.row, self.label_axis, self.is_checked = self.size, -1, False
        if self.by_sample:
            self.row = shapes.per_sample
            order = [axis for axis in range(len(shape)) if axis not in axes] + list(axes)
            self._transpose(order)
            self.label_axis = order.index(len(shape) - 1)
        self.constants = self._constants()

    def _transpose(self, order):
        self.labels, self.predictions = self.labels.transpose(order), self.predictions.transpose(order)
        self.visible = [array.transpose(order) for array in self.visible]
        self.weights = [array.transpose(order) for array in self.weights]
        self.derivatives = [array.transpose(order) for array in self.derivatives]

    def tally(self, weights):
        """Sum the products of weights where the label is not ignored."""
        return self._fuse(weights, tallied=True)

    def run(self, weights, scale=1.0, losses=None):
        """Sum the weighted losses; write the derivatives times scale, and each loss to `losses`."""
        if not weights and self._is_ready_block(losses, *self.derivatives):
            return self._fuse_block(scale, losses, *self.derivatives)
        return self._fuse(weights, scale=scale, losses=losses)

    def _is_ready_block(self, losses, *derivatives):
        """Return whether a kernel can use all arrays where they lie, in a single block with a single sum."""
        if self.size > BLOCK or self.row != self.size or self.constants is not None or len(derivatives) > 1:
            return False
        arrays, real = (self.predictions, self.labels, *derivatives), self.real
        for array in arrays if losses is None else (*arrays, losses):
            if array.dtype != real or not array.flags.c_contiguous:
                return False
        return self.loss.ignore_label is None

    def _fuse_block(self, scale, losses=None, slopes=None):
        total, suspicious = fuse_block(
            self.loss.pointwise,
            address_of(self.predictions),
            address_of(self.labels),
            real=self.real,
            size=self.size,
            scale=scale,
            losses=0 if losses is None else address_of(losses),
            slopes=0 if slopes is None else address_of(slopes),
        )
        if suspicious:
            self._check_values([])
        return np.array([total])

    def _fuse(self, weights, *, scale=1.0, losses=None, tallied=False):
        real = self.real
        exact, compares_labels = reads_exactly(weights, self.labels.dtype, self.loss.ignore_label, real)
        factors = [*weights, self.labels] if compares_labels else weights
        sums, suspicious = fuse(
            self.loss.pointwise,
            describe(self.predictions, real, gather),
            describe(self.labels, real, gather_labels),
            [describe(factor, DOUBLE if exact else real, gather) for factor in factors],
            real=real,
            size=self.size,
            row=self.row,
            scale=scale,
            constants=self.constants,
            losses=NOWHERE if losses is None else describe(losses, real, scatter),
            derivatives=() if tallied else [describe(array, real, scatter) for array in self.derivatives],
            tallied=tallied,
            exact=exact,
        )
        if suspicious and not self.is_checked:
            hiding = self._check_values(weights)
            if weights and is_extreme(sizes(weights[0], hiding), 8 * real.itemsize):
                weights = self._in_range(weights, hiding)
                return self._fuse(weights, scale=scale, losses=losses, tallied=tallied)
        return sums

    def _in_range(self, weights, hiding):
        """Prepare to compute in float64, a mean by weight with weights up to 1; return the weights."""
        self.real, self.is_checked = DOUBLE, True
        self.constants = self._constants()
        if self.loss.reduction != "mean_with_sample_weight":
            return weights
        (weight,) = weights
        self.weights = [scaled(weight, sizes(weight, hiding)[1])]
        return self.weights

    def _constants(self):
        if not self.loss.pointwise.has_number_per_label:
            return None
        return constant_operands(self.loss.pointwise.constants, self.predictions.shape, self.real, self.label_axis)

    def _check_values(self, weights):
        """Raise the error that says which values are impossible, if any is; NaN is suspicious only.

        Returns:
            Which weights do not count, as `range_error` takes it.
        """
        hiding = [(self.labels, self.loss.ignore_label)]
        if any(any_infinite(weight, hiding) for weight in weights):
            raise ValueError("`sample_weight` must be finite; got an infinite weight. Weights of 0 hide entries.")
        hidden = [*hiding, *((weight, 0) for weight in weights)]
        check_range(self.names[0], self.labels, hidden, ABOUT_LABELS)
        if not self.loss.from_logits:
            check_range(self.names[1], self.predictions, hidden, ABOUT_PREDICTIONS)
        return hiding


def _visible(masks, shapes):
    """Return a list of one array, False where an entry is masked."""
    pairs = zip(masks, (shapes.true, shapes.pred, shapes.weight), strict=True)
    hidden = [mask.reshape(shape) for mask, shape in pairs if mask is not None]
    return [np.broadcast_to(~reduce(np.logical_or, hidden), shapes.pred)]
