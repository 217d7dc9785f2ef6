"""The text of a protocol -> its strands. The grammar, `[ ]` optional, `{ }` repeated:

    protocol := strand { ";" strand }
    strand   := step { "then" step }
    step     := "nothing" [ "for" DURATION ] | act { "+" act }
    act      := THERAPY dose { when }  |  INTERVENTION { value } { when }  |  QUANTITY level { when }
    dose     := NUMBER UNIT [ ROUTE ] [ "infusion" ]        2 mg sc, 60 IU/kg, 1 ug/kg/h iv
    value    := NUMBER PARAMETER | PARAMETER "=" NUMBER [ UNIT ] | NUMBER UNIT        0.7 of need, 1.25 LT, 30 min
    when     := "once" | "daily" | "N times daily" | "weekly" | "N times weekly" | "every" DURATION | "N times"
              | "at" MOMENT { "and" MOMENT } | "from" MOMENT | "for" DURATION | "over" DURATION
    MOMENT   := a clock time (08:00: the next one) | a DURATION after the step begins

A dose may leave out its route where the therapy has one, `when` where acts joined by "+" share the last one's, and, after "then", the name
and all that stays as it was ("rhgh 0.2 mg sc daily for 4 weeks then 0.4 mg for 4 weeks").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from ghaxis import units
from ghaxis.errors import InputError, UnitError
from ghaxis.reading.records import InterventionRecord, Library, TherapyRecord
from ghaxis.treatment.acts import Act, Activity, Dose, Level, Moment, Step, Strand, Timing, dose_unit, hint
from ghaxis.treatment.schedule import Body, amount_in, definition_of, dose_target, event_length, level_in, step_end, unit_of

_TOKEN = re.compile(
    r"\s*(?:(?P<clock>\d{1,2}:\d\d)|(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<mark>[;,+=])|(?P<word>[A-Za-zµ%][\w.%*/^µ-]*))"
)
_ROUTES = {
    **dict.fromkeys(("s.c.", "subcutaneous", "subcutaneously"), "sc"),
    **dict.fromkeys(("i.v.", "intravenous", "intravenously"), "iv"),
    **dict.fromkeys(("po", "p.o.", "orally"), "oral"),
    **dict.fromkeys(("i.m.", "intramuscular"), "im"),
    "nasal": "intranasal",
}
_COUNTS = {"once": 1, "twice": 2, "thrice": 3, "three": 3, "four": 4, "five": 5, "six": 6}
_PERIODS = {"hour": 1.0, "day": 24.0, "night": 24.0, "week": 168.0}
_WHEN = ("once", "twice", "daily", "weekly", "every", "at", "from", "for", "over", "then", "times", "infusion", "and")


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


@dataclass
class _Draft:
    """One act while its words are read."""

    name: str
    record: TherapyRecord | InterventionRecord | None
    token: _Token
    amount: tuple[float, str] | None = None
    route: str | None = None
    infusion: bool = False
    values: dict[str, tuple[float, str]] = field(default_factory=dict)
    timing: Timing = field(default_factory=Timing)
    said: set[str] = field(default_factory=set)
    daily: int = 0


def parse(text: str, library: Library) -> tuple[Strand, ...]:
    """The strands of a protocol's text, checked against the library.

    Raises InputError (UnitError for units) that names the character and, where there is one, the nearest right word.
    """
    return _Reader(text, library).protocol()


class _Reader:
    """One text on its way to acts; `_next` is the token under the finger."""

    def __init__(self, text: str, library: Library):
        self.text, self.library = text, library
        self.tokens = self._split(text)
        self.position = 0

    def _split(self, text: str) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if not match or not match.lastgroup:
                lost = re.search(r"\S", text[at:])
                self._fail("cannot be read", _Token("", text[at:].strip()[:12], at + (lost.start() if lost else 0)))
            word = match[match.lastgroup]
            word = word if word.lower() in _ROUTES else word.rstrip(".")
            tokens.append(_Token(match.lastgroup, word, match.start(match.lastgroup)))
            at = match.end()
        return tokens

    # --- walking

    def _next(self, ahead: int = 0) -> _Token:
        place = self.position + ahead
        return self.tokens[place] if place < len(self.tokens) else _Token("end", "", len(self.text))

    def _take(self) -> _Token:
        token = self._next()
        self.position += 1
        return token

    def _word(self, *words: str, ahead: int = 0) -> bool:
        token = self._next(ahead)
        return token.kind in ("word", "mark") and token.text.lower() in words

    def _ends(self) -> bool:
        return self._next().kind == "end" or self._word(";", "then", "+")

    def _where(self, token: _Token) -> str:
        return f"protocol '{self.text.strip()}', character {token.at + 1}: "

    def _fail(self, what: str, token: _Token, near: str = "") -> NoReturn:
        shown = f"'{token.text}' " if token.text else "the end "
        raise InputError(f"{self._where(token)}{shown}{what}{near}")

    # --- structure

    def protocol(self) -> tuple[Strand, ...]:
        strands: list[Strand] = []
        while True:
            if (strand := self._strand()) != (Step(),):
                strands.append(strand)
            if self._next().kind == "end":
                return tuple(strands)
            if not self._word(";"):
                self._fail("does not belong here", self._next())
            self._take()
            if self._next().kind == "end":
                return tuple(strands)

    def _strand(self) -> Strand:
        steps: list[Step] = []
        before: Act | None = None
        while True:
            first = self._next()
            step, before = self._step(before)
            steps.append(step)
            if not self._word("then"):
                return tuple(steps)
            if step_end(step, self.library, 0.0) == float("inf"):
                self._fail("needs to say how long it goes on ('for 4 weeks') before 'then'", first)
            self._take()

    def _step(self, before: Act | None) -> tuple[Step, Act | None]:
        if self._word("nothing", "none", "placebo"):
            self._take()
            if self._word("for"):
                self._take()
                return Step(lasts=self._duration("for")), None
            return Step(), None
        drafts = [self._act(before)]
        while self._word("+"):
            self._take()
            drafts.append(self._act(None))
        shared = drafts[-1].timing
        acts = [self._finished(draft, draft.timing if draft.said else shared) for draft in drafts]
        return Step(tuple(acts)), acts[0] if len(acts) == 1 else None

    def _act(self, before: Act | None) -> _Draft:
        token = self._next()
        if token.kind == "number" and before is not None:
            draft = _Draft(before.name, self._record(before.name), token, route=before.route if isinstance(before, Dose) else None)
            self._items(draft)
            return self._carried(draft, before.timing)
        if token.kind != "word":
            self._fail("should be the name of a therapy, of an intervention, or 'nothing'", token)
        self._take()
        draft = _Draft(*self._named(token), token)
        self._items(draft)
        return draft

    @staticmethod
    def _carried(draft: _Draft, before: Timing) -> _Draft:
        """What a step without a name leaves unsaid stays as it was before; delays, counts and durations do not."""
        timing, said = draft.timing, draft.said
        if not {"every", "weekly", "once"} & said:
            timing = replace(timing, every=before.every, weekly=before.weekly)
        timing = replace(timing, at=timing.at if "at" in said else before.at, over=timing.over if "over" in said else before.over)
        draft.timing = timing
        said.add("carried")
        return draft

    def _record(self, name: str) -> TherapyRecord | InterventionRecord | None:
        return self.library.therapies.get(name) or self.library.interventions.get(name)

    def _named(self, token: _Token) -> tuple[str, TherapyRecord | InterventionRecord | None]:
        """The library's name behind a word; hyphens and capitals of a drug's or an intervention's name do not matter."""
        therapies, interventions = self.library.therapies, self.library.interventions
        plain = {_plain(name): name for name in (*interventions, *therapies)}
        drug = self._next().kind == "number" and self._looks_like_dose()
        name = token.text if token.text in therapies or token.text in interventions else plain.get(_plain(token.text), "")
        if name and (name == token.text or drug or definition_of(token.text, self.library) is None):
            return name, self._record(name)
        if definition_of(token.text, self.library) is not None:
            return token.text, None
        quantities = [d.name for fragment in self.library.fragments.values() for d in fragment.definitions]
        known = [*therapies, *interventions, "nothing", *quantities]
        self._fail("is no therapy, intervention or quantity", token, hint(token.text, known))

    def _looks_like_dose(self) -> bool:
        unit = self._next(1)
        if unit.kind != "word":
            return False
        try:
            dose_unit(unit.text)
        except UnitError:
            return False
        return True

    # --- the words of an act

    def _items(self, draft: _Draft) -> None:
        while not self._ends():
            token = self._next()
            if token.kind == "number":
                self._number(draft)
            elif token.text == ",":
                self._take()
            elif token.kind != "word":
                self._fail("does not belong here", token)
            elif not (self._when(draft) or self._route(draft) or self._parameter(draft)):
                known = [*_WHEN, *self._routes(), *(draft.record.parameters if isinstance(draft.record, InterventionRecord) else ())]
                self._fail("is not understood here", token, hint(token.text, known))

    def _number(self, draft: _Draft) -> None:
        token = self._next()
        if self._word("times", "x", ahead=1):
            self._take()
            self._take()
            self._counted(draft, int(float(token.text)), token)
        elif isinstance(draft.record, InterventionRecord):
            self._value(draft, draft.record)
        elif draft.amount is not None:
            self._fail("is a second amount: one dose has one", token)
        else:
            self._take()
            unit = self._unit(draft)
            draft.amount = (float(token.text), unit)
            if float(token.text) < 0 and draft.record is not None:
                self._fail("is a dose below zero", token)

    def _unit(self, draft: _Draft) -> str:
        """The unit after a number: of a dose, or of a level (which may have none)."""
        token = self._next()
        bare = token.kind != "word" or self._is_when(token) or token.text.lower() in self._routes()
        if bare and draft.record is None:
            return ""
        if bare:
            raise UnitError(f"{self._where(token)}the dose of {draft.name} needs a unit, like '{self._next(-1).text} mg'")
        self._take()
        text = token.text.replace("m**2", "m2").replace("m^2", "m2").replace("µ", "u")
        if draft.record is not None:
            dose_unit(text, self._where(token))
        return text

    def _value(self, draft: _Draft, record: InterventionRecord) -> None:
        """A number of an intervention: by the name after it, or by its unit."""
        token = self._take()
        value, word = float(token.text), self._next()
        if word.kind == "word" and word.text in record.parameters and units.same(record.parameters[word.text].unit, "dimensionless"):
            self._take()
            if self._word("need", "the"):
                self._take()
            self._set(draft, record, word.text, value, "", token)
            return
        unit = "" if word.kind != "word" or self._is_when(word) else self._take().text
        free = [p for p in record.parameters.values() if p.name not in draft.values and _fits(unit, p.unit)]
        if len(free) == 1:
            self._set(draft, record, free[0].name, value, unit, token)
        elif not free and unit and _fits(unit, "hour"):
            self._say(draft, "over", units.hours(f"{token.text} {unit}"), token)
        else:
            names = ", ".join(record.parameters) or "none"
            near = hint(unit, [*record.parameters, "min", "h"]) if unit else ""
            self._fail(f"{unit} is not a value of '{draft.name}' (its parameters: {names})".replace("  ", " "), token, near)

    def _set(self, draft: _Draft, record: InterventionRecord, name: str, value: float, unit: str, token: _Token) -> None:
        own = record.parameters[name].unit
        if name in draft.values:
            self._fail(f"sets {name} a second time", token)
        draft.values[name] = (units.number(f"{value!r} {unit}".strip(), own, self._where(token) + name), own)

    def _parameter(self, draft: _Draft) -> bool:
        if not (isinstance(draft.record, InterventionRecord) and self._next().text in draft.record.parameters and self._word("=", ahead=1)):
            return False
        name = self._take().text
        self._take()
        token = self._take()
        if token.kind != "number":
            self._fail(f"should be the number of {name}", token)
        unit = self._take().text if self._next().kind == "word" and not self._is_when(self._next()) else ""
        self._set(draft, draft.record, name, float(token.text), unit, token)
        return True

    def _routes(self) -> set[str]:
        words = {route for therapy in self.library.therapies.values() for route in therapy.routes}
        return {*words, *_ROUTES, "sc", "iv", "oral", "im"}

    def _route(self, draft: _Draft) -> bool:
        word = self._next().text.lower()
        word = _ROUTES.get(word, _ROUTES.get(word.rstrip("."), word))
        if word in ("infusion", "infused", "continuous", "continuously"):
            draft.infusion = True
        elif isinstance(draft.record, TherapyRecord) and word in self._routes():
            if draft.route is not None and "route" in draft.said:
                self._fail("is a second route", self._next())
            draft.route = word
        else:
            return False
        self._take()
        return True

    # --- when

    def _is_when(self, token: _Token) -> bool:
        return token.text.lower() in _WHEN or token.text.lower() in _COUNTS

    def _when(self, draft: _Draft) -> bool:
        token = self._next()
        word = token.text.lower()
        readers: dict[str, Callable[[_Draft, _Token], None]] = {
            "daily": lambda d, t: self._say(d, "every", 24.0, t),
            "nightly": lambda d, t: self._say(d, "every", 24.0, t),
            "weekly": lambda d, t: self._say(d, "every", 168.0, t),
            "hourly": lambda d, t: self._say(d, "every", 1.0, t),
            "every": self._every,
            "at": self._at,
            "from": lambda d, t: self._say(d, "start", self._moment("from"), t),
            "for": lambda d, t: self._say(d, "lasts", self._duration("for"), t),
            "over": lambda d, t: self._say(d, "over", self._duration("over"), t),
        }
        if word in readers:
            self._take()
            readers[word](draft, token)
        elif word in _COUNTS:
            self._take()
            if self._word("times"):
                self._take()
            self._counted(draft, _COUNTS[word], token, once=word == "once")
        else:
            return False
        return True

    def _say(self, draft: _Draft, name: str, value: Any, token: _Token) -> None:
        if name in draft.said:
            self._fail("is said a second time", token)
        if name in ("every", "weekly") and {"every", "weekly"} & draft.said:
            self._fail("is a second rhythm", token)
        draft.said.add(name)
        draft.timing = replace(draft.timing, **{name: value})

    def _counted(self, draft: _Draft, count: int, token: _Token, once: bool = False) -> None:
        """N times, N times daily, N times weekly."""
        if count < 1:
            self._fail("times is not possible", token)
        if self._word("daily") or (self._word("a", "per") and self._word("day", ahead=1)):
            self._take() if self._word("daily") else (self._take(), self._take())
            draft.daily = count
            self._say(draft, "every", 24.0 / count, token)
        elif self._word("weekly") or (self._word("a", "per") and self._word("week", ahead=1)):
            self._take() if self._word("weekly") else (self._take(), self._take())
            self._say(draft, "every" if count == 1 else "weekly", 168.0 if count == 1 else count, token)
        elif once:
            draft.said.add("once")
        else:
            self._say(draft, "times", count, token)

    def _every(self, draft: _Draft, token: _Token) -> None:
        if self._word("other") and self._word("day", ahead=1):
            self._take()
            self._take()
            self._say(draft, "every", 48.0, token)
        elif self._next().kind == "word" and self._next().text.lower() in _PERIODS:
            self._say(draft, "every", _PERIODS[self._take().text.lower()], token)
        else:
            self._say(draft, "every", self._duration("every"), token)

    def _at(self, draft: _Draft, token: _Token) -> None:
        record = draft.record
        unit = self._next(1)
        if isinstance(record, InterventionRecord) and self._next().kind == "number" and not _fits(unit.text, "hour"):
            self._value(draft, record)
            return
        moments = [self._moment("at")]
        while self._word("and", ","):
            self._take()
            moments.append(self._moment("at"))
        self._say(draft, "at", tuple(moments), token)

    def _moment(self, word: str) -> Moment:
        token = self._next()
        if token.kind == "clock":
            self._take()
            try:
                return Moment(units.clock(token.text) % 24.0, clock=True)
            except InputError as error:
                self._fail(f"is no time of day ({error})", token)
        return Moment(self._duration(word, f"a clock time (08:00) or a time after the start (2 h) after '{word}'"))

    def _duration(self, word: str, wanted: str = "") -> float:
        token = self._take()
        if token.kind != "number":
            self._fail(f"stands where {wanted or f'a duration (26 weeks) after {word!r}'} should be", token)
        unit = self._next()
        if unit.kind != "word":
            raise UnitError(f"{self._where(token)}'{token.text}' after '{word}' needs a unit of time, like '{token.text} weeks'")
        self._take()
        try:
            hours = units.hours(f"{token.text} {unit.text}", word)
        except UnitError:
            near = hint(unit.text, ("min", "h", "hours", "days", "weeks", "months", "years"))
            raise UnitError(f"{self._where(unit)}'{unit.text}' is no unit of time{near}") from None
        if hours < 0:
            self._fail("is a time below zero", token)
        return hours

    # --- from words to acts

    def _finished(self, draft: _Draft, timing: Timing) -> Act:
        place, record = self._where(draft.token), draft.record
        if draft.daily > 1 and len(timing.at) > 1:
            if len(timing.at) != draft.daily:
                raise InputError(f"{place}{draft.daily} times daily, but {len(timing.at)} times of day")
            timing = replace(timing, every=24.0)
        act: Act
        if isinstance(record, TherapyRecord):
            act = self._dose(draft, record, timing, place)
        elif isinstance(record, InterventionRecord):
            values = tuple((name, *draft.values[name]) for name in record.parameters if name in draft.values)
            act = Activity(draft.name, values, timing, place)
        else:
            if draft.amount is None:
                raise InputError(f"{place}say the level of '{draft.name}'")
            act = Level(draft.name, *draft.amount, timing, place)
            level_in(act, self.library, lambda name: act.unit)
        if timing.repeats and event_length(act, self.library) is None:
            raise InputError(f"{place}say how long each '{draft.name}' takes, like 'over 6 h'")
        if timing.lasts == 0 or (timing.every is not None and timing.every <= 0):
            raise InputError(f"{place}a duration of zero does nothing")
        return act

    def _dose(self, draft: _Draft, record: TherapyRecord, timing: Timing, place: str) -> Dose:
        if draft.amount is None:
            raise InputError(f"{place}say the dose of {draft.name}, like '{draft.name} 1 mg'")
        amount, unit = draft.amount
        timed_unit = dose_unit(unit).per_hours is not None
        if draft.infusion and not timed_unit and timing.over is None:
            if timing.lasts is None or timing.repeats:
                raise InputError(f"{place}say how long the infusion of {draft.name} takes, like 'over 6 h'")
            timing = replace(timing, over=timing.lasts, lasts=None)
        bolus = [route for route in record.routes if "infusion" not in route]
        infused = timed_unit or timing.over is not None
        route = draft.route or ("iv" if infused else bolus[0] if len(bolus) == 1 else "")
        if not route:
            raise InputError(f"{place}say the route of {draft.name}: {' or '.join(bolus)}")
        dose = Dose(draft.name, amount, unit, route, timing, place)
        target = dose_target(dose, record, infused)
        amount_in(dose, record, Body(1.0, 1.0), unit_of(target, self.library, record, infused))
        return dose


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).lower()


def _fits(unit: str, own: str) -> bool:
    """Whether a unit as written can be read as the parameter's own."""
    try:
        return units.same(unit or "dimensionless", own)
    except UnitError:
        return False
