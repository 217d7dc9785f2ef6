"""The command line, verb by verb: what it prints, that --json parses, that a mistake is one line, that Ctrl-C leaves no half file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from ghaxis import cli
from ghaxis.reading import read_library

CELLS = "ahmed2007"  # cells in a dish: quick, because nobody has to be settled


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Told:
    """What one call printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str):
        self.code, self.out, self.err = code, out, err

    def json(self) -> object:
        assert self.code == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def ghaxis(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def call(*words: str) -> Told:
        monkeypatch.setattr(sys, "argv", ["ghaxis", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return Told(code, out, err)

    return call


# --- verbs --------------------------------------------------------------------------------------------------------------------------


def test_run_prints_the_settled_state_and_writes_what_was_asked(ghaxis) -> None:  # type: ignore[no-untyped-def]
    told = ghaxis("run", "--until", "6h", "--plot", "day.png", "--save", "day.parquet")
    assert told.code == 0, told.err
    assert all(word in told.out for word in ("Settled state", "VAT", "GH", "wrote day.png", "wrote day.parquet"))
    assert Path("day.png").read_bytes()[:4] == b"\x89PNG"
    assert sorted(p.name for p in Path().iterdir()) == ["day.parquet", "day.png"]


def test_run_as_json(ghaxis) -> None:  # type: ignore[no-untyped-def]
    found = ghaxis(
        "run", "--until", "12h", "--every", "3h", "--watch", "GH,IGF1", "--give", "ghrh 1 ug/kg iv once at 09:00", "--json"
    ).json()
    assert found["times"] == [0.0, 3.0, 6.0, 9.0, 12.0]
    assert found["time_unit"] == "hours"
    assert {name: curve["unit"] for name, curve in found["watched"].items()} == {"GH": "ug/L", "IGF1": "ug/L"}
    assert all(len(curve["values"]) == 5 for curve in found["watched"].values())
    assert found["provenance"]["protocol"] == "ghrh 1 ug/kg iv once at 09:00"
    assert found["provenance"]["settled"] is True


def test_trial_and_validate_tell_the_same(ghaxis) -> None:  # type: ignore[no-untyped-def]
    shown = ghaxis("trial", CELLS, "--people", "1", "--plot", "cells.pdf")
    assert shown.code == 0, shown.err
    study = read_library().studies[CELLS]
    assert all(finding.id in shown.out for finding in study.findings)
    assert Path("cells.pdf").read_bytes()[:4] == b"%PDF"
    found = ghaxis("validate", CELLS, "--json").json()
    assert set(found) == {"findings", "summary", "skipped"}
    assert [row["id"] for row in found["findings"]] == [f.id for f in study.findings]
    columns = {
        "study",
        "id",
        "use",
        "claim",
        "kind",
        "measure",
        "observed",
        "predicted",
        "low",
        "high",
        "effect_observed",
        "effect_predicted",
    }
    assert columns | {"error", "fold", "direction_right", "passed", "note"} == set(found["findings"][0])
    assert {
        "n",
        "studies",
        "within_1_25",
        "within_1_5",
        "within_2",
        "bias",
        "aafe",
        "directions",
        "coverage",
        "skill",
        "nothing",
        "shelf",
        "noise",
        "error",
        "error_where_noise",
        "within_noise",
    } == set(found["summary"]["calibration"])


def test_validate_takes_a_study_from_outside(ghaxis) -> None:  # type: ignore[no-untyped-def]
    source = read_library().root + f"/studies/{CELLS}.toml"
    text = Path(source).read_text(encoding="utf-8").replace(f'key = "{CELLS}"', 'key = "mine"').replace(f'id = "{CELLS}', 'id = "mine')
    Path("mine.toml").write_text(text)
    found = ghaxis("validate", "mine.toml", "--json").json()
    assert {row["study"] for row in found["findings"]} == {"mine"}


def test_validate_writes_a_page_and_an_overview(ghaxis) -> None:  # type: ignore[no-untyped-def]
    told = ghaxis("validate", CELLS, "--html", "new/board.html", "--plot", "board.png")
    assert told.code == 0, told.err
    assert "wrote new/board.html" in told.out and "wrote board.png" in told.out
    text = Path("new/board.html").read_text(encoding="utf-8")
    assert all(finding.id in text for finding in read_library().studies[CELLS].findings if finding.claim is None)
    assert Path("board.png").read_bytes()[:4] == b"\x89PNG"


def test_the_whole_library_is_compared_with_what_was_accepted(ghaxis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """On a library of one study: its score is accepted, nothing has changed, and a worse one needs a reason."""
    library = read_library()
    alone = replace(library, root=str(tmp_path), studies={CELLS: library.studies[CELLS]})
    monkeypatch.setattr("ghaxis.model.read_library", lambda: alone)
    told = ghaxis("validate", "--accept")
    assert told.code == 0 and "accepted:" in told.out, told.err
    assert "nothing has changed since the accepted scoreboard" in ghaxis("validate").out
    text = Path("scoreboard.json").read_text()
    row = next(row for row in json.loads(text)["findings"].values() if row["error"])
    Path("scoreboard.json").write_text(text.replace(f'"error": {row["error"]}', '"error": 0.0'))
    worse = ghaxis("validate", "--accept")
    assert worse.code == 2 and "--because" in worse.err and "rose from" in worse.err
    assert "worse (" in ghaxis("validate").out
    assert ghaxis("validate", "--accept", "--because", "a test").code == 0
    assert json.loads(Path("scoreboard.json").read_text())["accepted"][-1]["because"] == "a test"


def test_evidence(ghaxis) -> None:  # type: ignore[no-untyped-def]
    told = ghaxis("evidence", "IGF1_total", "--condition", "cirrhosis")
    assert told.code == 0, told.err
    assert all(word in told.out for word in ("donaghy1997_igf1_gh", "170.6 ug/L", "se 48.8 ug/L", "calibration"))
    found = ghaxis("evidence", "IGF1_total", "--condition", "cirrhosis", "--intervention", "rhgh", "--json").json()
    assert {"study", "id", "citation", "n", "value", "spread", "use", "seen"} <= set(found[0])
    assert (
        ghaxis("evidence", "IGF1_total", "--condition", "laron", "--intervention", "mk677").out.strip()
        == "nothing is known of IGF1_total there"
    )


def test_evidence_with_the_models_prediction(ghaxis) -> None:  # type: ignore[no-untyped-def]
    found = ghaxis("evidence", "STAT5_DNA_binding", "--predict", "--json").json()
    assert {row["study"] for row in found} >= {CELLS}
    assert all(row["predicted"] is not None for row in found if row["study"] == CELLS)
    assert "model" in ghaxis("evidence", "STAT5_DNA_binding", "--predict").out


def test_explain_leads_to_studies_and_back(ghaxis) -> None:  # type: ignore[no-untyped-def]
    assert "371 ug/L/day" in ghaxis("explain", "s_GHRH_energy").out
    found = ghaxis("explain", "s_GHRH_energy", "--json").json()
    assert [study["study"] for study in found["studies"]] == ["ho1988", "hartman1992"]
    told = ghaxis("explain", "hartman1992")
    assert "s_GHRH_energy = 0.85" in told.out and "hartman1992_prod_fast2" in told.out
    assert ghaxis("explain", "hartman1992_prod_fast2", "--json").json()["key"] == "hartman1992"


@pytest.mark.parametrize("kind", ["therapies", "conditions", "interventions", "days", "measures", "studies", "parts", "quantities"])
def test_list(kind: str, ghaxis) -> None:  # type: ignore[no-untyped-def]
    rows = ghaxis("list", kind, "--json").json()
    assert len(rows) >= 3
    assert all(row["name"] and row["title"] for row in rows if kind != "quantities")
    assert rows[0]["name"] in ghaxis("list", kind).out


def test_explain(ghaxis) -> None:  # type: ignore[no-untyped-def]
    told = ghaxis("explain", "SOCS3")
    assert all(word in told.out for word in ("SOCS3", "rate", "model/socs.ant", "used by"))
    found = ghaxis("explain", "CL_GH_renal", "--json").json()
    assert (found["unit"], found["kind"], found["spread"]) == ("L/h", "constant", "cv 0.25")
    assert "haffner1994" in found["source"]
    assert ghaxis("explain", "CL_tesamorelin").code == 0


def test_check_counts_and_names_files(ghaxis) -> None:  # type: ignore[no-untyped-def]
    told = ghaxis("check", "masld", "socs.ant")
    assert told.code == 0, told.out
    assert "0 errors" in told.out
    assert ghaxis("check", "masld", "--json").json() == []


def test_check_of_a_wrong_study_lists_all_with_line_and_nearest_word(ghaxis) -> None:  # type: ignore[no-untyped-def]
    ghaxis("new", "study", "mine")
    text = (
        Path("mine.toml").read_text(encoding="utf-8").replace('measure = "IGF1_total"', 'measure = "IGF1_totl"').replace("seen =", "sen =")
    )
    Path("mine.toml").write_text(text.replace('do = "rhgh', 'do = "rhg'))
    told = ghaxis("check", "mine.toml")
    assert told.code == 1
    lines = [line for line in told.out.splitlines() if line.startswith("mine.toml:")]
    assert len(lines) >= 3
    assert [word for word in ("IGF1_total", "seen", "rhgh") if f"did you mean '{word}'" not in told.out] == []
    found = json.loads(ghaxis("check", "mine.toml", "--json").out)
    assert {"file", "line", "what", "nearest", "severity"} == set(found[0])


FIVE = {
    'state = "healthy"': 'state = "helthy"',
    'measure = "IGF1_total"': 'measure = "IGF1"',
    'age = "45 years"': 'age = "45 kg"',
    'of = "treated@2': 'of = "treatd@2',
    "daily at 20:00": "daily at 25:00",
}


def test_five_mistakes_are_told_at_once_and_cost_no_other_file(ghaxis) -> None:  # type: ignore[no-untyped-def]
    Path("mine").mkdir()
    ghaxis("new", "study", "wrong", "--folder", "mine")
    text = Path("mine/wrong.toml").read_text(encoding="utf-8")
    right = text.replace("wrong", "good")
    for old, new in FIVE.items():
        assert old in text
        text = text.replace(old, new, 1)
    Path("mine/wrong.toml").write_text(text)
    Path("mine/good.toml").write_text(right)
    told = ghaxis("check", "mine")
    assert told.code == 1
    lines = [line for line in told.out.splitlines() if line.startswith("mine/wrong.toml:")]
    whats = (
        "did you mean 'healthy'",
        "'kg' cannot be read",
        "'25:00' is no time of day",
        "did you mean 'IGF1_total'",
        "did you mean 'treated'",
    )
    assert len(lines) == len(whats)
    assert all(what in line for what, line in zip(whats, lines, strict=True)), lines
    assert "5 errors, 0 warnings in mine/good.toml, mine/wrong.toml" in told.out
    found = ghaxis("validate", "mine", "--json").json()
    assert [row["id"] for row in found["findings"]] == ["good_igf1"]
    assert {row["study"] for row in found["skipped"]} == {"mine/wrong.toml"}
    assert len(found["skipped"]) == 4  # the protocol is read when the arm is
    shown = ghaxis("validate", "mine").out
    assert "1 findings of extra studies, counted in no summary" in shown
    assert "Scoreboard" not in shown


def test_a_drug_that_the_library_lacks_costs_only_its_own_findings(ghaxis) -> None:  # type: ignore[no-untyped-def]
    ghaxis("new", "study", "mine")
    text = Path("mine.toml").read_text(encoding="utf-8").replace('do = "nothing"', 'do = "zzz 3 mg oral daily"')
    Path("mine.toml").write_text(
        text + text[text.index("[[finding]]") :].replace("mine_igf1", "mine_drug").replace("treated@", "untreated@")
    )
    told = ghaxis("check", "mine.toml")
    assert (told.code, "'zzz' is no therapy, intervention or quantity" in told.out) == (1, True)
    found = ghaxis("validate", "mine.toml", "--json").json()
    assert [row["id"] for row in found["findings"]] == ["mine_igf1"]
    assert [(row["id"], "'zzz' is no therapy" in row["reason"]) for row in found["skipped"]] == [("mine_drug", True)]


def test_list_by_a_word_and_what_a_state_may_say(ghaxis) -> None:  # type: ignore[no-untyped-def]
    names = [row["name"] for row in ghaxis("list", "measures", "IGF1", "--json").json()]
    assert "IGF1_total" in names and "VAT" not in names
    details = {row["name"]: row["detail"] for row in ghaxis("list", "conditions", "--json").json()}
    assert details["masld"] == "steatosis = 15 percent, fibrosis = 0"


@pytest.mark.parametrize("kind", ["study", "condition", "therapy", "intervention"])
def test_new_writes_a_start_that_is_not_overwritten(kind: str, ghaxis) -> None:  # type: ignore[no-untyped-def]
    wrote = ghaxis("new", kind, "mine", "--json").json()["wrote"]
    assert Path(wrote).stem == "mine"
    assert "NAME" not in Path(wrote).read_text(encoding="utf-8")
    again = ghaxis("new", kind, "mine")
    assert (again.code, "already there" in again.err) == (2, True)


def test_a_new_study_has_no_mistake(ghaxis) -> None:  # type: ignore[no-untyped-def]
    ghaxis("new", "study", "mine")
    assert ghaxis("check", "mine.toml").code == 0


def test_export_writes_sbml(ghaxis) -> None:  # type: ignore[no-untyped-def]
    found = ghaxis("export", "model.xml", "--therapies", "tesamorelin,rhgh", "--json").json()
    root = ElementTree.parse("model.xml").getroot()
    assert (root.get("level"), root.get("version")) == ("3", "2")
    names = {e.get("id") for e in root.iter()}
    assert {"GH_free", "depot_tesamorelin", "depot_rhgh"} <= names
    assert len(found["model"]) == 64
    assert ghaxis("export", "model.ant").code == 0


def test_export_writes_a_kernel(ghaxis) -> None:  # type: ignore[no-untyped-def]
    give = "tesamorelin 2 mg sc at 08:00"
    wrote = {Path(p) for p in ghaxis("export", "kernel", "--kernel", "--watch", "GH,IGF1", "--give", give, "--json").json()["wrote"]}
    assert wrote == set(Path("kernel").iterdir())
    assert {"kernel.wasm", "kernel.sm_80.ptx", "kernel.sm_90.ptx", "kernel.mjs", "run.mjs", "index.html"} <= {p.name for p in wrote}
    about, person = (json.loads(Path("kernel", name).read_text(encoding="utf-8")) for name in ("kernel.json", "person.json"))
    assert about["watched"] == ["GH", "IGF1"]
    assert about["shown"]["IGF1"]["unit"] == "ug/L"
    assert set(person["levels"]) <= set(about["states"])
    assert set(person["parameters"]) <= set(about["parameters"])
    assert [impulse[1] for impulse in person["impulses"]] == ["depot_tesamorelin"]


def test_pages(ghaxis) -> None:  # type: ignore[no-untyped-def]
    written = ghaxis("pages", "pages", "--json").json()["wrote"]
    assert all(Path(p).is_file() for p in written)
    assert Path("pages/wiring.svg").is_file()


def test_version_and_help(ghaxis) -> None:  # type: ignore[no-untyped-def]
    from importlib.metadata import version

    assert ghaxis("--version").out.strip() == version("ghaxis")
    told = ghaxis("--help")
    assert told.code == 0
    assert "not a medical device" in " ".join(told.out.split())


# --- a user's mistakes --------------------------------------------------------------------------------------------------------------

MISTAKES = [
    (["run", "masdl"], "masld"),
    (["run", "masld(steatossis = 20 percent)"], "steatosis"),
    (["run", "masld(steatosis = 20 kg)"], "steatosis"),
    (["run", "masld + cirrhosis"], "masld"),
    (["run", "--give", "tesamorlin 2 mg sc daily"], "tesamorelin"),
    (["run", "--give", "tesamorelin 2 mg po daily"], "po"),
    (["run", "--give", "tesamorelin 2 mgg sc daily"], "mg"),
    (["run", "--watch", "IGF"], "IGF1"),
    (["run", "--until", "3 fortnigt"], "fortnigt"),
    (["run", "--until", "-3 h"], "--until"),
    (["run", "--every", "0 h"], "--every"),
    (["run", "--age", "old"], "old"),
    (["run", "--age", "12"], "age"),
    (["run", "--sex", "X"], "'M' or 'F'"),
    (["run", "--given", "VAT"], "NAME=VALUE"),
    (["run", "--given", "VTA=4 kg"], "VAT"),
    (["run", "--engine", "refere"], "referee"),
    (["run", "--begin", "25:00"], "08:30"),
    (["run", "--watc", "GH"], "--watch"),
    (["rnu"], "run"),
    (["trial", "faluts2007"], "falutz2007"),
    (["trial", CELLS, "--people", "0"], "--people"),
    (["validate", "ahmed2077"], CELLS),
    (["validate", "--use", "calbration"], "calibration"),
    (["validate", "--html", "board.htm"], ".html"),
    (["validate", CELLS, "--accept"], "whole library"),
    (["validate", "--because", "so"], "--accept"),
    (["evidence", "IGF1_totl"], "IGF1_total"),
    (["evidence", "IGF1_total", "--condition", "cirhosis"], "cirrhosis"),
    (["evidence", "IGF1_total", "--intervention", "rghh"], "rhgh"),
    (["list", "therapy"], "therapies"),
    (["explain", "IGF"], "IGF1"),
    (["explain", "falutz207"], "falutz2007"),
    (["check", "masdl"], "masld"),
    (["new", "studdy", "x"], "study"),
    (["new", "study", "X"], "lower-case"),
    (["new", "study", CELLS], "already"),
    (["new", "therapy", "rhgh"], "already"),
    (["check", "."], "no study file"),
    (["export", "model.txtx"], ".xml"),
    (["export", "model.xml", "--therapies", "tesamorlin"], "tesamorelin"),
    (["export", "nowhere/model.xml"], "nowhere"),
    (["export", "model.xml", "--watch", "GH"], "--kernel"),
    (["export", "kernel", "--kernel", "--watch", "IGF"], "IGF1"),
]


@pytest.mark.parametrize(("words", "hint"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_a_mistake_is_one_clear_line(words: list[str], hint: str, ghaxis) -> None:  # type: ignore[no-untyped-def]
    told = ghaxis(*words)
    assert told.code == 2
    lines = told.err.strip().splitlines()
    assert len(lines) == 1
    assert hint in lines[0]
    assert "Traceback" not in told.err
    assert told.out == ""
    assert list(Path().iterdir()) == []


# --- Ctrl-C -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--plot=day.png", "--save=day.parquet", "--save=day.nc", "--save=day.csv"])
def test_an_interruption_while_writing_leaves_no_half_file(option: str, ghaxis, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    import matplotlib.figure
    import pandas
    import xarray

    def half(self: object, path: str, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", half)
    monkeypatch.setattr(pandas.DataFrame, "to_parquet", half)
    monkeypatch.setattr(pandas.DataFrame, "to_csv", half)
    monkeypatch.setattr(xarray.Dataset, "to_netcdf", half)
    Path(option.partition("=")[2]).write_bytes(b"before")
    told = ghaxis("run", "--until", "6h", option)
    assert told.code == 130
    assert "interrupted" in told.err
    assert {p.name: p.read_bytes() for p in Path().iterdir()} == {option.partition("=")[2]: b"before"}


def test_ctrl_c_in_the_middle_of_a_run(tmp_path: Path) -> None:
    command = "from ghaxis.cli import main; print('ready', flush=True); main()"
    words = ["run", "healthy", "--until", "520w", "--every", "1h", "--watch", "GH", "--save", "long.parquet"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(1.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert os.listdir(tmp_path) == []
