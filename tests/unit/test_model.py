"""Model: assembling, holding in both ways, parts, variants, therapies, explanations and checks."""

import pickle
from pathlib import Path

import pytest
import tiny_model

from ghaxis.errors import InputError, LibraryError, UnitError
from ghaxis.model import Model
from ghaxis.reading.records import Library


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return tiny_model.library(tmp_path)


def test_the_whole_library_is_one_model_without_mistakes(library: Library) -> None:
    model = Model.load(library)
    assert library.mistakes == () or not [m for m in library.mistakes if m.place.file.endswith(".ant")]
    assert model.check() == []
    assert set(model.states) == {"H", "brake", "store"}
    assert dict(model.slow) == {"store": "r_store"}
    assert set(model.with_role("cause")) == {"load"}
    assert [model.unit(n) for n in ("H", "H_per_day", "seen", "brake", "H_release", "day_length")] == [
        "ng/L",
        "ng/h",
        "ng/L",
        "dimensionless",
        "ng/h",
        "h",
    ]


def test_equal_texts_make_equal_models(library: Library, tmp_path: Path) -> None:
    again = Model.load(tiny_model.library(tmp_path / "again"))
    assert Model.load(library) == again
    assert hash(Model.load(library)) == hash(again)
    changed = tiny_model.FILES["model/world.ant"].replace("load = 2", "load = 3")
    assert Model.load(tiny_model.library(tmp_path / "other", world=changed)) != again


def test_therapies_in_use_are_summed_into_their_port(library: Library) -> None:
    model = Model.load(library)
    assert (model.definitions["port_H"].kind, "depot_pill" in model.names) == ("constant", False)
    treated = model.with_therapies(["pill"])
    assert (treated.definitions["port_H"].kind, treated.definitions["port_H"].expression) == ("rule", "port_H_pill")
    assert treated.check() == []
    assert treated.with_therapies([]) == model
    assert treated.with_therapies(["pill"]) is treated
    with pytest.raises(InputError, match="did you mean 'pill'"):
        model.with_therapies(["pil"])


def test_holding_a_name_for_all_makes_it_an_input_without_equation(library: Library) -> None:
    held = Model.load(library).hold({"brake": "0.25"})
    assert held.check() == []
    assert held.states == ("H", "store")
    assert (held.definitions["brake"].kind, held.definitions["brake"].role, float(held.definitions["brake"].expression)) == (
        "constant",
        "input",
        0.25,
    )
    assert dict(held.held) == {"brake": 0.25}


def test_a_held_species_takes_no_part_in_reactions(library: Library) -> None:
    held = Model.load(library).hold({"H": "0.02 ug/L"})
    assert held.check() == []
    assert "H" not in held.states
    assert (float(held.definitions["H"].expression), held.unit("H")) == (pytest.approx(20), "ng/L")


def test_holding_what_one_part_sees_leaves_the_others_alone(library: Library) -> None:
    model = Model.load(library)
    held = model.hold({"reader": {"brake": "healthy", "H": "path"}})
    assert held.check() == []
    assert held.definitions["seen"].expression == "reader__H*(1 - reader__brake)"
    assert held.definitions["H_release"].expression == model.definitions["H_release"].expression
    assert dict(held.held) == {"reader__H": "path", "reader__brake": "healthy"}
    assert (held.unit("reader__H"), float(held.definitions["reader__H"].expression)) == ("ng/L", 10)
    assert held != model
    assert held.released() == model


def test_holding_a_rule_keeps_its_unit_and_its_level_at_the_start(library: Library) -> None:
    held = Model.load(library).hold({"H_per_day": "path"})
    assert held.check() == []
    assert (held.unit("H_per_day"), float(held.definitions["H_per_day"].expression)) == ("ng/h", 20)


@pytest.mark.parametrize(
    ("hold", "error", "words"),
    [
        ({"brak": "path"}, InputError, "did you mean 'brake'"),
        ({"readr": {"H": "path"}}, InputError, "did you mean 'reader'"),
        ({"reader": {"load": "path"}}, InputError, "reader does not need 'load'"),
        ({"H": "3 hour"}, UnitError, "dimensions differ"),
        ({"H": 3.0}, UnitError, "bare number"),
    ],
)
def test_what_cannot_be_held_is_said(library: Library, hold: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Model.load(library).hold(hold)


def test_parts_stand_alone_when_their_needs_are_held(library: Library) -> None:
    with pytest.raises(InputError, match=r"H \(for brake; of blood\)"):
        Model.load(library, parts=["brake"])
    part = Model.load(library, parts=["brake"], hold={"H": "healthy"})
    assert part.check() == []
    assert set(part.states) == {"brake", "store"}
    assert part.definitions["day_length"].expression == "24"  # a constant of a file that is not in use
    assert part.released() == Model.load(library)
    with pytest.raises(InputError, match="did you mean 'brake'"):
        Model.load(library, parts=["brak"])


def test_all_missing_needs_are_listed(library: Library) -> None:
    with pytest.raises(InputError) as caught:
        Model.load(library, parts=["reader"])
    assert all(text in str(caught.value) for text in ("H (for reader; of blood)", "brake (for reader; of brake)"))


def test_a_variant_takes_the_place_of_what_it_replaces(library: Library) -> None:
    model = Model.load(library, variants=["brake_plain"])
    assert model.check() == []
    assert (model.definitions["brake"].kind, "K_brake" in model.names) == ("rule", False)


def test_a_variant_with_other_names_or_units_is_found(tmp_path: Path) -> None:
    text = (
        tiny_model.FILES["variants/brake_plain.ant"]
        .replace("brake := H/(K_plain + H)", "brake := H")
        .replace("brake, store", "brake, store, K_plain")
    )
    model = Model.load(tiny_model.library(tmp_path, brake_plain=text), variants=["brake_plain"])
    said = [m.what for m in model.check()]
    assert any("offers what brake does not: 'K_plain'" in what for what in said)
    assert any("offers brake in ng/L; brake in dimensionless" in what for what in said)


@pytest.mark.parametrize(
    ("part", "old", "new", "place", "words"),
    [
        ("brake", "balances store", "balances stor", "model/brake.ant:10", "balances 'stor', which is no slow state"),
        ("pill", "port_H_pill", "port_G_pill", "therapies/pill.ant:10", "has the port 'port_G'"),
        ("blood", "k_H has per_hour", "k_H has hour", "model/blood.ant:11", "the rate of H_loss is in"),
        ("blood", "k_H has per_hour", "k_H has per_our", "model/blood.ant:7", "unknown unit 'per_our'"),
    ],
)
def test_what_is_wrong_between_files_is_found_at_its_line(tmp_path: Path, part: str, old: str, new: str, place: str, words: str) -> None:
    (text,) = [t for name, t in tiny_model.FILES.items() if Path(name).stem == part]
    assert old in text
    found = Model.load(tiny_model.library(tmp_path, **{part: text.replace(old, new)}), therapies=["pill"]).check()
    assert [str(m.place) for m in found if words in m.what] == [place]


def test_a_need_that_nobody_offers_and_a_name_in_two_files_stop_the_load(tmp_path: Path) -> None:
    missing = (
        tiny_model.FILES["model/blood.ant"]
        .replace("H_per_day", "H_each_day")
        .replace("load, brake", "loaad, brake")
        .replace("load*", "loaad*")
    )
    with pytest.raises(LibraryError, match="need 'loaad' is offered by no file \\(did you mean 'load'"):
        Model.load(tiny_model.library(tmp_path / "missing", blood=missing))
    twice = tiny_model.FILES["model/reader.ant"].replace("seen :=", "store :=").replace("seen", "store")
    with pytest.raises(LibraryError, match="store is defined twice"):
        Model.load(tiny_model.library(tmp_path / "twice", reader=twice))


def test_a_text_with_doubtful_equations_is_not_assembled(tmp_path: Path) -> None:
    broken = tiny_model.FILES["model/reader.ant"].replace("H*(1 - brake)", "floor(H)*(1 - brake)")
    with pytest.raises(LibraryError, match=r"model/reader\.ant:4: error: not in the dialect: floor"):
        Model.load(tiny_model.library(tmp_path, reader=broken))


def test_an_explanation_says_what_a_name_is_and_who_reads_it(library: Library) -> None:
    model = Model.load(library, therapies=["pill"])
    told = model.explain("H")
    assert (told.kind, told.unit, told.value, str(told.place)) == ("species", "ng/L", 10, "model/blood.ant:5")
    assert told.used_by == {"blood": ("H_per_day", "H_release", "H_loss"), "brake": ("brake",), "reader": ("seen",)}
    text = str(model.explain("store"))
    assert all(part in text for part in ("store (state): what is laid down", "store' = r_store*", "model/brake.ant:8", "role:       slow"))
    assert str(model.explain("r_store")).count("balances store") == 1
    with pytest.raises(InputError, match="did you mean 'brake'"):
        model.explain("braek")


def test_wiring_says_who_reads_what_of_whom(library: Library) -> None:
    assert ("blood", "reader", "H") in Model.load(library).wiring()
    assert ("brake", "blood", "brake") in Model.load(library).wiring()


def test_export_writes_what_the_model_is(library: Library, tmp_path: Path) -> None:
    model = Model.load(library)
    model.export(tmp_path / "model.xml")
    assert (tmp_path / "model.xml").read_text() == model.sbml
    model.export(tmp_path / "model.ant")
    assert "brake' = " in (tmp_path / "model.ant").read_text()
    with pytest.raises(InputError, match="ending"):
        model.export(tmp_path / "model.pdf")


def test_a_model_can_be_sent_to_another_process(library: Library) -> None:
    model = Model.load(library).hold({"reader": {"brake": "healthy"}})
    assert model.check() == []
    assert pickle.loads(pickle.dumps(model)) == model
