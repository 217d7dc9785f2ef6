"""What is given when: protocols, days and noise -> impulses and paths."""

from __future__ import annotations

from ghaxis.reading.records import DayRecord as Day
from ghaxis.reading.records import InterventionRecord as Intervention
from ghaxis.reading.records import TherapyRecord as Therapy
from ghaxis.treatment.days import day_paths, noise_draws, noise_paths
from ghaxis.treatment.protocol import Protocol, protocol_mistakes
from ghaxis.treatment.schedule import Impulse, Path, Schedule

__all__ = [
    "Day",
    "Impulse",
    "Intervention",
    "Path",
    "Protocol",
    "Schedule",
    "Therapy",
    "day_paths",
    "noise_draws",
    "noise_paths",
    "protocol_mistakes",
]
