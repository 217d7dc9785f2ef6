"""The house style of every figure. The one door for matplotlib, with figures.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # the backend must be chosen first
from matplotlib import rcsetup
from matplotlib.axes import Axes

INK = "#1b2a33"
MUTED = "#7b8a93"
NIGHT = "#eef1f5"
BAND = "#dde3e8"
COLOURS = ("#0b5c7a", "#c8553d", "#6a8d3a", "#8661a5", "#b98b1d", "#3a7ca5")
OBSERVED = "#1b2a33"
PREDICTED = "#c8553d"

_RC: dict[Any, Any] = {
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": rcsetup.cycler("color", list(COLOURS)),
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.dpi": 160,
}


@contextmanager
def house() -> Iterator[None]:
    """Draw in the house style; the user's own settings return after it."""
    with plt.rc_context(_RC):
        yield


def nights(axes: Axes, begin: float, end: float, hours_at_zero: float) -> None:
    """Shade 23:00 to 07:00. `begin` and `end` are hours on the axis, whose 0 is clock time `hours_at_zero`."""
    first = int((begin + hours_at_zero) // 24) - 1
    for day in range(first, int((end + hours_at_zero) // 24) + 1):
        a, b = 24 * day + 23 - hours_at_zero, 24 * day + 31 - hours_at_zero
        if b > begin and a < end:
            axes.axvspan(max(a, begin), min(b, end), color=NIGHT, lw=0, zorder=0)
