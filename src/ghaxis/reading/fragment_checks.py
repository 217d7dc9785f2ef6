"""Checks between fragments that need no assembled model: who needs and offers what, ports, units, roles that name another quantity."""

from __future__ import annotations

from collections.abc import Iterator

from ghaxis import units
from ghaxis.errors import InputError, Mistake, UnitError, nearest
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
        owner = book.definitions.get(name)
        if name not in offered and owner is None:
            place = book.line_with(part.place, "// needs:", name)
            yield Mistake(place, f"need '{name}' is offered by no file", nearest(name, offered))
        elif name not in offered and owner is not None and owner.role != "input":
            what = f"'{name}' is needed by {part.name} but is not in the offers of {owner.fragment}"
            yield Mistake(owner.place, what, severity="warning")


def _variant(variant: Fragment, book: Book) -> Iterator[Mistake]:
    """A variant stands in for the fragment with which it shares most offers: it offers the same names in the same units."""
    fragments = book.library.fragments.values()
    original = max(fragments, key=lambda f: len(set(f.offers) & set(variant.offers)), default=None)
    if original is None or not set(original.offers) & set(variant.offers):
        yield Mistake(variant.place, f"variant {variant.name} offers nothing that a part of the model offers")
        return
    for offer in sorted(set(original.offers) ^ set(variant.offers)):
        side = "does not offer" if offer in original.offers else f"offers what {original.name} does not:"
        yield Mistake(variant.place, f"variant {variant.name} {side} '{offer}'")
    inside, mistakes = book.units_with(variant, original)
    yield from (m for m in mistakes if m.place.file == variant.place.file)
    for offer in sorted(set(original.offers) & set(variant.offers)):
        if offer in inside and offer in book.units and not units.same(own := inside[offer], book.units[offer]):
            definition = variant.definition(offer)
            what = f"variant {variant.name} offers {offer} in {own}; {original.name} in {book.units[offer]}"
            yield Mistake(definition.place if definition else variant.place, what)


def _ports(book: Book) -> Iterator[Mistake]:
    ports = book.with_role("port")
    for name, therapy in book.library.therapies.items():
        for definition in therapy.fragment.definitions:
            if not definition.name.startswith("port_"):
                continue
            port = definition.name.removesuffix(f"_{name}")
            if port not in ports:
                yield Mistake(definition.place, f"no part of the model has the port '{port}'", nearest(port, ports))
            elif definition.name in book.units and not units.same(book.units[definition.name], book.units[port]):
                what = f"{definition.name} is in {book.units[definition.name]}, but the port {port} is in {book.units[port]}"
                yield Mistake(definition.place, what)


def _roles(book: Book) -> Iterator[Mistake]:
    balanced: dict[str, str] = {}
    slow = book.with_role("slow")
    for definition in (d for part in book.parts for d in part.definitions):
        yield from _spread(definition, book)
        name, of = definition.name, definition.role_of
        if definition.role == "reference" and of not in book.definitions:
            what = f"{name} is the reference of '{of}', which the model does not have"
            yield Mistake(definition.place, what, nearest(of, book.definitions))
        elif definition.role == "reference" and definition.unit is not None:
            yield from wrong_dimension(book, definition.unit, of, definition.place)
        elif definition.role == "balances":
            if of not in slow:
                yield Mistake(definition.place, f"{name} balances '{of}', which is no slow state", nearest(of, slow))
            elif of in balanced:
                yield Mistake(definition.place, f"{of} is balanced by {name} and by {balanced[of]}")
            balanced[of] = name


def _spread(definition: Definition, book: Book) -> Iterator[Mistake]:
    """An sd must be in the unit of the number it belongs to."""
    kind, _, rest = definition.spread.strip().partition(" ")
    if kind != "sd" or definition.name not in book.units:
        return
    try:
        amount, unit = units.split(rest)
        units.convert(amount, units.readable(unit, book.library.units) or "dimensionless", book.units[definition.name])
    except (InputError, UnitError):
        shown = book.units[definition.name]
        yield Mistake(definition.place, f"the spread of {definition.name}, '{rest}', is not in its dimension", f"sd X {shown}")
