"""Who is run: five persons at rest, each under a protocol on one noise tape, all in one model with the therapies that are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from ghaxis.baseline import settle
from ghaxis.course import Course, batch, compiled
from ghaxis.engine import Batch, Breaks
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.treatment import Protocol

WEEK = 168.0
FIRST = 32.0  # hours: when treatment begins (a lead-in day, then 08:00)
PULSES = ("GH", "pSTAT5_nuc", "IGF1", "VAT")
SLOW = ("VAT", "SAT", "lean", "TG_L", "fibrosis")
WATCHED = tuple(dict.fromkeys((*PULSES, *SLOW)))
THERAPIES = ("rhgh", "tesamorelin")
PEOPLE = {
    "healthy man": (Person("healthy", name="man"), "nothing"),
    "obesity": (Person("obesity(bmi = 31 kg/m**2)", age="50 years", name="obese"), "nothing"),
    "MASH F3": (Person("mash(fibrosis = 3)", age="50 years", name="mash"), "nothing"),
    "cirrhosis C, rhGH": (Person("cirrhosis(child_pugh = C)", age="50 years", name="cirrhosis"), "rhgh 0.03 mg/kg sc daily"),
    "HIV lipodystrophy, tesamorelin": (Person("hiv_lipodystrophy", name="hiv"), "tesamorelin 2 mg sc daily"),
}


@dataclass(frozen=True, eq=False)
class Case:
    """One person under one protocol, as an engine is given it."""

    name: str
    model: Model
    course: Course

    def batch(self, hours: float, times: np.ndarray) -> Batch:
        """This course alone over [0, hours]."""
        return together(self.model, [self.course], hours, times)

    @cached_property
    def two_days(self) -> Batch:
        """48 h from the first dose on, looked at every 5 minutes."""
        return self.batch(FIRST + 48.0, np.arange(FIRST * 12, (FIRST + 48.0) * 12 + 1) / 12)

    @cached_property
    def week(self) -> Batch:
        """A week looked at every hour: what is timed."""
        return self.batch(WEEK, np.arange(1.0, WEEK + 1))

    def undisturbed(self, batch: Batch) -> Batch:
        """The same with nothing from outside: no habits, no noise, no doses."""
        nothing = np.empty(0)
        return replace(batch, breaks=(Breaks(nothing, (), nothing, nothing, (), nothing),))

    def weeks(self, *asked: int) -> Batch:
        """Some weeks, looked at at the end of those named."""
        return self.batch(max(asked) * WEEK, np.array(asked) * WEEK)


def together(model: Model, courses: Sequence[Course], hours: float, times: np.ndarray) -> Batch:
    """Many courses as one batch."""
    names = compiled("own", model.sbml, WATCHED)
    return batch(model, names, courses, hours, times, np.empty((0, 2)))


def make(model: Model, name: str, person: Person, plan: str, noise: int = 0) -> Case:
    """A person at rest, under a protocol."""
    day = model.library.days["ordinary"]
    base = model.with_therapies([])
    at_rest = settle(base, person.resolve(base), day)
    course = Course(person.name, at_rest.person, Protocol.parse(plan), day, noise, FIRST - 24.0, at_rest.levels)
    return Case(name, model, course)


@cache
def cases() -> tuple[Case, ...]:
    """The five of PEOPLE."""
    model = Model.load(therapies=THERAPIES)
    return tuple(make(model, name, *who) for name, who in PEOPLE.items())


def crowd(n: int, spread: float = 0.05) -> list[Course]:
    """n courses: the five in turn, each with its own noise tape and its own deviation of everything that differs between persons.

    The deviations are small and nobody is brought to rest again: they make lanes unlike each other, and are no population.
    """
    model, found = cases()[0].model, []
    varied = [d.name for d in model.definitions.values() if d.cv and d.kind == "constant"]
    usual = {name: float(model.definitions[name].expression) for name in varied}
    for k in range(n):
        course = cases()[k % len(PEOPLE)].course
        draw = np.exp(spread * np.random.default_rng([7, k]).standard_normal(len(varied)))
        given = dict(course.person.parameters)
        given |= {name: given.get(name, usual[name]) * float(x) for name, x in zip(varied, draw, strict=True)}
        found.append(replace(course, tape=k, person=replace(course.person, parameters=given)))
    return found
