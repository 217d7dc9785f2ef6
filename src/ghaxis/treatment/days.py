"""Habits and noise as paths: what a day does to the inputs, and the seeded variation of the pulse generator."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ghaxis import units
from ghaxis.reading.records import DayRecord
from ghaxis.treatment.schedule import Path

Array = NDArray[np.float64]
_PORTION = 64  # moments of a noise tape drawn at once


def day_paths(record: DayRecord, start: float, end: float) -> tuple[Path, ...]:
    """The habits of every day in [start, end), by time; the levels that hold at `start` come first. Windows that overlap add up."""
    changes: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for habit in record.habits:
        clock, lasts = units.clock(habit.start, habit.input), units.hours(habit.lasts, habit.input)
        for day in range(math.floor((start - lasts - clock) / 24), math.ceil(end / 24) + 1):
            first = 24.0 * day + clock
            changes[habit.input][first] += habit.level
            changes[habit.input][first + lasts] -= habit.level
    found: list[Path] = []
    for name, steps in sorted(changes.items()):
        found += _levels(name, steps, start, end)
    return tuple(sorted(found))


def _levels(name: str, steps: dict[float, float], start: float, end: float) -> Iterator[Path]:
    level, before = 0.0, None
    for time in sorted({*steps, start}):
        level = round(level + steps.get(time, 0.0), 12)
        if start <= time < end and level != before:
            yield Path(time, name, level)
            before = level


def noise_paths(record: DayRecord, generator: np.random.Generator, start: float, end: float) -> tuple[Path, ...]:
    """The day's noise on [start, end), by time: inputs keep the model's own value until the first moment."""
    found: list[Path] = []
    for times, names, values in noise_draws(record, generator, start, end):
        rows = zip(times.tolist(), values.tolist(), strict=True)
        found += [Path(t, name, v) for t, row in rows for name, v in zip(names, row, strict=True)]
    return tuple(found if len(record.noise) == 1 else sorted(found))


def noise_draws(record: DayRecord, generator: np.random.Generator, start: float, end: float) -> list[tuple[Array, tuple[str, ...], Array]]:
    """Of each entry of noise: moments (n,) of a gamma renewal process on [start, end), its inputs, and what they become then (n, inputs).

    A longer tape begins with the shorter one.
    """
    found = []
    for noise, own in zip(record.noise, generator.spawn(len(record.noise)), strict=True):
        moments, draws = own.spawn(2)
        gap, names = units.hours(noise.gap, "gap"), tuple(sorted(noise.cvs))
        times = np.empty(0)
        while not len(times) or times[-1] < end:  # in equal portions: what is drawn first does not depend on the end
            gaps = gap * moments.gamma(noise.shape, 1 / noise.shape, _PORTION)
            times = np.append(times, (times[-1] if len(times) else start) + np.cumsum(gaps))
        times = times[times < end]
        spread = np.array([math.sqrt(math.log1p(noise.cvs[name] ** 2)) for name in names])
        values = np.exp(draws.standard_normal((len(times), len(names))) * spread - spread**2 / 2)  # lognormal, mean 1
        found.append((times, names, values))
    return found
