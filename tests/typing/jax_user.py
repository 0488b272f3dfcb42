"""Code that a user of the JAX door may write. What is wrong must be found: a needless `ignore` is an error, too."""

import jax
import jax.numpy as jnp
import numpy as np

import binxent.jax as bj
from binxent import BinaryCrossentropy

logits, labels = jnp.zeros((2, 3)), jnp.ones((2, 3), "int32")

each: jax.Array = bj.sigmoid_binary_cross_entropy(logits, labels)
each = bj.sigmoid_binary_cross_entropy(logits, labels, pos_weight=jnp.ones(3), label_smoothing=0.1, ignore_label=-1)
each = bj.sigmoid_binary_cross_entropy(np.zeros(3), np.ones(3, bool), pos_weight=[1.0, 2.0, 3.0])
each = bj.sigmoid_binary_cross_entropy(0.5, 1, pos_weight={0: 1.0})
each = bj.binary_cross_entropy(jax.nn.sigmoid(logits), labels, pos_weight=2, epsilon=None)
each = bj.sigmoid_focal_loss(logits, labels, 0.25, 2)
each = bj.sigmoid_focal_loss(logits, labels, alpha=(0.1, 0.2, 0.3), gamma=jnp.ones(3))
each = bj.binary_focal_loss(logits, labels, None, np.float32(1.5))
each = bj.sigmoid_asymmetric_loss(logits, labels, gamma_pos=1, gamma_neg=4.0, margin=0.05)
each = bj.binary_asymmetric_loss(logits, labels, epsilon=1e-6)
each = bj.sigmoid_poly_loss(logits, labels, epsilon_1=2.0)
each = bj.binary_poly_loss(logits, labels, epsilon_1=2.0, epsilon=None)
each = bj.pointwise(BinaryCrossentropy(from_logits=True), logits, labels)
mean: jax.Array = each.mean()


def objective(logits: jax.Array, pos_weight: jax.Array) -> jax.Array:
    """Compute what is traced and differentiated."""
    return bj.sigmoid_binary_cross_entropy(logits, labels, pos_weight=pos_weight).mean()


slope = jax.grad(objective)(logits, jnp.ones(3))

# Wrong calls.
bj.sigmoid_binary_cross_entropy(logits)  # type: ignore[call-arg]
bj.sigmoid_binary_cross_entropy("logits", labels)  # type: ignore[arg-type]
bj.sigmoid_binary_cross_entropy(logits, labels, 2.0)  # type: ignore[call-arg]
bj.sigmoid_binary_cross_entropy(logits, labels, pos_weight="auto")  # type: ignore[arg-type]
bj.sigmoid_binary_cross_entropy(logits, labels, label_smoothing="0.1")  # type: ignore[arg-type]
bj.sigmoid_focal_loss(logits, labels, gamma=None)  # type: ignore[arg-type]
bj.sigmoid_asymmetric_loss(logits, labels, margin=None)  # type: ignore[arg-type]
bj.sigmoid_poly_loss(logits, labels, epsilon=1.0)  # type: ignore[call-arg]
bj.pointwise("binary_crossentropy", logits, labels)  # type: ignore[arg-type]
number: float = bj.sigmoid_poly_loss(logits, labels)  # type: ignore[assignment]
