"""Memory for results, large ones where others have been: fresh memory takes longer to page in than to fill.

When a large array dies, its memory is marked as free to the system (MADV_FREE), which takes it when it needs it, but
it stays mapped for the next large array: the gradient of the next step, as a rule. At most two such pieces are kept.
"""

import mmap
import weakref
from contextlib import suppress

import numpy as np

LARGE = 1 << 22  # bytes; below, allocators reuse memory by themselves
KEPT = 2  # pieces: a gradient and, without a reduction, the losses
HUGE_PAGE = 1 << 21
ALIGNMENT = 64  # bytes: what the widest vector instructions ask for, and TensorFlow of every tensor
CAN_KEEP = all(hasattr(mmap, name) for name in ("MADV_FREE", "MADV_HUGEPAGE", "MAP_PRIVATE", "MAP_ANONYMOUS"))

_kept: list[mmap.mmap] = []


def allocate(size):
    """Return an uninitialized array of bytes, aligned for vectors."""
    if size < LARGE or not CAN_KEEP:
        memory = np.empty(size + ALIGNMENT, np.uint8)
        start = -memory.__array_interface__["data"][0] % ALIGNMENT
        return memory[start : start + size]
    memory = _take(size)
    array = np.frombuffer(memory, np.uint8, size)
    weakref.finalize(array, _give_back, memory).atexit = False
    return array


def _take(size):
    """Return a piece that is kept and not much larger than needed, or a new one."""
    try:
        while True:
            piece = _kept.pop()
            if size <= len(piece) <= size + size // 4 + HUGE_PAGE:
                return piece
    except IndexError:  # nothing is left: pieces of other sizes have been let go
        pass
    piece = mmap.mmap(-1, -(-size // HUGE_PAGE) * HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a system without huge pages
        piece.madvise(mmap.MADV_HUGEPAGE)
    return piece


def _give_back(piece):
    if len(_kept) < KEPT:
        with suppress(OSError):  # a system that cannot mark it gets it back whole
            piece.madvise(mmap.MADV_FREE)
            _kept.append(piece)
