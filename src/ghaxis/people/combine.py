"""How conditions make one person: effects combined by their operators, in the order in which they need each other.

Given values win over conditions, conditions over the healthy self. On one quantity all `set`s must agree; then it is multiplied by every
`times` (a pure factor, unit ""), every `add` is added, and it is raised to the largest `max`: the order of conditions does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from ghaxis import units
from ghaxis.errors import DomainError, InputError, LibraryError, Mistake, nearest
from ghaxis.people.wired import Wired
from ghaxis.reading.arithmetic import evaluate, names
from ghaxis.reading.records import Effect
from ghaxis.reading.states import ParsedCondition

HEALTHY = "healthy"
_MASSES = ("SAT", "lean", "VAT")  # in the order in which they make up a weight that is fixed
_LEAST = 0.4  # of what a mass would be at this build: less means that the descriptors contradict


@dataclass(frozen=True)
class Made:
    """Values by name, in the model's units; `origin` says which conditions (or "given") set each; `sources` what they rest on."""

    values: Mapping[str, float]
    origin: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, tuple[str, ...]]
    weight: float


@dataclass(frozen=True)
class _Setting:
    """One effect of one condition, with the severities it may read."""

    who: str
    effect: Effect
    severities: Mapping[str, float]


def make(
    model: Wired,
    conditions: Sequence[ParsedCondition],
    frame: Mapping[str, float],
    given: Mapping[str, float],
    factors: Mapping[str, float],
) -> Made:
    """Combine the healthy self and conditions.

    `frame` holds age, female and what is said of height, BMI and weight; `given` other values in the model's units; `factors` the
    person's own deviation from the usual of descriptors. Raises DomainError where conditions or descriptors contradict.
    """
    settings = _settings(model, conditions)
    fixed = {**given, **_build(frame)}
    values: dict[str, float] = {}
    healthy: dict[str, float] = {}
    for name in _order(settings, fixed):
        rows = settings.get(name, ())
        unit = model.unit(name) if name in model.definitions else None
        if name in fixed:
            values[name] = fixed[name]
        elif name == "weight" and {"BMI", "height"} <= set(values):
            values[name] = values["BMI"] * values["height"] ** 2
        elif name == "BMI" and {"weight", "height"} <= set(values):
            values[name] = values["weight"] / values["height"] ** 2
        if name == "weight" or (name in values and name not in _MASSES):
            continue
        healthy[name] = _base(model, name, rows, values, unit)
        if name not in fixed:
            values[name] = _combined(name, healthy[name], rows, values, unit) * factors.get(name, 1.0)
    sized = any(name in frame for name in ("BMI", "weight")) or any(s.who != HEALTHY for s in settings.get("BMI", ()))
    weight = _closed(values, healthy, fixed, sized)
    if {"BMI", "weight", "height"} <= set(values) and not sized:
        values.update(weight=weight, BMI=weight / values["height"] ** 2)
    origin = {name: _origin(name, settings, fixed) for name in values}
    sources = {name: tuple(dict.fromkeys(s.effect.source for s in settings.get(name, ()))) for name in values}
    return Made(values, origin, sources, weight)


def _settings(model: Wired, conditions: Sequence[ParsedCondition]) -> dict[str, tuple[_Setting, ...]]:
    found: dict[str, list[_Setting]] = {}
    base = model.library.conditions.get(HEALTHY)
    for effect in base.effects if base else ():
        found.setdefault(effect.name, []).append(_Setting(HEALTHY, effect, {}))
    for one in conditions:
        for effect in one.record.effects if one.record.name != HEALTHY else ():
            found.setdefault(effect.name, []).append(_Setting(one.record.name, effect, one.severities))
    known = {d.name for fragment in model.library.fragments.values() for d in fragment.definitions} | set(model.definitions)
    lost = [Mistake(s.effect.place, f"unknown name '{n}'", nearest(n, known)) for n, rows in found.items() if n not in known for s in rows]
    if lost:
        raise LibraryError(lost)
    return {name: tuple(rows) for name, rows in found.items()}


def _build(frame: Mapping[str, float]) -> dict[str, float]:
    """Height, BMI and weight, of which two make the third. Raises DomainError where three disagree by more than 2 %."""
    said = {name: frame[name] for name in ("height", "BMI", "weight") if name in frame}
    if len(said) == 3 and abs(said["BMI"] * said["height"] ** 2 / said["weight"] - 1) > 0.02:
        raise DomainError(
            f"BMI {said['BMI']:.4g} kg/m**2, weight {said['weight']:.4g} kg and height {said['height']:.4g} m contradict each other: "
            f"that weight at that height is a BMI of {said['weight'] / said['height'] ** 2:.3g}"
        )
    found = {**frame}
    if "BMI" in said and "weight" in said:
        found["height"] = math.sqrt(said["weight"] / said["BMI"])
    elif "weight" in said and "height" in said:
        found["BMI"] = said["weight"] / said["height"] ** 2
    return found


def _order(settings: Mapping[str, Sequence[_Setting]], fixed: Mapping[str, float]) -> list[str]:
    """Every quantity after those that its values read."""
    known = {*settings, *fixed, "weight"}
    graph: dict[str, set[str]] = {name: set() for name in known}
    if "weight" not in fixed:
        graph["weight"] = {"BMI", "height"} & known
    elif "BMI" in known and "BMI" not in fixed:
        graph["BMI"] = {"weight", "height"} & known
    for name, rows in settings.items():
        if graph[name] or (name in fixed and name not in _MASSES):
            continue  # made from the other two of height, BMI and weight; or said
        for s in rows:
            graph[name] |= (names(s.effect.value) & known) - set(s.severities)
            if name in graph[name]:
                raise LibraryError([Mistake(s.effect.place, f"the value of {name} reads {name} itself; use the operators times and add")])
    try:
        return list(TopologicalSorter({name: sorted(needs) for name, needs in sorted(graph.items())}).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise LibraryError([Mistake(settings[error.args[1][0]][0].effect.place, f"values read each other in a circle: {circle}")]) from None


def _value(s: _Setting, values: Mapping[str, float], unit: str | None) -> float:
    try:
        value = evaluate(s.effect.value, {**values, **s.severities})
    except InputError as error:
        raise InputError(f"{s.who}: {s.effect.name}: {error}") from None
    return value * units.factor(s.effect.unit, unit) if unit and s.effect.operator != "times" else value


def _base(model: Wired, name: str, rows: Sequence[_Setting], values: Mapping[str, float], unit: str | None) -> float:
    """The value to start from: that of the healthy self, else of the model's text."""
    own = next((s for s in rows if s.who == HEALTHY), None)
    if own is not None:
        return _value(own, values, unit)
    definition = model.definitions.get(name)
    return evaluate(definition.expression, {}) if definition and definition.kind in ("constant", "state", "species") else 0.0


def _combined(name: str, base: float, rows: Sequence[_Setting], values: Mapping[str, float], unit: str | None) -> float:
    effects = [(s, _value(s, values, unit)) for s in rows if s.who != HEALTHY]
    sets = [(s, v) for s, v in effects if s.effect.operator == "set"]
    for s, v in sets[1:]:
        if not math.isclose(v, sets[0][1], rel_tol=1e-9):
            first, second = sets[0][0].who, s.who
            raise DomainError(f"'{first}' and '{second}' contradict each other: they set {name} to {sets[0][1]:g} and {v:g}")
    value = sets[0][1] if sets else base
    for s, v in effects:
        value *= v if s.effect.operator == "times" else 1.0
    for s, v in effects:
        value += v if s.effect.operator == "add" else 0.0
    return max([value, *(v for s, v in effects if s.effect.operator == "max")])


def _closed(values: dict[str, float], healthy: Mapping[str, float], fixed: Mapping[str, float], sized: bool) -> float:
    """The weight. Where a BMI or weight is to be met, the first mass that is free makes up what the others leave; else masses sum to it."""
    masses = [name for name in _MASSES if name in values]
    if len(masses) < len(_MASSES):
        return values.get("weight", math.nan)
    other = values["weight"] - sum(healthy[name] for name in masses)
    total = sum(values[name] for name in masses) + other
    lack = values["weight"] - total
    if not sized or abs(lack) < 1e-9:
        return total
    free = [name for name in masses if name not in fixed]
    if not free:
        if abs(lack) > 0.02 * values["weight"]:
            parts = ", ".join(f"{n} {values[n]:.4g} kg" for n in masses)
            raise DomainError(f"{parts} and {other:.3g} kg of the rest do not make {values['weight']:.4g} kg (BMI {values['BMI']:.3g})")
        return total
    values[free[0]] += lack
    if values[free[0]] < _LEAST * healthy[free[0]]:
        said = ", ".join(f"{n} {values[n]:.4g} kg" for n in masses if n in fixed) or "its conditions"
        left = f"it leaves {values[free[0]]:.3g} kg for {free[0]}"
        raise DomainError(f"a weight of {values['weight']:.4g} kg (BMI {values['BMI']:.3g}) contradicts {said}: {left}")
    return values["weight"]


def _origin(name: str, settings: Mapping[str, Sequence[_Setting]], fixed: Mapping[str, float]) -> tuple[str, ...]:
    if name in fixed:
        return ("given",)
    return tuple(dict.fromkeys(s.who for s in settings.get(name, ()))) or (HEALTHY,)
