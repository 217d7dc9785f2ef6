"""Figures of the benchmark page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from benchmarks.curves import frontier
from benchmarks.summary import curves, lane_curves, lane_names, medians, pulse_error, slow_error

COLOURS = ("#0b6e4f", "#6bbf59", "#b5179e", "#3a5ba0", "#d1495b", "#edae49", "#8d6a9f", "#00798c", "#30343f")
MARKS = "osD^v<>Ph"


def precision(found: Mapping[str, Any], where: Path) -> None:
    """Work against error: pulses over 48 h, and visceral fat after the long run."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True, layout="constrained")
    for axis, error, label in (
        (axes[0], pulse_error, "error of GH and pSTAT5 over 48 h, of the maximum (worst person)"),
        (axes[1], slow_error, "relative error of visceral fat at the end (worst person)"),
    ):
        for k, name in enumerate(found["engines"]):
            _draw(axis, medians(curves(found, name, error)), k, name, "-")
        for k, name in enumerate(n for n in lane_names(found) if not n.startswith("ros3")):
            _draw(axis, medians(lane_curves(found, name, error)), len(COLOURS) - 1 - k, f"ghaxis, {name}", ":")
        axis.set(xscale="log", yscale="log", xlabel=label)
        axis.invert_xaxis()
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("processor time of a person-week, ms")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    _save(figure, where)


def _draw(axis: Any, points: list[tuple[float, float]], k: int, name: str, style: str) -> None:
    line = frontier(points)
    if line:
        x, y = [e for e, _ in line], [1000 * c for _, c in line]
        axis.plot(x, y, style, marker=MARKS[k % len(MARKS)], color=COLOURS[k % len(COLOURS)], markersize=4, linewidth=1.2, label=name)


def scaling(found: Mapping[str, Any], where: Path) -> None:
    """Person-weeks a second by number of people, engine time by weeks, time of an attempt by states."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    numbers = [int(n) for n in found["people"]]
    for k, workers in enumerate(next(iter(found["people"].values()))):
        rates = [n / found["people"][str(n)][workers]["wall"]["median"] for n in numbers]
        axes[0].plot(numbers, rates, marker=MARKS[k], color=COLOURS[k], label=f"{workers} thread{'s' if workers != '1' else ''}, wall")
    cpu = [n / found["people"][str(n)]["1"]["cpu"]["median"] for n in numbers]
    axes[0].plot(numbers, cpu, ":", marker="x", color=COLOURS[4], label="per processor second")
    axes[0].set(xscale="log", xlabel="people", ylabel="person-weeks a second")
    axes[0].legend(fontsize=8, frameon=False)
    weeks = [int(n) for n in found["weeks"]]
    for k, part in enumerate(("engine", "breakpoints")):
        axes[1].plot(weeks, [found["weeks"][str(n)][part]["median"] for n in weeks], marker=MARKS[k], color=COLOURS[k], label=part)
    axes[1].set(xscale="log", yscale="log", xlabel="weeks of one person", ylabel="processor seconds")
    axes[1].legend(fontsize=8, frameon=False)
    for k, width in enumerate(_widths(found)):
        points = sorted((s["states"], 1e6 * s[width]["week"]["median"] / s[width]["attempts"]) for s in found["sizes"].values())
        label = f"{width} lane{'s' if width != '1' else ''}"
        axes[2].plot([x for x, _ in points], [y for _, y in points], marker=MARKS[k], color=COLOURS[k], label=label)
    axes[2].set(xlabel="states", ylabel="µs of a person's attempted step", ylim=(0, None))
    axes[2].legend(fontsize=8, frameon=False)
    for axis in axes:
        axis.grid(alpha=0.25)
    _save(figure, where)


def _widths(found: Mapping[str, Any]) -> list[str]:
    return sorted((key for key in next(iter(found["sizes"].values())) if key.isdigit()), key=int)


def _save(figure: Any, where: Path) -> None:
    where.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(where, dpi=130, metadata={"Software": None})
    plt.close(figure)
