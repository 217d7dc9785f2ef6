"""Set-points of the text held against what the model does: "multiples of healthy" hang on the reference man, and he is computed.

The reference man is the settled `Person()` (healthy, 40 years, the build of conditions/healthy.toml).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ghaxis import units
from ghaxis.errors import Mistake, Place
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.simulation import Request, simulate_many
from ghaxis.treatment import Protocol

ALLOWED = 0.02
_DAYS, _TAPES, _EVERY = 56, 8, 0.25


@dataclass(frozen=True)
class Reference:
    """A stored set-point beside the day mean of what it refers to, both in the model's unit."""

    name: str
    of: str
    stored: float
    computed: float
    place: Place

    @property
    def off(self) -> float:
        """Relative difference of the stored value."""
        return self.stored / self.computed - 1.0


def computed(model: Model, engine: str = "auto") -> list[Reference]:
    """Every number of role `reference of X` with the mean of X over 8 weeks and 8 tapes of the settled reference man."""
    wanted = {name: d for name, d in model.with_role("reference").items() if d.role_of in model.names}
    watch = tuple(dict.fromkeys(d.role_of for d in wanted.values()))
    times = tuple(float(t) for t in np.arange(0.0, 24.0 * _DAYS + _EVERY / 2, _EVERY))
    requests = [Request(Person(), Protocol.nothing(), times, watch, noise=k) for k in range(_TAPES)]
    results = simulate_many(model, requests, engine)
    means = {name: float(np.mean([r[name].mean(0.0, times[-1]) for r in results])) for name in watch}
    found = []
    for name, d in sorted(wanted.items()):
        back = units.factor(model.shown(d.role_of), model.unit(name))
        found.append(Reference(name, d.role_of, float(d.expression), means[d.role_of] * back, d.place))
    return found


def mistakes(model: Model, engine: str = "auto") -> list[Mistake]:
    """Those off by more than 2 %."""
    return [
        Mistake(r.place, f"{r.name} = {r.stored:g}, but {r.of} of the settled reference man is {r.computed:.4g} ({100 * r.off:+.1f} %)")
        for r in computed(model, engine)
        if abs(r.off) > ALLOWED
    ]
