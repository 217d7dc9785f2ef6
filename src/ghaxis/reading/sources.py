"""Where a number comes from: the source field of library text, and the index of studies that it may name (`sources.toml`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ghaxis.errors import Mistake, Place
from ghaxis.reading.document import Document

FREE = ("assumed", "fitted", "textbook", "definition")
_FREE = re.compile(r"\b(assumed|fitted|textbook)\s*:|\bdefinition\b")


@dataclass(frozen=True)
class Source:
    """One study that library text may name: by its key, or by a finding's id in `findings`. `use` says whether it may be fitted."""

    key: str
    citation: str
    doi: str
    seen: str
    use: str
    findings: tuple[str, ...]
    place: Place


def keys_of(source: str) -> tuple[str, ...]:
    """Study keys and finding ids that a source field names: the first word of each part before `assumed:`, `fitted:`, `textbook:` or
    `definition` ("assy2008 table 2, adlung_cisturn; assumed: same in man" -> assy2008, adlung_cisturn)."""
    free = _FREE.search(source)
    stated = source[: free.start()] if free else source
    return tuple(part.split()[0] for part in re.split(r"[,;]", stated) if part.strip())


def is_free(source: str) -> bool:
    """Whether a source rests on an assumption, a fit, a definition or a textbook, wholly or beside a study."""
    return _FREE.search(source) is not None


def read_sources(path: Path, root: Path | None = None) -> tuple[dict[str, Source], list[Mistake]]:
    """The index of studies: one table a study."""
    document = Document.read(path, root)
    rows: dict[str, Source] = {}
    for key in document.values:
        table = document.top.table(key)
        if table is not None:
            table.only(("citation", "doi", "seen", "use", "findings"))
            rows[key] = Source(key, table.text("citation"), table.text("doi", ""), table.text("seen", ""), table.text("use", ""), table.words("findings"), table.place)
    return rows, document.mistakes


def read_claims(path: Path, root: Path | None = None) -> tuple[dict[str, str], list[Mistake]]:
    """The index of claims: id = "short title"."""
    document = Document.read(path, root)
    return {key: document.top.text(key) for key in document.values}, document.mistakes


def known(sources: Mapping[str, Source], studies: Iterable[str], findings: Iterable[str]) -> dict[str, str]:
    """Every word that a source field may begin with, and the study it stands for ("" for a finding of a study file, whose study is known there)."""
    rows = {id: source.key for source in sources.values() for id in (source.key, *source.findings)}
    rows.update({key: key for key in studies})
    rows.update({id: rows.get(id, "") for id in findings})
    return rows
