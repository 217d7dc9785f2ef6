"""Checks of a study against the library: its states, days, parts, claims and ids. What its arms do is judged by who reads it,
`ghaxis.treatment`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ghaxis import units
from ghaxis.errors import InputError, Mistake, UnitError, nearest
from ghaxis.reading.book import Book
from ghaxis.reading.document import mistake
from ghaxis.reading.numbers import number_of
from ghaxis.reading.records import FindingRecord, PeopleRecord, StudyRecord
from ghaxis.reading.states import parse_state

PRINTED = ("sex", "age", "bmi", "weight", "height", "note")  # characteristics of a group that are no names of the model


def study_mistakes(study: StudyRecord, book: Book) -> Iterator[Mistake]:
    """Everything in a study that the library does not know."""
    if not study.parts:
        for group in study.people.values():
            yield from _group(group, book)
    yield from _arms(study, book)
    library = book.library
    for name in study.parts:
        if name not in library.fragments and name not in library.variants:
            yield Mistake(book.at(study.place, "parts"), f"unknown part '{name}'", nearest(name, [*library.fragments, *library.variants]))
    for name in _held(study.hold):
        if name not in book.definitions and name not in library.fragments:
            yield Mistake(book.at(study.place, "hold"), f"unknown name '{name}' in hold", nearest(name, book.definitions))
    collected = book.sources[study.key].findings if study.key in book.sources else ()
    for finding in study.findings:
        if finding.claim and finding.claim not in book.claims:
            yield Mistake(book.at(finding.place, "claim"), f"unknown claim '{finding.claim}'", nearest(finding.claim, book.claims))
        if finding.number:
            yield from _number(finding, book)
        if finding.id and not finding.id.startswith(f"{study.key}_") and finding.id not in collected:
            what = f"finding id '{finding.id}' does not begin with its study's key"
            yield Mistake(book.at(finding.place, "id"), what, f"{study.key}_{finding.id}")


def _number(finding: FindingRecord, book: Book) -> Iterator[Mistake]:
    """The names of a constant's arithmetic, and the dimension of what was printed of it."""
    try:
        unit = number_of(finding.number, book).unit
    except InputError as error:
        yield mistake(book.at(finding.place, "number"), error)
        return
    rows = [(key, text) for key in ("value", "low", "high") if (text := getattr(finding, key)) is not None]
    rows += [("spread", end) for key, text in finding.spread.items() if key != "cv" for end in text.split(" to ")]
    for key, text in rows:
        try:
            units.number(text, unit, key)
        except (InputError, UnitError) as error:
            yield mistake(book.at(finding.place, key), f"{error}, and '{finding.number}' is in {unit}")


def _group(group: PeopleRecord, book: Book) -> Iterator[Mistake]:
    if group.state:
        try:
            parse_state(group.state, book.library)
        except (InputError, UnitError) as error:
            yield mistake(book.at(group.place, "state"), error)
    measures = book.library.measures
    for name, value in group.given.items():
        place = book.at(group.place, name)
        if name in PRINTED:
            continue
        if name not in book.definitions and name not in measures:
            yield Mistake(place, f"unknown characteristic '{name}'", nearest(name, [*PRINTED, *measures, *book.definitions]))
            continue
        unit = measures[name].unit if name in measures else book.units.get(name)
        for text in value.values() if isinstance(value, Mapping) else (value,):
            try:
                if unit is not None:
                    units.number(text, unit, name)
            except (InputError, UnitError) as error:
                yield mistake(place, error)


def _arms(study: StudyRecord, book: Book) -> Iterator[Mistake]:
    library = book.library
    for arm in study.arms.values():
        if arm.day not in library.days:
            yield Mistake(book.at(arm.place, "day"), f"unknown day '{arm.day}'", nearest(arm.day, library.days))


def _held(hold: Mapping[str, object]) -> Iterator[str]:
    for name, value in hold.items():
        if isinstance(value, Mapping):
            yield from value
        else:
            yield name
