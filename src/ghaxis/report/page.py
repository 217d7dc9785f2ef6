"""The scoreboard as one self-contained HTML page: no network, no script that it needs, every study foldable. The one door for Jinja.

The words and the drawing stand in `scoreboard.html.jinja`; here is what they show.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ghaxis.evidence import Unreadable
from ghaxis.reading.misfits import Misfit, cause_of, misfits_of
from ghaxis.reading.records import Library, StudyRecord
from ghaxis.reading.sources import read_claims
from ghaxis.report import figures, tables
from ghaxis.scoring import CAP
from ghaxis.validation import REFERENCES, SUMMARISED, Scoreboard, topic_of

WORST = 30
_STRIP = 150.0  # half the width of an effect axis, in pixels
_RULER = 2.0  # the mean error at the right end of a ruler
_LIMIT = math.log(10.0)  # the largest change on the scatter
_TITLES = {
    "relative": "change",
    "level": "level, in multiples of the observed",
    "difference": "difference, in multiples of the observed",
    "other": "order or bound",
}


def write(board: Scoreboard, library: Library, path: str | Path, model: str = "", changed: Sequence[str] = ()) -> None:
    """Write the page, whole or not at all; the folder is made if it is missing."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".part-{target.name}")
    try:
        part.write_text(page(board, library, model, changed), encoding="utf-8")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def page(board: Scoreboard, library: Library, model: str = "", changed: Sequence[str] = ()) -> str:
    """The page as text. `model` is a hash to show; `changed` are lines that say what differs from the accepted scoreboard."""
    topics, misfits, rows = board.topics(), misfits_of(library), board.rows()
    counted = [row for row in rows if row["use"] in SUMMARISED and row["error"] is not None and row["stated"] is None]
    environment = Environment(
        loader=PackageLoader("ghaxis", "report"), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters |= {"number": tables.number, "percent": _percent, "words": lambda text: str(text).replace("_", " ")}
    environment.globals |= {"ruler": _ruler, "shown": tables.shown}
    return environment.get_template("scoreboard.html.jinja").render(
        model=model,
        summary=board.summary(),
        topics=topics,
        uses=[use for use in ("validation", "calibration") if topics["all"][use]["n"]],
        rulers=[(x, min(x / _RULER, 1.0)) for x in (0.0, 0.5, 1.0, 1.5, 2.0)],
        counted=counted,
        points=[point for row in counted for point in _point(row)],
        marks=[(x / _LIMIT, text) for x, text in figures.ticks("relative", -_LIMIT, _LIMIT, 1 / 9).items()],
        worst=[_told(row, misfits) for row in sorted(counted, key=lambda r: (-r["error"], r["id"]))[:WORST] if not row["passed"]],
        claims=_claims(rows, library),
        groups=_groups(board, rows, misfits),
        skipped=_by_reason(board.skipped),
        changed=changed,
    )


def _told(row: Mapping[str, Any], misfits: Mapping[str, Misfit]) -> dict[str, Any]:
    short = str(row["id"]).removeprefix(f"{row['study']}_").replace("_", " ")
    return {**row, "short": short, "cause": cause_of(row["study"], row["id"], misfits), "signed": _signed(row)}


def _signed(row: Mapping[str, Any]) -> float | None:
    """The error with the sign of the miss: above or below what was observed on the scale of effects."""
    if row["error"] is None or None in (row["effect_observed"], row["effect_predicted"]):
        return None
    return math.copysign(min(row["error"], CAP), row["effect_predicted"] - row["effect_observed"])


def _point(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A change on the scatter, in shares of its half width."""
    observed, predicted = row["effect_observed"], row["effect_predicted"]
    if figures.SCALES.get(row["form"]) != "Changes" or None in (observed, predicted):
        return []
    x, y = (max(-1.0, min(1.0, effect / _LIMIT)) for effect in (observed, predicted))
    return [{**row, "x": x, "y": y}]


def _ruler(scores: Mapping[str, Mapping[str, Any]], uses: Sequence[str]) -> dict[str, Any]:
    """Where the mean errors of a topic stand on its ruler, in shares of the width; what is beyond the end stands at it."""

    def at(value: float | None) -> float | None:
        return None if value is None else min(value / _RULER, 1.0)

    both = scores["both"]
    return {**{name: at(both[name]) for name in REFERENCES}, "model": {use: at(scores[use]["error"]) for use in uses}}


def _claims(rows: Sequence[Mapping[str, Any]], library: Library) -> list[dict[str, Any]]:
    """Every claim of the library with how many of the findings that carry it are met; a claim that none carries is not covered."""
    root = Path(library.root)
    path = root / "claims.toml"
    titles = read_claims(path, root)[0] if path.is_file() else {}
    found = []
    for key, title in titles.items():
        mine = [row for row in rows if row["claim"] == key]
        met = sum(bool(row["passed"]) for row in mine)
        state = "none" if not mine else "met" if met == len(mine) else "part" if met else "failed"
        found.append({"key": key, "title": title, "n": len(mine), "met": met, "state": state, "ids": [row["id"] for row in mine]})
    return found


def _groups(board: Scoreboard, rows: Sequence[Mapping[str, Any]], misfits: Mapping[str, Misfit]) -> list[dict[str, Any]]:
    """Studies by topic, each with its findings in panels of one axis."""
    by_study: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_study.setdefault(row["study"], []).append(row)
    records = {v.finding.study.key: v.finding.study for v in board.verdicts}
    texts = {v.finding.id: ", ".join(of.text for of in v.finding.of) for v in board.verdicts}
    studies = [_study(records[key], [_told(row, misfits) for row in mine], texts) for key, mine in by_study.items()]
    order = list(board.topics())
    topics = sorted({study["topic"] for study in studies}, key=lambda t: (order.index(t) if t in order else len(order), t))
    return [{"topic": t, "studies": sorted((s for s in studies if s["topic"] == t), key=lambda s: s["key"].lower())} for t in topics]


def _study(record: StudyRecord, rows: Sequence[dict[str, Any]], texts: Mapping[str, str]) -> dict[str, Any]:
    errors = [min(row["error"], CAP) for row in rows if row["error"] is not None]
    panels = []
    for form in _TITLES:
        mine = [row for row in rows if _panel(row) == form]
        if mine:
            panels.append(_axis(form, mine, texts))
    who = {arm.who for arm in record.arms.values()}
    return {
        "key": record.key,
        "citation": record.citation,
        "doi": record.doi,
        "title": record.title,
        "use": record.use,
        "seen": record.seen,
        "topic": topic_of(record),
        "people": [f"{g.state or 'healthy'}" + (f", n = {g.n}" if g.n else "") for g in record.people.values() if g.name in who],
        "arms": [f"{arm.name}: {arm.do}" for arm in record.arms.values()],
        "error": sum(errors) / len(errors) if errors else None,
        "passed": [bool(row["passed"]) for row in rows],
        "panels": panels,
    }


def _panel(row: Mapping[str, Any]) -> str:
    if row["effect_observed"] is None or row["effect_predicted"] is None:
        return "other"
    return {"Changes": "relative"}.get(figures.SCALES.get(row["form"], ""), row["form"] if row["form"] in _TITLES else "other")


def _axis(form: str, rows: Sequence[dict[str, Any]], texts: Mapping[str, str]) -> dict[str, Any]:
    """Findings on one axis: everything in pixels from its middle."""
    drawn = [{**row, "of": texts[row["id"]], "strip": _places(row) if form != "other" else None} for row in rows]
    reach = [abs(x) for row in drawn if row["strip"] for x in (row["strip"]["observed"], row["strip"]["predicted"]) if math.isfinite(x)]
    least, most = (1.2, 4.0) if form == "difference" else (math.log(1.5), figures.EDGE)
    span = 1.08 * min(max([*reach, least]), most)
    for row in drawn:
        if row["strip"]:
            row["beyond"] = abs(row["strip"]["predicted"]) >= span
            row["strip"] = {
                name: None if x is None else round(max(-1.0, min(1.0, x / span)) * _STRIP, 1) for name, x in row["strip"].items()
            }
    return {
        "form": form,
        "title": _TITLES[form],
        "ticks": [(round(x / span * _STRIP, 1), text) for x, text in figures.ticks(form, -span, span, 1 / 8.5).items()],
        "rows": drawn,
    }


def _places(row: Mapping[str, Any]) -> dict[str, float | None]:
    """Observed, predicted and the ends of their intervals on the axis of the row's form."""

    def place(effect: float | None) -> float | None:
        x = figures.placed(row, effect)
        return x if math.isfinite(x) else None

    return {
        "observed": place(row["effect_observed"]) or 0.0,
        "predicted": place(row["effect_predicted"]) or 0.0,
        "observed_low": place(row["effect_low"]),
        "observed_high": place(row["effect_high"]),
        "low": place(figures.effect_of(row, row["low"])),
        "high": place(figures.effect_of(row, row["high"])),
    }


def _by_reason(skipped: Sequence[Unreadable]) -> list[dict[str, Any]]:
    """What could not be run, gathered by reason, the most frequent first."""
    found: dict[str, list[str]] = {}
    for one in skipped:
        found.setdefault(one.reason, []).append(one.id or one.study)
    return [{"reason": reason, "ids": ids} for reason, ids in sorted(found.items(), key=lambda item: -len(item[1]))]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
