"""Studies: one paper, one TOML file, as a record, with every mistake in it that needs no model to be seen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain
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
_SLIPS = (  # how amounts stand in papers, and how they are written here
    (re.compile(r"±|\+/?-"), "one number with its unit; what follows the sign is a 'spread' (of people: { mean, sd }), as 'sd' or as 'se'"),
    (re.compile(r"\d\D*?(?:-|–|\bto\b)\s*\d"), "a range is written as 'low' and 'high' (of people: { low, high })"),
    (re.compile(r"\d\s*[*/]\s*\d"), "one number with its unit, worked out; keep the printed ones in the note"),
)
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
    _amount(table, key, text, unit)


def _amount(table: Table, key: str, text: str, unit: str) -> float | None:
    """A printed amount as a number in `unit`; what else people write there is told how it is written here."""
    try:
        return units.number(text, unit, key)
    except (InputError, UnitError) as error:
        table.report(key, next((f"{key} = '{text}': {how}" for slip, how in _SLIPS if slip.search(text)), error))
        return None


def _arm(name: str, table: Table, people: Mapping[str, PeopleRecord]) -> ArmRecord:
    table.only(("who", "do", "begin", "day"))
    only = next(iter(people)) if len(people) == 1 else ""
    who = table.text("who", name if name in people else only)
    if "who" not in table.values and who == "" and people:
        table.report(None, f"missing key 'who': which of the groups {', '.join(people)} is it?")
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
        table.report("measure", f"unknown measure '{measure}'", _measure_like(measure, measures))
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
    numbers = _dimensions(table, record, parsed, kind, amounts, spread)
    if kind == "contrast" and len(parsed) == 1:
        _possible(table, parsed[0], numbers, amounts)
    window = span(table, "window") or None
    if window and record and record.reads == "level":
        table.report("window", f"'{measure}' is one sample: its moment is the time after the '@', and a window says nothing")
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
        window,
        table.text("note", ""),
        table.place,
        number,
        duration(table, "sampling", "") or None,
    )


def _measure_like(word: str, measures: Mapping[str, MeasureRecord]) -> str | None:
    """The measure that somebody means: by the quantity it reads, by how its name begins, else the nearest name."""
    plain = re.sub(r"\W", "", word).lower()
    reads = (name for name, record in measures.items() if plain in (record.of.lower(), name.replace("_", "").lower()))
    begins = (name for name in measures if name.lower().startswith(f"{plain}_"))
    return next(chain(reads, begins), nearest(word, measures)) if plain else None


def _possible(table: Table, of: Of, numbers: Mapping[str, float], amounts: Mapping[str, str | None]) -> None:
    """A ratio is above 0, and nothing falls by more than all of it."""
    if of.degree != 0 or of.shape not in ("ratio", "relative"):
        return
    least, bound, why = (
        (0.0, "0", f"a change relative to it is '{of.text} - 1'")
        if of.shape == "ratio"
        else (-1.0, "-100 percent", "a percentage that is left is the ratio without '- 1'")
    )
    for key, number in numbers.items():
        if number <= least:
            table.report(key, f"{key} = '{amounts[key]}' cannot be: '{of.text}' is above {bound} ({why})")


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
) -> dict[str, float]:
    """Value, ends and spread must be in the unit that `of` over the measure has: its own for a level or difference, none for a ratio.
    The amounts as numbers in it."""
    if measure is None or not measure.unit or (kind != "constant" and not parsed):
        return {}
    try:
        degree = parsed[0].degree if parsed else 1
    except InputError:
        return {}  # reported where it stands
    unit = {0: "dimensionless", 1: measure.unit}.get(degree)
    if unit is None:
        return {}
    for key, text in spread.items():
        for end in text.split(" to ") if key != "cv" else ():
            _amount(table, "spread", end, unit)
    numbers = {key: _amount(table, key, text, unit) for key, text in amounts.items() if text is not None}
    return {key: number for key, number in numbers.items() if number is not None}
