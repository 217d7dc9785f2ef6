"""Write docs/evidence.md and docs/claims.md: what is scored, what is not and why. `python docs/evidence.py`, or `make docs`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ghaxis.evidence import Study
from ghaxis.reading import read_library
from ghaxis.reading.records import Library
from ghaxis.reading.sources import read_claims
from ghaxis.reading.studies import KINDS, SETTINGS, TOPICS, USES

HERE = Path(__file__).parent
LEAD = """# The evidence, row by row

Every number that was collected stands in exactly one study file: as a *finding*, which the model is scored on, or as *context*, with the
reason why no run (and no number of the text) says the same. An *order* is a finding that is met or not: an order of arms, or one that
restates others of its study. `python docs/evidence.py` writes this page from the library; `ghaxis validate` adds what could not be run."""

CLAIMS_LEAD = """# The claims, and which findings carry them

What the model must show, each with the findings that measure it: decided by what a paper measured, never by what the model says.
`ghaxis validate` says which are met. A claim finding counts as met where an order holds or an error is at most 0.5; it stands in the mean
errors of its use like any other. Beside them what no finding measures yet, and why. `python docs/evidence.py` writes this page."""
UNMEASURED = {
    "H1": "the variation of intervals, approximate entropy and the share at sleep onset: no finding prints them",
    "H2": "the return by day after a lost night: no finding",
    "H4": "a GHRH antagonist: the library has none to give",
    "H6": "no study of a bolus of GH before the next pulse was collected",
    "H7": "the answer to an acute stress: no finding",
    "H8": "overfeeding, and fatty acids given or lowered by themselves: no finding",
    "H9": "the model has no ACTH and no prolactin; the one area of cortisol has an unsettled unit",
    "H10": "the model has no sex steroids of its own, and the library gives none but ethinylestradiol",
    "T1": "sermorelin and CJC-1295 without DAC: constants of the text only",
    "T2": "ipamorelin and macimorelin: no response of GH that can be run",
    "T4": "no study has all three arms (each alone, and both): GHRH alone is missing beside GHRP-6",
    "T5": "no trial in man exists: a prediction",
    "T6": "own pulses under injected GH: no study was collected",
    "T7": "long-acting GH: the library has none",
    "T8": "macimorelin and the insulin tolerance test: no finding",
    "T9": "no study of sleep under GHRH or ibutamoren was collected",
    "T10": "shares of persons above a limit, insulin sensitivity, cortisol and prolactin: no finding",
    "L1": "JAK2 and the traffic of STAT5: constants of the text only",
    "L2": "the two pulses are of fat and fat cells; no pulsed liver can be run",
    "L3": "leptin, and the decay of the receptor under SOCS: no finding",
    "L4": "constants of the text only (turnover of CIS): no run of its effect was collected",
    "L5": "that GH activates SHP-1 is scored; no knock-down of PTP1B or SHP-1 was collected",
    "L6": "SIRT1, and STAT5 under FGF21: no finding",
    "L8": "no study was collected that tells shared components from fewer receptors",
    "L9": "albumin and a shunt: no finding",
    "L10": "shares that sum to the whole are a property of the model, not of a study: a test has to show it",
    "L11": "phosphorylated STAT5 of fat and muscle is printed as a share of biopsies only",
    "C2": "IGFBP-1 over a rise of insulin: no finding",
    "C4": "a correlation between persons: no run of a group shows it",
    "B3": "muscle by IGF-1 alone: no finding",
    "B4": "insulin sensitivity under a clamp: the library has none",
    "B5": "the model's TNF-a and IL-6 have no plasma scale: no finding can be compared",
    "B6": "the slow course from fat to fibrosis: no finding",
    "B7": "loss from its onset is known from mice with a gene knocked down; the model's whole body is man's",
    "B8": "children: outside the model's domain",
    "B9": "no injury with and without GH was collected that prints its diet",
    "B10": "no study of training over weeks was collected",
    "B11": "no study was collected",
    "B12": "no respiratory quotient was collected",
    "D4": "the virus: IGF-1 by stage of hepatitis C is scored with D2",
    "D6": "cortisol excess is scored with H7, a lost night with H2; inflammation under either has no finding",
    "D7": "STAT5B deficiency: children only",
    "W1": "a secretagogue in liver disease: no finding",
    "W2": "between fatty liver and cirrhosis: no finding",
    "W4": "JAK2, STAT5 and SOCS3 of a diseased human liver: no finding",
    "W5": "causes taken away one by one are an experiment on the model, not a study: a test has to show it",
    "R1": "no trial of a secretagogue by state of the liver was collected",
    "R2": "IGF-1 by grade of steatosis on a secretagogue: no finding; the livers are of people with HIV",
    "R3": "no trial of a secretagogue in decompensated cirrhosis was collected",
    "R4": "no trial of a sequence was collected; the library has no transplantation",
    "R5": "a report of the model on one person: a test has to show it; no study prints a predicted and a found gain",
    "R6": "sleep, abstinence and training, alone and together: no finding",
}


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


def claims_page(library: Library) -> str:
    """The claims with the findings that carry them, as Markdown."""
    titles = read_claims(Path(library.root) / "claims.toml")[0]
    carried: dict[str, list[str]] = {key: [] for key in titles}
    for study in library.studies.values():
        for finding in study.findings:
            if finding.claim:
                carried[finding.claim].append(f"`{finding.id}`")
    bare = [key for key in titles if not carried[key] and key not in UNMEASURED]
    unknown = sorted(UNMEASURED.keys() - titles.keys())
    if bare or unknown:
        raise SystemExit(f"docs/evidence.py: UNMEASURED: no reason for {bare}, unknown {unknown}")
    covered = sum(map(bool, carried.values()))
    count = f"{covered} of {len(titles)} claims are carried by {sum(map(len, carried.values()))} findings."
    rows = [(key, title, len(carried[key]), ", ".join(carried[key]), UNMEASURED.get(key, "")) for key, title in titles.items()]
    return "\n\n".join([CLAIMS_LEAD, count, table(("claim", "what", "n", "findings", "not measured"), rows)]) + "\n"


def printed(row: dict[str, str]) -> str:
    """The number of a context row: a value, else a range."""
    return row.get("value") or " to ".join(row[key] for key in ("low", "high") if row.get(key)) or row.get("spread", "")


if __name__ == "__main__":
    library = read_library()
    for name, text in (("evidence.md", page(library)), ("claims.md", claims_page(library))):
        (HERE / name).write_text(text, encoding="utf-8")
        print(f"wrote {HERE / name}")
