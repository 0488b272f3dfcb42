"""The console script ``binxent``: runs the commands, or prints how to install the packages that they need."""

import contextlib
import os
import sys

INTERRUPTED = 130  # the exit status after Ctrl-C


def main() -> None:
    """Run the command line.

    Raises:
        SystemExit: Always; with status 0 on success, 2 on an error of use or input, 130 on Ctrl-C.
    """
    sys.unraisablehook = _raise_interrupt_again
    try:
        _run()
    except KeyboardInterrupt:
        sys.stderr.write("binxent: Interrupted.\n")
        _end_at_once()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _end_at_once()
        raise


def _run() -> None:
    try:
        from binxent.workbench.commands import workbench
    except ModuleNotFoundError as missing:
        if missing.name != "click":
            raise
        sys.stderr.write("binxent: the command line needs the package `click`: pip install 'binxent[train]'\n")
        raise SystemExit(2) from None
    # Networks are trained on JAX. To recognise tensors when it saves, Keras would spend seconds on loading TensorFlow.
    sys.modules.setdefault("tensorflow", None)  # pyright: ignore[reportArgumentType]
    workbench()


def _raise_interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Raise a Ctrl-C again that came where Python drops exceptions, such as a callback of its garbage collection."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
        return
    import _thread
    import threading

    again = threading.Timer(0.1, _thread.interrupt_main)  # at once it would be raised in here, and dropped again
    again.daemon = True
    again.start()


def _end_at_once() -> None:
    # JAX crashes if Python ends in the middle of its computations.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # nobody reads it any more
            stream.flush()
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
