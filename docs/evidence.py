"""Write docs/evidence.md from the library's studies: what is scored, what is not and why. `python docs/evidence.py`, or `make docs`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ghaxis.evidence import Study
from ghaxis.reading import read_library
from ghaxis.reading.records import Library
from ghaxis.reading.studies import KINDS, SETTINGS, TOPICS, USES

HERE = Path(__file__).parent
LEAD = """# The evidence, row by row

Every number that was collected stands in exactly one study file: as a *finding*, which the model is scored on, or as *context*, with the
reason why no run (and no number of the text) says the same. An *order* is a finding that is met or not: an order of arms, or one that
restates others of its study. `python docs/evidence.py` writes this page from the library; `ghaxis validate` adds what could not be run."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows)])


def counted(studies: Sequence[Study]) -> list[object]:
    """Studies, findings by kind, contexts."""
    kinds = Counter(finding.kind for study in studies for finding in study.record.findings)
    return [len(studies), *(kinds[kind] for kind in KINDS), sum(len(contexts(study)) for study in studies)]


def contexts(study: Study) -> list[dict[str, str]]:
    """The context rows of a study that carry a number."""
    return [dict(row) for row in study.record.context if row.get("id")]


def page(library: Library) -> str:
    """The page as Markdown."""
    studies = [Study.of(record, library) for record in library.studies.values()]
    heads = ("studies", *KINDS, "context")
    parts = [LEAD]
    for word, values in (("topic", (*TOPICS, "")), ("use", USES), ("setting", SETTINGS)):
        groups = [(value, [s for s in studies if getattr(s.record, word) == value]) for value in values]
        lines = [[value or "none", *counted(some)] for value, some in groups if some]
        parts.append(table((word, *heads), [*lines, ["all", *counted(studies)]]))
    unread = [row for study in studies for row in study.unreadable]
    if unread:
        parts.append("## Findings that cannot be read\n\n" + table(("finding", "reason"), [(u.id, u.reason) for u in unread]))
    reasons: dict[str, list[dict[str, str]]] = {}
    for study in studies:
        for row in contexts(study):
            reasons.setdefault(row.get("reason", ""), []).append(row)
    parts.append("## Context: rows that no finding expresses\n\nThe most frequent reasons first; rows as printed.")
    lines = [
        (f"`{row['id']}`", row.get("measure", ""), printed(row), reason)
        for reason, some in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))
        for row in some
    ]
    parts.append(table(("row", "measure", "printed", "reason"), lines))
    return "\n\n".join(parts) + "\n"


def printed(row: dict[str, str]) -> str:
    """The number of a context row: a value, else a range."""
    return row.get("value") or " to ".join(row[key] for key in ("low", "high") if row.get(key)) or row.get("spread", "")


if __name__ == "__main__":
    (HERE / "evidence.md").write_text(page(read_library()), encoding="utf-8")
    print(f"wrote {HERE / 'evidence.md'}")
