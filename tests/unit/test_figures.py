"""The figure of studies and the numbers beside it."""

from pathlib import Path
from typing import Any

import pytest

from ghaxis.errors import InputError
from ghaxis.report import figures, tables


def row(form: str, observed: float, predicted: float, effects: tuple[float, float], **more: Any) -> dict[str, Any]:
    """A scoreboard's row, as far as a figure reads it."""
    return {
        "study": "some2020",
        "id": f"some2020_{form}",
        "measure": "IGF1_total",
        "form": form,
        "unit": "",
        "observed": observed,
        "predicted": predicted,
        "effect_observed": effects[0],
        "effect_predicted": effects[1],
        "passed": True,
        **more,
    }


ROWS = [
    row("relative", 0.81, 0.7, (0.593, 0.531), effect_low=0.5, effect_high=0.7, low=0.6, high=0.8),
    row("ratio", 1.2, 40.0, (0.182, 3.69), passed=False),
    row("level", 200.0, 100.0, (5.3, 4.6), unit="ug/L", low=80.0, high=120.0),
    row("difference", -4.1, -5.9, (-4.1, -5.9), unit="percent"),
    row("order", 0.0, 1.0, (0.0, 1.0)),
]


def test_each_form_has_its_own_scale(tmp_path: Path) -> None:
    figure = figures.study(ROWS, "a title")
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["Changes", "Levels, as multiples of what was observed", "Differences, as multiples of what was observed"]
    assert [len(ax.get_yticks()) for ax in figure.axes] == [2, 1, 1]
    assert figure.axes[1].get_yticklabels()[0].get_text() == "level  [IGF1_total]"
    written = [text.get_text() for text in figure.axes[0].texts]
    assert "+81 %  |  +70 %" in written
    assert max(max(line.get_xdata()) for line in figure.axes[0].lines) < 3.1  # 40-fold is drawn at the edge
    figures.save(figure, tmp_path / "new" / "some.png")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["some.png"]


def test_nothing_to_draw_is_an_empty_figure(tmp_path: Path) -> None:
    figures.save(figures.study([]), tmp_path / "none.svg")


def test_an_ending_that_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"some\.jpeg2.*\.png, \.pdf, \.svg"):
        figures.save(figures.study(ROWS), tmp_path / "some.jpeg2")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("form", "unit", "value", "text"),
    [
        ("relative", "", -0.152, "-15.2 %"),
        ("level", "ug/L*min", 8754.0, "8750 ug/L*min"),
        ("level", "ug/L", 12.34, "12.3 ug/L"),
        ("ratio", "", None, "-"),
    ],
)
def test_numbers_are_written_as_people_write_them(form: str, unit: str, value: float | None, text: str) -> None:
    assert tables.shown({"form": form, "unit": unit, "observed": value}, "observed") == text
