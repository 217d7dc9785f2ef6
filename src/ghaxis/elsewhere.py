"""The model for browsers and NVIDIA processors: a folder with the compiled integration, its description, a person to start with, a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from ghaxis import keeping, units
from ghaxis.engine.kernel import PROCESSORS, Kernel, lane
from ghaxis.model import Model
from ghaxis.simulation import Request, prepare

_BROWSER = Path(__file__).parent / "browser"


def write_kernel(model: Model, request: Request, folder: str | Path) -> list[Path]:
    """Write into a folder (made if need be): kernel.wasm, kernel.sm_80.ptx, kernel.sm_90.ptx, kernel.json, the loader and its page, and
    person.json: the request, with everything that happens in it.

    The kernel has the therapies of the model and of the request, and watches what the request watches; other names cannot be read from it.
    """
    equipped, batch, zero = prepare(model, request)
    kernel = Kernel.of(equipped.sbml, request.watch)
    shown = {name: equipped.shown(name) for name in request.watch}
    about = {
        "ghaxis": version("ghaxis"),
        "model": equipped.hash,
        **kernel.description(),
        "units": {name: equipped.unit(name) for name in (*kernel.layout.system.states, *kernel.layout.system.parameters, *request.watch)},
        "shown": {n: {"unit": unit, "factor": units.factor(equipped.unit(n), unit)} for n, unit in shown.items()},
        "meanings": {name: d.meaning for name, d in equipped.definitions.items() if d.meaning},
        "framing": "research and education software; not a medical device",
    }
    person = {"person": str(request.person), "protocol": str(request.protocol), "begin": zero, **lane(batch)}
    files: Mapping[str, bytes] = {
        "kernel.wasm": kernel.wasm(),
        **{f"kernel.{processor}.ptx": kernel.ptx(processor).encode() for processor in PROCESSORS},
        "kernel.json": json.dumps(about, indent=1, allow_nan=False).encode(),
        "person.json": json.dumps(person, indent=1, allow_nan=False).encode(),
        **{path.name: path.read_bytes() for path in sorted(_BROWSER.iterdir())},
    }
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        keeping.write(Path(folder) / name, data)
    return [Path(folder) / name for name in files]
