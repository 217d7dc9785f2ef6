"""Write the golden courses anew: `make golden`. Say in the changelog why they changed.

Each course starts from the levels in the text of the model (not settled) and has no noise: it depends on equations, numbers, person and
protocol alone. libRoadRunner runs it at tolerances so tight that another machine draws the same curve.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from ghaxis.engine import Tolerances
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.simulation import Request, Result, simulate_many
from ghaxis.treatment import Protocol

COURSES = Path(__file__).parent / "courses"
TIGHT = Tolerances(1e-8, 1e-11)
SHOWN = ("GH", "GHRH", "pSTAT5_nuc", "IGF1", "IGF1_free", "FFA", "glucose", "VAT")


@dataclass(frozen=True)
class Case:
    """One course to keep: who, what is given, how long, what is kept, on which day."""

    state: str = "healthy"
    person: Mapping[str, Any] = field(default_factory=dict)
    give: str = "nothing"
    until: float = 24.0
    watch: tuple[str, ...] = SHOWN
    day: str = "ordinary"
    begin: str = "08:00"

    def request(self, model: Model, step: float = 1.0) -> Request:
        """The course as it is asked for."""
        times = tuple(float(t) for t in np.arange(0.0, self.until + 1e-9, step))
        who, what = Person(self.state, **self.person), Protocol.parse(self.give, model.library)
        return Request(who, what, times, self.watch, self.begin, self.day, noise=None, settled=False)


CASES = {
    "man": Case(),
    "woman_65_night_shift": Case(person={"sex": "F", "age": "65 years"}, day="night_shift"),
    "visceral_obesity_diet": Case("visceral_obesity", give="energy 0.7 of need", until=48.0, watch=(*SHOWN, "SAT", "insulin")),
    "masld_tesamorelin": Case(
        "masld(steatosis = 20 percent)",
        {"sex": "F", "age": "52 years", "bmi": "33 kg/m**2"},
        "tesamorelin 2 mg sc daily at 08:00",
        48.0,
        (*SHOWN, "liver_fat", "level_tesamorelin"),
    ),
    "mash_f3_mk677": Case("mash(fibrosis = 3)", {"age": "50 years"}, "mk677 25 mg oral daily at 09:00", 24.0, (*SHOWN, "SOCS3", "TNF")),
    "cirrhosis_c_rhgh": Case(
        "cirrhosis(child_pugh = C)", {"age": "55 years"}, "rhgh 0.06 mg/kg sc once at 08:00", 24.0, (*SHOWN, "GHR_surface", "albumin")
    ),
    "woman_70_rhgh": Case(person={"sex": "F", "age": "70 years"}, give="rhgh 0.4 mg sc daily at 21:00", until=48.0),
    "laron_rhigf1": Case("laron", {"sex": "F", "age": "30 years"}, "rhigf1 20 ug/kg/h iv for 6 h", 24.0, (*SHOWN, "IGFBP3")),
    "synergy": Case(give="ghrh 1 ug/kg iv once at 09:00; ghrp2 1 ug/kg iv once at 09:00", until=6.0, begin="08:30"),
    "hexarelin_after_octreotide": Case(give="octreotide 100 ug sc once at 08:00; hexarelin 2 ug/kg iv once at 10:00", until=12.0),
    "fast": Case(give="fast from 20:00 for 48 h", until=48.0, watch=(*SHOWN, "insulin", "KB")),
    "exercise_prednisone": Case(
        give="exercise 30 min at 1.25 LT at 09:00; prednisone 20 mg oral daily at 08:00", watch=(*SHOWN, "cortisol")
    ),
    "t2d_pegvisomant": Case("t2d", {"age": "45 years"}, "pegvisomant 20 mg sc daily at 08:00", 24.0),
}


def whole() -> Model:
    """The model with every therapy of the cases: one compilation serves all."""
    model = Model.load()
    therapies = {t for case in CASES.values() for t in Protocol.parse(case.give, model.library).therapies}
    return model.with_therapies(sorted(therapies))


def run(model: Model, engine: str = "referee", tolerances: Tolerances | None = TIGHT) -> dict[str, Result]:
    """All courses, at the tolerances given or (None) at those that the engine's results are reported at."""
    requests = [case.request(model) for case in CASES.values()]
    if tolerances is None:
        return dict(zip(CASES, simulate_many(model, requests, engine), strict=True))
    with patch("ghaxis.simulation.tolerances", return_value=tolerances):
        return dict(zip(CASES, simulate_many(model, requests, engine), strict=True))


def kept(case: Case, result: Result) -> dict[str, Any]:
    """What is written of a course."""
    curves = {name: {"unit": result[name].unit, "values": [float(f"{v:.7g}") for v in result[name].values]} for name in case.watch}
    return {"person": str(result.person), "protocol": str(result.protocol), "hours": [float(t) for t in result.times], "curves": curves}


def main() -> None:
    """Run every case and replace its file."""
    results = run(whole())
    COURSES.mkdir(exist_ok=True)
    for path in COURSES.glob("*.json"):
        path.unlink()
    for name, case in CASES.items():
        (COURSES / f"{name}.json").write_text(json.dumps(kept(case, results[name])) + "\n")
    print(f"wrote {len(CASES)} courses to {COURSES}")


if __name__ == "__main__":
    main()
