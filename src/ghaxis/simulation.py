"""simulate(): a person, a protocol, a length of time -> a Result. Many at once run as lanes of one engine call."""

from __future__ import annotations

import dataclasses
import functools
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

import numpy as np

from ghaxis import units
from ghaxis.baseline import Settled, settle_many
from ghaxis.course import TOLERANCES, Course, batch, compiled, failures, tolerances
from ghaxis.engine.contract import Array, Batch
from ghaxis.errors import GhaxisError, InputError, nearest
from ghaxis.keeping import Kept
from ghaxis.model import Model
from ghaxis.people import Person, Resolved
from ghaxis.reading.records import DayRecord
from ghaxis.treatment import Path, Protocol

if TYPE_CHECKING:
    import pandas
    import xarray

_BLOCK = 64  # lanes between two reports of progress


@dataclass(frozen=True, eq=False)
class Curve:
    """One quantity over time. values (t,) in `unit`; times (t,) in hours since the run's begin."""

    name: str
    unit: str
    times: Array
    values: Array

    def at(self, time: str | float) -> float:
        """The value at a time ("8 weeks", or hours), by linear interpolation. Raises InputError outside the run."""
        t = units.hours(time) if isinstance(time, str) else float(time)
        if not self.times[0] - 1e-9 <= t <= self.times[-1] + 1e-9:
            raise InputError(f"{self.name} at {time}: the run has {self.times[0]:g} h to {self.times[-1]:g} h")
        return float(np.interp(t, self.times, self.values))

    def mean(self, start: str | float, end: str | float) -> float:
        """Time-mean over [start, end], by trapezoids over the samples."""
        a, b = (units.hours(t) if isinstance(t, str) else float(t) for t in (start, end))
        inside = self.times[(self.times > a) & (self.times < b)]
        t = np.concatenate([[a], inside, [b]])
        return float(np.trapezoid(np.interp(t, self.times, self.values), t) / (b - a))

    def to(self, unit: str) -> Curve:
        """The same curve in another unit of the same dimension."""
        return dataclasses.replace(self, unit=unit, values=self.values * units.factor(self.unit, unit))


@dataclass(frozen=True, eq=False)
class Result:
    """What one person did: values (t, m) of the watched quantities in the units in which the field reports them.

    `provenance` says how it came about (model hash, engine, tolerances, tape, versions). `settled` is the state it started from.
    """

    person: Person
    protocol: Protocol
    times: Array
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: Array
    provenance: Mapping[str, object]
    settled: Settled | None
    model: Model = dataclasses.field(repr=False)

    def __getitem__(self, name: str) -> Curve:
        if name not in self.names:
            hint = nearest(name, self.names)
            raise InputError(
                f"'{name}' was not watched in this run" + (f"; did you mean '{hint}'?" if hint else f"; watched: {', '.join(self.names)}")
            )
        k = self.names.index(name)
        return Curve(name, self.units[k], self.times, self.values[:, k])

    def sources(self) -> tuple[str, ...]:
        """Citations of every study behind the numbers that this run's model used."""
        return self.model.sources()

    def to_pandas(self) -> pandas.DataFrame:
        """Columns are quantities, the index is time in hours; units stand in `attrs["units"]`."""
        import pandas

        frame = pandas.DataFrame(self.values, columns=list(self.names), index=pandas.Index(self.times, name="time_h"))
        frame.attrs = {"units": dict(zip(self.names, self.units, strict=True)), **{k: str(v) for k, v in self.provenance.items()}}
        return frame

    def to_xarray(self) -> xarray.Dataset:
        """One variable for each quantity over `time` (hours), each with its unit and meaning; provenance as attributes."""
        import xarray

        meanings = {n: d.meaning for n, d in self.model.definitions.items()}
        variables = {n: ("time", self.values[:, k], {"units": self.units[k], "long_name": meanings[n]}) for k, n in enumerate(self.names)}
        return xarray.Dataset(
            variables, {"time": ("time", self.times, {"units": "hours"})}, {k: str(v) for k, v in self.provenance.items()}
        )

    def save(self, path: str | FilePath) -> None:
        """Write `.parquet`, `.nc` (netCDF-4) or `.csv`, whole or not at all."""
        target = FilePath(path)
        part = target.with_name(target.name + ".part")
        writers: dict[str, Callable[[], object]] = {
            ".parquet": lambda: self.to_pandas().to_parquet(part),
            ".nc": lambda: self.to_xarray().to_netcdf(part, engine="h5netcdf"),
            ".csv": lambda: self.to_pandas().to_csv(part),
        }
        if target.suffix not in writers:
            raise InputError(f"cannot save '{target.name}': the ending must be one of {', '.join(writers)}")
        try:
            writers[target.suffix]()
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


@dataclass(frozen=True)
class Request:
    """One course to simulate. `times` are hours since `begin`; `noise` is the tape's seed (None: no noise); `settled=False` starts from
    the levels in the model's text after `run_in` hours (experiments on parts, approximate starts)."""

    person: Person
    protocol: Protocol
    times: tuple[float, ...]
    watch: tuple[str, ...]
    begin: str = "08:00"
    day: str = "ordinary"
    noise: int | None = 0
    settled: bool = True
    run_in: float = 0.0


def simulate(
    model: Model,
    person: Person,
    protocol: Protocol | None = None,
    *,
    until: str,
    watch: Sequence[str] = ("GH", "IGF1"),
    every: str = "1 h",
    times: Sequence[float] | None = None,
    begin: str = "08:00",
    day: str = "ordinary",
    noise: int | None = 0,
    engine: str = "auto",
    settled: bool = True,
) -> Result:
    """Simulate one person.

    Time 0 is `begin` (clock) on the first day; `until` and `every` are durations; `times` (hours since begin) overrides `every`. The
    same `noise` gives the same pulse-to-pulse variation in every arm; `noise=None` switches it off. Raises InputError for unknown
    quantities, DomainError for a person who cannot exist, SimulationError where the solver gives up.
    """
    end = units.hours(until, "until")
    asked = times if times is not None else np.append(np.arange(0.0, end - 1e-9, units.hours(every, "every")), end)
    request = Request(person, protocol or Protocol.nothing(), tuple(float(t) for t in asked), tuple(watch), begin, day, noise, settled)
    return simulate_many(model, [request], engine)[0]


def simulate_many(
    model: Model,
    requests: Sequence[Request],
    engine: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
    keep: Kept | None = None,
) -> list[Result]:
    """Simulate many courses as lanes; one Result for each request, in order.

    `progress(done, all)` counts persons brought to rest and courses simulated. Raises the first failure (see `attempt_many`).
    """
    results: list[Result] = []
    for result in attempt_many(model, requests, engine, progress, workers, keep):
        if isinstance(result, GhaxisError):
            raise result
        results.append(result)
    return results


def attempt_many(
    model: Model,
    requests: Sequence[Request],
    engine: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
    keep: Kept | None = None,
) -> list[Result | GhaxisError]:
    """`simulate_many` in which a failure costs one person: the error of who cannot exist or be simulated stands in place of a Result.

    Blocks found in `keep` are not simulated again. Raises InputError for what nobody could be simulated with (unknown quantities,
    therapies, days).
    """
    watch = tuple(dict.fromkeys(name for r in requests for name in r.watch))
    equipped = _equipped(model, requests, watch)
    runner = compiled(engine, equipped.sbml, watch)
    resting = len({(r.person, r.day) for r in requests if r.settled})
    steps = resting + len(requests)
    at_rest = _at_rest(equipped, requests, engine, lambda done: progress(done, steps) if progress else None)
    courses = [_course(equipped, r, found, engine) for r, found in zip(requests, at_rest, strict=True)]
    results: list[Result | GhaxisError | None] = [c if isinstance(c, GhaxisError) else None for c in courses]
    groups: dict[tuple[float, float], list[int]] = {}
    for k, (r, c) in enumerate(zip(requests, courses, strict=True)):
        if isinstance(c, Course):
            groups.setdefault((_end(r, c), c.zero), []).append(k)
    done = resting + len(requests) - sum(len(members) for members in groups.values())
    for (end, zero), members in groups.items():
        for first in range(0, len(members), _BLOCK):
            block = members[first : first + _BLOCK]
            grid = np.unique(np.concatenate([np.asarray(requests[k].times) + zero for k in block]))
            lanes = [c for k in block if isinstance(c := courses[k], Course)]
            asked = batch(equipped, runner, lanes, end, grid, np.empty((0, 2)))
            key = (equipped.hash, runner.name, runner.version, tolerances(runner), watch, asked)
            values, failed = keep.get(*key) if keep else None, {}
            if values is None:
                answer = runner.run(asked, tolerances(runner), workers)
                values, failed = answer.values, failures(answer, runner, lanes)
                if keep and not failed:
                    keep.put(values, *key)
            for row, k in enumerate(block):
                settled = at_rest[k]
                assert settled is None or isinstance(settled, Settled)
                results[k] = failed.get(row) or _result(equipped, requests[k], lanes[row], settled, grid, values[row], watch, runner.name)
            done += len(block)
            if progress:
                progress(done, steps)
    return [r for r in results if r is not None]


def prepare(model: Model, request: Request, engine: str = "auto") -> tuple[Model, Batch, float]:
    """A request as other machines run it: the model with its therapies, one lane, and the lane's time at the request's begin (hours).

    The lane starts at midnight, one untreated day before; its one window is the time that the request asks about.
    """
    equipped = _equipped(model, [request], request.watch)
    (at_rest,) = _at_rest(equipped, [request], engine, lambda done: None)
    course = _course(equipped, request, at_rest, engine)
    if isinstance(course, GhaxisError):
        raise course
    end, asked = _end(request, course), np.asarray(request.times) + course.zero
    runner = compiled(engine, equipped.sbml, request.watch)
    return equipped, batch(equipped, runner, [course], end, asked, np.array([[asked.min(), end]])), course.zero


def healthy_course(model: Model, request: Request, names: Sequence[str], engine: str = "auto", every: float = 0.25) -> dict[str, Curve]:
    """What the person's healthy self does to these quantities under the same protocol and tape: for needs held at `healthy`."""
    end = max(request.times)
    grid = tuple(float(t) for t in np.arange(-24.0, end + every, every))
    twin = dataclasses.replace(request, person=request.person.healthy(), watch=tuple(names), times=grid)
    result = simulate_many(model, [twin], engine)[0]
    return {name: result[name] for name in names}


def _equipped(model: Model, requests: Sequence[Request], watch: Sequence[str]) -> Model:
    """The model with everything that is given, if it has what is watched."""
    equipped = model.with_therapies(sorted({t for r in requests for t in r.protocol.therapies} | set(model.therapies)))
    _known(equipped, watch)
    return equipped


def _known(model: Model, watch: Sequence[str]) -> None:
    missing = [name for name in watch if name not in model.names]
    if missing:
        hints = ", ".join(f"'{name}'" + (f" (did you mean '{hint}'?)" if (hint := nearest(name, model.names)) else "") for name in missing)
        raise InputError(f"the model has no quantity {hints}")


def bring_to_rest(
    model: Model, people: Sequence[tuple[Person, str]], engine: str = "auto", tell: Callable[[int], None] | None = None
) -> list[Settled | GhaxisError]:
    """The settled states of persons on days (by name), side by side, into the cache, so that many trials find them there."""
    requests = [Request(person, Protocol.nothing(), (0.0,), (), day=day) for person, day in people]
    return [found for found in _at_rest(model, requests, engine, tell or (lambda done: None)) if found is not None]


def _at_rest(model: Model, requests: Sequence[Request], engine: str, tell: Callable[[int], None]) -> list[Settled | GhaxisError | None]:
    """Everyone's settled state (None where none is asked for): of the model without therapies, so that all trials share it."""
    bare = model.released().with_therapies(())
    wanted: dict[str, dict[Person, Resolved | GhaxisError]] = {}
    for r in requests:
        if r.settled and r.person not in (persons := wanted.setdefault(r.day, {})):
            try:
                persons[r.person] = r.person.resolve(model)
            except GhaxisError as error:
                persons[r.person] = error
    found: dict[tuple[Person, str], Settled | GhaxisError] = {}
    for name, persons in wanted.items():
        day = _day(model, name)
        told = {person: one for person, one in persons.items() if isinstance(one, Resolved)}
        before = len(found)

        def count(done: int, before: int = before) -> None:
            tell(before + done)

        settled = settle_many(bare, [_without_therapies(one, bare) for one in told.values()], day, engine, tell=count)
        found |= {(person, name): one for person, one in persons.items() if isinstance(one, GhaxisError)}
        found |= {(person, name): _with_therapies(one, told[person]) for person, one in zip(told, settled, strict=True)}
    return [found[r.person, r.day] if r.settled else None for r in requests]


def _without_therapies(person: Resolved, bare: Model) -> Resolved:
    """The person as the untreated model knows him: how he takes up a drug must not move where he rests."""
    known = set(bare.names)
    return dataclasses.replace(person, parameters={name: value for name, value in person.parameters.items() if name in known})


def _with_therapies(found: Settled | GhaxisError, told: Resolved) -> Settled | GhaxisError:
    """The settled person with his own numbers of drugs."""
    if isinstance(found, GhaxisError):
        return found
    return dataclasses.replace(found, person=dataclasses.replace(found.person, parameters={**told.parameters, **found.person.parameters}))


def _course(model: Model, r: Request, at_rest: Settled | GhaxisError | None, engine: str) -> Course | GhaxisError:
    if isinstance(at_rest, GhaxisError):
        return at_rest
    day = _day(model, r.day)
    person = at_rest.person if at_rest else r.person.resolve(model)
    start: Mapping[str, float] = at_rest.levels if at_rest else person.targets
    begin = units.clock(r.begin, "begin") + (r.run_in if not r.settled else 0.0)
    return Course(r.person.name, person, r.protocol, day, r.noise, begin, start, _held_paths(model, r, engine))


def _held_paths(model: Model, request: Request, engine: str) -> tuple[Path, ...]:
    """Needs held at `healthy` follow the healthy self, in steps of a quarter of an hour."""
    healthy = {h.inner: h.name for h in model.holds if h.way == "healthy"}
    if not healthy:
        return ()
    curves = healthy_course(model.released(), request, tuple(dict.fromkeys(healthy.values())), engine)
    zero = 24.0 + units.clock(request.begin)
    paths = []
    for inner, outer in healthy.items():
        curve = curves[outer]
        back = units.factor(curve.unit, model.unit(outer))
        paths += [Path(max(zero + float(t), 0.0), inner, float(v) * back) for t, v in zip(curve.times, curve.values, strict=True)]
    return tuple(paths)


def _day(model: Model, name: str) -> DayRecord:
    if name not in model.library.days:
        hint = nearest(name, model.library.days)
        raise InputError(f"unknown day '{name}'" + (f"; did you mean '{hint}'?" if hint else ""))
    return model.library.days[name]


@functools.cache
def _version() -> str:
    return version("ghaxis")


def _end(request: Request, course: Course) -> float:
    return course.zero + max(request.times)


def _result(
    model: Model,
    request: Request,
    course: Course,
    settled: Settled | None,
    grid: Array,
    values: Array,
    watch: tuple[str, ...],
    used: str,
) -> Result:
    times = np.asarray(request.times)
    rows = np.searchsorted(grid, times + course.zero)
    columns = [watch.index(name) for name in request.watch]
    shown = [model.shown(name) for name in request.watch]
    factors = np.array([units.factor(model.unit(name), unit) for name, unit in zip(request.watch, shown, strict=True)])
    provenance = {
        "ghaxis": _version(),
        "model": model.hash,
        "engine": used,
        "tolerances": dataclasses.asdict(TOLERANCES[used]),
        "noise": request.noise,
        "day": request.day,
        "begin": request.begin,
        "person": str(request.person),
        "protocol": str(request.protocol),
        "therapies": {t: model.library.therapies[t].status for t in request.protocol.therapies},
        "settled": None if settled is None else settled.accepted,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "framing": "research and education software; not a medical device",
    }
    return Result(
        request.person, request.protocol, times, request.watch, tuple(shown), values[rows][:, columns] * factors, provenance, settled, model
    )
