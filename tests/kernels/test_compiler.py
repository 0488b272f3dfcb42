"""Generated code for every kind of processor; compilation that interrupts, forks and refused threads leave in order."""

import re
import signal

import llvmlite.binding as llvm
import pytest

from binxent._core import formulas
from binxent._kernels import blocks, loops, movers
from binxent._kernels.builder import Builder
from binxent._kernels.targets import Target, machine, optimized

LINUX = "x86_64-unknown-linux-gnu"
# The triple, the processor, its features, and what is done with its widest registers.
TARGETS = {
    "generic x86-64": (LINUX, "x86-64", "", r"mulps\s+.*%xmm"),
    "AVX2": (LINUX, "x86-64-v3", "+avx2,+fma,+f16c", r"vfmadd\w+ps\s+.*%ymm"),
    "AVX2 on Windows": ("x86_64-pc-windows-msvc-elf", "x86-64-v3", "+avx2,+fma,+f16c", r"vfmadd\w+ps\s+.*%ymm"),
    "AVX-512": (LINUX, "x86-64-v4", "+avx2,+fma,+f16c,+avx512f", r"vfmadd\w+ps\s+.*%zmm"),
    "NEON": ("aarch64-unknown-linux-gnu", "neoverse-n1", "+neon", r"fmla\s+v\d+\.4s"),
    "NEON on macOS": ("arm64-apple-darwin", "apple-m1", "+neon", r"fmla\.4s\s+v\d+"),
}
CALL = re.compile(r"^\s+(?:call[ql]?|bl|b|jmp[ql]?)\s+(?!\*|\.L|L|\w+$(?<=x\d)|\w+$(?<=x\d\d))(\S+)", re.M)
WEIGHING = [("float", "float", False), ("float", "double", True), ("double", "double", False)]
EVERYTHING = [
    (loops.evaluate, "logit", (formulas.unweighted_bce,), "sum", 1, (), False, False, "float"),
    (loops.evaluate, "probability", (formulas.focal, "any"), "each", 2, (False, True, False), True, True, "double"),
    (loops.evaluate, "clipped_probability", (formulas.asymmetric, 1, 4, True), "sum", 1, (False,) * 3, False, True,
     "float"),
    (loops.evaluate, None, None, "sum", 0, (), True, False, "float"),
    (blocks.run,),
    (blocks.end,),
    *((blocks.weigh, *choices) for choices in WEIGHING),
    *((blocks.add_up, kind) for kind in ("float", "double")),
    (movers.gather, "float64", "float", True),
    *((movers.gather, dtype, kind) for dtype in movers.STORAGE for kind in ("float", "double")),
    *((movers.scatter, f"{kind}{bits}", "double") for kind, bits in (("float", 16), ("bfloat", 16), ("float", 32))),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def every_target():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def assembly(target, code):
    made = machine(target, codemodel="small")  # calls functions by their names
    return made.emit_assembly(optimized(code, made))


def calls(text):
    """What assembly calls by name: functions of a library."""
    return set(CALL.findall(text))


@pytest.mark.parametrize("name", TARGETS)
def test_code_uses_the_widest_registers_and_calls_no_library(name):
    *target, registers = TARGETS[name]
    target = Target(*target)
    for code, *choices in EVERYTHING:
        text = assembly(target, code(target, "code", *choices))
        assert calls(text) == set(), (code, choices)
        if code is loops.evaluate and choices[1] is not None and choices[-1] == "float":
            assert len(re.findall(registers, text)) > 10, text


@pytest.mark.parametrize("name", TARGETS)
def test_calls_are_seen(name):
    """The twin: a function that no processor has an instruction for."""
    target = Target(*TARGETS[name][:3])
    b = Builder(target, "code", 1)
    x = b.load("float", b.arguments[0])
    b.store(b.intrinsic("exp", x), b.arguments[0])
    assert len(calls(assembly(target, b.give_back()))) == 1


def test_code_may_drop_the_sign_of_a_zero_and_nothing_else():
    target = Target(*TARGETS["AVX-512"][:3])
    flags = ["nnan", "ninf", "arcp", "contract", "afn", "reassoc", "fast"]
    for code, *choices in EVERYTHING:
        text = code(target, "code", *choices)
        assert not set(flags) & set(re.findall(r"\w+", text))
    assert "fmul nsz <16 x float>" in loops.evaluate(target, "code", *EVERYTHING[0][1:])


def test_nothing_loads_numba(interpreter):
    program = "import numpy as np, binxent as bx, sys; bx.value_and_grad(bx.BinaryCrossentropy(True), [1.0], [0.0])\n"
    program += "print('llvmlite' in sys.modules, 'numba' in sys.modules)"
    assert interpreter(program).split() == ["True", "False"]


INTERRUPTS = """
import signal
import threading
import numpy as np
import binxent as bx
from llvmlite.binding import ffi

class Interrupt(BaseException):
    pass

def handle(*_):
    if computes:
        found.append(float(bx.PolyBinaryCrossentropy(count / 100, from_logits=True, dtype="float64")(y, y)))
    else:
        raise Interrupt

y = np.zeros(8)
bx.BinaryCrossentropy(True)(y, y)
found, ended, callers = [], 0, set()
# An interrupt of a thread that holds the lock of llvmlite may leave it locked.
ffi.register_lock_callback(lambda: callers.add(threading.current_thread()), lambda: None)
signal.signal(signal.SIGALRM, handle)
for count in range(60):
    computes = count % 3 == 0
    loss = bx.AsymmetricCrossentropy(count % 5, count % 4, count / 200, from_logits=True, reduction="none")
    signal.setitimer(signal.ITIMER_REAL, 0.02 * np.random.random() + 1e-6)
    try:
        loss(y.astype("float32" if count % 2 else "float64"), y.astype("float32" if count % 2 else "float64"))
    except Interrupt:
        ended += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
results = []
thread = threading.Thread(target=lambda: results.append(bx.BinaryFocalCrossentropy(gamma=3.5, from_logits=True)(y, y)))
thread.start()
thread.join(20)
print(len(results), ended > 5, len(found) > 2, threading.main_thread() in callers)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer")
def test_interrupts_leave_the_compiler_in_order(interpreter):
    assert interpreter(INTERRUPTS).split() == ["1", "True", "True", "False"]


FORK = """
import os
import threading
import numpy as np
import binxent as bx

y = np.zeros(8)
bx.BinaryCrossentropy(True)(y, y)
work = threading.Thread(target=lambda: [bx.AsymmetricCrossentropy(k, k, from_logits=True)(y, y) for k in range(5)])
work.start()
for _ in range(4):
    child = os.fork()
    if child == 0:
        os._exit(not np.isclose(bx.PolyBinaryCrossentropy(from_logits=True)(y, y), np.log(2) + 0.5))
    print(os.waitpid(child, 0)[1])
work.join()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs os.fork")
def test_a_fork_while_a_thread_compiles(interpreter):
    assert interpreter(FORK, PYTHONWARNINGS="ignore").split() == ["0"] * 4


REFUSED = """
import threading
import numpy as np
import binxent as bx

def refuse(thread):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refuse
print(float(bx.BinaryCrossentropy(True)(np.zeros(8), np.zeros(8)).round(8)))
"""


def test_a_process_without_room_for_threads_compiles(interpreter):
    assert interpreter(REFUSED).split() == ["0.69314718"]


FLUSHED = """
import sys
import numpy as np
import torch
import binxent as bx

bx.set_num_threads(int(sys.argv[1]))
x = np.linspace(-104, -80, 300_000, dtype=np.float32)
y, tiny = np.zeros_like(x), torch.tensor(1e-42)

def compute():
    found = bx.value_and_grad(bx.BinaryCrossentropy(True, axis=(), reduction="none"), y, x)
    return [each.tobytes() for each in found]  # in that mode subnormal numbers equal 0

want = compute()
assert ((x < -88) & (np.frombuffer(want[1], np.float32) > 0)).sum() > 100_000
assert torch.set_flush_denormal(True) and float(tiny * 1) == 0
for _ in range(5):
    assert compute() == want
    assert float(tiny * 1) == 0, "the mode must be what it was"
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_bits_do_not_depend_on_the_mode_of_a_thread(interpreter, threads):
    pytest.importorskip("torch")
    interpreter(FLUSHED, threads)
