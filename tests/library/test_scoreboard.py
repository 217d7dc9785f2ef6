"""The accepted scoreboard that stands in the library is that of this model and of these studies, and every step back has its reason."""

from pathlib import Path

from ghaxis.acceptance import Accepted, identity
from ghaxis.model import Model
from ghaxis.reading import read_library

LIBRARY = read_library()
ACCEPTED = Accepted.of(LIBRARY)
AGAIN = "the library has changed: run `ghaxis validate --accept` (see CONTRIBUTING.md)"


def test_it_is_that_of_this_model() -> None:
    assert ACCEPTED.model == identity(Model.load(LIBRARY)), AGAIN


def test_it_accounts_for_every_finding() -> None:
    known = {finding.id for study in LIBRARY.studies.values() for finding in study.findings}
    assert {*ACCEPTED.findings, *ACCEPTED.values["skipped"]} == known, AGAIN


def test_every_step_back_has_its_reason_in_the_changelog() -> None:
    changelog = " ".join((Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8").split())
    assert [row["because"] for row in ACCEPTED.history if " ".join(row["because"].split()) not in changelog] == []


def test_its_history_ends_with_it() -> None:
    last, summary = ACCEPTED.history[-1], ACCEPTED.values["summary"]
    assert last["model"] == ACCEPTED.model[:12]
    assert last["calibration"]["error"] == summary["calibration"]["error"]
