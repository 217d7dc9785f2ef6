"""Opens library files, returns typed frozen records, and lists every mistake at once, each with file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

from ghaxis.errors import LibraryError, Mistake, Place
from ghaxis.reading.checks import check_library, check_study
from ghaxis.reading.document import name_of, unreadable
from ghaxis.reading.fragments import read_fragment, read_therapy
from ghaxis.reading.records import Fragment, Library, MeasureRecord, StudyRecord
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
    found = {*library.mistakes, *_of_studies(library), *check_library(library)}
    wanted = {name.removesuffix(".ant").removesuffix(".toml") for name in names}
    return sorted((m for m in found if not wanted or Path(m.place.file).stem in wanted), key=lambda m: (m.place, m.what))


@cache
def _packaged() -> Library:
    return _read(packaged_root())


def _every(
    root: Path, folder: str, ending: str, read: Callable[[Path, Path], tuple[Record | None, Iterable[Mistake]]], mistakes: list[Mistake]
) -> dict[str, Record]:
    """The records of a folder by file name; their mistakes are added to the list."""
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


class Studies(Mapping[str, StudyRecord]):
    """All studies by key, read when one is first asked for: who only simulates does not wait for hundreds of files."""

    def __init__(self, root: Path, measures: Mapping[str, MeasureRecord]):
        self._root, self._measures = root, measures

    def __getitem__(self, key: str) -> StudyRecord:
        return self._read[0][key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read[0])

    def __len__(self) -> int:
        return len(self._read[0])

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """Those found while reading."""
        return tuple(self._read[1])

    @cached_property
    def _read(self) -> tuple[dict[str, StudyRecord], list[Mistake]]:
        studies: dict[str, StudyRecord] = {}
        mistakes: list[Mistake] = []
        for folder in ("studies", "claims"):
            found = _every(self._root, folder, "toml", lambda path, root: read_study_file(path, root, self._measures), mistakes)
            _add(studies, found.values(), mistakes)
        return studies, mistakes


def _read(root: Path) -> Library:
    mistakes: list[Mistake] = []

    def every(folder: str, ending: str, read: Callable[[Path, Path], tuple[Record | None, Iterable[Mistake]]]) -> dict[str, Record]:
        return _every(root, folder, ending, read, mistakes)

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
    return replace(library, studies=Studies(root, measures), mistakes=tuple(mistakes))


def _units(fragments: Mapping[str, Fragment]) -> dict[str, str]:
    return {unit: text for fragment in fragments.values() for unit, text in fragment.units.items()}


def _with_study(library: Library, path: Path) -> Library:
    record, found = read_study_file(path, None, library.measures)
    studies, mistakes = dict(library.studies), [*library.mistakes, *_of_studies(library), *found]
    _add(studies, [record] if record is not None else [], mistakes)
    return replace(library, studies=studies, mistakes=tuple(mistakes))


def _of_studies(library: Library) -> tuple[Mistake, ...]:
    """Mistakes in study files that are read late."""
    return library.studies.mistakes if isinstance(library.studies, Studies) else ()


def _add(studies: dict[str, StudyRecord], records: Iterable[StudyRecord], mistakes: list[Mistake]) -> None:
    """Add studies by key; a second one of the same key, and a finding id that another study has, are mistakes."""
    taken = {finding.id: finding.place for study in studies.values() for finding in study.findings}
    for record in records:
        if record.key in studies:
            mistakes.append(Mistake(record.place, f"study key '{record.key}' is used twice (first in {studies[record.key].place})"))
            continue
        for finding in record.findings:
            if finding.id in taken:
                mistakes.append(Mistake(finding.place, f"finding id '{finding.id}' is used twice (first in {taken[finding.id]})"))
        taken |= {finding.id: finding.place for finding in record.findings}
        studies[record.key] = record
