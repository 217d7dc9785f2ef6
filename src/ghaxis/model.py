"""Model: fragments assembled into one set of equations, any part of which can be held, explained, checked and exported."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ghaxis import keeping, units
from ghaxis.assembly import Flat, flatten, to_sbml, validate
from ghaxis.errors import InputError, LibraryError, Mistake, Place, nearest
from ghaxis.explanation import Explanation, explain
from ghaxis.joining import Hold, Joined, Level, chosen, join, replaces
from ghaxis.reading import read_library
from ghaxis.reading.dimensions import antimony_of
from ghaxis.reading.records import Definition, Fragment, Library
from ghaxis.reading.sources import citations
from ghaxis.reading.values import initial_values


@dataclass(frozen=True, eq=False)
class Model:
    """Fragments in use and what is held. Two models are equal when their mathematics (SBML) and their holds are.

    `parts` are the fragments in use (None: all of the library); `held` says of each input that stands for a held name whether it is set
    from outside ("path"), follows the healthy self ("healthy"), or which number it has.
    """

    library: Library = field(repr=False)
    parts: tuple[str, ...] | None = None
    therapies: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()

    @classmethod
    def load(
        cls,
        library: Library | None = None,
        parts: Sequence[str] | None = None,
        therapies: Sequence[str] = (),
        variants: Sequence[str] = (),
        hold: Mapping[str, Any] | None = None,
    ) -> Model:
        """Assemble a model: the whole packaged library, or parts of one.

        What the parts need and none offers must be held (see `hold`), unless it is a constant of the library. Raises LibraryError with all
        mistakes that put the equations in doubt, InputError for unknown names and for needs that are neither offered nor held.
        """
        library = library or read_library()
        model = cls(
            library, None if parts is None else tuple(dict.fromkeys(parts)), tuple(sorted(set(therapies))), tuple(sorted(set(variants)))
        )
        model = model._holding(hold or {})
        model._demand()
        return model

    def hold(self, what: Mapping[str, Any]) -> Model:
        """The model in which names are held.

        {"IGF1_free": way} holds a name for all its users: it becomes an input of that name and has no equation any more.
        {"socs": {"TNF": way}} holds what one part sees: the input `socs__TNF`. A way is "healthy" (the course of the person's healthy
        self), "path" (set from outside, at first its level at the start), or a number with its unit.
        """
        model = self._holding(what)
        model._demand()
        return model

    def released(self) -> Model:
        """The whole model with nothing held, same therapies and variants."""
        return self._whole if self.holds or self.parts is not None else self

    @cached_property
    def _whole(self) -> Model:
        return Model(self.library, None, self.therapies, self.variants)

    def with_therapies(self, names: Sequence[str]) -> Model:
        """The model with exactly these therapies."""
        wanted = tuple(sorted(set(names)))
        if wanted == self.therapies:
            return self
        if wanted not in self._equipped:
            model = replace(self, therapies=wanted)
            model._demand()
            self._equipped[wanted] = model
        return self._equipped[wanted]

    @cached_property
    def _equipped(self) -> dict[tuple[str, ...], Model]:
        """The same model with other therapies, each made once."""
        return {}

    # --- what it is made of

    @cached_property
    def sbml(self) -> str:
        """The model as SBML level 3 version 2."""
        return to_sbml(self._flat.text)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the SBML."""
        return hashlib.sha256(self.sbml.encode()).hexdigest()

    @cached_property
    def fragments(self) -> Mapping[str, Fragment]:
        """Fragments in use by name, therapies included."""
        return MappingProxyType({f.name: f for f in self._joined.fragments})

    @cached_property
    def definitions(self) -> Mapping[str, Definition]:
        """Every name of the model."""
        return MappingProxyType(dict(self._joined.definitions))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names."""
        return tuple(self.definitions)

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Names whose level has a rate: states and species."""
        return tuple(d.name for d in self.definitions.values() if d.kind in ("state", "species"))

    @cached_property
    def slow(self) -> Mapping[str, str | None]:
        """Slow states, each with the cause that balances it (None where there is none)."""
        balancing = {d.role_of: d.name for d in self.with_role("balances").values()}
        return MappingProxyType({name: balancing.get(name) for name in self.with_role("slow")})

    @cached_property
    def held(self) -> Mapping[str, str | float]:
        """Inputs that stand for held names: "healthy", "path", or their number in the unit of the name."""
        return MappingProxyType({h.inner: h.way for h in self.holds})

    def with_role(self, role: str) -> dict[str, Definition]:
        """Definitions with a role ("cause", "slow", "descriptor", "input", "port", "balances", "reference")."""
        return {d.name: d for d in self.definitions.values() if d.role == role}

    # --- what is known of one name

    def unit(self, name: str) -> str:
        """The unit in which the model counts a name ("ng/L"); "dimensionless" where it has none."""
        self._known(name)
        unit = self._flat.inferred.units.get(name)
        return "dimensionless" if unit is None else self._flat.units.text(unit)

    def shown(self, name: str) -> str:
        """The unit in which the field reports a name: that of a measure of it where there is one."""
        own = self.unit(name)
        return next((unit for unit in self._reported.get(name, ()) if units.same(unit, own)), own)

    @cached_property
    def _reported(self) -> dict[str, list[str]]:
        """Units of the measures of each name."""
        found: dict[str, list[str]] = {}
        for measure in self.library.measures.values():
            found.setdefault(measure.of, []).append(measure.unit)
        return found

    def explain(self, name: str) -> Explanation:
        """All that is known of a name; `str()` of it is text to read. Raises InputError with the nearest name for an unknown one."""
        d = self._known(name)
        home = self.fragments.get(d.fragment) or self.library.fragments.get(d.fragment)
        return explain(
            d, self.unit(name), self._values[name], home.title if home else "", self.definitions.values(), self._joined.fragments
        )

    def sources(self) -> tuple[str, ...]:
        """Citations of every study that the model's numbers and equations name."""
        return citations(self.library, [d.source for d in self.definitions.values()])

    # --- the whole

    def check(self) -> list[Mistake]:
        """Everything wrong with the assembled model, libSBML's strict check included."""
        return check_model(self)

    def wiring(self) -> list[tuple[str, str, str]]:
        """Who reads what of whom: (from fragment, to fragment, name)."""
        owner = {d.name: d.fragment for d in self.definitions.values()}
        return sorted((owner[need], f.name, need) for f in self._joined.fragments for need in f.needs if need in owner)

    def export(self, path: str | Path) -> None:
        """Write the model, whole or not at all: SBML (`.xml`, `.sbml`) or Antimony (`.ant`, `.txt`)."""
        target = Path(path)
        if target.suffix in (".xml", ".sbml"):
            text = self.sbml
        elif target.suffix in (".ant", ".txt"):
            text = self._flat.text
        else:
            raise InputError(f"cannot export to '{target.name}': the ending must be .xml, .sbml, .ant or .txt")
        if not target.resolve().parent.is_dir():
            raise InputError(f"cannot write '{path}': there is no folder '{target.parent}'")
        keeping.write(target.resolve(), text.encode())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.holds == other.holds and self.hash == other.hash

    def __hash__(self) -> int:
        return hash((self.hash, self.holds))

    def __getstate__(self) -> dict[str, object]:
        """Only what it is made of: what was worked out from it is worked out again."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    # --- inside

    @cached_property
    def _joined(self) -> Joined:
        fragments = chosen(self.library, self.parts, self.variants, self.therapies)
        return join(self.library, fragments, self.holds, self._levels)

    @cached_property
    def _flat(self) -> Flat:
        texts = {unit: text for f in self.library.fragments.values() for unit, text in f.units.items()}
        texts |= {unit: text for f in self._joined.fragments for unit, text in f.units.items()}
        return flatten(self._joined.fragments, self.definitions, texts | self._held_units)

    @cached_property
    def _values(self) -> Mapping[str, float]:
        return initial_values(self.definitions)

    @cached_property
    def _held_units(self) -> dict[str, str]:
        """Unit ids for held names whose own unit has none."""
        if not self.holds:
            return {}
        flat = self.released()._flat
        found = {h.name: flat.inferred.units.get(h.name) for h in self.holds}
        return {f"unit_of_{name}": antimony_of(unit) for name, unit in found.items() if unit is not None and flat.units.id_of(unit) is None}

    @cached_property
    def _levels(self) -> dict[str, Level]:
        """What each held name becomes, from the whole model."""
        if not self.holds:
            return {}
        whole = self.released()
        flat, levels = whole._flat, {}
        for h in self.holds:
            unit = flat.inferred.units.get(h.name)
            name = None if unit is None else flat.units.id_of(unit) or f"unit_of_{h.name}"
            levels[h.inner] = Level(name, h.way if isinstance(h.way, float) else whole._values.get(h.name, 0.0))
        return levels

    def _known(self, name: str) -> Definition:
        if name not in self.definitions:
            hint = nearest(name, self.names)
            raise InputError(f"the model has no quantity '{name}'" + (f"; did you mean '{hint}'?" if hint else ""))
        return self.definitions[name]

    def _holding(self, what: Mapping[str, Any]) -> Model:
        holds = {h.inner: h for h in self.holds}
        for key, way in what.items():
            for hold in self._read_hold(key, way):
                holds[hold.inner] = hold
        return replace(self, holds=tuple(holds[inner] for inner in sorted(holds))) if what else self

    def _read_hold(self, key: str, way: Any) -> list[Hold]:
        whole = self.released()
        if not isinstance(way, Mapping):
            return [Hold(key, "", _way(way, key, whole))]
        fragments = {f.name: f for f in chosen(self.library, self.parts, self.variants, self.therapies)}
        if key not in fragments:
            hint = nearest(key, fragments)
            raise InputError(f"hold: no part '{key}' in this model" + (f"; did you mean '{hint}'?" if hint else ""))
        found = []
        for name, inner in way.items():
            if name not in fragments[key].needs:
                hint = nearest(name, fragments[key].needs)
                raise InputError(
                    f"hold: {key} does not need '{name}'"
                    + (f"; did you mean '{hint}'?" if hint else f"; it needs {', '.join(fragments[key].needs)}")
                )
            found.append(Hold(name, key, _way(inner, name, whole)))
        return found

    def _demand(self) -> None:
        """Raise where the equations are in doubt or incomplete."""
        joined = self._joined
        files = {f.place.file for f in joined.fragments} | {d.place.file for f in joined.fragments for d in f.definitions}
        wrong = [m for m in self.library.mistakes if m.severity == "error" and m.place.file in files]
        if wrong or joined.twice:
            raise LibraryError([*wrong, *joined.twice])
        if joined.missing and self.parts is None:
            raise LibraryError(missing_needs(self))
        if joined.missing:
            owners = {d.name: f.name for f in self.library.fragments.values() for d in f.definitions}
            lines = [f"{name} (for {', '.join(users)}; of {owners.get(name, 'no part')})" for name, users in joined.missing.items()]
            raise InputError("these parts need what none of them offers; hold it or add the part: " + "; ".join(lines))


def _way(way: Any, name: str, whole: Model) -> Any:
    if way in ("healthy", "path"):
        whole._known(name)
        return way
    return units.number(way, whole.unit(name), f"hold: {name}")


def missing_needs(model: Model) -> list[Mistake]:
    """A mistake for every need that no fragment offers."""
    offers = [offer for f in model.library.fragments.values() for offer in f.offers]
    known = model.fragments
    return [
        Mistake(known[user].place if user in known else Place("model"), f"need '{name}' is offered by no file", nearest(name, offers))
        for name, users in model._joined.missing.items()
        for user in users
    ]


def check_model(model: Model) -> list[Mistake]:
    """Cross-fragment checks, then units: in our own words where we can, else in libSBML's."""
    found = [*missing_needs(model), *model._joined.twice, *_offers(model), *_ports(model), *_balances(model), *_variants(model)]
    if model._flat.inferred.mistakes or model._joined.missing:
        return found + list(model._flat.inferred.mistakes)
    return found + validate(model.sbml, model.definitions)


def _offers(model: Model) -> list[Mistake]:
    """Offers that no other file reads and that are no read-out (meaning given, or read by a measure)."""
    library, found = model.library, []
    read = {need for f in (*library.fragments.values(), *(t.fragment for t in library.therapies.values())) for need in f.needs}
    read |= {m.of for m in library.measures.values()}
    for f in model.fragments.values():
        for offer in f.offers:
            d = f.definition(offer)
            if d is not None and offer not in read and not d.meaning and not d.role:
                found.append(
                    Mistake(d.place, f"offer '{offer}' is read by no file and by no measure, and has no meaning", severity="warning")
                )
        for need in f.needs:
            owner = model.definitions.get(need)
            home = library.fragments.get(owner.fragment) if owner else None
            if home is not None and need not in home.offers and owner is not None and owner.role != "input":
                found.append(
                    Mistake(owner.place, f"'{need}' is needed by {f.name} but is not in the offers of {home.name}", severity="warning")
                )
    return found


def _ports(model: Model) -> list[Mistake]:
    owned = {d.name for f in model.library.fragments.values() for d in f.definitions if d.role == "port"}
    found = []
    for name in model.therapies:
        for d in model.library.therapies[name].fragment.definitions:
            port = d.name.removesuffix(f"_{name}")
            if d.name.startswith("port_") and port not in owned:
                found.append(Mistake(d.place, f"no part of the model has the port '{port}'", nearest(port, owned)))
    return found


def _balances(model: Model) -> list[Mistake]:
    slow, found = model.with_role("slow"), []
    balanced: dict[str, str] = {}
    for d in model.with_role("balances").values():
        if d.role_of not in slow:
            found.append(Mistake(d.place, f"{d.name} balances '{d.role_of}', which is no slow state", nearest(d.role_of, slow)))
        elif d.role_of in balanced:
            found.append(Mistake(d.place, f"{d.role_of} is balanced by {d.name} and by {balanced[d.role_of]}"))
        balanced[d.role_of] = d.name
    for d in model.with_role("reference").values():
        if d.role_of not in model.definitions and model.parts is None:
            found.append(
                Mistake(
                    d.place, f"{d.name} is the reference of '{d.role_of}', which the model does not have", nearest(d.role_of, model.names)
                )
            )
    return found


def _variants(model: Model) -> list[Mistake]:
    """A variant must offer the names of what it replaces, in the same units."""
    found = []
    whole = model.released()
    for name in model.variants:
        variant = model.library.variants[name]
        original = model.library.fragments[replaces(model.library, variant)]
        for offer in sorted(set(original.offers) ^ set(variant.offers)):
            side = "does not offer" if offer in original.offers else f"offers what {original.name} does not:"
            found.append(Mistake(variant.place, f"variant {name} {side} '{offer}'"))
        before = Model(model.library, None, model.therapies)
        for offer in sorted(set(original.offers) & set(variant.offers)):
            if offer in whole.definitions and not units.same(before.unit(offer), whole.unit(offer)):
                d = variant.definition(offer)
                place = d.place if d else variant.place
                found.append(
                    Mistake(place, f"variant {name} offers {offer} in {whole.unit(offer)}; {original.name} in {before.unit(offer)}")
                )
    return found
