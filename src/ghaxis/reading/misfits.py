"""What the model gets wrong, and the biology that is suspected behind it (`misfits.toml`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ghaxis.errors import Mistake, Place
from ghaxis.reading.document import Document
from ghaxis.reading.records import Library


@dataclass(frozen=True)
class Misfit:
    """One thing that does not fit: the findings, or whole studies, that show it (`of`), and the suspected cause."""

    key: str
    title: str
    of: tuple[str, ...]
    cause: str
    place: Place


def read_misfits(path: Path, root: Path | None = None) -> tuple[dict[str, Misfit], list[Mistake]]:
    """All misfits of a library: one table each. A library need not have any."""
    if not path.exists():
        return {}, []
    document = Document.read(path, root)
    rows: dict[str, Misfit] = {}
    for key in document.values:
        table = document.top.table(key)
        if table is not None:
            table.only(("title", "of", "cause"))
            rows[key] = Misfit(key, table.text("title"), table.words("of"), table.text("cause"), table.place)
    return rows, document.mistakes


def misfits_of(library: Library) -> dict[str, Misfit]:
    """The misfits of a library by every study key and finding id that they name."""
    rows, _ = read_misfits(Path(library.root) / "misfits.toml", Path(library.root))
    return {word: misfit for misfit in rows.values() for word in misfit.of}


def cause_of(study: str, finding: str, misfits: Mapping[str, Misfit]) -> str:
    """The suspected cause of one finding's error: its own, else its study's; "" where there is none."""
    misfit = misfits.get(finding) or misfits.get(study)
    return misfit.cause if misfit else ""


def words_of(library: Library) -> Iterable[str]:
    """Everything that a misfit may name: studies of the library and their findings."""
    for study in library.studies.values():
        yield study.key
        yield from (finding.id for finding in study.findings)
