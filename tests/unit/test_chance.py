"""Named streams: the same everywhere, each its own, and what is drawn from them has the mean it should have."""

import subprocess
import sys

import numpy as np
import pytest

from ghaxis.chance import lognormal, stream


def test_a_stream_is_the_same_in_every_process() -> None:
    code = "from ghaxis.chance import stream; print(stream(7, 'tape', 3).random().hex())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == stream(7, "tape", 3).random().hex()


def test_each_name_has_its_own_stream() -> None:
    names = [(0,), (1,), (0, "a"), (0, "b"), (0, "a", 1), (0, "a", 2), (1, "a")]
    first = [stream(*name).random() for name in names]
    assert len(set(first)) == len(names)


@pytest.mark.parametrize("cv", [0.1, 0.4, 1.0])
def test_a_lognormal_has_mean_one_and_its_spread(cv: float) -> None:
    generator = stream(1, "lognormal", str(cv))
    drawn = np.array([lognormal(generator, cv) for _ in range(40_000)])
    assert drawn.min() > 0
    assert drawn.mean() == pytest.approx(1.0, abs=4 * cv / 200)
    assert drawn.std() == pytest.approx(cv, rel=0.1)
