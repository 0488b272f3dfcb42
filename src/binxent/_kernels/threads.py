"""The threads that kernels run on.

A few Python threads: kernels hold no lock, any number of callers may share the threads, they survive a fork, and they
load nothing.

An exception may leave a call after any step of it: a signal handler raises it, Ctrl-C for one. No thread may then read
or write the call's arrays any longer, and the next call must find everything in order. So nothing here holds a lock
while a handler may run, which may compute a loss itself.
"""

import os
import threading
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np

from binxent._kernels.plan import LINE

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
        """Forget the helpers, which do not live on in a forked process."""
        self.calls, self.helpers = SimpleQueue(), []

    def run(self, kernel, end, plan, sums, scratch, operands, elements, most=None):
        """Run a kernel on as many threads as its size is worth.

        Args:
            kernel: A compiled function (plan, sums, scratch) that several threads may run at once, each taking its
                share.
            end: A function that returns a compiled one, which makes threads leave the plan at an address, and returns
                when all have.
            plan: Address of the plan.
            sums: Address of the sums.
            scratch: How many bytes of scratch each thread needs.
            operands: What must stay alive while the kernel runs.
            elements: How many elements there are.
            most: How many threads to run on at most, or None.

        Returns:
            The sum of what the kernels return.
        """
        wanted = min(self.count, elements // SERIAL, most or self.count) - 1
        if wanted < 1:
            held = room.of(scratch)
            return kernel(plan, sums, held.address)
        call, compiled_end = Call(kernel, plan, sums, scratch, operands), end()
        try:
            helpers = range(self.ready(wanted))
            for helper in helpers:
                call.awaited[helper] = True
                self.calls.put((call, helper))
            found = call.run() + call.wait(helpers)
        finally:
            # Python runs handlers after calls, at the start of its own functions and at jumps back: not before this
            # one, which is a compiled function, nor while it waits.
            compiled_end(plan)
        call.operands = None  # a helper may hold the call for a moment longer
        return found

    def ready(self, wanted):
        """How many helpers there are, at most as many as wanted; starts those that are missing."""
        running = len(self.helpers)
        try:
            while running < wanted:
                threading.Thread(
                    target=help_out, args=(self.calls, self.helpers), name=f"binxent_{running}", daemon=True
                ).start()
                running += 1
        except RuntimeError as error:
            if not str(error).startswith("can't"):  # "can't start new thread", or it is too late in the interpreter
                raise
        return min(running, wanted)


class Call:
    """A kernel to run, with all that it reads and writes, which lives as long as a helper may run it.

    Attributes:
        awaited: The helpers that may still begin.
        found: What helpers found, or the exceptions that they met.
    """

    def __init__(self, kernel, plan, sums, scratch, operands):
        self.kernel, self.plan, self.sums, self.scratch, self.operands = kernel, plan, sums, scratch, operands
        self.awaited, self.found = {}, SimpleQueue()

    def run(self):
        """Run the kernel on this thread."""
        held = room.of(self.scratch)
        return self.kernel(self.plan, self.sums, held.address)

    def help(self, helper):
        """Take part, unless the call needs this helper no more."""
        if self.awaited.pop(helper, False):
            try:
                found = self.run()
            except BaseException as error:  # for the caller to raise
                found = error
            self.found.put(found)

    def wait(self, helpers):
        """Wait for those helpers that have begun, and return the sum of what they found."""
        # A helper that has not begun by now would find nothing left to do.
        begun = [helper for helper in helpers if not self.awaited.pop(helper, False)]
        total = 0
        for found in [self.found.get() for _ in begun]:
            if isinstance(found, BaseException):
                raise found
            total += found
        return total


def help_out(calls, helpers):
    """Serve calls for as long as the process lives: the work of a helper."""
    helpers.append(threading.current_thread())  # not by whoever starts it, who may be interrupted before
    while True:
        Call.help(*calls.get())  # no variable holds a call while the next one is waited for


class Scratch(NamedTuple):
    """Memory for a kernel to work in: an array of bytes, where its first aligned byte lies, and how many follow."""

    memory: np.ndarray | None
    address: int
    size: int


class Room(threading.local):
    """Each thread's scratch, which its kernels use one after the other.

    It is replaced as a whole, and whoever uses it holds it: a signal handler may compute a loss in between.
    """

    held = Scratch(None, 0, -1)

    def of(self, size):
        """Return scratch of at least a size."""
        held = self.held
        if size > held.size:
            memory = np.empty(size + LINE, np.uint8)
            address = memory.ctypes.data
            held = self.held = Scratch(memory, address + -address % LINE, size)
        return held


room = Room()
threads = Threads()
