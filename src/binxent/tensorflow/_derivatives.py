"""A loss, its slope and its curvature as TensorFlow functions, each with the next as its registered derivative.

All three are hand-written: autodiff of the expressions would be wrong, as at z = 0, where it takes 0 or 1 for the slope
of `maximum(z, 0)`. Nothing but the inputs is kept for the backward pass.

A function is evaluated in one of three ways: eagerly on a CPU by the CPU kernels; in a graph with many elements, whose
number is known, by XLA, which makes one loop of all operations; else operation by operation.
"""

import functools
import itertools

import tensorflow as tf

from binxent._core import masking
from binxent._core.formulas import HUGE, LINEAR, NEAR_ZERO, in_label, unweighted_bce
from binxent._core.options import check_precision
from binxent.losses import Pointwise
from binxent.tensorflow import _eager, _maths
from binxent.tensorflow import _ops as operations
from binxent.tensorflow._maths import differentiable, fused, single
from binxent.tensorflow._private import record
from binxent.tensorflow._shapes import is_left_to_xla

OWN_PRECISION = (tf.float64, tf.int64, tf.int32)  # the dtypes of labels that float32 would round
WORTH_COMPILING = 1 << 15  # elements; below, calling what XLA has compiled costs more than it saves


def derivative(loss, order, x, y, pos_weight=None, upstream=None, known=True):
    """Return the loss of each element (order 0), its slope (1) or its curvature (2), times upstream, in the dtype of x.

    Args:
        loss: The `losses.Pointwise`.
        order: Which derivative.
        x: Predictions, of any floating dtype.
        y: Labels, of any real dtype, in the shape of the predictions.
        pos_weight: None or a floating tensor that broadcasts to the predictions, in place of the loss's own.
        upstream: None or a tensor in the shape and dtype of the predictions.
        known: Whether the result has the next function as its registered derivative; otherwise TensorFlow
            differentiates its operations.

    Returns:
        A tensor that can be differentiated in everything floating, any number of times.
    """
    if order == 2 or not known:
        # Third and higher derivatives use autodiff. max(z, 0) has its only kink at 0, so z = 0 is evaluated at 1e-30.
        near = tf.cast(x, compute_dtype(x.dtype))
        near += tf.cast(tf.equal(x, 0), near.dtype) * NEAR_ZERO
        return tf.cast(_formula_value(differentiable, loss, order, near, y, pos_weight, upstream), x.dtype)
    inputs = {"x": x, "y": y, "pos_weight": pos_weight, "upstream": upstream}
    inputs = {name: tensor for name, tensor in inputs.items() if tensor is not None}
    if tf.executing_eagerly() and not record.could_possibly_record():
        return _evaluate(loss, order, **inputs)

    # Labels are seldom differentiated, and if they are not, their gradient should cost nothing. So it takes two steps:
    # TensorFlow computes the second step only for a label that is watched.
    def gradients(up, *tensors, known=True):
        found = _gradients(loss, order, up, known, **dict(zip(inputs, tensors, strict=True)))
        return [*found, tf.cast(up, y.dtype) if y.dtype.is_floating else None]

    def gradient_in_label(up, *tensors, known=True):
        x, y, pos_weight, product = _multiplied(up, **dict(zip(inputs, tensors, strict=True)))
        return by_label(loss, order, x, y, pos_weight, product, known)

    tensors = list(inputs.values())
    with record.stop_recording():
        result = _evaluate(loss, order, **inputs)
        if tf.executing_eagerly():
            label = tf.identity(y)
        else:
            result, label = _with_gradients(result, tensors, gradients, gradient_in_label)
    if y.dtype.is_floating:
        record.record_operation("label", [label], [y], lambda up: [gradient_in_label(up, *tensors)])
    record.record_operation("loss", [result], [*tensors, label], lambda up: gradients(up, *tensors))
    return result


def _multiplied(up, x, y, pos_weight=None, upstream=None):
    """Return the inputs, with the product of both upstream gradients."""
    up = tf.convert_to_tensor(up)  # the gradient of a gather is an IndexedSlices
    return x, y, pos_weight, up if upstream is None else upstream * up


def _gradients(loss, order, up, known, **inputs):
    """Return the gradient in each of the inputs, but for the label."""
    x, y, pos_weight, product = _multiplied(up, **inputs)
    found = {"x": derivative(loss, order + 1, x, y, pos_weight, product, known), "y": None}
    if pos_weight is not None:
        found["pos_weight"] = by_pos_weight(loss, order, x, y, pos_weight, product, known)
    if "upstream" in inputs:
        found["upstream"] = derivative(loss, order, x, y, pos_weight, tf.convert_to_tensor(up), known)
    return found.values()


def _with_gradients(result, tensors, gradients, gradient_in_label):
    """Return the result of a graph, whose gradients in the tensors are known, and the label, the second of them.

    `tf.custom_gradient` has two faults here. A forward accumulator looks inside, and differentiates the operations that
    it finds there. And its gradients are made of the tensors of the call, which are out of reach in the copy of the
    graph that second derivatives are taken of. Only a SavedModel needs the tensors of the call: it takes the gradients
    once, without an operation, and saves no gradients of gradients.
    """
    number = next(_numbers)
    of_loss, of_label = f"BinxentLoss-{number}", f"BinxentLabel-{number}"

    @tf.RegisterGradient(of_loss)
    def _(operation, up, *_):
        if operation is None:
            return [None, *gradients(up, *tensors, known=False)]
        return [None, *gradients(up, *operation.inputs[1:-1])]

    @tf.RegisterGradient(of_label)
    def _(operation, up):
        if operation is None:
            return gradient_in_label(up, *tensors, known=False)
        (loss,) = operation.outputs[0].consumers()
        return gradient_in_label(up, *loss.inputs[1:-1])

    graph = tf.compat.v1.get_default_graph()
    with graph.gradient_override_map({"IdentityN": of_label}):
        (label,) = tf.identity_n([tensors[1]])
    with graph.gradient_override_map({"IdentityN": of_loss}):
        return tf.identity_n([result, *tensors, label])[0], label


_numbers = itertools.count()


# Derivatives in what is not a prediction.


def by_label(loss, order, x, y, pos_weight, upstream, known=True):
    """Compute upstream times the derivative in the label, in its dtype."""
    z, t, valid = _read(loss, x, y)
    upstream = tf.cast(upstream, z.dtype)
    plain = loss.plain()
    if in_label(loss.formula_key[0]) is LINEAR:
        change = derivative(plain, order, z, tf.ones_like(z), pos_weight, upstream, known)
        change -= derivative(plain, order, z, tf.zeros_like(z), pos_weight, upstream, known)
    else:
        rate = functools.partial(_rate_in_label, plain, masking.smooth(loss.label_smoothing, t)[0], known)
        for _ in range(order):
            rate = functools.partial(_differentiate, rate)
        change = upstream * rate(z)
    change *= 1 - loss.label_smoothing
    return tf.cast(change if valid is None else tf.where(valid, change, tf.zeros_like(change)), y.dtype)


def by_pos_weight(loss, order, x, y, pos_weight, upstream, known=True):
    """Compute upstream times the derivative in the weight of positives, in its shape and dtype."""
    z, t, valid = _read(loss, x, y)
    # The derivative of c y a in c is y a: the same formula with y in the place of c, and 1 in that of y.
    smoothed, _ = masking.smooth(loss.label_smoothing, t)
    change = derivative(loss.plain(), order, z, tf.ones_like(z), smoothed, tf.cast(upstream, z.dtype), known)
    if valid is not None:
        change = tf.where(valid, change, tf.zeros_like(change))
    _, axes = tf.raw_ops.BroadcastGradientArgs(s0=tf.shape(change), s1=tf.shape(pos_weight))
    return tf.cast(tf.reshape(tf.reduce_sum(change, axes), tf.shape(pos_weight)), pos_weight.dtype)


def _rate_in_label(loss, y, known, x):
    """Compute the derivative in the label of a loss that is not linear in it.

    Its power has the derivatives of its expansion about the label, with coefficients to be differentiated further.
    """
    a, b = (_finite_cost(loss, x, label, known) for label in (tf.ones_like(x), tf.zeros_like(x)))
    constants = tuple(tf.constant(constant, x.dtype) for constant in loss.constants)
    rule, centre = in_label(loss.formula_key[0]), []

    def at_centre(u, gamma, h):
        centre.append((u, gamma, h, _maths.power_times(u, gamma, h)))
        return centre[-1][-1]

    def near(u, gamma, h):
        u0, _, h0, power = next(expansions)
        by_u, by_h = gamma * _maths.power_times(u0, gamma - 1, h0), _maths.power_times(u0, gamma, tf.ones_like(h0))
        return power + by_u * (u - u0) + by_h * (h - h0)

    rule(_maths.maths_of(x.dtype, power_times=at_centre), a, b, y, constants)
    expansions = itertools.cycle(centre)
    return _differentiate(lambda y: rule(_maths.maths_of(x.dtype, power_times=near), a, b, y, constants), y)


def _finite_cost(loss, x, label, known):
    """Compute what a label costs, finite: 0 * inf is NaN."""
    bce = Pointwise(loss.prediction_kind, (unweighted_bce,), epsilon=loss.epsilon)
    infinite = tf.math.is_inf(derivative(bce, 0, x, label, known=known))
    cost = derivative(bce, 0, tf.where(infinite, tf.cast(masking.PLACEHOLDER, x.dtype), x), label, known=known)
    return tf.minimum(tf.where(infinite, tf.cast(HUGE, x.dtype), cost), HUGE)


def _differentiate(function, x):
    """Return the derivative, without a tape: it records nothing while a forward accumulator computes gradients."""

    def rate(x):
        x = tf.identity(x)
        return tf.gradients(function(x), x)[0]

    return (tf.function(rate, autograph=False) if tf.executing_eagerly() else rate)(x)


# Ways to evaluate a function.


def _evaluate(loss, order, x, y, pos_weight=None, upstream=None):
    if tf.executing_eagerly():
        if _lies_on_cpu(x):
            return _eager.evaluate(loss, order, x, y, pos_weight, upstream)
        compute = _traced(loss, order)
    elif is_left_to_xla():
        compute = functools.partial(_formula_value, fused, loss, order)
    elif _is_worth_compiling(x):
        compute = _compiled(loss, order)
    else:
        compute = functools.partial(_formula_value, single, loss, order)
    return compute(x, y, pos_weight, upstream)


def _lies_on_cpu(tensor):
    return "/device:CPU:" in tensor.device


@functools.lru_cache(maxsize=256)
def _traced(loss, order):
    return tf.function(functools.partial(_formula_value, single, loss, order), autograph=False, reduce_retracing=True)


@functools.lru_cache(maxsize=256)
def _compiled(loss, order):
    return tf.function(functools.partial(_formula_value, fused, loss, order), autograph=False, jit_compile=True)


def _is_worth_compiling(x):
    """Return whether XLA is available, and the static shape, for which it compiles anew, has many elements."""
    size = x.shape.num_elements()
    return size is not None and size >= WORTH_COMPILING and tf.inside_function() and _has_compiler()


@functools.cache
def _has_compiler():
    """Return whether this TensorFlow has XLA, and only CPUs to run on: other devices may not support it."""
    if not tf.compat.v1.executing_eagerly_outside_functions():
        return False
    if any(device.device_type != "CPU" for device in tf.config.list_physical_devices()):
        return False
    with tf.init_scope():
        try:
            tf.function(tf.negative, autograph=False, jit_compile=True)(tf.zeros(()))
        except tf.errors.OpError:
            return False
    return True


def compute_dtype(dtype):
    """Return the precision to compute in: halves are too coarse."""
    return tf.float64 if dtype == tf.float64 else tf.float32


def _read(loss, x, y):
    """Return predictions and labels in the precision to compute in, and where labels are not ignored."""
    dtype = compute_dtype(x.dtype)
    own_labels = y if y.dtype in OWN_PRECISION else None
    return masking.prepare(operations, loss, tf.cast(x, dtype), tf.cast(y, dtype), own_labels=own_labels)


def _formula_value(variant, loss, order, x, y, pos_weight=None, upstream=None):
    dtype = x.dtype
    x, y, valid = _read(loss, x, y)
    check_precision(loss.options, x.dtype.name)
    constants = tuple(tf.constant(constant, x.dtype) for constant in loss.constants)
    if pos_weight is not None:
        constants = (tf.cast(pos_weight, x.dtype),)
    formulas = variant(x.dtype)
    label = masking.smooth(loss.label_smoothing, y)
    result = formulas(loss.prediction_kind, *loss.formula_key)(x, label, loss.epsilon or 0.0, constants)[order]
    if not tf.is_tensor(result) or result.shape.rank != x.shape.rank:  # a constant has no shape of its own
        result = tf.broadcast_to(tf.cast(result, x.dtype), tf.shape(x))
    if upstream is not None:
        result *= tf.cast(upstream, x.dtype)
    return tf.cast(result if valid is None else tf.where(valid, result, tf.zeros_like(result)), dtype)
