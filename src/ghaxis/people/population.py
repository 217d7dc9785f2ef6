"""Many persons from one description: each sampled quantity from its own named stream, so that order and number do not matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ghaxis import units
from ghaxis.chance import stream
from ghaxis.errors import InputError, nearest
from ghaxis.people.combine import HEALTHY
from ghaxis.people.person import ADULT, Amount, Person, bounded
from ghaxis.reading.records import PeopleRecord

Spread = Amount | Mapping[str, Any]
_UNITS = {"age": "years", "bmi": "kg/m**2", "weight": "kg", "height": "m"}
_WORDS = ("mean", "median", "sd", "se", "low", "high")


@dataclass(frozen=True)
class Population:
    """`n` virtual persons of one state.

    `age`, `bmi`, `weight`, `height` and the values of `given` are one text ("52 years": the same for all), {"mean": ..., "sd": ...}
    (normal, cut at plausible limits) or {"low": ..., "high": ...} (uniform). `sex` is "M", "F", or the share of women ("30 percent"); half
    by default. `vary` lets all else that has a between-person spread deviate too. The same seed gives the same people.
    """

    n: int
    state: str = HEALTHY
    seed: int = 0
    sex: str | None = None
    age: Spread = "40 years"
    bmi: Spread | None = None
    weight: Spread | None = None
    height: Spread | None = None
    given: Mapping[str, Spread] = field(default_factory=dict, hash=False)
    onset: Mapping[str, str] = field(default_factory=dict, hash=False)
    name: str = "person"
    vary: bool = True

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError(f"n = {self.n}: a population has at least one person")
        self._women()
        for what, spread in (*((name, getattr(self, name)) for name in _UNITS), *self.given.items()):
            if isinstance(spread, Mapping):
                _check(what, spread)
        self.person(0)

    @staticmethod
    def of(record: PeopleRecord, n: int | None = None, seed: int = 0, vary: bool = True) -> Population:
        """The group of a study: as many as it had (or `n`), with its printed characteristics."""
        given = {key: value for key, value in record.given.items() if key not in (*_UNITS, "sex", "note")}
        size = n if n is not None else record.n or 1
        sex = record.given.get("sex")
        return Population(
            size,
            record.state or HEALTHY,
            seed,
            None if sex in (None, "mixed") else str(sex),
            record.given.get("age", "40 years"),
            record.given.get("bmi"),
            record.given.get("weight"),
            record.given.get("height"),
            given,
            name=record.name,
            vary=vary,
        )

    def persons(self) -> tuple[Person, ...]:
        """All of them, in order."""
        return tuple(self.person(index) for index in range(self.n))

    def person(self, index: int) -> Person:
        """One of them (first = 0), the same whatever the number of the others."""
        return Person(
            state=self.state,
            sex="F" if float(stream(self.seed, index, "sex").random()) < self._women() else "M",
            age=str(self._drawn("age", self.age, index)),
            bmi=self._build("bmi", index),
            weight=self._build("weight", index),
            height=self._build("height", index),
            name=f"{self.name} {index + 1}",
            onset=self.onset,
            seed=int(stream(self.seed, index, "seed").integers(2**31)),
            given={name: self._drawn(name, spread, index) for name, spread in self.given.items()},
            draw=(self.seed, index) if self.vary else None,
        )

    def _women(self) -> float:
        """The share of women."""
        if self.sex is None:
            return 0.5
        if "percent" in self.sex or "%" in self.sex:
            share = units.number(self.sex, "dimensionless", "sex")
            if not 0 <= share <= 1:
                raise InputError(f"sex = '{self.sex}': a share of women lies between 0 and 100 percent")
            return share
        return 1.0 if Person(sex=self.sex).sex == "F" else 0.0

    def _build(self, name: str, index: int) -> str | None:
        spread = getattr(self, name)
        return None if spread is None else str(self._drawn(name, spread, index))

    def _drawn(self, name: str, spread: Spread, index: int) -> Amount:
        if not isinstance(spread, Mapping):
            return spread
        rows = {key: str(value) for key, value in spread.items()}
        unit = _unit(name, rows)
        numbers = {key: _number(text, unit, name) for key, text in rows.items()}
        middle = numbers.get("mean", numbers.get("median"))
        generator = stream(self.seed, index, name)
        low = max(numbers.get("low", 0.0), ADULT if name == "age" else 0.0)
        high = numbers.get("high", float("inf"))
        if middle is None:
            return f"{low + (high - low) * float(generator.random())!r} {unit}".strip()
        for _ in range(1000):
            value = middle + numbers.get("sd", 0.0) * bounded(generator)
            if low < value <= high:
                return f"{value!r} {unit}".strip()
        raise InputError(f"{name}: no plausible person has {dict(spread)}")


def _check(name: str, spread: Mapping[str, Any]) -> None:
    for word in spread:
        if word not in _WORDS:
            hint = nearest(word, _WORDS)
            known = f"did you mean '{hint}'?" if hint else f"known are {', '.join(_WORDS)}"
            raise InputError(f"{name}: '{word}' is not understood; {known}")
    if not ({"mean", "median"} & set(spread) or {"low", "high"} <= set(spread)):
        raise InputError(f"{name}: say its mean (and sd), or low and high")


def _unit(name: str, rows: Mapping[str, str]) -> str:
    """The unit of a printed characteristic: its own, else that of the first number that states one."""
    stated = next((unit for text in rows.values() if (unit := units.split(text)[1])), "")
    return _UNITS.get(name, stated)


def _number(text: str, unit: str, name: str) -> float:
    value, own = units.split(text)
    return value if not own and not unit else units.number(f"{value!r} {own}".strip(), unit or "dimensionless", name)
