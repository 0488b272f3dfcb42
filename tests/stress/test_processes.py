"""First calls of many threads, processes that fork and start in the middle, and tensors that are freed meanwhile."""

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

LOSSES = """
import threading
import numpy as np
import binxent as bx

bx.set_num_threads(3)
n = 200_000
rng = np.random.default_rng(0)
x, y = rng.normal(size=n).astype(np.float32), (rng.random(n) < 0.5).astype(np.float32)
losses = [
    bx.BinaryCrossentropy(True), bx.BinaryCrossentropy(True, pos_weight=2.0),
    bx.PolyBinaryCrossentropy(from_logits=True), bx.BinaryFocalCrossentropy(from_logits=True),
    bx.BinaryFocalCrossentropy(gamma=1.5, from_logits=True),
    bx.AsymmetricCrossentropy(from_logits=True), bx.BinaryCrossentropy(True, ignore_label=0),
    bx.BinaryCrossentropy(True, label_smoothing=0.1, reduction="sum"),
]

def compute(loss):
    value, grad = bx.value_and_grad(loss, y, x)
    return float(value), grad.tobytes()
"""

FIRST_CALLS = (
    LOSSES
    + """
start, found = threading.Barrier(2 * len(losses)), []

def call(loss):
    start.wait()
    found.append((loss, compute(loss)))

callers = [threading.Thread(target=call, args=(loss,)) for loss in losses * 2]
[caller.start() for caller in callers]
[caller.join() for caller in callers]
print(len(found), all(compute(loss) == results for loss, results in found), len({value for _, (value, _) in found}))
"""
)


def test_the_first_calls_may_come_from_many_threads(interpreter):
    """Two for each loss, so that the same function is wanted twice while it is compiled."""
    assert interpreter(FIRST_CALLS).split() == ["16", "True", "8"]


FORK = (
    LOSSES
    + """
import os
import sys

want = [compute(loss) for loss in losses]  # threads are running now
wrong, stop = [], threading.Event()

def go_on():
    while not stop.is_set():
        wrong.extend(loss for loss, results in zip(losses, want) if compute(loss) != results)

thread = threading.Thread(target=go_on)
if sys.argv[1] == "busy":
    thread.start()
statuses = []
for _ in range(6):
    child = os.fork()
    if child == 0:
        alike = [compute(loss) == results for loss, results in zip(losses, want)]
        new = compute(bx.AsymmetricCrossentropy(2, 3, from_logits=True))  # is compiled in the child
        helped = any(each.name == "binxent_0" for each in threading.enumerate())
        os._exit(not (all(alike) and new[0] > 0 and helped))
    statuses.append(os.waitpid(child, 0)[1])
stop.set()
if sys.argv[1] == "busy":
    thread.join()
print(statuses, wrong, all(compute(loss) == results for loss, results in zip(losses, want)))
"""
)


@needs_fork
@pytest.mark.parametrize("others", ["idle", "busy"])
def test_a_fork_finds_threads_of_its_own(interpreter, others):
    """Also while another thread computes, whose helpers do not live on in the child."""
    assert interpreter(FORK, others, PYTHONWARNINGS="ignore").strip() == "[0, 0, 0, 0, 0, 0] [] True"


POOL = (
    LOSSES
    + """
import multiprocessing
import sys

if __name__ == "__main__":
    want = [float(loss(y, x)) for loss in losses]
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        found = [pool.apply_async(loss, (y, x)) for loss in losses]
        here = [float(loss(y, x)) for loss in losses]  # meanwhile
        print([float(each.get()) for each in found] == want == here)
"""
)


@pytest.mark.parametrize("method", [pytest.param("fork", marks=needs_fork), "spawn"])
def test_a_pool_of_processes_computes(interpreter, method):
    assert interpreter(POOL, method, PYTHONWARNINGS="ignore").split() == ["True"]


FREED = """
import gc
import threading
import numpy as np
import torch
from binxent.torch import BCEWithLogitsLoss, _cpu, sigmoid_focal_loss
from support.guarded import guarded

torch.set_num_threads(4)
n = (1 << 18) + 3
_cpu.allocate, _cpu.LARGE = guarded, 1 << 16  # memory that nobody may touch once it is freed
rng = np.random.default_rng(0)
values = rng.normal(size=n), rng.random(n), rng.random(n)

def tensors(dtype):
    for each in values:
        memory = guarded(n * np.dtype(dtype).itemsize).view(dtype)
        memory[...] = each
        yield torch.from_numpy(memory)

def step(dtype, free):
    x, y, w = tensors(dtype)
    leaf = x.requires_grad_()
    losses = [BCEWithLogitsLoss(weight=w)(x, y), sigmoid_focal_loss(x, y, reduction="none").mul(w).sum()]
    held = [x, y, w]
    del x, y, w
    total = sum(losses)
    del losses
    total.backward(retain_graph=True)
    if free:
        thread = threading.Thread(target=lambda: (held.clear(), gc.collect(0)))
        thread.start()
    total.backward()  # by the kernels, from the tensors that autograd has kept
    del total
    if free:
        thread.join()
    grad = leaf.grad.numpy().copy()
    leaf.grad = None
    return grad

for dtype in ("float32", "float64", "float16"):
    want = step(dtype, False)
    for _ in range(10):
        assert (step(dtype, True) == want).all()
"""


def test_tensors_may_be_freed_during_backward(interpreter):
    pytest.importorskip("torch")
    interpreter(FREED, package=TESTS)
