"""From SBML to expressions: values, derivatives, elimination, refusals."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import libsbml
import numpy as np
import pytest

from ghaxis.engine.expressions import read_system
from ghaxis.engine.graph import evaluator
from ghaxis.engine.sparse import plan
from ghaxis.errors import LibraryError

sys.path.insert(0, str(Path(__file__).parents[1] / "oracle"))
from small_models import PULSES, sbml, text


def rates(system, t, y, p):
    return np.array(evaluator(system.graph, system.rates)(t, list(y), list(p)))


def test_values_are_those_of_the_formulas():
    s = read_system(PULSES)
    assert s.states == ("A", "B", "C", "G", "slow", "fast", "idle")
    assert s.initial == (1.2, 4.0, 0.0, 2.0, 1.0, 0.5, 0.0)
    p = dict(zip(s.parameters, s.defaults, strict=True))
    assert p == {"plasma": 3.5, "r": 8.0, "k": 1.5, "K": 2.0, "n": 3.2, "x_in": 1.0, "k_in": 0.4}
    y = dict(zip(s.states, (1.2, 4.0, 0.2, 2.0, 1.0, 0.5, 0.0), strict=True))
    bind, leave = 0.4 * 3.5 * 1.2**2 * 4.0, 0.2**1.5 / (0.3**1.5 + 0.2**1.5) * 3.5
    wanted = {
        "A": (2 * leave - 2 * bind) / 3.5,  # a concentration: substance per time over the volume
        "B": -bind,  # an amount
        "C": (bind - leave) / 3.5,
        "G": 8 * (1 + 0.9 * math.cos(2 * math.pi * 4 / 24)) * 2**3.2 / (2**3.2 + 1) - 3,
        "slow": 0.3 * (math.sqrt(2.1) * 2 - 1),
        "fast": 60 * (2**2.5 / (1 + 2**2.5) - 0.5),
        "idle": 0.0,
    }
    assert rates(s, 7.0, y.values(), s.defaults) == pytest.approx(list(wanted.values()), rel=1e-13)
    watched = evaluator(s.graph, [s.symbols["ratio"], s.symbols["flow"], s.symbols["bind"]])(7.0, list(y.values()), s.defaults)
    assert watched == pytest.approx([0.5 / (1 + 2 * math.exp(-1)), 0.4 * 1.2 / 3.5 + math.log(5), bind], rel=1e-13)
    assert s.volumes == {"A": "plasma", "C": "plasma"}


RICH = {
    "a": "tanh(a*b) - a^3 + piecewise(a*b, a < b, b^2) + cos(a*time)*sin(b)",
    "b": "sqrt(a + 2)/(1 + b^q) - log(10, 1 + a^2) + abs(a - 3*b) + max(a, 2*b) - min(a, b)",
    "c": "exp(-a/(1 + c^2)) + root(3, 1 + c) - floor(2.5)*c^(-2) + time^2*c - log10(b + 3)",
}


@pytest.mark.parametrize("which", ["rich", "pulses"])
def test_derivatives_match_differences(which):
    document = sbml(rates=RICH, start={"a": 1.1, "b": 0.7, "c": 0.4}, parameters={"q": 1.7})
    s = read_system(text(document) if which == "rich" else PULSES)
    rng = np.random.default_rng(1)
    work = evaluator(s.graph, [*s.jacobian().values(), *s.time_derivative().values()])
    for _ in range(5):
        y, t = np.array(s.initial) + rng.uniform(0.1, 0.5, len(s.states)), rng.uniform(0.5, 2)
        found = work(t, list(y), s.defaults)
        full = np.zeros((len(y), len(y)))
        for (i, j), value in zip(s.jacobian(), found, strict=False):
            full[i, j] = value
        ft = np.zeros(len(y))
        ft[list(s.time_derivative())] = found[len(s.jacobian()) :]
        h = 1e-5
        for j in range(len(y)):
            e = h * np.eye(len(y))[j]
            column = (
                8 * (rates(s, t, y + e, s.defaults) - rates(s, t, y - e, s.defaults))
                - rates(s, t, y + 2 * e, s.defaults)
                + rates(s, t, y - 2 * e, s.defaults)
            ) / (12 * h)
            assert full[:, j] == pytest.approx(column, rel=1e-8, abs=1e-8)
        slope = (
            8 * (rates(s, t + h, y, s.defaults) - rates(s, t - h, y, s.defaults))
            - rates(s, t + 2 * h, y, s.defaults)
            + rates(s, t - 2 * h, y, s.defaults)
        ) / (12 * h)
        assert ft == pytest.approx(slope, rel=1e-8, abs=1e-8)


def test_equal_expressions_are_one_and_constants_fold():
    s = read_system(text(sbml(rates={"x": "k*x*2/4 + 0*time", "y": "x*k/2"}, start={"x": 1, "y": 1}, parameters={"k": 3})))
    assert s.rates[0] == s.rates[1]
    assert not s.time_derivative()
    assert s.jacobian()[0, 0] == s.jacobian()[1, 0]


def test_elimination_solves():
    rng = np.random.default_rng(3)
    n = 25
    entries = sorted({(int(i), int(j)) for i, j in rng.integers(0, n, (60, 2)) if i != j})
    full = np.diag(rng.uniform(5, 9, n))
    for i, j in entries:
        full[i, j] = rng.normal()
    e, b = plan(n, entries), rng.normal(size=n)
    lu, x = {}, b.copy()
    for i in e.order:
        row = {j: full[i, j] for j in (*e.lower[i], i, *e.upper[i])}
        for j in e.lower[i]:
            lu[i, j] = row[j] * lu[j, j]
            for k in e.upper[j]:
                row[k] -= lu[i, j] * lu[j, k]
        lu.update(
            {(i, j): row[j] for j in e.upper[i]},
        )
        lu[i, i] = 1 / row[i]
        x[i] -= sum(lu[i, j] * x[j] for j in e.lower[i])
    for i in reversed(e.order):
        x[i] = (x[i] - sum(lu[i, j] * x[j] for j in e.upper[i])) * lu[i, i]
    assert full @ x == pytest.approx(b, rel=1e-10)
    assert set(lu) == set(e.slot)
    assert len(e.slot) < 0.5 * n * n


def test_initial_assignments_follow_one_another():
    document = sbml(
        rates={"x": "-x"}, start={"x": 0}, parameters={"a": 2, "b": 0, "c": 0}, assignments={"x": "2*c", "c": "b + 1", "b": "a^2"}
    )
    s = read_system(text(document))
    assert s.initial == (10.0,)
    assert dict(zip(s.parameters, s.defaults, strict=True)) == {"a": 2.0, "b": 4.0, "c": 5.0}


def with_event(m):
    e = m.createEvent()
    e.setUseValuesFromTriggerTime(True)
    t = e.createTrigger()
    t.setInitialValue(True), t.setPersistent(True), t.setMath(libsbml.parseL3Formula("time > 3"))
    e.setId("dose")


def with_moving_size(m):
    r = m.createRateRule()
    m.getCompartment("plasma").setConstant(False)
    r.setVariable("plasma"), r.setMath(libsbml.parseL3Formula("1"))


def with_algebraic(m):
    m.createAlgebraicRule().setMath(libsbml.parseL3Formula("x - 1"))


def with_conversion(m):
    m.getSpecies("S").setConversionFactor("k")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_event, ("event dose", "breakpoints")),
        (with_moving_size, ("compartment plasma", "size")),
        (with_algebraic, ("algebraic",)),
        (with_conversion, ("species S", "conversionFactor")),
    ],
)
def test_what_is_outside_is_refused_by_name_and_line(change, words):
    document = sbml(
        rates={"x": "-k*x"}, start={"x": 1}, parameters={"k": 1}, compartments={"plasma": 2}, species=[("S", "plasma", 1, True)]
    )
    change(document.getModel())
    with pytest.raises(LibraryError) as caught:
        read_system(text(document))
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert caught.value.mistakes[0].place.line > 1


def test_all_refusals_at_once():
    rules = {"a": "arctan(x)", "e": "piecewise(1, time < 3, 0)", "f": "2*floor(time/24)", "b": "c + 1", "c": "b*2", "d": "factorial(3)"}
    with pytest.raises(LibraryError) as caught:
        read_system(text(sbml(rates={"x": "-x"}, start={"x": 1}, rules=rules)))
    message = str(caught.value)
    assert "arctan" in message or "atan" in message
    assert "'b' is defined by itself: b -> c -> b" in message
    assert "factorial" in message
    assert "assignmentRule e: a jump at a moment in time, time < 3: give it as a path" in message
    assert "assignmentRule f: a jump at a moment in time" in message
    assert len(caught.value.mistakes) == 5  # each once, though others are made of it


def test_not_sbml():
    with pytest.raises(LibraryError):
        read_system("<sbml")


def test_emitted_text_does_not_depend_on_the_hash_seed():
    program = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); from small_models import PULSES\n"
        "from ghaxis.engine.expressions import read_system; from ghaxis.engine.emit import *; from ghaxis.engine.values import Shape\n"
        "m = ModelCode(Layout.of(read_system(PULSES)), Shape(2), True)\n"
        "print(hashlib.sha256(module([m.hoist(), m.rates(), m.slopes(), *m.factor(), m.solve()], Shape(2)).encode()).hexdigest())"
    )
    folder = str(Path(__file__).parents[1] / "oracle")
    seen = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program, folder],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(done.stdout)
    assert len(seen) == 1
