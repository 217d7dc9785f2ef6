"""Single precision beside double: rounding moves little, slow states keep tiny gains, and a year has room for its seconds."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from small_models import PULSES, batch, breaks, sbml, text

from ghaxis import engine as engines
from ghaxis.course import TOLERANCES
from ghaxis.engine import Tolerances
from ghaxis.engine.own import OwnEngine
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.simulation import Request, simulate, simulate_many
from ghaxis.treatment import Protocol

COARSE = TOLERANCES["screening"]
PULSATILE, SLOW = ("GH", "pSTAT5_nuc", "IGF1"), ("VAT", "SAT", "lean")
PEOPLE = (
    Person("healthy", name="man"),
    Person("visceral_obesity", name="obese"),
    Person("mash(fibrosis = 3)", age="50 years", name="mash"),
    Person("cirrhosis(child_pugh = B)", age="50 years", name="cirrhosis"),
)


def single(lanes=None):
    return OwnEngine(precision="single", lanes=lanes)


def courses(model, engine, tolerances, hours, every, tapes=2):
    """Everyone, untreated and on tesamorelin, on some tapes: levels (courses, times, quantities) as shares of their largest."""
    times = tuple(float(t) for t in np.arange(0.0, hours + 1e-9, every))
    requests = [
        Request(who, Protocol.parse(give), times, PULSATILE + SLOW, noise=tape, settled=False)
        for who in PEOPLE
        for give in ("nothing", "tesamorelin 2 mg sc daily at 08:00")
        for tape in range(tapes)
    ]
    with patch("ghaxis.simulation.tolerances", return_value=tolerances):
        values = np.array([result.values for result in simulate_many(model, requests, engine)])
    return values / np.abs(values).max(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def treated(model: Model) -> Model:
    return model.with_therapies(["tesamorelin"])


def test_two_days_are_those_of_double_precision(treated):
    exact = courses(treated, "own", Tolerances(1e-7, 1e-9), 48.0, 0.25)
    coarse, mine = (courses(treated, engine, COARSE, 48.0, 0.25) for engine in ("own", "screening"))
    rounding, whole = (np.abs(mine - other).max(axis=1) for other in (coarse, exact))
    assert rounding.max() < 2e-3 and np.median(rounding[:, :2]) < 1e-4
    assert whole.max() < 3e-2 and np.median(whole[:, :2]) < 2e-3  # one pulse of a man with MASH comes some minutes late
    assert whole[:, 3:].max() < 1e-5


def test_slow_states_do_not_drift_in_half_a_year(treated):
    double, mine = (courses(treated, engine, COARSE, 26 * 168.0, 24.0) for engine in ("own", "screening"))
    apart = np.abs(mine - double)[:, :, 3:].max(axis=1)
    assert apart.max() < 1e-3 and np.median(apart) < 1e-5  # 1e-3: where one pulse more is released, in either precision


def test_tiny_gains_are_kept():
    """A float of 1 moves in steps of 1e-7; here a step of the method gains 1e-9."""
    model = text(sbml(rates={"slow": "1e-7", "fast": "-100*(fast - sin(2*pi*time))"}, start={"slow": 1, "fast": 0}))
    answer = single().compile(model, ("slow",)).run(batch([breaks(impulses=[(500.5, "slow", 1e-5)])], end=1000.0), Tolerances(1e-4, 1e-6))
    assert answer.final[0, 0] - 1 == pytest.approx(1.1e-4, rel=1e-4)


def test_a_year_has_room_for_its_seconds():
    """At 8736 h a float is 3.5 s from the next."""
    model = text(sbml(rates={"y": "-20*(y - sin(2*pi*time/0.1))"}, start={"y": 0}, rules={"wave": "cos(2*pi*time/24)"}))
    asked = {"times": np.linspace(8736, 8737, 50), "initial": {"y": [0.0]}}
    mine, double = (
        engine.compile(model, ("y", "wave")).run(batch([breaks()], start=8735.0, end=8737.0, **asked), Tolerances(1e-5, 1e-7)).values[0]
        for engine in (single(), OwnEngine())
    )
    assert np.abs(mine - double).max() < 3e-5
    assert np.abs(mine[:, 1] - np.cos(2 * np.pi * np.linspace(8736, 8737, 50) / 24)).max() < 2e-6


def test_means_are_summed_in_double():
    model = text(sbml(rates={"x": "0"}, start={"x": 1}, parameters={"half": 0.5}))
    windows = [(0.0, 4000.0)] + [(float(k), k + 0.5) for k in range(0, 4000, 40)]
    answer = single().compile(model, ("half",)).run(batch([breaks()], end=4000.0, windows=windows), Tolerances(1e-3, 1e-5, 0.7))
    assert answer.means[0, :, 0] == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("lanes", [1, 16])
def test_functions_are_right_to_their_last_digits(lanes):
    rules = {"e": "exp(x)", "l": "ln(x*x)", "c": "cos(10*x)", "s": "sin(10*x)", "w": "(x*x)^k", "r": "sqrt(x*x)", "f": "floor(x)"}
    sizes = {"x": 1, "k": 1.7}
    model = single(lanes).compile(text(sbml(rates={"y": "0"}, start={"y": 0}, rules=rules, parameters=sizes)), tuple(rules))
    x = np.float32(np.concatenate([np.linspace(-30, 30, 401), [1e-9, -1e-3, 5.5, 80]])).astype(float)
    found = model.run(batch([breaks()] * len(x), end=1.0, parameters={"x": x}, times=[1.0])).values[:, 0].T
    ten, square = (10 * x).astype(np.float32).astype(float), (x * x).astype(np.float32).astype(float)
    with np.errstate(divide="ignore"):
        exact = [np.exp(x), np.log(square), np.cos(ten), np.sin(ten), square**1.7, np.abs(x), np.floor(x)]
    for name, mine, theirs in zip(rules, found, exact, strict=True):
        if name in "cs":
            assert np.abs(mine - theirs).max() < 2e-7
        elif name == "w":
            usual = square > 1e-15
            assert np.abs(mine[usual] / theirs[usual] - 1).max() < 5e-6
        else:
            both = np.isfinite(theirs)
            assert (np.abs(mine[both] - theirs[both]) <= 2e-7 * np.abs(theirs[both])).all()
            assert (mine[~both] == theirs[~both]).all()


@pytest.mark.parametrize("fuses", [True, False])
def test_widths_and_threads_change_no_bit(fuses, monkeypatch):
    monkeypatch.setattr("ghaxis.engine.machine.fuses", lambda: fuses)
    model = PULSES + f"<!-- fused: {fuses} -->"  # kept apart from the machine code of other tests
    lanes = [breaks(paths=[(5.0, "x_in", 0.1 * k)], impulses=[(12.0, "A", 7.0), (12.0 + k, "idle", 1.0)]) for k in range(21)]
    asked = batch(lanes, parameters={"r": np.linspace(4, 12, 21)}, times=[1, 20, 48], windows=[(0, 30), (24, 48)])
    first = single(1).compile(model, ("G", "slow", "flow")).run(asked, COARSE, 1)
    exact = OwnEngine().compile(model, ("G", "slow", "flow")).run(asked, Tolerances(1e-8, 1e-10)).values
    assert (np.abs(first.values - exact).max(axis=(0, 1)) / exact.max(axis=(0, 1))).max() < 2e-3
    for width, workers in ((4, 2), (8, 1), (8, 2), (16, 1), (16, 2), (None, None)):
        again = single(width).compile(model, ("G", "slow", "flow")).run(asked, COARSE, workers)
        for name in ("values", "means", "final"):
            assert (getattr(again, name) == getattr(first, name)).all(), (width, workers, name)


def test_a_failing_lane_is_named_and_others_go_on():
    model = text(sbml(rates={"calm": "-calm", "wild": "a*wild^2"}, start={"calm": 1, "wild": 1}, parameters={"a": 0}))
    answer = single(16).compile(model, ("calm",)).run(batch([breaks()] * 40, end=20.0, parameters={"a": np.arange(40) == 7}), COARSE)
    assert [(f.lane, f.state) for f in answer.failures] == [(7, "wild")]
    assert answer.failures[0].time == pytest.approx(1.0, rel=1e-2)
    assert np.isfinite(np.delete(answer.final, 7, axis=0)).all()


def test_it_is_asked_for_by_name(model):
    assert engines.load("screening").name == "screening"
    result = simulate(model, until="2 h", person=Person(), settled=False, noise=None, engine="screening")
    assert result.provenance["engine"] == "screening"
    assert result.provenance["tolerances"]["relative"] == 1e-3
