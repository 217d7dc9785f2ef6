"""From what was measured to what is told: curves of every engine, and ratios at equal error. Pure functions."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.cases import PULSES, SLOW
from benchmarks.curves import Point, cost_at

OURS = "ghaxis, Rodas4"
FAST = (PULSES.index("GH"), PULSES.index("pSTAT5_nuc"))


def pulse_error(errors: Mapping[str, Any], key: str) -> float:
    """The worst person's error of GH and pSTAT5 over 48 h."""
    return float(np.array(errors["short"][key])[:, FAST].max())


def slow_error(errors: Mapping[str, Any], key: str) -> float:
    """The worst person's error of VAT at the end of the long run."""
    return float(np.array(errors["slow"][key])[:, -1, SLOW.index("VAT")].max())


def person_cost(round_: Mapping[str, Any], engine: str, key: str) -> float | None:
    """Seconds of a person-week in one round, the mean over people."""
    cell = round_.get(engine, {}).get(key)
    return statistics.fmean(c["seconds"] for c in cell.values()) if cell else None


def curves(found: Mapping[str, Any], engine: str, error: Any = pulse_error) -> list[list[Point]]:
    """(error, seconds of a person-week) by tolerance, for each round."""
    errors = found["errors"][engine]
    return [
        [(error(errors, key), cost) for key in errors["short"] if (cost := person_cost(round_, engine, key)) is not None]
        for round_ in found["costs"]
    ]


def lane_curves(found: Mapping[str, Any], engine: str, error: Any = pulse_error) -> list[list[Point]]:
    """The same for people run as lanes: their errors are those of the same method with one lane."""
    named = {"rodas4": "ghaxis, Rodas4", "ros3": "ghaxis, ROS3"}
    errors = found["errors"][named.get(engine.split(" ")[0], f"ghaxis, {engine}")]
    rounds = [round_.get(engine, {}) for round_ in found["lanes"]]
    return [[(error(errors, key), cost) for key, cost in costs.items() if key in errors["short"]] for costs in rounds]


def undisturbed_curves(found: Mapping[str, Any], engine: str) -> list[list[Point]]:
    """The same for one person without breakpoints."""
    cells = list(found["undisturbed"][engine].values())
    return [[(cell["error"], cell["seconds"][k]) for cell in cells] for k in range(len(cells[0]["seconds"]))]


def lane_names(found: Mapping[str, Any]) -> list[str]:
    """Engines run with lanes, by method and then by width."""
    return sorted((n for n in found["lanes"][0] if not n.endswith(" x1")), key=lambda n: (n.startswith("ros3"), n))


def medians(rounds: Sequence[Sequence[Point]]) -> list[Point]:
    """The median curve: rounds share their errors."""
    costs: dict[float, list[float]] = {}
    for points in rounds:
        for error, cost in points:
            costs.setdefault(error, []).append(cost)
    return [(error, statistics.median(c)) for error, c in costs.items()]


def ratios(theirs: Sequence[Sequence[Point]], ours: Sequence[Sequence[Point]], error: float) -> tuple[float, float, float] | None:
    """Their cost over ours at an error, round by round: median, least, most; None where one of them was never that accurate."""
    pairs = [(cost_at(a, error), cost_at(b, error)) for a, b in zip(theirs, ours, strict=True)]
    found = [a / b for a, b in pairs if a is not None and b is not None]
    return (statistics.median(found), min(found), max(found)) if found and len(found) == len(pairs) else None


def issue_seconds(counted: Mapping[str, Any], clock_ghz: float, per_cycle: float) -> float | None:
    """Seconds of an attempt if the processor never waited: floating-point instructions (moves included) `per_cycle` a cycle."""
    instructions = counted["vector_instructions"]
    return None if instructions is None else instructions / per_cycle / clock_ghz / 1e9
