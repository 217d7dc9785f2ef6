"""A small layer of typed values over LLVM IR text, so that emitted code reads like its plain twin.

Text is written directly: it is the fastest way to build it, and the text is what the cache and other machines need. Multiply-adds are
fused explicitly (or not at all, for machines without them), so that one lane and a vector of lanes give the same bits.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

Number = float | int
_MAGIC = 6755399441055744.0  # 1.5 x 2^52: adding it rounds to a whole number and leaves that in the low bits
_COMPARE = {"<": ("olt", "slt"), "<=": ("ole", "sle"), ">": ("ogt", "sgt"), ">=": ("oge", "sge"), "==": ("oeq", "eq")}


@dataclass(frozen=True)
class Shape:
    """How many lanes a value has, and the LLVM types that follow."""

    lanes: int

    def of(self, scalar: str) -> str:
        return scalar if self.lanes == 1 else f"<{self.lanes} x {scalar}>"


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
    """One function being written. `fused`: the machine has fused multiply-add."""

    name: str
    arguments: Sequence[tuple[str, str]]
    external: bool = False
    fused: bool = True
    lines: list[str] = field(default_factory=list)
    block: str = "entry"
    _count: int = 0

    def argument(self, name: str) -> Value:
        return Value(self, dict(self.arguments)[name], f"%{name}")

    def fresh(self) -> str:
        self._count += 1
        return f"%v{self._count}"

    def emit(self, kind: str, text: str) -> Value:
        """One instruction with a result."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return Value(self, kind, name)

    def number(self, kind: str, value: Number) -> Value:
        """A constant of that type, the same in every lane."""
        scalar = kind[kind.index("x ") + 2 : -1] if kind.startswith("<") else kind
        text = "0x" + struct.pack(">d", float(value)).hex().upper() if scalar == "double" else str(int(value))
        if scalar == "i1":
            text = "true" if value else "false"
        return Value(self, kind, f"splat ({scalar} {text})" if kind.startswith("<") else text)

    def binary(self, op: str, a: Value, b: Value | Number) -> Value:
        b = b if isinstance(b, Value) else self.number(a.type, b)
        op = "f" + op if "double" in a.type else op
        return self.emit(a.type, f"{op} {a.type} {a.name}, {b.name}")

    def compare(self, sign: str, a: Value, b: Value | Number) -> Value:
        b = b if isinstance(b, Value) else self.number(a.type, b)
        real = "double" in a.type
        kind = a.type.replace("double", "i1").replace("i64", "i1")
        return self.emit(kind, f"{'fcmp' if real else 'icmp'} {_COMPARE[sign][0 if real else 1]} {a.type} {a.name}, {b.name}")

    def when(self, condition: Value, then: Value | Number, otherwise: Value | Number) -> Value:
        """Lane by lane: `then` where the condition holds."""
        kind = then.type if isinstance(then, Value) else otherwise.type if isinstance(otherwise, Value) else condition.type.replace("i1", "double")
        a, b = (v if isinstance(v, Value) else self.number(kind, v) for v in (then, otherwise))
        return self.emit(kind, f"select {condition.type} {condition.name}, {kind} {a.name}, {kind} {b.name}")

    def least(self, a: Value, b: Value | Number) -> Value:
        """The smaller; b where a is not a number."""
        return self.when(a < b, a, b)

    def greatest(self, a: Value, b: Value | Number) -> Value:
        """The greater; b where a is not a number."""
        return self.when(a > b, a, b)

    def size(self, a: Value) -> Value:
        """|a|."""
        return self.intrinsic("fabs", a)

    def intrinsic(self, name: str, *args: Value) -> Value:
        kind = args[0].type
        suffix = "f64" if kind == "double" else f"v{kind[1 : kind.index(' ')]}f64"
        return self.emit(kind, f"call {kind} @llvm.{name}.{suffix}({', '.join(f'{kind} {a.name}' for a in args)})")

    def fma(self, a: Value, b: Value | Number, c: Value | Number) -> Value:
        """a b + c, rounded once where the machine can."""
        b, c = (v if isinstance(v, Value) else self.number(a.type, v) for v in (b, c))
        return self.intrinsic("fma", a, b, c) if self.fused else a * b + c

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """coefficients[0] + coefficients[1] x + ..."""
        out = self.number(x.type, coefficients[-1])
        for c in coefficients[-2::-1]:
            out = self.fma(out, x, c)
        return out

    def bits(self, a: Value) -> Value:
        """The same bits as whole numbers, or back."""
        kind = a.type.replace("double", "i64") if "double" in a.type else a.type.replace("i64", "double")
        return self.emit(kind, f"bitcast {a.type} {a.name} to {kind}")

    def shift(self, a: Value, places: int) -> Value:
        """Whole numbers shifted to the left (or right, logically)."""
        return self.emit(a.type, f"{'shl' if places > 0 else 'lshr'} {a.type} {a.name}, {self.number(a.type, abs(places)).name}")

    def widen(self, a: Value, kind: str) -> Value:
        """A scalar in every lane of a vector type."""
        if a.type == kind:
            return a
        first = self.emit(kind, f"insertelement {kind} poison, {a.type} {a.name}, i32 0")
        return self.emit(kind, f"shufflevector {kind} {first.name}, {kind} poison, <{kind[1 : kind.index(' ')]} x i32> zeroinitializer")

    def any(self, mask: Value) -> Value:
        """Whether the mask holds in any lane."""
        if mask.type == "i1":
            return mask
        kind = f"i{mask.type[1 : mask.type.index(' ')]}"
        whole = self.emit(kind, f"bitcast {mask.type} {mask.name} to {kind}")
        return self.emit("i1", f"icmp ne {kind} {whole.name}, 0")

    # memory

    def at(self, base: Value, index: Value | int, kind: str = "double") -> Value:
        """The address of element `index`."""
        return self.emit("ptr", f"getelementptr {kind}, ptr {base.name}, i64 {index.name if isinstance(index, Value) else index}")

    def load(self, address: Value, kind: str, align: int = 8) -> Value:
        return self.emit(kind, f"load {kind}, ptr {address.name}, align {align}")

    def store(self, value: Value, address: Value, align: int = 8) -> None:
        self.lines.append(f"  store {value.type} {value.name}, ptr {address.name}, align {align}")

    def call(self, function: str | Value, *args: Value) -> None:
        target = f"@{function}" if isinstance(function, str) else function.name
        self.lines.append(f"  call void {target}({', '.join(f'{a.type} {a.name}' for a in args)})")

    # control

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.block = name

    def jump(self, label: str) -> None:
        self.lines.append(f"  br label %{label}")

    def branch(self, condition: Value, then: str, otherwise: str) -> None:
        self.lines.append(f"  br i1 {condition.name}, label %{then}, label %{otherwise}")

    @contextmanager
    def only_if(self, condition: Value) -> Iterator[None]:
        """What is written inside runs where the (one-lane) condition holds."""
        self._count += 1
        then, after = f"then{self._count}", f"after{self._count}"
        self.branch(condition, then, after)
        self.label(then)
        yield
        self.jump(after)
        self.label(after)

    @contextmanager
    def loop(self, count: Value | int, step: int = 1) -> Iterator[Value]:
        """For index = 0, step, 2 step ... below count; count may be 0."""
        self._count += 1
        k = self._count
        index, following, head, body, after, before = f"%i{k}", f"%j{k}", f"head{k}", f"body{k}", f"after{k}", self.block
        self.jump(head)
        self.label(head)
        place = len(self.lines)
        self.lines.append("")
        inside = self.compare("<", Value(self, "i64", index), count)
        self.branch(inside, body, after)
        self.label(body)
        yield Value(self, "i64", index)
        self.lines.append(f"  {following} = add i64 {index}, {step}")
        self.lines[place] = f"  {index} = phi i64 [ 0, %{before} ], [ {following}, %{self.block} ]"
        self.jump(head)
        self.label(after)

    @contextmanager
    def forever(self) -> Iterator[str]:
        """A loop that is left with `leave_unless(condition, label)`, where label is what this yields."""
        self._count += 1
        head, after = f"head{self._count}", f"after{self._count}"
        self.jump(head)
        self.label(head)
        yield after
        self.jump(head)
        self.label(after)

    def leave_unless(self, condition: Value, after: str) -> None:
        self._count += 1
        self.branch(condition, f"go{self._count}", after)
        self.label(f"go{self._count}")

    def text(self) -> str:
        """The function as LLVM IR."""
        arguments = ", ".join(f"{t} noalias %{n}" if t == "ptr" else f"{t} %{n}" for n, t in self.arguments)
        start = f"define {'' if self.external else 'internal '}void @{self.name}({arguments}) #0 {{"
        return "\n".join([start, "entry:", *self.lines, "  ret void", "}", ""])

    # functions

    def exp(self, x: Value) -> Value:
        """e^x within 1 ulp or so; arguments are cut at +-708."""
        x = self.when(x < -708.0, -708.0, x)
        x = self.when(x > 708.0, 708.0, x)
        shifted = self.fma(x, 1.4426950408889634, _MAGIC)
        n = shifted - _MAGIC
        r = self.fma(n, -6.93147180369123816490e-01, x)
        r = self.fma(n, -1.90821492927058770002e-10, r)
        c = [1.0 / math.factorial(i) for i in range(13)]
        r2 = r * r
        pairs = [self.fma(r, c[i + 1], c[i]) for i in range(0, 12, 2)]
        r4 = r2 * r2
        low, middle, high = (self.fma(pairs[i + 1], r2, pairs[i]) for i in (0, 2, 4))
        high = self.fma(r4, c[12], high)
        p = self.fma(self.fma(high, r4, middle), r4, low)
        return self.bits(self.bits(p) + self.shift(self.bits(shifted), 52))

    def log(self, x: Value) -> Value:
        """The natural logarithm of a positive normal number within 1 ulp (the series of fdlibm)."""
        origin = 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2): the mantissa comes to lie in [sqrt(1/2), sqrt(2))
        u = self.bits(x) + (0x3FF0000000000000 - origin)
        n = self.bits(self.shift(u, -52) | 0x4330000000000000) - (4503599627370496.0 + 1023.0)
        f = self.bits((u & 0x000FFFFFFFFFFFFF) + origin) - 1.0
        s = f / (f + 2.0)
        z = s * s
        w = z * z
        odd = w * self.polynomial(w, [3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01])
        even = z * self.polynomial(w, [6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860511658591e-01])
        half = f * f * 0.5
        tail = self.fma(n, 1.90821492927058770002e-10, s * (half + (odd + even)))
        return self.when(x.same(x), self.fma(n, 6.93147180369123816490e-01, f - (half - tail)), x)

    def circle(self, x: Value, quarter: int) -> Value:
        """sin(x + quarter pi/2) for |x| below some 1e6."""
        shifted = self.fma(x, 2.0 / math.pi, _MAGIC)
        n = shifted - _MAGIC
        r = x
        for part in (1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624879595063154e-21):
            r = self.fma(n, -part, r)
        z = r * r
        sine = self.fma(r * z, self.polynomial(z, [(-1.0) ** (i + 1) / math.factorial(2 * i + 3) for i in range(7)]), r)
        cosine = self.polynomial(z, [(-1.0) ** i / math.factorial(2 * i) for i in range(9)])
        turn = self.bits(shifted) + quarter
        out = self.when((turn & 1).same(1), cosine, sine)
        return self.bits(self.emit(turn.type, f"xor {turn.type} {self.bits(out).name}, {self.shift(turn & 2, 62).name}"))
