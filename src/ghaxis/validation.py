"""validate(): prediction beside finding for many studies, and the scoreboard that cannot flatter.

Each study weighs 1 in every summary. Beside each stands what one would have scored on the same findings without a model: *nothing* (no
effect), *shelf* (what other studies found), and *noise* (what studies of the same thing differ by: below it, no model can be told from a
perfect one).
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ghaxis import units
from ghaxis.errors import GhaxisError
from ghaxis.evidence import Finding, References, Study, Unreadable, all_findings, find_studies
from ghaxis.keeping import Kept
from ghaxis.measure import watched
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.reading.book import Book
from ghaxis.reading.numbers import number_of
from ghaxis.reading.records import Library, StudyRecord
from ghaxis.scoring import CAP, Prediction, Verdict, score_study, unit_of
from ghaxis.simulation import bring_to_rest
from ghaxis.treatment import Protocol
from ghaxis.trial import Outcomes, Trial, persons

TAPES = 8  # of the typical person: single samples of GH differ several-fold between moments
TIERS = (("within_1_25", 0.25), ("within_1_5", 0.5), ("within_2", 1.0))
SUMMARISED = ("calibration", "validation")
REFERENCES = ("nothing", "shelf", "noise")


@dataclass(frozen=True)
class Scoreboard:
    """All verdicts, and what could not be run with its reason."""

    verdicts: tuple[Verdict, ...]
    skipped: tuple[Unreadable, ...]

    def json(self) -> dict[str, Any]:
        """What `validate --json` prints: findings, summary, skipped."""
        return {
            "findings": [v.row() for v in self.verdicts],
            "summary": self.summary(),
            "skipped": [dataclasses.asdict(s) for s in self.skipped],
        }

    def rows(self) -> list[dict[str, Any]]:
        """The findings for tables and figures: as in `json`, with topic, form, unit, the references' errors, the printed 95 % interval as
        effects, and for constants of the text whether this study is their source (`stated`, else None)."""
        return [
            {
                **v.row(),
                "topic": topic_of(v.finding.study),
                "form": _form(v.finding),
                "stated": v.stated,
                "unit": unit_of(v.finding),
                **dict(zip(REFERENCES, v.reference_errors, strict=True)),
                **_effect_interval(v.finding),
            }
            for v in self.verdicts
        ]

    def summary(self) -> dict[str, dict[str, Any]]:
        """Calibration and validation apart, each study weighing 1; constants of the text and claims apart; `extra` in none of them."""
        scored = [v for v in self.verdicts if v.error is not None and v.finding.study.use in SUMMARISED]
        by_use = {use: _summary(self._scored(use)) for use in SUMMARISED}
        claims = [v for v in self.verdicts if v.finding.record.claim or v.finding.study.use == "claim"]
        constants = _constants([v for v in scored if v.finding.form == "constant"])
        return {**by_use, "constants": constants, "claim": {"n": len(claims), "passed": sum(v.passed for v in claims)}}

    def topics(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The summaries of calibration, validation and both together: of "all", then by topic, the one with the most findings first."""
        uses = {use: self._scored(use) for use in SUMMARISED}
        uses["both"] = [v for verdicts in uses.values() for v in verdicts]
        found = Counter(topic_of(v.finding.study) for v in uses["both"])
        return {
            topic: {use: _summary([v for v in verdicts if topic in ("all", topic_of(v.finding.study))]) for use, verdicts in uses.items()}
            for topic in ("all", *(topic for topic, _ in found.most_common()))
        }

    def _scored(self, use: str) -> list[Verdict]:
        """The outcomes of one use: neither orders, which have no error, nor constants of the text."""
        return [v for v in self.verdicts if v.finding.study.use == use and v.error is not None and v.finding.form != "constant"]

    def __str__(self) -> str:
        lines = [
            f"{v.finding.id}: {_text(v.finding.middle)} observed, {_text(v.predicted)} predicted, error {_text(v.error)}"
            for v in self.verdicts
        ]
        return "\n".join([*lines, *(f"{s.id or s.study}: not run: {s.reason}" for s in self.skipped)])


def validate(
    model: Model,
    studies: str | Path | StudyRecord | Sequence[str | Path | StudyRecord] = (),
    *,
    use: str | Sequence[str] | None = None,
    people: int = 1,
    tapes: int | None = None,
    seed: int = 0,
    engine: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
    keep: Kept | None = None,
) -> Scoreboard:
    """Score the model on studies by name, file, folder or record (all of the library by default), those of `use` only where given.

    `people` are persons in each group (1: the typical one), each on `tapes` noise tapes (eight for the typical person, else one). Whatever
    cannot be run stands under `skipped` with its reason and stops nothing. `progress(done, all)` counts studies; of a single one, its
    persons and courses. `keep` holds finished blocks, so that an interrupted run goes on. Raises InputError for a name that is no study.
    """
    asked = [studies] if isinstance(studies, str | Path | StudyRecord) else list(studies)
    records, skipped = find_studies(model.library, asked)
    wanted = (use,) if isinstance(use, str) else tuple(use or ())
    records = [r for r in records if not wanted or r.use in wanted]
    references = references_of(model.library, records)
    verdicts: list[Verdict] = []
    equipped = model.with_therapies(_therapies(records, model))
    every = [Study.of(record, model.library) for record in records]
    watch, book = _watch(every), Book(model.library)
    inside = progress if len(every) == 1 else None
    resting = _people(every, people, seed)
    steps = len(resting) + len(every)
    if len(every) > 1:
        bring_to_rest(equipped, resting, engine, lambda done: progress(done, steps) if progress else None)
    for done, study in enumerate(every):
        if progress and len(every) > 1:
            progress(len(resting) + done, steps)
        skipped += study.unreadable
        whole = () if study.record.parts else watch
        outcomes, failures = _outcomes(
            equipped, study, people, tapes or (TAPES if people == 1 else 1), seed, engine, whole, workers, inside, keep
        )
        skipped += failures
        failed = {f.id for f in failures}
        predictions, unread = predict([f for f in study.findings if f.id not in failed and f.tokens], outcomes)
        skipped += unread
        read, unread = constants(study, book, equipped)
        predictions += read
        skipped += unread
        verdicts += score_study(predictions, references)
    if progress and len(every) != 1:
        progress(steps, steps)
    return Scoreboard(tuple(verdicts), tuple(skipped))


def _people(studies: Sequence[Study], people: int, seed: int) -> list[tuple[Person, str]]:
    """Everyone who takes part in a study of whole people, and the day on which they come to rest."""
    found: list[tuple[Person, str]] = []
    for study in studies:
        record = study.record
        used = {(arm.who, arm.day) for name, arm in record.arms.items() if any(name == a for f in study.findings for a, _ in f.tokens)}
        for who, day in sorted(used) if not record.parts else ():
            with contextlib.suppress(GhaxisError):  # said where the arm is run
                found += [(person, day) for person in persons(record, record.people[who], people, seed)]
    return list(dict.fromkeys(found))


def references_of(library: Library, records: Iterable[StudyRecord] = ()) -> References:
    """What is behind *nothing*, *shelf* and *noise*: studies of the library and those asked for; no `extra` one: it counts in nothing."""
    every = {record.key: record for record in (*library.studies.values(), *records) if record.use != "extra"}
    return References(all_findings(every.values(), library))


def _therapies(records: Sequence[StudyRecord], model: Model) -> list[str]:
    """All therapies of the studies: one compiled model serves them all."""
    words = {word for record in records for arm in record.arms.values() for word in re.findall(r"[A-Za-z_]\w*", arm.do)}
    return sorted(words & set(model.library.therapies) | set(model.therapies))


def _watch(studies: Sequence[Study]) -> tuple[str, ...]:
    """What the studies of whole people read, together: one compiled model serves them all."""
    measures = {f.measure.name: f.measure for study in studies if not study.record.parts for f in study.findings if f.tokens}
    return tuple(dict.fromkeys(name for measure in measures.values() for name in watched(measure)))


def _outcomes(
    model: Model,
    study: Study,
    people: int,
    tapes: int,
    seed: int,
    engine: str,
    watch: Sequence[str],
    workers: int | None,
    progress: Callable[[int, int], None] | None = None,
    keep: Kept | None = None,
) -> tuple[Outcomes, list[Unreadable]]:
    """All arms of a study at once; where that fails, arm by arm, so that one bad arm costs only its own findings."""
    reasons: dict[str, str] = {}
    record = study.record
    for name, treated in record.arms.items():
        try:
            Protocol.parse(treated.do, model.library)
            persons(record, record.people[treated.who], people, seed)
        except GhaxisError as error:
            reasons[name] = str(error)
    found = Outcomes({}, {}, {})
    good = dataclasses.replace(
        study,
        record=dataclasses.replace(record, arms={name: one for name, one in record.arms.items() if name not in reasons}),
        findings=tuple(f for f in study.findings if f.tokens and not any(arm in reasons for arm, _ in f.tokens)),
    )
    if good.findings:
        trial = Trial.of(good, people, tapes, seed, model.library)
        try:
            found = trial.run(model, engine, progress, watch=watch, workers=workers, keep=keep)
        except GhaxisError:
            for arm in trial.arms:
                try:
                    found = found.join(trial.only(arm).run(model, engine, progress, watch=watch, workers=workers, keep=keep))
                except GhaxisError as error:
                    reasons[arm] = str(error)
    broken = [(finding, arm) for finding in study.findings for arm in [next((a for a, _ in finding.tokens if a in reasons), None)] if arm]
    lost = [f"{len(found.left_out)} persons left out, the first: {who}: {why}" for who, why in list(found.left_out.items())[:1]]
    return found, [
        *(Unreadable(record.key, finding.id, f"arm '{arm}': {reasons[arm]}") for finding, arm in broken),
        *(Unreadable(record.key, "", what) for what in lost),
    ]


def predict(findings: Sequence[Finding], outcomes: Outcomes) -> tuple[list[tuple[Finding, Prediction]], list[Unreadable]]:
    """The findings' values from a trial's readings; those that have none (no pulse, a denominator of zero) with the reason."""
    made: list[tuple[Finding, Prediction]] = []
    unread: list[Unreadable] = []
    for finding in findings:
        try:
            made.append((finding, predicted(finding, outcomes)))
        except GhaxisError as error:
            unread.append(Unreadable(finding.study.key, finding.id, str(error)))
    return made, unread


def constants(study: Study, book: Book, model: Model) -> tuple[list[tuple[Finding, Prediction]], list[Unreadable]]:
    """What the text says of a study's constants, in the printed unit: no run is needed."""
    made: list[tuple[Finding, Prediction]] = []
    unread: list[Unreadable] = []
    for finding in study.findings:
        if finding.form == "constant":
            try:
                number = number_of(finding.record.number, book, model.definitions)
                value = units.convert(number.value, number.unit, finding.unit)
                made.append((finding, Prediction(value, stated=study.key in number.studies)))
            except GhaxisError as error:
                unread.append(Unreadable(study.key, finding.id, str(error)))
    return made, unread


def predicted(finding: Finding, outcomes: Outcomes) -> Prediction:
    """`of` over the means of its readings; its standard error by the jackknife over persons and tapes, group by group."""
    lanes = {}
    for arm, at in finding.tokens:
        lanes[arm, at] = outcomes.of(arm, finding.measure.name, at, finding.record.window, finding.record.sampling).ravel()
        if np.isnan(lanes[arm, at]).any():
            raise _empty(finding, arm, at)
    means = {token: float(v.mean()) for token, v in lanes.items()}
    values = tuple(of.evaluate(means) for of in finding.of)
    last = finding.of[0].tokens[-1]
    if finding.form == "order":
        return Prediction(values[0], None, None, values)
    variance = 0.0
    groups = {outcomes.arms[arm].who for arm, _ in finding.tokens}
    for group in groups:
        mine = [token for token in lanes if outcomes.arms[token[0]].who == group]
        n = len(lanes[mine[0]])
        if n < 2:
            return Prediction(values[0], None, means[last], values)
        without = [
            finding.effect(finding.of[0].evaluate({**means, **{token: float(np.delete(lanes[token], k).mean()) for token in mine}}))
            for k in range(n)
        ]
        variance += (n - 1) / n * float(np.sum((np.array(without) - np.mean(without)) ** 2)) if all(map(math.isfinite, without)) else 0.0
    return Prediction(values[0], math.sqrt(variance), means[last], values)


def _empty(finding: Finding, arm: str, at: float) -> GhaxisError:
    return GhaxisError(f"{finding.measure.name} has nothing to read in arm '{arm}' at {at:g} h (no pulse, no decline)")


def _summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Means over studies of means over their findings.

    `bias` and `aafe` are geometric, over levels and ratios. `error` is the model's mean error; `nothing`, `shelf` and `noise` are the
    references' on the findings on which they have one. `skill` compares the model with the shelf on those; `error_where_noise` is the
    model's error where another study measured the same, and `within_noise` how often it is not above the noise there.
    """
    tiers = {name: _mean_by_study((v, float((v.error or 0.0) <= limit)) for v in verdicts) for name, limit in TIERS}
    log = [(v, v.log_ratio) for v in verdicts if v.log_ratio is not None and not v.finding.no_change]
    bias, aafe = _mean_by_study(log), _mean_by_study((v, abs(r)) for v, r in log)
    shelved = [v for v in verdicts if v.reference_errors[1] is not None]
    own, shelf = (
        _mean_by_study((v, _capped(v.error)) for v in shelved),
        _mean_by_study((v, _capped(v.reference_errors[1])) for v in shelved),
    )
    noisy = [(v, noise) for v in verdicts if (noise := v.reference_errors[2]) is not None]
    return {
        "n": len(verdicts),
        "studies": len({v.finding.study.key for v in verdicts}),
        **tiers,
        "bias": None if bias is None else math.exp(bias),
        "aafe": None if aafe is None else math.exp(aafe),
        "directions": _mean_by_study((v, float(v.direction_right)) for v in verdicts if v.direction_right is not None),
        "coverage": _mean_by_study((v, float(v.covered)) for v in verdicts if v.covered is not None),
        "skill": None if own is None or not shelf else 1.0 - own / shelf,
        "nothing": _mean_by_study((v, _capped(v.reference_errors[0])) for v in verdicts if v.reference_errors[0] is not None),
        "shelf": shelf,
        "noise": _mean_by_study((v, _capped(noise)) for v, noise in noisy),
        "error": _mean_by_study((v, _capped(v.error)) for v in verdicts),
        "error_where_noise": _mean_by_study((v, _capped(v.error)) for v, _ in noisy),
        "within_noise": _mean_by_study((v, float(_capped(v.error) <= noise)) for v, noise in noisy),
    }


def topic_of(study: StudyRecord) -> str:
    """What a study is about; "other" where it does not say."""
    return study.topic or "other"


def _constants(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Numbers of the text beside printed ones. Where the number's own source names the study (`stated`), agreement proves only the
    transcription; `independent` are the others."""
    parts = {word: [v for v in verdicts if v.stated is stated] for word, stated in (("stated", True), ("independent", False))}
    return {
        "n": len(verdicts),
        "studies": len({v.finding.study.key for v in verdicts}),
        **{name: _mean_by_study((v, float((v.error or 0.0) <= limit)) for v in verdicts) for name, limit in TIERS},
        **{word: {"n": len(some), "passed": sum(v.passed for v in some)} for word, some in parts.items()},
    }


def _capped(error: float | None) -> float:
    return CAP if error is None or not math.isfinite(error) else min(error, CAP)


def _mean_by_study(rows: Iterable[tuple[Verdict, float]]) -> float | None:
    by_study: dict[str, list[float]] = {}
    for verdict, value in rows:
        by_study.setdefault(verdict.finding.study.key, []).append(value)
    return float(np.mean([np.mean(v) for v in by_study.values()])) if by_study else None


def _form(finding: Finding) -> str:
    """How the finding compares; a constant is drawn and told as a level, and a level that may be negative as a difference."""
    return finding.form if not finding.is_level else "level" if finding.positive else "difference"


def _effect_interval(finding: Finding) -> dict[str, float | None]:
    ends = finding.interval or (None, None)
    effects = [None if end is None or not math.isfinite(e := finding.effect(end)) else e for end in ends]
    return {"effect_low": effects[0], "effect_high": effects[1]}


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
