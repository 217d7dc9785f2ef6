"""Multistep solvers driven from Python on our compiled right-hand side: SciPy's LSODA and SUNDIALS' CVODE.

Both call back into Python, which calls machine code: `evaluation` says what that adds to every evaluation of the rates.
"""

from __future__ import annotations

import time
import warnings
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
from scipy.integrate import odeint

from benchmarks.cases import WATCHED
from benchmarks.emitted import Emitted
from benchmarks.peers import FINE, Ran, spans
from ghaxis.engine import Batch, Tolerances
from ghaxis.engine.own import OwnEngine


class Driven(ABC):
    """A solver that is started at a moment, with levels, and asked for later ones. `sizes` are the states' largest levels in a week."""

    name = ""
    tolerances: tuple[float, ...] = FINE

    def __init__(self, sbml: str, batch: Batch):
        self.emitted = Emitted(sbml, batch)
        self.sizes = _sizes(sbml, batch)

    @abstractmethod
    def solve(self, asked: np.ndarray, y: np.ndarray, relative: float) -> tuple[np.ndarray, int]:
        """Levels at asked[1:], from y at asked[0], and the steps taken (0: not told)."""

    def run(self, batch: Batch, relative: float) -> Ran:
        """One restart for each span between breakpoints."""
        emitted = self.emitted
        y, acts = emitted.open(batch)
        values, steps = np.full((len(batch.times), len(WATCHED)), np.nan), 0
        begun = time.process_time()
        for now, stop, due in spans(batch):
            emitted.act(acts, now, y)
            inner = batch.times[due]
            asked = np.concatenate([[now], inner[inner < stop], [stop]])
            found, taken = self.solve(asked, y, relative)
            steps += taken
            for row, k in enumerate(due):
                values[k] = emitted.watch(asked[row + 1], found[row])
            y = found[-1].copy()
        return Ran(values, time.process_time() - begun, steps or None)


def _sizes(sbml: str, batch: Batch) -> np.ndarray:
    """The largest level of each state, for absolute tolerances."""
    probe = OwnEngine(lanes=1).compile(sbml, OwnEngine().compile(sbml, ()).state_names)
    levels = np.abs(probe.run(batch, Tolerances(1e-3, 1e-5)).values[0]).max(axis=0)
    return np.maximum(levels, 1e-12)


class Lsoda(Driven):
    """ODEPACK's LSODA, as SciPy's `odeint` runs it."""

    def __init__(self, sbml: str, batch: Batch, jacobian: bool = False):
        super().__init__(sbml, batch)
        self.name = "SciPy LSODA, own rates" + (" and Jacobian" if jacobian else "")
        self.dense: np.ndarray | None = np.zeros((len(self.sizes),) * 2) if jacobian else None

    def _jacobian(self, t: float, y: np.ndarray) -> np.ndarray:
        assert self.dense is not None
        rows, columns = self.emitted.entries
        self.dense[columns, rows] = self.emitted.slopes(t, y)  # column by column, as LSODA keeps it
        return self.dense

    def solve(self, asked: np.ndarray, y: np.ndarray, relative: float) -> tuple[np.ndarray, int]:
        """One call of odeint."""
        more: dict[str, Any] = {"Dfun": self._jacobian, "col_deriv": True} if self.dense is not None else {}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found, told = odeint(
                self.emitted.rates, y, asked, tfirst=True, full_output=True, rtol=relative, atol=relative / 1000 * self.sizes,
                mxstep=1_000_000, **more,
            )  # fmt: skip
        return found[1:], int(told["nst"][-1])


class Cvode(Driven):
    """SUNDIALS' CVODE through scikit-sundae: BDF, sparse elimination, our Jacobian."""

    name = "CVODE (scikit-sundae), own rates and Jacobian"

    @cached_property
    def _order(self) -> tuple[np.ndarray, np.ndarray]:
        """Where our entries stand column by column, and the pattern (with the whole diagonal, which CVODE needs)."""
        rows, columns = self.emitted.entries
        n = len(self.sizes)
        pattern = np.eye(n)
        pattern[rows, columns] = 1
        place = {(int(i), int(j)): k for k, (j, i) in enumerate(np.argwhere(pattern.T))}
        return np.array([place[int(i), int(j)] for i, j in zip(rows, columns, strict=True)]), pattern

    def solve(self, asked: np.ndarray, y: np.ndarray, relative: float) -> tuple[np.ndarray, int]:
        """One solution; a solver is kept for each tolerance."""
        from sksundae.cvode import CVODE

        place, pattern = self._order
        emitted = self.emitted

        def rates(t: float, y: np.ndarray, out: np.ndarray) -> None:
            out[:] = emitted.rates(t, y)

        def slopes(t: float, y: np.ndarray, _: np.ndarray, out: np.ndarray) -> None:
            out[:] = 0.0
            out[place] = emitted.slopes(t, y)

        if getattr(self, "_kept", (None,))[0] != relative:
            options = {"rtol": relative, "atol": relative / 1000 * self.sizes, "linsolver": "sparse", "sparsity": pattern}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that the pattern serves our Jacobian only
                self._kept = (relative, CVODE(rates, jacfn=slopes, max_num_steps=1_000_000, **options))
        solver = self._kept[1]
        solver.init_step(float(asked[0]), y)
        found = []
        for t in asked[1:]:
            answer = solver.step(float(t))
            if not answer.success:
                raise ArithmeticError(answer.message)
            found.append(np.array(answer.y))
        return np.array(found), 0


def evaluation(emitted: Emitted, batch: Batch, calls: int = 20_000) -> dict[str, float]:
    """Seconds of one evaluation of the rates: as called from Python, and within machine code."""
    y, acts = emitted.open(batch)
    emitted.act(acts, batch.start, y)
    begun = time.process_time()
    for _ in range(calls):
        emitted.rates(1.0, y)
    called = time.process_time()
    emitted.repeat(calls)
    return {"from Python": (called - begun) / calls, "within": (time.process_time() - called) / calls}
