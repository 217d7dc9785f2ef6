"""Generated reference pages in Markdown: every mechanism and therapy, every number with its source, and what is only assumed or fitted.

The text comes from the library alone: the same library gives the same pages, byte for byte.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ghaxis.lookup import NUMBERS, Stated, role_of, spread_of, stated_by
from ghaxis.model import Model
from ghaxis.reading.records import Fragment
from ghaxis.reading.sources import Source, homes, known_words, read_sources
from ghaxis.report.wiring import draw

_KINDS = ("study", "fitted", "assumed", "textbook", "definition")
_WORD = re.compile(r"(?<![\w.&])[A-Za-z]\w*(?:_|\d)\w*")  # a key or finding id has a digit or an underscore


@dataclass(frozen=True)
class _Book:
    """The model with every therapy, and the index of its sources."""

    model: Model
    sources: Mapping[str, Source]
    homes: Mapping[str, str]  # word of a source field -> key of the index, or of a study file
    root: str = "../"

    def cited(self, source: str) -> str:
        """A source field in which every known word leads to its entry."""
        return _WORD.sub(lambda m: f"[{m[0]}]({self.root}sources.md#{self.homes[m[0]]})" if m[0] in self.homes else m[0], _cell(source))


def write(model: Model, folder: str | Path) -> list[Path]:
    """Write all pages below `folder` (made where it is missing) and return them, the index first.

    One page for each mechanism and each therapy of the model's library; assumed numbers, fitted numbers and sources each on one page; the
    wiring diagram as SVG. Pages that are there already are replaced.
    """
    library = model.library
    whole = model.with_therapies(sorted(library.therapies))
    sources, _ = read_sources(Path(library.root) / "sources.toml", Path(library.root))
    book = _Book(whole, sources, homes(library, sources))
    stated = tuple(stated_by(whole))
    texts = {"README.md": _index(book, stated), "wiring.svg": _diagram(whole)}
    texts |= {f"mechanisms/{name}.md": _mechanism(book, f) for name, f in whole.fragments.items() if name in library.fragments}
    texts |= {f"therapies/{name}.md": _mechanism(book, whole.fragments[name]) for name in sorted(library.therapies)}
    flat = _Book(whole, sources, book.homes, "")
    texts["assumed.md"] = _resting_on(
        flat, stated, "assumed", "Assumed", "Nobody measured these for this use; each says why it is what it is."
    )
    texts["fitted.md"] = _resting_on(
        flat, stated, "fitted", "Fitted", "These were chosen so that the model gives what the named findings print."
    )
    texts["sources.md"] = _sources(flat, stated)
    written = []
    for name, text in texts.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


# --- pages --------------------------------------------------------------------------------------------------------------------------


def _index(book: _Book, stated: Sequence[Stated]) -> str:
    library = book.model.library
    counts = {owner: Counter(s.kind for s in stated if s.owner == owner) for owner in {s.owner for s in stated}}

    def rows(names: Iterable[str], folder: str) -> Iterator[tuple[str, ...]]:
        for name in names:
            f, found = book.model.fragments[name], counts.get(name, Counter())
            states = sum(d.kind in ("state", "species") for d in f.definitions)
            yield f"[{name}]({folder}/{name}.md)", _cell(f.title), str(states), *(str(found[kind] or "") for kind in _KINDS)

    every = Counter(s.kind for s in stated)
    total = ", ".join(
        f"{every[kind]} {word}" for kind, word in zip(_KINDS, ("from studies", "fitted", "assumed", "textbook", "definitions"), strict=True)
    )
    head = ("", "states", "study", "fitted", "assumed", "textbook", "definition")
    return _page(
        "The model",
        f"Generated from the library by `ghaxis pages`. {len(book.model.states)} states with all therapies; "
        f"{len(stated)} sourced statements: {total}.",
        "All [assumed](assumed.md) and all [fitted](fitted.md) numbers stand on one page each; [sources](sources.md) names every study.",
        "![who reads what of whom](wiring.svg)",
        "## Mechanisms",
        _table(("mechanism", *head), rows((n for n in book.model.fragments if n in library.fragments), "mechanisms")),
        "## Therapies",
        _table(("therapy", *head), rows(sorted(library.therapies), "therapies")),
    )


def _mechanism(book: _Book, f: Fragment) -> str:
    model, library = book.model, book.model.library
    owner = {d.name: part.name for part in model.fragments.values() for d in part.definitions}
    readers: dict[str, list[str]] = {}
    for _, to, name in model.wiring():
        if to != f.name:
            readers.setdefault(name, []).append(_link(book, to))
    measures: dict[str, list[str]] = {}
    for m in library.measures.values():
        measures.setdefault(m.of, []).append(f"`{m.name}`")
    therapy = library.therapies.get(f.name)
    about = []
    if therapy:
        routes = ", ".join(f"{route} (to `{target}`)" for route, target in therapy.routes.items())
        about = [f"Status: {therapy.status}, checked {therapy.checked}. Form: {therapy.form or 'its own'}. Routes: {routes}."]
    needs = [(f"`{n}`", _link(book, owner.get(n, "")), _unit(model, n), _cell(model.definitions[n].meaning)) for n in f.needs if n in owner]
    offers = [
        (f"`{n}`", _unit(model, n), _cell(model.definitions[n].meaning), ", ".join([*readers.get(n, ()), *measures.get(n, ())]))
        for n in f.offers
        if n in model.definitions
    ]
    numbers = [
        (f"`{d.name}`", d.expression, _unit(model, d.name), _cell(d.meaning), book.cited(d.source), spread_of(d), role_of(d))
        for d in f.definitions
        if d.kind in NUMBERS
    ]
    return _page(
        f.name,
        _cell(f.title),
        f"File: `{f.place.file}`. [All mechanisms](../README.md).",
        *about,
        "## Needs",
        _table(("name", "of", "unit", "meaning"), needs),
        "## Offers",
        _table(("name", "unit", "meaning", "read by"), offers),
        "## Numbers",
        _table(("name", "value", "unit", "meaning", "source", "spread", "role"), numbers),
        "## Equations",
        _equations(f),
        *(["## Units", _table(("unit", "is"), [(f"`{u}`", f"`{text}`") for u, text in f.units.items()])] if f.units else []),
    )


def _equations(f: Fragment) -> str:
    lines = []
    for d in f.definitions:
        if d.kind == "rule":
            lines.append((f"{d.name} := {d.expression}", d.meaning))
        elif d.kind == "state":
            lines.append((f"{d.name}' = {d.rate}", d.meaning))
        elif d.kind == "reaction":
            text = next((s for _, s in f.statements if re.match(rf"{d.name}\s*:(?!=)", s)), d.expression)
            lines.append((text, d.meaning))
    return "```\n" + "\n".join(f"{text}    // {meaning}" if meaning else text for text, meaning in lines) + "\n```" if lines else "None."


def _resting_on(book: _Book, stated: Sequence[Stated], kind: str, title: str, lead: str) -> str:
    mine = [s for s in stated if s.kind == kind]
    parts = []
    for file in dict.fromkeys(s.place.file for s in mine):
        rows = [
            (f"`{s.name}`", _cell(s.value), _cell(s.unit), _cell(s.meaning), book.cited(s.source), s.spread)
            for s in mine
            if s.place.file == file
        ]
        parts += [f"## {file}", _table(("name", "value", "unit", "meaning", "source", "spread"), rows)]
    return _page(f"{title} numbers", f"{len(mine)} of {len(stated)} sourced statements. {lead} [The model](README.md).", *parts)


def _sources(book: _Book, stated: Sequence[Stated]) -> str:
    library = book.model.library
    citing: dict[str, dict[str, None]] = {}
    for s in stated:
        for word in _WORD.findall(s.source):
            if word in book.homes:
                citing.setdefault(book.homes[word], {})[s.name] = None
    rows = []
    for key in sorted({*book.sources, *library.studies}, key=str.lower):
        source, study = book.sources.get(key), library.studies.get(key)
        text = str(source) if source else known_words(library, {})[key]
        use = source.use if source else study.use if study else ""
        seen = source.seen if source else study.seen if study else ""
        scored = str(len(study.findings)) if study else ""
        names = ", ".join(f"`{name}`" for name in citing.get(key, ()))
        rows.append((f'<a id="{key}"></a>{key}', _cell(text), use, seen, scored, names))
    return _page(
        "Sources",
        f"{len(rows)} studies. `use` says whether a study may be fitted (calibration) or only predicted (validation, claim); `seen` how it "
        "was read; `scored` how many of its findings the scoreboard holds; the last column which names rest on it. [The model](README.md).",
        _table(("key", "citation", "use", "seen", "scored", "names that rest on it"), rows),
    )


def _diagram(model: Model) -> str:
    parts = {name: f for name, f in model.fragments.items() if name in model.library.fragments}
    pairs: dict[tuple[str, str], list[str]] = {}
    for a, b, name in model.wiring():
        if a != b and a in parts and b in parts:
            pairs.setdefault((a, b), []).append(name)
    joined = {name for pair in pairs for name in pair}
    return draw({name: f.title for name, f in parts.items() if name in joined}, pairs)


# --- Markdown -----------------------------------------------------------------------------------------------------------------------


def _page(title: str, *blocks: str) -> str:
    return "\n\n".join([f"# {title}", *(b for b in blocks if b)]) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    found = list(rows)
    if not found:
        return "None."
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in found)]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _link(book: _Book, part: str) -> str:
    folder = "mechanisms" if part in book.model.library.fragments else "therapies" if part in book.model.library.therapies else ""
    return f"[{part}](../{folder}/{part}.md)" if folder else part


def _unit(model: Model, name: str) -> str:
    unit = model.unit(name)
    return "" if unit == "dimensionless" else unit
