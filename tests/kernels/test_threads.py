"""The same bits on any number of threads; many callers at once; forks; an interpreter that shuts down."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.cases import predictions
from support.compare import same

import binxent as bx

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
        same([loss(y, x, w), *bx.value_grad_hess(loss, y, x, w)], want)


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
        same(other, found[0])


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
            same(list(callers.map(lambda one: bx.value_and_grad(*one), work)), want)


FIRST_CALLS = """
import threading
import numpy as np
import binxent as bx
start, results = threading.Barrier(6), []
y = np.zeros(200_000, np.float32)

def call():
    start.wait()
    results.append(bx.value_and_grad(bx.BinaryCrossentropy(True), y, y)[0])

callers = [threading.Thread(target=call) for _ in range(6)]
[caller.start() for caller in callers]
[caller.join() for caller in callers]
print(set(map(float, results)), len(results))
"""


def test_the_first_call_may_come_from_many_threads(interpreter):
    assert interpreter(FIRST_CALLS).split() == [f"{{{float(np.float32(np.log(2)))}}}", "6"]


FORK = """
import os
import sys
import numpy as np
import binxent as bx
y = np.zeros(500_000, np.float32)
loss = bx.BinaryCrossentropy(True)
want = bx.value_and_grad(loss, y, y)  # the pool of threads is running now

def agrees():
    got = bx.value_and_grad(loss, y, y)
    return got[0] == want[0] and (got[1] == want[1]).all()

if sys.argv[1] == "fork":
    child = os.fork()
    if child == 0:
        os._exit(0 if agrees() else 1)
    print(os.waitpid(child, 0)[1], agrees())
else:
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(1 - all(pool.starmap(agrees, [()] * 4)), agrees())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("how", ["fork", "pool"])
def test_a_fork_finds_threads_of_its_own(interpreter, how):
    assert interpreter(FORK, how, PYTHONWARNINGS="ignore", OMP_NUM_THREADS="2").split() == ["0", "True"]


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


def test_threads_do_run(set_num_threads):
    """The twin of the others here: several threads take part, or none of these tests says anything."""
    set_num_threads(2)
    y = np.zeros(1_000_000, np.float32)
    bx.BinaryCrossentropy(True)(y, y)
    assert any(thread.name.startswith("binxent") for thread in threading.enumerate())
