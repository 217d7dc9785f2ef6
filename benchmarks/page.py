"""The generated page: what was measured, in tables and figures, with what they do not tell."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import pictures
from benchmarks.cases import PULSES, SLOW
from benchmarks.curves import cost_at
from benchmarks.summary import (
    OURS,
    curves,
    issue_seconds,
    lane_curves,
    lane_names,
    medians,
    person_cost,
    pulse_error,
    ratios,
    slow_error,
    undisturbed_curves,
)

Found = Mapping[str, Any]
PULSE_TARGETS = (1e-2, 1e-3, 1e-4, 1e-5)
SLOW_TARGETS = (1e-4, 1e-5, 1e-6, 1e-7)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(show(c) for c in row) + " |" for row in rows)])


def show(value: object) -> str:
    """Three digits, or nothing."""
    if value is None:
        return ""
    return (f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}") if isinstance(value, float) else str(value)


def prose(words: str) -> str:
    """A paragraph, however it was wrapped."""
    return " ".join(words.split())


def ranged(spread: Mapping[str, float], times: float = 1.0) -> str:
    """Median and range, where there is one."""
    if spread["least"] == spread["most"]:
        return show(times * spread["median"])
    return f"{show(times * spread['median'])} ({show(times * spread['least'])}-{show(times * spread['most'])})"


def in_short(found: Found) -> str:
    """The few numbers that the rest explains."""
    own, theirs = curves(found, OURS), [n for n in found["engines"] if not n.startswith("ghaxis")]
    lines = [
        f"* At an error of 1e-3 of the maximum of GH and pSTAT5 (worst person), a person-week takes {show(_ms(medians(own), 1e-3))} ms."
    ]
    beside = [f"{name} {_ratio(r)}" for name in theirs if (r := ratios(curves(found, name), own, 1e-3))]
    if beside:
        lines.append(
            f"* At that error the others take, times as long for one person: {'; '.join(beside)}. AMICI is charged with its solver only."
        )
    best = next((n for n in reversed(lane_names(found)) if n.startswith("rodas4")), None)
    if best:
        width, cost = best.removeprefix("rodas4 x"), _ms(medians(lane_curves(found, best)), 1e-3)
        beside = [f"{name} {_ratio(r)}" for name in theirs if (r := ratios(curves(found, name), lane_curves(found, best), 1e-3))]
        lines.append(f"* In lanes of {width}: {show(cost)} ms a person-week; times as long: {'; '.join(beside)}.")
    p = found["population"]
    f = p["found"]
    crowd = f"{f['people']} people x {f['weeks']} weeks"
    lines.append(f"* {crowd}: {show(p['wall'])} s with {f['workers']} threads ({show(p['cpu'])} processor seconds).")
    return "\n".join(lines)


def on_what(found: Found) -> str:
    """Processor, versions, model."""
    m = found["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    machine = prose(f"""Processor `{m["cpu"]}` (as LLVM names it; {", ".join(m["features"])}), {m["threads"]} threads, {m["system"]};
        Python {m["python"]}; {versions}.""")
    model = prose(f"""Model {m["model"]} with {" and ".join(m["therapies"])}: {m["states"]} states. People: {"; ".join(m["people"])};
        each at rest, on one noise tape. Rounds: {len(found["costs"])}; every number is a median, with the range over rounds in
        brackets.""")
    return machine + "\n\n" + model


def how(_: Found) -> str:
    """What is compared, and what is not."""
    return """All engines run the same SBML from the same settled levels through the same breakpoints (some 27 a day: sleep, meals, the
noise of the pulse generator, doses) and give the same outputs. All are restarted at every breakpoint. Time is processor time, so that other
work on the machine disturbs it little; engines, tolerances and people alternate in an order drawn anew in every round.

* **ghaxis**: the whole call, packing and reading back included. Absolute tolerance a hundredth of the relative, of each state's size.
* **libRoadRunner**: driven as our referee drives it, but within the process and without its integrals; setting parameters and levels is
  not charged. Absolute tolerance a thousandth of the relative.
* **AMICI**: its C++ model, CVODES with KLU, restarted at every breakpoint; charged with its own solver clock only. Its Python side, which a
  run pays for at every restart, is in the table of engines, not in the curves.
* **SciPy LSODA** and **CVODE** (scikit-sundae): our compiled right-hand side and Jacobian (those of the engine, exponents fixed alike) as
  callbacks from Python.

What is not compared: events (we have none), sensitivities, steady-state solvers, GPUs."""


def reference(found: Found) -> str:
    """How far the reference itself can be trusted."""
    r = found["reference"]
    rows = [(name, *(float(e) for e in errors)) for name, errors in r["against"].items()]
    slow = ", ".join(f"{name} {show(float(e))}" for name, e in zip(SLOW, r["against_slow"], strict=True))
    words = prose("""ghaxis (Rodas4) at 1e-10 (at 1e-9 for slow states); libRoadRunner at the same tolerance differs from it by max
        |error| / max |value|:""")
    return f"{words}\n\n{table(('48 h', *PULSES), rows)}\n\nSlow states of the last of the people at the end, relative: {slow}."


def precision(found: Found) -> str:
    """Errors and cost of every engine at every tolerance."""
    rows = []
    for name in found["engines"]:
        errors = found["errors"][name]
        for key in errors["short"]:
            costs = [c for r in found["costs"] if (c := person_cost(r, name, key)) is not None]
            worst = [max(person[k] for person in errors["short"][key]) for k in range(len(PULSES))]
            slow = {k: max(p[-1][SLOW.index(k)] for p in errors["slow"][key]) for k in SLOW}
            early = max(max(p[0]) for p in errors["slow"][key])
            spread = {"median": sorted(costs)[len(costs) // 2], "least": min(costs), "most": max(costs)} if costs else None
            rows.append((name, key, ranged(spread, 1e3) if spread else "", *worst, early, *slow.values()))
        empty = [""] * (len(PULSES) + 1 + len(SLOW))
        rows += [(name, key, f"failed: {why.splitlines()[0][:60]}", *empty) for key, why in errors["failed"].items()]
    heads = ("engine", "rtol", "ms a person-week", *PULSES, "4 weeks: worst", *(f"end: {k}" for k in SLOW))
    words = prose("""Errors of the first four: max |error| / max |value| over 48 h, looked at every 5 minutes (our dense output
        included), the worst person's. Then relative errors of slow states after 4 weeks (the worst of them) and at the end of the
        long run.""")
    return f"![work against error](results/benchmark_precision.png)\n\n{words}\n\n{table(heads, rows)}"


def equal_error(found: Found) -> str:
    """Cost at equal measured error, relative to ours."""
    parts = []
    for title, error, targets in (
        ("GH and pSTAT5 over 48 h (worst person)", pulse_error, PULSE_TARGETS),
        ("visceral fat at the end of the long run (worst person)", slow_error, SLOW_TARGETS),
    ):
        ours = curves(found, OURS, error)
        rows: list[Sequence[object]] = [("ghaxis, Rodas4, one lane", *(_ms(medians(ours), t) for t in targets))]
        rows += [(f"ghaxis, {name}", *(_ms(medians(lane_curves(found, name, error)), t) for t in targets)) for name in lane_names(found)]
        parts.append(f"**{title}**: ms of a person-week\n\n" + table(("", *(f"error {t:.0e}" for t in targets)), rows))
        parts.append(f"Times what we take with one lane:\n\n{_beside(found, error, ours, targets)}")
        if best := next((n for n in reversed(lane_names(found)) if n.startswith("rodas4")), None):
            lanes = lane_curves(found, best, error)
            parts.append(f"Times what we take with {best.removeprefix('rodas4 x')} lanes:\n\n{_beside(found, error, lanes, targets, True)}")
    alone = undisturbed_curves(found, OURS)
    rows = [("ghaxis, Rodas4, one lane: ms", *(_ms(medians(alone), t) for t in PULSE_TARGETS))]
    for name in found["engines"]:
        if name != OURS:
            rows.append((name, *(_ratio(ratios(undisturbed_curves(found, name), alone, t)) for t in PULSE_TARGETS)))
    parts.append(
        "**Without any breakpoint** (one person, no habits, noise or doses; GH and pSTAT5 over 48 h): times what we take with one lane\n\n"
        + table(("", *(f"error {t:.0e}" for t in PULSE_TARGETS)), rows)
    )
    words = prose("""Between two tolerances cost is interpolated on straight lines in logarithms along the frontier (points that no
        other tolerance of that engine beats in both error and cost). Where an engine was never so inaccurate, its cheapest run
        counts; where it was never so accurate, nothing is said. Lanes: people of one thread, who differ in parameters, noise and
        treatment.""")
    return words + "\n\n" + "\n\n".join(parts)


def _beside(found: Found, error: Any, ours: Any, targets: Sequence[float], others: bool = False) -> str:
    """Ratios to one of our curves; `others`: without our own engines."""
    names = [n for n in found["engines"] if n != OURS and not (others and n.startswith("ghaxis"))]
    rows = [(name, *(_ratio(ratios(curves(found, name, error), ours, t)) for t in targets)) for name in names]
    return table(("", *(f"error {t:.0e}" for t in targets)), rows)


def _ms(points: list[tuple[float, float]], target: float) -> object:
    cost = cost_at(points, target)
    return None if cost is None else 1000 * cost


def _ratio(found: tuple[float, float, float] | None) -> str:
    return "" if found is None else ranged(dict(zip(("median", "least", "most"), found, strict=True)))


def engines(found: Found) -> str:
    """What each engine costs around its solver."""
    e = found["evaluation"]
    lines = [
        prose(f"""One evaluation of our right-hand side takes {show(1e6 * e["within"])} µs within machine code and
            {show(1e6 * e["from Python"])} µs when Python calls it, as SciPy and scikit-sundae do: a solver that called machine code
            directly would be faster by the difference, at every evaluation.""")
    ]
    name = "AMICI"
    if name in found["engines"]:
        rows = []
        for key in found["errors"][name]["short"]:
            cells = [c for r in found["costs"] for c in r.get(name, {}).get(key, {}).values()]
            if cells:
                timed = [1e3 * statistics.median(c[k] for c in cells) for k in ("seconds", "library_seconds", "all_seconds")]
                rows.append((key, *timed, int(statistics.median(c["steps"] for c in cells))))
        words = prose(f"""AMICI took {show(found["engines"][name]["built"])} s to turn the SBML into a compiled extension (C++
            compiler, SWIG of the very version that AMICI was built with, BLAS and HDF5 headers). A person-week:""")
        heads = ("rtol", "ms in its solver", "ms in its library", "ms in all, restarts from Python included", "steps")
        lines.append(f"{words}\n\n{table(heads, rows)}")
    else:
        lines.append(
            prose("""AMICI was not installed here: it comes as source and needs a C++ compiler, SWIG, BLAS and HDF5 headers (`pip
                install .[bench-amici]`).""")
        )
    return "\n\n".join(lines)


def scaling(found: Found) -> str:
    """People, weeks, states."""
    people = [
        (n, *(cell for w in by for cell in (ranged(by[w]["wall"], 1e3), ranged(by[w]["cpu"], 1e3 / int(n)))))
        for n, by in found["people"].items()
    ]
    heads = [h for w in next(iter(found["people"].values())) for h in (f"{w} thr.: wall ms", f"{w} thr.: processor ms a person")]
    weeks = [
        (n, w["paths"], ranged(w["breakpoints"], 1e3), ranged(w["engine"], 1e3), 1e3 * w["engine"]["median"] / int(n))
        for n, w in found["weeks"].items()
    ]
    sizes = []
    for name, s in found["sizes"].items():
        cells = []
        for width in sorted((k for k in s if k.isdigit()), key=int):
            cells += [ranged(s[width]["week"], 1e3), 1e6 * s[width]["week"]["median"] / s[width]["attempts"]]
        sizes.append((name, s["states"], s["entries"], *cells))
    width = max((k for k in next(iter(found["sizes"].values())) if k.isdigit()), key=int)
    return "\n\n".join(
        [
            "![scaling](results/benchmark_scaling.png)",
            "A week of more and more people (the engine chooses how many lanes; breakpoints are made beforehand):",
            table(("people", *heads), people),
            "More and more weeks of one person (breakpoints are made by Python, one after the other):",
            table(("weeks", "breakpoint values", "making them, ms", "engine, ms", "engine, ms a week"), weeks),
            "Models of different size (a healthy man, untreated; the cells get a pulse of GH every three hours), per person:",
            table(("model", "states", "Jacobian", "week, ms", "attempt, µs", f"week in {width} lanes, ms", "attempt, µs"), sizes),
        ]
    )


def starts(found: Found) -> str:
    """First simulations, imports, settling."""
    rows = [(name, ranged(s["wall"]), ranged(s["cpu"])) for name, s in found["starts"].items()]
    imports = [(f"import {name}" if name != "nothing" else "nothing", ranged(s, 1e3)) for name, s in found["imports"].items()]
    s = found["settling"]
    return "\n\n".join(
        [
            prose("""A new process simulates a week of a healthy man; *cold* begins with an empty cache folder (machine code, settled
                states, assembled model), *warm* is the same again in another process. Without a settled state only the compiler is
                left."""),
            table(("", "wall s", "processor s"), rows),
            "From the start of the interpreter to its end:",
            table(("", "processor ms"), imports),
            prose(f"""Bringing one person to rest takes {ranged(s["settle_cpu"])} processor seconds ({ranged(s["settle_wall"])} wall;
                {show(s["rounds"]["median"])} rounds over eight noise tapes); 26 weeks of one person take {ranged(s["run_cpu"])}:
                {show(s["settle_cpu"]["median"] / s["run_cpu"]["median"])} times as much."""),
        ]
    )


def many(found: Found) -> str:
    """A population, and memory."""
    p = found["population"]
    f = p["found"]
    memory = [(n, m["peak_mib"], m["found"]["engine"]["cpu"]) for n, m in found["memory"].items()]
    person_weeks = f["people"] * f["weeks"]
    rows = [
        ("whole process", p["wall"], p["cpu"]),
        ("making breakpoints (Python, one thread)", f["breakpoints"]["wall"], f["breakpoints"]["cpu"]),
        ("engine", f["engine"]["wall"], f["engine"]["cpu"]),
    ]
    return "\n\n".join(
        [
            prose(f"""{f["people"]} people x {f["weeks"]} weeks with {f["workers"]} threads in blocks of 64, looked at every day
                (lanes from the five settled people, everything that differs between persons varied by 5 %; not brought to rest
                again; {f["failed"]} failed): peak memory {show(p["peak_mib"])} MiB, {show(person_weeks / f["engine"]["cpu"])}
                person-weeks per processor second of the engine, {show(person_weeks / p["wall"])} per second of wall time. Measured
                once."""),
            table(("", "wall s", "processor s"), rows),
            prose(f"""Peak memory of {min(f["people"], 64)} people against simulated time; what grows are the breakpoints of all of
                them, made beforehand:"""),
            table(("weeks", "peak MiB", "engine, processor s"), memory),
        ]
    )


def limits(found: Found) -> str:
    """Counted work against measured peaks."""
    size, peak = found["limit"]["size"], found["limit"]["peak"]
    rows, parts = [], []
    for width, c in found["limit"]["counted"].items():
        m = found["limit"]["measured"][width]
        kind = "f64" if width == "1" else f"{width} f64"
        seconds = m["seconds"]["median"] / m["attempts"]  # of one person's attempt
        rate = c["flops"]["attempt"] / seconds / 1e9
        best = max(v["gflops"] for k, v in peak.items() if k != "clock_ghz" and "f64" in k)
        two, real = (issue_seconds(c, peak["clock_ghz"], n) for n in (2.0, min(2.0, peak[kind]["per_cycle"]) if width != "1" else 2.0))
        vector = seconds * int(width)
        rows.append(
            (
                width,
                m["attempts"],
                c["flops"]["attempt"] / 1e3,
                c["instructions"],
                c["vector_instructions"],
                1e6 * vector,
                rate,
                100 * rate / best,
                None if two is None else 1e6 * two,
                None if two is None else 100 * two / vector,
                None if real is None else 100 * real / vector,
            )
        )
        f = c["flops"]
        parts.append((width, *(float(f[k]) for k in ("rates", "slopes", "factor", "solve", "walks", "attempt")), c["divisions"]))
    calls = found["limit"]["counted"]["1"]["calls"]
    names = ("slopes", "rates", "factor", "solve")
    pieces = []
    for width, p in found["limit"]["pieces"].items():
        m = found["limit"]["measured"][width]
        attempt = m["seconds"]["median"] / m["attempts"] * int(width)
        walks = p["attempt"] - sum(p[name] * calls[name] for name in names)
        row = (*(p[name] for name in names), walks, p["attempt"], p["move"], p["hoist"], attempt)
        pieces.append((width, *(1e6 * seconds for seconds in row)))
    peaks = [(k, v["gflops"], v["per_cycle"]) for k, v in peak.items() if k != "clock_ghz"]
    week = found["limit"]["measured"]["1"]["attempts"] * found["limit"]["counted"]["1"]["flops"]["attempt"] / 1e6
    return "\n\n".join(
        [
            prose(f"""The system: {size["states"]} states, {size["parameters"]} parameters, {size["entries"]} entries of the
                Jacobian, {size["slots"]} of its factors; {size["hoisted"]} expressions of parameters are worked out at breakpoints
                only and are not counted. An attempted step of Rodas4 calls
                {", ".join(f"{name} {n} times" for name, n in calls.items())}, and walks over all states between them. Counted in the
                LLVM text that is compiled: a fused multiply-add is 2, exp and log are what they are made of, comparisons and moves
                nothing."""),
            table(("lanes", "rates", "slopes", "factor", "solve", "walks", "a whole attempt, flop", "divisions (instructions)"), parts),
            prose("""Each by itself, again and again from the same levels, µs in all lanes at once (the least of several rounds);
                then the whole attempt, of which the walks are what the functions leave; moving on after a kept step; a breakpoint's
                expressions of parameters; and what an attempt takes in whole runs, everything included:"""),
            table(("lanes", *names, "walks", "the attempt", "moving on", "hoisted", "in whole runs"), pieces),
            prose(f"""A person-week is {show(found["limit"]["measured"]["1"]["attempts"])} attempts (the rejected included),
                {show(week)} Mflop. This processor, one core, measured: {show(peak["clock_ghz"])} GHz (a chain of dependent
                additions); multiply-adds in registers:"""),
            table(("type", "Gflop/s", "instructions a cycle"), peaks),
            prose("""Time of an attempt is that of whole runs divided by attempts, lanes that wait and reading off included.
                Instructions are those of the compiled attempt (loops counted as often as they run). The issue limit is two of those
                on vector registers (where one lane's numbers are too) a cycle; the last column takes what this processor issues of
                that width (measured above), which is what 8 lanes of f64 meet where registers are wider than the units."""),
            table(
                (
                    "lanes",
                    "attempts a week",
                    "kflop an attempt",
                    "instructions",
                    "of them on vector registers",
                    "measured µs",
                    "Gflop/s",
                    "% of the f64 peak",
                    "issue limit µs",
                    "% of it",
                    "% of the measured issue limit",
                ),
                rows,
            ),
        ]
    )


def caveats(_: Found) -> str:
    """What these numbers do not say."""
    return """* One machine of one kind, shared with other work: processor time varies by some 10 % between runs, wall time by more.
* Restarting at every breakpoint is hard on multistep methods (they begin again at order 1, with a new Jacobian) and free for one-step
  methods; what is left of the difference without breakpoints is in the table above. Such days are not what people are simulated for.
* Callbacks into Python are charged to SciPy and scikit-sundae, as anyone who uses them pays for them; AMICI's Python is not charged.
* Peers are run as they come: none was tuned beyond a sensible absolute tolerance, none got its own largest step, and only ours
  has the model's exponents written into its code (SciPy's and CVODE's right-hand side too, since it is the same).
* Interpolation at equal error rests on the worst person's error, which does not fall smoothly with the tolerance.
* Lanes are unlike each other by 5 % in parameters and wholly in noise; a population that differs more leaves more lanes waiting.
* The count of instructions ignores the loop's own bookkeeping (choosing the step, breakpoints, reading off), which is in the time."""


SECTIONS = (
    ("In short", in_short),
    ("On what", on_what),
    ("What is compared", how),
    ("At equal error", equal_error),
    ("Work against error", precision),
    ("The reference", reference),
    ("Around the solvers", engines),
    ("Scaling", scaling),
    ("Starting, and coming to rest", starts),
    ("Many people", many),
    ("Distance from the arithmetic limit", limits),
    ("What these numbers do not say", caveats),
)


def text(found: Found) -> str:
    """The page."""
    head = "# What the engine costs\n\nGenerated by `make bench`."
    return "\n\n".join([head, *(f"## {title}\n\n{section(found)}" for title, section in SECTIONS)]) + "\n"


def write(found: Found, where: Path, folder: Path) -> None:
    """The page and its figures."""
    pictures.precision(found, folder / "benchmark_precision.png")
    pictures.scaling(found, folder / "benchmark_scaling.png")
    where.write_text(text(found))
