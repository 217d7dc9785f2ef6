"""Trials on a made-up simulation: who is in which arm, what is read when, paired differences, failures that cost only their own arm."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from ghaxis import trial as trials
from ghaxis import validation
from ghaxis.chance import stream
from ghaxis.errors import InputError, Place, SimulationError
from ghaxis.evidence import Study
from ghaxis.people import Person
from ghaxis.reading.records import ArmRecord, FindingRecord, Library, MeasureRecord, PeopleRecord, StudyRecord
from ghaxis.simulation import Curve
from ghaxis.treatment import Protocol

HERE = Place("test.toml", 1)
MEASURES = {
    "IGF1_total": MeasureRecord("IGF1_total", "", "IGF1", "ug/L", "level", "0 h", "", {}, "", HERE),
    "GH_mean_24h": MeasureRecord("GH_mean_24h", "", "GH", "ug/L", "mean", "24 h", "1 h", {}, "", HERE),
}
LIBRARY = Library("", {}, {}, {}, {}, {}, {}, MEASURES, {}, {})
UNITS = {"IGF1": "ug/L", "GH": "ng/L", "VAT": "kg"}


@dataclass(frozen=True)
class FakeModel:
    library: Library = LIBRARY
    therapies: tuple = ()
    names: tuple = tuple(UNITS)

    def with_therapies(self, names):
        return self

    @property
    def definitions(self):
        return {name: SimpleNamespace(meaning=name) for name in UNITS}

    def shown(self, name):
        return UNITS[name]


@dataclass(frozen=True)
class FakeProtocol:
    """Raises IGF-1 by `gain` over 100 h; `breaks` makes the solver give up, but for those it `spares`."""

    gain: float = 0.0
    breaks: bool = False
    spares: tuple = ()
    therapies: tuple = ()


@dataclass
class FakeResult:
    request: object
    names: tuple = field(default=())

    def __getitem__(self, name):
        r = self.request
        times = np.asarray(r.times)
        luck = stream(r.noise or 0, r.person.name).normal()
        own = 150.0 + 40.0 * luck
        level = {
            "IGF1": own * (1 + r.protocol.gain * np.clip(times, 0, 100) / 100),
            "GH": 1000.0 + 10 * times,
            "VAT": 4.0 - r.protocol.gain + 0 * times,
        }
        assert name in r.watch
        return Curve(name, UNITS[name], times, level[name])


@pytest.fixture
def asked(monkeypatch):
    """Requests that reach the simulation."""
    seen = []

    def attempt_many(model, requests, engine="auto", progress=None, workers=None, keep=None):
        seen.append(list(requests))
        fails = [r.protocol.breaks and r.person.name not in r.protocol.spares for r in requests]
        return [
            SimulationError("the solver gave up", r.person.name) if bad else FakeResult(r) for r, bad in zip(requests, fails, strict=True)
        ]

    monkeypatch.setattr(trials, "attempt_many", attempt_many)
    return seen


PEOPLE = [Person(name=f"p{k}") for k in range(5)]
ARMS = {"drug": FakeProtocol(0.5), "placebo": FakeProtocol()}


def make(**changes):
    return trials.Trial(PEOPLE, ARMS, measures=("IGF1_total", "VAT"), visits=("0 h", "100 h"), **changes)


def test_every_person_is_in_every_arm_on_the_same_tapes(asked):
    make(tapes=2).run(FakeModel())
    (requests,) = asked
    assert len(requests) == 2 * 5 * 2
    by_arm = [[(r.person.name, r.noise) for r in requests if r.protocol is protocol] for protocol in ARMS.values()]
    assert by_arm[0] == by_arm[1]
    assert len(set(by_arm[0])) == 10


def test_differences_are_paired(asked):
    """The persons differ by tens of ug/L; the paired interval knows only how their gains differ."""
    outcomes = make().run(FakeModel())
    found = outcomes.difference("IGF1_total", "100 h")
    spread = outcomes.of("placebo", "IGF1_total", 100.0).std(ddof=1)
    assert found.value == pytest.approx(0.5 * outcomes.of("placebo", "IGF1_total", 100.0).mean())
    assert found.relative == pytest.approx(0.5)
    assert (found.arm, found.control, found.n, found.unit) == ("drug", "placebo", 5, "ug/L")
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.5 * spread / 5**0.5)
    at_once = outcomes.difference("IGF1_total", 0.0)
    assert (at_once.value, at_once.low, at_once.high) == (0.0, 0.0, 0.0)


def test_who_fails_in_one_arm_is_left_out_of_all(asked):
    arms = {"drug": FakeProtocol(0.5, breaks=True, spares=("p0", "p1", "p4")), "placebo": FakeProtocol()}
    outcomes = trials.Trial(PEOPLE, arms, measures=("VAT",), visits=("0 h",)).run(FakeModel())
    assert outcomes.of("drug", "VAT", 0.0).shape == outcomes.of("placebo", "VAT", 0.0).shape == (3, 1)
    assert [name.split(",")[0] for name in outcomes.left_out] == ["p2", "p3"]
    assert set(outcomes.left_out.values()) == {"the solver gave up"}
    with pytest.raises(SimulationError):
        trials.Trial(PEOPLE[2:4], arms, measures=("VAT",), visits=("0 h",)).run(FakeModel())


def test_a_quantity_of_the_model_is_a_measure_too(asked):
    found = make().run(FakeModel()).difference("VAT", "100 h")
    assert (found.value, found.unit) == (pytest.approx(-0.5), "kg")


def test_mistakes_are_named(asked):
    outcomes = make().run(FakeModel())
    with pytest.raises(InputError, match="no arm 'drugs'; did you mean 'drug'"):
        outcomes.difference("IGF1_total", "100 h", arm="drugs")
    with pytest.raises(InputError, match="it has 0 h, 100 h"):
        outcomes.of("drug", "IGF1_total", "26 weeks")
    with pytest.raises(InputError, match="did you mean 'IGF1_total'"):
        trials.Trial(PEOPLE, ARMS, measures=("IGF1_totl",)).run(FakeModel())
    arms = {"drug": trials.Arm(FakeProtocol(), who="women"), "placebo": trials.Arm(FakeProtocol(), who="men")}
    groups = {"women": PEOPLE[:2], "men": PEOPLE[2:]}
    with pytest.raises(InputError, match="different people"):
        trials.Trial(groups, arms, measures=("VAT",)).run(FakeModel()).difference("VAT", "0 h")


def finding(id, of, value, measure="IGF1_total", window=None):
    return FindingRecord(
        id, measure, (of,), "contrast" if "/" in of else "level", value, None, None, {}, None, None, None, None, window, "", HERE
    )


def study(*findings, groups=None):
    people = groups or {"men": PeopleRecord("men", "healthy", 9, {"sex": "M", "age": {"low": "20 years", "high": "30 years"}}, HERE)}
    who = next(iter(people))
    arms = {name: ArmRecord(name, who, "nothing", HERE) for name in ("drug", "placebo", "bad")}
    return Study.of(
        StudyRecord("s", "", "", "abstract", "calibration", "people", "", {}, people, arms, findings, "human", (), {}, HERE), LIBRARY
    )


GAIN = finding("gain", "drug@100 h / drug@0 h - 1", "50 percent")
PLAIN = finding("plain", "placebo@0 h", "150 ug/L")
MEAN = finding("mean", "placebo@0 h", "1.12 ug/L", "GH_mean_24h")
BAD = finding("bad", "bad@100 h / bad@0 h", "2")


def with_arms(monkeypatch):
    """The study's arms do what the fake simulation understands."""
    texts = {"drug": FakeProtocol(0.5), "placebo": FakeProtocol(), "bad": FakeProtocol(breaks=True)}
    made = trials.Trial.of

    def of(study, people, tapes, seed, library=None):
        trial = made(study, people, tapes, seed, library)
        return trials.dataclasses.replace(
            trial, arms={name: trials.dataclasses.replace(arm, protocol=texts[name]) for name, arm in trial.arms.items()}
        )

    monkeypatch.setattr(trials.Trial, "of", staticmethod(of))
    monkeypatch.setattr(Protocol, "parse", staticmethod(lambda text, library=None: Protocol()))


def test_a_study_is_a_trial(asked, monkeypatch):
    with_arms(monkeypatch)
    record = study(GAIN, PLAIN, MEAN)
    trial = trials.Trial.of(record, 1, 3, 0)
    assert {(a.arm, a.measure, a.at) for a in trial.readings} == {
        ("drug", "IGF1_total", 100.0),
        ("drug", "IGF1_total", 0.0),
        ("placebo", "IGF1_total", 0.0),
        ("placebo", "GH_mean_24h", 0.0),
    }
    trial.run(FakeModel())
    requests = asked[-1]
    assert len(requests) == 2 * 3  # arms that no finding reads are not run
    assert next(r.times for r in requests if r.protocol.gain) == (0.0, 100.0)
    assert next(len(r.times) for r in requests if not r.protocol.gain) == 25
    person = requests[0].person
    assert (person.sex, person.age, person.state, person.name) == ("M", "25 years", "healthy", "s/men")


def test_a_cohort_takes_the_printed_spread():
    people = trials.persons(
        study(GAIN).record, PeopleRecord("men", "healthy", 9, {"sex": "M", "age": {"mean": "50 years", "sd": "8 years"}}, HERE), 40, 1
    )
    ages = [float(p.age.split()[0]) for p in people]
    assert len({p.name for p in people}) == 40
    assert np.mean(ages) == pytest.approx(50, abs=4) and np.std(ages) == pytest.approx(8, abs=3)


def score(record, monkeypatch):
    with_arms(monkeypatch)
    outcomes, failures = validation._outcomes(FakeModel(), record, 1, 3, 0, "auto", (), None)
    predictions, unread = validation.predict([f for f in record.findings if f.id not in {x.id for x in failures}], outcomes)
    return {f.id: p for f, p in predictions}, [*failures, *unread]


def test_findings_are_predicted_from_the_readings(asked, monkeypatch):
    found, failures = score(study(GAIN, PLAIN, MEAN), monkeypatch)
    assert not failures
    assert found["gain"].value == pytest.approx(0.5)
    assert found["gain"].se == pytest.approx(0.0, abs=1e-9)  # paired: everyone gains the same
    assert found["plain"].se > 0
    assert found["mean"].value == pytest.approx(1.12)


def test_one_bad_arm_costs_only_its_own_findings(asked, monkeypatch):
    found, failures = score(study(GAIN, BAD, PLAIN), monkeypatch)
    assert set(found) == {"gain", "plain"}
    assert [(f.study, f.id) for f in failures] == [("s", "bad")]
    assert "the solver gave up" in failures[0].reason


def test_the_jackknife_error_is_that_of_a_mean(asked, monkeypatch):
    found, _ = score(study(PLAIN), monkeypatch)
    with_arms(monkeypatch)
    outcomes = trials.Trial.of(study(PLAIN), 1, 3, 0).run(FakeModel())
    values = outcomes.of("placebo", "IGF1_total", 0.0).ravel()
    assert found["plain"].se == pytest.approx(values.std(ddof=1) / 3**0.5 / values.mean(), rel=0.1)
