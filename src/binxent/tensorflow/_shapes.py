"""The shape rules for TensorFlow, where a shape may be known only when a graph runs."""

import tensorflow as tf

from binxent._core.shapes import require_one_per_label, require_same_shape
from binxent.tensorflow._private import is_in_xla, record

MOST_AXES = 16  # more than TensorFlow's operations take
IMPOSSIBLE = -2  # an extent that no tensor is given


def in_the_same_shape(names, labels, predictions):
    """Return the labels, which are never broadcast against the predictions.

    Raises:
        ValueError: The shapes differ.
        tf.errors.InvalidArgumentError: They differ when the graph runs.
    """
    if not labels.shape.is_compatible_with(predictions.shape):
        require_same_shape(names[0], labels.shape, names[1], predictions.shape)
    if labels.shape.is_fully_defined() and predictions.shape.is_fully_defined():
        return labels
    with record.stop_recording():  # nested forward accumulators cannot differentiate the shape of a tensor
        true_shape, pred_shape = tf.shape(labels), tf.shape(predictions)
        left, right = true_shape, pred_shape
        if labels.shape.rank is None or predictions.shape.rank is None:
            left, right = _of_one_length(left), _of_one_length(right)
        same = tf.reduce_all(tf.equal(left, right))
    wanted = f"`{names[0]}` and `{names[1]}` must have the same shape; got these. Reshape one of them."
    labels = _unless_different(
        same, labels, true_shape, pred_shape, wanted, f"{names[0]}_must_have_the_shape_of_{names[1]}"
    )
    labels.set_shape(predictions.shape)
    return labels


def _unless_different(same, tensor, own, wanted, message, name):
    """Return the tensor; evaluating it raises if the shapes differ when the graph runs."""
    if is_left_to_xla():  # it drops assertions, while grappler drops a reshape that seems to change nothing
        return tf.reshape(tensor, tf.where(same, wanted, IMPOSSIBLE), name)
    with tf.control_dependencies([tf.debugging.Assert(same, [message, own, wanted])]):
        return tf.identity(tensor)


def _of_one_length(shape):
    return tf.pad(shape, [[0, MOST_AXES - tf.size(shape)]], constant_values=IMPOSSIBLE)


def is_left_to_xla():
    """Return whether a graph is being built that XLA compiles as a whole."""
    return is_in_xla(tf.compat.v1.get_default_graph())


def broadcasting_to(pos_weight, name, predictions):
    """Broadcast the weights of positives to the predictions, never the predictions to them.

    With a single axis there is one weight for each label on the last axis: a single weight is not repeated. Weights
    with more axes are repeated along those of extent 1.

    Raises:
        ValueError: The static shapes do not broadcast.
        tf.errors.InvalidArgumentError: The shapes do not broadcast when the graph runs.
    """
    own, shape = pos_weight.shape, predictions.shape
    if own.rank == 1 and shape.rank != 0:
        if shape.rank is None or None in (own[0], shape[-1]):
            # Checked before the broadcast, which would repeat a single weight.
            with record.stop_recording():
                extents = tf.shape(pos_weight), tf.shape(predictions)[-1:]
                same = tf.reduce_all(tf.equal(*extents))
            wanted = (
                f"`pos_weight` must hold one number for each label on the last axis of `{name}`; got these numbers."
            )
            pos_weight = _unless_different(same, pos_weight, *extents, wanted, "pos_weight_must_hold_one_per_label")
        else:
            require_one_per_label(["pos_weight"], [pos_weight], shape)
    if own.rank is not None and shape.rank is not None:
        beside = list(zip(own[::-1], shape[::-1], strict=False))
        differing = [(axis, other) for axis, other in beside if axis != 1 and (axis != other or axis is None)]
        if own.rank > shape.rank or any(axis is not None and other is not None for axis, other in differing):
            raise ValueError(
                "`pos_weight` must be a number, hold one number for each label on the last axis, or have as many axes "
                f"as the predictions and broadcast to them; got shape {tuple(own)} for `{name}` of shape "
                f"{tuple(shape)}."
            )
        if not differing:
            return pos_weight
    return tf.broadcast_to(pos_weight, tf.shape(predictions))


def with_a_constant_per_label(loss, predictions):
    """Return the predictions, after a check that constants of the loss are numbers or one for each label.

    Raises:
        ValueError: A constant has another length than the last axis.
        tf.errors.InvalidArgumentError: It has another length when the graph runs.
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
