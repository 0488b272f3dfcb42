"""Means over a batch that the replicas of a `tf.distribute` strategy share.

Replicas seldom have the same total weight: they differ in masked entries, in sample weights, and in the length of their
part of the last batch. The mean of their means is then not the mean of the batch, so every divisor is summed over the
replicas first.
"""

from typing import Any

import tensorflow as tf

from binxent._core.sample_weights import fitted
from binxent._core.weighted_reduction import aligned
from binxent.tensorflow import _ops as operations
from binxent.tensorflow._arguments import TensorLike, as_tensor


def whole_mean(total, divisor) -> Any:
    """Divide the sum over all replicas of `total` by that of `divisor`, for a trainer that averages over replicas.

    Each replica gets the value for the whole batch. Its gradient is that of its own share times the number of
    replicas, because Keras's trainers, having taken each replica's loss for a mean, divide by that number.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tf.math.divide_no_nan(total, divisor)

    @tf.custom_gradient
    def mean(total, divisor):
        whole_total, whole_divisor = tf.unstack(_added_up(context, tf.stack([total, divisor])))
        value = tf.math.divide_no_nan(whole_total, whole_divisor)

        def gradient(upstream):
            share = tf.math.divide_no_nan(upstream * context.num_replicas_in_sync, whole_divisor)
            return share, -share * value

        return value, gradient

    return mean(total, divisor)


def compute_weighted_average_loss(per_example_loss: TensorLike, sample_weight: TensorLike | None = None) -> tf.Tensor:
    """Compute a replica's share of a weighted mean: its sum of losses times weights, over the sum of all weights.

    The shares add up to the mean of the batch, and so do their gradients, however unequally weights and examples are
    spread. `tf.nn.compute_average_loss` divides by the size of the batch whatever the weights are, and assumes that all
    replicas have equally many examples. Without a strategy this is the weighted mean.

    Args:
        per_example_loss: The losses of the examples that this replica has, one per example or per element.
        sample_weight: A number, or weights in the shape of `per_example_loss` or of its leading axes. A weight of 0
            hides the loss, NaN included, but not what made it NaN from the gradient; `ignore_label` does that.

    Returns:
        A scalar in the dtype of `per_example_loss`, float32 for halves. It is 0 if all weights are.

    Raises:
        ValueError: The shape of `sample_weight` does not fit.
        TypeError: Losses or weights are not real numbers.

    Example:
        >>> losses, weights = tf.constant([1.0, 4.0]), tf.constant([1.0, 3.0])
        >>> print(compute_weighted_average_loss(losses, weights).numpy())
        3.25
    """
    losses = as_tensor("per_example_loss", per_example_loss)
    losses = tf.cast(losses, "float64" if losses.dtype == tf.float64 else "float32")
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        sample_weight, _ = fitted(sample_weight, losses.dtype.name, by_ratios=True)
    weights = 1.0 if sample_weight is None else as_tensor("sample_weight", sample_weight)
    weights = aligned(operations, weights, losses.dtype, losses)
    total = tf.reduce_sum(tf.math.multiply_no_nan(losses, weights))
    divisor = tf.reduce_sum(tf.broadcast_to(weights, tf.shape(losses)))
    return tf.math.divide_no_nan(total, divisor if context is None else _added_up(context, divisor))


def _added_up(context, values):
    return values if context.num_replicas_in_sync == 1 else context.all_reduce(tf.distribute.ReduceOp.SUM, values)
