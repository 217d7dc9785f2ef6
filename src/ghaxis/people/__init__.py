"""Persons, populations and their conditions."""

from __future__ import annotations

from ghaxis.people.combine import HEALTHY
from ghaxis.people.condition import Condition
from ghaxis.people.person import WIDEST, Onset, Person, Resolved, Switch
from ghaxis.people.population import Population

__all__ = ["HEALTHY", "WIDEST", "Condition", "Onset", "Person", "Population", "Resolved", "Switch"]
