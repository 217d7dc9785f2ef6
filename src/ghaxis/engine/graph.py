"""A hash-consed graph of expressions: equal expressions are one node, constants are folded, order is fixed by the order of building.

A node is its number; arguments always have smaller numbers than what is made of them, so counting up is an order of evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

TIME = -1  # the variable of a gradient that is not a state
FLOOR = 1e-30  # broken powers x^n are of x cut off here, so that an empty pool has a power and a derivative

CONSTANT, PARAMETER, MOVING = 0, 1, 2  # levels: what an expression depends on at most

Gradient = Mapping[int, int]


@dataclass(eq=False)
class Graph:
    """Expressions by number.

    `ops[k]` is the kind of node k and `args[k]` the nodes it is made of; a `state` or `parameter` holds its index instead.
    Kinds: const state parameter time add sub mul neg rec exp log (cut at FLOOR) ln sqrt (cut at 0) sin cos floor abs lt le eq and or not
    select.
    """

    ops: list[str] = field(default_factory=list)
    args: list[tuple[int, ...]] = field(default_factory=list)
    values: dict[int, float] = field(default_factory=dict)
    levels: list[int] = field(default_factory=list)
    exponents: set[int] = field(default_factory=set)  # parameters by index that stand as exponents
    _known: dict[tuple[object, ...], int] = field(default_factory=dict)
    _gradients: dict[int, Gradient] = field(default_factory=dict)

    def _make(self, op: str, args: tuple[int, ...], level: int | None = None) -> int:
        key = (op, *args)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self.ops)
            self.ops.append(op)
            self.args.append(args)
            self.levels.append(max(self.levels[a] for a in args) if level is None else level)
        return found

    def const(self, value: float) -> int:
        """A number; -0.0 is 0."""
        value = float(value) + 0.0
        key = ("const", value.hex())
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self.ops)
            self.ops.append("const")
            self.args.append(())
            self.levels.append(CONSTANT)
            self.values[found] = value
        return found

    def leaf(self, op: str, index: int = 0) -> int:
        """`state` or `parameter` number `index`, or `time`."""
        return self._make(op, (index,), PARAMETER if op == "parameter" else MOVING)

    def add(self, a: int, b: int) -> int:
        """a + b."""
        va, vb = self.values.get(a), self.values.get(b)
        if va is not None and vb is not None:
            return self.const(va + vb)
        if va == 0.0:
            return b
        if vb == 0.0:
            return a
        if self.ops[b] == "neg":
            return self.sub(a, self.args[b][0])
        if self.ops[a] == "neg":
            return self.sub(b, self.args[a][0])
        return self._make("add", (min(a, b), max(a, b)))

    def sub(self, a: int, b: int) -> int:
        """a - b."""
        va, vb = self.values.get(a), self.values.get(b)
        if va is not None and vb is not None:
            return self.const(va - vb)
        if vb == 0.0:
            return a
        if va == 0.0:
            return self.neg(b)
        if a == b:
            return self.const(0.0)
        if self.ops[b] == "neg":
            return self.add(a, self.args[b][0])
        if self.ops[a] == "neg":
            return self.neg(self.add(self.args[a][0], b))
        return self._make("sub", (a, b))

    def neg(self, a: int) -> int:
        """-a."""
        if a in self.values:
            return self.const(-self.values[a])
        if self.ops[a] == "neg":
            return self.args[a][0]
        if self.ops[a] == "sub":
            return self._make("sub", (self.args[a][1], self.args[a][0]))
        return self._make("neg", (a,))

    def mul(self, a: int, b: int) -> int:
        """a b."""
        va, vb = self.values.get(a), self.values.get(b)
        if va is not None and vb is not None:
            return self.const(va * vb)
        if va is None and vb is not None:
            a, b, va, vb = b, a, vb, va
        if va == 0.0:
            return a
        if va == 1.0:
            return b
        if va == -1.0:
            return self.neg(b)
        if va is not None and self.ops[b] == "mul" and self.args[b][0] in self.values:
            return self.mul(self.const(va * self.values[self.args[b][0]]), self.args[b][1])
        if self.ops[a] == "neg":
            return self.neg(self.mul(self.args[a][0], b))
        if self.ops[b] == "neg":
            return self.neg(self.mul(a, self.args[b][0]))
        if (self.ops[b] == "rec" and self.args[b][0] == a) or (self.ops[a] == "rec" and self.args[a][0] == b):
            return self.const(1.0)
        if va is None:
            a, b = min(a, b), max(a, b)
        return self._make("mul", (a, b))

    def rec(self, a: int) -> int:
        """1 / a."""
        if a in self.values:
            return self.const(1.0 / self.values[a] if self.values[a] else math.inf)
        if self.ops[a] == "rec":
            return self.args[a][0]
        if self.ops[a] == "neg":
            return self.neg(self.rec(self.args[a][0]))
        return self._make("rec", (a,))

    def apply(self, op: str, *args: int) -> int:
        """A function of one argument, a comparison, a connective, or select(condition, then, otherwise)."""
        if op == "select" and args[0] in self.values:
            return args[1] if self.values[args[0]] else args[2]
        if op == "select" and args[1] == args[2]:
            return args[1]
        if all(a in self.values for a in args):
            return self.const(SCALAR[op](*(self.values[a] for a in args)))
        return self._make(op, args)

    def power(self, base: int, exponent: int) -> int:
        """base ^ exponent: products and square roots for a number in quarters, otherwise exp(exponent log(base))."""
        n = self.values.get(exponent)
        if self.ops[exponent] == "parameter":
            self.exponents.add(self.args[exponent][0])
        if n is None or abs(n) > 64 or 4 * n != int(4 * n):
            if n is not None and base in self.values:
                return self.const(_real_power(self.values[base], n))
            return self.apply("exp", self.mul(exponent, self.apply("log", base)))
        if n < 0:
            return self.rec(self.power(base, self.const(-n)))
        out = self._whole_power(base, int(n))
        root = self.apply("sqrt", base)
        if n % 1 >= 0.5:
            out = self.mul(out, root)
        return self.mul(out, self.apply("sqrt", root)) if n % 0.5 else out

    def _whole_power(self, base: int, n: int) -> int:
        if n == 0:
            return self.const(1.0)
        half = self._whole_power(base, n // 2)
        square = self.mul(half, half)
        return self.mul(square, base) if n % 2 else square

    def gradient(self, node: int) -> Gradient:
        """Derivatives of a node by state index (and TIME): only what is not identically zero."""
        for k in self.reachable([node]):
            if k not in self._gradients:
                self._gradients[k] = self._chain(k)
        return self._gradients[node]

    def _chain(self, k: int) -> Gradient:
        """The gradient of node k from those of its arguments."""
        op, args = self.ops[k], self.args[k]
        if op == "state":
            return {args[0]: self.const(1.0)}
        if op == "time":
            return {TIME: self.const(1.0)}
        if self.levels[k] != MOVING or op in ("floor", "lt", "le", "eq", "and", "or", "not"):
            return {}
        inner = [self._gradients[a] for a in args]
        if op in ("add", "sub"):
            join = self.add if op == "add" else self.sub
            zero = self.const(0.0)
            return self._tidy({v: join(inner[0].get(v, zero), inner[1].get(v, zero)) for v in sorted({*inner[0], *inner[1]})})
        if op == "mul":
            out = {v: self.mul(d, args[1]) for v, d in inner[0].items()}
            for v, d in inner[1].items():
                out[v] = self.add(out[v], self.mul(args[0], d)) if v in out else self.mul(args[0], d)
            return self._tidy(out)
        if op == "select":
            zero, then, otherwise = self.const(0.0), inner[1], inner[2]
            either = sorted({*then, *otherwise})
            return self._tidy({v: self.apply("select", args[0], then.get(v, zero), otherwise.get(v, zero)) for v in either})
        outer = self._slope(k)
        return self._tidy({v: self.mul(outer, d) for v, d in inner[0].items()})

    def _slope(self, k: int) -> int:
        """d(node k)/d(its only argument)."""
        op, a = self.ops[k], self.args[k][0]
        if op == "neg":
            return self.const(-1.0)
        if op == "rec":
            return self.neg(self.mul(k, k))
        if op == "exp":
            return k
        if op == "ln":
            return self.rec(a)
        if op == "log":
            return self.rec(self.apply("select", self.apply("lt", self.const(FLOOR), a), a, self.const(FLOOR)))
        if op == "sqrt":
            least = self.const(math.sqrt(FLOOR))
            return self.mul(self.const(0.5), self.rec(self.apply("select", self.apply("lt", least, k), k, least)))
        if op == "sin":
            return self.apply("cos", a)
        if op == "cos":
            return self.neg(self.apply("sin", a))
        if op == "abs":
            return self.apply("select", self.apply("lt", a, self.const(0.0)), self.const(-1.0), self.const(1.0))
        raise ValueError(f"no derivative of {op}")

    def _tidy(self, gradient: dict[int, int]) -> Gradient:
        return {v: d for v, d in gradient.items() if self.values.get(d) != 0.0}

    def reachable(self, nodes: Iterable[int]) -> list[int]:
        """All nodes that `nodes` are made of, themselves included, in order of evaluation."""
        seen: set[int] = set()
        todo = list(nodes)
        while todo:
            k = todo.pop()
            if k not in seen:
                seen.add(k)
                if self.ops[k] not in ("state", "parameter", "time"):
                    todo.extend(self.args[k])
        return sorted(seen)


def _real_power(base: float, exponent: float) -> float:
    if exponent == int(exponent) and (base or exponent >= 0):
        return float(base ** int(exponent))
    return math.exp(exponent * math.log(max(base, FLOOR)))


def _exp(x: float) -> float:
    return math.exp(min(max(x, -708.0), 708.0))


SCALAR: Mapping[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "neg": lambda a: -a,
    "rec": lambda a: 1.0 / a if a else math.copysign(math.inf, a),
    "exp": _exp,
    "log": lambda a: math.log(max(a, FLOOR)),
    "ln": lambda a: math.log(a) if a > 0 else (-math.inf if a == 0 else math.nan),
    "sqrt": lambda a: math.sqrt(max(a, 0.0)) if a == a else a,
    "sin": math.sin,
    "cos": math.cos,
    "floor": lambda a: float(math.floor(a)) if math.isfinite(a) else a,
    "abs": abs,
    "lt": lambda a, b: float(a < b),
    "le": lambda a, b: float(a <= b),
    "eq": lambda a, b: float(a == b),
    "and": lambda a, b: float(bool(a) and bool(b)),
    "or": lambda a, b: float(bool(a) or bool(b)),
    "not": lambda a: float(not a),
    "select": lambda c, a, b: a if c else b,
}


def evaluator(graph: Graph, nodes: Sequence[int]) -> Callable[[float, Sequence[float], Sequence[float]], list[float]]:
    """A plain function (time, states, parameters) -> values of `nodes`: what the emitted code must reproduce."""
    program = [(k, graph.ops[k], graph.args[k]) for k in graph.reachable(nodes)]
    fixed = dict(graph.values)

    def evaluate(time: float, states: Sequence[float], parameters: Sequence[float]) -> list[float]:
        at = dict(fixed)
        for k, op, args in program:
            if op == "const":
                continue
            if op == "state":
                at[k] = states[args[0]]
            elif op == "parameter":
                at[k] = parameters[args[0]]
            elif op == "time":
                at[k] = time
            else:
                at[k] = SCALAR[op](*[at[a] for a in args])
        return [at[k] for k in nodes]

    return evaluate
