"""Answers a recursive node remembers, each until its time is up (idis notes §3).

Sans-IO: `now` is an argument. An entry lives as long as the shortest TTL among its
values, at most two days, as CNRI's client cuts it (handle notes §8). When the cache is
full, the entry used longest ago gives way.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

from resolver.wire.codes import OpFlag
from resolver.wire.request import Resolution

MAX_TTL_SECONDS = 172_800

_BOUND = int(OpFlag.AUTHORITATIVE | OpFlag.CERTIFIED | OpFlag.RECURSION_AUTHENTICATED)
_PUBLIC_ONLY = int(OpFlag.PUBLIC_ONLY)


def shared_key(request: Resolution, flags: int, name: bytes) -> Hashable | None:
    """Give the key of a question whose answer may be shared; None when it may not.

    That is the canonical name, indexes, types and whether public values only are asked
    for. A token, or a wish for a certified or authoritative answer, binds an answer to
    its client.
    """
    if flags & _BOUND or request.token:
        return None
    if not request.types and not request.indexes:
        return name, flags & _PUBLIC_ONLY
    types = tuple(kind.upper() for kind in request.types)
    return name, flags & _PUBLIC_ONLY, request.indexes, types


class Remembered(NamedTuple):
    """The part of an answer that does not depend on who asks."""

    code: int
    tail: bytes
    """Body of the answer after the handle, or the whole body of a failure."""

    expires: float


class AnswerCache:
    """A bounded map from questions to answers."""

    def __init__(self, max_entries: int) -> None:
        self._entries: OrderedDict[Hashable, Remembered] = OrderedDict()
        self._max_entries = max_entries
        self.evicted = 0
        """Entries that gave way before their time."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, question: Hashable, now: float) -> Remembered | None:
        """Look an answer up; None when it is unknown or too old."""
        entry = self._entries.get(question)
        if entry is None:
            return None
        if entry.expires <= now:
            del self._entries[question]
            return None
        self._entries.move_to_end(question)
        return entry

    def put(
        self, question: Hashable, code: int, tail: bytes, ttl_seconds: int, now: float
    ) -> None:
        """Remember an answer; a TTL of zero or less is not remembered."""
        if ttl_seconds <= 0:
            return
        if question not in self._entries and len(self._entries) >= self._max_entries:
            self._entries.popitem(last=False)
            self.evicted += 1
        expires = now + min(ttl_seconds, MAX_TTL_SECONDS)
        self._entries[question] = Remembered(code, tail, expires)
        self._entries.move_to_end(question)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
