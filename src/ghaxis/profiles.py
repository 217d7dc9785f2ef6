"""Rules over the samples of one profile, as pure functions over arrays: areas, pulses (Cluster), half-lives, deconvolution, entropy, doses.

Times are in hours and rise; values are in any one unit, which what comes back keeps. What pulse detection and deconvolution find of a
known truth stands in `docs/pulse_detection.md`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls
from scipy.signal import find_peaks
from scipy.special import ndtr

Array = NDArray[np.float64]
_Z975 = 1.959964


@dataclass(frozen=True, eq=False)
class Pulses:
    """Pulses of one profile: `peaks` are sample indices of the maxima; `inside` marks the samples that belong to a pulse."""

    peaks: NDArray[np.intp]
    inside: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """How many."""
        return len(self.peaks)


def time_mean(times: Array, values: Array) -> float:
    """The mean over time by trapezoids; of a single sample, that sample."""
    if len(times) == 1:
        return float(values[0])
    return float(np.trapezoid(values, times) / (times[-1] - times[0]))


def area(times: Array, values: Array) -> float:
    """The area under the curve by trapezoids, in value times hour."""
    return float(np.trapezoid(values, times))


def cluster(
    values: Array, cv: float, sensitivity: float = 0.0, nadir: int = 2, peak: int = 2, t_up: float = 2.0, t_down: float = 2.0
) -> Pulses:
    """Pulses by Cluster (Veldhuis and Johnson, Am J Physiol 1986;250:E486).

    At every sample a cluster of `nadir` points before is compared with a cluster of `peak` points from it on, by a pooled t whose
    variance is the assay's (`cv` of the value; values below `sensitivity` read as `sensitivity`). A pulse runs from a significant rise to
    the next significant fall; what lies between pulses is valley. A profile that starts in a fall or ends in a rise holds no pulse there.
    """
    x = np.maximum(np.asarray(values, dtype=float), sensitivity)
    n = len(x)
    up, down = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    if n < nadir + peak:
        return Pulses(np.empty(0, dtype=np.intp), up)
    for before, after, threshold, mark, sign in ((nadir, peak, t_up, up, 1.0), (peak, nadir, t_down, down, -1.0)):
        middle = np.arange(before, n - after + 1)
        variance = np.concatenate([[0.0], np.cumsum((cv * x) ** 2)])
        total = np.concatenate([[0.0], np.cumsum(x)])
        rise = (total[middle + after] - total[middle]) / after - (total[middle] - total[middle - before]) / before
        pooled = (variance[middle + after] - variance[middle - before]) / (before + after)
        error = np.sqrt(pooled * (1.0 / before + 1.0 / after))
        mark[middle] = sign * rise > threshold * np.maximum(error, 1e-300)
    return _pulses(x, up, down, nadir)


def _pulses(x: Array, up: NDArray[np.bool_], down: NDArray[np.bool_], nadir: int) -> Pulses:
    """Rises and falls in the order of time: each run of rises that a fall follows is one pulse."""
    marks = np.where(up, 1, np.where(down, -1, 0))
    where = np.flatnonzero(marks)
    peaks: list[int] = []
    inside = np.zeros(len(x), dtype=bool)
    signs = marks[where]
    turns = np.flatnonzero((signs[:-1] == 1) & (signs[1:] == -1))
    for turn in turns:
        first = turn
        while first > 0 and signs[first - 1] == 1:
            first -= 1
        last = turn + 1
        while last + 1 < len(signs) and signs[last + 1] == -1:
            last += 1
        begin, end = where[first], where[last]
        top = int(begin + np.argmax(x[begin : where[turn + 1] + 1]))
        peaks.append(top)
        inside[begin : min(end + nadir, len(x))] = True
    return Pulses(np.array(peaks, dtype=np.intp), inside)


def decay_half_life(times: Array, values: Array) -> float:
    """Half-life (hours) of a decline, by log-linear least squares over positive samples; NaN where it does not fall."""
    good = values > 0
    if good.sum() < 2:
        return float("nan")
    slope = np.polyfit(times[good], np.log(values[good]), 1)[0]
    return float(np.log(2.0) / -slope) if slope < 0 else float("nan")


def pulse_half_life(times: Array, values: Array, largest: int = 3, upper: float = 0.85, lower: float = 0.2) -> float:
    """Half-life (hours) from the falling limbs of the largest pulses: median of log-linear fits between `upper` and `lower` of the peak.

    Secretion that goes on during the fall lengthens it: this is an upper bound of the half-life of elimination.
    """
    peaks, _ = find_peaks(values)
    found = []
    for top in peaks[np.argsort(values[peaks])[::-1]][:largest]:
        stop = top + 1
        while stop < len(values) and values[stop] < values[stop - 1] and values[stop] > lower * values[top]:
            stop += 1
        limb = slice(top, stop)
        low = values[limb] <= upper * values[top]
        if low.sum() >= 3:
            found.append(decay_half_life(times[limb][low], values[limb][low]))
    return float(np.median(found)) if found else float("nan")


def bursts(times: Array, release: Array, least: float) -> NDArray[np.intp]:
    """Indices of bursts: maxima of the release rate whose area above the higher of the minima beside them is at least `least`."""
    tops, _ = find_peaks(np.concatenate([[0.0], release, [0.0]]))
    tops = tops - 1
    edges = [0, *(a + int(np.argmin(release[a : b + 1])) for a, b in itertools.pairwise(tops)), len(release) - 1]
    kept = []
    for k, top in enumerate(tops):
        part = slice(edges[k], edges[k + 1] + 1)
        base = max(release[edges[k]], release[edges[k + 1]])
        if float(np.trapezoid(np.maximum(release[part] - base, 0.0), times[part])) >= least:
            kept.append(top)
    return np.array(kept, dtype=np.intp)


def turnover_half_life(level: float, release: float, volume: float) -> float:
    """Half-life (hours) of the one rate constant that carries a mean release through a mean level: ln 2 * level * volume / release.

    What deconvolution looks for; unlike a falling limb it is not lengthened by secretion that goes on.
    """
    return float(np.log(2.0)) * level * volume / release if release > 0 else float("nan")


def approximate_entropy(values: Array, m: int = 1, r: float = 0.2) -> float:
    """Approximate entropy ApEn(m, r in standard deviations) of a profile (Pincus, Proc Natl Acad Sci 1991;88:2297)."""

    def phi(length: int) -> float:
        runs = np.lib.stride_tricks.sliding_window_view(values, length)
        near = np.abs(runs[:, None, :] - runs[None, :, :]).max(axis=2) <= r * values.std()
        return float(np.log(near.mean(axis=1)).mean())

    return phi(m) - phi(m + 1)


def first_onset(times: Array, signal: Array) -> float | None:
    """When a path first leaves zero (hours), or None."""
    on = np.flatnonzero(signal > 0)
    return float(times[on[0]]) if len(on) else None


@dataclass(frozen=True, eq=False)
class Deconvolved:
    """What a profile was resolved into: bursts (moments in hours, masses in its unit), basal rate per hour, half-life and burst SD (h)."""

    moments: Array
    masses: Array
    basal: float
    half_life: float
    burst_sd: float


def deconvolve(times: Array, values: Array, cv: float, sensitivity: float = 0.0) -> Deconvolved | None:
    """Bursts and half-life behind a profile, by multiple-parameter deconvolution (Veldhuis, Carlson and Johnson, PNAS 1987;84:7686).

    Gaussian bursts of one width, a steady basal rate and what was there at first, each eliminated with one rate constant, are fitted by
    least squares weighted with the assay (`cv`; values below `sensitivity` count as such). The pulses of Cluster are the first bursts; more
    are added one by one, where the fit falls shortest, as long as the Bayesian information criterion falls. None where Cluster finds none.
    """
    found = cluster(values, cv, sensitivity).peaks
    if not len(found) or len(values) < 2 * len(found) + 6:
        return None
    step = float(times[1] - times[0])
    error = cv * np.maximum(values, max(sensitivity, 1e-3 * float(values.max())))
    best = _fitted(times, values, error, times[found] - step, np.log(np.log(2.0) / 0.35), np.log(0.15))
    for _ in range(len(found) + 3):
        x, masses, left = best
        if len(values) < 2 * len(masses) + 8:
            break
        short = np.convolve(left, np.ones(3), "same")
        more = _fitted(times, values, error, np.append(x[2:], times[int(np.argmax(short))] - step), x[0], x[1])
        if _criterion(*more) >= _criterion(*best):
            break
        best = more
    x, masses, _ = best
    order = np.argsort(x[2:])
    rate = float(np.exp(x[0]))
    order = order[masses[2:][order] > 0]
    return Deconvolved(x[2:][order], masses[2:][order], float(masses[1]) * rate, float(np.log(2.0)) / rate, float(np.exp(x[1])))


def _fitted(times: Array, values: Array, error: Array, moments: Array, rate: float, width: float) -> tuple[Array, Array, Array]:
    """Log rate, log SD and moments of the best fit; its linear part (start, basal, masses; none below zero); residuals over the error."""

    def solved(x: Array) -> tuple[Array, Array]:
        k, sd = np.exp(x[:2])
        since = times[:, None] - x[None, 2:]
        shapes = np.exp(-k * since + (k * sd) ** 2 / 2) * ndtr(since / sd - k * sd)
        design = np.column_stack([np.exp(-k * (times - times[0])), np.ones_like(times), shapes]) / error[:, None]
        masses = nnls(design, values / error)[0]
        return masses, values / error - design @ masses

    step = float(times[1] - times[0])
    low = np.concatenate([[np.log(np.log(2.0) / 2.0), np.log(step / 4)], np.full(len(moments), times[0] - 0.5)])
    high = np.concatenate([[np.log(np.log(2.0) / (step / 2)), np.log(1.0)], np.full(len(moments), times[-1])])
    start = np.clip(np.concatenate([[rate, width], moments]), low + 1e-6, high - 1e-6)
    x = least_squares(lambda x: solved(x)[1], start, bounds=(low, high), x_scale=np.concatenate([[0.2, 0.2], np.full(len(moments), 0.1)])).x
    return x, *solved(x)


def _criterion(x: Array, masses: Array, left: Array) -> float:
    """Bayesian information criterion of a fit whose errors are known."""
    return float((left**2).sum()) + (len(x) + len(masses)) * float(np.log(len(left)))


def half_effect_dose(doses: Array, effects: Array) -> float:
    """ED50 of effects over doses: the dose of half the rise in E0 + Emax d^n / (ED50^n + d^n), least squares, n between 0.5 and 6.

    At least four doses, one of which may be 0. NaN where the effect does not rise, or half of it lies outside the doses given.
    """
    given = doses[doses > 0]
    if len(doses) < 4 or len(given) < 2:
        return float("nan")

    def solved(x: Array) -> tuple[Array, Array]:
        middle, slope = np.exp(x)
        power = (doses / middle) ** slope
        share = power / (1.0 + power)
        design = np.column_stack([np.ones_like(share), share])
        rise = nnls(design, effects)[0]
        return rise, design @ rise - effects

    low, high = np.log(given.min() / 10), np.log(given.max() * 10)
    starts = [np.array([np.log(d), n]) for d in np.geomspace(given.min(), given.max(), 5) for n in (0.0, 1.0)]
    bounds = ([low, np.log(0.5)], [high, np.log(6.0)])
    fits = [least_squares(lambda x: solved(x)[1], start, bounds=bounds) for start in starts]
    best = min(fits, key=lambda fit: float(fit.cost))
    dose = float(np.exp(best.x[0]))
    inside = doses.min() <= dose <= doses.max()
    return dose if inside and solved(best.x)[0][1] > 1e-9 * np.abs(effects).max() else float("nan")


def standard_score(value: float, age: float, ages: Array, low: Array, high: Array) -> float:
    """SD score of a value whose logarithm is normal between the 2.5th (`low`) and 97.5th (`high`) centile at `ages`; NaN outside them.

    Centiles are interpolated on the logarithm between the printed ages.
    """
    if not ages[0] <= age <= ages[-1] or value <= 0:
        return float("nan")
    a, b = (float(np.interp(age, ages, np.log(centile))) for centile in (low, high))
    return (float(np.log(value)) - (a + b) / 2) / ((b - a) / (2 * _Z975))
