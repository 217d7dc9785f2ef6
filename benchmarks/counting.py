"""Operations in LLVM text and instructions in assembly, loops of known length counted as often as they run. Pure functions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping

Operations = Counter[tuple[str, int]]
FLOPS = {"fadd": 1, "fsub": 1, "fmul": 1, "fdiv": 1, "fma": 2, "sqrt": 1}
FREE = ("getelementptr", "bitcast", "phi", "br", "ret", "fneg", "call", "extractelement")  # no work of their own, or folded into others

_DEFINE = re.compile(r"^define .*?void @(\w+)\(")
_INTRINSIC = re.compile(r"call .*?@llvm\.(\w+)\.")
_CALL = re.compile(r"call void @(\w+)\(")
_OPERATION = re.compile(r"^  (?:%\S+ = )?(?:tail )?([a-z]+)")
_LABEL = re.compile(r"^([\w.]+):")
_NEXT = re.compile(r"%j(\d+) = add i64 %i\d+, (\d+)")
_WIDTH = re.compile(r"<(\d+) x (?:double|float)>")
_BELOW = re.compile(r"icmp slt i64 %j(\d+), (\d+)$")


def bodies(text: str) -> dict[str, list[str]]:
    """The lines of every function of a module."""
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in text.splitlines():
        if match := _DEFINE.match(line):
            lines = found.setdefault(match[1], [])
        elif line == "}":
            lines = None
        elif lines is not None:
            lines.append(line)
    return found


def turns(lines: list[str]) -> dict[str, int]:
    """How often each loop of a known length runs, by its number."""
    steps = {m[1]: int(m[2]) for line in lines if (m := _NEXT.search(line))}
    ends = {m[1]: int(m[2]) for line in lines if (m := _BELOW.search(line))}
    return {k: -(-ends[k] // steps[k]) for k in ends if k in steps}


def operations(text: str, function: str) -> Operations:
    """What one call of a function does: operations by (name, numbers in it), those of the functions that it calls included.

    `fma` counts as one operation; loops whose length is only known when running count as one turn.
    """
    functions = bodies(text)
    known: dict[str, Operations] = {}

    def count(name: str) -> Operations:
        if name not in known:
            known[name] = _count(functions[name], count)
        return known[name]

    return count(function)


def _count(lines: list[str], called: Callable[[str], Operations]) -> Operations:
    lengths, weights = turns(lines), [1]
    total: Operations = Counter()
    open_loops: list[str] = []
    for line in lines:
        if match := _LABEL.match(line):
            label = match[1]
            if label.startswith("body") and label[4:] in lengths:
                open_loops.append(label[4:])
                weights.append(weights[-1] * lengths[label[4:]])
            elif label.startswith("after") and open_loops and label[5:] == open_loops[-1]:
                open_loops.pop()
                weights.pop()
            continue
        width = int(found[1]) if (found := _WIDTH.search(line)) else 1
        if match := _CALL.search(line):
            for what, n in called(match[1]).items():
                total[what] += n * weights[-1]
        elif match := _INTRINSIC.search(line) or _OPERATION.match(line):
            total[match[1], width] += weights[-1]
    return total


def flops(counted: Operations) -> int:
    """Floating-point operations of all lanes: a fused multiply-add is two; exp and log count as what they are made of."""
    return sum(FLOPS.get(name, 0) * width * n for (name, width), n in counted.items())


def work(counted: Operations) -> int:
    """Operations that need an instruction, as written (loads and stores included, addresses and jumps not)."""
    return sum(n for (name, _), n in counted.items() if name not in FREE)


_SYMBOL = re.compile(r'^"?([\w.$]+)"?:')
_INSTRUCTION = re.compile(r"^\s+([a-z][\w.]*)\b(.*)")
_JUMP = re.compile(r"^j\w+$|^b\.\w+$|^cbn?z$")


def instructions(assembly: str, lengths: Mapping[str, list[int]]) -> dict[str, tuple[int, int]]:
    """(all, vector) instructions of one call of each function, without those of the functions it calls.

    `lengths` gives how often the loops of a function run, in the order in which they stand; a loop is what a jump back encloses. A
    function with another number of loops is left out.
    """
    functions: dict[str, list[tuple[str, str]]] = {}
    lines: list[tuple[str, str]] | None = None
    for line in assembly.splitlines():
        text = line.split("#")[0].rstrip()
        if match := _SYMBOL.match(text):
            name = match[1]
            if name.startswith(".L"):
                if lines is not None:
                    lines.append(("label", name))
            else:
                lines = functions.setdefault(name, [])
        elif lines is not None and (match := _INSTRUCTION.match(text)) and not text.lstrip().startswith("."):
            lines.append((match[1], match[2].strip()))
    found = {}
    for name, body in functions.items():
        weights = _loop_weights(body, lengths.get(name, []))
        if weights is None:
            continue
        counts = [(w, "mm" in operands) for w, (op, operands) in zip(weights, body, strict=True) if op != "label"]
        found[name] = (sum(w for w, _ in counts), sum(w for w, vector in counts if vector))
    return found


def _loop_weights(body: list[tuple[str, str]], lengths: list[int]) -> list[int] | None:
    labels = {operand: k for k, (op, operand) in enumerate(body) if op == "label"}
    back: dict[int, int] = {}
    for k, (op, operand) in enumerate(body):
        if (_JUMP.match(op) or op in ("jmp", "b")) and labels.get(operand, k) < k:
            back[labels[operand]] = max(k, back.get(labels[operand], 0))
    if len(back) != len(lengths):
        return None
    weights = [1] * len(body)
    for (first, last), times in zip(sorted(back.items()), lengths, strict=True):
        for k in range(first, last + 1):
            weights[k] *= times
    return weights
