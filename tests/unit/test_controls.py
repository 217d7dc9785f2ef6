"""Models that are known to be wrong score worse than the real one."""

from __future__ import annotations

import pytest
from test_validation import GAIN, LIBRARY, board, finding, study

from ghaxis.controls import controls, inert, with_effects
from ghaxis.model import Model
from ghaxis.reading import read_library
from ghaxis.treatment import Protocol
from ghaxis.validation import validate


def test_scaled_effects_are_those_of_an_empty_and_of_a_doubled_model() -> None:
    good = board(1.0)
    for scale in (0.0, 2.0):
        made, expected = with_effects(good, scale, LIBRARY), board(scale)
        for a, b in zip(made.verdicts, expected.verdicts, strict=True):
            if a.finding.form != "order":
                assert a.error == pytest.approx(b.error), a.finding.id
    assert with_effects(good, 1.0, LIBRARY).summary() == good.summary()
    assert with_effects(good, 0.0, LIBRARY).summary()["claim"]["passed"] == 0  # nothing ranks any more


def test_inert_drugs_have_no_dose_and_the_rest_stays() -> None:
    library = read_library()
    for text, expected in {
        "tesamorelin 2 mg sc daily at 08:00 for 26 weeks": "tesamorelin 0 mg sc daily at 08:00 for 26 weeks",
        "ghrp2 1 ug/kg iv once at 09:00; ghrh 1e2 ug iv once": "ghrp2 0 ug/kg iv once at 09:00; ghrh 0 ug iv once",
    }.items():
        made = inert(study("s", finding("x", GAIN, "1 percent"), do=text), library).arms["treated"].do
        assert made == expected
        assert Protocol.parse(made, library).therapies == Protocol.parse(text, library).therapies
    assert "fast from 22:00" in inert(study("s", do="tesamorelin 2 mg sc daily; fast from 22:00"), library).arms["treated"].do


def test_every_drug_of_every_study_can_be_made_inert() -> None:
    library = read_library()
    for record in library.studies.values():
        if record.setting == "people":
            for arm in inert(record, library).arms.values():
                Protocol.parse(arm.do, library)


@pytest.mark.parametrize("names", [["gobburu1999", "imbimbo1994"]])
def test_the_scoreboard_can_tell(names: list[str]) -> None:
    model = Model.load()
    found = {name: made.summary()["calibration"]["error"] for name, made in controls(model, validate(model, names)).items()}
    assert found["the model"] < 0.7 * found["no drug does anything"]
