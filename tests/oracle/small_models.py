"""Small SBML models for the tests of the engines, written from infix formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import libsbml
import numpy as np

from ghaxis.engine import Batch, Breaks


def sbml(
    rates: Mapping[str, str] = {},
    start: Mapping[str, float] = {},
    rules: Mapping[str, str] = {},
    parameters: Mapping[str, float] = {},
    compartments: Mapping[str, float] = {},
    species: Sequence[tuple[str, str, float, bool]] = (),
    reactions: Mapping[str, tuple[str, str, str]] = {},
    functions: Mapping[str, tuple[str, str]] = {},
    assignments: Mapping[str, str] = {},
) -> libsbml.SBMLDocument:
    """species: (id, compartment, initial level, is an amount); reactions: (reactants, products, law), as "2 A + B"."""
    document = libsbml.SBMLDocument(3, 2)
    model = document.createModel()
    model.setId("small")
    for name, (arguments, body) in functions.items():
        f = model.createFunctionDefinition()
        f.setId(name)
        f.setMath(libsbml.parseL3Formula(f"lambda({arguments}, {body})"))
    for name, size in compartments.items():
        c = model.createCompartment()
        c.setId(name), c.setSize(size), c.setConstant(True), c.setSpatialDimensions(3)
    for name, where, level, amount in species:
        s = model.createSpecies()
        s.setId(name), s.setCompartment(where), s.setHasOnlySubstanceUnits(amount), s.setConstant(False), s.setBoundaryCondition(False)
        if amount:
            s.setInitialAmount(level)
        else:
            s.setInitialConcentration(level)
    for name, value in {**{n: start[n] for n in rates}, **parameters, **dict.fromkeys(rules, float("nan"))}.items():
        p = model.createParameter()
        p.setId(name), p.setConstant(name in parameters and name not in assignments)
        if value == value:
            p.setValue(value)
    for made, create in ((rules, model.createAssignmentRule), (rates, model.createRateRule)):
        for name, formula in made.items():
            r = create()
            r.setVariable(name)
            r.setMath(libsbml.parseL3Formula(formula))
    for name, formula in assignments.items():
        a = model.createInitialAssignment()
        a.setSymbol(name)
        a.setMath(libsbml.parseL3Formula(formula))
    for name, (left, right, law) in reactions.items():
        r = model.createReaction()
        r.setId(name), r.setReversible(False)
        for side, create in ((left, r.createReactant), (right, r.createProduct)):
            for term in filter(None, (t.strip() for t in side.split("+"))):
                number, _, who = term.rpartition(" ")
                e = create()
                e.setSpecies(who), e.setStoichiometry(float(number or 1)), e.setConstant(True)
        r.createKineticLaw().setMath(libsbml.parseL3Formula(law))
    return document


def text(document: libsbml.SBMLDocument) -> str:
    return str(libsbml.writeSBMLToString(document))


PULSES = text(
    sbml(
        rates={
            "G": "r*(1 + 0.9*cos(2*pi*(time - 3)/24))*x_in*K^n/(K^n + slow^n) - k*G",
            "slow": "0.3*(sqrt(G + 0.1)*G - slow)",
            "fast": "60*(G^2.5/(1 + G^2.5) - fast)",
            "idle": "-2*idle",
        },
        start={"G": 2.0, "slow": 1.0, "fast": 0.5, "idle": 0.0},
        rules={"ratio": "fast/(1 + G*exp(-slow))", "flow": "k_in*A/plasma + ln(1 + B)"},
        parameters={"r": 8.0, "k": 1.5, "K": 2.0, "n": 3.2, "x_in": 1.0, "k_in": 0.4},
        compartments={"plasma": 3.5},
        species=[("A", "plasma", 1.2, False), ("B", "plasma", 4.0, True), ("C", "plasma", 0.0, False)],
        reactions={"bind": ("2 A + B", "C", "k_in*plasma*A^2*B"), "leave": ("C", "2 A", "hill(C, 0.3, k)*plasma")},
        functions={"hill": ("x, K0, n0", "x^n0/(K0^n0 + x^n0)")},
    )
)


def breaks(paths: Sequence[tuple[float, str, float]] = (), impulses: Sequence[tuple[float, str, float]] = ()) -> Breaks:
    (pt, pn, pv), (it, n, v) = (list(zip(*sorted(x, key=lambda e: e[0]), strict=True)) or [(), (), ()] for x in (paths, impulses))
    return Breaks(np.array(pt, float), tuple(pn), np.array(pv, float), np.array(it, float), tuple(n), np.array(v, float))


def batch(
    lanes: Sequence[Breaks],
    end: float = 48.0,
    start: float = 0.0,
    parameters: Mapping[str, Sequence[float]] = {},
    initial: Mapping[str, Sequence[float]] = {},
    times: Sequence[float] = (),
    windows: Sequence[tuple[float, float]] = (),
) -> Batch:
    def table(columns: Mapping[str, Sequence[float]]) -> np.ndarray:
        return np.array(list(columns.values()), dtype=float).T.reshape(len(lanes), len(columns))

    given = (tuple(parameters), table(parameters), tuple(initial), table(initial))
    return Batch(start, end, *given, tuple(lanes), np.array(times, float), np.array(windows, float).reshape(-1, 2))
