"""Arrays as operands of a plan, whatever their dtype and layout.

An operand that is contiguous and of the working precision is used where it lies; of any other a plan has the function
that moves it, and a description: where it lies, in which shape, and how far apart.
"""

import ctypes

import numpy as np

from binxent._core.masking import loses_labels
from binxent._kernels import movers
from binxent._kernels.compiler import compiled

NOWHERE = (0, 0, None)  # an operand that a plan does without
KINDS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}


def gather(dtype, real):
    """Return the address of the function that brings elements of a dtype into a block."""
    return compiled(movers.gather, dtype, KINDS[real])


def gather_labels(dtype, real):
    """As `gather`; labels outside of [0, 1] stay outside when they are rounded."""
    if dtype == "float64" and real == np.float32:
        return compiled(movers.gather, dtype, KINDS[real], True)
    return gather(dtype, real)


def scatter(dtype, real):
    """Return the address of the function that takes a block to elements of a dtype."""
    return compiled(movers.scatter, dtype, KINDS[real])


def address_of(array):
    """Return the address of an array's data."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError, BufferError):  # it is read-only, empty, or not contiguous
        return array.__array_interface__["data"][0]


def describe(array, real, mover):
    """Return an array as an operand: its two fields in a plan, and what must stay alive while the plan is in use."""
    if array.dtype == real and array.flags.c_contiguous:
        return 0, address_of(array), array
    address = array.__array_interface__["data"][0]
    return lay_out(array, address, array.dtype.name, array.shape, array.strides, real, mover)


def lay_out(owner, address, dtype, extents, steps, real, mover):
    """As `describe`, of any memory, whose dtype goes by NumPy's name and whose steps are in bytes."""
    shape, strides = [1], [0]
    for extent, stride in zip(extents, steps, strict=True):
        if extent > 1 and strides[-1] == extent * stride:  # this axis goes on where the one before it leaves off
            shape[-1] *= extent
            strides[-1] = stride
        elif extent > 1:
            shape.append(extent)
            strides.append(stride)
    description = np.array([address, len(shape), *shape, *strides], np.int64)
    return mover(dtype, real), address_of(description), (owner, description)


def reads_exactly(weights, label_dtype, ignore_label, real):
    """Return whether weights must be read in float64, and whether labels must be read once more in float64.

    Rounded to float32, a weight may be 0 or infinite, and a label may be equal to the label to ignore.

    Args:
        weights: Arrays or tensors.
        label_dtype: NumPy's dtype of the labels.
        ignore_label: The label to ignore, a number or NaN, or None.
        real: Working precision.
    """
    if (ignore_label is None and not weights) or real == np.float64:
        return False, False
    exact = any(weight.itemsize == 8 and "float" in str(weight.dtype) for weight in weights)
    if ignore_label is None or ignore_label != ignore_label:
        return exact, False
    exact = exact or loses_labels(label_dtype.name, ignore_label)
    return exact, exact


def constant_operands(constants, shape, real, axis=-1):
    """Return the constants of a loss as operands: NOWHERE for a number, and one for each label for a tuple.

    Args:
        constants: Numbers, tuples of numbers, or arrays in the shape.
        shape: The shape of the predictions.
        real: Working precision.
        axis: The axis of the labels.
    """
    operands = []
    for constant in constants:
        if isinstance(constant, tuple):
            along = [1] * len(shape)
            along[axis] = len(constant)
            constant = np.broadcast_to(np.array(constant, np.float64).reshape(along), shape)
        operands.append(describe(constant, real, gather) if isinstance(constant, np.ndarray) else NOWHERE)
    return tuple(operands)
