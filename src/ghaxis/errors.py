"""What can go wrong, as one tree.

GhaxisError
|-- LibraryError      mistakes in library text (fragments, conditions, studies ...); carries them all, each with its place
|-- UnitError         a unit that cannot be read, or of the wrong dimension
|-- InputError        an argument, state text, protocol text or option that cannot be understood
|   `-- DomainError   a person that cannot exist, or that descriptors contradict
`-- SimulationError   the solver gave up: person, time, state and last good values
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, or None when nothing is close."""
    known = list(known)
    exact = {name.lower(): name for name in known}
    if word.lower() in exact:
        return exact[word.lower()]
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return close[0] if close else None


@dataclass(frozen=True, order=True)
class Place:
    """Where in a text: file as the user knows it, and line (1 = first; 0 = the file as a whole)."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Mistake:
    """One thing wrong in a library text: the place, what is wrong, and the nearest right word if there is one."""

    place: Place
    what: str
    nearest: str | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        hint = f" (did you mean '{self.nearest}'?)" if self.nearest else ""
        return f"{self.place}: {self.severity}: {self.what}{hint}"


class GhaxisError(Exception):
    """Everything this package raises on purpose."""


class LibraryError(GhaxisError):
    """Mistakes in library text. `mistakes` holds all of them, not the first one."""

    def __init__(self, mistakes: Iterable[Mistake]):
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(m) for m in self.mistakes))


class UnitError(GhaxisError):
    """A unit that cannot be read, or a quantity of the wrong dimension."""


class InputError(GhaxisError):
    """Something the user gave that cannot be understood."""


class DomainError(InputError):
    """A person who cannot exist: descriptors that contradict, or a cause outside its plausible range."""


class SimulationError(GhaxisError):
    """The solver gave up. `person`, `time` (hours), `state` and `last` (last good values) say where."""

    def __init__(self, message: str, person: str = "", time: float | None = None, state: str = "", last: dict[str, float] | None = None):
        self.person, self.time, self.state, self.last = person, time, state, last or {}
        super().__init__(message)
