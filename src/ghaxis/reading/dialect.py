"""The `.ant` dialect: equations in Antimony, one statement a line, each constant with unit and `meaning | source | spread | role`.

Everything wrong in a file is found in one reading. A mistake of severity "error" makes the mathematics doubtful (such a file is not
assembled); a "warning" is a gap in the documentation. `ghaxis check` accepts neither.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ghaxis.errors import Mistake, Place, nearest
from ghaxis.reading.dimensions import read_units
from ghaxis.reading.records import Definition, Fragment, Kind

ROLES = ("cause", "slow", "descriptor", "input", "port")
RELATIONS = ("balances", "reference")
FUNCTIONS = ("exp", "ln", "log10", "sqrt", "sin", "cos", "tanh")  # what every engine has, with derivatives
SYMBOLS = ("time", "pi")
HEADER = ("needs", "offers", "status", "form", "route", "iu_per_mg", "molar_mass")

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_CALL = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\s*\(")
_LITERAL_UNIT = re.compile(rf"(?<![\w.]){_NUMBER}\s+([A-Za-z_]\w*)")
_FORBIDDEN = re.compile(r"\b(piecewise|floor|ceil|ceiling|abs|max|min|event|at|log|delay|rateOf)\b")
_INSTEAD = {"log": "'log' is ambiguous: write ln or log10", "at": "an event ('at')", "event": "an event"}
_ASKED = {"assumed": "why", "fitted": "to what", "textbook": "which"}
_RESERVED = frozenset({
    "at", "in", "has", "is", "unit", "model", "module", "end", "species", "substanceOnly", "compartment", "const", "var",
    "formula", "ext", "function", "import", "event", "after", "gene", "DNA", "operator", "reaction", "delete", "avogadro",
    "infinity", "notanumber", "true", "false", "exponentiale", "substance", "extent", "volume", "area", "length", "time_unit",
})  # fmt: skip

_ODD = re.compile(r"\*\*|[^\w\s.+\-*/^()]")

_SPECIES = re.compile(r"(substanceOnly\s+)?species\s+(\w+)\s+in\s+(\w+)$")
_COMPARTMENT = re.compile(r"compartment\s+(\w+)\s*=\s*(.+)$")
_UNIT = re.compile(r"unit\s+(\w+)\s*=\s*(.+)$")
_HAS = re.compile(r"(\w+)\s+has\s+(\w+)$")
_RULE = re.compile(r"(\w+)\s*:=\s*(.+)$")
_RATE = re.compile(r"(\w+)\s*'\s*=\s*(.+)$")
_VALUE = re.compile(r"(\w+)\s*=\s*(.+)$")
_REACTION = re.compile(r"(\w+)\s*:(?!=)\s*(.*?)\s*(->|=>)\s*(.*?)\s*;\s*(.+)$")
_REACTION_START = re.compile(r"\w+\s*:(?!=)")
_TERM = re.compile(r"(?:(\d+\.?\d*)\s*\*?\s*)?([A-Za-z_]\w*)$")


@dataclass(frozen=True)
class Line:
    """One line of a text: its statements, and its comment (None without one)."""

    place: Place
    statements: tuple[str, ...]
    comment: str | None


@dataclass
class _Draft:
    """What is known about one name while its file is being read."""

    name: str
    kind: Kind
    place: Place
    expression: str = ""
    unit: str | None = None
    rate: str | None = None
    fields: tuple[str, ...] = ()


@dataclass
class Draft:
    """A file on its way to a Fragment."""

    drafts: dict[str, _Draft] = field(default_factory=dict)
    statements: list[tuple[int, str]] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    used: dict[str, Place] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    header: dict[str, list[tuple[Place, str]]] = field(default_factory=dict)
    title: str = ""

    def wrong(self, place: Place, what: str, hint: str | None = None, doubt: bool = True) -> None:
        """Note a mistake; `doubt` says whether the mathematics is in doubt."""
        self.mistakes.append(Mistake(place, what, hint, "error" if doubt else "warning"))

    def words(self, key: str) -> dict[str, Place]:
        """The comma-separated words of a header line, each with its place."""
        return {word: place for place, text in self.header.get(key, ()) for word in re.split(r"[\s,]+", text) if word}


def shown(path: Path, root: Path) -> str:
    """The file name as the user knows it: relative to the library's root."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def in_order(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """Mistakes as they stand in the files."""
    return sorted(mistakes, key=lambda m: (m.place, m.what))


def names_in(expression: str) -> Iterator[str]:
    """The quantities in an expression: all names except functions, `time` and `pi`."""
    calls = set(_CALL.findall(expression))
    for match in _NAME.finditer(expression):
        if match[0] not in SYMBOLS and match[0] not in calls:
            yield match[0]


def lines(text: str, file: str) -> list[Line]:
    """The lines of a text, statements apart from comments; a reaction keeps its rate law."""
    result = []
    for number, raw in enumerate(text.splitlines(), 1):
        code, slashes, comment = raw.partition("//")
        pieces = [piece.strip() for piece in code.split(";") if piece.strip()]
        statements = []
        while pieces:
            piece = pieces.pop(0)
            statements.append(f"{piece}; {pieces.pop(0)}" if _REACTION_START.match(piece) and pieces else piece)
        result.append(Line(Place(file, number), tuple(statements), comment.strip() if slashes else None))
    return result


def read_lines(text: Iterable[Line], draft: Draft | None = None) -> Draft:
    """Read statements and header into a draft (a new one, or one that another file began)."""
    draft = draft or Draft()
    head = True
    first = True
    for line in text:
        if line.statements:
            head = False
            _read_line(line, draft)
        elif head and line.comment:
            _read_header(line, draft, first)
            first = False
        elif line.comment is None:
            head = head and first
    return draft


def _read_header(line: Line, draft: Draft, first: bool) -> None:
    assert line.comment is not None
    match = re.match(r"(\w+)\s*:\s*(.*)$", line.comment)
    if match and match[1] in HEADER:
        draft.header.setdefault(match[1], []).append((line.place, match[2].strip()))
    elif first:
        draft.title = draft.title or line.comment
    elif match and (hint := nearest(match[1], HEADER)):
        draft.wrong(line.place, f"unknown header '{match[1]}:'", hint)


def _read_line(line: Line, draft: Draft) -> None:
    names = []
    for statement in line.statements:
        draft.statements.append((line.place.line, statement))
        name = _read_statement(statement, line.place, draft)
        if name and name not in names:
            names.append(name)
    if len(names) > 1:
        draft.wrong(line.place, f"one statement a line: this one is about {', '.join(names)}")
    if not names or line.comment is None:
        return
    fields = tuple(part.strip() for part in f" {line.comment} ".split(" | "))
    known = draft.drafts[names[0]]
    if known.fields and len(fields) > 1:
        draft.wrong(line.place, f"{names[0]} has comment fields in two lines", doubt=False)
    known.fields = known.fields or fields
    if any("|" in part for part in fields):
        draft.wrong(line.place, "comment fields are separated by ' | ' (with a space on both sides)", doubt=False)


def _read_statement(statement: str, place: Place, draft: Draft) -> str | None:
    """Note one statement; the name it is about."""
    forbidden = _FORBIDDEN.search(statement)
    if forbidden:
        draft.wrong(place, f"not in the dialect: {_INSTEAD.get(forbidden[1], forbidden[1])}")
        return None
    if match := _UNIT.match(statement):
        if match[1] in draft.units:
            draft.wrong(place, f"unit {match[1]} is defined twice")
        draft.units[match[1]] = _unit_text(match[2], match[1], place, draft)
        return None
    if match := _SPECIES.match(statement):
        _use(match[3], place, draft)
        _begin(draft, match[2], "species", place)
        return match[2]
    if match := _COMPARTMENT.match(statement):
        known = _begin(draft, match[1], "compartment", place)
        known.expression = _number(match[2], match[1], place, draft)
        return match[1]
    if match := _HAS.match(statement):
        if match[1] not in draft.drafts:
            draft.wrong(place, f"{match[1]} has a unit before it is defined", nearest(match[1], draft.drafts))
            return None
        if draft.drafts[match[1]].unit:
            draft.wrong(place, f"{match[1]} has two units")
        draft.drafts[match[1]].unit = match[2]
        return match[1]
    if match := _RULE.match(statement):
        known = _begin(draft, match[1], "rule", place)
        known.expression = _expression(match[2], place, draft)
        return match[1]
    if match := _RATE.match(statement):
        return _read_rate(match[1], match[2], place, draft)
    if match := _REACTION.match(statement):
        known = _begin(draft, match[1], "reaction", place)
        known.expression = _expression(match[5], place, draft)
        _sides(match[2], match[4], place, draft)
        return match[1]
    if match := _VALUE.match(statement):
        return _read_value(match[1], match[2], place, draft)
    draft.wrong(place, f"cannot be read as a statement: '{statement}'")
    return None


def _unit_text(text: str, name: str, place: Place, draft: Draft) -> str:
    if match := re.search(r"(?<![\w.])(\d[\w.+-]*)\s+([A-Za-z]\w*)\s*\^", text):
        draft.wrong(place, f"unit {name}: '{match[0]}' reads in two ways: write '({match[1]} {match[2]})^'")
    elif name not in read_units({name: text}):
        draft.wrong(
            place, f"unit {name}: '{text}' cannot be read as a product of SBML's units (gram, litre, mole, second, metre, joule ...)"
        )
    return text.strip()


def _read_rate(name: str, expression: str, place: Place, draft: Draft) -> str:
    known = draft.drafts.get(name)
    if known is None:
        known = draft.drafts[name] = _Draft(name, "state", place)
    elif known.rate is not None or known.kind not in ("constant", "state"):
        draft.wrong(
            place, f"{name} is defined twice, here as a state and at {known.place} as a {'state' if known.rate is not None else known.kind}"
        )
    known.kind, known.rate = "state", _expression(expression, place, draft)
    return name


def _read_value(name: str, value: str, place: Place, draft: Draft) -> str:
    known = draft.drafts.get(name)
    if known is not None and known.kind in ("species", "state") and not known.expression:
        known.place = place
    else:
        known = _begin(draft, name, "constant", place)
    known.expression = _number(value, name, place, draft)
    return name


def _begin(draft: Draft, name: str, kind: Kind, place: Place) -> _Draft:
    if name in draft.drafts:
        draft.wrong(place, f"{name} is defined twice, here and at {draft.drafts[name].place}")
        return draft.drafts[name]
    if keyword.iskeyword(name) or name in _RESERVED or name in FUNCTIONS or name in SYMBOLS or "__" in name:
        draft.wrong(place, f"'{name}' cannot be a name: it is a reserved word")
    draft.drafts[name] = _Draft(name, kind, place)
    return draft.drafts[name]


def _number(text: str, name: str, place: Place, draft: Draft) -> str:
    if match := _LITERAL_UNIT.fullmatch(text.strip()):
        draft.wrong(place, f"a number with a unit: write '{name} = {text.split()[0]}; {name} has {match[1]};'")
        return text.split()[0]
    try:
        float(text)
    except ValueError:
        draft.wrong(place, f"{name} = {text}: a value is one number; write ':=' for a rule")
        return "nan"
    return text.strip()


def _expression(text: str, place: Place, draft: Draft) -> str:
    """Note the names that an expression uses, and what is wrong in it."""
    if match := _LITERAL_UNIT.search(text):
        draft.wrong(place, f"a literal with a unit ('{match[0]}'): a bare literal is dimensionless, give the number a name and a unit")
        text = _LITERAL_UNIT.sub("1", text)
    for call in _CALL.findall(text):
        if call not in FUNCTIONS:
            draft.wrong(place, f"unknown function {call}()", nearest(call, FUNCTIONS))
    if odd := _ODD.search(text):
        draft.wrong(
            place,
            f"'{odd[0]}' is not in the dialect: expressions have + - * / ^ ( ), and functions of one argument",
            "^" if odd[0] == "**" else None,
        )
    else:
        _try(text, place, draft)
    for name in names_in(text):
        _use(name, place, draft)
    return text.strip()


def _try(text: str, place: Place, draft: Draft) -> None:
    try:
        compile(text.replace("^", "**").strip(), "expression", "eval")
    except (SyntaxError, ValueError):
        draft.wrong(place, f"cannot be read as an expression: '{text.strip()}'")


def _sides(left: str, right: str, place: Place, draft: Draft) -> None:
    for term in [t.strip() for side in (left, right) for t in side.split("+") if t.strip()]:
        if match := _TERM.match(term):
            _use(match[2], place, draft)
        else:
            draft.wrong(place, f"cannot be read as a species: '{term}'")


def _use(name: str, place: Place, draft: Draft) -> None:
    draft.used.setdefault(name, place)


def finish(draft: Draft, name: str, place: Place, free: Sequence[str] = ()) -> tuple[Fragment, list[Mistake]]:
    """A Fragment from a draft, with the checks that need the whole file. `free` are names that need not be used here."""
    needs, offers = draft.words("needs"), draft.words("offers")
    if not draft.title:
        draft.wrong(Place(place.file, 1), "the first line must be a comment that says what this is", doubt=False)
    for key in ("needs", "offers"):
        if key not in draft.header and draft.drafts:
            draft.wrong(Place(place.file, 1), f"no '// {key}:' line")
    defined = draft.drafts
    definitions = tuple(_definition(d, name, d.name in offers, draft) for d in defined.values())
    for used, where in draft.used.items():
        if used not in defined and used not in needs:
            draft.wrong(where, f"'{used}' is used but neither defined here nor in needs", nearest(used, [*defined, *needs]))
    for need, where in needs.items():
        if need in defined:
            draft.wrong(where, f"need '{need}' is defined here, at {defined[need].place}")
        elif need not in draft.used:
            draft.wrong(where, f"need '{need}' is never used", doubt=False)
    for offer, where in offers.items():
        if offer not in defined:
            draft.wrong(where, f"offer '{offer}' is not defined here", nearest(offer, defined))
    for d in definitions:
        if d.kind == "constant" and d.name not in draft.used and d.name not in offers and d.name not in free:
            draft.wrong(d.place, f"constant {d.name} is never used", doubt=False)
    header = {key: "\n".join(text for _, text in entries) for key, entries in draft.header.items()}
    fragment = Fragment(name, draft.title, tuple(needs), tuple(offers), definitions, tuple(draft.statements), draft.units, header, place)
    return fragment, in_order(draft.mistakes)


def _definition(known: _Draft, fragment: str, offered: bool, draft: Draft) -> Definition:
    fields = known.fields + ("",) * (4 - len(known.fields))
    meaning, source, spread, role = fields[:4]
    place = known.place
    full = known.kind in ("constant", "compartment")
    if len(known.fields) > 4:
        draft.wrong(
            place, f"{known.name}: {len(known.fields)} comment fields; there are four: meaning | source | spread | role", doubt=False
        )
    if not meaning and (full or offered or known.kind in ("state", "species")):
        draft.wrong(place, f"{known.name} has no meaning (// meaning | source | spread | role)", doubt=False)
    if full and not source:
        draft.wrong(
            place,
            f"{known.name} has no source (a finding, or 'assumed: reason', 'fitted: to what', 'definition', 'textbook: which')",
            doubt=False,
        )
    if re.fullmatch(r"(assumed|fitted|textbook)\s*:?", source):
        draft.wrong(
            place,
            f"{known.name}: '{source}' does not say {_ASKED[source.rstrip(' :')]}",
            doubt=False,
        )
    if full and not spread:
        draft.wrong(place, f"{known.name} has no spread ('cv 0.3', 'sd 1 h' or 'none')", doubt=False)
    elif spread and not re.fullmatch(rf"none|cv {_NUMBER}|sd {_NUMBER} ?\S*", spread):
        draft.wrong(
            place, f"{known.name}: '{spread}' is not a spread; write 'cv 0.3', 'sd 1 h' or 'none'", nearest(spread, ("none",)), False
        )
    if known.unit is None and known.kind in ("constant", "state", "compartment"):
        draft.wrong(place, f"{known.name} has no unit ('{known.name} has ...;')")
    if known.kind in ("state", "species") and not known.expression:
        draft.wrong(place, f"{known.name} has no initial value")
    word, of = _role(role, known, draft)
    return Definition(known.name, known.kind, known.expression, known.unit, meaning, source, spread, word, of, place, known.rate, fragment)


def _role(role: str, known: _Draft, draft: Draft) -> tuple[str, str]:
    if not role or role in ROLES:
        if role == "slow" and known.kind != "state":
            draft.wrong(known.place, f"{known.name} is slow but has no rate")
        if role in ("cause", "input", "port") and known.kind != "constant":
            draft.wrong(known.place, f"{known.name} is a {known.kind}: only a constant can be {role}")
        return role, ""
    match = re.fullmatch(r"(?:(balances)|(reference) of)\s+(\w+)", role)
    if match:
        return match[1] or match[2], match[3]
    words = role.split()
    draft.wrong(known.place, f"{known.name}: unknown role '{role}'", nearest(words[0], [*ROLES, *RELATIONS]) if words else None)
    return "", ""


def species_of(fragment: Fragment) -> dict[str, tuple[bool, str]]:
    """Each species of a fragment: whether it is an amount (else a concentration), and its compartment."""
    found = (_SPECIES.match(statement) for _, statement in fragment.statements)
    return {match[2]: (bool(match[1]), match[3]) for match in found if match}
