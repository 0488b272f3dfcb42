"""The logits behind what comes out of a sigmoid, for the doors of Keras 2 and 3 on TensorFlow.

A saturated sigmoid has no gradient, so a loss is better computed from its logits. Logits and probabilities are never
told apart by their values.
"""

from typing import Any

import tensorflow as tf


def logits_of_sigmoid(predictions: Any) -> Any:
    """Return the logits whose sigmoid the predictions are known to be, or None.

    A graph names its operations. Eagerly both Keras 2 and 3 leave the logits on the result of their sigmoid, as
    `_keras_logits`, but also on that of their softmax, so the sigmoid is taken again and compared.
    """
    if not tf.is_tensor(predictions) or isinstance(predictions, (tf.RaggedTensor, tf.SparseTensor, tf.Variable)):
        return None
    if tf.is_symbolic_tensor(predictions):
        return predictions.op.inputs[0] if predictions.op.type == "Sigmoid" else None
    logits = getattr(predictions, "_keras_logits", None)
    if logits is None or logits.shape != predictions.shape or logits.dtype != predictions.dtype:
        return None
    return logits if bool(tf.reduce_all(tf.sigmoid(logits) == predictions)) else None
