"""Checks across library files that need no assembled model: names, roles, units, measures, sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from ghaxis import units
from ghaxis.errors import InputError, Mistake, Place, UnitError, nearest
from ghaxis.reading import arithmetic
from ghaxis.reading.book import Book, unlisted, wrong_dimension
from ghaxis.reading.document import mistake
from ghaxis.reading.fragment_checks import fragment_mistakes
from ghaxis.reading.misfits import read_misfits, words_of
from ghaxis.reading.records import ConditionRecord, Definition, Effect, Library, MeasureRecord, StudyRecord
from ghaxis.reading.sources import FREE, keys_of, known_words
from ghaxis.reading.study_checks import study_mistakes
from ghaxis.reading.tables import severity_number

BODY = ("age", "female", "BMI", "weight", "height")  # what every formula of a condition may read

# The unit of what each reading of `ghaxis.measure` returns, over the quantity it reads ({of}) and those that its options name.
READINGS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("level", "mean", "peak", "nadir", "increment", "pulse_amplitude", "valley"), "{of}"),
        **dict.fromkeys(("deconvolved_mass", "deconvolved_pulsatile"), "{of}"),
        **dict.fromkeys(("time_of_peak", "decay", "pulse_decay", "turnover", "deconvolved_half_life"), "hour"),
        **dict.fromkeys(("pulse_count", "interpulse_cv", "valley_share", "onset_share", "entropy", "homa", "score"), "dimensionless"),
        **dict.fromkeys(("burst_count", "deconvolved_count"), "dimensionless"),
        "area": "({of})*hour",
        "decay_rate": "1/hour",
        "deconvolved_basal": "({of})/hour",
        "secretion": "({of})/({volume})",
        "burst_mass": "({of})*hour/({volume})",
        "ratio": "({of})/({over})",
        "clearance": "(({of})/({over}))/({per})",
    }
)
QUANTITY_OPTIONS = ("volume", "release", "insulin", "onset", "over", "per", "age", "female")  # options of a measure that name a quantity


def check_library(library: Library) -> list[Mistake]:
    """All mistakes between the files of a library. Mistakes within one file are found when it is read and stand in `library.mistakes`."""
    book = Book(library)
    found = [
        *book.index_mistakes,
        *_conditions(book),
        *_days(book),
        *_interventions(book),
        *_measures(book),
        *fragment_mistakes(book),
        *_sources(book),
        *_misfits(book),
    ]
    for study in library.studies.values():
        found += study_mistakes(study, book)
    return found


def check_study(study: StudyRecord, library: Library) -> list[Mistake]:
    """Mistakes of one study against the names of a library."""
    return list(study_mistakes(study, Book(library)))


# --- conditions, days, interventions


def _conditions(book: Book) -> Iterator[Mistake]:
    conditions = book.library.conditions
    every = {effect.name for record in conditions.values() for effect in record.effects} | set(book.with_role("descriptor", "slow"))
    for record in conditions.values():
        for other in record.excludes:
            if other == record.name or other not in conditions:
                what = "a condition cannot exclude itself" if other == record.name else f"excludes an unknown condition '{other}'"
                yield Mistake(book.at(record.place, "excludes"), what, nearest(other, [name for name in conditions if name != record.name]))
        used: set[str] = set()
        for effect in record.effects:
            yield from _effect(effect, {*record.severities, *BODY, *every}, book)
            used |= _names(effect.value)
        yield from _computed(record, book)
        for name in sorted(set(record.severities) - used):
            yield Mistake(record.severities[name].place, f"no effect reads the severity '{name}'", severity="warning")


def _names(text: str) -> frozenset[str]:
    """Names of a formula; none where it cannot be read (reported where the file is read)."""
    try:
        return arithmetic.names(text)
    except InputError:
        return frozenset()


def _effect(effect: Effect, readable: set[str], book: Book) -> Iterator[Mistake]:
    cause = effect.kind == "cause"
    good, words = (book.with_role("cause"), "a cause") if cause else (book.descriptors, "a descriptor or a slow state")
    yield from unlisted(book, effect.name, good, words, book.at(effect.place, "name"))
    if effect.operator == "times":
        if effect.unit not in ("", "dimensionless", "percent"):
            what = f"the operator 'times' multiplies {effect.name} by a pure number, not by '{effect.unit}'"
            yield Mistake(book.at(effect.place, "unit"), what, "dimensionless")
    elif effect.name in good:
        yield from wrong_dimension(book, effect.unit, effect.name, book.at(effect.place, "unit"))
    for name in sorted(_names(effect.value) - readable):
        yield Mistake(book.at(effect.place, "value"), f"unknown name '{name}' in '{effect.value}'", nearest(name, readable))


def _computed(record: ConditionRecord, book: Book) -> Iterator[Mistake]:
    """Every value must be a number at the default and at both ends of each severity, for a man and a woman of usual build."""
    usual = {name: _level(book.definitions[name]) for name in book.descriptors} | {"age": 40.0, "BMI": 25.0, "weight": 75.0, "height": 1.75}
    for effect in record.effects:
        reported = False
        for female in (0.0, 1.0):
            for severities in _corners(record):
                env = {**usual, "female": female, **severities}
                if reported or not _names(effect.value) <= env.keys():
                    continue
                try:
                    arithmetic.evaluate(effect.value, env)
                except InputError as error:
                    reported = True
                    yield mistake(book.at(effect.place, "value"), error)


def _level(definition: Definition) -> float:
    """The value that the text gives; 1 for a rule."""
    try:
        return float(definition.expression)
    except ValueError:
        return 1.0


def _corners(record: ConditionRecord) -> Iterator[dict[str, float]]:
    """Severities at their defaults, and each in turn at its ends."""
    try:
        usual = {name: severity_number(severity, severity.default) for name, severity in record.severities.items()}
    except (InputError, UnitError):
        return  # reported where the file is read
    yield usual
    for name, severity in record.severities.items():
        for end in (*severity.levels.values(), severity.low, severity.high):
            if end is not None:
                yield {**usual, name: end}


def _days(book: Book) -> Iterator[Mistake]:
    inputs = book.with_role("input", "cause")
    for day in book.library.days.values():
        for habit in day.habits:
            yield from unlisted(book, habit.input, inputs, "an input", book.at(habit.place, "input"))
        for noise in day.noise:
            for name in noise.cvs:
                yield from unlisted(book, name, inputs, "an input", book.at(noise.place, "inputs"))


def _interventions(book: Book) -> Iterator[Mistake]:
    inputs = book.with_role("input", "cause")
    for record in book.library.interventions.values():
        for name in record.inputs:
            yield from unlisted(book, name, inputs, "an input or a cause", book.at(record.place, name, whole=True))
        for window in record.windows:
            yield from unlisted(book, window.input, inputs, "an input or a cause", book.at(window.place, "input"))


# --- measures


def _measures(book: Book) -> Iterator[Mistake]:
    for record in book.library.measures.values():
        found = [*_quantities(record, book)]
        yield from found
        if record.reads not in READINGS:
            yield Mistake(book.at(record.place, "reads"), f"unknown reading '{record.reads}'", nearest(record.reads, READINGS))
        elif not found and record.unit:
            yield from _measured_unit(record, book)


def _quantities(record: MeasureRecord, book: Book) -> Iterator[Mistake]:
    try:
        read = {"of": sorted(arithmetic.names(record.of))}
    except InputError as error:
        yield mistake(book.at(record.place, "of"), error)
        read = {}
    read |= {key: [str(record.options[key])] for key in QUANTITY_OPTIONS if key in record.options}
    for key, names in read.items():
        for name in names:
            if name not in book.definitions:
                yield Mistake(book.at(record.place, key), f"unknown quantity '{name}'", nearest(name, book.definitions))


def _measured_unit(record: MeasureRecord, book: Book) -> Iterator[Mistake]:
    """The unit of what is read must be the measure's, directly or over the bridge."""
    of = {book.units[name] for name in arithmetic.names(record.of) if name in book.units}
    other = {key: book.units[name] for key in QUANTITY_OPTIONS if (name := str(record.options.get(key))) in book.units}
    try:
        if not of:
            return
        first = sorted(of)[0]
        if any(not units.same(first, unit) for unit in of):
            yield Mistake(book.at(record.place, "of"), f"'{record.of}' adds quantities of different dimension: {', '.join(sorted(of))}")
            return
        unit = READINGS[record.reads].format(of=first, **other)
        ways = [unit]
        if "bridge" in record.options:
            bridge = units.split(str(record.options["bridge"]))[1]
            ways += [f"({unit})*({bridge})", f"({unit})/({bridge})"]
        if record.reads != "homa" and not any(units.same(way, record.unit) for way in ways):
            shown = unit
            yield Mistake(
                book.at(record.place, "unit"), f"'{record.unit}' is not the dimension of what {record.reads} reads of {record.of}", shown
            )
    except KeyError as error:
        yield Mistake(record.place, f"the reading '{record.reads}' needs the key {error}")
    except (InputError, UnitError) as error:
        yield mistake(record.place, error)


# --- sources


def _sources(book: Book) -> Iterator[Mistake]:
    words = known_words(book.library, book.sources)
    kept = {key for key, source in book.sources.items() if source.use == "validation"}
    kept |= {study.key for study in book.library.studies.values() if study.use == "validation"}
    for place, source in all_sources(book):
        if not source.strip():
            yield Mistake(
                place, "no source: name a study or finding, or write 'assumed: why', 'fitted: to what', 'textbook: which', 'definition'"
            )
            continue
        first = re.match(r"\s*(\w+)\s*:", source)
        for key in keys_of(source):
            if key not in words:
                hint = nearest(key.rstrip(":"), FREE) if first and key.rstrip(":") == first[1] else None
                yield Mistake(place, f"the source '{key.rstrip(':')}' is no known study or finding", hint or nearest(key, words))
        for key in sorted(book.studies_of(source) & kept):
            yield Mistake(place, f"the study '{key}' is kept for validation: no number of the library may rest on it")
    for study in book.library.studies.values():
        fixed = book.sources[study.key].use if study.key in book.sources else ""
        if not fixed and study.use in ("calibration", "validation"):
            what = f"'{study.key}' is not in the index of studies; a study that was added later is 'extra'"
            yield Mistake(book.at(study.place, "use"), what, "extra", "warning")
        if fixed and study.use in ("calibration", "validation") and study.use != fixed:
            yield Mistake(book.at(study.place, "use"), f"'{study.key}' is fixed as {fixed} and cannot be used for {study.use}", fixed)


def _misfits(book: Book) -> Iterator[Mistake]:
    root = Path(book.library.root)
    misfits, found = read_misfits(root / "misfits.toml", root)
    yield from found
    words = set(words_of(book.library))
    for misfit in misfits.values():
        for word in misfit.of:
            if word not in words:
                yield Mistake(book.at(misfit.place, "of"), f"'{word}' is no study or finding of the library", nearest(word, words))
        if not misfit.of:
            yield Mistake(misfit.place, "a misfit names the findings or studies that show it: of = [...]")


def all_sources(book: Book) -> Iterator[tuple[Place, str]]:
    """Every source field of a library, with its place. (A constant without one is reported where its file is read.)"""
    library = book.library
    for part in (*book.parts, *library.variants.values()):
        for definition in part.definitions:
            if definition.source:
                yield definition.place, definition.source
    for condition in library.conditions.values():
        for effect in condition.effects:
            if effect.source:
                yield book.at(effect.place, "source"), effect.source
    for day in library.days.values():
        for place, source in [(row.place, row.source) for row in day.habits] + [(row.place, row.source) for row in day.noise]:
            if source:
                yield book.at(place, "source"), source
    for record in library.interventions.values():
        yield book.at(record.place, "source"), record.source
        for window in record.windows:
            if window.source:
                yield book.at(window.place, "source"), window.source
    for measure in library.measures.values():
        yield book.at(measure.place, "source"), measure.source
