"""From people, protocols and tapes to what an engine runs: one course is one person under one protocol on one noise tape.

Inner time is hours, 0 = midnight. A course starts at inner time 0 with one untreated lead-in day; public time 0 is `begin` on the next day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ghaxis import engine as engines
from ghaxis.chance import stream
from ghaxis.engine import Answer, Batch, Breaks, Compiled, Tolerances
from ghaxis.errors import InputError, SimulationError, nearest
from ghaxis.model import Model
from ghaxis.people import Resolved
from ghaxis.reading.records import DayRecord
from ghaxis.treatment import Impulse, Path, Protocol, day_paths, noise_paths

LEAD_IN = 24.0  # hours: un-phases the pulses of a settled state before anything is given
TOLERANCES = {
    # The referee's error at these is below 1e-4 of GH's maximum and 1e-5 of slow states over weeks.
    "referee": Tolerances(1e-6, 1e-9),
    # Rodas4 on the same model: 5e-4 of GH's and pSTAT5's maximum, 3e-7 of VAT's over four days, 1e-4 of two-week means over 26 weeks.
    "own": Tolerances(3e-4, 3e-6),
    # The same in single precision: 3e-3 of GH's and pSTAT5's maximum over two days (half of people 5e-4), 8e-4 of VAT over 26 weeks.
    "screening": Tolerances(1e-3, 1e-5),
}


@dataclass(frozen=True)
class Course:
    """One lane to be: who, what is given, on which tape (None = no noise), from which levels.

    `initial` are levels by state name at inner time 0; `tape` names the noise stream together with `who`.
    """

    who: str
    person: Resolved
    protocol: Protocol
    day: DayRecord
    tape: int | None
    begin: float
    initial: Mapping[str, float]
    paths: tuple[Path, ...] = ()

    @property
    def zero(self) -> float:
        """Inner time of public time 0."""
        return LEAD_IN + self.begin


@lru_cache(maxsize=8)
def compiled(engine: str, sbml: str, watched: tuple[str, ...]) -> Compiled:
    """The compiled model, kept while it is in use."""
    return engines.load(engine).compile(sbml, watched)


def tolerances(engine: Compiled) -> Tolerances:
    """The tolerances that this engine's results are reported at."""
    return TOLERANCES[engine.name]


def breaks(model: Model, course: Course, end: float) -> Breaks:
    """All that comes from outside in one course up to inner time `end`, sorted; what is done holds an input against habits and noise."""
    beneath: list[Path] = list(day_paths(course.day, 0.0, end))
    if course.tape is not None:
        beneath += noise_paths(course.day, stream(course.tape, "tape", course.who), 0.0, end)
    beneath += [Path(course.zero + s.time, s.name, s.value) for s in course.person.switches]
    held = {name: float(model.definitions[name].expression) for name in model.held}
    schedule = course.protocol.schedule(
        model.library, course.person.weight, course.zero, end,
        surface_m2=course.person.surface, base={**course.person.parameters, **held}, beneath=beneath, inferred=model.unit,
    )  # fmt: skip
    paths: list[Path] = [*course.paths, *schedule.paths]
    known = set(model.names)
    paths = sorted((p for p in paths if p.name in known and 0.0 <= p.time < end), key=lambda p: p.time)
    impulses: list[Impulse] = sorted((i for i in schedule.impulses if i.time < end), key=lambda i: i.time)
    for impulse in impulses:
        if impulse.state not in known:
            raise InputError(f"a dose goes to '{impulse.state}', which the model does not have (nearest: {nearest(impulse.state, known)})")
    return Breaks(
        np.array([p.time for p in paths]),
        tuple(p.name for p in paths),
        np.array([p.value for p in paths]),
        np.array([i.time for i in impulses]),
        tuple(i.state for i in impulses),
        np.array([i.amount for i in impulses]),
    )


def batch(model: Model, runner: Compiled, courses: Sequence[Course], end: float, times: np.ndarray, windows: np.ndarray) -> Batch:
    """The courses as one batch over [0, end] (inner hours)."""
    lanes = [(c.person.parameters, c.initial, breaks(model, c, end)) for c in courses]
    return lane_batch(model, runner, lanes, 0.0, end, times, windows)


Lane = tuple[Mapping[str, float], Mapping[str, float], Breaks]  # parameters and initial levels by name, and what comes from outside


def lane_batch(
    model: Model, runner: Compiled, lanes: Sequence[Lane], start: float, end: float, times: np.ndarray, windows: np.ndarray
) -> Batch:
    """Lanes as one batch over [start, end]: what a lane does not say is as in the model's text."""
    available = set(runner.parameter_names)
    names = tuple(sorted({name for given, _, _ in lanes for name in given if name in available}))
    default = {name: _default(model, name) for name in names}
    states = tuple(s for s in runner.state_names if any(s in initial for _, initial, _ in lanes))
    own = dict(zip(runner.state_names, runner.initial(), strict=True))
    return Batch(
        start=start,
        end=float(end),
        parameter_names=names,
        parameters=np.array([[g.get(n, default[n]) for n in names] for g, _, _ in lanes], dtype=float).reshape(len(lanes), len(names)),
        state_names=states,
        initial=np.array([[i.get(s, own[s]) for s in states] for _, i, _ in lanes], dtype=float).reshape(len(lanes), len(states)),
        breaks=tuple(b for _, _, b in lanes),
        times=np.asarray(times, dtype=float),
        windows=np.asarray(windows, dtype=float).reshape(-1, 2),
    )


def _default(model: Model, name: str) -> float:
    try:
        return float(model.definitions[name].expression)
    except (KeyError, ValueError):
        return float("nan")


def failures(answer: Answer, runner: Compiled, courses: Sequence[Course]) -> dict[int, SimulationError]:
    """Who failed, by lane: person, hours after the start, state, and the last good levels."""
    found = {}
    for failure in answer.failures:
        course = courses[failure.lane]
        last = dict(zip(runner.state_names, failure.last, strict=False))
        where = f"{course.who or 'person'} failed at {failure.time - course.zero:.2f} h after the start" + (
            f" in {failure.state}" if failure.state else ""
        )
        found[failure.lane] = SimulationError(f"{where}: {failure.reason}", course.who, failure.time, failure.state, last)
    return found
