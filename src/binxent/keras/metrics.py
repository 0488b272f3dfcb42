"""The losses as metrics: weighted means over all batches.

    >>> import keras
    >>> from binxent.keras import metrics
    >>> metric = metrics.BinaryCrossentropy(from_logits=True)
    >>> metric.update_state([1, 0], [0.0, 0.0])
    >>> metric.update_state([0], [2.0], sample_weight=[3.0])
    >>> print(f"{float(metric.result()):.4f}")
    1.5534

A metric's result is the sum of the losses times their weights over the sum of the weights, entry by entry, since the
metric was made or reset. It does not depend on the sizes of batches; masked and ignored entries do not count. Sums are
compensated, so a long series of batches loses nothing to rounding.

Weights and masks are those of the losses: they line up with the leading axes, or there is one per entry, and a weight
of 0 hides its entry.
"""

from collections.abc import Callable, Mapping
from typing import Any, Self

import keras
from keras import ops
from numpy.typing import ArrayLike

from binxent import losses
from binxent._core.array_likes import without_mask
from binxent._core.keras_config import Configured, arguments
from binxent.keras import _evaluation, _logit_tracing
from binxent.keras._private import get_keras_mask, registered, set_keras_mask

__all__ = [
    "AsymmetricCrossentropy",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "FromLogits",
    "Metric",
    "PolyBinaryCrossentropy",
]

LEFT_OUT = ("axis", "reduction")  # a mean over everything has neither


class Metric(Configured, keras.metrics.Metric):
    """The mean of a loss of `binxent.losses`, `spec`; its options are attributes, too: `metric.from_logits`.

    A subclass extends it as it would Keras's metrics. The class keyword `spec` alone makes a metric of Keras from a
    loss of your own, a dataclass derived from `ElementwiseLoss`.

    Args:
        dtype: Dtype of the result; None takes `keras.config.floatx()`.
        options: The options of `spec`.

    Example:
        >>> class Doubled(BinaryCrossentropy):
        ...     def result(self):
        ...         return 2 * super().result()
        >>> metric = Doubled(from_logits=True)
        >>> metric.update_state([[1.0]], [[0.0]])
        >>> print(f"{float(metric.result()):.4f}")
        1.3863
    """

    _keras_options = ("name", "dtype")

    def __init__(self, *, dtype: str | keras.DTypePolicy | None = None, **options: Any) -> None:
        spec = self._spec_type(**options)
        super().__init__(name=spec.name, dtype=dtype)
        self._own_dtype = None if dtype is None else self.dtype
        self._direction = "down"
        self._checks_left = _logit_tracing.CHECKS
        accumulated = "float64" if self.dtype == "float64" else "float32"
        self._sums = self.add_variable((2,), initializer="zeros", name="sums", dtype=accumulated)
        self._lost = self.add_variable((2,), initializer="zeros", name="lost", dtype=accumulated)
        self._set_spec(spec)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch into account.

        Args:
            y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`; ranks may differ by a last axis of 1.
                Here and below, entries that a masked array (np.ma) masks take no part.
            y_pred: Predictions, logits or probabilities. A mask that a layer left on them is honoured.
            sample_weight: A number, or an array in the shape of `y_pred` or of its leading axes.

        Raises:
            ValueError: Shapes do not match.
        """
        if self._checks_left:
            self._checks_left = _logit_tracing.warn_if_mismatched(
                self.name, self.from_logits, y_pred, self._checks_left
            )
        added: Any = ops.stack(_evaluation.totals(self.spec, self.dtype, y_true, y_pred, sample_weight))
        # Knuth's TwoSum: what a sum rounds away, exactly.
        before: Any = ops.convert_to_tensor(self._sums)
        after = before + added
        share = after - before
        lost = (before - (after - share)) + (added - share)
        self._sums.assign(after)
        self._lost.assign(self._lost + ops.where(ops.isfinite(after), lost, 0.0))

    def result(self) -> Any:
        """Return the mean so far, or 0 if nothing has been seen."""
        sums: Any = self._sums + self._lost
        total, weight = sums[0], sums[1]
        return ops.cast(ops.divide_no_nan(total, weight), self.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the options as a dictionary of plain values, which `from_config` takes back."""
        return {name: value for name, value in super().get_config().items() if name not in LEFT_OUT}

    def _keras_config(self):
        return {"name": self.name, "dtype": self._own_dtype}


@registered("binxent.metrics")
class BinaryCrossentropy(Metric, spec=losses.BinaryCrossentropy):
    """Mean binary cross-entropy: `keras.metrics.BinaryCrossentropy`, with the options of the loss.

    Args:
        name: The name under which the metric is shown.
        dtype: Dtype of the result.
        from_logits: Whether predictions are logits (any real number) or probabilities (in [0, 1]).
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        pos_weight: c, what a positive counts: a number, or one for each label on the last axis.
        ignore_label: Entries with this label, a number or NaN, take no part.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon]; None takes them exactly.

    Raises:
        ValueError: An option is out of its range.
        TypeError: An option is of another kind.

    Example:
        >>> metric = BinaryCrossentropy()
        >>> metric.update_state([1, 0], [0.9, 0.2], sample_weight=[1.0, 3.0])
        >>> print(f"{float(metric.result()):.4f}")
        0.1937
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: str | keras.DTypePolicy | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        *,
        pos_weight: ArrayLike | Mapping[int, float] | None = None,
        ignore_label: float | None = None,
        epsilon: float | None = 1e-7,
    ) -> None:
        super().__init__(**arguments(locals()))


@registered("binxent.metrics")
class BinaryFocalCrossentropy(Metric, spec=losses.BinaryFocalCrossentropy):
    """Mean focal loss: the parameters are those of the loss of this name, after `name` and `dtype`.

    Example:
        >>> metric = BinaryFocalCrossentropy(gamma=2.0)
        >>> metric.update_state([1, 0], [0.9, 0.4])
        >>> print(f"{float(metric.result()):.4f}")
        0.0414
    """

    def __init__(
        self,
        name: str | None = "binary_focal_crossentropy",
        dtype: str | keras.DTypePolicy | None = None,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        *,
        ignore_label: float | None = None,
        epsilon: float | None = 1e-7,
    ) -> None:
        super().__init__(**arguments(locals()))


@registered("binxent.metrics")
class AsymmetricCrossentropy(Metric, spec=losses.AsymmetricCrossentropy):
    """Mean asymmetric loss: the parameters are those of the loss of this name, after `name` and `dtype`.

    Example:
        >>> metric = AsymmetricCrossentropy(from_logits=True)
        >>> metric.update_state([1, 0], [2.0, -3.5])
        >>> print(f"{float(metric.result()):.4f}")
        0.0076
    """

    def __init__(
        self,
        name: str | None = "asymmetric_crossentropy",
        dtype: str | keras.DTypePolicy | None = None,
        gamma_pos: float = 1.0,
        gamma_neg: float = 4.0,
        margin: float = 0.05,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        *,
        ignore_label: float | None = None,
        epsilon: float | None = 1e-7,
    ) -> None:
        super().__init__(**arguments(locals()))


@registered("binxent.metrics")
class PolyBinaryCrossentropy(Metric, spec=losses.PolyBinaryCrossentropy):
    """Mean Poly-1 loss: the parameters are those of the loss of this name, after `name` and `dtype`.

    Example:
        >>> metric = PolyBinaryCrossentropy(epsilon_1=2.0)
        >>> metric.update_state([1, 0], [0.9, 0.4])
        >>> print(f"{float(metric.result()):.4f}")
        0.8081
    """

    def __init__(
        self,
        name: str | None = "poly_binary_crossentropy",
        dtype: str | keras.DTypePolicy | None = None,
        epsilon_1: float = 1.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        *,
        ignore_label: float | None = None,
        epsilon: float | None = 1e-7,
    ) -> None:
        super().__init__(**arguments(locals()))


@registered("binxent.metrics")
class FromLogits(keras.metrics.Metric):
    """A metric of probabilities for a model that gives logits: it gets their sigmoid.

    Keras's own precision, recall and most others have no `from_logits`.

    Args:
        metric: A metric, its name, or a function of (y_true, y_pred), as `model.compile` takes them.
        name: The name under which the metric is shown; None takes that of `metric`.

    Example:
        >>> precision = FromLogits(keras.metrics.Precision())
        >>> precision.update_state([1, 0], [0.1, -0.1])
        >>> float(precision.result())
        1.0
    """

    def __init__(self, metric: str | Callable[..., Any] | keras.metrics.Metric, name: str | None = None) -> None:
        self_name = name or (metric if isinstance(metric, str) else getattr(metric, "name", None))
        inner: Any = keras.metrics.get(metric)
        if not isinstance(inner, keras.metrics.Metric):
            inner = keras.metrics.MeanMetricWrapper(inner, name=self_name)
        super().__init__(name=self_name or inner.name)
        self.metric = inner
        self._direction = getattr(inner, "_direction", None)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch of labels and logits into account.

        Raises:
            TypeError: One of them is a masked array (np.ma), whose mask the metrics of Keras would drop.
        """
        y_true, y_pred = without_mask("y_true", y_true), without_mask("y_pred", y_pred)
        sample_weight = without_mask("sample_weight", sample_weight)
        probabilities: Any = ops.sigmoid(y_pred)
        mask = get_keras_mask(y_pred)
        if mask is not None:
            set_keras_mask(probabilities, mask)
        self.metric.update_state(y_true, probabilities, sample_weight=sample_weight)

    def result(self) -> Any:
        """Return the metric's result."""
        return self.metric.result()

    def reset_state(self) -> None:
        """Forget what was seen."""
        self.metric.reset_state()

    def get_config(self) -> dict[str, Any]:
        """Return the metric inside, as `from_config` takes it back."""
        return {"name": self.name, "metric": keras.saving.serialize_keras_object(self.metric)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make the metric of a `get_config`."""
        return cls(keras.saving.deserialize_keras_object(config["metric"]), config["name"])
