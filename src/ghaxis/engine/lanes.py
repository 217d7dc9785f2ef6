"""Between a batch and the compiled loop: the arrays of a block of lanes, the table of their addresses, and what is read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ghaxis.engine.contract import Array, Batch, Breaks, Failure, Tolerances
from ghaxis.engine.emit import Layout
from ghaxis.engine.frame import CLOCK, FRAME, POINTERS, rounded
from ghaxis.engine.methods import Method
from ghaxis.engine.plain import EMPTY, TINY
from ghaxis.errors import InputError, nearest

_LINE = 64  # bytes; every array starts on such a boundary


@dataclass(frozen=True, eq=False)
class Packed:
    """A batch in the engine's terms: levels (n, states), parameters (n, p), and breakpoints (time, where, value) of every lane."""

    layout: Layout
    method: Method
    batch: Batch
    tolerances: Tolerances
    watched: int
    levels: Array
    parameters: Array
    acts: tuple[tuple[Array, np.ndarray, Array], ...]
    order: np.ndarray  # of the asked times
    edges: Array
    used: Array


def _places(names: Sequence[str], known: Sequence[str], what: str) -> list[int]:
    index = {name: i for i, name in enumerate(known)}
    for name in names:
        if name not in index:
            raise InputError(f"the model has no {what} '{name}'; nearest: {nearest(name, known)}")
    return [index[name] for name in names]


def pack(layout: Layout, method: Method, batch: Batch, tolerances: Tolerances, watched: int) -> Packed:
    """Check the batch against the model. Raises InputError for unknown names and for parameters without a value."""
    system = layout.system
    if not batch.end > batch.start:
        raise InputError(f"a run from {batch.start} to {batch.end} h has no length")
    levels = np.tile(np.array(system.initial, dtype=float), (batch.lanes, 1))
    parameters = np.tile(np.array(system.defaults, dtype=float), (batch.lanes, 1))
    levels[:, _places(batch.state_names, system.states, "state")] = batch.initial
    parameters[:, _places(batch.parameter_names, system.parameters, "parameter")] = batch.parameters
    acts = tuple(_acts(layout, batch, b, parameters[lane]) for lane, b in enumerate(batch.breaks))
    graph = system.graph
    read = {graph.args[k][0] for k in graph.reachable([*system.rates]) if graph.ops[k] == "parameter"}
    for i in sorted(read):
        if np.isnan(parameters[:, i]).any():
            raise InputError(f"parameter '{system.parameters[i]}' has no value, neither in the model nor in the batch")
    edges = np.unique(batch.windows)
    if len(edges) and not (edges[0] >= batch.start and edges[-1] <= batch.end):
        raise InputError(f"windows from {edges[0]} to {edges[-1]} h lie outside the run")
    used = np.zeros(len(edges) + 1)
    for a, b in np.searchsorted(edges, batch.windows):
        used[a + 1 : b + 1] = 1.0
    return Packed(layout, method, batch, tolerances, watched, levels, parameters, acts, np.argsort(batch.times, kind="stable"), edges, used)


def _acts(layout: Layout, batch: Batch, breaks: Breaks, parameters: Array) -> tuple[Array, np.ndarray, Array]:
    """One lane's breakpoints by time, paths before impulses; amounts of a concentration are divided by the size of its compartment."""
    system = layout.system
    paths = np.array(_places(breaks.path_names, system.parameters, "input"), dtype=np.int64)
    states = np.array(_places(breaks.impulse_states, system.states, "state"), dtype=np.int64)
    sizes = {i: system.parameters.index(system.volumes[name]) for i, name in enumerate(system.states) if name in system.volumes}
    moved = {system.parameters[i] for i in np.unique(paths)} & set(system.volumes.values())
    if moved:
        raise InputError(f"the size of compartment '{min(moved)}' cannot change during a run")
    amounts = [a / parameters[sizes[int(i)]] if int(i) in sizes else a for i, a in zip(states, breaks.impulse_amounts, strict=True)]
    time = np.concatenate([breaks.path_times, breaks.impulse_times])
    where = np.concatenate([-1 - paths, states])
    value = np.concatenate([breaks.path_values, np.array(amounts, dtype=float)])
    inside = (time >= batch.start) & (time < batch.end)
    order = np.argsort(time, kind="stable")
    order = order[inside[order]]
    return time[order].astype(float), where[order].astype(np.int64), value[order].astype(float)


@dataclass(eq=False)
class Block:
    """The memory of one block; lanes beyond the members repeat the last one and are dead from the start."""

    packed: Packed
    members: range
    lanes: int
    needed: Sequence[int]
    watch: int
    room: int
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    frame: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        p, lanes = self.packed, self.lanes
        n = len(p.layout.system.states)
        height = rounded(n)
        for name in ("y", "peak", "floor", "new", "inside"):
            self.new(name, height, lanes)
        self.new("stages", p.method.stages * height, lanes)
        who = [self.members[min(i, len(self.members) - 1)] for i in range(lanes)]
        self.arrays["y"][:n] = p.levels[who].T
        size = np.abs(self.arrays["y"])
        self.arrays["peak"][:] = size
        self.arrays["floor"][:] = p.tolerances.absolute * np.where(size > 0, 0.0, EMPTY) + TINY
        self.arrays["floor"][n:] = 1.0
        self.new("p", p.parameters.shape[1], lanes)[:] = p.parameters[who].T
        for name, count in (("q", len(p.layout.hoisted)), ("ft", len(p.layout.explicit)), ("J", len(p.layout.jacobian))):
            self.new(name, count, lanes)
        self.new("lu", max(len(p.layout.elimination.slot), rounded(1)), lanes)
        self.new("seen", p.watched, lanes)
        self.new("parts", p.watched, lanes)
        self.acts(who)
        self.marks(len(self.members))
        self.arrays["needed"] = np.array([*self.needed, 0], dtype=np.int64)
        self.arrays["status"] = np.zeros(lanes, dtype=np.int64)
        self.new("failed_levels", height, lanes)
        self.new("failed_errors", height, lanes)
        self.new("log", max(self.room, 1) * 4, lanes)
        self.fill()

    def new(self, name: str, count: int, width: int) -> np.ndarray:
        """Zeros (count, width) on a cache line."""
        room = np.zeros(count * width + _LINE // 8 + 8)
        start = (-room.ctypes.data % _LINE) // 8
        self.arrays[name] = room[start : start + count * width].reshape(count, width)
        return self.arrays[name]

    def acts(self, who: Sequence[int]) -> None:
        """The breakpoints of the members one after another; the clocks' pointers into them."""
        own = [self.packed.acts[lane] for lane in who[: len(self.members)]]
        ends = np.cumsum([len(times) for times, _, _ in own], dtype=np.int64)
        pointers = self.arrays["pointers"] = np.zeros((len(POINTERS), self.lanes), dtype=np.int64)
        pointers[POINTERS.index("act"), : len(own)] = [0, *ends[:-1]]
        pointers[POINTERS.index("act_end"), : len(own)] = ends
        for k, name in enumerate(("act_time", "act_where", "act_value")):
            self.arrays[name] = np.concatenate([*(act[k] for act in own), np.zeros(1, dtype=own[0][k].dtype)])

    def marks(self, alive: int) -> None:
        """Asked times and edges of windows, ended by infinity; clocks at their first."""
        p, batch = self.packed, self.packed.batch
        times = self.arrays["times"] = np.append(batch.times[p.order], np.inf)
        edges = self.arrays["edges"] = np.append(p.edges, np.inf)
        self.arrays["used"] = p.used
        first_time, first_edge = int(np.searchsorted(times, batch.start)), int(np.searchsorted(edges, batch.start, side="right"))
        pointers = self.arrays["pointers"]
        pointers[POINTERS.index("time_index")], pointers[POINTERS.index("edge_index")] = first_time, first_edge
        clock = self.new("clock", len(CLOCK), self.lanes)
        clock[CLOCK.index("next_time")], clock[CLOCK.index("next_edge")] = times[first_time], edges[first_edge]
        clock[CLOCK.index("in_window")] = p.used[first_edge] if first_edge < len(p.used) else 0.0
        clock[CLOCK.index("alive"), :alive] = 1.0
        self.arrays["values"] = np.full((self.lanes, len(times) - 1, p.watched), np.nan)
        self.arrays["sums"] = np.full((self.lanes, len(edges) - 1, p.watched), np.nan)

    def fill(self) -> None:
        """The table of addresses and numbers."""
        p, batch = self.packed, self.packed.batch
        numbers: dict[str, float] = {
            "start": batch.start,
            "end": batch.end,
            "relative": p.tolerances.relative,
            "absolute": p.tolerances.absolute,
            "largest": p.tolerances.largest_step or np.inf,
        }
        counts = {
            "times_count": len(batch.times),
            "edges_count": len(p.edges),
            "watched_count": p.watched,
            "needed_count": len(self.needed),
            "log_room": self.room,
            "watch": self.watch,
        }
        self.frame = np.zeros(len(FRAME), dtype=np.int64)
        for k, (name, _) in enumerate(FRAME):
            if name in numbers:
                self.frame[k : k + 1].view(np.float64)[0] = numbers[name]
            else:
                self.frame[k] = counts[name] if name in counts else self.arrays[name].ctypes.data

    # what is read back

    def values(self) -> Array:
        """(members, times, watched), in the order in which times were asked."""
        out = np.empty_like(self.arrays["values"][: len(self.members)])
        out[:, self.packed.order] = self.arrays["values"][: len(self.members)]
        return out

    def means(self) -> Array:
        """(members, windows, watched)."""
        p = self.packed
        sums = self.arrays["sums"][: len(self.members)]
        out = [sums[:, a + 1 : b + 1].sum(axis=1) / (p.edges[b] - p.edges[a]) for a, b in np.searchsorted(p.edges, p.batch.windows)]
        return np.stack(out, axis=1) if out else np.empty((len(self.members), 0, p.watched))

    def final(self) -> Array:
        """(members, states); not a number where the lane failed."""
        n = len(self.packed.layout.system.states)
        levels = self.arrays["y"][:n, : len(self.members)].T.copy()
        levels[self.arrays["status"][: len(self.members)] != 0] = np.nan
        return levels

    def counts(self) -> Array:
        """(members, 2): kept and rejected steps."""
        clock = self.arrays["clock"]
        return np.stack([clock[CLOCK.index("accepted")], clock[CLOCK.index("rejected")]], axis=1)[: len(self.members)]

    def attempts(self) -> list[Array]:
        """Of every member, the logged attempts (k, 4)."""
        log = self.arrays["log"].reshape(-1, 4, self.lanes)
        used = self.room - int(self.frame[[name for name, _ in FRAME].index("log_room")])
        made = self.counts().sum(axis=1).astype(int)
        return [log[: min(used, made[i]), :, i] for i in range(len(self.members))]

    def failures(self, why: Callable[[int, int, float, Array, Array], Failure]) -> list[Failure]:
        """Those of the members, as `why(lane, status, time, levels, scaled errors)` words them."""
        out = []
        n, p = len(self.packed.layout.system.states), self.packed
        for i, lane in enumerate(self.members):
            status = int(self.arrays["status"][i])
            if status:
                scale = (p.tolerances.relative + p.tolerances.absolute) * self.arrays["peak"][:n, i] + self.arrays["floor"][:n, i]
                share = self.arrays["failed_errors"][:n, i] / scale
                time = float(self.arrays["clock"][CLOCK.index("now"), i])
                out.append(why(lane, status, time, self.arrays["failed_levels"][:n, i], share))
        return out
