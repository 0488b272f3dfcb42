"""The TensorFlow door, in tf.nn's dialect: one loss per element, labels first, options by keyword.

    >>> import tensorflow as tf
    >>> from binxent.tensorflow import sigmoid_cross_entropy_with_logits
    >>> logits, labels = tf.constant([2.0, -1.0, 0.0]), tf.constant([1, 0, 1])
    >>> loss = sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    >>> print(f"{tf.reduce_mean(loss):.4f}")
    0.3778

All functions work eagerly, in `tf.function`, under XLA, in TF1 graphs with a session, under `tf.vectorized_map` and
`tf.distribute`, on ragged tensors, and in a SavedModel that is loaded where there is no binxent. The same rules hold
everywhere:

- Labels may have any real dtype and are never broadcast against predictions. Where shapes are not known while a graph
  is built, they are compared when it runs.
- The result has the predictions' dtype; float16 and bfloat16 are widened to float32 in between.
- An entry whose label is `ignore_label` costs 0 and has no gradient, whatever its prediction. A mean has to leave it
  out of its count: `compute_weighted_average_loss` does so, over all replicas of a strategy.
- Options are plain numbers, read when the function is called. Only `pos_weight` may also be a tensor, whose gradient is
  then known. With a single axis it has one number for each label on the last axis; with more it broadcasts.

Derivatives are exact, of any order, backwards and forwards, and nothing but the inputs is kept for them.
"""

from binxent._core.public_names import publish
from binxent.tensorflow._functions import (
    asymmetric_crossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    poly_binary_crossentropy,
    sigmoid_asymmetric_cross_entropy_with_logits,
    sigmoid_cross_entropy_with_logits,
    sigmoid_focal_cross_entropy_with_logits,
    sigmoid_poly_cross_entropy_with_logits,
    weighted_cross_entropy_with_logits,
)
from binxent.tensorflow._pointwise import pointwise
from binxent.tensorflow._replicas import compute_weighted_average_loss

__all__ = [
    "asymmetric_crossentropy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "compute_weighted_average_loss",
    "pointwise",
    "poly_binary_crossentropy",
    "sigmoid_asymmetric_cross_entropy_with_logits",
    "sigmoid_cross_entropy_with_logits",
    "sigmoid_focal_cross_entropy_with_logits",
    "sigmoid_poly_cross_entropy_with_logits",
    "weighted_cross_entropy_with_logits",
]

publish(globals())
