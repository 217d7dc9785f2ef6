"""libRoadRunner as an engine: the oracle of the tests and the fallback. The one door for roadrunner.

Exact time-means come from integrals added to the SBML (one rate rule each), so the referee needs no dense output.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.metadata import version

import numpy as np
import roadrunner

from ghaxis.engine.contract import Answer, Array, Batch, Breaks, Failure, Tolerances
from ghaxis.errors import LibraryError, Mistake, Place

_SBML = "{http://www.sbml.org/sbml/level3/version2/core}"
_MATHML = "http://www.w3.org/1998/Math/MathML"
_INTEGRAL = "integral_of__"
DEFAULT = Tolerances()


@dataclass(frozen=True)
class Referee:
    """Compiles with libRoadRunner; runs each lane with CVODE, restarted at every breakpoint."""

    name: str = "referee"

    def compile(self, sbml: str, watched: Sequence[str]) -> RefereeModel:
        """Read the symbols; each worker process loads the model on its first run."""
        return RefereeModel(sbml=sbml, watched=tuple(watched))


def _with_integrals(sbml: str, names: Sequence[str]) -> str:
    """The same SBML with a state `integral_of__X` for every watched X."""
    ElementTree.register_namespace("", _SBML[1:-1])
    root = ElementTree.fromstring(sbml)
    model = root.find(f"{_SBML}model")
    if model is None:
        raise LibraryError([Mistake(Place("sbml"), "not SBML level 3 version 2 core")])
    order = ["FunctionDefinitions", "UnitDefinitions", "Compartments", "Species", "Parameters", "InitialAssignments", "Rules"]

    def part(which: str) -> ElementTree.Element:
        found = model.find(f"{_SBML}listOf{which}")
        if found is None:
            found = ElementTree.Element(f"{_SBML}listOf{which}")
            after = [model.find(f"{_SBML}listOf{name}") for name in order[: order.index(which)]]
            model.insert(max([list(model).index(element) + 1 for element in after if element is not None], default=0), found)
        return found

    parameters, rules = part("Parameters"), part("Rules")
    for name in names:
        ElementTree.SubElement(parameters, f"{_SBML}parameter", {"id": _INTEGRAL + name, "value": "0", "constant": "false"})
        rule = ElementTree.SubElement(rules, f"{_SBML}rateRule", {"variable": _INTEGRAL + name})
        math = ElementTree.SubElement(rule, f"{{{_MATHML}}}math")
        ElementTree.SubElement(math, f"{{{_MATHML}}}ci").text = name
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


@dataclass(frozen=True)
class _Symbols:
    """What the model is made of; `levels` are libRoadRunner's selections that read as the symbol does in equations."""

    states: tuple[str, ...]
    levels: tuple[str, ...]
    parameters: tuple[str, ...]
    initial: tuple[float, ...]


def _read(sbml: str) -> _Symbols:
    root = ElementTree.fromstring(sbml)
    species = [s for s in root.iter(f"{_SBML}species") if s.get("boundaryCondition") != "true"]
    rates = [str(r.get("variable")) for r in root.iter(f"{_SBML}rateRule")]
    amounts = {s.get("id") for s in species if s.get("hasOnlySubstanceUnits") == "true"}
    names = [str(s.get("id")) for s in species]
    states = names + [name for name in rates if name not in names]
    things = {str(p.get("id")): p for kind in ("parameter", "compartment", "species") for p in root.iter(f"{_SBML}{kind}")}
    start = {}
    for name in states:
        element = things[name]
        size = float(things[str(element.get("compartment"))].get("size", "1")) if name in names else 1.0
        amount, concentration = element.get("initialAmount"), element.get("initialConcentration")
        if name not in names:
            start[name] = float(element.get("value", "nan"))
        elif name in amounts:
            start[name] = float(amount) if amount else float(concentration or "nan") * size
        else:
            start[name] = float(concentration) if concentration else float(amount or "nan") / size
    levels = tuple(name if name in amounts or name not in names else f"[{name}]" for name in states)
    ruled = {str(r.get("variable")) for r in root.iter(f"{_SBML}assignmentRule")}
    parameters = tuple(n for n, e in things.items() if e.tag != f"{_SBML}species" and n not in states and n not in ruled)
    return _Symbols(tuple(states), levels, parameters, tuple(start[name] for name in states))


@dataclass(frozen=True, eq=False)
class _Solver:
    """A loaded model in this process; `selections` are the watched symbols and then their integrals."""

    runner: roadrunner.RoadRunner
    symbols: _Symbols
    selections: tuple[str, ...]


def _load(sbml: str, watched: tuple[str, ...], symbols: _Symbols) -> _Solver:
    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
    runner = roadrunner.RoadRunner(_with_integrals(sbml, watched))
    level = dict(zip(symbols.states, symbols.levels, strict=True))
    return _Solver(runner, symbols, tuple(level.get(w, w) for w in watched) + tuple(_INTEGRAL + name for name in watched))


@dataclass(frozen=True, eq=False)
class RefereeModel:
    """A model compiled by libRoadRunner (see contract.Compiled).

    Lanes always run in worker processes, also with one worker: within one process libRoadRunner repeats itself bit for bit, but a model
    loaded twice in unlike ways may differ in the last digit, and CVODE's step choice makes that visible at the tolerance.
    """

    sbml: str
    watched: tuple[str, ...]
    name: str = "referee"
    _symbols: _Symbols = field(init=False, repr=False)
    _pools: dict[int, ProcessPoolExecutor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_symbols", _read(self.sbml))

    @property
    def version(self) -> str:
        """The release of libRoadRunner."""
        return version("libroadrunner")

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the states, in the order of `initial`."""
        return self._symbols.states

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters that a batch may set."""
        return self._symbols.parameters

    def initial(self) -> Array:
        """The model's own initial levels."""
        return np.array(self._symbols.initial)

    def run(self, batch: Batch, tolerances: Tolerances = DEFAULT, workers: int | None = None) -> Answer:
        """Run all lanes, each in a worker process; the numbers do not depend on `workers`."""
        workers = min(workers or len(os.sched_getaffinity(0)), batch.lanes)
        if workers not in self._pools:
            context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
            self._pools[workers] = ProcessPoolExecutor(workers, context, _begin, (self.sbml, self.watched, self._symbols))
        lanes = list(self._pools[workers].map(_one, [(_single(batch, k), k, tolerances) for k in range(batch.lanes)]))
        values, means, final, failures = zip(*lanes, strict=True)
        return Answer(np.stack(values), np.stack(means), np.stack(final), tuple(f for f in failures if f is not None))


_IN_WORKER: dict[str, _Solver] = {}


def _begin(sbml: str, watched: tuple[str, ...], symbols: _Symbols) -> None:
    _IN_WORKER["solver"] = _load(sbml, watched, symbols)


def _single(batch: Batch, lane: int) -> Batch:
    part = slice(lane, lane + 1)
    return replace(batch, parameters=batch.parameters[part], initial=batch.initial[part], breaks=batch.breaks[part])


def _one(job: tuple[Batch, int, Tolerances]) -> tuple[Array, Array, Array, Failure | None]:
    batch, lane, tolerances = job
    values, means, final, failure = _lane(_IN_WORKER["solver"], batch, 0, tolerances)
    return values, means, final, replace(failure, lane=lane) if failure else None


def _lane(solver: _Solver, batch: Batch, lane: int, tolerances: Tolerances) -> tuple[Array, Array, Array, Failure | None]:
    """One lane from start to end, stopping at every breakpoint."""
    runner = solver.runner
    runner.resetToOrigin()
    runner.model.setTime(batch.start)
    integrator = runner.integrator
    integrator.relative_tolerance, integrator.absolute_tolerance = tolerances.relative, tolerances.absolute
    integrator.maximum_num_steps = 200000
    if tolerances.largest_step:
        integrator.maximum_time_step = tolerances.largest_step
    for name, value in zip(batch.parameter_names, batch.parameters[lane], strict=True):
        runner.setValue(name, float(value))
    place = dict(zip(solver.symbols.states, solver.symbols.levels, strict=True))
    for name, value in zip(batch.state_names, batch.initial[lane], strict=True):
        runner.setValue(place[name], float(value))
    width = len(solver.selections) // 2
    edges = np.unique(batch.windows)
    asked = np.unique(np.concatenate([batch.times, edges]))
    seen = np.full((len(asked), len(solver.selections)), np.nan)
    breaks = batch.breaks[lane]
    stops = sorted({batch.end, *(t for t in (*breaks.path_times, *breaks.impulse_times) if batch.start < t < batch.end)})
    failure, now = None, batch.start
    at_start = np.flatnonzero(asked == batch.start)
    if len(at_start):
        seen[at_start[0]] = [float(runner.getValue(s)) for s in solver.selections]
    try:
        for stop in stops:
            _act(runner, breaks, now)
            wanted = np.flatnonzero((asked > now) & (asked <= stop))
            grid = [now, *(float(t) for t in asked[wanted] if t < stop), stop]
            rows = np.asarray(runner.simulate(times=grid, selections=["time", *solver.selections]))
            if not np.isfinite(rows).all():
                raise RuntimeError("a level is not a number")
            seen[wanted] = rows[1 : len(wanted) + 1, 1:]
            now = stop
    except RuntimeError as error:
        last = tuple(float(runner.getValue(s)) for s in solver.symbols.levels)
        failure = Failure(lane, now, "", str(error), last)
    final = np.array([float(runner.getValue(s)) if failure is None else np.nan for s in solver.symbols.levels])
    values = seen[np.searchsorted(asked, batch.times), :width]
    spans = np.searchsorted(asked, batch.windows)
    means = (
        (seen[spans[:, 1], width:] - seen[spans[:, 0], width:]) / (batch.windows[:, 1] - batch.windows[:, 0])[:, None]
        if len(batch.windows)
        else np.empty((0, width))
    )
    return values, means, final, failure


def _act(runner: roadrunner.RoadRunner, breaks: Breaks, now: float) -> None:
    """What happens at this moment: paths, then impulses."""
    for i in np.flatnonzero(breaks.path_times == now):
        runner.setValue(breaks.path_names[i], float(breaks.path_values[i]))
    for i in np.flatnonzero(breaks.impulse_times == now):
        name = breaks.impulse_states[i]
        runner.setValue(name, float(runner.getValue(name)) + float(breaks.impulse_amounts[i]))
