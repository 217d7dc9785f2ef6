"""What every engine must do, on a model small enough to know the answer: `ghaxis.engine.contract`, sentence by sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from ghaxis import engine as engines
from ghaxis.assembly import to_sbml
from ghaxis.engine import Answer, Batch, Breaks, Compiled, Tolerances
from ghaxis.errors import InputError

TEXT = """
compartment plasma = 2;
species drug in plasma; drug = 3;
substanceOnly species depot in plasma; depot = 0;
loss: drug => ; plasma*k*drug;
taking: depot => drug; k_absorb*depot;
k = 0.5; k_absorb = 2;
X = 1; X' = r - 0.25*X;
r = 0; k_X = 0;
G = 0.5; G' = growth*G^2;
growth = 0;
wave := cos(time);
total := drug*plasma + depot;
"""
WATCHED = ("drug", "depot", "X", "wave", "r", "total", "G")
EXACT = Tolerances(1e-9, 1e-11)


@pytest.fixture(
    scope="module", params=[name for name in engines.NAMES if name != "screening"]
)  # to EXACT: single precision has its own tests
def compiled(request: pytest.FixtureRequest) -> Compiled:
    return engines.load(request.param).compile(to_sbml(TEXT), WATCHED)


def outside(paths: Sequence[tuple[float, str, float]] = (), impulses: Sequence[tuple[float, str, float]] = ()) -> Breaks:
    def column(rows: Sequence[tuple[float, str, float]], k: int) -> np.ndarray:
        return np.array([row[k] for row in rows], dtype=float)

    return Breaks(
        column(paths, 0),
        tuple(p[1] for p in paths),
        column(paths, 2),
        column(impulses, 0),
        tuple(i[1] for i in impulses),
        column(impulses, 2),
    )


def run(
    compiled: Compiled,
    breaks: Sequence[Breaks] = (outside(),),
    times: Sequence[float] = (0.0, 1.0, 2.0, 4.0),
    windows: Sequence[tuple[float, float]] = (),
    parameters: Mapping[str, Sequence[float]] | None = None,
    initial: Mapping[str, Sequence[float]] | None = None,
    start: float = 0.0,
    workers: int | None = None,
) -> Answer:
    given, levels, n = parameters or {}, initial or {}, len(breaks)
    batch = Batch(
        start,
        start + 10.0,
        tuple(given),
        np.array(list(given.values()), dtype=float).reshape(len(given), n).T,
        tuple(levels),
        np.array(list(levels.values()), dtype=float).reshape(len(levels), n).T,
        tuple(breaks),
        np.array(times, dtype=float),
        np.array(windows, dtype=float).reshape(-1, 2),
    )
    return compiled.run(batch, EXACT, workers)


def of(answer: Answer, name: str, lane: int = 0) -> np.ndarray:
    return answer.values[lane, :, WATCHED.index(name)]


def test_levels_follow_the_equations_in_the_order_in_which_they_were_asked(compiled: Compiled) -> None:
    times = np.array([4.0, 0.0, 10.0, 1.5])
    answer = run(compiled, times=times)
    assert of(answer, "drug") == pytest.approx(3 * np.exp(-0.5 * times), rel=1e-7)
    assert of(answer, "X") == pytest.approx(np.exp(-0.25 * times), rel=1e-7)
    assert of(answer, "wave") == pytest.approx(np.cos(times), abs=1e-9)
    assert answer.failures == ()


def test_time_is_the_models_own_wherever_a_run_starts(compiled: Compiled) -> None:
    times = np.array([7.0, 9.0, 17.0])
    answer = run(compiled, times=times, start=7.0)
    assert of(answer, "wave") == pytest.approx(np.cos(times), abs=1e-9)
    assert of(answer, "X") == pytest.approx(np.exp(-0.25 * (times - 7.0)), rel=1e-7)


def test_an_observation_at_a_doses_time_is_before_the_dose(compiled: Compiled) -> None:
    answer = run(compiled, [outside(impulses=[(2.0, "drug", 8.0)])], times=[2.0, 2.0 + 1e-6])
    before, after = of(answer, "drug")
    assert before == pytest.approx(3 * np.exp(-1.0), rel=1e-7)
    assert after - before == pytest.approx(8.0 / 2.0, abs=1e-4)  # an amount, over the size of the compartment


def test_an_observation_at_a_paths_time_is_before_the_path(compiled: Compiled) -> None:
    answer = run(compiled, [outside(paths=[(2.0, "r", 0.75), (4.0, "r", 0.0)])], times=[1.0, 2.0, 3.0, 4.0, 5.0])
    assert of(answer, "r").tolist() == [0.0, 0.0, 0.75, 0.75, 0.0]
    at = of(answer, "X")
    assert at[1] == pytest.approx(np.exp(-0.5), rel=1e-7)
    assert at[3] == pytest.approx(3.0 + (at[1] - 3.0) * np.exp(-0.5), rel=1e-7)


def test_what_acts_at_the_start_acts(compiled: Compiled) -> None:
    answer = run(compiled, [outside(paths=[(0.0, "r", 0.5)], impulses=[(0.0, "depot", 4.0)])], times=[0.0, 5.0])
    assert of(answer, "depot")[0] == 0.0
    assert of(answer, "X")[1] == pytest.approx(2.0 - np.exp(-1.25), rel=1e-7)
    assert of(answer, "depot")[1] == pytest.approx(4.0 * np.exp(-10.0), rel=1e-5)


def test_doses_at_one_moment_add_up(compiled: Compiled) -> None:
    two = run(compiled, [outside(impulses=[(1.0, "depot", 3.0), (1.0, "depot", 2.0), (1.0, "drug", 1.0)])])
    one = run(compiled, [outside(impulses=[(1.0, "depot", 5.0), (1.0, "drug", 1.0)])])
    assert two.values == pytest.approx(one.values, rel=1e-9, abs=1e-12)


def test_means_are_exact(compiled: Compiled) -> None:
    windows = [(0.0, 4.0), (1.0, 3.0), (2.0, 2.5)]
    answer = run(compiled, [outside(impulses=[(2.0, "drug", 8.0)])], times=[], windows=windows)

    def area(t: float) -> float:
        """Integral of the level from 0 on."""
        return 6 * (1 - np.exp(-t / 2)) + (0.0 if t < 2 else 8 * (1 - np.exp(-(t - 2) / 2)))

    assert answer.means[0, :, WATCHED.index("drug")] == pytest.approx([(area(b) - area(a)) / (b - a) for a, b in windows], rel=1e-7)
    assert answer.means[0, :, WATCHED.index("wave")] == pytest.approx([(np.sin(b) - np.sin(a)) / (b - a) for a, b in windows], abs=1e-7)


def test_lanes_have_their_own_numbers(compiled: Compiled) -> None:
    answer = run(compiled, [outside()] * 3, parameters={"k": [0.5, 1.0, 0.25]}, initial={"drug": [3.0, 6.0, 1.0]}, times=[0.0, 2.0])
    for lane, (k, level) in enumerate(((0.5, 3.0), (1.0, 6.0), (0.25, 1.0))):
        assert of(answer, "drug", lane) == pytest.approx([level, level * np.exp(-2 * k)], rel=1e-7)
    final = answer.final[:, compiled.state_names.index("drug")]
    assert final == pytest.approx([3 * np.exp(-5.0), 6 * np.exp(-10.0), np.exp(-2.5)], rel=1e-5)


def test_a_run_leaves_nothing_behind(compiled: Compiled) -> None:
    first = run(compiled)
    run(compiled, [outside(paths=[(1.0, "k", 3.0)], impulses=[(1.0, "drug", 50.0)])], parameters={"k_absorb": [9.0]}, initial={"X": [7.0]})
    assert np.array_equal(run(compiled).values, first.values)


def test_one_worker_and_two_give_the_same_bits_in_any_order(compiled: Compiled) -> None:
    rng = np.random.default_rng(0)
    n = 5
    k, doses = rng.uniform(0.1, 2.0, n), rng.uniform(0.0, 9.0, n)
    lanes = [outside(paths=[(1.0 + j, "r", 0.3)], impulses=[(2.0, "depot", doses[j])]) for j in range(n)]
    one = run(compiled, lanes, parameters={"k": k}, windows=[(0.0, 10.0)], workers=1)
    two = run(compiled, lanes, parameters={"k": k}, windows=[(0.0, 10.0)], workers=2)
    turned = run(compiled, lanes[::-1], parameters={"k": k[::-1]}, windows=[(0.0, 10.0)], workers=2)
    for a, b, c in ((one.values, two.values, turned.values), (one.means, two.means, turned.means), (one.final, two.final, turned.final)):
        assert np.array_equal(a, b)
        assert np.array_equal(a, c[::-1])


def test_a_lane_that_fails_is_reported_and_the_others_go_on(compiled: Compiled) -> None:
    answer = run(compiled, [outside()] * 3, parameters={"growth": [0.0, 1.0, 0.0]}, times=[1.0, 9.0])  # G reaches infinity at 2 hours
    assert [f.lane for f in answer.failures] == [1]
    failure = answer.failures[0]
    assert failure.reason
    assert 0.0 <= failure.time <= 2.1
    assert len(failure.last) == len(compiled.state_names)
    assert np.isnan(answer.values[1, 1]).all()
    assert np.isnan(answer.final[1]).all()
    for lane in (0, 2):
        assert of(answer, "drug", lane) == pytest.approx(3 * np.exp([-0.5, -4.5]), rel=1e-6)


def test_names_are_those_of_the_model(compiled: Compiled) -> None:
    assert set(compiled.state_names) == {"drug", "depot", "X", "G"}
    assert {"k", "k_absorb", "r", "growth", "plasma"} <= set(compiled.parameter_names)
    assert not {"wave", "total", "X"} & set(compiled.parameter_names)
    assert dict(zip(compiled.state_names, compiled.initial(), strict=True)) == {"drug": 3.0, "depot": 0.0, "X": 1.0, "G": 0.5}


def test_an_unknown_engine_is_named_with_its_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'referee'"):
        engines.load("referree")
