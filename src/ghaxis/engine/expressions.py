"""From SBML to expressions: dy/dt of every state, its sparse Jacobian and d/dt, as nodes of one graph.

The subset: compartments of constant size, species (amount or concentration), parameters, reactions, rate and assignment rules, function
definitions, local parameters, initial assignments, time. Anything else is refused by naming element, line and construct.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from types import MappingProxyType

import libsbml

from ghaxis.engine.graph import TIME, Graph, evaluator
from ghaxis.errors import LibraryError, Mistake, Place

_AVOGADRO = 6.02214179e23  # the value SBML L3V2 fixes for its csymbol
_REFUSED_LISTS = ("Event", "Constraint")
_CALLS = {
    libsbml.AST_FUNCTION_COS: "cos",
    libsbml.AST_FUNCTION_SIN: "sin",
    libsbml.AST_FUNCTION_EXP: "exp",
    libsbml.AST_FUNCTION_LN: "ln",
    libsbml.AST_FUNCTION_ABS: "abs",
    libsbml.AST_FUNCTION_FLOOR: "floor",
}
_COMPARISONS = {
    libsbml.AST_RELATIONAL_LT: "lt",
    libsbml.AST_RELATIONAL_LEQ: "le",
    libsbml.AST_RELATIONAL_GT: "lt",
    libsbml.AST_RELATIONAL_GEQ: "le",
    libsbml.AST_RELATIONAL_EQ: "eq",
    libsbml.AST_RELATIONAL_NEQ: "eq",
}
_SWAPPED = (libsbml.AST_RELATIONAL_GT, libsbml.AST_RELATIONAL_GEQ)
_SUMS = {libsbml.AST_PLUS, libsbml.AST_MINUS}
_PRODUCTS = {libsbml.AST_TIMES, libsbml.AST_DIVIDE}


@dataclass(frozen=True, eq=False)
class System:
    """A model as expressions. Species read as in equations: a concentration, or an amount where the model says so.

    `symbols` gives the node of everything that may be watched; `volumes` gives, for a state that is a concentration, the parameter that
    is the size of its compartment.
    """

    graph: Graph
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    initial: tuple[float, ...]
    defaults: tuple[float, ...]
    rates: tuple[int, ...]
    symbols: Mapping[str, int]
    volumes: Mapping[str, str]

    @cached_property
    def state_index(self) -> dict[str, int]:
        """The place of every state."""
        return {name: i for i, name in enumerate(self.states)}

    @cached_property
    def parameter_index(self) -> dict[str, int]:
        """The place of every parameter."""
        return {name: i for i, name in enumerate(self.parameters)}

    @cached_property
    def parameters_read(self) -> list[int]:
        """Those that some rate depends on, by place."""
        graph = self.graph
        return sorted({graph.args[k][0] for k in graph.reachable(self.rates) if graph.ops[k] == "parameter"})

    @property
    def exponents(self) -> tuple[str, ...]:
        """Parameters that stand as exponents: as fixed numbers they make powers much cheaper."""
        return tuple(name for i, name in enumerate(self.parameters) if i in self.graph.exponents)

    def jacobian(self) -> dict[tuple[int, int], int]:
        """d rate i / d state j, only what is not identically zero, by row and column."""
        rows = [self.graph.gradient(rate) for rate in self.rates]
        return {(i, j): row[j] for i, row in enumerate(rows) for j in sorted(row) if j != TIME}

    def time_derivative(self) -> dict[int, int]:
        """The explicit d rate i / d time, only what is not identically zero."""
        rows = [self.graph.gradient(rate) for rate in self.rates]
        return {i: row[TIME] for i, row in enumerate(rows) if TIME in row}


def read_system(sbml: str, fixed: Mapping[str, float] = MappingProxyType({})) -> System:
    """The system that an SBML text describes, parameters of `fixed` written in as numbers.

    Raises LibraryError with everything that is outside the subset.
    """
    document = libsbml.readSBMLFromString(sbml)
    errors = [document.getError(i) for i in range(document.getNumErrors())]
    mistakes = [Mistake(Place("sbml", e.getLine()), e.getMessage().strip()) for e in errors if e.getSeverity() >= libsbml.LIBSBML_SEV_ERROR]
    if mistakes or document.getModel() is None:
        raise LibraryError(mistakes or [Mistake(Place("sbml"), "no model")])
    return _Reader(document, document.getModel(), fixed).system()


class _RefusedError(Exception):
    def __init__(self, what: str):
        self.what = what


@dataclass(eq=False)
class _Reader:
    """One reading of one model; collects every refusal before it gives up."""

    document: libsbml.SBMLDocument
    model: libsbml.Model
    fixed: Mapping[str, float]
    graph: Graph = field(default_factory=Graph)
    symbols: dict[str, int] = field(default_factory=dict)
    assigned: dict[str, libsbml.Rule] = field(default_factory=dict)
    reactions: dict[str, libsbml.Reaction] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def refuse(self, element: libsbml.SBase, what: str) -> None:
        name = element.getIdAttribute() or (element.getVariable() if isinstance(element, libsbml.Rule) else "")
        kind = element.getElementName()
        self.mistakes.append(Mistake(Place("sbml", element.getLine()), f"{kind}{' ' + name if name else ''}: {what}"))

    def system(self) -> System:
        model = self.model
        self.check()
        self.assigned = {r.getVariable(): r for r in model.getListOfRules() if r.isAssignment()}
        rated = {r.getVariable(): r for r in model.getListOfRules() if r.isRate()}
        self.reactions = {r.getId(): r for r in model.getListOfReactions()}
        species = {s.getId(): s for s in model.getListOfSpecies()}
        free = [n for n, s in species.items() if not s.getBoundaryCondition() and n not in self.assigned]
        states = [*free, *(n for n in rated if n not in free)]
        things = [*model.getListOfCompartments(), *model.getListOfParameters(), *(s for s in species.values())]
        parameters = [e.getId() for e in things if e.getId() not in states and e.getId() not in self.assigned]
        for i, name in enumerate(states):
            self.symbols[name] = self.graph.leaf("state", i)
        for i, name in enumerate(parameters):
            self.symbols[name] = self.graph.const(self.fixed[name]) if name in self.fixed else self.graph.leaf("parameter", i)
        rates = {n: self.guarded(r) for n, r in rated.items()}
        volumes = {n: s.getCompartment() for n, s in species.items() if n in states and self.is_concentration(s)}
        changes = self.changes(set(free))
        for name in states:
            if name not in rates:
                total = changes.get(name, self.graph.const(0.0))
                size = volumes.get(name)
                rates[name] = self.graph.mul(total, self.graph.rec(self.symbols[size])) if size else total
        for name in (*self.assigned, *self.reactions):
            self.named(name)
        start = self.start(states, parameters)
        if self.mistakes:
            raise LibraryError(self.mistakes)
        initial, defaults = tuple(start[n] for n in states), tuple(start[n] for n in parameters)
        ordered = tuple(rates[n] for n in states)
        return System(self.graph, tuple(states), tuple(parameters), initial, defaults, ordered, dict(self.symbols), volumes)

    def check(self) -> None:
        """Refuse what the subset does not have, and sizes that move."""
        model, document = self.model, self.document
        for k in range(document.getNumPlugins() if model.getLevel() == 3 else 0):
            package = document.getPlugin(k).getPackageName()
            if document.isSetPackageRequired(package) and document.getPackageRequired(package) and package != "l3v2extendedmath":
                self.refuse(model, f"package {package}")
        for kind in _REFUSED_LISTS:
            for element in getattr(model, f"getListOf{kind}s")():
                self.refuse(element, f"{kind.lower()}s are not supported; give them as breakpoints from outside")
        moved = {r.getVariable() for r in model.getListOfRules() if not r.isAlgebraic()}
        for rule in model.getListOfRules():
            if rule.isAlgebraic():
                self.refuse(rule, "algebraic rule")
        for compartment in model.getListOfCompartments():
            if compartment.getId() in moved:
                self.refuse(compartment, "a size given by a rule")
        for element in (model, *model.getListOfSpecies()):
            if element.isSetConversionFactor():
                self.refuse(element, "conversionFactor")
        for reaction in model.getListOfReactions():
            if reaction.isSetFast() and reaction.getFast():
                self.refuse(reaction, "fast reaction")
            for end in (*reaction.getListOfReactants(), *reaction.getListOfProducts()):
                if end.isSetStoichiometryMath() or end.getId() in moved or (end.getId() and self.model.getInitialAssignment(end.getId())):
                    self.refuse(end, f"stoichiometry of {end.getSpecies()} that is not a number")

    def guarded(self, element: libsbml.SBase) -> int:
        """The node of a rule's or assignment's math; a refusal is noted and stands as 0."""
        try:
            return self.math(element, {})
        except _RefusedError as refusal:
            self.refuse(element, refusal.what)
            return self.graph.const(0.0)

    def is_concentration(self, species: libsbml.Species) -> bool:
        compartment = self.model.getCompartment(species.getCompartment())
        return not species.getHasOnlySubstanceUnits() and compartment.getSpatialDimensionsAsDouble() != 0

    def changes(self, free: set[str]) -> dict[str, int]:
        """Of every species that reactions move: the sum of stoichiometry x rate, in substance per time."""
        total: dict[str, int] = {}
        for name, reaction in self.reactions.items():
            rate = self.named(name)
            net: dict[str, float] = {}
            for sign, ends in ((-1.0, reaction.getListOfReactants()), (1.0, reaction.getListOfProducts())):
                for end in ends:
                    if end.getSpecies() in free:
                        number = end.getStoichiometry() if end.isSetStoichiometry() or self.model.getLevel() < 3 else 1.0
                        net[end.getSpecies()] = net.get(end.getSpecies(), 0.0) + sign * number
            for species, number in net.items():
                part = self.graph.mul(self.graph.const(number), rate)
                total[species] = self.graph.add(total[species], part) if species in total else part
        return total

    def named(self, name: str) -> int:
        """The node of a symbol, made on first use."""
        if name in self.symbols:
            return self.symbols[name]
        if name in self.open:
            raise _RefusedError(f"'{name}' is defined by itself: {' -> '.join([*self.open[self.open.index(name) :], name])}")
        element = self.assigned.get(name) or self.reactions.get(name)
        if element is None:
            reference = self.model.getSpeciesReference(name)
            if reference is None:
                raise _RefusedError(f"unknown symbol '{name}'")
            return self.graph.const(reference.getStoichiometry())
        self.open.append(name)
        try:
            self.symbols[name] = self.defined(element)
        except _RefusedError as refusal:  # noted once, where it stands; it reads as 0 while the rest is looked through
            self.refuse(element, refusal.what)
            self.symbols[name] = self.graph.const(0.0)
        finally:
            self.open.pop()
        return self.symbols[name]

    def defined(self, element: libsbml.SBase) -> int:
        """The node of an assignment rule or of a reaction's rate."""
        if element.getTypeCode() != libsbml.SBML_REACTION:
            return self.math(element, {})
        law = element.getKineticLaw()
        if law is None:
            raise _RefusedError("no kinetic law")
        local = [*law.getListOfLocalParameters(), *law.getListOfParameters()]
        return self.math(law, {p.getId(): self.graph.const(p.getValue()) for p in local})

    def math(self, element: libsbml.SBase, local: Mapping[str, int]) -> int:
        if not element.isSetMath():
            raise _RefusedError("no math")
        return self.convert(element.getMath(), local)

    def convert(self, ast: libsbml.ASTNode, local: Mapping[str, int]) -> int:
        """The node of one MathML expression; `local` are local parameters and arguments of functions."""
        g, kind = self.graph, ast.getType()
        if kind == libsbml.AST_INTEGER:
            return g.const(ast.getInteger())
        if ast.isNumber() or kind == libsbml.AST_RATIONAL:
            return g.const(ast.getValue())
        if kind == libsbml.AST_NAME:
            name = ast.getName()
            return local[name] if name in local else self.named(name)
        constants = {libsbml.AST_CONSTANT_PI: math.pi, libsbml.AST_CONSTANT_E: math.e, libsbml.AST_NAME_AVOGADRO: _AVOGADRO}
        constants |= {libsbml.AST_CONSTANT_TRUE: 1.0, libsbml.AST_CONSTANT_FALSE: 0.0}
        if kind in constants:
            return g.const(constants[kind])
        if kind == libsbml.AST_NAME_TIME:
            return g.leaf("time")
        if kind in _SUMS:
            return self.total(ast, local)
        if kind in _PRODUCTS:
            return self.product(ast, local)
        return self.call(ast, [ast.getChild(i) for i in range(ast.getNumChildren())], local)

    def total(self, ast: libsbml.ASTNode, local: Mapping[str, int]) -> int:
        """A sum: what depends on less is added up first."""
        terms: list[tuple[int, int, bool]] = []

        def collect(part: libsbml.ASTNode, negative: bool) -> None:
            children = [part.getChild(i) for i in range(part.getNumChildren())]
            if part.getType() == libsbml.AST_PLUS:
                for child in children:
                    collect(child, negative)
            elif part.getType() == libsbml.AST_MINUS:
                for k, child in enumerate(children):
                    collect(child, negative != (k > 0 or len(children) == 1))
            else:
                node = self.convert(part, local)
                terms.append((self.graph.levels[node], node, negative))

        collect(ast, False)
        terms.sort(key=lambda term: (term[0], term[2]))
        add, sub = self.graph.add, self.graph.sub
        return reduce(lambda sofar, term: sub(sofar, term[1]) if term[2] else add(sofar, term[1]), terms, self.graph.const(0.0))

    def product(self, ast: libsbml.ASTNode, local: Mapping[str, int]) -> int:
        """A product or quotient: what depends on less is multiplied first; one reciprocal for all moving divisors."""
        sides: tuple[list[int], list[int]] = ([], [])

        def collect(part: libsbml.ASTNode, below: int) -> None:
            children = [part.getChild(i) for i in range(part.getNumChildren())]
            if part.getType() == libsbml.AST_TIMES:
                for child in children:
                    collect(child, below)
            elif part.getType() == libsbml.AST_DIVIDE:
                collect(children[0], below)
                collect(children[1], 1 - below)
            else:
                sides[below].append(self.convert(part, local))

        collect(ast, 0)
        g, levels = self.graph, self.graph.levels
        lower = [reduce(g.mul, [n for n in sides[1] if levels[n] == level], g.const(1.0)) for level in range(3)]
        factors = sorted((*sides[0], *(g.rec(n) for n in lower)), key=lambda n: levels[n])
        return reduce(g.mul, factors, g.const(1.0))

    def call(self, ast: libsbml.ASTNode, children: Sequence[libsbml.ASTNode], local: Mapping[str, int]) -> int:
        """A function, comparison, connective or piecewise."""
        g, kind = self.graph, ast.getType()
        if kind == libsbml.AST_FUNCTION_PIECEWISE:
            parts = [self.convert(c, local) for c in children]
            otherwise = parts.pop() if len(parts) % 2 else g.const(math.nan)
            for value, condition in reversed(list(zip(parts[::2], parts[1::2], strict=True))):
                otherwise = g.apply("select", condition, value, otherwise)
            return otherwise
        args = [self.convert(c, local) for c in children]
        if (kind in _COMPARISONS or kind == libsbml.AST_FUNCTION_FLOOR) and any(g.ops[k] == "time" for k in g.reachable(args)):
            raise _RefusedError(f"a jump at a moment in time, {libsbml.formulaToL3String(ast)}: give it as a path")
        if kind in _CALLS:
            return g.apply(_CALLS[kind], *args)
        if kind in (libsbml.AST_POWER, libsbml.AST_FUNCTION_POWER):
            return g.power(args[0], args[1])
        if kind == libsbml.AST_FUNCTION_ROOT:
            return g.power(args[-1], g.rec(args[0] if len(args) == 2 else g.const(2.0)))
        if kind == libsbml.AST_FUNCTION_LOG:
            base = g.apply("ln", args[0]) if len(args) == 2 else g.const(math.log(10.0))
            return g.mul(g.apply("ln", args[-1]), g.rec(base))
        if kind == libsbml.AST_FUNCTION_TANH:
            return g.sub(g.const(1.0), g.mul(g.const(2.0), g.rec(g.add(g.const(1.0), g.apply("exp", g.mul(g.const(2.0), args[0]))))))
        if kind == libsbml.AST_FUNCTION_TAN:
            return g.mul(g.apply("sin", args[0]), g.rec(g.apply("cos", args[0])))
        if kind == libsbml.AST_FUNCTION_CEILING:
            return g.neg(g.apply("floor", g.neg(args[0])))
        if kind in (libsbml.AST_FUNCTION_MAX, libsbml.AST_FUNCTION_MIN):
            first = (lambda a, b: (b, a)) if kind == libsbml.AST_FUNCTION_MAX else (lambda a, b: (a, b))
            return reduce(lambda a, b: g.apply("select", g.apply("lt", *first(a, b)), a, b), args)
        if kind in _COMPARISONS and len(args) == 2:
            made = g.apply(_COMPARISONS[kind], *(reversed(args) if kind in _SWAPPED else args))
            return g.apply("not", made) if kind == libsbml.AST_RELATIONAL_NEQ else made
        if kind in (libsbml.AST_LOGICAL_AND, libsbml.AST_LOGICAL_OR):
            op = "and" if kind == libsbml.AST_LOGICAL_AND else "or"
            return reduce(lambda a, b: g.apply(op, a, b), args)
        if kind == libsbml.AST_LOGICAL_NOT:
            return g.apply("not", args[0])
        if kind == libsbml.AST_FUNCTION and (definition := self.model.getFunctionDefinition(ast.getName())):
            given = {definition.getArgument(i).getName(): a for i, a in enumerate(args)}
            return self.convert(definition.getBody(), given)
        raise _RefusedError(f"the construct {libsbml.formulaToL3String(ast)}")

    def start(self, states: Sequence[str], parameters: Sequence[str]) -> dict[str, float]:
        """Initial levels and default values, initial assignments worked out at time 0."""
        value: dict[str, float] = {}
        for c in self.model.getListOfCompartments():
            value[c.getId()] = c.getSize() if c.isSetSize() else (1.0 if self.model.getLevel() < 3 else math.nan)
        for p in self.model.getListOfParameters():
            value[p.getId()] = p.getValue() if p.isSetValue() else math.nan
        given: dict[str, int] = {}
        for assignment in self.model.getListOfInitialAssignments():
            given[assignment.getSymbol()] = self.guarded(assignment)
        work = evaluator(self.graph, list(given.values()))

        def refresh() -> None:
            levels, numbers = ([value.get(n, math.nan) for n in names] for names in (states, parameters))
            value.update(zip(given, work(0.0, levels, numbers), strict=True))

        for _ in range(len(given)):
            refresh()
        for s in self.model.getListOfSpecies():
            if s.getId() not in given:
                size = value[s.getCompartment()] if self.is_concentration(s) else 1.0
                whole = value[s.getCompartment()] if not self.is_concentration(s) and s.isSetInitialConcentration() else 1.0
                level = s.getInitialConcentration() * whole if s.isSetInitialConcentration() else s.getInitialAmount() / size
                value[s.getId()] = level if s.isSetInitialConcentration() or s.isSetInitialAmount() else math.nan
        for _ in range(len(given)):
            refresh()
        return value
