"""A library with the look-ups that checks across files share: definitions, roles, units, the line of a key."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ghaxis import units
from ghaxis.errors import Mistake, Place, UnitError, nearest
from ghaxis.reading.dialect import names_in, species_of
from ghaxis.reading.dimensions import Units
from ghaxis.reading.inference import Inferred, infer, unit_of
from ghaxis.reading.records import Definition, Fragment, Library
from ghaxis.reading.sources import Source, homes, read_claims, read_sources

BUILD = ("BMI", "weight")


@dataclass(frozen=True)
class Book:
    """A library opened for checking."""

    library: Library

    @cached_property
    def parts(self) -> tuple[Fragment, ...]:
        """Fragments and those of therapies: what may stand in one model together."""
        return (*self.library.fragments.values(), *(t.fragment for t in self.library.therapies.values()))

    @cached_property
    def definitions(self) -> dict[str, Definition]:
        """Every name of the model; the first definition counts where there are two."""
        return {d.name: d for part in reversed(self.parts) for d in reversed(part.definitions)}

    @cached_property
    def _unit_ids(self) -> Units:
        return Units.read(self.library.units)

    @cached_property
    def _inferred(self) -> Inferred:
        species = {name: kind for part in self.parts for name, kind in species_of(part).items()}
        return infer(list(self.definitions.values()), species, self._unit_ids)

    def units_with(self, variant: Fragment, original: Fragment) -> tuple[dict[str, str], tuple[Mistake, ...]]:
        """`units` where a variant stands in for a fragment, and what does not fit there."""
        parts = [*(part for part in self.parts if part is not original), variant]
        species = {name: kind for part in parts for name, kind in species_of(part).items()}
        inferred = infer([d for part in parts for d in part.definitions], species, self._unit_ids)
        return {name: self._unit_ids.text(unit) for name, unit in inferred.units.items()}, inferred.mistakes

    @property
    def unit_mistakes(self) -> tuple[Mistake, ...]:
        """Sides of rules, rates and sums that differ in unit, and unknown units."""
        return self._inferred.mistakes

    @cached_property
    def units(self) -> dict[str, str]:
        """Unit of every name in common words that `ghaxis.units` reads ("ng/L"): declared, or derived for rules where their terms agree."""
        return {name: self._unit_ids.text(unit) for name, unit in self._inferred.units.items()}

    def unit_of(self, expression: str, place: Place) -> tuple[str | None, tuple[Mistake, ...]]:
        """Unit of an expression over names of the text in common words (None where it cannot be known), and what does not fit in it."""
        unit, mistakes = unit_of(expression, self._inferred.units, self._unit_ids, place)
        return None if unit is None else self._unit_ids.text(unit), mistakes

    @cached_property
    def _sources(self) -> tuple[dict[str, Source], list[Mistake]]:
        root = Path(self.library.root)
        return read_sources(root / "sources.toml", root)

    @cached_property
    def _claims(self) -> tuple[dict[str, str], list[Mistake]]:
        root = Path(self.library.root)
        return read_claims(root / "claims.toml", root)

    @property
    def sources(self) -> dict[str, Source]:
        """The index of studies."""
        return self._sources[0]

    @cached_property
    def homes(self) -> dict[str, str]:
        """The study behind every word that a source field may name."""
        return homes(self.library, self.sources)

    def studies_of(self, source: str) -> frozenset[str]:
        """The studies that a source field names anywhere, be it in the reason of an assumption."""
        return frozenset(self.homes[word] for word in re.findall(r"\w+", source) if word in self.homes)

    @property
    def claims(self) -> dict[str, str]:
        """The index of claims."""
        return self._claims[0]

    @property
    def index_mistakes(self) -> list[Mistake]:
        """What is wrong in the two indices themselves."""
        return [*self._sources[1], *self._claims[1]]

    @cached_property
    def _lines(self) -> dict[str, list[str]]:
        return {}

    def with_role(self, *roles: str) -> list[str]:
        """The names that have one of the roles."""
        return [d.name for d in self.definitions.values() if d.role in roles]

    def _rows(self, file: str) -> list[str]:
        if file not in self._lines:
            paths = [path for path in (Path(self.library.root) / file, Path(file)) if path.is_file()]
            self._lines[file] = paths[0].read_text(encoding="utf-8").splitlines() if paths else []
        return self._lines[file]

    def at(self, place: Place, key: str, whole: bool = False) -> Place:
        """The line of `key = ` in the table that begins at `place` (in the whole file where asked); `place` itself where it has none."""
        rows = self._rows(place.file)
        wanted = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=")
        for i in range(0 if whole else place.line, len(rows)):
            if wanted.match(rows[i]):
                return Place(place.file, i + 1)
            if not whole and rows[i].lstrip().startswith("["):
                break
        return place

    def line_with(self, place: Place, start: str, word: str) -> Place:
        """The first line of a file that begins with `start` and holds the word; the file's `place` where none does."""
        wanted = re.compile(rf"{re.escape(start)}.*(?<!\w){re.escape(word)}(?!\w)" if word else re.escape(start))
        return next((Place(place.file, i) for i, row in enumerate(self._rows(place.file), 1) if wanted.match(row)), place)

    @cached_property
    def descriptors(self) -> tuple[str, ...]:
        """What a condition may say that a person measures: descriptors, slow states, the build, and rules that rest on one slow state and
        constants alone (the fat share of the liver)."""
        slow = self.with_role("slow")
        rules = {d.name: set(names_in(d.expression)) for d in self.definitions.values() if d.kind == "rule"}

        def rests_on(name: str, seen: frozenset[str]) -> set[str]:
            """The states behind a rule."""
            moving = {n for n in rules[name] - rules.keys() if n in self.definitions and self.definitions[n].kind != "constant"}
            return moving.union(*(rests_on(n, seen | {name}) for n in (rules[name] & rules.keys()) - seen - {name}))

        shares = (
            name
            for name in rules
            if name in BUILD or ((states := rests_on(name, frozenset())) and len(states) == 1 and states <= set(slow))
        )
        return (*self.with_role("descriptor"), *slow, *shares)


def unlisted(book: Book, name: str, good: Collection[str], words: str, place: Place) -> Iterator[Mistake]:
    """A mistake if the name is none of the `good` ones; `words` say what is wanted."""
    if not name or name in good:
        return
    if name in book.definitions:
        found = book.definitions[name]
        called = f"a {found.kind}" + (f" with the role '{found.role}'" if found.role else " without a role")
        yield Mistake(place, f"'{name}' is {called}; only {words} can be set here", nearest(name, [g for g in good if g != name]))
    else:
        yield Mistake(place, f"unknown name '{name}'; only {words} can be set here", nearest(name, good))


def wrong_dimension(book: Book, given: str, name: str, place: Place) -> Iterator[Mistake]:
    """A mistake if the unit has not the dimension of the name; an unreadable unit is reported where the file is read."""
    wanted = book.units.get(name)
    if wanted is None or not given:
        return
    try:
        if not units.same(units.readable(given, book.library.units), wanted):
            yield Mistake(place, f"'{given}' has not the dimension of {name}, which is in {wanted}", wanted)
    except UnitError:
        return
