"""Arithmetic of library text: what it computes, what it refuses, and how it says so."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghaxis.errors import InputError
from ghaxis.reading.arithmetic import evaluate, names, parse_of

ENV = {"x": 2.0, "age": 50.0, "BMI": 30.0, "steatosis": 0.2}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-x + 3", 1.0),
        ("2*x**3 - 1", 15.0),
        ("2*x^3 - 1", 15.0),
        ("-x**2", -4.0),
        ("(age - 40)/10", 1.0),
        ("0.5e1 + .5", 5.5),
        ("min(x, 3, 1) + max(x, 5)", 6.0),
        ("exp(log(x))*sqrt(4)", 4.0),
        ("interp(age, [20, 40, 60], [0, 1, 3])", 2.0),
        ("interp(x, [20, 40], [7, 1])", 7.0),
        ("interp(age*2, [20, 40], [7, 1])", 1.0),
        ("2 ** -1", 0.5),
        ("+x", 2.0),
    ],
)
def test_values(text: str, value: float) -> None:
    assert evaluate(text, ENV) == pytest.approx(value)


def test_names_are_free_names_only() -> None:
    assert names("max(x, exp(BMI)) + interp(age, [1, 2], [x, 3])") == {"x", "BMI", "age"}
    assert names("1 + 2") == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "x.real",
        "[1, 2]",
        "x if x else 1",
        "x > 1",
        "lambda: 1",
        "(1, 2)",
        "x[0]",
        "True",
        "'a'",
        "1j",
        "x @ x",
        "x // 2",
        "x % 2",
        "~1",
        "x := 2",
        "min(*x)",
        "exp(x=1)",
        "exp(1, 2)",
        "min(1)",
        "interp(x, 1, 2)",
        "interp(x, [1, 2], [1])",
        "interp(x, [2, 1], [1, 1])",
        "min + 1",
        "",
        "  ",
        "1 +",
        "(" * 300 + "1" + ")" * 300,
        "-" * 500 + "1",
        "x + " * 400 + "1",
        "f'{x}'",
        "(yield)",
        "\0",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        evaluate(text, ENV)


@pytest.mark.parametrize("text", ["1/(x - 2)", "log(-1)", "sqrt(-x)", "(-x)**0.5", "9**9**9", "exp(1000)", "1e308*10"])
def test_what_has_no_finite_value_is_refused_with_the_names_that_it_read(text: str) -> None:
    with pytest.raises(InputError, match="no finite value"):
        evaluate(text, ENV)


def test_unknown_words_come_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown name 'steatosi'; did you mean 'steatosis'\?"):
        evaluate("2*steatosi", ENV)
    with pytest.raises(InputError, match=r"unknown function 'interpp'; did you mean 'interp'\?"):
        evaluate("interpp(x, [1, 2], [1, 2])", ENV)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0.1, 1e3))
def test_agrees_with_python(a: float, b: float, c: float) -> None:
    assert evaluate("(a - b)*c + a/c", {"a": a, "b": b, "c": c}) == (a - b) * c + a / c


# --- the `of` of a finding

ARMS = ("controls", "meld_19_24", "both", "ghrh", "e1")


def test_of_reads_arms_at_times() -> None:
    of = parse_of("controls@24 h / controls@0 h - 1", ARMS)
    assert of.tokens == (("controls", 24.0), ("controls", 0.0))
    assert of.evaluate([3.0, 2.0]) == pytest.approx(0.5)
    assert of.evaluate({("controls", 0.0): 2.0, ("controls", 24.0): 3.0}) == pytest.approx(0.5)
    assert of.degree == 0
    assert not of.is_plain


@pytest.mark.parametrize(
    ("time", "hours"),
    [("24 h", 24), ("26 weeks", 26 * 168), ("0 h", 0), ("-1 h", -1), ("120 min", 2), ("1.5 days", 36), ("26w", 4368), ("2 months", 1460)],
)
def test_of_times(time: str, hours: float) -> None:
    assert parse_of(f"controls@{time}", ARMS).tokens == (("controls", pytest.approx(hours)),)


def test_of_without_time_is_at_zero_and_a_token_stands_once() -> None:
    of = parse_of("both / (ghrh + e1@0 h) - log(both@0 h)/log(both)", ARMS)
    assert of.tokens == (("both", 0.0), ("ghrh", 0.0), ("e1", 0.0))
    assert of.evaluate([4.0, 1.0, 1.0]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "degree"),
    [
        ("controls@0 h", 1),
        ("(controls@0 h + both@0 h)/2", 1),
        ("controls@1 h - controls@0 h", 1),
        ("(both@1 h - both@0 h)/both@0 h", 0),
        ("(both@1 h - both@0 h) - (ghrh@1 h - ghrh@0 h)", 1),
        ("both@1 h * both@0 h", 2),
        ("sqrt(both@1 h * both@0 h)", 1),
        ("max(both@1 h, ghrh@1 h)", 1),
        ("max(both@1 h, 0)", 1),
        ("log(both@1 h/both@0 h)", 0),
    ],
)
def test_degree_is_the_power_of_the_measures_unit(text: str, degree: int) -> None:
    assert parse_of(text, ARMS).degree == degree


def test_a_level_less_a_ratio_is_refused() -> None:
    with pytest.raises(InputError, match="different dimension"):
        _ = parse_of("controls@24 h - 1", ARMS).degree


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("control@24 h", r"unknown arm 'control' in .*; did you mean 'controls'\?"),
        ("controls@24 furlongs", "furlongs"),
        ("controls@24", "write an arm at a time"),
        ("controls@h", "write an arm at a time"),
        ("controls@24 h / ", "not arithmetic"),
        ("1 - 2", "names no arm"),
        ("", "names no arm"),
        ("controls@24 h ; 1", "not arithmetic"),
    ],
)
def test_what_of_refuses(text: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        parse_of(text, ARMS)


def test_evaluate_needs_a_value_for_each_token() -> None:
    with pytest.raises(InputError, match="needs 2 values"):
        parse_of("controls@24 h / controls@0 h", ARMS).evaluate([1.0])
    assert math.isclose(parse_of("controls@24 h*2", ARMS).evaluate([1.5]), 3.0)
