"""Random persons over the allowed domain, each under random therapies for a week from an approximate start: nobody may fail.

Conditions, severities, sex, age, own deviations, therapies (a tenth to five times a usual dose) and ways of life are drawn; persons whose
conditions contradict each other are drawn again. The start is what the text and the descriptors say, not a settled state. Reported:
failures, levels below zero or not numbers, and what the costly ones (many steps) have in common.

    python benchmarks/robustness.py --people 10000 --json out/robustness.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ghaxis.chance import stream
from ghaxis.course import Course, batch
from ghaxis.engine.own import DEFAULT, OwnEngine
from ghaxis.errors import DomainError, InputError
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.treatment import Protocol

DOSES = {
    "arginine": ("30", "g iv over 30 min once at 09:00"),
    "cjc1295_dac": ("60", "ug/kg sc weekly"),
    "ethinylestradiol": ("20", "ug oral daily at 08:00"),
    "ghrelin": ("1", "ug/kg iv once at 10:00"),
    "ghrh": ("1", "ug/kg iv once at 09:00"),
    "ghrp2": ("1", "ug/kg sc twice daily"),
    "ghrp6": ("1", "ug/kg iv once at 11:00"),
    "hexarelin": ("1.5", "ug/kg sc twice daily"),
    "ipamorelin": ("100", "nmol/kg iv once at 12:00"),
    "mk677": ("25", "mg oral daily at 22:00"),
    "octreotide": ("50", "ug sc 3 times daily"),
    "pegvisomant": ("15", "mg sc daily at 08:00"),
    "prednisone": ("20", "mg oral daily at 08:00"),
    "rhgh": ("0.02", "mg/kg sc daily at 20:00"),
    "rhigf1": ("40", "ug/kg sc twice daily"),
    "sermorelin": ("100", "ug iv once at 09:00"),
    "tesamorelin": ("2", "mg sc daily at 08:00"),
}
WAYS = (
    "fast for 48 h",
    "exercise 1.2 LT daily at 17:00 for 45 min",
    "energy 0.55 of need",
    "drinking",
    "endotoxin once at 10:00",
    "ketogenic",
    "protein_restriction",
    "oral_glucose 75 g once at 09:00",
    "sleep_deprivation",
    "stress",
    "training",
)
WEEK, BLOCK = 168.0, 256
BELOW = 1e-4  # of a state's largest magnitude: a third of the error tolerance; a level further below zero is odd
COSTLY = 3.0  # times the median number of steps


@dataclass(frozen=True)
class Case:
    """One drawn person with a protocol."""

    person: Person
    protocol: Protocol


def cases(model: Model, count: int, seed: int) -> Iterator[Case]:
    """Drawn persons who can exist, with what is done to them."""
    conditions = sorted(c for c in model.library.conditions if c != "healthy")
    drawn = 0
    for index in range(100 * count):
        random = stream(seed, "robustness", index)
        state = " + ".join(_condition(model, str(c), random) for c in random.choice(conditions, random.integers(0, 3), replace=False))
        age, sex = f"{random.uniform(18, 90):.1f} years", "MF"[random.integers(2)]
        try:
            person = Person(state or "healthy", sex, age, name=f"case {index}", draw=(seed, index))
            person.resolve(model)
        except (DomainError, InputError):
            continue
        yield Case(person, Protocol.parse(_protocol(random), model.library))
        drawn += 1
        if drawn == count:
            return


def _condition(model: Model, name: str, random: np.random.Generator) -> str:
    said = []
    for key, severity in model.library.conditions[name].severities.items():
        if severity.levels:
            said.append(f"{key} = {random.choice(sorted(severity.levels))}")
        elif severity.low is not None and severity.high is not None:
            value, unit = random.uniform(severity.low, severity.high), severity.unit
            said.append(f"{key} = {value * (100 if unit == 'percent' else 1):.4g} {unit.replace('dimensionless', '')}".strip())
    return f"{name}({', '.join(said)})" if said else name


def _protocol(random: np.random.Generator) -> str:
    acts = []
    for drug in random.choice(sorted(DOSES), random.integers(0, 4), replace=False):
        usual, rest = DOSES[str(drug)]
        acts.append(f"{drug} {float(usual) * 10 ** random.uniform(-1, 0.7):.4g} {rest}")
    acts += [str(way) for way in random.choice(WAYS, random.integers(0, 2), replace=False)]
    return "; ".join(acts) or "nothing"


def said(case: Case) -> set[str]:
    """Conditions, therapies and ways of life of a case."""
    return {word for word in f"{case.person.state} {case.protocol}".replace("(", " ").split() if word.isidentifier()}


def main() -> None:
    """Run, print, and write the report."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("--people", type=int, default=10_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--json", type=Path)
    how = asked.parse_args()
    model = Model.load(therapies=tuple(DOSES))
    runner = OwnEngine().compile(model.sbml, model.states)
    day = model.library.days["ordinary"]
    every, found, block = np.arange(0.0, WEEK + 1.0, 2.0), [], []
    begun, busy, deepest, failed, bad = time.time(), 0.0, 0.0, [], []

    def run(block: list[Case]) -> None:
        nonlocal busy, deepest
        courses = []
        for case in block:
            told = case.person.resolve(model)
            courses.append(Course(case.person.name, told, case.protocol, day, 0, 0.0, told.targets))
        asked = batch(model, runner, courses, WEEK, every[every <= WEEK], np.empty((0, 2)))
        clock = time.process_time()
        answer, counts, _ = runner.traced(asked, DEFAULT)
        busy += time.process_time() - clock
        lost = {f.lane for f in answer.failures}
        failed.extend(
            f"{block[f.lane].person}; {block[f.lane].protocol}: {f.reason} in {f.state} at {f.time:.2f} h" for f in answer.failures
        )
        for lane, case in enumerate(block):
            found.append((int(counts[lane].sum()), case))
            if lane in lost:
                continue
            values = answer.values[lane]
            if not np.isfinite(values).all():
                bad.append(f"{case.person}; {case.protocol}: not a number")
            low, peak = values.min(axis=0), np.abs(values).max(axis=0)
            share = low / np.maximum(peak, 1e-30)
            deepest = min(deepest, float(share.min()))
            for k in np.flatnonzero(share < -BELOW):
                bad.append(f"{case.person}; {case.protocol}: {runner.watched[k]} down to {low[k]:.3g} (largest {peak[k]:.3g})")

    for case in cases(model, how.people, how.seed):
        block.append(case)
        if len(block) == BLOCK:
            run(block)
            block = []
            print(f"{len(found)} persons, {len(failed)} failed, {len(bad)} with odd levels, {time.time() - begun:.0f} s", flush=True)
    if block:
        run(block)
    steps = np.array([count for count, _ in found])
    middle = float(np.median(steps))
    costly = [case for count, case in found if count > COSTLY * middle]
    words = Counter(word for case in costly for word in said(case))
    everyone = Counter(word for _, case in found for word in said(case))
    common = {w: [n, everyone[w]] for w, n in words.most_common(60) if n / max(len(costly), 1) > 2 * everyone[w] / len(found)}
    report = {
        "people": len(found),
        "seed": how.seed,
        "failed": failed,
        "odd": bad,
        "deepest below zero, of the largest": deepest,
        "steps": {"median": middle, "p99": float(np.percentile(steps, 99)), "most": int(steps.max())},
        "costly": {"count": len(costly), "in common [costly, all]": common},
        "cpu_s": busy,
        "person_weeks_per_cpu_s": len(found) / busy,
    }
    print(json.dumps({**report, "failed": len(failed), "odd": len(bad)}, indent=1))
    for line in (*failed[:20], *bad[:20]):
        print(line)
    if how.json:
        how.json.parent.mkdir(parents=True, exist_ok=True)
        how.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
