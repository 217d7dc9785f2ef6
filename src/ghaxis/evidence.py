"""What is known: findings as numbers with an effect and, where print allows, its standard error; and what other studies would have said.

A *level* is scored by its fold error, and so is a *constant*, a number of the model's text that no run gives. A *contrast* is scored as an
effect: the logarithm of the ratio that `of` forms (`a/b`, `a/b - 1`), else the difference in the measure's unit. Only printed SD (with the
arm's n), SE and 95 % intervals become standard errors; guessed ones, ranges and quartiles never do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ghaxis import units
from ghaxis.errors import InputError, LibraryError, UnitError, nearest
from ghaxis.reading import read_study
from ghaxis.reading.arithmetic import Of, parse_of
from ghaxis.reading.records import FindingRecord, Library, MeasureRecord, PeopleRecord, StudyRecord

Form = Literal["level", "ratio", "relative", "logarithm", "difference", "share", "order", "constant"]
FLOOR = 0.05  # effects below this (5 %) are not told from none
ALIKE_AGE = 15.0  # years by which groups may differ and still be the same people for the noise between studies
NO_CHANGE = 0.1  # a printed "no change" is met by an effect below this
_Z95 = 1.959964


@dataclass(frozen=True)
class Finding:
    """One published number, ready to be compared.

    `value`, `low`, `high` and `interval` (a printed 95 % interval) are in `unit`: the measure's for levels and differences, none for
    ratios, the printed one for constants (whose measure is their own arithmetic). `low` and `high` bound the truth where only a range or a
    bound is printed. `se` is the standard error of the *effect*.
    """

    study: StudyRecord
    record: FindingRecord
    measure: MeasureRecord
    of: tuple[Of, ...]
    form: Form
    unit: str
    value: float | None
    low: float | None
    high: float | None
    se: float | None
    interval: tuple[float, float] | None

    @property
    def id(self) -> str:
        """The finding's id in the evidence."""
        return self.record.id

    @property
    def positive(self) -> bool:
        """Whether it lives on a logarithmic scale: a ratio, or a level above zero of what can only be above zero (not a balance)."""
        if self.is_level:
            return not self.measure.options.get("signed") and all(v > 0 for v in (self.value, self.low, self.high) if v is not None)
        return self.form in ("ratio", "relative", "logarithm")

    @property
    def is_level(self) -> bool:
        """Whether it is an amount of something, of a run or of the text: no contrast."""
        return self.form in ("level", "constant")

    @property
    def no_change(self) -> bool:
        """A printed "no change"."""
        return self.record.bound == "none_seen"

    @property
    def tokens(self) -> tuple[tuple[str, float], ...]:
        """Every (arm, hours) that it reads."""
        return tuple(dict.fromkeys(token for of in self.of for token in of.tokens))

    @property
    def middle(self) -> float | None:
        """The printed value, or the middle of the printed range (geometric for levels and ratios)."""
        if self.value is not None or self.low is None or self.high is None:
            return self.value if self.value is not None else self.low if self.low is not None else self.high
        return self.from_effect((self.effect(self.low) + self.effect(self.high)) / 2)

    @property
    def target(self) -> tuple[float, float]:
        """The effects that agree with what was printed: one point, a range, or one side of a bound."""
        if self.record.bound == "upper" and self.value is not None:
            return -math.inf, self.effect(self.value)
        if self.record.bound == "lower" and self.value is not None:
            return self.effect(self.value), math.inf
        if self.value is not None:
            return (self.effect(self.value),) * 2
        return (-math.inf if self.low is None else self.effect(self.low), math.inf if self.high is None else self.effect(self.high))

    def effect(self, value: float) -> float:
        """A value on the scale on which it is scored; minus infinity for a ratio or level that is not positive."""
        ratio = 1.0 + value if self.form == "relative" else value
        if self.form in ("ratio", "relative") or (self.is_level and self.positive):
            return math.log(ratio) if ratio > 0 else -math.inf
        return value

    def from_effect(self, effect: float) -> float:
        """The inverse of `effect`."""
        if self.form in ("ratio", "relative") or (self.is_level and self.positive):
            return math.exp(effect) - (1.0 if self.form == "relative" else 0.0)
        return effect

    @property
    def context(self) -> tuple[str, str, str]:
        """What makes two findings comparable: measure with scale, conditions without severities, what was given before the reading."""
        arm, at = self.of[0].tokens[0]
        record = self.study.arms[arm]
        state = self.study.people[record.who].state if record.who in self.study.people else ""
        conditions = sorted(part.strip() for part in re.sub(r"\([^()]*\)", "", state).split("+"))
        scale = self.form if self.form in ("difference", "level") else "effect"
        later = at > 0 or (self.record.window or self.measure.window or "0 h").rpartition(" to ")[2] != "0 h"
        return f"{self.measure.name}:{scale}", " + ".join(conditions), " + ".join(acts(record.do)) if later else ""

    def same(self, other: Finding) -> bool:
        """Whether another finding of this context measured the same: the state with its severities, what was done with its doses and times,
        the window; and where both print them, the sex and the age (within 15 years)."""
        (mine, age), (theirs, their_age) = self._measured, other._measured
        sexes = {str(f._group.given.get("sex", "mixed")) for f in (self, other) if f._group} - {"mixed"}
        return mine == theirs and len(sexes) < 2 and (age is None or their_age is None or abs(age - their_age) <= ALIKE_AGE)

    @property
    def _measured(self) -> tuple[tuple[str, str, float, str], float | None]:
        arm, at = self.of[0].tokens[0]
        group, treated = self._group, self.context[2]
        done = (" ".join(self.study.arms[arm].do.split()), at) if treated else ("", 0.0)
        age = group.given.get("age") if group else None
        ends = [str(age[key]) for key in ("mean", "median", "low", "high") if key in age] if isinstance(age, Mapping) else [str(age or "")]
        years = [units.number(text, "year", "age") for text in ends if text]
        return (" ".join((group.state if group else "").split()), *done, self.record.window or ""), float(np.mean(years)) if years else None

    @property
    def _group(self) -> PeopleRecord | None:
        return self.study.people.get(self.study.arms[self.of[0].tokens[0][0]].who)


def acts(protocol: str) -> tuple[str, ...]:
    """The words that open the acts of a protocol text, sorted: what was given or done, without dose and time."""
    opened = [re.match(r"[A-Za-z_][\w-]*", act.strip()) for act in re.split(r"[;\n+]|\bthen\b", protocol)]
    return tuple(sorted({match[0] for match in opened if match and match[0] != "nothing"}))


@dataclass(frozen=True)
class Unreadable:
    """A finding (or a whole study, `id` empty) that cannot be compared, and why."""

    study: str
    id: str
    reason: str


@dataclass(frozen=True)
class Study:
    """One paper: its record, its findings as numbers, and those that cannot be read."""

    record: StudyRecord
    findings: tuple[Finding, ...]
    unreadable: tuple[Unreadable, ...] = field(default=())

    @property
    def key(self) -> str:
        """The paper's key."""
        return self.record.key

    @classmethod
    def of(cls, record: StudyRecord, library: Library) -> Study:
        """Read the numbers of a record; whatever cannot be read is listed with its reason, never dropped."""
        findings: list[Finding] = []
        unreadable: list[Unreadable] = []
        for finding in record.findings:
            try:
                findings.append(_finding(finding, record, library.measures))
            except (InputError, UnitError) as error:
                unreadable.append(Unreadable(record.key, finding.id, str(error)))
        return cls(record, tuple(findings), tuple(unreadable))


def shares_subjects(study: StudyRecord) -> frozenset[str]:
    """Keys of studies of the same people, from the context rows `shares_subjects_with`."""
    rows = [row.get("shares_subjects_with", "") for row in study.context]
    return frozenset(word for row in rows for word in re.findall(r"\w+", row))


def find_studies(library: Library, asked: Sequence[str | Path | StudyRecord]) -> tuple[list[StudyRecord], list[Unreadable]]:
    """Studies by name, file or folder (all of the library where nothing is asked), and the files that could not be read."""
    if not asked:
        return list(library.studies.values()), []
    records: list[StudyRecord] = []
    failed: list[Unreadable] = []
    for one in asked:
        if isinstance(one, StudyRecord):
            records.append(one)
        elif str(one) in library.studies:
            records.append(library.studies[str(one)])
        elif Path(one).is_dir() or Path(one).is_file():
            for path in sorted(Path(one).glob("*.toml")) if Path(one).is_dir() else [Path(one)]:
                try:
                    records.append(read_study(path, library))
                except LibraryError as error:
                    failed += [Unreadable(str(path), "", str(m)) for m in sorted(error.mistakes, key=lambda m: m.place)]
        else:
            hint = nearest(str(one), library.studies)
            raise InputError(f"no study, file or folder '{one}'" + (f"; did you mean '{hint}'?" if hint else ""))
    return records, failed


def _finding(record: FindingRecord, study: StudyRecord, measures: Mapping[str, MeasureRecord]) -> Finding:
    if record.number:
        printed = next(text for text in (record.value, record.low, record.high) if text is not None)
        unit = units.split(printed)[1] or "dimensionless"
        own = MeasureRecord(record.number, "a number of the model's text", record.number, unit, "number", "", "", {}, "", record.place)
        return _filled(record, study, own, (), "constant", unit)
    if record.measure not in measures:
        hint = nearest(record.measure, measures)
        raise InputError(f"unknown measure '{record.measure}'" + (f"; did you mean '{hint}'?" if hint else ""))
    measure = measures[record.measure]
    of = tuple(parse_of(text, study.arms) for text in record.of)
    form = form_of(record, of)
    return _filled(record, study, measure, of, form, measure.unit if form in ("level", "difference") else "dimensionless")


def _filled(record: FindingRecord, study: StudyRecord, measure: MeasureRecord, of: tuple[Of, ...], form: Form, unit: str) -> Finding:
    """The finding with its printed amounts as numbers in `unit`."""
    value, low, high = (
        None if text is None else units.number(text, unit, what)
        for text, what in ((record.value, "value"), (record.low, "low"), (record.high, "high"))
    )
    draft = Finding(study, record, measure, of, form, unit, value, low, high, None, None)
    se, interval = _precision(draft)
    return Finding(study, record, measure, of, form, unit, value, low, high, se, interval)


def form_of(record: FindingRecord, of: Sequence[Of]) -> Form:
    """How the arithmetic of a finding compares: from the shape of its `of`, not from its words."""
    if record.kind == "order" or (record.expect and record.value is None):
        return "order"
    degree = of[0].degree
    if degree == 1:
        return "level" if record.kind in ("level", "constant") else "difference"
    if degree != 0:
        raise InputError(f"'{of[0].text}' is neither a level, a difference nor a ratio")
    return of[0].shape


def _precision(draft: Finding) -> tuple[float | None, tuple[float, float] | None]:
    """Standard error of the effect and the printed interval; (None, None) where print gives neither."""
    spread = draft.record.spread
    if "ci95" in spread:
        low, high = (units.number(end, draft.unit, "ci95") for end in spread["ci95"].split(" to "))
        ends = draft.effect(low), draft.effect(high)
        return ((ends[1] - ends[0]) / (2 * _Z95) if all(map(math.isfinite, ends)) else None), (low, high)
    if draft.value is None:
        return None, None
    if "se" in spread:
        error = units.number(spread["se"], draft.unit, "se")
    elif "sd" in spread and draft.record.n:
        error = units.number(spread["sd"], draft.unit, "sd") / math.sqrt(draft.record.n)
    else:
        return None, None
    scale = {"relative": 1.0 + draft.value, "ratio": draft.value}.get(draft.form, draft.value if draft.is_level and draft.positive else 1.0)
    interval = draft.value - _Z95 * error, draft.value + _Z95 * error
    return abs(error / scale) if scale else None, interval


@dataclass(frozen=True)
class References:
    """What one would say without a model, from many findings: effects on the finding's scale, None where nothing is known."""

    findings: tuple[Finding, ...]
    _known: Mapping[tuple[str, str, str], tuple[tuple[Finding, float], ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known: dict[tuple[str, str, str], tuple[tuple[Finding, float], ...]] = {}
        for finding in self.findings:
            if (
                finding.form not in ("order", "constant")
                and finding.middle is not None
                and math.isfinite(effect := finding.effect(finding.middle))
            ):
                known[finding.context] = (*known.get(finding.context, ()), (finding, effect))
        object.__setattr__(self, "_known", known)

    def nothing(self, finding: Finding) -> float | None:
        """No effect; for a level, what other studies saw in healthy untreated people."""
        return self._mean(finding, (finding.context[0], "healthy", "")) if finding.form == "level" else 0.0

    def shelf(self, finding: Finding) -> float | None:
        """The mean of other studies with the same measure, state and intervention, else *nothing*."""
        known = self._mean(finding, finding.context)
        return self.nothing(finding) if known is None else known

    def singles(self, finding: Finding) -> dict[str, float]:
        """What each other study that measured the same (see `Finding.same`) found, by its key: their scatter is the *noise*."""
        return self._others(finding, finding.context, exactly=True)

    def _mean(self, finding: Finding, context: tuple[str, str, str]) -> float | None:
        """Mean over studies, each weighing 1."""
        known = self._others(finding, context)
        return float(np.mean(list(known.values()))) if known else None

    def _others(self, finding: Finding, context: tuple[str, str, str], exactly: bool = False) -> dict[str, float]:
        """The mean effect in each study of a context; studies of the finding's own people are left out."""
        key, shared = finding.study.key, shares_subjects(finding.study)
        by_study: dict[str, list[float]] = {}
        for other, effect in self._known.get(context, ()):
            apart = other.study.key != key and other.study.key not in shared and key not in shares_subjects(other.study)
            if apart and other.positive == finding.positive and (not exactly or finding.same(other)):
                by_study.setdefault(other.study.key, []).append(effect)
        return {key: float(np.mean(v)) for key, v in by_study.items()}


def all_findings(records: Iterable[StudyRecord], library: Library) -> tuple[Finding, ...]:
    """The readable findings of many studies."""
    return tuple(f for record in records for f in Study.of(record, library).findings)
