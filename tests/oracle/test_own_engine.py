"""The own engine: against libRoadRunner, against its plain twin, against itself at other widths, and where things go wrong."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from small_models import PULSES, batch, breaks, sbml, text

from ghaxis.engine import Tolerances, machine
from ghaxis.engine.emit import Layout
from ghaxis.engine.lanes import pack
from ghaxis.engine.methods import METHODS
from ghaxis.engine.own import OwnEngine
from ghaxis.engine.plain import Problem, integrate
from ghaxis.engine.referee import Referee
from ghaxis.errors import InputError
from ghaxis.model import Model

TIGHT, USUAL = Tolerances(1e-10, 1e-12), Tolerances(3e-4, 3e-6)
WATCHED = ("G", "slow", "A", "C", "ratio", "flow", "k_in")
LIVELY = breaks(
    paths=[(5.0, "x_in", 2.0), (5.0, "k_in", 0.1), (5.5, "x_in", 0.2), (12.0, "x_in", 1.0), (30.0, "k_in", 0.8)],
    impulses=[(12.0, "A", 7.0), (12.0, "B", 3.0), (12.0, "G", 5.0), (33.3, "idle", 2.0)],
)


def lively(n=1, **more):
    return batch([LIVELY] * n, times=[48, 0, 5.0, 12, 12.01, 33.3, 33.4], windows=[(0, 48), (3, 12.5), (12, 24), (12, 12.1)], **more)


def seen(engine, watched=WATCHED, asked=None, tolerances=TIGHT, model=PULSES):
    return engine.compile(model, watched).run(asked or lively(), tolerances, 1)


def test_agrees_with_libroadrunner():
    own, referee = (
        seen(engine, asked=lively(2, parameters={"r": [8, 5]}, initial={"A": [1.2, 0.1]})) for engine in (OwnEngine(), Referee())
    )
    assert not own.failures
    for mine, theirs in ((own.values, referee.values), (own.means, referee.means), (own.final, referee.final)):
        assert mine.shape == theirs.shape
        size = np.abs(theirs).max(axis=(0, 1)) if theirs.ndim == 3 else np.abs(theirs).max(axis=0)
        assert (np.abs(mine - theirs) <= 1e-7 * size + 1e-12).all()


def test_names_and_initial_levels_are_those_of_the_referee():
    own, referee = OwnEngine().compile(PULSES, ()), Referee().compile(PULSES, ())
    assert set(own.state_names) == set(referee.state_names)
    assert set(own.parameter_names) == set(referee.parameter_names)
    assert dict(zip(own.state_names, own.initial(), strict=True)) == dict(zip(referee.state_names, referee.initial(), strict=True))


# y' = -L(y - g(t)) + g'(t), y = g(t) = sin t: non-autonomous and exactly known; L = 5 shows the order, L = 5000 the stability
def tracking(L):
    return text(sbml(rates={"y": f"-{L}*(y - sin(time)) + cos(time)", "z": "-z*y"}, start={"y": 0, "z": 1}))


@pytest.mark.parametrize(("method", "order", "between"), [("rodas4", 4, 3), ("ros3", 3, 2)])
def test_order_of_convergence(method, order, between):
    model = OwnEngine(method=method).compile(tracking(5), ("y", "z"))
    times = np.append(np.linspace(0.0137, 3.97, 77), 4.0)
    exact = np.stack([np.sin(times), np.exp(np.cos(times) - 1)], axis=1)
    ends, insides, hs = [], [], [0.1, 0.05, 0.025, 0.0125]
    for h in hs:
        answer, steps, _ = model.traced(batch([breaks()], end=4.0, times=times), Tolerances(1e3, 1e3, largest_step=h), 1)
        assert steps[0, 0] >= 4 / h
        error = np.abs(answer.values[0] - exact)
        ends.append(error[-1])
        insides.append(error[20:].max(axis=0))
    for errors, expected in ((ends, order), (insides, between)):
        slopes = np.polyfit(np.log(hs), np.log(errors), 1)[0]
        assert (slopes > expected - 0.4).all(), slopes


def test_stiffness_costs_no_steps():
    steps = {}
    for L in (5, 5000):
        answer, counts, _ = OwnEngine().compile(tracking(L), ("y",)).traced(batch([breaks()], end=40.0, times=[40.0]), USUAL, 1)
        steps[L] = counts.sum()
        assert answer.values[0, 0, 0] == pytest.approx(math.sin(40), abs=1e-3)
    assert steps[5000] < 1.5 * steps[5]


CASES = [(method, tolerances, k) for method in ("rodas4", "ros3") for tolerances in (USUAL, Tolerances(1e-5, 1e-6, 2.0)) for k in range(5)]


@pytest.mark.parametrize(("method", "tolerances", "k"), CASES)
def test_takes_the_steps_of_its_plain_twin(method, tolerances, k):
    rng = np.random.default_rng(k)
    model = OwnEngine(method=method).compile(PULSES, WATCHED)
    asked = lively(1, parameters={"r": rng.uniform(3, 12, 1), "n": rng.uniform(1, 5, 1)}, initial={"A": rng.uniform(0, 3, 1)})
    asked = dataclasses.replace(asked, end=20.0, times=asked.times[1:5], windows=asked.windows[1:2])
    answer, _, attempts = model.traced(asked, tolerances, 1, room=5000)
    packed = pack(Layout.of(model.system), METHODS[method], asked, tolerances, len(WATCHED))
    times, wheres, values = packed.acts[0]

    def act(_, now, y, p):
        for i in np.flatnonzero(times == now):
            if wheres[i] >= 0:
                y[wheres[i]] += values[i]
            else:
                p[-1 - wheres[i]] = values[i]

    problem = Problem.of(model.system, WATCHED)
    plain = integrate(problem, asked, 0, packed.levels[0].copy(), packed.parameters[0].copy(), act, tolerances, METHODS[method])
    steps = np.array([dataclasses.astuple(s) for s in plain.steps])
    assert len(steps) > 20
    assert attempts[0].shape == steps.shape
    assert (attempts[0][:, 3] == steps[:, 3]).all()
    assert attempts[0][:, :3] == pytest.approx(steps[:, :3], rel=1e-7, abs=1e-10)
    assert answer.values[0] == pytest.approx(plain.values, rel=1e-9, abs=1e-12)
    assert answer.means[0] == pytest.approx(plain.means, rel=1e-9, abs=1e-12)
    assert answer.final[0] == pytest.approx(plain.final, rel=1e-9, abs=1e-12)


def test_widths_threads_and_company_change_no_bit():
    rng = np.random.default_rng(0)
    r, level = rng.uniform(4, 12, 11), rng.uniform(0.2, 3, 11)
    lanes = [LIVELY if i % 2 else breaks(paths=[(float(i), "x_in", 0.5)]) for i in range(11)]
    more = {"times": [1, 20, 48], "windows": [(0, 30), (24, 48)]}
    asked = batch(lanes, parameters={"r": r}, initial={"slow": level}, **more)
    first = seen(OwnEngine(lanes=1), asked=asked, tolerances=USUAL)
    for lanes_at_once, workers in ((2, 1), (4, 2), (8, 1), (8, 2), (None, None)):
        again = OwnEngine(lanes=lanes_at_once).compile(PULSES, WATCHED).run(asked, USUAL, workers)
        for name in ("values", "means", "final"):
            assert (getattr(again, name) == getattr(first, name)).all(), (lanes_at_once, workers, name)
    alone = batch([lanes[6]], parameters={"r": r[6:7]}, initial={"slow": level[6:7]}, **more)
    assert (seen(OwnEngine(), asked=alone, tolerances=USUAL).values[0] == first.values[6]).all()


def test_many_people_are_served_by_the_width_that_a_trial_finds_faster(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "cache_folder", lambda: tmp_path)
    asked = batch([LIVELY] * 60, end=13.0, parameters={"r": np.linspace(4, 12, 60)}, times=[13])
    first = OwnEngine(lanes=1).compile(PULSES, WATCHED).run(asked, USUAL)
    assert (OwnEngine().compile(PULSES, WATCHED).run(asked, USUAL).values == first.values).all()
    choices = [file.read_bytes()[32:] for file in tmp_path.glob("*.txt")]
    assert choices in ([b"4"], [b"8"]) or (not choices and machine.widest() <= 4)


def test_asking_more_moves_nothing():
    few = seen(OwnEngine(), watched=("G",), asked=batch([LIVELY], times=[48.0]), tolerances=USUAL)
    many = seen(
        OwnEngine(), watched=("G", "ratio"), asked=batch([LIVELY], times=np.linspace(0, 48, 999), windows=[(1, 2)]), tolerances=USUAL
    )
    assert few.values[0, 0, 0] == many.values[0, -1, 0]
    assert (few.final == many.final).all()


DECAY = text(sbml(rates={"x": "u - k*x", "q": "1"}, start={"x": 1, "q": 0}, rules={"double": "2*x"}, parameters={"k": 0.5, "u": 0}))


def test_outputs_are_taken_before_what_happens_then():
    lane = breaks(
        paths=[(0.0, "u", 3.0), (2.0, "k", 0.0), (2.0, "u", 0.0)], impulses=[(0.0, "x", 10.0), (2.0, "x", 1.0), (4.0, "x", 100.0)]
    )
    answer = OwnEngine().compile(DECAY, ("x", "u", "k", "double")).run(batch([lane], end=4.0, times=[0, 2, 4]), TIGHT)
    level = 6 + 5 * math.exp(-1)
    assert answer.values[0, 0] == pytest.approx([1, 0, 0.5, 2])
    assert answer.values[0, 1] == pytest.approx([level, 3, 0.5, 2 * level], rel=1e-8)
    assert answer.values[0, 2] == pytest.approx([level + 1, 0, 0, 2 * level + 2], rel=1e-8)
    assert answer.final[0] == pytest.approx([level + 1, 4], rel=1e-8)


def test_means_are_exact_for_what_is_linear():
    answer = OwnEngine().compile(DECAY, ("q", "x")).run(batch([breaks()], end=10.0, windows=[(0, 10), (2.5, 3), (9, 10)]), TIGHT)
    assert answer.means[0, :, 0] == pytest.approx([5, 2.75, 9.5], rel=1e-12)
    exact = [(math.exp(-a / 2) - math.exp(-b / 2)) * 2 / (b - a) for a, b in ((0, 10), (2.5, 3), (9, 10))]
    assert answer.means[0, :, 1] == pytest.approx(exact, rel=1e-8)


def test_nothing_asked_is_fine():
    answer = OwnEngine().compile(DECAY, ()).run(batch([breaks()], end=1.0))
    assert answer.values.shape == (1, 0, 0)
    assert answer.final[0, 0] == pytest.approx(math.exp(-0.5), rel=1e-4)


BLOWS_UP = text(sbml(rates={"calm": "-calm", "wild": "a*wild^2"}, start={"calm": 1, "wild": 1}, parameters={"a": 0}))
BREAKS_DOWN = text(
    sbml(
        rates={"calm": "-calm", "wild": "a - ln(1 - calm_time)", "calm_time": "0.1*a"},
        start={"calm": 1, "wild": 0, "calm_time": 0},
        parameters={"a": 0},
    )
)


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize(("model", "when"), [(BLOWS_UP, 1.0), (BREAKS_DOWN, 10.0)])
def test_a_failing_lane_is_named_and_others_go_on(model, when, lanes):
    engine = OwnEngine(lanes=lanes).compile(model, ("calm", "wild"))
    answer = engine.run(
        batch([breaks()] * 6, end=20.0, parameters={"a": [0, 0, 0, 1, 0, 0]}, times=[0.5, 19], windows=[(0, 0.9), (0, 20)]), USUAL
    )
    assert [f.lane for f in answer.failures] == [3]
    failure = answer.failures[0]
    assert failure.time == pytest.approx(when, rel=1e-2)
    assert failure.state == "wild"
    assert failure.last[engine.state_names.index("calm")] == pytest.approx(math.exp(-failure.time), rel=1e-2, abs=1e-4)
    assert np.isnan(answer.final[3]).all() and np.isnan(answer.values[3, 1]).all() and np.isnan(answer.means[3, 1]).all()
    assert np.isfinite(answer.values[3, 0]).all() and np.isfinite(answer.means[3, 0]).all()
    others = [0, 1, 2, 4, 5]
    assert np.isfinite(answer.final[others]).all() and np.isfinite(answer.values[others]).all()


def test_functions_are_right_to_the_last_digits():
    rules = {"e": "exp(x)", "l": "ln(x*x)", "c": "cos(100*x)", "s": "sin(100*x)", "w": "(x*x)^k", "r": "sqrt(x*x)", "f": "floor(x)"}
    model = OwnEngine().compile(text(sbml(rates={"y": "0"}, start={"y": 0}, rules=rules, parameters={"x": 1, "k": 1.7})), tuple(rules))
    x = np.concatenate([np.linspace(-30, 30, 401), [1e-9, -1e-3, 5.5, 700]])
    found = model.run(batch([breaks()] * len(x), end=1.0, parameters={"x": x}, times=[1.0])).values[:, 0].T
    with np.errstate(divide="ignore"):
        exact = [np.exp(x), np.log(x * x), np.cos(100 * x), np.sin(100 * x), (x * x) ** 1.7, np.abs(x), np.floor(x)]
    for name, mine, theirs in zip(rules, found, exact, strict=True):
        if name in "cs":
            assert np.abs(mine - theirs).max() < 3e-16
        elif name == "w":
            usual = x * x > 1e-15
            assert np.abs(mine[usual] / theirs[usual] - 1).max() < 2e-14
        else:
            both = np.isfinite(theirs)
            assert (np.abs(mine[both] - theirs[both]) <= 4e-16 * np.abs(theirs[both])).all()
            assert (mine[~both] == theirs[~both]).all()


def test_wrong_names_are_refused():
    model = OwnEngine().compile(DECAY, ("x",))
    for asked in (
        batch([breaks(paths=[(1, "uu", 1)])]),
        batch([breaks(impulses=[(1, "xx", 1)])]),
        batch([breaks()], parameters={"kk": [1]}),
    ):
        with pytest.raises(InputError):
            model.run(asked)
    with pytest.raises(InputError, match="nearest: x"):
        OwnEngine().compile(DECAY, ("xx",))
    empty = text(sbml(rates={"x": "-k*x"}, start={"x": 1}, parameters={"k": math.nan}))
    with pytest.raises(InputError, match="'k' has no value"):
        OwnEngine().compile(empty, ("x",)).run(batch([breaks()]))


def test_a_damaged_cache_file_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "cache_folder", lambda: tmp_path)
    model = text(sbml(rates={"x": "-0.31*x"}, start={"x": 1}))
    key = machine.digest("made for this test", model)
    made = []

    def write():
        made.append(1)
        return "define void @f(ptr %x) {\n  store double 0x4008000000000000, ptr %x\n  ret void\n}\n"

    for damage, times in ((None, 1), (None, 1), (b"", 2), (b"rubbish" * 99, 3)):
        if damage is not None:
            (tmp_path / f"{key}.o").write_bytes(damage)
        loaded = machine.load(key, "f", write)
        assert loaded.address
        assert len(made) == times


def test_the_whole_model_agrees_with_libroadrunner():
    model = Model.load()
    inputs = sorted(model.with_role("input"))
    assert inputs
    rng = np.random.default_rng(5)
    values = {name: float(model.definitions[name].expression) for name in inputs}
    paths = [(float(t), name, values[name] + rng.uniform(0, 0.5)) for name in inputs for t in rng.uniform(0, 6, 1)]
    own = OwnEngine().compile(model.sbml, ())
    watched = own.state_names[::12]  # every watched symbol is one state more for libRoadRunner; `final` compares all
    asked = batch([breaks(paths)], end=6.0, times=np.linspace(0, 6, 25), windows=[(1, 5)])
    mine = seen(OwnEngine(), watched, asked, Tolerances(1e-8, 1e-10), model.sbml)
    theirs = seen(Referee(), watched, asked, Tolerances(1e-9, 1e-12), model.sbml)
    assert not mine.failures and not theirs.failures
    assert (np.abs(mine.final - theirs.final) <= 1e-6 * np.maximum(np.abs(theirs.final), np.abs(own.initial()))).all()
    size = np.abs(theirs.values).max(axis=(0, 1)) + 1e-300
    assert (np.abs(mine.values - theirs.values).max(axis=(0, 1)) / size).max() < 1e-6
    assert (np.abs(mine.means - theirs.means).max(axis=(0, 1)) / size).max() < 1e-6
