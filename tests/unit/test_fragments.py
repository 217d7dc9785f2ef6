"""Reading of `.ant` text: what it means, and every mistake at its line."""

from pathlib import Path

import pytest
import tiny_model

from ghaxis.errors import Mistake
from ghaxis.reading.dialect import names_in
from ghaxis.reading.fragments import read_fragment, read_therapy

GOOD = """// A mechanism.
// needs: A
// offers: X
k = 2; k has per_hour; // rate | assumed: fast | cv 0.3 | cause
X = 1; X has dimensionless; // a state | definition | none | slow
X' = k*(A - X);
"""


def read(tmp_path: Path, text: str) -> list[Mistake]:
    path = tmp_path / "model" / "part.ant"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return read_fragment(path, tmp_path)[1]


def test_a_fragment_is_read_into_definitions(tmp_path: Path) -> None:
    tiny_model.write(tmp_path)
    fragment, mistakes = read_fragment(tmp_path / "model" / "blood.ant", tmp_path)
    assert mistakes == []
    kinds = {d.name: d.kind for d in fragment.definitions}
    assert kinds == {
        "plasma": "compartment", "H": "species", "r_H": "constant", "k_H": "constant", "port_H": "constant", "H_per_day": "rule",
        "H_release": "reaction", "H_loss": "reaction",
    }  # fmt: skip
    volume = fragment.definition("plasma")
    assert volume is not None
    assert (volume.meaning, volume.source, volume.cv, volume.unit) == ("volume", "known2001_volume", 0.2, "litre")
    assert str(volume.place) == "model/blood.ant:4"
    assert fragment.title == "A hormone in blood."
    assert (fragment.needs, fragment.offers) == (("load", "brake"), ("plasma", "H", "H_per_day", "port_H"))


def test_a_state_has_its_initial_value_and_its_rate(tmp_path: Path) -> None:
    path = tmp_path / "part.ant"
    path.write_text(GOOD)
    fragment, mistakes = read_fragment(path, tmp_path)
    assert mistakes == []
    state = fragment.definition("X")
    assert state is not None
    assert (state.kind, state.expression, state.rate, state.role) == ("state", "1", "k*(A - X)", "slow")


@pytest.mark.parametrize(
    ("old", "new", "line", "words", "hint"),
    [
        ("k has per_hour; ", "", 4, "k has no unit", None),
        ("assumed: fast", "", 4, "k has no source", None),
        ("assumed: fast", "assumed:", 4, "does not say why", None),
        ("// rate |", "// |", 4, "k has no meaning", None),
        ("cv 0.3", "cv", 4, "'cv' is not a spread", None),
        (" | cv 0.3 | cause", "", 4, "k has no spread", None),
        ("| cause", "| caus", 4, "unknown role 'caus'", "cause"),
        ("| cause", "| balance X", 4, "unknown role 'balance X'", "balances"),
        ("| cause", "| cause | more", 4, "5 comment fields", None),
        ("// needs: A", "// needs: A, B", 2, "need 'B' is never used", None),
        ("// needs: A", "// needs: A, X", 2, "need 'X' is defined here", None),
        ("// needs: A", "// need: A", 2, "unknown header 'need:'", "needs"),
        ("// offers: X", "// offers: X, Xs", 3, "offer 'Xs' is not defined here", "X"),
        ("k*(A - X)", "k*(A - Y)", 6, "'Y' is used but neither defined here nor in needs", None),
        ("k*(A - X)", "kk*(A - X)", 4, "constant k is never used", None),
        ("k*(A - X)", "k*(A - 1 dimensionless)", 6, "a literal with a unit", None),
        ("k*(A - X)", "k*(A - floor(X))", 6, "not in the dialect: floor", None),
        ("k*(A - X)", "piecewise(k, X < 1, 0)", 6, "not in the dialect: piecewise", None),
        ("k*(A - X)", "k*log(A)", 6, "write ln or log10", None),
        ("k*(A - X)", "k*expp(A - X)", 6, "unknown function expp()", "exp"),
        ("k*(A - X)", "k*(A - X)**2", 6, "'**' is not in the dialect", "^"),
        ("k*(A - X)", "k*(A - X", 6, "cannot be read as an expression", None),
        ("k = 2;", "k = 2 per_hour;", 4, "a number with a unit", None),
        ("k = 2;", "k = 2*3;", 4, "a value is one number", None),
        ("X' =", "at (X > 1): k = 1; X' =", 6, "an event", None),
        ("X' =", "k = 3; X' =", 6, "k is defined twice, here and at model/part.ant:4", None),
        ("X' =", "lambda := k; X' =", 6, "reserved word", None),
        ("X' = ", "X is ", 6, "cannot be read as a statement", None),
        ("X = 1;", "X = 1; Y = 2;", 5, "one statement a line", None),
        ("// offers: X\n", "", 1, "no '// offers:' line", None),
    ],
)
def test_a_mistake_is_found_at_its_line(tmp_path: Path, old: str, new: str, line: int, words: str, hint: str | None) -> None:
    assert old in GOOD
    found = [m for m in read(tmp_path, GOOD.replace(old, new)) if words in m.what]
    assert [(m.place.file, m.place.line, m.nearest) for m in found] == [("model/part.ant", line, hint)]


def test_all_mistakes_come_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = GOOD.replace("cv 0.3", "cv").replace("k*(A - X)", "k*(B - X)").replace("// offers: X", "// offers: Z")
    lines = [m.place.line for m in read(tmp_path, text)]
    assert len(lines) == 4  # Z, cv, B, and A that is not used any more
    assert lines == sorted(lines)


def test_documentation_slips_are_warnings_and_doubtful_equations_are_errors(tmp_path: Path) -> None:
    assert {m.severity for m in read(tmp_path, GOOD.replace("assumed: fast", ""))} == {"warning"}
    assert {m.severity for m in read(tmp_path, GOOD.replace("A - X", "A - Y"))} == {"error"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("unit u = 1e-6 mole^2;", "reads in two ways"),
        ("unit u = 1e-6 mol;", "cannot be read"),
        ("unit u = litre;\nunit u = gram;", "defined twice"),
    ],
)
def test_unit_texts_mean_one_thing(tmp_path: Path, text: str, words: str) -> None:
    assert any(words in m.what for m in read(tmp_path, f"// Units.\n{text}\n"))


def test_names_of_an_expression_are_no_functions_and_no_numbers() -> None:
    assert set(names_in("k*exp(-x1/2e3) + cos(2*pi*time)*1.5e-3*H_2")) == {"k", "x1", "H_2"}


def test_a_therapy_is_its_numbers_and_its_form(tmp_path: Path) -> None:
    tiny_model.write(tmp_path)
    record, mistakes = read_therapy(tmp_path / "therapies" / "pill.ant", tmp_path)
    assert mistakes == []
    assert (record.status, record.checked, record.form, record.molar_mass, record.iu_per_mg) == (
        "investigational",
        "2026-11",
        "depot",
        500,
        None,
    )
    assert record.routes == {"oral": "depot_pill"}
    depot = record.fragment.definition("depot_pill")
    assert depot is not None
    assert (depot.kind, depot.rate, str(depot.place)) == ("state", "-k_pill*depot_pill", "forms/depot.ant:4")
    assert set(record.fragment.offers) == {"port_H_pill", "depot_pill"}


@pytest.mark.parametrize(
    ("old", "new", "place", "words", "hint"),
    [
        ("// form: depot", "// form: depott", "therapies/pill.ant:3", "no form 'depott'", "depot"),
        ("oral ->", "orall ->", "therapies/pill.ant:4", "unknown route 'orall'", "oral"),
        ("-> depot_pill", "-> depot_pil", "therapies/pill.ant:4", "leads to 'depot_pil'", "depot_pill"),
        (" | checked 2026-11", "", "therapies/pill.ant:2", "does not say when", None),
        ("molar_mass: 500", "molar_mass: heavy", "therapies/pill.ant:5", "is not a number", None),
        ("k_pill", "k_pil", "forms/depot.ant:5", "'k_pill' is used but neither", "k_pil"),
        ("port_H_pill", "port_H_pils", "therapies/pill.ant:10", "ends in _pill", None),
    ],
)
def test_a_mistake_in_a_therapy_points_at_its_own_or_its_forms_line(
    tmp_path: Path, old: str, new: str, place: str, words: str, hint: str | None
) -> None:
    text = tiny_model.FILES["therapies/pill.ant"]
    assert old in text
    tiny_model.write(tmp_path, pill=text.replace(old, new))
    found = [m for m in read_therapy(tmp_path / "therapies" / "pill.ant", tmp_path)[1] if words in m.what]
    assert [(str(m.place), m.nearest) for m in found] == [(place, hint)]
