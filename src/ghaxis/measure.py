"""What papers report, read from a run by a stated rule: means, areas, pulses (Cluster), half-lives, secretion, indices.

`library/measures.toml` names a reading for each measure (`reads`), the quantity it reads (`of`), the span after the asked moment
(`window`) and the sampling of the published method. The rules themselves are pure functions over arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from ghaxis import units
from ghaxis.errors import InputError, LibraryError, Mistake, UnitError, nearest
from ghaxis.reading import arithmetic
from ghaxis.reading.records import MeasureRecord
from ghaxis.simulation import Result

Array = NDArray[np.float64]
_FINEST = 1.0 / 60.0  # hours; the sampling of a window that names none


@dataclass(frozen=True, eq=False)
class Pulses:
    """Pulses of one profile: `peaks` are sample indices of the maxima; `inside` marks the samples that belong to a pulse."""

    peaks: NDArray[np.intp]
    inside: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """How many."""
        return len(self.peaks)


@dataclass(frozen=True, eq=False)
class Samples:
    """What a reading sees: times (t,) in hours since begin, values (t,) and unit of each quantity, the record's options."""

    times: Array
    values: Mapping[str, Array]
    units: Mapping[str, str]
    of: str
    options: Mapping[str, Any]

    @property
    def main(self) -> Array:
        """The values of the quantity that the measure is about."""
        return self.values[self.of]

    @property
    def unit(self) -> str:
        """Its unit."""
        return self.units[self.of]

    def option(self, name: str, usual: float, unit: str = "dimensionless") -> float:
        """An option of the record as a number in `unit`, or the usual value where the record names none."""
        return units.number(self.options[name], unit, name) if name in self.options else usual


def bridged(value: float, unit: str, into: str, bridge: str | None = None) -> float:
    """`value` in `unit` as a number in `into`; where the dimensions differ, times or divided by `bridge` ("7649 g/mol", "2.8 IU/mg")."""
    if bridge is None or units.same(unit, into):
        return units.convert(value, unit, into)
    number, per = units.split(bridge)
    if units.same(f"({unit})*({per})", into):
        return value * number * units.factor(f"({unit})*({per})", into)
    if units.same(f"({unit})/({per})", into):
        return value / number * units.factor(f"({unit})/({per})", into)
    raise UnitError(f"'{unit}' cannot be read as '{into}', nor through '{bridge}'")


# --- rules over arrays --------------------------------------------------------------------------------------------------------------


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


# --- readings: samples -> (value, unit) ---------------------------------------------------------------------------------------------


def _level(s: Samples) -> tuple[float, str]:
    return float(s.main[0]), s.unit


def _mean(s: Samples) -> tuple[float, str]:
    return time_mean(s.times, s.main), s.unit


def _peak(s: Samples) -> tuple[float, str]:
    return float(s.main.max()), s.unit


def _nadir(s: Samples) -> tuple[float, str]:
    return float(s.main.min()), s.unit


def _area(s: Samples) -> tuple[float, str]:
    return area(s.times, s.main), f"({s.unit})*hour"


def _increment(s: Samples) -> tuple[float, str]:
    """Largest value of the window less its first."""
    return float(s.main.max() - s.main[0]), s.unit


def _time_of_peak(s: Samples) -> tuple[float, str]:
    return float(s.times[np.argmax(s.main)] - s.times[0]), "hour"


def _found(s: Samples, of: str | None = None) -> Pulses:
    name = of or s.of
    floor = units.number(s.options["sensitivity"], s.units[name], "sensitivity") if "sensitivity" in s.options else 0.0
    size = {k: int(s.option(k, 2.0)) for k in ("nadir", "peak")}
    return cluster(s.values[name], s.option("cv", 0.06), floor, **size, t_up=s.option("t_up", 2.0), t_down=s.option("t_down", 2.0))


def _pulse_count(s: Samples) -> tuple[float, str]:
    return float(_found(s).count), "dimensionless"


def _pulse_amplitude(s: Samples) -> tuple[float, str]:
    """Mean of the pulses' highest values."""
    peaks = _found(s).peaks
    return (float(s.main[peaks].mean()) if len(peaks) else float("nan")), s.unit


def _interpulse_cv(s: Samples) -> tuple[float, str]:
    gaps = np.diff(s.times[_found(s).peaks])
    return (float(gaps.std(ddof=1) / gaps.mean()) if len(gaps) > 1 else float("nan")), "dimensionless"


def _valley(s: Samples) -> tuple[float, str]:
    """Mean of the samples outside pulses."""
    outside = ~_found(s).inside
    return (float(s.main[outside].mean()) if outside.any() else float("nan")), s.unit


def _valley_share(s: Samples) -> tuple[float, str]:
    """Valley level held over the whole window, as a share of the whole area."""
    return _valley(s)[0] / time_mean(s.times, s.main), "dimensionless"


def _onset_share(s: Samples) -> tuple[float, str]:
    """Share of the window's area that falls in the `lasts` hours after the path `onset` (sleep) first leaves zero."""
    onset = first_onset(s.times, s.values[s.options["onset"]])
    if onset is None:
        return float("nan"), "dimensionless"
    end = min(onset + units.hours(s.options["lasts"]), float(s.times[-1]))
    part = (s.times >= onset) & (s.times <= end)
    return area(s.times[part], s.main[part]) / area(s.times, s.main), "dimensionless"


def _decay(s: Samples) -> tuple[float, str]:
    """Half-life of the decline from the highest value on; with `beyond = "last"`, of what exceeds the last sample, down to a tenth."""
    top = int(np.argmax(s.main))
    times, values = s.times[top:], s.main[top:]
    if s.options.get("beyond") == "last":
        values = values - values[-1]
        high = values > 0.1 * values[0]
        times, values = times[high], values[high]
    return (decay_half_life(times, values) if len(times) > 2 else float("nan")), "hour"


def _decay_rate(s: Samples) -> tuple[float, str]:
    return float(np.log(2.0)) / _decay(s)[0], "1/hour"


def _pulse_decay(s: Samples) -> tuple[float, str]:
    return pulse_half_life(s.times, s.main), "hour"


def _secretion(s: Samples) -> tuple[float, str]:
    """Mean release rate per litre of distribution volume."""
    volume = s.options["volume"]
    return time_mean(s.times, s.main) / float(s.values[volume][0]), f"({s.unit})/({s.units[volume]})"


def _bursts(s: Samples) -> tuple[NDArray[np.intp], Array, str]:
    """Bursts of at least `least` per litre of distribution volume, the release rate per litre, and the unit of its area."""
    volume = s.options["volume"]
    rate, unit = s.main / float(s.values[volume][0]), f"({s.unit})*hour/({s.units[volume]})"
    return bursts(s.times, rate, units.number(s.options["least"], unit, "least")), rate, unit


def _burst_count(s: Samples) -> tuple[float, str]:
    return float(len(_bursts(s)[0])), "dimensionless"


def _burst_mass(s: Samples) -> tuple[float, str]:
    """What the window released above its basal rate (the 10th percentile) per burst (at least one) and litre of distribution volume."""
    found, rate, unit = _bursts(s)
    return area(s.times, rate - np.quantile(rate, 0.1)) / max(len(found), 1), unit


def _turnover(s: Samples) -> tuple[float, str]:
    volume, release = s.options["volume"], s.options["release"]
    per_hour = units.factor(f"({s.unit})*({s.units[volume]})", f"({s.units[release]})*hour")
    level = time_mean(s.times, s.main) * per_hour
    return turnover_half_life(level, time_mean(s.times, s.values[release]), float(s.values[volume][0])), "hour"


def _entropy(s: Samples) -> tuple[float, str]:
    return approximate_entropy(s.main, int(s.option("m", 1.0)), s.option("r", 0.2)), "dimensionless"


def _ratio(s: Samples) -> tuple[float, str]:
    """Time-mean of the quantity over that of the quantity named in `over`."""
    over = s.options["over"]
    return time_mean(s.times, s.main) / time_mean(s.times, s.values[over]), f"({s.unit})/({s.units[over]})"


def _homa(s: Samples) -> tuple[float, str]:
    """HOMA-IR = glucose (mmol/L) * insulin (mU/L) / 22.5 (Matthews, Diabetologia 1985;28:412)."""
    glucose = float(s.main[0]) * units.factor(s.unit, "mmol/L")
    insulin = bridged(float(s.values[s.options["insulin"]][0]), s.units[s.options["insulin"]], "mU/L", s.options["bridge"])
    return glucose * insulin / 22.5, "dimensionless"


READINGS: Mapping[str, Callable[[Samples], tuple[float, str]]] = MappingProxyType(
    {
        "level": _level,
        "mean": _mean,
        "peak": _peak,
        "nadir": _nadir,
        "area": _area,
        "increment": _increment,
        "time_of_peak": _time_of_peak,
        "pulse_count": _pulse_count,
        "pulse_amplitude": _pulse_amplitude,
        "interpulse_cv": _interpulse_cv,
        "valley": _valley,
        "valley_share": _valley_share,
        "onset_share": _onset_share,
        "decay": _decay,
        "decay_rate": _decay_rate,
        "pulse_decay": _pulse_decay,
        "turnover": _turnover,
        "secretion": _secretion,
        "burst_count": _burst_count,
        "burst_mass": _burst_mass,
        "entropy": _entropy,
        "ratio": _ratio,
        "homa": _homa,
    }
)
QUANTITY_OPTIONS = ("volume", "release", "insulin", "onset", "over")  # options that name a quantity of the model


# --- the door -----------------------------------------------------------------------------------------------------------------------


def watched(record: MeasureRecord) -> tuple[str, ...]:
    """The quantities of the model that a measure reads."""
    others = [str(record.options[k]) for k in QUANTITY_OPTIONS if k in record.options]
    return tuple(dict.fromkeys([*sorted(arithmetic.names(record.of)), *others]))


def span(record: MeasureRecord, at: float, window: str | None = None) -> tuple[float, float]:
    """The hours that a reading at `at` covers: `window` is "3 h" (from `at` on) or "1 h to 3 h" after it; the record's own if None."""
    text = window or record.window or "0 h"
    first, _, last = text.partition(" to ")
    start, end = (units.hours(first, "window"), units.hours(last, "window")) if last else (0.0, units.hours(first, "window"))
    if end < start:
        raise InputError(f"window '{text}' of {record.name} ends before it begins")
    return at + start, at + end


def needed(record: MeasureRecord, at: float, window: str | None = None) -> Array:
    """The times (hours since begin) at which a reading at `at` needs samples."""
    start, end = span(record, at, window)
    if end == start:
        return np.array([start])
    step = units.hours(record.sampling, "sampling") if record.sampling else max(_FINEST, (end - start) / 2000.0)
    steps = max(1, round((end - start) / step))
    return np.linspace(start, end, steps + 1)


def measure(result: Result, record: MeasureRecord, at: float, window: str | None = None) -> float:
    """The measure of a run at `at` (hours since begin), in the record's unit; NaN where the rule finds nothing to read.

    Raises InputError if the run did not watch what the measure reads or does not reach the window, LibraryError for an unknown reading.
    """
    if record.reads not in READINGS:
        raise LibraryError(
            [Mistake(record.place, f"unknown reading '{record.reads}' of measure {record.name}", nearest(record.reads, READINGS))]
        )
    times = needed(record, at, window)
    curves = {name: result[name] for name in watched(record)}
    for name, curve in curves.items():
        if times[0] < curve.times[0] - 1e-9 or times[-1] > curve.times[-1] + 1e-9:
            raise InputError(
                f"{record.name} at {at:g} h needs {name} from {times[0]:g} h to {times[-1]:g} h; "
                f"the run has {curve.times[0]:g} h to {curve.times[-1]:g} h"
            )
    values = {name: np.interp(times, curve.times, curve.values) for name, curve in curves.items()}
    shown = {name: curve.unit for name, curve in curves.items()}
    if record.of not in values:
        values[record.of], shown[record.of] = _joined(record, values, shown)
    value, unit = READINGS[record.reads](Samples(times, values, shown, record.of, record.options))
    return bridged(value, unit, record.unit, record.options.get("bridge")) * float(record.options.get("scale", 1.0))


def _joined(record: MeasureRecord, values: Mapping[str, Array], shown: Mapping[str, str]) -> tuple[Array, str]:
    """A sum of quantities, sample by sample, in the unit of its first name."""
    names = sorted(arithmetic.names(record.of))
    unit = shown[names[0]]
    rows = {name: values[name] * units.factor(shown[name], unit) for name in names}
    return np.array(
        [arithmetic.evaluate(record.of, {name: float(row[i]) for name, row in rows.items()}) for i in range(len(rows[names[0]]))]
    ), unit
