"""The losses between symbolic tensors: operations of a functional model, which is saved and loaded with them."""

from typing import Any

import keras
import numpy as np
from keras.saving import deserialize_keras_object, serialize_keras_object

from binxent._core.shapes import match_ranks, reduced_axes, require_one_per_label, require_same_shape, weight_shape
from binxent.keras import _evaluation
from binxent.keras._private import registered

KERAS_LOSSES: dict[Any, Any] = {}  # by the kind of loss of `binxent.losses`; `losses.py` fills it


def is_symbolic(*tensors):
    """Whether a functional model is being put together, so that no values are there yet."""
    return any(isinstance(tensor, keras.KerasTensor) for tensor in tensors)


def _shape(tensor: Any) -> tuple[int | None, ...]:
    return tuple(tensor.shape) if hasattr(tensor, "shape") else np.shape(tensor)


def sample_losses(spec, y_true, y_pred) -> Any:
    """The loss per sample as a function computes it, without matching ranks and in the dtype of the predictions."""
    require_same_shape("y_true", _shape(y_true), "y_pred", _shape(y_pred))
    loss = KERAS_LOSSES[type(spec)].from_config(spec.get_config())
    return LossOperation(loss, per_sample=True)(y_true, y_pred)


@registered()
class LossOperation(keras.Operation):
    """A loss as an operation.

    Args:
        loss: A loss of `binxent.keras.losses`.
        per_sample: Whether to leave the losses per sample as its `call` returns them, in the dtype of the predictions.
        name: Name of the operation.
    """

    def __init__(self, loss: Any, per_sample: bool = False, name: str | None = None) -> None:
        super().__init__(name=name)
        self.loss: Any = loss
        self.per_sample: bool = per_sample

    def call(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Compute the loss of tensors with values."""
        return self.loss.call(y_true, y_pred) if self.per_sample else self.loss(y_true, y_pred, sample_weight)

    def compute_output_spec(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Work the shape and the dtype of the result out, and refuse shapes that do not match.

        Raises:
            ValueError: Shapes do not match.
        """
        loss = self.loss
        if loss.reduction in (None, "none") and loss._is_extended():
            return super().compute_output_spec(y_true, y_pred, sample_weight)
        true_shape, shape = match_ranks(_shape(y_true), _shape(y_pred))
        if not loss._is_extended():
            require_same_shape("y_true", true_shape, "y_pred", shape)
            if shape[-1:] != (None,):
                require_one_per_label(loss.spec.pointwise.constant_names, loss.spec.pointwise.constants, shape)
            if sample_weight is not None:
                weight_shape(_shape(sample_weight), shape)
        axes = reduced_axes(loss.spec.axis, len(shape))
        samples = tuple(size for axis, size in enumerate(shape) if axis not in axes)
        if self.per_sample:
            return keras.KerasTensor(samples, _evaluation.dtype_of(y_pred))
        return keras.KerasTensor(samples if loss.reduction in (None, "none") else (), loss.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the loss and the name, which `from_config` takes back."""
        return {"loss": serialize_keras_object(self.loss), "per_sample": self.per_sample, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LossOperation":
        """Make the operation of a `get_config`."""
        return cls(**config | {"loss": deserialize_keras_object(config["loss"])})
