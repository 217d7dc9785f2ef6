"""Scoring on hand-made predictions: the scoreboard must tell a good model from an empty, a doubled and a wrong-signed one."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from ghaxis.errors import Place
from ghaxis.evidence import References, Study, acts, all_findings, find_studies, shares_subjects
from ghaxis.reading.arithmetic import parse_of
from ghaxis.reading.records import ArmRecord, FindingRecord, Library, MeasureRecord, PeopleRecord, StudyRecord
from ghaxis.scoring import Prediction, assay_factors, meets, score_study
from ghaxis.validation import CAP, Scoreboard, references_of

HERE = Place("test.toml", 1)
MEASURES = {
    "IGF1_total": MeasureRecord("IGF1_total", "", "IGF1", "ug/L", "level", "0 h", "", {}, "", HERE),
    "VAT": MeasureRecord("VAT", "", "VAT", "kg", "level", "0 h", "", {}, "", HERE),
    "GH_pulse_count": MeasureRecord("GH_pulse_count", "", "GH", "dimensionless", "pulse_count", "24 h", "20 min", {}, "", HERE),
}
LIBRARY = Library("", {}, {}, {}, {}, {}, {}, MEASURES, {}, {})


def finding(
    id, of, value=None, measure="IGF1_total", kind=None, spread=None, n=None, bound=None, low=None, high=None, expect=None, claim=None
):
    of = (of,) if isinstance(of, str) else tuple(of)
    plain = parse_of(of[0], ("treated", "placebo")).is_plain
    kind = kind or ("order" if expect and value is None else "level" if plain else "contrast")
    return FindingRecord(id, measure, of, kind, value, low, high, spread or {}, n, bound, expect, claim, None, "", HERE)


def study(key, *findings, assay=None, state="healthy", do="tesamorelin 2 mg sc daily for 26 weeks", use="calibration", context=()):
    people = {"all": PeopleRecord("all", state, None, {}, HERE)}
    arms = {"treated": ArmRecord("treated", "all", do, HERE), "placebo": ArmRecord("placebo", "all", "nothing", HERE)}
    return StudyRecord(key, key, "", "abstract", use, "people", "", assay or {}, people, arms, findings, "human", (), {}, HERE, context)


GAIN = "treated@26 weeks / treated@0 h - 1"


def read(record):
    result = Study.of(record, LIBRARY)
    assert not result.unreadable, result.unreadable
    return result.findings


def one(record, value, others=(), **said):
    """The verdict on a study's first finding if the model says `value`."""
    return score_study([(read(record)[0], Prediction(value, **said))], References(all_findings(others, LIBRARY)))[0]


# --- evidence as numbers ------------------------------------------------------------------------------------------------------------


def test_forms_follow_the_arithmetic():
    texts = {
        "treated@0 h": "level",
        GAIN: "relative",
        "treated@26 weeks / placebo@26 weeks": "ratio",
        "treated@1 h - treated@0 h": "difference",
        "treated@1 h/treated@0 h - placebo@1 h/placebo@0 h": "share",
        "log(treated@1 h / treated@0 h)": "logarithm",
    }
    unit = {"level": " ug/L", "difference": " ug/L"}
    for of, form in texts.items():
        assert read(study("a", finding("x", of, "2" + unit.get(form, ""))))[0].form == form


def test_effects_and_standard_errors():
    relative, ratio, level, guessed = read(
        study(
            "a",
            finding("r", GAIN, "81 percent", spread={"se": "10 percent"}),
            finding("q", "treated@1 h/treated@0 h", "0.5", spread={"ci95": "0.25 to 1.0"}),
            finding("l", "treated@0 h", "200 ug/L", spread={"sd": "60 ug/L"}, n=9),
            finding("g", "treated@0 h", "200 ug/L", spread={"inferred_se": "1 ug/L"}, n=9),
        )
    )
    assert relative.target == pytest.approx((math.log(1.81),) * 2)
    assert relative.se == pytest.approx(0.10 / 1.81)
    assert ratio.se == pytest.approx(math.log(4) / (2 * 1.96), rel=1e-3)
    assert level.se == pytest.approx(20 / 200)
    assert guessed.se is None and guessed.interval is None  # a guess never weighs


def test_what_cannot_be_read_is_listed_with_its_reason():
    result = Study.of(
        study("a", finding("good", GAIN, "81 percent"), finding("bad", GAIN, "3 kg"), finding("odd", GAIN, "1", measure="VATs")), LIBRARY
    )
    assert [f.id for f in result.findings] == ["good"]
    assert {u.id for u in result.unreadable} == {"bad", "odd"}
    assert "did you mean 'VAT'" in next(u.reason for u in result.unreadable if u.id == "odd")


# --- one finding --------------------------------------------------------------------------------------------------------------------


def test_levels_are_scored_by_fold():
    record = study("a", finding("x", "treated@0 h", "150 ug/L"))
    for value, fold in ((150.0, 1.0), (300.0, 2.0), (75.0, 2.0)):
        verdict = one(record, value)
        assert verdict.fold == pytest.approx(fold)
        assert verdict.error == pytest.approx(fold - 1)
        assert verdict.direction_right is None


def test_contrasts_are_scored_as_effects_not_as_folds():
    record = study("a", finding("x", GAIN, "-15 percent", measure="VAT"))
    assert one(record, -0.15).error == pytest.approx(0.0, abs=1e-12)
    empty = one(record, 0.0)
    assert empty.fold < 1.2  # "within 1.25-fold", and yet
    assert empty.error == pytest.approx(1.0)
    assert empty.passed is False and empty.direction_right is False
    assert one(record, -0.01).direction_right is True
    assert one(record, 0.20).error > 2.0


def test_a_printed_standard_error_widens_what_counts_as_right():
    sharp, wide = (one(study("a", finding("x", GAIN, "6 percent", spread={"se": f"{se} percent"})), 0.15).error for se in (1, 20))
    assert wide < 0.5 < sharp


def test_no_change_and_bounds():
    record = study("a", finding("x", GAIN, "0 percent", bound="none_seen"))
    assert one(record, 0.05).error == 0 and one(record, 0.05).passed
    assert one(record, 0.30).error > 2 and not one(record, 0.30).passed
    assert one(record, 0.05).direction_right is None
    upper = study("a", finding("x", "treated@0 h", "10 ug/L", bound="upper"))
    assert one(upper, 3.0).error == 0
    assert one(upper, 20.0).error == pytest.approx(1.0)
    ranged = study("a", finding("x", "treated@6 days / treated@0 h", low="2", high="10"))
    assert one(ranged, 5.0).error == 0
    assert one(ranged, 1.0).error == pytest.approx(1.0)
    assert one(ranged, 1.0).direction_right is False
    assert one(ranged, 1.0).finding.middle == pytest.approx(math.sqrt(20))


def test_differences_have_a_floor_in_their_own_unit():
    record = study("a", finding("x", "treated@24 h - treated@0 h", "1 ug/L"))
    assert one(record, 3.0, comparator=200.0).error == pytest.approx(2 / 10)  # the floor: 5 % of 200 ug/L
    record = study("a", finding("x", "treated@24 h - treated@0 h", "100 ug/L"))
    assert one(record, 50.0, comparator=200.0).error == pytest.approx(0.5)
    assert one(record, -50.0, comparator=200.0).direction_right is False


def test_a_ratio_that_cannot_be_is_as_wrong_as_it_gets():
    verdict = one(study("a", finding("x", GAIN, "81 percent")), -1.0)
    assert verdict.error > CAP and verdict.passed is False
    json.dumps(verdict.row(), allow_nan=False)


def test_expectations():
    assert meets("decreasing", (3, 2, 1)) and not meets("decreasing", (3, 3, 1)) and not meets("decreasing", (1,))
    assert meets("increasing", (1, 2)) and not meets("increasing", (2, 1))
    assert meets("< 0.9", (0.5,)) and not meets("< 0.9", (0.5, 0.95))
    assert meets("> 200 ug/L", (250.0,), "ug/L") and meets("between 0.5 and 0.9", (0.7,)) and not meets("between 0.5 and 0.9", (0.4,))
    assert meets("no change", (1.05,)) and not meets("no change", (1.2,))
    record = study("a", finding("x", ["treated@0 h", "placebo@0 h"], expect="decreasing", claim="D3"))
    verdict = score_study([(read(record)[0], Prediction(2.0, parts=(2.0, 1.0)))], References(()))[0]
    assert verdict.passed and verdict.error is None


# --- assay factors ------------------------------------------------------------------------------------------------------------------


def test_one_assay_factor_for_study_and_analyte_leaves_ratios_alone():
    rows = (
        finding("a", "treated@0 h", "200 ug/L"),
        finding("b", "placebo@0 h", "400 ug/L"),
        finding("r", "treated@0 h / placebo@0 h", "0.5"),
    )
    said = (200 / 1.2**1.5, 400 / 1.2**1.5, 0.5)
    with_factor, without = (
        score_study([(f, Prediction(v)) for f, v in zip(read(study("s", *rows, assay=assay)), said, strict=True)], References(()))
        for assay in ({"IGF1": "RIA"}, {})
    )
    assert [v.fold for v in without[:2]] == pytest.approx([1.2**1.5] * 2)
    assert [v.fold for v in with_factor[:2]] == pytest.approx([1.2**0.5] * 2)  # two of three shares of the discrepancy
    assert with_factor[2].error == without[2].error == pytest.approx(0.0)
    assert with_factor[0].predicted == said[0]
    assert "assay factor of IGF1 x1.20" in with_factor[0].note


def test_an_assay_cannot_excuse_a_fourfold_error():
    """However many levels of a study are wrong together: assays differ by half, not by four."""
    rows = read(study("s", *(finding(f"x{k}", "treated@0 h", "120 ug/L") for k in range(8)), assay={"IGF1": "RIA"}))
    verdicts = score_study([(f, Prediction(30.0)) for f in rows], References(()))
    assert all(v.fold == pytest.approx(4 / math.exp(0.4)) and not v.passed for v in verdicts)


def test_balances_may_be_negative():
    """A level that can have either sign is scored by its difference, not by a fold."""
    balance = MeasureRecord("balance", "", "x", "g/day", "mean", "24 h", "", {"signed": True}, "", HERE)
    record = study("s", finding("x", "treated@0 h", "0.3 g/day", measure="balance"))
    found = Study.of(record, replace(LIBRARY, measures={**MEASURES, "balance": balance})).findings
    verdict = score_study([(found[0], Prediction(-0.3))], References(()))[0]
    assert verdict.fold is None and verdict.error == pytest.approx(2.0)


def test_an_assay_cannot_excuse_a_wrong_order():
    """Levels wrong in opposite directions have no common factor."""
    rows = read(study("s", finding("a", "treated@0 h", "100 ug/L"), finding("b", "placebo@0 h", "400 ug/L"), assay={"IGF1": "RIA"}))
    assert assay_factors([(rows[0], math.log(200)), (rows[1], math.log(200))])["IGF1"] == pytest.approx(0.0)


def test_a_pulse_count_has_no_assay_scale():
    rows = read(study("s", finding("a", "treated@0 h", "10", measure="GH_pulse_count"), assay={"GH": "IRMA"}))
    assert assay_factors([(rows[0], math.log(5))]) == {}


# --- references ---------------------------------------------------------------------------------------------------------------------


def test_shelf_and_nothing():
    mine = study("mine", finding("mine_x", GAIN, "81 percent"))
    others = [
        study("b", finding("b_x", GAIN, "60 percent")),
        study("c", finding("c_x", GAIN, "50 percent"), finding("c_y", GAIN, "70 percent")),
    ]
    references = References(all_findings([mine, *others], LIBRARY))
    target = read(mine)[0]
    assert references.nothing(target) == 0.0
    expected = (math.log(1.6) + (math.log(1.5) + math.log(1.7)) / 2) / 2
    assert references.shelf(target) == pytest.approx(expected)
    errors = score_study([(target, Prediction(0.81))], references)[0].reference_errors
    assert errors[0] == pytest.approx(1.0)
    assert errors[1] == pytest.approx((math.log(1.81) - expected) / math.log(1.81))


def test_shelf_does_not_look_at_itself_its_own_people_or_other_things():
    mine = study("mine", finding("mine_x", GAIN, "81 percent"), context=({"shares_subjects_with": "twin cousin"},))
    assert shares_subjects(mine) == {"twin", "cousin"}
    others = [
        study("twin", finding("t", GAIN, "81 percent")),
        study("ill", finding("i", GAIN, "10 percent"), state="masld(fibrosis = 2)"),
        study("drug", finding("d", GAIN, "10 percent"), do="rhgh 1 mg sc daily"),
        study("vat", finding("v", GAIN, "10 percent", measure="VAT")),
    ]
    references = References(all_findings([mine, *others], LIBRARY))
    assert references.shelf(read(mine)[0]) == 0.0  # nothing: no other study knows
    assert references.shelf(read(others[1])[0]) == 0.0


def test_shelf_of_a_level_falls_back_on_health_and_then_on_nothing_known():
    ill = study("ill", finding("x", "treated@0 h", "60 ug/L"), state="cirrhosis(child_pugh = C)")
    well = study("well", finding("y", "treated@0 h", "150 ug/L"))
    assert References(all_findings([ill, well], LIBRARY)).shelf(read(ill)[0]) == pytest.approx(math.log(150))
    assert References(all_findings([ill], LIBRARY)).shelf(read(ill)[0]) is None


def test_acts_of_a_protocol():
    assert acts("tesamorelin 2 mg sc daily for 26 weeks then nothing; fast from 22:00") == ("fast", "tesamorelin")
    assert acts("nothing") == ()


# --- noise --------------------------------------------------------------------------------------------------------------------------


def noise(record, others):
    return score_study([(f, Prediction(150.0)) for f in read(record)], References(all_findings([record, *others], LIBRARY)))[
        0
    ].reference_errors[2]


def test_noise_is_the_error_of_each_single_other_study():
    mine = study("mine", finding("mine_x", "treated@0 h", "100 ug/L"))
    twice, half, thrice = (
        study(key, finding(key, "treated@0 h", value)) for key, value in (("a", "200 ug/L"), ("b", "50 ug/L"), ("c", "300 ug/L"))
    )
    assert noise(mine, [twice]) == pytest.approx(1.0)
    assert noise(mine, [twice, half]) == pytest.approx(1.0)  # though the shelf, their mean, is right
    assert noise(mine, [twice, half, thrice]) == pytest.approx(4 / 3)
    assert noise(mine, []) is None
    assert (
        noise(mine, [study("ill", finding("x", "treated@0 h", "50 ug/L"), state="masld")]) is None
    )  # health is no second measurement of it
    dose = [study(key, finding(key, GAIN, "80 percent"), do=do) for key, do in (("lo", "rhgh 1 mg sc daily"), ("hi", "rhgh 9 mg sc daily"))]
    assert noise(dose[0], dose[1:]) is None  # nor is another dose
    assert noise(mine, [study("far", finding("x", "treated@0 h", "1e6 ug/L"))]) == CAP


def test_noise_gives_the_spread_that_studies_were_made_with():
    """Levels that scatter by 20 % differ in pairs by a fold of exp(0.2 * sqrt(2) |z|)."""
    spread = np.random.default_rng(3).normal(0.0, 0.2, 200)
    made = [study(f"s{k}", finding(f"x{k}", "treated@0 h", f"{150 * math.exp(e):.6g} ug/L")) for k, e in enumerate(spread)]
    references = References(all_findings(made, LIBRARY))
    found = np.mean([score_study([(read(s)[0], Prediction(150.0))], references)[0].reference_errors[2] for s in made])
    z = np.abs(np.random.default_rng(4).normal(0.0, 0.2 * math.sqrt(2), 100000))
    assert found == pytest.approx(np.expm1(z).mean(), rel=0.1)


def test_noise_of_one_assay_to_another_is_forgiven_as_the_models_is():
    rows = [finding("a", "treated@0 h", "200 ug/L"), finding("b", "placebo@0 h", "200 ug/L")]
    other = study("other", finding("o", "treated@0 h", "150 ug/L"), finding("p", "placebo@0 h", "150 ug/L"))
    blind, free = (noise(study("mine", *rows, assay=assay), [other]) for assay in ({}, {"IGF1": "RIA"}))
    assert blind == pytest.approx(1 / 3) and free == pytest.approx((4 / 3) ** (1 / 3) - 1)


def test_a_perfect_model_is_within_the_noise_and_an_empty_one_is_not():
    perfect, empty = (board(scale, STUDIES[:2]).summary()["calibration"] for scale in (1.0, 0.0))
    assert perfect["within_noise"] == 1.0 and perfect["error_where_noise"] == pytest.approx(0.0, abs=1e-12)
    assert empty["within_noise"] == 0.0 and empty["error_where_noise"] == pytest.approx(1.0)
    assert perfect["noise"] == empty["noise"] == pytest.approx(1 - math.log(1.65) / math.log(1.81))
    assert perfect["error"] < 0.01 < empty["error"]


# --- the scoreboard -----------------------------------------------------------------------------------------------------------------

STUDIES = [
    study("one", finding("one_igf", GAIN, "81 percent"), finding("one_vat", GAIN, "-15 percent", measure="VAT")),
    study("two", finding("two_igf", GAIN, "65 percent"), finding("two_base", "treated@0 h", "160 ug/L"), use="validation"),
    study(
        "three",
        finding("three_igf", "treated@24 h / treated@0 h - 1", "133 percent"),
        finding("three_no", GAIN, "0 percent", bound="none_seen", measure="VAT"),
    ),
    study("own", finding("own_igf", GAIN, "500 percent"), use="extra"),
    study("order", finding("order_x", ["treated@0 h", "placebo@0 h"], expect="decreasing", claim="D3"), use="calibration"),
]


def test_an_extra_study_is_on_no_shelf():
    library = replace(LIBRARY, studies={record.key: record for record in STUDIES})
    known = {f.study.key for f in references_of(library, [study("mine", finding("mine_igf", GAIN, "90 percent"), use="extra")]).findings}
    assert known == {"one", "two", "three", "order"}


def board(scale, studies=STUDIES):
    """A model whose effects are the true ones times `scale` (0: therapies do nothing; 2: every response doubled)."""
    verdicts = []
    references = References(all_findings([record for record in studies if record.use != "extra"], LIBRARY))
    for record in studies:
        rows = []
        for f in read(record):
            effect = 0.0 if f.no_change else f.target[0] if f.form == "level" else f.target[0] * scale if f.form != "order" else 0.0
            rows.append((f, Prediction(f.from_effect(effect) if f.form != "order" else 2.0, 0.05, 100.0, (2.0, 1.0))))
        verdicts += score_study(rows, references)
    return Scoreboard(tuple(verdicts), ())


def test_an_empty_model_and_a_doubled_one_score_clearly_worse():
    good, empty, doubled, reversed_ = (board(scale).summary()["calibration"] for scale in (1.0, 0.0, 2.0, -1.0))
    assert good["within_1_25"] == 1.0 and good["directions"] == 1.0
    assert empty["within_1_5"] <= 0.5 and empty["directions"] == 0.0
    assert doubled["within_1_5"] <= 0.5 and doubled["directions"] == 1.0
    assert good["skill"] > 0.9 > 0.3 > max(empty["skill"], doubled["skill"]) > reversed_["skill"]
    assert good["aafe"] < 1.01 < 1.2 < min(empty["aafe"], doubled["aafe"])
    assert empty["bias"] < 1.0 < doubled["bias"]


def test_summary_keeps_uses_apart_and_weighs_by_study():
    summary = board(1.0).summary()
    assert set(summary) == {"calibration", "validation", "constants", "claim"}
    assert (summary["calibration"]["n"], summary["calibration"]["studies"]) == (4, 2)
    assert (summary["validation"]["n"], summary["validation"]["studies"]) == (2, 1)
    assert summary["claim"] == {"n": 1, "passed": 1}
    good = board(1.0)
    worse = replace(good, verdicts=tuple(replace(v, error=1.0) if v.finding.id == "one_vat" else v for v in good.verdicts))
    assert worse.summary()["calibration"]["within_1_5"] == pytest.approx(0.75)  # one of two findings of one of two studies


def test_constants_are_scored_by_fold_and_counted_apart():
    """A number of the text is no outcome: it stands in no average, and agreement with its own source is told from the rest."""
    half_life = FindingRecord(
        "c", "", (), "constant", "20 min", None, None, {"se": "2 min"}, None, None, None, None, None, "", HERE, "log(2) / k"
    )
    (constant,) = read(study("a", half_life))
    assert (constant.form, constant.unit, constant.tokens) == ("constant", "min", ())
    assert constant.se == pytest.approx(0.1)
    own, other = (score_study([(constant, Prediction(28.0, stated=s))], References(()))[0] for s in (True, False))
    assert own.error == pytest.approx(0.4) and own.fold == pytest.approx(1.4)
    assert "source of the number" in own.note and other.note == ""
    wrong = score_study([(constant, Prediction(80.0, stated=False))], References(()))[0]
    before, after = board(1.0), replace(board(1.0), verdicts=(*board(1.0).verdicts, own, other, wrong))
    assert after.summary()["calibration"] == before.summary()["calibration"]
    assert before.summary()["constants"]["n"] == 0
    told = after.summary()["constants"]
    assert (told["n"], told["stated"], told["independent"]) == (3, {"n": 1, "passed": 1}, {"n": 2, "passed": 1})
    assert own.row()["measure"] == "log(2) / k"


def test_one_wild_finding_cannot_decide_the_skill():
    good = board(1.0)
    wild = replace(good, verdicts=tuple(replace(v, error=1e6) if v.finding.id == "one_vat" else v for v in good.verdicts))
    shelf = good.summary()["calibration"]["shelf"]
    assert wild.summary()["calibration"]["skill"] == pytest.approx(1 - CAP / 4 / shelf)


def test_json_has_the_promised_shape():
    found = json.loads(json.dumps(board(1.0).json(), allow_nan=False))
    assert set(found) == {"findings", "summary", "skipped"}
    row = {"study", "id", "use", "claim", "kind", "measure", "observed", "predicted", "low", "high", "effect_observed", "effect_predicted"}
    assert all(set(f) == row | {"error", "fold", "direction_right", "passed", "note"} for f in found["findings"])
    part = {"n", "studies", "within_1_25", "within_1_5", "within_2", "bias", "aafe", "directions", "coverage", "skill", "nothing", "shelf"}
    part |= {"noise", "error", "error_where_noise", "within_noise"}
    assert set(found["summary"]["calibration"]) == set(found["summary"]["validation"]) == part


def test_the_interval_covers_what_was_printed_or_not():
    near, far = (one(study("a", finding("x", GAIN, "81 percent")), value, se=0.1).covered for value in (0.75, 0.40))
    assert near is True and far is False
    assert one(study("a", finding("x", GAIN, "81 percent")), 0.75).covered is None  # nothing to go by


def test_studies_are_found_by_name_and_a_slip_is_answered():
    library = replace(LIBRARY, studies={record.key: record for record in STUDIES})
    assert len(find_studies(library, [])[0]) == 5
    assert find_studies(library, ["two"])[0][0].key == "two"
    with pytest.raises(Exception, match="did you mean 'three'"):
        find_studies(library, ["thre"])
