"""Levels of an item: what the record of each says, from the finest to the primary key.

`/01/GTIN/10/LOT/21/SERIAL` is one item of a lot of a class, and each of them may have a
record with links of its own (GS1-Conformant Resolver Standard 1.2 §2.5.9). The finest
level that can answer a request does.

A level that has an identifier but no links gets one to the identifier's own record
(emulator convention): a code that somebody registered always leads somewhere.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote

from registry.errors import RegistryError
from registry.model.octets import Cursor
from registry.model.value import Value, read_values
from registry.schemes.mapping import ALIAS_TYPE, DESCRIPTION_TYPE, LINK_TYPE
from registry.schemes.rules import Rule, rules_in
from resolver.links.link import HANDLED_BY, MASTER_DATA, Link, read_link

MAX_DESCRIPTION_CHARACTERS = 500

_KEPT_ENTRIES = 2048
_KEPT_OCTETS = 16 << 10
"""Records up to this size are read once and remembered, keyed by their octets."""


class Unreadable(NamedTuple):
    """A value that should hold a link and does not."""

    index: int  # type: ignore[assignment]  # hides tuple.index, unused here
    reason: str


class Record(NamedTuple):
    """What a record says about links."""

    identifiers: tuple[str, ...] = ()
    """What its HS_ALIAS values name; several are an ambiguity, and all are given."""

    links: tuple[Link, ...] = ()
    """By index; without those to another resolver."""

    description: str = ""
    rules: tuple[Rule, ...] = ()
    handled_by: str = ""
    """Root of the resolver to which everything of this code prefix goes."""

    unreadable: tuple[Unreadable, ...] = ()


class Level(NamedTuple):
    """One level of an item."""

    path: str
    """Of its Digital Link URI, without the leading slash."""

    identifiers: tuple[str, ...]
    links: tuple[Link, ...]
    description: str

    @property
    def default(self) -> Link | None:
        """The default link, if the level has one of its own: the first of them."""
        return next((link for link in self.links if link.default), None)


Levels = tuple[Level, ...]
"""Of one item, the finest first; those that have no record are left out."""


def read_record(body: bytes) -> Record:
    """Read the answer to a resolution: the handle, then its values.

    Raises:
        MalformedError: The octets do not follow their layout.
    """
    return _read_kept(body) if len(body) <= _KEPT_OCTETS else _read(body)


def record_of(values: Sequence[Value]) -> Record:
    """Read the values of a record."""
    links: list[Link] = []
    unreadable: list[Unreadable] = []
    handled_by = ""
    for value in sorted(values, key=lambda one: one.index):
        if value.type.upper() != LINK_TYPE:
            continue
        try:
            link = read_link(value.data)
        except RegistryError as error:
            unreadable.append(Unreadable(value.index, str(error)))
            continue
        if link.type == HANDLED_BY:
            handled_by = handled_by or link.href
        else:
            links.append(link)
    return Record(
        tuple(_texts(values, ALIAS_TYPE)),
        tuple(links),
        next(_texts(values, DESCRIPTION_TYPE), "")[:MAX_DESCRIPTION_CHARACTERS],
        rules_in(values),
        handled_by,
        tuple(unreadable),
    )


def _read(body: bytes) -> Record:
    cursor = Cursor(body)
    cursor.blob("handle")
    return record_of(read_values(cursor))


_read_kept = functools.lru_cache(maxsize=_KEPT_ENTRIES)(_read)


def _texts(values: Sequence[Value], kind: str) -> Iterator[str]:
    return (value.text for value in values if value.type.upper() == kind)


def level_of(path: str, record: Record, records_url: str) -> Level:
    """Make the level of a path; `records_url` is where records of identifiers are."""
    links = record.links or tuple(
        link_to_record(identifier, records_url) for identifier in record.identifiers
    )
    return Level(path, record.identifiers, links, record.description)


def link_to_record(identifier: str, records_url: str) -> Link:
    """Make the link to an identifier's own record."""
    return Link(
        MASTER_DATA,
        records_url + quote(identifier, safe="/:"),
        f"IDIS record of {identifier}",
        media_type="application/json",
    )


def with_default(levels: Levels) -> Levels:
    """Make sure that there is a default: every item needs one (§2.5.8).

    Where nobody named one it is the first link of the coarsest level that has any
    (emulator convention).
    """
    if any(level.default is not None for level in levels):
        return levels
    for at in reversed(range(len(levels))):
        level = levels[at]
        if level.links:
            first = level.links[0]._replace(default=True)
            level = level._replace(links=(first, *level.links[1:]))
            return (*levels[:at], level, *levels[at + 1 :])
    return levels


def description_at(levels: Levels, at: int) -> str:
    """Describe a level: in its own words, or those of the next level above, or its path."""
    for level in levels[at:]:
        if level.description:
            return level.description
    return levels[at].path
