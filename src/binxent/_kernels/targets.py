"""What code is made for, and how LLVM makes it better."""

import os
from functools import cache
from typing import Any, NamedTuple

import llvmlite.binding as llvm


class Target(NamedTuple):
    """What code is made for.

    Attributes:
        triple: The system, in LLVM's words.
        processor: The name of the processor, in LLVM's words.
        features: What it offers, as +avx2,+fma.
    """

    triple: str
    processor: str
    features: str

    def has(self, feature: str) -> bool:
        """Return whether the processor offers a feature."""
        return f"+{feature}" in self.features.split(",")

    @property
    def is_x86(self) -> bool:
        """Whether it is of Intel's family."""
        return self.triple.startswith(("x86_64", "i686", "amd64"))

    @property
    def is_arm(self) -> bool:
        """Whether it is of ARM's family with 64 bits."""
        return self.triple.startswith(("aarch64", "arm64"))

    @property
    def has_fma(self) -> bool:
        """Whether it multiplies and adds in one instruction: LLVM would call a function of a library if not."""
        return self.has("fma") or not self.is_x86

    @property
    def has_halves(self) -> bool:
        """Whether it turns float32 into float16 and back: LLVM would call a function of a library if not."""
        return self.has("f16c") or self.is_arm

    @property
    def vector_bits(self) -> int:
        """The width of its vector registers."""
        return 512 if self.has("avx512f") else 256 if self.has("avx2") else 128

    @property
    def parts(self) -> int:
        """How many vectors a formula works on at a time, whose constants are then loaded once."""
        return 4 if self.vector_bits == 512 or self.is_arm else 2


@cache
def host() -> Target:
    """Return the machine that this process runs on; the environment variable BINXENT_CPU names another processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple, name = llvm.get_process_triple(), os.environ.get("BINXENT_CPU")
    if name:
        return Target(triple, name, "")
    return Target(triple, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())


def machine(target: Target, **options: Any) -> llvm.TargetMachine:
    """Return LLVM's own description of a target."""
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.processor, features=target.features, opt=3, **options
    )


def optimized(code: str, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """Return code as LLVM improves it; loops hold vectors already, and need neither be vectorised nor unrolled."""
    module = llvm.parse_assembly(code)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return module
