"""From a protocol to what acts on the model: impulses (an amount into a state) and paths (an input takes a value and keeps it).

Times here are inner hours (0 = midnight); amounts and values are in the units that the model's text declares. Infusions that overlap add
up; of interventions that overlap on one input the one that began last holds.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ghaxis import units
from ghaxis.errors import InputError, UnitError
from ghaxis.reading.arithmetic import evaluate
from ghaxis.reading.records import Definition, InterventionRecord, Library, TherapyRecord, Window
from ghaxis.treatment.acts import Act, Activity, Dose, Level, Step, Strand, Timing, dose_unit

_NEVER = math.inf
_INSTANT = 1e-9  # hours: closer than this is the same moment


@dataclass(frozen=True, order=True)
class Path:
    """At `time` the input `name` takes `value` and keeps it."""

    time: float
    name: str
    value: float


@dataclass(frozen=True, order=True)
class Impulse:
    """At `time` the amount is added to the state."""

    time: float
    state: str
    amount: float


@dataclass(frozen=True)
class Schedule:
    """Paths and impulses by time; at one moment paths act before impulses."""

    paths: tuple[Path, ...]
    impulses: tuple[Impulse, ...]


@dataclass(frozen=True)
class Hold:
    """An input kept at a value over [start, end); `by` names the act in messages."""

    start: float
    end: float
    name: str
    value: float
    by: str


@dataclass(frozen=True)
class Body:
    """What doses are scaled by: weight in kg, body surface in m**2 (None where it is not known)."""

    weight: float
    surface: float | None = None


def build(
    strands: Sequence[Strand],
    library: Library,
    body: Body,
    begin: float,
    end: float,
    base: Mapping[str, float],
    beneath: Sequence[Path],
    inferred: Callable[[str], str] | None = None,
) -> Schedule:
    """The schedule of all strands over [begin, end).

    `base` are the person's own values of inputs and causes, to which an input returns; `beneath` are paths that go on below (habits,
    noise): where given, they come back merged, held back while an intervention has their input. `inferred`
    tells the unit of a quantity whose unit the text leaves to be inferred.
    """
    impulses: list[Impulse] = []
    infusions: list[Hold] = []
    holds: list[Hold] = []
    for strand in strands:
        for act, start, stop in acts_of(strand, library, begin, end):
            if isinstance(act, Dose):
                _dose(act, library, body, start, stop, end, impulses, infusions)
            elif isinstance(act, Activity):
                holds += _activity(act, library, start, stop, end)
            else:
                holds.append(Hold(start, stop, act.quantity, level_in(act, library, inferred), act.quantity))
    impulses = [i for i in impulses if begin - _INSTANT <= i.time < end - _INSTANT and i.amount]
    paths = [*_summed(infusions, begin, end), *_overlaid(holds, library, base, beneath, begin, end)]
    return Schedule(tuple(sorted(paths, key=lambda p: p.time)), tuple(sorted(impulses)))


def acts_of(strand: Strand, library: Library, begin: float, end: float) -> Iterator[tuple[Act, float, float]]:
    """Each event of each act of a strand that begins before `end`: the act, its start, its end."""
    for step in strand:
        if begin >= end:
            return
        stop = step_end(step, library, begin)
        for act in step.acts:
            length = event_length(act, library)
            for time in occurrences(act.timing, begin, end):
                yield act, time, stop if length is None else time + length
        begin = stop


def step_end(step: Step, library: Library, begin: float) -> float:
    """When a step that begins at `begin` is over; infinite where it goes on."""
    if not step.acts:
        return begin + step.lasts if step.lasts is not None else _NEVER
    return max(_act_end(act, library, begin) for act in step.acts)


def _act_end(act: Act, library: Library, begin: float) -> float:
    timing = act.timing
    start = timing.start.after(begin) if timing.start else begin
    until = start + timing.lasts if timing.lasts is not None else None
    length = event_length(act, library)
    if timing.repeats and timing.times is None:
        return until if until is not None else _NEVER
    if timing.repeats or length is not None:
        last = max(occurrences(timing, begin, _NEVER), default=start)
        return max(last + (length or 0.0), until or 0.0)
    return until if until is not None else _NEVER


def occurrences(timing: Timing, begin: float, end: float) -> Iterator[float]:
    """The moments before `end` at which an act of a step that begins at `begin` happens, in order."""
    start = timing.start.after(begin) if timing.start else begin
    anchors = sorted(m.after(start) for m in timing.at) or [start]
    if not timing.repeats:
        found: Iterable[float] = anchors
    else:
        stop = min(end, start + timing.lasts - _INSTANT if timing.lasts is not None else _NEVER)
        days = [math.floor(i * 7 / timing.weekly) * 24.0 for i in range(timing.weekly)] if timing.weekly else [0.0]
        gap = 168.0 if timing.weekly else timing.every or _NEVER
        rows = [_repeat(a + d, gap) for a in anchors for d in days]
        found = itertools.takewhile(lambda t: t < stop, heapq.merge(*rows))
    if timing.times is not None:
        found = itertools.islice(found, timing.times)
    yield from (t for t in found if t < end)


def _repeat(first: float, gap: float) -> Iterator[float]:
    for k in itertools.count():
        yield first + k * gap


def event_length(act: Act, library: Library) -> float | None:
    """Hours that one event takes: 0 for a bolus, None where it goes on to the end of its step."""
    timing = act.timing
    if timing.over is not None:
        return timing.over
    if isinstance(act, Dose) and dose_unit(act.unit, act.place).per_hours is None:
        return 0.0
    if not timing.repeats and timing.lasts is not None:
        return timing.lasts
    if isinstance(act, Activity) and library.interventions[act.intervention].lasts:
        return units.hours(library.interventions[act.intervention].lasts)
    return None


def _dose(
    dose: Dose, library: Library, body: Body, start: float, stop: float, end: float, impulses: list[Impulse], infusions: list[Hold]
) -> None:
    record = library.therapies[dose.therapy]
    parts = dose_unit(dose.unit, dose.place)
    if parts.per_hours is None and dose.timing.over is None:
        target = dose_target(dose, record, infusion=False)
        impulses.append(Impulse(start, target, amount_in(dose, record, body, unit_of(target, library, record))))
        return
    target = dose_target(dose, record, infusion=True)
    amount = amount_in(dose, record, body, unit_of(target, library, record, per_hour=True))
    infusions.append(Hold(start, min(stop, end), target, amount / (parts.per_hours or dose.timing.over or 1.0), dose.therapy))


def dose_target(dose: Dose, record: TherapyRecord, infusion: bool) -> str:
    """Where a dose goes: the state of its route, or the rate parameter of an infusion. Raises InputError where the therapy has none."""
    words = ("infusion", "iv infusion") if dose.route in ("iv", "infusion") else (f"{dose.route} infusion",)
    for word in words if infusion else (dose.route,):
        if word in record.routes:
            return record.routes[word]
    routes = ", ".join(record.routes)
    if infusion:
        raise InputError(
            f"{dose.place}{dose.therapy} cannot be infused by the route '{dose.route}' (it has: {routes}); a daily dose is written 'daily'"
        )
    raise InputError(f"{dose.place}{dose.therapy} is not given by the route '{dose.route}' (it has: {routes})")


def amount_in(dose: Dose, record: TherapyRecord, body: Body, unit: str) -> float:
    """The dose of one event (or of `per_hours`) in `unit`, scaled to the body; IU and moles through the therapy's own factors."""
    parts = dose_unit(dose.unit, dose.place)
    value, base = dose.amount, parts.base
    if parts.per_kg:
        value *= body.weight
    if parts.per_m2:
        if body.surface is None:
            raise InputError(f"{dose.place}a dose per m2 needs the body surface, which this person does not have")
        value *= body.surface
    if units.same(base, unit):
        return value * units.factor(base, unit)
    for kind, factor, text in (("IU", record.iu_per_mg, "iu_per_mg"), ("mol", record.molar_mass, "molar_mass")):
        if units.same(base, kind) and factor is None:
            raise UnitError(f"{dose.place}{dose.therapy}: '{dose.unit}' needs the therapy's {text}, which its text does not state")
    if units.same(base, "IU"):
        value, base = value * units.factor(base, "IU") / (record.iu_per_mg or 1.0), "mg"
    elif units.same(base, "mol"):
        value, base = value * units.factor(base, "mol") * (record.molar_mass or 1.0), "g"
    if units.same(unit, "mol") and record.molar_mass:
        value, base = value * units.factor(base, "g") / record.molar_mass, "mol"
    try:
        return value * units.factor(base, unit)
    except UnitError as error:
        raise UnitError(f"{dose.place}{dose.therapy}: {error}") from None


def unit_of(name: str, library: Library, record: TherapyRecord | None = None, per_hour: bool = False) -> str:
    """The unit of a name in the model's text as `units` reads it (amounts of species are in `substance`); that times an hour for a rate."""
    definition = (record.fragment.definition(name) if record else None) or definition_of(name, library)
    unit = definition.unit if definition and definition.unit else "substance" if record else "dimensionless"
    text = units.readable(unit, {"substance": "1e-9 gram", **library.units})
    return f"({text}) * hour" if per_hour else text


def definition_of(name: str, library: Library) -> Definition | None:
    """Where the library defines a name; `fragment__name` is what that fragment sees of it."""
    plain = name.rsplit("__", 1)[-1]
    every = (*library.fragments.values(), *(t.fragment for t in library.therapies.values()))
    return next((d for fragment in every if (d := fragment.definition(plain))), None)


def _activity(act: Activity, library: Library, start: float, stop: float, end: float) -> Iterator[Hold]:
    record = library.interventions[act.intervention]
    known = parameter_values(act, record)
    for name, formula in record.inputs.items():
        yield Hold(start, stop, name, evaluate(formula, known), act.intervention)
    for window in record.windows:
        value = evaluate(window.level, known)
        for first, last in _windows(window, start, min(stop, end)):
            yield Hold(first, last, window.input, value, act.intervention)


def parameter_values(act: Activity, record: InterventionRecord) -> dict[str, float]:
    """All parameters of an intervention, each in its own unit."""
    known = {p.name: units.number(p.default, p.unit, p.name) for p in record.parameters.values()}
    return {**known, **{name: value for name, value, _ in act.values}}


def _windows(window: Window, start: float, stop: float) -> Iterator[tuple[float, float]]:
    length = units.hours(window.lasts) if window.lasts else _NEVER
    if ":" not in window.start:
        first = start + (units.hours(window.start) if window.start else 0.0)
        if first < stop:
            yield first, min(first + length, stop)
        return
    clock = units.clock(window.start)
    first = start + (clock - start) % 24.0
    while first < stop:
        yield first, min(first + length, stop)
        first += 24.0


def level_in(act: Level, library: Library, inferred: Callable[[str], str] | None = None) -> float:
    """The value of a held level in the quantity's own unit: as its text declares it, or as `inferred` knows it."""
    definition = definition_of(act.quantity, library)
    if definition is not None and definition.unit is None and definition.kind != "constant":
        if inferred is None:
            raise InputError(f"{act.place}the unit of '{act.quantity}' stands in no text; it is known to a model only")
        unit = inferred(act.quantity)
    else:
        unit = unit_of(act.quantity, library)
    return units.number(f"{act.value!r} {act.unit}".strip(), unit, f"{act.place}{act.quantity}")


def _summed(infusions: Sequence[Hold], begin: float, end: float) -> Iterator[Path]:
    """Rates of infusion: the sum of what runs."""
    for name in sorted({h.name for h in infusions if h.value}):
        rows = [h for h in infusions if h.name == name and h.value]
        for time in sorted({t for h in rows for t in (h.start, h.end) if begin - _INSTANT <= t < end - _INSTANT}):
            yield Path(time, name, sum((h.value for h in rows if h.start <= time < h.end), 0.0))


def _overlaid(
    holds: Sequence[Hold], library: Library, base: Mapping[str, float], beneath: Sequence[Path], begin: float, end: float
) -> Iterator[Path]:
    """Held inputs over what goes on below them; an input that nothing holds passes through."""
    held = {h.name for h in holds}
    yield from (p for p in beneath if p.name not in held)
    for name in sorted(held):
        rows = [h for h in holds if h.name == name]
        below = sorted((p for p in beneath if p.name == name), key=lambda p: p.time)
        times = {t for h in rows for t in (h.start, h.end) if begin - _INSTANT <= t < end - _INSTANT}
        rest: float | None = None
        given: float | None = None
        position = 0
        for time in sorted(times | {p.time for p in below}):
            while position < len(below) and below[position].time <= time:
                rest = below[position].value
                position += 1
            value = _held(rows, time)
            if value is None:
                value = rest if rest is not None else _resting(name, library, base)
            if value != given or time in times:
                yield Path(time, name, value)
            given = value


def _held(rows: Sequence[Hold], time: float) -> float | None:
    """What the last act to begin holds the input at. Raises InputError where two that began together want different values."""
    active = [h for h in rows if h.start <= time < h.end]
    if not active:
        return None
    latest = max(h.start for h in active)
    first, *others = [h for h in active if h.start > latest - _INSTANT]
    for other in others:
        if other.value != first.value:
            raise InputError(f"'{first.by}' and '{other.by}' set {first.name} to {first.value:g} and {other.value:g} at the same time")
    return first.value


def _resting(name: str, library: Library, base: Mapping[str, float]) -> float:
    """The value of an input when nothing acts on it. Raises InputError for a quantity that has none."""
    if name in base:
        return base[name]
    definition = definition_of(name, library)
    if definition is None or definition.kind != "constant":
        raise InputError(f"'{name}' has no resting value to return to: say its next level after 'then'")
    return evaluate(definition.expression, {})
