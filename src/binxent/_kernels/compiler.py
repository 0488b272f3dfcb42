"""From LLVM code to machine code, by llvmlite.

A thread of its own compiles, and whoever needs a function waits for it. Python interrupts the main thread only: a
handler that raises leaves no lock of llvmlite's behind, and one that computes a loss is served when the one before is.
"""

import os
import threading
from collections.abc import Callable
from functools import cache
from itertools import count
from queue import SimpleQueue
from typing import Any

import llvmlite.binding as llvm

from binxent._kernels.targets import host, machine, optimized


@cache
def compiled(code: Callable[..., str], *choices: Any) -> int:
    """Return the address of a function, which stays for as long as the process lives.

    Args:
        code: The function (target, name, *choices) that returns the code.
        choices: What decides on the code.
    """
    return _thread.compile(code, choices)


class Engine:
    """What compiles for this process, and holds the code."""

    def __init__(self) -> None:
        # An engine takes the machine that it is given for its own.
        self.machine, own = machine(host(), jit=True), machine(host(), jit=True)
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), own)
        self.names = count()

    def compile(self, code: Callable[..., str], choices: tuple[Any, ...]) -> int:
        """Return the address of a function."""
        name = f"binxent_{code.__name__}_{next(self.names)}"
        self.engine.add_module(optimized(code(host(), name, *choices), self.machine))
        self.engine.finalize_object()
        return self.engine.get_function_address(name)


_engines: dict[str, Engine] = {}


def engine() -> Engine:
    """Return the only engine: code of another would be freed with it. Threads may ask for the first at once."""
    return _engines.get("one") or _engines.setdefault("one", Engine())


class CompilerThread:
    """The thread that compiles, one function after the other."""

    def __init__(self) -> None:
        self.start_afresh()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self.pause, after_in_parent=self.resume, after_in_child=self.start_afresh)

    def start_afresh(self) -> None:
        """Forget the thread, which does not live on in a forked process."""
        self.jobs, self.threads, self.paused = SimpleQueue(), [], []

    def pause(self) -> None:
        """Let the thread finish what it compiles, so that a forked process finds everything in order."""
        if self.threads:
            reached, resumed = SimpleQueue(), SimpleQueue()
            self.paused.append(resumed)
            self.jobs.put((lambda: (reached.put(None), resumed.get()), SimpleQueue()))
            reached.get()

    def resume(self) -> None:
        """Let the thread go on."""
        while self.paused:
            self.paused.pop().put(None)

    def compile(self, code: Callable[..., str], choices: tuple[Any, ...]) -> int:
        """Return the address of a function, or raise what the thread met."""

        def job():
            return engine().compile(code, choices)

        if not self.threads and not self._start():
            return job()
        done = SimpleQueue()
        self.jobs.put((job, done))
        found = done.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def _start(self):
        """Start the thread, and return whether there is one."""
        try:
            threading.Thread(
                target=_serve, args=(self.jobs, self.threads), name="binxent_compiler", daemon=True
            ).start()
        except RuntimeError:  # "can't start new thread", or it is too late in the interpreter
            return False
        return True


def _serve(jobs, threads):
    """Compile for as long as the process lives."""
    threads.append(threading.current_thread())  # not by whoever starts it, who may be interrupted before
    if threads[0] is not threading.current_thread():
        return  # several were started at once
    while True:
        job, done = jobs.get()
        try:
            done.put(job())
        except BaseException as error:  # for whoever waits to raise
            done.put(error)
        del job, done


_thread = CompilerThread()
