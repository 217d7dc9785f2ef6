"""The settled state of a person: slow states where the descriptors put them, and the causes that keep them there.

Slow states (role `slow`) are held while all else runs; the mean rate of every held state is brought to zero. A slow state with a given
descriptor is balanced by its one cause (role `balances X`); a slow state without one (an adaptation, a marker) by its own level. So is one
that only the healthy self describes, where keeping it would take an implausible cause: an expectation yields to the physiology. The search
is a controller in discrete time: every few days the unknowns move against the mean rates, by a Jacobian from differences, while the rest of
the body relaxes; then eight noise tapes correct and, on fresh days, check the result. Persons run side by side as lanes, and none of them
depends on the others.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath

import numpy as np
import platformdirs

from ghaxis import keeping
from ghaxis.assembly import freeze_states
from ghaxis.chance import stream
from ghaxis.course import TOLERANCES, compiled, lane_batch
from ghaxis.engine.contract import Answer, Array, Breaks, Compiled
from ghaxis.errors import DomainError, GhaxisError, SimulationError
from ghaxis.model import Model
from ghaxis.people import HEALTHY, WIDEST, Resolved
from ghaxis.reading.records import DayRecord
from ghaxis.treatment import day_paths, noise_draws

TAPES = 8
DAY = 24.0
STRIDE = 3 * DAY  # between two moves of the unknowns
SLOPES_AT = (0, 4)  # moves before which the Jacobian is formed
MOVES = (10, 40)  # at least, at most
GAIN, LATER = 0.8, 0.5  # share of the Newton step: while far off, and later, when noise is to be averaged
LARGEST = 1.0  # move of an unknown (log scale for causes)
NEAR = 0.005  # a mean correction below this, beyond what noise explains, ends the search
REMEMBERED = 5  # moves over which it is averaged
WINDOW = 14 * DAY  # of a round on all tapes
ROUNDS = 4  # of these, at most
HALF_YEAR = 26 * 168.0
LIMIT = 1.0  # accepted drift, % per 26 weeks, beyond what noise explains
NOISE = 3.0  # standard errors that noise explains: some ten states are looked at at once
LONGEST = (MOVES[1] + 1) * STRIDE + STRIDE + ROUNDS * (WINDOW + DAY)  # hours of tape that a search may need

TIGHT = {"screening": "own"}  # rates in single precision at double's tolerances: the same to all digits shown, at half the cost
STEADY = 0.2  # spread between tapes, of the mean: what differs less does not pulse
CROWD = 48  # persons side by side, between two reports
_FORMAT = 7  # of the cache


@dataclass(frozen=True)
class Implied:
    """What it took to make this person: the cause's value beside the text's, and how unusual that is (None without a known spread)."""

    cause: str
    state: str
    value: float
    usual: float
    z: float | None
    spread: float = 0.0  # of its logarithm between persons


@dataclass(frozen=True)
class Residual:
    """What a slow state would do untreated, % of its level over 26 weeks by its mean rate, with the standard error over tapes."""

    rate: float
    error: float

    @property
    def accepted(self) -> bool:
        """Whether the drift is within the limit, given its error."""
        return abs(self.rate) < LIMIT + NOISE * self.error


@dataclass(frozen=True)
class Settled:
    """A person at rest: `person` with the implied causes among its parameters, and typical levels of all states at midnight."""

    person: Resolved
    levels: Mapping[str, float]
    implied: Mapping[str, Implied]
    residuals: Mapping[str, Residual]
    rounds: int
    day: str

    @property
    def following(self) -> tuple[str, ...]:
        """Slow states whose level follows from their cause, instead of the other way round."""
        return self.person.following

    @property
    def accepted(self) -> bool:
        """Whether every drift is."""
        return all(r.accepted for r in self.residuals.values())


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
    found = settle_many(model, [person], day, engine, cache)[0]
    if isinstance(found, GhaxisError):
        raise found
    return found


def settle_many(
    model: Model,
    persons: Sequence[Resolved],
    day: DayRecord,
    engine: str = "auto",
    cache: bool = True,
    tell: Callable[[int], None] | None = None,
) -> list[Settled | GhaxisError]:
    """The settled states of many persons, in order; for who cannot exist (or be simulated) the error that says why.

    `tell(done)` counts persons. Whoever is done is in the cache: an interrupted call goes on where it was.
    """
    files = [_file(model, person, day) for person in persons]
    found: dict[int, Settled | GhaxisError] = {}
    for k, (where, person) in enumerate(zip(files, persons, strict=True)):
        if cache and (known := _read(where, person)) is not None:
            found[k] = known
    missing = [k for k in range(len(persons)) if k not in found]
    for first in range(0, len(missing), CROWD):
        if tell:
            tell(len(found))
        crowd = missing[first : first + CROWD]
        found |= zip(crowd, _solve(model, [persons[k] for k in crowd], day, engine), strict=True)
        if yielding := {k: told for k in crowd if (told := _yielding(persons[k], found[k])) is not None}:
            found |= zip(yielding, _solve(model, list(yielding.values()), day, engine), strict=True)
        for k in crowd:
            if cache and isinstance(made := found[k], Settled):
                _write(files[k], made)
    return [_existing(found[k]) for k in range(len(persons))]


def _yielding(person: Resolved, found: Settled | GhaxisError) -> Resolved | None:
    """The person whose expected levels follow from causes at the limit of what is plausible, where keeping them took causes beyond."""
    beyond = {
        i.state: (i.cause, i.value * math.exp((math.copysign(WIDEST, i.z) - i.z) * i.spread))
        for i in (found.implied.values() if isinstance(found, Settled) else ())
        if i.z is not None and abs(i.z) > WIDEST and set(person.origin.get(i.state, ())) <= {HEALTHY}
    }
    if not beyond:
        return None
    return dataclasses.replace(
        person,
        parameters={**person.parameters, **dict(beyond.values())},
        targets={s: v for s, v in person.targets.items() if s not in beyond},
        balances={s: c for s, c in person.balances.items() if s not in beyond},
        following=(*person.following, *beyond),
    )


def _existing(found: Settled | GhaxisError) -> Settled | GhaxisError:
    for implied in found.implied.values() if isinstance(found, Settled) else ():
        if implied.z is not None and abs(implied.z) > 4:
            return DomainError(
                f"no such person: keeping {implied.state} at its descriptor together with the others takes "
                f"{implied.cause} = {implied.value:.3g} ({implied.z:+.1f} standard deviations from {implied.usual:.3g})"
            )
    return found


@dataclass(frozen=True, eq=False)
class _Field:
    """The model with its slow states held, and the days on which everyone runs."""

    model: Model
    day: DayRecord
    frozen: tuple[str, ...]
    usual: Mapping[str, float]
    runner: Compiled
    days: dict[tuple[float, float], tuple[Array, list[str], Array]] = field(default_factory=dict)

    @staticmethod
    def of(model: Model, day: DayRecord, engine: str) -> _Field:
        frozen = tuple(sorted(model.slow))
        usual = {
            name: float(d.expression)
            for name, d in model.definitions.items()
            if d.kind in ("constant", "state") and _is_number(d.expression)
        }
        rates = tuple(f"rate_of_{s}" for s in frozen)
        searching = "referee" if engine == "referee" else "screening"
        return _Field(model, day, frozen, usual, compiled(searching, freeze_states(model.sbml, frozen), rates))

    def run(self, lanes: Sequence[tuple[_Seeker, Array, int]], start: float, window: tuple[float, float]) -> _Rates:
        """Everyone (seeker, unknowns, tape) from `start` to the end of the window, each from its last levels."""
        end = window[1]
        asked = [
            (seeker.parameters(x), seeker.levels.get(tape, seeker.levels.get(0, {})), self._breaks(seeker.tape(tape), start, end))
            for seeker, x, tape in lanes
        ]
        batch = lane_batch(self.model, self.runner, asked, start, end, np.empty(0), np.array([window]))
        answer = self.runner.run(batch, TOLERANCES[TIGHT.get(self.runner.name, self.runner.name)])
        for failure in answer.failures:
            seeker = lanes[failure.lane][0]
            where = f" in {failure.state}" if failure.state else ""
            last = dict(zip(self.runner.state_names, failure.last, strict=False))
            text = f"{seeker.person.name or 'person'} failed while coming to rest{where}: {failure.reason}"
            seeker.error = SimulationError(text, seeker.person.name, failure.time, failure.state, last)
        return _Rates(answer, self.runner.state_names)

    def _breaks(self, noise: _Tape, start: float, end: float) -> Breaks:
        """The day's habits and a tape's noise on [start, end), with the levels that hold at `start`."""
        habits = self._habits(start, end)
        times, names, values = noise.between(start, end)
        when = np.concatenate([habits[0], times])
        order = np.argsort(when, kind="stable")
        both, what = habits[1] + names, np.concatenate([habits[2], values])
        return Breaks(when[order], tuple(both[k] for k in order), what[order], np.empty(0), (), np.empty(0))

    def _habits(self, start: float, end: float) -> tuple[Array, list[str], Array]:
        if (start, end) not in self.days:
            paths = [p for p in day_paths(self.day, start, end) if p.name in self.runner.parameter_names]
            self.days[start, end] = np.array([p.time for p in paths]), [p.name for p in paths], np.array([p.value for p in paths])
        return self.days[start, end]


class _Tape:
    """The noise of a whole search, drawn once."""

    def __init__(self, field: _Field, seed: int, tape: int):
        draws = noise_draws(field.day, stream(seed, "tape", "settle", tape), 0.0, LONGEST)
        known = field.runner.parameter_names
        self.draws = [(times, list(names), values) for times, names, values in draws if set(names) <= set(known)]

    def between(self, start: float, end: float) -> tuple[Array, list[str], Array]:
        """Times, names and values on [start, end); what held at `start` comes first."""
        moments, names, values = [np.empty(0)], [], [np.empty(0)]
        for times, inputs, drawn in self.draws:
            first, last = max(int(np.searchsorted(times, start, side="right")) - 1, 0), int(np.searchsorted(times, end))
            moments.append(np.repeat(np.maximum(times[first:last], start), len(inputs)))
            names += inputs * (last - first)
            values.append(drawn[first:last].ravel())
        return np.concatenate(moments), names, np.concatenate(values)


@dataclass(frozen=True, eq=False)
class _Rates:
    """What a run of many lanes said."""

    answer: Answer
    states: tuple[str, ...]

    def of(self, lane: int, seeker: _Seeker) -> Array:
        """Relative rates per half year (unknowns,) in one lane."""
        return self.answer.means[lane, 0, seeker.places] / seeker.scale * HALF_YEAR

    def levels(self, lane: int) -> dict[str, float]:
        """Levels at the end."""
        return dict(zip(self.states, (float(v) for v in self.answer.final[lane]), strict=True))


class _Seeker:
    """One person on the way to rest: unknowns, levels by tape, and the inverse of the Jacobian."""

    def __init__(self, field: _Field, person: Resolved):
        self.person, self.field = person, field
        slow, usual = field.model.slow, field.usual
        balancing = {s: person.balances.get(s) or slow[s] for s in field.frozen}
        self.unknowns = [_Unknown(s, balancing[s], 1.0) for s in field.frozen if s in person.targets and balancing[s]]
        free = [s for s in field.frozen if s not in person.targets and (slow[s] is None or s in person.following)]
        self.unknowns += [_Unknown(s, None, max(abs(usual[s]), 0.05)) for s in free]
        self.scale = np.array([max(abs(person.targets.get(u.state, usual[u.state])), 0.05) for u in self.unknowns])
        self.places = [field.frozen.index(u.state) for u in self.unknowns]
        self.held = {s: person.targets.get(s, usual[s]) for s in field.frozen}
        values = [person.parameters.get(u.cause, usual[u.cause]) if u.cause else usual[u.state] for u in self.unknowns]
        self.x = np.array([math.log(max(v, 1e-12)) if u.cause else v / u.scale for u, v in zip(self.unknowns, values, strict=True)])
        self.levels: dict[int, dict[str, float]] = {}
        self.seed = int(_content(person)[:12], 16)  # persons who differ have tapes of their own
        self.tapes: dict[int, _Tape] = {}
        self.inverse = np.empty((0, 0))
        self.lasting = np.ones(len(self.unknowns))  # of half a year's drift, what is left where a level is drawn back
        self.moves: list[Array] = []
        self.rates = np.empty((0, 0))
        self.rounds = 0
        self.error: GhaxisError | None = None

    def tape(self, number: int) -> _Tape:
        """One of the person's tapes."""
        if number not in self.tapes:
            self.tapes[number] = _Tape(self.field, self.seed, number)
        return self.tapes[number]

    def values(self, x: Array) -> dict[str, float]:
        """The unknowns in the model's units, by name."""
        return {u.name: math.exp(v) if u.cause else v * u.scale for u, v in zip(self.unknowns, x, strict=True)}

    def parameters(self, x: Array) -> dict[str, float]:
        """What the held model is told."""
        return {**self.person.parameters, **self.held, **self.values(x)}

    def slopes(self, rates: Array, step: float) -> None:
        """The Jacobian from rates (unknowns + 1, unknowns) with no and each unknown moved by `step`."""
        jacobian = ((rates[1:] - rates[0]) / step).T
        self.inverse = np.linalg.pinv(jacobian, rcond=1e-7)
        back = np.array([0.0 if u.cause else -jacobian[i, i] for i, u in enumerate(self.unknowns)])
        self.lasting = -np.expm1(-np.maximum(back, 1e-6)) / np.maximum(back, 1e-6)

    def move(self, rates: Array) -> None:
        """Against the rates."""
        self.moves.append(-self.inverse @ rates)
        self.x = self.x + _limited((GAIN if len(self.moves) <= MOVES[0] // 2 else LATER) * self.moves[-1], LARGEST)

    @property
    def moving(self) -> bool:
        """Whether the mean of the last moves is more than noise."""
        if self.error or len(self.moves) >= MOVES[1]:
            return False
        return len(self.moves) < MOVES[0] or not _is_noise(np.array(self.moves[-REMEMBERED:]))

    def note(self, found: _Rates, lanes: range) -> None:
        """A round on all tapes: levels, and rates (tapes, unknowns)."""
        self.levels = {tape: found.levels(lane) for tape, lane in enumerate(lanes)}
        self.rates = np.array([found.of(lane, self) for lane in lanes])
        self.rounds += 1

    @property
    def corrections(self) -> Array:
        """What each tape of the last round would move (tapes, unknowns)."""
        return -self.rates @ self.inverse.T

    @property
    def at_rest(self) -> bool:
        """Whether the last round asks for no correction beyond noise."""
        return _is_noise(self.corrections)

    def settled(self) -> Settled:
        """The settled state, with the rates of the last round as what is left."""
        field, found = self.field, self.values(self.x)
        implied = {u.cause: _implied(field.model, u, found[u.cause], field.usual[u.cause]) for u in self.unknowns if u.cause}
        slow = self.held | {u.state: found[u.state] for u in self.unknowns if not u.cause}
        levels = _typical(self.levels) | slow
        person = dataclasses.replace(self.person, parameters={**self.person.parameters, **{name: i.value for name, i in implied.items()}})
        drifts = self.rates * self.lasting
        errors = drifts.std(axis=0, ddof=1) / math.sqrt(TAPES)
        rows = zip(self.unknowns, drifts.mean(axis=0), errors, strict=True)
        residuals = {u.state: Residual(100 * float(r), 100 * float(e)) for u, r, e in rows}
        return Settled(person, levels, implied, residuals, self.rounds, field.day.name)


def _solve(model: Model, persons: Sequence[Resolved], day: DayRecord, engine: str) -> list[Settled | GhaxisError]:
    field = _Field.of(model, day, engine)
    seekers = [_Seeker(field, person) for person in persons]
    _approach(field, seekers)
    now = (MOVES[1] + 1) * STRIDE  # on tape, whenever the last of them was near: nobody depends on the others
    active = [s for s in seekers if not s.error]
    for round_ in range(ROUNDS):
        begin = now + (STRIDE if round_ == 0 else DAY)
        lanes = [(s, s.x, tape) for s in active for tape in range(TAPES)]
        found = field.run(lanes, now, (begin, begin + WINDOW))
        now = begin + WINDOW
        for i, s in enumerate(active):
            s.note(found, range(i * TAPES, (i + 1) * TAPES))
        active = [s for s in active if not s.error and (round_ == 0 or not s.at_rest)]
        if not active or round_ == ROUNDS - 1:
            break
        for s in active:
            s.x = s.x + _limited(s.corrections.mean(axis=0), LARGEST / 2)
    return [s.error or s.settled() for s in seekers]


def _approach(field: _Field, seekers: Sequence[_Seeker]) -> None:
    """Everyone moves on one tape until the mean move is noise."""
    step, now = 0.1, 0.0
    active = [s for s in seekers if not s.error]
    for k in range(-1, MOVES[1]):
        if k in SLOPES_AT:
            lanes = [(s, s.x + shift, 0) for s in active for shift in (np.zeros(len(s.x)), *(step * np.eye(len(s.x))))]
            found, lane = field.run(lanes, now, (now + DAY, now + 3 * DAY)), 0
            for s in active:
                rates = np.array([found.of(lane + i, s) for i in range(len(s.x) + 1)])
                lane += len(s.x) + 1
                if not s.error:
                    s.slopes(rates, step)
            active = [s for s in active if not s.error]
        found = field.run([(s, s.x, 0) for s in active], now, (now, now + STRIDE))
        now += STRIDE
        for lane, s in enumerate(active):
            s.levels[0] = found.levels(lane)
            if k >= 0 and not s.error:  # the first days only lead away from the text's levels
                s.move(found.of(lane, s))
        active = [s for s in active if s.moving]
        if not active:
            break


def _is_noise(corrections: Array) -> bool:
    """Whether the mean of corrections (n, unknowns) is small, or no more than they scatter."""
    error = corrections.std(axis=0, ddof=1) / math.sqrt(len(corrections))
    return bool((np.abs(corrections.mean(axis=0)) < NEAR + NOISE * error).all())


def _typical(levels: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """Levels to start from: of what hardly differs between tapes the mean, of what pulses that of the tape nearest to these means."""
    names = list(levels[0])
    rows = np.array([[levels[k][name] for name in names] for k in sorted(levels)])
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    steady = spread < STEADY * np.abs(mean)
    away = (rows - mean)[:, steady] / np.maximum(spread[steady], 1e-300)
    nearest = rows[int((away**2).sum(axis=1).argmin())]
    return dict(zip(names, np.where(steady, mean, nearest).tolist(), strict=True))


def _limited(step: Array, limit: float) -> Array:
    return step * min(1.0, limit / max(float(np.abs(step).max()), 1e-30))


def _implied(model: Model, unknown: _Unknown, value: float, usual: float) -> Implied:
    assert unknown.cause
    cv = model.definitions[unknown.cause].cv
    spread = math.sqrt(math.log1p(cv * cv)) if cv else 0.0
    z = math.log(value / usual) / spread if spread and usual > 0 else None
    return Implied(unknown.cause, unknown.state, value, usual, z, spread)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _content(person: Resolved) -> str:
    """A digest of all that the model is told about a person."""
    what = [*(sorted(part.items()) for part in (person.parameters, person.targets, person.balances)), sorted(person.following)]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _file(model: Model, person: Resolved, day: DayRecord) -> FilePath:
    habits = [(h.input, h.start, h.lasts, h.level) for h in day.habits] + [(dict(n.cvs), n.gap, n.shape) for n in day.noise]
    key = hashlib.sha256(json.dumps([_FORMAT, model.hash, _content(person), habits], default=str).encode()).hexdigest()
    return FilePath(platformdirs.user_cache_dir("ghaxis")) / "settled" / f"{key}.json"


def _write(where: FilePath, settled: Settled) -> None:
    """Two processes may write the same person; a cache that cannot be written is no mistake."""
    text = json.dumps(
        {
            "parameters": dict(settled.person.parameters),
            "following": settled.person.following,
            "levels": dict(settled.levels),
            "implied": {k: dataclasses.asdict(v) for k, v in settled.implied.items()},
            "residuals": {k: dataclasses.asdict(v) for k, v in settled.residuals.items()},
            "rounds": settled.rounds,
            "day": settled.day,
        }
    )
    with contextlib.suppress(OSError):
        keeping.write(where, text.encode())


def _read(where: FilePath, person: Resolved) -> Settled | None:
    """None where there is nothing, or nothing that can be read: a damaged entry is made anew."""
    try:
        found = json.loads(where.read_text())
        return Settled(
            dataclasses.replace(person, parameters=found["parameters"], following=tuple(found["following"])),
            found["levels"],
            {k: Implied(**v) for k, v in found["implied"].items()},
            {k: Residual(**v) for k, v in found["residuals"].items()},
            found["rounds"],
            found["day"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
