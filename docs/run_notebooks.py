"""Run the tutorial notebooks: `make docs`. Executed copies go to build/tutorial; the notebooks themselves are kept without outputs."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
TUTORIAL = HERE / "tutorial"
EXECUTED = HERE.parent / "build" / "tutorial"
LIMIT = 300  # seconds for one cell


def notebooks() -> list[Path]:
    """The tutorial's notebooks, in the order of their names."""
    return sorted(TUTORIAL.glob("*.ipynb"))


def run(notebook: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook with outputs; what it writes (`out/`) lands below `folder`. Raises nbclient's CellExecutionError where a cell fails."""
    node = nbformat.read(notebook, as_version=4)
    folder.mkdir(parents=True, exist_ok=True)
    NotebookClient(node, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return node


def main(names: Sequence[str] | None = None) -> None:
    """Run the notebooks of these names, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="notebooks by name; all if none is given")
    parser.add_argument("--to", type=Path, default=EXECUTED, help="where executed copies go")
    given = parser.parse_args(names)
    for path in notebooks():
        if given.names and path.stem not in given.names:
            continue
        began = time.perf_counter()
        node = run(path, given.to)
        nbformat.write(node, given.to / path.name)
        print(f"{path.stem}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
