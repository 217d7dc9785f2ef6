"""The one way to say a person's state: `masld(steatosis = 20 percent, fibrosis = 2) + t2d`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ghaxis import units
from ghaxis.errors import DomainError, InputError, UnitError, nearest
from ghaxis.reading.records import ConditionRecord, Library
from ghaxis.reading.tables import severity_number

_ONE = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\(([^()]*)\))?\s*")


@dataclass(frozen=True)
class ParsedCondition:
    """A condition with a number for each severity (percent as a fraction of 1); `onset` is the duration since which it acts, or None."""

    record: ConditionRecord
    severities: Mapping[str, float]
    onset: str | None = None


def parse_state(text: str, library: Library) -> tuple[ParsedCondition, ...]:
    """Conditions of a state text, in its order, severities left out at their default.

    Raises InputError for text that is no state, an unknown condition or severity (nearest is named), a value outside its range;
    UnitError for a wrong unit; DomainError for two conditions that contradict.
    """
    parsed: list[ParsedCondition] = []
    for part in _split(text, "+"):
        match = _ONE.fullmatch(part)
        if not match:
            raise InputError(f"'{text}' is not a state; write it like 'masld(steatosis = 20 percent, fibrosis = 2) + t2d'")
        name = match[1]
        if name not in library.conditions:
            raise InputError(f"unknown condition '{name}' in '{text}'" + _hint(name, library.conditions))
        if any(one.record.name == name for one in parsed):
            raise InputError(f"condition '{name}' stands twice in '{text}'")
        parsed.append(_condition(library.conditions[name], match[2], text))
    for i, one in enumerate(parsed):
        for other in parsed[i + 1 :]:
            if other.record.name in one.record.excludes or one.record.name in other.record.excludes:
                raise DomainError(f"'{one.record.name}' and '{other.record.name}' contradict each other")
    return tuple(parsed)


def _split(text: str, mark: str) -> list[str]:
    """Parts between marks that stand outside parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == mark and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _condition(record: ConditionRecord, inner: str | None, text: str) -> ParsedCondition:
    given: dict[str, str] = {}
    onset: str | None = None
    for part in inner.split(",") if inner and inner.strip() else ():
        name, sign, value = (word.strip() for word in part.partition("="))
        if not sign or not name or not value:
            raise InputError(f"'{part.strip()}' in '{text}': write a severity like '{_example(record)}'")
        if name in given or (name == "onset" and onset is not None):
            raise InputError(f"'{name}' stands twice in '{record.name}({inner})'")
        if name == "onset" and name not in record.severities:
            units.hours(value, "onset")
            onset = value
            continue
        if name not in record.severities:
            raise InputError(
                f"'{record.name}' has no severity '{name}'" + (_hint(name, [*record.severities, "onset"]) or _list(record.severities))
            )
        given[name] = value
    numbers: dict[str, float] = {}
    for name, severity in record.severities.items():
        try:
            numbers[name] = severity_number(severity, given.get(name, severity.default))
        except (InputError, UnitError) as error:
            raise type(error)(f"{record.name}: {error}") from None
    return ParsedCondition(record, numbers, onset)


def _example(record: ConditionRecord) -> str:
    return next((f"{s.name} = {s.default}" for s in record.severities.values()), "onset = 4 weeks")


def _list(known: Iterable[str]) -> str:
    words = ", ".join(known)
    return f"; it has {words}" if words else "; it has none"


def _hint(word: str, known: Iterable[str]) -> str:
    close = nearest(word, known)
    return f"; did you mean '{close}'?" if close else ""
