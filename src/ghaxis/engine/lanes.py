"""Between a batch and the compiled loop: what all blocks of lanes share, the memory of one block, and what is read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ghaxis.engine.contract import Array, Batch, Breaks, Failure, Tolerances
from ghaxis.engine.emit import Layout
from ghaxis.engine.frame import CLOCK, FRAME, POINTERS, rounded
from ghaxis.engine.methods import Method
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


def _places(names: Sequence[str], index: Mapping[str, int], what: str) -> list[int]:
    for name in names:
        if name not in index:
            raise InputError(f"the model has no {what} '{name}'; nearest: {nearest(name, index)}")
    return [index[name] for name in names]


def pack(layout: Layout, method: Method, batch: Batch, tolerances: Tolerances, watched: int) -> Packed:
    """Check the batch against the model. Raises InputError for unknown names and for parameters without a value."""
    system = layout.system
    if not batch.end > batch.start:
        raise InputError(f"a run from {batch.start} to {batch.end} h has no length")
    levels = np.tile(np.array(system.initial, dtype=float), (batch.lanes, 1))
    parameters = np.tile(np.array(system.defaults, dtype=float), (batch.lanes, 1))
    levels[:, _places(batch.state_names, system.state_index, "state")] = batch.initial
    parameters[:, _places(batch.parameter_names, system.parameter_index, "parameter")] = batch.parameters
    acts = tuple(_acts(layout, batch, b, parameters[lane]) for lane, b in enumerate(batch.breaks))
    empty = np.isnan(parameters).any(axis=0)
    for i in system.parameters_read:
        if empty[i]:
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
    paths = np.array(_places(breaks.path_names, system.parameter_index, "input"), dtype=np.int64)
    states = np.array(_places(breaks.impulse_states, system.state_index, "state"), dtype=np.int64)
    sizes = {system.state_index[name]: system.parameter_index[size] for name, size in system.volumes.items()}
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
class Shared:
    """What all blocks read and write: everyone's start and breakpoints, what is asked, and the answers.

    A lane that is done takes the next of the people (`next`), whichever block it belongs to.
    """

    packed: Packed
    needed: Sequence[int]
    watch: int
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        p, people = self.packed, self.packed.batch.lanes
        ends = np.cumsum([0, *(len(times) for times, _, _ in p.acts)], dtype=np.int64)
        times, edges = np.append(p.batch.times[p.order], np.inf), np.append(p.edges, np.inf)
        self.arrays |= {
            "next": np.zeros(1, dtype=np.int64),
            "levels": np.ascontiguousarray(p.levels),
            "given": np.ascontiguousarray(p.parameters),
            "act_bounds": ends,
            "times": times,
            "edges": edges,
            "used": np.append(p.used, 0.0),
            "needed": np.array([*self.needed, 0], dtype=np.int64),
            "values": np.full((people, len(times) - 1, p.watched), np.nan),
            "sums": np.full((people, len(edges) - 1, p.watched), np.nan),
            "final": np.full(p.levels.shape, np.nan),
            "counts": np.zeros((people, 2)),
            "outcome": np.zeros((people, 2), dtype=np.int64),
            "stopped": np.full(people, np.nan),
        }
        for k, (name, kind) in enumerate((("act_time", np.float64), ("act_where", np.int64), ("act_value", np.float64))):
            self.arrays[name] = np.concatenate([*(act[k] for act in p.acts), np.zeros(1)]).astype(kind)

    def stop(self) -> None:
        """Nobody else begins."""
        self.arrays["next"][0] = self.packed.batch.lanes

    def numbers(self) -> dict[str, float]:
        """The frame's numbers."""
        p, batch = self.packed, self.packed.batch
        largest = p.tolerances.largest_step or np.inf
        tolerances = {"relative": p.tolerances.relative, "absolute": p.tolerances.absolute, "largest": largest}
        return {"start": batch.start, "end": batch.end, **tolerances}

    def counts(self) -> dict[str, int]:
        """The frame's whole numbers."""
        p, batch = self.packed, self.packed.batch
        return {
            "people": batch.lanes,
            "times_count": len(batch.times),
            "edges_count": len(p.edges),
            "first_time": int(np.searchsorted(self.arrays["times"], batch.start)),
            "first_edge": int(np.searchsorted(self.arrays["edges"], batch.start, side="right")),
            "watched_count": p.watched,
            "needed_count": len(self.needed),
            "watch": self.watch,
        }

    # what is read back

    def values(self) -> Array:
        """(people, times, watched), in the order in which times were asked."""
        out = np.empty_like(self.arrays["values"])
        out[:, self.packed.order] = self.arrays["values"]
        return out

    def means(self) -> Array:
        """(people, windows, watched)."""
        p, sums = self.packed, self.arrays["sums"]
        out = [sums[:, a + 1 : b + 1].sum(axis=1) / (p.edges[b] - p.edges[a]) for a, b in np.searchsorted(p.edges, p.batch.windows)]
        return np.stack(out, axis=1) if out else np.empty((len(sums), 0, p.watched))

    def final(self) -> Array:
        """(people, states); not a number where the person failed."""
        return np.where(self.arrays["outcome"][:, :1] != 0, np.nan, self.arrays["final"])

    def failures(self, reasons: Mapping[int, str]) -> tuple[Failure, ...]:
        """Who stopped on the way, with the last good levels."""
        states, outcome = self.packed.layout.system.states, self.arrays["outcome"]
        return tuple(
            Failure(
                int(k),
                float(self.arrays["stopped"][k]),
                states[outcome[k, 1]],
                reasons[int(outcome[k, 0])],
                tuple(self.arrays["final"][k].tolist()),
            )
            for k in np.flatnonzero(outcome[:, 0])
        )


def block_sizes(layout: Layout, method: Method, watched: int, room: int = 0, real: str = "double") -> dict[str, int]:
    """The arrays of a block: how many numbers each has for one lane."""
    height = rounded(len(layout.system.states))
    sizes = dict.fromkeys(("y", "peak", "floor", "new", "inside"), height)
    sizes |= {"stages": method.stages * height, "p": len(layout.system.parameters), "q": len(layout.hoisted)}
    sizes |= {"ft": len(layout.explicit), "J": len(layout.jacobian), "lu": max(len(layout.elimination.slot), rounded(1))}
    sizes |= {"clock": len(CLOCK), "pointers": len(POINTERS), "seen": watched, "parts": watched, "log": room * 5}
    return sizes | {"exact": 0 if real == "double" else height}


def fill_frame(numbers: Mapping[str, float], others: Mapping[str, int]) -> np.ndarray:
    """The table that the compiled loop is called with: numbers, whole numbers and addresses by name (0 for what is not given)."""
    out = np.zeros(len(FRAME), dtype=np.int64)
    for k, (name, _) in enumerate(FRAME):
        if name in numbers:
            out[k : k + 1].view(np.float64)[0] = numbers[name]
        else:
            out[k] = others.get(name, 0)
    return out


@dataclass(eq=False)
class Block:
    """The memory of one block of lanes, and the table of addresses for it.

    `room` is how many attempts are noted; `real` what levels are (`double` or `float`).
    """

    shared: Shared
    lanes: int
    room: int = 0
    real: str = "double"
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    frame: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        p = self.shared.packed
        doubles = ("clock", "pointers", "parts", "log", "exact")
        for name, count in block_sizes(p.layout, p.method, p.watched, self.room, self.real).items():
            self.arrays[name] = _aligned(count, self.lanes, "double" if name in doubles else self.real)
        self.arrays["floor"][:] = 1.0  # of the rows that stand for no state; the others are filled with a person
        self.arrays["clock"][CLOCK.index("step")] = 1.0
        addresses = {name: array.ctypes.data for name, array in (self.shared.arrays | self.arrays).items()}
        self.frame = fill_frame(self.shared.numbers(), self.shared.counts() | {"log_room": self.room} | addresses)

    def attempts(self, person: int) -> Array:
        """The noted attempts of one of the people (k, 4): time, size, error norm, kept."""
        left = int(self.frame[[name for name, _ in FRAME].index("log_room")])
        log = self.arrays["log"].reshape(-1, 5, self.lanes)[: self.room - left].transpose(0, 2, 1).reshape(-1, 5)
        return log[log[:, 4] == person, :4]


def _aligned(count: int, width: int, real: str) -> np.ndarray:
    """Zeros (count, width) that start on a cache line."""
    kind = np.dtype({"double": np.float64, "float": np.float32}[real])
    room = np.zeros(count * width + _LINE // kind.itemsize + 8, kind)
    start = (-room.ctypes.data % _LINE) // kind.itemsize
    return room[start : start + count * width].reshape(count, width)
