"""Controls of the scoreboard itself: models known to be wrong, which must score worse than the real one, or the scoreboard cannot tell."""

from __future__ import annotations

import dataclasses
import itertools
import re

from ghaxis.evidence import Finding, References
from ghaxis.model import Model
from ghaxis.reading.records import Library, StudyRecord
from ghaxis.scoring import Prediction, Verdict, score_study
from ghaxis.validation import Scoreboard, references_of, validate


def with_effects(board: Scoreboard, scale: float, library: Library) -> Scoreboard:
    """The board of a model whose every contrast is the predicted one times `scale` on its effect scale (0: nothing ever differs; 2: every
    response doubled). Levels stay as they are; of an order the distances between its parts scale."""
    references = references_of(library, {v.finding.study.key: v.finding.study for v in board.verdicts}.values())
    return dataclasses.replace(board, verdicts=tuple(_rescored(board, scale, references)))


def _rescored(board: Scoreboard, scale: float, references: References) -> list[Verdict]:
    found: list[Verdict] = []
    for _, verdicts in itertools.groupby(board.verdicts, key=lambda v: v.finding.study.key):
        found += score_study([(v.finding, _scaled(v.finding, v.prediction, scale)) for v in verdicts], references)
    return found


def _scaled(finding: Finding, said: Prediction, scale: float) -> Prediction:
    if finding.form == "order":
        first = said.parts[0] if said.parts else said.value
        return dataclasses.replace(said, value=first, parts=tuple(first + scale * (part - first) for part in said.parts))
    if finding.is_level:
        return said
    return dataclasses.replace(
        said, value=finding.from_effect(scale * finding.effect(said.value)), se=scale * said.se if said.se else said.se
    )


def inert(study: StudyRecord, library: Library) -> StudyRecord:
    """The study with every dose of a drug set to zero; what is done besides (meals, fasts, exercise) stays, and so do the findings."""
    drugs = "|".join(sorted(library.therapies, key=len, reverse=True))
    dosed = re.compile(rf"(?<![\w.])({drugs})(\s+)(\d+\.?\d*(?:[eE][-+]?\d+)?)")
    arms = {name: dataclasses.replace(arm, do=dosed.sub(r"\g<1>\g<2>0", arm.do)) for name, arm in study.arms.items()}
    return dataclasses.replace(study, arms=arms)


def controls(model: Model, board: Scoreboard, engine: str = "auto", workers: int | None = None) -> dict[str, Scoreboard]:
    """The board of the real model, beside those of three wrong ones on the same studies: no drug does anything (their doses are zero),
    no contrast is any (all effects zero), every response is doubled."""
    library = model.library
    studies = list({v.finding.study.key: v.finding.study for v in board.verdicts}.values())
    zero = validate(model, [inert(study, library) for study in studies], engine=engine, workers=workers)
    originals = {v.finding.id: v.finding for v in board.verdicts}
    references = references_of(library, studies)
    told = [dataclasses.replace(v, finding=originals[v.finding.id]) for v in zero.verdicts if v.finding.id in originals]
    return {
        "the model": board,
        "no drug does anything": dataclasses.replace(zero, verdicts=tuple(_rescored(Scoreboard(tuple(told), ()), 1.0, references))),
        "no contrast is any": with_effects(board, 0.0, library),
        "every response doubled": with_effects(board, 2.0, library),
    }
