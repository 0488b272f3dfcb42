"""The threads that kernels run on.

A pool of Python threads rather than Numba's: kernels hold no lock, any number of callers may share it, it survives a
fork, and it loads nothing.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

SERIAL = 1 << 16  # below this many elements, threads cost more than they bring


class Threads:
    """The threads that kernels run on."""

    def __init__(self):
        wanted = os.environ.get("OMP_NUM_THREADS", "")
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.count = min(int(wanted), available) if wanted.isdigit() and int(wanted) > 0 else available
        self.start_afresh()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.start_afresh)

    def start_afresh(self):
        """Forgets the pool, whose threads do not live on in a forked process."""
        self.pool, self.lock = None, threading.Lock()

    def run(self, kernel, plan, sums, elements, most=None):
        """Runs a kernel on as many threads as its size is worth, at most `most`; the sum of what they return."""
        helpers = min(self.count, elements // SERIAL, most or self.count) - 1
        if helpers < 1:
            return kernel(plan, sums)
        futures = []
        try:
            with self.lock:
                if self.pool is None:
                    self.pool = ThreadPoolExecutor(max(os.cpu_count() or 1, self.count), "binxent")
                futures = [self.pool.submit(kernel, plan, sums) for _ in range(helpers)]
        except RuntimeError:  # the interpreter is shutting down and starts no more threads
            pass
        found = kernel(plan, sums)
        # A helper that has not begun by now would find nothing left to do.
        return found + sum(future.result() for future in futures if not future.cancel())


threads = Threads()
