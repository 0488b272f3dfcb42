"""Arrays between pages of memory that must not be touched: a read or write beside them ends the process."""

import ctypes
import mmap

import numpy as np

CAN_GUARD = hasattr(mmap, "MAP_ANONYMOUS")  # not on Windows
PAGE = mmap.PAGESIZE
UNTOUCHED = 0xA5  # what fills the bytes around and between elements


def _protect(address, size, may):
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    if protect(address, size, may):
        raise OSError(ctypes.get_errno(), "mprotect")


def guarded(size, at_end=True):
    """Return bytes that end where a page begins that must not be touched, or begin where such a page ends."""
    inside = max(1, -(-size // PAGE)) * PAGE
    memory = mmap.mmap(-1, inside + 2 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    everything = np.frombuffer(memory, np.uint8)
    address = everything.ctypes.data
    for guard in (address, address + PAGE + inside):
        _protect(guard, PAGE, 0)
    start = PAGE + inside - size if at_end else PAGE
    return everything[start : start + size]


def empty(shape, dtype=float):
    """Return an array as `np.empty` does, with a guard behind it; its floats are NaN."""
    dtype = np.dtype(dtype)
    shape = shape if isinstance(shape, tuple) else (shape,)
    memory = guarded(int(np.prod(shape)) * dtype.itemsize)
    memory.fill(0xFF)
    return memory.view(dtype).reshape(shape)


class Layout:
    """Where the elements of an array lie: any strides, backwards, repeated, and unaligned.

    Attributes:
        strides: Bytes from one element to the next along each axis.
        offset: Bytes from the first of them all in memory to element 0.
        span: Bytes from the first to the end of the last.
        shift: Bytes between the array and its guard.
        at_end: Whether the guard is behind the array, or before it.
    """

    def __init__(self, rng, shape, itemsize, may_repeat):
        plain, rank = rng.random() < 0.4, len(shape)
        order = list(range(rank)) if plain or rng.random() < 0.5 else rng.permutation(rank).tolist()
        unaligned = rng.random() < 0.2
        step = itemsize + (int(rng.integers(0, 4)) if unaligned and not plain else 0)
        strides = [0] * rank
        for axis in reversed(order):
            if not plain and may_repeat and rng.random() < 0.15:
                continue
            if not plain and rng.random() < 0.3:
                step *= int(rng.integers(2, 4))
            strides[axis] = -step if not plain and rng.random() < 0.25 else step
            step *= max(shape[axis], 1)
        self.strides = tuple(strides)
        reach = [stride * (extent - 1) for stride, extent in zip(strides, shape, strict=True)]
        is_empty = 0 in shape
        self.offset = 0 if is_empty else -sum(min(each, 0) for each in reach)
        self.span = 0 if is_empty else itemsize + sum(map(abs, reach))
        self.shift = int(rng.integers(1, 8)) if unaligned else 0
        self.at_end = bool(rng.random() < 0.7)

    def __repr__(self):
        side = "before the end" if self.at_end else "behind the start"
        return f"<strides {self.strides}, {self.shift} bytes {side}>"

    def view(self, memory, shape, dtype):
        """Return the array in memory that holds its span."""
        return np.ndarray(shape, dtype, memory, self.offset, self.strides)

    def place(self, shape, dtype):
        """Return such an array, with its memory."""
        memory = guarded(self.span + self.shift, self.at_end)
        memory.fill(UNTOUCHED)
        memory = memory[: self.span] if self.at_end else memory[self.shift :]
        return self.view(memory, shape, dtype), memory


def read_only(memory):
    """Let nobody write to guarded memory: who tries ends the process."""
    address = memory.ctypes.data
    start = address // PAGE * PAGE
    _protect(start, max(1, -(-(address + memory.size - start) // PAGE)) * PAGE, mmap.PROT_READ)
