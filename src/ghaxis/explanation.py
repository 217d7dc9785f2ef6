"""What can be said about one name of a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ghaxis.errors import Place
from ghaxis.reading.dialect import names_in
from ghaxis.reading.records import Definition, Fragment


@dataclass(frozen=True)
class Explanation:
    """One name: its meaning, number and equation, where they stand and come from, and who reads it.

    `value` is the level at the start in `unit`; `equation` is the right-hand side of a rule or the law of a reaction ("" for constants and
    states); `rate` that of a state. `used_by` maps the fragments that read it to the names they make from it.
    """

    name: str
    kind: str
    meaning: str
    unit: str
    value: float
    spread: str
    equation: str
    rate: str
    role: str
    source: str
    place: Place
    fragment: str
    title: str
    used_by: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        rows = [
            ("value", f"{self.value:.6g} {self.unit}".strip()),
            ("spread", "" if self.spread == "none" else self.spread),
            ("equation", self.equation and f"{self.name} {'=' if self.kind == 'reaction' else ':='} {self.equation}"),
            ("rate", self.rate and f"{self.name}' = {self.rate}"),
            ("role", self.role),
            ("source", self.source),
            ("defined at", str(self.place)),
            ("part", f"{self.fragment}: {self.title}" if self.title else self.fragment),
            ("used by", "; ".join(f"{fragment} ({', '.join(names)})" for fragment, names in self.used_by.items())),
        ]
        return "\n".join(
            [
                f"{self.name} ({self.kind}): {self.meaning or 'no meaning given'}",
                *(f"  {key + ':':<12}{text}" for key, text in rows if text),
            ]
        )


def explain(
    d: Definition, unit: str, value: float, title: str, definitions: Iterable[Definition], fragments: Iterable[Fragment]
) -> Explanation:
    """Gather what definitions and fragments say about one of them."""
    users: dict[str, list[str]] = {}
    for other in definitions:
        if (
            d.name in names_in(f"{other.expression} + {other.rate or 0}")
            and other.name != d.name
            and other.kind not in ("constant", "compartment", "species")
        ):
            users.setdefault(other.fragment, []).append(other.name)
    for fragment in fragments:
        for name in moves(fragment, d.name):
            if name not in users.setdefault(fragment.name, []):
                users[fragment.name].append(name)
    role = d.role if not d.role_of else f"{d.role} of {d.role_of}" if d.role == "reference" else f"{d.role} {d.role_of}"
    equation = d.expression if d.kind in ("rule", "reaction") else ""
    used = {fragment: tuple(names) for fragment, names in sorted(users.items()) if names}
    return Explanation(
        d.name, d.kind, d.meaning, unit, value, d.spread, equation, d.rate or "", role, d.source, d.place, d.fragment, title, used
    )


def moves(fragment: Fragment, species: str) -> tuple[str, ...]:
    """The reactions of a fragment that consume or make a species."""
    found = []
    for _, statement in fragment.statements:
        name, colon, rest = statement.partition(":")
        if colon and ("->" in rest or "=>" in rest) and species in names_in(rest.split(";")[0].replace("->", " ").replace("=>", " ")):
            found.append(name.strip())
    return tuple(found)
