"""A condition as a value, for those who would rather not write state text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Condition:
    """A condition with what is said of its severity: Condition("masld", {"steatosis": "20 percent"}). `str()` is the state text; conditions
    add up to the state text of a person who has them all."""

    name: str
    severities: Mapping[str, str | float] = field(default_factory=dict, hash=False)
    onset: str | None = None

    def __str__(self) -> str:
        said = [f"{name} = {value}" for name, value in self.severities.items()] + ([f"onset = {self.onset}"] if self.onset else [])
        return f"{self.name}({', '.join(said)})" if said else self.name

    def __add__(self, other: Condition | str) -> str:
        return f"{self} + {other}"

    def __radd__(self, other: str) -> str:
        return f"{other} + {self}"
