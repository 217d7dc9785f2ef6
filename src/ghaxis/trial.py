"""Trial: arms x people -> outcomes. Every person is in every arm of its group, on the same noise tapes: arms differ by what is done.

A study file is a trial: `Trial.of(study)` takes its groups, arms and the readings that its findings need.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghaxis import measure as rules
from ghaxis import units
from ghaxis.errors import DomainError, GhaxisError, InputError, SimulationError, nearest
from ghaxis.evidence import Finding, Study
from ghaxis.keeping import Kept
from ghaxis.model import Model
from ghaxis.people import Person, Population
from ghaxis.reading.records import Library, MeasureRecord, PeopleRecord, Place, StudyRecord
from ghaxis.simulation import Request, Result, attempt_many
from ghaxis.treatment import Protocol

Array = NDArray[np.float64]
EVERYONE = "everyone"
SETTLE = 240.0  # hours that cells and glands run untouched before time 0: ten half-lives of their slowest part (STAT5b)
MEASURES = ("IGF1_total", "VAT", "SAT", "lean_mass", "liver_fat", "glucose_fasting")
VISITS = ("0 h", "26 weeks")


@dataclass(frozen=True)
class Arm:
    """What one group does."""

    protocol: Protocol
    who: str = EVERYONE
    begin: str = "08:00"
    day: str = "ordinary"


@dataclass(frozen=True)
class Ask:
    """One reading of one arm: a measure at `at` (hours since begin), over its own window and sampling or those given."""

    arm: str
    measure: str
    at: float
    window: str | None = None
    sampling: str | None = None


@dataclass(frozen=True)
class Difference:
    """What an arm did beyond its control: mean of paired differences with its 95 % interval, and as a share of the control's mean."""

    measure: str
    unit: str
    at: float
    arm: str
    control: str
    value: float
    low: float
    high: float
    relative: float
    n: int

    def __str__(self) -> str:
        return (
            f"{self.measure} at {self.at / 168:g} weeks, {self.arm} less {self.control}: {self.value:+.3g} {self.unit} "
            f"(95 % {self.low:+.3g} to {self.high:+.3g}; {100 * self.relative:+.1f} %; {self.n} persons)"
        )


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Readings of a trial, each (persons, tapes) in its measure's unit; `left_out` says who could not take part, and why."""

    arms: Mapping[str, Arm]
    measures: Mapping[str, MeasureRecord]
    readings: Mapping[Ask, Array]
    left_out: Mapping[str, str] = field(default_factory=dict)

    def of(self, arm: str, measure: str, at: float | str, window: str | None = None, sampling: str | None = None) -> Array:
        """One reading (persons, tapes). Raises InputError for what the trial did not read."""
        ask = Ask(arm, measure, units.hours(at) if isinstance(at, str) else at, window, sampling)
        if ask not in self.readings:
            known = sorted({a.measure for a in self.readings})
            hint = nearest(measure, known) if measure not in known else None
            times = ", ".join(f"{a.at:g} h" for a in self.readings if (a.arm, a.measure) == (arm, measure)) or "none"
            more = f"; did you mean '{hint}'?" if hint else f"; it has {times}"
            raise InputError(f"the trial has no {measure} of arm '{arm}' at {at}{more}")
        return self.readings[ask]

    def difference(self, measure: str, at: float | str, arm: str | None = None, control: str | None = None) -> Difference:
        """An arm (by default the first) against its control (by default the last), paired by person."""
        names = list(self.arms)
        arm, control = arm or names[0], control or names[-1]
        for name in (arm, control):
            if name not in self.arms:
                hint = nearest(name, names)
                raise InputError(f"no arm '{name}'" + (f"; did you mean '{hint}'?" if hint else f"; there are {', '.join(names)}"))
        if self.arms[arm].who != self.arms[control].who:
            groups = f"{self.arms[arm].who}, {self.arms[control].who}"
            raise InputError(f"'{arm}' and '{control}' are different people ({groups}): no paired difference")
        treated, untreated = self.of(arm, measure, at), self.of(control, measure, at)
        pairs = (treated - untreated).mean(axis=1)
        value, n = float(pairs.mean()), len(pairs)
        error = 1.96 * float(pairs.std(ddof=1)) / n**0.5 if n > 1 else float("nan")
        hours = units.hours(at) if isinstance(at, str) else at
        share = value / float(untreated.mean())
        return Difference(measure, self.measures[measure].unit, hours, arm, control, value, value - error, value + error, share, n)

    def join(self, other: Outcomes) -> Outcomes:
        """The outcomes of both."""
        return Outcomes(
            {**self.arms, **other.arms},
            {**self.measures, **other.measures},
            {**self.readings, **other.readings},
            {**self.left_out, **other.left_out},
        )


@dataclass(frozen=True)
class Trial:
    """Who is treated how, and what is read when.

    `people` is one group or several by name; `arms` are protocols (for all people) or `Arm`s. Without `asks`, every measure is read in
    every arm at every visit; a measure may also be a quantity of the model. `parts` and `hold` run parts of the model (cells, a gland)
    instead of a person, untouched for ten days before time 0.
    """

    people: Population | Sequence[Person] | Mapping[str, Population | Sequence[Person]]
    arms: Mapping[str, Protocol | Arm]
    measures: Sequence[str] = MEASURES
    visits: Sequence[str] = VISITS
    tapes: int = 1
    seed: int = 0
    asks: tuple[Ask, ...] = ()
    parts: tuple[str, ...] = ()
    hold: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(study: Study, people: int = 1, tapes: int = 1, seed: int = 0, library: Library | None = None) -> Trial:
        """A study's own trial: its groups (the typical person where `people` is 1), its arms, the readings of its findings."""
        record = study.record
        arms = {name: Arm(Protocol.parse(arm.do, library), arm.who, arm.begin, arm.day) for name, arm in record.arms.items()}
        asks = tuple(dict.fromkeys(ask for finding in study.findings for ask in asked(finding)))
        used = {arm.who for arm in arms.values()}
        groups = {name: persons(record, group, people, seed) for name, group in record.people.items() if name in used}
        return Trial(groups, arms, tapes=1 if record.parts else tapes, seed=seed, asks=asks, parts=record.parts, hold=record.hold)

    def only(self, arm: str) -> Trial:
        """The same trial with one arm."""
        return dataclasses.replace(self, arms={arm: self.arms[arm]}, asks=tuple(a for a in self.readings if a.arm == arm))

    @property
    def readings(self) -> tuple[Ask, ...]:
        """Everything that is read."""
        visits = [units.hours(v) for v in self.visits]
        return self.asks or tuple(Ask(arm, measure, at) for arm in self.arms for measure in self.measures for at in visits)

    def run(
        self,
        model: Model,
        engine: str = "auto",
        progress: Callable[[int, int], None] | None = None,
        watch: Sequence[str] = (),
        workers: int | None = None,
        keep: Kept | None = None,
    ) -> Outcomes:
        """Simulate all arms. `watch` adds quantities, so that trials of one set share a compiled model; `keep` holds finished blocks.

        Of a group of several, who cannot exist or be simulated in one arm is left out of all (`Outcomes.left_out`). Raises what
        `simulate_many` raises, where nobody is left, and InputError for an unknown measure or group.
        """
        arms = {name: arm if isinstance(arm, Arm) else Arm(arm) for name, arm in self.arms.items()}
        groups = {name: tuple(g.persons()) if isinstance(g, Population) else tuple(g) for name, g in self._groups().items()}
        if self.parts:
            model = Model.load(model.library, parts=self.parts, hold=self.hold)
        model = model.with_therapies(sorted({t for arm in arms.values() for t in arm.protocol.therapies} | set(model.therapies)))
        records = {ask.measure: measure_named(ask.measure, model) for ask in self.readings}
        seen = tuple(dict.fromkeys([*watch, *(name for record in records.values() for name in rules.watched(record))]))
        requests: list[Request] = []
        lanes: dict[str, range] = {}
        for name, arm in arms.items():
            if arm.who not in groups:
                raise InputError(f"arm '{name}' treats '{arm.who}', who is not among {', '.join(groups)}")
            times = self._times(name, records)
            mine = (
                [self._request(person, arm, times, seen, tape) for person in groups[arm.who] for tape in range(self.tapes)] if times else []
            )
            lanes[name] = range(len(requests), len(requests) + len(mine))
            requests += mine
        results = attempt_many(model, requests, engine, progress, workers, keep)
        left_out = _left_out(requests, results, groups, arms)
        simulated = {
            name: [r for k in span if requests[k].person not in left_out and not isinstance(r := results[k], GhaxisError)]
            for name, span in lanes.items()
        }
        read = {ask: self._read(simulated[ask.arm], records[ask.measure], ask) for ask in self.readings}
        return Outcomes(arms, records, read, {str(person): str(error) for person, error in left_out.items()})

    def _request(self, person: Person, arm: Arm, times: tuple[float, ...], watch: tuple[str, ...], tape: int) -> Request:
        if self.parts:
            return Request(person, arm.protocol, times, watch, arm.begin, arm.day, noise=None, settled=False, run_in=SETTLE)
        return Request(person, arm.protocol, times, watch, arm.begin, arm.day, noise=self.seed * 1000 + tape)

    def _groups(self) -> Mapping[str, Population | Sequence[Person]]:
        return self.people if isinstance(self.people, Mapping) else {EVERYONE: self.people}

    def _times(self, arm: str, records: Mapping[str, MeasureRecord]) -> tuple[float, ...]:
        grids = [rules.needed(records[a.measure], a.at, a.window, a.sampling) for a in self.readings if a.arm == arm]
        return tuple(float(t) for t in np.unique(np.round(np.concatenate(grids), 9))) if grids else ()

    def _read(self, results: Sequence[Result], record: MeasureRecord, ask: Ask) -> Array:
        return np.array([rules.measure(result, record, ask.at, ask.window, ask.sampling) for result in results]).reshape(-1, self.tapes)


def _left_out(
    requests: Sequence[Request],
    results: Sequence[Result | GhaxisError],
    groups: Mapping[str, Sequence[Person]],
    arms: Mapping[str, Arm],
) -> dict[Person, GhaxisError]:
    """Persons of groups of several who failed in any arm; what fails in all of a group, or concerns what was asked, is raised."""
    found: dict[Person, GhaxisError] = {}
    for request, result in zip(requests, results, strict=True):
        if isinstance(result, GhaxisError):
            if not isinstance(result, DomainError | SimulationError):
                raise result
            found.setdefault(request.person, result)
    for group in {arm.who for arm in arms.values()}:
        lost = [found[person] for person in groups[group] if person in found]
        if lost and len(lost) == len(groups[group]):
            raise lost[0]
    return found


def measure_named(name: str, model: Model) -> MeasureRecord:
    """A measure of the library, or a level of one of the model's quantities. Raises InputError with the nearest name."""
    if name in model.library.measures:
        return model.library.measures[name]
    if name in model.names:
        return MeasureRecord(
            name, model.definitions[name].meaning, name, model.shown(name), "level", "0 h", "", {}, "definition", Place("measures.toml")
        )
    hint = nearest(name, [*model.library.measures, *model.names])
    raise InputError(f"no measure or quantity '{name}'" + (f"; did you mean '{hint}'?" if hint else ""))


def asked(finding: Finding) -> tuple[Ask, ...]:
    """The readings that a finding needs."""
    return tuple(Ask(arm, finding.measure.name, at, finding.record.window, finding.record.sampling) for arm, at in finding.tokens)


def persons(study: StudyRecord, group: PeopleRecord, n: int, seed: int) -> tuple[Person, ...]:
    """A study's group: the typical person (means and middles; a man where the sexes are mixed or not printed), or `n` drawn ones."""
    name = f"{study.key}/{group.name}"
    if n > 1:
        return Population.of(dataclasses.replace(group, name=name), n, seed).persons()
    printed = {key: _middle(value) for key, value in group.given.items()}
    sex = printed.pop("sex", "mixed")
    printed.pop("note", None)
    build = {key: printed.pop(key) for key in ("age", "bmi", "weight", "height") if key in printed}
    return (Person(group.state or "healthy", "M" if sex == "mixed" else sex, name=name, seed=seed, given=printed, **build),)


def _middle(value: Any) -> Any:
    """The typical value of a printed characteristic: itself, its mean or median, or the middle of its range."""
    if not isinstance(value, Mapping):
        return value
    for key in ("mean", "median"):
        if key in value:
            return value[key]
    low, unit = units.split(str(value["low"]))
    return f"{(low + units.number(str(value['high']), unit, 'high')) / 2:g} {unit}"
