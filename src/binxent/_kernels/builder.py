"""A small builder of LLVM code: what is computed with its values is appended to a function, as text.

Vectors have as many lanes as the processor's widest registers, so code is fast without LLVM's loop vectoriser, is the
same for every element of a block, and is compiled in a tenth of the time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from binxent._kernels.targets import Target
from binxent._kernels.values import BITS, SHORT_NAMES, Value, Variable, constant, type_of

INDEX = "i64"


class Builder:
    """The code of one function, for one target."""

    def __init__(self, target: Target, name: str, arguments: int) -> None:
        self.target, self.name = target, name
        self.arguments = tuple(Value(self, INDEX, 1, (f"%a{k}",)) for k in range(arguments))
        self.reserved: list[str] = []
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self.known: dict[str, str] = {}
        self.count, self.block = 0, "start"

    def __str__(self) -> str:
        arguments = ", ".join(f"{INDEX} {parts}" for argument in self.arguments for parts in argument.parts)
        lines = [
            *sorted(self.declared),
            f"define {INDEX} @{self.name}({arguments}) #0 {{",
            "entry:",
            *self.reserved,
            "  br label %start",
            "start:",
            *self.lines,
            "}",
            # A vector on the stack shall lie in one cache line. LLVM's own default is half of what AVX-512 has, and a
            # loop that copies shall not become a call.
            'attributes #0 = { nounwind alignstack=64 "prefer-vector-width"="512" "no-builtins" }',
            "",
        ]
        return "\n".join(lines)

    def do(self, text: str) -> None:
        """Append an instruction that has no value."""
        self.lines.append(f"  {text}")

    def line(self, text: str) -> str:
        """Append an instruction, and return the name of its value."""
        self.count += 1
        self.lines.append(f"  %v{self.count} = {text}")
        return f"%v{self.count}"

    def append(self, kind: str, text: str, *operands: Value) -> Value:
        """Append an instruction for each part of its operands, whose values depend on nothing else."""
        found = []
        for names in zip(*(operand.parts for operand in operands), strict=True):
            complete = text.format(*names)
            if complete not in self.known:
                self.known[complete] = self.line(complete)
            found.append(self.known[complete])
        return Value(self, kind, operands[0].lanes, tuple(found))

    def reserve(self, kind: str) -> str:
        """Reserve memory for a value, and return the name of its address."""
        name = f"%m{len(self.reserved)}"
        self.reserved.append(f"  {name} = alloca {kind}")
        return name

    def number(self, kind: str, value: float) -> Value:
        """Return a constant."""
        return Value(self, kind, 1, (constant(kind, 1, value),))

    def variable(self, initial: Value | int) -> Variable:
        """Return a variable; a Python number stands for an index."""
        return Variable(self, initial if isinstance(initial, Value) else self.number(INDEX, initial))

    def lanes(self, kind: str) -> int:
        """Return how many numbers a vector register holds."""
        return self.target.vector_bits // BITS[kind]

    def spread(self, value: Value, lanes: int, parts: int) -> Value:
        """Return the vectors that have a number in every lane."""
        if lanes == 1:
            return value
        kind = type_of(value.kind, lanes)
        first = self.line(f"insertelement {kind} poison, {value.type} {value.parts[0]}, i64 0")
        vector = self.line(f"shufflevector {kind} {first}, {kind} poison, <{lanes} x i32> zeroinitializer")
        return Value(self, value.kind, lanes, (vector,) * parts)

    def intrinsic(self, name: str, *operands: Value) -> Value:
        """Append a call of a function that LLVM makes an instruction of; operands and value have one type."""
        first = operands[0]
        short = SHORT_NAMES.get(first.kind, first.kind)
        function = f"@llvm.{name}.{short if first.lanes == 1 else f'v{first.lanes}{short}'}"
        self.declared.add(f"declare {first.type} {function}({', '.join([first.type] * len(operands))})")
        return self.append(
            first.kind, f"call {first.type} {function}({', '.join([f'{first.type} {{}}'] * len(operands))})", *operands
        )

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """Return a where the condition holds, and b elsewhere, without a branch."""
        flags = " nsz" if a.is_float else ""
        return self.append(
            a.kind, f"select{flags} {condition.type} {{}}, {a.type} {{}}, {b.type} {{}}", condition, a, b
        )

    def least(self, a: Value, b: Value | int) -> Value:
        """Return the lesser of two whole numbers."""
        b = b if isinstance(b, Value) else a.like(b)
        return self.select(a < b, a, b)

    def pointer(self, address: Value, kind: str, index: Value | int = 0) -> str:
        """Return the name of a pointer to an element of an array."""
        base = self.append("ptr", "inttoptr i64 {} to ptr", address).parts[0]
        if isinstance(index, int) and index == 0:
            return base
        place = index if isinstance(index, Value) else self.number(INDEX, index)
        return self.append("ptr", f"getelementptr {kind}, ptr {base}, {INDEX} {{}}", place).parts[0]

    def load(self, kind: str, address: Value, index: Value | int = 0, lanes: int = 1, parts: int = 1) -> Value:
        """Return the numbers from an index of an array on, at any alignment."""
        first, wide = self.pointer(address, kind, index), type_of(kind, lanes)
        places = [first, *(self.line(f"getelementptr {wide}, ptr {first}, i64 {k}") for k in range(1, parts))]
        return Value(self, kind, lanes, tuple(self.line(f"load {wide}, ptr {place}, align 1") for place in places))

    def store(self, value: Value, address: Value, index: Value | int = 0) -> None:
        """Write numbers from an index of an array on."""
        first = self.pointer(address, value.kind, index)
        for k, part in enumerate(value.parts):
            place = first if k == 0 else self.line(f"getelementptr {value.type}, ptr {first}, i64 {k}")
            self.do(f"store {value.type} {part}, ptr {place}, align 1")

    def call(self, function: Value, *arguments: Value) -> Value:
        """Call a function at an address, of whole numbers, and return the whole number that it returns."""
        operands = ", ".join(f"{INDEX} {argument.parts[0]}" for argument in arguments)
        return Value(self, INDEX, 1, (self.line(f"call {INDEX} {self.pointer(function, 'i8')}({operands})"),))

    def fetch_and_add(self, address: Value, count: int) -> Value:
        """Add to the number at an address, in one step for all threads, and return what was there."""
        text = f"atomicrmw add ptr {self.pointer(address, INDEX)}, i64 {count} seq_cst"
        return Value(self, INDEX, 1, (self.line(text),))

    def filled(self, kind: str, lanes: int, value: float) -> Value:
        """Return a constant in every lane of a vector."""
        return Value(self, kind, lanes, (constant(kind, lanes, value),))

    def lane_numbers(self, first: int, lanes: int) -> Value:
        """Return the vector of the whole numbers from the first on."""
        numbers = ", ".join(f"{INDEX} {first + k}" for k in range(lanes))
        return Value(self, INDEX, lanes, (f"<{numbers}>",))

    def sum(self, a: Value, b: Value) -> Value:
        """Return a + b with the sign of a zero."""
        return self.append(a.kind, f"fadd {a.type} {{}}, {{}}", a, b)

    def sum_of_parts(self, x: Value) -> Value:
        """Return the sum of the parts, which are 1, 2 or 4, in pairs: that of equal numbers is exact."""
        parts = x.each_part()
        while len(parts) > 1:
            parts = [self.sum(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    def without_negative_zero(self, x: Value) -> Value:
        """Return x, with 0 in place of -0."""
        return self.sum(x, x.like(0))

    def greatest_bits(self, greatest: Value, x: Value) -> Value:
        """Return the greater of some bits and those of the parts of a float."""
        for part in x.bits_as(greatest.kind).each_part():
            greatest = self.select(greatest.compare("ugt", part), greatest, part)
        return greatest

    def any_of(self, condition: Value) -> Value:
        """Return 1 if a condition holds in any lane, else 0."""
        if condition.lanes > 1:
            whole = self.line(f"bitcast {condition.type} {condition.parts[0]} to i{condition.lanes}")
            return Value(self, "i1", 1, (self.line(f"icmp ne i{condition.lanes} {whole}, 0"),)).to(INDEX, signed=False)
        return condition.to(INDEX, signed=False)

    def set_float_mode(self) -> Value:
        """Let subnormal numbers be numbers, whatever this thread's mode is, and return that mode."""
        if self.target.is_arm:
            self.declared |= {"declare i64 @llvm.aarch64.get.fpcr()", "declare void @llvm.aarch64.set.fpcr(i64)"}
            mode = Value(self, INDEX, 1, (self.line("call i64 @llvm.aarch64.get.fpcr()"),))
            self.do("call void @llvm.aarch64.set.fpcr(i64 0)")
            return mode
        if not self.target.is_x86:
            return self.number(INDEX, 0)
        self.declared |= {f"declare void @llvm.x86.sse.{name}mxcsr(ptr)" for name in ("ld", "st")}
        place = self.reserve("i32")
        self.do(f"call void @llvm.x86.sse.stmxcsr(ptr {place})")
        mode = Value(self, "i32", 1, (self.line(f"load i32, ptr {place}"),))
        self.restore_float_mode(self.number("i32", 0x1F80))  # what a thread starts with: no exception is raised
        return mode

    def restore_float_mode(self, mode: Value) -> None:
        """Go back to a mode."""
        if self.target.is_arm:
            self.do(f"call void @llvm.aarch64.set.fpcr(i64 {mode.parts[0]})")
        if self.target.is_x86:
            place = self.reserve("i32")
            self.do(f"store i32 {mode.parts[0]}, ptr {place}")
            self.do(f"call void @llvm.x86.sse.ldmxcsr(ptr {place})")

    def sum_of(self, vector: Value) -> Value:
        """Return the sum of the lanes of a vector, in an order that depends on their number only."""
        lanes, kind = vector.lanes, vector.type
        total = vector.parts[0]
        while lanes > 1:
            lanes //= 2
            order = ", ".join(f"i32 {k}" for k in range(lanes))
            upper = ", ".join(f"i32 {k + lanes}" for k in range(lanes))
            half = f"<{lanes} x {vector.kind}>"
            low, high = (
                self.line(f"shufflevector {kind} {total}, {kind} poison, <{lanes} x i32> <{each}>")
                for each in (order, upper)
            )
            total, kind = self.line(f"fadd {half} {low}, {high}"), half
        name = self.line(f"extractelement {kind} {total}, i64 0")
        return Value(self, vector.kind, 1, (name,))

    def enter(self, label: str) -> None:
        """Begin a block of instructions."""
        self.lines.append(f"{label}:")
        self.block, self.known = label, {}

    def labels(self, *names: str) -> list[str]:
        """Return new labels."""
        self.count += 1
        return [f"{name}{self.count}" for name in names]

    @contextmanager
    def loop_while(self, condition: Callable[[], Value]) -> Iterator[None]:
        """Repeat what is appended as long as a condition holds, which is computed before each turn."""
        head, body, after = self.labels("head", "body", "after")
        self.do(f"br label %{head}")
        self.enter(head)
        self.do(f"br i1 {condition().parts[0]}, label %{body}, label %{after}")
        self.enter(body)
        yield
        self.do(f"br label %{head}")
        self.enter(after)

    @contextmanager
    def loop(self, start: Value | int, stop: Value | int, step: int = 1) -> Iterator[Value]:
        """Repeat what is appended for an index from start on, in steps, below stop."""
        index = self.variable(start)
        with self.loop_while(lambda: index.value < stop):
            here = index.value
            yield here
            index.value = here + step

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Do what is appended only if a condition holds."""
        body, after = self.labels("body", "after")
        self.do(f"br i1 {condition.parts[0]}, label %{body}, label %{after}")
        self.enter(body)
        yield
        self.do(f"br label %{after}")
        self.enter(after)

    def give_back(self, value: Value | None = None) -> str:
        """End the function with a whole number, 0 if there is none, and return its code."""
        self.do(f"ret {INDEX} {value.parts[0] if value is not None else 0}")
        return str(self)
