"""Any loss of `binxent.losses` on tensors, element by element; all functions of the door call it."""

from typing import Any

import tensorflow as tf

from binxent._core.pointwise import element_part
from binxent.losses import Loss, Pointwise
from binxent.tensorflow._arguments import TensorLike, as_pos_weight, as_tensor
from binxent.tensorflow._derivatives import derivative
from binxent.tensorflow._shapes import broadcasting_to, in_the_same_shape, with_a_constant_per_label


def pointwise(loss: Loss, predictions: TensorLike, labels: TensorLike, *, name: str | None = None) -> tf.Tensor:
    """Compute any loss, a user's own included, of each element.

    Args:
        loss: A loss of `binxent.losses`, or one derived from `ElementwiseLoss`. Its axis, reduction and dtype play no
            part here.
        predictions: Logits or probabilities, as the loss says.
        labels: y in [0, 1], in the shape of `predictions`.
        name: Name of the operation.

    Returns:
        A tensor in the shape and dtype of `predictions`.

    Raises:
        ValueError: Shapes differ.
        TypeError: `predictions` are not floating, `labels` are not real, or `loss` is not a loss.
        tf.errors.InvalidArgumentError: Shapes differ that are known only when a graph runs.

    Example:
        >>> from binxent import BinaryCrossentropy
        >>> print(pointwise(BinaryCrossentropy(from_logits=True), [0.0, 2.0], [1, 0]).numpy().round(4))
        [0.6931 2.1269]
    """
    part = element_part(loss)
    return elementwise(part, predictions, labels, name=name or loss.name, names=("labels", "predictions"))


def elementwise(
    loss: Pointwise,
    predictions: TensorLike | None,
    labels: TensorLike | None,
    pos_weight: Any = None,
    name: str | None = None,
    names: tuple[str, str] | None = None,
) -> Any:
    """Compute what `pointwise` does, of a `losses.Pointwise`.

    A `pos_weight`, which may be a tensor, takes the place of the loss's own. `names` are those of labels and
    predictions in errors.
    """
    if names is None:
        names = ("labels", "logits") if loss.prediction_kind == "logit" else ("target", "output")
    if tf.executing_eagerly():
        return _elementwise(loss, predictions, labels, pos_weight, names)
    with tf.name_scope(name or loss.name) as scope:
        value = _elementwise(loss, predictions, labels, pos_weight, names)
        return tf.identity(value, name=scope) if name and tf.is_tensor(value) else value


def _elementwise(loss, predictions, labels, pos_weight, names):
    if isinstance(predictions, tf.RaggedTensor) or isinstance(labels, tf.RaggedTensor):
        labels, predictions = _with_same_splits(names, labels, predictions)
        flat = _elementwise(loss, predictions.flat_values, labels.flat_values, pos_weight, names)
        return predictions.with_flat_values(flat)
    labels, predictions = as_tensor(names[0], labels), as_tensor(names[1], predictions)
    if not predictions.dtype.is_floating:
        first = "Predictions" if names[1] == "predictions" else "Labels"
        raise TypeError(f"`{names[1]}` must be floating; got {predictions.dtype.name}. {first} come first.")
    labels = in_the_same_shape(names, labels, predictions)
    if pos_weight is not None:
        pos_weight = as_pos_weight(pos_weight, predictions)
        if not tf.is_tensor(pos_weight):
            loss, pos_weight = loss.with_pos_weight(pos_weight), None
        else:
            loss, pos_weight = loss.with_pos_weight(1.0), broadcasting_to(pos_weight, names[1], predictions)
    predictions = with_a_constant_per_label(loss, predictions)
    return derivative(loss, 0, predictions, labels, pos_weight)


def _with_same_splits(names, labels, predictions):
    """Return ragged labels and predictions, after a check that their rows have the same lengths."""
    for name, given, other in ((names[0], labels, names[1]), (names[1], predictions, names[0])):
        if not isinstance(given, tf.RaggedTensor):
            raise ValueError(f"`{name}` must be ragged as `{other}` is; got {type(given).__name__}.")
    if labels.ragged_rank != predictions.ragged_rank:
        raise ValueError(
            f"`{names[0]}` and `{names[1]}` must be ragged in the same axes; "
            f"got ragged ranks {labels.ragged_rank} and {predictions.ragged_rank}."
        )
    checks = [
        tf.debugging.assert_equal(
            tf.cast(true, tf.int64),
            tf.cast(pred, tf.int64),
            f"`{names[0]}` and `{names[1]}` must have rows of the same lengths; got these ends of rows.",
        )
        for true, pred in zip(labels.nested_row_splits, predictions.nested_row_splits, strict=True)
    ]
    with tf.control_dependencies([check for check in checks if check is not None]):
        return labels.with_flat_values(tf.identity(labels.flat_values)), predictions
