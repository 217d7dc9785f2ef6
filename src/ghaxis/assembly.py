"""From fragments to SBML: one flat Antimony text, one namespace, every number with a unit. The door for antimony and libsbml.

Both are loaded on first use only, because a model that was assembled before comes from the user's cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import platformdirs

from ghaxis import keeping
from ghaxis.errors import InputError, LibraryError, Mistake, Place, nearest
from ghaxis.reading.dialect import names_in, species_of
from ghaxis.reading.dimensions import Units, antimony_of
from ghaxis.reading.inference import Inferred, infer
from ghaxis.reading.records import Definition, Fragment

_FORMAT = 1  # of the cache
_KEPT = 200  # its entries
_CORE = "http://www.sbml.org/sbml/level3/version2/core"
_MATHML = "http://www.w3.org/1998/Math/MathML"
_PLACE = Place("model")


@dataclass(frozen=True)
class Flat:
    """A whole model as Antimony text. `declared` are the units of all names as ids of that text."""

    text: str
    declared: Mapping[str, str]
    units: Units
    inferred: Inferred


def flatten(fragments: Sequence[Fragment], definitions: Mapping[str, Definition], unit_texts: Mapping[str, str]) -> Flat:
    """Join fragments into one text, each rule with its unit.

    `unit_texts` are the unit ids and what they mean. `definitions` are those that hold, whatever a fragment's own text says of that name: a
    port is the sum of its therapies there, a held name an input. Unit ids keep their names; a unit that no id means gets one.
    """
    units = Units.read(unit_texts)
    species = {name: kind for f in fragments for name, kind in species_of(f).items() if definitions[name].kind == "species"}
    inferred = infer(list(definitions.values()), species, units)
    declared: dict[str, str] = {}
    made: dict[str, str] = {}
    for name, unit in inferred.units.items():
        if name not in definitions:
            continue
        known = definitions[name].unit or units.id_of(unit)
        if known is None:
            right = antimony_of(unit)
            known = made.setdefault(right, f"unit_{len(made) + 1}")
        declared[name] = known
    lines = [f"unit {name} = {text};" for name, text in units.texts.items()] + [f"unit {name} = {text};" for text, name in made.items()]
    lines += _statements(fragments, definitions, declared, species)
    return Flat("\n".join(lines) + "\n", declared, units, inferred)


def _statements(
    fragments: Sequence[Fragment],
    definitions: Mapping[str, Definition],
    declared: Mapping[str, str],
    species: Mapping[str, tuple[bool, str]],
) -> list[str]:
    lines = []
    reactions = {name: statement for f in fragments for _, statement in f.statements if (name := _reaction_name(statement))}
    for d in definitions.values():
        unit = f" {d.name} has {declared[d.name]};" if d.name in declared else ""
        if d.kind == "compartment":
            lines.append(f"compartment {d.name} = {d.expression};{unit}")
    for d in definitions.values():
        unit = f" {d.name} has {declared[d.name]};" if d.name in declared else ""
        if d.kind == "species":
            amount, place = species[d.name]
            lines.append(f"{'substanceOnly ' if amount else ''}species {d.name} in {place}; {d.name} = {d.expression};")
        elif d.kind == "constant":
            lines.append(f"{d.name} = {d.expression};{unit}")
        elif d.kind == "state":
            lines.append(f"{d.name} = {d.expression};{unit} {d.name}' = {d.rate};")
        elif d.kind == "rule":
            lines.append(f"{d.name} := {d.expression};{unit}")
        elif d.kind == "reaction":
            sides = reactions[d.name].split(":", 1)[1].split(";", 1)[0]
            lines.append(f"{d.name}: {_flowing(sides, species)}; {d.expression};")
    return lines


def _reaction_name(statement: str) -> str | None:
    match = re.match(r"(\w+)\s*:(?!=).*(?:->|=>)", statement)
    return match[1] if match else None


def _flowing(sides: str, species: Mapping[str, tuple[bool, str]]) -> str:
    """The two sides of a reaction without what is no species here (a held level gains and loses nothing)."""
    left, arrow, right = re.split(r"(->|=>)", sides)
    kept = [[t.strip() for t in side.split("+") if t.strip() and re.split(r"[\s*]+", t.strip())[-1] in species] for side in (left, right)]
    return f"{' + '.join(kept[0])} {arrow} {' + '.join(kept[1])}"


@lru_cache(maxsize=64)
def to_sbml(text: str) -> str:
    """SBML (level 3, version 2) of a flat Antimony text, literals dimensionless; from the user's cache where it was made before.

    Raises LibraryError if Antimony refuses the text.
    """
    return str(_cached("sbml", text, lambda: _translate(text)))


def _translate(text: str) -> str:
    antimony = _antimony()
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(text) < 0:
        raise LibraryError([_refusal(antimony.getLastError(), text)])
    sbml = antimony.getSBMLString(antimony.getModuleNames()[-1])
    antimony.clearPreviousLoads()
    sbml = sbml.replace(f'<sbml xmlns="{_CORE}"', f'<sbml xmlns="{_CORE}" xmlns:sbml="{_CORE}"', 1)
    sbml = re.sub(r"<!--.*?-->\n?", "", sbml, count=1, flags=re.DOTALL)
    return re.sub(r"<cn(?=[ >])", '<cn sbml:units="dimensionless"', sbml)


def _refusal(message: str, text: str) -> Mistake:
    """Antimony's complaint, with the statement it means."""
    match = re.search(r"line (\d+)", message)
    line = text.splitlines()[int(match[1]) - 1] if match else ""
    return Mistake(_PLACE, f"Antimony refuses '{line}': {message.strip()}")


def validate(sbml: str, definitions: Mapping[str, Definition] | None = None) -> list[Mistake]:
    """What libSBML's strict check says of a model (units included), at the place of the definition it speaks of; warnings are errors."""
    messages = _cached("messages", sbml, lambda: _complaints(sbml))
    return [Mistake(_place_of(message, definitions or {}), message) for message in messages]


def _complaints(sbml: str) -> list[str]:
    libsbml = _libsbml()
    document = libsbml.readSBMLFromString(sbml)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, True)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, True)
    document.checkConsistency()
    found = [document.getError(i) for i in range(document.getNumErrors())]
    return [" ".join(f"{e.getShortMessage()}: {e.getMessage()}".split()) for e in found]


def _place_of(message: str, definitions: Mapping[str, Definition]) -> Place:
    """Where the text is that a message means: by the name in it, else by the names that its formula reads."""
    for name in re.findall(r"['\"<](\w+)['\">]", message):
        if name in definitions:
            return definitions[name].place
    if formula := re.search(r"formula '([^']*)'", message):
        bare, read = _bare(formula[1]), set(names_in(formula[1]))
        laws = [(d, law) for d in definitions.values() for law in (d.expression, d.rate) if law]
        whole = [d for d, law in laws if bare in _bare(law)] or [d for d, law in laws if read <= set(names_in(law))]
        if whole:
            return whole[0].place
    return _PLACE


def _bare(expression: str) -> str:
    """An expression without what Antimony and libSBML write in different ways."""
    return re.sub(r"[\s()]|pow", "", expression).replace(",", "^")


def freeze_states(sbml: str, names: Sequence[str]) -> str:
    """The same model in which states stand still: each named state becomes a settable constant, and `rate_of_X` is what its rate would be.

    Raises InputError for a name that has no rate rule.
    """
    return _frozen(sbml, tuple(names))


@lru_cache(maxsize=64)
def _frozen(sbml: str, names: tuple[str, ...]) -> str:
    for prefix, uri in (("", _CORE), ("sbml", _CORE)):
        ElementTree.register_namespace(prefix, uri)
    root = ElementTree.fromstring(sbml)
    model = root.find(_tag("model"))
    assert model is not None
    parameters, rules = (_child(model, name) for name in ("listOfParameters", "listOfRules"))
    by_name = {p.get("id"): p for p in parameters}
    rates = {r.get("variable"): r for r in rules if r.tag == _tag("rateRule")}
    for name in names:
        if name not in rates:
            raise InputError(
                f"'{name}' is no state with a rate"
                + (f"; did you mean '{hint}'?" if (hint := nearest(name, [r for r in rates if r])) else "")
            )
        by_name[name].set("constant", "true")
        rule = rates[name]
        rule.tag = _tag("assignmentRule")
        rule.set("variable", f"rate_of_{name}")
        unit = _rate_unit(model, by_name[name].get("units"))
        attributes = {"id": f"rate_of_{name}", "constant": "false"} | ({"units": unit} if unit else {})
        ElementTree.SubElement(parameters, _tag("parameter"), attributes)
    return _written(root)


def _tag(name: str) -> str:
    return f"{{{_CORE}}}{name}"


def _child(model: ElementTree.Element, name: str) -> ElementTree.Element:
    found = model.find(_tag(name))
    assert found is not None, name
    return found


def _rate_unit(model: ElementTree.Element, unit: str | None) -> str | None:
    """The id of `unit` per unit of time, defined where it is not."""
    time = model.get("timeUnits")
    if unit is None or time is None:
        return None
    home = _child(model, "listOfUnitDefinitions")
    known = {d.get("id"): d for d in home}
    name = f"{unit}_per_{time}"
    if name not in known:
        definition = ElementTree.SubElement(home, _tag("unitDefinition"), {"id": name})
        parts = ElementTree.SubElement(definition, _tag("listOfUnits"))
        for source, sign in ((unit, 1), (time, -1)):
            listed = (
                [dict(u.attrib) for u in known[source].iter(_tag("unit"))]
                if source in known
                else [{"kind": source, "exponent": "1", "scale": "0", "multiplier": "1"}]
            )
            for attributes in listed:
                ElementTree.SubElement(parts, _tag("unit"), attributes | {"exponent": f"{sign * float(attributes['exponent']):g}"})
    return name


def _written(root: ElementTree.Element) -> str:
    """The tree as text. One prefix stands for SBML's attributes in MathML, none for its elements, as libSBML writes it."""
    text = ElementTree.tostring(root, encoding="unicode")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + text


def _cached(kind: str, text: str, make: Any) -> Any:
    """What `make` returns, kept on disk by the hash of the text and of the versions that made it; a damaged entry is made anew."""
    versions = [str(_FORMAT), *(importlib.metadata.version(name) for name in ("antimony", "python-libsbml"))]
    key = hashlib.sha256("\0".join([*versions, text]).encode()).hexdigest()
    where = Path(platformdirs.user_cache_dir("ghaxis")) / "assembly" / f"{key}.{kind}.json"
    try:
        entry = json.loads(where.read_text(encoding="utf-8"))
        if entry["sum"] == _sum(entry["value"]):
            return entry["value"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    value = make()
    _store(where, json.dumps({"sum": _sum(value), "value": value}))
    return value


def _sum(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _store(where: Path, text: str) -> None:
    """Whole or not at all, the oldest entries making room; a cache that cannot be written is no failure."""
    with contextlib.suppress(OSError):
        keeping.write(where, text.encode(), _KEPT)


def _antimony() -> Any:
    return importlib.import_module("antimony")


def _libsbml() -> Any:
    return importlib.import_module("libsbml")
