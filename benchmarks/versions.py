"""On what it was measured: the processor as LLVM names it, and versions. Nothing that tells one machine from another of its kind."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from benchmarks.cases import THERAPIES, cases
from ghaxis.engine import machine

TOLD = ("ghaxis", "llvmlite", "numpy", "scipy", "libroadrunner", "scikit-sundae", "amici")
TELLING = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512dq", "avx512vl", "neon", "sve")


def machine_and_versions() -> dict[str, Any]:
    """The processor, its features that matter here, threads, and the versions of what ran."""
    versions = {}
    for name in TOLD:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    model = cases()[0].model
    return {
        "cpu": machine.cpu(),
        "features": [name for name in TELLING if machine.has(name)],
        "threads": machine.processors(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
        "model": model.hash[:12],
        "states": len(model.states),
        "therapies": list(THERAPIES),
        "people": [c.name for c in cases()],
    }
