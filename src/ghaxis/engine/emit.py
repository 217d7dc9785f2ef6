"""The functions of one model as LLVM IR: rates, slopes, sparse elimination, and what is watched.

Memory of a block of lanes: element i of lane l stands at [i * lanes + l]. Expressions of parameters only are worked out once and after
each breakpoint (`hoist`), into `q`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ghaxis.engine import functions
from ghaxis.engine.expressions import System
from ghaxis.engine.graph import FLOOR, PARAMETER, Graph
from ghaxis.engine.sparse import Elimination, plan
from ghaxis.engine.values import SUFFIXES, Cells, Code, Shape, Value, cast, fma, intrinsic, magnitude, when

_DECLARED = ("fma.{}({}, {}, {})", "fabs.{}({})", "floor.{}({})", "sqrt.{}({})")
ROWS = 10  # rows of the elimination in one function: the code generator's time grows faster than the length of a block
# Wide registers are used where the machine has them, whatever LLVM thinks of their clock.
ATTRIBUTES = 'attributes #0 = { nounwind "prefer-vector-width"="512" "min-legal-vector-width"="512" }'


@dataclass(frozen=True, eq=False)
class Layout:
    """What the emitted functions agree on: the Jacobian's entries, its elimination, and the place of every hoisted expression."""

    system: System
    jacobian: Mapping[tuple[int, int], int]
    explicit: Mapping[int, int]
    elimination: Elimination
    hoisted: Mapping[int, int]

    @staticmethod
    def of(system: System) -> Layout:
        """Differentiate, order the elimination, find what can be hoisted."""
        jacobian, explicit = system.jacobian(), system.time_derivative()
        graph = system.graph
        wanted = [*system.rates, *jacobian.values(), *explicit.values()]
        found = hoistable(graph, wanted)
        return Layout(system, jacobian, explicit, plan(len(system.states), jacobian), {k: i for i, k in enumerate(found)})


def hoistable(graph: Graph, wanted: Iterable[int]) -> list[int]:
    """Expressions of parameters only that something moving, or the outside, reads directly."""
    wanted = list(wanted)
    reached = graph.reachable(wanted)
    read = {*wanted}
    for k in reached:
        if graph.levels[k] > PARAMETER and graph.ops[k] not in ("state", "time"):
            read.update(graph.args[k])
    return sorted(k for k in read if graph.levels[k] == PARAMETER and graph.ops[k] != "parameter")


@dataclass(eq=False)
class Body:
    """Writes expressions of the graph into a function, each once. `leaves` loads what is given.

    What time moves and no state does is worked out in double: the hours of a year leave a float no room for seconds.
    """

    graph: Graph
    code: Code
    shape: Shape
    leaves: Callable[[str, int], Value]
    hoisted: Mapping[int, int]
    uses: Mapping[int, int]
    done: dict[int, Value] = field(default_factory=dict)
    timed: set[int] = field(init=False)

    def __post_init__(self) -> None:
        self.timed = moved_by_time_alone(self.graph)

    def value(self, node: int) -> Value:
        """The value of a node, written with all that it needs and that is not there yet."""
        todo = [node]
        while todo:
            k = todo[-1]
            if k in self.done:
                todo.pop()
                continue
            missing = [a for a in self._inputs(k) if a not in self.done]
            if missing:
                todo.extend(reversed(missing))
            else:
                todo.pop()
                self.done[k] = self._write(k)
        return cast(self.done[node], self.shape.real)

    def _real(self, k: int) -> str:
        """The type in which a node is worked out."""
        return "double" if k in self.timed else self.shape.real

    def _taken(self, k: int, real: str) -> Value:
        """A node that is there, as its reader wants it."""
        if self.graph.ops[k] == "const":
            return self.code.number(self.shape.of(real), self.graph.values[k])
        return cast(self.done[k], real)

    def _fusible(self, k: int, reader: int) -> bool:
        """A product read once: it becomes part of a fused multiply-add."""
        if not self.code.fused or self.graph.ops[k] != "mul" or self.uses.get(k, 0) != 1 or self._real(k) != self._real(reader):
            return False
        return k not in self.done and k not in self.hoisted

    def _inputs(self, k: int) -> tuple[int, ...]:
        op = self.graph.ops[k]
        if k in self.hoisted or op in ("state", "parameter", "time"):
            return ()
        args = self.graph.args[k]
        if op in ("add", "sub"):
            for mine, other in ((args[1], args[0]), (args[0], args[1])):
                if self._fusible(mine, k) and mine != other:
                    return (*self.graph.args[mine], other)
        return args

    def _write(self, k: int) -> Value:
        graph, op, real = self.graph, self.graph.ops[k], self._real(k)
        if op == "const":
            return self._taken(k, real)
        if k in self.hoisted:
            return self.leaves("hoisted", self.hoisted[k])
        if op in ("state", "parameter", "time"):
            return self.leaves(op, graph.args[k][0])
        args = graph.args[k]
        if op in ("add", "sub"):
            for side in (1, 0):
                mine, other = args[side], args[1 - side]
                if self._fusible(mine, k) and mine != other:
                    a, b = (self._taken(x, real) for x in graph.args[mine])
                    c = self._taken(other, real)
                    if op == "sub":
                        a, c = (-a, c) if side == 1 else (a, -c)
                    return fma(a, b, c)
        values = [self._taken(a, real) for a in args]
        return self._plain(op, values)

    def _plain(self, op: str, v: Sequence[Value]) -> Value:
        """One operation on values."""
        code = self.code
        if op in ("add", "sub", "mul"):
            return code.binary(op, v[0], v[1])
        if op == "neg":
            return -v[0]
        if op == "rec":
            return 1.0 / v[0]
        if op == "exp":
            return functions.exp(v[0])
        if op == "log":
            return functions.log(when(v[0] < FLOOR, FLOOR, v[0]))
        if op == "ln":
            return when(v[0] > 0.0, functions.log(v[0]), when(v[0].same(0.0), float("-inf"), code.number(v[0].type, float("nan"))))
        if op in ("sin", "cos"):
            return functions.sine(v[0], 0 if op == "sin" else 1)
        if op == "floor":
            return intrinsic(op, v[0])
        if op == "sqrt":
            return intrinsic(op, when(v[0] < 0.0, 0.0, v[0]))
        if op == "abs":
            return magnitude(v[0])
        if op in ("lt", "le", "eq"):
            return code.compare({"lt": "<", "le": "<=", "eq": "=="}[op], v[0], v[1])
        a, *rest = (self._truth(x) if i == 0 or op != "select" else x for i, x in enumerate(v))
        if op == "select":
            return when(a, rest[0], rest[1])
        if op == "not":
            return ~a
        return a & rest[0] if op == "and" else a | rest[0]

    def _truth(self, value: Value) -> Value:
        """A condition, also where it was given as a number (true is not 0)."""
        return value if "i1" in value.type else ~self.code.compare("==", value, 0.0)


def moved_by_time_alone(graph: Graph) -> set[int]:
    """Expressions that change with time while all states stand still, and only so."""
    found: set[int] = set()
    for k, (op, args) in enumerate(zip(graph.ops, graph.args, strict=True)):
        moves = graph.levels[k] > PARAMETER and op != "state"
        if op == "time" or (moves and all(a in found or graph.levels[a] <= PARAMETER for a in args)):
            found.add(k)
    return found


def count_uses(graph: Graph, wanted: Iterable[int], hoisted: Mapping[int, int]) -> dict[int, int]:
    """How often each node is read while `wanted` is worked out."""
    uses: dict[int, int] = {}
    todo = list(wanted)
    for k in todo:
        uses[k] = uses.get(k, 0) + 1
    seen: set[int] = set()
    while todo:
        k = todo.pop()
        if k in seen or k in hoisted or graph.ops[k] in ("state", "parameter", "time"):
            continue
        seen.add(k)
        for a in graph.args[k]:
            uses[a] = uses.get(a, 0) + 1
            todo.append(a)
    return uses


@dataclass(frozen=True, eq=False)
class ModelCode:
    """Writes the model's functions for one shape."""

    layout: Layout
    shape: Shape
    fused: bool

    def _function(self, name: str, arguments: str, external: bool = False) -> Code:
        return Code(name, [(a, "ptr") for a in arguments.split()], external, self.fused)

    def get(self, code: Code, base: str | Value, index: int) -> Value:
        """Element `index` of an array, in all lanes."""
        where = code.argument(base) if isinstance(base, str) else base
        return Cells(code, self.shape).load(where, index * self.shape.lanes)

    def _put(self, code: Code, value: Value, base: str, index: int) -> None:
        Cells(code, self.shape).store(value, code.argument(base), index * self.shape.lanes)

    def _clock(self, code: Code, base: str) -> Value:
        """A time, or one over a time: it stands there in double."""
        return Cells(code, self.shape.exact).load(code.argument(base), 0)

    def _body(self, code: Code, wanted: Sequence[int], hoisted: Mapping[int, int]) -> Body:
        def leaves(what: str, index: int) -> Value:
            if what == "time":
                return self._clock(code, "t")
            return self.get(code, {"state": "y", "parameter": "p", "hoisted": "q"}[what], index)

        graph = self.layout.system.graph
        return Body(graph, code, self.shape, leaves, hoisted, count_uses(graph, wanted, hoisted))

    def hoist(self) -> Code:
        """hoist(p, q): expressions of parameters only."""
        code = self._function("hoist", "p q")
        body = self._body(code, list(self.layout.hoisted), {})
        for node, slot in self.layout.hoisted.items():
            self._put(code, body.value(node), "q", slot)
        return code

    def rates(self) -> Code:
        """rates(t, y, p, q, f): added to what stands in f."""
        code = self._function("rates", "t y p q f")
        rates = self.layout.system.rates
        body = self._body(code, rates, self.layout.hoisted)
        for i, node in enumerate(rates):
            self._put(code, body.value(node) + self.get(code, "f", i), "f", i)
        return code

    def slopes(self) -> Code:
        """slopes(t, y, p, q, f, ft, J): rates, their explicit d/dt (only the entries that exist) and Jacobian."""
        layout = self.layout
        code = self._function("slopes", "t y p q f ft J")
        wanted = [*layout.system.rates, *layout.jacobian.values(), *layout.explicit.values()]
        body = self._body(code, wanted, layout.hoisted)
        entries = {key: k for k, key in enumerate(layout.jacobian)}
        for i, node in enumerate(layout.system.rates):
            self._put(code, body.value(node), "f", i)
            for j in (*layout.elimination.lower[i], i, *layout.elimination.upper[i]):
                if (i, j) in entries:
                    self._put(code, body.value(layout.jacobian[i, j]), "J", entries[i, j])
            if i in layout.explicit:
                self._put(code, body.value(layout.explicit[i]), "ft", list(layout.explicit).index(i))
        return code

    def factor(self) -> list[Code]:
        """factor(g, J, lu): of g I - J, row by row so that the row at work stays in registers; some rows to a function."""
        order = self.layout.elimination.order
        parts = [self._rows(f"factor_{k}", order[k : k + ROWS]) for k in range(0, len(order), ROWS)]
        whole = self._function("factor", "g J lu")
        for part in parts:
            whole.call(part.name, *(whole.argument(name) for name in ("g", "J", "lu")))
        return [*parts, whole]

    def _rows(self, name: str, order: Sequence[int]) -> Code:
        code = self._function(name, "g J lu")
        elimination, entries = self.layout.elimination, {key: k for k, key in enumerate(self.layout.jacobian)}
        g = cast(self._clock(code, "g"), self.shape.real)
        zero = code.number(self.shape.kind, 0.0)
        for i in order:
            row = {}
            for j in (*elimination.lower[i], i, *elimination.upper[i]):
                entry = self.get(code, "J", entries[i, j]) if (i, j) in entries else None
                row[j] = (g - entry if entry else g) if i == j else (-entry if entry else zero)
            for j in elimination.lower[i]:
                left = row[j] * self.get(code, "lu", elimination.slot[j, j])
                self._put(code, left, "lu", elimination.slot[i, j])
                minus = -left
                for k in elimination.upper[j]:
                    row[k] = fma(minus, self.get(code, "lu", elimination.slot[j, k]), row[k])
            self._put(code, 1.0 / row[i], "lu", elimination.slot[i, i])
            for j in elimination.upper[i]:
                self._put(code, row[j], "lu", elimination.slot[i, j])
        return code

    def solve(self) -> Code:
        """solve(lu, b): in place."""
        code = self._function("solve", "lu b")
        elimination = self.layout.elimination
        x: dict[int, Value] = {}
        for i in elimination.order:
            total = self.get(code, "b", i)
            for j in elimination.lower[i]:
                total = fma(-self.get(code, "lu", elimination.slot[i, j]), x[j], total)
            x[i] = total
        for i in reversed(elimination.order):
            total = x[i]
            for j in elimination.upper[i]:
                total = fma(-self.get(code, "lu", elimination.slot[i, j]), x[j], total)
            x[i] = total * self.get(code, "lu", elimination.slot[i, i])
            self._put(code, x[i], "b", i)
        return code

    def watch(self, nodes: Sequence[int]) -> Code:
        """watch(t, y, p, q, out): the watched symbols."""
        code = self._function("watch", "t y p q out", external=True)
        body = self._body(code, nodes, self.layout.hoisted)
        for i, node in enumerate(nodes):
            self._put(code, body.value(node), "out", i)
        return code


def module(functions: Iterable[Code], *shapes: Shape) -> str:
    """One LLVM module of these functions."""
    declared = []
    for width, real in sorted({(s.width, real) for s in shapes for real in (s.real, "double")}):
        kind, suffix = Shape(width, real).kind, ("" if width == 1 else f"v{width}") + SUFFIXES[real]
        declared += [f"declare {kind} @llvm.{d.format(suffix, kind, kind, kind)}" for d in _DECLARED]
    return "\n".join([*declared, ATTRIBUTES, "", *(f.text() for f in functions)])


def reads(graph: Graph, nodes: Iterable[int]) -> list[int]:
    """The states that `nodes` depend on, by index."""
    return sorted({graph.args[k][0] for k in graph.reachable(nodes) if graph.ops[k] == "state"})
