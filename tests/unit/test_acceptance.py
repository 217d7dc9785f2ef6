"""The accepted scoreboard: what has changed since, and when it needs a reason."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_validation import GAIN, LIBRARY, finding, read, study

from ghaxis import acceptance
from ghaxis.acceptance import Accepted
from ghaxis.errors import InputError
from ghaxis.evidence import References, all_findings
from ghaxis.model import Model
from ghaxis.report import tables
from ghaxis.scoring import Prediction, score_study
from ghaxis.validation import Scoreboard

TODAY = datetime.date(2026, 11, 24)
STUDIES = [
    study("one", finding("one_igf", GAIN, "80 percent"), finding("one_vat", GAIN, "-15 percent", measure="VAT")),
    study("two", finding("two_igf", GAIN, "60 percent"), use="validation"),
    study("three", finding("three_order", ["treated@0 h", "placebo@0 h"], expect="decreasing", claim="D3")),
]


def board(studies=STUDIES, **said):
    """A board on which findings are predicted as printed, but for those that are said otherwise."""
    references = References(all_findings(studies, LIBRARY))
    verdicts = []
    for record in studies:
        rows = [(f, Prediction(said.get(f.id, f.middle or 2.0), None, None, said.get(f.id + "_parts", (2.0, 1.0)))) for f in read(record)]
        verdicts += score_study(rows, references)
    return Scoreboard(tuple(verdicts), ())


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.setattr(acceptance, "identity", lambda model: str(model))
    return SimpleNamespace(root=str(tmp_path))


def accepted(library, first=None, model="m1") -> Accepted:
    Accepted.of(library).accept(first or board(), model, date=TODAY)
    return Accepted.of(library)


def test_the_first_acceptance_needs_no_reason_and_can_be_read_again(library) -> None:
    found = accepted(library)
    assert found.model == "m1"
    assert found.findings["one_vat"] == {"study": "one", "topic": "other", "use": "calibration", "claim": "", "error": 0.0, "passed": True}
    assert [(row["date"], row["because"], row["claim"]["passed"]) for row in found.history] == [("2026-11-24", "", 1)]
    assert json.loads(found.path.read_text())["summary"]["calibration"]["n"] == 2
    difference = found.difference(board(), "m1")
    assert not difference and difference.same_model and difference.complaints == () and tables.changes(difference) == []


def test_what_became_better_worse_new_and_gone(library) -> None:
    found = accepted(library, board(one_igf=0.4))
    now = board([*STUDIES[:1], STUDIES[2], study("four", finding("four_igf", GAIN, "50 percent"))], one_vat=-0.05)
    difference = found.difference(now, "m2")
    assert [c.name for c in difference.better] == ["one_igf"] and [c.name for c in difference.worse] == ["one_vat"]
    assert (difference.new, difference.gone) == (("four_igf",), ("two_igf",))
    assert not difference.same_model
    text = "\n".join(tables.changes(difference))
    for word in ("not the accepted one", "one_vat 0 to", "new (1): four_igf", "gone (1): two_igf", "other (validation)"):
        assert word in text


def test_a_step_below_the_noise_is_no_change(library) -> None:
    assert not accepted(library).difference(board(one_igf=0.78), "m1")


@pytest.mark.parametrize(
    ("later", "why"),
    [
        (board(one_igf=0.2), "the calibration error rose from 0 to"),
        (board(two_igf=0.2), "the validation error rose from 0 to"),
        (board(STUDIES[:2]), "1 findings are not scored any more (three_order)"),
        (board(three_order_parts=(1.0, 2.0)), "1 claims are not met any more (three_order)"),
        (board([replace(STUDIES[0], use="extra"), *STUDIES[1:]]), "2 findings changed their use (one_igf, one_vat)"),
    ],
)
def test_what_is_worse_or_less_needs_a_reason(later, why: str, library) -> None:
    found = accepted(library)
    before = found.path.read_text()
    with pytest.raises(InputError) as told:
        found.accept(later, "m2", date=TODAY)
    assert why in str(told.value) and "--because" in str(told.value) and "CHANGELOG.md" in str(told.value)
    assert found.path.read_text() == before
    found.accept(later, "m2", "The biology is better", TODAY)
    assert [row["because"] for row in Accepted.of(library).history] == ["", "The biology is better"]


def test_new_studies_that_fit_badly_are_no_step_back(library) -> None:
    """The mean may rise by new evidence; on the old it did not."""
    found = accepted(library)
    found.accept(board([*STUDIES, study("four", finding("four_igf", GAIN, "50 percent"))], four_igf=5.0), "m1", date=TODAY)
    assert Accepted.of(library).history[-1]["because"] == ""


def test_identity_follows_numbers_and_not_words() -> None:
    model = Model.load()
    same = acceptance.identity(model)
    day = model.library.days["ordinary"]
    worded = replace(model.library, days={**model.library.days, "ordinary": replace(day, title="Another title")})
    later = replace(
        model.library, days={**model.library.days, "ordinary": replace(day, habits=(replace(day.habits[0], level=0.123), *day.habits[1:]))}
    )
    assert acceptance.identity(Model(worded)) == same
    assert acceptance.identity(Model(later)) != same
