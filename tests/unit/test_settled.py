"""The settled state of one man: at rest, by usual causes; each tape with its own phase; the cache; the set-points that hang on him."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ghaxis import baseline, references
from ghaxis.baseline import Settled, settle, settle_many
from ghaxis.errors import DomainError
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.simulation import Request, Result, simulate_many
from ghaxis.treatment import Protocol

MAN = Person()


@pytest.fixture(scope="module")
def at_rest(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Settled:
    """Settled here and now, with nothing from an earlier cache."""
    return settle(model, MAN.resolve(model), model.library.days["ordinary"], cache=False)


@pytest.fixture(scope="module")
def months(model: Model, at_rest: Settled) -> list[Result]:
    """Untreated for eight weeks, on each of the eight tapes."""
    times = tuple(float(t) for t in np.arange(0.0, 8 * 168.0 + 1, 6.0))
    return simulate_many(model, [Request(MAN, Protocol.nothing(), times, (*model.slow, "IGF1", "GH"), noise=k) for k in range(8)])


def test_he_is_at_rest(at_rest: Settled) -> None:
    assert set(at_rest.residuals) >= {"VAT", "SAT", "lean", "TG_L", "OB"}
    assert {state: r for state, r in at_rest.residuals.items() if not r.accepted} == {}
    assert at_rest.accepted


def test_every_descriptor_has_the_cause_that_keeps_it(at_rest: Settled, model: Model) -> None:
    told = MAN.resolve(model)
    balanced = {state for state in told.targets if model.slow.get(state)}
    assert {i.state for i in at_rest.implied.values()} == balanced
    assert all(at_rest.person.parameters[name] == i.value > 0 for name, i in at_rest.implied.items())


def test_a_usual_man_needs_usual_causes(at_rest: Settled) -> None:
    assert {name: i.z for name, i in at_rest.implied.items() if i.z is not None and abs(i.z) > 2} == {}


def test_the_slow_states_start_where_the_descriptors_put_them(at_rest: Settled, model: Model) -> None:
    for state, value in MAN.resolve(model).targets.items():
        assert at_rest.levels[state] == pytest.approx(value)


def test_each_tape_has_its_own_phase_after_the_lead_in(months: list[Result]) -> None:
    assert len({float(r["GH"].values[0]) for r in months}) == len(months)


def test_the_start_is_typical(months: list[Result]) -> None:
    """IGF-1 at time 0, mean over tapes, is that of the mornings that follow: no trial begins on a hill or in a valley."""
    start = np.array([r["IGF1"].values[0] for r in months])
    mornings = np.array([r["IGF1"].values[28::4] for r in months])  # every sixth hour is kept, from 08:00 on
    assert start.mean() == pytest.approx(mornings.mean(), rel=0.04)


def test_he_stays_as_he_is(at_rest: Settled, months: list[Result]) -> None:
    """Mean over tapes of each balanced state after eight weeks: within 1 % (and what tapes differ by) of where it started."""
    for name in {*at_rest.residuals, "IGF1"} & set(months[0].names):
        ends = np.array([r[name].values[[0, -1]] for r in months])
        shift = (ends[:, 1] - ends[:, 0]) / np.maximum(np.abs(ends[:, 0]), 0.05)
        assert abs(shift.mean()) < 0.01 + 2.5 * shift.std(ddof=1) / len(shift) ** 0.5, name


def test_the_cache_gives_back_what_was_written(at_rest: Settled, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline.platformdirs, "user_cache_dir", lambda _: str(tmp_path))
    calls: list[str] = []

    def solved(*_: object) -> list[Settled]:
        calls.append("solved")
        return [at_rest]

    monkeypatch.setattr(baseline, "_solve", solved)
    day = model.library.days["ordinary"]
    first, again = settle(model, MAN.resolve(model), day), settle(model, MAN.resolve(model), day)
    assert calls == ["solved"]
    assert (again.levels, again.implied, again.residuals, again.rounds) == (first.levels, first.implied, first.residuals, first.rounds)
    (entry,) = (tmp_path / "settled").iterdir()
    entry.write_text(entry.read_text(encoding="utf-8")[: entry.stat().st_size // 2])
    settle(model, MAN.resolve(model), day)
    assert calls == ["solved"] * 2  # a damaged entry is made anew
    settle(model, Person(age="41 years").resolve(model), day)
    settle(model, MAN.resolve(model), model.library.days["night_shift"])
    settle(model.hold({"TNF": "1"}), MAN.resolve(model), day)
    assert calls == ["solved"] * 5  # another person, another day, another model


def test_a_person_who_cannot_be_kept_does_not_exist(at_rest: Settled, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    name, implied = next((n, i) for n, i in at_rest.implied.items() if i.z is not None)
    odd = {**at_rest.implied, name: baseline.Implied(name, implied.state, implied.value, implied.usual, 4.7)}
    monkeypatch.setattr(baseline, "_solve", lambda *_: [Settled(at_rest.person, at_rest.levels, odd, at_rest.residuals, 1, "ordinary")])
    with pytest.raises(DomainError, match=rf"no such person.*{implied.state}.*{name}.*4\.7 standard deviations"):
        settle(model, MAN.resolve(model), model.library.days["ordinary"], cache=False)


def test_nobody_depends_on_the_others(at_rest: Settled, model: Model) -> None:
    day = model.library.days["ordinary"]
    other, him = settle_many(model, [Person("cirrhosis", sex="F").resolve(model), MAN.resolve(model)], day, cache=False)
    assert isinstance(other, Settled)
    assert isinstance(him, Settled)
    assert (him.levels, him.implied, him.residuals) == (at_rest.levels, at_rest.implied, at_rest.residuals)
    assert other.accepted


def test_what_is_only_expected_yields_to_the_physiology(model: Model) -> None:
    """Nobody says what liver fat these have; that of the healthy would take an impossible cause, so it follows from a plausible one."""
    day = model.library.days["ordinary"]
    for person in (Person("obesity(bmi = 45 kg/m**2)"), Person("critical_illness", age="78 years")):
        told = person.resolve(model)
        rest = settle(model, told, day, cache=False)
        assert rest.following == ("TG_L",)
        assert rest.levels["TG_L"] > 1.3 * told.targets["TG_L"]
        assert rest.accepted
        assert all(i.z is None or abs(i.z) <= 4 for i in rest.implied.values())


def test_who_cannot_be_costs_only_himself(model: Model, at_rest: Settled) -> None:
    """The same liver fat, asked for: no such person."""
    day = model.library.days["ordinary"]
    odd = Person("critical_illness", age="78 years", given={"liver_fat": "0.02"})
    lost, him = settle_many(model, [odd.resolve(model), MAN.resolve(model)], day, cache=False)
    assert isinstance(lost, DomainError)
    assert isinstance(him, Settled)
    assert him.implied == at_rest.implied


def test_set_points_of_the_text_are_those_of_the_settled_man(model: Model) -> None:
    assert [str(m) for m in references.mistakes(model)] == []
