"""What holds for every protocol: text round trip, order, zero doses, shifts in time, sums of infusions."""

from __future__ import annotations

import math
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from ghaxis.reading import read_library
from ghaxis.treatment import Protocol, Schedule, day_paths

LIBRARY = read_library()
AMOUNTS = st.floats(0.001, 500, allow_nan=False, allow_infinity=False)
DURATIONS = st.sampled_from(["30 min", "6 h", "1 day", "36 h", "4 weeks", "26 weeks"])
CLOCKS = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02d}:{quarter % 4 * 15:02d}")
RHYTHMS = st.sampled_from(["once", "daily", "every 12 h", "weekly", "3 times weekly", "every 8 h 5 times"])
DOSES = st.builds(
    lambda drug, amount, rhythm, clock, lasts: f"{drug[0]} {amount!r} {drug[1]} {rhythm} at {clock} for {lasts}",
    st.sampled_from(
        [("tesamorelin", "mg sc"), ("rhgh", "mg/kg sc"), ("ghrh", "ug/kg iv"), ("ipamorelin", "nmol/kg iv"), ("mk677", "mg oral")]
    ),
    AMOUNTS,
    RHYTHMS,
    CLOCKS,
    DURATIONS,
)
INFUSIONS = st.builds(
    lambda amount, start, lasts: f"rhigf1 {amount!r} ug/kg/h iv from {start} for {lasts}",
    AMOUNTS,
    st.sampled_from(["0 h", "90 min", "7 h"]),
    DURATIONS,
)
HABITS = CLOCKS.map(lambda clock: f"exercise 1.25 LT at {clock}")
STRANDS = st.one_of(DOSES, INFUSIONS, HABITS, st.builds(lambda a, b: f"{a} then {b}", DOSES, DOSES))
PROTOCOLS = st.lists(STRANDS, min_size=1, max_size=3, unique=True).map("; ".join)


def schedule(text: str, begin: float = 8.0, hours: float = 24 * 40) -> Schedule:
    return Protocol.parse(text, LIBRARY).schedule(LIBRARY, 71.0, begin, begin + hours)


def near(one: Schedule, other: Schedule, shift: float = 0.0) -> bool:
    """The same acts at the same moments, amounts equal up to rounding (no rounding to digits: two sums may straddle an edge)."""

    def rows(s: Schedule, by: float) -> list[tuple[float, str, float]]:
        return sorted([(i.time - by, i.state, i.amount) for i in s.impulses] + [(p.time - by, p.name, p.value) for p in s.paths])

    left, right = rows(one, 0.0), rows(other, shift)
    return len(left) == len(right) and all(
        a[1] == b[1] and math.isclose(a[0], b[0], abs_tol=1e-6) and math.isclose(a[2], b[2], rel_tol=1e-9, abs_tol=1e-12)
        for a, b in zip(left, right, strict=True)
    )


@given(PROTOCOLS)
def test_text_round_trip(text: str) -> None:
    plan = Protocol.parse(text, LIBRARY)
    assert Protocol.parse(str(plan), LIBRARY) == plan


@settings(max_examples=40)
@given(st.lists(st.one_of(DOSES, INFUSIONS), min_size=2, max_size=3))
def test_the_order_of_acts_does_not_matter(strands: list[str]) -> None:
    first, *others = [schedule("; ".join(order)) for order in permutations(strands)]
    assert all(near(first, other) for other in others)


@given(DOSES, RHYTHMS)
def test_a_dose_of_zero_changes_nothing(text: str, rhythm: str) -> None:
    assert near(schedule(text), schedule(f"{text}; rhgh 0 mg sc {rhythm}; rhigf1 0 ug/kg/h iv for 2 h"))


@given(PROTOCOLS, st.integers(1, 30))
def test_whole_days_shift_everything(text: str, days: int) -> None:
    assert near(schedule(text), schedule(text, begin=8.0 + 24 * days), shift=24.0 * days)


@given(AMOUNTS, AMOUNTS)
def test_infusions_of_one_drug_add_up(a: float, b: float) -> None:
    together = schedule(f"rhigf1 {a!r} ug/kg/h iv for 6 h; rhigf1 {b!r} ug/kg/h iv for 6 h")
    assert near(together, schedule(f"rhigf1 {a + b!r} ug/kg/h iv for 6 h"))


@given(DOSES)
def test_nothing_falls_outside_the_run(text: str) -> None:
    found = schedule(text, begin=13.25, hours=50.0)
    assert all(13.25 - 1e-6 <= t < 63.25 for t in [*(i.time for i in found.impulses), *(p.time for p in found.paths)])


@given(st.sampled_from(sorted(LIBRARY.days)), st.floats(0, 100), st.floats(1, 200))
def test_habits_do_not_depend_on_where_one_looks(day: str, start: float, length: float) -> None:
    record = LIBRARY.days[day]
    part = day_paths(record, start, start + length)
    whole = [p for p in day_paths(record, 0.0, start + length) if p.time > start]
    assert [p for p in part if p.time > start] == whole
    assert {p.name for p in part if p.time == start} == {habit.input for habit in record.habits}
