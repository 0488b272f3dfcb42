"""The losses as functions of NumPy arrays, in Keras's words and with Keras's numbers."""

import math
from functools import lru_cache

import numpy as np

from binxent._core.shapes import match_ranks, reduced_axes, require_one_per_label, require_same_shape, weight_shape
from binxent.losses import (
    DTYPES,
    AsymmetricCrossentropy,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    PolyBinaryCrossentropy,
)

__all__ = [
    "AsymmetricCrossentropy",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "PolyBinaryCrossentropy",
    "asymmetric_crossentropy",
    "balanced_pos_weight",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "get_num_threads",
    "poly_binary_crossentropy",
    "prior_logit",
    "set_num_threads",
    "sigmoid_cross_entropy_with_logits",
    "value_and_grad",
    "value_grad_hess",
    "weighted_cross_entropy_with_logits",
]


def binary_crossentropy(
    y_true,
    y_pred,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
    *,
    pos_weight=None,
    ignore_label=None,
    epsilon=1e-7,
):
    """Binary cross-entropy of each sample: the mean of c y a + (1 - y) b over `axis`.

    Args:
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`.
        y_pred: Predictions, logits or probabilities.
        from_logits: Whether predictions are logits.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        pos_weight: c, what a positive counts: a number, or one for each label on the last axis.
        ignore_label: Entries with this label, a number or NaN, take no part.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon]; None takes them exactly.

    Returns:
        Array in the shape of `y_pred` without `axis`, in the dtype of `y_pred`.

    Raises:
        ValueError: Shapes differ, or a label or probability lies outside [0, 1].
        TypeError: An array holds no real numbers.

    Example:
        >>> print(binary_crossentropy([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], from_logits=True).round(3))
        [0.235 1.496]

    The function of that name in `keras.losses`.
    """
    return _per_sample(
        BinaryCrossentropy,
        y_true,
        y_pred,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
        pos_weight=pos_weight,
        ignore_label=ignore_label,
        epsilon=epsilon,
    )


def binary_focal_crossentropy(
    y_true,
    y_pred,
    apply_class_balancing=False,
    alpha=0.25,
    gamma=2.0,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
    *,
    ignore_label=None,
    epsilon=1e-7,
):
    """Focal loss of each sample; `BinaryFocalCrossentropy` has the equation.

    Args:
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`.
        y_pred: Predictions, logits or probabilities.
        apply_class_balancing: Whether positives count alpha and negatives 1 - alpha.
        alpha: What positives count, in [0, 1].
        gamma: How strongly easy entries fade, any number >= 0.
        from_logits: Whether predictions are logits.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        ignore_label: Entries with this label, a number or NaN, take no part.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon]; None takes them exactly.

    Returns:
        Array in the shape of `y_pred` without `axis`, in the dtype of `y_pred`.

    Raises:
        ValueError: Shapes differ, or a label or probability lies outside [0, 1].
        TypeError: An array holds no real numbers.

    Example:
        >>> print(binary_focal_crossentropy([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]).round(3))
        [0.33  0.206]

    The function of that name in `keras.losses`.
    """
    return _per_sample(
        BinaryFocalCrossentropy,
        y_true,
        y_pred,
        apply_class_balancing=apply_class_balancing,
        alpha=alpha,
        gamma=gamma,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
        ignore_label=ignore_label,
        epsilon=epsilon,
    )


def asymmetric_crossentropy(
    y_true,
    y_pred,
    gamma_pos=1.0,
    gamma_neg=4.0,
    margin=0.05,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
    *,
    ignore_label=None,
    epsilon=1e-7,
):
    """Asymmetric loss of each sample; `AsymmetricCrossentropy` has the equation.

    Args:
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`.
        y_pred: Predictions, logits or probabilities.
        gamma_pos: How strongly easy positives fade, any number >= 0.
        gamma_neg: How strongly easy negatives fade, any number >= 0.
        margin: Negatives with a probability up to this cost nothing, in [0, 1).
        from_logits: Whether predictions are logits.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        ignore_label: Entries with this label, a number or NaN, take no part.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon]; None takes them exactly.

    Returns:
        Array in the shape of `y_pred` without `axis`, in the dtype of `y_pred`.

    Raises:
        ValueError: Shapes differ, or a label or probability lies outside [0, 1].
        TypeError: An array holds no real numbers.

    Example:
        >>> print(asymmetric_crossentropy([[1, 0, 0]], [[0.7, 0.04, 0.5]]).round(6))
        [0.043839]
    """
    return _per_sample(
        AsymmetricCrossentropy,
        y_true,
        y_pred,
        gamma_pos=gamma_pos,
        gamma_neg=gamma_neg,
        margin=margin,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
        ignore_label=ignore_label,
        epsilon=epsilon,
    )


def poly_binary_crossentropy(
    y_true,
    y_pred,
    epsilon_1=1.0,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
    *,
    ignore_label=None,
    epsilon=1e-7,
):
    """Poly-1 loss of each sample; `PolyBinaryCrossentropy` has the equation.

    Args:
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`.
        y_pred: Predictions, logits or probabilities.
        epsilon_1: Coefficient of 1 - p_t.
        from_logits: Whether predictions are logits.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        ignore_label: Entries with this label, a number or NaN, take no part.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon]; None takes them exactly.

    Returns:
        Array in the shape of `y_pred` without `axis`, in the dtype of `y_pred`.

    Raises:
        ValueError: Shapes differ, or a label or probability lies outside [0, 1].
        TypeError: An array holds no real numbers.

    Example:
        >>> print(poly_binary_crossentropy([[1, 0]], [[0.9, 0.4]]).round(6))
        [0.558093]
    """
    return _per_sample(
        PolyBinaryCrossentropy,
        y_true,
        y_pred,
        epsilon_1=epsilon_1,
        from_logits=from_logits,
        label_smoothing=label_smoothing,
        axis=axis,
        ignore_label=ignore_label,
        epsilon=epsilon,
    )


def sigmoid_cross_entropy_with_logits(labels, logits):
    """Binary cross-entropy of each element from its logit.

    Args:
        labels: Labels in [0, 1], in the shape of `logits`.
        logits: Any real numbers.

    Returns:
        Array in the shape and dtype of `logits`.

    Raises:
        ValueError: Shapes differ, or a label lies outside [0, 1].
        TypeError: An array holds no real numbers.

    Example:
        >>> print(sigmoid_cross_entropy_with_logits(labels=[0.0, 1.0], logits=[-20.0, 0.0]))
        [2.0611537e-09 6.9314718e-01]

    The function of that name in `tf.nn`.
    """
    return _compute(_ELEMENTWISE, labels, logits, names=("labels", "logits"), fix_ranks=False)


def weighted_cross_entropy_with_logits(labels, logits, pos_weight):
    """Binary cross-entropy of each element from its logit, with positives counted `pos_weight` times.

    Args:
        labels: Labels in [0, 1], in the shape of `logits`.
        logits: Any real numbers.
        pos_weight: A number, or one for each label on the last axis.

    Returns:
        Array in the shape and dtype of `logits`.

    Raises:
        ValueError: Shapes differ, a label lies outside [0, 1], or a weight is negative or infinite.
        TypeError: An array holds no real numbers.

    Example:
        >>> print(weighted_cross_entropy_with_logits(labels=[1.0, 0.0], logits=[0.0, 0.0], pos_weight=3.0))
        [2.0794415 0.6931472]

    The function of that name in `tf.nn`.
    """
    loss = BinaryCrossentropy(True, axis=(), reduction="none", pos_weight=pos_weight)
    return _compute(loss, labels, logits, names=("labels", "logits"), fix_ranks=False)


def value_and_grad(loss, y_true, y_pred, sample_weight=None, *, out=None):
    """The reduced loss and its gradient with respect to the predictions, from one pass over memory.

    Args:
        loss: One of the losses, `BinaryCrossentropy(from_logits=True)` say.
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`.
        y_pred: Predictions, logits or probabilities.
        sample_weight: A number, or an array in the shape of `y_pred` or of its leading axes.
        out: Floating array in the shape of `y_pred` to write the gradient to; it must not overlap the other arrays.

    Returns:
        The loss, and the gradient in the shape and dtype of `y_pred`. With the reduction "none" the loss is an array of
        the samples' losses, and the gradient that of their sum.

    Raises:
        ValueError: Shapes do not match, or a label, probability or weight has an impossible value. What `out` holds is
            then undefined.
        TypeError: An array holds no real numbers.

    Example:
        >>> value, grad = value_and_grad(BinaryCrossentropy(from_logits=True), [1.0, 0.0], [0.0, 2.0])
        >>> print(value.round(6), grad.round(6))
        1.410038 [-0.25      0.440398]
    """
    value, (grad,) = _differentiate(loss, y_true, y_pred, sample_weight, (out,))
    return value, grad


def value_grad_hess(loss, y_true, y_pred, sample_weight=None, *, out=None):
    """The reduced loss, its gradient and the diagonal of its Hessian, which has nothing beside the diagonal.

    Args:
        loss: One of the losses.
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`.
        y_pred: Predictions, logits or probabilities.
        sample_weight: A number, or an array in the shape of `y_pred` or of its leading axes.
        out: Two floating arrays in the shape of `y_pred`, for gradient and Hessian; they must not overlap the others.

    Returns:
        The loss as `value_and_grad` returns it, the gradient and the second derivatives.

    Raises:
        ValueError: As in `value_and_grad`.
        TypeError: An array holds no real numbers.

    Example:
        >>> value, grad, hess = value_grad_hess(BinaryCrossentropy(from_logits=True), [1.0, 0.0], [0.0, 2.0])
        >>> print(hess.round(6))
        [0.125    0.052497]
    """
    value, (grad, hess) = _differentiate(loss, y_true, y_pred, sample_weight, (None, None) if out is None else out)
    return value, grad, hess


def balanced_pos_weight(y_true, *, ignore_label=None):
    """Negatives over positives: the `pos_weight` with which both classes weigh the same.

    Args:
        y_true: Labels in [0, 1], (n,) or (n, 1) for one label, (n, ..., labels) for several.
        ignore_label: Entries with this label, a number or NaN, are not counted.

    Returns:
        A number for one label, else an array (labels,), in float64.

    Raises:
        ValueError: A label has no positive entry, or a value lies outside [0, 1].

    Example:
        >>> print(balanced_pos_weight([1, 0, 0, 0]))
        3.0
    """
    positives, negatives = _count_classes(y_true, ignore_label)
    if not np.all(positives):
        raise ValueError(
            f"{_absent(positives, 'positive')}, so no weight can balance it. Leave it out or weigh it by hand."
        )
    return negatives / positives


def prior_logit(y_true, *, ignore_label=None):
    """The logit of the base rate, log(positives / negatives): the bias to start an output layer from.

    Args:
        y_true: Labels in [0, 1], (n,) or (n, 1) for one label, (n, ..., labels) for several.
        ignore_label: Entries with this label, a number or NaN, are not counted.

    Returns:
        A number for one label, else an array (labels,), in float64.

    Raises:
        ValueError: A label has only one class, or a value lies outside [0, 1].

    Example:
        >>> print(prior_logit([1, 0, 0, 0]).round(6))
        -1.098612
    """
    positives, negatives = _count_classes(y_true, ignore_label)
    for count, name in ((positives, "positive"), (negatives, "negative")):
        if not np.all(count):
            raise ValueError(f"{_absent(count, name)}, so its prior logit is infinite. Leave it out or set it by hand.")
    return np.log(positives) - np.log(negatives)


def get_num_threads():
    """The number of threads that one call may use; at first OMP_NUM_THREADS, else the processors there are."""
    from binxent._kernels.fused import threads

    return threads.count


def set_num_threads(count):
    """Sets the number of threads that one call may use. Results are the same bits on any number.

    Raises:
        ValueError: The count is not a whole number >= 1.
    """
    from binxent._kernels.fused import threads

    if not isinstance(count, int) or count < 1:
        raise ValueError(f"The number of threads must be a whole number >= 1; got {count!r}.")
    threads.count = count


def evaluate(loss, y_true, y_pred, sample_weight=None):
    """What a loss returns when it is called."""
    return _compute(loss, y_true, y_pred, sample_weight)


_ELEMENTWISE = BinaryCrossentropy(from_logits=True, axis=(), reduction="none")


_made = lru_cache(maxsize=256)(lambda kind, **parameters: kind(reduction="none", **parameters))


def _per_sample(kind, y_true, y_pred, **parameters):
    try:
        loss = _made(kind, **parameters)
    except TypeError:  # a list or an array among the parameters is not hashable
        loss = kind(reduction="none", **parameters)
    return _compute(loss, y_true, y_pred, fix_ranks=False)


@lru_cache(maxsize=256)
def _samples(axis, shape):
    """The axes to average over, the shape of the samples' losses, and how many elements each is the mean of."""
    axes = reduced_axes(axis, len(shape))
    samples = tuple(extent for axis, extent in enumerate(shape) if axis not in axes)
    return axes, samples, math.prod(shape[axis] for axis in axes)


def _differentiate(loss, y_true, y_pred, sample_weight, outputs):
    """The reduced loss, and as many derivatives as there are outputs, None standing for a new array."""
    predictions = _predictions("y_pred", y_pred)
    derivatives = []
    for output in outputs:
        if output is None:
            derivatives.append(np.empty(predictions.shape, _result_dtype(predictions)))
            continue
        if not isinstance(output, np.ndarray) or _dtype_name(output.dtype) not in DTYPES:
            raise TypeError(f"`out` must be a NumPy array of {', '.join(DTYPES)}; got {_describe(output)}.")
        require_same_shape("out", output.shape, "y_pred", predictions.shape)
        if not output.flags.writeable:
            raise ValueError("`out` is read-only; pass an array that can be written to.")
        others = [_numbers("y_true", y_true), predictions, *derivatives]
        if sample_weight is not None:
            others.append(np.asarray(sample_weight))
        if any(np.may_share_memory(output, other) for other in others):
            raise ValueError(
                "`out` shares memory with another argument, which would change while it is read; pass a copy."
            )
        derivatives.append(output)
    return _compute(loss, y_true, predictions, sample_weight, derivatives), derivatives


def _compute(loss, y_true, y_pred, sample_weight=None, derivatives=(), *, names=("y_true", "y_pred"), fix_ranks=True):
    """The reduced loss; the derivatives are written to the arrays given for them."""
    from binxent._kernels.fused import DOUBLE, SINGLE, fuse  # loads Numba
    from binxent._kernels.operands import NOWHERE, constant_operands, describe, gather, scatter

    labels, predictions = _numbers(names[0], y_true), _predictions(names[1], y_pred)
    dtype = _result_dtype(predictions) if loss.dtype is None else _named_dtype(loss.dtype)
    if labels.shape != predictions.shape:
        shapes = match_ranks(labels.shape, predictions.shape) if fix_ranks else (labels.shape, predictions.shape)
        require_same_shape(names[0], shapes[0], names[1], shapes[1])
        labels = labels.reshape(shapes[0])
        derivatives = [array.reshape(shapes[1]) for array in derivatives]
        predictions = predictions.reshape(shapes[1])
    shape, size = predictions.shape, predictions.size
    axes, samples, per_sample = _samples(loss.axis, shape)

    # Everything that depends on the position of an element, in the shape of the predictions.
    pointwise, weights, label_axis = loss.pointwise, [], -1
    require_one_per_label(pointwise.constant_names, pointwise.constants, shape)
    if sample_weight is not None:
        weight = _numbers("sample_weight", sample_weight)
        weights.append(np.broadcast_to(weight.reshape(weight_shape(weight.shape, shape)), shape))

    if size == 0:
        return np.zeros(samples if loss.reduction == "none" else (), dtype)[()]
    ignoring = loss.ignore_label is not None
    by_sample = per_sample > 1 and (loss.reduction == "none" or (loss.reduction == "sum" and ignoring))
    if by_sample:  # the axes to average over come last
        order = [axis for axis in range(len(shape)) if axis not in axes] + list(axes)
        label_axis = order.index(len(shape) - 1)
        labels, predictions, *weights = (array.transpose(order) for array in (labels, predictions, *weights))
        derivatives = [array.transpose(order) for array in derivatives]
    row = per_sample if by_sample else size
    real = DOUBLE if predictions.dtype == DOUBLE else SINGLE

    def fused(weights, losses=None, derivatives=(), **options):
        sums, suspicious = fuse(
            pointwise,
            describe(predictions, real, gather),
            describe(labels, real, gather),
            [describe(weight, real, gather) for weight in weights],
            real=real,
            size=size,
            row=row,
            constants=constant_operands(pointwise.constants, predictions.shape, real, label_axis),
            losses=NOWHERE if losses is None else describe(losses, real, scatter),
            derivatives=[describe(array, real, scatter) for array in derivatives],
            **options,
        )
        if suspicious:
            _explain(loss, names, labels, predictions, weights)
        return sums

    if loss.reduction == "none" and per_sample == 1:
        losses = np.empty(samples, dtype)
        fused(weights, losses=losses.reshape(shape), derivatives=derivatives)
        return losses[()]

    if loss.reduction == "mean_with_sample_weight" and (weights or ignoring):
        divisors = fused(weights, tallied=True)
    elif ignoring and (by_sample or loss.reduction != "sum"):
        divisors = fused([], tallied=True)
    else:
        divisors = np.array([per_sample if loss.reduction in ("none", "sum") else size])
    scale = np.divide(1.0, divisors, out=np.zeros(divisors.shape), where=divisors != 0)
    if scale.size > 1:  # each sample has a divisor of its own
        leading = scale.reshape(*samples, *(1,) * len(axes))
        weights, scale = [*weights, np.broadcast_to(leading, predictions.shape)], np.ones(1)
    values = fused(weights, scale=float(scale[0]), derivatives=derivatives) * scale
    return (values.reshape(samples) if loss.reduction == "none" else values.sum()).astype(dtype)[()]


def _numbers(name, value):
    """The value as an array that kernels can read."""
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if _dtype_name(array.dtype) is None:
        native = array.dtype.newbyteorder("=")
        if _dtype_name(native) is None:
            kinds = ", ".join(DTYPES)
            raise TypeError(f"`{name}` must hold {kinds}, whole numbers or booleans; got {_describe(array)}.")
        return array.astype(native)
    return array


def _predictions(name, value):
    """As `_numbers`, with lists in float32, as in Keras."""
    array = _numbers(name, value)
    if array is not value and array.dtype == np.float64 and not hasattr(value, "dtype"):
        return array.astype(np.float32)
    return array


@lru_cache(maxsize=64)
def _dtype_name(dtype):
    """The name of a dtype that kernels can read, else None."""
    known = dtype.kind in "biu" or dtype.name in DTYPES
    return dtype.name if known and dtype.isnative else None


def _result_dtype(predictions):
    return predictions.dtype if predictions.dtype.kind not in "biu" else np.dtype(np.float32)


def _named_dtype(name):
    if name == "bfloat16":
        from ml_dtypes import bfloat16  # NumPy itself has none

        return np.dtype(bfloat16)
    return np.dtype(name)


def _describe(value):
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


def _explain(loss, names, labels, predictions, weights):
    """Raises the error that says which values are impossible, if any is."""
    weight = math.prod((weight.astype(np.float64) for weight in weights), start=np.ones(labels.shape))
    if not np.all(np.isfinite(weight) | np.isnan(weight)):
        raise ValueError("`sample_weight` must be finite; got an infinite weight. Weights of 0 hide entries.")
    labels, predictions = labels.astype(np.float64), predictions.astype(np.float64)
    shown = (weight != 0) & ~_ignored(loss, labels)
    for name, values, advice in (
        (names[0], labels, "Map the two classes to 0 and 1, or name the value to leave out as `ignore_label`."),
        (names[1], predictions, "If these are logits, pass from_logits=True."),
    ):
        outside = shown & ((values < 0) | (values > 1)) & (values is labels or not loss.from_logits)
        if np.any(outside):
            least, most = np.nanmin(values[shown]), np.nanmax(values[shown])
            found = f"{np.count_nonzero(outside)} of {values.size} outside, from {least:.9g} to {most:.9g}"
            raise ValueError(f"`{name}` must lie in [0, 1]; got {found}. {advice}")


def _ignored(loss, labels):
    if loss.ignore_label is None:
        return np.zeros(labels.shape, bool)
    return np.isnan(labels) if math.isnan(loss.ignore_label) else labels == loss.ignore_label


def _count_classes(y_true, ignore_label):
    """Positives and negatives of each label, as sums of labels and of their complements."""
    labels = _numbers("y_true", y_true)
    labels = labels.reshape(-1, labels.shape[-1] if labels.ndim > 1 else 1).astype(np.float64)
    loss = BinaryCrossentropy(ignore_label=ignore_label)
    ignored = _ignored(loss, labels)
    _explain(loss, ("y_true", ""), labels, np.zeros_like(labels), [])
    positives = np.where(ignored, 0.0, labels).sum(0)
    negatives = np.where(ignored, 0.0, 1.0 - labels).sum(0)
    return (positives[0], negatives[0]) if positives.size == 1 else (positives, negatives)


def _absent(counts, name):
    which = np.flatnonzero(np.atleast_1d(counts) == 0)
    listed = ", ".join(map(str, which[:10])) + (", ..." if which.size > 10 else "")
    return f"`y_true` has no {name} entry" + (f" for label {listed}" if np.size(counts) > 1 else "")
