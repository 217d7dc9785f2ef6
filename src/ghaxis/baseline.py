"""The settled state of a person: slow states where the descriptors put them, and the causes that keep them there.

Slow states (role `slow`) are held; fast states run in; the mean rate of every held state over eight noise tapes of 28 days is brought to
zero. A slow state with a given descriptor is balanced by its one cause (role `balances X`); a slow state without one (an adaptation, a
marker) is balanced by its own level. The root is found by Newton steps with a Jacobian by differences on one tape and rank-one (Broyden)
updates after it; one set of tapes throughout makes it a deterministic problem.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

import numpy as np
import platformdirs

from ghaxis.assembly import freeze_states
from ghaxis.course import Course, batch, compiled, demand, tolerances
from ghaxis.engine import careful
from ghaxis.engine.contract import Array
from ghaxis.errors import DomainError
from ghaxis.model import Model
from ghaxis.people import Resolved
from ghaxis.reading.records import DayRecord
from ghaxis.treatment import Protocol

TAPES = 8
WINDOW = 28 * 24.0
HALF_YEAR = 26 * 168.0
LIMIT = 1.0  # accepted drift, % per 26 weeks, beyond two standard errors
_WATCHED_LEVEL = "IGF1"
_FORMAT = 3  # of the cache


@dataclass(frozen=True)
class Implied:
    """What it took to make this person: the cause's value beside the text's, and how unusual that is (None without a known spread)."""

    cause: str
    state: str
    value: float
    usual: float
    z: float | None


@dataclass(frozen=True)
class Residual:
    """Mean rate of a slow state (or IGF-1) in the settled state, % of its level per 26 weeks, with its standard error over tapes."""

    rate: float
    error: float

    @property
    def accepted(self) -> bool:
        """Whether the drift is within the limit, given its error."""
        return abs(self.rate) < LIMIT + 2 * self.error


@dataclass(frozen=True)
class Settled:
    """A person at rest: `person` with the implied causes among its parameters, and all levels at midnight, one set for each tape."""

    person: Resolved
    levels: tuple[Mapping[str, float], ...]
    implied: Mapping[str, Implied]
    residuals: Mapping[str, Residual]
    rounds: int
    day: str

    @property
    def accepted(self) -> bool:
        """Whether every drift is."""
        return all(r.accepted for r in self.residuals.values())

    def start(self, tape: int | None) -> Mapping[str, float]:
        """Levels to start a course on that tape from."""
        return self.levels[(tape or 0) % len(self.levels)]


@dataclass(frozen=True)
class _Unknown:
    """One thing to find: a cause (on a log scale) or the level of a slow state that no descriptor gives (linear, scaled)."""

    state: str
    cause: str | None
    scale: float

    @property
    def name(self) -> str:
        return self.cause or self.state


def settle(model: Model, person: Resolved, day: DayRecord, engine: str = "auto", cache: bool = True) -> Settled:
    """The settled state of a person, from the cache if this person and this model were settled before.

    Raises DomainError where an implied cause lies more than four standard deviations from its usual value.
    """
    where = _file(model, person, day)
    if cache and (found := _read(where, person)) is not None:
        return found
    settled = _solve(model, person, day, careful(engine))
    for implied in settled.implied.values():
        if implied.z is not None and abs(implied.z) > 4:
            raise DomainError(
                f"no such person: keeping {implied.state} = {person.targets[implied.state]:.4g} together with the other descriptors takes "
                f"{implied.cause} = {implied.value:.3g} ({implied.z:+.1f} standard deviations from {implied.usual:.3g})"
            )
    if cache:
        _write(where, settled)
    return settled


class _Problem:
    """Mean rates of the held states as a function of the unknowns, on fixed tapes, warm-started from the last evaluation."""

    def __init__(self, model: Model, person: Resolved, day: DayRecord, engine: str):
        self.model, self.person, self.day = model, person, day
        slow = dict(model.slow)
        free_levels = [s for s in slow if s not in person.targets and slow[s] is None]
        held = [s for s in slow if s in person.targets or slow[s] is None]
        untouched = [s for s in slow if s not in held]
        self.frozen = [*held, *untouched]
        self.usual = {
            name: float(d.expression)
            for name, d in model.definitions.items()
            if d.kind in ("constant", "state") and _is_number(d.expression)
        }
        balancing = {s: person.balances.get(s) or slow[s] for s in held}
        self.unknowns = [_Unknown(s, balancing[s], 1.0) for s in held if s in person.targets and balancing[s]]
        self.unknowns += [_Unknown(s, None, max(abs(self.usual[s]), 0.05)) for s in free_levels]
        self.scale = np.array([max(abs(person.targets.get(u.state, self.usual[u.state])), 0.05) for u in self.unknowns])
        watched = tuple(f"rate_of_{u.state}" for u in self.unknowns) + ((_WATCHED_LEVEL,) if _WATCHED_LEVEL in model.names else ())
        self.runner = compiled(engine, freeze_states(model.sbml, tuple(self.frozen)), watched)
        self.levels: dict[int, dict[str, float]] = {}

    def start(self) -> Array:
        values = [self.person.parameters.get(u.cause, self.usual[u.cause]) if u.cause else self.usual[u.state] for u in self.unknowns]
        return np.array([math.log(max(v, 1e-12)) if u.cause else v / u.scale for u, v in zip(self.unknowns, values, strict=True)])

    def values(self, x: Array) -> dict[str, float]:
        """The unknowns in the model's units, by name."""
        return {u.name: math.exp(v) if u.cause else v * u.scale for u, v in zip(self.unknowns, x, strict=True)}

    def at(self, x: Array) -> Resolved:
        held = {s: self.person.targets.get(s, self.usual[s]) for s in self.frozen}
        return dataclasses.replace(self.person, parameters={**self.person.parameters, **held, **self.values(x)})

    def rates(self, points: Sequence[Array], tapes: Sequence[int], lead: float, window: float) -> tuple[Array, Array]:
        """Relative rates per half year (points, tapes, unknowns) and the two half-window means of IGF-1 (points, tapes, 2)."""
        nothing = Protocol.nothing()
        courses = [
            Course("settle", self.at(x), nothing, self.day, 10_000 + k, 0.0, self.levels.get(k, self.levels.get(0, {})))
            for x in points
            for k in tapes
        ]
        middle = lead + window / 2
        asked = batch(self.model, self.runner, courses, lead + window, np.empty(0), np.array([[lead, middle], [middle, lead + window]]))
        answer = demand(self.runner.run(asked, tolerances(self.runner)), self.runner, courses)
        n = len(self.unknowns)
        shape = (len(points), len(tapes))
        rates = answer.means[:, :, :n].mean(axis=1).reshape(*shape, n) / self.scale * HALF_YEAR
        if len(points) == 1:
            for k, final in zip(tapes, answer.final, strict=True):
                self.levels[k] = dict(zip(self.runner.state_names, (float(v) for v in final), strict=True))
        halves = answer.means[:, :, n].reshape(*shape, 2) if answer.means.shape[2] > n else np.ones((*shape, 2))
        return rates, halves


def _solve(model: Model, person: Resolved, day: DayRecord, engine: str) -> Settled:
    problem = _Problem(model, person, day, engine)
    x = problem.start()
    n, rounds = len(x), 0
    every = list(range(TAPES))
    problem.rates([x], [0], 21 * 24.0, 24.0)
    jacobian = None
    for attempt in range(3):
        steps = 0.05 * np.eye(n)
        rates, _ = problem.rates([x, *(x + step for step in steps)], [0], 10 * 24.0, 14 * 24.0)
        base = rates[0, 0]
        jacobian = ((rates[1:, 0] - base) / 0.05).T
        x = x + _limited(-np.linalg.lstsq(jacobian, base, rcond=1e-9)[0], 0.6)
        problem.rates([x], [0], 14 * 24.0, 24.0)
        rounds += 1
        if np.abs(base).max() < 0.3 and attempt:
            break
    assert jacobian is not None
    inverse = np.linalg.pinv(jacobian, rcond=1e-9)
    problem.levels = dict.fromkeys(every, problem.levels[0])
    rates, halves = problem.rates([x], every, 14 * 24.0, WINDOW)
    residual = rates[0].mean(axis=0)
    for _ in range(8):
        rounds += 1
        if np.abs(residual).max() < 0.002:
            break
        step = _limited(-inverse @ residual, 0.3)
        x = x + step
        rates, halves = problem.rates([x], every, 7 * 24.0, WINDOW)
        fresh = rates[0].mean(axis=0)
        change = fresh - residual
        if (along := step @ inverse @ change) > 1e-12:
            inverse = inverse + np.outer(step - inverse @ change, step @ inverse) / along
        residual = fresh
    spread = rates[0].std(axis=0, ddof=1) / math.sqrt(TAPES)
    residuals = {u.state: Residual(100 * float(r), 100 * float(s)) for u, r, s in zip(problem.unknowns, residual, spread, strict=True)}
    drift = (halves[0, :, 1] / halves[0, :, 0] - 1) * HALF_YEAR / (WINDOW / 2)
    residuals[_WATCHED_LEVEL] = Residual(100 * float(drift.mean()), 100 * float(drift.std(ddof=1)) / math.sqrt(TAPES))
    found = problem.values(x)
    implied = {u.cause: _implied(model, u, found[u.cause], problem.usual[u.cause]) for u in problem.unknowns if u.cause}
    slow_levels = {s: person.targets.get(s, problem.usual[s]) for s in problem.frozen} | {
        u.state: found[u.state] for u in problem.unknowns if not u.cause
    }
    levels = tuple({**problem.levels[k], **slow_levels} for k in every)
    settled = dataclasses.replace(person, parameters={**person.parameters, **{name: i.value for name, i in implied.items()}})
    return Settled(settled, levels, implied, residuals, rounds, day.name)


def _limited(step: Array, limit: float) -> Array:
    return step * min(1.0, limit / max(float(np.abs(step).max()), 1e-30))


def _implied(model: Model, unknown: _Unknown, value: float, usual: float) -> Implied:
    assert unknown.cause
    cv = model.definitions[unknown.cause].cv
    z = math.log(value / usual) / math.sqrt(math.log1p(cv * cv)) if cv and usual > 0 else None
    return Implied(unknown.cause, unknown.state, value, usual, z)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _file(model: Model, person: Resolved, day: DayRecord) -> FilePath:
    habits = [(h.input, h.start, h.lasts, h.level) for h in day.habits] + [(dict(n.cvs), n.gap, n.shape) for n in day.noise]
    what = [_FORMAT, model.hash, sorted(person.parameters.items()), sorted(person.targets.items()), sorted(person.balances.items()), habits]
    key = hashlib.sha256(json.dumps(what, default=str).encode()).hexdigest()
    return FilePath(platformdirs.user_cache_dir("ghaxis")) / "settled" / f"{key}.json"


def _write(where: FilePath, settled: Settled) -> None:
    """Whole or not at all: two processes may write the same person."""
    where.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(
        {
            "parameters": dict(settled.person.parameters),
            "levels": [dict(level) for level in settled.levels],
            "implied": {k: dataclasses.asdict(v) for k, v in settled.implied.items()},
            "residuals": {k: dataclasses.asdict(v) for k, v in settled.residuals.items()},
            "rounds": settled.rounds,
            "day": settled.day,
        }
    )
    handle, name = tempfile.mkstemp(dir=where.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.replace(name, where)


def _read(where: FilePath, person: Resolved) -> Settled | None:
    """None where there is nothing, or nothing that can be read: a damaged entry is made anew."""
    try:
        found = json.loads(where.read_text())
        return Settled(
            dataclasses.replace(person, parameters=found["parameters"]),
            tuple(found["levels"]),
            {k: Implied(**v) for k, v in found["implied"].items()},
            {k: Residual(**v) for k, v in found["residuals"].items()},
            found["rounds"],
            found["day"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
