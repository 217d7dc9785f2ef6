"""Figures of a person (a day, weeks), of a study (predicted against observed) and of the whole scoreboard."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ghaxis import units
from ghaxis.errors import InputError
from ghaxis.reading import packaged_root
from ghaxis.report import style, tables
from ghaxis.report.style import plt
from ghaxis.simulation import Result
from ghaxis.validation import Scoreboard

ENDINGS = (".png", ".pdf", ".svg")
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


SCALES = {  # form of a finding -> panel
    "relative": "Changes",
    "ratio": "Changes",
    "logarithm": "Changes",
    "level": "Levels, as multiples of what was observed",
    "difference": "Differences, as multiples of what was observed",
}
_FOLDS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1 / 1.25, 1.0, 1.25, 2.0, 4.0, 8.0, 16.0)
_PERCENTS = (-95, -90, -75, -50, -25, -10, 0, 10, 25, 50, 100, 200, 400, 900, 1900)
EDGE = math.log(20.0)  # what lies farther out is drawn at the edge, as an arrow
_ROW = 0.3  # inches


def study(findings: Sequence[Mapping[str, Any]], title: str = "") -> Any:
    """Predicted beside observed for the findings of one or several studies, each with its interval where there is one.

    `findings` are the rows of a scoreboard. Changes are drawn as they are, on a logarithmic scale; levels and differences as multiples of
    what was observed. A finding without an effect (an order, a bound without a number) is not drawn.
    """
    panels: dict[str, list[Mapping[str, Any]]] = {name: [] for name in SCALES.values()}
    for row in findings:
        if row.get("effect_predicted") is not None and row.get("effect_observed") is not None and row.get("form") in SCALES:
            panels[SCALES[row["form"]]].append(row)
    panels = {name: rows for name, rows in panels.items() if rows}
    heights = [max(len(rows), 2) + 2.2 for rows in panels.values()] or [3.0]
    one = len({str(row["study"]) for rows in panels.values() for row in rows}) == 1
    with style.house():
        figure, axes = plt.subplots(
            len(heights), 1, figsize=(9.2, _ROW * sum(heights) + 0.6), squeeze=False, height_ratios=heights, layout="constrained"
        )
        for ax, (name, rows) in zip(axes[:, 0], panels.items(), strict=False):
            _compared(ax, name, list(reversed(rows)), one)
        handles = [
            plt.Line2D([], [], color=style.OBSERVED, marker="o", ls="-", lw=3, alpha=0.8, label="observed (95 % interval)"),
            plt.Line2D([], [], color=style.PREDICTED, marker="D", lw=1, label="predicted (90 % interval), right"),
            plt.Line2D([], [], color=style.PREDICTED, marker="D", mfc="white", mew=1.4, lw=1, label="predicted, wrong"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=2.0)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, color=style.INK)
    return figure


def _compared(ax: Any, name: str, rows: Sequence[Mapping[str, Any]], one: bool) -> None:
    """One panel: a line a finding, the first at the top; the printed and the predicted number stand at the right."""
    for y, row in enumerate(rows):
        observed, predicted = placed(row, row["effect_observed"]), placed(row, row["effect_predicted"])
        ax.plot([observed, predicted], [y, y], color=style.MUTED, lw=0.8, ls=":", zorder=1)
        _interval(ax, y + 0.12, [placed(row, row.get(key)) for key in ("effect_low", "effect_high")], style.OBSERVED, 3.0)
        _interval(ax, y - 0.12, [placed(row, effect_of(row, row.get(key))) for key in ("low", "high")], style.PREDICTED, 1.2)
        ax.plot(observed, y + 0.12, "o", color=style.OBSERVED, ms=5.5, zorder=3)
        beyond = abs(predicted) >= EDGE
        mark = (">" if predicted > 0 else "<") if beyond else "D"
        fill = style.PREDICTED if row.get("passed") else "white"
        ax.plot(predicted, y - 0.12, mark, color=style.PREDICTED, ms=5, mfc=fill, mew=1.4, zorder=4)
        ax.text(
            1.01, y, f"{tables.shown(row, 'observed')}  |  {tables.shown(row, 'predicted')}", transform=ax.get_yaxis_transform(), **_BESIDE
        )
    ax.text(1.01, len(rows) - 0.3, "observed  |  predicted", transform=ax.get_yaxis_transform(), **{**_BESIDE, "color": style.MUTED})
    ax.set_yticks(range(len(rows)), [_label(row, one) for row in rows])
    ax.set_ylim(-0.6, len(rows) - 0.1)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    low, high = ax.get_xlim()
    if rows[0]["form"] == "difference":
        ax.set_xlim(min(low, -0.2), max(high, 0.2))
        ax.axvline(0, color=style.MUTED, lw=0.8)
    else:
        low, high = max(min(low, -0.25), -EDGE - 0.1), min(max(high, 0.25), EDGE + 0.1)
        ax.axvline(0, color=style.MUTED, lw=0.8)
        inside = ticks(rows[0]["form"], low, high)
        ax.set_xticks(list(inside), list(inside.values()))
        ax.set_xlim(low, high)
    ax.set_title(name, color=style.INK)


def ticks(form: str, low: float, high: float, apart: float = 1 / 18) -> dict[float, str]:
    """Places and labels on an axis of `placed` effects, none nearer to another than a share `apart` of the axis; zero is always among them
    where it is inside."""
    if form == "difference":
        marks = {float(k): f"x{k}" if k else "0" for k in (0, -1, 1, -2, 2, -3, 3, -4, 4)}
    elif form == "level":
        marks = {math.log(f): f"x{f:.3g}" for f in sorted(_FOLDS, key=lambda f: abs(math.log(f)))}
    else:
        marks = {math.log1p(p / 100): f"{p:+d} %" if p else "0" for p in sorted(_PERCENTS, key=abs)}
    kept: dict[float, str] = {}
    for x, text in marks.items():
        if low <= x <= high and all(abs(x - other) >= apart * (high - low) for other in kept):
            kept[x] = text
    return kept


_BESIDE: Mapping[str, Any] = MappingProxyType({"va": "center", "ha": "left", "fontsize": 7.5, "color": style.INK})


_USES = {"calibration": style.COLOURS[0], "validation": style.COLOURS[1]}
_FURTHEST = 3.0  # a mean error beyond this is drawn at the edge


def overview(board: Scoreboard) -> Any:
    """The whole scoreboard on one sheet: the mean error by topic beside that of nothing, shelf and noise; predicted against observed
    effects; and by how much levels are missed."""
    topics, rows = (
        board.topics(),
        [row for row in board.rows() if row["use"] in _USES and row["error"] is not None and row["stated"] is None],
    )
    used = [use for use in _USES if any(row["use"] == use for row in rows)]
    with style.house():
        tall = max(5.6, 0.36 * len(topics) + 1.9)
        figure = plt.figure(figsize=(11.0, tall), layout="constrained")
        halves: Any = figure.subfigures(1, 2, width_ratios=(1.15, 1.0))
        left, right = halves
        _by_topic(left.subplots(), topics, used)
        scatter, folds = right.subplots(2, 1, height_ratios=(1.9, 1.0))
        _scatter(scatter, [row for row in rows if SCALES.get(row["form"]) == "Changes"], used)
        _folds(folds, [row for row in rows if row["form"] == "level"], used)
        n, studies = len(rows), len({row["study"] for row in rows})
        figure.suptitle(f"{n} published findings of {studies} studies, predicted", x=0.01, ha="left", fontsize=12, color=style.INK)
    return figure


def _by_topic(ax: Any, topics: Mapping[str, Mapping[str, Mapping[str, Any]]], used: Sequence[str]) -> None:
    """A row a topic: the noise as a bar, references as grey marks, the model as a diamond for each use."""
    for y, scores in enumerate(topics.values()):
        both = scores["both"]
        at = {name: min(both[name], _FURTHEST) for name in ("noise", "shelf", "nothing") if both[name] is not None}
        if "noise" in at:
            ax.barh(y, at["noise"], height=0.62, color=style.BAND, edgecolor="none", zorder=1)
        for name, mark in (("shelf", "|"), ("nothing", "o")):
            if name in at:
                ax.plot(
                    at[name],
                    y,
                    mark,
                    color=style.MUTED,
                    ms=11 if mark == "|" else 5.5,
                    mfc="white",
                    mew=2 if mark == "|" else 1.3,
                    zorder=2,
                )
        for use in used:
            error = scores[use]["error"]
            if error is not None:
                few = scores[use]["studies"] < 3
                fill = "white" if few else _USES[use]
                ax.plot(min(error, _FURTHEST), y, "D", color=_USES[use], mfc=fill, ms=7, mew=1.4, zorder=4, clip_on=False)
    labels = [f"{topic.replace('_', ' ')}  ({scores['both']['n']})" for topic, scores in topics.items()]
    ax.set_yticks(range(len(topics)), labels)
    ax.get_yticklabels()[0].set_fontweight("bold")
    ax.axhline(0.5, color=style.MUTED, lw=0.6)
    ax.set_ylim(len(topics) - 0.4, -0.6)
    ax.set_xlim(0, max(1.5, ax.get_xlim()[1]))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", color=style.NIGHT, lw=1, zorder=0)
    ax.set_axisbelow(True)
    ax.set_xlabel("mean error, each study weighing 1  (0: as observed; 1: as wrong as no effect, or 2-fold)")
    ax.set_title("Error by topic (findings)", color=style.INK)
    handles: list[Any] = [plt.Line2D([], [], color=_USES[use], marker="D", ls="", ms=7, label=f"model, {use}") for use in used]
    handles += [
        plt.Line2D([], [], color=style.MUTED, marker="D", mfc="white", ls="", ms=7, label="fewer than 3 studies"),
        plt.Line2D([], [], color=style.MUTED, marker="|", ls="", ms=11, mew=2, label="shelf: other studies' mean"),
        plt.Line2D([], [], color=style.MUTED, marker="o", mfc="white", ls="", label="nothing: no effect"),
        plt.Rectangle((0, 0), 1, 1, color=style.BAND, label="noise: one study by another"),
    ]
    ax.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.35, -0.5 / len(topics) - 0.05), ncols=3, columnspacing=1.0, handletextpad=0.4
    )


def _scatter(ax: Any, rows: Sequence[Mapping[str, Any]], used: Sequence[str]) -> None:
    """Predicted against observed changes on logarithmic scales; what lies outside stands at the edge."""
    edge = math.log(10.0)
    line = np.linspace(-edge, edge, 201)
    ax.fill_between(
        line, line - 0.5 * np.maximum(abs(line), 0.05), line + 0.5 * np.maximum(abs(line), 0.05), color=style.NIGHT, lw=0, zorder=0
    )
    ax.plot(line, line, color=style.MUTED, lw=0.9, zorder=1)
    ax.axhline(0, color=style.MUTED, lw=0.6, ls=":", zorder=1)
    ax.axvline(0, color=style.MUTED, lw=0.6, ls=":", zorder=1)
    for use in used:
        mine = [
            (r["effect_observed"], r["effect_predicted"])
            for r in rows
            if r["use"] == use and None not in (r["effect_observed"], r["effect_predicted"])
        ]
        if mine:
            x, y = np.clip(np.array(mine, dtype=float).T, -edge, edge)
            ax.plot(x, y, "o", color=_USES[use], ms=3.6, alpha=0.6, mew=0, zorder=3, clip_on=False)
    inside = ticks("relative", -edge, edge, 1 / 11)
    ax.set_xticks(list(inside), list(inside.values()))
    ax.set_yticks(list(inside), list(inside.values()))
    ax.set_xlim(-edge, edge)
    ax.set_ylim(-edge, edge)
    right = [r["direction_right"] for r in rows if r["direction_right"] is not None]
    told = f": {sum(right)} of {len(right)} in the right direction" if right else ""
    ax.set_title(f"Changes{told}", color=style.INK)
    ax.set_xlabel("observed (shaded: error below 0.5)")
    ax.set_ylabel("predicted")


def _folds(ax: Any, rows: Sequence[Mapping[str, Any]], used: Sequence[str]) -> None:
    """How many levels are missed by which factor, after the assay's free factor."""
    edge = math.log(8.0)
    bins = np.linspace(-edge, edge, 25)
    found = [
        [r["effect_predicted"] - r["effect_observed"] for r in rows if r["use"] == use and r["effect_observed"] is not None] for use in used
    ]
    if any(found):
        colours = [_USES[use] for use in used]
        ax.hist([np.clip(f, -edge, edge - 1e-9) for f in found], bins=bins, stacked=True, color=colours, rwidth=0.92)
    inside = ticks("level", -edge, edge, 1 / 12)
    ax.set_xticks(list(inside), list(inside.values()))
    ax.axvline(0, color=style.INK, lw=0.8)
    ax.set_xlim(-edge, edge)
    passed = sum(bool(r["passed"]) for r in rows)
    ax.set_title(f"Levels: {passed} of {len(rows)} within 1.5-fold", color=style.INK)
    ax.set_xlabel("predicted as a multiple of observed")
    ax.set_ylabel("findings")


def _interval(ax: Any, y: float, ends: Sequence[float], colour: str, width: float) -> None:
    if all(math.isfinite(end) for end in ends):
        ax.plot(ends, [y, y], color=colour, lw=width, alpha=0.45, solid_capstyle="butt", zorder=2)


def placed(row: Mapping[str, Any], effect: float | None) -> float:
    """Where an effect is drawn in its panel; nan where there is none."""
    if effect is None or not math.isfinite(effect):
        return math.nan
    middle = float(row["effect_observed"])
    if row["form"] == "difference":
        return effect / (abs(middle) or 1.0)
    place = effect - middle if row["form"] == "level" else effect
    return min(max(place, -EDGE), EDGE)


def effect_of(row: Mapping[str, Any], value: float | None) -> float | None:
    """A value on the scale of the row's effects."""
    if value is None or row["form"] in ("difference", "logarithm"):
        return value
    ratio = 1.0 + value if row["form"] == "relative" else value
    return math.log(ratio) if ratio > 0 else None


def _label(row: Mapping[str, Any], one: bool) -> str:
    text = str(row["id"])
    if one:
        text = text.removeprefix(str(row["study"])).strip("_").replace("_", " ")
    return f"{text}  [{row['measure']}]"


def save(figure: Any, path: str | Path) -> None:
    """Write the figure whole or not at all; the ending (.png, .pdf, .svg) says how. The folder is made if it is missing."""
    target = Path(path)
    if target.suffix not in ENDINGS:
        raise InputError(f"cannot draw '{target.name}': the ending must be one of {', '.join(ENDINGS)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".part-{target.name}")
    try:
        figure.savefig(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
        plt.close(figure)
