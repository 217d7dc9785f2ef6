"""Checks across library files that need no assembled model: names, roles, units, sources, claims."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ghaxis import units
from ghaxis.errors import InputError, Mistake, Place, UnitError, nearest
from ghaxis.reading import arithmetic
from ghaxis.reading.document import mistake
from ghaxis.reading.records import ConditionRecord, Definition, Library, StudyRecord
from ghaxis.reading.sources import is_free, keys_of, known, read_claims, read_sources
from ghaxis.reading.states import parse_state

BODY = ("age", "female", "BMI", "weight", "height")  # what every formula of a condition may read
NOTHING = ("nothing", "then")
PRINTED = ("sex", "age", "bmi", "weight", "height", "note")  # characteristics of a group that are no names of the model


def check_library(library: Library) -> list[Mistake]:
    """All mistakes between the files of a library. Mistakes within one file are found when it is read and stand in `library.mistakes`."""
    book = _Book(library)
    found = [*_conditions(book), *_days(book), *_interventions(book), *_measures(book), *_definitions(book), *_sources(book)]
    for study in library.studies.values():
        found += _study(study, book)
    return found


def check_study(study: StudyRecord, library: Library) -> list[Mistake]:
    """Mistakes of one study against the names of a library."""
    return list(_study(study, _Book(library)))


@dataclass(frozen=True)
class _Book:
    """A library with the look-ups that checks share."""

    library: Library

    @cached_property
    def definitions(self) -> dict[str, Definition]:
        parts = [*self.library.fragments.values(), *(t.fragment for t in self.library.therapies.values())]
        return {d.name: d for part in reversed(parts) for d in part.definitions}

    @cached_property
    def lines(self) -> dict[str, list[str]]:
        return {}

    def with_role(self, *roles: str) -> list[str]:
        return [d.name for d in self.definitions.values() if d.role in roles]

    def unit(self, name: str) -> str | None:
        """Unit of a name as `units` reads it; None where the text declares none."""
        unit = self.definitions[name].unit
        return None if unit is None else units.readable(unit, self.library.units)

    def at(self, place: Place, key: str, whole: bool = False) -> Place:
        """The line of `key = ` in the table that begins at `place` (in the whole file where asked); the table's own where it has none."""
        if place.file not in self.lines:
            path = Path(self.library.root) / place.file
            self.lines[place.file] = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        rows = self.lines[place.file]
        wanted = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=")
        for i in range(0 if whole else place.line, len(rows)):
            if wanted.match(rows[i]):
                return Place(place.file, i + 1)
            if not whole and rows[i].lstrip().startswith("["):
                break
        return place

    def role_mistake(self, name: str, roles: tuple[str, ...], words: str, place: Place) -> Mistake | None:
        """A name that is unknown, or that has none of the roles."""
        good = self.with_role(*roles)
        if name in good:
            return None
        if name in self.definitions:
            found = self.definitions[name]
            return Mistake(place, f"'{name}' is {_called(found)}; only {words} may be set here", nearest(name, [g for g in good if g != name]))
        return Mistake(place, f"unknown name '{name}'; only {words} may be set here", nearest(name, good))


def _called(definition: Definition) -> str:
    return f"a {definition.kind}" + (f" with the role '{definition.role}'" if definition.role else " without a role")


def _conditions(book: _Book) -> Iterator[Mistake]:
    conditions = book.library.conditions
    every = {effect.name for record in conditions.values() for effect in record.effects} | set(book.with_role("descriptor"))
    for record in conditions.values():
        for other in record.excludes:
            if other == record.name or other not in conditions:
                what = "a condition cannot exclude itself" if other == record.name else f"excludes an unknown condition '{other}'"
                yield Mistake(book.at(record.place, "excludes"), what, nearest(other, [name for name in conditions if name != record.name]))
        yield from _effects(record, every, book)


def _effects(record: ConditionRecord, every: set[str], book: _Book) -> Iterator[Mistake]:
    readable = {*record.severities, *BODY, *every}
    for effect in record.effects:
        place = book.at(effect.place, "name")
        roles, words = (("cause",), "a cause") if effect.kind == "cause" else (("descriptor", "slow"), "a descriptor or a slow state")
        wrong = book.role_mistake(effect.name, roles, words, place) if effect.name else None
        if wrong:
            yield wrong
        elif effect.name:
            yield from _unit(effect.unit, book.unit(effect.name), effect.name, book.at(effect.place, "unit"))
        try:
            used = arithmetic.names(effect.value)
        except InputError:
            continue  # reported where the file was read
        for name in sorted(used - readable):
            yield Mistake(book.at(effect.place, "value"), f"unknown name '{name}' in '{effect.value}'", nearest(name, readable))


def _unit(given: str, wanted: str | None, name: str, place: Place) -> Iterator[Mistake]:
    if wanted is None or not given:
        return
    try:
        if not units.same(given, wanted):
            yield Mistake(place, f"'{given}' has not the dimension of {name}, which is in {wanted}")
    except UnitError:
        return  # an unreadable unit is reported where it stands


def _days(book: _Book) -> Iterator[Mistake]:
    for day in book.library.days.values():
        for habit in day.habits:
            if habit.input and (wrong := book.role_mistake(habit.input, ("input", "cause"), "an input", book.at(habit.place, "input"))):
                yield wrong
        for noise in day.noise:
            for name in noise.cvs:
                if wrong := book.role_mistake(name, ("input", "cause"), "an input", book.at(noise.place, "inputs")):
                    yield wrong


def _interventions(book: _Book) -> Iterator[Mistake]:
    for record in book.library.interventions.values():
        for name in record.inputs:
            if wrong := book.role_mistake(name, ("input", "cause"), "an input or a cause", book.at(record.place, name, whole=True)):
                yield wrong
        for window in record.windows:
            if window.input and (wrong := book.role_mistake(window.input, ("input", "cause"), "an input or a cause", book.at(window.place, "input"))):
                yield wrong


def _measures(book: _Book) -> Iterator[Mistake]:
    for record in book.library.measures.values():
        try:
            used = arithmetic.names(record.of)
        except InputError as error:
            yield mistake(book.at(record.place, "of"), error)
            continue
        unknown = sorted(used - set(book.definitions))
        for name in unknown:
            yield Mistake(book.at(record.place, "of"), f"unknown quantity '{name}'", nearest(name, book.definitions))


def _definitions(book: _Book) -> Iterator[Mistake]:
    parts = {**book.library.fragments, **{name: t.fragment for name, t in book.library.therapies.items()}}
    balanced: dict[str, Definition] = {}
    for part in parts.values():
        for definition in part.definitions:
            if definition.role in ("reference", "balances"):
                what = "reference of" if definition.role == "reference" else "balances"
                if not definition.role_of:
                    yield Mistake(definition.place, f"the role '{what}' of {definition.name} names nothing; write '{what} NAME'")
                elif definition.role_of not in book.definitions:
                    yield Mistake(definition.place, f"'{what} {definition.role_of}': unknown name '{definition.role_of}'", nearest(definition.role_of, book.definitions))
                elif definition.role == "balances":
                    first = balanced.setdefault(definition.role_of, definition)
                    if first is not definition:
                        yield Mistake(definition.place, f"{definition.role_of} is already balanced by {first.name} ({first.place})")
            yield from _spread(definition, book)


def _spread(definition: Definition, book: _Book) -> Iterator[Mistake]:
    kind, _, rest = definition.spread.strip().partition(" ")
    if kind != "sd":
        return
    unit = None if definition.unit is None else units.readable(definition.unit, book.library.units)
    if unit is None:
        return
    try:
        units.number(rest, unit, f"spread of {definition.name}")
    except (InputError, UnitError) as error:
        yield mistake(definition.place, error)


def _sources(book: _Book) -> Iterator[Mistake]:
    library = book.library
    root = Path(library.root)
    index, found = read_sources(root / "sources.toml", root)
    yield from found
    findings = [finding.id for study in library.studies.values() for finding in study.findings]
    words = known(index, library.studies, findings)
    for place, source in _all_sources(book):
        if not source.strip():
            yield Mistake(place, "no source: name a study or finding, or write 'assumed: why', 'fitted: to what', 'textbook: which', 'definition'")
            continue
        for key in keys_of(source):
            if key not in words:
                hint = nearest(key.rstrip(":"), ("assumed", "fitted", "textbook", "definition")) if key.endswith(":") or " " not in source else None
                yield Mistake(place, f"the source '{key}' is no known study or finding", hint or nearest(key, words))
    for study in library.studies.values():
        source = index.get(study.key)
        if source and source.use and study.use in ("calibration", "validation") and study.use != source.use:
            yield Mistake(book.at(study.place, "use"), f"'{study.key}' is fixed as {source.use} and cannot be used for {study.use}", source.use)


def _all_sources(book: _Book) -> Iterator[tuple[Place, str]]:
    library = book.library
    parts = [*library.fragments.values(), *library.variants.values(), *(t.fragment for t in library.therapies.values())]
    for part in parts:
        for definition in part.definitions:
            if definition.kind == "constant" or definition.source:
                yield definition.place, definition.source
    for condition in library.conditions.values():
        for effect in condition.effects:
            yield book.at(effect.place, "source"), effect.source
    for day in library.days.values():
        for row in (*day.habits, *day.noise):
            yield book.at(row.place, "source"), row.source
    for record in library.interventions.values():
        yield book.at(record.place, "source"), record.source
        for window in record.windows:
            if window.source:
                yield book.at(window.place, "source"), window.source
    for measure in library.measures.values():
        yield book.at(measure.place, "source"), measure.source


def _study(study: StudyRecord, book: _Book) -> Iterator[Mistake]:
    library = book.library
    if study.setting == "people":
        for group in study.people.values():
            if group.state:
                try:
                    parse_state(group.state, library)
                except (InputError, UnitError) as error:
                    yield mistake(book.at(group.place, "state"), error)
            for name in group.given:
                if name not in PRINTED and name not in book.definitions and name not in library.measures:
                    yield Mistake(book.at(group.place, name), f"unknown characteristic '{name}'", nearest(name, [*PRINTED, *library.measures, *book.definitions]))
    for arm in study.arms.values():
        for word in first_words(arm.do):
            if word not in (good := _acts(study, book)):
                yield Mistake(book.at(arm.place, "do"), f"unknown therapy or intervention '{word}'", nearest(word, good))
        if arm.day not in library.days:
            yield Mistake(book.at(arm.place, "day"), f"unknown day '{arm.day}'", nearest(arm.day, library.days))
    for name in study.parts:
        if name not in library.fragments and name not in library.variants:
            yield Mistake(book.at(study.place, "parts"), f"unknown part '{name}'", nearest(name, [*library.fragments, *library.variants]))
    for name in _held(study.hold):
        if name not in book.definitions:
            yield Mistake(book.at(study.place, "hold"), f"unknown name '{name}' in hold", nearest(name, book.definitions))
    claims, found = read_claims(Path(library.root) / "claims.toml", Path(library.root))
    yield from found
    for finding in study.findings:
        if finding.claim and finding.claim not in claims:
            yield Mistake(book.at(finding.place, "claim"), f"unknown claim '{finding.claim}'", nearest(finding.claim, claims))
        if finding.id and not finding.id.startswith(f"{study.key}_") and finding.id not in _collected(study, library):
            yield Mistake(book.at(finding.place, "id"), f"finding id '{finding.id}' does not begin with its study's key", f"{study.key}_{finding.id}")


def _collected(study: StudyRecord, library: Library) -> tuple[str, ...]:
    """Ids under which the index lists findings of this study: they keep their old names."""
    sources, _ = read_sources(Path(library.root) / "sources.toml", Path(library.root))
    return sources[study.key].findings if study.key in sources else ()


def _held(hold: Mapping[str, object]) -> Iterable[str]:
    for name, value in hold.items():
        if isinstance(value, Mapping):
            yield from value
        else:
            yield name


def _acts(study: StudyRecord, book: _Book) -> list[str]:
    words = [*NOTHING, *book.library.therapies, *book.library.interventions]
    return [*words, *book.definitions] if study.setting != "people" else words


def first_words(protocol: str) -> list[str]:
    """The word that says what is given in each act of a protocol text."""
    acts = re.split(r"[;\n]|\bthen\b", protocol)
    return [match[0] for act in acts if (match := re.match(r"[A-Za-z_]\w*", act.strip()))]


__all__ = ["check_library", "check_study", "first_words", "is_free"]
