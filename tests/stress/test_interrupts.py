"""Exceptions that leave a call at any point, in every door that runs on threads: nothing is touched afterwards."""

import signal
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer"),
]

# The memory of operands and results is given back when a call has ended, or holds something else: a thread that still
# touches it ends the process, or changes what it holds now.
INTERRUPTS = """
import random
import signal
import sys
import time
import numpy as np
import binxent as bx
from support.guarded import guarded

door, wanted, n = sys.argv[1], int(sys.argv[2]), (1 << 18) + 3
rng = np.random.default_rng(0)
values = rng.normal(size=n), rng.random(n)

def operands():
    for each in values:
        memory = guarded(8 * n).view(np.float64)
        memory[...] = each
        yield memory

if door == "numpy":
    loss = bx.BinaryFocalCrossentropy(gamma=2.5, from_logits=True)

    def call(x, y):
        value, grad = bx.value_and_grad(loss, y, x, out=out)
        return value, grad[::1000].sum()
elif door == "torch":
    import torch
    from binxent.torch import _cpu, sigmoid_focal_loss
    torch.set_num_threads(4)
    _cpu.allocate, _cpu.LARGE = guarded, 1 << 20

    def call(x, y):
        x = torch.from_numpy(x).requires_grad_()
        loss = sigmoid_focal_loss(x, torch.from_numpy(y), gamma=2.5, reduction="mean")
        loss.backward()
        return loss.item(), x.grad[::1000].sum().item()
else:
    import tensorflow as tf
    from binxent.tensorflow import _eager, sigmoid_focal_cross_entropy_with_logits
    _eager.allocate = guarded

    def call(x, y):
        x, y = tf.experimental.dlpack.from_dlpack(x.__dlpack__()), tf.experimental.dlpack.from_dlpack(y.__dlpack__())
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = sigmoid_focal_cross_entropy_with_logits(y, x, gamma=2.5)
        return loss.numpy()[::1000].sum(), tape.gradient(loss, x).numpy()[::1000].sum()

class Interrupt(BaseException):
    pass

def handle(_, frame):
    global left
    while frame and frame.f_code is not call.__code__:
        frame = frame.f_back
    if frame and left > 0:
        left -= 1
        signal.setitimer(signal.ITIMER_REAL, 2e-5)  # the next comes while the call ends
        raise Interrupt

bx.set_num_threads(4)
out = guarded(8 * n).view(np.float64)
want, ended = call(*operands()), 0
signal.signal(signal.SIGALRM, handle)
while ended < wanted:
    x, y = operands()
    left = random.choice([1, 1, 2, 5])
    signal.setitimer(signal.ITIMER_REAL, 10 ** random.uniform(-4.7, -2.5))
    try:
        call(x, y)
    except Interrupt:
        ended += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    del x, y
    others = [out.view(np.uint8), *(guarded(8 * n) for _ in range(3))]
    for other in others:
        other.fill(7)
    time.sleep(2e-4)
    assert all((other == 7).all() for other in others)
    del other, others
    assert call(*operands()) == want
"""


@pytest.mark.parametrize("door", ["numpy", "torch", "tensorflow"])
def test_nothing_is_touched_after_an_interrupted_call(interpreter, door):
    pytest.importorskip(door)
    interpreter(INTERRUPTS, door, {"numpy": 80, "torch": 30, "tensorflow": 40}[door], package=TESTS, timeout=180)
