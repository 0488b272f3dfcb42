"""The number of threads that one call may use."""


def get_num_threads() -> int:
    """Return the number of threads that a call may use: OMP_NUM_THREADS at first, else the number of processors."""
    from binxent._kernels.threads import threads

    return threads.count


def set_num_threads(count: int) -> None:
    """Set the number of threads that a call may use; results have the same bits on any number.

    Args:
        count: A whole number >= 1.

    Raises:
        ValueError: The count is not a whole number >= 1.
    """
    from binxent._kernels.threads import threads

    if not isinstance(count, int) or count < 1:
        raise ValueError(f"The number of threads must be a whole number >= 1; got {count!r}.")
    threads.count = count
