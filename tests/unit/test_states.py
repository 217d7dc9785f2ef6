"""State text: what a person has, as conditions and numbers."""

from pathlib import Path

import pytest

from ghaxis.errors import DomainError, GhaxisError, InputError, UnitError
from ghaxis.reading import parse_state, read_library
from ghaxis.reading.records import Library

CONDITIONS = {
    "healthy": '[condition]\ntitle = "health"\n',
    "masld": """
[condition]
title = "fatty liver"
excludes = ["cirrhosis"]
[severity.steatosis]
meaning = "fat"
unit = "percent"
default = "15 percent"
low = 5
high = "50 percent"
[severity.fibrosis]
meaning = "stage"
unit = "dimensionless"
default = 0
low = 0
high = 4
""",
    "cirrhosis": """
[condition]
title = "cirrhosis"
[severity.child_pugh]
meaning = "class"
default = "B"
levels = { A = 1, B = 2, C = 3 }
""",
    "t2d": """
[condition]
title = "diabetes"
[severity.since]
meaning = "duration"
unit = "year"
default = "5 years"
low = "0 years"
""",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    root: Path = tmp_path_factory.mktemp("library")
    (root / "conditions").mkdir()
    for name, text in CONDITIONS.items():
        (root / "conditions" / f"{name}.toml").write_text(text)
    return read_library(root)


def said(text: str, library: Library) -> list[tuple[str, dict[str, float], str | None]]:
    return [(one.record.name, dict(one.severities), one.onset) for one in parse_state(text, library)]


def test_defaults(library: Library) -> None:
    assert said("healthy", library) == [("healthy", {}, None)]
    assert said("masld", library) == [("masld", {"steatosis": 0.15, "fibrosis": 0.0}, None)]
    assert said("masld()", library) == said("masld", library)


def test_percent_is_a_fraction_and_other_units_are_the_severitys_own(library: Library) -> None:
    assert said("masld(steatosis = 20 percent, fibrosis = 2) + t2d(since = 24 months)", library) == [
        ("masld", {"steatosis": pytest.approx(0.2), "fibrosis": 2.0}, None),
        ("t2d", {"since": pytest.approx(2.0, rel=0.01)}, None),
    ]
    assert said(" masld( steatosis=20% )", library)[0][1]["steatosis"] == pytest.approx(0.2)


def test_levels_and_onset(library: Library) -> None:
    assert said("cirrhosis(child_pugh = C, onset = 4 weeks)", library) == [("cirrhosis", {"child_pugh": 3.0}, "4 weeks")]


@pytest.mark.parametrize(
    ("text", "kind", "match"),
    [
        ("masl", InputError, r"unknown condition 'masl' .*did you mean 'masld'\?"),
        ("", InputError, "is not a state"),
        ("masld + ", InputError, "is not a state"),
        ("masld(steatosis = 20 percent", InputError, "is not a state"),
        ("masld(steatosis)", InputError, r"write a severity like 'steatosis = 15 percent'"),
        ("masld(steatos = 20 percent)", InputError, r"no severity 'steatos'; did you mean 'steatosis'\?"),
        ("t2d(colour = 3)", InputError, "it has since"),
        ("masld(steatosis = 20)", UnitError, "bare number.*20 percent"),
        ("masld(steatosis = 20 kg)", UnitError, "kg"),
        ("masld(steatosis = 60 percent)", InputError, "outside its range, 5 to 50 percent"),
        ("masld(fibrosis = 5)", InputError, "outside its range, 0 to 4"),
        ("t2d(since = -1 years)", InputError, "at least 0 year"),
        ("masld(fibrosis = two)", InputError, "not a number"),
        ("masld(fibrosis = 1, fibrosis = 2)", InputError, "stands twice"),
        ("masld + masld", InputError, "stands twice"),
        ("cirrhosis(child_pugh = D)", InputError, "one of A, B, C, not 'D'"),
        ("masld(onset = soon)", InputError, "soon"),
        ("cirrhosis + masld", DomainError, "'cirrhosis' and 'masld' contradict each other"),
        ("masld + t2d + cirrhosis(child_pugh = A)", DomainError, "contradict"),
    ],
)
def test_what_is_refused(text: str, kind: type[GhaxisError], match: str, library: Library) -> None:
    with pytest.raises(kind, match=match):
        parse_state(text, library)
