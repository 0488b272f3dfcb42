"""The losses as subclasses of `keras.losses.Loss`."""

import keras
from keras.saving import register_keras_serializable
from keras.src.backend import get_keras_mask  # not public, but the only way to the mask that a layer left

from binxent import losses
from binxent._core.signatures import takes
from binxent.keras import _evaluation, _logit_tracing


class Loss(keras.losses.Loss):
    """What the losses have in common: a loss of `binxent.losses`, `spec`, in the shape that Keras wants.

    The parameters of the spec are attributes too: `loss.from_logits`.
    """

    def __init__(self, spec, dtype=None):
        super().__init__(name=spec.name, reduction=spec.reduction, dtype=dtype)
        self.spec = spec
        self._own_dtype = None if dtype is None else self.dtype
        self._looks_left = _logit_tracing.LOOKS

    def __getattr__(self, name):
        if name == "spec":  # not there yet: while copying, or after a failed __init__
            raise AttributeError(name)
        return getattr(self.spec, name)

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The reduced loss.

        Args:
            y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`; ranks may differ by a last axis of 1.
            y_pred: Predictions, logits or probabilities. A mask that a layer left on them is honoured.
            sample_weight: A number, or an array in the shape of `y_pred` or of its leading axes.

        Returns:
            A scalar of this loss's dtype; with the reduction "none" a tensor with one loss per sample.

        Raises:
            ValueError: Shapes do not match.
        """
        if self._looks_left:
            self._looks_left = _logit_tracing.look(self.name, self.from_logits, y_pred, self._looks_left)
        with keras.name_scope(self.name):
            return _evaluation.reduced(self, y_true, y_pred, sample_weight, get_keras_mask(y_pred))

    def call(self, y_true, y_pred):
        """The loss per sample, without weights."""
        return _evaluation.per_sample(self.spec, y_true, y_pred)

    def get_config(self):
        """The parameters as a dictionary of plain values, which `from_config` takes back."""
        own = {"name": self.name, "reduction": self.reduction, "dtype": self._own_dtype}
        return self.spec.get_config() | own

    @classmethod
    def from_config(cls, config):
        """The loss of a `get_config`, from here, from Keras 3 or from Keras 2."""
        return cls(**{key: value for key, value in config.items() if key != "fn"})  # Keras 2 names its function too


@register_keras_serializable(package="binxent")
class BinaryCrossentropy(Loss):
    """Binary cross-entropy: the parameters are those of `binxent.losses.BinaryCrossentropy`.

    Example:
        >>> loss = BinaryCrossentropy(from_logits=True)
        >>> value = loss([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], sample_weight=[0.8, 0.2])
        >>> print(f"{float(value):.2f}")
        0.24
    """

    @takes(losses.BinaryCrossentropy, own="dtype")
    def __init__(self, spec, dtype):
        super().__init__(spec, dtype)


@register_keras_serializable(package="binxent")
class BinaryFocalCrossentropy(Loss):
    """Focal loss: the parameters are those of `binxent.losses.BinaryFocalCrossentropy`.

    Example:
        >>> print(f"{float(BinaryFocalCrossentropy(gamma=2.0)([1, 0], [0.9, 0.4])):.4f}")
        0.0414
    """

    @takes(losses.BinaryFocalCrossentropy, own="dtype")
    def __init__(self, spec, dtype):
        super().__init__(spec, dtype)


@register_keras_serializable(package="binxent")
class AsymmetricCrossentropy(Loss):
    """Asymmetric loss: the parameters are those of `binxent.losses.AsymmetricCrossentropy`.

    Example:
        >>> print(f"{float(AsymmetricCrossentropy(from_logits=True)([1, 0], [2.0, -3.5])):.4f}")
        0.0076
    """

    @takes(losses.AsymmetricCrossentropy, own="dtype")
    def __init__(self, spec, dtype):
        super().__init__(spec, dtype)


@register_keras_serializable(package="binxent")
class PolyBinaryCrossentropy(Loss):
    """Poly-1 loss: the parameters are those of `binxent.losses.PolyBinaryCrossentropy`.

    Example:
        >>> print(f"{float(PolyBinaryCrossentropy(epsilon_1=2.0)([1, 0], [0.9, 0.4])):.4f}")
        0.8081
    """

    @takes(losses.PolyBinaryCrossentropy, own="dtype")
    def __init__(self, spec, dtype):
        super().__init__(spec, dtype)
