"""Conditions, days, interventions and measures: TOML files as records, with every mistake in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ghaxis import units
from ghaxis.errors import InputError, Mistake, Place, UnitError, nearest
from ghaxis.reading import arithmetic
from ghaxis.reading.document import Document, Table, clock, duration, named, span
from ghaxis.reading.records import (
    ConditionRecord,
    DayRecord,
    Effect,
    Habit,
    InterventionRecord,
    MeasureRecord,
    Noise,
    Parameter,
    Severity,
    Window,
)

OPERATORS = ("set", "add", "times", "max")


def formula(table: Table, key: str, known: frozenset[str] | None = None) -> str:
    """A text (or number) that is arithmetic; names outside `known` are mistakes, unless it is None."""
    value = table.amount(key)
    if value is None:
        if key not in table.values:
            table.report(None, f"missing key '{key}'")
        return ""
    try:
        used = arithmetic.names(value)
        for name in sorted(used - known) if known is not None else ():
            table.report(key, f"unknown name '{name}' in '{value}'", nearest(name, known or ()))
    except InputError as error:
        table.report(key, error)
    return value


def _severity_number(text: str, unit: str, levels: Mapping[str, float], what: str) -> float:
    """A severity as the number formulas use: level words by their table, percent as a fraction of 1, all else in `unit`."""
    text = text.strip()
    if levels:
        if text not in levels:
            close = nearest(text, levels)
            raise InputError(f"{what} must be one of {', '.join(levels)}, not '{text}'" + (f"; did you mean '{close}'?" if close else ""))
        return levels[text]
    plain = unit in ("", "dimensionless")
    value, given = units.split(text)
    if not given and not plain:
        raise UnitError(f"{what} = '{text}': a bare number; write it with its unit, like '{text} {unit}'")
    return units.number(text, "dimensionless" if units.same(unit, "dimensionless") else unit, what) if given else value


def severity_number(severity: Severity, text: str) -> float:
    """The number behind a severity's text ("20 percent" -> 0.2, "C" -> 3). Raises InputError for an unknown level or a value outside its
    range, UnitError for a wrong unit or a bare number where a unit is expected."""
    value = _severity_number(text, severity.unit, severity.levels, severity.name)
    low, high = severity.low, severity.high
    if (low is not None and value < low - 1e-12) or (high is not None and value > high + 1e-12):
        scale = units.factor("dimensionless", severity.unit) if severity.unit and units.same(severity.unit, "dimensionless") else 1.0
        ends = [f"{end * scale:g}" for end in (low, high) if end is not None]
        span = " to ".join(ends) if len(ends) == 2 else ("at least " if low is not None else "at most ") + ends[0]
        unit = "" if severity.unit in ("", "dimensionless") else f" {severity.unit}"
        raise InputError(f"{severity.name} = {text.strip()} is outside its range, {span}{unit}")
    return value


def _severity(name: str, table: Table) -> Severity:
    table.only(("meaning", "unit", "default", "low", "high", "levels"))
    unit = table.unit("unit", "dimensionless")
    levels: dict[str, float] = {}
    words = table.table("levels")
    for word in words.values if words else ():
        levels[word] = (words.number(word) if words else 0.0) or 0.0
    default = table.amount("default") or ""
    if "default" not in table.values:
        table.report(None, "missing key 'default'")
    ends: dict[str, float | None] = {}
    for key in ("low", "high"):
        ends[key] = None
        text = table.amount(key)
        if text is not None and unit:
            try:
                bare = not units.split(text)[1] and units.same(unit, "dimensionless")
                ends[key] = _severity_number(f"{text} {unit}" if bare else text, unit, {}, key)
            except (InputError, UnitError) as error:
                table.report(key, error)
    severity = Severity(name, table.text("meaning"), unit, default, ends["low"], ends["high"], levels, table.place)
    if default and (unit or levels):
        try:
            severity_number(severity, default)
        except (InputError, UnitError) as error:
            table.report("default", error)
    return severity


def _effect(table: Table, kind: str) -> Effect:
    table.only(("name", "value", "unit", "operator", "source", "meaning"))
    return Effect(
        table.text("name"),
        "cause" if kind == "cause" else "descriptor",
        formula(table, "value"),
        table.unit("unit", "dimensionless"),
        table.word("operator", OPERATORS, "set"),
        table.text("source"),
        table.place,
    )


def read_condition(path: Path, root: Path | None = None) -> tuple[ConditionRecord, list[Mistake]]:
    """A condition file. Names and units of its effects are checked against the model elsewhere (`checks`)."""
    document = Document.read(path, root)
    top = document.top
    top.only(("condition", "severity", "descriptor", "cause"))
    head = _head(document, "condition", ("title", "meaning", "excludes"))
    severities = {name: _severity(name, table) for name, table in named(top.table("severity"))}
    effects = tuple(_effect(table, kind) for kind in ("descriptor", "cause") for table in top.tables(kind))
    return (
        ConditionRecord(path.stem, head.text("title"), head.text("meaning", ""), severities, effects, head.words("excludes"), head.place),
        document.mistakes,
    )


def _head(document: Document, name: str, known: tuple[str, ...]) -> Table:
    """The table that opens a file; an empty one where it is missing or the file is not TOML (then nothing more is reported)."""
    if not document.values and document.mistakes:
        return Table(Document(document.path, document.file, {}, {}), (), {})
    head = document.top.table(name, required=True)
    if head is None:
        return Table(Document(document.path, document.file, {}, {}), (), {})
    head.only(known)
    return head


def _habit(table: Table) -> Habit:
    table.only(("input", "start", "lasts", "level", "source", "meaning"))
    return Habit(
        table.text("input"),
        clock(table, "start"),
        duration(table, "lasts"),
        table.number("level") or 0.0,
        table.text("source"),
        table.place,
    )


def _noise(table: Table) -> Noise:
    table.only(("inputs", "gap", "shape", "source", "meaning"))
    cvs: dict[str, float] = {}
    inputs = table.table("inputs", required=True)
    for name in inputs.values if inputs else ():
        cvs[name] = (inputs.number(name) if inputs else 0.0) or 0.0
    return Noise(cvs, duration(table, "gap"), table.number("shape", 1.0) or 1.0, table.text("source"), table.place)


def read_day(path: Path, root: Path | None = None) -> tuple[DayRecord, list[Mistake]]:
    """A file of a day's habits."""
    document = Document.read(path, root)
    document.top.only(("day", "habit", "noise"))
    head = _head(document, "day", ("title", "meaning"))
    habits = tuple(_habit(table) for table in document.top.tables("habit"))
    noise = tuple(_noise(table) for table in document.top.tables("noise"))
    return DayRecord(path.stem, head.text("title"), habits, noise, head.place), document.mistakes


def _parameter(name: str, table: Table) -> Parameter:
    table.only(("default", "unit", "meaning"))
    unit, default = table.unit("unit", "dimensionless"), table.amount("default")
    if default is None:
        table.report(None, "missing key 'default'")
    elif unit:
        try:
            value, given = units.split(default)
            if given:
                units.number(default, unit, name)
            else:
                default = f"{value:g} {unit}" if unit != "dimensionless" else f"{value:g}"
        except (InputError, UnitError) as error:
            table.report("default", error)
    return Parameter(name, table.text("meaning"), unit, default or "", table.place)


def _window(table: Table, known: frozenset[str]) -> Window:
    table.only(("input", "start", "lasts", "level", "source", "meaning"))
    start = table.text("start", "")
    if start:
        _ = clock(table, "start", "") if ":" in start else duration(table, "start", "")
    return Window(
        table.text("input"), start, duration(table, "lasts", ""), formula(table, "level", known), table.text("source", ""), table.place
    )


def read_intervention(path: Path, root: Path | None = None) -> tuple[InterventionRecord, list[Mistake]]:
    """A file of an intervention; values of inputs and levels of windows are arithmetic over its parameters."""
    document = Document.read(path, root)
    top = document.top
    top.only(("intervention", "inputs", "parameter", "window"))
    head = _head(document, "intervention", ("title", "meaning", "source", "lasts"))
    parameters = {name: _parameter(name, table) for name, table in named(top.table("parameter"))}
    inputs_table = top.table("inputs")
    known = frozenset(parameters)
    inputs = {name: formula(inputs_table, name, known) for name in inputs_table.values} if inputs_table else {}
    windows = tuple(_window(table, known) for table in top.tables("window"))
    if document.values and not inputs and not windows:
        head.document.report((), "neither [inputs] nor [[window]]: it does nothing")
    record = InterventionRecord(
        path.stem,
        head.text("title"),
        head.text("meaning", ""),
        inputs,
        head.place,
        head.text("source", ""),
        parameters,
        windows,
        duration(head, "lasts", ""),
    )
    return record, document.mistakes


_MEASURE_KEYS = ("meaning", "of", "unit", "reads", "window", "sampling", "source")


def _measure(name: str, table: Table) -> MeasureRecord:
    absent = [key for key in ("meaning", "of", "unit", "reads") if key not in table.values]
    for key in table.values:  # options are free, but a key that is nearly a missing one is a slip of the pen
        near = nearest(key, absent) if key not in _MEASURE_KEYS else None
        if near:
            table.report(key, f"unknown key '{key}'", near)
    return MeasureRecord(
        name,
        table.text("meaning"),
        table.text("of"),
        table.unit("unit"),
        table.text("reads"),
        span(table, "window", "0 h"),
        duration(table, "sampling", ""),
        {k: v for k, v in table.values.items() if k not in _MEASURE_KEYS},
        table.text("source", ""),
        table.place,
    )


def read_measures(path: Path, root: Path | None = None) -> tuple[dict[str, MeasureRecord], list[Mistake]]:
    """The file of measures, one table a measure."""
    document = Document.read(path, root)
    return {name: _measure(name, table) for name, table in named(document.top)}, document.mistakes


def read_index(path: Path, root: Path | None = None) -> tuple[dict[str, Mapping[str, object]], dict[str, Place], list[Mistake]]:
    """A plain index (sources, claims): what stands under each key, where, and mistakes."""
    document = Document.read(path, root)
    rows: dict[str, Mapping[str, object]] = {}
    for key, value in document.values.items():
        rows[key] = value if isinstance(value, dict) else {"title": value}
    return rows, {key: document.place((key,)) for key in rows}, document.mistakes
