"""Independent simulators on the same SBML: COPASI, libRoadRunner and the own engine give the same levels of every state.

COPASI knows no paths, so it is asked about people whose doses lie in their depots from the start; libRoadRunner at two tolerances and the
own engine are asked about whole days with sleep, meals, noise and doses.
"""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping

import numpy as np
import pytest

from ghaxis import engine as engines
from ghaxis.course import LEAD_IN, Course, batch
from ghaxis.engine import Breaks, Compiled, Tolerances
from ghaxis.model import Model
from ghaxis.people import Person, Resolved
from ghaxis.treatment import Protocol

HOURS = 48.0
AGREE = 1e-6  # of each state's largest magnitude
LEAST = 1e-12  # magnitudes below are rounding of zero
TIGHT, TIGHTER = Tolerances(3e-10, 3e-13), Tolerances(1e-10, 1e-13)
STILL = Breaks(np.empty(0), (), np.empty(0), np.empty(0), (), np.empty(0))
PEOPLE = {
    "man": (Person(), {}),
    "masld_tesamorelin": (
        Person("masld(steatosis = 20 percent)", sex="F", age="52 years", bmi="33 kg/m**2"),
        {"depot_tesamorelin": 2e6, "depot_pegvisomant": 1e7},
    ),
    "cirrhosis_rhgh": (Person("cirrhosis(child_pugh = C)", age="60 years"), {"depot_rhgh": 4e6, "depot_mk677": 2.5e7, "depot_rhigf1": 3e6}),
}
DAYS = {
    "man": (Person(), "nothing"),
    "man_tesamorelin": (Person(), "tesamorelin 2 mg sc daily at 08:00"),
    "cirrhosis_c_rhgh": (Person("cirrhosis(child_pugh = C)", age="60 years"), "rhgh 0.06 mg/kg sc daily at 20:00"),
    "obese_exercise": (
        Person("visceral_obesity", sex="F"),
        "exercise 30 min at 1.25 LT at 09:00; ghrp2 1 ug/kg iv once at 10:00; tesamorelin 2 mg sc daily at 08:00",
    ),
    "cirrhosis_fast": (Person("cirrhosis(child_pugh = B)", age="60 years"), "fast from 20:00; rhgh 0.06 mg/kg sc daily at 08:00"),
}


@pytest.fixture(scope="module")
def referee(equipped: Model) -> Compiled:
    return engines.load("referee").compile(equipped.sbml, equipped.states)


def of_person(sbml: str, values: Mapping[str, float]) -> str:
    """The same model with a person's numbers and levels written into it."""
    namespace = "{http://www.sbml.org/sbml/level3/version2/core}"
    ElementTree.register_namespace("", namespace[1:-1])
    root = ElementTree.fromstring(sbml)
    for element in root.iter():
        name = element.get("id")
        if name not in values or element.tag.removeprefix(namespace) not in ("parameter", "species", "compartment"):
            continue
        if element.tag.endswith("species"):
            amount = "initialAmount" in element.attrib
            element.set("initialAmount" if amount else "initialConcentration", repr(float(values[name])))
        else:
            element.set("size" if element.tag.endswith("compartment") else "value", repr(float(values[name])))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def told(model: Model, who: Resolved, more: Mapping[str, float]) -> dict[str, float]:
    return {name: v for name, v in {**who.parameters, **who.targets, **more}.items() if name in model.names}


def by_copasi(sbml: str, states: tuple[str, ...]) -> np.ndarray:
    """Levels (t, states) at every hour, by COPASI's LSODA."""
    basico = pytest.importorskip("basico")
    model = basico.load_model_from_string(sbml)
    frame = basico.run_time_course(
        model=model, start_time=0, duration=HOURS, intervals=int(HOURS), method="deterministic",
        r_tol=TIGHTER.relative, a_tol=TIGHTER.absolute, max_steps=10_000_000, use_sbml_id=True,
    )  # fmt: skip
    homes, sizes = basico.get_species(model=model)["compartment"], basico.get_compartments(model=model)["initial_size"]
    counted = amounts(sbml)
    scale = [float(sizes[homes[n]]) if n in counted else 1.0 for n in states]
    basico.remove_datamodel(model)
    return frame[list(states)].to_numpy() * np.array(scale)


def amounts(sbml: str) -> set[str]:
    """Species that are counted as amounts; COPASI shows every species as a concentration."""
    return {str(e.get("id")) for e in ElementTree.fromstring(sbml).iter() if e.get("hasOnlySubstanceUnits") == "true"}


def course(model: Model, who: Resolved, plan: str, levels: Mapping[str, float], tape: int | None) -> Course:
    return Course("oracle", who, Protocol.parse(plan), model.library.days["ordinary"], tape, 8.0, levels)


def apart(one: np.ndarray, other: np.ndarray, states: tuple[str, ...]) -> dict[str, float]:
    """The states that differ, by how much of their largest magnitude."""
    size = np.abs(one).max(axis=0)
    off = np.abs(one - other).max(axis=0) / np.maximum(size, LEAST)
    return {name: float(d) for name, d in zip(states, off, strict=True) if not d <= AGREE}


@pytest.mark.parametrize("name", PEOPLE)
def test_copasi_agrees_with_libroadrunner(name: str, equipped: Model, referee: Compiled) -> None:
    person, depots = PEOPLE[name]
    values = told(equipped, person.resolve(equipped), depots)
    quiet = course(equipped, person.resolve(equipped), "nothing", {**person.resolve(equipped).targets, **depots}, None)
    asked = batch(equipped, referee, [quiet], HOURS, np.arange(HOURS + 1), np.empty((0, 2)))
    answer = referee.run(dataclasses.replace(asked, breaks=(STILL,)), TIGHTER, 1)
    assert not answer.failures
    theirs = by_copasi(of_person(equipped.sbml, values), equipped.states)
    assert apart(answer.values[0], theirs, equipped.states) == {}
    assert (np.abs(answer.values[0][-1] - answer.values[0][0]) > 0).sum() > 0.7 * len(equipped.states)  # it moves


@pytest.mark.parametrize("name", DAYS)
def test_two_tolerances_and_two_engines_agree_over_whole_days(name: str, equipped: Model, referee: Compiled) -> None:
    person, plan = DAYS[name]
    who = person.resolve(equipped)
    lane = course(equipped, who, plan, who.targets, 0)
    own = engines.load("own").compile(equipped.sbml, equipped.states)
    end = LEAD_IN + 8.0 + HOURS
    asked = batch(equipped, referee, [lane], end, np.arange(0.0, end + 1e-9, 0.25), np.empty((0, 2)))
    assert len(asked.breaks[0].path_times) > 60
    assert len(asked.breaks[0].impulse_times) >= (0 if plan == "nothing" else 2)
    first, second = referee.run(asked, TIGHT, 1), referee.run(asked, TIGHTER, 1)
    assert apart(second.values[0], first.values[0], equipped.states) == {}
    third = own.run(batch(equipped, own, [lane], end, asked.times, np.empty((0, 2))), TIGHTER, 1)
    assert apart(second.values[0], third.values[0], equipped.states) == {}
