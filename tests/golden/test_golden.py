"""A dozen short courses drawn anew: a change of equations, numbers, people or protocols shows here first.

Where a change is meant, `make golden` draws them again, and the changelog says why.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import record

from ghaxis.simulation import Result

WRITTEN: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(record.COURSES.glob("*.json"))
}
DRAWN = 1e-4  # of each curve's largest value
REPORTED = 0.02  # the default engine at its reported tolerances; what is left is a shift of GH pulses by minutes


@pytest.fixture(scope="module")
def referee() -> dict[str, Result]:
    return record.run(record.whole())


@pytest.fixture(scope="module")
def own() -> dict[str, Result]:
    return record.run(record.whole(), "own")


@pytest.fixture(scope="module")
def usual() -> dict[str, Result]:
    return record.run(record.whole(), "auto", None)


def apart(name: str, result: Result) -> dict[str, float]:
    """How far each curve is from what was written, as a share of its largest value."""
    found = {}
    for quantity, curve in WRITTEN[name]["curves"].items():
        written = np.array(curve["values"])
        assert result[quantity].unit == curve["unit"]
        found[quantity] = float(np.abs(result[quantity].values - written).max() / np.abs(written).max())
    return found


def test_every_case_is_written() -> None:
    assert set(WRITTEN) == set(record.CASES)


@pytest.mark.parametrize("name", record.CASES)
def test_who_and_what_are_as_written(name: str, referee: dict[str, Result]) -> None:
    result, written = referee[name], WRITTEN[name]
    assert (str(result.person), str(result.protocol), result.times.tolist()) == (written["person"], written["protocol"], written["hours"])


@pytest.mark.parametrize("name", record.CASES)
def test_course_is_as_written(name: str, referee: dict[str, Result]) -> None:
    assert {q: d for q, d in apart(name, referee[name]).items() if not d < DRAWN} == {}


@pytest.mark.parametrize("name", record.CASES)
def test_the_own_engine_draws_the_same_course(name: str, own: dict[str, Result]) -> None:
    assert {q: d for q, d in apart(name, own[name]).items() if not d < DRAWN} == {}


@pytest.mark.parametrize("name", record.CASES)
def test_the_reported_tolerances_suffice(name: str, usual: dict[str, Result]) -> None:
    assert {q: d for q, d in apart(name, usual[name]).items() if not d < REPORTED and q != "GHRH"} == {}


def test_the_courses_differ() -> None:
    """A case that shows nothing of its own would guard nothing."""
    seen = [tuple(c["curves"]["GH"]["values"]) + tuple(c["curves"]["IGF1"]["values"]) for c in WRITTEN.values()]
    assert len(set(seen)) == len(seen)
