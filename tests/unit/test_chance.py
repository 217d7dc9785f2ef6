"""Named streams: the same everywhere, each its own, and what is drawn from them has the mean it should have."""

import subprocess
import sys

import numpy as np
import pytest

from ghaxis import units
from ghaxis.chance import stream
from ghaxis.reading import read_library
from ghaxis.treatment import noise_paths


def test_a_stream_is_the_same_in_every_process() -> None:
    code = "from ghaxis.chance import stream; print(stream(7, 'tape', 3).random().hex())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == stream(7, "tape", 3).random().hex()


def test_each_name_has_its_own_stream() -> None:
    names = [(0,), (1,), (0, "a"), (0, "b"), (0, "a", 1), (0, "a", 2), (1, "a")]
    first = [stream(*name).random() for name in names]
    assert len(set(first)) == len(names)


def test_noise_is_lognormal_around_one_at_the_stated_pace() -> None:
    day = read_library().days["ordinary"]
    (noise,) = day.noise
    paths = noise_paths(day, stream(1, "lognormal"), 0.0, 40_000 * units.hours(noise.gap))
    for name, cv in noise.cvs.items():
        drawn = np.array([p.value for p in paths if p.name == name])
        assert len(drawn) == pytest.approx(40_000, rel=0.02)
        assert drawn.min() > 0
        assert drawn.mean() == pytest.approx(1.0, abs=4 * cv / 200)
        assert drawn.std() == pytest.approx(cv, rel=0.1)


def test_a_longer_tape_begins_with_the_shorter_one() -> None:
    day = read_library().days["ordinary"]
    short, long = (noise_paths(day, stream(3, "tape"), 0.0, end) for end in (100.0, 1000.0))
    assert long[: len(short)] == short
