"""A TOML file with the line of every key: values from tomllib, lines from a small scanner, mistakes collected as they are found."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ghaxis import units
from ghaxis.errors import InputError, Mistake, Place, UnitError, nearest

Steps = tuple[str | int, ...]
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'))*)\s*""")
_HEADER = re.compile(r"\s*(\[\[?)([^\[\]\n]+)(\]\]?)")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"""' r"|'''.*?'''" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'", re.DOTALL)


def _split_key(text: str) -> list[str]:
    return [part.strip().strip("\"'") for part in re.findall(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""", text)]


def lines_of(text: str) -> dict[Steps, int]:
    """Line (first = 1) of every table, key and array element of a TOML text that tomllib accepts; keys of inline tables are not listed."""
    found: dict[Steps, int] = {}
    counts: dict[Steps, int] = {}
    table: Steps = ()
    at = 0

    def resolve(parts: list[str]) -> Steps:
        steps: Steps = ()
        for part in parts:
            steps += (part,)
            if steps in counts:
                steps += (counts[steps] - 1,)
        return steps

    while at < len(text):
        line = text.count("\n", 0, at) + 1
        if text[at] in " \t\r\n":
            at += 1
        elif text[at] == "#":
            at = _line_end(text, at)
        elif header := _HEADER.match(text, at):
            parts = _split_key(header[2])
            if header[1] == "[[":
                steps = (*resolve(parts[:-1]), parts[-1])
                counts[steps] = counts.get(steps, 0) + 1
                found.setdefault(steps, line)
                table = (*steps, counts[steps] - 1)
            else:
                table = resolve(parts)
            found[table] = line
            for i in range(1, len(table)):  # tables that are never opened by themselves begin here
                found.setdefault(table[:i], line)
            at = header.end()
        elif key := _KEY.match(text, at):
            steps = (*table, *_split_key(key[1]))
            for i in range(len(table) + 1, len(steps) + 1):
                found.setdefault(steps[:i], line)
            at = _value_end(text, text.index("=", key.end()) + 1, steps, found)
        else:
            at += 1
    return found


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _value_end(text: str, at: int, steps: Steps, found: dict[Steps, int]) -> int:
    """Where the value ends; notes the line of each element of an array on the way."""
    depth, element, fresh = 0, 0, False
    while at < len(text):
        letter = text[at]
        if letter == "#":
            at = _line_end(text, at)
            continue
        if letter not in " \t\r\n," and fresh and depth == 1 and letter != "]":
            found[(*steps, element)] = text.count("\n", 0, at) + 1
            fresh = False
        if string := _STRING.match(text, at):
            at = string.end()
            continue
        if letter in "[{":
            depth += 1
            fresh = fresh or (depth == 1 and letter == "[")
        elif letter in "]}":
            depth -= 1
        elif letter == "," and depth == 1:
            element, fresh = element + 1, True
        elif letter == "\n" and depth == 0:
            return at
        at += 1
    return at


_HINT = re.compile(r"[;,]? ?did you mean '([^']*)'\?$")


def mistake(place: Place, error: Exception | str, near: str | None = None) -> Mistake:
    """A mistake at a place; a "did you mean" at the end of an error's text becomes its nearest word."""
    text = str(error)
    hint = _HINT.search(text)
    return Mistake(place, text[: hint.start()] if hint else text, hint[1] if hint else near)


def name_of(path: Path, root: Path | None) -> str:
    """The file as the user knows it: relative to the library's root where it lies in it."""
    if root is not None and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return str(path)


def unreadable(file: str, error: OSError | UnicodeDecodeError) -> Mistake:
    """The mistake of a file that is not there, may not be opened, or is no UTF-8 text."""
    why = error.strerror or "no such file" if isinstance(error, OSError) else "it is not UTF-8 text"
    return Mistake(Place(file), f"cannot be read: {why[0].lower()}{why[1:]}")


@dataclass(frozen=True)
class Document:
    """One file: its values, the line of each, and the mistakes found so far (`values` is empty where the text is not TOML)."""

    path: Path
    file: str
    values: Mapping[str, Any]
    lines: Mapping[Steps, int]
    mistakes: list[Mistake] = field(default_factory=list)

    @staticmethod
    def read(path: Path, root: Path | None) -> Document:
        """Read a file; what cannot be read is a mistake in the document."""
        file = name_of(path, root)
        try:
            text = path.read_text(encoding="utf-8")
            return Document(path, file, tomllib.loads(text), lines_of(text))
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"\(at line (\d+), column \d+\)", str(error))
            what = "not TOML: " + re.sub(r"\s*\(at .*\)", "", str(error))
            return Document(path, file, {}, {}, [Mistake(Place(file, int(at[1]) if at else text.count("\n") + 1), what)])
        except (OSError, UnicodeDecodeError) as error:
            return Document(path, file, {}, {}, [unreadable(file, error)])

    def place(self, steps: Steps) -> Place:
        """Where a value stands; its nearest surrounding table where the text has no such key."""
        while steps and steps not in self.lines:
            steps = steps[:-1]
        return Place(self.file, self.lines.get(steps, 0))

    def report(self, steps: Steps, error: Exception | str, near: str | None = None) -> None:
        """Note a mistake."""
        self.mistakes.append(mistake(self.place(steps), error, near))

    @property
    def top(self) -> Table:
        """The whole file as a table."""
        return Table(self, (), self.values)


_MISSING: Any = object()


@dataclass(frozen=True)
class Table:
    """A table of a document, under the path `steps`. Readers return a value of their type whatever the text holds, and report mistakes."""

    document: Document
    steps: Steps
    values: Mapping[str, Any]

    @property
    def place(self) -> Place:
        """Where the table begins."""
        return self.document.place(self.steps)

    def report(self, key: str | None, error: Exception | str, near: str | None = None) -> None:
        """Note a mistake at a key, or at the table."""
        self.document.report(self.steps if key is None else (*self.steps, key), error, near)

    def only(self, known: Collection[str]) -> None:
        """Every other key is a mistake."""
        for key, value in self.values.items():
            if key not in known:
                kind = "table" if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)) else "key"
                self.report(key, f"unknown {kind} '{key}'", nearest(key, known))

    def _get(self, key: str, default: Any, kinds: tuple[type, ...], words: str) -> Any:
        if key not in self.values:
            if default is _MISSING:
                self.report(None, f"missing key '{key}'")
                return None
            return default
        value = self.values[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            self.report(key, f"'{key}' must be {words}, not {_kind(value)}")
            return None if default is _MISSING else default
        return value

    def text(self, key: str, default: str = _MISSING) -> str:
        """A text; "" where it is missing or wrong."""
        value = self._get(key, default, (str,), "text in quotes")
        if isinstance(value, str) and not value.strip() and default is _MISSING:
            self.report(key, f"'{key}' is empty")
        return value or ""

    def number(self, key: str, default: float | None = _MISSING) -> float | None:
        """A bare number."""
        value = self._get(key, default, (int, float), "a number")
        return None if value is None else float(value)

    def amount(self, key: str) -> str | None:
        """A text with a unit, or a bare number as text; None where it is left out."""
        value = self._get(key, None, (str, int, float), "a number or text in quotes")
        return None if value is None else str(value)

    def word(self, key: str, known: Iterable[str], default: str = _MISSING) -> Any:
        """One of a list of words, typed Any because records hold such words as a Literal."""
        value = self.text(key, default)
        known = tuple(known)
        if value and value not in known:
            self.report(key, f"'{key}' must be one of {', '.join(known)}, not '{value}'", nearest(value, known))
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty where it is left out."""
        value = self._get(key, [], (list, str), "a list of texts")
        rows = [value] if isinstance(value, str) else value or []
        for i, row in enumerate(rows):
            if not isinstance(row, str):
                self.document.report((*self.steps, key, i), f"'{key}' must hold texts in quotes, not {_kind(row)}")
        return tuple(row for row in rows if isinstance(row, str))

    def unit(self, key: str, default: str = _MISSING) -> str:
        """A unit that can be read; "" where it is missing or wrong."""
        value = self.text(key, default)
        try:
            units.same(value, "dimensionless")
        except UnitError as error:
            self.report(key, error)
            return ""
        return value

    def table(self, key: str, required: bool = False) -> Table | None:
        """A table within, or None."""
        value = self._get(key, _MISSING if required else None, (dict,), "a table")
        return None if value is None else Table(self.document, (*self.steps, key), value)

    def tables(self, key: str) -> Iterator[Table]:
        """The entries of `[[key]]`."""
        for i, value in enumerate(self._get(key, [], (list,), f"written as [[{key}]]") or []):
            if isinstance(value, dict):
                yield Table(self.document, (*self.steps, key, i), value)
            else:
                self.document.report((*self.steps, key, i), f"'{key}' must be written as [[{key}]], not as {_kind(value)}")


def named(table: Table | None) -> Iterator[tuple[str, Table]]:
    """The tables within a table of tables, by name; anything else in it is a mistake."""
    for name, value in (table.values if table else {}).items():
        assert table is not None
        if isinstance(value, dict):
            yield name, Table(table.document, (*table.steps, name), value)
        else:
            table.report(name, f"'{name}' must be a table, not {_kind(value)}")


def duration(table: Table, key: str, default: str = _MISSING) -> str:
    """A text that is a duration ("90 min")."""
    text = table.text(key, default)
    if text:
        try:
            units.hours(text, key)
        except (InputError, UnitError) as error:
            table.report(key, error)
    return text


def clock(table: Table, key: str, default: str = _MISSING) -> str:
    """A text that is a time of day ("08:00")."""
    text = table.text(key, default)
    if text:
        try:
            units.clock(text, key)
        except InputError as error:
            table.report(key, error)
    return text


def span(table: Table, key: str, default: str = "") -> str:
    """A text that is a duration, or two of them ("30 min to 2 h")."""
    text = table.text(key, default)
    try:
        ends = [units.hours(part, key) for part in text.split(" to ")] if text else []
        if len(ends) > 2 or (len(ends) == 2 and ends[1] < ends[0]):
            table.report(key, f"{key} = '{text}': write one duration, or an earlier and a later one like '30 min to 2 h'")
    except (InputError, UnitError) as error:
        table.report(key, error)
    return text


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text '{value}'" if len(value) < 40 else "text"
    return "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else str(value)
