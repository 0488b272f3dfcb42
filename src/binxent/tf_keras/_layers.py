"""The losses between symbolic tensors: layers of a functional model, which is saved and loaded with them."""

from typing import Any

import tf_keras

from binxent._core.array_likes import without_mask
from binxent._core.options import boolean
from binxent._core.shapes import require_same_shape
from binxent.tf_keras._private import KerasTensor, registered, registered_class


def is_symbolic(*tensors):
    """Return whether a tensor is symbolic: a functional model is being built, and there are no values yet."""
    return any(isinstance(tensor, KerasTensor) for tensor in tensors)


def loss_of(keras_loss, y_true, y_pred, sample_weight) -> Any:
    """Return the reduced loss of symbolic tensors."""
    inputs = [without_mask("y_true", y_true), without_mask("y_pred", y_pred)]
    if sample_weight is not None:
        inputs.append(without_mask("sample_weight", sample_weight))
    return LossLayer(keras_loss)(inputs)


def sample_losses(loss, y_true, y_pred) -> Any:
    """Return the loss per sample as a function computes it: of equal shapes, in the dtype of the predictions."""
    y_true, y_pred = without_mask("y_true", y_true), without_mask("y_pred", y_pred)
    if all(hasattr(tensor, "shape") for tensor in (y_true, y_pred)):
        require_same_shape("y_true", tuple(y_true.shape), "y_pred", tuple(y_pred.shape))
    keras_loss = registered_class(type(loss).__name__).from_config(loss.get_config())
    return LossLayer(keras_loss, per_sample=True)([y_true, y_pred])


@registered()
class LossLayer(tf_keras.layers.Layer):
    """A loss between symbolic tensors, as in `model.add_loss(binary_crossentropy(inputs, outputs))`.

    Its inputs are labels, predictions and perhaps weights.

    Args:
        loss: A loss, or what `tf_keras.losses.get` takes for one.
        per_sample: Whether to leave the losses per sample as its `call` returns them, in the dtype of the predictions.
        options: The options of a layer.

    Example:
        >>> from binxent.tf_keras import BinaryCrossentropy
        >>> print(LossLayer(BinaryCrossentropy(from_logits=True))([[[1.0]], [[0.0]]]).numpy().round(4))
        0.6931
    """

    def __init__(self, loss: Any, per_sample: bool = False, **options: Any) -> None:
        super().__init__(**{"autocast": False} | options)
        self.per_sample: bool = boolean("per_sample", per_sample)
        self.loss: Any = tf_keras.losses.get(loss)

    def call(self, inputs: Any) -> Any:
        """Compute the loss of tensors with values."""
        return self.loss.call(*inputs) if self.per_sample else self.loss(*inputs)

    def get_config(self) -> dict[str, Any]:
        """Return the loss and the options of the layer, which `from_config` takes back."""
        own = {"loss": tf_keras.saving.serialize_keras_object(self.loss), "per_sample": self.per_sample}
        return super().get_config() | own
