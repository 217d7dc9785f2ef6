"""The scoreboard as a page: complete, self-contained, well formed."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_validation import STUDIES, board

from ghaxis.evidence import Unreadable
from ghaxis.reading import read_library
from ghaxis.report import figures, page
from ghaxis.validation import Scoreboard, validate

LIBRARY = read_library()
VOID = {"meta", "br", "input", "line", "circle", "path", "rect", "img"}


class Outline(HTMLParser):
    """Every tag closed in order; the ids, the links, and all that would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"]] if given.get("id") else []
        self.links += [given["href"]] if tag == "a" and given.get("href") else []
        self.fetched += [str(given[key]) for key in ("src", "data", "xlink:href") if key in given] + ([str(given)] if tag == "link" else [])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()


@pytest.fixture(scope="module")
def text() -> str:
    made = board(0.3)
    return page.page(Scoreboard(made.verdicts, (Unreadable("x", "x_1", "no <drug> of that name"),)), LIBRARY, "abc123", ("worse: a",))


def test_it_is_well_formed_and_fetches_nothing(text: str) -> None:
    outline = Outline(text)
    assert outline.open == [] and outline.fetched == []
    assert not re.search(r"@import|url\(|https?://", text)
    assert len(outline.ids) == len(set(outline.ids))
    assert [link for link in outline.links if not link.startswith("#") or link[1:] not in outline.ids] == []


def test_every_study_and_finding_is_on_it(text: str) -> None:
    for record in STUDIES:
        assert f'id="{record.key}"' in text
    for word in ("one_vat", "Since the accepted scoreboard", "worse: a", "no &lt;drug&gt; of that name", "abc123", "x_1"):
        assert word in text


def test_the_worst_come_with_their_suspected_cause() -> None:
    made = page.page(validate_cells(), LIBRARY)
    assert "studies disagree (ahmed2007 has the opposite)" in made.split("Claims, and the findings")[0]


def test_claims_are_covered_or_said_not_to_be(text: str) -> None:
    assert re.search(r'class="none"[^>]*><b>H1</b>', text)
    assert re.search(r'class="met"[^>]*><b>D3</b>', text)


def test_it_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page.write(board(1.0), LIBRARY, tmp_path / "new" / "s.html")
    assert (tmp_path / "new" / "s.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        page.write(board(1.0), LIBRARY, tmp_path / "other.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new"]


def test_an_empty_board_is_a_page_and_a_figure(tmp_path: Path) -> None:
    assert "Everything was run" in page.page(Scoreboard((), ()), LIBRARY)
    figures.save(figures.overview(Scoreboard((), ())), tmp_path / "none.png")


def test_the_overview_is_drawn(tmp_path: Path) -> None:
    figures.save(figures.overview(board(0.5)), tmp_path / "all.png")
    assert (tmp_path / "all.png").stat().st_size > 20000


def validate_cells() -> Scoreboard:
    from ghaxis.model import Model

    return validate(Model.load(LIBRARY), "thissen1997")
