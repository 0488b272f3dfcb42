"""The Keras door: `keras.losses.Loss` subclasses under Keras's own names, with Keras's signatures and numbers.

    >>> import keras
    >>> from binxent.keras import BinaryCrossentropy
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(optimizer="adam", loss=BinaryCrossentropy(from_logits=True))

They compile, fit, evaluate, save and load like Keras's, on JAX, TensorFlow and torch, in both of Keras's formats; a
process that loads a model imports this module first. They are extended like Keras's, by a `call` of their own, and
between symbolic tensors they are operations of a functional model. `metrics` has metrics of the same names, and
`register` makes Keras's own names mean all of them. Where Keras's losses are known to be wrong, these differ:

- A weight belongs to its sample: weights line up with the leading axes, and one may be given per element.
- A weight of zero, a masked and an ignored entry hide their value entirely, NaN and infinity included.
- Losses are computed and summed in float32 or better, whatever the dtype of model and loss; logits are never clipped,
  and a probability beyond the clip keeps its gradient.
- The reduced loss of an empty batch is 0.
- A mean over a batch that the replicas of a `tf.distribute` strategy share is that of the whole batch.

A saturated sigmoid has no gradient. The loss of predictions that come straight out of a sigmoid is therefore computed
from the logits behind it wherever they are known: on TensorFlow, and on torch without `torch.compile`. Logits behind a
softmax are never used, as Keras does on TensorFlow. On JAX no trace of the logits is left, and on no backend does a
model need its sigmoid: `logits_model` returns the same model without it, and `with_sigmoid` puts it back for serving.

A mismatch of logits and probabilities raises a warning, once for each loss, which names the layer: in `fit`, `evaluate`
and the like for functional and sequential models, and wherever the graph of TensorFlow or torch shows a sigmoid, or a
layer without activation. Only on torch, and outside of compiled steps, are values checked: labels and probabilities
outside [0, 1] raise. The NumPy door, `import binxent`, checks both.
"""

from binxent._core.public_names import publish
from binxent.keras import losses, metrics
from binxent.keras._functions import (
    asymmetric_crossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    poly_binary_crossentropy,
)
from binxent.keras._models import logits_model, with_sigmoid
from binxent.keras._registry import register
from binxent.keras._symbolic import LossOperation
from binxent.keras.losses import (
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
    "LossOperation",
    "PolyBinaryCrossentropy",
    "asymmetric_crossentropy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "logits_model",
    "losses",
    "metrics",
    "poly_binary_crossentropy",
    "register",
    "with_sigmoid",
]

publish(globals())
