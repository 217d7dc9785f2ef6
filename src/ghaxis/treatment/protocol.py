"""Protocol: what is given when, as a value that reads from text and prints back to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

from ghaxis.errors import InputError, Mistake, UnitError
from ghaxis.reading import read_library
from ghaxis.reading.book import Book
from ghaxis.reading.document import mistake
from ghaxis.reading.records import Library, StudyRecord
from ghaxis.treatment.acts import Dose, Strand
from ghaxis.treatment.schedule import Body, Path, Schedule, build
from ghaxis.treatment.table import read_table
from ghaxis.treatment.text import parse


@dataclass(frozen=True)
class Protocol:
    """Parallel strands of steps: "tesamorelin 2 mg sc daily at 08:00 for 26 weeks then nothing for 26 weeks; fast from 22:00 for 5 days".

    Equal protocols do the same; `str()` gives text that parses to an equal protocol. The grammar stands in `ghaxis.treatment.text`.
    """

    strands: tuple[Strand, ...] = ()

    @staticmethod
    def parse(text: str, library: Library | None = None) -> Protocol:
        """Read a protocol; names and units are checked against `library` (the packaged one by default).

        Raises InputError, or UnitError for a unit, with the character and the nearest right word.
        """
        return Protocol(parse(text, library or read_library()))

    @staticmethod
    def nothing() -> Protocol:
        """No treatment."""
        return Protocol()

    @staticmethod
    def from_csv(path: str | FilePath, library: Library | None = None, who: str | None = None) -> Protocol:
        """The doses of one person (`who` is the ID) from a CSV table with NONMEM's columns; see `ghaxis.treatment.table`."""
        return Protocol(read_table(FilePath(path), library or read_library(), who))

    def __str__(self) -> str:
        return "; ".join(" then ".join(map(str, strand)) for strand in self.strands) or "nothing"

    @property
    def therapies(self) -> tuple[str, ...]:
        """The therapies in use, in the order in which they are named."""
        acts = (act for strand in self.strands for step in strand for act in step.acts)
        return tuple(dict.fromkeys(act.therapy for act in acts if isinstance(act, Dose)))

    def schedule(
        self,
        library: Library,
        weight_kg: float,
        begin_hour: float,
        end_hour: float,
        *,
        surface_m2: float | None = None,
        base: Mapping[str, float] | None = None,
        beneath: Sequence[Path] = (),
        inferred: Callable[[str], str] | None = None,
    ) -> Schedule:
        """What acts on the model in [begin_hour, end_hour), inner hours, inner units.

        Doses per kg and per m2 are scaled by `weight_kg` and `surface_m2`. When an intervention ends, its inputs return to `base` (the
        person's own values; else the model's). `beneath` are paths of habits and noise: where given, the schedule's paths contain them,
        held back while an intervention has their input. `inferred` (a model's `unit`) tells the unit of held levels whose unit the text
        leaves to be inferred.
        """
        return build(self.strands, library, Body(weight_kg, surface_m2), begin_hour, end_hour, base or {}, beneath, inferred)


def protocol_mistakes(studies: Iterable[StudyRecord], library: Library) -> Iterator[Mistake]:
    """Arms of studies whose `do` cannot be read, each at its line."""
    book = Book(library)
    for study in studies:
        for arm in study.arms.values():
            try:
                Protocol.parse(arm.do, library)
            except (InputError, UnitError) as error:
                yield mistake(book.at(arm.place, "do"), error)
