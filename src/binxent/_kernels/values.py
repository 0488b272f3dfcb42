"""The values of code that is being built: numbers and vectors, whose operators append instructions.

A value is a number of the code, or several: a vector has `lanes` of them, and where more than one vector is worked on
at a time, a value has several vectors, its `parts`.

LLVM may drop the sign of a zero (`nsz`), and nothing else: with nnan or ninf NaN would vanish, and with contract it
would fuse other products in one loop than in another.
"""

import operator
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from binxent._kernels.builder import Builder

BITS = {"float": 32, "double": 64, "half": 16, "i1": 1, "i8": 8, "i16": 16, "i32": 32, "i64": 64}
SHORT_NAMES = {"float": "f32", "double": "f64", "half": "f16"}
WHOLE = {32: "i32", 64: "i64"}  # by number of bits


class Value:
    """A value that the code will have; its operators append instructions."""

    __slots__ = ("builder", "kind", "lanes", "parts")
    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __init__(self, builder: "Builder", kind: str, lanes: int, parts: tuple[str, ...]) -> None:
        self.builder, self.kind, self.lanes, self.parts = builder, kind, lanes, parts

    @property
    def type(self) -> str:
        """LLVM's name of the type of each part."""
        return type_of(self.kind, self.lanes)

    @property
    def is_float(self) -> bool:
        """Whether it is a floating number."""
        return self.kind in SHORT_NAMES

    @property
    def first(self) -> "Value":
        """The first part."""
        return Value(self.builder, self.kind, self.lanes, self.parts[:1])

    def each_part(self) -> list["Value"]:
        """Return the parts as values."""
        return [Value(self.builder, self.kind, self.lanes, (part,)) for part in self.parts]

    def like(self, number: float) -> "Value":
        """Return a constant in the kind and the lanes of this value."""
        text = constant(self.kind, self.lanes, number)
        return Value(self.builder, self.kind, self.lanes, (text,) * len(self.parts))

    def _pair(self, other: Any) -> "Value":
        return other if isinstance(other, Value) else self.like(other)

    def binary(self, whole: str, floating: str, other: Any) -> "Value":
        """Append an instruction of two operands, which has one name for whole and one for floating numbers."""
        name = f"{floating} nsz" if self.is_float else whole
        return self.builder.append(self.kind, f"{name} {self.type} {{}}, {{}}", self, self._pair(other))

    def compare(self, relation: str, other: Any) -> "Value":
        """Append an ordered comparison of floating numbers, or one of signed whole numbers."""
        if self.is_float:
            name = f"fcmp o{relation}" if relation != "ne" else "fcmp une"
        else:
            name = f"icmp {relation}" if relation in ("eq", "ne") or relation[0] == "u" else f"icmp s{relation}"
        return self.builder.append("i1", f"{name} {self.type} {{}}, {{}}", self, self._pair(other))

    def __add__(self, other: Any) -> "Value":
        return self.binary("add", "fadd", other)

    def __sub__(self, other: Any) -> "Value":
        return self.binary("sub", "fsub", other)

    def __mul__(self, other: Any) -> "Value":
        return self.binary("mul", "fmul", other)

    def __truediv__(self, other: Any) -> "Value":
        return self.binary("", "fdiv", other)

    def __radd__(self, other: float) -> "Value":
        return self.like(other) + self

    def __rsub__(self, other: float) -> "Value":
        return self.like(other) - self

    def __rmul__(self, other: float) -> "Value":
        return self.like(other) * self

    def __rtruediv__(self, other: float) -> "Value":
        return self.like(other) / self

    def __floordiv__(self, other: Any) -> "Value":
        return self.binary("udiv", "", other)

    def __mod__(self, other: Any) -> "Value":
        return self.binary("urem", "", other)

    def __and__(self, other: Any) -> "Value":
        return self.binary("and", "", other)

    def __or__(self, other: Any) -> "Value":
        return self.binary("or", "", other)

    def __lshift__(self, other: Any) -> "Value":
        return self.binary("shl", "", other)

    def __rshift__(self, other: Any) -> "Value":
        return self.binary("lshr", "", other)

    def __neg__(self) -> "Value":
        return self.builder.append(self.kind, f"fneg nsz {self.type} {{}}", self) if self.is_float else 0 - self

    def __lt__(self, other: Any) -> "Value":
        return self.compare("lt", other)

    def __le__(self, other: Any) -> "Value":
        return self.compare("le", other)

    def __gt__(self, other: Any) -> "Value":
        return self.compare("gt", other)

    def __ge__(self, other: Any) -> "Value":
        return self.compare("ge", other)

    def __eq__(self, other: Any) -> "Value":  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.compare("eq", other)

    def __ne__(self, other: Any) -> "Value":  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.compare("ne", other)

    def bits_as(self, kind: str) -> "Value":
        """Return the value whose bits are the same."""
        return self._cast("bitcast", kind)

    def to(self, kind: str, *, signed: bool = True) -> "Value":
        """Return the value as another kind of number; whole numbers count as signed or not."""
        wider = BITS[kind] > BITS[self.kind]
        if kind == self.kind:
            return self
        if self.is_float:
            return self._cast("fpext" if wider else "fptrunc", kind)
        if kind in SHORT_NAMES:
            return self._cast("sitofp" if signed else "uitofp", kind)
        return self._cast(("sext" if signed else "zext") if wider else "trunc", kind)

    def _cast(self, name: str, kind: str) -> "Value":
        return self.builder.append(kind, f"{name} {self.type} {{}} to {type_of(kind, self.lanes)}", self)


class Variable:
    """A place for a value that changes, which LLVM keeps in a register."""

    def __init__(self, builder: "Builder", initial: Value) -> None:
        self.builder, self.kind, self.lanes = builder, initial.kind, initial.lanes
        self.places = tuple(builder.reserve(initial.type) for _ in initial.parts)
        self.value = initial

    @property
    def value(self) -> Value:
        """What it holds."""
        kind = type_of(self.kind, self.lanes)
        lines = [self.builder.line(f"load {kind}, ptr {place}") for place in self.places]
        return Value(self.builder, self.kind, self.lanes, tuple(lines))

    @value.setter
    def value(self, value: Value) -> None:
        for place, part in zip(self.places, value.parts, strict=True):
            self.builder.do(f"store {value.type} {part}, ptr {place}")


def type_of(kind: str, lanes: int) -> str:
    """Return LLVM's name of the type of one number or of a vector of them."""
    return kind if lanes == 1 else f"<{lanes} x {kind}>"


def constant(kind: str, lanes: int, number: Any) -> str:
    """Return a number as LLVM reads it, in every lane."""
    if kind in SHORT_NAMES:  # the bits of a float64 of the same value
        number = struct.unpack("f", struct.pack("f", number))[0] if kind == "float" else float(number)
        text = f"0x{struct.unpack('=Q', struct.pack('=d', number))[0]:016X}"
    else:
        text = str(operator.index(number))
    return text if lanes == 1 else f"splat ({kind} {text})"
