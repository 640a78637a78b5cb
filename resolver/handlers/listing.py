"""Lists: identifiers of a prefix, derived prefixes, homed prefixes (handle notes §1.9).

Listing identifiers needs LIST_HANDLES. Names come back canonical, so in upper case, as
CNRI's server gives them. A long list goes out as several messages, all but the last
with CONTINUOUS set; that needs a stream, so a datagram client is sent to TCP.
"""

import asyncio
from typing import TYPE_CHECKING

from registry.change import check_homed, check_prefix
from registry.errors import PermissionsError, RegistryError
from registry.model.codes import ResponseCode
from registry.model.identifier import (
    PREFIX_AUTHORITY,
    CaseRule,
    prefix_handle,
    suffix_of,
)
from resolver.chain import SUCCESS, Answer, Query, Reply
from resolver.wire.codes import OpCode
from resolver.wire.response import Handles

if TYPE_CHECKING:
    from registry.access import Access
    from registry.store.interface import Store

MAX_LISTED = 1_000_000
_PART_OCTETS = 200_000
_CHUNK = 2_000


class TooManyError(RegistryError):
    """The list is longer than one answer may be."""

    code: int = ResponseCode.ERROR


class Listing:
    """Answers the list operations from the registry of this node."""

    operations = frozenset(
        {
            OpCode.LIST_HANDLES,
            OpCode.LIST_DERIVED_PREFIXES,
            OpCode.LIST_HOMED_PREFIXES,
        }
    )

    def __init__(self, store: "Store", access: "Access", rule: CaseRule) -> None:
        self._store = store
        self._access = access
        self._rule = rule

    def __call__(self, query: Query) -> Answer:
        """Take list operations only."""
        match query.opcode:
            case OpCode.LIST_HANDLES:
                return self._handles(query)
            case OpCode.LIST_DERIVED_PREFIXES:
                return self._derived(query)
            case OpCode.LIST_HOMED_PREFIXES:
                return self._homed()
            case _:
                return None

    def _homed(self) -> Reply:
        with self._store.snapshot() as snapshot:
            homes = snapshot.homes()
        names = tuple(prefix_handle(home.prefix) for home in homes if home.active)
        return SUCCESS._replace(body=Handles(names).encode())

    async def _handles(self, query: Query) -> Reply:
        prefix = check_prefix(query.name(self._rule))
        self._check(query, prefix)
        return _in_parts(await self._names(prefix, b""), query)

    async def _derived(self, query: Query) -> Reply:
        prefix = check_prefix(query.name(self._rule))
        self._check(query, prefix)
        below = prefix + b"."
        names = await self._names(PREFIX_AUTHORITY, prefix_handle(below))
        return _in_parts([n for n in names if suffix_of(n).startswith(below)], query)

    def _check(self, query: Query, prefix: bytes) -> None:
        with self._store.snapshot() as snapshot:
            check_homed(snapshot.home(prefix))
        self._access.check_list(query.identity, prefix)

    async def _names(self, prefix: bytes, after: bytes) -> list[bytes]:
        # In chunks with a snapshot each: a long read transaction makes the file
        # grow, and other queries want their turn.
        names: list[bytes] = []
        while True:
            chunk = self._chunk(prefix, after)
            names += chunk
            if len(chunk) < _CHUNK:
                return names
            if len(names) >= MAX_LISTED:
                message = f"more than {MAX_LISTED} identifiers under {prefix.decode()}"
                raise TooManyError(message)
            after = chunk[-1]
            await asyncio.sleep(0)

    def _chunk(self, prefix: bytes, after: bytes) -> list[bytes]:
        with self._store.snapshot() as snapshot:
            names = snapshot.names(prefix, after)
            return [name for name, _ in zip(names, range(_CHUNK), strict=False)]


def _in_parts(names: list[bytes], query: Query) -> Reply:
    parts = _cut(names)
    if len(parts) > 1 and query.origin.transport != "tcp":
        message = f"{len(names)} names: ask over TCP for a list this long"
        raise PermissionsError(message)
    bodies = [Handles(tuple(part)).encode() for part in parts]
    return SUCCESS._replace(body=bodies[0], more=tuple(bodies[1:]))


def _cut(names: list[bytes]) -> list[list[bytes]]:
    parts: list[list[bytes]] = [[]]
    size = 0
    for name in names:
        if size > _PART_OCTETS:
            parts.append([])
            size = 0
        parts[-1].append(name)
        size += len(name) + 4
    return parts
