"""Protocol text and tables, their schedules, days and noise, on a library of a few files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ghaxis.chance import stream
from ghaxis.errors import InputError, UnitError
from ghaxis.reading import read_library
from ghaxis.reading.records import Library
from ghaxis.treatment import Impulse, Protocol, day_paths, noise_paths
from ghaxis.treatment import Path as Step

TEXTS = {
    "model/inputs.ant": """// Inputs.
// needs:
// offers: exercise, energy_balance, sleep_deep, alcohol, GH, x_burst, meal
unit ng = 1e-9 gram;
unit ng_per_hour = 1e-9 gram/(3600 second);
unit ng_per_litre = 1e-9 gram/litre;
unit per_hour = 1/(3600 second);
exercise = 0; exercise has dimensionless; // intensity | definition | none | input
energy_balance = 1; energy_balance has dimensionless; // intake over need | definition | none | input
sleep_deep = 0; sleep_deep has dimensionless; // slow waves | definition | none | input
alcohol = 0; alcohol has dimensionless; // load | definition | none | cause
meal = 0; meal has per_hour; // eating | definition | none | input
x_burst = 1; x_burst has dimensionless; // noise | definition | none | input
GH = 700; GH has ng_per_litre; // growth hormone | definition | none | input
""",
    "therapies/drug.ant": """// Drug.
// status: approved (nowhere) | checked 2026-11
// route: sc -> depot_drug
// route: iv -> amount_drug
// route: infusion -> r_infusion_drug
// molar_mass: 1000
// iu_per_mg: 3
// needs:
// offers: depot_drug, amount_drug, r_infusion_drug
depot_drug = 0; depot_drug has ng; // depot | definition
depot_drug' = 0*depot_drug;
amount_drug = 0; amount_drug has ng; // body | definition
amount_drug' = 0*amount_drug;
r_infusion_drug = 0; r_infusion_drug has ng_per_hour; // rate | definition | none | input
""",
    "therapies/pill2.ant": """// Pill.
// status: investigational | checked 2026-11
// route: oral -> depot_pill2
// needs:
// offers: depot_pill2
depot_pill2 = 0; depot_pill2 has ng; // gut | definition
depot_pill2' = 0*depot_pill2;
""",
    "interventions/fast.toml": """[intervention]
title = "fast"
meaning = "no food"
source = "definition"
[inputs]
energy_balance = "0"
""",
    "interventions/energy.toml": """[intervention]
title = "energy"
meaning = "intake"
source = "definition"
[parameter.of]
default = "1"
unit = "dimensionless"
meaning = "share"
[inputs]
energy_balance = "of"
""",
    "interventions/exercise.toml": """[intervention]
title = "exercise"
meaning = "a bout"
source = "definition"
lasts = "30 min"
[parameter.LT]
default = "1"
unit = "dimensionless"
meaning = "intensity"
[inputs]
exercise = "LT"
""",
    "interventions/nights_out.toml": """[intervention]
title = "nights out"
meaning = "drinks in the evening, no deep sleep"
source = "definition"
[parameter.drinks]
default = "20 g"
unit = "g"
meaning = "alcohol"
[inputs]
sleep_deep = "0"
[[window]]
input = "alcohol"
start = "20:00"
lasts = "4 h"
level = "drinks/100"
""",
    "days/plain.toml": """[day]
title = "plain"
[[habit]]
input = "sleep_deep"
start = "23:30"
lasts = "1 h"
level = 1.0
source = "definition"
[[habit]]
input = "meal"
start = "12:00"
lasts = "30 min"
level = 2.0
source = "definition"
[[noise]]
inputs = { x_burst = 0.4 }
gap = "2 h"
shape = 4
source = "definition"
""",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    root = tmp_path_factory.mktemp("library")
    for name, text in TEXTS.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_library(root)


def impulses(text: str, library: Library, begin: float = 8.0, days: float = 28, **more: object) -> list[tuple[float, float]]:
    """(hours since begin, mg) of every dose."""
    found = Protocol.parse(text, library).schedule(library, 70.0, begin, begin + 24 * days, **more)  # type: ignore[arg-type]
    return [(round(i.time - begin, 9), round(i.amount / 1e6, 9)) for i in found.impulses]


def paths(text: str, library: Library, begin: float = 8.0, days: float = 28, **more: object) -> list[tuple[float, str, float]]:
    found = Protocol.parse(text, library).schedule(library, 70.0, begin, begin + 24 * days, **more)  # type: ignore[arg-type]
    return [(round(p.time - begin, 9), p.name, round(p.value, 9)) for p in found.paths]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("drug 2 mg sc once at 08:00", [(0, 2)]),
        ("drug 2 mg sc", [(0, 2)]),
        ("drug 2 mg sc once at 07:00", [(23, 2)]),
        ("Drug 2mg s.c. daily at 08:00 for 3 days", [(0, 2), (24, 2), (48, 2)]),
        ("drug 2 mg sc daily for 2d", [(0, 2), (24, 2)]),
        ("drug 10 ug/kg iv once at 2 h", [(2, 0.7)]),
        ("drug 3 IU sc once", [(0, 1)]),
        ("drug 1 nmol/kg iv once", [(0, 0.07)]),
        ("drug 2 mg/m2 sc once", [(0, 3.6)]),
        ("drug 1 mg sc every 12 hours for 1 day", [(0, 1), (12, 1)]),
        ("drug 1 mg sc twice daily for 1 day", [(0, 1), (12, 1)]),
        ("drug 1 mg sc twice daily at 09:00 and 21:00 for 36 h", [(1, 1), (13, 1), (25, 1)]),
        ("drug 1 mg sc twice daily at 09:00 for 36 h", [(1, 1), (13, 1), (25, 1)]),
        ("drug 1 mg sc 3 times a week for 1 week", [(0, 1), (48, 1), (96, 1)]),
        ("drug 1 mg sc once weekly for 2 weeks", [(0, 1), (168, 1)]),
        ("drug 1 mg sc every other day for 4 days", [(0, 1), (48, 1)]),
        ("drug 1 mg iv every 2 h 3 times", [(0, 1), (2, 1), (4, 1)]),
        ("drug 1 mg sc daily from 22:00 for 2 days", [(14, 1), (38, 1)]),
        ("drug 0.2 mg sc daily for 2 days then drug 0.4 mg sc daily for 1 day", [(0, 0.2), (24, 0.2), (48, 0.4)]),
        ("drug 0.2 mg sc daily at 20:00 for 2 days then 0.4 mg for 1 day", [(12, 0.2), (36, 0.2), (60, 0.4)]),
        ("drug 1 mg sc once for 1 day then nothing for 1 day then drug 2 mg sc once", [(0, 1), (48, 2)]),
        ("nothing for 12 h then drug 1 mg iv once", [(12, 1)]),
        ("drug 1 mg sc + pill2 2 mg once at 09:00", [(1, 1), (1, 2)]),
        ("drug 1 mg sc once; pill-2 2 mg oral once at 10:00", [(0, 1), (2, 2)]),
        ("drug 0 mg sc daily", []),
        ("nothing", []),
    ],
)
def test_doses_fall_where_the_text_says(text: str, wanted: list[tuple[float, float]], library: Library) -> None:
    assert impulses(text, library, surface_m2=1.8) == wanted


def test_doses_go_to_the_state_of_their_route(library: Library) -> None:
    plan = Protocol.parse("drug 1 mg sc once; drug 1 mg iv once; pill2 1 mg once", library)
    assert {i.state for i in plan.schedule(library, 70, 0, 1).impulses} == {"depot_drug", "amount_drug", "depot_pill2"}
    assert plan.therapies == ("drug", "pill2")


def test_a_dose_at_the_end_belongs_to_what_follows(library: Library) -> None:
    assert impulses("drug 1 mg sc daily", library, days=1) == [(0, 1)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("drug 10 ug/kg/h iv for 6 h", [(0, 0.7), (6, 0)]),
        ("drug 10 ug/kg/h iv for 6 h at 09:00", [(1, 0.7), (7, 0)]),
        ("drug 1 mg iv over 15 min once", [(0, 4), (0.25, 0)]),
        ("drug 24 mg iv infusion for 24 h", [(0, 1), (24, 0)]),
        ("drug 24 mg/day iv", [(0, 1)]),
        ("drug 1 mg iv over 1 h daily for 2 days", [(0, 1), (1, 0), (24, 1), (25, 0)]),
        ("drug 1 mg/h iv for 2 h; drug 2 mg/h iv from 1 h for 2 h", [(0, 1), (1, 3), (2, 2), (3, 0)]),
        ("drug 1 mg/h iv for 2 h then drug 2 mg/h iv for 1 h", [(0, 1), (2, 2), (3, 0)]),
    ],
)
def test_infusions_are_rates_that_add_up(text: str, wanted: list[tuple[float, float]], library: Library) -> None:
    assert [(t, round(v / 1e6, 9)) for t, n, v in paths(text, library) if n == "r_infusion_drug"] == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("fast from 22:00 for 5 days", [(14, "energy_balance", 0), (134, "energy_balance", 1)]),
        ("energy 0.7 of need for 12 h", [(0, "energy_balance", 0.7), (12, "energy_balance", 1)]),
        ("energy 70 percent for 12 h then 0.8 of need", [(0, "energy_balance", 0.7), (12, "energy_balance", 0.8)]),
        ("exercise 30 min at 1.25 LT at 09:00", [(1, "exercise", 1.25), (1.5, "exercise", 0)]),
        ("exercise at 09:00", [(1, "exercise", 1), (1.5, "exercise", 0)]),
        (
            "exercise LT = 1.5 daily over 1 h for 2 days",
            [(0, "exercise", 1.5), (1, "exercise", 0), (24, "exercise", 1.5), (25, "exercise", 0)],
        ),
        (
            "energy 0.7 of need for 2 days; fast from 4 h for 8 h",
            [(0, "energy_balance", 0.7), (4, "energy_balance", 0), (12, "energy_balance", 0.7), (48, "energy_balance", 1)],
        ),
        ("GH 5 ug/L from 2 h for 3 h", [(2, "GH", 5000), (5, "GH", 700)]),
        ("alcohol 0.5", [(0, "alcohol", 0.5)]),
    ],
)
def test_interventions_hold_inputs(text: str, wanted: list[tuple[float, str, float]], library: Library) -> None:
    assert paths(text, library) == wanted


def test_an_input_returns_to_the_persons_own_value(library: Library) -> None:
    assert paths("alcohol 0 for 24 h", library, base={"alcohol": 0.8}) == [(0, "alcohol", 0), (24, "alcohol", 0.8)]


def test_windows_recur_and_habits_wait_beneath(library: Library) -> None:
    habits = day_paths(library.days["plain"], 0.0, 8 + 72)
    found = paths("nights_out 50 g for 24 h", library, days=3, beneath=habits)
    assert [p for p in found if p[1] == "alcohol"] == [(12, "alcohol", 0.5), (16, "alcohol", 0)]
    asleep = [p for p in found if p[1] == "sleep_deep" and p[2] == 1]
    assert [p[0] for p in asleep] == [-8, 39.5, 63.5], "the night of the act has no deep sleep, the others have"
    assert [p for p in found if p[1] == "meal"] == [(round(p.time - 8, 9), p.name, p.value) for p in habits if p.name == "meal"]


def test_two_acts_cannot_set_one_input_at_once(library: Library) -> None:
    plan = Protocol.parse("fast for 1 day; energy 0.5 of need for 1 day", library)
    with pytest.raises(InputError, match=r"'fast' and 'energy' set energy_balance to 0 and 0\.5"):
        plan.schedule(library, 70, 8, 32)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("drugg 2 mg sc", InputError, "character 1: 'drugg' is no therapy.*did you mean 'drug'"),
        ("fasst for 2 days", InputError, "did you mean 'fast'"),
        ("drug 2 mgg sc", UnitError, "character 8: 'mgg' is not the unit of a dose; did you mean 'mg'"),
        ("drug 2 sc", UnitError, "the dose of drug needs a unit"),
        ("drug sc daily", InputError, "say the dose of drug"),
        ("drug 2 mg/lb sc", UnitError, "'/lb' is not per kg, m2 or time"),
        ("drug 2 mg sc dayly", InputError, "character 14: 'dayly' is not understood here; did you mean 'daily'"),
        ("drug 2 mg daily", InputError, "say the route of drug: sc or iv"),
        ("drug 2 mg oral", InputError, "not given by the route 'oral'"),
        ("drug 2 mg/day sc for 3 days", InputError, "a daily dose is written 'daily'"),
        ("drug 2 mg sc daily for 26", UnitError, "needs a unit of time"),
        ("drug 2 mg sc daily for 3 wekks", UnitError, "did you mean 'weeks'"),
        ("drug 2 mg sc daily then nothing", InputError, "how long it goes on"),
        ("drug 2 mg sc daily weekly", InputError, "second"),
        ("drug 2 mg 3 mg sc", InputError, "second amount"),
        ("drug -2 mg sc", InputError, "below zero"),
        ("drug 2 mg sc at 25:10", InputError, "no time of day"),
        ("drug 2 mg/h iv daily for 2 days", InputError, "how long each 'drug' takes"),
        ("pill2 2 IU oral", UnitError, "iu_per_mg"),
        ("energy 0.7 LT", InputError, "not a value of 'energy'"),
        ("drug 2 mg sc & daily", InputError, "character 14"),
        ("", InputError, "name of a therapy"),
        ("GH 5 mmol/L", UnitError, "dimensions differ"),
        ("fast daily", InputError, "how long each 'fast' takes"),
        ("drug 1 mg sc three times daily at 09:00 and 21:00", InputError, "3 times daily, but 2 times of day"),
    ],
)
def test_mistakes_name_the_place_and_the_nearest_word(text: str, error: type[Exception], message: str, library: Library) -> None:
    with pytest.raises(error, match=message):
        Protocol.parse(text, library)


@pytest.mark.parametrize(
    "text",
    [
        "nothing",
        "drug 2 mg sc daily at 08:00 for 26 weeks then nothing for 26 weeks; fast from 22:00 for 5 days",
        "drug 0.1 mg sc once + pill2 0.3 mg oral daily at 08:00 and 20:00 for 3 days",
        "drug 2 mg/m2 sc 3 times weekly at 07:30 for 20 min",
        "drug 140.45 nmol/kg iv over 15 min",
        "drug 10 ug/kg/h iv from 32 h for 6 h",
        "energy 0.7 of need for 12 weeks",
        "nights_out drinks = 30 g for 1 day",
        "exercise 1.25 LT over 30 min at 09:00",
        "GH 500 ng/mL from 24 h",
        "drug 1 mg iv every 2 h 6 times",
    ],
)
def test_text_reads_back_as_the_same_protocol(text: str, library: Library) -> None:
    plan = Protocol.parse(text, library)
    again = Protocol.parse(str(plan), library)
    assert again == plan
    assert str(again) == str(plan)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_table_of_doses(tmp_path: Path, library: Library) -> None:
    table = write(
        tmp_path / "doses.csv",
        "ID,TIME,AMT,RATE,II,ADDL,EVID,CMT,DV\n"
        "1,0,2,.,24,2,1,drug sc,.\n"
        "1,12,.,.,.,.,0,.,3.1\n"
        "1,3,4,2,0,0,1,r_infusion_drug,.\n"
        "1,5,1,.,.,.,1,amount_drug,.\n",
    )
    plan = Protocol.from_csv(table, library)
    schedule = plan.schedule(library, 70, 8, 8 + 96)
    assert [(i.time - 8, i.state, round(i.amount / 1e6, 9)) for i in schedule.impulses] == [
        (0, "depot_drug", 2),
        (5, "amount_drug", 1),
        (24, "depot_drug", 2),
        (48, "depot_drug", 2),
    ]
    assert [(p.time - 8, p.name, round(p.value / 1e6, 9)) for p in schedule.paths] == [(3, "r_infusion_drug", 2), (5, "r_infusion_drug", 0)]
    assert Protocol.parse(str(plan), library) == plan


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TIME,AMT,CMTT\n0,1,drug sc\n", "doses.csv:1: unknown column 'CMTT'; did you mean 'CMT'"),
        ("TIME,AMT\n0,1\n", "the column CMT is missing"),
        ("TIME,AMT,CMT\n0,one,drug sc\n", "doses.csv:2: AMT = 'one' is not a number"),
        ("TIME,AMT,CMT\n0,1\n", "doses.csv:2: 2 cells under 3 columns"),
        ("TIME,AMT,CMT\n0,1,depot_drugg\n", "did you mean 'depot_drug'"),
        ("TIME,AMT,CMT\n0,1,drug\n", "say the route too"),
        ("ID,TIME,AMT,CMT\n1,0,1,drug sc\n2,0,1,drug sc\n", "several people"),
        ("TIME,AMT,CMT,ADDL\n0,1,drug sc,3\n", "ADDL needs II"),
        ("TIME,AMT,CMT,EVID\n0,1,drug sc,3\n", "EVID 3"),
        ("", "empty"),
    ],
)
def test_mistakes_in_a_table_name_file_and_line(text: str, message: str, tmp_path: Path, library: Library) -> None:
    with pytest.raises(InputError, match=message):
        Protocol.from_csv(write(tmp_path / "doses.csv", text), library)


def test_one_person_of_a_table(tmp_path: Path, library: Library) -> None:
    table = write(tmp_path / "doses.csv", "ID,TIME,AMT,CMT,UNIT\n1,0,1,drug sc,mg\n2,0,500,drug sc,ug\n")
    schedule = Protocol.from_csv(table, library, who="2").schedule(library, 70, 0, 24)
    assert [round(i.amount / 1e6, 9) for i in schedule.impulses] == [0.5]
    with pytest.raises(InputError, match="nobody has the ID '3'"):
        Protocol.from_csv(table, library, who="3")


def test_habits_return_every_day_and_hold_at_the_start(library: Library) -> None:
    found = day_paths(library.days["plain"], 0.0, 48.0)
    assert [p for p in found if p.name == "sleep_deep"] == [
        Step(0.0, "sleep_deep", 1.0),
        Step(0.5, "sleep_deep", 0.0),
        Step(23.5, "sleep_deep", 1.0),
        Step(24.5, "sleep_deep", 0.0),
        Step(47.5, "sleep_deep", 1.0),
    ]
    assert sum(p.value for p in found if p.name == "meal") == 4.0
    assert list(found) == sorted(found)


def test_a_longer_tape_begins_with_the_shorter_one(library: Library) -> None:
    day = library.days["plain"]
    short = noise_paths(day, stream(1, "tape"), 0.0, 100.0)
    long = noise_paths(day, stream(1, "tape"), 0.0, 4000.0)
    assert long[: len(short)] == short
    assert noise_paths(day, stream(2, "tape"), 0.0, 100.0) != short
    values = np.array([p.value for p in long])
    assert abs(values.mean() - 1) < 0.05
    assert abs(values.std() - 0.4) < 0.05
    gaps = np.diff([p.time for p in long])
    assert abs(gaps.mean() - 2) < 0.1
    assert abs(gaps.std() - 1) < 0.1


def test_nothing_acts_on_nothing(library: Library) -> None:
    schedule = Protocol.nothing().schedule(library, 70, 0, 1000)
    assert (schedule.paths, schedule.impulses) == ((), ())
    assert Impulse(0.0, "a", 1.0) < Impulse(1.0, "a", 1.0)
