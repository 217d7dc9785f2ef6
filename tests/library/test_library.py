"""Small named checks over every file of the library: whoever adds science writes no test, and passes these."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from ghaxis import units
from ghaxis.errors import Mistake
from ghaxis.evidence import Study
from ghaxis.measure import needed, watched
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.reading import check, packaged_root, read_library
from ghaxis.reading.dialect import names_in
from ghaxis.reading.records import Definition, Fragment
from ghaxis.reading.sources import keys_of, known_words, read_claims, read_sources
from ghaxis.simulation import Request, simulate_many
from ghaxis.treatment import Protocol, day_paths, protocol_mistakes
from ghaxis.trial import persons

ROOT = packaged_root()
LIBRARY = read_library()
FILES = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*") if p.suffix in (".ant", ".toml") and p.parent.name != "new")
FRAGMENTS = {f.place.file: f for f in (*LIBRARY.fragments.values(), *LIBRARY.variants.values())}
THERAPIES = {t.place.file: t for t in LIBRARY.therapies.values()}
TEXTS: dict[str, Fragment] = {**FRAGMENTS, **{file: t.fragment for file, t in THERAPIES.items()}}
CONDITIONS = {c.place.file: c for c in LIBRARY.conditions.values()}
STUDIES = {s.place.file: s for s in LIBRARY.studies.values()}
FREE = ("assumed:", "fitted:", "textbook:", "definition")


def of_file(mistakes: Sequence[Mistake], file: str) -> list[str]:
    return [str(m) for m in mistakes if m.place.file == file and m.severity == "error"]


@pytest.fixture(scope="module")
def mistakes() -> list[Mistake]:
    return [*check(LIBRARY), *protocol_mistakes(LIBRARY.studies.values(), LIBRARY)]


@pytest.fixture(scope="module")
def assembled(equipped: Model) -> list[Mistake]:
    """What is wrong with the whole assembled model, all therapies in it; libSBML's strict check with units included."""
    return equipped.check()


# --- every file ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES)
def test_file_reads_without_mistakes(file: str, mistakes: list[Mistake]) -> None:
    assert of_file(mistakes, file) == []


@pytest.mark.parametrize("file", FILES)
def test_file_says_what_it_is(file: str) -> None:
    first = (ROOT / file).read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(("// ", "# ")) or first == "[study]"
    assert len(first) > 7


def test_every_file_is_read() -> None:
    read = {*TEXTS, *CONDITIONS, *STUDIES, *(d.place.file for d in (*LIBRARY.days.values(), *LIBRARY.interventions.values()))}
    indices = {"measures.toml", "sources.toml", "claims.toml", "panels.toml", "misfits.toml"}
    forms = {f"forms/{t.form}.ant" for t in THERAPIES.values() if t.form}
    assert sorted(set(FILES) - read - indices - forms) == []


# --- mechanisms and therapies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", TEXTS)
def test_every_number_has_a_source(file: str) -> None:
    words = known_words(LIBRARY, read_sources(ROOT / "sources.toml", ROOT)[0])
    bare = []
    for d in TEXTS[file].definitions:
        if d.kind in ("constant", "compartment") or (d.kind in ("state", "species") and _number(d) not in (0.0, 1.0)):
            known = any(key in words for key in keys_of(d.source)) or any(word in d.source for word in FREE)
            bare += [] if known or (d.kind in ("state", "species") and not d.role) else [f"{d.name}: '{d.source}'"]
    assert bare == []


@pytest.mark.parametrize("file", TEXTS)
def test_every_number_has_a_meaning_and_a_unit(file: str) -> None:
    numbers = [d for d in TEXTS[file].definitions if d.kind == "constant"]
    assert [d.name for d in numbers if not d.meaning or not d.unit] == []


@pytest.mark.parametrize("file", TEXTS)
def test_every_number_is_read(file: str) -> None:
    texts = [d.expression + " " + (d.rate or "") for f in TEXTS.values() for d in f.definitions if d.kind in ("rule", "state", "reaction")]
    read = {name for text in texts for name in names_in(text)}
    asked = {m.of for m in LIBRARY.measures.values()} | {e.name for c in LIBRARY.conditions.values() for e in c.effects}
    idle = [d for d in TEXTS[file].definitions if d.kind == "constant" and d.name not in read and d.role not in ("reference", "descriptor")]
    assert [d.name for d in idle if d.name not in asked] == []


@pytest.mark.parametrize("file", FRAGMENTS)
def test_every_cause_is_used(file: str) -> None:
    """Somebody can have it: a condition, an intervention or a habit touches each cause and input, or it is a gene to be knocked out."""
    touched = {e.name for c in LIBRARY.conditions.values() for e in c.effects}
    touched |= {name for act in LIBRARY.interventions.values() for name in (*act.inputs, *(w.input for w in act.windows))}
    touched |= {h.input for day in LIBRARY.days.values() for h in day.habits}
    touched |= {name for day in LIBRARY.days.values() for noise in day.noise for name in noise.cvs}
    causes = [d.name for d in FRAGMENTS[file].definitions if d.role in ("cause", "input") and not re.fullmatch(r"f_\w+_gene", d.name)]
    assert [name for name in causes if name not in touched] == []


@pytest.mark.parametrize("file", TEXTS)
def test_fits_the_assembled_model(file: str, assembled: list[Mistake]) -> None:
    assert of_file(assembled, file) == []


def test_the_assembled_model_passes_libsbml_without_a_message(assembled: list[Mistake]) -> None:
    assert [str(m) for m in assembled if m.severity == "error"] == []


def test_the_wiring_is_complete(equipped: Model) -> None:
    owner = {name: f.name for f in equipped.fragments.values() for name in (*f.offers, *(d.name for d in f.definitions))}
    assert [f"{f.name}: {need}" for f in equipped.fragments.values() for need in f.needs if need not in owner] == []
    joined = {part for a, b, _ in equipped.wiring() for part in (a, b)}
    assert set(equipped.fragments) - joined == {"units"}


@pytest.mark.parametrize("file", THERAPIES)
def test_therapy_states_what_it_is_and_since_when(file: str) -> None:
    therapy = THERAPIES[file]
    assert re.match(r"(approved|investigational|withdrawn|hormone|research)\b", therapy.status)
    assert re.fullmatch(r"20\d\d-\d\d", therapy.checked)
    assert therapy.routes


# --- conditions, days, interventions, studies, measures -----------------------------------------------------------------------------


@pytest.mark.parametrize("file", CONDITIONS)
@pytest.mark.parametrize("sex", ["M", "F"])
def test_condition_makes_a_person(file: str, sex: str, model: Model) -> None:
    condition = CONDITIONS[file]
    states = [condition.name]
    for severity in condition.severities.values():
        shown = units.factor("dimensionless", severity.unit) if units.same(severity.unit, "dimensionless") else 1.0
        ends = list(severity.levels) or [f"{end * shown:.10g} {severity.unit}" for end in (severity.low, severity.high) if end is not None]
        states += [f"{condition.name}({severity.name} = {end})" for end in ends]
    for state in states:
        found = Person(state, sex=sex, age="50 years").resolve(model)
        assert 20 < found.weight < 250, state
        assert [n for n, v in {**found.targets, **found.parameters}.items() if not np.isfinite(v) or v < 0] == [], state
        assert {found.balances[s] for s in found.balances} <= set(model.names)


@pytest.mark.parametrize("file", CONDITIONS)
def test_condition_touches_what_it_may(file: str, model: Model) -> None:
    may = {n for n, d in model.definitions.items() if d.role in ("cause", "descriptor", "slow", "balances")}
    may |= {"BMI", "weight", "fat_mass", "lean_DXA", "liver_fat"}  # how the build and a share of the liver are said
    assert [e.name for e in CONDITIONS[file].effects if e.name not in may] == []


def test_conditions_run_for_a_day(model: Model) -> None:
    """From the levels in the text, a day after a change of causes: every level finite."""
    watch = ("GH", "IGF1", "FFA", "glucose", "VAT")
    asked = [Request(Person(c, age="50 years"), Protocol.nothing(), (0.0, 12.0, 24.0), watch, settled=False) for c in LIBRARY.conditions]
    results = simulate_many(model, asked)
    ill = [c for c, r in zip(LIBRARY.conditions, results, strict=True) if not (np.isfinite(r.values).all() and (r.values >= 0).all())]
    assert ill == []


@pytest.mark.parametrize("name", LIBRARY.days)
def test_day_repeats_and_ends_what_it_begins(name: str) -> None:
    day = LIBRARY.days[name]
    paths = day_paths(day, 0.0, 72.0)
    for habit in {h.input for h in day.habits}:
        mine = [(p.time, p.value) for p in paths if p.name == habit]
        second, third = ([(round(t - 24 * k, 6), v) for t, v in mine if 24 * k <= t < 24 * (k + 1)] for k in (1, 2))
        assert [row for row in second if row[0] > 0] == [row for row in third if row[0] > 0]
        assert 0.0 in [v for _, v in mine] or min(v for _, v in mine) < max(v for _, v in mine)


@pytest.mark.parametrize("name", LIBRARY.interventions)
def test_intervention_can_be_done(name: str) -> None:
    found = Protocol.parse(f"{name} for 2 days").schedule(LIBRARY, 75.0, 8.0, 104.0)
    assert found.paths
    assert found.impulses == ()


@pytest.mark.parametrize("name", LIBRARY.measures)
def test_measure_can_be_read(name: str, equipped: Model) -> None:
    record = LIBRARY.measures[name]
    times = needed(record, 24.0)
    assert len(times) >= 1
    assert (np.diff(times) > 0).all()
    missing = [quantity for quantity in watched(record) if quantity not in equipped.names]
    assert missing == []


@pytest.mark.parametrize("file", STUDIES)
def test_study_can_be_run(file: str, model: Model) -> None:
    record = STUDIES[file]
    for arm in record.arms.values():
        Protocol.parse(arm.do, LIBRARY)
        units.clock(arm.begin)
        assert arm.day in LIBRARY.days
        for person in persons(record, record.people[arm.who], 1, 0):
            assert person.resolve(model).weight > 0


@pytest.mark.parametrize("file", STUDIES)
def test_every_finding_has_a_number(file: str) -> None:
    study = Study.of(STUDIES[file], LIBRARY)
    assert [f"{u.id}: {u.reason}" for u in study.unreadable] == []
    assert [f.id for f in study.findings if f.form != "order" and f.middle is None] == []


def test_claims_name_what_is_known() -> None:
    known, mistakes = read_claims(ROOT / "claims.toml", ROOT)
    claimed = {f.claim for s in LIBRARY.studies.values() for f in s.findings if f.claim}
    assert claimed - set(known) == set()
    assert mistakes == []


def _number(d: Definition) -> float | None:
    try:
        return float(d.expression)
    except ValueError:
        return None
