"""Checks across files, on a library small enough to read."""

import math
from pathlib import Path

import pytest

from ghaxis.reading import check, citations, read_library
from ghaxis.reading.book import Book
from ghaxis.reading.numbers import number_of

UNITS = """// Units.
unit hour = 3600 second;
unit per_hour = 1/(3600 second);
unit ng = 1e-9 gram;
unit litre_per_hour = litre/(3600 second);
unit ng_per_litre = 1e-9 gram/litre;
unit time_unit = 3600 second;
unit substance = 1e-9 gram;
unit extent = 1e-9 gram;
unit volume = 1 litre;
"""
SOURCE = """// What comes from outside.
// needs:
// offers: drive, fat, fat_share
drive = 1; drive has dimensionless; // drive | definition | none | cause
fat = 10; fat has ng; // fat | definition | none | slow
fat' = r_fat*drive - k_fat*fat;
r_fat = 1; r_fat has ng_per_hour; // deposition | definition | none | balances fat
k_fat = 0.1; k_fat has per_hour; // loss | known2001_k | cv 0.2
m_body = 100; m_body has ng; // the rest | known2001 | none
fat_share := fat/(fat + m_body); // share of fat
"""
TARGET = """// What answers.
// needs: drive, fat
// offers: answer
port_answer = 0; port_answer has dimensionless; // sum of levels | definition | none | port
answer := (drive + port_answer)*fat; // what answers
"""
THERAPY = """// A drug.
// status: investigational | checked 2026-11
// route: iv -> level_drug
// needs:
// offers: port_answer_drug
level_drug = 0; level_drug has dimensionless; // level
level_drug' = -k_drug*level_drug;
k_drug = 1; k_drug has per_hour; // loss | assumed: fast | none
port_answer_drug := level_drug; // what it adds
"""
FILES = {
    "model/units.ant": UNITS + "unit ng_per_hour = 1e-9 gram/(3600 second);\n",
    "model/source.ant": SOURCE,
    "model/target.ant": TARGET,
    "therapies/drug.ant": THERAPY,
    "conditions/healthy.toml": '[condition]\ntitle = "health"\n',
    "conditions/fatty.toml": """[condition]
title = "fatty"
excludes = ["lean"]
[severity.share]
meaning = "share"
unit = "percent"
default = "20 percent"
low = 5
high = 90
[[descriptor]]
name = "fat_share"
value = "share"
operator = "max"
source = "known2001_k"
[[cause]]
name = "drive"
value = "1/(1 - share)"
operator = "times"
source = "assumed: why"
""",
    "conditions/lean.toml": '[condition]\ntitle = "lean"\n',
    "days/ordinary.toml": '[day]\ntitle = "a day"\n',
    "interventions/push.toml": '[intervention]\ntitle = "push"\nsource = "definition"\n[inputs]\ndrive = "2"\n',
    "measures.toml": """[answer]
meaning = "the answer"
of = "answer"
unit = "mg"
reads = "level"
source = "definition"
[answer_area]
meaning = "its area"
of = "answer"
unit = "mg*h"
reads = "area"
window = "1 day"
source = "definition"
[answer_units]
meaning = "in units of a standard"
of = "answer"
unit = "IU"
reads = "mean"
bridge = "3 IU/mg"
window = "0 h to 2 h"
source = "definition"
""",
    "studies/known2001.toml": """[study]
key = "known2001"
citation = "Known, J Fame, 2001"
doi = "10.1/1"
seen = "abstract"
use = "calibration"
setting = "people"
[people.all]
state = "fatty"
n = 9
[arm.drug]
who = "all"
do = "drug 1 mg iv daily then push"
[[finding]]
id = "known2001_k"
measure = "answer"
of = "drug@1 day - drug@0 h"
value = "3 mg"
claim = "X1"
""",
    "sources.toml": """[known2001]
citation = "Known, J Fame, 2001"
doi = "10.1/1"
seen = "abstract"
use = "calibration"
findings = ["known2001_k"]
""",
    "claims.toml": 'X1 = "It answers"\n',
}


def found(root: Path, changes: dict[str, tuple[str, str]] | None = None, extra: dict[str, str] | None = None) -> list[str]:
    """What `check` says of the small library with some texts changed (file: old, new) and some files added."""
    texts = {**FILES, **(extra or {})}
    for file, (old, new) in (changes or {}).items():
        assert old in texts[file]
        texts[file] = texts[file].replace(old, new, 1)
    for file, text in texts.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [str(m) for m in check(read_library(root))]


def test_the_small_library_is_right(tmp_path: Path) -> None:
    assert found(tmp_path) == []
    library = read_library(tmp_path)
    assert citations(library, ["known2001_k, assumed: x", "definition", "known2001"]) == ("Known, J Fame, 2001 10.1/1",)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "model/target.ant",
            "needs: drive, fat",
            "needs: drive, fta",
            "target.ant:2: error: need 'fta' is offered by no file (did you mean 'fat'?)",
        ),
        (
            "model/source.ant",
            "offers: drive, fat, ",
            "offers: fat, ",
            "source.ant:4: warning: 'drive' is needed by target but is not in the offers of source",
        ),
        (
            "model/target.ant",
            "answer := ",
            "fat_share := 1*",
            "target.ant:5: error: fat_share is defined twice, here and at model/source.ant:10",
        ),
        (
            "model/source.ant",
            "balances fat",
            "balances fat_share",
            "source.ant:7: error: r_fat balances 'fat_share', which is no slow state",
        ),
        (
            "model/source.ant",
            "| none\nfat_share",
            "| none | balances fat\nfat_share",
            "source.ant:9: error: fat is balanced by m_body and by r_fat",
        ),
        (
            "model/source.ant",
            "| none\nfat_share",
            "| none | reference of answre\nfat_share",
            "m_body is the reference of 'answre', which the model does not have (did you mean 'answer'?)",
        ),
        (
            "model/source.ant",
            "cv 0.2",
            "sd 1 ng",
            "source.ant:8: error: the spread of k_fat, '1 ng', is not in its dimension (did you mean 'sd X 1/h'?)",
        ),
        (
            "model/source.ant",
            "fat/(fat + m_body)",
            "fat/(fat + k_fat)",
            "source.ant:10: error: fat_share := 'fat' is in ng and 'k_fat' in 1/h: '+' needs the same",
        ),
        (
            "therapies/drug.ant",
            "port_answer_drug := level_drug",
            "port_answer_drug := k_drug",
            "drug.ant:9: error: port_answer_drug is in 1/h, but the port",
        ),
        (
            "model/target.ant",
            "port_answer = 0; port_answer has",
            "port_ansver = 0; port_ansver has",
            "error: no part of the model has the port 'port_answer' (did you mean 'port_ansver'?)",
        ),
        (
            "conditions/fatty.toml",
            '["lean"]',
            '["leen"]',
            "fatty.toml:3: error: excludes an unknown condition 'leen' (did you mean 'lean'?)",
        ),
        ("conditions/fatty.toml", '["lean"]', '["fatty"]', "fatty.toml:3: error: a condition cannot exclude itself"),
        (
            "conditions/fatty.toml",
            '"fat_share"',
            '"k_fat"',
            "fatty.toml:11: error: 'k_fat' is a constant without a role; only a descriptor or",
        ),
        (
            "conditions/fatty.toml",
            '"drive"',
            '"k_fat"',
            "fatty.toml:16: error: 'k_fat' is a constant without a role; only a cause can be set here",
        ),
        ("conditions/fatty.toml", "high = 90", "high = 100", "fatty.toml:17: error: '1/(1 - share)' has no finite value at share = 1"),
        (
            "conditions/fatty.toml",
            '"share"\noperator',
            '"shaer"\noperator',
            "fatty.toml:12: error: unknown name 'shaer' in 'shaer' (did you mean 'share'?)",
        ),
        ("conditions/fatty.toml", '"max"', '"max"\nunit = "hour"', "'hour' has not the dimension of fat_share, which is in dimensionless"),
        (
            "conditions/fatty.toml",
            '"times"',
            '"times"\nunit = "hour"',
            "the operator 'times' multiplies drive by a pure number, not by 'hour'",
        ),
        (
            "conditions/fatty.toml",
            "[[cause]]",
            '[severity.age]\nmeaning = "x"\ndefault = 1\n[[cause]]',
            "warning: no effect reads the severity 'age'",
        ),
        (
            "interventions/push.toml",
            'drive = "2"',
            'k_fat = "2"',
            "push.toml:5: error: 'k_fat' is a constant without a role; only an input or a cause",
        ),
        ("interventions/push.toml", 'source = "definition"\n', "", "push.toml:1: error: no source"),
        (
            "measures.toml",
            'unit = "mg*h"',
            'unit = "mg"',
            "measures.toml:10: error: 'mg' is not the dimension of what area reads of answer",
        ),
        ("measures.toml", '"3 IU/mg"', '"3 IU/L"', "'IU' is not the dimension of what mean reads of answer"),
        (
            "measures.toml",
            '"0 h to 2 h"',
            '"2 h to 0 h"',
            "measures.toml:20: error: window = '2 h to 0 h': write one duration, or an earlier and a later",
        ),
        (
            "studies/known2001.toml",
            '"calibration"',
            '"validation"',
            "known2001.toml:6: error: 'known2001' is fixed as calibration and cannot be used for",
        ),
        (
            "studies/known2001.toml",
            "n = 9",
            "n = 9\nfatt = 3",
            "known2001.toml:11: error: unknown characteristic 'fatt' (did you mean 'fat'?)",
        ),
        ("studies/known2001.toml", "n = 9", 'n = 9\nfat = "3 h"', "known2001.toml:11: error: fat = '3 h'"),
        (
            "studies/known2001.toml",
            'id = "known2001_k"',
            'id = "other_k"',
            "error: finding id 'other_k' does not begin with its study's key",
        ),
        (
            "studies/known2001.toml",
            'measure = "answer"\nof = "drug@1 day - drug@0 h"\nvalue = "3 mg"',
            'number = "log(2) / k_fats"\nvalue = "7 h"',
            "known2001.toml:16: error: 'log(2) / k_fats': unknown name 'k_fats' (did you mean 'k_fat'?)",
        ),
        (
            "studies/known2001.toml",
            'measure = "answer"\nof = "drug@1 day - drug@0 h"\nvalue = "3 mg"',
            'number = "log(2) / k_drug"\nvalue = "7 mg"',
            "known2001.toml:17: error: value = '7 mg': 'mg' cannot be read as 'h': the dimensions differ, and 'log(2) / k_drug' is in h",
        ),
        (
            "studies/known2001.toml",
            'measure = "answer"\nof = "drug@1 day - drug@0 h"\nvalue = "3 mg"',
            'number = "k_fat + fat_share"\nvalue = "7 mg"',
            "known2001.toml:16: error: 'k_fat + fat_share': fat_share is a rule, no plain number: only a run has its value",
        ),
        (
            "studies/known2001.toml",
            'measure = "answer"\nof = "drug@1 day - drug@0 h"\nvalue = "3 mg"',
            'number = "k_fat + m_body"\nvalue = "7 mg"',
            "known2001.toml:16: error: 'k_fat + m_body': 'k_fat' is in 1/h and 'm_body' in ng: '+' needs the same unit",
        ),
        (
            "studies/known2001.toml",
            'of = "drug@1 day - drug@0 h"',
            'number = "k_fat"',
            "known2001.toml:16: error: 'number' is read off the model's text and 'measure' off a run: write one of them",
        ),
        ("studies/known2001.toml", 'of = "drug@1 day - drug@0 h"\n', "", "known2001.toml:14: error: missing key 'of' (or 'number'"),
        (
            "sources.toml",
            '"calibration"',
            '"validation"',
            "model/source.ant:8: error: the study 'known2001' is kept for validation: no number of the library may rest on it",
        ),
        ("sources.toml", "[known2001]", "[known2002]", "warning: 'known2001' is not in the index of studies; a study that was added later"),
    ],
)
def test_what_check_says(file: str, old: str, new: str, said: str, tmp_path: Path) -> None:
    mistakes = found(tmp_path, {file: (old, new)})
    assert any(said in m for m in mistakes), mistakes


def test_a_variant_offers_what_others_need_in_the_same_units(tmp_path: Path) -> None:
    assert found(tmp_path, extra={"variants/other.ant": SOURCE.replace("What comes", "What also comes")}) == []
    wrong = SOURCE.replace("offers: drive, fat", "offers: drive").replace("drive has dimensionless", "drive has ng")
    mistakes = found(tmp_path, extra={"variants/other.ant": wrong})
    assert any("other.ant: error: variant other does not offer 'fat'" in m for m in mistakes), mistakes
    assert any("other.ant:4: error: variant other offers drive in ng; source in dimensionless" in m for m in mistakes), mistakes


def test_a_misfit_names_studies_and_findings_that_are_there(tmp_path: Path) -> None:
    text = '[odd]\ntitle = "It does not fit"\nof = ["known2001", "known2001_k"]\ncause = "nobody knows"\n'
    assert found(tmp_path, extra={"misfits.toml": text}) == []
    mistakes = found(tmp_path, extra={"misfits.toml": text.replace("_k", "_kk").replace("title", "titel")})
    assert any("'known2001_kk' is no study or finding of the library (did you mean 'known2001_k'?)" in m for m in mistakes), mistakes
    assert any("misfits.toml:2: error: unknown key 'titel' (did you mean 'title'?)" in m for m in mistakes), mistakes


def test_a_number_is_read_off_the_text_of_mechanisms_and_therapies(tmp_path: Path) -> None:
    """In the inner unit that its arithmetic has, with the studies behind its sources."""
    old = 'measure = "answer"\nof = "drug@1 day - drug@0 h"\nvalue = "3 mg"'
    new = 'number = "log(2) / (k_fat + k_drug)"\nkind = "constant"\nvalue = "38 min"\nspread = { sd = "4 min" }'
    assert found(tmp_path, {"studies/known2001.toml": (old, new)}) == []
    library = read_library(tmp_path)
    finding = library.studies["known2001"].findings[0]
    assert (finding.kind, finding.of, finding.measure) == ("constant", (), "")
    number = number_of(finding.number, Book(library))
    assert (number.value, number.unit, number.studies) == (pytest.approx(math.log(2) / 1.1), "h", frozenset({"known2001"}))


def test_an_assumption_may_not_lean_on_a_validation_study_either(tmp_path: Path) -> None:
    extra = {"sources.toml": FILES["sources.toml"] + '[kept_1_1999]\ncitation = "K"\ndoi = ""\nseen = "abstract"\nuse = "validation"\n'}
    leaning = {"therapies/drug.ant": ("assumed: fast", "assumed: fast as in kept_1_1999")}
    mistakes = found(tmp_path, leaning, extra)
    assert any("therapies/drug.ant:8: error: the study 'kept_1_1999' is kept for validation" in m for m in mistakes), mistakes


def test_two_studies_share_neither_key_nor_finding(tmp_path: Path) -> None:
    again = FILES["studies/known2001.toml"]
    mistakes = found(tmp_path, extra={"studies/other2002.toml": again.replace('key = "known2001"', 'key = "other2002"')})
    assert any("finding id 'known2001_k' is used twice (first in studies/known2001.toml:14)" in m for m in mistakes), mistakes
    mistakes = found(tmp_path, extra={"studies/other2002.toml": again})
    assert any("the key 'known2001' is not the file's name (did you mean 'other2002'?)" in m for m in mistakes), mistakes
    assert any("study key 'known2001' is used twice" in m for m in mistakes), mistakes


def test_files_that_cannot_be_read_are_mistakes_like_others(tmp_path: Path) -> None:
    found(tmp_path)
    (tmp_path / "model" / "source.ant").write_bytes(b"\xff\xfe")
    (tmp_path / "conditions" / "lean.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "claims.toml").unlink()
    mistakes = [str(m) for m in check(read_library(tmp_path))]
    for said in (
        "model/source.ant: error: cannot be read: it is not UTF-8 text",
        "conditions/lean.toml: error: cannot be read: it is not UTF-8 text",
        "claims.toml: error: cannot be read: no such file or directory",
    ):
        assert said in mistakes


def test_a_folder_that_is_no_library_says_so(tmp_path: Path) -> None:
    mistakes = [str(m) for m in check(read_library(tmp_path))]
    assert f"{tmp_path}: error: no folder 'model' in it: this is not a library" in mistakes
