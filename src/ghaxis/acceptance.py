"""The last accepted scoreboard (`library/scoreboard.json`), what has changed since, and when a change needs a reason.

The file holds the error of every finding, summaries by use and topic, and `accepted`: one dated summary for every acceptance, with its
reason where one was needed. `ghaxis validate` prints what has changed; `ghaxis validate --accept` writes it.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ghaxis.errors import InputError
from ghaxis.model import Model
from ghaxis.reading.records import Library
from ghaxis.scoring import CAP
from ghaxis.validation import SUMMARISED, Scoreboard, topic_of

FINDING_NOISE = 0.1  # a finding whose error moved by less has not changed
WORSE = 0.01  # a mean error that rose by more is worse
_SAYING = ("place", "source", "title", "meaning", "status", "checked", "fragment")  # they change no number, or stand in the equations
_HEADLINES = ("n", "studies", "error", "within_1_5", "skill", "passed")
_DIGITS = 4


@dataclass(frozen=True)
class Changed:
    """One finding or topic whose error changed; None where it was, or is, not scored."""

    name: str
    use: str
    before: float | None
    after: float | None

    @property
    def step(self) -> float:
        """By how much the error rose."""
        return (0.0 if self.after is None else self.after) - (0.0 if self.before is None else self.before)


@dataclass(frozen=True)
class Difference:
    """A scoreboard beside the accepted one.

    `mean` is the error of calibration and validation over the findings that both scored, each study weighing 1: (before, after);
    `claims` are those passed.
    """

    better: tuple[Changed, ...]
    worse: tuple[Changed, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    topics: tuple[Changed, ...]
    mean: Mapping[str, tuple[float, float]]
    claims: tuple[str, ...]
    moved: tuple[str, ...]
    same_model: bool

    @property
    def complaints(self) -> tuple[str, ...]:
        """Why accepting it needs a reason; empty where it needs none."""
        found = [
            f"the {use} error rose from {before:.3g} to {after:.3g}" for use, (before, after) in self.mean.items() if after > before + WORSE
        ]
        if self.gone:
            found.append(f"{len(self.gone)} findings are not scored any more ({_some(self.gone)})")
        if self.claims:
            found.append(f"{len(self.claims)} claims are not met any more ({_some(self.claims)})")
        if self.moved:
            found.append(f"{len(self.moved)} findings changed their use ({_some(self.moved)})")
        return tuple(found)

    def __bool__(self) -> bool:
        return bool(self.better or self.worse or self.new or self.complaints)


@dataclass(frozen=True)
class Accepted:
    """The content of `scoreboard.json`; empty where there is no such file."""

    path: Path
    values: Mapping[str, Any]

    @classmethod
    def of(cls, library: Library) -> Accepted:
        """The accepted scoreboard of a library."""
        path = Path(library.root) / "scoreboard.json"
        return cls(path, json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {})

    @property
    def model(self) -> str:
        """What was scored (see `identity`)."""
        return str(self.values.get("model", ""))

    @property
    def history(self) -> list[dict[str, Any]]:
        """All acceptances, the oldest first."""
        return list(self.values.get("accepted", ()))

    @cached_property
    def findings(self) -> Mapping[str, Mapping[str, Any]]:
        """Every scored finding by id: study, use, error, passed."""
        return dict(self.values.get("findings", {}))

    def difference(self, board: Scoreboard, model: Model) -> Difference:
        """What a board of the whole library changed."""
        now, before = _findings(board), self.findings
        changed = [
            Changed(id_, now[id_]["use"], before[id_]["error"], now[id_]["error"])
            for id_ in now.keys() & before.keys()
            if now[id_]["error"] is not None and before[id_]["error"] is not None
        ]
        changed = sorted((c for c in changed if abs(c.step) > FINDING_NOISE), key=lambda c: (-abs(c.step), c.name))
        return Difference(
            better=tuple(c for c in changed if c.step < 0),
            worse=tuple(c for c in changed if c.step > 0),
            new=tuple(sorted(now.keys() - before.keys())),
            gone=tuple(sorted(before.keys() - now.keys())),
            topics=tuple(self._topics(board)),
            mean=_means(before, now),
            claims=tuple(
                sorted(id_ for id_ in now.keys() & before.keys() if before[id_]["claim"] and before[id_]["passed"] > now[id_]["passed"])
            ),
            moved=tuple(sorted(id_ for id_ in now.keys() & before.keys() if before[id_]["use"] != now[id_]["use"])),
            same_model=self.model == identity(model),
        )

    def _topics(self, board: Scoreboard) -> Iterator[Changed]:
        before = self.values.get("topics", {})
        for topic, by_use in board.topics().items():
            for use in SUMMARISED:
                changed = Changed(topic, use, before.get(topic, {}).get(use, {}).get("error"), by_use[use]["error"])
                if changed.before is None or changed.after is None or abs(changed.step) > WORSE:
                    yield from [changed] if changed.before is not None or changed.after is not None else []

    def accept(self, board: Scoreboard, model: Model, because: str = "", date: datetime.date | None = None) -> None:
        """Write a board of the whole library as the accepted one, whole or not at all.

        Raises InputError where it is worse, or scores less, and no reason is given: the reason must also stand in CHANGELOG.md.
        """
        complaints = self.difference(board, model).complaints if self.values else ()
        if complaints and not because.strip():
            raise InputError(f'{"; ".join(complaints)}: say --because "...", and write the same reason into CHANGELOG.md')
        summary = _rounded(board.summary())
        headlines = {use: {key: scores[key] for key in _HEADLINES if key in scores} for use, scores in summary.items()}
        topics = {
            t: {use: {key: by[use][key] for key in _HEADLINES if key in by[use]} for use in SUMMARISED} for t, by in board.topics().items()
        }
        day = (date or datetime.date.today()).isoformat()
        row = {"date": day, "model": identity(model)[:12], "because": because.strip() if complaints else "", **headlines}
        text = _text(
            {
                "model": identity(model),
                "summary": summary,
                "topics": _rounded(topics),
                "skipped": sorted(s.id or s.study for s in board.skipped),
                "findings": dict(sorted(_findings(board).items())),
                "accepted": [*self.history, row],
            }
        )
        part = self.path.with_name(f".part-{self.path.name}")
        part.write_text(text, encoding="utf-8")
        os.replace(part, self.path)


def identity(model: Model) -> str:
    """SHA-256 of everything in the library that can move a prediction: equations and numbers with all therapies, conditions, days,
    interventions and measures; not words, sources or places, and not the studies."""
    library = model.library
    made = hashlib.sha256(model.with_therapies(sorted(library.therapies)).hash.encode())
    for kind in ("therapies", "conditions", "days", "interventions", "measures"):
        for name, record in sorted(getattr(library, kind).items()):
            made.update(json.dumps([kind, name, _numbers(dataclasses.asdict(record))], sort_keys=True, default=str).encode())
    return made.hexdigest()


def _numbers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _numbers(inner) for key, inner in value.items() if key not in _SAYING}
    return [_numbers(inner) for inner in value] if isinstance(value, list | tuple) else value


def _findings(board: Scoreboard) -> dict[str, dict[str, Any]]:
    return {
        v.finding.id: {
            "study": v.finding.study.key,
            "topic": topic_of(v.finding.study),
            "use": "constants" if v.finding.form == "constant" else v.finding.study.use,
            "claim": v.finding.record.claim or ("claim" if v.finding.study.use == "claim" else ""),
            "error": None if v.error is None else round(min(v.error, CAP), _DIGITS),
            "passed": v.passed,
        }
        for v in board.verdicts
    }


def _means(before: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Mean error of each use before and now over the findings that both have."""
    means: dict[str, tuple[float, float]] = {}
    for use in SUMMARISED:
        by_study: dict[str, list[tuple[float, float]]] = {}
        for id_ in before.keys() & now.keys():
            pair = before[id_]["error"], now[id_]["error"]
            if now[id_]["use"] == use and None not in pair:
                by_study.setdefault(now[id_]["study"], []).append(pair)
        if by_study:
            old, new = np.mean([np.mean(pairs, axis=0) for pairs in by_study.values()], axis=0)
            means[use] = float(old), float(new)
    return means


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, _DIGITS) if isinstance(value, float) else value


def _text(values: Mapping[str, Any]) -> str:
    """JSON with one finding, topic or acceptance a line, so that a diff is read with ease."""
    lines = []
    for key, value in values.items():
        rows = list(value.items()) if isinstance(value, Mapping) else [(None, inner) for inner in value] if key == "accepted" else None
        if rows is None or not rows:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
            continue
        inner = ",\n  ".join((f"{json.dumps(name)}: " if name else "") + json.dumps(row, ensure_ascii=False) for name, row in rows)
        begin, end = "{}" if isinstance(value, Mapping) else "[]"
        lines.append(f"{json.dumps(key)}: {begin}\n  {inner}\n {end}")
    return "{\n " + ",\n ".join(lines) + "\n}\n"


def _some(names: tuple[str, ...], few: int = 5) -> str:
    return ", ".join(names[:few]) + (" ..." if len(names) > few else "")
