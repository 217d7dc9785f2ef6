"""The front door is light: `import ghaxis` loads nothing heavy, and every public name is there when it is asked for."""

import statistics
import subprocess
import sys

import pytest

import ghaxis

LIMIT = 3.0  # times `import numpy`
RUNS = 7


def seconds(module: str) -> float:
    """How long a fresh interpreter takes to import a module."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def test_importing_the_package_costs_at_most_three_times_numpy() -> None:
    ours, numpy = zip(*((seconds("ghaxis"), seconds("numpy")) for _ in range(RUNS)), strict=True)
    assert statistics.median(ours) <= LIMIT * statistics.median(numpy)


def test_importing_the_package_loads_none_of_its_parts() -> None:
    code = "import sys, ghaxis; print(*[m for m in sys.modules if m.startswith(('ghaxis.', 'numpy', 'pint', 'pandas', 'matplotlib'))])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_every_public_name_is_there() -> None:
    assert dir(ghaxis) == sorted(ghaxis.__all__)
    assert [name for name in ghaxis.__all__ if not callable(getattr(ghaxis, name))] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Modle'"):
        ghaxis.Modle  # type: ignore[attr-defined]
