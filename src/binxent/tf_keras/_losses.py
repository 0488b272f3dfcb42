"""The losses as subclasses of `tf_keras.losses.Loss`, and as functions."""

from typing import Any

import tensorflow as tf
import tf_keras
from tf_keras.saving import register_keras_serializable

from binxent import losses
from binxent._core.shapes import standard_reduction
from binxent._core.signatures import per_sample, takes
from binxent.tf_keras import _evaluation

WEIGHTED = "mean_with_sample_weight"
UNKNOWN = ("mean", WEIGHTED)  # to Keras 2, which shall treat them as the mean it knows


class Loss(tf_keras.losses.Loss):
    """What the losses have in common: a loss of `binxent.losses`, `spec`, in the shape that Keras 2 wants.

    The parameters of the spec are attributes too: `loss.from_logits`. Besides Keras 2's reductions there is
    "mean_with_sample_weight", which divides by the sum of the weights.
    """

    def __init__(self, spec, reduction):
        super().__init__(name=spec.name)
        self.spec = spec
        self.reduction = "sum_over_batch_size" if spec.reduction in UNKNOWN else reduction or "none"

    def __getattr__(self, name):
        if name == "spec":  # not there yet: while copying, or after a failed __init__
            raise AttributeError(name)
        return getattr(self.spec, name)

    @tf.autograph.experimental.do_not_convert
    def __call__(self, y_true, y_pred, sample_weight=None):
        """The reduced loss.

        Args:
            y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`; ranks may differ by a last axis of 1.
            y_pred: Predictions, logits or probabilities. A mask that a layer left on them is honoured.
            sample_weight: A number, or values in the shape of `y_pred` or of its leading axes.

        Returns:
            A scalar, in float64 for predictions in float64 and else in float32, or in this loss's dtype; with the
            reduction "none" a tensor with one loss per sample.

        Raises:
            ValueError: Shapes do not match, or a mean is asked for under a distribution strategy outside of `fit`.
            tf.errors.InvalidArgumentError: Shapes do not match that are known only when a graph runs.
        """
        if _symbolic(y_true, y_pred):
            return LossLayer(self)([y_true, y_pred] if sample_weight is None else [y_true, y_pred, sample_weight])
        reduction = standard_reduction(self._get_reduction())
        if self.spec.reduction == WEIGHTED and reduction == "sum_over_batch_size":
            reduction = WEIGHTED
        with tf.name_scope(self._name_scope):
            value = _evaluation.reduced(self.spec, reduction, y_true, y_pred, sample_weight)
            return value if self.spec.dtype is None else tf.cast(value, self.spec.dtype)

    def call(self, y_true, y_pred):
        """The loss per sample, without weights."""
        return _evaluation.per_sample(self.spec, y_true, y_pred)

    def get_config(self):
        """The parameters as a dictionary of plain values, which `from_config` takes back."""
        reduction = self.spec.reduction if self.spec.reduction in UNKNOWN else self.reduction
        return self.spec.get_config() | {"name": self.name, "reduction": reduction}

    @classmethod
    def from_config(cls, config):
        """The loss of a `get_config`, from here, from Keras 2 or from Keras 3."""
        return cls(**{key: value for key, value in config.items() if key != "fn"})  # Keras 2 names its function too


@register_keras_serializable(package="binxent")
class BinaryCrossentropy(Loss):
    """Binary cross-entropy: the parameters are those of `binxent.losses.BinaryCrossentropy`.

    Example:
        >>> loss = BinaryCrossentropy(from_logits=True)
        >>> print(loss([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], sample_weight=[0.8, 0.2]).numpy().round(2))
        0.24
    """

    @takes(losses.BinaryCrossentropy, "reduction", "auto", passed_on=True)
    def __init__(self, spec, reduction):
        super().__init__(spec, reduction)


@register_keras_serializable(package="binxent")
class BinaryFocalCrossentropy(Loss):
    """Focal loss: the parameters are those of `binxent.losses.BinaryFocalCrossentropy`.

    Example:
        >>> print(BinaryFocalCrossentropy(gamma=2.0)([1, 0], [0.9, 0.4]).numpy().round(4))
        0.0414
    """

    @takes(losses.BinaryFocalCrossentropy, "reduction", "auto", passed_on=True)
    def __init__(self, spec, reduction):
        super().__init__(spec, reduction)


@register_keras_serializable(package="binxent")
class AsymmetricCrossentropy(Loss):
    """Asymmetric loss: the parameters are those of `binxent.losses.AsymmetricCrossentropy`.

    Example:
        >>> print(AsymmetricCrossentropy(from_logits=True)([1, 0], [2.0, -3.5]).numpy().round(3))
        0.008
    """

    @takes(losses.AsymmetricCrossentropy, "reduction", "auto", passed_on=True)
    def __init__(self, spec, reduction):
        super().__init__(spec, reduction)


@register_keras_serializable(package="binxent")
class PolyBinaryCrossentropy(Loss):
    """Poly-1 loss: the parameters are those of `binxent.losses.PolyBinaryCrossentropy`.

    Example:
        >>> print(PolyBinaryCrossentropy(epsilon_1=2.0)([1, 0], [0.9, 0.4]).numpy().round(4))
        0.8081
    """

    @takes(losses.PolyBinaryCrossentropy, "reduction", "auto", passed_on=True)
    def __init__(self, spec, reduction):
        super().__init__(spec, reduction)


@register_keras_serializable(package="binxent")
class LossLayer(tf_keras.layers.Layer):
    """A loss between symbolic tensors, as in `model.add_loss(binary_crossentropy(inputs, outputs))`.

    Its inputs are labels, predictions and perhaps weights.
    """

    def __init__(self, loss, **options):
        super().__init__(**{"autocast": False} | options)
        self.loss: Any = tf_keras.losses.get(loss)

    def call(self, inputs):
        """The reduced loss."""
        return self.loss(*inputs)

    def get_config(self):
        """The loss and the layer's name, which `from_config` takes back."""
        return super().get_config() | {"loss": tf_keras.saving.serialize_keras_object(self.loss)}


@register_keras_serializable(package="binxent")
@tf.autograph.experimental.do_not_convert
@per_sample(losses.BinaryCrossentropy)
def binary_crossentropy(spec, y_true, y_pred):
    """Binary cross-entropy per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `BinaryCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> costs = binary_crossentropy([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], from_logits=True)
        >>> print(costs.numpy().round(2))
        [0.24 1.5 ]
    """
    return _per_sample(spec, y_true, y_pred)


@register_keras_serializable(package="binxent")
@tf.autograph.experimental.do_not_convert
@per_sample(losses.BinaryFocalCrossentropy)
def binary_focal_crossentropy(spec, y_true, y_pred):
    """Focal loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `BinaryFocalCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(binary_focal_crossentropy([[1, 0]], [[0.9, 0.4]]).numpy().round(4))
        [0.0414]
    """
    return _per_sample(spec, y_true, y_pred)


@register_keras_serializable(package="binxent")
@tf.autograph.experimental.do_not_convert
@per_sample(losses.AsymmetricCrossentropy)
def asymmetric_crossentropy(spec, y_true, y_pred):
    """Asymmetric loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `AsymmetricCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(asymmetric_crossentropy([[1, 0]], [[2.0, -3.5]], from_logits=True).numpy().round(4))
        [0.0076]
    """
    return _per_sample(spec, y_true, y_pred)


@register_keras_serializable(package="binxent")
@tf.autograph.experimental.do_not_convert
@per_sample(losses.PolyBinaryCrossentropy)
def poly_binary_crossentropy(spec, y_true, y_pred):
    """Poly-1 loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `PolyBinaryCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(poly_binary_crossentropy([[1, 0]], [[0.9, 0.4]], epsilon_1=2.0).numpy().round(4))
        [0.8081]
    """
    return _per_sample(spec, y_true, y_pred)


def _per_sample(spec, y_true, y_pred):
    if _symbolic(y_true, y_pred):
        loss = globals()[type(spec).__name__]
        return LossLayer(loss.from_config(spec.get_config() | {"reduction": "none"}))([y_true, y_pred])
    return _evaluation.per_sample(spec, y_true, y_pred)


def _symbolic(*tensors):
    """Whether layers are being put together, and no numbers are there yet."""
    return any(isinstance(one, tf_keras.__internal__.KerasTensor) for one in tensors)
