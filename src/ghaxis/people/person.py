"""A person, and what a model is told about them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from ghaxis import units
from ghaxis.chance import stream
from ghaxis.errors import DomainError, InputError, UnitError, nearest
from ghaxis.people.combine import HEALTHY, Made, make
from ghaxis.people.wired import Wired
from ghaxis.reading.arithmetic import evaluate, names
from ghaxis.reading.records import Definition
from ghaxis.reading.states import ParsedCondition, parse_state

Amount = str | float
_SEXES = {"m": "M", "male": "M", "man": "M", "f": "F", "female": "F", "woman": "F"}
_FRAME = {"age": "age", "bmi": "BMI", "weight": "weight", "height": "height"}
_FRAME_UNITS = {"age": "year", "BMI": "kg/m**2", "weight": "kg", "height": "m"}
_SETTABLE = ("cause", "descriptor", "slow", "balances")
ADULT = 18.0  # growth is not modelled: body composition and growth plates of children are outside the model
OLDEST = 120.0
WIDEST = 2.5  # standard deviations: draws beyond are no plausible persons


@dataclass(frozen=True)
class Switch:
    """At `time` (hours since the run begins) the cause `name` takes `value`: the onset of `condition`."""

    time: float
    name: str
    value: float
    condition: str


@dataclass(frozen=True)
class Onset:
    """A dated onset: the causes that are switched on, and the descriptors (as states) that the condition leads to.

    What balances those descriptors is not known before the ill self is settled; `balances` says which causes to take from there.
    """

    condition: str
    time: float
    causes: Mapping[str, float]
    targets: Mapping[str, float]
    balances: Mapping[str, str]


@dataclass(frozen=True)
class Resolved:
    """What a model is told about a person, in the model's units.

    `parameters` are descriptors that are no states (age, female, height) and causes; `targets` the slow states that descriptors fix, each
    balanced by `balances[state]`; `following` those that follow from a given cause instead; `descriptors` all of them as they were said.
    With a dated onset this is the self before it: `switches`
    are the later causes as paths, `onsets` the whole of what changes. `origin` says what set each name, `usual` the healthy self's value of
    every cause that a condition touches.
    """

    parameters: Mapping[str, float]
    targets: Mapping[str, float]
    balances: Mapping[str, str]
    weight: float
    height: float = math.nan
    following: tuple[str, ...] = ()
    descriptors: Mapping[str, float] = field(default_factory=dict)
    switches: tuple[Switch, ...] = ()
    onsets: tuple[Onset, ...] = ()
    origin: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    usual: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    name: str = ""

    @property
    def surface(self) -> float:
        """Body surface in m**2 (Mosteller 1987: the root of height in cm times weight in kg over 3600)."""
        return math.sqrt(self.height * 100 * self.weight / 3600)

    def causes_of(self, condition: str) -> Mapping[str, float]:
        """The causes that a condition brought, and those that balance its descriptors, each with its healthy value.

        To ablate the condition, set them to that, and wait. Raises InputError for a condition that this person does not have.
        """
        known = {who for row in self.origin.values() for who in row} - {HEALTHY, "given"}
        if condition not in known:
            raise InputError(f"this person has no '{condition}'{_hint(condition, known)}")
        touched = [name for name, row in self.origin.items() if condition in row]
        return {cause: self.usual[cause] for name in touched if (cause := self.balances.get(name, name)) in self.usual}


@dataclass(frozen=True)
class Person:
    """A person as one says them: state, sex, age, build, and any other descriptor or cause in `given` ({"VAT": "5 kg"}).

    `onset` dates conditions ({"masld": "0 weeks"} after the run begins); without it they have always been there. `seed` and `name` belong
    to the person's noise. `draw` (seed, index) lets everything that has a between-person spread deviate from its usual value.
    """

    state: str = HEALTHY
    sex: str = "M"
    age: str = "40 years"
    bmi: str | None = None
    weight: str | None = None
    height: str | None = None
    name: str = ""
    onset: Mapping[str, str] = field(default_factory=dict, hash=False)
    seed: int = 0
    given: Mapping[str, Amount] = field(default_factory=dict, hash=False)
    draw: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        sex = _SEXES.get(str(self.sex).lower())
        if sex is None:
            raise InputError(f"sex = '{self.sex}': write 'M' or 'F'")
        object.__setattr__(self, "sex", sex)
        object.__setattr__(self, "state", str(self.state).strip() or HEALTHY)
        object.__setattr__(self, "onset", dict(self.onset))
        object.__setattr__(self, "given", dict(self.given))
        frame = self._frame()
        if frame["age"] < ADULT:
            raise DomainError(f"age = '{self.age}': the model knows adults only (from {ADULT:g} years on)")
        if frame["age"] > OLDEST:
            raise DomainError(f"age = '{self.age}': nobody is that old")
        for name, value in frame.items():
            if name != "female" and not (value > 0 and math.isfinite(value)):
                raise DomainError(f"{name} = {value:g}: it must be above zero")
        for condition, text in self.onset.items():
            if units.hours(text, f"onset of {condition}") < 0:
                raise InputError(f"onset of {condition} = '{text}': an onset before the run begins is no onset; leave it out")

    def __str__(self) -> str:
        build = [f"{word} {text}" for word, text in (("BMI", self.bmi), ("weight", self.weight), ("height", self.height)) if text]
        more = [f"{name} = {value}" for name, value in self.given.items()]
        more += [f"onset of {name} at {text}" for name, text in self.onset.items()]
        return ", ".join([*([self.name] if self.name else []), self.state, self.sex, str(self.age), *build, *more])

    def healthy(self) -> Person:
        """The same person in health: sex, age, height and deviations stay, conditions and their descriptors go."""
        kept = {name: value for name, value in self.given.items() if name in ("age", "height")}
        return replace(self, state=HEALTHY, bmi=None, weight=None, onset={}, given=kept)

    def _frame(self) -> dict[str, float]:
        """Age, sex and build as numbers (years, kg/m**2, kg, m)."""
        frame = {"female": 1.0 if self.sex == "F" else 0.0}
        for own, name in _FRAME.items():
            for text in (getattr(self, own), self.given.get(name), self.given.get(own) if own != name else None):
                if text is None:
                    continue
                value = units.number(text, _FRAME_UNITS[name], own)
                if name in frame and not math.isclose(frame[name], value, rel_tol=1e-9) and own != "age":
                    raise DomainError(f"{own} is given twice, as {frame[name]:g} and {value:g} {_FRAME_UNITS[name]}")
                frame[name] = value
        return frame

    def resolve(self, model: Wired) -> Resolved:
        """What `model` is told about this person.

        Raises InputError for names and state text that are not understood, UnitError for units, DomainError for a person who cannot exist.
        """
        parsed = parse_state(self.state, model.library)
        dated = self._dated(parsed)
        given, notes = self._given(model)
        factors, drawn = self._deviations(model, given)
        early = [one for one in parsed if one.record.name not in dated]
        later = {effect.name for one in parsed if one.record.name in dated for effect in one.record.effects if effect.kind == "descriptor"}
        first = self._told(model, early, {n: v for n, v in given.items() if n not in later}, factors, drawn, notes)
        switches: list[Switch] = []
        onsets: list[Onset] = []
        before, present = first, list(early)
        for name, time in sorted(dated.items(), key=lambda row: (row[1], row[0])):
            present.append(next(one for one in parsed if one.record.name == name))
            after = self._told(model, present, given, factors, drawn, ())
            causes = {n: v for n, v in after.parameters.items() if n in after.usual and v != before.parameters.get(n, after.usual[n])}
            targets = {n: v for n, v in after.targets.items() if v != before.targets.get(n)}
            onsets.append(Onset(name, time, causes, targets, {n: after.balances[n] for n in targets if n in after.balances}))
            switches += [Switch(time, n, v, name) for n, v in causes.items()]
            before = after
        return replace(first, switches=tuple(switches), onsets=tuple(onsets), name=self.name)

    def _dated(self, parsed: tuple[ParsedCondition, ...]) -> dict[str, float]:
        names_ = [one.record.name for one in parsed]
        for name in self.onset:
            if name not in names_:
                raise InputError(f"onset of '{name}': the state '{self.state}' has no such condition{_hint(name, names_)}")
        dated = {one.record.name: units.hours(one.onset, "onset") for one in parsed if one.onset is not None}
        for name, text in self.onset.items():
            hours = units.hours(text, f"onset of {name}")
            if dated.get(name, hours) != hours:
                raise InputError(f"onset of '{name}' is given twice, in the state text and as '{text}'")
            dated[name] = hours
        return dated

    def _given(self, model: Wired) -> tuple[dict[str, float], tuple[str, ...]]:
        """Given descriptors and causes in the model's units; notes on those that only other parts of the library have."""
        found: dict[str, float] = {}
        notes: list[str] = []
        elsewhere = {d.name for fragment in model.library.fragments.values() for d in fragment.definitions}
        frame = {*_FRAME, *_FRAME.values()}
        for name, value in self.given.items():
            if name in frame:
                continue
            definition = model.definitions.get(name)
            if definition is None and (name in elsewhere or name in model.library.measures):
                notes.append(f"{name} is given, but no quantity of this model takes it")
                continue
            if definition is None or not (definition.role in _SETTABLE or _state_behind(model, name)):
                known = [n for n, d in model.definitions.items() if d.role in _SETTABLE or d.kind == "rule"]
                what = "is no quantity of the model" if definition is None else f"is a {definition.kind} that nobody can be given"
                raise InputError(f"'{name}' {what}{_hint(name, [k for k in (*known, *frame) if k != name])}")
            found[name] = units.number(value, model.unit(name), name)
        return found, tuple(notes)

    def _deviations(self, model: Wired, given: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
        """The person's own factors of descriptors, and of other constants that have a spread; each from its own stream."""
        if self.draw is None:
            return {}, {}
        shapes: dict[str, float] = {}
        constants: dict[str, float] = {}
        for name, definition in model.definitions.items():
            if definition.cv is None or name in given or name in _FRAME.values():
                continue
            if definition.role in ("slow", "descriptor") or (definition.kind == "rule" and _state_behind(model, name)):
                shapes[name] = deviation(self.draw, name, definition.cv)
            elif definition.kind == "constant" and definition.role in ("", "cause"):
                constants[name] = deviation(self.draw, name, definition.cv)
        return shapes, constants

    def _told(
        self,
        model: Wired,
        conditions: list[ParsedCondition],
        given: Mapping[str, float],
        factors: Mapping[str, float],
        drawn: Mapping[str, float],
        notes: tuple[str, ...],
    ) -> Resolved:
        made = make(model, conditions, self._frame(), given, factors)
        parameters: dict[str, float] = {}
        for name, value in made.values.items():
            definition = model.definitions.get(name)
            if definition is not None and definition.kind == "constant":
                parameters[name] = value * (drawn.get(name, 1.0) if name not in given else 1.0)
        for name, factor in drawn.items():
            usual_value = _usual(model, name)
            parameters[name] = _within(name, usual_value, parameters.get(name, usual_value * factor))
        targets, balances, following, more = _targets(model, made, given, parameters)
        absent = [n for n, row in made.origin.items() if n not in model.definitions and set(row) - {HEALTHY, "given"}]
        notes = (*notes, *(f"{n} ({', '.join(made.origin[n])}) is no part of this model" for n in sorted(absent)))
        touched = {*made.origin, *balances.values()}
        usual = {n: _usual(model, n) for n, d in model.definitions.items() if n in touched and d.role in ("cause", "balances")}
        origin = {**made.origin}
        for name, row in made.origin.items():
            if state := _state_behind(model, name):
                origin[state] = tuple(dict.fromkeys((*origin.get(state, ()), *row)))
        return Resolved(
            parameters=parameters,
            targets=targets,
            balances=balances,
            weight=made.weight,
            height=made.values.get("height", math.nan),
            following=following,
            descriptors=made.values,
            origin=origin,
            sources=made.sources,
            usual=usual,
            notes=(*notes, *more),
        )


def _hint(word: str, known: Iterable[str]) -> str:
    close = nearest(word, known)
    return f"; did you mean '{close}'?" if close else ""


def deviation(draw: tuple[int, int], name: str, cv: float) -> float:
    """A person's own lognormal factor (mean 1) of a named quantity, drawn again while it lies beyond what is plausible."""
    spread = math.sqrt(math.log1p(cv * cv))
    return math.exp(spread * bounded(stream(*draw, name)) - spread * spread / 2)


def bounded(generator: np.random.Generator) -> float:
    """A standard normal draw within plausible limits."""
    while True:
        z = float(generator.normal())
        if abs(z) <= WIDEST:
            return z


@cache
def _read(expression: str) -> frozenset[str]:
    """The names that an expression reads."""
    return names(expression)


def _within(name: str, usual: float, value: float) -> float:
    """A share (by its name, `f_` or `F_`) that is usually at most 1 stays so."""
    return min(value, 1.0) if name.startswith(("f_", "F_")) and usual <= 1.0 else value


def _usual(model: Wired, name: str) -> float:
    return evaluate(model.definitions[name].expression, {})


def _state_behind(model: Wired, name: str) -> str | None:
    """The slow state that a name is, or that a rule (like the fat share of the liver) reads alone among slow states; else None."""
    if name in model.slow:
        return name
    found: set[str] = set()
    seen: set[str] = set()
    open_ = [name]
    while open_:
        definition = model.definitions.get(open_.pop())
        if definition is None or definition.kind != "rule" or definition.name in seen:
            continue
        seen.add(definition.name)
        read = _read(definition.expression)
        found |= read & set(model.slow)
        open_ += sorted(read - set(model.slow))
    return found.pop() if len(found) == 1 else None


def _targets(
    model: Wired, made: Made, given: Mapping[str, float], parameters: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, str], tuple[str, ...], tuple[str, ...]]:
    """The slow states that the descriptors fix, what balances them, those that follow from a given cause, and what there is to note."""
    targets: dict[str, float] = {}
    balances: dict[str, str] = {}
    following: list[str] = []
    notes: list[str] = []
    for name, value in made.values.items():
        state = _state_behind(model, name)
        if state is None or model.definitions[name].kind == "constant" or name in ("BMI", "weight"):
            continue
        cause = model.slow[state]
        if cause in given:
            if "given" in made.origin[name]:
                raise DomainError(f"{name} and {cause}, which balances it, are both given: one of them follows from the other")
            notes.append(f"{name} is left to follow from the given {cause}")
            following.append(state)
        elif value == 0 and evaluate(model.definitions[state].expression, {}) == 0:
            continue  # where it begins anyway, and nothing can balance it there
        else:
            targets[state] = value if state == name else _inverted(model, name, state, value, parameters)
            if cause is not None:
                balances[state] = cause
    return targets, balances, tuple(following), tuple(notes)


def _inverted(model: Wired, rule: str, state: str, value: float, parameters: Mapping[str, float]) -> float:
    """The level of `state` at which the rule has the value, by regula falsi (Illinois) on a logarithmic scale: rules of one state are
    monotone."""

    def miss(x: float) -> float:
        return _evaluated(model, rule, {**parameters, state: math.exp(x)}) - value

    usual = math.log(_usual(model, state) or 1.0)
    low, high = usual - 14.0, usual + 14.0
    at_low, at_high = miss(low), miss(high)
    if not min(at_low, at_high) < 0 < max(at_low, at_high):
        least, most = sorted((at_low + value, at_high + value))
        raise DomainError(f"{rule} = {value:g} is not possible: it lies between {least:.3g} and {most:.3g}")
    x = low
    for _ in range(200):
        x = high - at_high * (high - low) / (at_high - at_low)
        at_x = miss(x)
        if abs(at_x) <= 1e-14 * abs(value) or high - low == 0:
            break
        if at_x * at_high < 0:
            low, at_low = high, at_high
        else:
            at_low /= 2
        high, at_high = x, at_x
    return math.exp(x)


def _evaluated(model: Wired, name: str, known: dict[str, float]) -> float:
    if name not in known:
        definition: Definition = model.definitions[name]
        if definition.kind not in ("constant", "state", "species", "rule"):
            raise UnitError(f"'{name}' cannot be computed for a person at rest")
        for needed in _read(definition.expression):
            known[needed] = _evaluated(model, needed, known)
        known[name] = evaluate(definition.expression, known)
    return known[name]
