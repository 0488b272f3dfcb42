"""The JAX door, in optax's dialect: one loss per element, predictions first, options by keyword.

    >>> import jax.numpy as jnp
    >>> from binxent.jax import sigmoid_binary_cross_entropy
    >>> logits, labels = jnp.array([2.0, -1.0, 0.0]), jnp.array([1, 0, 1])
    >>> print(sigmoid_binary_cross_entropy(logits, labels).mean().round(4))
    0.3778

All functions work in `jit`, `vmap`, `grad` and `hessian`, in forward and in reverse mode, and with the same rules:

- Labels may have any real dtype and are never broadcast against predictions.
- The result has the predictions' dtype; float16 and bfloat16 are widened to float32 in between.
- An entry whose label is `ignore_label` costs 0 and has no gradient, whatever its prediction. A mean has to leave it
  out of its count: `jnp.mean(loss, where=labels != ignore_label)`.
- `pos_weight`, `alpha` and `gamma` may also be arrays with one number for each label on the last axis, traced, and
  differentiated. Every other option is a plain number, read when the function is called: it cannot be traced.

Derivatives are exact, to any order and in every argument.
"""

from binxent._core.public_names import publish
from binxent.jax._functions import (
    binary_asymmetric_loss,
    binary_cross_entropy,
    binary_focal_loss,
    binary_poly_loss,
    sigmoid_asymmetric_loss,
    sigmoid_binary_cross_entropy,
    sigmoid_focal_loss,
    sigmoid_poly_loss,
)
from binxent.jax._pointwise import pointwise

__all__ = [
    "binary_asymmetric_loss",
    "binary_cross_entropy",
    "binary_focal_loss",
    "binary_poly_loss",
    "pointwise",
    "sigmoid_asymmetric_loss",
    "sigmoid_binary_cross_entropy",
    "sigmoid_focal_loss",
    "sigmoid_poly_loss",
]

publish(globals())
