"""Levels at the start: what every name of a set of definitions is worth at time 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ghaxis.errors import Mistake
from ghaxis.reading.inference import in_order
from ghaxis.reading.records import Definition

_FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "exp": math.exp,
    "ln": math.log,
    "log10": math.log10,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tanh": math.tanh,
}


def initial_values(definitions: Mapping[str, Definition], time: float = 0.0) -> dict[str, float]:
    """Constants and states as written, rules and reactions computed from them; NaN where that cannot be done."""
    values: dict[str, float] = {"time": time, "pi": math.pi}
    computed = {n: d for n, d in definitions.items() if d.kind in ("rule", "reaction")}
    for name, d in definitions.items():
        if name not in computed:
            values[name] = _value(d.expression, values)
    mistakes: list[Mistake] = []
    for name in in_order(computed, mistakes):
        values[name] = _value(computed[name].expression, values)
    return {name: values.get(name, math.nan) for name in definitions}


def _value(expression: str, values: Mapping[str, float]) -> float:
    try:
        # The dialect's reader lets through names, numbers, + - * / ^ ( ) and these functions only.
        found = eval(compile(expression.replace("^", "**").strip(), "expression", "eval"), {"__builtins__": {}, **_FUNCTIONS}, dict(values))
    except (ArithmeticError, ValueError, NameError, SyntaxError, TypeError):
        return math.nan
    return float(found) if isinstance(found, int | float) else math.nan
