"""Readings against synthetic truth: what went in must come out."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghaxis import measure as m
from ghaxis import profiles
from ghaxis.errors import InputError, LibraryError, UnitError
from ghaxis.reading import arithmetic, checks, read_library
from ghaxis.reading.records import MeasureRecord, Place
from ghaxis.simulation import Curve

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
import pulse_detection as truth

HALF_LIFE = 18 / 60  # hours
TEN_MINUTES = 1 / 6


@dataclass
class Run:
    """A stand-in for a Result: curves by name."""

    curves: dict

    def __getitem__(self, name):
        return self.curves[name]


def run(times, **curves):
    """`GH=(values, unit)` or `GH=values` in ug/L."""
    rows = {name: value if isinstance(value, tuple) else (value, "ug/L") for name, value in curves.items()}
    return Run(
        {
            name: Curve(name, unit, np.asarray(times, float), np.broadcast_to(np.asarray(v, float), np.shape(times)))
            for name, (v, unit) in rows.items()
        }
    )


def record(reads="level", of="GH", unit="ug/L", window="0 h", sampling="", **options):
    return MeasureRecord("test", "", of, unit, reads, window, sampling, options, "", Place("measures.toml", 1))


def profile(moments, masses, times, basal=0.05):
    """GH and release rate from Gaussian bursts (SD 7 min) eliminated with a half-life of 18 min."""
    fine = np.arange(times[0] - 6, times[-1] + 0.01, 1 / 120)
    release = sum(
        mass * np.exp(-0.5 * ((fine - at) / 0.12) ** 2) / (0.12 * np.sqrt(2 * np.pi)) for at, mass in zip(moments, masses, strict=True)
    )
    kept = np.exp(-np.log(2) / HALF_LIFE * np.arange(0, 4, 1 / 120))
    level = np.convolve(release, kept)[: len(fine)] / 120 + basal
    return np.interp(times, fine, level), np.interp(times, fine, release)


def day(seed, noise):
    """Ten-minute samples of a day with irregular bursts at known times and assay noise."""
    random = np.random.default_rng(seed)
    moments = 0.8 + np.cumsum(np.maximum(random.gamma(4.0, 2.4 / 4.0, 12), 1.2))
    moments = moments[moments < 23.0]
    times = np.arange(0, 24 + 1e-9, TEN_MINUTES)
    values, _ = profile(moments, random.lognormal(1.0, 0.7, len(moments)), times)
    return times, values * (1 + noise * random.standard_normal(len(times))), moments


def detection(noise, assumed, sensitivity=0.1):
    """Sensitivity and positive predictive value of Cluster over 60 days."""
    true = found = seen = right = 0
    for seed in range(60):
        times, values, moments = day(seed, noise)
        peaks = times[profiles.cluster(values, cv=assumed, sensitivity=sensitivity).peaks]
        near = np.abs(peaks[:, None] - moments[None, :] - 0.15) < 0.5
        true, found = true + len(moments), found + int(near.any(axis=0).sum())
        seen, right = seen + len(peaks), right + int(near.any(axis=1).sum())
    return found / true, right / seen


def test_cluster_finds_known_pulses():
    sensitivity, predictive = detection(noise=0.06, assumed=0.06)
    assert sensitivity > 0.95
    assert predictive > 0.97
    assert detection(noise=0.06, assumed=0.06, sensitivity=0.5)[0] < sensitivity - 0.03  # an old assay misses small pulses


def test_cluster_needs_to_know_the_assay():
    """An assay believed to be ten times better than it is finds pulses in noise: the rule's variance is what keeps them out."""
    right, sure = (detection(noise=0.06, assumed=cv, sensitivity=0.01)[1] for cv in (0.06, 0.006))
    assert right > 0.97
    assert sure < 0.8


def test_cluster_sees_nothing_in_a_flat_profile_and_needs_both_limbs():
    assert profiles.cluster(np.full(100, 0.7), cv=0.06).count == 0
    assert profiles.cluster(np.linspace(5, 1, 40), cv=0.06).count == 0
    assert profiles.cluster(np.linspace(1, 5, 40), cv=0.06).count == 0
    assert profiles.cluster(np.array([1.0, 1.0, 4.0, 4.0, 1.0, 1.0]), cv=0.06).count == 1


def test_cluster_ignores_what_the_assay_cannot_see():
    values = np.array([0.01, 0.01, 0.08, 0.08, 0.01, 0.01])
    assert profiles.cluster(values, cv=0.06, sensitivity=0.1).count == 0
    assert profiles.cluster(values, cv=0.06, sensitivity=0.01).count == 1


def test_pulse_readings_of_a_known_day():
    times = np.arange(0, 24 + 1e-9, TEN_MINUTES)
    moments, masses = np.array([2.0, 6.0, 11.0, 17.0]), np.full(4, 4.0)
    values, _ = profile(moments, masses, times)
    result = run(times, GH=values)
    options = {"window": "24 h", "sampling": "10 min", "sensitivity": "0.02 ug/L"}
    assert m.measure(result, record("pulse_count", unit="dimensionless", **options), 0.0) == 4
    assert m.measure(result, record("pulse_amplitude", **options), 0.0) == pytest.approx(
        values[profiles.cluster(values, 0.06).peaks].mean()
    )
    assert m.measure(result, record("interpulse_cv", unit="dimensionless", **options), 0.0) == pytest.approx(
        np.std([4, 5, 6], ddof=1) / 5, abs=0.03
    )
    assert m.measure(result, record("valley", **options), 0.0) == pytest.approx(0.05, rel=0.1)
    assert m.measure(result, record("valley_share", unit="dimensionless", **options), 0.0) == pytest.approx(
        0.05 / profiles.time_mean(times, values), rel=0.1
    )


def test_an_assay_prints_nothing_below_its_limit():
    times = np.arange(0, 24 + 1e-9, TEN_MINUTES)
    values, _ = profile([2.0, 6.0, 11.0, 17.0], np.full(4, 4.0), times)
    options = {"window": "24 h", "sampling": "10 min", "sensitivity": "0.2 ug/L"}
    assert m.measure(run(times, GH=values), record("valley", **options), 0.0) == pytest.approx(0.2, rel=0.02)
    share = m.measure(run(times, GH=values), record("valley_share", unit="dimensionless", **options), 0.0)
    assert share == pytest.approx(0.2 / profiles.time_mean(times, np.maximum(values, 0.2)), rel=0.02)


def test_a_paper_samples_as_often_as_it_did():
    times = np.arange(0, 24 + 1e-9, 1 / 12)
    values = np.where(np.arange(len(times)) % 4 == 1, 9.0, 1.0)  # seen every 5 minutes, missed every 20
    result = run(times, GH=values)
    asked = record("peak", window="24 h", sampling="5 min")
    assert m.measure(result, asked, 0.0) == 9.0
    assert m.measure(result, asked, 0.0, sampling="20 min") == 1.0
    assert len(m.needed(asked, 0.0, "1 h", "20 min")) == 4


def test_a_clearance_is_uptake_over_level_and_weight():
    result = run([0.0, 1.0, 2.0], uptake=(36000.0, "ng/hour"), GH=(2000.0, "ng/L"), weight=(60.0, "kg"))
    asked = record("clearance", "uptake", "mL/min/kg", "2 h", "1 h", over="GH", per="weight")
    assert m.measure(result, asked, 0.0) == pytest.approx(5.0)


def test_half_life_of_an_exponential_is_exact():
    times = np.arange(0, 2, 1 / 12)
    assert profiles.decay_half_life(times, 7 * 2 ** (-times / 0.4)) == pytest.approx(0.4)
    assert np.isnan(profiles.decay_half_life(times, np.exp(times)))
    result = run(times, GH=7 * 2 ** (-times / 0.4))
    assert m.measure(result, record("decay", unit="min", window="10 min to 90 min", sampling="5 min"), 0.0) == pytest.approx(24.0)
    assert m.measure(result, record("decay_rate", unit="1/h", window="10 min to 90 min", sampling="5 min"), 0.0) == pytest.approx(
        np.log(2) / 0.4
    )


def test_a_decline_begins_at_the_peak():
    times = np.arange(0, 4, 1 / 12)
    rise_and_fall = np.where(times < 1, times, 2.0 ** (-(times - 1) / 0.5))
    assert m.measure(run(times, GH=rise_and_fall), record("decay", unit="h", window="0 h to 3 h", sampling="5 min"), 0.0) == pytest.approx(
        0.5
    )
    assert np.isnan(m.measure(run(times, GH=times), record("decay", unit="h", window="0 h to 3 h", sampling="5 min"), 0.0))


def test_decay_beyond_the_last_sample():
    times = np.arange(0, 96.1, 2.0)
    result = run(times, IGF1=100 + 80 * 2 ** (-times / 8.0))
    assert m.measure(result, record("decay", "IGF1", "h", "0 h to 96 h", "2 h", beyond="last"), 0.0) == pytest.approx(8.0, rel=0.06)


def test_half_life_from_pulses_comes_near_the_truth_from_above():
    times = np.arange(0, 24 + 1e-9, 1 / 12)
    values, _ = profile(np.arange(2.0, 23.0, 4.0), np.full(6, 5.0), times, basal=0.01)
    assert HALF_LIFE <= profiles.pulse_half_life(times, values) < 1.25 * HALF_LIFE


def test_areas_and_means():
    times = np.linspace(0, 10, 101)
    result = run(times, GH=(2000 * times, "ng/L"))
    assert m.measure(result, record("area", unit="ug/L*min", window="2 h to 4 h", sampling="6 min"), 1.0) == pytest.approx(2 * 4 * 2 * 60)
    assert m.measure(result, record("mean", window="4 h", sampling="6 min"), 2.0) == pytest.approx(8.0)
    assert m.measure(result, record("peak", window="4 h", sampling="6 min"), 0.0) == pytest.approx(8.0)
    assert m.measure(result, record("nadir", window="4 h", sampling="6 min"), 1.0) == pytest.approx(2.0)
    assert m.measure(result, record("increment", window="4 h", sampling="6 min"), 1.0) == pytest.approx(8.0)
    assert m.measure(result, record("time_of_peak", unit="h", window="4 h", sampling="6 min"), 1.0) == pytest.approx(4.0)
    assert m.measure(result, record(), 3.0, "-1 h to -1 h") == pytest.approx(4.0)


def test_secretion_is_release_over_volume():
    times = np.arange(0, 24 + 1e-9, 1 / 12)
    level, release = profile([3.0, 9.0, 15.0, 21.0], [5.0, 5.0, 5.0, 5.0], times)
    result = run(times, GH=level, GH_release=((release + 0.1) * 4700, "ng/hour"), plasma=(4.7, "litre"))
    options = {"window": "24 h", "sampling": "5 min", "volume": "plasma"}
    assert m.measure(result, record("secretion", "GH_release", "ug/L/day", **options), 0.0) == pytest.approx(22.4, rel=1e-3)
    assert m.measure(result, record("secretion", "GH_release", "mU/L/day", bridge="3 IU/mg", **options), 0.0) == pytest.approx(
        67.2, rel=1e-3
    )
    assert m.measure(result, record("burst_count", "GH_release", "dimensionless", least="0.2 ug/L", **options), 0.0) == 4
    assert m.measure(result, record("burst_mass", "GH_release", "ug/L", least="0.2 ug/L", **options), 0.0) == pytest.approx(5.0, rel=1e-3)


def test_bursts_are_counted_by_what_they_release():
    times = np.arange(0, 24 + 1e-9, 1 / 12)
    _, release = profile([3.0, 9.0, 9.9, 15.0, 21.0], [20.0, 5.0, 1.0, 0.5, 0.05], times)
    assert list(times[profiles.bursts(times, release, 0.2)]) == pytest.approx([3.0, 9.0, 9.9, 15.0], abs=0.1)
    assert len(profiles.bursts(times, release, 0.8)) == 3
    assert len(profiles.bursts(times, np.full_like(times, 3.0), 0.2)) == 0


def test_turnover_half_life_does_not_see_ongoing_secretion():
    """Falling limbs on top of a high basal secretion read too long; the turnover does not."""
    times = np.arange(0, 24 + 1e-9, 1 / 12)
    basal = 3.0
    level, release = profile(np.arange(2.0, 23.0, 4.0), np.full(6, 5.0), times, basal)
    release = release + basal * np.log(2) / HALF_LIFE
    result = run(times, GH=level, GH_release=(release * 4700, "ng/hour"), plasma=(4.7, "litre"))
    asked = record("turnover", unit="min", window="24 h", sampling="5 min", release="GH_release", volume="plasma")
    assert m.measure(result, asked, 0.0) == pytest.approx(18.0, rel=0.02)
    assert profiles.pulse_half_life(times, level) > 1.4 * HALF_LIFE


def test_share_after_sleep_onset():
    times = np.arange(0, 24 + 1e-9, 1 / 12)
    result = run(times, GH=np.where((times > 15.5) & (times < 17.5), 7.0, 1.0), sleep_deep=((times >= 15) & (times < 17), "dimensionless"))
    asked = record("onset_share", unit="dimensionless", window="24 h", sampling="5 min", onset="sleep_deep", lasts="4 h")
    assert m.measure(result, asked, 0.0) == pytest.approx((4 + 12) / (24 + 12), rel=0.02)


def test_entropy_tells_order_from_disorder():
    random = np.random.default_rng(1)
    steps = np.arange(145)
    regular = np.sin(2 * np.pi * steps / 12)
    assert profiles.approximate_entropy(regular) < 0.8 < 1.2 < profiles.approximate_entropy(random.standard_normal(145))


def naive_entropy(values, m_, r):
    """ApEn as its definition is printed: runs, their largest difference, self-matches counted."""
    n = len(values)

    def phi(length):
        runs = [values[i : i + length] for i in range(n - length + 1)]
        shares = [sum(max(abs(a - b) for a, b in zip(x, y, strict=True)) <= r for y in runs) / len(runs) for x in runs]
        return sum(np.log(shares)) / len(runs)

    return phi(m_) - phi(m_ + 1)


def test_entropy_is_the_published_definition():
    """The numbers of the sequence that implementations of Pincus 1991 are tested with, and the definition written out."""
    known = np.array([85.0, 80.0, 89.0] * 17)
    assert abs(profiles.approximate_entropy(known, 2, 3.0 / known.std())) == pytest.approx(1.0996541105257052e-05, rel=1e-6)
    assert profiles.approximate_entropy(np.full(50, 2.0)) == 0.0
    random = np.random.default_rng(3)
    for values in (random.lognormal(size=60), np.sin(np.arange(80) / 3.0)):
        assert profiles.approximate_entropy(values) == pytest.approx(naive_entropy(list(values), 1, 0.2 * values.std()), rel=1e-9)


def test_deconvolution_finds_what_went_in():
    """Bursts, basal rate, width and half-life from 10-minute samples; the noise of a 6 % assay costs little."""
    times = np.arange(0, 24 + 1e-9, TEN_MINUTES)
    moments, masses = np.array([2.0, 4.0, 9.0, 10.2, 17.0]), np.array([4.0, 1.0, 3.0, 2.0, 8.0])
    values, _ = profile(moments, masses, times)
    found = profiles.deconvolve(times, values, 0.06, 0.02)
    assert found.half_life == pytest.approx(HALF_LIFE, rel=0.01)
    assert found.moments == pytest.approx(moments, abs=0.02)
    assert found.masses == pytest.approx(masses, rel=0.02)
    assert found.burst_sd == pytest.approx(0.12, rel=0.03)
    assert found.basal == pytest.approx(0.05 * np.log(2) / HALF_LIFE, rel=0.05)
    assert profiles.deconvolve(times, np.full_like(times, 0.7), 0.06) is None
    result = run(times, GH=(1000 * values, "ng/L"))
    options = {"window": "24 h", "sampling": "10 min", "sensitivity": "0.02 ug/L"}
    assert m.measure(result, record("deconvolved_half_life", unit="min", **options), 0.0) == pytest.approx(18.0, rel=0.01)
    assert m.measure(result, record("deconvolved_mass", **options), 0.0) == pytest.approx(3.6, rel=0.02)
    assert m.measure(result, record("deconvolved_count", unit="dimensionless", **options), 0.0) == 5
    assert m.measure(result, record("deconvolved_pulsatile", **options), 0.0) == pytest.approx(18.0, rel=0.02)
    assert m.measure(result, record("deconvolved_basal", unit="ug/L/h", **options), 0.0) == pytest.approx(found.basal, rel=0.01)
    assert m.measure(run(times, GH=0.7), record("deconvolved_pulsatile", **options), 0.0) == 0.0
    assert np.isnan(m.measure(run(times, GH=0.7), record("deconvolved_half_life", unit="min", **options), 0.0))


def test_published_design_pulse_detection():
    """Two-exponential elimination, 10-minute samples, assay CV 6 %: the figures of docs/pulse_detection.md hold."""
    rare, usual, dense = (truth.detection(40, per_day, 5.0) for per_day in (6, 12, 24))
    assert rare[0] > 0.96
    assert rare[1] > 0.93
    assert usual[0] > 0.89
    assert usual[1] > 0.98
    assert 0.6 < dense[0] < usual[0] < rare[0]
    assert truth.detection(40, 12, 0.25)[0] < usual[0] - 0.2  # small pulses are missed
    assert truth.detection(40, 12, 5.0, step=1 / 3)[0] < usual[0] - 0.05  # and so are pulses between rare samples
    assert truth.false_alarms(100, 2) < 2.0
    assert truth.false_alarms(100, 2, assumed=0.03) > 8.0


def test_published_design_recovery():
    """One exponential: half-life and mass without bias, falling limbs too long. Two: what left with the fast one is missed."""
    one, two = (truth.recovery(8, 12, 5.0, elimination) for elimination in (truth.ONE, truth.TWO))
    assert one["deconvolution"].mean() == pytest.approx(18.0, abs=0.4)
    assert one["deconvolution"].std() < 1.0
    assert one["turnover"].mean() == pytest.approx(18.0, abs=0.4)
    assert one["mass"].mean() == pytest.approx(1.0, abs=0.04)
    assert one["limb"].mean() > 21.0
    assert 14.5 < two["deconvolution"].mean() < 21.0
    assert two["turnover"].mean() == pytest.approx(0.4 * 3.5 + 0.6 * 21.0, rel=0.05)
    assert two["mass"].mean() < 0.8


PULSATILE = ("pulse_count", "interpulse_cv", "valley_share", "entropy", "deconvolved_half_life", "deconvolved_count", "time_of_peak")
LEVELS = ("mean", "peak", "nadir", "increment", "pulse_amplitude", "valley", "deconvolved_mass")


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["ng/L", "mg/L", "ng/mL"]))
def test_readings_do_not_see_the_unit(seed, unit):
    """The same profile in another unit gives the same reading."""
    one = truth.day(seed, 8, 5.0)
    factor = m.units.factor("ug/L", unit)
    plain, other = run(one.times, GH=one.values), run(one.times, GH=(one.values * factor, unit))
    for reads in (*PULSATILE, *LEVELS):
        unit_of = {"time_of_peak": "h", "deconvolved_half_life": "h"}.get(reads, "ug/L" if reads in LEVELS else "dimensionless")
        asked = record(reads, unit=unit_of, window="24 h", sampling="10 min", sensitivity="0.02 ug/L")
        assert m.measure(other, asked, 0.0) == pytest.approx(m.measure(plain, asked, 0.0), rel=1e-3, nan_ok=True), reads


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100.0))
def test_readings_scale_with_the_profile(seed, factor):
    """Twice the profile (and the detection limit) is twice the levels, the same counts, shares, times and entropy."""
    one = truth.day(seed, 8, 5.0)
    plain, other = run(one.times, GH=one.values), run(one.times, GH=one.values * factor)
    for reads in (*PULSATILE, *LEVELS):
        unit_of = {"time_of_peak": "h", "deconvolved_half_life": "h"}.get(reads, "ug/L" if reads in LEVELS else "dimensionless")
        asked = [
            record(reads, unit=unit_of, window="24 h", sampling="10 min", sensitivity=f"{limit!r} ug/L") for limit in (0.02, 0.02 * factor)
        ]
        expected = m.measure(plain, asked[0], 0.0) * (factor if reads in LEVELS else 1.0)
        assert m.measure(other, asked[1], 0.0) == pytest.approx(expected, rel=1e-3, nan_ok=True), reads


def test_readings_settle_as_samples_come_closer():
    """Areas, means, secretion and half-lives of a smooth profile do not hang on the sampling once it is fine."""
    times = np.arange(0, 24 + 1e-9, 1 / 60)
    level, release = profile([3.0, 9.0, 15.0, 21.0], [5.0, 3.0, 8.0, 2.0], times)
    result = run(times, GH=level, GH_release=((release + 0.1) * 4700, "ng/hour"), plasma=(4.7, "litre"))
    deconvolving = {"sensitivity": "0.02 ug/L"}
    asks = [
        ("area", "GH", "ug/L*h", {}),
        ("mean", "GH", "ug/L", {}),
        ("secretion", "GH_release", "ug/L/day", {"volume": "plasma"}),
        ("burst_mass", "GH_release", "ug/L", {"volume": "plasma", "least": "0.2 ug/L"}),
        ("turnover", "GH", "min", {"release": "GH_release", "volume": "plasma"}),
        ("deconvolved_half_life", "GH", "min", deconvolving),
        ("deconvolved_mass", "GH", "ug/L", deconvolving),
    ]
    for reads, of, unit, options in asks:
        coarse, fine = (m.measure(result, record(reads, of, unit, "24 h", step, **options), 0.0) for step in ("5 min", "2 min"))
        assert coarse == pytest.approx(fine, rel=0.01), reads


@settings(max_examples=10, deadline=None)
@given(st.floats(0.02, 20.0), st.floats(1.0, 3.0), st.floats(0.0, 5.0))
def test_half_effect_dose_of_a_known_curve(middle, slope, floor):
    doses = middle * np.array([0.0, 0.1, 0.5, 1.5, 4.0, 20.0])
    effects = floor + 30.0 * doses**slope / (middle**slope + doses**slope)
    assert profiles.half_effect_dose(doses, effects) == pytest.approx(middle, rel=0.02)


def test_half_effect_dose_needs_a_rise_that_the_doses_bracket():
    doses = np.array([0.0, 1.0, 2.0, 4.0])
    assert np.isnan(profiles.half_effect_dose(doses, np.array([4.0, 3.0, 2.0, 1.0])))
    assert np.isnan(profiles.half_effect_dose(doses, np.full(4, 3.0)))
    assert np.isnan(profiles.half_effect_dose(doses, 1e-3 * doses**1.0 + 0.2))  # not yet bending
    assert np.isnan(profiles.half_effect_dose(doses[:3], np.array([1.0, 2.0, 3.0])))
    printed = profiles.half_effect_dose(np.array([0.0, 0.5, 1.0, 2.0]), np.array([3.9, 26.9, 52.3, 55.0]))  # imbimbo1994, which prints 0.5
    assert printed == pytest.approx(0.5, abs=0.08)


def test_standard_score_runs_through_the_printed_centiles():
    table = read_library().measures["IGF1_SDS"].options["reference"]
    for sex, female in (("men", 0.0), ("women", 1.0)):
        for age, low, high in zip(table["age"], table[sex]["low"], table[sex]["high"], strict=True):
            for value, score in ((low, -1.959964), (high, 1.959964), (np.sqrt(low * high), 0.0)):
                result = run([0.0, 1.0], IGF1=(1000.0 * value, "ng/L"), age=(float(age), "year"), female=(female, "dimensionless"))
                assert m.measure(result, read_library().measures["IGF1_SDS"], 0.0) == pytest.approx(score, abs=1e-6)
    for age in (19.0, 76.0):
        result = run([0.0, 1.0], IGF1=150.0, age=(age, "year"), female=(0.0, "dimensionless"))
        assert np.isnan(m.measure(result, read_library().measures["IGF1_SDS"], 0.0))


def test_fib4_is_the_published_formula():
    """FIB-4 = age * AST / (platelets * sqrt(ALT)), read off the library's own text: 50 years, 40 and 36 U/L, 200 G/L."""
    text = (Path(checks.__file__).parents[1] / "library" / "model" / "liver_injury.ant").read_text(encoding="utf-8")
    formula = next(line for line in text.splitlines() if line.startswith("FIB4 :=")).split(":=")[1].split(";")[0]
    known = {"age": 50.0, "AST": 40.0, "ALT": 36.0, "platelets": 200.0, "one_year": 1.0, "one_U": 1.0, "one_G": 1.0}
    assert arithmetic.evaluate(formula, known) == pytest.approx(50 * 40 / (200 * 6))


def test_units_are_bridged_where_dimensions_differ():
    assert m.bridged(100.0, "nmol/L", "mg/L", "40000 g/mol") == pytest.approx(4.0)
    assert m.bridged(4.0, "mg/L", "nmol/L", "40000 g/mol") == pytest.approx(100.0)
    assert m.bridged(1.0, "ug/L", "mU/L", "2.8 IU/mg") == pytest.approx(2.8)
    assert m.bridged(0.03, "dimensionless", "percent") == pytest.approx(3.0)
    with pytest.raises(UnitError):
        m.bridged(1.0, "ug/L", "kg", "2.8 IU/mg")


def test_sums_of_quantities_and_scale():
    times = np.linspace(0, 24, 49)
    result = run(times, synthesis=(0.012, "kg/hour"), breakdown=(10.0, "g/hour"))
    asked = record("area", "synthesis - breakdown", "g", "24 h", "30 min", scale=0.16)
    assert m.watched(asked) == ("breakdown", "synthesis")
    assert m.measure(result, asked, 0.0) == pytest.approx(0.16 * 2 * 24)


def test_homa():
    result = run([0.0, 1.0], glucose=(5.0, "mmol/L"), insulin=(54.0, "pmol/L"))
    asked = record("homa", "glucose", "dimensionless", insulin="insulin", bridge="6 nmol/IU")
    assert m.watched(asked) == ("glucose", "insulin")
    assert m.measure(result, asked, 0.0) == pytest.approx(5 * 9 / 22.5)


def test_what_a_run_cannot_answer_is_said():
    result = run([0.0, 1.0], GH=[1.0, 2.0])
    with pytest.raises(InputError, match="needs GH from 0 h to 24 h"):
        m.measure(result, record("mean", window="24 h", sampling="1 h"), 0.0)
    with pytest.raises(LibraryError, match="unknown reading 'peek'") as caught:
        m.measure(result, record("peek"), 0.0)
    assert caught.value.mistakes[0].nearest == "peak"


def test_needed_times_cover_the_window_and_no_more():
    times = m.needed(record("mean", window="24 h", sampling="10 min"), 48.0)
    assert (times[0], times[-1], len(times)) == (48.0, 72.0, 145)
    assert list(m.needed(record(), 5.0)) == [5.0]
    assert m.span(record(), 5.0, "-2 h to 30 min") == (3.0, 5.5)


def test_the_checker_knows_every_reading_and_option():
    assert set(checks.READINGS) == set(m.READINGS)
    assert set(checks.QUANTITY_OPTIONS) == set(m.QUANTITY_OPTIONS)
