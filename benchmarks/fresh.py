"""What only a fresh process can tell: imports, first and second simulations, peak memory. Each child prints one line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.curves import spread

ROOT = Path(__file__).parent.parent
# Peak memory as the kernel keeps it for this program alone: what getrusage says may be that of the process that started it.
_REPORT = """
import json, resource
usage = resource.getrusage(resource.RUSAGE_SELF)
try:
    peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
except OSError:
    peak = None
print(json.dumps({"peak_mib": peak, "cpu": usage.ru_utime + usage.ru_stime, "found": found}))
"""
FIRST_WEEK = """
import ghaxis as gx
found = gx.simulate(gx.Model.load(), gx.Person("healthy"), until="1 week", watch=["GH", "IGF1"], settled=%s)["GH"].values[-1]
"""
SETTLE = """
import time
from benchmarks.cases import WATCHED, WEEK, cases
from ghaxis.baseline import settle
from ghaxis.course import compiled
from ghaxis.engine.own import DEFAULT
from ghaxis.people import Person
import numpy as np
model, person = cases()[0].model.with_therapies([]), Person("healthy")
day = model.library.days["ordinary"]
settle(model, person.resolve(model), day, cache=False)
found = []
run = cases()[0].batch(26 * WEEK, np.arange(24.0, 26 * WEEK + 1, 24.0))
runner = compiled("own", cases()[0].model.sbml, WATCHED)
runner.run(run, DEFAULT, 1)
for _ in range(%d):
    a = time.perf_counter(), time.process_time()
    at_rest = settle(model, person.resolve(model), day, cache=False)
    b = time.perf_counter(), time.process_time()
    runner.run(run, DEFAULT, 1)
    c = time.perf_counter(), time.process_time()
    found.append({"settle_wall": b[0] - a[0], "settle_cpu": b[1] - a[1], "run_cpu": c[1] - b[1], "rounds": at_rest.rounds})
"""
POPULATION = """
from benchmarks.scaling import population
found = population(%d, %d, %d)
"""


def child(code: str, cache: str | None = None) -> dict[str, Any]:
    """Run code in a fresh interpreter: its own report, and the wall seconds from start to end."""
    environment = dict(os.environ) | ({"XDG_CACHE_HOME": cache} if cache else {})
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code + _REPORT], capture_output=True, text=True, cwd=ROOT, env=environment)
    wall = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1]) | {"wall": wall}


def imports(rounds: int) -> dict[str, Any]:
    """`import ghaxis`, `import numpy` and nothing, alternating: seconds from the start of the interpreter to its end."""
    samples: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, code in (("nothing", "pass"), ("numpy", "import numpy"), ("ghaxis", "import ghaxis")):
            samples.setdefault(name, []).append(child(f"{code}\nfound = None\n")["cpu"])
    return {name: spread(values) for name, values in samples.items()}


def starts(rounds: int) -> dict[str, Any]:
    """The first simulation of a week with an empty cache folder and the same again in a new process, with and without a settled state."""
    samples: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for settled in (True, False):
            with tempfile.TemporaryDirectory() as cache:
                for state in ("cold", "warm"):
                    got = child(FIRST_WEEK % settled, cache)
                    cell = samples.setdefault(f"{state}, {'settled' if settled else 'not settled'}", {"wall": [], "cpu": []})
                    for key in cell:
                        cell[key].append(got[key])
    return {name: {key: spread(values) for key, values in cell.items()} for name, cell in samples.items()}


def settling(rounds: int) -> dict[str, Any]:
    """Bringing one person to rest, against that person's 26 weeks; compiled code warm."""
    found = child(SETTLE % rounds)["found"]
    keys = ("settle_wall", "settle_cpu", "run_cpu", "rounds")
    return {key: spread([f[key] for f in found]) for key in keys}


def population(people: int, weeks: int, workers: int) -> dict[str, Any]:
    """So many people in a fresh process, caches warm."""
    return child(POPULATION % (people, weeks, workers))


def memory(people: int, weeks: list[int], workers: int) -> dict[str, Any]:
    """Peak memory of the same people over more and more weeks."""
    return {str(n): population(people, n, workers) for n in weeks}
