"""Look-up of the evidence: what is known of a measure, what stands behind a number, what rests on a study."""

from __future__ import annotations

import pytest
from test_validation import GAIN, finding

from ghaxis.errors import InputError
from ghaxis.lookup import backing, is_quantity, known, tell, value_of
from ghaxis.model import Model
from ghaxis.reading import read_library
from ghaxis.reading.sources import keys_of

LIBRARY = read_library()
MODEL = Model.load(LIBRARY, therapies=("tesamorelin",))


def test_every_finding_of_a_measure_is_known_once() -> None:
    ids = [k.id for k in known(LIBRARY, "IGF1_total")]
    assert len(ids) == len(set(ids))
    assert set(ids) == {f.id for s in LIBRARY.studies.values() for f in s.findings if f.measure == "IGF1_total"}


def test_people_and_acts_narrow_it_down() -> None:
    ill = known(LIBRARY, "IGF1_total", "cirrhosis")
    assert ill and all("cirrhosis" in k.state for k in ill)
    treated = known(LIBRARY, "IGF1_total", "cirrhosis", "rhgh")
    assert {k.id for k in treated} < {k.id for k in ill} and all("rhgh" in k.given for k in treated)
    base = next(k for k in ill if k.id == "donaghy1997_igf1_base")
    assert (base.given, base.value, base.spread) == ("nothing", "69.2 ug/L", "se 7 ug/L")  # before the first dose
    well = known(LIBRARY, "IGF1_total", "healthy")
    assert any(k.id == "assy2008_basal_ctrl" for k in well) and not any(k.id == "donaghy1997_igf1_base" for k in well)


def test_a_quantity_gives_all_its_measures() -> None:
    assert {"IGF1_total", "IGF1_half_life"} <= {k.measure for k in known(LIBRARY, "IGF1")}


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        (("IGF1_totl",), "IGF1_total"),
        (("IGF1_total", "cirhosis"), "cirrhosis"),
        (("IGF1_total", None, "rghh"), "rhgh"),
        (("zzz",), "list measures"),
    ],
)
def test_a_slip_is_answered(asked: tuple[str, ...], hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        known(LIBRARY, *asked)


def test_values_are_told_as_printed() -> None:
    assert value_of(finding("x", GAIN, "3 percent", bound="upper")) == "< 3 percent"
    assert value_of(finding("x", GAIN, low="1", high="2")) == "1 to 2"
    assert value_of(finding("x", GAIN, "0 percent", bound="none_seen")) == "no change (0 percent)"
    assert value_of(finding("x", GAIN, expect="> 2")) == "expected > 2"


def test_a_number_leads_to_its_studies() -> None:
    (ho, hartman) = backing(LIBRARY, "fitted: ho1988_auc_fast5, hartman1992_prod_fast2")
    assert (ho.study, hartman.study) == ("ho1988", "hartman1992")
    assert "371 ug/L/day" in hartman.findings[0] and len(hartman.findings) == 1
    assert backing(LIBRARY, "assumed: small") == ()


def test_a_study_leads_to_the_numbers_that_rest_on_it() -> None:
    told = tell(MODEL, "falutz2007")
    assert told.use == "calibration" and len(told.findings) == 4
    resting = [d.name for d in MODEL.definitions.values() if "falutz2007" in keys_of(d.source)]
    assert resting and all(any(text.startswith(f"{name} =") for text in told.rests_on_it) for name in resting)
    one = tell(MODEL, "falutz2007_vat_26w_tesa")
    assert one.key == "falutz2007" and len(one.findings) == 1
    only_indexed = tell(MODEL, "haffner1994")
    assert only_indexed.findings == () or only_indexed.citation


def test_names_of_all_three_kinds_are_told_apart() -> None:
    assert is_quantity(MODEL, "IGF1") and not is_quantity(MODEL, "falutz2007")
    with pytest.raises(InputError, match="falutz2007"):
        is_quantity(MODEL, "falutz207")
