"""Numbers of the model's text: arithmetic over names that are plain numbers ("log(2) / k_BP3"), with its unit and its sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ghaxis.errors import InputError, nearest
from ghaxis.reading import arithmetic
from ghaxis.reading.book import Book
from ghaxis.reading.records import Definition, Place


@dataclass(frozen=True)
class Number:
    """What the text says: a value in `unit` ("1/h"), and the keys of the studies that the sources of its names name."""

    value: float
    unit: str
    studies: frozenset[str]


def number_of(text: str, book: Book, definitions: Mapping[str, Definition] | None = None) -> Number:
    """The value of arithmetic over the text's numbers, those of therapies included; `definitions` go before those of the book.

    Raises InputError for a name that is unknown (the nearest is named) or no plain number (a state, a rule over others), for terms that
    do not fit in unit, and where no finite number results.
    """
    values: dict[str, float] = {}
    studies: set[str] = set()
    for name in sorted(arithmetic.names(text)):
        definition = (definitions or {}).get(name) or book.definitions.get(name)
        if definition is None:
            hint = nearest(name, book.definitions)
            raise InputError(f"'{text}': unknown name '{name}'" + (f"; did you mean '{hint}'?" if hint else ""))
        values[name] = _plain(definition, text)
        studies |= book.studies_of(definition.source)
    unit, mistakes = book.unit_of(text, Place(""))
    if mistakes:
        raise InputError(mistakes[0].what)
    if unit is None:
        raise InputError(f"'{text}': its unit cannot be known; only + - * / **, log, exp and sqrt may stand in it")
    return Number(arithmetic.evaluate(text, values), unit, frozenset(studies))


def _plain(definition: Definition, text: str) -> float:
    if definition.kind in ("constant", "compartment", "rule"):
        try:
            return arithmetic.evaluate(definition.expression, {})
        except InputError:
            pass
    kind = "is no plain number" if definition.kind == "constant" else f"is a {definition.kind}, no plain number: only a run has its value"
    raise InputError(f"'{text}': {definition.name} {kind}")
