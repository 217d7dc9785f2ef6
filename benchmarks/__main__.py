"""Run what is not there yet and write the page: `make bench` (half an hour, best on a machine that does nothing else).

Every part is kept as JSON in out/bench as soon as it is measured, in a folder of the model, the engine and the processor (errors of others
in one of the model), so an interrupted run goes on where it stopped; delete a file to measure that part again. `--again` times everything
anew and keeps the errors, which no clock moves. `--quick` is a smoke test with its own folder and page.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before numpy: idle threads of a peer's libraries would wait busily, and be counted

from benchmarks import fresh, limit, page, precision, scaling  # noqa: E402
from benchmarks.cases import cases  # noqa: E402
from benchmarks.emitted import Emitted  # noqa: E402
from benchmarks.peers import Peer, peers  # noqa: E402
from benchmarks.python_peers import evaluation  # noqa: E402
from benchmarks.versions import machine_and_versions  # noqa: E402
from ghaxis.engine import machine  # noqa: E402


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    out: Path
    page: Path
    pictures: Path
    rounds: int
    people: int  # of the five
    long_people: int  # of those, over 26 weeks
    weeks: int
    tolerances: int  # of each engine, at most
    crowds: tuple[int, ...]
    lanes: int  # people of the runs in lanes
    population: int
    lane_tolerances: tuple[float, ...] = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6)


ROOT = Path(__file__).parent.parent
OUT, DOCS = ROOT / "out", ROOT / "docs"
FULL = Size(OUT / "bench", DOCS / "benchmarks.md", DOCS / "results", 7, 5, 2, 26, 9, (1, 4, 16, 64, 256, 1000), 64, 1000)
QUICK = Size(OUT / "bench-quick", OUT / "bench-quick/benchmarks.md", OUT / "bench-quick/results", 1, 1, 1, 1, 3, (1, 4), 8, 8)


class Measured:
    """Parts by name: read back where they were measured before, else measured now."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def part(self, name: str, make: Callable[[], Any]) -> Any:
        """One part."""
        where = self.folder / f"{name}.json"
        if where.exists():
            return json.loads(where.read_text())
        print(f"{name} ...", end=" ", flush=True)
        begun = time.perf_counter()
        found = make()
        kept = where.with_suffix(".part")
        kept.write_text(json.dumps(found, indent=1))
        kept.replace(where)
        print(f"{time.perf_counter() - begun:.0f} s", flush=True)
        return json.loads(where.read_text())


class Lazy:
    """The engines, made when one is first needed: AMICI takes a minute to build."""

    def __init__(self) -> None:
        self._found: list[Peer] | None = None

    def __call__(self) -> list[Peer]:
        if self._found is None:
            self._found = peers(cases()[0].model.sbml, cases()[0].week)
        return self._found


def timed_folder() -> str:
    """A folder's name for the model, the engine and the processor: times of another of them are never taken for these."""
    return machine.digest(cases()[0].model.hash, _text(sorted((ROOT / "src/ghaxis/engine").glob("*.py"))))[:12]


def steady_folder() -> str:
    """The same for what no clock moves: the model, and how errors are measured."""
    files = [ROOT / "benchmarks" / f"{name}.py" for name in ("cases", "curves", "peers", "python_peers", "amici_peer")]
    return "errors_" + hashlib.sha256((cases()[0].model.hash + _text(files)).encode()).hexdigest()[:12]


def _text(files: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def slug(name: str) -> str:
    """A name as part of a file's."""
    return "".join(c if c.isalnum() else "_" for c in name.lower())


def measure(size: Size) -> dict[str, Any]:
    """Everything the page tells."""
    measured, steady, engines = Measured(size.out / timed_folder()), Measured(size.out / steady_folder()), Lazy()
    some, long = list(cases()[: size.people]), list(cases()[-size.long_people :])
    widest = max(machine.widest(), 4)
    weeks = sorted({w for w in (1, 4, 26) if w <= size.weeks})
    found: dict[str, Any] = {}
    found["machine"] = measured.part("machine", machine_and_versions)
    found["reference"] = steady.part("reference", lambda: precision.reference(some, long, size.weeks))
    names = measured.part("engines", lambda: {p.name: {"built": getattr(p, "built", None)} for p in engines()})
    found["engines"] = names
    found["errors"] = {
        name: (measured if name.startswith("ghaxis") else steady).part(
            f"errors_{slug(name)}",
            lambda name=name: precision.errors(
                next(p for p in engines() if p.name == name), some, long, size.weeks, found["reference"], size.tolerances
            ),
        )
        for name in names
    }
    found["costs"] = [
        measured.part(f"costs_{k}", lambda k=k: precision.costs(engines(), some, size.tolerances, k)) for k in range(size.rounds)
    ]
    found["undisturbed"] = measured.part("undisturbed", lambda: precision.undisturbed(engines(), cases()[0], size.tolerances, size.rounds))
    found["lanes"] = [
        measured.part(f"lanes_{k}", lambda k=k: precision.lanes(size.lane_tolerances[: size.tolerances], size.lanes, k))
        for k in range(size.rounds)
    ]
    found["evaluation"] = measured.part("evaluation", lambda: evaluation(Emitted(cases()[0].model.sbml, cases()[0].week), cases()[0].week))
    found["people"] = measured.part("people", lambda: scaling.people(list(size.crowds), size.rounds))
    found["weeks"] = measured.part("weeks", lambda: scaling.weeks(weeks, size.rounds))
    found["sizes"] = measured.part("sizes", lambda: scaling.sizes(size.rounds, widest))
    found["imports"] = measured.part("imports", lambda: fresh.imports(max(size.rounds, 3)))
    found["starts"] = measured.part("starts", lambda: fresh.starts(max(size.rounds // 2, 1)))
    found["settling"] = measured.part("settling", lambda: fresh.settling(size.rounds))
    found["memory"] = measured.part("memory", lambda: fresh.memory(min(size.population, 64), weeks, machine.processors()))
    found["population"] = measured.part("population", lambda: fresh.population(size.population, size.weeks, machine.processors()))
    found["limit"] = measured.part("limit", lambda: limit.limit(size.rounds, size.lanes))
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test: little of everything, in out/bench-quick")
    parser.add_argument("--again", action="store_true", help="time everything anew")
    parser.add_argument("--rounds", type=int, help="how often each is timed (7; 1 for a smoke test)")
    given = parser.parse_args()
    size = QUICK if given.quick else FULL
    if given.rounds:
        size = replace(size, rounds=given.rounds)
    if given.again:
        for part in (size.out / timed_folder()).glob("*.json"):
            if not part.name.startswith("errors_"):
                part.unlink()
    cases()  # settled states are made before anything is timed
    page.write(measure(size), size.page, size.pictures)
    print(f"written: {size.page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
