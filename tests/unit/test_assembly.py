"""From definitions to SBML: units of every name, libSBML's strict check, the cache, states that stand still."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import tiny_model

from ghaxis import assembly
from ghaxis.errors import InputError, LibraryError
from ghaxis.model import Model
from ghaxis.reading.dimensions import Units, antimony_of
from ghaxis.reading.inference import infer
from ghaxis.reading.records import Definition, Place

CORE = "{http://www.sbml.org/sbml/level3/version2/core}"
MATH = "{http://www.w3.org/1998/Math/MathML}"
UNITS = Units.read(
    {
        "hour": "3600 second",
        "per_hour": "1/(3600 second)",
        "ng": "1e-9 gram",
        "ng_per_litre": "1e-9 gram/litre",
        "time_unit": "3600 second",
        "millimole": "1e-3 mole",
        "substance": "1e-9 gram",
        "extent": "1e-9 gram",
        "MJ_per_kg": "1e6 joule/kilogram",
        "giga_per_litre": "1e9/litre",
        "litre2_per_mmol2": "litre^2/(1e-3 mole)^2",
    }
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test, and no memory of earlier ones."""
    place = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_: str(place))
    assembly.to_sbml.cache_clear()
    return place


def definition(name: str, expression: str, unit: str | None = None, rate: str | None = None) -> Definition:
    kind = "state" if rate else "constant" if unit and expression.replace(".", "").isdigit() else "rule"
    return Definition(name, kind, expression, unit, "", "", "", "", "", Place("model/x.ant", 3), rate, "x")


CONSTANTS = [
    definition("k", "2", "per_hour"),
    definition("m", "3", "ng"),
    definition("c", "4", "ng_per_litre"),
    definition("V", "5", "litre"),
    definition("n", "2", "dimensionless"),
]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("k*m", "ng/h"),
        ("c*V + m", "ng"),
        ("m/V", "ng/L"),
        ("2*c^2", "ng**2/L**2"),
        ("exp(-k*time)", "dimensionless"),
        ("sqrt(c)*sqrt(c)", "ng/L"),
        ("(c/c)^n", "dimensionless"),
        ("cos(2*pi*time*k)", "dimensionless"),
        ("-m*k^(-1)", "ng*h"),
    ],
)
def test_a_rule_gets_the_unit_of_its_expression(expression: str, text: str) -> None:
    found = infer([*CONSTANTS, definition("y", expression)], {}, UNITS)
    assert found.mistakes == ()
    assert UNITS.text(found.units["y"]) == text


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("m + c", "'m' is in ng and 'c' in ng/L"),
        ("exp(c)", "exp(c) of a quantity in ng/L"),
        ("c^n", "with the exponent 'n'"),
        ("n^c", "exponent 'c' is in ng/L"),
        ("n - k*time*m", "needs the same unit"),
    ],
)
def test_units_that_differ_are_said_in_words_with_the_place(expression: str, words: str) -> None:
    (found,) = infer([*CONSTANTS, definition("y", expression)], {}, UNITS).mistakes
    assert str(found.place) == "model/x.ant:3"
    assert words in found.what


def test_a_rate_must_be_level_over_time() -> None:
    assert infer([*CONSTANTS, definition("x", "1", "ng", rate="k*x")], {}, UNITS).mistakes == ()
    (found,) = infer([*CONSTANTS, definition("x", "1", "ng", rate="n*x")], {}, UNITS).mistakes
    assert "in ng; it must be in ng/h" in found.what


def test_rules_in_a_circle_are_named() -> None:
    (found,) = infer([*CONSTANTS, definition("a", "b*n"), definition("b", "a"), definition("d", "a")], {}, UNITS).mistakes
    assert "a, b" in found.what or "b, a" in found.what


@pytest.mark.parametrize("unit", UNITS.known)
def test_unit_texts_for_people_mean_what_the_id_means(unit: str) -> None:
    from ghaxis import units

    raw = {"item": "dimensionless", **UNITS.texts}.get(unit, unit)
    if unit not in ("substance", "extent", "time_unit", "volume"):
        assert units.factor(UNITS.text_of_id(unit), raw.replace("^", "**")) == pytest.approx(1)


def test_readable_unit_texts() -> None:
    assert [UNITS.text_of_id(u) for u in ("ng_per_litre", "MJ_per_kg", "litre2_per_mmol2")] == ["ng/L", "MJ/kg", "L**2/mmol**2"]


def test_a_made_up_unit_passes_the_strict_check() -> None:
    odd = UNITS.known["ng"] ** 2 / UNITS.known["millimole"] * UNITS.known["hour"]
    text = (
        f"unit odd = {antimony_of(odd)}; unit ng = 1e-9 gram; unit mmol = 1e-3 mole; unit hour = 3600 second; unit time_unit = 3600 second;"
    )
    text += " a = 1; a has ng; b = 2; b has mmol; c = 3; c has hour; d := a^2/b*c; d has odd;"
    assert assembly.validate(assembly.to_sbml(text)) == []


def test_the_tiny_model_passes_the_strict_check_of_libsbml(tmp_path: Path) -> None:
    model = Model.load(tiny_model.library(tmp_path), therapies=["pill"])
    assert assembly.validate(model.sbml) == []
    root = ElementTree.fromstring(model.sbml)
    assert all(number.get(CORE + "units") == "dimensionless" for number in root.iter(MATH + "cn"))
    assert {p.get("id"): p.get("units") for p in root.iter(CORE + "parameter")}["H_per_day"] == "ng_per_hour"


def test_libsbmls_complaint_comes_at_the_place_of_the_name(tmp_path: Path) -> None:
    model = Model.load(tiny_model.library(tmp_path))
    wrong = model.sbml.replace('id="brake" value="0.5" units="dimensionless"', 'id="brake" value="0.5" units="hour"')
    assert wrong != model.sbml
    found = assembly.validate(wrong, model.definitions)
    assert {str(m.place) for m in found} == {"model/brake.ant:6", "model/blood.ant:10", "model/reader.ant:4"}


def test_antimonys_refusal_shows_the_statement() -> None:
    with pytest.raises(LibraryError, match="a := b \\+ ;"):
        assembly.to_sbml("b = 1;\na := b + ;\n")


def test_a_second_process_reads_the_cache_and_a_damaged_entry_is_made_anew(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a = 1; a has dimensionless;"
    first = assembly.to_sbml(text)
    (entry,) = own_cache.rglob("*.json")
    good = entry.read_text()
    for bad in ("", "{", good[:-9], good.replace("dimensionless", "hour")):
        entry.write_text(bad)
        assembly.to_sbml.cache_clear()
        assert assembly.to_sbml(text) == first
        assert entry.read_text() == good
    monkeypatch.setattr(assembly, "_translate", lambda _: pytest.fail("translated again"))
    assembly.to_sbml.cache_clear()
    assert assembly.to_sbml(text) == first


def test_the_cache_does_not_grow_without_end(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "_KEPT", 3)
    for value in range(6):
        assembly.to_sbml(f"a = {value}; a has dimensionless;")
    assert len(list(own_cache.rglob("*.json"))) == 3


def test_frozen_states_are_settable_constants_with_their_rate_as_a_rule(tmp_path: Path) -> None:
    model = Model.load(tiny_model.library(tmp_path))
    frozen = assembly.freeze_states(model.sbml, ["store"])
    assert assembly.validate(frozen) == []
    root = ElementTree.fromstring(frozen)
    parameters = {p.get("id"): p for p in root.iter(CORE + "parameter")}
    assert (parameters["store"].get("constant"), parameters["store"].get("value")) == ("true", "3")
    assert parameters["rate_of_store"].get("units") in ("per_hour", "dimensionless_per_hour")
    assert [r.get("variable") for r in root.iter(CORE + "rateRule")] == ["brake"]
    assert "rate_of_store" in [r.get("variable") for r in root.iter(CORE + "assignmentRule")]


def test_only_states_with_a_rate_can_be_frozen(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'stor' is no state with a rate; did you mean 'store'"):
        assembly.freeze_states(Model.load(tiny_model.library(tmp_path)).sbml, ("stor",))
