"""Look-up: what is known of a measure, which studies stand behind a number, and which numbers rest on a study."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ghaxis.errors import InputError, Place, nearest
from ghaxis.evidence import acts
from ghaxis.model import Model
from ghaxis.reading.records import Definition, FindingRecord, Library, StudyRecord
from ghaxis.reading.sources import homes, keys_of, known_words, read_sources

NUMBERS = ("constant", "compartment", "state", "species")  # kinds of definition that are a number
HEALTHY = "healthy"

# --- what is known of a measure


@dataclass(frozen=True)
class Known:
    """One published number of a measure, as printed: in whom, after what, its value and spread, and how it was seen and used."""

    study: str
    id: str
    citation: str
    measure: str
    state: str
    given: str
    of: str
    n: int | None
    value: str
    spread: str
    use: str
    seen: str


def known(library: Library, measure: str, condition: str | None = None, intervention: str | None = None) -> list[Known]:
    """Every finding of a measure (or of all measures of a quantity), in people of a condition and after an intervention where asked.

    "healthy" is who has no condition. Raises InputError with the nearest name for what the library does not know.
    """
    measures = [m.name for m in library.measures.values() if measure in (m.name, m.of)]
    if not measures:
        every = [*library.measures, *(m.of for m in library.measures.values())]
        raise InputError(f"no measure '{measure}'" + _hint(measure, every, f"`ghaxis list measures` has all {len(library.measures)}"))
    if condition is not None and condition not in library.conditions and condition != HEALTHY:
        raise InputError(f"no condition '{condition}'" + _hint(condition, [HEALTHY, *library.conditions], "see `ghaxis list conditions`"))
    given = [*library.therapies, *library.interventions]
    if intervention is not None and intervention not in given:
        raise InputError(f"no therapy or intervention '{intervention}'" + _hint(intervention, given, "see `ghaxis list therapies`"))
    found = [
        _known(finding, study, _after(finding, study, library))
        for study in library.studies.values()
        for finding in study.findings
        if finding.measure in measures
        and (condition is None or condition in _conditions(finding, study))
        and (intervention is None or any(intervention in acts(act) for act in _after(finding, study, library)))
    ]
    return sorted(found, key=lambda k: (k.measure, k.state, k.given, k.study))


def _hint(word: str, names: Iterable[str], otherwise: str) -> str:
    close = nearest(word, names)
    return f"; did you mean '{close}'?" if close else f"; {otherwise}"


def _arms(finding: FindingRecord, study: StudyRecord) -> list[str]:
    """The arms that a finding reads, in order."""
    words = re.findall(r"[A-Za-z_]\w*(?=\s*@)", " ".join(finding.of))
    return [word for word in dict.fromkeys(words) if word in study.arms]


def _after(finding: FindingRecord, study: StudyRecord, library: Library) -> tuple[str, ...]:
    """What was done before the readings of a finding: the protocols of its arms, less those that are read only at 0 h."""
    measure = library.measures[finding.measure]
    lasts = (finding.window or measure.window or "0 h").rpartition(" to ")[2] != "0 h"
    late = [arm for arm in _arms(finding, study) if lasts or re.search(rf"\b{arm}\s*@(?!\s*0 h)", " ".join(finding.of))]
    return tuple(dict.fromkeys(study.arms[arm].do for arm in late))


def _conditions(finding: FindingRecord, study: StudyRecord) -> set[str]:
    """The conditions of the people whom a finding reads, without severities."""
    states = [study.people[who].state or HEALTHY for arm in _arms(finding, study) if (who := study.arms[arm].who) in study.people]
    return {part.split()[0] for state in states for part in re.sub(r"\([^()]*\)", "", state).split("+") if part.strip()}


def _known(finding: FindingRecord, study: StudyRecord, after: Sequence[str]) -> Known:
    arms = _arms(finding, study)
    groups = dict.fromkeys(study.people[study.arms[arm].who].state for arm in arms if study.arms[arm].who in study.people)
    return Known(
        study.key,
        finding.id,
        study.citation,
        finding.measure,
        " / ".join(filter(None, groups)) or ("" if study.setting == "people" else study.species),
        " / ".join(after) or "nothing",
        ", ".join(finding.of),
        finding.n,
        value_of(finding),
        spread_text(finding.spread),
        study.use,
        study.seen,
    )


def value_of(finding: FindingRecord) -> str:
    """What was printed: a value with its unit, a bound, a range, or what is expected."""
    if finding.bound == "none_seen":
        return "no change" + (f" ({finding.value})" if finding.value else "")
    if finding.value is not None:
        return {"upper": "< ", "lower": "> "}.get(finding.bound or "", "") + finding.value
    if finding.low is not None or finding.high is not None:
        return " to ".join(filter(None, (finding.low, finding.high)))
    return f"expected {finding.expect}" if finding.expect else ""


def spread_text(spread: Mapping[str, str]) -> str:
    """The printed spread ("sd 20 ug/L"); guessed ones say so."""
    words = {"ci95": "95 % CI", "inferred_sd": "sd (inferred)", "inferred_se": "se (inferred)", "iqr": "IQR"}
    return ", ".join(f"{words.get(kind, kind)} {text}" for kind, text in spread.items())


# --- which studies stand behind a source, and what rests on a study


@dataclass(frozen=True)
class Backing:
    """One study or finding that a source names: its citation, and what of it stands in the library's studies, as printed."""

    word: str
    study: str
    citation: str
    findings: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.word}: {self.citation}", *(f"  {finding}" for finding in self.findings)])


def backing(library: Library, source: str) -> tuple[Backing, ...]:
    """The studies behind a source field. A finding id shows that finding; a study key all of its numbers."""
    cited = cited_words(library)
    return tuple(_backing(word, cited[word], library) for word in keys_of(source) if word in cited)


def cited_words(library: Library) -> dict[str, tuple[str, str]]:
    """Every study key and finding id that a source may name -> (study key, citation)."""
    root = Path(library.root)
    sources, _ = read_sources(root / "sources.toml", root)
    texts = known_words(library, sources)
    return {word: (key, texts[word]) for word, key in homes(library, sources).items()}


def _backing(word: str, cited: tuple[str, str], library: Library) -> Backing:
    study = library.studies.get(cited[0])
    rows = [f for f in (study.findings if study else ()) if word in (cited[0], f.id)]
    return Backing(word, cited[0], cited[1], tuple(finding_text(f) for f in rows))


def finding_text(finding: FindingRecord) -> str:
    """A finding on one line: id, what it reads, what was printed."""
    more = ", ".join(filter(None, (spread_text(finding.spread), f"n = {finding.n}" if finding.n else "")))
    what = finding.number or f"{finding.measure} {'; '.join(finding.of)}"
    mark = ", " if value_of(finding).startswith("expected") else " = "
    return f"{finding.id}: {what}{mark}{value_of(finding)}" + (f" ({more})" if more else "")


@dataclass(frozen=True)
class Told:
    """A study (or one finding of it) as the library knows it: what it is, who did what, what was found, and which of the model's numbers
    rest on it."""

    key: str
    citation: str
    title: str
    use: str
    seen: str
    groups: tuple[str, ...]
    arms: tuple[str, ...]
    findings: tuple[str, ...]
    context: tuple[str, ...]
    rests_on_it: tuple[str, ...]

    def __str__(self) -> str:
        rows = [
            ("title", (self.title,)),
            ("used for", (", ".join(filter(None, (self.use, f"seen as {self.seen}" if self.seen else ""))),)),
            ("people", self.groups),
            ("arms", self.arms),
            ("findings", self.findings),
            ("context, not scored", self.context),
            ("the model's numbers that rest on it", self.rests_on_it or ("none",)),
        ]
        lines = [f"{self.key}: {self.citation}"]
        for name, texts in rows:
            shown = [text for text in texts if text]
            lines += [f"  {name}: {shown[0]}"] if len(shown) == 1 else [f"  {name}:", *(f"    {text}" for text in shown)] if shown else []
        return "\n".join(lines)


def tell(model: Model, name: str) -> Told:
    """A study by its key, or one of its findings by its id. Raises InputError for what no source may name."""
    library = model.library
    cited = cited_words(library)
    if name not in cited:
        raise InputError(f"no study or finding '{name}'" + _hint(name, cited, "see `ghaxis list studies`"))
    key, citation = cited[name]
    root = Path(library.root)
    source = read_sources(root / "sources.toml", root)[0].get(key)
    study = library.studies.get(key)
    words = {word for word, (home, _) in cited.items() if home == key} if name == key else {name}
    resting = [
        f"{s.name} = {s.value} {s.unit}".strip() + f" ({s.place.file}: {s.meaning or s.owner}; {s.source})"
        for s in stated_by(model)
        if words & set(keys_of(s.source))
    ]
    return Told(
        key,
        citation,
        study.title if study else "",
        study.use if study else source.use if source else "",
        study.seen if study else source.seen if source else "",
        tuple(f"{g.name}: {g.state or 'healthy'}" + (f", n = {g.n}" if g.n else "") for g in (study.people.values() if study else ())),
        tuple(f"{a.name}: {a.do}" for a in (study.arms.values() if study else ())),
        tuple(finding_text(f) for f in (study.findings if study else ()) if name in (key, f.id)),
        tuple(", ".join(f"{k} {v}" for k, v in row.items()) for row in (study.context if study and name == key else ())),
        tuple(dict.fromkeys(resting)),
    )


def is_quantity(model: Model, name: str) -> bool:
    """Whether a name is one of the model's; else it must be a study or a finding. Raises InputError with the nearest of all three."""
    if name in model.definitions:
        return True
    cited = cited_words(model.library)
    if name not in cited:
        raise InputError(f"no quantity, study or finding '{name}'" + _hint(name, [*model.names, *cited], "see `ghaxis list quantities`"))
    return False


# --- what the library states


@dataclass(frozen=True)
class Stated:
    """One thing that library text states with a source: a number, or what a condition, a habit or an intervention sets."""

    name: str
    value: str
    unit: str
    meaning: str
    source: str
    spread: str
    role: str
    owner: str
    place: Place

    @property
    def kind(self) -> str:
        """What it rests on: "assumed" or "fitted" wherever the source says so, else a study, a textbook or a definition."""
        for word in ("assumed", "fitted"):
            if re.search(rf"\b{word}\s*:", self.source):
                return word
        if keys_of(self.source):
            return "study"
        return "textbook" if self.source.startswith("textbook") else "definition"


def stated_by(model: Model) -> Iterator[Stated]:
    """All that the library states with a source, file by file: numbers of mechanisms and therapies, then conditions and what is done."""
    for f in model.fragments.values():
        for d in f.definitions:
            if d.source and (d.kind in NUMBERS or not d.source.startswith("definition")):
                unit = model.unit(d.name)
                value = d.expression if d.kind in NUMBERS else ""
                yield Stated(
                    d.name, value, "" if unit == "dimensionless" else unit, d.meaning, d.source, spread_of(d), role_of(d), f.name, d.place
                )
    library = model.library
    for condition in library.conditions.values():
        for effect in condition.effects:
            value = f"{effect.operator} {effect.value}"
            unit = "" if effect.unit == "dimensionless" else effect.unit
            yield Stated(
                effect.name, value, unit, f"{effect.kind} of {condition.title}", effect.source, "", "", condition.name, effect.place
            )
    for day in library.days.values():
        for habit in day.habits:
            span = f"{habit.level:g} from {habit.start} for {habit.lasts}"
            yield Stated(habit.input, span, "", f"habit of the {day.title}", habit.source, "", "", day.name, habit.place)
        for noise in day.noise:
            for name, cv in noise.cvs.items():
                span = f"redrawn every {noise.gap} (shape {noise.shape:g})"
                yield Stated(name, span, "", f"variation on the {day.title}", noise.source, f"cv {cv:g}", "", day.name, noise.place)
    for act in library.interventions.values():
        for name, formula in act.inputs.items():
            yield Stated(name, formula, "", act.meaning, act.source, "", "", act.name, act.place)
        for window in act.windows:
            yield Stated(window.input, window.level, "", act.meaning, window.source or act.source, "", "", act.name, window.place)
    for measure in library.measures.values():
        yield Stated(measure.name, measure.reads, measure.unit, measure.meaning, measure.source, "", "", "measures", measure.place)


def spread_of(d: Definition) -> str:
    """The spread between people as it is written; "" for none."""
    return "" if d.spread == "none" else d.spread


def role_of(d: Definition) -> str:
    """The role as it is written, with what it is of."""
    return d.role if not d.role_of else f"{d.role} of `{d.role_of}`" if d.role == "reference" else f"{d.role} `{d.role_of}`"
