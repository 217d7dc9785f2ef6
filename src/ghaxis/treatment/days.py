"""Habits and noise as paths: what a day does to the inputs, and the seeded variation of the pulse generator."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from ghaxis import units
from ghaxis.chance import lognormal
from ghaxis.reading.records import DayRecord
from ghaxis.treatment.schedule import Path


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
    """The day's noise on [start, end): at the moments of a gamma renewal process all inputs of an entry are redrawn.

    A longer tape begins with the shorter one. Inputs keep the model's own value until the first moment.
    """
    found: list[Path] = []
    for noise, own in zip(record.noise, generator.spawn(len(record.noise)), strict=True):
        time, gap = start, units.hours(noise.gap, "gap")
        while True:
            time += gap * float(own.gamma(noise.shape, 1 / noise.shape))
            if time >= end:
                break
            found += [Path(time, name, lognormal(own, noise.cvs[name])) for name in sorted(noise.cvs)]
    return tuple(sorted(found))
