"""The losses as subclasses of `tf_keras.losses.Loss`."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras
from numpy.typing import ArrayLike

from binxent import losses
from binxent._core.keras_config import ConfiguredLoss, arguments
from binxent._core.shapes import standard_reduction
from binxent._core.types import Axis, Reduction
from binxent.tf_keras import _evaluation, _functions, _layers
from binxent.tf_keras._private import converted, not_converted, registered

WEIGHTED = "mean_with_sample_weight"
UNKNOWN = ("mean", WEIGHTED)  # names that Keras 2 refuses; it gets "sum_over_batch_size" instead


class Loss(ConfiguredLoss, tf_keras.losses.Loss):
    """A loss of `binxent.losses`, `spec`, as a loss of Keras 2; its options are attributes, too: `loss.from_logits`.

    A subclass extends it as it would Keras's losses: by its own `call`, `fn`, `get_config` or arguments of `__init__`.
    What its `call` returns is weighed, masked and reduced like the losses per sample here. The class keyword
    `spec` alone makes a loss of Keras from a loss of your own, a dataclass derived from `ElementwiseLoss`.

    Args:
        reduction: One of Keras 2's, or "mean_with_sample_weight", which divides by the sum of the weights.
        options: The other options of `spec`.

    Example:
        >>> class Costly(BinaryCrossentropy):
        ...     def call(self, y_true, y_pred):
        ...         return 10 * super().call(y_true, y_pred)
        >>> print(Costly(from_logits=True)([[1.0], [0.0]], [[0.0], [2.0]]).numpy().round(1))
        14.1
    """

    _keras_options = ("name", "reduction")
    _evaluation = _evaluation

    def __init__(self, *, reduction: Reduction | None = "auto", **options: Any) -> None:
        spec = self._spec_type(reduction=reduction, **options)
        super().__init__(name=spec.name)
        self.reduction = "sum_over_batch_size" if spec.reduction in UNKNOWN else reduction or "none"
        self._set_spec(spec)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Compute the reduced loss.

        Args:
            y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`; ranks may differ by a last axis of 1.
                Here and below, entries that a masked array (np.ma) masks take no part; `fit` drops such a mask.
            y_pred: Predictions, logits or probabilities. A mask that a layer left on them is honoured.
            sample_weight: A number, or values in the shape of `y_pred` or of its leading axes.

        Returns:
            A scalar, in float64 for predictions in float64 and else in float32, or in this loss's dtype; with the
            reduction "none" a tensor with one loss per sample. Symbolic tensors give a symbolic tensor, the result of a
            layer of a functional model.

        Raises:
            ValueError: Shapes do not match, or a mean is asked for under a distribution strategy outside of `fit`.
            tf.errors.InvalidArgumentError: Shapes do not match that are known only when a graph runs.
        """
        if _layers.is_symbolic(y_true, y_pred, sample_weight):
            return _layers.loss_of(self, y_true, y_pred, sample_weight)
        reduction = standard_reduction(self._get_reduction())
        if self.spec.reduction == WEIGHTED and reduction == "sum_over_batch_size":
            reduction = WEIGHTED
        with tf.name_scope(self._name_scope):
            if self._is_extended():
                call = converted(self.call)
                return _evaluation.reduced_samples(self.spec, call, reduction, y_true, y_pred, sample_weight)
            return _evaluation.reduced_loss(self.spec, reduction, y_true, y_pred, sample_weight)

    @not_converted
    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss per sample, without weights."""
        return super().call(y_true, y_pred)

    _own_call = call

    def _keras_config(self):
        is_own = self.spec.reduction in UNKNOWN and self.reduction == "sum_over_batch_size"
        return {"name": self.name, "reduction": self.spec.reduction if is_own else self.reduction}


@registered()
class BinaryCrossentropy(Loss, spec=losses.BinaryCrossentropy, fn=_functions.binary_crossentropy):
    """Binary cross-entropy: c y a + (1 - y) b, where a = -log p and b = -log(1 - p).

    `tf_keras.losses.BinaryCrossentropy`, with options.

    Args:
        from_logits: Whether predictions are logits (any real number) or probabilities (in [0, 1]).
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        reduction: One of Keras 2's, or "mean_with_sample_weight", which divides by the sum of the weights.
        name: The name under which the loss is shown.
        dtype: Dtype of the result; None takes that in which the loss is computed.
        pos_weight: c, what a positive counts: a number, or one for each label on the last axis, also as a mapping
            {label: number}, in the manner of Keras's `class_weight`.
        ignore_label: Entries with this label, a number or NaN, take no part and do not count in a mean.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon] with epsilon added once more inside the
            logarithms, as Keras 2 does; None takes them exactly.

    Raises:
        ValueError: An option is out of its range.
        TypeError: An option is of another kind.

    Example:
        >>> loss = BinaryCrossentropy(from_logits=True)
        >>> print(loss([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], sample_weight=[0.8, 0.2]).numpy().round(2))
        0.24
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axis = -1,
        reduction: Reduction | None = "auto",
        name: str | None = "binary_crossentropy",
        dtype: str | None = None,
        *,
        pos_weight: ArrayLike | Mapping[int, float] | None = None,
        ignore_label: float | None = None,
        epsilon: float | None = 1e-7,
    ) -> None:
        super().__init__(**arguments(locals()))


@registered()
class BinaryFocalCrossentropy(Loss, spec=losses.BinaryFocalCrossentropy, fn=_functions.binary_focal_crossentropy):
    """Focal loss: (1 - p_t)^gamma (y a + (1 - y) b), where p_t = y p + (1 - y) (1 - p) is the probability of the truth.

    `tf_keras.losses.BinaryFocalCrossentropy`, with options. From Lin et al., "Focal Loss for Dense Object Detection",
    2017, section 3.

    Args:
        apply_class_balancing: Whether to multiply the loss by y alpha + (1 - y) (1 - alpha).
        alpha: What positives count, in [0, 1]; negatives count 1 - alpha.
        gamma: How strongly easy entries fade, any number >= 0; 0 is binary cross-entropy.
        from_logits: The other options are those of `BinaryCrossentropy`.
        label_smoothing: As there.
        axis: As there.
        reduction: As there.
        name: As there.
        dtype: As there.
        ignore_label: As there.
        epsilon: As there.

    Raises:
        ValueError: An option is out of its range.
        TypeError: An option is of another kind.

    Example:
        >>> print(BinaryFocalCrossentropy(gamma=2.0)([1, 0], [0.9, 0.4]).numpy().round(4))
        0.0414
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axis = -1,
        reduction: Reduction | None = "auto",
        name: str | None = "binary_focal_crossentropy",
        dtype: str | None = None,
        *,
        ignore_label: float | None = None,
        epsilon: float | None = 1e-7,
    ) -> None:
        super().__init__(**arguments(locals()))


@registered()
class AsymmetricCrossentropy(Loss, spec=losses.AsymmetricCrossentropy, fn=_functions.asymmetric_crossentropy):
    """Asymmetric loss: y (1 - p)^gamma_pos a + (1 - y) p_m^gamma_neg (-log(1 - p_m)), where p_m = max(p - margin, 0).

    From Ridnik et al., "Asymmetric Loss For Multi-Label Classification", 2021, equations 4 to 6.

    Args:
        gamma_pos: How strongly easy positives fade, any number >= 0.
        gamma_neg: How strongly easy negatives fade, any number >= 0.
        margin: Negatives with a probability up to this cost nothing, in [0, 1).
        from_logits: The other options are those of `BinaryCrossentropy`.
        label_smoothing: As there.
        axis: As there.
        reduction: As there.
        name: As there.
        dtype: As there.
        ignore_label: As there.
        epsilon: As there.

    Raises:
        ValueError: An option is out of its range.
        TypeError: An option is of another kind.

    Example:
        >>> print(AsymmetricCrossentropy(from_logits=True)([1, 0], [2.0, -3.5]).numpy().round(3))
        0.008
    """

    def __init__(
        self,
        gamma_pos: float = 1.0,
        gamma_neg: float = 4.0,
        margin: float = 0.05,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axis = -1,
        reduction: Reduction | None = "auto",
        name: str | None = "asymmetric_crossentropy",
        dtype: str | None = None,
        *,
        ignore_label: float | None = None,
        epsilon: float | None = 1e-7,
    ) -> None:
        super().__init__(**arguments(locals()))


@registered()
class PolyBinaryCrossentropy(Loss, spec=losses.PolyBinaryCrossentropy, fn=_functions.poly_binary_crossentropy):
    """Poly-1 loss: binary cross-entropy + epsilon_1 (1 - p_t), where p_t is the probability of the truth.

    From Leng et al., "PolyLoss", 2022, equation 5.

    Args:
        epsilon_1: Coefficient of the first term of the loss's polynomial in 1 - p_t.
        from_logits: The other options are those of `BinaryCrossentropy`.
        label_smoothing: As there.
        axis: As there.
        reduction: As there.
        name: As there.
        dtype: As there.
        ignore_label: As there.
        epsilon: As there.

    Raises:
        ValueError: An option is out of its range.
        TypeError: An option is of another kind.

    Example:
        >>> print(PolyBinaryCrossentropy(epsilon_1=2.0)([1, 0], [0.9, 0.4]).numpy().round(4))
        0.8081
    """

    def __init__(
        self,
        epsilon_1: float = 1.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axis = -1,
        reduction: Reduction | None = "auto",
        name: str | None = "poly_binary_crossentropy",
        dtype: str | None = None,
        *,
        ignore_label: float | None = None,
        epsilon: float | None = 1e-7,
    ) -> None:
        super().__init__(**arguments(locals()))
