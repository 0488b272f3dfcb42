"""Runs the CPU kernels on eager TensorFlow tensors in place, without a copy.

One pass over memory takes the place of a dozen operations, each with a result of its own.
"""

import numpy as np
import tensorflow as tf

from binxent._core.dtypes import DOUBLE, compute_dtype
from binxent._kernels.allocator import allocate

HALF_WORD = np.dtype(np.uint16)


def evaluate(loss, order, x, y, pos_weight=None, upstream=None):
    """Return the loss of each element (order 0), or its slope (1), times upstream, in one pass.

    Args:
        loss: A `losses.Pointwise`.
        order: 0 or 1.
        x: Predictions, in whose dtype the result comes.
        y: Labels, in the shape of the predictions.
        pos_weight: None or a tensor that broadcasts to the predictions, in place of the loss's own.
        upstream: None or a tensor in the shape of the predictions.
    """
    from binxent._kernels.fused import fuse  # loads the compiler
    from binxent._kernels.operands import (
        NOWHERE,
        constant_operands,
        describe,
        gather,
        gather_labels,
        reads_exactly,
        scatter,
    )

    predictions, labels = np.asarray(x.numpy()), np.asarray(y.numpy())  # `numpy()` of a scalar tensor is not an array
    shape, size, dtype = predictions.shape, predictions.size, predictions.dtype
    real = compute_dtype(dtype)
    # DLPack refuses NumPy's bfloat16.
    stored = HALF_WORD if dtype.name == "bfloat16" else dtype
    memory = allocate(size * dtype.itemsize).view(stored).reshape(shape)
    if size:
        result = describe(memory.view(dtype), real, scatter)
        factors = [] if upstream is None else [np.asarray(upstream.numpy())]
        exact, compares_labels = reads_exactly(factors, labels.dtype, loss.ignore_label, real)
        if compares_labels:
            factors.append(labels)
        constants = loss.constants if pos_weight is None else (np.broadcast_to(pos_weight.numpy(), shape),)
        fuse(
            loss,
            describe(predictions, real, gather),
            describe(labels, real, gather_labels),
            [describe(factor, DOUBLE if exact else real, gather) for factor in factors],
            real=real,
            size=size,
            row=size,
            constants=constant_operands(constants, shape, real),
            losses=NOWHERE if order else result,
            derivatives=(result,) if order else (),
            summed=False,
            exact=exact,
            most_threads=tf.config.threading.get_intra_op_parallelism_threads() or None,
        )
    tensor = tf.experimental.dlpack.from_dlpack(memory.__dlpack__())
    return tensor if stored is dtype else tf.bitcast(tensor, x.dtype)
