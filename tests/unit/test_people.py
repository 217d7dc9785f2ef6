"""Persons, populations and conditions: on the packaged texts, and on a library of a few files where conditions collide."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest

from ghaxis import units
from ghaxis.errors import DomainError, InputError, LibraryError, UnitError
from ghaxis.people import Condition, Person, Population
from ghaxis.reading import read_library
from ghaxis.reading.records import Definition, Library, PeopleRecord, Place

NAMES = ["height", "BMI", "VAT", "SAT", "lean", "liver_fat"]


@dataclass(frozen=True)
class Text:
    """A model as far as people see one: the names of a library's fragments."""

    library: Library

    @cached_property
    def definitions(self) -> Mapping[str, Definition]:
        return {d.name: d for fragment in self.library.fragments.values() for d in fragment.definitions}

    @cached_property
    def slow(self) -> Mapping[str, str | None]:
        balances = {d.role_of: d.name for d in self.definitions.values() if d.role == "balances"}
        return {d.name: balances.get(d.name) for d in self.definitions.values() if d.role == "slow"}

    def unit(self, name: str) -> str:
        unit = self.definitions[name].unit
        return units.readable(unit, self.library.units) if unit else "dimensionless"


BODY = """// Body.
// needs:
// offers: age, female, height, VAT, SAT, lean, TG_L, liver_fat, BMI, weight
age = 40; age has year; // age | definition | none | descriptor
female = 0; female has dimensionless; // sex | definition | none | descriptor
height = 1.75; height has metre; // height | definition | none | descriptor
need = 0.4; need has dimensionless; // need | definition | cv 0.2 | balances SAT
share_VAT = 0.12; share_VAT has dimensionless; // share | definition | none | balances VAT
x_loading = 1; x_loading has dimensionless; // loading | definition | none | balances lean
r_DNL = 1; r_DNL has dimensionless; // drive | definition | none | balances TG_L
VAT = 2; VAT has kilogram; // visceral fat | definition | cv 0.3 | slow
VAT' = 0*VAT;
SAT = 15; SAT has kilogram; // subcutaneous fat | definition | none | slow
SAT' = 0*SAT;
lean = 50; lean has kilogram; // lean mass | definition | none | slow
lean' = 0*lean;
TG_L = 50; TG_L has dimensionless; // liver fat | definition | none | slow
TG_L' = 0*TG_L;
fibrosis = 0; fibrosis has dimensionless; // stage | definition | none | slow
fibrosis' = 0*fibrosis;
m_liver = 1500; m_liver has dimensionless; // liver | definition | cv 0.15
liver_fat := TG_L/(TG_L + m_liver); // share of fat
liver_fat has dimensionless;
BMI := 24; // body-mass index | definition | none | descriptor
weight := VAT + SAT + lean; // weight
SI_0 = 1; SI_0 has dimensionless; // sensitivity | definition | cv 0.25 | cause
f_beta = 1; f_beta has dimensionless; // islets | definition | cv 0.3 | cause
virus = 0; virus has dimensionless; // virus | definition | none | cause
k_rate = 2; k_rate has dimensionless; // a rate | definition | cv 0.3
"""


def effect(kind: str, name: str, value: str, operator: str = "set", unit: str = "dimensionless") -> str:
    rows = {"name": name, "value": value, "unit": unit, "operator": operator, "source": "definition"}
    return f"[[{kind}]]\n" + "".join(f'{key} = "{text}"\n' for key, text in rows.items())


def condition(title: str, *effects: str, head: str = "", severity: str = "") -> str:
    return f'[condition]\ntitle = "{title}"\nmeaning = "{title}"\n{head}\n{severity}\n' + "\n".join(effects)


TEXTS = {
    "model/body.ant": BODY,
    "conditions/healthy.toml": condition(
        "health",
        effect("descriptor", "height", "1.75 - 0.1*female", unit="metre"),
        effect("descriptor", "BMI", "24"),
        effect("descriptor", "VAT", "weight*0.03", unit="kilogram"),
        effect("descriptor", "SAT", "weight*0.2", unit="kilogram"),
        effect("descriptor", "lean", "weight*0.77 - 5", unit="kilogram"),
        effect("descriptor", "liver_fat", "0.03"),
    ),
    "conditions/one.toml": condition("one", effect("cause", "SI_0", "0.5", "times", ""), effect("cause", "virus", "1", "max")),
    "conditions/two.toml": condition("two", effect("cause", "SI_0", "0.8", "times", ""), effect("cause", "virus", "0.6", "max")),
    "conditions/three.toml": condition("three", effect("cause", "virus", "0.2", "add"), effect("descriptor", "fibrosis", "2", "max")),
    "conditions/left.toml": condition("left", effect("cause", "f_beta", "0.2")),
    "conditions/right.toml": condition("right", effect("cause", "f_beta", "0.4")),
    "conditions/foe.toml": condition("foe", effect("cause", "f_beta", "0.2"), head='excludes = ["left"]'),
    "conditions/fat.toml": condition(
        "fat",
        effect("descriptor", "liver_fat", "steatosis", "max"),
        effect("descriptor", "VAT", "2", "times", ""),
        severity='[severity.steatosis]\nmeaning = "fat"\nunit = "percent"\ndefault = "20 percent"\nlow = "5 percent"\n',
    ),
    "conditions/lost.toml": condition("lost", effect("cause", "no_such_cause", "1")),
    "conditions/self.toml": condition("self", effect("descriptor", "VAT", "VAT*2", unit="kilogram")),
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Text:
    root = tmp_path_factory.mktemp("library")
    for name, text in TEXTS.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Text(read_library(root))


@pytest.fixture(scope="module")
def model() -> Text:
    return Text(read_library())


@pytest.mark.parametrize(
    ("person", "wanted"),
    [(Person(), (1.75, 23.5, 2.0, 15, 50, 0.03)), (Person(sex="F"), (1.65, 24.4, 1.4, 18, 42, 0.03))],
)
def test_the_reference_man_and_woman(person: Person, wanted: tuple[float, ...], model: Text) -> None:
    found = person.resolve(model)
    assert [found.descriptors[name] for name in NAMES] == pytest.approx(wanted, rel=0.03)
    assert found.weight == pytest.approx(found.descriptors["VAT"] + found.descriptors["SAT"] + found.descriptors["lean"] + 5, rel=1e-6)
    assert {"VAT", "SAT", "lean", "TG_L"} <= set(found.targets)
    assert found.balances["SAT"] == "need"
    assert found.parameters["age"] == 40


def test_fat_share_follows_age_sex_and_build(model: Text) -> None:
    def share(**said: str) -> float:
        found = Person(**said).resolve(model).descriptors
        return (found["VAT"] + found["SAT"]) / found["weight"]

    assert share(age="70 years") > share() > share(age="25 years")
    assert share(sex="F") > share()
    assert share(bmi="35 kg/m**2") > share(bmi="28 kg/m**2") > share(bmi="20 kg/m**2")
    visceral = [Person(age=f"{age} years").resolve(model).descriptors["VAT"] for age in (25, 40, 55, 70)]
    assert visceral == sorted(visceral)


def test_every_packaged_condition_makes_a_person_or_says_what_the_model_lacks(model: Text) -> None:
    made = []
    for name in model.library.conditions:
        for sex in "MF":
            try:
                found = Person(name, sex=sex, age="50 years").resolve(model)
            except LibraryError as error:
                assert all("unknown name" in mistake.what for mistake in error.mistakes)
                continue
            made.append(name)
            assert all(value > 0 for value in found.targets.values())
            assert 0 < found.targets["VAT"] < 0.3 * found.weight
    assert {"obesity", "hiv_lipodystrophy", "masld", "mash", "cirrhosis", "laron", "t1d", "hcv"} <= set(made)


def test_severity_grades_what_it_should(model: Text) -> None:
    def of(state: str, name: str) -> float:
        found = Person(state).resolve(model)
        return {**found.parameters, **found.descriptors}[name]

    assert [of(f"cirrhosis(child_pugh = {c})", "f_hepatocytes") for c in "ABC"] == pytest.approx([0.6, 0.45, 0.28])
    assert of("cirrhosis(child_pugh = C)", "f_shunt") > of("cirrhosis(child_pugh = A)", "f_shunt") > 0
    assert of("cirrhosis(aetiology = none)", "virus") == 0 < of("cirrhosis(aetiology = alcohol)", "alcohol")
    stages = [of(f"hcv(fibrosis = {f})", "f_hepatocytes") for f in (0, 1, 2, 3, 4)]
    assert stages == sorted(stages, reverse=True)
    assert stages[2] > 0.95 > 0.7 > stages[4]
    assert of("masld(steatosis = 30 percent)", "liver_fat") == pytest.approx(0.3)


def test_conditions_touch_causes_and_descriptors_only(model: Text) -> None:
    for record in model.library.conditions.values():
        for e in record.effects:
            if e.name in model.definitions:
                roles = ("cause",) if e.kind == "cause" else ("descriptor", "slow", "")
                assert model.definitions[e.name].role in roles, f"{record.name}: {e.name}"


def test_operators_combine_in_any_order(small: Text) -> None:
    states = ("one + two + three", "three + two + one", "two + one + three")
    found = [Person(state).resolve(small) for state in states]
    for one in found:
        assert one.parameters["SI_0"] == pytest.approx(0.4)
        assert one.parameters["virus"] == pytest.approx(1.0), "0 + 0.2, raised to the largest max"
        assert one.targets["fibrosis"] == 2
        assert one.origin["SI_0"] == found[0].origin["SI_0"] or set(one.origin["SI_0"]) == set(found[0].origin["SI_0"])


@pytest.mark.parametrize(("state", "names"), [("left + right", "'left' and 'right'.*f_beta"), ("left + foe", "'left' and 'foe'")])
def test_contradictions_name_both(state: str, names: str, small: Text) -> None:
    with pytest.raises(DomainError, match=names):
        Person(state).resolve(small)


def test_given_wins_over_conditions_and_conditions_over_health(small: Text) -> None:
    found = Person("fat + one", given={"VAT": "3 kg", "SI_0": 0.9}).resolve(small)
    assert found.targets["VAT"] == 3
    assert found.parameters["SI_0"] == 0.9
    assert found.origin["VAT"] == ("given",)
    assert Person("fat").resolve(small).targets["VAT"] == pytest.approx(2 * Person().resolve(small).targets["VAT"])


def test_a_rule_of_one_slow_state_is_turned_round(small: Text) -> None:
    found = Person("fat").resolve(small)
    assert found.targets["TG_L"] / (found.targets["TG_L"] + 1500) == pytest.approx(0.2)
    assert found.balances["TG_L"] == "r_DNL"
    assert "liver_fat" not in found.targets
    with pytest.raises(DomainError, match=r"liver_fat = 1\.2 is not possible"):
        Person(given={"liver_fat": 1.2}).resolve(small)


def test_a_descriptor_and_the_cause_that_balances_it_cannot_both_be_given(small: Text) -> None:
    with pytest.raises(DomainError, match="liver_fat and r_DNL"):
        Person(given={"liver_fat": "18 percent", "r_DNL": 2}).resolve(small)
    found = Person(given={"r_DNL": 2}).resolve(small)
    assert "TG_L" not in found.targets
    assert found.parameters["r_DNL"] == 2
    assert any("r_DNL" in note for note in found.notes)


def test_build_is_two_of_three(small: Text) -> None:
    assert Person(weight="80 kg", bmi="25 kg/m**2").resolve(small).height == pytest.approx(math.sqrt(80 / 25))
    assert Person(weight="80 kg").resolve(small).descriptors["BMI"] == pytest.approx(80 / 1.75**2)
    assert Person(bmi="30 kg/m**2", height="180 cm").resolve(small).weight == pytest.approx(30 * 1.8**2)
    assert Person(height="1.8 m", weight="81 kg", bmi="25 kg/m**2").resolve(small).weight == pytest.approx(81)
    with pytest.raises(DomainError, match=r"BMI 30 kg/m\*\*2, weight 60 kg and height 1\.8 m contradict each other"):
        Person(height="1.8 m", weight="60 kg", bmi="30 kg/m**2").resolve(small)
    with pytest.raises(DomainError, match="contradicts VAT 40 kg"):
        Person(bmi="22 kg/m**2", given={"VAT": "40 kg"}).resolve(small)
    with pytest.raises(DomainError, match="do not make"):
        Person(bmi="22 kg/m**2", given={"VAT": "4 kg", "SAT": "30 kg", "lean": "60 kg"}).resolve(small)
    assert Person(given={"VAT": "4 kg"}).resolve(small).weight > Person().resolve(small).weight


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ({"age": "40"}, UnitError, "age = '40': a bare number"),
        ({"age": 40}, UnitError, "bare number"),
        ({"age": "40 kg"}, UnitError, "dimensions differ"),
        ({"age": "12 years"}, DomainError, "adults only"),
        ({"bmi": "0 kg/m**2"}, DomainError, "above zero"),
        ({"sex": "x"}, InputError, "write 'M' or 'F'"),
        ({"onset": {"fat": "3"}}, UnitError, "bare number"),
        ({"onset": {"fat": "-3 weeks"}}, InputError, "before the run begins"),
        ({"bmi": "30 kg/m**2", "given": {"BMI": "31 kg/m**2"}}, DomainError, "given twice"),
    ],
)
def test_what_cannot_be_is_refused_at_once(said: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Person(**said)


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ({"state": "fatt"}, InputError, "did you mean 'fat'"),
        ({"given": {"VATT": "3 kg"}}, InputError, "did you mean 'VAT'"),
        ({"given": {"VAT": 3}}, UnitError, "bare number"),
        ({"given": {"k_rate": 3}}, InputError, "nobody can be given"),
        ({"state": "fat", "onset": {"fatt": "3 weeks"}}, InputError, "did you mean 'fat'"),
        ({"state": "lost"}, LibraryError, "unknown name 'no_such_cause'"),
        ({"state": "self"}, LibraryError, "reads VAT itself"),
    ],
)
def test_what_the_model_does_not_know_is_named(said: dict, error: type[Exception], message: str, small: Text) -> None:
    with pytest.raises(error, match=message):
        Person(**said).resolve(small)


def test_a_dated_onset_begins_with_the_healthy_self(small: Text) -> None:
    person = Person("one + fat", onset={"one": "2 weeks", "fat": "0 weeks"}, given={"liver_fat": "30 percent"})
    found = person.resolve(small)
    healthy = Person().resolve(small)
    assert found.targets == pytest.approx(dict(healthy.targets)), "what the later condition is about is not given before it"
    assert found.parameters == healthy.parameters
    assert [(s.time, s.name, s.value) for s in found.switches] == [(336.0, "SI_0", 0.5), (336.0, "virus", 1.0)]
    first, second = found.onsets
    assert (first.condition, first.time) == ("fat", 0.0)
    assert first.balances == {"VAT": "share_VAT", "TG_L": "r_DNL"}
    assert first.targets["TG_L"] / (first.targets["TG_L"] + 1500) == pytest.approx(0.3)
    assert (second.condition, dict(second.causes)) == ("one", {"SI_0": 0.5, "virus": 1.0})
    assert Person("one(onset = 2 weeks)").resolve(small).switches == found.switches


def test_causes_of_a_condition_are_what_ablation_resets(small: Text) -> None:
    found = Person("one + fat").resolve(small)
    assert found.causes_of("one") == {"SI_0": 1.0, "virus": 0.0}
    assert found.causes_of("fat") == {"share_VAT": 0.12, "r_DNL": 1.0}
    with pytest.raises(InputError, match="did you mean 'fat'"):
        found.causes_of("fatt")


def test_the_healthy_self_keeps_who_one_is(small: Text) -> None:
    person = Person("one", sex="F", age="61 years", bmi="33 kg/m**2", height="1.6 m", name="anna", given={"VAT": "4 kg"})
    twin = person.healthy()
    assert (twin.state, twin.sex, twin.age, twin.height, twin.name, twin.bmi, dict(twin.given)) == (
        "healthy",
        "F",
        "61 years",
        "1.6 m",
        "anna",
        None,
        {},
    )
    assert hash(person) != hash(twin)
    assert {person: 1}[Person(**{k: getattr(person, k) for k in person.__dataclass_fields__})] == 1
    assert str(person) == "anna, one, F, 61 years, BMI 33 kg/m**2, height 1.6 m, VAT = 4 kg"


def test_conditions_as_values() -> None:
    assert str(Condition("masld", {"steatosis": "20 percent"}, onset="0 weeks")) == "masld(steatosis = 20 percent, onset = 0 weeks)"
    assert Condition("masld") + Condition("t2d") == "masld + t2d"
    assert Person(Condition("masld") + Condition("t2d") + Condition("ckd")).state == "masld + t2d + ckd"
    assert Person(Condition("masld")).state == "masld"  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_people_in_any_order_and_number(small: Text) -> None:
    spread = {"mean": "50 years", "sd": "8 years"}
    small_group = Population(5, "one", seed=3, age=spread, bmi={"mean": "28 kg/m**2", "sd": "3 kg/m**2"})
    large_group = Population(50, "one", seed=3, age=spread, bmi={"mean": "28 kg/m**2", "sd": "3 kg/m**2"})
    assert small_group.persons() == large_group.persons()[:5]
    assert large_group.person(37) == large_group.persons()[37]
    assert small_group.persons()[2].resolve(small) == large_group.person(2).resolve(small)
    assert Population(5, "one", seed=4, age=spread).persons() != Population(5, "one", seed=3, age=spread).persons()
    ages = [units.number(p.age, "years") for p in Population(400, seed=1, age=spread).persons()]
    assert np.mean(ages) == pytest.approx(50, abs=1.5)
    assert np.std(ages) == pytest.approx(7.8, abs=1.0)
    assert len({p.name for p in large_group.persons()}) == len({p.seed for p in large_group.persons()}) == 50


def test_adding_a_sampled_quantity_changes_no_other(small: Text) -> None:
    plain = Population(3, seed=2, age={"mean": "50 years", "sd": "5 years"}).persons()
    more = Population(3, seed=2, age={"mean": "50 years", "sd": "5 years"}, given={"VAT": {"mean": "4 kg", "sd": "1 kg"}}).persons()
    assert [p.age for p in plain] == [p.age for p in more]
    one, other = plain[0].resolve(small), more[0].resolve(small)
    assert one.parameters["k_rate"] == other.parameters["k_rate"] != 2
    assert one.targets["VAT"] != other.targets["VAT"] == units.number(more[0].given["VAT"], "kg")


def test_between_person_spread_is_lognormal_around_the_usual(small: Text) -> None:
    found = [p.resolve(small) for p in Population(300, "one", seed=5, sex="M").persons()]
    sensitivity = np.log([r.parameters["SI_0"] for r in found])
    assert np.std(sensitivity) == pytest.approx(math.sqrt(math.log1p(0.25**2)), rel=0.15)
    assert np.mean(np.exp(sensitivity)) == pytest.approx(0.5, rel=0.05)
    assert np.std(np.log([r.targets["VAT"] for r in found])) == pytest.approx(math.sqrt(math.log1p(0.3**2)), rel=0.15)
    assert max(r.parameters["f_beta"] for r in found) <= 1
    assert all("need" not in r.parameters for r in found), "what balances a descriptor is found, not drawn"


def test_a_population_of_one_without_spread_is_the_person(small: Text) -> None:
    group = Population(1, "fat", sex="F", age="52 years", bmi="33 kg/m**2", vary=False)
    person = Person("fat", sex="F", age="52 years", bmi="33 kg/m**2")
    one, other = group.persons()[0].resolve(small), person.resolve(small)
    assert (one.parameters, one.targets, one.weight) == (other.parameters, other.targets, other.weight)


def test_a_studys_group_is_a_population() -> None:
    build = {"bmi": "29 kg/m**2", "VAT": {"low": "3 kg", "high": "6 kg"}}
    given = {"age": {"mean": "48 years", "sd": "7 years"}, "sex": "mixed", "note": "x", **build}
    group = Population.of(PeopleRecord("hiv", "one", 20, given, Place("x.toml")), seed=1)
    persons = group.persons()
    assert len(persons) == 20
    assert {p.sex for p in persons} == {"M", "F"}
    assert all(p.bmi == "29 kg/m**2" and 3 <= units.number(p.given["VAT"], "kg") <= 6 for p in persons)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"n": 0}, "at least one"),
        ({"n": 2, "age": {"meen": "40 years"}}, "did you mean 'mean'"),
        ({"n": 2, "age": {"sd": "4 years"}}, "say its mean"),
        ({"n": 2, "sex": "120 percent"}, "between 0 and 100"),
        ({"n": 2, "sex": "W"}, "write 'M' or 'F'"),
        ({"n": 2, "age": {"mean": "5 years", "sd": "1 year"}}, "no plausible person"),
    ],
)
def test_an_impossible_population_is_refused_at_once(said: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Population(**said)


def test_the_share_of_women(small: Text) -> None:
    assert {p.sex for p in Population(20, sex="F").persons()} == {"F"}
    women = sum(p.sex == "F" for p in Population(400, sex="30 percent").persons())
    assert 90 < women < 150


def test_surface_of_the_body(small: Text) -> None:
    assert Person(weight="70 kg", height="1.75 m").resolve(small).surface == pytest.approx(1.845, abs=0.01)


def test_a_model_without_a_part_notes_what_it_leaves_out(small: Text, tmp_path: Path) -> None:
    definitions = {name: d for name, d in small.definitions.items() if name != "virus"}
    part = type("Part", (), {"library": small.library, "definitions": definitions, "slow": small.slow, "unit": small.unit})()
    found = Person("one").resolve(part)
    assert "virus" not in found.parameters
    assert any("virus" in note for note in found.notes)
