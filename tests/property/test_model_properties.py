"""What holds for every person and treatment: no negative level, doses that count, people who do not see each other, chance that is fair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghaxis import engine as engines
from ghaxis.course import Course, batch, tolerances
from ghaxis.engine import Answer
from ghaxis.model import Model
from ghaxis.people import Person, Population
from ghaxis.simulation import Request, Result, simulate_many
from ghaxis.treatment import Protocol

FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
SHOWN = ("GH", "IGF1", "FFA", "glucose", "pSTAT5_nuc", "VAT")
SOLVED = 2e-3  # of the largest value: the default engine's error
STATES = ("healthy", "visceral_obesity", "masld(steatosis = 30 percent)", "mash(fibrosis = 4)", "cirrhosis(child_pugh = C)", "laron", "t1d",
          "hiv_lipodystrophy", "t2d", "anorexia", "obesity + t2d")  # fmt: skip
ACTS = ("nothing", "tesamorelin 2 mg sc daily at 08:00", "rhgh 4 mg sc daily", "mk677 25 mg oral daily", "pegvisomant 40 mg sc daily",
        "ghrh 10 ug/kg iv once at 10:00; hexarelin 2 ug/kg iv once at 10:00", "rhigf1 20 ug/kg/h iv for 6 h", "octreotide 100 ug sc once",
        "prednisone 40 mg oral daily", "fast from 20:00", "exercise 60 min at 1.5 LT at 09:00", "energy 0.5 of need")  # fmt: skip
LINEAR = {"tesamorelin": ("2 mg", 2e6), "sermorelin": ("1 mg", 1e6), "ghrp2": ("100 ug", 1e5), "ipamorelin": ("200 ug", 2e5)}


def simulate(model: Model, *requests: Request) -> list[Result]:
    return simulate_many(model, requests)


def asked(person: Person, plan: str = "nothing", hours: float = 36.0, every: float = 0.5, **more) -> Request:  # type: ignore[no-untyped-def]
    times = tuple(float(t) for t in np.arange(0.0, hours + 1e-9, every))
    return Request(person, Protocol.parse(plan), times, more.pop("watch", SHOWN), settled=False, **more)


def near(one: np.ndarray, other: np.ndarray, share: float = SOLVED) -> bool:
    """Whether two sets of curves (t, m) are equal to within a share of each curve's largest value."""
    size = np.maximum(np.abs(one).max(axis=0), np.abs(other).max(axis=0))
    return bool((np.abs(one - other).max(axis=0) <= share * size).all())


PEOPLE = st.builds(
    lambda state, sex, age: Person(state, sex=sex, age=f"{age} years"), st.sampled_from(STATES), st.sampled_from("MF"), st.integers(20, 80)
)


@FEW
@given(person=PEOPLE, plan=st.sampled_from(ACTS), tape=st.one_of(st.none(), st.integers(0, 10_000)))
def test_no_level_is_ever_negative(equipped: Model, person: Person, plan: str, tape: int | None) -> None:
    (result,) = simulate(equipped, asked(person, plan, watch=equipped.states, noise=tape))
    assert np.isfinite(result.values).all()
    largest = np.abs(result.values).max(axis=0)
    low = [n for n, v, size in zip(result.names, result.values.T, largest, strict=True) if v.min() < -SOLVED * size]
    assert low == []


@FEW
@given(person=PEOPLE, drug=st.sampled_from(sorted(LINEAR)), tape=st.integers(0, 100))
def test_a_dose_of_zero_changes_nothing(equipped: Model, person: Person, drug: str, tape: int) -> None:
    nothing, zero = simulate(equipped, asked(person, noise=tape), asked(person, f"{drug} 0 mg sc daily at 08:00", noise=tape))
    assert np.array_equal(nothing.values, zero.values)


@pytest.mark.parametrize("plan", ["rhigf1 0 ug/kg/h iv for 6 h", "exercise 0 LT at 09:00 for 30 min", "energy 1 of need"])
def test_an_act_that_does_nothing_changes_nothing(plan: str, equipped: Model) -> None:
    one, other = simulate(equipped, asked(Person(), noise=None), asked(Person(), plan, noise=None))
    assert near(one.values, other.values)


def test_people_do_not_see_each_other(equipped: Model) -> None:
    people = Population(5, "masld", seed=3).persons()
    requests = [asked(p, "tesamorelin 2 mg sc daily", hours=24.0) for p in people]
    together, turned = simulate(equipped, *requests), simulate(equipped, *requests[::-1])
    alone = simulate(equipped, requests[2])[0]
    for one, other in zip(together, turned[::-1], strict=True):
        assert one.person == other.person
        assert np.array_equal(one.values, other.values)
    assert np.array_equal(together[2].values, alone.values)


def test_a_population_of_one_is_the_person(equipped: Model) -> None:
    fixed = Population(1, "visceral_obesity", sex="F", age="50 years", vary=False, seed=4).persons()[0]
    person = Person("visceral_obesity", sex="F", age="50 years", name=fixed.name, seed=fixed.seed)
    assert fixed == person
    one, other = simulate(equipped, asked(fixed), asked(person))
    assert np.array_equal(one.values, other.values)


def test_the_first_of_many_is_the_only_one_of_one() -> None:
    assert Population(1, "masld", seed=7).persons()[0] == Population(40, "masld", seed=7).persons()[0]


def test_people_differ_and_so_do_their_days(equipped: Model) -> None:
    """Each person has an own tape: where two share it, their pulses fall together."""
    people = Population(4, "healthy", seed=1, vary=False, sex="M", age="40 years").persons()
    results = simulate(equipped, *(asked(p, noise=5, watch=("GH", "x_tempo")) for p in people))
    tempos = [r["x_tempo"].values for r in results]
    assert all(not np.array_equal(a, b) for k, a in enumerate(tempos) for b in tempos[:k])


def test_arms_share_a_persons_tape_and_tapes_differ(equipped: Model) -> None:
    person = Person("masld", name="anna")
    plan = "ghrh 1 ug/kg iv once at 20:00"
    untreated, treated, other = simulate(equipped, asked(person, noise=3), asked(person, plan, noise=3), asked(person, noise=4))
    before = untreated.times <= 12.0
    assert near(untreated.values[before], treated.values[before])
    assert np.array_equal(untreated.values[:20], treated.values[:20])  # until the step that ends at the dose, bit for bit
    assert not near(untreated.values[~before], treated.values[~before])
    assert not near(untreated.values[before], other.values[before], 0.02)


def test_the_clock_decides_not_the_moment_at_which_one_looks(equipped: Model) -> None:
    morning = simulate(equipped, asked(Person(), hours=30.0, noise=None))[0]
    evening = simulate(equipped, asked(Person(), hours=18.0, noise=None, begin="20:00"))[0]
    assert np.array_equal(morning.values[24:], evening.values)


def test_a_night_shift_moves_the_night(equipped: Model) -> None:
    ordinary, shift = simulate(
        equipped, asked(Person(), hours=48.0, noise=None), asked(Person(), hours=48.0, noise=None, day="night_shift")
    )
    assert not near(ordinary.values, shift.values, 0.05)


def test_what_the_healthy_self_has_changes_nothing_in_the_healthy(model: Model) -> None:
    held = model.hold({"socs": {"TNF": "healthy"}, "phosphatases": {"FFA_slow": "healthy"}})
    free, same = simulate(model, asked(Person(), noise=2))[0], simulate(held, asked(Person(), noise=2))[0]
    assert near(free.values, same.values, 0.01)


def test_a_held_need_takes_the_disease_away_there_and_only_there(model: Model) -> None:
    sick = Person("mash(fibrosis = 3)")
    held = model.hold({"socs": {"TNF": "healthy"}})
    free, freed = (simulate(m, asked(sick, noise=2, watch=("SOCS3", "TNF", "IGF1")))[0] for m in (model, held))
    assert freed["SOCS3"].values[-1] < 0.98 * free["SOCS3"].values[-1]
    assert freed["TNF"].values[-1] > 0.98 * free["TNF"].values[-1] > 1.1


# --- kinetics of drugs --------------------------------------------------------------------------------------------------------------


def kinetics(equipped: Model, plans: Sequence[str], watch: Sequence[str], times: np.ndarray, windows: np.ndarray) -> Answer:
    """Lanes straight from the engine, with exact means over windows (inner hours)."""
    runner = engines.load("auto").compile(equipped.sbml, watch)
    who = Person().resolve(equipped)
    lanes = [Course("k", who, Protocol.parse(p), equipped.library.days["ordinary"], None, 8.0, who.targets) for p in plans]
    answer = runner.run(batch(equipped, runner, lanes, float(times[-1]), times, windows), tolerances(runner))
    assert not answer.failures
    return answer


@pytest.mark.parametrize("drug", LINEAR)
def test_a_drugs_level_follows_dose_and_time(drug: str, equipped: Model) -> None:
    """Twice the dose, twice the level; three hours later, three hours later; and what came in is there, or gone by a known way."""
    dose, amount = LINEAR[drug]
    number, unit = dose.split()
    plans = [f"{drug} {dose} sc once at 08:00", f"{drug} {2 * float(number):g} {unit} sc once at 08:00", f"{drug} {dose} sc once at 11:00"]
    watch = (f"level_{drug}", f"amount_{drug}", f"depot_{drug}")
    start, end = 32.0, 32.0 + 24.0
    times = np.arange(start, end + 1e-9, 0.25)
    answer = kinetics(equipped, plans, watch, times, np.array([[start, end]]))
    level, double, later = (answer.values[k, :, 0] for k in range(3))
    assert level.max() > 0
    assert np.abs(double - 2 * level).max() <= SOLVED * double.max()
    assert np.abs(later[12:] - level[:-12]).max() <= SOLVED * level.max()
    value = {n: float(equipped.definitions[f"{n}_{drug}"].expression) for n in ("CL", "F", "k_absorb")}
    cleared = value["CL"] * answer.means[0, 0, 0] * 24.0
    lost = (1 - value["F"]) * value["k_absorb"] * answer.means[0, 0, 2] * 24.0
    left = answer.values[0, -1, 1] + answer.values[0, -1, 2]
    assert cleared + lost + left == pytest.approx(amount, rel=SOLVED)


def test_two_doses_are_the_sum_of_two(equipped: Model) -> None:
    plans = ["tesamorelin 1 mg sc once at 08:00", "tesamorelin 2 mg sc once at 14:00",
             "tesamorelin 1 mg sc once at 08:00; tesamorelin 2 mg sc once at 14:00"]  # fmt: skip
    values = kinetics(equipped, plans, ("level_tesamorelin",), np.arange(32.0, 50.0, 0.1), np.empty((0, 2))).values[:, :, 0]
    assert np.abs(values[2] - values[0] - values[1]).max() <= SOLVED * values[2].max()


def test_a_dose_per_kilogram_grows_with_the_person(equipped: Model) -> None:
    light, heavy = Person(weight="60 kg", height="1.75 m"), Person(weight="90 kg", height="1.75 m")
    results = simulate(
        equipped, *(asked(p, "ghrh 1 ug/kg iv once at 08:00", hours=2.0, every=0.05, watch=("amount_ghrh",)) for p in (light, heavy))
    )
    first, second = (r["amount_ghrh"].values for r in results)
    assert second.max() / first.max() == pytest.approx(1.5, rel=0.01)
    assert first[0] == second[0] == 0.0  # the observation at the dose's time is before it


def test_an_infusion_gives_what_it_says(equipped: Model) -> None:
    plans = ["ghrh 100 ug/h iv for 4 h", "nothing"]
    watch = ("amount_ghrh", "level_ghrh")
    answer = kinetics(equipped, plans, watch, np.arange(32.0, 44.1, 0.5), np.array([[32.0, 44.0]]))
    cleared = float(equipped.definitions["CL_ghrh"].expression) * answer.means[0, 0, 1] * 12.0
    assert cleared + answer.values[0, -1, 0] == pytest.approx(4e5, rel=SOLVED)
    assert not answer.values[1].any()
