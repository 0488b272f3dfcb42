"""The limit of the machine: kernels that read and write the bytes of a loss and compute nothing."""

import numba
import numpy as np

BLOCK = 1 << 16


@numba.njit(parallel=True)
def read(y_true, y_pred):
    """Read both arrays, as integers of their width: no conversion, no rounding, nothing that can be optimised away."""
    blocks = (y_pred.size + BLOCK - 1) // BLOCK
    marks = np.empty(blocks, np.uint64)
    for block in numba.prange(blocks):
        y = y_true[block * BLOCK : (block + 1) * BLOCK]
        z = y_pred[block * BLOCK : (block + 1) * BLOCK]
        seen_y, seen_z = y[0], z[0]
        for i in range(z.size):
            seen_y ^= y[i]
            seen_z ^= z[i]
        marks[block] = np.uint64(seen_y) ^ np.uint64(seen_z)
    return marks.sum()


@numba.njit(parallel=True)
def read_and_write(y_true, y_pred, gradient):
    """Read both arrays and write the third."""
    blocks = (y_pred.size + BLOCK - 1) // BLOCK
    for block in numba.prange(blocks):
        y = y_true[block * BLOCK : (block + 1) * BLOCK]
        z = y_pred[block * BLOCK : (block + 1) * BLOCK]
        g = gradient[block * BLOCK : (block + 1) * BLOCK]
        for i in range(z.size):
            g[i] = z[i] ^ y[i]
