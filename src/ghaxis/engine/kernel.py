"""The same integration for other machines: WebAssembly for browsers, PTX for NVIDIA processors, and what a driver must know.

Only the machine differs: loop, step control, breakpoints and dense output are the text that the host compiles, with what is watched in the
same module. WebAssembly has no fused multiply-add and goes without; it gives the bits of the host's code written without it. On an NVIDIA
processor a thread is a lane and 32 neighbours share a block, so that they read neighbouring memory; a thread whose person is done takes
the next. Exponents stay parameters here (own.py writes them into the code where nobody moves them).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from ghaxis.engine import machine
from ghaxis.engine.contract import Batch, Tolerances
from ghaxis.engine.control import loop
from ghaxis.engine.emit import Layout, ModelCode, module, reads
from ghaxis.engine.expressions import read_system
from ghaxis.engine.frame import FRAME, WIDE
from ghaxis.engine.lanes import block_sizes
from ghaxis.engine.loop import Loop
from ghaxis.engine.methods import METHODS
from ghaxis.engine.own import DEFAULT, REASONS
from ghaxis.engine.values import Code, Shape
from ghaxis.errors import InputError, nearest

WARP = 32  # threads that step together
PROCESSORS = ("sm_80", "sm_90")
# What the frame's numbers and addresses are, beside the block's own arrays
SHARED = {
    "start, end": "hours",
    "relative, absolute, largest": "tolerances, and the largest step (may be infinity)",
    "people, times_count, edges_count, watched_count, needed_count": "how many there are",
    "first_time, first_edge": "the first of times that is not before the start, the first of edges that is after it",
    "log_room": "0",
    "next": "(1) whole: 0; who begins next",
    "levels": "(people, states)",
    "given": "(people, parameters)",
    "act_bounds": "(people + 1) whole: where everyone's breakpoints begin, and the end of the last one's",
    "act_time, act_value": "(breakpoints + 1), sorted by time for each person, none before the start",
    "act_where": "(breakpoints + 1) whole: the state to which the value is added, or -1 - the parameter that takes it",
    "times, edges": "sorted, then infinity; edges are the ends of spans over which integrals are formed",
    "used": "(edges + 2): 1 where the span before that edge is wanted, else 0",
    "needed": "(needed + 1) whole: states that the watched symbols depend on (`needed` here)",
    "values": "(people, times, watched): the watched symbols at the times",
    "sums": "(people, edges, watched): their integrals over the span before each edge",
    "final": "(people, states)",
    "counts": "(people, 2): steps kept and rejected",
    "outcome": "(people, 2) whole: 0, or one of `reasons` and the state",
    "stopped": "(people): when a failed one stopped",
}
_ENTRY = """
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
define ptx_kernel void @run(ptr %frame, ptr %memory) {
  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %size = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %own = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %before = mul i32 %block, %size
  %index = add i32 %before, %own
  %wide = zext i32 %index to i64
  call void @thread(ptr %frame, ptr %memory, i64 %wide)
  ret void
}
"""


@dataclass(frozen=True, eq=False)
class Kernel:
    """One model and what is watched, to be written for any machine. `tolerances` are those that the description proposes."""

    layout: Layout
    watched: tuple[str, ...]
    method: str = "rodas4"
    tolerances: Tolerances = DEFAULT

    @staticmethod
    def of(sbml: str, watched: Sequence[str], method: str = "rodas4", tolerances: Tolerances = DEFAULT) -> Kernel:
        """Read the model. Raises LibraryError for what is outside the subset, InputError for a watched name the model lacks."""
        layout = Layout.of(read_system(sbml))
        for name in watched:
            if name not in layout.system.symbols:
                raise InputError(f"the model has no '{name}'; nearest: {nearest(name, layout.system.symbols)}")
        return Kernel(layout, tuple(watched), method, tolerances)

    def text(self, shape: Shape, fused: bool) -> str:
        """The module as LLVM IR: `integrate(frame)`, and where lanes have threads of their own `thread(frame, memory, index)`."""
        model = ModelCode(self.layout, shape, fused)
        watch = model.watch([self.layout.system.symbols[name] for name in self.watched])
        watch.external = False
        own = [model.hoist(), model.rates(), model.slopes(), *model.factor(), model.solve(), watch]
        whole = [*own, *Loop(model, METHODS[self.method], watch="watch").functions()]
        return module([*whole, *([self._thread(shape, fused)] if shape.threads else [])], Shape(1), model.shape, Shape(WIDE))

    def wasm(self, features: str = "+simd128") -> bytes:
        """A WebAssembly module: it imports `env.__linear_memory` and exports `integrate`."""
        return _exporting(machine.translate(self.text(Shape(1), fused=False), "wasm32-unknown-unknown", features=features), "integrate")

    def ptx(self, processor: str) -> str:
        """PTX with the kernel `run(frame, memory)`; as many threads as one likes, `memory` of `memory()` bytes for 32 of them."""
        text = self.text(Shape(WARP, threads=True), fused=True) + _ENTRY
        return machine.translate(text, "nvptx64-nvidia-cuda", cpu=processor, as_text=True).decode()

    def memory(self) -> int:
        """Bytes of the memory that 32 threads share."""
        return 8 * WARP * sum(self._sizes().values())

    def needed(self) -> list[int]:
        """The states that the watched symbols depend on, by place."""
        return reads(self.layout.system.graph, [self.layout.system.symbols[name] for name in self.watched])

    def description(self) -> dict[str, object]:
        """What a driver must know, as JSON has it: names, defaults (None: a value must be given), the frame, the arrays of a block."""
        system = self.layout.system
        return {
            "method": self.method,
            "tolerances": asdict(self.tolerances),
            "time_unit": "hours",
            "watched": list(self.watched),
            "states": _given(system.states, system.initial),
            "parameters": _given(system.parameters, system.defaults),
            "volumes": dict(system.volumes),
            "needed": self.needed(),
            "frame": [{"name": name, "type": kind, "offset": 8 * k} for k, (name, kind) in enumerate(FRAME)],
            "shared": SHARED,
            "block": self._sizes(),
            "memory_of_32_threads": self.memory(),
            "reasons": {str(k): text for k, text in REASONS.items()},
        }

    def _sizes(self) -> dict[str, int]:
        return block_sizes(self.layout, METHODS[self.method], len(self.watched))

    def _thread(self, shape: Shape, fused: bool) -> Code:
        """thread(frame, memory, index): a frame of its own for the thread, its arrays in the memory of its block; then integrate."""
        code = Code("thread", [("frame", "ptr"), ("memory", "ptr"), ("index", "i64")], external=True, fused=fused)
        given, index, sizes = code.argument("frame"), code.argument("index"), self._sizes()
        lane = index & (shape.lanes - 1)
        place = code.at(code.argument("memory"), (index - lane) * sum(sizes.values()) + lane)
        with loop(code, sum(sizes.values())) as i:
            code.store(code.number("double", 0.0), code.at(place, i * shape.lanes))
        arrays = {}
        for name, count in sizes.items():
            arrays[name] = place
            place = code.at(place, count * shape.lanes)
        own = code.emit("ptr", f"alloca [{len(FRAME)} x i64], align 8")
        for k, (name, _) in enumerate(FRAME):
            code.store(arrays[name] if name in arrays else code.load(code.at(given, k, "i64"), "i64"), code.at(own, k, "i64"))
        with loop(code, sizes["floor"]) as i:  # of the rows that stand for no state; the others are filled with a person
            code.store(code.number("double", 1.0), code.at(arrays["floor"], i * shape.lanes))
        code.call("integrate", own)
        return code


def _given(names: Sequence[str], values: Sequence[float]) -> dict[str, float | None]:
    """Values by name, None where there is none."""
    return {name: value if math.isfinite(value) else None for name, value in zip(names, values, strict=True)}


def lane(batch: Batch, k: int = 0) -> dict[str, object]:
    """What one lane of a batch is given, as JSON has it; the loader of the WebAssembly module takes this."""
    b = batch.breaks[k]
    return {
        "start": batch.start,
        "end": batch.end,
        "parameters": dict(zip(batch.parameter_names, batch.parameters[k].tolist(), strict=True)),
        "levels": dict(zip(batch.state_names, batch.initial[k].tolist(), strict=True)),
        "paths": [list(row) for row in zip(b.path_times.tolist(), b.path_names, b.path_values.tolist(), strict=True)],
        "impulses": [list(row) for row in zip(b.impulse_times.tolist(), b.impulse_states, b.impulse_amounts.tolist(), strict=True)],
        "times": batch.times.tolist(),
        "windows": batch.windows.tolist(),
    }


# A WebAssembly object file that calls nothing outside is a module but for its export section


def _exporting(image: bytes, name: str) -> bytes:
    """The module of an object file: without the linker's sections, its last function exported by name."""
    sections = [(kind, body) for kind, body in _sections(image) if kind]
    count = _read_number(next(body for kind, body in sections if kind == 3), 0)[0]
    export = _number(1) + _number(len(name)) + name.encode() + b"\0" + _number(count - 1)
    whole = sorted([*sections, (7, export)], key=lambda s: s[0] if s[0] != 12 else 9.5)  # the count of data stands before the code
    return image[:8] + b"".join(bytes([kind]) + _number(len(body)) + body for kind, body in whole)


def _sections(image: bytes) -> Iterator[tuple[int, bytes]]:
    at = 8
    while at < len(image):
        size, start = _read_number(image, at + 1)
        yield image[at], image[start : start + size]
        at = start + size


def _read_number(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of 7 bits, and where it ends."""
    value = shift = 0
    while True:
        value, shift, more, at = value | (data[at] & 127) << shift, shift + 7, data[at] & 128, at + 1
        if not more:
            return value, at


def _number(value: int) -> bytes:
    return bytes([value & 127 | 128]) + _number(value >> 7) if value > 127 else bytes([value])
