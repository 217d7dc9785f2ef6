"""Errors and costs of every engine at every tolerance, on the same courses."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.cases import PULSES, SLOW, WATCHED, WEEK, Case, crowd, together
from benchmarks.cases import cases as all_cases
from benchmarks.curves import largest_error, relative_error
from benchmarks.peers import Own, Peer, RoadRunner
from ghaxis.engine import NAMES, Engine, Tolerances, load, machine
from ghaxis.engine.own import OwnEngine

_PULSE_COLUMNS = [WATCHED.index(name) for name in PULSES]
_SLOW_COLUMNS = [WATCHED.index(name) for name in SLOW]
SHORT, LONG = 4, 26  # weeks after which slow states are looked at


def reference(cases: list[Case], long: list[Case], weeks: int) -> dict[str, Any]:
    """Our engine at 1e-10, and how far libRoadRunner at 1e-10 is from it."""
    own, other = Own(cases[0].model.sbml), RoadRunner(cases[0].model.sbml)
    found: dict[str, Any] = {"days": {}, "slow": {}, "against": {}}
    for case in cases:
        values = own.run(case.two_days, 1e-10).values[:, _PULSE_COLUMNS]
        theirs = other.run(case.two_days, 1e-10).values[:, _PULSE_COLUMNS]
        found["days"][case.name] = values.tolist()
        found["against"][case.name] = largest_error(theirs, values).tolist()
    for case in long:
        found["slow"][case.name] = _slow(own, case, 1e-9, weeks).tolist()
    last = long[-1]
    found["against_slow"] = relative_error(_slow(other, last, 1e-9, weeks), np.array(found["slow"][last.name])).max(axis=0).tolist()
    return found


def _slow(peer: Peer, case: Case, relative: float, weeks: int) -> np.ndarray:
    asked = sorted({min(SHORT, weeks), weeks})
    return peer.run(case.weeks(*asked), relative).values[:, _SLOW_COLUMNS]


def errors(peer: Peer, cases: list[Case], long: list[Case], weeks: int, against: dict[str, Any], most: int) -> dict[str, Any]:
    """By tolerance: max |error| / max |value| over 48 h (cases x PULSES), and relative errors of SLOW (long cases x weeks x SLOW)."""
    found: dict[str, Any] = {"short": {}, "slow": {}, "failed": {}}
    for relative in peer.tolerances[:most]:
        key = f"{relative:g}"
        try:
            found["short"][key] = [
                largest_error(peer.run(c.two_days, relative).values[:, _PULSE_COLUMNS], np.array(against["days"][c.name])).tolist()
                for c in cases
            ]
            found["slow"][key] = [relative_error(_slow(peer, c, relative, weeks), np.array(against["slow"][c.name])).tolist() for c in long]
        except (ArithmeticError, RuntimeError, ValueError, Warning) as error:
            found["short"].pop(key, None)
            found["failed"][key] = str(error)[:200]
    return found


def costs(peers: list[Peer], cases: list[Case], most: int, seed: int) -> dict[str, Any]:
    """One round: processor seconds of a person-week, every engine and tolerance and case once, in an order drawn anew."""
    jobs = [(p, relative, c) for p in peers for relative in p.tolerances[:most] for c in cases]
    random.Random(seed).shuffle(jobs)
    found: dict[str, Any] = {}
    for p, relative, case in jobs:
        try:
            ran = p.run(case.week, relative)
        except (ArithmeticError, RuntimeError, ValueError, Warning):
            continue
        cell = found.setdefault(p.name, {}).setdefault(f"{relative:g}", {})
        cell[case.name] = {"seconds": ran.seconds, "steps": ran.steps}
        cell[case.name] |= getattr(p, "also", {})
    return found


def undisturbed(peers: list[Peer], case: Case, most: int, rounds: int) -> dict[str, Any]:
    """One person without any breakpoint, by engine and tolerance: error of GH and pSTAT5 over 48 h, seconds of a week by round."""
    days, week = case.undisturbed(case.two_days), case.undisturbed(case.week)
    against = peers[0].run(days, 1e-10).values
    fast = [WATCHED.index(name) for name in ("GH", "pSTAT5_nuc")]
    found: dict[str, Any] = {}
    for k in range(rounds):
        jobs = [(p, relative) for p in peers for relative in p.tolerances[:most]]
        random.Random(k).shuffle(jobs)
        for p, relative in jobs:
            cell = found.setdefault(p.name, {}).setdefault(f"{relative:g}", {"seconds": []})
            if "error" not in cell:
                cell["error"] = float(largest_error(p.run(days, relative).values, against)[fast].max())
            cell["seconds"].append(p.run(week, relative).seconds)
    return found


def lanes(tolerances: tuple[float, ...], people: int, seed: int) -> dict[str, Any]:
    """One round: processor seconds of a person-week when people run as lanes of one thread, by engine, width and tolerance."""
    model = all_cases()[0].model
    batch = together(model, crowd(people), WEEK, np.arange(1.0, WEEK + 1))
    widths = [1, *(w for w in (4, 8) if w <= max(machine.widest(), 4))]
    engines: dict[str, Engine] = {f"{method} x{w}": OwnEngine(method, w) for method in ("rodas4", "ros3") for w in widths}
    engines |= {name: load(name) for name in NAMES if name not in ("own", "referee")}
    jobs = [(name, relative) for name in engines for relative in tolerances]
    random.Random(seed).shuffle(jobs)
    found: dict[str, Any] = {}
    for name, relative in jobs:
        compiled = engines[name].compile(model.sbml, WATCHED)
        tolerance = Tolerances(relative, relative / 100)
        compiled.run(replace(batch, end=6.0, times=np.array([6.0])), tolerance, 1)  # compiles for the width that so many people get
        begun = time.process_time()
        answer = compiled.run(batch, tolerance, 1)
        seconds = (time.process_time() - begun) / people
        if not answer.failures:
            found.setdefault(name, {})[f"{relative:g}"] = seconds
    return found
