"""Arithmetic that library text may contain, read by a whitelist: numbers, names, + - * / **, parentheses and a few functions.

Two users: values of conditions and interventions (`evaluate`), and the `of` of a study's finding (`parse_of`), whose names are
arms at times.
"""

from __future__ import annotations

import ast
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Literal

from ghaxis import units
from ghaxis.errors import InputError, nearest

LONGEST = 1000  # characters: a library value is a formula, not a program
DEEPEST = 60  # levels of nesting

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}
_FUNCTIONS: dict[str, tuple[int, int, Callable[..., float]]] = {
    "min": (2, 99, min),
    "max": (2, 99, max),
    "exp": (1, 1, math.exp),
    "log": (1, 1, math.log),
    "sqrt": (1, 1, math.sqrt),
}
FUNCTIONS = frozenset({*_FUNCTIONS, "interp"})


def _hint(word: str, known: Iterable[str]) -> str:
    close = nearest(word, known)
    return f"; did you mean '{close}'?" if close else ""


@cache
def _parse(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise InputError(f"'{text[:40]}...': a formula of more than {LONGEST} characters")
    if not text.strip():
        raise InputError("an empty formula")
    try:
        tree = ast.parse(text.replace("^", "**").strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(f"'{text}' is not arithmetic") from None
    _allowed(tree, text, 0)
    return tree


def _allowed(node: ast.expr, text: str, depth: int) -> None:
    """Refuse everything that is not on the list."""
    if depth > DEEPEST:
        raise InputError(f"'{text[:40]}...' is nested more than {DEEPEST} deep")
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return
        case ast.Name():
            if node.id in FUNCTIONS:
                raise InputError(f"'{text}': the function {node.id} needs its arguments in parentheses")
            return
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            _allowed(inner, text, depth + 1)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow(), right=right):
            _allowed(left, text, depth + 1)
            _allowed(right, text, depth + 1)
        case ast.Call(func=ast.Name(id=name), keywords=[]):
            for part in _arguments(node, name, text):
                _allowed(part, text, depth + 1)
        case _:
            raise InputError(
                f"'{text}': '{ast.unparse(node)}' is not allowed here; only numbers, names, + - * / ** ( ) and "
                f"{', '.join(sorted(FUNCTIONS))}"
            )


def _arguments(call: ast.Call, name: str, text: str) -> list[ast.expr]:
    """The arguments of a known function, lists of `interp` flattened; their number is checked."""
    if name == "interp":
        match call.args:
            case [x, ast.List(elts=xs), ast.List(elts=ys)] if len(xs) == len(ys) and len(xs) >= 2:
                return [x, *xs, *ys]
        raise InputError(f"'{text}': interp is written interp(x, [x1, x2, ...], [y1, y2, ...]), lists of one length")
    if name not in _FUNCTIONS:
        raise InputError(f"'{text}': unknown function '{name}'" + _hint(name, FUNCTIONS))
    low, high, _ = _FUNCTIONS[name]
    if not low <= len(call.args) <= high:
        raise InputError(
            f"'{text}': {name} takes {low if low == high else f'{low} or more'} argument{'s' if high > 1 else ''}, not {len(call.args)}"
        )
    return list(call.args)


def names(text: str) -> frozenset[str]:
    """The names a formula reads. Raises InputError where the text is not arithmetic."""
    tree = _parse(text)
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node not in called)


def evaluate(text: str, env: Mapping[str, float]) -> float:
    """The value of a formula. Raises InputError for an unknown name (nearest known one is named) and where no finite number results."""
    tree = _parse(text)
    try:
        value = _value(tree, env, text)
    except (ZeroDivisionError, OverflowError, ValueError):
        value = math.nan
    if isinstance(value, complex) or not math.isfinite(value):
        used = ", ".join(f"{name} = {env[name]:.6g}" for name in sorted(names(text)))
        raise InputError(f"'{text}' has no finite value" + (f" at {used}" if used else ""))
    return float(value)


def _value(node: ast.expr, env: Mapping[str, float], text: str) -> float:
    match node:
        case ast.Constant(value=int() | float()):
            return float(node.value)  # type: ignore[arg-type]
        case ast.Name(id=name):
            if name not in env:
                raise InputError(f"'{text}': unknown name '{name}'" + _hint(name, env))
            return env[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, env, text)
        case ast.UnaryOp(operand=inner):
            return _value(inner, env, text)
        case ast.BinOp(left=left, op=operator, right=right):
            return _OPERATORS[type(operator)](_value(left, env, text), _value(right, env, text))
        case ast.Call(func=ast.Name(id="interp"), args=[x, ast.List(elts=xs), ast.List(elts=ys)]):
            return _interp(_value(x, env, text), [_value(e, env, text) for e in xs], [_value(e, env, text) for e in ys], text)
        case ast.Call(func=ast.Name(id=name), args=args):
            return float(_FUNCTIONS[name][2](*(_value(a, env, text) for a in args)))
    raise AssertionError(ast.dump(node))


def _interp(x: float, xs: Sequence[float], ys: Sequence[float], text: str) -> float:
    """Straight lines between the points, constant outside them."""
    if any(b <= a for a, b in pairwise(xs)):
        raise InputError(f"'{text}': the first list of interp must rise")
    if x <= xs[0]:
        return ys[0]
    if x >= xs[-1]:
        return ys[-1]
    i = bisect_right(xs, x)
    return ys[i - 1] + (ys[i] - ys[i - 1]) * (x - xs[i - 1]) / (xs[i] - xs[i - 1])


_TOKEN = re.compile(r"(?<![\w.@])([A-Za-z_]\w*)(?:\s*@\s*([-+]?(?:\d+\.?\d*|\.\d+)\s*[A-Za-z]+))?")


@dataclass(frozen=True)
class Of:
    """Arithmetic over arms at times. `tokens[i]` = (arm, hours since begin) stands in `expression` as the name `t<i>`."""

    text: str
    expression: str
    tokens: tuple[tuple[str, float], ...]

    def evaluate(self, values: Sequence[float] | Mapping[tuple[str, float], float]) -> float:
        """The value, given one value for each token: in the order of `tokens`, or by token."""
        row = [values[token] for token in self.tokens] if isinstance(values, Mapping) else list(values)
        if len(row) != len(self.tokens):
            raise InputError(f"'{self.text}' needs {len(self.tokens)} values, not {len(row)}")
        return evaluate(self.expression, {f"t{i}": float(value) for i, value in enumerate(row)})

    @property
    def degree(self) -> int:
        """Power of the measure's unit in the value: 0 for a ratio, 1 for a level or difference. InputError where a sum mixes them."""
        return _degree(_parse(self.expression), self.text) or 0

    @property
    def is_plain(self) -> bool:
        """Whether it is one arm at one time and nothing else: a level."""
        return len(self.tokens) == 1 and self.expression == "t0"

    @property
    def shape(self) -> Literal["ratio", "relative", "logarithm", "share"]:
        """How it compares where it has no unit: a/b, a/b - 1, log(a/b), another sum of ratios."""
        match _parse(self.expression):
            case ast.BinOp(op=ast.Sub(), right=ast.Constant(value=1)):
                return "relative"
            case ast.BinOp(op=ast.Sub() | ast.Add()):
                return "share"
            case ast.Call(func=ast.Name(id="log")):
                return "logarithm"
        return "ratio"


def _degree(node: ast.expr, text: str) -> int | None:
    """Power of the unit; None for the number 0, which fits every sum."""
    match node:
        case ast.Constant(value=value):
            return None if value == 0 else 0
        case ast.Name():
            return 1
        case ast.UnaryOp(operand=inner):
            return _degree(inner, text)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
            return _joined([_degree(left, text), _degree(right, text)], text)
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))):
            return (_degree(left, text) or 0) * power
        case ast.BinOp(left=left, op=operator, right=right):
            sign = {ast.Mult: 1, ast.Div: -1}.get(type(operator), 0)
            return (_degree(left, text) or 0) + sign * (_degree(right, text) or 0)
        case ast.Call(func=ast.Name(id="min" | "max"), args=args):
            return _joined([_degree(a, text) for a in args], text)
        case ast.Call(func=ast.Name(id="sqrt"), args=[inner]):
            return (_degree(inner, text) or 0) // 2
    return 0


def _joined(degrees: Iterable[int | None], text: str) -> int | None:
    known = {d for d in degrees if d is not None}
    if len(known) > 1:
        raise InputError(f"'{text}' adds or compares values of different dimension (a level and a ratio)")
    return next(iter(known), None)


def parse_of(text: str, arms: Iterable[str]) -> Of:
    """Read `controls@24 h / controls@0 h - 1`; an arm without a time is read at 0 h.

    Raises InputError for an unknown arm (the nearest is named), a time that is no duration, or text that is not arithmetic.
    """
    arms = tuple(arms)
    tokens: list[tuple[str, float]] = []

    def place(arm: str, hours: float) -> str:
        if arm not in arms:
            raise InputError(f"unknown arm '{arm}' in '{text}'" + _hint(arm, arms))
        if (arm, hours) not in tokens:
            tokens.append((arm, hours))
        return f"t{tokens.index((arm, hours))}"

    def token(match: re.Match[str]) -> str:
        if match[2] is None:
            return match[1] if match[1] in FUNCTIONS else place(match[1], 0.0)
        try:
            hours = units.hours(match[2], f"the time after {match[1]}@")
        except units.UnitError as error:
            raise InputError(f"'{text}': {error}") from None
        return place(match[1], hours)

    expression = _TOKEN.sub(token, text).strip()
    if "@" in expression:
        raise InputError(f"'{text}': write an arm at a time like 'controls@24 h'")
    if not tokens:
        raise InputError(f"'{text}' names no arm; write an arm at a time like 'controls@24 h'")
    names(expression)
    return Of(text, expression, tuple(tokens))
