"""The seam: what an engine is asked, and what it answers. An engine has never heard of a patient.

An engine compiles SBML once and then runs *lanes*: one lane is one set of parameter values and initial levels, moved through its own
breakpoints. Everything from outside is a `Path` (an input takes a new value and keeps it) or an `Impulse` (an amount is added to a
state). At one moment paths act first, then impulses, then outputs are taken *before* both of them: an observation at a dose's time
sees the world before the dose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Breaks:
    """What comes from outside in one lane, sorted by time (hours).

    `path_names[i]` takes `path_values[i]` at `path_times[i]`; `impulse_amounts[i]` is added to state `impulse_states[i]` at
    `impulse_times[i]`. For an SBML species in a compartment the amount is in substance units (level changes by amount / size).
    """

    path_times: Array
    path_names: tuple[str, ...]
    path_values: Array
    impulse_times: Array
    impulse_states: tuple[str, ...]
    impulse_amounts: Array


@dataclass(frozen=True)
class Tolerances:
    """Error control, relative to each state's magnitude; `absolute` scales each state's own typical size.

    1e-6 / 1e-9 keep the referee's error of GH below 1e-4 and of slow states over weeks below 1e-5 (measured on the coupled prototype).
    """

    relative: float = 1e-6
    absolute: float = 1e-9
    largest_step: float | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """n lanes over the same span [start, end] (hours).

    parameters (n, p) override the model's values of `parameter_names`; initial (n, s) override the initial levels of `state_names`
    (as the symbol reads in equations: concentration for a species with concentration meaning). `times` (t,) are the output times.
    `windows` (w, 2) are spans over which the exact time-mean of every watched symbol is formed.
    """

    start: float
    end: float
    parameter_names: tuple[str, ...]
    parameters: Array
    state_names: tuple[str, ...]
    initial: Array
    breaks: tuple[Breaks, ...]
    times: Array
    windows: Array

    @property
    def lanes(self) -> int:
        """How many lanes run."""
        return len(self.breaks)


@dataclass(frozen=True)
class Failure:
    """Why a lane stopped: time (hours), state if known, and the last good values of all states."""

    lane: int
    time: float
    state: str
    reason: str
    last: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Answer:
    """values (n, t, m) and means (n, w, m) of the m watched symbols; final (n, s) of all states in `Compiled.state_names` order.

    A failed lane holds NaN from its failure on.
    """

    values: Array
    means: Array
    final: Array
    failures: tuple[Failure, ...]


class Compiled(Protocol):
    """A model ready to run. Any symbol of the model may be watched: states, rules, parameters."""

    @property
    def name(self) -> str:
        """The engine's name."""

    @property
    def version(self) -> str:
        """The engine's own text or release: with the model, all that numbers depend on."""

    @property
    def state_names(self) -> tuple[str, ...]:
        """States, in the order of `Answer.final`."""

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Everything that a lane or a path may set."""

    @property
    def watched(self) -> tuple[str, ...]:
        """The symbols of `Answer.values` and `Answer.means`, in order."""

    def initial(self) -> Array:
        """The model's own initial levels (s,)."""

    def run(self, batch: Batch, tolerances: Tolerances, workers: int | None = None) -> Answer:
        """Run all lanes; the same numbers whatever `workers` is."""


class Engine(Protocol):
    """Something that compiles SBML."""

    @property
    def name(self) -> str:
        """What `engine.load` knows it by."""

    def compile(self, sbml: str, watched: Sequence[str]) -> Compiled:
        """Compile flat SBML L3V2 core. Raises LibraryError naming the construct if the model is outside the engine's subset."""
