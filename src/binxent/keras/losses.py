"""The losses as subclasses of `keras.losses.Loss`."""

from collections.abc import Mapping
from typing import Any

import keras
from numpy.typing import ArrayLike

from binxent import losses
from binxent._core.keras_config import ConfiguredLoss, arguments
from binxent._core.types import Axis, Reduction
from binxent.keras import _evaluation, _functions, _logit_tracing, _symbolic
from binxent.keras._private import registered

__all__ = [
    "AsymmetricCrossentropy",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "Loss",
    "PolyBinaryCrossentropy",
]


class Loss(ConfiguredLoss, keras.losses.Loss):
    """A loss of `binxent.losses`, `spec`, as a loss of Keras; its options are attributes, too: `loss.from_logits`.

    A subclass extends it as it would Keras's losses: by its own `call`, `fn`, `get_config` or arguments of `__init__`.
    What its `call` returns is weighed, masked and reduced like the losses per sample here. The class keyword
    `spec` alone makes a loss of Keras from a loss of your own, a dataclass derived from `ElementwiseLoss`.

    Args:
        dtype: Dtype of the result; None takes `keras.config.floatx()`.
        options: The options of `spec`.

    Example:
        >>> class Costly(BinaryCrossentropy):
        ...     def call(self, y_true, y_pred):
        ...         return 10 * super().call(y_true, y_pred)
        >>> print(f"{float(Costly(from_logits=True)([[1.0], [0.0]], [[0.0], [2.0]])):.1f}")
        14.1
    """

    _keras_options = ("name", "reduction", "dtype")
    _evaluation = _evaluation

    def __init__(self, *, dtype: str | keras.DTypePolicy | None = None, **options: Any) -> None:
        spec: Any = self._spec_type(**options)
        super().__init__(name=spec.name, reduction=spec.reduction, dtype=dtype)
        self._own_dtype = None if dtype is None else self.dtype
        self._checks_left = _logit_tracing.CHECKS
        self._set_spec(spec)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Compute the reduced loss.

        Args:
            y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`; ranks may differ by a last axis of 1.
                Here and below, entries that a masked array (np.ma) masks take no part; `fit` drops such a mask.
            y_pred: Predictions, logits or probabilities. A mask that a layer left on them is honoured.
            sample_weight: A number, or an array in the shape of `y_pred` or of its leading axes.

        Returns:
            A scalar of this loss's dtype; with the reduction "none" a tensor with one loss per sample. Symbolic tensors
            give a symbolic tensor, the result of an operation of a functional model.

        Raises:
            ValueError: Shapes do not match.
        """
        if _symbolic.is_symbolic(y_true, y_pred, sample_weight):
            return _symbolic.loss_of(self, y_true, y_pred, sample_weight)
        if self._checks_left:
            self._checks_left = _logit_tracing.warn_if_mismatched(
                self.name, self.from_logits, y_pred, self._checks_left
            )
        with keras.name_scope(self.name):
            compute = _evaluation.reduced_samples if self._is_extended() else _evaluation.reduced_loss
            return compute(self, y_true, y_pred, sample_weight)

    def _keras_config(self):
        return {"name": self.name, "reduction": self.reduction, "dtype": self._own_dtype}


@registered()
class BinaryCrossentropy(Loss, spec=losses.BinaryCrossentropy, fn=_functions.binary_crossentropy):
    """Binary cross-entropy: c y a + (1 - y) b, where a = -log p and b = -log(1 - p).

    `keras.losses.BinaryCrossentropy`, with options.

    Args:
        from_logits: Whether predictions are logits (any real number) or probabilities (in [0, 1]).
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        reduction: How losses per sample are reduced; "mean_with_sample_weight" divides by the sum of the weights.
        name: The name under which the loss is shown.
        dtype: Dtype of the result, or its policy; None takes `keras.config.floatx()`.
        pos_weight: c, what a positive counts: a number, or one for each label on the last axis, also as a mapping
            {label: number}, in the manner of Keras's `class_weight`.
        ignore_label: Entries with this label, a number or NaN, take no part and do not count in a mean.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon] as Keras does; None takes them exactly.

    Raises:
        ValueError: An option is out of its range.
        TypeError: An option is of another kind.

    Example:
        >>> loss = BinaryCrossentropy(from_logits=True)
        >>> value = loss([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], sample_weight=[0.8, 0.2])
        >>> print(f"{float(value):.2f}")
        0.24
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axis = -1,
        reduction: Reduction | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: str | keras.DTypePolicy | None = None,
        *,
        pos_weight: ArrayLike | Mapping[int, float] | None = None,
        ignore_label: float | None = None,
        epsilon: float | None = 1e-7,
    ) -> None:
        super().__init__(**arguments(locals()))


@registered()
class BinaryFocalCrossentropy(Loss, spec=losses.BinaryFocalCrossentropy, fn=_functions.binary_focal_crossentropy):
    """Focal loss: (1 - p_t)^gamma (y a + (1 - y) b), where p_t = y p + (1 - y) (1 - p) is the probability of the truth.

    `keras.losses.BinaryFocalCrossentropy`, with options. From Lin et al., "Focal Loss for Dense Object Detection",
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
        >>> print(f"{float(BinaryFocalCrossentropy(gamma=2.0)([1, 0], [0.9, 0.4])):.4f}")
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
        reduction: Reduction | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: str | keras.DTypePolicy | None = None,
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
        >>> print(f"{float(AsymmetricCrossentropy(from_logits=True)([1, 0], [2.0, -3.5])):.4f}")
        0.0076
    """

    def __init__(
        self,
        gamma_pos: float = 1.0,
        gamma_neg: float = 4.0,
        margin: float = 0.05,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axis = -1,
        reduction: Reduction | None = "sum_over_batch_size",
        name: str | None = "asymmetric_crossentropy",
        dtype: str | keras.DTypePolicy | None = None,
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
        >>> print(f"{float(PolyBinaryCrossentropy(epsilon_1=2.0)([1, 0], [0.9, 0.4])):.4f}")
        0.8081
    """

    def __init__(
        self,
        epsilon_1: float = 1.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axis = -1,
        reduction: Reduction | None = "sum_over_batch_size",
        name: str | None = "poly_binary_crossentropy",
        dtype: str | keras.DTypePolicy | None = None,
        *,
        ignore_label: float | None = None,
        epsilon: float | None = 1e-7,
    ) -> None:
        super().__init__(**arguments(locals()))
