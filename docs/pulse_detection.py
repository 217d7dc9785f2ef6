"""What pulse detection and deconvolution find of a known truth: `python docs/pulse_detection.py` writes pulse_detection.md and its figure.

Synthetic days: Gaussian bursts at irregular times over a basal level, eliminated with one or two rate constants, sampled, then assayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtr

from ghaxis import profiles
from ghaxis.profiles import Array
from ghaxis.report.style import house, plt

HERE = Path(__file__).parent
ONE = ((1.0, 18.0),)  # share and half-life (min) of each exponential
TWO = ((0.4, 3.5), (0.6, 21.0))
BASAL = 0.1  # ug/L
LIMIT = 0.02  # ug/L, detection limit of the assay
CV = 0.06
SD = 10 / 60  # hours, of a burst: 24 min at half its height
NEAR = 0.5  # hours between a pulse found and the peak that a burst makes
RISES = (0.25, 0.5, 1.0, 2.0, 5.0, 20.0)  # of an isolated pulse, in basal levels
PER_DAY = (6, 12, 18, 24)


@dataclass(frozen=True)
class Day:
    """One synthetic day: samples with assay noise, and the truth: moments (h), masses (ug/L) and the release rate of its bursts."""

    times: Array
    values: Array
    clean: Array
    release: Array
    moments: Array
    masses: Array


def response(since: Array, elimination: Sequence[tuple[float, float]]) -> Array:
    """Level that a burst of unit mass has left `since` its middle (hours)."""
    total = np.zeros_like(since)
    for share, minutes in elimination:
        k = np.log(2.0) * 60 / minutes
        total += share * np.exp(-k * since + (k * SD) ** 2 / 2) * ndtr(since / SD - k * SD)
    return total


def top(elimination: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """When after its middle, and how high, a burst of unit mass peaks."""
    since = np.linspace(-1, 2, 3001)
    level = response(since, elimination)
    return float(since[np.argmax(level)]), float(level.max())


def day(
    seed: int, per_day: float, rise: float, elimination: Sequence[tuple[float, float]] = ONE, step: float = 1 / 6, scatter: float = 0.3
) -> Day:
    """Bursts at gamma intervals (CV 50 %) with log-normal masses (log SD `scatter`); the median one rises by `rise` basal levels."""
    random = np.random.default_rng(seed)
    mean = 24.0 / per_day
    moments = -6.0 + np.cumsum(random.gamma(4.0, mean / 4.0, int(3 * per_day) + 20))
    moments = moments[moments < 24.0]
    masses = rise * BASAL / top(elimination)[1] * np.exp(scatter * random.standard_normal(len(moments)))
    times = np.arange(0.0, 24.0 + 1e-9, step)
    since = times[:, None] - moments[None, :]
    clean = BASAL + response(since, elimination) @ masses
    release = np.exp(-0.5 * (since / SD) ** 2) @ masses / (SD * np.sqrt(2 * np.pi))
    values = np.maximum(clean + CV * np.maximum(clean, LIMIT) * random.standard_normal(len(times)), LIMIT)
    return Day(times, values, clean, release, moments, masses)


def matched(found: Array, peaks: Array) -> int:
    """How many of `found` are a peak of their own among `peaks`, nearest pairs first."""
    pairs = sorted((abs(f - p), i, j) for i, f in enumerate(found) for j, p in enumerate(peaks) if abs(f - p) <= NEAR)
    mine: set[int] = set()
    theirs: set[int] = set()
    for _, i, j in pairs:
        if i not in mine and j not in theirs:
            mine.add(i)
            theirs.add(j)
    return len(mine)


def detection(
    days: int, per_day: float, rise: float, elimination: Sequence[tuple[float, float]] = TWO, step: float = 1 / 6, assumed: float = CV
) -> tuple[float, float]:
    """Sensitivity and positive predictive value of Cluster over many days."""
    lag = top(elimination)[0]
    true = right = seen = sure = 0
    for seed in range(days):
        one = day(seed, per_day, rise, elimination, step)
        peaks = one.moments + lag
        inside = peaks[(peaks > 0.5) & (peaks < 23.5)]
        found = one.times[profiles.cluster(one.values, assumed, LIMIT).peaks]
        true, right = true + len(inside), right + matched(inside, found)
        seen, sure = seen + len(found), sure + matched(found, peaks)
    return right / true, sure / seen if seen else float("nan")


def false_alarms(days: int, points: int, assumed: float = CV, step: float = 1 / 6) -> float:
    """Pulses a day that Cluster finds in a flat level with assay noise."""
    random = np.random.default_rng(0)
    n = round(24 / step) + 1
    flat = [1.0 + CV * random.standard_normal(n) for _ in range(days)]
    return sum(profiles.cluster(v, assumed, 0.0, points, points).count for v in flat) / days


def recovery(days: int, per_day: float, rise: float, elimination: Sequence[tuple[float, float]], step: float = 1 / 6) -> dict[str, Array]:
    """Half-lives (min) and burst masses (share of the truth) that each rule finds, one a day; bursts found and true."""
    rows: dict[str, list[float]] = {key: [] for key in ("deconvolution", "limb", "turnover", "mass", "total", "found", "true")}
    for seed in range(days):
        one = day(seed, per_day, rise, elimination, step, scatter=0.7)
        inside = one.moments >= 0
        fit = profiles.deconvolve(one.times, one.values, CV, LIMIT)
        if fit is None:
            continue
        here = fit.moments >= 0
        rows["deconvolution"].append(60 * fit.half_life)
        rows["limb"].append(60 * profiles.pulse_half_life(one.times, one.values))
        above = profiles.time_mean(one.times, one.clean) - BASAL
        rows["turnover"].append(60 * profiles.turnover_half_life(above, profiles.time_mean(one.times, one.release), 1.0))
        rows["mass"].append(float(fit.masses[here].mean() / one.masses[inside].mean()))
        rows["total"].append(float(fit.masses[here].sum() / one.masses[inside].sum()))
        rows["found"].append(float(here.sum()))
        rows["true"].append(float(inside.sum()))
    return {key: np.array(row) for key, row in rows.items()}


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def percent(share: float) -> str:
    """A share as text."""
    return "-" if np.isnan(share) else f"{100 * share:.0f}"


def spread(row: Array, digits: int = 1) -> str:
    """Mean and SD as text."""
    good = row[np.isfinite(row)]
    return f"{good.mean():.{digits}f} ({good.std(ddof=1):.{digits}f})"


def figure(path: Path, grid: dict[tuple[int, float], tuple[float, float]], halves: dict[str, dict[str, Array]]) -> None:
    """A day with what was found in it; sensitivity and predictive value by height; half-lives by rule."""
    fig, axes = plt.subplots(1, 3, figsize=(13, 3.9), constrained_layout=True, width_ratios=(1.4, 1.2, 1))
    one = day(3, 12, 5.0, TWO, scatter=0.7)
    found = profiles.cluster(one.values, CV, LIMIT)
    fit = profiles.deconvolve(one.times, one.values, CV, LIMIT)
    a, b, c = axes
    a.plot(one.times, one.values, ".-", color="0.55", ms=3, lw=0.8, label="samples every 10 min")
    a.plot(one.times[found.peaks], one.values[found.peaks], "v", color="C3", ms=7, label="Cluster")
    low = -0.05 * one.values.max()
    a.plot(one.moments[one.moments > 0], np.full((one.moments > 0).sum(), low), "|", color="k", ms=11, mew=1.8, label="true bursts")
    a.plot(fit.moments, np.full(len(fit.moments), 2.4 * low), "|", color="C0", ms=11, mew=1.8, label="deconvolution")
    a.set(
        xlabel="hours",
        ylabel="GH, ug/L",
        title="one day, 12 bursts a day, assay CV 6 %",
        xlim=(0, 24),
        ylim=(3.6 * low, 1.55 * one.values.max()),
    )
    a.legend(ncols=2, frameon=False, fontsize=8, loc="upper right")
    for n, per_day in enumerate(PER_DAY):
        got = np.array([grid[per_day, rise] for rise in RISES])
        b.plot(RISES, 100 * got[:, 0], "o-", color=f"C{n}", ms=4, label=f"{per_day} a day")
        b.plot(RISES, 100 * got[:, 1], "s--", color=f"C{n}", ms=3, lw=0.9)
    b.set(xscale="log", xlabel="rise of a pulse, basal levels", ylabel="%", ylim=(0, 103))
    b.set_title("sensitivity (full), predictive value (dashed)")
    b.set_xticks(RISES, [f"{r:g}" for r in RISES])
    b.minorticks_off()
    b.legend(frameon=False, fontsize=8, loc="lower right")
    labels, boxes = [], []
    for name, got in halves.items():
        for rule in ("deconvolution", "limb", "turnover"):
            labels.append(f"{rule}, {name}")
            boxes.append(got[rule][np.isfinite(got[rule])])
    c.boxplot(boxes[::-1], orientation="horizontal", showfliers=False, medianprops={"color": "C3"})
    c.set_yticks(range(1, len(labels) + 1), labels[::-1], fontsize=8)
    c.axvline(18, color="0.6", lw=0.8, zorder=0)
    c.axvline(21, color="0.6", lw=0.8, ls="--", zorder=0)
    c.set(xlabel="half-life, min", title="half-life by rule and truth")
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=130)
    plt.close(fig)


def main() -> None:
    """Measure all and write the page."""
    grid = {(n, rise): detection(200, n, rise) for n in PER_DAY for rise in RISES}
    halves = {"18 min": recovery(60, 12, 5.0, ONE), "3.5 and 21 min": recovery(60, 12, 5.0, TWO)}
    picture = HERE / "results" / "pulse_detection.png"
    with house():
        figure(picture, grid, halves)
    wide = [(f"{n}", *(f"{percent(grid[n, rise][0])} / {percent(grid[n, rise][1])}" for rise in RISES)) for n in PER_DAY]
    steps = [
        (f"{60 * step:.0f} min", *(f"{percent(a)} / {percent(b)}" for a, b in (detection(200, n, 5.0, TWO, step) for n in PER_DAY)))
        for step in (1 / 12, 1 / 6, 1 / 3)
    ]
    alarms = [
        (f"{points} by {points}", *(f"{false_alarms(400, points, assumed, 1 / 6):.2f}" for assumed in (0.06, 0.04, 0.03)))
        for points in (1, 2, 3)
    ]
    cases = [
        ("one, 18 min", 12, 5.0, ONE, 1 / 6),
        ("one, 18 min", 12, 5.0, ONE, 1 / 12),
        ("one, 18 min", 12, 5.0, ONE, 1 / 3),
        ("one, 18 min", 18, 5.0, ONE, 1 / 6),
        ("one, 18 min", 12, 20.0, ONE, 1 / 6),
        ("one, 18 min", 12, 1.0, ONE, 1 / 6),
        ("3.5 min (40 %) and 21 min", 12, 5.0, TWO, 1 / 6),
        ("3.5 min (40 %) and 21 min", 18, 5.0, TWO, 1 / 6),
    ]
    found = [(case, recovery(60, *case[1:4], case[4])) for case in cases]
    back = [
        (
            case[0],
            case[1],
            f"{case[2]:g}",
            f"{60 * case[4]:.0f} min",
            spread(got["deconvolution"]),
            spread(got["limb"]),
            spread(got["turnover"]),
            spread(100 * got["mass"], 0),
            spread(100 * got["total"], 0),
            f"{got['found'].mean():.1f} / {got['true'].mean():.1f}",
        )
        for case, got in found
    ]
    page = PAGE.format(
        wide=table(("bursts a day", *(f"rise {r:g}" for r in RISES)), wide),
        steps=table(("sampling", *(f"{n} a day" for n in PER_DAY)), steps),
        alarms=table(("points", "assay CV 6 %, assumed 6 %", "assumed 4 %", "assumed 3 %"), alarms),
        back=table(
            (
                "elimination",
                "bursts a day",
                "rise",
                "sampling",
                "half-life, deconvolution",
                "half-life, falling limbs",
                "half-life, turnover",
                "mass of a burst, % of truth",
                "all mass, % of truth",
                "bursts found / true",
            ),
            back,
        ),
    )
    (HERE / "pulse_detection.md").write_text(page, encoding="utf-8")


PAGE = """# Pulse detection and deconvolution against a known truth

Written by `docs/pulse_detection.py`; do not edit. Synthetic days of 24 h: Gaussian bursts (SD 10 min) at gamma-distributed intervals
(CV 50 %) over a basal level of 0.1 ug/L; masses log-normal (log SD 0.3 for detection, 0.7 for recovery); elimination by one exponential
(18 min) or by two (3.5 min for 40 %, 21 min for 60 %); samples with an assay CV of 6 % and a detection limit of 0.02 ug/L. This is the
convolution model of multiple-parameter deconvolution; its numbers here are chosen, none is fitted. `rise` is what the median burst
alone would lift the level by, in basal levels. A pulse found is right if it lies within 30 min of the peak that a burst makes; each
burst and each pulse counts once.

![A day, detection by height, half-lives by rule](results/pulse_detection.png)

## Cluster: sensitivity / positive predictive value, %

Two by two points, t = 2, samples every 10 min, 200 days in each cell, two exponentials.

{wide}

At a rise of 5 basal levels, by sampling interval:

{steps}

What is missed at 18 and 24 bursts a day are bursts that ride on another one: their levels never fall significantly between them.

## Cluster: pulses a day in a flat level (400 days)

{alarms}

The measures of the library use two by two points and the assay's own CV. An assay believed better than it is finds pulses in noise.

**Beside published figures.** The paper of the rule (Veldhuis and Johnson 1986) and the simulation studies of it (Urban 1989 on LH;
Johnson 2009 on GH, which compares Cluster with AutoDecon) could not be read in full when this page was written, and their abstracts
print no percentages; so none stands here.

## Recovery of half-life (min) and burst mass: mean (SD) of 60 days

Assay CV 6 %; `deconvolution` and `falling limbs` read the noisy samples. `turnover` is no method of a laboratory: it reads the true
release and the true level above basal, as the measure `GH_half_life` reads those of the model; for one exponential it must be right but
for what the day's two ends cut off, for two it is ln 2 times the mean time in the blood.

{back}

With two exponentials one rate constant stands for both: deconvolution and the limbs read the slow one (21 min) and miss what left with
the fast one, so that burst mass comes out a third too low; turnover reads the mean. A published deconvolution with one rate
constant would do the same to such kinetics.
"""

if __name__ == "__main__":
    main()
