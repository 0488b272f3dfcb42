"""Code that a user of the TensorFlow door may write. What is wrong must be found: a needless `ignore` is an error."""

import numpy as np
import tensorflow as tf

import binxent.tensorflow as bt
from binxent import BinaryCrossentropy

logits, labels = tf.zeros((2, 3)), tf.ones((2, 3), tf.int32)
variable = tf.Variable(tf.ones(3))

each: tf.Tensor = bt.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
each = bt.sigmoid_cross_entropy_with_logits(labels, logits, "loss", pos_weight=variable, ignore_label=-1)
each = bt.sigmoid_cross_entropy_with_logits([0.0, 1.0], np.zeros(2), label_smoothing=0.1, pos_weight=(1.0, 2.0))
each = bt.weighted_cross_entropy_with_logits(labels, logits, tf.ones((1, 3)))
each = bt.weighted_cross_entropy_with_logits(labels, logits, {0: 1.0, 1: 2.0, 2: 3.0})
each = bt.sigmoid_focal_cross_entropy_with_logits(labels, logits, 0.25, 2)
each = bt.sigmoid_asymmetric_cross_entropy_with_logits(labels, logits, 1, 4, margin=0.05)
each = bt.sigmoid_poly_cross_entropy_with_logits(labels, logits, epsilon_1=2.0)
each = bt.binary_crossentropy(labels, tf.sigmoid(logits), pos_weight=3, epsilon=None)
each = bt.binary_focal_crossentropy(labels, logits, True, 0.25, 2.0, from_logits=True)
each = bt.asymmetric_crossentropy(labels, logits, from_logits=True)
each = bt.poly_binary_crossentropy(labels, logits, 2.0, True)
each = bt.pointwise(BinaryCrossentropy(from_logits=True), logits, labels, name="loss")
mean: tf.Tensor = bt.compute_weighted_average_loss(each, sample_weight=[1.0, 2.0])

# Wrong calls.
bt.weighted_cross_entropy_with_logits(labels, logits)  # type: ignore[call-arg]
bt.sigmoid_cross_entropy_with_logits(labels, logits, 2.0)  # type: ignore[arg-type]
bt.sigmoid_cross_entropy_with_logits(labels, logits, label_smoothing="0.1")  # type: ignore[arg-type]
bt.sigmoid_focal_cross_entropy_with_logits(labels, logits, gamma=None)  # type: ignore[arg-type]
bt.sigmoid_poly_cross_entropy_with_logits(labels, logits, epsilon=1.0)  # type: ignore[call-arg]
bt.binary_crossentropy(labels)  # type: ignore[call-arg]
bt.binary_focal_crossentropy(labels, logits, alpha=None)  # type: ignore[arg-type]
bt.asymmetric_crossentropy(labels, logits, reduction="mean")  # type: ignore[call-arg]
bt.pointwise("binary_crossentropy", logits, labels)  # type: ignore[arg-type]
bt.sigmoid_cross_entropy(labels, logits)  # type: ignore[attr-defined]
