"""The one door for units: text from outside <-> numbers inside. Foreign library: pint.

Outside, any unit, as text ("2 mg", "52 years", "33 kg/m**2", "20 percent", "26w"). Inside, bare floats in the unit that the
model's text declares.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pint

from ghaxis.errors import InputError, UnitError, nearest

_WORDS = {
    "d": "day",
    "w": "week",
    "wk": "week",
    "weeks": "week",
    "mo": "month",
    "y": "year",
    "yr": "year",
    "years": "year",
    "h": "hour",
    "hours": "hour",
    "min": "minute",
    "days": "day",
    "months": "month",
}
_COMMON = (
    "hour", "day", "week", "month", "year", "minute", "mg", "ug", "ng", "g", "kg", "ug/L", "ng/L", "mg/L", "nmol/L", "pmol/L", "mmol/L",
    "umol/L", "L", "m", "cm", "kg/m**2", "percent", "dimensionless", "mg/kg", "ug/kg", "IU", "MJ", "kcal", "cm**2",
)  # fmt: skip


@cache
def _registry() -> pint.UnitRegistry:
    registry: pint.UnitRegistry = pint.UnitRegistry(on_redefinition="ignore", cache_folder=":auto:")
    registry.define("percent = 0.01 = %")
    registry.define("international_unit = [international_unit] = IU = U")
    return registry


def _unit_text(unit: str) -> str:
    text = unit.strip().replace("^", "**").replace("µ", "u").replace("%", "percent")
    if re.fullmatch(r"[a-z]+", text) and text in _WORDS:
        return _WORDS[text]
    return text or "dimensionless"


@cache
def _unit(unit: str) -> Any:
    try:
        return _registry().parse_expression(_unit_text(unit)).units if unit.strip() else _registry().dimensionless
    except (pint.errors.UndefinedUnitError, pint.errors.DefinitionSyntaxError, AttributeError, TypeError, ValueError) as error:
        if isinstance(error, AttributeError) and _unit_text(unit) == "dimensionless":
            return _registry().dimensionless
        hint = nearest(unit, _COMMON)
        raise UnitError(f"unknown unit '{unit}'" + (f"; did you mean '{hint}'?" if hint else "")) from None


def convert(value: float, unit: str, into: str) -> float:
    """`value` in `unit` as a number in `into`. Raises UnitError where the dimensions differ."""
    if unit == into:
        return float(value)
    return float(value) * factor(unit, into)


@cache
def factor(unit: str, into: str) -> float:
    """What one `unit` is in `into`."""
    try:
        return (
            float(_quantity_of(unit).to(_unit(into)).magnitude)
            if _pure(into)
            else float((_quantity_of(unit) / _quantity_of(into)).to("dimensionless").magnitude)
        )
    except pint.errors.DimensionalityError:
        raise UnitError(f"'{unit}' cannot be read as '{into}': the dimensions differ") from None


@cache
def _quantity_of(unit: str) -> pint.Quantity:
    """A unit text may carry a factor ("1e-9 gram/litre"): the quantity that one of it is."""
    _unit(unit)
    parsed = _registry().parse_expression(_unit_text(unit))
    return parsed if isinstance(parsed, pint.Quantity) else _registry().Quantity(float(parsed), "dimensionless")


def _pure(unit: str) -> bool:
    return abs(float(_quantity_of(unit).magnitude) - 1.0) < 1e-15


_SECOND = re.compile(r"[-+±–]|to\b|[*/]\s*[\d.]|\d+(?![\d.]*(?:\s*/|\*\*|[eE]\d))")  # "20-25 kg", "20 +/- 5 kg"; not "0.3 1/h", "2 1e9/L"
_TEXT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")


def split(text: str, what: str = "") -> tuple[float, str]:
    """Number and unit text of "2.5 mg/kg"; the unit is "" for a bare number. Raises InputError if there is no number, or a second one."""
    match = _TEXT.match(text)
    if not match or _SECOND.match(match[2]):
        raise InputError(
            (f"{what} = " if what else "") + f"'{text}' is " + ("more than one number" if match else "not a number with a unit")
        )
    return float(match[1]), match[2]


def number(text: str | float | int, unit: str, what: str = "value") -> float:
    """`text` ("52 years") as a number in `unit`. A bare number is refused unless `unit` is dimensionless."""
    if isinstance(text, int | float):
        if same(unit, "dimensionless"):
            return float(text) * factor("dimensionless", unit)
        raise UnitError(f"{what} = {text}: a bare number; write it with its unit, like '{text} {unit}'")
    value, given = split(text, what)
    if not given:
        if same(unit, "dimensionless"):
            return value * factor("dimensionless", unit)
        raise UnitError(f"{what} = '{text}': a bare number; write it with its unit, like '{text} {unit}'")
    try:
        return value * factor(given, unit)
    except UnitError as error:
        raise UnitError(f"{what} = '{text}': {error}") from None


def same(unit: str, other: str) -> bool:
    """Whether two units have one dimension."""
    return _unit(unit).dimensionality == _unit(other).dimensionality


def hours(text: str, what: str = "duration") -> float:
    """A duration ("26 weeks", "26w", "90 min") in hours. A month is 30.4 days."""
    value, unit = split(text, what)
    if unit.strip() in ("month", "months", "mo"):
        return value * 730.0
    return number(text, "hour", what)


def clock(text: str, what: str = "clock time") -> float:
    """ "08:30" as hours after midnight."""
    match = re.fullmatch(r"\s*([01]?\d|2[0-4]):([0-5]\d)\s*", text)
    if not match:
        raise InputError(f"{what} = '{text}': write a clock time like '08:30'")
    return int(match[1]) + int(match[2]) / 60


def readable(unit_id: str, units: Mapping[str, str]) -> str:
    """The expression behind a unit id of the model's text (`ng_per_litre` -> `1e-9 gram/litre`), as this module reads it."""
    return units.get(unit_id, unit_id).replace("^", "**")
