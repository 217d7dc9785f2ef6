"""Blocks and loops of the function being written, as Python's own `with`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ghaxis.engine.values import Code, Value


def _label(code: Code, name: str) -> None:
    code.lines.append(f"{name}:")
    code.block = name


def _jump(code: Code, label: str) -> None:
    code.lines.append(f"  br label %{label}")


def _branch(condition: Value, then: str, otherwise: str) -> None:
    condition.code.lines.append(f"  br i1 {condition.name}, label %{then}, label %{otherwise}")


@contextmanager
def only_if(condition: Value) -> Iterator[None]:
    """What is written inside runs where the (one-lane) condition holds."""
    code = condition.code
    k = code.number_of()
    _branch(condition, f"then{k}", f"after{k}")
    _label(code, f"then{k}")
    yield
    _jump(code, f"after{k}")
    _label(code, f"after{k}")


@contextmanager
def loop(code: Code, count: Value | int, step: int = 1) -> Iterator[Value]:
    """For index = 0, step, 2 step ... below count. A count that is only known when running may be 0."""
    k = code.number_of()
    index, following, body, after, before = f"%i{k}", f"%j{k}", f"body{k}", f"after{k}", code.block
    if isinstance(count, int):
        _jump(code, body)
    else:
        _branch(count > 0, body, after)
    _label(code, body)
    place = len(code.lines)
    code.lines.append("")
    yield Value(code, "i64", index)
    code.lines.append(f"  {following} = add i64 {index}, {step}")
    code.lines[place] = f"  {index} = phi i64 [ 0, %{before} ], [ {following}, %{code.block} ]"
    _branch(Value(code, "i64", following) < count, body, after)
    _label(code, after)


@contextmanager
def forever(code: Code) -> Iterator[str]:
    """A loop that is left with `leave_unless(condition, label)`, where label is what this yields."""
    k = code.number_of()
    _jump(code, f"head{k}")
    _label(code, f"head{k}")
    yield f"after{k}"
    _jump(code, f"head{k}")
    _label(code, f"after{k}")


def leave_unless(condition: Value, after: str) -> None:
    """Leave the loop of that label where the (one-lane) condition does not hold."""
    k = condition.code.number_of()
    _branch(condition, f"go{k}", after)
    _label(condition.code, f"go{k}")
