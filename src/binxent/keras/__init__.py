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

from binxent.keras import metrics
from binxent.keras._registration import register
from binxent.keras.functions import (
    asymmetric_crossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    poly_binary_crossentropy,
)
from binxent.keras.losses import (
    AsymmetricCrossentropy,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    PolyBinaryCrossentropy,
)
from binxent.keras.models import logits_model, with_sigmoid

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
