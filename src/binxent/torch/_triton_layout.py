"""How tensors of one shape lie in memory, for kernels that go through a few axes at most."""

import math
from functools import lru_cache
from typing import NamedTuple

import torch

MOST_AXES = 3


class Layout(NamedTuple):
    """How tensors of one shape lie when their axes are merged as far as they all allow.

    Attributes:
        sizes: The number of elements, and the sizes of the axes from the last to the second.
        strides: The strides of each tensor, outermost axis first; a single stride if all of its axes could be merged.
        reach: The greatest index of an element, or offset into a tensor.
        dense: The strides of what torch makes like the first tensor: in the same order, without gaps.
    """

    sizes: tuple
    strides: tuple
    reach: int
    dense: tuple


@lru_cache
def layout(shape, strides):
    """Find the layout of tensors of one shape, given the strides of each."""
    dense = torch.empty_like(torch.empty_strided(shape, strides[0], device="meta")).stride()
    axes = []  # innermost first: the size, and each tensor's stride
    for axis in sorted(range(len(shape)), key=lambda axis: (dense[axis], -axis)):
        along = tuple(each[axis] for each in strides)
        if axes and all(outer == inner * axes[-1][0] for outer, inner in zip(along, axes[-1][1], strict=True)):
            axes[-1] = axes[-1][0] * shape[axis], axes[-1][1]
        elif shape[axis] != 1:
            axes.append((shape[axis], along))
    axes = axes or [(1, (1,) * len(strides))]
    own = []
    for along in zip(*(along for _, along in axes), strict=True):
        # A tensor whose own axes merge to one, as those of a contiguous tensor do, is read in wider loads.
        alone = all(along[k + 1] == along[k] * axes[k][0] for k in range(len(axes) - 1))
        own.append(along[:1] if alone else along[::-1])
    size = math.prod(shape)
    reach = max(size, *(sum((extent - 1) * along[k] for extent, along in axes) for k in range(len(strides))))
    return Layout((size, *(extent for extent, _ in axes[:-1])), tuple(own), reach, dense)


def strided_operands(*tensors):
    """Make operands of the kernels from tensors of one shape, some of them None, and return their layout, too.

    Tensors are copied if their axes cannot be merged to a few.
    """
    given = [tensor.resolve_neg() for tensor in tensors if tensor is not None]
    shape = given[0].shape
    found = layout(shape, tuple(tensor.stride() for tensor in given))
    for k, tensor in enumerate(given):
        if len(found.sizes) > MOST_AXES and tensor.stride() != found.dense:
            given[k] = like(tensor, found, tensor.dtype).copy_(tensor)
            found = layout(shape, tuple(tensor.stride() for tensor in given))
    operands = ((tensor, *strides) for tensor, strides in zip(given, found.strides, strict=True))
    return [None if tensor is None else next(operands) for tensor in tensors], found


def like(tensor, found, dtype):
    """Make a tensor of the shape of another, without gaps."""
    return torch.empty_strided(tensor.shape, found.dense, dtype=dtype, device=tensor.device)
