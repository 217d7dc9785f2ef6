"""Budgets: how large a module and a class may be, which names nothing may have, and where a foreign library may be used.

Raising a budget needs a decision record in docs/decisions/ that names what is raised.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ghaxis

PACKAGE = Path(ghaxis.__file__).parent
ROOT = Path(__file__).resolve().parents[2]
LINES, METHODS = 500, 12
RAISED: dict[str, int] = {}  # class -> methods
NO_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "misc"}
DOORS = {
    "antimony": {"assembly.py"},
    "libsbml": {"assembly.py", "engine/expressions.py"},
    "roadrunner": {"engine/referee.py"},
    "llvmlite": {"engine/machine.py"},
    "pint": {"units.py"},
    "matplotlib": {"report/style.py"},
    "typer": {"cli.py"},
    "jinja2": {"report/page.py"},
    "scipy": {"profiles.py"},
    "xarray": {"simulation.py"},
    "pandas": {"simulation.py"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(m.relative_to(PACKAGE)) for m in MODULES]


def parts(text: str) -> set[str]:
    """The words of an identifier."""
    return set(re.findall(r"[a-z]+", re.sub(r"([A-Z])", r"_\1", text).lower()))


def imported(tree: ast.AST) -> Iterator[str]:
    """The foreign packages that a module imports, by statement or by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value).split(".")[0]


@pytest.mark.parametrize("module", MODULES, ids=NAMES)
def test_module_is_short(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= LINES


@pytest.mark.parametrize("module", MODULES, ids=NAMES)
def test_classes_are_small(module: Path) -> None:
    large = {}
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = [f for f in node.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")]
            verbs = [f.name for f in methods if not any("property" in ast.unparse(d) for d in f.decorator_list)]
            if len(verbs) > RAISED.get(node.name, METHODS):
                large[node.name] = verbs
    assert large == {}


def test_what_is_raised_has_a_decision_record() -> None:
    records = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert [name for name in RAISED if f"`{name}`" not in records] == []


@pytest.mark.parametrize("module", MODULES, ids=NAMES)
def test_nothing_has_a_name_that_says_nothing(module: Path) -> None:
    words = parts(str(module.relative_to(PACKAGE).with_suffix("")))
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            words |= parts(node.name)
    assert words & NO_NAMES == set()


@pytest.mark.parametrize("module", MODULES, ids=NAMES)
def test_foreign_libraries_are_used_at_their_door(module: Path) -> None:
    name = module.relative_to(PACKAGE).as_posix()
    assert sorted(n for n in set(imported(ast.parse(module.read_text(encoding="utf-8")))) if n in DOORS and name not in DOORS[n]) == []


@pytest.mark.parametrize("module", MODULES, ids=NAMES)
def test_nothing_is_left_undone(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert re.findall(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b", text) == []
    bare = [n.lineno for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ExceptHandler) and n.type is None]
    assert bare == []
