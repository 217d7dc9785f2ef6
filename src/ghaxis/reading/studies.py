"""Studies: one paper, one TOML file, as a record, with every mistake in it that needs no model to be seen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ghaxis import units
from ghaxis.errors import InputError, Mistake, UnitError, nearest
from ghaxis.reading import arithmetic
from ghaxis.reading.arithmetic import Of, parse_of
from ghaxis.reading.document import Document, Table, clock, duration, named, span
from ghaxis.reading.records import ArmRecord, FindingRecord, MeasureRecord, PeopleRecord, StudyRecord

SEEN = ("fulltext", "abstract", "secondary", "memory")
USES = ("calibration", "validation", "claim", "extra")
SETTINGS = ("people", "part", "constant")
TOPICS = (
    *("secretion", "feedback", "kinetics", "secretagogue", "rhgh", "liver_disease", "obesity_metabolic", "nutrition"),
    *("inflammation_stress", "genetic", "body", "signalling", "diagnostics"),
)
KINDS = ("level", "contrast", "constant", "order")
BOUNDS = ("upper", "lower", "none_seen")
SPREADS = ("sd", "se", "cv", "ci95", "iqr", "range", "inferred_sd", "inferred_se")
PLAIN_GIVEN = ("age", "bmi", "weight", "height")
_GIVEN_UNITS = {"age": "year", "bmi": "kg/m**2", "weight": "kg", "height": "m"}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?:\s*[^\s,\d]\S*)?"
_EXPECT = re.compile(rf"decreasing|increasing|no change|(?:<=|>=|<|>)\s*{_NUMBER}|between\s+{_NUMBER}\s+and\s+{_NUMBER}")
EXPECTS = ("decreasing", "increasing", "no change", "< 0.9", "> 1.1", "between 0.5 and 0.9")
_STUDY_KEYS = ("key", "citation", "doi", "seen", "use", "setting", "topic", "title", "assay", "species", "parts", "hold", "note")
_FINDING_KEYS = (
    "id",
    "measure",
    "of",
    "number",
    "kind",
    "value",
    "low",
    "high",
    "spread",
    "n",
    "bound",
    "expect",
    "claim",
    "window",
    "sampling",
    "note",
)


def read_study_file(path: Path, root: Path | None, measures: Mapping[str, MeasureRecord]) -> tuple[StudyRecord | None, list[Mistake]]:
    """A study, or None where the file is not TOML or has no [study]. Measures are looked up in `measures`."""
    document = Document.read(path, root)
    if not document.values:
        if not document.mistakes:
            document.report((), "an empty study file")
        return None, document.mistakes
    top = document.top
    top.only(("study", "people", "arm", "finding", "context"))
    head = top.table("study", required=True)
    if head is None:
        return None, document.mistakes
    head.only(_STUDY_KEYS)
    key = head.text("key")
    if key and root is not None and key != path.stem:
        head.report("key", f"the key '{key}' is not the file's name", path.stem)
    setting = head.word("setting", SETTINGS, "people")
    hold = head.table("hold")
    people = {name: _people(name, table) for name, table in named(top.table("people"))}
    arms = {name: _arm(name, table, people) for name, table in named(top.table("arm"))}
    findings = tuple(_finding(table, arms, measures) for table in top.tables("finding"))
    seen_ids: dict[str, int] = {}
    for i, finding in enumerate(findings):
        if finding.id in seen_ids:
            document.report(("finding", i, "id"), f"finding id '{finding.id}' is used twice (first in line {seen_ids[finding.id]})")
        elif finding.id:
            seen_ids[finding.id] = document.place(("finding", i, "id")).line
    return (
        StudyRecord(
            key,
            head.text("citation"),
            head.text("doi", ""),
            head.word("seen", SEEN),
            head.word("use", USES),
            setting,
            head.text("title", ""),
            _texts(head.table("assay")),
            people,
            arms,
            findings,
            head.text("species", "human") or "human",
            head.words("parts"),
            dict(hold.values) if hold else {},
            head.place,
            tuple(_texts(table) for table in top.tables("context")),
            head.word("topic", TOPICS, ""),
        ),
        document.mistakes,
    )


def _texts(table: Table | None) -> dict[str, str]:
    """A table whose values are all text (numbers are taken as text)."""
    return {key: table.amount(key) or "" for key in table.values} if table else {}


def _people(name: str, table: Table) -> PeopleRecord:
    given: dict[str, Any] = {}
    for key, value in table.values.items():
        if near := nearest(key, {"state"} - set(table.values)):  # characteristics are free, but this is a slip of the pen
            table.report(key, f"unknown key '{key}'", near)
        elif key not in ("state", "n"):
            given[key] = _given(table, key, value)
    size = table.number("n", None)
    if size is not None and (size != int(size) or size < 1):
        table.report("n", f"'n' must be a whole number of people, not {size:g}")
    return PeopleRecord(name, table.text("state"), None if size is None else int(size), given, table.place)


def _given(table: Table, key: str, value: Any) -> Any:
    """A printed characteristic: text with unit, a number, or {mean, sd} ({low, high})."""
    if isinstance(value, dict):
        inner = table.table(key)
        assert inner is not None
        inner.only(("mean", "sd", "se", "median", "low", "high"))
        for part in inner.values:
            _check_given(inner, part, key, inner.amount(part))
        return dict(inner.values)
    if key == "sex":
        table.word("sex", ("M", "F", "mixed"))
        return value
    _check_given(table, key, key, table.amount(key))
    return value


def _check_given(table: Table, key: str, what: str, text: str | None) -> None:
    unit = _GIVEN_UNITS.get(what)
    if text is None or unit is None:
        return
    try:
        units.number(text, unit, key)
    except (InputError, UnitError) as error:
        table.report(key, error)


def _arm(name: str, table: Table, people: Mapping[str, PeopleRecord]) -> ArmRecord:
    table.only(("who", "do", "begin", "day"))
    who = table.text("who", "" if not people else name if name in people else "")
    if "who" not in table.values and who == "" and people:
        table.report(None, "missing key 'who'")
    if who and who not in people:
        table.report("who", f"unknown group '{who}'", nearest(who, people))
    return ArmRecord(name, who, table.text("do", "nothing"), table.place, clock(table, "begin", "08:00"), table.text("day", "ordinary"))


def _finding(table: Table, arms: Mapping[str, ArmRecord], measures: Mapping[str, MeasureRecord]) -> FindingRecord:
    table.only(_FINDING_KEYS)
    name = table.text("id")
    number = table.text("number", "")
    measure = table.text("measure", "") if number else table.text("measure")
    record = measures.get(measure)
    if measure and measures and record is None:
        table.report("measure", f"unknown measure '{measure}'", nearest(measure, measures))
    of = table.words("of")
    if number:
        _number(table, number)
    elif not of:
        table.report(None, "missing key 'of' (or 'number', where a number of the model's text stands for it)")
    parsed = [one for i, text in enumerate(of) if (one := _of(table, i, text, arms)) is not None]
    expect = table.text("expect", "") or None
    if expect and not _EXPECT.fullmatch(expect.strip()):
        table.report("expect", f"'{expect}' is not something to expect: write one of {', '.join(EXPECTS)}", nearest(expect, EXPECTS))
    kind = table.word("kind", KINDS, _kind(number, parsed, expect, "value" in table.values))
    amounts = {key: table.amount(key) for key in ("value", "low", "high")}
    spread = _spread(table)
    if not expect and all(v is None for v in amounts.values()):
        table.report(None, "neither 'value' ('low', 'high') nor 'expect': nothing was observed")
    _dimensions(table, record, parsed, kind, amounts, spread)
    size = table.number("n", None)
    if number and kind != "constant":
        table.report("kind", f"'number' is a constant, not a {kind}", "constant")
    return FindingRecord(
        name,
        measure,
        of,
        kind,
        amounts["value"],
        amounts["low"],
        amounts["high"],
        spread,
        None if size is None else int(size),
        table.word("bound", BOUNDS, "") or None,
        expect,
        table.text("claim", "") or None,
        span(table, "window") or None,
        table.text("note", ""),
        table.place,
        number,
        duration(table, "sampling", "") or None,
    )


def _number(table: Table, text: str) -> None:
    """Arithmetic over the model's text stands alone: no measure is read, nothing is expected of it but a value."""
    for key in ("measure", "of", "window", "sampling", "expect"):
        if key in table.values:
            table.report(key, f"'number' is read off the model's text and '{key}' off a run: write one of them")
    try:
        arithmetic.names(text)
    except InputError as error:
        table.report("number", error)


def _kind(number: str, parsed: list[Of], expect: str | None, valued: bool) -> str:
    """What kind of finding it is where the file does not say."""
    if number:
        return "constant"
    if expect and not valued:
        return "order"
    return "level" if len(parsed) == 1 and parsed[0].is_plain else "contrast"


def _of(table: Table, i: int, text: str, arms: Mapping[str, ArmRecord]) -> Of | None:
    try:
        parsed = parse_of(text, arms)
        _ = parsed.degree
        return parsed
    except InputError as error:
        table.document.report((*table.steps, "of", i) if isinstance(table.values.get("of"), list) else (*table.steps, "of"), error)
        return None


def _spread(table: Table) -> dict[str, str]:
    """How far values lie apart; a list of two ends becomes "low to high"."""
    inner = table.table("spread")
    if inner is None:
        return {}
    inner.only(SPREADS)
    row: dict[str, str] = {}
    for key, value in inner.values.items():
        row[key] = " to ".join(map(str, value)) if isinstance(value, list) else str(value)
    return row


def _dimensions(
    table: Table, measure: MeasureRecord | None, parsed: list[Of], kind: str, amounts: Mapping[str, str | None], spread: Mapping[str, str]
) -> None:
    """Value, ends and spread must be in the unit that `of` over the measure has: its own for a level or difference, none for a ratio."""
    if measure is None or not measure.unit or (kind != "constant" and not parsed):
        return
    try:
        degree = parsed[0].degree if parsed else 1
    except InputError:
        return  # reported where it stands
    unit = {0: "dimensionless", 1: measure.unit}.get(degree)
    if unit is None:
        return
    rows = [(key, text) for key, text in amounts.items() if text is not None]
    rows += [("spread", end) for key, text in spread.items() if key != "cv" for end in text.split(" to ")]
    for key, text in rows:
        try:
            units.number(text, unit, key)
        except (InputError, UnitError) as error:
            table.report(key, error)
