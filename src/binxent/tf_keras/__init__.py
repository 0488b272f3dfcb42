"""The Keras 2 door: `tf_keras.losses.Loss` subclasses under Keras's own names, with Keras 2's signatures and numbers.

    >>> import tf_keras
    >>> from binxent.tf_keras import BinaryCrossentropy
    >>> model = tf_keras.Sequential([tf_keras.layers.Dense(1)])
    >>> model.compile(optimizer="adam", loss=BinaryCrossentropy(from_logits=True))

They compile, fit, evaluate, save and load like those of Keras 2, which `tf.keras` was until TensorFlow 2.15 and is with
the environment variable TF_USE_LEGACY_KERAS=1. A process that loads a model imports this module first. As in Keras 2,

- `Reduction.AUTO` and `SUM_OVER_BATCH_SIZE` raise under a distribution strategy, except in `compile` and `fit`;
- ragged predictions have one loss per row, the mean of its elements, and a reduced loss is the mean of the rows';
- predictions that come straight out of a sigmoid are taken back to their logits, and other probabilities are clipped
  to [epsilon, 1 - epsilon] with epsilon added once more inside the logarithms.

Where Keras 2 is known to be wrong, these differ:

- The logits behind a softmax are not mistaken for those behind a sigmoid.
- A weight belongs to its sample: weights line up with the leading axes, and one may be given per element.
- A weight of zero, a masked and an ignored entry hide their value entirely, NaN and infinity included.
- Losses are computed and summed in float32 or better, whatever the dtype of the model; a probability beyond the clip
  keeps its gradient.
- Under a distribution strategy `fit` has the loss and the gradients of the whole batch, however unequally masks,
  ignored labels and weights are spread over replicas.
"""

from binxent._core.public_names import publish
from binxent.tf_keras._functions import (
    asymmetric_crossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    poly_binary_crossentropy,
)
from binxent.tf_keras._layers import LossLayer
from binxent.tf_keras._losses import (
    AsymmetricCrossentropy,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    Loss,
    PolyBinaryCrossentropy,
)

__all__ = [
    "AsymmetricCrossentropy",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "Loss",
    "LossLayer",
    "PolyBinaryCrossentropy",
    "asymmetric_crossentropy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "poly_binary_crossentropy",
]

publish(globals())
