"""The generated reference pages: complete, linked, the same every time; and the wiring diagram."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from ghaxis.model import Model
from ghaxis.report.pages import stated_by, write
from ghaxis.report.wiring import draw, layers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pages")
    write(Model.load(), root)
    return root


def test_every_mechanism_and_every_therapy_has_its_page(folder: Path) -> None:
    library = Model.load().library
    assert {p.stem for p in (folder / "mechanisms").iterdir()} == set(library.fragments)
    assert {p.stem for p in (folder / "therapies").iterdir()} == set(library.therapies)


def test_a_page_tells_needs_offers_numbers_and_equations(folder: Path) -> None:
    library = Model.load().library
    for name, fragment in library.fragments.items():
        text = (folder / "mechanisms" / f"{name}.md").read_text(encoding="utf-8")
        untold = [d.name for d in fragment.definitions if d.name not in text] + [
            n for n in (*fragment.needs, *fragment.offers) if f"`{n}`" not in text
        ]
        assert (name, untold) == (name, [])


@pytest.mark.parametrize("kind", ["assumed", "fitted"])
def test_no_assumption_hides(folder: Path, kind: str) -> None:
    library = Model.load().library
    page = (folder / f"{kind}.md").read_text(encoding="utf-8")
    files = {f"{f.place.file}": f.definitions for f in (*library.fragments.values(), *(t.fragment for t in library.therapies.values()))}
    rows = [d for found in files.values() for d in found if f"{kind}:" in d.source and (kind == "assumed" or "assumed:" not in d.source)]
    assert len(rows) > 100
    assert [
        d.name
        for d in rows
        if not re.search(rf"^\| `{d.name}` \| {re.escape(d.expression)} \|", page, re.MULTILINE) and d.kind == "constant"
    ] == []
    effects = [
        e for c in library.conditions.values() for e in c.effects if kind in e.source and (kind == "assumed" or "assumed:" not in e.source)
    ]
    assert [e.name for e in effects if f"## {e.place.file}" not in page] == []


def test_every_statement_is_counted_once(folder: Path) -> None:
    stated = list(stated_by(Model.load(therapies=sorted(Model.load().library.therapies))))
    assert len({(s.owner, s.name, s.place, s.value) for s in stated}) == len(stated)
    assert f"{len(stated)} sourced statements" in (folder / "README.md").read_text(encoding="utf-8")


def test_every_link_leads_somewhere(folder: Path) -> None:
    lost = []
    for page in sorted(folder.rglob("*.md")):
        for target, anchor in re.findall(r"\]\(([^)#]+)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
            there = (page.parent / target).resolve()
            if not there.is_file() or (anchor and f'<a id="{anchor}">' not in there.read_text(encoding="utf-8")):
                lost.append(f"{page.name}: {target}#{anchor}")
    assert lost == []


def test_the_same_library_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for path in write(Model.load(), tmp_path):
        assert path.read_bytes() == (folder / path.relative_to(tmp_path)).read_bytes(), path.name


def test_the_diagram_shows_every_part_and_every_tie(folder: Path) -> None:
    model = Model.load()
    root = ElementTree.parse(folder / "wiring.svg").getroot()
    boxes = {g.get("id") for g in root.iter("{http://www.w3.org/2000/svg}g")}
    ties = {(a, b) for a, b, _ in model.wiring() if a != b}
    assert boxes == {f"part-{name}" for tie in ties for name in tie}
    drawn = {tuple(re.findall(r"(?:from|to)-(\w+)", p.get("class", ""))) for p in root.iter("{http://www.w3.org/2000/svg}path")} - {()}
    assert drawn == ties


def test_rows_run_from_cause_to_effect() -> None:
    chain = {("c", "d"): 2, ("a", "b"): 2, ("b", "c"): 2, ("d", "a"): 1}
    at = {name: k for k, row in enumerate(layers("dcba", chain)) for name in row}
    assert at["a"] <= at["b"] <= at["c"] <= at["d"]
    assert "up" in draw({n: n for n in "abcd"}, {pair: ["x"] * n for pair, n in chain.items()})
