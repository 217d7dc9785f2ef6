"""From LLVM IR to functions of this process: the one door for llvmlite, and the cache of compiled code on disk."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import uuid
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import platformdirs

from ghaxis import keeping

_DIGEST = 32
KEPT = 500  # files in the cache, the lately used ones


@dataclass(frozen=True, eq=False)
class Loaded:
    """Compiled code in memory: the address of its one outside function lives as long as this does."""

    address: int
    _holder: object


@functools.cache
def _host() -> tuple[llvm.TargetMachine, llvm.LLJIT]:
    """This machine's code generator and linker."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    machine = target.create_target_machine(cpu=cpu(), features=features(), opt=1, reloc="pic", codemodel="jitdefault", jit=True)
    return machine, llvm.create_lljit_compiler(machine)


@functools.cache
def cpu() -> str:
    """The processor as LLVM calls it."""
    return str(llvm.get_host_cpu_name())


@functools.cache
def features() -> str:
    """What the processor can do."""
    return str(llvm.get_host_cpu_features().flatten())


def has(feature: str) -> bool:
    """Whether the processor has a feature, as LLVM names it."""
    return f"+{feature}" in features().split(",")


def fuses() -> bool:
    """Whether the processor multiplies and adds in one operation."""
    return has("fma") or llvm.get_process_triple().startswith(("aarch64", "arm64"))


def widest() -> int:
    """How many lanes are worth trying at once: eight need wide registers, four are worth it with narrow ones too."""
    return 8 if has("avx512f") else 4


def processors() -> int:
    """How many threads this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cache_folder() -> Path:
    """Where compiled code is kept between runs."""
    return Path(platformdirs.user_cache_dir("ghaxis")) / "compiled"


def digest(*parts: str) -> str:
    """A name for compiled code: of what it was made from, the processor and the compiler."""
    made = "\0".join((*parts, cpu(), features(), llvmlite.__version__, llvm.get_process_triple()))
    return hashlib.sha256(made.encode()).hexdigest()


def load(key: str, function: str, write: Callable[[], str]) -> Loaded:
    """The function of the module with this key: from the cache, or compiled from the text that `write` gives.

    A file that is damaged or cannot be read is made anew; files appear whole or not at all, so processes may race.
    """
    where = cache_folder() / f"{key}.o"
    image = _read(where)
    if image is None:
        image = compile_text(write())
        _write(where, image)
    library = llvm.JITLibraryBuilder().add_object_img(image).export_symbol(function).link(_host()[1], f"ghaxis_{uuid.uuid4().hex}")
    return Loaded(int(library[function]), library)


def remember(key: str, measure: Callable[[], str], possible: Set[str]) -> str:
    """A choice made once on this machine: read back from the cache, or measured."""
    where = cache_folder() / f"{key}.txt"
    found = _read(where)
    if found is None or found.decode() not in possible:
        found = measure().encode()
        _write(where, found)
    return found.decode()


def compile_text(text: str) -> bytes:
    """LLVM IR as an object file of this machine."""
    machine = _host()[0]
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    return bytes(machine.emit_object(module))


def translate(text: str, triple: str, cpu: str = "", features: str = "", as_text: bool = False) -> bytes:
    """LLVM IR as an object file, or as assembly text, of another machine."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=3)
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = triple, str(machine.target_data)
    return str(machine.emit_assembly(module)).encode() if as_text else bytes(machine.emit_object(module))


def _read(where: Path) -> bytes | None:
    try:
        data = where.read_bytes()
    except OSError:
        return None
    image = data[_DIGEST:]
    with contextlib.suppress(OSError):
        os.utime(where)  # lately used
    return image if data[:_DIGEST] == hashlib.sha256(image).digest() and image else None


def _write(where: Path, image: bytes) -> None:
    """A cache that cannot be written is no mistake: the next process compiles again."""
    with contextlib.suppress(OSError):
        keeping.write(where, hashlib.sha256(image).digest() + image, KEPT)
