"""What people need to know of a model: its library, its names, and which cause balances which slow state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ghaxis.reading.records import Definition, Library


class Wired(Protocol):
    """The part of `ghaxis.model.Model` that people use."""

    @property
    def library(self) -> Library:
        """All that was read."""

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """Every name of the assembled model."""

    @property
    def slow(self) -> Mapping[str, str | None]:
        """Each slow state and the cause that balances it (None: its own level does)."""

    def unit(self, name: str) -> str:
        """The unit of a name, as `ghaxis.units` reads it."""
