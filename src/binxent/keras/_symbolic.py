"""The losses between symbolic tensors: operations of a functional model, which is saved and loaded with them."""

from typing import Any

import keras
import numpy as np
from keras.saving import deserialize_keras_object, serialize_keras_object

from binxent._core.array_likes import without_mask
from binxent._core.options import boolean
from binxent._core.shapes import require_one_per_label, require_same_shape, resolve
from binxent.keras import _evaluation
from binxent.keras._private import registered, registered_class


def is_symbolic(*tensors):
    """Return whether a tensor is symbolic: a functional model is being built, and there are no values yet."""
    return any(isinstance(tensor, keras.KerasTensor) for tensor in tensors)


def _shape(tensor: Any) -> tuple[int | None, ...]:
    return tuple(tensor.shape) if hasattr(tensor, "shape") else np.shape(tensor)


def loss_of(keras_loss, y_true, y_pred, sample_weight) -> Any:
    """Return the reduced loss of symbolic tensors."""
    y_true, y_pred = without_mask("y_true", y_true), without_mask("y_pred", y_pred)
    return LossOperation(keras_loss)(y_true, y_pred, without_mask("sample_weight", sample_weight))


def sample_losses(loss, y_true, y_pred) -> Any:
    """Return the loss per sample as a function computes it: of equal shapes, in the dtype of the predictions."""
    y_true, y_pred = without_mask("y_true", y_true), without_mask("y_pred", y_pred)
    require_same_shape("y_true", _shape(y_true), "y_pred", _shape(y_pred))
    keras_loss = registered_class(type(loss).__name__).from_config(loss.get_config())
    return LossOperation(keras_loss, per_sample=True)(y_true, y_pred)


@registered()
class LossOperation(keras.Operation):
    """A loss as an operation.

    Args:
        loss: A loss of `binxent.keras.losses`.
        per_sample: Whether to leave the losses per sample as its `call` returns them, in the dtype of the predictions.
        name: Name of the operation.

    Example:
        >>> from binxent.keras import BinaryCrossentropy
        >>> labels, logits = keras.Input((1,)), keras.Input((1,))
        >>> cost = LossOperation(BinaryCrossentropy(from_logits=True))(labels, logits)
        >>> model = keras.Model([labels, logits], cost)
        >>> print(f"{float(model([np.ones((2, 1)), np.zeros((2, 1))])):.4f}")
        0.6931
    """

    def __init__(self, loss: Any, per_sample: bool = False, name: str | None = None) -> None:
        super().__init__(name=name)
        self.loss: Any = loss
        self.per_sample: bool = boolean("per_sample", per_sample)

    def call(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Compute the loss of tensors with values."""
        return self.loss.call(y_true, y_pred) if self.per_sample else self.loss(y_true, y_pred, sample_weight)

    def compute_output_spec(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Compute the shape and the dtype of the result, and refuse shapes that do not match.

        Raises:
            ValueError: Shapes do not match.
        """
        keras_loss = self.loss
        by_sample = keras_loss.reduction in (None, "none")
        if keras_loss._is_extended():
            if by_sample:
                return super().compute_output_spec(y_true, y_pred, sample_weight)
            return keras.KerasTensor((), keras_loss.dtype)
        loss, weight_shape = keras_loss.spec, None if sample_weight is None else _shape(sample_weight)
        shapes = resolve(_shape(y_true), _shape(y_pred), loss.axis, weight_shape)
        if shapes.pred[-1:] != (None,):
            require_one_per_label(loss.pointwise.constant_names, loss.pointwise.constants, shapes.pred)
        if self.per_sample:
            return keras.KerasTensor(shapes.samples, _evaluation.dtype_of(y_pred))
        return keras.KerasTensor(shapes.samples if by_sample else (), keras_loss.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the loss and the name, which `from_config` takes back."""
        return {"loss": serialize_keras_object(self.loss), "per_sample": self.per_sample, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LossOperation":
        """Make the operation of a `get_config`."""
        return cls(**config | {"loss": deserialize_keras_object(config["loss"])})
