"""How long each of the model's functions takes by itself, called again and again within machine code on the levels of one person."""

from __future__ import annotations

import ctypes
import time
from typing import Any

import numpy as np

from ghaxis.engine import Batch, machine
from ghaxis.engine.control import loop
from ghaxis.engine.emit import Layout, ModelCode, module
from ghaxis.engine.frame import CLOCK, WIDE
from ghaxis.engine.lanes import Block, Shared, pack
from ghaxis.engine.methods import RODAS4
from ghaxis.engine.own import DEFAULT
from ghaxis.engine.values import Code, Shape

TAKES = {"hoist": "p q", "rates": "t y p q f", "slopes": "t y p q f ft J", "factor": "g J lu", "solve": "lu f"}
_LINE = 64


def pieces(layout: Layout, batch: Batch, lanes: int, calls: int, rounds: int) -> dict[str, float]:
    """Least seconds of one call of each function, in all lanes at once."""
    memory = _memory(layout, batch, lanes)
    found = {}
    for name, takes in TAKES.items():
        text = _again(layout, lanes, name)
        code = machine.load(machine.digest("benchmarks", text), "again", lambda text=text: text)  # type: ignore[misc]
        table = np.array([calls, *(memory[a].ctypes.data for a in takes.split())], dtype=np.int64)
        memory["f"][:] = 0.0
        found[name] = _least(code.address, table, rounds)
    return found


def whole(layout: Layout, batch: Batch, text: str, lanes: int, calls: int, rounds: int) -> dict[str, float]:
    """Least seconds of one call of the module's `attempt` and `move` (see limit.step_text), over and over from the same levels."""
    packed = pack(layout, RODAS4, batch, DEFAULT, 0)
    block = Block(Shared(packed, [0], 0), lanes)
    memory = _memory(layout, batch, lanes)
    arrays = block.arrays
    for name in ("y", "p"):
        arrays[name].reshape(-1)[: len(memory[name])] = memory[name]
    arrays["peak"][:] = np.abs(arrays["y"])
    arrays["floor"][:] = 1.0
    arrays["q"].reshape(-1)[:] = _hoisted(layout, lanes, memory)
    arrays["clock"][CLOCK.index("step")] = 0.05
    found = {}
    for name in ("attempt", "move"):
        code = Code("again", [("table", "ptr")], True)
        frame = code.load(code.at(code.argument("table"), 1, "i64"), "ptr")
        with loop(code, code.load(code.argument("table"), "i64")):
            code.call(name, frame)
        loaded = machine.load(machine.digest("benchmarks", text, name), "again", lambda code=code: text + code.text())  # type: ignore[misc]
        table = np.array([calls, block.frame.ctypes.data], dtype=np.int64)
        found[name] = _least(loaded.address, table, rounds)
    return found


def _hoisted(layout: Layout, lanes: int, memory: dict[str, Any]) -> np.ndarray:
    """The expressions of parameters, worked out."""
    text = _again(layout, lanes, "hoist")
    loaded = machine.load(machine.digest("benchmarks", text), "again", lambda: text)
    table = np.array([1, memory["p"].ctypes.data, memory["q"].ctypes.data], dtype=np.int64)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(loaded.address)(table.ctypes.data)
    return np.array(memory["q"])


def _least(address: int, table: np.ndarray, rounds: int) -> float:
    """Least seconds of one of table[0] calls."""
    call, best = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address), float("inf")
    for _ in range(rounds + 1):
        begun = time.process_time()
        call(table.ctypes.data)
        best = min(best, (time.process_time() - begun) / float(table[0]))
    return best


def _again(layout: Layout, lanes: int, name: str) -> str:
    """A module that calls one function so many times: again(table), of the number of calls and the arguments."""
    model = ModelCode(layout, Shape(lanes), machine.fuses())
    parts = model.factor() if name == "factor" else [getattr(model, name)()]
    code = Code("again", [("table", "ptr")], True)
    table = code.argument("table")
    arguments = [code.load(code.at(table, k + 1, "i64"), "ptr") for k in range(len(TAKES[name].split()))]
    with loop(code, code.load(table, "i64")):
        code.call(name, *arguments)
    return module([*parts, code], Shape(1), model.shape, Shape(WIDE))


def _memory(layout: Layout, batch: Batch, lanes: int) -> dict[str, Any]:
    """What the functions work on: the same person in every lane."""
    packed = pack(layout, RODAS4, batch, DEFAULT, 0)
    states = packed.levels.shape[1]
    sizes = {"t": 1, "g": 1, "y": states, "f": states, "p": packed.parameters.shape[1], "q": len(layout.hoisted)}
    sizes |= {"ft": len(layout.explicit), "J": len(layout.jacobian), "lu": len(layout.elimination.slot)}
    memory = {name: _aligned(size * lanes) for name, size in sizes.items()}
    memory["t"][:], memory["g"][:] = 1.0, 10.0
    memory["y"][:], memory["p"][:] = np.repeat(packed.levels[0], lanes), np.repeat(packed.parameters[0], lanes)
    return memory


def _aligned(count: int) -> np.ndarray:
    room = np.zeros(count + _LINE)
    start = (-room.ctypes.data % _LINE) // 8
    return room[start : start + count]
