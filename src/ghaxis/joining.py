"""Several fragments as one set of definitions: ports are summed, held names become inputs, what is missing is named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ghaxis.errors import InputError, Mistake, Place, nearest
from ghaxis.reading.dialect import names_in
from ghaxis.reading.records import Definition, Fragment, Library

Way = Literal["healthy", "path"]


@dataclass(frozen=True)
class Hold:
    """One name that is held: for the whole model, or as one fragment sees it. `way` is a number (in the unit of the name), "path" (set from
    outside) or "healthy" (the course of the person's healthy self)."""

    name: str
    fragment: str
    way: Way | float

    @property
    def inner(self) -> str:
        """The input parameter that stands for the name."""
        return f"{self.fragment}__{self.name}" if self.fragment else self.name


@dataclass(frozen=True)
class Level:
    """What a held name needs to become an input: its unit id and its value at the start."""

    unit: str | None
    value: float


@dataclass(frozen=True)
class Joined:
    """Fragments in use (holds written into them) and all definitions by name.

    `missing` are names that nothing defines, each with the fragments that read it; `twice` are names defined more than once; `borrowed` are
    constants of fragments that are not in use.
    """

    fragments: tuple[Fragment, ...]
    definitions: Mapping[str, Definition]
    missing: Mapping[str, tuple[str, ...]]
    twice: tuple[Mistake, ...]
    borrowed: tuple[str, ...]


def chosen(library: Library, parts: Sequence[str] | None, variants: Sequence[str], therapies: Sequence[str]) -> tuple[Fragment, ...]:
    """The fragments that a model is made of, variants in the place of what they replace, then its therapies.

    Raises InputError for unknown names.
    """
    for names, known, what in (
        (parts or (), library.fragments, "part"),
        (variants, library.variants, "variant"),
        (therapies, library.therapies, "therapy"),
    ):
        for name in names:
            if name not in known:
                hint = nearest(name, known)
                raise InputError(f"unknown {what} '{name}'" + (f"; did you mean '{hint}'?" if hint else ""))
    replaced = {replaces(library, library.variants[v]): library.variants[v] for v in variants}
    if len(replaced) < len(variants):
        raise InputError(f"variants {', '.join(variants)}: two of them replace the same part")
    names = sorted(library.fragments if parts is None else dict.fromkeys(parts))
    return tuple(replaced.get(n, library.fragments[n]) for n in names) + tuple(
        library.therapies[t].fragment for t in sorted(set(therapies))
    )


def replaces(library: Library, variant: Fragment) -> str:
    """The part that a variant stands in for: the one with most of its offers. Raises InputError if there is none."""
    common = {name: len(set(f.offers) & set(variant.offers)) for name, f in library.fragments.items()}
    best = max(common, key=lambda name: common[name], default="")
    if not best or not common[best]:
        raise InputError(f"variant '{variant.name}' offers nothing that a part of the model offers")
    return best


def join(library: Library, fragments: Sequence[Fragment], holds: Sequence[Hold], levels: Mapping[str, Level]) -> Joined:
    """One set of definitions. `levels` say what held names become; a name that is held for all users has no equation any more."""
    rewritten = tuple(_seen_by(f, [h for h in holds if h.fragment == f.name]) for f in fragments)
    definitions: dict[str, Definition] = {}
    twice = []
    for fragment in rewritten:
        for d in fragment.definitions:
            if d.name in definitions:
                twice.append(Mistake(d.place, f"{d.name} is defined twice, here and at {definitions[d.name].place}"))
            definitions.setdefault(d.name, d)
    definitions |= _ports(definitions, library)
    for hold in holds:
        definitions[hold.inner] = _input(hold, levels[hold.inner], definitions.get(hold.name), library)
    missing: dict[str, tuple[str, ...]] = {}
    borrowed = []
    elsewhere = {d.name: d for f in library.fragments.values() for d in f.definitions}
    for name, users in _used(definitions.values(), rewritten, holds).items():
        if name in definitions:
            continue
        if name in elsewhere and elsewhere[name].kind in ("constant", "compartment"):
            definitions[name] = elsewhere[name]
            borrowed.append(name)
        else:
            missing[name] = users
    return Joined(rewritten, definitions, missing, tuple(twice), tuple(borrowed))


def _seen_by(fragment: Fragment, holds: Sequence[Hold]) -> Fragment:
    """The fragment with `fragment__NAME` in the place of each held NAME, in equations but not in what a reaction consumes or makes."""
    if not holds:
        return fragment
    words = {h.name: h.inner for h in holds}
    pattern = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, words))})(?!\w)")

    def seen(text: str) -> str:
        return pattern.sub(lambda match: words[match[1]], text)

    definitions = tuple(
        replace(d, expression=seen(d.expression), rate=None if d.rate is None else seen(d.rate))
        if d.kind in ("rule", "reaction", "state")
        else d
        for d in fragment.definitions
    )
    return replace(fragment, definitions=definitions)


def _ports(definitions: Mapping[str, Definition], library: Library) -> dict[str, Definition]:
    """Each port as the sum of what the therapies in use add to it; a port that none adds to stays the constant of its text."""
    summed = {}
    for name, d in definitions.items():
        if d.role == "port" and d.kind == "constant":
            terms = [f"{name}_{therapy}" for therapy in sorted(library.therapies) if f"{name}_{therapy}" in definitions]
            if terms:
                summed[name] = replace(d, kind="rule", expression=" + ".join(terms))
    return summed


def _input(hold: Hold, level: Level, known: Definition | None, library: Library) -> Definition:
    outer = known or next((d for f in library.fragments.values() for d in f.definitions if d.name == hold.name), None)
    by = f" as {hold.fragment} sees it" if hold.fragment else ""
    how = (
        "held at the course of the healthy self"
        if hold.way == "healthy"
        else "held, set from outside"
        if hold.way == "path"
        else "held at a value"
    )
    meaning = f"{outer.meaning if outer else hold.name}{by}; {how}"
    place = outer.place if outer else Place("held")
    owner = outer.fragment if outer and not hold.fragment else hold.fragment
    return Definition(hold.inner, "constant", repr(level.value), level.unit, meaning, "definition", "none", "input", "", place, None, owner)


def _used(definitions: Iterable[Definition], fragments: Iterable[Fragment], holds: Sequence[Hold]) -> dict[str, tuple[str, ...]]:
    """Every name that equations and reactions read, with the fragments that read it."""
    users: dict[str, dict[str, None]] = {}
    for d in definitions:
        for text in (d.expression, d.rate or ""):
            for name in names_in(text) if d.kind in ("rule", "reaction", "state") else ():
                users.setdefault(name, {})[d.fragment] = None
    for f in fragments:
        for need in set(f.needs) - {h.name for h in holds if h.fragment in ("", f.name)}:
            if any(re.search(rf"\b{need}\b", s) for _, s in f.statements if "species" in s or "->" in s or "=>" in s):
                users.setdefault(need, {})[f.name] = None
    return {name: tuple(f) for name, f in users.items()}
