"""What a protocol is made of: acts (a dose, an intervention, a held level) and when they happen.

A protocol is parallel strands; a strand is steps, one after the other; a step is acts that begin together. Everything here is text turned
into values, still in the units in which it was written; `schedule` turns it into impulses and paths.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ghaxis import units
from ghaxis.errors import InputError, UnitError, nearest

_WEEK, _DAY = 168.0, 24.0


@dataclass(frozen=True)
class Moment:
    """A time of day (`clock`, hours after midnight; the next one counts), or hours after the step begins."""

    hours: float
    clock: bool = False

    def __str__(self) -> str:
        return clock_text(self.hours) if self.clock else duration_text(self.hours)

    def after(self, begin: float) -> float:
        """The first such moment at or after `begin` (inner hours, 0 = midnight)."""
        if not self.clock:
            return begin + self.hours
        wait = (self.hours - begin) % _DAY
        return begin if wait > _DAY - 1e-9 else begin + wait


@dataclass(frozen=True)
class Timing:
    """When an act happens within its step.

    `start` delays it; `at` are its moments; it repeats `every` so many hours, or `weekly` so many times a week on spread days, at most
    `times` times; without either it happens once. One event takes `over` hours; the act goes on for `lasts` hours (None: to the end).
    """

    start: Moment | None = None
    at: tuple[Moment, ...] = ()
    every: float | None = None
    weekly: int | None = None
    times: int | None = None
    over: float | None = None
    lasts: float | None = None

    @property
    def repeats(self) -> bool:
        """Whether it happens more than once."""
        return self.every is not None or self.weekly is not None

    def __str__(self) -> str:
        words = [f"over {duration_text(self.over)}"] if self.over is not None else []
        if self.every is not None:
            words.append({_DAY: "daily", _WEEK: "weekly"}.get(self.every, f"every {duration_text(self.every)}"))
        if self.weekly is not None:
            words.append(f"{self.weekly} times weekly")
        if self.times is not None:
            words.append(f"{self.times} times")
        if self.at:
            words.append("at " + " and ".join(map(str, self.at)))
        if self.start is not None:
            words.append(f"from {self.start}")
        if self.lasts is not None:
            words.append(f"for {duration_text(self.lasts)}")
        return " ".join(words)


@dataclass(frozen=True)
class DoseUnit:
    """ "ug/kg/h" taken apart: an amount, per kilogram or square metre of body surface or not, per time (`per_hours` hours) or not."""

    base: str
    per_kg: bool = False
    per_m2: bool = False
    per_hours: float | None = None


_SPELLED = {"mcg": "ug", "µg": "ug", "iu": "IU", "U": "IU"}


def dose_unit(unit: str, place: str = "") -> DoseUnit:
    """Take a dose's unit apart. Raises UnitError for a unit that is no amount."""
    first, *rest = (part.strip() for part in unit.replace("**", "^").split("/"))
    base = _SPELLED.get(first, first)
    per_kg = per_m2 = False
    per_hours: float | None = None
    for part in rest:
        if part == "kg":
            per_kg = True
        elif part in ("m2", "m^2"):
            per_m2 = True
        else:
            try:
                per_hours = units.hours(f"1 {part}")
            except (UnitError, InputError):
                near = hint(part, ("kg", "m2", "h", "min", "day"))
                raise UnitError(f"{place}unit '{unit}': '/{part}' is not per kg, m2 or time{near}") from None
    if not any(_same(base, kind) for kind in ("g", "IU", "mol")):
        raise UnitError(f"{place}'{unit}' is not the unit of a dose" + hint(base, ("mg", "ug", "ng", "g", "IU", "nmol", "umol", "mmol")))
    return DoseUnit(base, per_kg, per_m2, per_hours)


def _same(unit: str, kind: str) -> bool:
    try:
        return units.same(unit, kind)
    except UnitError:
        return False


def hint(word: str, known: Iterable[str]) -> str:
    """The end of a message: the known word that was probably meant, or nothing."""
    close = nearest(word, known)
    return f"; did you mean '{close}'?" if close else ""


@dataclass(frozen=True)
class Dose:
    """A therapy given by a route. `unit` is as written ("mg", "nmol/kg", "ug/kg/h")."""

    therapy: str
    amount: float
    unit: str
    route: str
    timing: Timing
    place: str = field(default="", compare=False, repr=False)

    @property
    def name(self) -> str:
        """The library's name of what is done."""
        return self.therapy

    def __str__(self) -> str:
        return f"{self.therapy} {number_text(self.amount)} {self.unit} {self.route}"


@dataclass(frozen=True)
class Activity:
    """An intervention with the values of its parameters, each in the parameter's unit; those left out have their default."""

    intervention: str
    values: tuple[tuple[str, float, str], ...]
    timing: Timing
    place: str = field(default="", compare=False, repr=False)

    @property
    def name(self) -> str:
        """The library's name of what is done."""
        return self.intervention

    def __str__(self) -> str:
        words = [self.intervention]
        for name, value, unit in self.values:
            if unit == "dimensionless":
                words.append(f"{number_text(value)} {name}" + (" need" if name == "of" else ""))
            else:
                words.append(f"{name} = {number_text(value)} {unit}")
        return " ".join(words)


@dataclass(frozen=True)
class Level:
    """A quantity of the model kept at a level: a clamp, or what cells see in an experiment."""

    quantity: str
    value: float
    unit: str
    timing: Timing
    place: str = field(default="", compare=False, repr=False)

    @property
    def name(self) -> str:
        """The library's name of what is done."""
        return self.quantity

    def __str__(self) -> str:
        return f"{self.quantity} {number_text(self.value)}" + (f" {self.unit}" if self.unit else "")


Act = Dose | Activity | Level


@dataclass(frozen=True)
class Step:
    """Acts that begin together. A step without acts is a pause of `lasts` hours (None: to the end)."""

    acts: tuple[Act, ...] = ()
    lasts: float | None = None

    def __str__(self) -> str:
        if not self.acts:
            return "nothing" + (f" for {duration_text(self.lasts)}" if self.lasts is not None else "")
        bare = "once" if len(self.acts) > 1 else ""
        return " + ".join(f"{act} {_when(act, bare)}".strip() for act in self.acts)


Strand = tuple[Step, ...]


def _when(act: Act, bare: str) -> str:
    text = str(act.timing)
    bolus = isinstance(act, Dose) and not act.timing.repeats and act.timing.over is None and dose_unit(act.unit).per_hours is None
    return f"once {text}".strip() if bolus else text or bare


def number_text(value: float) -> str:
    """The shortest text that reads back as the same number."""
    text = f"{value:.15g}"
    return text if float(text) == value else repr(float(value))


def duration_text(hours: float) -> str:
    """A duration in the largest unit that reads back as the same number of hours."""
    for unit, size in (("weeks", _WEEK), ("days", _DAY), ("h", 1.0), ("min", 1 / 60)):
        count = hours / size
        whole = round(count, 9)
        if (whole == int(whole) and whole >= 1) or unit == "min":
            text = f"{whole:.12g} {unit}"
            if units.hours(text) == hours:
                return text[:-1] if whole == 1 and unit in ("weeks", "days") else text
    return f"{number_text(hours)} h"


def clock_text(hours: float) -> str:
    """ "08:30" of 8.5."""
    minutes = round(hours * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
