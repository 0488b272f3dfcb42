"""The shape rules for TensorFlow, which may know a shape only when a graph runs."""

import tensorflow as tf
from tensorflow.python.eager import record  # not public
from tensorflow.python.ops import control_flow_util  # nor is this, but the only way to see whether XLA will compile

from binxent._core.shapes import require_one_per_label, require_same_shape

MOST_AXES = 16  # more than TensorFlow's operations take
IMPOSSIBLE = -2  # an extent that no tensor is given


def in_the_same_shape(names, labels, predictions):
    """The labels, which are never broadcast against the predictions.

    Raises:
        ValueError: The shapes differ.
        tf.errors.InvalidArgumentError: They differ when the graph runs.
    """
    if not labels.shape.is_compatible_with(predictions.shape):
        require_same_shape(names[0], labels.shape, names[1], predictions.shape)
    if labels.shape.is_fully_defined() and predictions.shape.is_fully_defined():
        return labels
    with record.stop_recording():  # forward accumulators inside each other stumble over the shape of a tensor
        true_shape, pred_shape = tf.shape(labels), tf.shape(predictions)
        one, other = true_shape, pred_shape
        if labels.shape.rank is None or predictions.shape.rank is None:
            one, other = _of_one_length(one), _of_one_length(other)
        same = tf.reduce_all(tf.equal(one, other))
    if is_left_to_xla():  # which drops assertions, as others drop a reshape that looks as if it did nothing
        name = f"{names[0]}_must_have_the_shape_of_{names[1]}"
        labels = tf.reshape(labels, tf.where(same, pred_shape, IMPOSSIBLE), name)
    else:
        wanted = f"`{names[0]}` and `{names[1]}` must have the same shape; got these. Reshape one of them."
        with tf.control_dependencies([tf.debugging.Assert(same, [wanted, true_shape, pred_shape])]):
            labels = tf.identity(labels)
    labels.set_shape(predictions.shape)
    return labels


def _of_one_length(shape):
    return tf.pad(shape, [[0, MOST_AXES - tf.size(shape)]], constant_values=IMPOSSIBLE)


def is_left_to_xla():
    """Whether a graph is being built that XLA compiles as a whole."""
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def broadcasting_to(pos_weight, name, predictions):
    """The weights of positives, which are broadcast to the predictions, and never make them larger.

    Raises:
        ValueError: They do not broadcast.
        tf.errors.InvalidArgumentError: They do not when the graph runs.
    """
    own, shape = pos_weight.shape, predictions.shape
    if own.rank is not None and shape.rank is not None:
        beside = list(zip(own[::-1], shape[::-1], strict=False))
        differing = [(one, other) for one, other in beside if one != 1 and (one != other or one is None)]
        if own.rank > shape.rank or any(one is not None and other is not None for one, other in differing):
            raise ValueError(
                "`pos_weight` must be a number or broadcast to the predictions, one number per label of the last axis; "
                f"got shape {tuple(own)} for `{name}` of shape {tuple(shape)}."
            )
        if not differing:
            return pos_weight
    return tf.broadcast_to(pos_weight, tf.shape(predictions))


def with_a_constant_per_label(loss, predictions):
    """The predictions, whose last axis has as many labels as each constant of the loss that is not a single number.

    Raises:
        ValueError: It has not.
        tf.errors.InvalidArgumentError: It has not when the graph runs.
    """
    lengths = [len(constant) for constant in loss.constants if isinstance(constant, tuple)]
    if not lengths:
        return predictions
    shape = predictions.shape
    if shape.rank is None:
        return tf.reshape(predictions, tf.concat([tf.shape(predictions)[:-1], lengths[:1]], 0))
    if shape.rank and shape[-1] is None:
        predictions = tf.ensure_shape(predictions, [*shape[:-1], lengths[0]])
    require_one_per_label(loss.constant_names, loss.constants, predictions.shape)
    return predictions
