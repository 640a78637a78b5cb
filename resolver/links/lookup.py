"""Which records make up an item: a lookup that does no I/O itself.

A lookup is a generator: it yields the name of a record, is sent what that record says or
None when there is none, and returns the item. The records and their names are those of
`registry.schemes.mapping`; unlike `registry.schemes.lookup`, which stops at the finest
level, this one asks for every level, because a linkset has the links of all (R6).

A code prefix that says who handles it ends the lookup: nothing below it is looked at,
and the other resolver answers (§2.8).
"""

from collections.abc import Container, Generator
from typing import NamedTuple

from registry.schemes.mapping import (
    alias_name,
    code_prefixes,
    delegation_name,
    level_values,
    levels,
    rules_name,
)
from registry.schemes.reading import Reading
from registry.schemes.rules import Rule, match_level
from resolver.links.level import (
    Level,
    Levels,
    Record,
    level_of,
    with_default,
)


class Place(NamedTuple):
    """Where items are looked for."""

    known: Container[str]
    """Code prefixes that are known to exist."""

    is_tree: bool
    """Whether others may exist, too; a node that keeps records knows all that it has."""

    records_url: str
    """Records of identifiers are at this URL followed by the identifier."""


class Item(NamedTuple):
    """What is known of an item."""

    code_prefix: str
    levels: Levels = ()
    handled_by: str = ""
    """Root of the resolver that answers for it; then there are no levels here."""

    unreadable: tuple[str, ...] = ()
    """Values that should hold a link and do not: which, and why."""


Lookup = Generator[str, Record | None, Item | None]


def look_up(reading: Reading, place: Place) -> Lookup:
    """Find the item that a GS1 code means; None when nobody has registered it."""
    paths = levels(reading)
    for code_prefix in code_prefixes(reading, place.known):
        if code_prefix not in place.known:
            exists = place.is_tree and (yield delegation_name(code_prefix)) is not None
            if not exists:
                continue
        item = yield from _look_below(code_prefix, paths, place)
        if item is not None:
            return item
    return None


def _look_below(code_prefix: str, paths: tuple[str, ...], place: Place) -> Lookup:
    declared = (yield rules_name(code_prefix)) or Record()
    if declared.handled_by:
        return Item(code_prefix, (), declared.handled_by)
    found: list[Level] = []
    unreadable: list[str] = []
    for path in paths:
        name = alias_name(code_prefix, path)
        record = yield name
        if record is None:
            record = yield from _look_for_ruled(declared.rules, path)
        if record is not None:
            found.append(level_of(path, record, place.records_url))
            unreadable += (f"{name} {index}: {why}" for index, why in record.unreadable)
    if not found:
        return None
    return Item(code_prefix, with_default(tuple(found)), "", tuple(unreadable))


def _look_for_ruled(
    rules: tuple[Rule, ...], path: str
) -> Generator[str, Record | None, Record | None]:
    """Make the record that a declared rule stands for, if its identifier exists."""
    values = level_values(path) if rules else {}
    for rule in rules:
        identifier = match_level(rule, values)
        if identifier is not None and (yield identifier) is not None:
            return Record((identifier,))
    return None
