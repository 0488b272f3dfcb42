"""The Keras door: `keras.losses.Loss` subclasses under Keras's own names, with Keras's signatures and numbers.

    >>> import keras
    >>> from binxent.keras import BinaryCrossentropy
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(optimizer="adam", loss=BinaryCrossentropy(from_logits=True))

They compile, fit, evaluate, save and load like Keras's; a process that loads a model imports this module first. Where
Keras's own are known to be wrong, these differ:

- A weight belongs to its sample: weights line up with the leading axes, and one may be given per element.
- A weight of zero, a masked and an ignored entry hide their value entirely, NaN and infinity included.
- Losses are computed and summed in float32 or better, whatever the dtype of model and loss; logits are never clipped,
  and a probability beyond the clip keeps its gradient.
- The reduced loss of an empty batch is 0.

No value is looked at: neither labels outside [0, 1] nor logits passed as probabilities can be seen inside a compiled
step. The NumPy door, `import binxent`, checks both.
"""

import importlib
import inspect
import math
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

import keras
from keras import ops
from keras.saving import register_keras_serializable
from keras.src.backend import get_keras_mask  # not public, but the only way to the mask that a layer left

from binxent import losses
from binxent.reduction import match_ranks, reduced_axes, require_same_shape, standard_reduction, weight_shape

# What runs the formulas for each backend: a module whose `elementwise` takes (spec, predictions, labels).
DRIVERS = {"jax": "binxent.jax"}

ANYWHERE = 0.5  # a logit, a probability and a label that no formula stumbles over: it stands in for hidden entries

Parameters = ParamSpec("Parameters")


def _takes(define: Callable[Parameters, losses.Loss]):
    """Gives an __init__ of (self, spec, dtype) the signature of the spec, so that each is written down once."""
    signature = inspect.signature(define)

    def decorate(initialize: Callable[[Any, losses.Loss, Any], None]) -> Callable[Concatenate[Any, Parameters], None]:
        def __init__(self, *args: Parameters.args, **kwargs: Parameters.kwargs):
            parameters = signature.bind(*args, **kwargs).arguments
            dtype = parameters.pop("dtype", None)  # Keras knows more of them than the spec: dtype policies
            initialize(self, define(**parameters), dtype)  # pyright: ignore[reportCallIssue]

        itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        whole = signature.replace(parameters=[itself, *signature.parameters.values()])
        __init__.__signature__ = whole  # pyright: ignore[reportFunctionMemberAccess]
        return __init__

    return decorate


class Loss(keras.losses.Loss):
    """What the losses have in common: a loss of `binxent.losses`, `spec`, in the shape that Keras wants.

    The parameters of the spec are attributes too: `loss.from_logits`.
    """

    def __init__(self, spec, dtype=None):
        super().__init__(name=spec.name, reduction=spec.reduction, dtype=dtype)
        self.spec = spec
        self._own_dtype = None if dtype is None else self.dtype

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
        mask = get_keras_mask(y_pred)
        with keras.name_scope(self.name):
            y_true, y_pred = _tensors(y_true, y_pred, self.dtype)
            true_shape, pred_shape = match_ranks(y_true.shape, y_pred.shape)
            y_true, y_pred = ops.reshape(y_true, true_shape), ops.reshape(y_pred, pred_shape)
            result = _reduced(self.spec, standard_reduction(self.reduction), y_true, y_pred, sample_weight, mask)
            return ops.cast(result, self.dtype)

    def call(self, y_true, y_pred):
        """The loss per sample, without weights."""
        return _per_sample(self.spec, y_true, y_pred)

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
        >>> print(loss([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], sample_weight=[0.8, 0.2]).round(2))
        0.24
    """

    @_takes(losses.BinaryCrossentropy)
    def __init__(self, spec, dtype):
        super().__init__(spec, dtype)


@register_keras_serializable(package="binxent")
class BinaryFocalCrossentropy(Loss):
    """Focal loss: the parameters are those of `binxent.losses.BinaryFocalCrossentropy`.

    Example:
        >>> print(BinaryFocalCrossentropy(gamma=2.0)([1, 0], [0.9, 0.4]).round(4))
        0.0414
    """

    @_takes(losses.BinaryFocalCrossentropy)
    def __init__(self, spec, dtype):
        super().__init__(spec, dtype)


@register_keras_serializable(package="binxent")
class AsymmetricCrossentropy(Loss):
    """Asymmetric loss: the parameters are those of `binxent.losses.AsymmetricCrossentropy`.

    Example:
        >>> print(AsymmetricCrossentropy(from_logits=True)([1, 0], [2.0, -3.5]).round(3))
        0.008
    """

    @_takes(losses.AsymmetricCrossentropy)
    def __init__(self, spec, dtype):
        super().__init__(spec, dtype)


@register_keras_serializable(package="binxent")
class PolyBinaryCrossentropy(Loss):
    """Poly-1 loss: the parameters are those of `binxent.losses.PolyBinaryCrossentropy`.

    Example:
        >>> print(PolyBinaryCrossentropy(epsilon_1=2.0)([1, 0], [0.9, 0.4]).round(4))
        0.8081
    """

    @_takes(losses.PolyBinaryCrossentropy)
    def __init__(self, spec, dtype):
        super().__init__(spec, dtype)


@register_keras_serializable(package="binxent")
def binary_crossentropy(
    y_true,
    y_pred,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
    *,
    pos_weight=None,
    ignore_label=None,
    epsilon=1e-7,
):
    """Binary cross-entropy per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `BinaryCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(binary_crossentropy([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], from_logits=True).round(2))
        [0.24 1.5 ]
    """
    spec = losses.BinaryCrossentropy(
        from_logits, label_smoothing, axis, pos_weight=pos_weight, ignore_label=ignore_label, epsilon=epsilon
    )
    return _per_sample(spec, y_true, y_pred)


@register_keras_serializable(package="binxent")
def binary_focal_crossentropy(
    y_true,
    y_pred,
    apply_class_balancing=False,
    alpha=0.25,
    gamma=2.0,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
    *,
    ignore_label=None,
    epsilon=1e-7,
):
    """Focal loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `BinaryFocalCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(binary_focal_crossentropy([[1, 0]], [[0.9, 0.4]]).round(4))
        [0.0414]
    """
    spec = losses.BinaryFocalCrossentropy(
        apply_class_balancing,
        alpha,
        gamma,
        from_logits,
        label_smoothing,
        axis,
        ignore_label=ignore_label,
        epsilon=epsilon,
    )
    return _per_sample(spec, y_true, y_pred)


@register_keras_serializable(package="binxent")
def asymmetric_crossentropy(
    y_true,
    y_pred,
    gamma_pos=1.0,
    gamma_neg=4.0,
    margin=0.05,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
    *,
    ignore_label=None,
    epsilon=1e-7,
):
    """Asymmetric loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `AsymmetricCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(asymmetric_crossentropy([[1, 0]], [[2.0, -3.5]], from_logits=True).round(4))
        [0.0076]
    """
    spec = losses.AsymmetricCrossentropy(
        gamma_pos,
        gamma_neg,
        margin,
        from_logits,
        label_smoothing,
        axis,
        ignore_label=ignore_label,
        epsilon=epsilon,
    )
    return _per_sample(spec, y_true, y_pred)


@register_keras_serializable(package="binxent")
def poly_binary_crossentropy(
    y_true,
    y_pred,
    epsilon_1=1.0,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
    *,
    ignore_label=None,
    epsilon=1e-7,
):
    """Poly-1 loss per sample: the mean over `axis`, in the dtype of `y_pred`.

    The arguments are those of `PolyBinaryCrossentropy`; shapes must be the same, ranks included.

    Example:
        >>> print(poly_binary_crossentropy([[1, 0]], [[0.9, 0.4]], epsilon_1=2.0).round(4))
        [0.8081]
    """
    spec = losses.PolyBinaryCrossentropy(
        epsilon_1, from_logits, label_smoothing, axis, ignore_label=ignore_label, epsilon=epsilon
    )
    return _per_sample(spec, y_true, y_pred)


def _per_sample(spec, y_true, y_pred):
    dtype = keras.backend.standardize_dtype(_tensor(y_pred).dtype)
    if not keras.backend.is_float_dtype(dtype):
        dtype = keras.config.floatx()
    return ops.cast(_reduced(spec, "none", *_tensors(y_true, y_pred, dtype)), dtype)


def _tensor(values, dtype=None) -> Any:
    return ops.convert_to_tensor(values, dtype)


def _tensors(y_true, y_pred, dtype):
    """Labels and predictions for a loss of this dtype: halves are too coarse to compute or to sum in."""
    computed = "float64" if dtype == "float64" else "float32"
    return _tensor(y_true, computed), _tensor(y_pred, computed)


def _aligned(weight, dtype, shape):
    weight = _tensor(weight, dtype)
    return _tensor(ops.reshape(weight, weight_shape(weight.shape, shape)))


def _elementwise(spec, y_pred, y_true):
    backend = keras.backend.backend()
    if backend not in DRIVERS:
        raise NotImplementedError(
            f"binxent.keras runs on {', '.join(DRIVERS)}; Keras runs on {backend}. Set the environment variable "
            f"KERAS_BACKEND to {' or '.join(DRIVERS)} before Keras is imported."
        )
    return importlib.import_module(DRIVERS[backend]).elementwise(spec, y_pred, y_true)


def _reduced(spec, reduction, y_true, y_pred, sample_weight=None, mask=None):
    """The weighted, reduced loss, by the rules of `binxent.reduction`."""
    shape, dtype = tuple(y_pred.shape), y_pred.dtype
    require_same_shape("y_true", y_true.shape, "y_pred", shape)
    everything, axes = tuple(range(len(shape))), reduced_axes(spec.axis, len(shape))
    weight = None if sample_weight is None else _aligned(sample_weight, dtype, shape)
    counts = _all(None if mask is None else _aligned(mask, "bool", shape), _not_ignored(spec.ignore_label, y_true))

    def total(values, axes):
        return ops.sum(ops.broadcast_to(values, shape), axes) if axes else ops.broadcast_to(values, shape)

    def count(axes):
        if counts is None:
            return math.prod(shape[axis] for axis in axes)
        return ops.cast(total(ops.cast(counts, "int32"), axes), dtype)

    shown = _all(counts, None if weight is None else weight != 0)
    if shown is not None:
        # Before the loss, so that the gradient is 0 and not 0 * NaN.
        y_true, y_pred = ops.where(shown, y_true, ANYWHERE), ops.where(shown, y_pred, ANYWHERE)
    loss = _elementwise(spec, y_pred, y_true)
    if weight is None and counts is not None:
        loss = ops.where(counts, loss, 0.0)
    elif weight is not None:
        weight = weight if counts is None else ops.where(counts, weight, 0.0)
        loss = loss * weight

    if reduction in ("none", "sum"):
        samples = ops.divide_no_nan(total(loss, axes), count(axes))
        return samples if reduction == "none" else ops.sum(samples)
    weighted = reduction == "mean_with_sample_weight" and weight is not None
    return ops.divide_no_nan(total(loss, everything), total(weight, everything) if weighted else count(everything))


def _not_ignored(ignore_label, y_true):
    if ignore_label is None:
        return None
    return ops.logical_not(ops.isnan(y_true)) if math.isnan(ignore_label) else y_true != ignore_label


def _all(first, second):
    """Both conditions, of which either may be missing."""
    if first is None or second is None:
        return second if first is None else first
    return ops.logical_and(first, second)
