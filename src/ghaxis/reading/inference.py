"""The unit of every rule, from the units of what it reads; a bare literal is dimensionless.

The final judge is libSBML's strict check on the assembled model (`ghaxis.assembly`); this module gives rules the units which that check
needs, and says in words, with file and line, where two sides differ.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ghaxis.errors import Mistake, Place, nearest
from ghaxis.reading.dialect import names_in
from ghaxis.reading.dimensions import ONE, Unit, Units
from ghaxis.reading.records import Definition


class MismatchError(Exception):
    """Two sides of an expression differ in unit; the text says which. Never leaves this module."""


@lru_cache(maxsize=20000)
def parsed(expression: str) -> ast.expr:
    """The expression as a tree. Raises SyntaxError."""
    return ast.parse(expression.replace("^", "**").strip(), mode="eval").body


@dataclass(frozen=True)
class Inferred:
    """Units of all names, and what does not fit."""

    units: Mapping[str, Unit]
    mistakes: tuple[Mistake, ...]


def infer(definitions: Sequence[Definition], species: Mapping[str, tuple[bool, str]], units: Units) -> Inferred:
    """Units of every name, rules in the order in which they need each other.

    `species` says of each species whether it is an amount, and its compartment. A rule gets the unit that follows from its expression;
    where the text declares one too, both are compared. A name whose unit cannot be known has none.
    """
    work = _Inference(units, {"pi": ONE}, [])
    work.declare(definitions, species)
    rules = {d.name: d for d in definitions if d.kind in ("rule", "reaction")}
    for name in in_order(rules, work.mistakes):
        if rules[name].kind == "rule":
            work.rule(rules[name])
    for d in definitions:
        work.rate(d)
    return Inferred(work.found, tuple(work.mistakes))


def unit_of(expression: str, known: Mapping[str, Unit], units: Units, place: Place) -> tuple[Unit | None, tuple[Mistake, ...]]:
    """Unit of an expression over names of `known` units, and what does not fit; None where it cannot be known."""
    work = _Inference(units, dict(known), [])
    return work.of(expression, place, f"'{expression}':"), tuple(work.mistakes)


@dataclass(frozen=True)
class _Inference:
    units: Units
    found: dict[str, Unit]
    mistakes: list[Mistake]

    @property
    def time(self) -> Unit:
        return self.units.known.get("time_unit", self.units.known["second"])

    def wrong(self, place: Place, what: str, hint: str | None = None) -> None:
        self.mistakes.append(Mistake(place, what, hint))

    def declare(self, definitions: Sequence[Definition], species: Mapping[str, tuple[bool, str]]) -> None:
        """Units that the text states."""
        known = self.units.known
        self.found["time"] = self.time
        for d in definitions:
            if d.unit is not None and d.unit not in known:
                self.wrong(d.place, f"{d.name}: unknown unit '{d.unit}'", nearest(d.unit, known))
            elif d.kind == "reaction":
                self.found[d.name] = known.get("extent", ONE) / self.time
            elif d.kind not in ("species", "rule") and d.unit is not None:
                self.found[d.name] = known[d.unit]
        substance = known.get("substance", ONE)
        for name, (amount, compartment) in species.items():
            self.found[name] = substance if amount else substance / self.found.get(compartment, known.get("volume", known["litre"]))

    def rule(self, d: Definition) -> None:
        unit = self.of(d.expression, d.place, f"{d.name} :=")
        stated = self.units.known.get(d.unit) if d.unit is not None else None
        if stated is not None and unit is not None and not stated.same(unit):
            self.wrong(d.place, f"{d.name} has {d.unit}, but its rule is in {self.units.text(unit)}")
        unit = stated or unit
        if unit is not None:
            self.found[d.name] = unit

    def rate(self, d: Definition) -> None:
        """Compare a state's rate, or a reaction's rate law, with what it must be in."""
        law = d.expression if d.kind == "reaction" else d.rate
        if law is None or d.name not in self.found:
            return
        unit = self.of(law, d.place, d.name + (":" if d.kind == "reaction" else "' ="))
        wanted = self.found[d.name] if d.kind == "reaction" else self.found[d.name] / self.time
        if unit is not None and not unit.same(wanted):
            self.wrong(d.place, f"the rate of {d.name} is in {self.units.text(unit)}; it must be in {self.units.text(wanted)}")

    def of(self, expression: str, place: Place, what: str) -> Unit | None:
        """Unit of an expression; None where it cannot be known (an unknown name, an unreadable expression: reported where it was read)."""
        try:
            return self.visit(parsed(expression))
        except MismatchError as error:
            self.wrong(place, f"{what} {error}")
        except (KeyError, SyntaxError):
            pass
        return None

    def visit(self, node: ast.expr) -> Unit:
        match node:
            case ast.Constant():
                return ONE
            case ast.Name(id=name):
                return self.found[name]
            case ast.UnaryOp(operand=inner):
                return self.visit(inner)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return self.visit(left) * self.visit(right)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self.visit(left) / self.visit(right)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self.power(left, right)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
                return self.sum(left, right, "+" if isinstance(sign, ast.Add) else "-")
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return self.call(name, argument)
        raise SyntaxError(ast.dump(node))

    def sum(self, left: ast.expr, right: ast.expr, sign: str) -> Unit:
        a, b = self.visit(left), self.visit(right)
        if not a.same(b):
            text = self.units.text
            raise MismatchError(f"'{_shown(left)}' is in {text(a)} and '{_shown(right)}' in {text(b)}: '{sign}' needs the same unit")
        return a

    def call(self, name: str, argument: ast.expr) -> Unit:
        unit = self.visit(argument)
        if name == "sqrt":
            return unit**0.5
        if not unit.pure:
            raise MismatchError(f"{name}({_shown(argument)}) of a quantity in {self.units.text(unit)}: it must be dimensionless")
        return ONE

    def power(self, base: ast.expr, exponent: ast.expr) -> Unit:
        a, power = self.visit(base), _literal(exponent)
        if power is not None:
            return a**power
        if not (b := self.visit(exponent)).pure:
            raise MismatchError(f"exponent '{_shown(exponent)}' is in {self.units.text(b)}: it must be dimensionless")
        if not a.pure:
            raise MismatchError(
                f"'{_shown(base)}' is in {self.units.text(a)}: with the exponent '{_shown(exponent)}' it must be dimensionless"
            )
        return ONE


def in_order(rules: Mapping[str, Definition], mistakes: list[Mistake]) -> list[str]:
    """Rules so that each comes after those it reads; rules that read each other in a circle are a mistake and are left out."""
    needs = {name: {n for n in names_in(d.expression) if n in rules} for name, d in rules.items()}
    users: dict[str, list[str]] = {name: [] for name in rules}
    for name, read in needs.items():
        for n in read:
            users[n].append(name)
    ready = [name for name, read in needs.items() if not read]
    order = []
    while ready:
        name = ready.pop()
        order.append(name)
        for user in users[name]:
            needs[user].discard(name)
            if not needs[user]:
                ready.append(user)
    circle = [name for name in rules if needs[name]]
    if circle:
        circle = _trim(circle, needs)
        mistakes.append(Mistake(rules[circle[0]].place, f"rules read each other in a circle: {', '.join(circle)}"))
    return order


def _trim(circle: list[str], needs: Mapping[str, set[str]]) -> list[str]:
    """One circle out of all names that wait for one."""
    path = [circle[0]]
    while (following := next(iter(sorted(needs[path[-1]])))) not in path:
        path.append(following)
    return path[path.index(following) :]


def _literal(node: ast.expr) -> float | None:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            negated = _literal(inner)
            return None if negated is None else -negated
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            a, b = _literal(left), _literal(right)
            return None if a is None or b is None else a / b
    return None


def _shown(node: ast.expr) -> str:
    text = ast.unparse(node).replace("**", "^").replace(" * ", "*").replace(" / ", "/")
    return text if len(text) < 60 else text[:57] + "..."
