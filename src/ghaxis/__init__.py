"""The somatotropic axis, executable. The public names, each loaded when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ghaxis.evidence import Study
    from ghaxis.model import Model
    from ghaxis.people import Condition, Person, Population
    from ghaxis.simulation import Result, simulate
    from ghaxis.treatment import Protocol, Therapy
    from ghaxis.trial import Trial
    from ghaxis.validation import validate

__all__ = ["Condition", "Model", "Person", "Population", "Protocol", "Result", "Study", "Therapy", "Trial", "simulate", "validate"]


def __getattr__(name: str) -> Any:
    homes = {
        "Condition": "people",
        "Model": "model",
        "Person": "people",
        "Population": "people",
        "Protocol": "treatment",
        "Result": "simulation",
        "Study": "evidence",
        "Therapy": "treatment",
        "Trial": "trial",
        "simulate": "simulation",
        "validate": "validation",
    }
    if name not in homes:
        raise AttributeError(f"module 'ghaxis' has no attribute '{name}'")
    return getattr(import_module(f"ghaxis.{homes[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
