"""Mistakes planted in a copy of the library: one check reports every one of them, at its file and line, with the nearest right word."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ghaxis.errors import Mistake
from ghaxis.reading import check, packaged_root, read_library
from ghaxis.treatment import protocol_mistakes


@dataclass(frozen=True)
class Plant:
    """Where the text matches `old` for the first time, what the group `(...)` of it holds becomes `new`; the report must say `what`."""

    file: str
    old: str
    new: str
    what: str
    nearest: str | None = None


FRAGMENTS = (
    Plant("model/inputs.ant", r"^alcohol = .*\| (cause)$", "cuase", "unknown role 'cuase'", "cause"),
    Plant("model/stat5.ant", r"^pSTAT5_nuc' = .*?(k_\w+)", "k_STAT_out", "'k_STAT_out' is used but neither defined here nor in needs"),
    Plant("model/socs.ant", r"^// needs: .*(pSTAT5_nuc)", "pSTAT5_nucl", "need 'pSTAT5_nucl' is offered by no file", "pSTAT5_nuc"),
    Plant(
        "model/gh_kinetics.ant",
        r"^CL_GH_renal = .* has (litre_per_hour)",
        "litre_per_huor",
        "unknown unit 'litre_per_huor'",
        "litre_per_hour",
    ),
    Plant("model/body.ant", r"balances (VAT)$", "VTA", "balances 'VTA', which is no slow state", "VAT"),
    Plant("model/hpa.ant", r"^tau_cortisol_slow = .*\| (assumed): ", "asumed", "the source 'asumed'", "assumed"),
    Plant("model/hpa.ant", r"^k_cortisol = .* (cv 0.2)", "cv 20 percent", "'cv 20 percent' is not a spread"),
    Plant("model/tissue_gh.ant", r"\| (bjorgell1984)_refractory", "bjorgel1984", "is no known study or finding", "bjorgell1984_refractory"),
    Plant("model/hpa.ant", r"^x_fb_cort := .*(cortisol_reference)", "tau_cortisol_slow", "'+' needs the same"),
    Plant(
        "therapies/tesamorelin.ant",
        r"^// route: sc -> (depot_tesamorelin)",
        "depot_tesamoreli",
        "leads to 'depot_tesamoreli'",
        "depot_tesamorelin",
    ),
    Plant("therapies/ipamorelin.ant", r"^// form: (\w+)", "ghsr_agonst", "no form 'ghsr_agonst'", "ghsr_agonist"),
)
TABLES = (
    Plant("conditions/masld.toml", r'^unit = "(percent)"', "percnt", "unknown unit 'percnt'", "percent"),
    Plant("conditions/mash.toml", r'^name = "(VAT)"', "VTA", "unknown name 'VTA'", "VAT"),
    Plant("conditions/cirrhosis.toml", r'^excludes = \[.*"(masld)"', "masdl", "unknown condition 'masdl'", "masld"),
    Plant("conditions/ald.toml", r'^name = "(alcohol)"', "injury", "only a cause can be set here"),
    Plant("conditions/healthy.toml", r'^unit = "(kilogram)"', "metre", "has not the dimension of VAT", "kg"),
    Plant("conditions/t2d.toml", r'^operator = "(times)"', "time", "'operator' must be one of", "times"),
    Plant("days/ordinary.toml", r'^input = "(sleep_deep)"', "sleep_dep", "unknown name 'sleep_dep'", "sleep_deep"),
    Plant("days/ordinary.toml", r'^start = "(12:30)"', "12h30", "write a clock time"),
    Plant("interventions/energy.toml", r'^energy_balance = "(of)"', "off", "unknown name 'off'", "of"),
    Plant("interventions/fast.toml", r"^(energy_balance) =", "energy_balans", "unknown name 'energy_balans'", "energy_balance"),
    Plant("measures.toml", r'^of = "(IGF1_free)"', "IGF1_fre", "unknown quantity 'IGF1_fre'", "IGF1_free"),
    Plant("measures.toml", r'^reads = "(time_of_peak)"', "time_of_peek", "unknown reading 'time_of_peek'", "time_of_peak"),
    Plant("measures.toml", r'^of = "VAT"\nunit = "(kg)"', "cm", "is not the dimension of what level reads of VAT", "kg"),
)
STUDIES = (
    Plant("studies/falutz2007.toml", r'^measure = "(VAT)"', "VTA", "unknown measure 'VTA'", "VAT"),
    Plant("studies/falutz2007.toml", r"^\[study\]\n(?:.*\n)*?(seen) = ", "sen", "unknown key 'sen'", "seen"),
    Plant("studies/assy2008.toml", r"child_pugh = (C)", "D", "child_pugh must be one of A, B, C, not 'D'"),
    Plant("studies/assy2008.toml", r'^who = "(meld_10)"', "meld10", "unknown group 'meld10'", "meld_10"),
    Plant("studies/assy2008.toml", r'^do = "(rhgh) ', "rhg", "'rhg' is no therapy, intervention or quantity", "rhgh"),
    Plant("studies/assy2008.toml", r'^of = "(controls)@24 h', "control", "unknown arm 'control'", "controls"),
    Plant("studies/cuneo1995.toml", r'^claim = "(D3)"', "D33", "unknown claim 'D33'", "D3"),
    Plant("studies/hartman1992.toml", r'^value = "\d+ (ug/L/day)"', "ug/L", "the dimensions differ"),
)
PLANTS = (*FRAGMENTS, *TABLES, *STUDIES)


def planted(root: Path, plants: Sequence[Plant]) -> list[int]:
    """Plant the mistakes; the line of each."""
    lines = []
    for plant in plants:
        path = root / plant.file
        text = path.read_text()
        match = re.search(plant.old, text, re.MULTILINE)
        assert match, f"{plant.file} has no {plant.old}: choose another place for this mistake"
        path.write_text(text[: match.start(1)] + plant.new + text[match.end(1) :])
        lines.append(text.count("\n", 0, match.start(1)) + 1)
    return lines


def reported(plant: Plant, line: int, found: Sequence[Mistake]) -> bool:
    here = [m for m in found if m.place.file == plant.file and m.place.line == line]
    return any(plant.what in m.what and (plant.nearest is None or m.nearest == plant.nearest) for m in here)


def test_one_check_reports_every_planted_mistake(tmp_path: Path) -> None:
    root = tmp_path / "library"
    shutil.copytree(packaged_root(), root)
    lines = planted(root, PLANTS)
    library = read_library(root)
    found = [*check(library), *protocol_mistakes(library.studies.values(), library)]
    missed = [
        f"{plant.file}:{line} {plant.what}; there: {[str(m) for m in found if m.place.file == plant.file]}"
        for plant, line in zip(PLANTS, lines, strict=True)
        if not reported(plant, line, found)
    ]
    assert len(PLANTS) >= 20
    assert not missed, "\n".join(missed)


def test_the_library_itself_has_no_mistake() -> None:
    assert [str(m) for m in check(read_library())] == []


def test_check_can_be_asked_for_some_files_only(tmp_path: Path) -> None:
    root = tmp_path / "library"
    shutil.copytree(packaged_root(), root)
    planted(root, PLANTS)
    library = read_library(root)
    assert {m.place.file for m in check(library, ["masld", "socs.ant"])} == {"conditions/masld.toml", "model/socs.ant"}
