"""The kernels for other machines: WebAssembly run in Node, PTX taken by its assembler, and a thread's code run on this machine."""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_models import PULSES, batch, breaks

from ghaxis.assembly import to_sbml
from ghaxis.elsewhere import write_kernel
from ghaxis.engine import Batch, Tolerances, machine
from ghaxis.engine.kernel import PROCESSORS, Kernel, lane
from ghaxis.engine.lanes import Block, Shared, fill_frame, pack
from ghaxis.engine.methods import METHODS
from ghaxis.engine.own import DEFAULT, OwnEngine
from ghaxis.engine.values import Shape
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.simulation import Request, prepare
from ghaxis.treatment import Protocol

BROWSER = Path(__file__).resolve().parents[2] / "src" / "ghaxis" / "browser"
MODEL = Model.load(therapies=("tesamorelin",))
WATCHED = tuple(name for name, d in MODEL.definitions.items() if d.kind in ("state", "species", "rule"))  # whatever moves
TIMES = tuple(float(t) for t in np.linspace(0, 24, 289))
REQUEST = Request(Person(), Protocol.parse("tesamorelin 2 mg sc daily at 08:00"), TIMES, WATCHED, noise=3)


@pytest.fixture(scope="module")
def day() -> tuple[Kernel, str, Batch]:
    """A day with a dose, meals, sleep and a noise tape (after the day before it)."""
    model, asked, _ = prepare(MODEL, REQUEST)
    assert len(asked.breaks[0].path_times) > 50 and len(asked.breaks[0].impulse_times)
    return Kernel.of(model.sbml, WATCHED), model.sbml, asked


def on_this_machine(kernel: Kernel, asked: Batch, fused: bool, tolerances: Tolerances = DEFAULT) -> Shared:
    """The kernel's code for one lane, compiled for the host."""
    text = kernel.text(Shape(1), fused)
    loaded = machine.load(machine.digest(text), "integrate", lambda: text)
    shared = Shared(pack(kernel.layout, METHODS[kernel.method], asked, tolerances, len(kernel.watched)), kernel.needed(), 0)
    block = Block(shared, 1)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(loaded.address)(block.frame.ctypes.data)
    return shared


def in_node(node: str, folder: Path, *words: str) -> dict:
    told = subprocess.run([node, folder / "run.mjs", "--json", *words], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


def columns(table: dict[str, list[float]], names: tuple[str, ...]) -> np.ndarray:
    return np.array([table[name] for name in names], dtype=float).T


def test_webassembly_gives_the_bits_of_the_host(day, node, tmp_path, capsys):
    kernel, sbml, asked = day
    write_kernel(MODEL, REQUEST, tmp_path)
    found = in_node(node, tmp_path)
    states = kernel.layout.system.states
    mine = columns(found["values"], WATCHED), columns(found["means"], WATCHED), columns(found["final"], states)
    plain = on_this_machine(kernel, asked, fused=False)
    for browser, host in zip(mine, (plain.values()[0], plain.means()[0], plain.final()[0]), strict=True):
        assert np.isfinite(browser).all()
        assert (browser == host).all()
    assert [found["steps"]["accepted"], found["steps"]["rejected"]] == plain.arrays["counts"][0].tolist()
    usual = OwnEngine().compile(sbml, WATCHED).run(asked, DEFAULT)
    size = np.abs(usual.values[0]).max(axis=0) + 1e-300
    largest = [(np.abs(a - b) / size).max() for a, b in ((mine[0], usual.values[0]), (mine[1], usual.means[0]))]
    with capsys.disabled():
        print(f"\nWebAssembly beside the ordinary engine: values within {largest[0]:.1e}, means within {largest[1]:.1e} of the maximum")
    assert max(largest) < 1e-10


def test_the_module_is_the_ordinary_engine_with_what_is_watched_inside(day, monkeypatch):
    kernel, sbml, asked = day
    usual = OwnEngine(lanes=1).compile(sbml, WATCHED)
    monkeypatch.setattr(type(usual), "_fixed", lambda self, asked: ())  # exponents stay parameters in a kernel
    answer, shared = usual.run(asked, DEFAULT), on_this_machine(kernel, asked, machine.fuses())
    assert (answer.values == shared.values()).all() and (answer.means == shared.means()).all() and (answer.final == shared.final()).all()


def test_a_thread_with_a_lane_of_its_own_gives_the_bits_of_a_lane(day):
    """What an NVIDIA processor runs, but for its entry, on this machine: 32 threads share a block and touch only their own lane."""
    kernel, _, one = day
    people = 3
    levels = one.initial * np.array([[1.0], [1.1], [0.9]])
    asked = replace(one, breaks=one.breaks * people, parameters=np.repeat(one.parameters, people, axis=0), initial=levels)
    fused = machine.fuses()
    expected = on_this_machine(kernel, asked, fused)
    text = kernel.text(Shape(32, threads=True), fused)
    loaded = machine.load(machine.digest(text), "thread", lambda: text)
    thread = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(loaded.address)
    for indices in ((0, 5, 33), (40,)):  # each has one person; one after the other in one thread
        shared = Shared(pack(kernel.layout, METHODS[kernel.method], asked, DEFAULT, len(WATCHED)), kernel.needed(), 0)
        memory = np.full((2, kernel.memory() // 8 // 32, 32), np.nan)
        addresses = {name: array.ctypes.data for name, array in shared.arrays.items()}
        for k, index in enumerate(indices):
            shared.arrays["next"][0] = k
            last = {"people": k + 1 if len(indices) > 1 else people}
            frame = fill_frame(shared.numbers(), shared.counts() | last | addresses)
            thread(frame.ctypes.data, memory.ctypes.data, index)
        touched = {divmod(int(i), 32) for i in np.flatnonzero(np.isfinite(memory).any(axis=1))}
        assert touched == {divmod(index, 32) for index in indices}
        assert (shared.values() == expected.values()).all()
        assert (shared.means() == expected.means()).all()
        assert (shared.final() == expected.final()).all()
        assert (shared.arrays["counts"] == expected.arrays["counts"]).all()


@pytest.mark.parametrize("processor", PROCESSORS)
def test_ptx_is_taken_by_its_assembler(processor, ptxas, tmp_path, capsys):
    text = Kernel.of(MODEL.sbml, ("GH", "IGF1")).ptx(processor)
    assert f".target {processor}" in text
    assert text.count(".visible .entry run(") == 1
    assert not re.findall(r"\b(?:add|sub|mul)\.f64", text)  # without a rounding mode the assembler may fuse them
    source = tmp_path / "kernel.ptx"
    source.write_text(text)
    command = [ptxas, "-v", f"-arch={processor}", source, "-o", tmp_path / "kernel.cubin"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "kernel.cubin").stat().st_size
    with capsys.disabled():
        print(f"\n{processor}:", *re.findall(r"Used .*", told.stderr))
        spills = re.findall(r"properties for (\w+)\n\s+(.*, [1-9]\d* bytes spill stores.*)", told.stderr)
        print(*(f"  {name}: {what}" for name, what in spills), sep="\n")


# --- the loader, on small models ------------------------------------------------------------------------------------------------------


def folder_of(kernel: Kernel, folder: Path) -> Path:
    (folder / "kernel.wasm").write_bytes(kernel.wasm())
    (folder / "kernel.json").write_text(json.dumps(kernel.description()))
    for path in BROWSER.iterdir():
        (folder / path.name).write_text(path.read_text())
    return folder


def test_the_loader_orders_times_and_breakpoints_as_the_engine_does(node, tmp_path):
    watched = ("G", "slow", "A", "C", "ratio", "k_in")
    outside = breaks(
        paths=[(5.0, "x_in", 2.0), (5.0, "k_in", 0.1), (5.5, "x_in", 0.2), (12.0, "x_in", 1.0), (30.0, "k_in", 0.8)],
        impulses=[(12.0, "A", 7.0), (12.0, "B", 3.0), (12.0, "G", 5.0), (33.3, "idle", 2.0)],
    )
    asked = batch(
        [outside],
        parameters={"r": [7.0]},
        initial={"A": [1.5]},
        times=[48, 0, 5.0, 12, 12.01, 33.3, 33.4],
        windows=[(0, 48), (3, 12.5), (12, 24)],
    )
    kernel = Kernel.of(PULSES, watched)
    (tmp_path / "asked.json").write_text(json.dumps(lane(asked)))
    found = in_node(node, folder_of(kernel, tmp_path), str(tmp_path / "asked.json"))
    host = on_this_machine(kernel, asked, fused=False)
    assert (columns(found["values"], watched) == host.values()[0]).all()
    assert (columns(found["means"], watched) == host.means()[0]).all()
    assert found["failure"] is None


TEXT = """
compartment plasma = 2;
species drug in plasma; drug = 3;
loss: drug => ; plasma*k*drug;
k = 0.5;
G = 0.5; G' = growth*G^2;
growth = 0;
"""


def test_the_loader_says_what_went_wrong(node, tmp_path):
    kernel = Kernel.of(to_sbml(TEXT), ("drug",))
    folder_of(kernel, tmp_path)

    def run(**person):
        (tmp_path / "person.json").write_text(json.dumps(person))
        told = subprocess.run([node, tmp_path / "run.mjs", "--json"], capture_output=True, text=True, check=False)
        return told.returncode, told.stderr, json.loads(told.stdout or "null")

    code, _, found = run(end=4, times=[0, 2, 4], impulses=[[2, "drug", 8]], windows=[[0, 2]])
    assert code == 0
    assert found["values"]["drug"] == pytest.approx([3, 3 * np.exp(-1), 3 * np.exp(-2) + 4 * np.exp(-1)], rel=1e-3)  # 8 in a volume of 2
    assert found["means"]["drug"] == pytest.approx([3 * (1 - np.exp(-1))], rel=1e-3)
    code, told, found = run(end=4, times=[1, 3], parameters={"growth": 1})  # G reaches infinity at 2 hours
    assert (code, found["failure"]["state"]) == (1, "G")
    assert found["failure"]["time"] == pytest.approx(2, rel=1e-2)
    assert found["values"]["drug"][1] is None
    assert "failed at" in told
    for wrong, word in (
        ({"parameters": {"kk": 1}}, "no parameter 'kk'"),
        ({"levels": {"k": 1}}, "no state 'k'"),
        ({"impulses": [[1, "x", 1]]}, "no state 'x'"),
        ({"paths": [[1, "x", 1]]}, "no parameter 'x'"),
        ({"windows": [[1, 5]]}, "windows"),
        ({"start": 5}, "no length"),
        ({"parameters": {"k": None}, "end": 4, "levels": {"drug": "much"}}, "no value"),
    ):
        code, told, _ = run(**{"end": 4, **wrong})
        assert code != 0 and word in told, wrong
