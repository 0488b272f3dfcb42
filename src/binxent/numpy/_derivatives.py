"""A loss of NumPy arrays with its derivatives, from one pass over memory."""

from typing import Any

from numpy.typing import ArrayLike, NDArray

from binxent._core.pointwise import element_part
from binxent._core.types import FloatArray, Reduced
from binxent._kernels import loaded_arrays
from binxent.losses import Loss


def value_and_grad(
    loss: Loss,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    out: NDArray[Any] | None = None,
) -> tuple[Reduced, FloatArray]:
    """Compute the reduced loss and its gradient with respect to the predictions, in one pass over memory.

    The mean over `axis` comes first, as in Keras: of scores of shape (N,), reduction="sum" is their mean, and so is the
    gradient. For a sum over N scores, which boosting libraries expect, pass axis=().

    Args:
        loss: One of the losses, `BinaryCrossentropy(from_logits=True)` say.
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`. Here and below, entries that a masked
            array (np.ma) masks take no part.
        y_pred: Predictions, logits or probabilities.
        sample_weight: A number, or an array in the shape of `y_pred` or of its leading axes.
        out: Floating array in the shape of `y_pred` to write the gradient to; it must not overlap the other arrays.

    Returns:
        The loss, and the gradient in the shape and dtype of `y_pred`. With the reduction "none" the loss is an array of
        the samples' losses, and the gradient that of their sum.

    Raises:
        ValueError: Shapes do not match, or a label, probability or weight has an impossible value. What `out` holds is
            then undefined.
        TypeError: An array holds no real numbers, or `loss` is not a loss.

    Example:
        >>> value, grad = value_and_grad(BinaryCrossentropy(from_logits=True), [1.0, 0.0], [0.0, 2.0])
        >>> print(value.round(6), grad.round(6))
        1.410038 [-0.25      0.440398]
    """
    value, (grad,) = _differentiate(loss, y_true, y_pred, sample_weight, (out,))
    return value, grad


def value_grad_hess(
    loss: Loss,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    out: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> tuple[Reduced, FloatArray, FloatArray]:
    """Compute the reduced loss, its gradient and the diagonal of its Hessian, which is zero off the diagonal.

    The mean over `axis` comes first, as in Keras: of scores of shape (N,), reduction="sum" is their mean. For the
    gradient and Hessian of each of N scores by itself, which boosting libraries expect, pass axis=().

    Args:
        loss: One of the losses.
        y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`. Here and below, entries that a masked
            array (np.ma) masks take no part.
        y_pred: Predictions, logits or probabilities.
        sample_weight: A number, or an array in the shape of `y_pred` or of its leading axes.
        out: Two floating arrays in the shape of `y_pred`, for gradient and Hessian; they must not overlap the others.

    Returns:
        The loss as `value_and_grad` returns it, the gradient and the second derivatives.

    Raises:
        ValueError: Shapes do not match, or a label, probability or weight has an impossible value. What `out` holds is
            then undefined.
        TypeError: An array holds no real numbers, or `loss` is not a loss.

    Example:
        >>> value, grad, hess = value_grad_hess(BinaryCrossentropy(from_logits=True), [1.0, 0.0], [0.0, 2.0])
        >>> print(hess.round(6))
        [0.125    0.052497]
        >>> objective = BinaryCrossentropy(from_logits=True, axis=(), reduction="sum")
        >>> print(*(each.round(6) for each in value_grad_hess(objective, [1.0, 0.0], [0.0, 2.0])[1:]))
        [-0.5       0.880797] [0.25     0.104994]
    """
    value, (grad, hess) = _differentiate(loss, y_true, y_pred, sample_weight, (None, None) if out is None else out)
    return value, grad, hess


def _differentiate(loss, *arguments):
    element_part(loss)  # refuses what is not a loss
    return loaded_arrays().differentiate(loss, *arguments)
