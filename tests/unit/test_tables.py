"""TOML library files: records, and every mistake with its line and the nearest right word."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from ghaxis.errors import LibraryError, Mistake
from ghaxis.reading import packaged_root, read_library, read_study
from ghaxis.reading.document import Document, lines_of
from ghaxis.reading.records import MeasureRecord
from ghaxis.reading.sources import keys_of
from ghaxis.reading.studies import read_study_file
from ghaxis.reading.tables import read_condition, read_day, read_intervention, read_measures


def written(tmp_path: Path, text: str, name: str = "one.toml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def shown(mistakes: Iterable[Mistake]) -> list[tuple[int, str, str | None]]:
    return [(m.place.line, m.what, m.nearest) for m in mistakes]


# --- lines


def test_lines_of_tables_keys_and_elements() -> None:
    text = '''# a comment with = and [brackets]
top = "a # no comment"
[a.b]
x = """
several = lines
[not.a.table]
"""
y = [
  "one",   # first ]
  { k = "two, [2]" },
]
"quoted key" = 1

[[f]]
id = "1"
[f.inner]
z = 'it''s'
[[f]]
id = "2"
d.e = 3
[[f.g]]
q = 1
[[f.g]]
q = 2
'''.replace("it''s", "its")
    assert tomllib.loads(text)
    lines = lines_of(text)
    assert lines[("top",)] == 2
    assert lines[("a", "b")] == 3
    assert lines[("a", "b", "x")] == 4
    assert lines[("a", "b", "y")] == 8
    assert lines[("a", "b", "y", 0)] == 9
    assert lines[("a", "b", "y", 1)] == 10
    assert lines[("a", "b", "quoted key")] == 12
    assert lines[("f", 0)] == 14
    assert lines[("f", 0, "id")] == 15
    assert lines[("f", 0, "inner", "z")] == 17
    assert lines[("f", 1, "id")] == 19
    assert lines[("f", 1, "d", "e")] == 20
    assert lines[("f", 1, "g", 1, "q")] == 24
    assert ("not",) not in lines


@pytest.mark.parametrize("path", sorted(packaged_root().glob("*/*.toml")), ids=lambda p: p.stem)
def test_every_key_of_the_library_has_a_line(path: Path) -> None:
    document = Document.read(path, packaged_root())
    text = path.read_text().splitlines()

    def walk(steps: tuple[str | int, ...], value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                line = document.place((*steps, key)).line
                assert line, (steps, key)
                assert key in text[line - 1] or steps, (steps, key)
                walk((*steps, key), inner)
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                walk((*steps, i), inner)

    walk((), document.values)


def test_what_is_not_toml_is_one_mistake_with_its_line(tmp_path: Path) -> None:
    _, mistakes = read_condition(written(tmp_path, '[condition]\ntitle = "x"\nmeaning = unquoted\n'))
    assert [(m.place.line, m.nearest) for m in mistakes] == [(3, None)]
    assert mistakes[0].what.startswith("not TOML")
    _, mistakes = read_condition(tmp_path / "absent.toml")
    assert next(m.what for m in mistakes).startswith("cannot be read")


# --- conditions


def test_condition(tmp_path: Path) -> None:
    record, mistakes = read_condition(packaged_root() / "conditions" / "masld.toml", packaged_root())
    assert not mistakes
    assert record.name == "masld"
    assert str(record.place).startswith("conditions/masld.toml:")
    assert record.severities["steatosis"].low == pytest.approx(0.05)
    assert {effect.kind for effect in record.effects} == {"descriptor", "cause"}


def test_every_mistake_of_a_condition_is_found_in_one_reading(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """[condition]
titel = "fatty liver"
excludes = "cirrhosis, mash"
[severity.steatosis]
meaning = "fat"
unit = "percnt"
default = "15 percent"
[severity.fibrosis]
meaning = "stage"
default = 7
low = 0
high = 4
[severity.grade]
meaning = "word"
default = "mild"
levels = { light = 1, strong = 2 }
[[descriptor]]
name = "liver_fat"
value = "steatosis +"
operator = "maximum"
source = "x"
[[cause]]
nam = "virus"
value = 1.0
level = 2
[[reason]]
name = "x"
""",
    )
    record, mistakes = read_condition(path)
    assert record.excludes == ("cirrhosis, mash",)
    assert set(shown(mistakes)) == {
        (1, "missing key 'title'", None),
        (2, "unknown key 'titel'", "title"),
        (6, "unknown unit 'percnt'", "percent"),
        (10, "fibrosis = 7 is outside its range, 0 to 4", None),
        (15, "grade must be one of light, strong, not 'mild'", None),
        (19, "'steatosis +' is not arithmetic", None),
        (20, "'operator' must be one of set, add, times, max, not 'maximum'", "max"),
        (22, "missing key 'name'", None),
        (22, "missing key 'source'", None),
        (23, "unknown key 'nam'", "name"),
        (25, "unknown key 'level'", None),
        (26, "unknown table 'reason'", None),
    }


def test_severities_without_a_unit_suffix_are_in_their_own_unit(tmp_path: Path) -> None:
    record, mistakes = read_condition(
        written(
            tmp_path,
            '[condition]\ntitle = "x"\n[severity.s]\nmeaning = "m"\nunit = "percent"\ndefault = "1 percent"\nlow = 0\nhigh = 60\n'
            '[[cause]]\nname = "a"\nvalue = 1\nsource = "definition"\n',
        )
    )
    assert not mistakes
    assert record.severities["s"].high == pytest.approx(0.6)
    assert record.effects[0].value == "1"


# --- days and interventions


def test_day_mistakes(tmp_path: Path) -> None:
    record, mistakes = read_day(
        written(
            tmp_path,
            """[day]
title = "odd day"
[[habit]]
input = "sleep_deep"
start = "25:00"
lasts = "1 hour"
level = "high"
source = "definition"
[[habits]]
input = "x"
[[noise]]
inputs = { x_tempo = "a" }
gap = "2.2 lightyears per hour"
source = "definition"
""",
        )
    )
    assert record.habits[0].level == 0.0
    found = shown(mistakes)
    assert (9, "unknown table 'habits'", "habit") in found
    assert {line for line, _, _ in found} == {5, 7, 9, 12, 13}


def test_intervention_with_parameters_and_windows(tmp_path: Path) -> None:
    record, mistakes = read_intervention(
        written(
            tmp_path,
            """[intervention]
title = "a meal"
meaning = "sugar"
source = "definition"
lasts = "2 h"
[parameter.amount]
default = 75
unit = "gram"
meaning = "how much"
[inputs]
energy_balance = "1 + 0*amount"
[[window]]
input = "meal"
start = "0 min"
lasts = "5 min"
level = "amount/75"
""",
        )
    )
    assert not mistakes
    assert record.parameters["amount"].default == "75 gram"
    assert record.windows[0].level == "amount/75"
    assert record.lasts == "2 h"


def test_intervention_mistakes(tmp_path: Path) -> None:
    _, mistakes = read_intervention(
        written(
            tmp_path,
            """[intervention]
title = "a meal"
source = "definition"
[parameter.amount]
default = "75 hours"
unit = "gram"
meaning = "how much"
[inputs]
energy_balance = "1 + amonut"
""",
        )
    )
    found = shown(mistakes)
    assert (9, "unknown name 'amonut' in '1 + amonut'", "amount") in found
    assert {line for line, _, _ in found} == {5, 9}
    _, mistakes = read_intervention(written(tmp_path, '[intervention]\ntitle = "nothing"\n', "two.toml"))
    assert "does nothing" in mistakes[0].what


# --- measures and studies


def test_measure_mistakes(tmp_path: Path) -> None:
    records, mistakes = read_measures(
        written(
            tmp_path,
            '[A]\nmeaning = "a"\nof = "IGF1"\nunti = "ug/L"\nreads = "level"\nbridge = "3 IU/mg"\n[B]\nmeaning = "b"\nof = "GH"\n'
            'unit = "ug/L"\nreads = "mean"\nwindow = "0 h to tea"\nsampling = "5 mins"\n',
        )
    )
    assert records["A"].options["bridge"] == "3 IU/mg"
    found = shown(mistakes)
    assert (4, "unknown key 'unti'", "unit") in found
    assert {line for line, _, _ in found} == {1, 4, 12, 13} or {line for line, _, _ in found} == {1, 4, 12}


@pytest.fixture(scope="module")
def measures() -> dict[str, MeasureRecord]:
    return dict(read_library().measures)


STUDY = """[study]
key = "assy2008"
citation = "Assy, J Hepatol, 2008"
seen = "abstract"
use = "calibration"
setting = "people"
assay = { IGF1 = "RIA" }

[people.controls]
state = "healthy"
n = 15
age = { mean = "56 years", sd = "9 years" }

[arm.controls]
who = "controls"
do = "rhgh 0.06 mg/kg sc once at 08:00"

[[finding]]
id = "assy2008_gen_controls"
measure = "IGF1_total"
of = "controls@24 h / controls@0 h - 1"
value = "133 percent"
spread = { se = "10 percent", ci95 = ["100 percent", "160 percent"] }

[[finding]]
id = "assy2008_order"
measure = "IGF1_total"
of = ["controls@24 h", "controls@0 h"]
expect = "decreasing"
"""


def test_study(tmp_path: Path, measures: dict[str, MeasureRecord]) -> None:
    study, mistakes = read_study_file(written(tmp_path, STUDY), None, measures)
    assert not mistakes
    assert study is not None
    assert study.people["controls"].given["age"] == {"mean": "56 years", "sd": "9 years"}
    first, second = study.findings
    assert (first.kind, second.kind) == ("contrast", "order")
    assert first.spread["ci95"] == "100 percent to 160 percent"
    assert study.arms["controls"].begin == "08:00"
    assert study.species == "human"


@pytest.mark.parametrize(
    ("old", "new", "line", "what", "near"),
    [
        ('seen = "abstract"', 'seen = "abstrct"', 4, "'seen' must be one of", "abstract"),
        ('seen = "abstract"', 'sen = "abstract"', 4, "unknown key 'sen'", "seen"),
        ('use = "calibration"', "use = 1", 5, "'use' must be text", None),
        ("[arm.controls]", "[arms.controls]", 14, "unknown table 'arms'", "arm"),
        ('who = "controls"', 'who = "control"', 15, "unknown group 'control'", "controls"),
        ('state = "healthy"', 'stat = "healthy"', 10, "unknown key 'stat'", "state"),
        ("n = 15", "n = 15.5", 11, "whole number", None),
        ('age = { mean = "56 years"', 'age = { mean = "56 kg"', 12, "56 kg", None),
        ('age = { mean = "56 years"', 'age = { maen = "56 years"', 12, "unknown key 'maen'", "mean"),
        ('measure = "IGF1_total"\nof = "', 'measure = "IGF_total"\nof = "', 20, "unknown measure 'IGF_total'", "IGF1_total"),
        ("controls@24 h / ", "contrls@24 h / ", 21, "unknown arm 'contrls'", "controls"),
        ("controls@24 h / controls@0 h - 1", "controls@24 h - 1", 21, "different dimension", None),
        ("controls@24 h / controls@0 h - 1", "controls@24 h / ", 21, "not arithmetic", None),
        ("controls@24 h / controls@0 h - 1", "controls@24 hrz / 2", 21, "hrz", None),
        ('value = "133 percent"', 'value = "133 ug/L"', 22, "the dimensions differ", None),
        ('value = "133 percent"', 'vlaue = "133 percent"', 22, "unknown key 'vlaue'", "value"),
        ('se = "10 percent"', 'se = "10 kg"', 23, "the dimensions differ", None),
        ('se = "10 percent"', 'sem = "10 percent"', 23, "unknown key 'sem'", "se"),
        ('expect = "decreasing"', 'expect = "decresing"', 29, "not something to expect", "decreasing"),
        ('["controls@24 h", "controls@0 h"]', '["controls@24 h", "control@0 h"]', 28, "unknown arm", "controls"),
        ('measure = "IGF1_total"\nof = "', 'measure = "IGF1"\nof = "', 20, "unknown measure 'IGF1'", "IGF1_total"),
        ('measure = "IGF1_total"\nof = "', 'measure = "lean"\nof = "', 20, "unknown measure 'lean'", "lean_mass"),
        ('value = "133 percent"', 'value = "133 ± 10 percent"', 22, "what follows the sign is a 'spread'", None),
        ('value = "133 percent"', 'value = "133 +/- 10 percent"', 22, "what follows the sign is a 'spread'", None),
        ('value = "133 percent"', 'value = "100-160 percent"', 22, "a range is written as 'low' and 'high'", None),
        ('value = "133 percent"', 'value = "100 to 160 percent"', 22, "a range is written as 'low' and 'high'", None),
        ('value = "133 percent"', 'value = "317/136"', 22, "worked out", None),
        ('value = "133 percent"', 'value = "-133 percent"', 22, "is above -100 percent", None),
        ('value = "133 percent"', 'value = "133 percent"\nwindow = "0 h to 2 h"', 23, "a window says nothing", None),
        ('mean = "56 years"', 'mean = "50-60 years"', 12, "a range is written as 'low' and 'high'", None),
        ('mean = "56 years"', 'mean = "56 ± 9 years"', 12, "what follows the sign is a 'spread'", None),
        ('id = "assy2008_order"', 'id = "assy2008_gen_controls"', 26, "used twice (first in line 19)", None),
    ],
)
def test_study_mistakes(
    old: str, new: str, line: int, what: str, near: str | None, tmp_path: Path, measures: dict[str, MeasureRecord]
) -> None:
    assert old in STUDY
    _, mistakes = read_study_file(written(tmp_path, STUDY.replace(old, new, 1)), None, measures)
    assert any(m.place.line == line and what in m.what and m.nearest == near for m in mistakes), shown(mistakes)


def test_a_study_from_outside_is_read_against_the_library(tmp_path: Path) -> None:
    library = read_library()
    path = written(tmp_path, STUDY.replace("assy2008", "my2026"))
    assert read_study(path, library).key == "my2026"
    assert "my2026" in read_library(studies=[path]).studies
    assert "my2026" not in read_library().studies
    wrong = written(
        tmp_path, STUDY.replace("assy2008", "my2026").replace("rhgh 0.06", "rhgj 0.06").replace('"healthy"', '"helthy"'), "b.toml"
    )
    with pytest.raises(LibraryError) as caught:
        read_study(wrong, library)
    assert [(m.place.line, m.nearest) for m in caught.value.mistakes] == [(10, "healthy")]  # an arm that cannot be read costs its findings


def test_a_ratio_below_nothing_is_a_change_that_was_not_told_so(tmp_path: Path, measures: dict[str, MeasureRecord]) -> None:
    text = STUDY.replace("controls@0 h - 1", "controls@0 h").replace("133 percent", "-42 percent")
    _, mistakes = read_study_file(written(tmp_path, text), None, measures)
    assert any(m.place.line == 22 and "is 'controls@24 h / controls@0 h - 1'" in m.what for m in mistakes), shown(mistakes)


def test_a_single_group_need_not_be_named(tmp_path: Path, measures: dict[str, MeasureRecord]) -> None:
    study, mistakes = read_study_file(
        written(tmp_path, STUDY.replace('who = "controls"\n', "").replace("[arm.c", "[arm.d")), None, measures
    )
    assert study is not None and study.arms["dontrols"].who == "controls"
    two = STUDY.replace('who = "controls"\n', "").replace("[arm.c", '[people.ill]\nstate = "t2d"\n\n[arm.d')
    _, mistakes = read_study_file(written(tmp_path, two), None, measures)
    assert any("which of the groups controls, ill" in m.what for m in mistakes), shown(mistakes)


# --- sources


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("assy2008", ("assy2008",)),
        ("haffner1994_renal_fraction, 39 percent of clearance", ("haffner1994_renal_fraction",)),
        ("wtloss_stable, adlung_cisturn; assumed: same in man", ("wtloss_stable", "adlung_cisturn")),
        ("assumed: laboratory ranges", ()),
        ("definition", ()),
        ("textbook: Guyton", ()),
        ("fitted: jorgensen2006, trough", ("jorgensen2006",)),
        ("bachmann2011 (0.027 per min), sobotta2017 (0.35 per min), between", ("bachmann2011", "sobotta2017")),
        ("asumed: why", ("asumed:",)),
        ("textbook: Cluster, Am J Physiol 1986;250:E486", ()),
    ],
)
def test_keys_of_a_source(text: str, keys: tuple[str, ...]) -> None:
    assert keys_of(text) == keys
