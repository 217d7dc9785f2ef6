"""AMICI: SBML to C++, compiled, CVODES with KLU. Restarted at breakpoints; charged only with its own clock, not with Python's."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import WATCHED
from benchmarks.emitted import Emitted
from benchmarks.peers import FINE, Ran, spans
from ghaxis.engine import Batch

HOME = Path("out/bench/amici")


class Amici:
    """`seconds` are AMICI's own processor time within the solver, added up over the spans.

    `also` holds those of its library as a whole (setting up and reporting included) and of the loop around it.
    """

    name = "AMICI"
    tolerances: tuple[float, ...] = FINE

    def __init__(self, sbml: str, batch: Batch):
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # swig as installed beside it
        import amici
        import amici.sim.sundials as sundials

        self.run_simulation = sundials.run_simulation
        folder = HOME / hashlib.sha256((amici.__version__ + sbml).encode()).hexdigest()[:12]
        begun = time.perf_counter()
        if not (folder / "built").exists():
            importer = amici.SbmlImporter(sbml, from_file=False)
            importer.sbml2amici(model_name="bench", output_dir=str(folder.resolve()), generate_sensitivity_code=False)
            (folder / "built").write_text(f"{time.perf_counter() - begun:.1f}")
        self.built = float((folder / "built").read_text())
        self.model: Any = amici.import_model_module("bench", str(folder.resolve())).get_model()
        self.solver: Any = self.model.create_solver()
        self.solver.set_max_steps(10_000_000)
        self.states, self.parameters = list(self.model.get_state_ids()), list(self.model.get_free_parameter_ids())
        self.emitted = Emitted(sbml, batch)
        self.also = {"library_seconds": 0.0, "all_seconds": 0.0}

    def run(self, batch: Batch, relative: float) -> Ran:
        """One simulation for each span between breakpoints."""
        model, solver, emitted, system = self.model, self.solver, self.emitted, self.emitted.layout.system
        y, acts = emitted.open(batch)
        ours = [system.state_index[name] for name in self.states]
        given = [system.parameter_index.get(name) for name in self.parameters]
        own = np.array(model.get_free_parameters())
        solver.set_relative_tolerance(relative)
        solver.set_absolute_tolerance(relative / 1000)
        values, seconds, library, steps = np.full((len(batch.times), len(WATCHED)), np.nan), 0.0, 0.0, 0
        begun = time.process_time()
        for now, stop, due in spans(batch):
            emitted.act(acts, now, y)
            p = emitted.arrays["p"]
            model.set_free_parameters([float(o if k is None else p[k]) for o, k in zip(own, given, strict=True)])
            model.set_t0(now)
            model.set_initial_state(y[ours].tolist())
            inner = batch.times[due]
            asked = np.concatenate([inner[inner < stop], [stop]])
            model.set_timepoints(asked.tolist())
            told = self.run_simulation(model, solver)
            if told.status != 0:
                raise ArithmeticError(f"AMICI gave up between {now} and {stop} h")
            seconds += told.cpu_time / 1000
            library += told.cpu_time_total / 1000
            steps += int(np.asarray(told.numsteps)[-1])
            found = np.asarray(told.x)
            for row, k in enumerate(due):
                y[ours] = found[row]
                values[k] = emitted.watch(asked[row], y)
            y[ours] = found[-1]
        self.also = {"library_seconds": library, "all_seconds": time.process_time() - begun}
        return Ran(values, seconds, steps)
