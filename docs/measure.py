"""Measure what the model claims about itself and write docs/scoreboard.md with its figures: `make measure` (minutes).

Each section is one function that returns Markdown; nothing here is compared or judged, the numbers stand beside the published range.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from ghaxis import units
from ghaxis.baseline import settle
from ghaxis.controls import controls
from ghaxis.measure import measure, needed, watched
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.reading.misfits import cause_of, misfits_of
from ghaxis.report import figures, tables
from ghaxis.simulation import Request, simulate_many
from ghaxis.treatment import Protocol
from ghaxis.validation import Scoreboard, validate

HERE = Path(__file__).parent
TAPES = range(6)
WINDOWS = {"GH_peak": "24 h"}  # where the measure's own window is that of an acute test
STATES = {
    "healthy man 40": Person("healthy", name="man"),
    "healthy woman 40": Person("healthy", sex="F", name="woman"),
    "visceral obesity": Person("visceral_obesity", name="visceral"),
    "MASLD": Person("masld(steatosis = 18 percent)", age="50 years", name="masld"),
    "MASH F3": Person("mash(fibrosis = 3)", age="50 years", name="mash"),
    "cirrhosis B": Person("cirrhosis(child_pugh = B)", age="50 years", name="cirrhosis"),
}
LIVERS = {
    "no liver disease": "obesity(bmi = 31 kg/m**2)",
    "steatosis 10 %": "masld(steatosis = 10 percent)",
    "steatosis 25 %": "masld(steatosis = 25 percent)",
    "MASH F1": "mash(fibrosis = 1)",
    "MASH F3": "mash(fibrosis = 3)",
    "cirrhosis A": "cirrhosis(child_pugh = A)",
    "cirrhosis B": "cirrhosis(child_pugh = B)",
    "cirrhosis C": "cirrhosis(child_pugh = C)",
}


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(f"{c:.3g}" if isinstance(c, float) else str(c) for c in row) + " |" for row in rows)])


def readings(
    model: Model,
    person: Person,
    plan: str,
    asks: Sequence[tuple[str, float]],
    engine: str,
    begin: str = "08:00",
    tapes: Sequence[int] = TAPES,
) -> dict[tuple[str, float], float]:
    """Measures at hours, each the mean over tapes."""
    records = model.library.measures
    watch = tuple(dict.fromkeys(q for name, _ in asks for q in watched(records[name])))
    times = tuple(
        float(t) for t in np.unique(np.round(np.concatenate([needed(records[name], at, WINDOWS.get(name)) for name, at in asks]), 9))
    )
    protocol = Protocol.parse(plan)
    results = simulate_many(model, [Request(person, protocol, times, watch, begin, noise=k) for k in tapes], engine)
    return {(name, at): float(np.nanmean([measure(r, records[name], at, WINDOWS.get(name)) for r in results])) for name, at in asks}


def settled_states(model: Model, engine: str) -> str:
    """Rounds, residual rates with standard errors, implied causes with z."""
    out = []
    for name, person in STATES.items():
        state = settle(model, person.resolve(model), model.library.days["ordinary"], engine)
        rows = []
        causes = {i.state: i for i in state.implied.values()}
        for slow, r in state.residuals.items():
            i = causes.get(slow)
            rows.append(
                (
                    slow,
                    f"{r.rate:+.2f}",
                    f"{r.error:.2f}",
                    "yes" if r.accepted else "no",
                    i.cause if i else "",
                    f"{i.value:.4g}" if i else "",
                    f"{i.usual:.4g}" if i else "",
                    f"{i.z:+.1f}" if i and i.z is not None else "",
                )
            )
        out.append(
            f"**{name}**, {state.rounds} rounds\n\n"
            + table(("state", "% per 26 weeks", "SE", "accepted", "kept by", "value", "usual", "z"), rows)
        )
    return "\n\n".join(out)


def untreated(model: Model, engine: str) -> str:
    """26 untreated weeks, slow states released: weeks 23-26 against weeks 1-4, % with the standard error over eight tapes."""
    watch = ("IGF1", "GH", "VAT", "SAT", "lean", "liver_fat", "glucose", "FFA")
    times = tuple(float(t) for t in np.arange(0.0, 26 * 168.01, 2.0))
    tapes = range(8)
    results = simulate_many(model, [Request(p, Protocol.nothing(), times, watch, noise=k) for p in STATES.values() for k in tapes], engine)
    rows = []
    for i, name in enumerate(STATES):
        mine = results[len(tapes) * i : len(tapes) * (i + 1)]
        cells = []
        for q in watch:
            change = np.array([100 * (r[q].mean(22 * 168.0, 26 * 168.0) / r[q].mean(0.0, 4 * 168.0) - 1) for r in mine])
            cells.append(f"{change.mean():+.2f} ({change.std(ddof=1) / np.sqrt(len(change)):.2f})")
        rows.append((name, *cells))
    return table(("", *watch), rows)


def healthy_day(model: Model, engine: str) -> str:
    """24 h of healthy adults by sex and age, and the picture."""
    asks = [
        ("GH_mean_24h", 0.0),
        ("GH_trough", 0.0),
        ("GH_peak", 0.0),
        ("GH_pulse_count", 0.0),
        ("GH_interpulse_CV", 0.0),
        ("GH_sleep_share", 0.0),
        ("GH_half_life", 0.0),
        ("IGF1_total", 0.0),
        ("IGF1_free", 0.0),
    ]
    asks = [(n, t) for n, t in asks if n in model.library.measures]
    rows = []
    for sex in "MF":
        for age in (25, 45, 65):
            got = readings(model, Person("healthy", sex=sex, age=f"{age} years", name=f"{sex}{age}"), "nothing", asks, engine)
            rows.append((sex, age, *(got[a] for a in asks)))
    watch = figures.watch_for("day")
    times = tuple(float(t) for t in np.arange(0, 24.01, 1 / 12))
    for sex, word in (("M", "man"), ("F", "woman")):
        shown = [Request(Person("healthy", sex=sex, name=word), Protocol.nothing(), times, watch, noise=k) for k in (1,)]
        figures.save(
            figures.person({"": simulate_many(model, shown, engine)[0]}, f"Healthy {word}, 40 years"), HERE / "results" / f"day_{word}.png"
        )
    return (
        table(("sex", "age", *(f"{n} ({model.library.measures[n].unit})" for n, _ in asks)), rows)
        + "\n\n![a day of a man](results/day_man.png)\n\n![a day of a woman](results/day_woman.png)"
    )


def by_liver(model: Model, engine: str) -> str:
    """Generation test, the pharmacological week and the tesamorelin gain by state of the liver, at one age, sex and frame."""
    rows = []
    asks = [("IGF1_total", 0.0), ("IGF1_total", 24.0)]
    week = [("IGF1_total", 0.0), ("IGF1_total", 168.0), ("IGFBP3", 0.0), ("IGFBP3", 168.0)]
    end = 26 * 168.0
    long = [
        ("IGF1_total", 0.0),
        ("IGF1_total", end),
        ("GH_mean_24h", 0.0),
        ("GH_mean_24h", end),
        ("VAT", 0.0),
        ("VAT", end),
        ("liver_fat", 0.0),
        ("liver_fat", end),
        ("lean_mass", 0.0),
        ("lean_mass", end),
    ]
    for name, state in LIVERS.items():
        person = Person(state, age="50 years", name="by liver", bmi=None if "cirr" in state else "31 kg/m**2")
        one = readings(model, person, "rhgh 0.06 mg/kg sc once", asks, engine)
        seven = readings(model, person, "rhgh 0.083 mg/kg sc daily", week, engine)
        t, n = (readings(model, person, plan, long, engine, tapes=range(3)) for plan in ("tesamorelin 2 mg sc daily", "nothing"))
        gain = t["IGF1_total", end] - n["IGF1_total", end]
        dlog = np.log(t["GH_mean_24h", end] / n["GH_mean_24h", end])
        rows.append(
            (
                name,
                one["IGF1_total", 0.0],
                100 * (one["IGF1_total", 24.0] / one["IGF1_total", 0.0] - 1),
                seven["IGF1_total", 168.0] / seven["IGF1_total", 0.0],
                n["GH_mean_24h", end],
                float(np.exp(dlog)),
                gain,
                100 * gain / n["IGF1_total", end],
                float(gain / dlog),
                *(100 * (t[q, end] / n[q, end] - 1) for q in ("VAT", "liver_fat", "lean_mass")),
            )
        )
    return table(
        (
            "liver",
            "IGF-1 ug/L",
            "one dose 0.06 mg/kg: % at 24 h",
            "week 0.083 mg/kg/d: ratio",
            "GH ug/L",
            "tesamorelin: GH ratio",
            "whole gain ug/L",
            "%",
            "hepatic gain ug/L per ln GH",
            "VAT %",
            "liver fat %",
            "lean %",
        ),
        rows,
    )


def half_life(model: Model, engine: str) -> str:
    """Endogenous GH half-life and secretion in health and cirrhosis (cuneo1995: 24 and 43 min; 100 and 210 mU/L/day; 6 and 10 bursts)."""
    asks = [
        (n, 0.0) for n in ("GH_half_life", "GH_secretion_24h", "GH_pulse_count", "GH_mean_24h", "IGF1_total") if n in model.library.measures
    ]
    rows = []
    for name, person in (
        ("healthy", Person("healthy", age="50 years")),
        ("cirrhosis B", STATES["cirrhosis B"]),
        ("cirrhosis C", Person("cirrhosis(child_pugh = C)", age="50 years")),
    ):
        got = readings(model, person, "nothing", asks, engine)
        rows.append((name, *(got[a] for a in asks)))
    return table(("", *(f"{n} ({model.library.measures[n].unit})" for n, _ in asks)), rows)


def ablation(model: Model, engine: str) -> str:
    """MASH F3 with its causes set back to the healthy self's: what returns, and when."""
    sick = Person("mash(fibrosis = 3)", age="50 years", name="mash")
    resolved = sick.resolve(model)
    back = resolved.causes_of("mash")
    healthy = settle(model, sick.healthy().resolve(model), model.library.days["ordinary"], engine)
    causes = {c: healthy.person.parameters.get(c, v) for c, v in back.items()}
    held = "; ".join(f"{c} {v:.10g} {unit_text(model, c)}".strip() for c, v in sorted(causes.items()))
    watch = ("liver_fat", "pSTAT5_nuc", "IGF1", "IGF1_mRNA", "SOCS3", "TNF", "GHR_surface", "fibrosis", "f_hepatocytes")
    weeks = (0, 4, 13, 26, 52, 104)
    times = tuple(float(t) for w in weeks for t in np.arange(168.0 * w, 168.0 * w + 72.01, 0.5))
    rows = []
    for label, person, plan in (
        ("MASH F3, causes removed", sick, held),
        ("MASH F3, untreated", sick, "nothing"),
        ("healthy self", sick.healthy(), "nothing"),
    ):
        results = simulate_many(model, [Request(person, Protocol.parse(plan), times, watch, noise=k) for k in range(3)], engine)
        for w in weeks:
            rows.append((label, w, *(float(np.mean([r[q].mean(168.0 * w, 168.0 * w + 72.0) for r in results])) for q in watch)))
    units_ = [model.shown(q) for q in watch]
    return (
        "Causes set back: "
        + ", ".join(f"`{c}`" for c in sorted(causes))
        + "\n\n"
        + table(("", "week", *(f"{q} ({u})" for q, u in zip(watch, units_, strict=True))), rows)
    )


def unit_text(model: Model, name: str) -> str:
    """The unit of a quantity as protocol text takes it."""
    text = model.unit(name)
    return "" if units.same(text, "dimensionless") else text.replace("1/h", "h**-1")


def scoreboard(model: Model, engine: str) -> str:
    """Every finding of every study, typical person on eight tapes: prediction beside observation. `make validate` prints it again,
    `ghaxis validate --html board.html` draws it."""
    board = whole(model, engine)
    figures.save(figures.overview(board), HERE / "results" / "scoreboard.png")
    found = board.json()
    keys = (
        "n",
        "studies",
        "within_1_25",
        "within_1_5",
        "within_2",
        "directions",
        "bias",
        "aafe",
        "error",
        "noise",
        "shelf",
        "nothing",
        "skill",
    )
    summary = [(use, *(number(scores.get(key)) for key in keys)) for use, scores in found["summary"].items() if scores.get("n")]
    verdict = {True: "yes", False: "NO", None: ""}
    rows = [
        (
            *(r["id"], r["kind"], r["measure"], number(r["observed"]), number(r["predicted"]), r["unit"], number(r["error"])),
            *(verdict[r["direction_right"]], verdict[r["passed"]]),
        )
        for r in board.rows()
    ]
    heads = ("finding", "kind", "measure", "observed", "predicted", "unit", "error", "direction right", "right")
    topics = [
        (topic, use, *(number(by[use].get(key)) for key in ("n", "studies", "within_1_5", "error", "noise", "shelf", "nothing", "skill")))
        for topic, by in board.topics().items()
        for use in ("calibration", "validation")
        if by[use]["n"]
    ]
    by_topic = table(("topic", "use", "n", "studies", "within_1_5", "error", "noise", "shelf", "nothing", "skill"), topics)
    parts = [table(("use", *keys), summary), "![overview](results/scoreboard.png)", by_topic, table(heads, rows)]
    if found["skipped"]:
        parts.append("Not run:\n\n" + table(("finding", "reason"), [(s["id"] or s["study"], s["reason"]) for s in found["skipped"]]))
    return "\n\n".join(parts)


def misfits(model: Model, engine: str) -> str:
    """The findings named in `library/misfits.toml` that the model still misses, with the biology that is suspected."""
    known = misfits_of(model.library)
    rows = [
        (known.get(r["id"], known.get(r["study"])).title, r["id"], tables.shown(r, "observed"), tables.shown(r, "predicted"),
         number(r["error"]), cause_of(r["study"], r["id"], known))
        for r in whole(model, engine).rows()
        if not r["passed"] and cause_of(r["study"], r["id"], known)
    ]  # fmt: skip
    return table(("what", "finding", "observed", "predicted", "error", "suspected cause"), sorted(rows))


def can_tell(model: Model, engine: str) -> str:
    """The same findings scored for models known to be wrong: every drug at a dose of zero; no contrast at all; every response doubled."""
    keys = ("n", "error", "within_1_25", "within_1_5", "within_2", "directions", "skill")
    rows = []
    for name, board in controls(model, whole(model, engine), engine).items():
        summary = board.summary()
        claims = f"{summary['claim']['passed']} of {summary['claim']['n']}"
        rows += [
            (name, use, *(number(summary[use][key]) for key in keys), claims) for use in ("calibration", "validation") if summary[use]["n"]
        ]
    return table(("model", "use", *keys, "claims met"), rows)


@cache
def whole(model: Model, engine: str) -> Scoreboard:
    """The scoreboard of the whole library."""
    return validate(model, engine=engine)


def number(value: float | int | None) -> str:
    """Three digits, or nothing."""
    return "" if value is None else f"{value:.3g}"


SECTIONS: dict[str, tuple[str, Callable[[Model, str], str]]] = {
    "scoreboard": ("Scoreboard", scoreboard),
    "misfits": ("What does not fit, and why", misfits),
    "can_tell": ("The scoreboard can tell", can_tell),
    "settled": ("Settled states", settled_states),
    "untreated": ("26 weeks without treatment", untreated),
    "day": ("Healthy adults, 24 hours", healthy_day),
    "liver": ("Generation test, a pharmacological week, and tesamorelin by state of the liver", by_liver),
    "half_life": ("GH half-life and secretion in cirrhosis", half_life),
    "ablation": ("Ablation of MASH F3", ablation),
}


def main() -> None:
    """Run the asked sections and write them to docs/results.md (all of them) or to the screen (some)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all if none is given")
    parser.add_argument("--engine", default="auto")
    given = parser.parse_args()
    model = Model.load()
    text = [f"# What the model does\n\nGenerated by `make measure`; model {model.hash[:12]}."]
    for key in given.sections or SECTIONS:
        title, function = SECTIONS[key]
        began = time.perf_counter()
        text.append(f"## {title}\n\n{(function.__doc__ or '').strip()}\n\n{function(model, given.engine)}")
        print(f"{text[-1]}\n\n({time.perf_counter() - began:.0f} s)\n", flush=True)
    if not given.sections:
        (HERE / "scoreboard.md").write_text("\n\n".join(text) + "\n")


if __name__ == "__main__":
    main()
