"""Where a number comes from: the source field of library text, and the index of studies that it may name (`sources.toml`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ghaxis.errors import Mistake, Place
from ghaxis.reading.document import Document
from ghaxis.reading.records import Library

FREE = ("assumed", "fitted", "textbook", "definition")  # what a source may begin with instead of a study
_FREE = re.compile(r"\b(?:assumed|fitted|textbook)\s*:|\bdefinition\b")
_DATED = re.compile(r"(?<![\w.])[a-z][a-z_]*(?:19|20)\d\d\w*")  # how a study key or finding id looks wherever it stands


@dataclass(frozen=True)
class Source:
    """One study that library text may name: by its key, or by the id of one of its `findings`. `use` says whether it may be fitted;
    `attribution` keeps a doubt about who wrote it."""

    key: str
    citation: str
    doi: str
    seen: str
    use: str
    attribution: str
    findings: tuple[str, ...]
    place: Place

    def __str__(self) -> str:
        return self.citation + (f" ({self.attribution})" if self.attribution else "") + (f" {self.doi}" if self.doi else "")


def keys_of(source: str) -> tuple[str, ...]:
    """Study keys and finding ids that a source field names.

    The first word of the field (unless it begins with `assumed:`, `fitted:`, `textbook:` or `definition`), the first word of each further
    part that holds an underscore, and every word that looks like a dated key ("fitted: hartman1992_prod_fed").
    """
    free = _FREE.search(source)
    stated = re.sub(r"\([^()]*\)", "", source[: free.start()] if free else source)
    parts = [part.split()[0] for part in re.split(r"[,;]", stated) if part.strip()]
    found = [word for i, word in enumerate(parts) if i == 0 or "_" in word]
    return tuple(dict.fromkeys([*found, *_DATED.findall(source)]))


def read_sources(path: Path, root: Path | None = None) -> tuple[dict[str, Source], list[Mistake]]:
    """The index of studies: one table a study."""
    document = Document.read(path, root)
    rows: dict[str, Source] = {}
    for key in document.values:
        table = document.top.table(key)
        if table is not None:
            table.only(("citation", "doi", "seen", "use", "attribution", "findings"))
            texts = [table.text(name, "") for name in ("doi", "seen", "use", "attribution")]
            rows[key] = Source(key, table.text("citation"), texts[0], texts[1], texts[2], texts[3], table.words("findings"), table.place)
    return rows, document.mistakes


def read_claims(path: Path, root: Path | None = None) -> tuple[dict[str, str], list[Mistake]]:
    """The index of claims: id = "short title"."""
    document = Document.read(path, root)
    return {key: document.top.text(key) for key in document.values}, document.mistakes


def known_words(library: Library, sources: Mapping[str, Source]) -> dict[str, str]:
    """Every word that a source field may name, and its citation: keys and findings of the index and of the library's studies."""
    rows = {word: str(source) for source in sources.values() for word in (source.key, *source.findings)}
    for study in library.studies.values():
        for word in (study.key, *(finding.id for finding in study.findings)):
            rows.setdefault(word, f"{study.citation} {study.doi}".strip())
    return rows


def homes(library: Library, sources: Mapping[str, Source]) -> dict[str, str]:
    """The study behind every word that a source field may name."""
    rows = {word: source.key for source in sources.values() for word in (source.key, *source.findings)}
    for study in library.studies.values():
        for word in (study.key, *(finding.id for finding in study.findings)):
            rows.setdefault(word, study.key)
    return rows


def citations(library: Library, texts: Iterable[str]) -> tuple[str, ...]:
    """The citation of every study that source fields name, each once, in alphabetical order."""
    sources, _ = read_sources(Path(library.root) / "sources.toml", Path(library.root))
    words = known_words(library, sources)
    return tuple(sorted({words[key] for text in texts for key in keys_of(text) if key in words}))
