"""Figures of a person (a day, weeks) and of a study (predicted against observed)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ghaxis import units
from ghaxis.errors import InputError
from ghaxis.reading import packaged_root
from ghaxis.report import style
from ghaxis.report.style import plt
from ghaxis.simulation import Result

_DAY = 49.0  # a run up to this many hours is drawn as a day


@cache
def _panels() -> Mapping[str, Any]:
    return tomllib.loads((packaged_root() / "panels.toml").read_text(encoding="utf-8"))


def panel_kind(hours: float) -> str:
    """Which figure suits a run of that length: "day" or "weeks"."""
    return "day" if hours <= _DAY else "weeks"


def watch_for(kind: str) -> tuple[str, ...]:
    """The quantities that the figure of that kind shows."""
    return tuple(dict.fromkeys(q for panel in _panels()[kind]["panel"] for q in panel["quantities"]))


def every_for(kind: str) -> str:
    """The sampling that the figure of that kind needs."""
    return str(_panels()[kind]["every"])


def person(results: Mapping[str, Result], title: str = "") -> Any:
    """A figure of one or several runs (label -> Result) of one length: a panel for each group of quantities; nights are shaded on a day.

    Raises InputError if a run did not watch what the figure shows.
    """
    first = next(iter(results.values()))
    kind = panel_kind(float(first.times[-1]))
    wanted = watch_for(kind)
    for label, result in results.items():
        if missing := [q for q in wanted if q not in result.names]:
            raise InputError(f"the figure of {label or 'the run'} needs these quantities watched: {', '.join(missing)}")
    panels = _panels()[kind]["panel"]
    scale, unit = (1.0, "clock time") if kind == "day" else (168.0, "weeks")
    with style.house():
        figure, axes = plt.subplots(len(panels) // 2, 2, figsize=(9.2, 2.15 * (len(panels) // 2) + 0.7), sharex=True, layout="constrained")
        for panel, ax in zip(panels, np.ravel(axes), strict=True):
            _panel(ax, panel, results, scale)
            if kind == "day":
                zero = units.clock(str(first.provenance["begin"]))
                style.nights(ax, 0.0, float(first.times[-1]), zero)
                ticks = np.arange(0.0, float(first.times[-1]) + 0.1, 4.0)
                ax.set_xticks(ticks, [f"{int((zero + t) % 24):02d}" for t in ticks])
        for ax in np.atleast_2d(axes)[-1]:
            ax.set_xlabel(unit)
        if len(results) > 1:
            lines = [plt.Line2D([], [], color=style.COLOURS[k % len(style.COLOURS)]) for k in range(len(results))]
            figure.legend(lines, list(results), loc="outside upper right", ncols=len(results), handlelength=1.2)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, color=style.INK)
    return figure


def _panel(ax: Any, panel: Mapping[str, Any], results: Mapping[str, Result], scale: float) -> None:
    many = len(results) > 1
    unit = ""
    for k, result in enumerate(results.values()):
        for j, name in enumerate(panel["quantities"]):
            curve = result[name]
            unit = panel.get("unit", curve.unit)
            curve = curve.to(unit)
            colour = style.COLOURS[(k if many else j) % len(style.COLOURS)]
            ax.plot(curve.times / scale, curve.values, color=colour, ls="-" if not many or j == 0 else "--", label=name, zorder=3)
            if panel.get("fill") and not many:
                ax.fill_between(curve.times / scale, curve.values, color=colour, alpha=0.15, lw=0, zorder=2)
    dashed = f" (dashed: {', '.join(panel['quantities'][1:])})" if many and len(panel["quantities"]) > 1 else ""
    ax.set_title(panel["title"] + dashed, color=style.INK)
    ax.set_ylabel(panel.get("label", unit if unit != "dimensionless" else ""))
    if panel.get("zero") or panel.get("fill"):
        ax.set_ylim(bottom=0)
    ax.margins(x=0)
    if not many and len(panel["quantities"]) > 1:
        ax.legend(loc="best", handlelength=1.2)


def study(findings: Sequence[Mapping[str, Any]], title: str = "") -> Any:
    """Predicted beside observed for the findings of one or several studies, with the observed interval where one is printed.

    `findings` are rows as `validate --json` prints them. Contrasts are drawn as effects (ln ratio, or difference), levels as
    ln(value / observed); the two share one axis because both are relative to the study's own scale.
    """
    rows = [f for f in findings if f.get("effect_predicted") is not None and f.get("effect_observed") is not None]
    with style.house():
        figure, ax = plt.subplots(figsize=(8.6, 0.42 * max(len(rows), 3) + 1.3), layout="constrained")
        for y, row in enumerate(reversed(rows)):
            observed, predicted = float(row["effect_observed"]), float(row["effect_predicted"])
            good = row.get("passed")
            ax.plot([observed, predicted], [y, y], color=style.MUTED, lw=0.8, zorder=1)
            if row.get("effect_low") is not None and row.get("effect_high") is not None:
                ax.plot(
                    [row["effect_low"], row["effect_high"]], [y, y], color=style.OBSERVED, lw=3, alpha=0.35, solid_capstyle="butt", zorder=2
                )
            ax.plot(observed, y, "o", color=style.OBSERVED, ms=6, zorder=3)
            ax.plot(predicted, y, "D", color=style.PREDICTED, ms=5.5, mfc=style.PREDICTED if good else "white", mew=1.4, zorder=4)
        ax.set_yticks(range(len(rows)), [_label(r) for r in reversed(rows)])
        ax.axvline(0, color=style.MUTED, lw=0.8, ls=":")
        ax.set_xlabel("effect: ln(value / comparator), or difference")
        ax.plot([], [], "o", color=style.OBSERVED, label="observed")
        ax.plot([], [], "D", color=style.PREDICTED, label="predicted (filled: within bounds)")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12 - 0.4 / max(len(rows), 3)), ncols=2)
        if title:
            ax.set_title(title, color=style.INK)
        ax.margins(y=0.08)
    return figure


def _label(row: Mapping[str, Any]) -> str:
    text = str(row["id"])
    study_key = str(row["study"])
    return text.removeprefix(study_key).strip("_").replace("_", " ") + f"  [{row['measure']}]"


def save(figure: Any, path: str | Path) -> None:
    """Write the figure whole or not at all; the ending (.png, .pdf, .svg) says how. The folder is made if it is missing."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".part-{target.name}")
    try:
        figure.savefig(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
        plt.close(figure)
