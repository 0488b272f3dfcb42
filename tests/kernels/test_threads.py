"""The same bits on any number of threads; many callers at once; refused threads; an interpreter that shuts down.

`tests/stress` has interrupts, and processes that fork and start.
"""

import os
import signal
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.cases import predictions
from support.compare import close

import binxent as bx
from binxent._kernels import fused
from binxent._kernels import threads as kernel_threads

pytestmark = pytest.mark.compiles

LOSSES = {
    "mean": (bx.BinaryCrossentropy(True), None),
    "weights": (bx.BinaryCrossentropy(True, reduction="mean_with_sample_weight"), 1),
    "ignored": (bx.BinaryCrossentropy(True, ignore_label=0), None),
    "samples": (bx.BinaryCrossentropy(True, reduction="none"), 1),
    "weight per label": (bx.BinaryCrossentropy(True, pos_weight=[2.0, 1.0, 3.0], reduction="sum"), None),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("rows", [682, 683, 65_536, 65_537, 133_000])
def test_the_same_bits_on_any_number_of_threads(name, rows, set_num_threads):
    loss, weights = LOSSES[name]
    y, x = predictions(True, (rows, 3))
    w = weights and np.random.default_rng(0).random(rows)
    set_num_threads(1)
    want = [loss(y, x, w), *bx.value_grad_hess(loss, y, x, w)]
    for count in (1, 2, 3, 4, 4):
        set_num_threads(count)
        close([loss(y, x, w), *bx.value_grad_hess(loss, y, x, w)], want, ulps=0)


@pytest.mark.parametrize("size", [2047, 2048, 2049, 131_071, 131_072, 131_073, 400_001])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_the_same_bits_around_the_borders_of_blocks(size, dtype, set_num_threads):
    y, x = predictions(True, (size,), dtype)
    loss = bx.BinaryCrossentropy(True)
    found = []
    for count in (1, 2, 4):
        set_num_threads(count)
        found.append(bx.value_and_grad(loss, y, x))
    for other in found[1:]:
        close(other, found[0], ulps=0)


def test_the_number_of_threads_can_be_set(set_num_threads):
    set_num_threads(3)
    assert bx.get_num_threads() == 3
    set_num_threads(1)
    assert bx.get_num_threads() == 1


@pytest.mark.parametrize(("wanted", "count"), [("1", 1), ("0", None), ("many", None), ("100000", None)])
def test_the_environment_says_how_many_threads(interpreter, wanted, count):
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    got = interpreter("import binxent as bx; print(bx.get_num_threads())", OMP_NUM_THREADS=wanted)
    assert int(got) == (count or available)


def test_many_threads_may_call_at_once(set_num_threads):
    set_num_threads(3)
    losses = [
        bx.BinaryCrossentropy(True),
        bx.BinaryFocalCrossentropy(from_logits=True),
        bx.BinaryCrossentropy(True, axis=0),
    ]
    batches = [predictions(True, (rows, 2), seed=rows) for rows in (10, 3000, 150_000, 200_000)]
    work = [(loss, *batch) for loss in losses for batch in batches] * 4
    want = [bx.value_and_grad(*one) for one in work]
    with ThreadPoolExecutor(8) as callers:
        for _ in range(3):
            close(list(callers.map(lambda one: bx.value_and_grad(*one), work)), want, ulps=0)


SHUTDOWN = """
import atexit
import sys
import threading
import numpy as np
import binxent as bx
y = np.zeros(500_000, np.float32)
loss = bx.BinaryCrossentropy(True)

def call():
    print(float(loss(y, y)), flush=True)

def call_late():
    threading.main_thread().join()
    call()

call()
if sys.argv[1] == "atexit":
    atexit.register(call)
else:
    threading.Thread(target=call_late).start()
"""


@pytest.mark.parametrize("where", ["atexit", "thread"])
def test_a_call_while_the_interpreter_shuts_down(interpreter, where):
    printed = interpreter(SHUTDOWN, where, OMP_NUM_THREADS="2").split()
    assert printed == [str(float(np.float32(np.log(2))))] * 2


def test_a_call_lasts_until_its_helpers_have_left(set_num_threads, monkeypatch):
    """Whatever is raised, at whatever point: here by a helper that still writes while the caller has given up."""
    set_num_threads(4)
    y, out = np.zeros(1 << 21, np.float32), np.empty(1 << 21, np.float32)

    def interrupted(call, helpers):
        raise KeyboardInterrupt

    monkeypatch.setattr(kernel_threads.Call, "wait", interrupted)
    for _ in range(20):
        with pytest.raises(KeyboardInterrupt):
            bx.value_and_grad(bx.BinaryFocalCrossentropy(from_logits=True), y, y, out=out)
        out.fill(7)
        assert (out == 7).all()


HANDLER = """
import signal
import numpy as np
import binxent as bx
bx.set_num_threads(3)
y, loss, found = np.zeros(500_000), bx.BinaryCrossentropy(True), []
values = {float(loss(y, y))}
signal.signal(signal.SIGALRM, lambda *_: found.append(float(loss(y, y))))
for _ in range(200):
    signal.setitimer(signal.ITIMER_REAL, 1e-3 * np.random.random() + 1e-6)
    values.add(float(loss(y, y)))
signal.setitimer(signal.ITIMER_REAL, 0)  # or it ends a process that has no handler any more
print({round(value, 8) for value in {*values, *found}}, len(found) > 5)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer")
def test_a_signal_handler_may_compute_a_loss(interpreter):
    assert interpreter(HANDLER).split() == ["{0.69314718}", "True"]


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_threads_that_the_system_refuses(monkeypatch, set_num_threads, allowed):
    """Those that have been started take part, and are waited for."""
    fresh, start, started = kernel_threads.Threads(), threading.Thread.start, []

    def refuse(thread):
        if len(started) == allowed:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(fused, "threads", fresh)
    fresh.count = 4
    y, x = predictions(True, (400_000,))
    found = [bx.value_and_grad(bx.BinaryCrossentropy(True), y, x) for _ in range(3)]
    assert len(started) == allowed
    assert len(fresh.helpers) <= allowed
    assert fresh.calls.qsize() <= 3 * allowed
    monkeypatch.undo()
    for one in found:
        close(one, bx.value_and_grad(bx.BinaryCrossentropy(True), y, x), ulps=0)


def test_arrays_are_let_go_after_a_call(set_num_threads):
    set_num_threads(3)
    y = np.zeros(500_000, np.float32)
    for _ in range(20):
        x = y.copy()
        bx.value_and_grad(bx.BinaryCrossentropy(True), y, x)
        gone = weakref.ref(x)
        del x
        assert gone() is None


def test_threads_do_run(set_num_threads):
    """The twin of the others here: several threads take part, or none of these tests says anything."""
    set_num_threads(2)
    y = np.zeros(1_000_000, np.float32)
    bx.BinaryCrossentropy(True)(y, y)
    assert any(thread.name.startswith("binxent") for thread in threading.enumerate())
