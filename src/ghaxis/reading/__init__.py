"""Opens library files, returns typed frozen records, and lists every mistake at once, each with file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from ghaxis.errors import LibraryError, Mistake, Place
from ghaxis.reading.checks import check_library, check_study
from ghaxis.reading.document import name_of, unreadable
from ghaxis.reading.fragments import read_fragment, read_therapy
from ghaxis.reading.records import Fragment, Library, StudyRecord
from ghaxis.reading.sources import citations
from ghaxis.reading.states import ParsedCondition, parse_state
from ghaxis.reading.studies import read_study_file
from ghaxis.reading.tables import read_condition, read_day, read_intervention, read_measures

__all__ = ["ParsedCondition", "check", "check_study", "citations", "packaged_root", "parse_state", "read_library", "read_study"]

Record = TypeVar("Record")


def packaged_root() -> Path:
    """The folder of the library that comes with the package."""
    return Path(__file__).resolve().parent.parent / "library"


def read_library(root: Path | None = None, studies: Sequence[Path] = ()) -> Library:
    """Read a whole library (the packaged one by default), and study files from outside it. Mistakes are in `.mistakes`; none is raised."""
    library = _packaged() if root is None else _read(Path(root).resolve())
    for path in studies:
        library = _with_study(library, Path(path))
    return library


def read_study(path: Path, library: Library) -> StudyRecord:
    """A study file from outside the library. Raises LibraryError with every mistake in it, those against the library's names included."""
    record, mistakes = read_study_file(Path(path), None, library.measures)
    mistakes = [*mistakes, *(check_study(record, library) if record else ())]
    if record is None or any(m.severity == "error" for m in mistakes):
        raise LibraryError(mistakes)
    return record


def check(library: Library, names: Iterable[str] = ()) -> list[Mistake]:
    """All mistakes of a library that can be seen without assembling a model, in the order of files and lines; only those in files of the
    given names (`masld`, `socs.ant`) where any are given."""
    found = {*library.mistakes, *check_library(library)}
    wanted = {name.removesuffix(".ant").removesuffix(".toml") for name in names}
    return sorted((m for m in found if not wanted or Path(m.place.file).stem in wanted), key=lambda m: (m.place, m.what))


@cache
def _packaged() -> Library:
    return _read(packaged_root())


def _read(root: Path) -> Library:
    mistakes: list[Mistake] = []

    def every(folder: str, ending: str, read: Callable[[Path, Path], tuple[Record | None, Iterable[Mistake]]]) -> dict[str, Record]:
        records: dict[str, Record] = {}
        for path in sorted((root / folder).glob(f"*.{ending}")):
            try:
                record, found = read(path, root)
            except (OSError, UnicodeDecodeError) as error:
                record, found = None, [unreadable(name_of(path, root), error)]
            mistakes.extend(found)
            if record is not None:
                records[path.stem] = record
        return records

    if not (root / "model").is_dir():
        mistakes.append(Mistake(Place(str(root)), "no folder 'model' in it: this is not a library"))
    fragments = every("model", "ant", read_fragment)
    measures, found = read_measures(root / "measures.toml", root)
    mistakes.extend(found)
    library = Library(
        root=str(root),
        fragments=fragments,
        variants=every("variants", "ant", read_fragment),
        therapies=every("therapies", "ant", read_therapy),
        conditions=every("conditions", "toml", read_condition),
        days=every("days", "toml", read_day),
        interventions=every("interventions", "toml", read_intervention),
        measures=measures,
        studies={},
        units=_units(fragments),
    )
    studies: dict[str, StudyRecord] = {}
    for folder in ("studies", "claims"):
        for record in every(folder, "toml", lambda path, root: read_study_file(path, root, measures)).values():
            _add(studies, record, mistakes)
    return replace(library, studies=studies, mistakes=tuple(mistakes))


def _units(fragments: Mapping[str, Fragment]) -> dict[str, str]:
    return {unit: text for fragment in fragments.values() for unit, text in fragment.units.items()}


def _with_study(library: Library, path: Path) -> Library:
    record, found = read_study_file(path, None, library.measures)
    studies, mistakes = dict(library.studies), [*library.mistakes, *found]
    if record is not None:
        _add(studies, record, mistakes)
    return replace(library, studies=studies, mistakes=tuple(mistakes))


def _add(studies: dict[str, StudyRecord], record: StudyRecord, mistakes: list[Mistake]) -> None:
    """Add a study by key; a second one of the same key, and a finding id that another study has, are mistakes."""
    if record.key in studies:
        mistakes.append(Mistake(record.place, f"study key '{record.key}' is used twice (first in {studies[record.key].place})"))
        return
    taken = {finding.id: finding.place for study in studies.values() for finding in study.findings}
    for finding in record.findings:
        if finding.id in taken:
            mistakes.append(Mistake(finding.place, f"finding id '{finding.id}' is used twice (first in {taken[finding.id]})"))
    studies[record.key] = record
