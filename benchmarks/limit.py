"""How far from the arithmetic limit: what a step does, counted, against what this processor can do, measured."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from benchmarks.cases import WATCHED, WEEK, cases, crowd, together
from benchmarks.counting import bodies, flops, instructions, operations, turns, work
from benchmarks.curves import spread
from benchmarks.emitted import fixed_exponents
from benchmarks.pieces import pieces, whole
from ghaxis.engine import machine
from ghaxis.engine.emit import Layout, ModelCode, module
from ghaxis.engine.expressions import read_system
from ghaxis.engine.frame import WIDE, Desk, Walk
from ghaxis.engine.loop import Loop
from ghaxis.engine.methods import METHODS
from ghaxis.engine.own import DEFAULT, OwnEngine
from ghaxis.engine.values import Code, Shape

CHAINS = 24  # independent multiply-adds in the air: more than latency x units of any processor
ADDS = 64


def step_text(layout: Layout, method: str, lanes: int) -> str:
    """The module's functions that one attempt runs, and `attempt` and `move` by themselves (both take the frame)."""
    model = ModelCode(layout, Shape(lanes), machine.fuses())
    writer = Loop(model, METHODS[method])
    states = len(layout.system.states)
    parts = [model.rates(), model.slopes(), *model.factor(), model.solve()]
    for name in ("attempt", "move"):
        code = Code(name, [("frame", "ptr")], True, model.fused)
        desk = Desk(code, model.shape, states)
        if name == "attempt":
            code.call("slopes", desk.clock_at("stage_time"), *(desk.field(n) for n in ("y", "p", "q", "stages", "ft", "J")))
            writer._attempt(desk)
        else:
            writer._move(Walk(desk))
        parts.append(code)
    return module(parts, Shape(1), model.shape, Shape(WIDE))


def assembly(text: str) -> str:
    """LLVM text as this machine's assembly."""
    target = machine._host()[0]
    parsed = llvm.parse_assembly(text)
    parsed.triple, parsed.data_layout = target.triple, str(target.target_data)
    return str(target.emit_assembly(parsed))


def counted(layout: Layout, method: str, lanes: int) -> dict[str, Any]:
    """One attempt in one vector of lanes: flops of one lane, operations as written, instructions as compiled (None if not countable)."""
    text = step_text(layout, method, lanes)
    whole = operations(text, "attempt") + operations(text, "move")
    functions = bodies(text)
    calls = {name: sum(f"call void @{name}(" in line for line in functions["attempt"]) for name in ("slopes", "rates", "factor", "solve")}
    inner = {name: operations(text, name) for name in calls}
    per_lane = {name: flops(c) / lanes for name, c in inner.items()}
    attempt = flops(whole) / lanes
    walks = attempt - sum(per_lane[name] * n for name, n in calls.items())
    found = instructions(assembly(text), {name: list(turns(lines).values()) for name, lines in functions.items()})
    factors = [name for name in functions if name.startswith("factor_")]
    total: int | None = None
    vector: int | None = None
    if all(name in found for name in (*calls, *factors, "attempt", "move")):
        sizes = [found["attempt"], found["move"], *(found[f] for f in factors), *(_times(found[name], n) for name, n in calls.items())]
        total, vector = (sum(size[k] for size in sizes) for k in (0, 1))
    return {
        "calls": calls,
        "flops": per_lane | {"walks": walks, "attempt": attempt},
        "operations": work(whole),
        "divisions": sum(n for (name, _), n in whole.items() if name == "fdiv"),
        "instructions": total,
        "vector_instructions": vector,
    }


def _times(pair: tuple[int, int], n: int) -> tuple[int, int]:
    return pair[0] * n, pair[1] * n


def layout_of(sbml: str, batch: Any) -> Layout:
    """The layout that our engine compiles for a batch."""
    return Layout.of(read_system(sbml, fixed_exponents(read_system(sbml), batch)))


# what the processor can do


def _peak_text(kind: str) -> str:
    lines = ["define void @peak(ptr %n) {", "entry:", "  %turns = load i64, ptr %n, align 8", "  %place = getelementptr i64, ptr %n, i64 8"]
    lines += [f"  %a = load {kind}, ptr %place, align 8", "  br label %body", "body:", "  %i = phi i64 [ 0, %entry ], [ %j, %body ]"]
    lines += [f"  %x{k} = phi {kind} [ %a, %entry ], [ %y{k}, %body ]" for k in range(CHAINS)]
    lines += [f"  %y{k} = call {kind} @llvm.fma.{_suffix(kind)}({kind} %x{k}, {kind} %a, {kind} %a)" for k in range(CHAINS)]
    lines += ["  %j = add i64 %i, 1", "  %more = icmp slt i64 %j, %turns", "  br i1 %more, label %body, label %after", "after:"]
    last = "%y0"
    for k in range(1, CHAINS):
        lines.append(f"  %s{k} = fadd {kind} {last}, %y{k}")
        last = f"%s{k}"
    lines += [f"  store {kind} {last}, ptr %place, align 8", "  ret void", "}"]
    return f"declare {kind} @llvm.fma.{_suffix(kind)}({kind}, {kind}, {kind})\n" + "\n".join(_wide(lines))


def _wide(lines: list[str]) -> list[str]:
    attributes = 'attributes #0 = { nounwind "prefer-vector-width"="512" "min-legal-vector-width"="512" }'
    return [line.replace(") {", ") #0 {") if line.startswith("define") else line for line in lines] + [attributes]


def _suffix(kind: str) -> str:
    scalar = "f64" if "double" in kind else "f32"
    return f"v{kind[1 : kind.index(' ')]}{scalar}" if kind.startswith("<") else scalar


def _clock_text() -> str:
    lines = ["define void @peak(ptr %n) {", "entry:", "  %turns = load i64, ptr %n, align 8", "  br label %body", "body:"]
    lines += ["  %i = phi i64 [ 0, %entry ], [ %j, %body ]", f"  %x0 = phi i64 [ %turns, %entry ], [ %x{ADDS}, %body ]"]
    lines += [f"  %x{k + 1} = {'add' if k % 2 else 'xor'} i64 %x{k}, %{'i' if k % 2 else 'turns'}" for k in range(ADDS)]
    lines += ["  %j = add i64 %i, 1", "  %more = icmp slt i64 %j, %turns", "  br i1 %more, label %body, label %after", "after:"]
    lines += [f"  store i64 %x{ADDS}, ptr %n, align 8", "  ret void", "}"]
    return "\n".join(lines)


def _timed(text: str, turns_: int, rounds: int) -> float:
    """Least seconds of one turn of the loop of `peak`."""
    code = machine.load(machine.digest("benchmarks", text), "peak", lambda: text)
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code.address)
    memory = np.zeros(64)
    best = float("inf")
    for _ in range(rounds + 1):
        memory[:] = 0.5
        memory[:1].view(np.int64)[0] = turns_
        begun = time.process_time()
        call(memory.ctypes.data)
        best = min(best, (time.process_time() - begun) / turns_)
    return best


def peak(rounds: int = 9) -> dict[str, Any]:
    """Multiply-adds a second of one core by type, and its clock from a chain of dependent additions (one a cycle)."""
    widths = {"f64": "double", "4 f64": "<4 x double>", "8 f64": "<8 x double>", "16 f32": "<16 x float>"}
    clock = ADDS / _timed(_clock_text(), 400_000, rounds)
    found: dict[str, Any] = {"clock_ghz": clock / 1e9}
    for name, kind in widths.items():
        lanes = int(kind[1 : kind.index(" ")]) if kind.startswith("<") else 1
        each = CHAINS / _timed(_peak_text(kind), 1_000_000, rounds)
        found[name] = {"gflops": 2 * lanes * each / 1e9, "per_cycle": each / clock}
    return found


def measured(widths: Sequence[int], people: int, rounds: int) -> dict[str, Any]:
    """Attempts of a week, and what one attempt of a vector of lanes takes (with everything around it), by width."""
    model = cases()[0].model
    batch = together(model, crowd(people), WEEK, np.arange(6.0, WEEK + 1, 6.0))
    found = {}
    for lanes in widths:
        compiled = OwnEngine(lanes=lanes).compile(model.sbml, WATCHED)
        mine = batch if lanes > 1 else replace(batch, parameters=batch.parameters[:8], initial=batch.initial[:8], breaks=batch.breaks[:8])
        _, counts, _ = compiled.traced(mine, DEFAULT, 1)
        samples = []
        for _ in range(rounds):
            begun = time.process_time()
            compiled.run(mine, DEFAULT, 1)
            samples.append((time.process_time() - begun) / mine.lanes)
        tries = float(counts.sum(axis=1).mean())
        found[str(lanes)] = {"attempts": tries, "rejected": float(counts[:, 1].mean()), "seconds": spread(samples)}
    return found


def _pieces(layout: Layout, batch: Any, lanes: int, rounds: int) -> dict[str, float]:
    text, calls = step_text(layout, "rodas4", lanes), 20_000 // lanes
    return pieces(layout, batch, lanes, calls, rounds) | whole(layout, batch, text, lanes, calls, rounds)


def limit(rounds: int, people: int) -> dict[str, Any]:
    """All of it, for the default method and tolerances."""
    case = cases()[0]
    asked = together(case.model, crowd(2), WEEK, np.array([WEEK]))
    layout = layout_of(case.model.sbml, asked)
    widths = [1, *(w for w in (4, 8) if w <= max(machine.widest(), 4))]
    factor, solve = layout.elimination.flops
    size = {
        "states": len(layout.system.states),
        "parameters": len(layout.system.parameters),
        "entries": len(layout.jacobian),
        "slots": len(layout.elimination.slot),
        "factor_flops": factor,
        "solve_flops": solve,
        "hoisted": len(layout.hoisted),
    }
    return {
        "size": size,
        "counted": {str(w): counted(layout, "rodas4", w) for w in widths},
        "measured": measured(widths, people, rounds),
        "pieces": {str(w): _pieces(layout, asked, w, rounds) for w in widths},
        "peak": peak(rounds),
    }
