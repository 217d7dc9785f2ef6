"""Named random streams: each draw has its own name, so adding one changes no other."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """An independent generator for (seed, names), the same on every machine and in every process."""
    digest = hashlib.sha256("/".join([str(seed), *map(str, names)]).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


def lognormal(generator: np.random.Generator, cv: float) -> float:
    """A lognormal draw of mean 1 and coefficient of variation `cv`."""
    s = float(np.sqrt(np.log1p(cv * cv)))
    return float(np.exp(generator.normal(-s * s / 2, s)))
