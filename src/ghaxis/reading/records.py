"""What the library says, as frozen records: the one vocabulary between the text and everything else.

Text values stay text here ("2 mg", "52 years"); they become numbers where a dimension is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ghaxis.errors import Place

Kind = Literal["constant", "rule", "state", "species", "compartment", "reaction"]


@dataclass(frozen=True)
class Definition:
    """One name that a fragment defines.

    `expression` is the right-hand side: a value (constant, initial value of a state), a rule, or a rate law (reaction).
    `rate` is the derivative of a state (None otherwise). `role` is one of: "", "cause", "slow", "descriptor", "input", "port",
    "balances", "reference"; `role_of` is the NAME of "balances NAME" / "reference of NAME".
    """

    name: str
    kind: Kind
    expression: str
    unit: str | None
    meaning: str
    source: str
    spread: str
    role: str
    role_of: str
    place: Place
    rate: str | None = None
    fragment: str = ""

    @property
    def cv(self) -> float | None:
        """Between-person coefficient of variation, if the spread is written as `cv X`."""
        words = self.spread.split()
        return float(words[1]) if len(words) == 2 and words[0] == "cv" else None


@dataclass(frozen=True)
class Fragment:
    """One `.ant` file: a mechanism, or a therapy."""

    name: str
    title: str
    needs: tuple[str, ...]
    offers: tuple[str, ...]
    definitions: tuple[Definition, ...]
    statements: tuple[tuple[int, str], ...]
    units: Mapping[str, str]
    header: Mapping[str, str]
    place: Place

    def definition(self, name: str) -> Definition | None:
        """What the file says of a name, or None."""
        return next((d for d in self.definitions if d.name == name), None)


@dataclass(frozen=True)
class TherapyRecord:
    """A therapy: its fragment (form already filled in), what it is approved for, and where each route puts the dose.

    `routes` maps a route word ("sc", "iv", "oral", "infusion") to the state that receives the amount, or, for "infusion", to the rate
    parameter. `iu_per_mg` converts international units where they are defined.
    """

    name: str
    title: str
    status: str
    checked: str
    form: str | None
    routes: Mapping[str, str]
    iu_per_mg: float | None
    molar_mass: float | None
    fragment: Fragment
    place: Place


@dataclass(frozen=True)
class Severity:
    """One knob of a condition, e.g. steatosis in percent or child_pugh as a letter."""

    name: str
    meaning: str
    unit: str
    default: str
    low: float | None
    high: float | None
    levels: Mapping[str, float]
    place: Place


@dataclass(frozen=True)
class Effect:
    """What a condition sets: a descriptor (what such a person measures) or a cause (what made it).

    `value` is arithmetic over the severities and over `age`, `female`, `BMI`, `weight`, `height` and already set descriptors, in the
    quantity's `unit`. `operator` says how conditions combine: set, add, times, max. `onset` says how it acts when the onset is dated.
    """

    name: str
    kind: Literal["descriptor", "cause"]
    value: str
    unit: str
    operator: Literal["set", "add", "times", "max"]
    source: str
    place: Place


@dataclass(frozen=True)
class ConditionRecord:
    """A condition: descriptors and causes, with severities, and what it contradicts."""

    name: str
    title: str
    meaning: str
    severities: Mapping[str, Severity]
    effects: tuple[Effect, ...]
    excludes: tuple[str, ...]
    place: Place


@dataclass(frozen=True)
class Habit:
    """One window of a day on an input: from `start` (clock) for `lasts`, at `level`; zero (or `otherwise`) outside."""

    input: str
    start: str
    lasts: str
    level: float
    source: str
    place: Place


@dataclass(frozen=True)
class Noise:
    """Seeded variation of inputs: at the moments of a gamma renewal process (mean `gap`, `shape`) each input of `cvs` is redrawn
    from a lognormal of mean 1 and that coefficient of variation."""

    cvs: Mapping[str, float]
    gap: str
    shape: float
    source: str
    place: Place


@dataclass(frozen=True)
class DayRecord:
    """A day's habits: sleep, meals, activity, as windows on inputs, and the noise of the pulse generator."""

    name: str
    title: str
    habits: tuple[Habit, ...]
    noise: tuple[Noise, ...]
    place: Place


@dataclass(frozen=True)
class Parameter:
    """What an intervention lets one say ("0.7 of need": `of` is 0.7), with its default as text in `unit`."""

    name: str
    meaning: str
    unit: str
    default: str
    place: Place


@dataclass(frozen=True)
class Window:
    """A window of an intervention on an input: `level` is arithmetic over the parameters; `start` is a clock time ("22:00"), a duration
    after the act begins ("0 min"), or "" for the act's own start; `lasts` is a duration, or "" for the act's own duration."""

    input: str
    start: str
    lasts: str
    level: str
    source: str
    place: Place


@dataclass(frozen=True)
class InterventionRecord:
    """What is not a drug: a path on inputs, with parameters and a default duration.

    `inputs` hold their value (arithmetic over the parameters) while the intervention lasts; `windows` recur within it; `lasts` is its
    duration where the protocol says none ("" = to the end).
    """

    name: str
    title: str
    meaning: str
    inputs: Mapping[str, str]
    place: Place
    source: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    lasts: str = ""


@dataclass(frozen=True)
class MeasureRecord:
    """What papers report, read from a simulation.

    `reads` names a function of `ghaxis.measure`; `of` the model quantity it reads; `unit` the unit papers use; `window` the time it needs
    after (positive) the asked moment; `sampling` the sampling interval of the published method.
    """

    name: str
    meaning: str
    of: str
    unit: str
    reads: str
    window: str
    sampling: str
    options: Mapping[str, Any]
    source: str
    place: Place


@dataclass(frozen=True)
class PeopleRecord:
    """A group of a study: state text, size, and printed characteristics (text with unit, or {mean, sd})."""

    name: str
    state: str
    n: int | None
    given: Mapping[str, Any]
    place: Place


@dataclass(frozen=True)
class ArmRecord:
    """Who does what."""

    name: str
    who: str
    do: str
    place: Place
    begin: str = "08:00"
    day: str = "ordinary"


@dataclass(frozen=True)
class FindingRecord:
    """One published number: a measure, arithmetic over `arm@time`, and what was observed (or what is expected).

    `window` and `sampling` are the paper's own, where they differ from those of the measure.

    A constant may have `number` instead of both: arithmetic over numbers of the model's text ("log(2) / k_BP3").
    """

    id: str
    measure: str
    of: tuple[str, ...]
    kind: Literal["level", "contrast", "constant", "order"]
    value: str | None
    low: str | None
    high: str | None
    spread: Mapping[str, str]
    n: int | None
    bound: str | None
    expect: str | None
    claim: str | None
    window: str | None
    note: str
    place: Place
    number: str = ""
    sampling: str | None = None


@dataclass(frozen=True)
class StudyRecord:
    """One paper, one file."""

    key: str
    citation: str
    doi: str
    seen: Literal["fulltext", "abstract", "secondary", "memory"]
    use: Literal["calibration", "validation", "claim", "extra"]
    setting: Literal["people", "part", "constant"]
    title: str
    assay: Mapping[str, str]
    people: Mapping[str, PeopleRecord]
    arms: Mapping[str, ArmRecord]
    findings: tuple[FindingRecord, ...]
    species: str
    parts: tuple[str, ...]
    hold: Mapping[str, Any]
    place: Place
    context: tuple[Mapping[str, str], ...] = field(default=())
    topic: str = ""


@dataclass(frozen=True)
class Library:
    """All that was read, by name. `mistakes` are those found while reading; nothing is dropped silently."""

    root: str
    fragments: Mapping[str, Fragment]
    variants: Mapping[str, Fragment]
    therapies: Mapping[str, TherapyRecord]
    conditions: Mapping[str, ConditionRecord]
    days: Mapping[str, DayRecord]
    interventions: Mapping[str, InterventionRecord]
    measures: Mapping[str, MeasureRecord]
    studies: Mapping[str, StudyRecord]
    units: Mapping[str, str]
    mistakes: tuple = ()
