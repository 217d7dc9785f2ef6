"""How cost grows with people, with weeks and with the size of the model."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.cases import FIRST, PULSES, WATCHED, WEEK, cases, crowd, together
from benchmarks.curves import spread
from ghaxis import units
from ghaxis.course import Course, batch
from ghaxis.engine import Batch, machine
from ghaxis.engine.own import DEFAULT, OwnEngine, OwnModel
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.treatment import Path, Protocol

CELLS = ("receptor", "jak2", "phosphatases", "stat5", "socs", "nutrient_sensors", "insulin_crosstalk", "igf1_gene")
CELL_STUDY = "ahmed2007"  # its needs, held as that study held them


def first(whole: Batch, n: int) -> Batch:
    """The first n lanes."""
    return replace(whole, parameters=whole.parameters[:n], initial=whole.initial[:n], breaks=whole.breaks[:n])


def clocks(run: Any) -> tuple[float, float]:
    """Wall and processor seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def people(numbers: list[int], rounds: int) -> dict[str, Any]:
    """A week of n people with one and with all threads, width of lanes left to the engine: wall and processor seconds."""
    model = cases()[0].model
    whole = together(model, crowd(max(numbers)), WEEK, np.arange(6.0, WEEK + 1, 6.0))
    compiled = OwnEngine().compile(model.sbml, WATCHED)
    found: dict[str, Any] = {}
    for n in numbers:
        for workers in sorted({1, machine.processors()}):
            asked = first(whole, n)
            compiled.run(asked, DEFAULT, workers)
            wall, cpu = zip(*(clocks(lambda asked=asked, w=workers: compiled.run(asked, DEFAULT, w)) for _ in range(rounds)), strict=True)
            found.setdefault(str(n), {})[str(workers)] = {"wall": spread(wall), "cpu": spread(cpu)}
    return found


def weeks(numbers: list[int], rounds: int) -> dict[str, Any]:
    """One person over n weeks: seconds of making the breakpoints, and of the engine."""
    case = cases()[-1]
    compiled = OwnEngine().compile(case.model.sbml, WATCHED)
    found = {}
    for n in numbers:
        times = np.arange(6.0, n * WEEK + 1, 6.0)
        asked = case.batch(n * WEEK, times)
        compiled.run(asked, DEFAULT, 1)
        made = [clocks(lambda n=n, times=times: case.batch(n * WEEK, times))[1] for _ in range(rounds)]
        ran = [clocks(lambda asked=asked: compiled.run(asked, DEFAULT, 1))[1] for _ in range(rounds)]
        found[str(n)] = {"breakpoints": spread(made), "engine": spread(ran), "paths": len(asked.breaks[0].path_times)}
    return found


def sizes(rounds: int, lanes: int) -> dict[str, Any]:
    """The same healthy man in models of different size, untreated, started from the model's text: seconds of a week and of an attempt."""
    library = Model.load().library
    every = sorted(library.therapies)
    models = {
        "cells in a dish": Model.load(library, parts=CELLS, hold=library.studies[CELL_STUDY].hold),
        "no therapy": Model.load(library),
        "5 therapies": Model.load(library, therapies=every[:5]),
        f"{len(every)} therapies": Model.load(library, therapies=every),
    }
    return {name: _size(model, rounds, lanes) for name, model in models.items()}


def _size(model: Model, rounds: int, lanes: int) -> dict[str, Any]:
    person = Person("healthy").resolve(model.released())
    day = model.library.days["ordinary"]
    watched = tuple(name for name in PULSES if name in model.names)
    compiled = OwnEngine().compile(model.sbml, watched)
    paths = _pulses(model) if "GH_free" in model.held else ()
    many = [Course("man", person, Protocol.nothing(), day, k, FIRST - 24.0, person.targets, paths) for k in range(4 * lanes)]
    asked = batch(model, compiled, many, WEEK, np.arange(6.0, WEEK + 1, 6.0), np.empty((0, 2)))
    system = compiled.system
    jacobian = system.jacobian()
    found: dict[str, Any] = {"states": len(system.states), "entries": len(jacobian)}
    for width in (1, lanes):
        one = OwnEngine(lanes=width).compile(model.sbml, watched)
        begun = time.process_time()
        part = first(asked, 4) if width == 1 else asked
        _, counts, _ = one.traced(part, DEFAULT, 1)
        cold = time.process_time() - begun
        samples = [clocks(lambda part=part, one=one: one.run(part, DEFAULT, 1))[1] / part.lanes for _ in range(rounds)]
        found[str(width)] = {"week": spread(samples), "attempts": float(counts.sum(axis=1).mean()), "first_run": cold}
    return found


def _pulses(model: Model) -> tuple[Path, ...]:
    """Held GH is 20 ng/mL for half an hour every three hours, and 0.1 ng/mL between."""
    high, low = (units.number(text, model.unit("GH_free")) for text in ("20 ng/mL", "0.1 ng/mL"))
    return tuple(Path(t, "GH_free", v) for h in np.arange(1.0, WEEK, 3.0) for t, v in ((float(h), high), (float(h) + 0.5, low)))


def population(n: int, weeks_: int, workers: int, block: int = 64) -> dict[str, Any]:
    """n people as lanes over some weeks, in blocks as `simulate_many` runs them: seconds of breakpoints and of the engine."""
    model = cases()[0].model
    compiled: OwnModel = OwnEngine().compile(model.sbml, WATCHED)
    times = np.arange(24.0, weeks_ * WEEK + 1, 24.0)
    courses = crowd(n)
    made, ran, failed, seen = np.zeros(2), np.zeros(2), 0, []
    for k in range(0, n, block):
        box: list[Any] = []
        made += clocks(lambda k=k, box=box: box.append(together(model, courses[k : k + block], weeks_ * WEEK, times)))
        ran += clocks(lambda box=box: box.append(compiled.run(box[0], DEFAULT, workers)))
        failed += len(box[1].failures)
        seen.append(box[1].values)
    return {
        "people": n,
        "weeks": weeks_,
        "workers": workers,
        "breakpoints": {"wall": made[0], "cpu": made[1]},
        "engine": {"wall": ran[0], "cpu": ran[1]},
        "failed": failed,
        "values": int(np.concatenate(seen).size),
    }
