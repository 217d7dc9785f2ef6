"""Engines: compile flat SBML and run lanes. They have never heard of a patient.

`own` is the engine of this package; `screening` is the same with levels in single precision, for populations; `referee` is libRoadRunner
on the same SBML: the oracle of the tests, and the fallback.
"""

from __future__ import annotations

from ghaxis.engine.contract import Answer, Batch, Breaks, Compiled, Engine, Failure, Tolerances
from ghaxis.errors import InputError, nearest

__all__ = ["NAMES", "Answer", "Batch", "Breaks", "Compiled", "Engine", "Failure", "Tolerances", "load"]

NAMES = ("own", "screening", "referee")


def load(name: str = "auto") -> Engine:
    """The engine of that name; `auto` is the fastest one there is. Raises InputError for an unknown name."""
    if name == "auto":
        name = NAMES[0]
    if name in ("own", "screening"):
        from ghaxis.engine.own import OwnEngine

        return OwnEngine(precision="single" if name == "screening" else "double")
    if name == "referee":
        from ghaxis.engine.referee import Referee

        return Referee()
    hint = nearest(name, (*NAMES, "auto"))
    raise InputError(f"unknown engine '{name}'" + (f"; did you mean '{hint}'?" if hint else f"; there are {', '.join(NAMES)}"))
