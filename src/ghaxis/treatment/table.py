"""Protocols as tables: CSV with NONMEM's columns.

`TIME` and `II` are hours (TIME since the run begins), `AMT` is in `UNIT` (mg where there is no such column), `RATE` in `UNIT` an hour,
`ADDL` further doses follow every `II`, `EVID` is 0 (an observation: passed over) or 1 (a dose). `CMT` says what is given and how:
"tesamorelin sc", or the state that receives it ("depot_tesamorelin"). `ID` tells people apart. "." is a missing value, as there.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path as FilePath

from ghaxis.errors import InputError, UnitError
from ghaxis.reading.records import Library, TherapyRecord
from ghaxis.treatment.acts import Dose, Moment, Step, Strand, Timing, dose_unit, hint
from ghaxis.treatment.schedule import Body, amount_in, dose_target, unit_of

_COLUMNS = ("ID", "TIME", "AMT", "RATE", "II", "ADDL", "EVID", "CMT", "UNIT", "DV", "MDV", "C")
_NEEDED = ("TIME", "AMT", "CMT")


def read_table(path: FilePath, library: Library, who: str | None = None) -> tuple[Strand, ...]:
    """The doses of one person of a table. Raises InputError naming file and line, also where the table holds several and `who` is None."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    rows = [(number, row) for number, row in enumerate(csv.reader(lines), start=1) if any(cell.strip() for cell in row)]
    if not rows:
        raise InputError(f"{path}: the table is empty")
    header = [cell.strip().upper() for cell in rows[0][1]]
    for name in header:
        if name not in _COLUMNS:
            raise InputError(f"{path}:{rows[0][0]}: unknown column '{name}'{hint(name, _COLUMNS)}")
    for name in _NEEDED:
        if name not in header:
            raise InputError(f"{path}:{rows[0][0]}: the column {name} is missing")
    read: list[tuple[int, dict[str, str]]] = []
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise InputError(f"{path}:{number}: {len(row)} cells under {len(header)} columns")
        read.append((number, {name: "" if cell.strip() == "." else cell.strip() for name, cell in zip(header, row, strict=True)}))
    known = list(dict.fromkeys(row.get("ID", "") for _, row in read))
    if who is None and len(known) > 1:
        some = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
        raise InputError(f"{path}: the table holds several people ({some}): say whose doses")
    if who is not None and who not in known:
        raise InputError(f"{path}: nobody has the ID '{who}'{hint(who, known)}")
    doses = [_dose(row, f"{path}:{number}: ", library) for number, row in read if who is None or row.get("ID", "") == who]
    return tuple((Step((dose,)),) for dose in doses if dose is not None)


def _dose(row: Mapping[str, str], place: str, library: Library) -> Dose | None:
    event = _number(row, "EVID", place, 1.0 if row.get("AMT") else 0.0)
    if event in (0.0, 2.0):
        return None
    if event != 1.0:
        raise InputError(f"{place}EVID {event:g} (resets) is not supported; 0 is an observation, 1 a dose")
    time, amount, rate = (_number(row, name, place) for name in ("TIME", "AMT", "RATE"))
    gap, more = _number(row, "II", place), _number(row, "ADDL", place)
    if min(time, amount, rate, gap, more) < 0:
        raise InputError(f"{place}TIME, AMT, RATE, II and ADDL cannot be below zero")
    if more and not gap:
        raise InputError(f"{place}ADDL needs II, the hours between doses")
    record, route = _given(row["CMT"], place, library)
    unit = row.get("UNIT") or "mg"
    timing = Timing(at=(Moment(time),), over=amount / rate if rate else None)
    if more:
        timing = replace(timing, every=gap, times=int(more) + 1)
    if dose_unit(unit, place).per_hours is not None:
        raise UnitError(f"{place}UNIT is the unit of AMT, not of a rate")
    dose = Dose(record.name, amount, unit, route, timing, place)
    target = dose_target(dose, record, bool(rate))
    amount_in(dose, record, Body(1.0, 1.0), unit_of(target, library, record, bool(rate)))
    return dose


def _given(text: str, place: str, library: Library) -> tuple[TherapyRecord, str]:
    """Therapy and route of a CMT cell."""
    words = text.replace(":", " ").split()
    if words and words[0] in library.therapies:
        record = library.therapies[words[0]]
        routes = [route for route in record.routes if "infusion" not in route]
        if len(words) == 1 and len(routes) != 1:
            raise InputError(f"{place}CMT '{text}': say the route too: {' or '.join(routes)}")
        return record, words[1] if len(words) > 1 else routes[0]
    for record in library.therapies.values():
        for route, target in record.routes.items():
            if target == text:
                return record, "iv" if route == "infusion" else route.removesuffix(" infusion")
    states = [target for record in library.therapies.values() for target in record.routes.values()]
    raise InputError(f"{place}CMT '{text}' is no therapy and no state that receives one{hint(text, [*library.therapies, *states])}")


def _number(row: Mapping[str, str], name: str, place: str, default: float = 0.0) -> float:
    text = row.get(name, "")
    try:
        return float(text) if text else default
    except ValueError:
        raise InputError(f"{place}{name} = '{text}' is not a number") from None
