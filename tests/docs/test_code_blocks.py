"""Every code block of README and docs runs: Python as it stands, `$ ghaxis ...` lines through the command line, `$ node ...` lines in
Node where there is one, named files as files.

All blocks of one page share a folder and their Python names, in order. Lines whose comment says `slow` are not run.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ghaxis import cli
from ghaxis.reading import packaged_root

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("docs/model", "docs/results", "docs/scoreboard")
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if not path.relative_to(ROOT).as_posix().startswith(GENERATED) and "```" in path.read_text(encoding="utf-8")
)
NAMED = re.compile(r"(?:#|//) ([\w/]+\.(?:toml|ant|csv|mjs))\n")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, the line on which it begins."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1)


def commands(block: Block) -> Iterator[tuple[int, list[str]]]:
    """The words of each `$ ghaxis` and `$ node` line that is to be run, with its line."""
    for number, line in enumerate(block.text.splitlines(), block.line):
        told, _, comment = line.partition("  # ")
        if line.startswith(("$ ghaxis", "$ node")) and "slow" not in comment:
            yield number, shlex.split(told.removeprefix("$ "), comments=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in; `my_trial.toml` is there, as a reader would have one."""
    monkeypatch.chdir(tmp_path)
    text = (packaged_root() / "studies" / "ahmed2007.toml").read_text(encoding="utf-8")
    (tmp_path / "my_trial.toml").write_text(text.replace('"ahmed2007', '"my_trial'))
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=[p.relative_to(ROOT).as_posix() for p in PAGES])
def test_page_runs(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    names: dict[str, object] = {}
    for block in blocks(page):
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)
        elif block.language == "console":
            for line, words in commands(block):
                if words[0] == "node":
                    program = [request.getfixturevalue("node"), *words[1:]]
                    told = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
                    assert not told.returncode, f"{page.name}:{line}: {' '.join(words)}\n{told.stderr}"
                    continue
                monkeypatch.setattr(sys, "argv", words)
                with pytest.raises(SystemExit) as stop:
                    cli.main()
                assert not stop.value.code, f"{page.name}:{line}: {' '.join(words)}\n{capsys.readouterr()}"
        elif named := NAMED.match(block.text):
            (folder / named[1]).write_text(block.text)


def test_every_block_says_what_it_is() -> None:
    """A block without a language would not be run and not be seen."""
    known = {"python", "console", "toml", "antimony", "javascript", "text"}
    assert [f"{p.name}:{b.line} {b.language}" for p in PAGES for b in blocks(p) if b.language not in known] == []


def _made(page: Path, target: str) -> bool:
    """Whether a link leads to what `make docs` writes."""
    return (page.parent / target).resolve().relative_to(ROOT).as_posix().startswith(GENERATED)


def test_links_between_pages_lead_somewhere() -> None:
    lost = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        if page.relative_to(ROOT).as_posix().startswith(GENERATED):
            continue
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists() and not _made(page, target):
                lost.append(f"{page.relative_to(ROOT)}: {target}")
    assert lost == []
