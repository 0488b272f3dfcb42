"""What a user of the Keras 2 door writes, read by type checkers and never run. A needless `ignore` is an error, too."""

from typing import assert_type

import numpy as np
import tf_keras

from binxent.tf_keras import (
    AsymmetricCrossentropy,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    Loss,
    PolyBinaryCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
)

y_true, y_pred = np.ones((4, 3)), np.zeros((4, 3))

loss = BinaryCrossentropy(True, 0.1, axis=(0, 1), reduction="sum", pos_weight=[1.0, 2.0, 3.0], dtype="float32")
loss(y_true, y_pred, sample_weight=np.ones(4))
BinaryCrossentropy(pos_weight=np.ones(3))
BinaryCrossentropy(pos_weight={0: 1.0, 1: 5.0}, reduction=None, axis=None, ignore_label=-1)
BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.3, gamma=0, from_logits=True)
AsymmetricCrossentropy(gamma_neg=2.0, margin=0.0, epsilon=None)
PolyBinaryCrossentropy(epsilon_1=-0.5, reduction="mean_with_sample_weight")
binary_crossentropy(y_true, y_pred, True, axis=[0, 1])
binary_focal_crossentropy(y_true, y_pred, gamma=1.5)
assert_type(BinaryCrossentropy.from_config(loss.get_config()), BinaryCrossentropy)


class Costly(BinaryCrossentropy):
    def call(self, y_true, y_pred):
        return 10 * super().call(y_true, y_pred)


def trained(model: tf_keras.Model, loss: Loss) -> tf_keras.Model:
    model.compile("adam", loss)
    return model


BinaryCrossentropy(logits=True)  # type: ignore[call-arg]
BinaryCrossentropy(label_smoothing="0.1")  # type: ignore[arg-type]
BinaryCrossentropy(reduction="average")  # type: ignore[arg-type]
BinaryCrossentropy(axis=1.5)  # type: ignore[arg-type]
BinaryFocalCrossentropy(gamma=None)  # type: ignore[arg-type]
binary_crossentropy(y_true)  # type: ignore[call-arg]
binary_crossentropy(y_true, y_pred, reduction="sum")  # type: ignore[call-arg]
