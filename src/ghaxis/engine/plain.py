"""The method in plain NumPy: the specification of the compiled engine, which must take the same steps. Slow, and meant to be read.

One lane: linearly implicit steps with error control, restarted nowhere; a breakpoint only ends a step. What is watched is read off the
dense output, so asking for more moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ghaxis.engine.contract import Array, Batch, Breaks, Tolerances
from ghaxis.engine.expressions import System
from ghaxis.engine.graph import evaluator
from ghaxis.engine.methods import RODAS4, Method

SAFETY, LEAST, MOST = 0.9, 0.2, 5.0  # the next step is h x SAFETY x error^(-1/order), within h x [LEAST, MOST]
FAINT = 0.01  # errors below this count as this when the next error is foreseen
EMPTY = 1e-3  # what a state that starts at 0 counts as, until it has grown
TINY = 1e-30  # keeps the scale of a state that never moves off 0
SNAP = 0.999  # a step that would end this close to a stop ends on it
SMALLEST = 1e-13  # of max(|t|, 1): a step below this is a failure
PATIENCE = 100_000  # attempts between two stops
GAUSS = (0.5 - 0.5 / np.sqrt(3.0), 0.5 + 0.5 / np.sqrt(3.0))  # the two points that integrate the cubic dense output exactly


@dataclass(frozen=True)
class Step:
    """One attempt: where from, how far, its error norm, and whether it was kept."""

    time: float
    size: float
    error: float
    accepted: bool


@dataclass(frozen=True, eq=False)
class Problem:
    """What the method needs to know of a system; `watch(t, y, p)` gives the watched symbols."""

    rates: Callable[[float, Array, Array], Array]
    slopes: Callable[[float, Array, Array], tuple[Array, Array]]
    watch: Callable[[float, Array, Array], Array]

    @staticmethod
    def of(system: System, watched: tuple[str, ...]) -> Problem:
        """The problem of a system, worked out expression by expression."""
        jacobian, explicit, n = system.jacobian(), system.time_derivative(), len(system.states)
        rates, entries = evaluator(system.graph, system.rates), evaluator(system.graph, [*jacobian.values(), *explicit.values()])
        watch = evaluator(system.graph, [system.symbols[name] for name in watched])

        def slopes(t: float, y: Array, p: Array) -> tuple[Array, Array]:
            J, ft = np.zeros((n, n)), np.zeros(n)
            found = entries(t, y.tolist(), p.tolist())
            for (i, j), value in zip(jacobian, found, strict=False):
                J[i, j] = value
            ft[list(explicit)] = found[len(jacobian) :]
            return J, ft

        def numbers(work: Callable[..., list[float]]) -> Callable[[float, Array, Array], Array]:
            return lambda t, y, p: np.array(work(t, y.tolist(), p.tolist()))

        return Problem(numbers(rates), slopes, numbers(watch))


@dataclass(frozen=True, eq=False)
class Course:
    """One lane's answer: values (t, m), means (w, m), final levels, and every attempt."""

    values: Array
    means: Array
    final: Array
    steps: tuple[Step, ...]


def attempt(problem: Problem, method: Method, t: float, h: float, y: Array, p: Array) -> tuple[Array, Array, tuple[Array, Array]]:
    """One step: new levels, error estimate, and the two vectors of the dense output."""
    J, ft = problem.slopes(t, y, p)
    inverse = np.linalg.inv(np.eye(len(y)) / (h * method.gamma) - J)
    k = np.zeros((method.stages, len(y)))
    for i in range(method.stages):
        inside = y + sum((a * k[j] for j, a in enumerate(method.a[i]) if a), np.zeros(len(y)))
        right = problem.rates(t + method.alpha[i] * h, inside, p) + h * method.gammas[i] * ft
        k[i] = inverse @ (right + sum((c / h * k[j] for j, c in enumerate(method.c[i])), np.zeros(len(y))))
    return y + np.array(method.m) @ k, np.array(method.e) @ k, (np.array(method.dense[0]) @ k, np.array(method.dense[1]) @ k)


def first_step(rates: Array, y: Array, scale: Array, tolerance: float) -> float:
    """A step over which levels change by about a hundredth of what the error norm calls one unit of size."""
    size, speed = np.sqrt(np.mean((tolerance * y / scale) ** 2)), np.sqrt(np.mean((tolerance * rates / scale) ** 2))
    return float(0.01 * size / speed) if size > 1e-5 and speed > 1e-5 else 1e-6


Act = Callable[[Breaks, float, Array, Array], None]


def integrate(
    problem: Problem, batch: Batch, lane: int, y: Array, p: Array, act: Act, tolerances: Tolerances, method: Method = RODAS4
) -> Course:
    """Move one lane from start to end. `act` applies, in place, what its breakpoints do at one moment."""
    breaks, t, end = batch.breaks[lane], batch.start, batch.end
    largest = tolerances.largest_step or np.inf
    relative, absolute = tolerances.relative, tolerances.absolute
    floor = absolute * np.where(y == 0, EMPTY, 0.0) + TINY
    peak = np.abs(y)  # each state's largest magnitude so far
    outside = np.unique(np.concatenate([breaks.path_times, breaks.impulse_times]))
    stops = [*outside[(outside > t) & (outside < end)], end]
    edges = np.unique(batch.windows)
    parts = np.zeros((max(len(edges) - 1, 0), len(problem.watch(t, y, p))))  # integrals between neighbouring edges
    values = np.full((len(batch.times), parts.shape[1]), np.nan)
    values[batch.times == t] = problem.watch(t, y, p)
    act(breaks, t, y, p)
    suggested = first_step(problem.rates(t, y, p), y, (relative + absolute) * peak + floor, relative)
    steps: list[Step] = []
    rejected, last = False, (0.0, 0.0)
    for stop in stops:
        while t < stop:
            gap, wish = stop - t, min(suggested, largest)
            h = gap if wish >= SNAP * gap else min(wish, 0.5 * gap)
            new, error, dense = attempt(problem, method, t, h, y, p)
            larger = np.maximum(peak, np.abs(new))
            scale = relative * np.maximum(np.abs(y), np.abs(new)) + absolute * larger + floor
            norm = float(np.sqrt(np.mean((error / scale) ** 2)))
            norm = max(norm, 1e-8) if norm < 1e8 else 1e8  # also when it is not a number
            size = norm ** (1.0 / method.order)
            factor = min(MOST, max(LEAST, SAFETY / size))
            steps.append(Step(t, h, norm, norm <= 1.0))
            if norm > 1.0:
                suggested, rejected = h * factor, True
                if suggested < SMALLEST * max(abs(t), 1.0):
                    raise ArithmeticError(f"step too small at {t}")
                continue
            then = stop if h == gap else t + h

            def between(x: float, y: Array = y, new: Array = new, dense: tuple[Array, Array] = dense) -> Array:
                return (1 - x) * y + x * (new + (1 - x) * (dense[0] + x * dense[1]))

            for row in np.flatnonzero((batch.times > t) & (batch.times <= then)):
                values[row] = problem.watch(batch.times[row], between((batch.times[row] - t) / h), p)
            for k in range(len(parts)):
                a, b = max(edges[k], t), min(edges[k + 1], then)
                for g in GAUSS if b > a else ():
                    at = a + g * (b - a)
                    parts[k] += 0.5 * (b - a) * problem.watch(at, between((at - t) / h), p)
            if last[0] > 0:  # as the error changed from step to step, so it will change again
                factor = max(LEAST, min(factor, SAFETY * h / last[0] * last[1] / size**2))
            grown = h * (min(factor, 1.0) if rejected else factor)
            suggested = grown if h >= SAFETY * wish else max(grown, min(wish, MOST * grown))
            t, y, peak, rejected, last = then, new.copy(), larger, False, (h, max(size, FAINT ** (1.0 / method.order)))
        if stop < end:
            act(breaks, stop, y, p)
            peak = np.maximum(peak, np.abs(y))
    where = np.searchsorted(edges, batch.windows)
    means = [parts[a:b].sum(axis=0) / (edges[b] - edges[a]) for a, b in where]
    return Course(values, np.array(means).reshape(len(where), parts.shape[1]), y, tuple(steps))
