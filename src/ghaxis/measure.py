"""What papers report, read from a run by a stated rule: means, areas, pulses (Cluster), half-lives, secretion, indices.

`library/measures.toml` names a reading for each measure (`reads`), the quantity it reads (`of`), the span after the asked moment
(`window`) and the sampling of the published method. The rules themselves are pure functions over arrays (`profiles.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ghaxis import profiles, units
from ghaxis.errors import InputError, LibraryError, Mistake, UnitError, nearest
from ghaxis.profiles import Array, area, time_mean
from ghaxis.reading import arithmetic
from ghaxis.reading.records import MeasureRecord
from ghaxis.simulation import Result

_FINEST = 1.0 / 60.0  # hours; the sampling of a window that names none


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


def _assay(s: Samples) -> tuple[float, float]:
    """Coefficient of variation and detection limit of the assay."""
    return s.option("cv", 0.06), s.option("sensitivity", 0.0, s.unit)


def _printed(s: Samples) -> Array:
    """What the assay prints: values below its detection limit read as the limit."""
    return np.maximum(s.main, _assay(s)[1])


def _found(s: Samples) -> profiles.Pulses:
    size = {k: int(s.option(k, 2.0)) for k in ("nadir", "peak")}
    return profiles.cluster(s.main, *_assay(s), **size, t_up=s.option("t_up", 2.0), t_down=s.option("t_down", 2.0))


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
    """Mean of the samples outside pulses; the assay prints nothing below its detection limit."""
    outside = ~_found(s).inside
    return (float(_printed(s)[outside].mean()) if outside.any() else float("nan")), s.unit


def _valley_share(s: Samples) -> tuple[float, str]:
    """Valley level held over the whole window, as a share of the whole area."""
    return _valley(s)[0] / time_mean(s.times, _printed(s)), "dimensionless"


def _onset_share(s: Samples) -> tuple[float, str]:
    """Share of the window's area that falls in the `lasts` hours after the path `onset` (sleep) first leaves zero."""
    onset = profiles.first_onset(s.times, s.values[s.options["onset"]])
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
    return (profiles.decay_half_life(times, values) if len(times) > 2 else float("nan")), "hour"


def _decay_rate(s: Samples) -> tuple[float, str]:
    return float(np.log(2.0)) / _decay(s)[0], "1/hour"


def _pulse_decay(s: Samples) -> tuple[float, str]:
    return profiles.pulse_half_life(s.times, s.main), "hour"


def _secretion(s: Samples) -> tuple[float, str]:
    """Mean release rate per litre of distribution volume."""
    volume = s.options["volume"]
    return time_mean(s.times, s.main) / float(s.values[volume][0]), f"({s.unit})/({s.units[volume]})"


def _bursts(s: Samples) -> tuple[int, Array, str]:
    """How many bursts of at least `least` per litre of distribution volume, the release rate per litre, and the unit of its area."""
    volume = s.options["volume"]
    rate, unit = s.main / float(s.values[volume][0]), f"({s.unit})*hour/({s.units[volume]})"
    return len(profiles.bursts(s.times, rate, units.number(s.options["least"], unit, "least"))), rate, unit


def _burst_count(s: Samples) -> tuple[float, str]:
    return float(_bursts(s)[0]), "dimensionless"


def _burst_mass(s: Samples) -> tuple[float, str]:
    """What the window released above its basal rate (the 10th percentile) per burst (at least one) and litre of distribution volume."""
    found, rate, unit = _bursts(s)
    return area(s.times, rate - np.quantile(rate, 0.1)) / max(found, 1), unit


def _turnover(s: Samples) -> tuple[float, str]:
    volume, release = s.options["volume"], s.options["release"]
    per_hour = units.factor(f"({s.unit})*({s.units[volume]})", f"({s.units[release]})*hour")
    level = time_mean(s.times, s.main) * per_hour
    return profiles.turnover_half_life(level, time_mean(s.times, s.values[release]), float(s.values[volume][0])), "hour"


def _deconvolved(s: Samples) -> profiles.Deconvolved | None:
    return profiles.deconvolve(s.times, s.main, *_assay(s))


def _deconvolved_half_life(s: Samples) -> tuple[float, str]:
    found = _deconvolved(s)
    return (found.half_life if found else float("nan")), "hour"


def _deconvolved_mass(s: Samples) -> tuple[float, str]:
    """Mean mass of the bursts of the window per litre of distribution volume: what one would raise the level by, if it came at once."""
    found = _deconvolved(s)
    return (float(found.masses[found.moments >= s.times[0]].mean()) if found else float("nan")), s.unit


def _deconvolved_count(s: Samples) -> tuple[float, str]:
    found = _deconvolved(s)
    return (float((found.moments >= s.times[0]).sum()) if found else 0.0), "dimensionless"


def _deconvolved_pulsatile(s: Samples) -> tuple[float, str]:
    """What all bursts of the window released per litre of distribution volume: their number times their mean mass."""
    found = _deconvolved(s)
    return (float(found.masses[found.moments >= s.times[0]].sum()) if found else 0.0), s.unit


def _deconvolved_basal(s: Samples) -> tuple[float, str]:
    """The steady rate beside the bursts, per litre of distribution volume and hour."""
    found = _deconvolved(s)
    return (found.basal if found else float("nan")), f"({s.unit})/hour"


def _entropy(s: Samples) -> tuple[float, str]:
    return profiles.approximate_entropy(s.main, int(s.option("m", 1.0)), s.option("r", 0.2)), "dimensionless"


def _ratio(s: Samples) -> tuple[float, str]:
    """Time-mean of the quantity over that of the quantity named in `over`."""
    over = s.options["over"]
    return time_mean(s.times, s.main) / time_mean(s.times, s.values[over]), f"({s.unit})/({s.units[over]})"


def _clearance(s: Samples) -> tuple[float, str]:
    """What is taken up, over the mean level named in `over` and the quantity named in `per` (body weight)."""
    value, unit = _ratio(s)
    per = s.options["per"]
    return value / time_mean(s.times, s.values[per]), f"({unit})/({s.units[per]})"


def _homa(s: Samples) -> tuple[float, str]:
    """HOMA-IR = glucose (mmol/L) * insulin (mU/L) / 22.5 (Matthews, Diabetologia 1985;28:412)."""
    glucose = float(s.main[0]) * units.factor(s.unit, "mmol/L")
    insulin = bridged(float(s.values[s.options["insulin"]][0]), s.units[s.options["insulin"]], "mU/L", s.options["bridge"])
    return glucose * insulin / 22.5, "dimensionless"


def _score(s: Samples) -> tuple[float, str]:
    """SD score for age and sex by the centiles printed in `reference` (unit, age in years, 2.5th and 97.5th of men and women)."""
    table = s.options["reference"]
    age = float(s.values[s.options["age"]][0]) * units.factor(s.units[s.options["age"]], "year")
    sex = table["women" if float(s.values[s.options["female"]][0]) > 0.5 else "men"]
    value = float(s.main[0]) * units.factor(s.unit, table["unit"])
    return profiles.standard_score(
        value, age, *(np.asarray(row, dtype=float) for row in (table["age"], sex["low"], sex["high"]))
    ), "dimensionless"


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
        "deconvolved_half_life": _deconvolved_half_life,
        "deconvolved_mass": _deconvolved_mass,
        "deconvolved_count": _deconvolved_count,
        "deconvolved_pulsatile": _deconvolved_pulsatile,
        "deconvolved_basal": _deconvolved_basal,
        "entropy": _entropy,
        "ratio": _ratio,
        "clearance": _clearance,
        "homa": _homa,
        "score": _score,
    }
)
QUANTITY_OPTIONS = ("volume", "release", "insulin", "onset", "over", "per", "age", "female")  # options that name a quantity of the model


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


def needed(record: MeasureRecord, at: float, window: str | None = None, sampling: str | None = None) -> Array:
    """The times (hours since begin) at which a reading at `at` needs samples; `sampling` ("20 min") instead of the record's own."""
    start, end = span(record, at, window)
    if end == start:
        return np.array([start])
    every = sampling or record.sampling
    step = units.hours(every, "sampling") if every else max(_FINEST, (end - start) / 2000.0)
    steps = max(1, round((end - start) / step))
    return np.linspace(start, end, steps + 1)


def measure(result: Result, record: MeasureRecord, at: float, window: str | None = None, sampling: str | None = None) -> float:
    """The measure of a run at `at` (hours since begin), in the record's unit; NaN where the rule finds nothing to read.

    Raises InputError if the run did not watch what the measure reads or does not reach the window, LibraryError for an unknown reading.
    """
    if record.reads not in READINGS:
        raise LibraryError(
            [Mistake(record.place, f"unknown reading '{record.reads}' of measure {record.name}", nearest(record.reads, READINGS))]
        )
    times = needed(record, at, window, sampling)
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
