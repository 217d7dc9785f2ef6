"""Checks between fragments that need no assembled model: who needs and offers what, ports, units, roles that name another quantity."""

from __future__ import annotations

from collections.abc import Iterator

from ghaxis import units
from ghaxis.errors import InputError, Mistake, Place, UnitError, nearest
from ghaxis.reading.book import Book, wrong_dimension
from ghaxis.reading.records import Definition, Fragment


def fragment_mistakes(book: Book) -> Iterator[Mistake]:
    """Everything in a fragment, variant or therapy that does not fit the others."""
    yield from book.unit_mistakes
    yield from _twice(book)
    for part in (*book.parts, *book.library.variants.values()):
        yield from _needs(part, book)
    for variant in book.library.variants.values():
        yield from _variant(variant, book)
    yield from _ports(book)
    yield from _roles(book)


def _header(part: Fragment, key: str, book: Book, word: str) -> Place:
    """The line of `// needs:` or `// offers:` that names the word."""
    return book.line_with(part.place, f"// {key}:", word)


def _twice(book: Book) -> Iterator[Mistake]:
    first: dict[str, Definition] = {}
    for part in book.parts:
        for definition in part.definitions:
            earlier = first.setdefault(definition.name, definition)
            if earlier.fragment != definition.fragment:
                yield Mistake(definition.place, f"{definition.name} is defined twice, here and at {earlier.place}")


def _needs(part: Fragment, book: Book) -> Iterator[Mistake]:
    offered = {name for other in book.parts for name in other.offers}
    for name in part.needs:
        if name in offered:
            continue
        place = _header(part, "needs", book, name)
        if name in book.definitions:
            found = book.definitions[name]
            yield Mistake(place, f"'{name}' is needed here, but {found.fragment} ({found.place}) does not offer it")
        else:
            yield Mistake(place, f"nothing offers '{name}', which is needed here", nearest(name, offered))


def _variant(variant: Fragment, book: Book) -> Iterator[Mistake]:
    """A variant stands in for the fragment with which it shares most offers: it offers at least the same names, in the same units."""
    fragments = book.library.fragments.values()
    original = max(fragments, key=lambda f: len(set(f.offers) & set(variant.offers)), default=None)
    if original is None or not set(original.offers) & set(variant.offers):
        yield Mistake(
            variant.place,
            "a variant must offer the names of a fragment; this one shares none",
            nearest(variant.name, book.library.fragments),
        )
        return
    elsewhere = {name for f in fragments for name in f.needs} & set(original.offers)
    for name in sorted(elsewhere - set(variant.offers)):
        yield Mistake(_header(variant, "offers", book, ""), f"'{name}', which {original.name} offers and others need, is not offered here")
    for definition in variant.definitions:
        if definition.name in original.offers and definition.unit and definition.name in book.definitions:
            yield from wrong_dimension(book, definition.unit, definition.name, definition.place)


def _ports(book: Book) -> Iterator[Mistake]:
    ports = book.with_role("port")
    for name, therapy in book.library.therapies.items():
        for definition in therapy.fragment.definitions:
            if not (definition.name.startswith("port_") and definition.name.endswith(f"_{name}")):
                continue
            port = definition.name.removesuffix(f"_{name}")
            if port not in ports:
                yield Mistake(definition.place, f"no fragment has a port '{port}'", nearest(port, ports))
            elif definition.name in book.units and not units.same(book.units[definition.name], book.units[port]):
                what = f"{definition.name} is in {book.shown(definition.name)}, but the port {port} is in {book.shown(port)}"
                yield Mistake(definition.place, what, book.shown(port))


def _roles(book: Book) -> Iterator[Mistake]:
    balanced: dict[str, Definition] = {}
    slow = set(book.with_role("slow"))
    for definition in (d for part in book.parts for d in part.definitions):
        yield from _spread(definition, book)
        if definition.role not in ("reference", "balances"):
            continue
        words = "reference of" if definition.role == "reference" else "balances"
        of = definition.role_of
        if not of:
            yield Mistake(definition.place, f"the role '{words}' of {definition.name} names nothing; write '{words} NAME'")
        elif of not in book.definitions:
            yield Mistake(definition.place, f"'{words} {of}': unknown name '{of}'", nearest(of, book.definitions))
        elif definition.role == "reference":
            if definition.unit is not None:
                yield from wrong_dimension(book, definition.unit, of, definition.place)
        else:
            first = balanced.setdefault(of, definition)
            if first.name != definition.name:
                yield Mistake(definition.place, f"{of} is already balanced by {first.name} ({first.place})")
            if of not in slow:
                yield Mistake(definition.place, f"{of} is balanced but has not the role 'slow'", nearest(of, slow))


def _spread(definition: Definition, book: Book) -> Iterator[Mistake]:
    """An sd must be in the unit of the number it belongs to."""
    kind, _, rest = definition.spread.strip().partition(" ")
    if kind != "sd" or definition.name not in book.units:
        return
    try:
        amount, unit = units.split(rest)
        units.convert(amount, units.readable(unit, book.library.units) or "dimensionless", book.units[definition.name])
    except (InputError, UnitError):
        shown = book.shown(definition.name)
        yield Mistake(definition.place, f"the spread of {definition.name}, '{rest}', is not in its dimension", f"sd X {shown}")
