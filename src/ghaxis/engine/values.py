"""A small layer of typed values over LLVM IR text, so that emitted code reads like its plain twin.

Text is written directly: it is the fastest way to build it, and the text is what the cache and other machines need. Multiply-adds are
fused explicitly (or not at all, for machines without them), so that one lane and a vector of lanes give the same bits.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

Number = float | int
SUFFIXES = {"double": "f64", "float": "f32"}  # of LLVM's own functions
_BYTES = {"double": 8, "float": 4}
_LINE = 64  # bytes: no array is aligned to more
_COMPARE = {"<": ("olt", "slt"), "<=": ("ole", "sle"), ">": ("ogt", "sgt"), ">=": ("oge", "sge"), "==": ("oeq", "eq")}


@dataclass(frozen=True)
class Shape:
    """How many lanes a block has, what levels and rates are (`double` or `float`), and the LLVM types that follow.

    `threads`: each lane has a thread of its own, and values are of one.
    """

    lanes: int
    real: str = "double"
    threads: bool = False

    @property
    def width(self) -> int:
        """How many lanes a value holds."""
        return 1 if self.threads else self.lanes

    @property
    def kind(self) -> str:
        """The type of one level in all lanes."""
        return self.of(self.real)

    @property
    def align(self) -> int:
        """Bytes that it is aligned to in memory."""
        return min(_BYTES[self.real] * self.width, _LINE)

    @property
    def exact(self) -> Shape:
        """The same lanes in double, for clocks and sums."""
        return replace(self, real="double")

    def of(self, scalar: str) -> str:
        """The LLVM type of so many scalars."""
        return scalar if self.width == 1 else f"<{self.width} x {scalar}>"


@dataclass(frozen=True, eq=False)
class Value:
    """A value of the function being written; arithmetic on it writes instructions."""

    code: Code
    type: str
    name: str

    def __add__(self, other: Value | Number) -> Value:
        return self.code.binary("add", self, other)

    __radd__ = __add__

    def __sub__(self, other: Value | Number) -> Value:
        return self.code.binary("sub", self, other)

    def __rsub__(self, other: Number) -> Value:
        return self.code.binary("sub", self.code.number(self.type, other), self)

    def __mul__(self, other: Value | Number) -> Value:
        return self.code.binary("mul", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Value | Number) -> Value:
        return self.code.binary("div", self, other)

    def __rtruediv__(self, other: Number) -> Value:
        return self.code.binary("div", self.code.number(self.type, other), self)

    def __neg__(self) -> Value:
        return self.code.emit(self.type, f"fneg {self.type} {self.name}")

    def __and__(self, other: Value | Number) -> Value:
        return self.code.binary("and", self, other)

    def __or__(self, other: Value | Number) -> Value:
        return self.code.binary("or", self, other)

    def __invert__(self) -> Value:
        return self.code.binary("xor", self, -1)

    def __lt__(self, other: Value | Number) -> Value:
        return self.code.compare("<", self, other)

    def __le__(self, other: Value | Number) -> Value:
        return self.code.compare("<=", self, other)

    def __gt__(self, other: Value | Number) -> Value:
        return self.code.compare(">", self, other)

    def __ge__(self, other: Value | Number) -> Value:
        return self.code.compare(">=", self, other)

    def same(self, other: Value | Number) -> Value:
        """Lane by lane: equal."""
        return self.code.compare("==", self, other)


@dataclass(eq=False)
class Code:
    """One function being written. `fused`: the machine has fused multiply-add. `block` is the one being written, as control.py keeps it."""

    name: str
    arguments: Sequence[tuple[str, str]]
    external: bool = False
    fused: bool = True
    lines: list[str] = field(default_factory=list)
    block: str = "entry"
    count: int = 0

    def argument(self, name: str) -> Value:
        """An argument of the function."""
        return Value(self, dict(self.arguments)[name], f"%{name}")

    def number_of(self) -> int:
        """A number not used before, for names."""
        self.count += 1
        return self.count

    def emit(self, kind: str, text: str) -> Value:
        """One instruction with a result."""
        name = f"%v{self.number_of()}"
        self.lines.append(f"  {name} = {text}")
        return Value(self, kind, name)

    def number(self, kind: str, value: Number) -> Value:
        """A constant of that type, the same in every lane."""
        scalar = scalar_of(kind)
        if scalar == "float":
            value = ctypes.c_float(value).value
        text = "0x" + struct.pack(">d", float(value)).hex().upper() if scalar in SUFFIXES else str(int(value))
        if scalar == "i1":
            text = "true" if value else "false"
        return Value(self, kind, f"splat ({scalar} {text})" if kind.startswith("<") else text)

    def binary(self, op: str, a: Value, b: Value | Number) -> Value:
        """An arithmetic or logical operation, the floating one where the type is."""
        b = b if isinstance(b, Value) else self.number(a.type, b)
        op = "f" + op if scalar_of(a.type) in SUFFIXES else op
        return self.emit(a.type, f"{op} {a.type} {a.name}, {b.name}")

    def compare(self, sign: str, a: Value, b: Value | Number) -> Value:
        """Lane by lane; nothing holds of what is not a number."""
        b = b if isinstance(b, Value) else self.number(a.type, b)
        real, kind = scalar_of(a.type) in SUFFIXES, alike(a.type, "i1")
        return self.emit(kind, f"{'fcmp' if real else 'icmp'} {_COMPARE[sign][0 if real else 1]} {a.type} {a.name}, {b.name}")

    def at(self, base: Value, index: Value | int, kind: str = "double") -> Value:
        """The address of element `index`."""
        return self.emit("ptr", f"getelementptr {kind}, ptr {base.name}, i64 {index.name if isinstance(index, Value) else index}")

    def load(self, address: Value, kind: str, align: int = 8) -> Value:
        """What stands there."""
        return self.emit(kind, f"load {kind}, ptr {address.name}, align {align}")

    def store(self, value: Value, address: Value, align: int = 8) -> None:
        """Write it there."""
        self.lines.append(f"  store {value.type} {value.name}, ptr {address.name}, align {align}")

    def call(self, function: str | Value, *args: Value) -> None:
        """Call a function of the module, or one given by address."""
        target = f"@{function}" if isinstance(function, str) else function.name
        self.lines.append(f"  call void {target}({', '.join(f'{a.type} {a.name}' for a in args)})")

    def text(self) -> str:
        """The function as LLVM IR."""
        arguments = ", ".join(f"{t} noalias %{n}" if t == "ptr" else f"{t} %{n}" for n, t in self.arguments)
        start = f"define {'' if self.external else 'internal '}void @{self.name}({arguments}) #0 {{"
        return "\n".join([start, "entry:", *self.lines, "  ret void", "}", ""])


def scalar_of(kind: str) -> str:
    """The type of one lane."""
    return kind[kind.index("x ") + 2 : -1] if kind.startswith("<") else kind


def alike(kind: str, scalar: str) -> str:
    """As many lanes of another scalar."""
    return f"{kind[: kind.index('x ') + 2]}{scalar}>" if kind.startswith("<") else scalar


def cast(a: Value, scalar: str) -> Value:
    """The same numbers as double or float; a mask stays one."""
    kind, own = alike(a.type, scalar), scalar_of(a.type)
    return a if own in (scalar, "i1") else a.code.emit(kind, f"{'fpext' if own == 'float' else 'fptrunc'} {a.type} {a.name} to {kind}")


@dataclass(frozen=True, eq=False)
class Cells:
    """Arrays of what a shape's levels are, element by element: all lanes of it, or one lane's number as a double."""

    code: Code
    shape: Shape

    def at(self, base: Value, place: Value | int) -> Value:
        """The address of a number."""
        return self.code.at(base, place, self.shape.real)

    def load(self, base: Value, place: Value | int | None = None) -> Value:
        """All lanes of what stands there."""
        return self.code.load(base if place is None else self.at(base, place), self.shape.kind, self.shape.align)

    def store(self, value: Value, base: Value, place: Value | int | None = None) -> None:
        """Write all lanes there."""
        self.code.store(value, base if place is None else self.at(base, place), self.shape.align)

    def read(self, base: Value, spot: Value | int) -> Value:
        """One lane's number."""
        return cast(self.code.load(self.at(base, spot), self.shape.real, self._bytes), "double")

    def write(self, value: Value, base: Value, spot: Value) -> None:
        """Write one lane's number."""
        self.code.store(cast(value, self.shape.real), self.at(base, spot), self._bytes)

    @property
    def _bytes(self) -> int:
        return _BYTES[self.shape.real]


def when(condition: Value, then: Value | Number, otherwise: Value | Number) -> Value:
    """Lane by lane: `then` where the condition holds."""
    typed = [v for v in (then, otherwise) if isinstance(v, Value)]
    kind = typed[0].type if typed else alike(condition.type, "double")
    code = condition.code
    a, b = (v if isinstance(v, Value) else code.number(kind, v) for v in (then, otherwise))
    return code.emit(kind, f"select {condition.type} {condition.name}, {kind} {a.name}, {kind} {b.name}")


def least(a: Value, b: Value | Number) -> Value:
    """The smaller; b where a is not a number."""
    return when(a < b, a, b)


def greatest(a: Value, b: Value | Number) -> Value:
    """The greater; b where a is not a number."""
    return when(a > b, a, b)


def intrinsic(name: str, *args: Value) -> Value:
    """One of LLVM's own functions: fma, fabs, floor, sqrt."""
    kind = args[0].type
    suffix = (f"v{kind[1 : kind.index(' ')]}" if kind.startswith("<") else "") + SUFFIXES[scalar_of(kind)]
    return args[0].code.emit(kind, f"call {kind} @llvm.{name}.{suffix}({', '.join(f'{kind} {a.name}' for a in args)})")


def magnitude(a: Value) -> Value:
    """|a|."""
    return intrinsic("fabs", a)


def fma(a: Value, b: Value | Number, c: Value | Number) -> Value:
    """a b + c, rounded once where the machine can."""
    b, c = (v if isinstance(v, Value) else a.code.number(a.type, v) for v in (b, c))
    return intrinsic("fma", a, b, c) if a.code.fused else a * b + c


def widen(a: Value, kind: str) -> Value:
    """A scalar in every lane of a vector type."""
    if a.type == kind:
        return a
    first = a.code.emit(kind, f"insertelement {kind} poison, {a.type} {a.name}, i32 0")
    lanes = f"<{kind[1 : kind.index(' ')]} x i32>"
    return a.code.emit(kind, f"shufflevector {kind} {first.name}, {kind} poison, {lanes} zeroinitializer")


def any_lane(mask: Value) -> Value:
    """Whether the mask holds in any lane."""
    if mask.type == "i1":
        return mask
    kind = f"i{mask.type[1 : mask.type.index(' ')]}"
    whole = mask.code.emit(kind, f"bitcast {mask.type} {mask.name} to {kind}")
    return mask.code.emit("i1", f"icmp ne {kind} {whole.name}, 0")
