"""Files of `model/` and `variants/` (fragments) and of `therapies/`.

A therapy is a header (status, form, routes), its numbers, and the text of its form with the word DRUG replaced by its name.
"""

from __future__ import annotations

import re
from pathlib import Path

from ghaxis.errors import Mistake, Place, nearest
from ghaxis.reading.dialect import Draft, finish, in_order, lines, read_lines, shown
from ghaxis.reading.records import Fragment, TherapyRecord

ROUTES = ("sc", "iv", "im", "oral", "nasal", "infusion")


def read_fragment(path: Path, root: Path) -> tuple[Fragment, list[Mistake]]:
    """Read one file of `model/` or `variants/`."""
    draft = read_lines(lines(path.read_text(encoding="utf-8"), shown(path, root)))
    for key in draft.header.keys() - {"needs", "offers"}:
        draft.wrong(draft.header[key][0][0], f"'{key}:' is for therapies")
    return finish(draft, path.stem, Place(shown(path, root)))


def read_therapy(path: Path, root: Path) -> tuple[TherapyRecord, list[Mistake]]:
    """Read one file of `therapies/`, with its form from `forms/`; a mistake points at the line of whichever file it is in."""
    name, place = path.stem, Place(shown(path, root))
    draft = read_lines(lines(path.read_text(encoding="utf-8"), place.file))
    form = _one(draft, "form", place, required=False)
    if form is not None:
        _fill(draft, form, name, root)
    routes = _routes(draft)
    ports = [port for port in draft.drafts if port.startswith("port_") and port.endswith(f"_{name}")]
    fragment, mistakes = finish(draft, name, place, free=tuple(routes.values()))
    status, checked = _status(draft, place, mistakes)
    known = {d.name for d in fragment.definitions} | set(fragment.needs)
    for where, route, target in _route_lines(draft):
        if route not in ROUTES:
            mistakes.append(Mistake(where, f"unknown route '{route}'", nearest(route, ROUTES)))
        if target not in known:
            mistakes.append(
                Mistake(where, f"route {route} leads to '{target}', which is neither defined nor needed here", nearest(target, known))
            )
    if not routes:
        mistakes.append(Mistake(place, "no '// route: sc -> depot_...' line"))
    mistakes += [
        Mistake(d.place, f"{d.name}: a therapy's name for a port ends in _{name}")
        for d in fragment.definitions
        if d.name.startswith("port_") and d.name not in ports
    ]
    mistakes += [
        Mistake(d.place, f"port {d.name} is not in offers", severity="warning")
        for d in fragment.definitions
        if d.name in ports and d.name not in fragment.offers
    ]
    record = TherapyRecord(
        name,
        fragment.title,
        status,
        checked,
        form,
        routes,
        _number(draft, "iu_per_mg", mistakes),
        _number(draft, "molar_mass", mistakes),
        fragment,
        place,
    )
    return record, in_order(mistakes)


def _fill(draft: Draft, form: str, name: str, root: Path) -> None:
    """Add the form's lines to the draft, DRUG replaced."""
    place = draft.header["form"][0][0]
    file = root / "forms" / f"{form}.ant"
    if not file.is_file():
        draft.wrong(place, f"no form '{form}'", nearest(form, [f.stem for f in (root / "forms").glob("*.ant")]))
        return
    text = re.sub(r"DRUG", name, file.read_text(encoding="utf-8"))
    own = {key: list(entries) for key, entries in draft.header.items()}
    read_lines(lines(text, shown(file, root)), draft)
    ours = {need for need in draft.words("needs") if need in draft.drafts}
    for key, entries in own.items():
        if key not in ("needs", "offers"):
            draft.header[key] = entries
    if ours:
        draft.header["needs"] = [
            (where, ", ".join(w for w in re.split(r"[\s,]+", t) if w not in ours)) for where, t in draft.header["needs"]
        ]


def _one(draft: Draft, key: str, place: Place, required: bool = True) -> str | None:
    entries = draft.header.get(key, [])
    if len(entries) > 1:
        draft.wrong(entries[1][0], f"two '{key}:' lines")
    if not entries and required:
        draft.wrong(place, f"no '// {key}:' line")
    return entries[0][1] if entries else None


def _status(draft: Draft, place: Place, mistakes: list[Mistake]) -> tuple[str, str]:
    entries = draft.header.get("status", [])
    if not entries:
        mistakes.append(Mistake(place, "no '// status: ... | checked YYYY-MM' line", severity="warning"))
        return "", ""
    where, text = entries[0]
    status, _, checked = text.partition("|")
    match = re.fullmatch(r"\s*checked (\d{4}-\d{2}(?:-\d{2})?)\s*", checked)
    if not match:
        mistakes.append(Mistake(where, "status does not say when it was checked ('| checked 2026-11')", severity="warning"))
    return status.strip(), match[1] if match else ""


def _route_lines(draft: Draft) -> list[tuple[Place, str, str]]:
    found = []
    for where, text in draft.header.get("route", []):
        match = re.fullmatch(r"(\w+)\s*->\s*(\w+)", text)
        if match:
            found.append((where, match[1], match[2]))
        else:
            draft.wrong(where, f"cannot be read as a route: '{text}'; write 'sc -> depot_name'")
    return found


def _routes(draft: Draft) -> dict[str, str]:
    return {route: target for _, route, target in _route_lines(draft)}


def _number(draft: Draft, key: str, mistakes: list[Mistake]) -> float | None:
    entries = draft.header.get(key, [])
    if not entries:
        return None
    try:
        return float(entries[0][1])
    except ValueError:
        mistakes.append(Mistake(entries[0][0], f"{key} is not a number: '{entries[0][1]}'"))
        return None
