"""The number of threads that one call may use."""

import numpy as np

MOST = 1 << 16  # more than any machine has


def get_num_threads() -> int:
    """Return the number of threads that a call may use: OMP_NUM_THREADS at first, else the number of processors.

    Example:
        >>> get_num_threads() >= 1
        True
    """
    from binxent._kernels.threads import threads

    return threads.count


def set_num_threads(count: int) -> None:
    """Set the number of threads that a call may use; results have the same bits on any number.

    Args:
        count: A whole number from 1 on.

    Raises:
        ValueError: The count is not a whole number, or out of range.

    Example:
        >>> before = get_num_threads()
        >>> set_num_threads(1)
        >>> get_num_threads()
        1
        >>> set_num_threads(before)
    """
    from binxent._kernels.threads import threads

    whole = isinstance(count, int | np.integer) and not isinstance(count, bool)
    if not whole or not 1 <= count <= MOST:
        raise ValueError(f"The number of threads must be a whole number from 1 to {MOST}; got {count!r}.")
    threads.count = int(count)
