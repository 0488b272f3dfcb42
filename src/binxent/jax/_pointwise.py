"""Any loss of `binxent.losses` on JAX arrays, element by element; all functions of the door call it."""

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from binxent import losses
from binxent._core import masking
from binxent._core.dtypes import compute_dtype
from binxent._core.options import check_precision, class_balance, numbers
from binxent._core.pointwise import element_part
from binxent._core.refusals import refusal
from binxent._core.shapes import require_one_per_label, require_same_shape
from binxent.jax._derivatives import derivative

# The same as `jax.typing.ArrayLike`, which type checkers cannot resolve where jaxlib has no types.
ArrayLike: TypeAlias = jax.Array | np.ndarray[Any, np.dtype[Any]] | np.number[Any] | np.bool_ | float
PerLabel: TypeAlias = ArrayLike | Sequence[float]  # a number, or one for each label on the last axis

OWN_PRECISION = ("float64", "int64", "int32", "uint32", "uint64")  # the dtypes of labels that float32 would round
_LEAST_POWER = 1e-30  # takes the place of a gamma of 0, because 0^0 of a vanishing probability would be NaN


def pointwise(loss: losses.Loss, predictions: ArrayLike, labels: ArrayLike) -> jax.Array:
    """Compute any loss, a user's own included, of each element.

    Args:
        loss: A loss of `binxent.losses`, or one derived from `ElementwiseLoss`. Its axis, reduction and dtype play no
            part here.
        predictions: Logits or probabilities, as the loss says.
        labels: y in [0, 1], in the shape of `predictions`.

    Returns:
        An array in the shape and dtype of `predictions`.

    Raises:
        ValueError: Shapes differ.
        TypeError: `predictions` are not floating, `labels` are not real, or `loss` is not a loss.

    Example:
        >>> from binxent import BinaryCrossentropy
        >>> print(pointwise(BinaryCrossentropy(from_logits=True), jnp.array([0.0, 2.0]), jnp.array([1, 0])).round(4))
        [0.6931 2.1269]
    """
    return elementwise(element_part(loss), predictions, labels, name="predictions")


def elementwise(
    loss: losses.Pointwise,
    predictions: ArrayLike,
    labels: ArrayLike,
    pos_weight: Any = None,
    *,
    name: str | None = None,
) -> jax.Array:
    """Compute what `pointwise` does, of a `losses.Pointwise`.

    A `pos_weight`, which may be traced, takes the place of the loss's own. `name` is that of the predictions in errors.
    """
    if pos_weight is not None:
        pos_weight = _per_label("pos_weight", pos_weight)
        if not isinstance(pos_weight, Tracer):  # without values, there is nothing to check
            pos_weight = losses.BinaryCrossentropy(pos_weight=pos_weight).pos_weight
        loss = loss.with_pos_weight(pos_weight)
    elif any(isinstance(constant, tuple) for constant in loss.constants):
        require_one_per_label(loss.constant_names, loss.constants, np.shape(predictions))
    return _evaluate(loss, predictions, labels, name=name)


def focal(predictions, labels, alpha: Any, gamma, *common, **options):
    """Return the focal loss; plain numbers choose the formula, and arrays and traced values are arguments of it."""
    alpha = None if alpha is None else _per_label("alpha", alpha)
    gamma = _per_label("gamma", gamma)
    balance = (True, 0.25) if _varies(alpha) else class_balance(alpha)
    choice = 2.0 if _varies(gamma) else gamma
    loss = losses.BinaryFocalCrossentropy(*balance, choice, *common, **options).pointwise
    formula_key, (positive, negative, power) = loss.formula_key, loss.constants
    if _varies(alpha):
        _check("alpha", alpha, 1)
        positive, negative = alpha, 1 - alpha
    if _varies(gamma):
        _check("gamma", gamma, math.inf)
        formula_key, power = (formula_key[0], "any"), jnp.maximum(gamma, _LEAST_POWER)
    return _evaluate(loss, predictions, labels, formula_key, (positive, negative, power))


def _per_label(name, value) -> Any:
    """Return a plain number, an array of numbers, or a traced value, in a precision to compute in."""
    if not isinstance(value, jax.Array) and hasattr(value, "__jax_array__"):  # a variable of Flax or Keras
        value = value.__jax_array__()
    elif isinstance(value, (list, tuple)) and any(isinstance(each, Tracer) for each in value):
        value = jnp.asarray(value)
    if not isinstance(value, Tracer):
        return numbers(name, value)
    if not _is_real(value.dtype):
        raise TypeError(f"`{name}` must be real; got {value.dtype}.")
    return value.astype(compute_dtype(value.dtype))


def _varies(option):
    return isinstance(option, Tracer) or np.ndim(option) > 0


def _check(name, values, most):
    if not isinstance(values, Tracer) and not np.all((values >= 0) & (values <= most)):
        raise ValueError(f"`{name}` must lie in [0, {most}]; got {values.tolist()}.")


def _evaluate(loss, predictions, labels, formula_key=None, constants=None, name=None):
    name = name or ("logits" if loss.prediction_kind == "logit" else "probabilities")
    given, predictions, labels = labels, _as_array(name, predictions), _as_array("labels", labels)
    if not jnp.issubdtype(predictions.dtype, jnp.floating):
        raise TypeError(f"`{name}` must be floating; got {predictions.dtype}. They come first, then the labels.")
    if not _is_real(labels.dtype):
        raise TypeError(f"`labels` must be real; got {labels.dtype}.")
    require_same_shape("labels", labels.shape, name, predictions.shape)
    constants = loss.constants if constants is None else constants
    known = replace(loss, constants=tuple(0.0 if isinstance(c, Tracer) else c for c in constants))
    check_precision(known.options, compute_dtype(predictions.dtype).name)
    constants = tuple(c if isinstance(c, Tracer) else np.asarray(c) for c in constants)
    # Numbers are arguments: another pos_weight compiles nothing anew.
    static = replace(loss, formula_key=formula_key or loss.formula_key, constants=())
    valid = None
    if isinstance(given, np.ndarray) and given.dtype != labels.dtype and loss.ignore_label is not None:
        # JAX has rounded the labels on the way in.
        valid, static = masking.not_ignored(np, loss.ignore_label, given), replace(static, ignore_label=None)
    return _elementwise(static, predictions, labels, constants, valid)


def _as_array(name, values):
    try:
        return jnp.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: a torch tensor that requires a gradient
        raise refusal(name, values) from error


def _is_real(dtype):
    return any(jnp.issubdtype(dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))


@functools.partial(jax.jit, static_argnums=0)
@functools.partial(jax.checkpoint, static_argnums=0, prevent_cse=False)  # keeps the arguments, and nothing else
def _elementwise(loss, predictions, labels, constants, valid=None):
    dtype = compute_dtype(predictions.dtype)  # not `promote_types`, which strict promotion turns into an error
    own = labels if labels.dtype in OWN_PRECISION else None
    x, y, valid = masking.prepare(jnp, loss, predictions.astype(dtype), labels.astype(dtype), valid, own)
    names = losses.Pointwise(loss.prediction_kind, loss.formula_key, constants).constant_names
    require_one_per_label(names, constants, x.shape)
    # Leading axes of length 1, because strict rank promotion refuses to add them.
    constants = tuple(c.reshape((1,) * (x.ndim - 1) + c.shape if c.ndim else ()).astype(dtype) for c in constants)
    kind, epsilon, smoothing = loss.prediction_kind, loss.epsilon or 0.0, loss.label_smoothing
    value = derivative(loss.formula_key, kind, epsilon, smoothing, 0)(x, y, constants)
    return (value if valid is None else jnp.where(valid, value, 0)).astype(predictions.dtype)
