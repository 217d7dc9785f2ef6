"""Our emitted functions by themselves: the right-hand side and Jacobian that SciPy and SUNDIALS are given, and what is counted."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from benchmarks.cases import WATCHED
from ghaxis.engine import Batch, machine
from ghaxis.engine.control import loop
from ghaxis.engine.emit import Layout, ModelCode, module
from ghaxis.engine.expressions import System, read_system
from ghaxis.engine.lanes import pack
from ghaxis.engine.methods import RODAS4
from ghaxis.engine.own import DEFAULT
from ghaxis.engine.values import Code, Shape

FUNCTIONS = ("hoist", "rates", "slopes", "watch", "repeat")
_TAKES = {"hoist": 2, "rates": 5, "slopes": 7, "watch": 5, "repeat": 6}


def fixed_exponents(system: System, batch: Batch) -> dict[str, float]:
    """Exponents that nobody in a batch moves, as our engine writes them into the code."""
    value = dict(zip(system.parameters, system.defaults, strict=True))
    moved = {name for b in batch.breaks for name in b.path_names}
    moved |= {n for k, n in enumerate(batch.parameter_names) if n in value and not (batch.parameters[:, k] == value[n]).all()}
    return {name: value[name] for name in system.exponents if name not in moved and math.isfinite(value[name])}


class Emitted:
    """One model's functions as machine code; `open(batch)` fills the memory they work in with the first lane of a batch."""

    def __init__(self, sbml: str, batch: Batch, watched: Sequence[str] = WATCHED):
        fixed = fixed_exponents(read_system(sbml), batch)
        self.layout = Layout.of(read_system(sbml, fixed))
        self.watched = tuple(watched)
        nodes = [self.layout.system.symbols[name] for name in watched]
        model = ModelCode(self.layout, Shape(1), machine.fuses())

        repeat = Code("repeat", [(name, "ptr") for name in ("t", "y", "p", "q", "f", "n")])  # rates, so many times over
        with loop(repeat, repeat.load(repeat.argument("n"), "i64")):
            repeat.call("rates", *(repeat.argument(name) for name in ("t", "y", "p", "q", "f")))
        table = Code("addresses", [("out", "ptr")], True)
        for k, name in enumerate(FUNCTIONS):
            place = table.at(table.argument("out"), k, "ptr")
            table.lines.append(f"  store ptr @{name}, ptr {place.name}, align 8")
        text = module([model.hoist(), model.rates(), model.slopes(), model.watch(nodes), repeat, table], Shape(1))
        self._code = machine.load(machine.digest("benchmarks", text), "addresses", lambda: text)
        addresses = np.zeros(len(FUNCTIONS), dtype=np.int64)
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._code.address)(addresses.ctypes.data)
        self._calls = {
            name: ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * _TAKES[name])(int(a)) for name, a in zip(FUNCTIONS, addresses, strict=True)
        }
        n = len(self.layout.system.states)
        sizes = {"t": 1, "y": n, "p": len(self.layout.system.parameters), "q": len(self.layout.hoisted), "f": n}
        sizes |= {"ft": max(len(self.layout.explicit), 1), "J": len(self.layout.jacobian), "out": len(watched)}
        self.arrays = {name: np.zeros(size) for name, size in sizes.items()}
        self._where = {name: ctypes.c_void_p(a.ctypes.data) for name, a in self.arrays.items()}
        w = self._where
        self._rates = (self._calls["rates"], w["t"], w["y"], w["p"], w["q"], w["f"])
        self._slopes = (self._calls["slopes"], w["t"], w["y"], w["p"], w["q"], w["f"], w["ft"], w["J"])

    @cached_property
    def entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the Jacobian's entries, in the order in which they are written."""
        where = np.array(list(self.layout.jacobian))
        return where[:, 0], where[:, 1]

    def open(self, batch: Batch) -> tuple[np.ndarray, list[tuple[float, int, float]]]:
        """Initial levels, and the breakpoints as (time, place, value): a state from 0 on, or -1 - parameter."""
        packed = pack(self.layout, RODAS4, batch, DEFAULT, len(self.watched))
        self.arrays["p"][:] = packed.parameters[0]
        time, where, value = packed.acts[0]
        return packed.levels[0].copy(), list(zip(time.tolist(), where.tolist(), value.tolist(), strict=True))

    def act(self, acts: list[tuple[float, int, float]], now: float, y: np.ndarray) -> None:
        """Do what happens at a moment, in place."""
        while acts and acts[0][0] <= now:
            _, where, value = acts.pop(0)
            if where < 0:
                self.arrays["p"][-1 - where] = value
            else:
                y[where] += value
        self._calls["hoist"](self._where["p"], self._where["q"])

    def rates(self, t: float, y: np.ndarray) -> np.ndarray:
        """dy/dt in memory of ours: read it before the next call."""
        arrays = self.arrays
        arrays["t"][0] = t
        arrays["y"][:] = y
        arrays["f"].fill(0.0)
        call, *where = self._rates
        call(*where)
        return arrays["f"]

    def repeat(self, calls: int) -> None:
        """The last rates again and again, within machine code."""
        count = np.array([calls], dtype=np.int64)
        self._calls["repeat"](*(self._where[name] for name in ("t", "y", "p", "q", "f")), count.ctypes.data)

    def slopes(self, t: float, y: np.ndarray) -> np.ndarray:
        """The Jacobian's entries in memory of ours."""
        arrays = self.arrays
        arrays["t"][0] = t
        arrays["y"][:] = y
        call, *where = self._slopes
        call(*where)
        return arrays["J"]

    def watch(self, t: float, y: np.ndarray) -> np.ndarray:
        """The watched symbols."""
        arrays = self.arrays
        arrays["t"][0] = t
        arrays["y"][:] = y
        self._calls["watch"](*(self._where[name] for name in ("t", "y", "p", "q", "out")))
        return arrays["out"].copy()
