"""Work-precision curves: what an engine costs at an error that it was not run at. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

Point = tuple[float, float]  # (error, cost)


def frontier(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both error and cost, from the least accurate to the most accurate."""
    good = [(e, c) for e, c in points if math.isfinite(e) and math.isfinite(c) and e > 0 and c > 0]
    kept: list[Point] = []
    for error, cost in sorted(good, key=lambda point: (point[1], point[0])):
        if not kept or error < kept[-1][0]:
            kept.append((error, cost))
    return kept


def cost_at(points: Sequence[Point], error: float) -> float | None:
    """The cost at an error, by straight lines between neighbouring points of the frontier in logarithms.

    None where the engine was never that accurate. Where it never was that inaccurate its cheapest point counts: it gives what is asked.
    """
    line = frontier(points)
    if not line or error < line[-1][0]:
        return None
    if error >= line[0][0]:
        return line[0][1]
    for (e1, c1), (e2, c2) in pairwise(line):
        if e2 <= error <= e1:
            share = math.log(error / e1) / math.log(e2 / e1)
            return math.exp((1 - share) * math.log(c1) + share * math.log(c2))
    return None


def largest_error(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """max |error| / max |value| over the times, for each column."""
    return np.abs(values - reference).max(axis=0) / np.abs(reference).max(axis=0)


def relative_error(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """|error| / |value|; where the reference is 0, whether the value is (0) or not (1)."""
    safe = np.where(reference == 0, 1.0, np.abs(reference))
    return np.where(reference == 0, (values != 0).astype(float), np.abs(values - reference) / safe)


def spread(samples: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {"median": float(np.median(samples)), "least": float(min(samples)), "most": float(max(samples))}
