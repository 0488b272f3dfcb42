"""The Keras door: `keras.losses.Loss` subclasses under Keras's own names, with Keras's signatures and numbers.

    >>> import keras
    >>> from binxent.keras import BinaryCrossentropy
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(optimizer="adam", loss=BinaryCrossentropy(from_logits=True))

They compile, fit, evaluate, save and load like Keras's, on JAX, TensorFlow and torch; a process that loads a model
imports this module first. `metrics` has metrics of the same names, and `register` gives all of them Keras's own names.
Where Keras's own are known to be wrong, these differ:

- A weight belongs to its sample: weights line up with the leading axes, and one may be given per element.
- A weight of zero, a masked and an ignored entry hide their value entirely, NaN and infinity included.
- Losses are computed and summed in float32 or better, whatever the dtype of model and loss; logits are never clipped,
  and a probability beyond the clip keeps its gradient.
- The reduced loss of an empty batch is 0.
- A mean over a batch that the replicas of a `tf.distribute` strategy share is that of the whole batch.

A saturated sigmoid passes no gradient on. Predictions that come straight out of a sigmoid are therefore computed from
the logits behind it where these can be known: on TensorFlow, and on torch without `torch.compile`; those of a softmax
never are, as Keras does on TensorFlow. JAX leaves nothing to be known, and nowhere is a model better for its sigmoid:
`logits_model` gives the same model without it, and `with_sigmoid` puts it back for serving.

A loss that is given the other kind of predictions than it takes says so, once, in a warning that names the layer: in
`fit`, `evaluate` and their like for functional and sequential models, and wherever TensorFlow's or torch's graph shows
a sigmoid, or a layer without activation. Values are looked at on torch only, where labels and probabilities outside
[0, 1] raise; inside a compiled step they cannot be seen. The NumPy door, `import binxent`, checks both.
"""

from binxent._core.public_names import claim
from binxent.keras import metrics
from binxent.keras._functions import (
    asymmetric_crossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    poly_binary_crossentropy,
)
from binxent.keras._models import logits_model, with_sigmoid
from binxent.keras._registry import register
from binxent.keras.losses import (
    AsymmetricCrossentropy,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    PolyBinaryCrossentropy,
)

__all__ = [
    "AsymmetricCrossentropy",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "PolyBinaryCrossentropy",
    "asymmetric_crossentropy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "logits_model",
    "metrics",
    "poly_binary_crossentropy",
    "register",
    "with_sigmoid",
]

claim(globals())
