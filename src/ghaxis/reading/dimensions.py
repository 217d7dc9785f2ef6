"""What a unit id of the model's text means: a factor and exponents over the SI base, and short text for people."""

from __future__ import annotations

import ast
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

BASE = ("kilogram", "metre", "second", "mole", "ampere", "kelvin", "candela")


@dataclass(frozen=True)
class Unit:
    """`factor` times the product of the SI base units to the powers `exponents` (in the order of BASE)."""

    factor: float
    exponents: tuple[float, ...]

    def __mul__(self, other: Unit) -> Unit:
        return Unit(self.factor * other.factor, tuple(a + b for a, b in zip(self.exponents, other.exponents, strict=True)))

    def __truediv__(self, other: Unit) -> Unit:
        return self * other**-1

    def __pow__(self, power: float) -> Unit:
        return Unit(self.factor**power, tuple(round(power * a, 9) for a in self.exponents))

    def same(self, other: Unit) -> bool:
        """Equal in dimension and in size."""
        return self.exponents == other.exponents and math.isclose(self.factor, other.factor, rel_tol=1e-9)

    @property
    def pure(self) -> bool:
        """Dimensionless and of size 1."""
        return self.same(ONE)


def _base(name: str, factor: float = 1.0) -> Unit:
    return Unit(factor, tuple(1.0 if name == b else 0.0 for b in BASE))


ONE = _base("")
_SECOND, _METRE, _KILOGRAM = _base("second"), _base("metre"), _base("kilogram")
_KNOWN = {
    "dimensionless": ONE,
    "item": ONE,
    "kilogram": _KILOGRAM,
    "gram": _base("kilogram", 1e-3),
    "metre": _METRE,
    "second": _SECOND,
    "mole": _base("mole"),
    "litre": _base("metre", 0.1) ** 3,
    "ampere": _base("ampere"),
    "kelvin": _base("kelvin"),
    "candela": _base("candela"),
    "joule": _KILOGRAM * _METRE**2 / _SECOND**2,
    "watt": _KILOGRAM * _METRE**2 / _SECOND**3,
    "newton": _KILOGRAM * _METRE / _SECOND**2,
    "pascal": _KILOGRAM / _METRE / _SECOND**2,
}
_SHORT = {"gram": "g", "kilogram": "kg", "metre": "m", "second": "s", "mole": "mol", "litre": "L", "millimole": "mmol", "hour": "h"}
_BARE = ("substance", "extent", "volume", "time_unit", "area", "length")  # what SBML calls its own units


@dataclass(frozen=True)
class Units:
    """The unit ids of a model's text: `texts` as written, `known` as read. A text that cannot be read is not in `known`."""

    texts: Mapping[str, str]
    known: Mapping[str, Unit]

    @classmethod
    def read(cls, texts: Mapping[str, str]) -> Units:
        """The meaning of every unit id (`ng_per_litre`: "1e-9 gram/litre"), those of SBML included."""
        return cls(texts, read_units(texts))

    def id_of(self, unit: Unit) -> str | None:
        """The id that means this unit."""
        return next((name for name, u in self.known.items() if u.same(unit) and name not in _BARE), None)

    def text(self, unit: Unit) -> str:
        """A unit as short text that `ghaxis.units` reads: "ng/L", "mmol/(L*h)"."""
        name = self.id_of(unit)
        return text_of(unit) if name is None else self.text_of_id(name)

    def text_of_id(self, name: str) -> str:
        """A unit id as short text: `ng_per_litre` is "ng/L"."""
        if self.known[name].pure:
            return "dimensionless"
        above, *below = [_short(part) for part in re.split(r"_?per_", name)]
        written = above or "1"
        if below:
            written += f"/{below[0]}" if len(below) == 1 else f"/({'*'.join(below)})"
        try:
            read = _unit_value(
                _product(written.replace("L", "litre")),
                {**self.known, **{short: self.known[long] for long, short in _SHORT.items() if long in self.known}},
            )
        except (SyntaxError, KeyError, ValueError):
            read = None
        if isinstance(read, Unit) and read.same(self.known[name]):
            return written
        found = text_of(self.known[name])
        return self.texts.get(name, found).replace("^", "**") if " * " in found else found


def _short(word: str) -> str:
    match = re.fullmatch(r"(.*?[A-Za-z])(\d)?", word)
    return word if not match else _SHORT.get(match[1], match[1]) + (f"**{match[2]}" if match[2] else "")


def read_units(texts: Mapping[str, str]) -> dict[str, Unit]:
    """The meaning of every unit id (`ng_per_litre`: "1e-9 gram/litre"). A text that cannot be read is left out."""
    known = dict(_KNOWN)
    for name, text in texts.items():
        try:
            value = _unit_value(_product(text), known)
        except (SyntaxError, KeyError, ValueError):
            continue
        known[name] = ONE if isinstance(value, float) and value == 1 else Unit(value, ONE.exponents) if isinstance(value, float) else value
    return known


def _product(text: str) -> ast.expr:
    """A unit text as a tree; "3600 second" is a product."""
    return ast.parse(re.sub(r"(?<=[\d.)])\s+(?=[A-Za-z(])", "*", text.strip().replace("^", "**")), mode="eval").body


def _unit_value(node: ast.expr, known: Mapping[str, Unit]) -> Unit | float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(id=name):
            return known[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            negated = _unit_value(inner, known)
            if isinstance(negated, float):
                return -negated
        case ast.BinOp(left=left, op=operator, right=right):
            a, b = _unit_value(left, known), _unit_value(right, known)
            if isinstance(a, float) and isinstance(b, float):
                return a * b if isinstance(operator, ast.Mult) else a / b if isinstance(operator, ast.Div) else a**b
            if isinstance(operator, ast.Pow) and isinstance(b, float) and isinstance(a, Unit):
                return a**b
            one, other = (x if isinstance(x, Unit) else Unit(x, ONE.exponents) for x in (a, b))
            if isinstance(operator, ast.Mult | ast.Div):
                return one * other if isinstance(operator, ast.Mult) else one / other
    raise ValueError(ast.dump(node))


def text_of(unit: Unit) -> str:
    """A unit as short text that `ghaxis.units` reads: "ng/L", "mmol/(L*h)"; SI base units with a factor where no common units fit."""
    if unit.exponents == ONE.exponents and not math.isclose(unit.factor, 1.0, rel_tol=1e-9):
        return f"{unit.factor:.12g}"
    for length, energy in itertools.product(("L", "cm", "m"), (0.0, 1.0, -1.0)):
        for parts in _products(unit, length, energy):
            if math.isclose(math.prod(f**p for _, f, p in parts), unit.factor, rel_tol=1e-9):
                return _written([(name, power) for name, _, power in parts if power])
    return f"{unit.factor:.12g} * " + _written([(b, p) for b, p in zip(BASE, unit.exponents, strict=True) if p])


def _products(unit: Unit, length: str, energy: float) -> Iterator[list[tuple[str, float, float]]]:
    """Products of common units (name, size, power) of the dimension of `unit`, with the energy unit MJ to the power `energy`."""
    kilogram, metre, second, mole = (a - energy * b for a, b in zip(unit.exponents[:4], (1, 2, -2, 0), strict=True))
    if any(unit.exponents[4:]) or (length == "L" and metre % 3) or (energy and (metre or abs(second) > 1)):
        return
    masses = [("kg", 1.0), ("ng", 1e-12), ("ug", 1e-9), ("mg", 1e-6), ("g", 1e-3), ("pg", 1e-15)] if kilogram else [("", 1.0)]
    amounts = [("mmol", 1e-3), ("nmol", 1e-9), ("pmol", 1e-12), ("umol", 1e-6), ("mol", 1.0)] if mole else [("", 1.0)]
    size = {"L": (1e-3, metre / 3), "cm": (0.01, metre), "m": (1.0, metre)}[length]
    times = [("h", 3600.0), ("year", 31557600.0), ("s", 1.0)] if second else [("", 1.0)]
    for (m, fm), (a, fa), (t, ft) in itertools.product(masses, amounts, times):
        yield [("MJ", 1e6, energy), (m, fm, kilogram), (a, fa, mole), (length, *size), (t, ft, second)]


def _written(parts: Sequence[tuple[str, float]]) -> str:
    def word(name: str, power: float) -> str:
        return name if power == 1 else f"{name}**{power:g}"

    above = "*".join(word(n, p) for n, p in parts if p > 0)
    below = [word(n, -p) for n, p in parts if p < 0]
    if not below:
        return above or "dimensionless"
    return f"{above or '1'}/{below[0]}" if len(below) == 1 else f"{above or '1'}/({'*'.join(below)})"


def antimony_of(unit: Unit) -> str:
    """A unit as the right-hand side of an Antimony `unit` statement, in which a factor belongs under the power of what follows it."""
    powers = [(name, power) for name, power in zip(BASE, unit.exponents, strict=True) if power]
    if not powers:
        return f"{unit.factor!r} dimensionless"
    parts = [f"({unit.factor ** (1 / powers[0][1])!r} {powers[0][0]})^{powers[0][1]:g}"] + [
        f"{name}^{power:g}" for name, power in powers[1:]
    ]
    return " * ".join(parts)
