"""The engine of this package: the model and the whole integration compiled to machine code, one lane or a vector of lanes at a time.

Default use: `OwnEngine().compile(sbml, watched).run(batch, DEFAULT)`: Rodas4. The error of a step is measured, state by state, against
`relative` x its level + `absolute` x its largest magnitude so far.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ghaxis.engine import machine
from ghaxis.engine.contract import Answer, Array, Batch, Tolerances
from ghaxis.engine.emit import Layout, ModelCode, module, reads
from ghaxis.engine.expressions import System, read_system
from ghaxis.engine.frame import NOT_A_NUMBER, TOO_MANY, TOO_SMALL
from ghaxis.engine.lanes import Block, Shared, pack
from ghaxis.engine.loop import Loop
from ghaxis.engine.methods import METHODS
from ghaxis.engine.values import Shape
from ghaxis.errors import InputError, nearest

# On the coupled model: within 6e-4 of the maximum in pulses (GH, pSTAT5), 3e-7 in slow states over 4 days.
DEFAULT = Tolerances(3e-4, 3e-6)
REASONS = {
    TOO_SMALL: "the step became too small",
    TOO_MANY: "too many steps between two breakpoints",
    NOT_A_NUMBER: "a level is not a number",
}


@dataclass(frozen=True)
class OwnEngine:
    """Compiles once per model and number of lanes, and keeps the machine code on disk.

    `lanes` None: 1 for one person, else as many as fit the processor's registers.
    """

    method: str = "rodas4"
    lanes: int | None = None
    name: str = "own"

    def compile(self, sbml: str, watched: Sequence[str]) -> OwnModel:
        """Read the model. Raises LibraryError for what is outside the subset, InputError for a watched name the model lacks."""
        system, layout = _layout(sbml)
        for name in watched:
            if name not in system.symbols:
                raise InputError(f"the model has no '{name}'; nearest: {nearest(name, system.symbols)}")
        return OwnModel(sbml, tuple(watched), layout, self.method, self.lanes)


@functools.lru_cache(maxsize=8)
def _layout(sbml: str) -> tuple[System, Layout]:
    system = read_system(sbml)
    return system, Layout.of(system)


@functools.cache
def _version() -> str:
    """The engine's own text: another engine never reads this one's machine code."""
    folder = Path(__file__).parent
    files = ("graph", "expressions", "sparse", "methods", "values", "control", "functions", "emit", "frame", "loop", "plain")
    return hashlib.sha256(b"".join((folder / f"{name}.py").read_bytes() for name in files)).hexdigest()


@functools.lru_cache(maxsize=32)
def _kernel(sbml: str, method: str, lanes: int) -> machine.Loaded:
    """The integration of one model at one width."""
    model = ModelCode(_layout(sbml)[1], Shape(lanes), machine.has("fma"))

    def write() -> str:
        functions = [
            model.hoist(),
            model.rates(),
            model.slopes(),
            *model.factor(),
            model.solve(),
            *Loop(model, METHODS[method]).functions(),
        ]
        return module(functions, Shape(1), model.shape, Shape(8))

    return machine.load(machine.digest(_version(), sbml, method, str(lanes)), "integrate", write)


@functools.lru_cache(maxsize=64)
def _watcher(sbml: str, watched: tuple[str, ...], lanes: int) -> machine.Loaded:
    """The watched symbols of one model at one width."""
    system, layout = _layout(sbml)
    model = ModelCode(layout, Shape(lanes), machine.has("fma"))
    key = machine.digest(_version(), sbml, "watch", *watched, str(lanes))
    return machine.load(key, "watch", lambda: module([model.watch([system.symbols[name] for name in watched])], Shape(1), model.shape))


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A compiled model (see contract.Compiled)."""

    sbml: str
    watched: tuple[str, ...]
    layout: Layout
    method: str
    width: int | None
    name: str = field(default="own", init=False)

    @property
    def state_names(self) -> tuple[str, ...]:
        """All states, in the order of `Answer.final`."""
        return self.layout.system.states

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """What batches and paths may set: parameters, sizes of compartments, fixed species."""
        return self.layout.system.parameters

    def initial(self) -> Array:
        """The model's own initial levels."""
        return np.array(self.layout.system.initial)

    def run(self, batch: Batch, tolerances: Tolerances = DEFAULT, workers: int | None = None) -> Answer:
        """Run all lanes; blocks of lanes are filled by `workers` threads. The numbers depend on neither, nor on who runs beside whom."""
        return self.traced(batch, tolerances, workers)[0]

    def traced(self, batch: Batch, tolerances: Tolerances, workers: int | None = None, room: int = 0) -> tuple[Answer, Array, list[Array]]:
        """`run`, with everyone's kept and rejected steps (n, 2), and the attempts (k, 4: time, size, error, kept) within `room` of a block."""
        workers = workers or len(os.sched_getaffinity(0))
        lanes = self.width or _best_width(batch.lanes, workers)
        kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_kernel(self.sbml, self.method, lanes).address)
        needed = reads(self.layout.system.graph, [self.layout.system.symbols[name] for name in self.watched])
        packed = pack(self.layout, METHODS[self.method], batch, tolerances, len(self.watched))
        shared = Shared(packed, needed, _watcher(self.sbml, self.watched, lanes).address)
        blocks = [Block(shared, lanes, room) for _ in range(min(workers, -(-batch.lanes // lanes)))]
        if batch.lanes <= lanes:
            kernel(blocks[0].frame.ctypes.data)
        else:
            with ThreadPoolExecutor(len(blocks)) as pool:
                try:
                    list(pool.map(lambda block: kernel(block.frame.ctypes.data), blocks))
                finally:
                    shared.stop()  # when interrupted, nobody else begins
        answer = Answer(shared.values(), shared.means(), shared.final(), shared.failures(REASONS))
        attempts = [np.concatenate([block.attempts(k) for block in blocks]) for k in range(batch.lanes)] if room else []
        return answer, shared.arrays["counts"], attempts


def _best_width(people: int, workers: int) -> int:
    """How many lanes at once serve so many people fastest; the numbers do not depend on it.

    A step of 4 or 8 lanes costs about 1.6 or 3 times that of one (measured on the whole model with AVX-512).
    """
    cost = {1: 1.0, 4: 1.6, 8: 3.0}
    widths = [w for w in cost if w <= machine.widest()]
    return min(widths, key=lambda w: (-(-people // (w * workers)) * cost[w], w))
