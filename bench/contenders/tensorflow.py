"""Contenders on TensorFlow tensors, eagerly, in a graph and through XLA: binxent, TensorFlow and Keras."""

from collections.abc import Callable
from functools import partial
from typing import Any

from bench.cases import FORWARD, LOSSES, Case
from bench.contenders.contender import Contender


class TfNn(Contender):
    """TensorFlow's own functions."""

    name, doors = "tf.nn", ("tensorflow",)

    def function(self, case: Case) -> Callable[..., Any] | None:
        """Return the function of (labels, logits or probabilities) for losses per element."""
        import tensorflow as tf

        functions = {
            ("bce", "logits"): tf.nn.sigmoid_cross_entropy_with_logits,
            ("weighted", "logits"): partial(tf.nn.weighted_cross_entropy_with_logits, **LOSSES["weighted"].options),
        }
        return functions.get((case.loss, case.space))

    def prepare(self, case, y_true, y_pred):
        import tensorflow as tf

        function = self.function(case)
        if function is None:
            return None

        def forward(y, z):
            return tf.reduce_mean(function(y, z))

        def forward_and_backward(y, z):
            with tf.GradientTape() as tape:
                tape.watch(z)
                mean = forward(y, z)
            return mean, tape.gradient(mean, z)

        step = forward if case.want == FORWARD else forward_and_backward
        if case.mode != "eager":
            step = tf.function(step, jit_compile=case.mode == "XLA")
        return partial(step, tf.constant(y_true), tf.constant(y_pred))

    def growth_within_pool(self, call):
        from tensorflow import config

        config.experimental.reset_memory_stats("CPU:0")
        before = config.experimental.get_memory_info("CPU:0")["current"]
        call()
        return config.experimental.get_memory_info("CPU:0")["peak"] - before


class KerasOnTensorflow(TfNn):
    """Keras, for losses that TensorFlow itself lacks."""

    name = "Keras on TensorFlow"

    def function(self, case):
        from keras import losses, ops

        if super().function(case):
            return None
        loss, from_logits = LOSSES[case.loss], case.space == "logits"
        function = getattr(losses, loss.function)
        return lambda y, z: function(
            ops.expand_dims(y, -1), ops.expand_dims(z, -1), from_logits=from_logits, **loss.options
        )


class BinxentTensorflow(TfNn):
    """The TensorFlow door."""

    name = "binxent.tensorflow"

    def function(self, case):
        from binxent import tensorflow as door

        options = LOSSES[case.loss].options
        functions = {
            ("bce", "logits"): door.sigmoid_cross_entropy_with_logits,
            ("bce", "probabilities"): door.binary_crossentropy,
            ("weighted", "logits"): partial(door.weighted_cross_entropy_with_logits, **options),
            ("focal", "logits"): partial(door.sigmoid_focal_cross_entropy_with_logits, **options),
        }
        return functions[case.loss, case.space]
