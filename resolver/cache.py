"""Answers a recursive node remembers, each until its time is up (idis notes §3).

Sans-IO: `now` is an argument. An entry lives as long as the shortest TTL among its
values, at most two days, as CNRI's client cuts it (handle notes §8). When the cache is
full, the entry used longest ago gives way.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

MAX_TTL_SECONDS = 172_800


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
