"""The studies account for every row that was collected: once, in the same use, with the printed number.

The tables lie beside the project where it is developed; where they are not, only the page is compared.
"""

from __future__ import annotations

import csv
import math
import re
import runpy
from collections import Counter
from pathlib import Path

import pytest

from ghaxis import units
from ghaxis.errors import GhaxisError
from ghaxis.reading import read_library
from ghaxis.reading.records import FindingRecord

HERE = Path(__file__).parents[2]
TABLES = HERE.parent / "shared" / "evidence"
LIBRARY = read_library()
FINDINGS = {finding.id: finding for study in LIBRARY.studies.values() for finding in study.findings}
CONTEXTS = {row["id"]: row for study in LIBRARY.studies.values() for row in study.context if "id" in row}
UNITS = {  # words of the tables -> words of ghaxis.units
    "percent_change": "percent", "percentage_points": "percent", "ug/Lv/d": "ug/L/d", "ug/Lv": "ug/L",
    **dict.fromkeys(("ratio", "1/window", "arbitrary", "counts", "sites/cell", "SDS"), "dimensionless"),
}  # fmt: skip
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


def rows(name: str) -> list[dict[str, str]]:
    path = TABLES / name
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


STUDIES = {row["study"]: row for row in rows("studies.csv")}
ROWS = {row["id"]: row for row in rows("findings.csv")}
collected = pytest.mark.skipif(not ROWS, reason="the tables of the evidence are not here")


def close(a: float, b: float, rel: float = 2e-3) -> bool:
    return math.isclose(a, b, rel_tol=rel, abs_tol=1e-9)


def in_unit(text: str, unit: str) -> float | None:
    """A printed amount in the unit of the table, None where the dimension is another one."""
    value, own = units.split(text)
    try:
        return units.convert(value, own or "dimensionless", unit)
    except GhaxisError:
        return None


def disagreement(finding: FindingRecord, row: dict[str, str]) -> str:
    """What differs between a finding and its row of the table; empty where nothing does.

    A finding may state the ratio of two printed numbers, or as an expectation what has no number of its kind (a time of onset). Then its
    note says `printed A`, A the number of the row, and for a ratio `against B` or `(B ...)`: the finding must be A / B or A / B - 1.
    """
    unit = UNITS.get(row["unit"], row["unit"])
    if row["value"]:
        value = None if finding.value is None else in_unit(finding.value, unit)
        asked = float(row["value"]) + (100 if row["unit"] == "percent_change" and "- 1" not in "".join(finding.of) else 0)
        return "" if value is not None and close(value, asked) else by_note(finding, float(row["value"]))
    for text, key in ((finding.low, "spread_low"), (finding.high, "spread_high")):
        if (
            row[key]
            and not finding.expect
            and (text is None or (value := in_unit(text, unit)) is None or not close(value, float(row[key])))
        ):
            return f"{key} {row[key]} {row['unit']} is not {text}"
    return by_note(finding, float(row["spread_low"])) if finding.expect else ""


def by_note(finding: FindingRecord, printed: float) -> str:
    said = re.findall(r"printed([^;]*(?:;[^;]*against[^;]*)?)", finding.note)
    numbers = [[float(n) for n in re.findall(rf"(?<![\w.]){NUMBER}", text)] for text in said]
    mine = next((some for some in numbers if any(close(n, printed) for n in some)), None)
    if mine is None:
        return f"{finding.value or finding.expect} is not the printed {printed:g}, and no note says so"
    if finding.value is None or finding.bound == "none_seen":
        return ""
    value, unit = units.split(finding.value)
    value *= units.factor(unit or "dimensionless", "dimensionless")
    if any(close(printed / n - shift, value, 2e-2) for n in mine if n for shift in (0.0, 1.0)):
        return ""
    return f"{finding.value} is no ratio of the numbers in its note"


@collected
def test_every_row_stands_once_in_its_study() -> None:
    stands = [(f.id, s.key) for s in LIBRARY.studies.values() for f in s.findings]
    stands += [(row["id"], s.key) for s in LIBRARY.studies.values() for row in s.context if "id" in row]
    ids, homes = Counter(i for i, _ in stands), dict(stands)
    assert [i for i in ROWS if ids[i] != 1] == []
    assert {i: homes[i] for i, row in ROWS.items() if homes[i] != row["study"]} == {}
    own = [f for i, f in FINDINGS.items() if i not in ROWS and LIBRARY.studies[homes[i]].use != "extra"]
    assert [f.id for f in own if f.kind != "order"] == []  # what was not collected may only restate what was


@collected
def test_every_study_is_used_as_it_was_fixed() -> None:
    assert set(STUDIES) - set(LIBRARY.studies) == set()
    for key, row in STUDIES.items():
        study = LIBRARY.studies[key]
        said = (study.use, study.setting, study.topic, study.species, study.citation, study.doi, study.seen)
        seen = row["confidence"].removeprefix("seen_")
        assert said == (row["use"], row["setting"], row["topic"], row["species"], row["citation"], row["doi_or_pmid"], seen), key


@collected
def test_numbers_are_those_of_the_tables() -> None:
    wrong = {i: said for i, finding in FINDINGS.items() if i in ROWS and (said := disagreement(finding, ROWS[i]))}
    assert wrong == {}
    sizes = {i: (f.n, ROWS[i]["n_arm"]) for i, f in FINDINGS.items() if i in ROWS and f.n is not None and str(f.n) != ROWS[i]["n_arm"]}
    assert sizes == {}


@collected
def test_context_keeps_the_printed_number() -> None:
    for i, row in ROWS.items():
        if i in CONTEXTS and row["value"]:
            found = re.search(NUMBER, CONTEXTS[i].get("value", ""))
            assert found and close(float(found[0]), float(row["value"])), i


def test_context_says_why_no_finding_expresses_it() -> None:
    assert [i for i, row in CONTEXTS.items() if not row.get("reason", "").strip()] == []


def test_every_collected_study_has_its_topic() -> None:
    assert [s.key for s in LIBRARY.studies.values() if not s.topic and s.use != "extra"] == []


def test_the_pages_are_those_of_the_library() -> None:
    made = runpy.run_path(str(HERE / "docs" / "evidence.py"))
    for name, page in (("evidence.md", made["page"]), ("claims.md", made["claims_page"])):
        assert (HERE / "docs" / name).read_text(encoding="utf-8") == page(LIBRARY), name
