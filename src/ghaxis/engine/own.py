"""The engine of this package: the model and the whole integration compiled to machine code, one lane or a vector of lanes at a time.

Default use: `OwnEngine().compile(sbml, watched).run(batch, DEFAULT)`: Rodas4. The error of a step is measured, state by state, against
`relative` x its level + `absolute` x its largest magnitude so far.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ghaxis.engine import machine
from ghaxis.engine.contract import Answer, Array, Batch, Tolerances
from ghaxis.engine.emit import Layout, ModelCode, module, reads
from ghaxis.engine.expressions import System, read_system
from ghaxis.engine.frame import NOT_A_NUMBER, TOO_MANY, TOO_SMALL, WIDE
from ghaxis.engine.lanes import Block, Shared, pack
from ghaxis.engine.loop import Loop
from ghaxis.engine.methods import METHODS
from ghaxis.engine.values import Shape
from ghaxis.errors import InputError, nearest

# On the coupled model: within 6e-4 of the maximum in pulses (GH, pSTAT5), 3e-7 in slow states over 4 days.
DEFAULT = Tolerances(3e-4, 3e-6)
MANY = 48  # people, from which on a trial run of widths is worth its time
TRIAL = 24.0  # hours of that trial
COST_OF_FOUR = 1.6  # a step of 4 lanes beside one of a single lane (measured with AVX2 and AVX-512: 1.5 to 1.7)
REASONS = {
    TOO_SMALL: "the step became too small",
    TOO_MANY: "too many steps between two breakpoints",
    NOT_A_NUMBER: "a level is not a number",
}


@dataclass(frozen=True)
class Precision:
    """What the engine with it is called, what a level is in LLVM, and how many fit where one double does."""

    engine: str
    real: str
    share: int


PRECISIONS = {"double": Precision("own", "double", 1), "single": Precision("screening", "float", 2)}


@dataclass(frozen=True)
class OwnEngine:
    """Compiles once per model and number of lanes, and keeps the machine code on disk.

    `lanes` None: 1 for one person, else as many as fit the processor's registers.

    `precision="single"` is for screening populations: levels and rates are floats; clocks, what time alone moves, and the sums of steps and
    of means are doubles. It takes the steps of double precision in half the time. At a tolerance of 1e-3, worst (median) of 32 courses of
    settled persons on noise tapes: rounding moves pSTAT5 by 3e-4 (8e-6) of its maximum within 48 h and VAT by 8e-6 (5e-7) within 26 weeks;
    the whole error is 3e-3 (5e-4) and 8e-4 (4e-5), that of the method in double too. It is not for what needs more than three digits.
    """

    method: str = "rodas4"
    lanes: int | None = None
    precision: str = "double"

    @property
    def name(self) -> str:
        """What `engine.load` knows it by."""
        return PRECISIONS[self.precision].engine

    def compile(self, sbml: str, watched: Sequence[str]) -> OwnModel:
        """Read the model. Raises LibraryError for what is outside the subset, InputError for a watched name the model lacks."""
        system = _system(sbml)
        for name in watched:
            if name not in system.symbols:
                raise InputError(f"the model has no '{name}'; nearest: {nearest(name, system.symbols)}")
        return OwnModel(sbml, tuple(watched), system, self.method, self.lanes, self.precision)


Fixed = tuple[tuple[str, float], ...]  # exponents written into the code as numbers


@functools.lru_cache(maxsize=16)
def _system(sbml: str) -> System:
    return read_system(sbml, {})


@functools.lru_cache(maxsize=16)
def _layout(sbml: str, fixed: Fixed) -> Layout:
    return Layout.of(read_system(sbml, dict(fixed)))


@functools.cache
def _version() -> str:
    """The engine's own text: another engine never reads this one's machine code."""
    folder = Path(__file__).parent
    files = ("graph", "expressions", "sparse", "methods", "values", "control", "functions", "emit", "frame", "loop", "plain")
    return hashlib.sha256(b"".join((folder / f"{name}.py").read_bytes() for name in files)).hexdigest()


def _key(sbml: str, fixed: Fixed, *more: str) -> str:
    return machine.digest(_version(), sbml, repr(fixed), *more)


@functools.lru_cache(maxsize=32)
def _kernel(sbml: str, fixed: Fixed, method: str, shape: Shape) -> machine.Loaded:
    """The integration of one model at one width."""
    model = ModelCode(_layout(sbml, fixed), shape, machine.fuses())

    def write() -> str:
        own = [model.hoist(), model.rates(), model.slopes(), *model.factor(), model.solve()]
        return module([*own, *Loop(model, METHODS[method]).functions()], Shape(1), shape, Shape(WIDE, shape.real))

    return machine.load(_key(sbml, fixed, method, str(shape)), "integrate", write)


@functools.lru_cache(maxsize=64)
def _watcher(sbml: str, fixed: Fixed, watched: tuple[str, ...], shape: Shape) -> machine.Loaded:
    """The watched symbols of one model at one width."""
    layout = _layout(sbml, fixed)
    model = ModelCode(layout, shape, machine.fuses())
    nodes = [layout.system.symbols[name] for name in watched]
    key = _key(sbml, fixed, "watch", *watched, str(shape))
    return machine.load(key, "watch", lambda: module([model.watch(nodes)], Shape(1), model.shape))


@functools.lru_cache(maxsize=64)
def _needed(sbml: str, fixed: Fixed, watched: tuple[str, ...]) -> list[int]:
    """The states that the watched symbols depend on, by place."""
    system = _layout(sbml, fixed).system
    return reads(system.graph, [system.symbols[name] for name in watched])


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A compiled model (see contract.Compiled)."""

    sbml: str
    watched: tuple[str, ...]
    system: System
    method: str
    width: int | None
    precision: str = "double"

    @property
    def name(self) -> str:
        """The engine's name."""
        return PRECISIONS[self.precision].engine

    @property
    def version(self) -> str:
        """Of the engine's text and method."""
        return f"{self.method} {_version()[:16]}"

    @property
    def state_names(self) -> tuple[str, ...]:
        """All states, in the order of `Answer.final`."""
        return self.system.states

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """What batches and paths may set: parameters, sizes of compartments, fixed species."""
        return self.system.parameters

    def initial(self) -> Array:
        """The model's own initial levels."""
        return np.array(self.system.initial)

    def run(self, batch: Batch, tolerances: Tolerances = DEFAULT, workers: int | None = None) -> Answer:
        """Run all lanes; blocks of lanes are filled by `workers` threads. The numbers depend on neither, nor on who runs beside whom."""
        return self.traced(batch, tolerances, workers)[0]

    def traced(self, batch: Batch, tolerances: Tolerances, workers: int | None = None, room: int = 0) -> tuple[Answer, Array, list[Array]]:
        """`run`, with everyone's kept and rejected steps (n, 2) and attempts (k, 4), as far as a block has `room` to note them.

        An attempt is noted as time, size, error norm, kept.
        """
        workers = workers or machine.processors()
        lanes = self.width or self._best_width(batch, tolerances, workers)
        shared, blocks = self._integrate(batch, tolerances, workers, lanes, room)
        answer = Answer(shared.values(), shared.means(), shared.final(), shared.failures(REASONS))
        attempts = [np.concatenate([block.attempts(k) for block in blocks]) for k in range(batch.lanes)] if room else []
        return answer, shared.arrays["counts"], attempts

    def _fixed(self, batch: Batch) -> Fixed:
        """Exponents that nobody in the batch moves."""
        value = dict(zip(self.system.parameters, self.system.defaults, strict=True))
        moved = {name for b in batch.breaks for name in b.path_names}
        moved |= {n for k, n in enumerate(batch.parameter_names) if n in value and not (batch.parameters[:, k] == value[n]).all()}
        return tuple((name, value[name]) for name in self.system.exponents if name not in moved and math.isfinite(value[name]))

    def _integrate(self, batch: Batch, tolerances: Tolerances, workers: int, lanes: int, room: int = 0) -> tuple[Shared, list[Block]]:
        fixed = self._fixed(batch)
        layout = _layout(self.sbml, fixed)
        packed = pack(layout, METHODS[self.method], batch, tolerances, len(self.watched))
        needed = _needed(self.sbml, fixed, self.watched)
        shape = Shape(lanes, PRECISIONS[self.precision].real)
        kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_kernel(self.sbml, fixed, self.method, shape).address)
        shared = Shared(packed, needed, _watcher(self.sbml, fixed, self.watched, shape).address)
        blocks = [Block(shared, lanes, room, shape.real) for _ in range(min(workers, -(-batch.lanes // lanes)))]
        if batch.lanes <= lanes:
            kernel(blocks[0].frame.ctypes.data)
            return shared, blocks
        with ThreadPoolExecutor(len(blocks)) as pool:
            try:
                list(pool.map(lambda block: kernel(block.frame.ctypes.data), blocks))
            finally:
                shared.stop()  # when interrupted, nobody else begins
        return shared, blocks

    def _best_width(self, batch: Batch, tolerances: Tolerances, workers: int) -> int:
        """How many lanes at once serve so many people fastest; the numbers do not depend on it.

        For few people by what a step of many lanes costs on usual machines; for many by a trial run, once for each model and machine.
        Where levels are floats, a register holds twice as many.
        """
        people, widths = batch.lanes, [w * PRECISIONS[self.precision].share for w in (4, 8) if w <= machine.widest()]
        if people <= workers:
            return 1
        if people < MANY or len(widths) == 1:
            return widths[0] if -(-people // (widths[0] * workers)) * COST_OF_FOUR < -(-people // workers) else 1

        def measure() -> str:
            few = slice(0, 2 * max(widths))
            short = replace(batch, parameters=batch.parameters[few], initial=batch.initial[few], breaks=batch.breaks[few])
            short = replace(short, end=min(batch.end, batch.start + TRIAL), times=np.empty(0), windows=np.empty((0, 2)))
            return str(min(widths, key=lambda lanes: self._pace(short, tolerances, lanes)))

        return int(
            machine.remember(_key(self.sbml, self._fixed(batch), self.method, self.precision, "width"), measure, {str(w) for w in widths})
        )

    def _pace(self, batch: Batch, tolerances: Tolerances, lanes: int) -> float:
        """Processor time of a short run, the best of three (after one that compiles)."""
        taken = []
        for _ in range(4):
            begun = time.process_time()
            self._integrate(batch, tolerances, 1, lanes)
            taken.append(time.process_time() - begun)
        return min(taken[1:])
