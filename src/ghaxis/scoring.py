"""Scoring: one prediction beside one finding.

A level's error is its fold less 1; a contrast's is the distance of effects over max(|effect|, SE, 5 %). One assay factor is free for each
study and analyte that the study lists under `assay`; ratios within the study are not touched by it.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ghaxis import units
from ghaxis.evidence import FLOOR, NO_CHANGE, Finding, References

ASSAY_SD = 0.2  # prior SD of an assay's log scale factor
ASSAY_LIMIT = 2.0  # in prior SDs: assays differ by up to about 1.5-fold, so no factor may excuse more
RESIDUAL_SD = 0.2  # SD of a level's log error that the factor is weighed against, about what repeats of one study differ by
CAP = 5.0  # one finding cannot cost more than this in an average
RIGHT = 0.5  # largest error that passes
_WORST = 1e6  # stands for an error without bound
_PROPORTIONAL = ("level", "mean", "peak", "nadir", "increment", "area")  # readings that an assay's scale multiplies
_Z90 = 1.644854


@dataclass(frozen=True)
class Prediction:
    """What a run says of a finding: its value in the finding's unit, the standard error of its *effect* over persons and tapes (None from a
    single lane), and the predicted comparator of a difference (the mean of its last reading).

    `stated`, of a constant: whether the number's own source names the finding's study, so that agreement proves only the transcription.
    """

    value: float
    se: float | None = None
    comparator: float | None = None
    parts: tuple[float, ...] = ()
    stated: bool | None = None


@dataclass(frozen=True)
class Verdict:
    """One finding, scored.

    `low` and `high` bound what such a study would print (90 %); `effect_predicted` includes the assay factor, `predicted` does not;
    `log_ratio` is ln(predicted / observed); `reference_errors` are those of *nothing*, *shelf* and *noise*; `prediction` is what the run
    said.
    """

    finding: Finding
    predicted: float
    low: float | None
    high: float | None
    effect_observed: float | None
    effect_predicted: float | None
    error: float | None
    fold: float | None
    direction_right: bool | None
    passed: bool
    covered: bool | None
    log_ratio: float | None
    reference_errors: tuple[float | None, float | None, float | None]
    note: str
    prediction: Prediction
    stated: bool | None = None

    def row(self) -> dict[str, Any]:
        """The verdict as `validate --json` prints it."""
        record = self.finding.record
        row = {
            "study": self.finding.study.key,
            "id": self.finding.id,
            "use": self.finding.study.use,
            "claim": record.claim,
            "kind": record.kind,
            "measure": self.finding.measure.name,
            "observed": self.finding.middle,
            "predicted": self.predicted,
            "low": self.low,
            "high": self.high,
            "effect_observed": self.effect_observed,
            "effect_predicted": self.effect_predicted,
            "error": self.error,
            "fold": self.fold,
            "direction_right": self.direction_right,
            "passed": self.passed,
            "note": self.note,
        }
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def score_study(predictions: Sequence[tuple[Finding, Prediction]], references: References) -> list[Verdict]:
    """All findings of one study, with its free assay factors: for the model, and for each reference its own."""
    run = [f for f, _ in predictions if f.form not in ("order", "constant")]
    nothing = {f.id: references.nothing(f) for f in run}
    shelf = {f.id: references.shelf(f) for f in run}
    factors = assay_factors([(f, f.effect(p.value)) for f, p in predictions])
    errors_of = [_reference_errors(predictions, known) for known in (nothing, shelf)] + [_noise(predictions, references)]
    verdicts = []
    for finding, prediction in predictions:
        if finding.form == "order":
            verdicts.append(_order(finding, prediction))
            continue
        nothing_error, shelf_error, noise = (errors.get(finding.id) for errors in errors_of)
        verdicts.append(_score(finding, prediction, factors, (nothing_error, shelf_error, noise)))
    return verdicts


def _reference_errors(predictions: Sequence[tuple[Finding, Prediction]], known: Mapping[str, float | None]) -> dict[str, float]:
    """The errors of what somebody else says of the findings of one study, by id, with the assay factors that fit what is said."""
    said = [(f, p, effect) for f, p in predictions if (effect := known.get(f.id)) is not None]
    factors = assay_factors([(f, effect) for f, _, effect in said])
    return {f.id: _error(f, _adjusted(f, effect, factors), p.comparator)[0] for f, p, effect in said}


def _noise(predictions: Sequence[tuple[Finding, Prediction]], references: References) -> dict[str, float]:
    """The typical error that one study makes in predicting another: each other study of the same is the prediction in turn, and the
    errors, each at most CAP, are averaged.

    Both studies scatter: this is what cannot be told from perfect, not what a perfect model scores.
    """
    by_study: dict[str, dict[str, float | None]] = {}
    for finding, _ in predictions:
        for key, effect in (references.singles(finding) if finding.form not in ("order", "constant") else {}).items():
            by_study.setdefault(key, {})[finding.id] = effect
    errors: dict[str, list[float]] = {}
    for known in by_study.values():
        for id_, error in _reference_errors(predictions, known).items():
            errors.setdefault(id_, []).append(min(error, CAP))
    return {id_: sum(found) / len(found) for id_, found in errors.items()}


def analyte(finding: Finding) -> str | None:
    """What the study's assay table scales in this finding: levels and differences of an analyte; None for anything else."""
    if (
        finding.form not in ("level", "difference")
        or finding.measure.reads not in _PROPORTIONAL
        or (finding.form == "level" and not finding.positive)
    ):
        return None
    return next((name for name in finding.study.assay if name in (finding.measure.of, finding.measure.name)), None)


def assay_factors(effects: Iterable[tuple[Finding, float]]) -> dict[str, float]:
    """Log scale factor of each analyte of a study: the mean log ratio of observed to predicted levels, shrunk to its prior and limited."""
    rest: dict[str, list[float]] = {}
    for finding, effect in effects:
        name = analyte(finding)
        if name and finding.form == "level" and finding.middle is not None and math.isfinite(effect):
            rest.setdefault(name, []).append(finding.effect(finding.middle) - effect)
    weight = (RESIDUAL_SD / ASSAY_SD) ** 2
    limit = ASSAY_LIMIT * ASSAY_SD
    return {name: min(max(sum(r) / (len(r) + weight), -limit), limit) for name, r in rest.items()}


def _adjusted(finding: Finding, effect: float, factors: Mapping[str, float]) -> float:
    factor = factors.get(analyte(finding) or "", 0.0)
    return effect + factor if finding.is_level else effect * math.exp(factor)


def _error(finding: Finding, effect: float, comparator: float | None) -> tuple[float, float]:
    """Error of an effect, and the floor below which effects of this finding are not told from none.

    A level's error is its fold less 1. A contrast's is the distance to what was printed over max(|effect|, SE, floor); the floor is 5 %: of
    the comparator for a difference in a unit. A printed "no change" has no error when it is met, else the effect in multiples of 10 %.
    """
    low, high = finding.target
    distance = low - effect if effect < low else effect - high if effect > high else 0.0
    size = abs(comparator) if finding.form == "difference" and comparator else 1.0
    floor = FLOOR * size
    if finding.no_change:
        if abs(effect) < NO_CHANGE * size or (
            finding.interval and finding.effect(finding.interval[0]) <= effect <= finding.effect(finding.interval[1])
        ):
            return 0.0, floor
        return abs(effect) / (NO_CHANGE * size), floor
    if finding.is_level and finding.positive:
        return min(math.expm1(min(distance, 50.0)), _WORST), floor
    nearest_end = low if effect < low else high if effect > high else 0.0
    if distance == 0.0:
        return 0.0, floor
    return min(distance / max(abs(nearest_end), finding.se or 0.0, floor), _WORST), floor


def _score(
    finding: Finding,
    prediction: Prediction,
    factors: Mapping[str, float],
    references: tuple[float | None, float | None, float | None],
) -> Verdict:
    raw = finding.effect(prediction.value)
    effect = _adjusted(finding, raw, factors)
    error, floor = _error(finding, effect, prediction.comparator)
    middle = finding.middle
    observed = None if middle is None else finding.effect(middle)
    fold = math.exp(min(abs(effect - observed), 50.0)) if finding.positive and observed is not None and not finding.no_change else None
    spread = None if prediction.se is None and finding.se is None else math.hypot(prediction.se or 0.0, finding.se or 0.0)
    ends = None if spread is None else tuple(finding.from_effect(effect + sign * _Z90 * spread) for sign in (-1.0, 1.0))
    inside = None if spread is None else finding.target[0] - _Z90 * spread <= effect <= finding.target[1] + _Z90 * spread
    notes = [finding.record.note] if finding.record.note else []
    if (name := analyte(finding)) in factors:
        notes.append(f"assay factor of {name} x{math.exp(factors[str(name)]):.2f}")
    if prediction.stated:
        notes.append("this study is the source of the number")
    return Verdict(
        finding,
        prediction.value,
        None if ends is None else ends[0],
        None if ends is None else ends[1],
        observed,
        effect,
        error,
        fold,
        _direction(finding, effect, observed, floor),
        error <= RIGHT,
        inside,
        effect - observed if finding.positive and observed is not None and math.isfinite(effect) else None,
        references,
        "; ".join(notes),
        prediction,
        prediction.stated,
    )


def _direction(finding: Finding, effect: float, observed: float | None, floor: float) -> bool | None:
    """Whether the sign is right, for contrasts whose own is beyond doubt."""
    if finding.is_level or finding.no_change or observed is None:
        return None
    low, high = finding.target
    if min(abs(low), abs(high)) <= max(finding.se or 0.0, floor) or low * high < 0:
        return None
    return bool(effect * observed > 0)


def _order(finding: Finding, prediction: Prediction) -> Verdict:
    passed = meets(finding.record.expect or "", prediction.parts, finding.unit if finding.of[0].degree == 0 else finding.measure.unit)
    note = "; ".join(
        filter(None, (finding.record.note, f"expected {finding.record.expect}: {', '.join(f'{v:.3g}' for v in prediction.parts)}"))
    )
    return Verdict(
        finding, prediction.value, None, None, None, None, None, None, None, passed, None, None, (None, None, None), note, prediction
    )


def meets(expect: str, values: Sequence[float], unit: str = "dimensionless") -> bool:
    """Whether values are as expected: "decreasing", "increasing", "no change" (within 10 %), "< 0.9", "between 0.5 and 0.9" (every one)."""
    text = expect.strip()
    pairs = list(itertools.pairwise(values))
    if text in ("decreasing", "increasing"):
        return bool(pairs) and all(a > b if text == "decreasing" else a < b for a, b in pairs)
    if text == "no change":
        return all(abs(v - 1.0) < NO_CHANGE for v in values)
    if text.startswith("between"):
        low, high = (units.number(end, unit, "expect") for end in text.removeprefix("between").split(" and "))
        return all(low <= v <= high for v in values)
    sign = re.match(r"<=|>=|<|>", text)
    assert sign, f"unread expectation '{expect}'"
    bound = units.number(text[sign.end() :].strip(), unit, "expect")
    tests: dict[str, Callable[[float], bool]] = {
        "<": lambda v: v < bound,
        ">": lambda v: v > bound,
        "<=": lambda v: v <= bound,
        ">=": lambda v: v >= bound,
    }
    return all(tests[sign[0]](v) for v in values)


def unit_of(finding: Finding) -> str:
    """The unit of a finding's numbers as it is shown: none for ratios."""
    return "" if finding.unit == "dimensionless" else finding.unit
