"""The losses as metrics: weighted means over all that was seen, whatever the batches.

    >>> import keras
    >>> from binxent.keras import metrics
    >>> metric = metrics.BinaryCrossentropy(from_logits=True)
    >>> metric.update_state([1, 0], [0.0, 0.0])
    >>> metric.update_state([0], [2.0], sample_weight=[3.0])
    >>> print(f"{float(metric.result()):.4f}")
    1.5534

A metric's result is the sum of the losses times their weights over the sum of the weights, entry by entry, since the
metric was made or reset. Unequal batches, a shorter last one included, and masked or ignored entries, which do not
count, change nothing about it; nor does a long series of batches, since what rounding takes from the sums is kept.

Weights and masks are those of the losses: they line up with the leading axes, or there is one per entry, and one of 0
hides its entry.
"""

from typing import Any

import keras
from keras import ops
from keras.saving import register_keras_serializable
from keras.src.backend import get_keras_mask, set_keras_mask  # not public, but the only way to a layer's mask

from binxent import losses
from binxent.keras import _evaluation, _logit_tracing

__all__ = [
    "AsymmetricCrossentropy",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "FromLogits",
    "PolyBinaryCrossentropy",
]

NOT_OURS = ("axis", "reduction", "name", "dtype")  # a mean over everything asks for neither of the first two


class Metric(keras.metrics.Metric):
    """What the metrics have in common: the mean of a loss of `binxent.losses`, `spec`.

    The parameters of the spec are attributes too: `metric.from_logits`.
    """

    def __init__(self, spec, dtype=None):
        super().__init__(name=spec.name, dtype=dtype)
        self.spec = spec
        self._own_dtype = None if dtype is None else self.dtype
        self._direction = "down"
        self._looks_left = _logit_tracing.LOOKS
        kept = "float64" if self.dtype == "float64" else "float32"
        self._sums = self.add_variable((2,), initializer="zeros", name="sums", dtype=kept)
        self._lost = self.add_variable((2,), initializer="zeros", name="lost", dtype=kept)

    def __getattr__(self, name):
        if name == "spec" or name.startswith("_"):  # not there yet: while copying, or after a failed __init__
            raise AttributeError(name)
        return getattr(self.spec, name)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes a batch into account.

        Args:
            y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred`; ranks may differ by a last axis of 1.
            y_pred: Predictions, logits or probabilities. A mask that a layer left on them is honoured.
            sample_weight: A number, or an array in the shape of `y_pred` or of its leading axes.

        Raises:
            ValueError: Shapes do not match.
        """
        if self._looks_left:
            self._looks_left = _logit_tracing.look(self.name, self.from_logits, y_pred, self._looks_left)
        mask = get_keras_mask(y_pred)
        added: Any = ops.stack(_evaluation.totals(self.spec, self.dtype, y_true, y_pred, sample_weight, mask))
        # Knuth's TwoSum: what a sum rounds away, exactly.
        before: Any = ops.convert_to_tensor(self._sums)
        after = before + added
        share = after - before
        lost = (before - (after - share)) + (added - share)
        self._sums.assign(after)
        self._lost.assign(self._lost + ops.where(ops.isfinite(after), lost, 0.0))

    def result(self):
        """The mean so far, or 0 if nothing has been seen."""
        sums: Any = self._sums + self._lost
        total, weight = sums[0], sums[1]
        return ops.cast(ops.divide_no_nan(total, weight), self.dtype)

    def get_config(self):
        """The parameters as a dictionary of plain values, which `from_config` takes back."""
        own = {key: value for key, value in self.spec.get_config().items() if key not in NOT_OURS}
        return {"name": self.name, "dtype": self._own_dtype} | own


@register_keras_serializable(package="binxent.metrics")
class BinaryCrossentropy(Metric):
    """Mean binary cross-entropy: `keras.metrics.BinaryCrossentropy`, with the options of the loss.

    Args:
        name: The name under which the metric is shown.
        dtype: Dtype of the result.
        from_logits: Whether predictions are logits (any real number) or probabilities (in [0, 1]).
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        pos_weight: c, what a positive counts: a number, or one for each label on the last axis.
        ignore_label: Entries with this label, a number or NaN, take no part.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon]; None takes them exactly.

    Example:
        >>> metric = BinaryCrossentropy()
        >>> metric.update_state([1, 0], [0.9, 0.2], sample_weight=[1.0, 3.0])
        >>> print(f"{float(metric.result()):.4f}")
        0.1937
    """

    def __init__(
        self,
        name="binary_crossentropy",
        dtype=None,
        from_logits=False,
        label_smoothing=0.0,
        *,
        pos_weight=None,
        ignore_label=None,
        epsilon=1e-7,
    ):
        options = {"pos_weight": pos_weight, "ignore_label": ignore_label, "epsilon": epsilon}
        super().__init__(losses.BinaryCrossentropy(from_logits, label_smoothing, name=name, **options), dtype)


@register_keras_serializable(package="binxent.metrics")
class BinaryFocalCrossentropy(Metric):
    """Mean focal loss: the parameters are those of the loss of this name, after `name` and `dtype`.

    Example:
        >>> metric = BinaryFocalCrossentropy(gamma=2.0)
        >>> metric.update_state([1, 0], [0.9, 0.4])
        >>> print(f"{float(metric.result()):.4f}")
        0.0414
    """

    def __init__(
        self,
        name="binary_focal_crossentropy",
        dtype=None,
        apply_class_balancing=False,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        *,
        ignore_label=None,
        epsilon=1e-7,
    ):
        own, options = (apply_class_balancing, alpha, gamma), {"ignore_label": ignore_label, "epsilon": epsilon}
        super().__init__(
            losses.BinaryFocalCrossentropy(*own, from_logits, label_smoothing, name=name, **options), dtype
        )


@register_keras_serializable(package="binxent.metrics")
class AsymmetricCrossentropy(Metric):
    """Mean asymmetric loss: the parameters are those of the loss of this name, after `name` and `dtype`.

    Example:
        >>> metric = AsymmetricCrossentropy(from_logits=True)
        >>> metric.update_state([1, 0], [2.0, -3.5])
        >>> print(f"{float(metric.result()):.4f}")
        0.0076
    """

    def __init__(
        self,
        name="asymmetric_crossentropy",
        dtype=None,
        gamma_pos=1.0,
        gamma_neg=4.0,
        margin=0.05,
        from_logits=False,
        label_smoothing=0.0,
        *,
        ignore_label=None,
        epsilon=1e-7,
    ):
        own, options = (gamma_pos, gamma_neg, margin), {"ignore_label": ignore_label, "epsilon": epsilon}
        super().__init__(losses.AsymmetricCrossentropy(*own, from_logits, label_smoothing, name=name, **options), dtype)


@register_keras_serializable(package="binxent.metrics")
class PolyBinaryCrossentropy(Metric):
    """Mean Poly-1 loss: the parameters are those of the loss of this name, after `name` and `dtype`.

    Example:
        >>> metric = PolyBinaryCrossentropy(epsilon_1=2.0)
        >>> metric.update_state([1, 0], [0.9, 0.4])
        >>> print(f"{float(metric.result()):.4f}")
        0.8081
    """

    def __init__(
        self,
        name="poly_binary_crossentropy",
        dtype=None,
        epsilon_1=1.0,
        from_logits=False,
        label_smoothing=0.0,
        *,
        ignore_label=None,
        epsilon=1e-7,
    ):
        options = {"ignore_label": ignore_label, "epsilon": epsilon}
        spec = losses.PolyBinaryCrossentropy(epsilon_1, from_logits, label_smoothing, name=name, **options)
        super().__init__(spec, dtype)


@register_keras_serializable(package="binxent.metrics")
class FromLogits(keras.metrics.Metric):
    """A metric of probabilities for a model that gives logits: it is shown their sigmoid.

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

    def __init__(self, metric, name=None):
        self_name = name or (metric if isinstance(metric, str) else getattr(metric, "name", None))
        metric = keras.metrics.get(metric)
        if not isinstance(metric, keras.metrics.Metric):
            metric = keras.metrics.MeanMetricWrapper(metric, name=self_name)
        super().__init__(name=self_name or metric.name)
        self.metric = metric
        self._direction = getattr(metric, "_direction", None)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes a batch of labels and logits into account."""
        probabilities: Any = ops.sigmoid(y_pred)
        mask = get_keras_mask(y_pred)
        if mask is not None:
            set_keras_mask(probabilities, mask)
        self.metric.update_state(y_true, probabilities, sample_weight=sample_weight)

    def result(self):
        """The metric's result."""
        return self.metric.result()

    def reset_state(self):
        """Forgets what was seen."""
        self.metric.reset_state()

    def get_config(self):
        """The metric inside, as `from_config` takes it back."""
        return {"name": self.name, "metric": keras.saving.serialize_keras_object(self.metric)}

    @classmethod
    def from_config(cls, config):
        """The metric of a `get_config`."""
        return cls(keras.saving.deserialize_keras_object(config["metric"]), config["name"])
