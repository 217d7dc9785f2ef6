"""The tutorial notebooks run from the first cell to the last, and are kept without outputs."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
import run_notebooks

NOTEBOOKS = run_notebooks.notebooks()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=[n.stem for n in NOTEBOOKS])
def test_notebook_runs(notebook: Path, tmp_path: Path) -> None:
    node = run_notebooks.run(notebook, tmp_path)
    shown = [o for cell in node.cells if cell.cell_type == "code" for o in cell.outputs]
    assert any("image/png" in o.get("data", {}) for o in shown)
    assert [o.get("text", "") for o in shown if o.get("name") == "stderr" and "Warning" in o.get("text", "")] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=[n.stem for n in NOTEBOOKS])
def test_notebook_is_kept_clean(notebook: Path) -> None:
    node = nbformat.read(notebook, as_version=4)
    nbformat.validate(node)
    assert node.cells[0].source.startswith("# ")
    code = [cell for cell in node.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert len(node.cells) - len(code) >= len(code) / 2  # it explains


def test_there_are_three() -> None:
    assert [n.stem for n in NOTEBOOKS] == ["a_day_of_gh", "one_drug_in_four_livers", "score_your_own_study"]
