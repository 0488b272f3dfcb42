"""The shape rules: which label meets which prediction, what a weight applies to, and what a mean divides by.

Everything here works on shapes and names, not on arrays, so that every door follows the same rules:

1. Each element's loss is multiplied by its weight. A weight of zero, and an ignored label, hide the element entirely.
2. A sample's loss is the mean of its elements over `axis`: their sum over the number of those not ignored.
3. "none" returns the samples' losses and "sum" their sum. "sum_over_batch_size" divides the sum of all elements by the
   number of those not ignored, "mean_with_sample_weight" by the sum of their weights. Anything over nothing is 0.

`resolve` applies them all to the arguments of one call; the other functions are its parts.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Shape = tuple[Any, ...]  # of numbers, and None for a dimension that is unknown
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none")


class Shapes(NamedTuple):
    """The shapes at which the arguments of a loss meet; an unknown dimension is None.

    Attributes:
        true: Shape to give to the labels.
        pred: Shape to give to the predictions.
        axes: The axes to average over, sorted, counted from 0.
        samples: Shape of the samples' losses: `pred` without `axes`.
        weight: Shape to give to the weight, which then broadcasts to `pred`; None without a weight.
        masks: The same for each mask.
        per_sample: Number of elements in the mean of one sample; None where a dimension is unknown.
    """

    true: Shape
    pred: Shape
    axes: tuple[int, ...]
    samples: Shape
    weight: Shape | None
    masks: tuple[Shape, ...]
    per_sample: int | None


def resolve(
    true: Sequence[int | None],
    pred: Sequence[int | None],
    axis: int | Sequence[int] | None = -1,
    weight: Sequence[int | None] | None = None,
    masks: Sequence[Sequence[int | None]] = (),
    *,
    names: tuple[str, str] = ("y_true", "y_pred"),
    may_lack_last: bool = True,
) -> Shapes:
    """Resolve the shapes at which labels, predictions, weights and masks meet, and the size of each mean.

    Args:
        true: Shape of the labels.
        pred: Shape of the predictions.
        axis: The axis or axes to average over, as `standard_axis` returns them.
        weight: Shape of the weight, or None.
        masks: Shape of each mask.
        names: The names of labels and predictions, for errors.
        may_lack_last: Whether labels and predictions may differ by a last axis of one, as `match_ranks` allows.

    Raises:
        ValueError: Labels do not have the shape of the predictions, an axis is out of range, or a weight or mask does
            not line up with the leading axes of the predictions.
    """
    true, pred = tuple(true), tuple(pred)
    if true != pred:
        if may_lack_last:
            true, pred = match_ranks(true, pred)
        require_same_shape(names[0], true, names[1], pred)
    axes = reduced_axes(axis, len(pred))
    samples = tuple(extent for axis, extent in enumerate(pred) if axis not in axes)
    per_sample = 1
    for axis in axes:
        extent = pred[axis]
        per_sample = None if extent is None or per_sample is None else per_sample * extent
    return Shapes(
        true,
        pred,
        axes,
        samples,
        None if weight is None else weight_shape(weight, pred),
        tuple(weight_shape(mask, pred, "mask") for mask in masks),
        per_sample,
    )


def standard_reduction(reduction: str | None) -> str:
    """Return the canonical name of a reduction: None is "none", and the "auto" of Keras 2 is "sum_over_batch_size".

    Raises:
        ValueError: There is no such reduction.
    """
    standard = "none" if reduction is None else "sum_over_batch_size" if reduction == "auto" else reduction
    if not isinstance(standard, str) or standard not in REDUCTIONS:
        raise ValueError(
            f"Invalid value for argument `reduction`: expected one of {', '.join(map(repr, REDUCTIONS))} or None; "
            f"got {reduction!r}."
        )
    return standard


def standard_axis(axis: Any) -> int | tuple[int, ...] | None:
    """Return the axis as an int, a tuple of ints, or None.

    Raises:
        TypeError: The axis is not an int, several ints, or None.
    """
    if axis is None:
        return None
    try:
        return tuple(map(int, axis)) if hasattr(axis, "__iter__") else axis.__index__()
    except (AttributeError, TypeError, ValueError):
        raise TypeError(f"`axis` must be an int, several ints, or None; got {axis!r}.") from None


def reduced_axes(axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Return the axes to average over, as a sorted tuple of numbers from 0.

    A scalar, which has no axes, is its own mean.

    Raises:
        ValueError: An axis is out of range or comes twice.
    """
    if axis is None or ndim == 0:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int) else axis
    if any(not -ndim <= each < ndim for each in axes):
        raise ValueError(f"`axis` must lie between {-ndim} and {ndim - 1} for predictions of rank {ndim}; got {axis}.")
    standard = tuple(sorted(each % ndim for each in axes))
    if len(set(standard)) < len(standard):
        raise ValueError(f"`axis` names an axis twice: {axis}.")
    return standard


def match_ranks(true_shape: Shape, pred_shape: Shape) -> tuple[Shape, Shape]:
    """Return the shapes at which labels meet predictions when their ranks differ by a last axis of one.

    As in Keras, the array of the smaller rank is expanded if that rank is 1; else the other one is squeezed.

    Returns:
        The shapes to give to labels and predictions.
    """
    if len(true_shape) - len(pred_shape) == 1 and true_shape[-1] == 1:
        return (true_shape, (*pred_shape, 1)) if len(pred_shape) == 1 else (true_shape[:-1], pred_shape)
    if len(pred_shape) - len(true_shape) == 1 and pred_shape[-1] == 1:
        return ((*true_shape, 1), pred_shape) if len(true_shape) == 1 else (true_shape, pred_shape[:-1])
    return true_shape, pred_shape


def require_same_shape(true_name: str, true_shape: Sequence, pred_name: str, pred_shape: Sequence) -> None:
    """Refuse labels that would be broadcast against predictions.

    Raises:
        ValueError: The shapes differ; an unknown dimension, None, matches any.
    """
    if len(true_shape) != len(pred_shape) or not _may_lead(true_shape, pred_shape):
        raise ValueError(
            f"`{true_name}` and `{pred_name}` must have the same shape; "
            f"got {tuple(true_shape)} and {tuple(pred_shape)}. "
            "Reshape one of them: broadcasting would pair labels with predictions that are not theirs."
        )


def require_one_per_label(names: Iterable[str], constants: Iterable[Any], pred_shape: Sequence) -> None:
    """Refuse constants, tuples or arrays, that are neither a number nor one for each label of the last axis.

    A constant is never broadcast from length 1.

    Raises:
        ValueError: A constant has another length than the last axis, or more axes.
    """
    for name, constant in zip(names, constants, strict=True):
        shape = (len(constant),) if isinstance(constant, tuple) else tuple(getattr(constant, "shape", ()))
        if shape and shape != tuple(pred_shape[-1:]):
            got = f"{shape[0]} numbers" if len(shape) == 1 else f"an array of shape {shape}"
            raise ValueError(
                f"`{name}` must be a number or hold one number for each label on the last axis of the predictions, "
                f"whose shape is {tuple(pred_shape)}; got {got}."
            )


def weight_shape(shape: Sequence, pred_shape: Sequence, name: str = "sample_weight") -> Shape:
    """Return the shape that lines a weight or a mask up with the leading axes of the predictions.

    Trailing axes of one are left out. Where the predictions have an unknown dimension, None, so has the result.

    Args:
        shape: Shape of the weight.
        pred_shape: Shape of the predictions.
        name: The argument's name, for errors.

    Raises:
        ValueError: The weight is neither a number nor shaped like the predictions or their leading axes.
    """
    leading = tuple(shape)
    while leading and leading[-1] == 1 and leading != tuple(pred_shape[: len(leading)]):
        leading = leading[:-1]
    if not _may_lead(leading, pred_shape):
        raise ValueError(
            f"`{name}` must be a number, or have the shape of the predictions {tuple(pred_shape)} or of their "
            f"leading axes; got {tuple(shape)}."
        )
    return tuple(pred_shape[: len(leading)]) + (1,) * (len(pred_shape) - len(leading))


def _may_lead(shape, pred_shape):
    """Return whether a shape may be that of leading axes; None is an unknown dimension."""
    leading = tuple(pred_shape[: len(shape)])
    return len(shape) == len(leading) and all(
        own == extent or own is None or extent is None for own, extent in zip(shape, leading, strict=True)
    )
