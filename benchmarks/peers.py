"""The engines under test behind one door: one course through its breakpoints, the same outputs, and the processor time it took.

A peer's time begins when its parameters and levels are set and ends with its last output; ours is that of the whole call. Every one is
restarted at every breakpoint, as the inputs are constant between two of them, and none is charged for loading the model.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from benchmarks.cases import WATCHED
from ghaxis.engine import NAMES, Batch, Breaks, Compiled, Tolerances, load

FINE = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)


@dataclass(frozen=True, eq=False)
class Ran:
    """values (times, watched), processor seconds, and kept steps where the engine tells."""

    values: np.ndarray
    seconds: float
    steps: int | None = None


class Peer(Protocol):
    """An engine under test."""

    name: str
    tolerances: tuple[float, ...]

    def run(self, batch: Batch, relative: float) -> Ran:
        """The first lane of a batch."""


@dataclass(eq=False)
class Own:
    """Our engine with one lane."""

    sbml: str
    name: str = "ghaxis, Rodas4"
    method: str = "rodas4"
    tolerances: tuple[float, ...] = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    lanes: int = 1
    compiled: Any = field(init=False)

    def __post_init__(self) -> None:
        from ghaxis.engine.own import OwnEngine

        self.compiled = OwnEngine(self.method, self.lanes).compile(self.sbml, WATCHED)

    def run(self, batch: Batch, relative: float) -> Ran:
        """All lanes of a batch on one thread; the values of the first."""
        begun = time.process_time()
        answer, counts, _ = self.compiled.traced(batch, Tolerances(relative, relative / 100), 1)
        seconds = time.process_time() - begun
        _complete(answer.failures)
        return Ran(answer.values[0], seconds, int(counts[0, 0]))


@dataclass(eq=False)
class Other:
    """An engine of this package that is not here by name yet: run as it comes, at the tolerances of its own default and beside them."""

    name: str
    compiled: Compiled
    tolerances: tuple[float, ...] = (1e-2, 3e-3, 1e-3, 3e-4)

    def run(self, batch: Batch, relative: float) -> Ran:
        """All lanes of a batch on one thread; the values of the first."""
        begun = time.process_time()
        answer = self.compiled.run(batch, Tolerances(relative, relative / 100), 1)
        seconds = time.process_time() - begun
        _complete(answer.failures)
        return Ran(np.asarray(answer.values[0], dtype=float), seconds)


def _complete(failures: Sequence[object]) -> None:
    if failures:
        raise ArithmeticError(f"{len(failures)} lanes failed: {failures[0]}")


@dataclass(eq=False)
class RoadRunner:
    """libRoadRunner within this process: no worker, no integrals for means, absolute tolerance a thousandth of the relative."""

    sbml: str
    name: str = "libRoadRunner"
    tolerances: tuple[float, ...] = FINE
    runner: Any = field(init=False)

    def __post_init__(self) -> None:
        import roadrunner

        from ghaxis.engine.referee import _read

        roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
        self.runner = roadrunner.RoadRunner(self.sbml)
        symbols = _read(self.sbml)
        self.place = dict(zip(symbols.states, symbols.levels, strict=True))

    def run(self, batch: Batch, relative: float) -> Ran:
        """One call of `simulate` for each span between breakpoints."""
        from ghaxis.engine.referee import _act

        runner, breaks = self.runner, batch.breaks[0]
        runner.resetToOrigin()
        runner.model.setTime(batch.start)
        runner.integrator.relative_tolerance, runner.integrator.absolute_tolerance = relative, relative / 1000
        runner.integrator.maximum_num_steps = 1_000_000
        for name, value in zip(batch.parameter_names, batch.parameters[0], strict=True):
            runner.setValue(name, float(value))
        for name, value in zip(batch.state_names, batch.initial[0], strict=True):
            runner.setValue(self.place[name], float(value))
        selections = ["time", *(self.place.get(name, name) for name in WATCHED)]
        values = np.full((len(batch.times), len(WATCHED)), np.nan)
        begun = time.process_time()
        for now, stop, due in spans(batch):
            _act(runner, breaks, now)
            grid = [now, *(t for t in batch.times[due].tolist() if t < stop), stop]
            rows = np.asarray(runner.simulate(times=grid, selections=selections))
            values[due] = rows[1 : len(due) + 1, 1:]
        return Ran(values, time.process_time() - begun)


def spans(batch: Batch) -> Iterator[tuple[float, float, np.ndarray]]:
    """Between two breakpoints: from, to, and which of the asked times lie there (the end included)."""
    breaks: Breaks = batch.breaks[0]
    outside = np.unique(np.concatenate([breaks.path_times, breaks.impulse_times]))
    stops = [batch.start, *outside[(outside > batch.start) & (outside < batch.end)].tolist(), batch.end]
    for now, stop in pairwise(stops):
        yield now, stop, np.flatnonzero((batch.times > now) & (batch.times <= stop))


def installed(module: str) -> bool:
    """Whether an optional peer is there."""
    return importlib.util.find_spec(module) is not None


def peers(sbml: str, batch: Batch) -> list[Peer]:
    """All engines that are there, ours first."""
    found: list[Peer] = [Own(sbml), Own(sbml, "ghaxis, ROS3", "ros3", (1e-2, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6))]
    found += [Other(f"ghaxis, {name}", load(name).compile(sbml, WATCHED)) for name in NAMES if name not in ("own", "referee")]
    found.append(RoadRunner(sbml))
    if installed("amici"):
        from benchmarks.amici_peer import Amici

        found.append(Amici(sbml, batch))
    from benchmarks.python_peers import Cvode, Lsoda

    found += [Lsoda(sbml, batch), Lsoda(sbml, batch, jacobian=True)]
    if installed("sksundae"):
        found.append(Cvode(sbml, batch))
    return found
