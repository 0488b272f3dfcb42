"""The GPU driver without a GPU, in processes of its own: interpreted on CPU tensors, or compiled but not run.

Triton decides when a kernel is defined whether it is to be interpreted, and the interpreter changes Triton's own
modules, so none of this may happen in the process of the tests.
"""

import inspect
import os
import pickle
import re
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import NamedTuple

from binxent.torch._drivers import Operands


class Elsewhere:
    """Calls functions of the driver in another process."""

    def __init__(self, execute):
        self.execute, self.pool = execute, ProcessPoolExecutor(1, get_context("spawn"))

    def __call__(self, function, *arguments, settings=None, **options):
        """Call a function by its name; `settings` replaces constants of the driver's module, for this call."""
        if function == "fuse":
            loss, *tensors = arguments
            loss = loss.pointwise
            has_pos_weight = len(tensors) > 3 and tensors[3] is not None
            arguments = loss.with_pos_weight(1.0) if has_pos_weight else loss, Operands(*tensors)
        elif function == "tally":
            arguments = arguments[0].pointwise, *arguments[1:]
        sent = pickle.dumps((function, arguments, options, settings or {}))  # by value: no memory is shared
        return pickle.loads(self.pool.submit(self.execute, sent).result(timeout=240))

    def close(self):
        self.pool.shutdown(cancel_futures=True)


class Kernel(NamedTuple):
    """A compiled kernel."""

    name: str
    ptx: str
    registers: int
    stack: int


def interpret(sent):
    """Run a call; send back its result and its arguments, which it may have changed."""
    arguments, result = call(interpreted_driver(), sent)
    return pickle.dumps((result, arguments))


def compile_for(architecture, sent):
    """Compiles what a call launches, for a GPU of this architecture; sends back the kernels."""
    launched = compiling_driver()
    launched.clear()
    from triton.backends.compiler import GPUTarget

    Target.architecture = GPUTarget("cuda", architecture, 32)
    from binxent.torch import _triton

    call(_triton, sent)
    return pickle.dumps([described(kernel) for kernel in launched])


def call(module, sent):
    function, arguments, options, settings = pickle.loads(sent)
    before = {name: getattr(module, name) for name in settings}
    vars(module).update(settings)
    try:
        return arguments, getattr(module, function)(*arguments, **options)
    finally:
        vars(module).update(before)


@cache
def interpreted_driver():
    os.environ["TRITON_INTERPRET"] = "1"
    import triton
    import triton.language as tl
    from support import hill
    from triton.runtime import interpreter

    from binxent._core import formula_parts, formulas, modulations
    from binxent.torch import _triton

    def with_closure(self, tree):
        """Supply what a function closes over, which the interpreter forgets."""
        scope = vars(interpreter) | self.fn.__globals__ | inspect.getclosurevars(self.fn).nonlocals
        exec(compile(tree, self.filename, "exec"), scope)
        return scope[self.fn.__name__]

    interpreter.FunctionRewriter._compile_and_exec = with_closure
    for module in (formula_parts, formulas, modulations, hill):
        vars(module).update(tl=tl)  # by which it recognises Triton's functions
    del _triton._triton_maths.reciprocal  # which is PTX
    _triton._triton_maths.lost_by_product = formula_parts.lost_by_product  # it rounds the product of a tl.fma
    # Nor can it take a tensor from a constant, but it can from a number.
    _triton.formulas_for_blocks = cache(lambda: formulas.build_formulas(_triton._triton_maths, triton.jit, float))
    return _triton


class Target:
    """Stands in for a GPU, as far as the compiler asks."""

    architecture = None

    def get_current_target(self):
        return self.architecture

    def get_current_device(self):
        return self.architecture.arch  # kernels are kept by device

    def get_current_stream(self, device):
        return 0


@cache
def compiling_driver():
    os.environ["TRITON_CACHE_DIR"] = tempfile.mkdtemp()
    import triton

    launched, run = [], triton.runtime.JITFunction.run

    def compile_only(self, *arguments, grid, warmup, **options):
        launched.append(run(self, *arguments, grid=grid, warmup=True, **options))

    triton.runtime.driver.set_active(Target())
    triton.runtime.JITFunction.run = compile_only
    return launched


def described(kernel):
    """Return what there is to know about a compiled kernel."""
    import triton

    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(kernel.asm["cubin"])
        file.flush()
        command = [triton.knobs.nvidia.cuobjdump.path, "-res-usage", file.name]
        usage = subprocess.run(command, capture_output=True, text=True, check=True)
    registers, stack = (int(re.search(rf"{word}:(\d+)", usage.stdout + usage.stderr)[1]) for word in ("REG", "STACK"))
    return Kernel(kernel.metadata.name, kernel.asm["ptx"], registers, stack)
