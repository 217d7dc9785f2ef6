"""simulate() and Result: times, units, what can be asked of a curve, where it is written, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import xarray

import ghaxis as gx
from ghaxis import simulation
from ghaxis.engine import Batch
from ghaxis.engine.own import OwnModel
from ghaxis.errors import InputError, SimulationError
from ghaxis.keeping import Kept
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.simulation import Curve, Request, Result, simulate_many
from ghaxis.treatment import Protocol


@pytest.fixture(scope="module")
def course(equipped: Model) -> Result:
    plan = Protocol.parse("tesamorelin 2 mg sc daily at 08:00")
    return gx.simulate(
        equipped,
        gx.Person("masld", name="anna"),
        plan,
        until="30 h",
        every="90 min",
        watch=["GH", "IGF1", "level_tesamorelin"],
        settled=False,
    )


def test_times_run_from_begin_to_the_end_and_include_it(equipped: Model, course: Result) -> None:
    assert course.times.tolist() == [1.5 * k for k in range(21)]
    odd = gx.simulate(equipped, gx.Person(), until="4 h", every="90 min", settled=False, noise=None)
    assert odd.times.tolist() == [0.0, 1.5, 3.0, 4.0]
    own = gx.simulate(equipped, gx.Person(), until="1 day", times=[0.0, 5.0, 2.0], settled=False, noise=None)
    assert own.times.tolist() == [0.0, 5.0, 2.0]
    assert own["GH"].values[1] != own["GH"].values[2]


def test_curves_are_in_the_units_of_the_field(course: Result) -> None:
    assert {name: course[name].unit for name in course.names} == {"GH": "ug/L", "IGF1": "ug/L", "level_tesamorelin": "ng/L"}
    inner = course["GH"].to("ng/L")
    assert inner.values == pytest.approx(1000 * course["GH"].values)
    assert 20 < course["IGF1"].at("1 day") < 600


def test_a_curve_answers_between_its_samples_and_not_outside() -> None:
    curve = Curve("X", "kg", np.array([0.0, 24.0, 48.0]), np.array([1.0, 3.0, 3.0]))
    assert (curve.at("12 h"), curve.at(24.0), curve.at("2 days")) == (2.0, 3.0, 3.0)
    assert curve.mean("0 h", "24 h") == pytest.approx(2.0)
    assert curve.mean("12 h", "48 h") == pytest.approx((0.5 * (2 + 3) * 12 + 3 * 24) / 36)
    with pytest.raises(InputError, match="X at 3 days: the run has 0 h to 48 h"):
        curve.at("3 days")


def test_provenance_says_how_it_came_about(course: Result, equipped: Model) -> None:
    told = course.provenance
    assert told["model"] == equipped.with_therapies(equipped.therapies).hash
    assert (told["noise"], told["begin"], told["day"], told["settled"]) == (0, "08:00", "ordinary", None)
    assert told["protocol"] == "tesamorelin 2 mg sc daily at 08:00"
    assert "approved" in told["therapies"]["tesamorelin"]
    assert set(told["tolerances"]) == {"relative", "absolute", "largest_step"}
    assert "not a medical device" in told["framing"]
    json.dumps(dict(told))


def test_the_same_call_gives_the_same_bits(course: Result, equipped: Model) -> None:
    again = gx.simulate(equipped, course.person, course.protocol, until="30 h", every="90 min", watch=course.names, settled=False)
    assert np.array_equal(again.values, course.values)


def test_sources_are_citations(course: Result) -> None:
    found = course.sources()
    assert len(found) > 30
    assert list(found) == sorted(set(found))


@pytest.mark.parametrize("ending", [".parquet", ".nc", ".csv"])
def test_it_is_written_and_read_back(ending: str, course: Result, tmp_path: Path) -> None:
    path = tmp_path / f"course{ending}"
    course.save(path)
    if ending == ".nc":
        with xarray.open_dataset(path, engine="h5netcdf") as found:
            assert found["GH"].attrs["units"] == "ug/L"
            assert found["GH"].attrs["long_name"]
            assert found.attrs["model"] == course.provenance["model"]
            assert found["GH"].values == pytest.approx(course["GH"].values)
    else:
        frame = pandas.read_parquet(path) if ending == ".parquet" else pandas.read_csv(path, index_col="time_h")
        assert frame["IGF1"].to_numpy() == pytest.approx(course["IGF1"].values)
        assert frame.index.to_numpy() == pytest.approx(course.times)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_tables_carry_units(course: Result) -> None:
    assert course.to_pandas().attrs["units"]["GH"] == "ug/L"
    assert course.to_xarray()["level_tesamorelin"].attrs["units"] == "ng/L"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"watch": ["IGF"]}, "did you mean 'IGF1'"),
        ({"day": "ordinry"}, "did you mean 'ordinary'"),
        ({"until": "soon"}, "soon"),
        ({"begin": "8"}, "08:30"),
        ({"engine": "owm"}, "did you mean 'own'"),
    ],
)
def test_what_is_not_understood_is_named(how: dict, message: str, equipped: Model) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError, match=message):
        gx.simulate(equipped, gx.Person(), **{"until": "1 h", "settled": False, **how})


def test_what_was_not_watched_is_named(course: Result) -> None:
    with pytest.raises(InputError, match="'IGF' was not watched in this run; did you mean 'IGF1'"):
        course["IGF"]
    with pytest.raises(InputError, match="the ending must be one of"):
        course.save("course.xls")


def test_a_solver_that_gives_up_names_person_time_and_state(equipped: Model) -> None:
    """A rate constant beyond reason: the person's name, the time after the start and the last good levels are told."""
    with pytest.raises(SimulationError, match="anna failed at") as caught:
        gx.simulate(
            equipped.hold({"GH_free": "path"}), gx.Person(name="anna"), Protocol.parse("GH_free 1e300 ng/L from 2 h"), until="6 h",
            settled=False, noise=None,
        )  # fmt: skip
    assert caught.value.person == "anna"
    assert len(caught.value.last) > 100


def test_a_run_goes_on_with_what_is_kept(equipped: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the first block, the second call simulates the second block only, and says the same as a call that was never cut."""
    monkeypatch.setattr(simulation, "_BLOCK", 2)
    requests = [Request(Person(name=f"p{k}"), Protocol.nothing(), (0.0, 24.0), ("IGF1", "VAT"), settled=False) for k in range(4)]
    whole = simulate_many(equipped, requests)

    class KilledError(Exception):
        pass

    def kill(done: int, all_: int) -> None:
        if done == 2:
            raise KilledError

    with pytest.raises(KilledError), Kept(tmp_path) as keep:
        simulate_many(equipped, requests, progress=kill, keep=keep)
    assert len(list(tmp_path.iterdir())) == 1
    seen: list[int] = []
    run = OwnModel.run

    def counted(self: OwnModel, asked: Batch, *rest: Any) -> Any:
        seen.append(asked.lanes)
        return run(self, asked, *rest)

    monkeypatch.setattr(OwnModel, "run", counted)
    with Kept(tmp_path) as keep:
        again = simulate_many(equipped, requests, keep=keep)
    assert seen == [2]
    assert all((a.values == b.values).all() for a, b in zip(whole, again, strict=True))
    assert not list(tmp_path.iterdir())


def test_where_a_person_rests_does_not_depend_on_the_therapies_of_the_model(model: Model, equipped: Model) -> None:
    drawn = Person(draw=(3, 1), name="drawn")
    rests = [simulate_many(m, [Request(drawn, Protocol.nothing(), (0.0,), ("IGF1",))])[0].settled for m in (model, equipped)]
    assert rests[0] and rests[1]
    assert rests[0].levels == rests[1].levels
    assert rests[0].implied == rests[1].implied


def test_what_was_kept_is_not_taken_for_another_run(equipped: Model, tmp_path: Path) -> None:
    """The same request on another day, or with another dose, is simulated and not read."""

    class CutError(Exception):
        pass

    def ask(give: str, day: str) -> Request:
        return Request(Person(name="p"), Protocol.parse(give), (0.0, 24.0), ("IGF1", "GH"), day=day, settled=False)

    runs = [
        ask("nothing", "ordinary"),
        ask("nothing", "night_shift"),
        ask("rhgh 1 mg sc once", "ordinary"),
        ask("rhgh 2 mg sc once", "ordinary"),
    ]
    with pytest.raises(CutError), Kept(tmp_path) as keep:
        values = [simulate_many(equipped, [r], keep=keep)[0].values for r in runs]
        raise CutError
    assert len(list(tmp_path.iterdir())) == len({v.tobytes() for v in values}) == len(runs)
